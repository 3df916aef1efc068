//! One filter on its way through its quirks, in a query or in the path of a PATCH operation.
//!
//! A filter is rewritten whole or not at all: when what is fixed for this tenant does not make it one that the RFC's
//! grammar has, all of it stays as sent and the app decides.

use super::{filter_bool_string, filter_case, filter_nonstd_valuepath, filter_unquoted};
use crate::{
    quirk::{Cx, Findings, Id},
    scim::{Attr, AttrPath, Filter, Path, ResourceType, Type, filter::Check},
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

impl Known<'_> {
    /// The type of what `path` names. A multi-valued attribute named alone is compared by its `value`.
    fn kind(&self, path: &AttrPath<'_>) -> Option<Type> {
        let leaf = if path.sub.is_some() { self.sub } else { self.attr };
        leaf.map(|attr| if attr.is_multi() { attr.compare_type() } else { attr.kind })
    }
}

/// Mends the filter of a PATCH path (`attr[filter].sub`), `attr` being what the schemas know of `path.attr`.
/// Returns whether it was changed; when it would still be no filter, it stays and nothing is said to be fixed.
pub(crate) fn fix_path_filter(path: &mut Path<'_>, attr: Option<&Attr>, cx: &mut Cx<'_>, at: Place<'_>) -> bool {
    let Some(filter) = &path.filter else { return false };
    let mut mended = filter.clone();
    let mut trial = Cx::new(cx.plan, cx.way);
    let changed = walk(&mut mended, Scope::Element(attr), Id::AttrCase, &mut trial, at);
    let stands = mended.is_strict();
    keep(trial.findings, stands, cx, at);
    if !stands || !changed {
        return false;
    }
    path.filter = Some(mended);
    true
}

/// Applies the quirks of filters, `names` being the one of misspelled names. Returns whether something was changed;
/// the caller looks whether the result [is strict](Filter::is_strict) before it uses it.
pub(crate) fn walk(filter: &mut Filter<'_>, scope: Scope<'_>, names: Id, cx: &mut Cx<'_>, at: Place<'_>) -> bool {
    match filter {
        Filter::Chain { terms, words, .. } => {
            let mut changed = false;
            for word in words {
                changed |= filter_case::operator(word, cx, at);
            }
            for term in terms {
                changed |= walk(term, scope, names, cx, at);
            }
            changed
        }
        Filter::Not { word, filter } => filter_case::operator(word, cx, at) | walk(filter, scope, names, cx, at),
        Filter::Test { path, check } => {
            let known = scope.find(path);
            let kind = known.kind(path);
            filter_case::name(path, &known, names, cx, at) | self::check(check, kind, cx, at)
        }
        Filter::Element { path, filter } => {
            let known = scope.find(path);
            let element = if path.sub.is_some() { known.sub } else { known.attr };
            filter_case::name(path, &known, names, cx, at) | walk(filter, Scope::Element(element), names, cx, at)
        }
        Filter::ElementTest { .. } => {
            let (may, mut standard) = filter_nonstd_valuepath::fix(filter, cx, at);
            // Where it may not go on, what else is in it is looked at all the same, to be counted.
            let changed = walk(&mut standard, scope, names, cx, at);
            if may {
                *filter = standard;
            }
            may || changed
        }
    }
}

fn check(check: &mut Check<'_>, kind: Option<Type>, cx: &mut Cx<'_>, at: Place<'_>) -> bool {
    match check {
        Check::Present(word) => filter_case::operator(word, cx, at),
        Check::Compare { word, value, .. } => {
            filter_case::operator(word, cx, at)
                | filter_bool_string::fix(value, kind, cx, at)
                | filter_unquoted::fix(value, kind, cx, at)
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
    use crate::{
        quirk::{ALL, Direction, Idp, Mode, Plan, PlanSettings},
        scim::Syntax,
    };

    fn run(path: &str, modes: &[(&str, Mode)]) -> (bool, String, Vec<(&'static str, bool)>) {
        let quirks = modes.iter().map(|(id, mode)| ((*id).to_owned(), *mode)).collect();
        let plan = Plan::new(&PlanSettings { quirks, ..PlanSettings::default() }, Idp::Generic);
        let mut path = Path::parse(path, Syntax::Lenient).unwrap();
        let attr = plan.registry().resource_type("Users").unwrap().attrs.find(&path.attr);
        let mut cx = Cx::new(&plan, Direction::Request);
        let changed = fix_path_filter(&mut path, attr, &mut cx, &|| "/Operations/0/path".to_owned());
        let findings = cx.findings.counts().map(|(id, fixed, _)| (ALL[id as usize].id, fixed)).collect();
        (changed, path.to_string(), findings)
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
            ("things[Value eq 7].x", "things[Value eq 7].x", vec![]),
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
