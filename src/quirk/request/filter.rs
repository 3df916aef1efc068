//! One filter on its way through its quirks, in a query or in the path of a PATCH operation.
//!
//! A filter is mended in its place: what no quirk touches, blanks and parentheses among it, keeps its bytes. All fixes go
//! in or none: when what is fixed for this tenant does not make it one that the RFC's grammar has, all of it stays as
//! sent and the app decides.

use std::ops::Range;

use super::{filter_bool_string, filter_case, filter_nonstd_valuepath, filter_unquoted};
use crate::{
    quirk::{Cx, Findings, Id},
    scim::{
        Attr, AttrPath, Filter, Path, ResourceType, Syntax, Type,
        filter::{Check, Enclosed, Part},
    },
};

/// Where a finding stands, made only when it is noted.
pub(crate) type Place<'a> = &'a dyn Fn() -> String;

/// Whose names a filter uses.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Scope<'r> {
    /// A resource's; `None` where its type is not known.
    Resource(Option<&'r ResourceType>),
    /// The sub-attributes of an attribute; `None` where it is not known.
    Element(Option<&'r Attr>),
}

impl<'r> Scope<'r> {
    /// What the schemas know of `path`.
    pub(crate) fn find(self, path: &AttrPath<'_>) -> Known<'r> {
        let (urn, attrs) = match (self, path.urn.as_deref()) {
            (Self::Resource(Some(kind)), None) => (None, &kind.attrs),
            (Self::Resource(Some(kind)), Some(urn)) if urn.eq_ignore_ascii_case(&kind.urn) => {
                (Some(&*kind.urn), &kind.attrs)
            }
            (Self::Resource(Some(kind)), Some(urn)) => match kind.attrs.find(urn) {
                Some(extension) if extension.extension => (Some(&*extension.canonical), &extension.sub),
                _ => return Known::default(),
            },
            (Self::Element(Some(attr)), None) => (None, &attr.sub),
            _ => return Known::default(),
        };
        let attr = attrs.find(&path.attr);
        let sub = attr.zip(path.sub.as_deref()).and_then(|(attr, sub)| attr.sub.find(sub));
        Known { urn, attr, sub }
    }
}

/// The parts of a path that the schemas know.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Known<'r> {
    /// The schema's canonical URN, where one was sent.
    pub(crate) urn: Option<&'r str>,
    /// The attribute.
    pub(crate) attr: Option<&'r Attr>,
    /// The sub-attribute, where one was sent.
    pub(crate) sub: Option<&'r Attr>,
}

impl<'r> Known<'r> {
    /// What `path` names.
    fn leaf(&self, path: &AttrPath<'_>) -> Option<&'r Attr> {
        if path.sub.is_some() { self.sub } else { self.attr }
    }

    /// The type of what `path` names. A multi-valued attribute named alone is compared by its `value`.
    fn kind(&self, path: &AttrPath<'_>) -> Option<Type> {
        self.leaf(path).map(|attr| if attr.is_multi() { attr.compare_type() } else { attr.kind })
    }
}

/// What is put in the place of some bytes of a filter.
pub(crate) type Edit = (Range<usize>, String);

/// What is to be put into a filter, from front to back.
#[derive(Debug, Default)]
pub(crate) struct Edits(Vec<Edit>);

impl Edits {
    fn put(&mut self, at: &Range<usize>, text: Option<String>) {
        if let Some(text) = text {
            self.push((at.clone(), text));
        }
    }

    fn push(&mut self, edit: Edit) {
        debug_assert!(self.0.last().is_none_or(|(last, _)| last.end <= edit.0.start), "from front to back");
        self.0.push(edit);
    }

    /// The part of `text` at `range` with the edits in it, all of which are there; `None` where there are none.
    pub(crate) fn apply(self, text: &str, range: Range<usize>) -> Option<String> {
        if self.0.is_empty() {
            return None;
        }
        let mut result = String::with_capacity(range.len() + 16);
        let mut from = range.start;
        for (at, new) in self.0 {
            result.push_str(&text[from..at.start]);
            result.push_str(&new);
            from = at.end;
        }
        result.push_str(&text[from..range.end]);
        Some(result)
    }
}

/// Mends the filter of a PATCH path (`attr[filter].sub`), `text` being what `path` was read from and `attr` what the
/// schemas know of `path.attr`. Returns the brackets with the new filter in them, or `None` where it stays: when it
/// would still be no filter nothing is said to be fixed.
pub(crate) fn fix_path_filter(
    text: &str,
    path: &Path<'_>,
    attr: Option<&Attr>,
    cx: &mut Cx<'_>,
    at: Place<'_>,
) -> Option<String> {
    let sent = path.filter.as_ref()?;
    let mut trial = Cx::new(cx.plan, cx.way);
    let edits = find(text, &sent.filter, Scope::Element(attr), Id::AttrCase, &mut trial, at);
    let mended = edits.apply(text, sent.outer.clone());
    let filter = mended.as_deref().unwrap_or(&text[sent.outer.clone()]);
    let stands = Filter::parse_brackets(filter, 0, Syntax::Strict).is_ok();
    keep(trial.findings, stands, cx, at);
    mended.filter(|_| stands)
}

/// What the quirks of filters have to put into `filter`, which was read from `text`; `names` is the quirk of misspelled
/// names. The caller looks whether the result is a filter before it uses it.
pub(crate) fn find(
    text: &str,
    filter: &Filter<'_>,
    scope: Scope<'_>,
    names: Id,
    cx: &mut Cx<'_>,
    at: Place<'_>,
) -> Edits {
    let mut walk = Walk { text, names, cx, at, edits: Edits::default() };
    walk.filter(filter, scope);
    walk.edits
}

/// The way through one filter, from front to back.
struct Walk<'a, 'p> {
    text: &'a str,
    names: Id,
    cx: &'a mut Cx<'p>,
    at: Place<'a>,
    edits: Edits,
}

impl Walk<'_, '_> {
    fn filter(&mut self, filter: &Filter<'_>, scope: Scope<'_>) {
        match filter {
            Filter::Chain { terms, words, .. } => {
                for (i, term) in terms.iter().enumerate() {
                    if let Some(word) = i.checked_sub(1).and_then(|i| words.get(i)) {
                        self.operator(word);
                    }
                    self.filter(term, scope);
                }
            }
            Filter::Group(filter) => self.filter(filter, scope),
            Filter::Not { word, filter } => {
                self.operator(word);
                self.filter(filter, scope);
            }
            Filter::Test { path, check } => {
                let known = self.name(path, scope);
                self.check(check, known.kind(&path.it));
            }
            Filter::Element { path, selected } => {
                let element = self.name(path, scope).leaf(&path.it);
                self.filter(&selected.filter, Scope::Element(element));
            }
            Filter::ElementTest { path, selected, sub, check } => {
                self.element_test(path, selected, sub.as_ref(), check, scope);
            }
        }
    }

    fn element_test(
        &mut self,
        path: &Part<AttrPath<'_>>,
        selected: &Enclosed<'_>,
        sub: Option<&Part<AttrPath<'_>>>,
        check: &Check<'_>,
        scope: Scope<'_>,
    ) {
        // Where it may not go on, what else is in it is looked at all the same, to be counted.
        let may = self.cx.may(Id::FilterNonstdValuepath, self.at);
        let element = self.name(path, scope).leaf(&path.it);
        let inside = Scope::Element(element);
        let value = AttrPath::name("value");
        let default = inside.find(&value);
        let missing = sub.is_none().then(|| default.attr.map_or("value", |attr| &*attr.canonical));
        let moved = may.then(|| filter_nonstd_valuepath::fix(self.text, selected, missing, check.end()));
        let (open, join, close) = moved.map_or((None, None, None), |m| (m.open, Some(m.join), Some(m.close)));

        open.into_iter().for_each(|edit| self.edits.push(edit));
        self.filter(&selected.filter, inside);
        join.into_iter().for_each(|edit| self.edits.push(edit));
        let kind = match sub {
            Some(sub) => self.name(sub, inside).kind(&sub.it),
            None => default.kind(&value),
        };
        self.check(check, kind);
        close.into_iter().for_each(|edit| self.edits.push(edit));
    }

    fn name<'r>(&mut self, path: &Part<AttrPath<'_>>, scope: Scope<'r>) -> Known<'r> {
        let known = scope.find(&path.it);
        self.edits.put(&path.at, filter_case::name(&path.it, &known, self.names, self.cx, self.at));
        known
    }

    fn operator(&mut self, word: &Range<usize>) {
        self.edits.put(word, filter_case::operator(&self.text[word.clone()], self.cx, self.at));
    }

    fn check(&mut self, check: &Check<'_>, kind: Option<Type>) {
        match check {
            Check::Present(word) => self.operator(word),
            Check::Compare { word, value, .. } => {
                self.operator(word);
                let text = filter_bool_string::fix(&value.it, kind, self.cx, self.at)
                    .or_else(|| filter_unquoted::fix(&value.it, kind, self.cx, self.at));
                self.edits.put(&value.at, text);
            }
        }
    }
}

/// Takes over what a trial found: all of it when its result stands, else only what was to be observed.
pub(crate) fn keep(found: Findings, stands: bool, cx: &mut Cx<'_>, at: Place<'_>) {
    if stands {
        return cx.findings.extend(found);
    }
    for (quirk, _, count) in found.counts().filter(|(_, fixed, _)| !fixed) {
        (0..count).for_each(|_| cx.findings.note(quirk, false, at));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quirk::{ALL, Direction, Idp, Mode, Plan, PlanSettings};

    fn run(path: &str, modes: &[(&str, Mode)]) -> (bool, String, Vec<(&'static str, bool)>) {
        let quirks = modes.iter().map(|(id, mode)| ((*id).to_owned(), *mode)).collect();
        let plan = Plan::new(&PlanSettings { quirks, ..PlanSettings::default() }, Idp::Generic);
        let text = path;
        let path = Path::parse(text, Syntax::Lenient).unwrap();
        let attr = plan.registry().resource_type("Users").unwrap().attrs.find(&path.attr);
        let mut cx = Cx::new(&plan, Direction::Request);
        let mended = fix_path_filter(text, &path, attr, &mut cx, &|| "/Operations/0/path".to_owned());
        let findings = cx.findings.counts().map(|(id, fixed, _)| (ALL[id as usize].id, fixed)).collect();
        let sent = path.filter.map_or(0..0, |filter| filter.outer);
        let result =
            [&text[..sent.start], mended.as_deref().unwrap_or(&text[sent.clone()]), &text[sent.end..]].concat();
        (mended.is_some(), result, findings)
    }

    #[test]
    fn filters_of_paths_are_mended() {
        for (path, expected, quirks) in [
            ("Emails[Type eq \"Work\"].Value", "Emails[type eq \"Work\"].Value", vec![("attr-case", true)]),
            ("roles[primary eq \"True\"].value", "roles[primary eq true].value", vec![("filter-bool-string", true)]),
            (
                "emails[type Eq work]",
                "emails[type eq \"work\"]",
                vec![("filter-op-case", true), ("filter-unquoted", true)],
            ),
            ("emails[value eq 7]", "emails[value eq \"7\"]", vec![("filter-unquoted", true)]),
            ("emails[(type eq work)].value", "emails[(type eq \"work\")].value", vec![("filter-unquoted", true)]),
            ("emails[ Type eq \"work\" ]", "emails[ type eq \"work\" ]", vec![("attr-case", true)]),
            (
                "roles[not(primary eq \"True\")  and ((display pr))].value",
                "roles[not(primary eq true)  and ((display pr))].value",
                vec![("filter-bool-string", true)],
            ),
            ("things[Value eq 7].x", "things[Value eq 7].x", vec![]),
            ("emails[ ( type  eq \"work\" ) ].value", "emails[ ( type  eq \"work\" ) ].value", vec![]),
            ("emails[type eq \"work\"].value", "emails[type eq \"work\"].value", vec![]),
            ("emails", "emails", vec![]),
        ] {
            assert_eq!(run(path, &[]), (!quirks.is_empty(), expected.to_owned(), quirks), "{path}");
        }
    }

    #[test]
    fn a_path_filter_that_would_still_be_none_stays() {
        let path = "emails[Type eq work and primary eq \"True\"]";
        let modes = [("filter-unquoted", Mode::Observe)];
        assert_eq!(run(path, &modes), (false, path.to_owned(), vec![("filter-unquoted", false)]));
    }
}
