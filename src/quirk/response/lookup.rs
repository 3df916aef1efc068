//! Does a resource satisfy the filter that was asked? Only for one `eq` on a known attribute (a lookup).

use std::borrow::Cow;

use super::scim11_translate;
use crate::{
    json::{Doc, Kind, Node},
    scim::{
        Attr, Attrs, Type,
        filter::{Filter, Syntax, Value},
        name,
        path::AttrPath,
        urn,
    },
};

/// A filter of one `eq` whose outcome can be told from a resource.
#[derive(Debug)]
pub(crate) struct Lookup {
    /// The schemas that the attribute stands under, as keys spell them.
    schemas: Vec<String>,
    /// Whether it is one of the core schema, so that it stands at the top.
    core: bool,
    attr: Leaf,
    /// The sub-attribute.
    sub: Option<Leaf>,
    want: Want,
}

/// A name as number and text: keys that collide have no number.
#[derive(Debug)]
struct Leaf {
    number: u16,
    text: String,
}

impl Leaf {
    fn of(attr: &Attr) -> Self {
        Self { number: attr.name, text: attr.canonical.to_string() }
    }

    fn names(&self, doc: &Doc<'_>, member: Node) -> bool {
        match doc.name(member) {
            0 => doc.collides(member) && doc.key(member).eq_ignore_ascii_case(&self.text),
            number => number == self.number,
        }
    }
}

#[derive(Debug)]
enum Want {
    Bool(bool),
    Exact(String),
    /// Without letter case.
    Folded(String),
    Number(String),
}

/// What a resource says to a lookup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It does not carry the attribute.
    Absent,
    /// One of its values is equal.
    Match,
    /// All of its values differ.
    Other,
    /// It carries the attribute under keys that collide, or under spellings that disagree: readers will differ.
    Unclear,
}

impl Lookup {
    /// The lookup in a filter's text, for resources with these attributes and one of these core schemas.
    pub(crate) fn of(filter: &str, attrs: &Attrs, core: &[&str]) -> Option<Self> {
        let filter = Filter::parse(filter, Syntax::Lenient).ok()?;
        let (path, value) = filter.single_eq()?;
        let (extension, attr) = resolve(path, attrs)?;
        let (sub, leaf) = match &path.sub {
            Some(sub) => attr.sub.find(sub).map(|sub| (Some(Leaf::of(sub)), sub))?,
            None if attr.kind == Type::Complex => attr.sub.get(name::VALUE).map(|sub| (Some(Leaf::of(sub)), sub))?,
            None => (None, attr),
        };
        let schemas: Vec<&str> = match extension {
            None => core.iter().copied().chain([scim11_translate::CORE]).collect(),
            Some(extension) if extension.name == name::ENTERPRISE_USER => {
                vec![urn::ENTERPRISE_USER, scim11_translate::ENTERPRISE]
            }
            Some(extension) => vec![&extension.canonical],
        };
        let schemas = schemas.into_iter().map(str::to_owned).collect();
        Some(Self { schemas, core: extension.is_none(), attr: Leaf::of(attr), sub, want: want(leaf, value)? })
    }

    /// What a resource says, in whatever spelling: the repairs that come later nest flat keys and rename old ones.
    pub(crate) fn judge(&self, doc: &Doc<'_>, resource: Node) -> Verdict {
        let mut said = Verdict::Absent;
        for member in doc.children(resource) {
            if self.core && self.attr.names(doc, member) {
                said = agree(said, unless_colliding(doc, member, self.values(doc, member)));
                continue;
            }
            let key = doc.key(member);
            let Some(rest) = self.behind_schema(&key) else { continue };
            if rest.is_empty() {
                for inner in doc.children(member).filter(|&inner| self.attr.names(doc, inner)) {
                    said = agree(said, unless_colliding(doc, inner, self.values(doc, inner)));
                }
            } else if let Some(rest) = strip(&rest[1..], &self.attr.text) {
                match (rest.strip_prefix('.'), &self.sub) {
                    (None, _) if rest.is_empty() => {
                        said = agree(said, unless_colliding(doc, member, self.values(doc, member)));
                    }
                    (Some(rest), Some(sub)) if rest.eq_ignore_ascii_case(&sub.text) => {
                        said = agree(said, self.leaf(doc, member));
                    }
                    _ => {}
                }
            }
        }
        said
    }

    /// What stands in a key behind the schema, with its separator.
    fn behind_schema<'k>(&self, key: &'k str) -> Option<&'k str> {
        let rest = self.schemas.iter().find_map(|schema| strip(key, schema))?;
        (rest.is_empty() || rest.starts_with([':', '.'])).then_some(rest)
    }

    /// What a value, or the elements of a list, say.
    fn values(&self, doc: &Doc<'_>, value: Node) -> Verdict {
        match doc.kind(value) {
            Kind::Array => doc.children(value).fold(Verdict::Absent, |sum, item| better(sum, self.value(doc, item))),
            _ => self.value(doc, value),
        }
    }

    /// What one value, or one element of a list, says.
    fn value(&self, doc: &Doc<'_>, value: Node) -> Verdict {
        let Some(sub) = &self.sub else { return self.leaf(doc, value) };
        match doc.kind(value) {
            Kind::Object => {
                let has_value = doc.get(value, name::VALUE).is_some();
                // SCIM 1.1 calls the manager's `value` so.
                let is_old = |member| sub.number == name::VALUE && !has_value && doc.name(member) == name::MANAGER_ID;
                let leaves = doc.children(value).filter(|&member| sub.names(doc, member) || is_old(member));
                leaves.fold(Verdict::Absent, |sum, leaf| agree(sum, unless_colliding(doc, leaf, self.leaf(doc, leaf))))
            }
            Kind::Null => Verdict::Absent,
            _ if sub.number == name::VALUE => self.leaf(doc, value),
            _ => Verdict::Other,
        }
    }

    fn leaf(&self, doc: &Doc<'_>, leaf: Node) -> Verdict {
        match doc.kind(leaf) {
            Kind::Null => Verdict::Absent,
            _ if self.want.is(doc, leaf) => Verdict::Match,
            _ => Verdict::Other,
        }
    }
}

fn strip<'t>(text: &'t str, prefix: &str) -> Option<&'t str> {
    text.get(..prefix.len())?.eq_ignore_ascii_case(prefix).then(|| &text[prefix.len()..])
}

/// A value under a key that collides tells nothing.
fn unless_colliding(doc: &Doc<'_>, member: Node, said: Verdict) -> Verdict {
    if doc.collides(member) { Verdict::Unclear } else { said }
}

/// Elements of a list: one equal value is enough.
fn better(a: Verdict, b: Verdict) -> Verdict {
    [Verdict::Match, Verdict::Unclear, Verdict::Other]
        .into_iter()
        .find(|v| [a, b].contains(v))
        .unwrap_or(Verdict::Absent)
}

/// Spellings of one attribute: they have to say the same.
fn agree(a: Verdict, b: Verdict) -> Verdict {
    match (a, b) {
        (Verdict::Absent, said) | (said, Verdict::Absent) => said,
        (a, b) if a == b => a,
        _ => Verdict::Unclear,
    }
}

/// The extension, if it is one, and the attribute.
fn resolve<'a>(path: &AttrPath<'_>, attrs: &'a Attrs) -> Option<(Option<&'a Attr>, &'a Attr)> {
    match path.urn.as_deref() {
        None => attrs.find(&path.attr).map(|attr| (None, attr)),
        Some(urn) if [urn::USER, urn::GROUP].iter().any(|core| core.eq_ignore_ascii_case(urn)) => {
            attrs.find(&path.attr).map(|attr| (None, attr))
        }
        Some(urn) => {
            let extension = attrs.find(urn)?;
            extension.sub.find(&path.attr).map(|attr| (Some(extension), attr))
        }
    }
}

/// `None` where equality is not plain: dates are instants, complex values have no order of members.
fn want(leaf: &Attr, value: &Value<'_>) -> Option<Want> {
    let text = match value {
        Value::Number(digits) => Some(Cow::Borrowed(*digits)),
        value => value.text(),
    };
    match leaf.kind {
        Type::String | Type::Reference | Type::Binary if leaf.case_exact => {
            text.map(|text| Want::Exact(text.into_owned()))
        }
        Type::String | Type::Reference | Type::Binary => text.map(|text| Want::Folded(fold(&text))),
        Type::Boolean => match value {
            Value::True => Some(Want::Bool(true)),
            Value::False => Some(Want::Bool(false)),
            _ => text.and_then(|text| super::bool_string::word(&text)).map(Want::Bool),
        },
        Type::Integer | Type::Decimal => match value {
            Value::Number(digits) => Some(Want::Number((*digits).to_owned())),
            _ => None,
        },
        Type::DateTime | Type::Complex => None,
    }
}

impl Want {
    fn is(&self, doc: &Doc<'_>, leaf: Node) -> bool {
        let text = match doc.kind(leaf) {
            Kind::Number => Some(Cow::Borrowed(doc.raw(leaf))),
            _ => doc.string(leaf),
        };
        match (self, doc.kind(leaf)) {
            (Self::Bool(want), Kind::True) => *want,
            (Self::Bool(want), Kind::False) => !*want,
            (Self::Bool(want), _) => text.is_some_and(|text| super::bool_string::word(&text) == Some(*want)),
            (Self::Exact(want), _) => text.is_some_and(|text| text == **want),
            (Self::Folded(want), _) => text.is_some_and(|text| fold(&text) == *want),
            (Self::Number(want), _) => text.is_some_and(|text| {
                text == **want || text.parse::<f64>().is_ok_and(|a| want.parse::<f64>().is_ok_and(|b| a == b))
            }),
        }
    }
}

fn fold(text: &str) -> String {
    text.chars().flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{json::Duplicates, scim::Registry};

    #[test]
    fn one_eq_is_judged_by_the_schema() {
        let registry = Registry::rfc();
        let user = registry.resource_type("Users").expect("User");
        let body = r#"{"id":7,"userName":"Ada","externalId":"X1","active":"True","emails":["a@x",{"value":"B@x","type":"work"}],
            "name":{"familyName":"L"},"title":null,"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"manager":{"value":"9"}},
            "meta":{"created":"2020-01-01T00:00:00Z"}}"#;
        let doc = Doc::parse(body, registry.names(), Duplicates::CaseKept).expect("valid");
        let judge =
            |filter: &str| Lookup::of(filter, &user.attrs, &[urn::USER]).map(|lookup| lookup.judge(&doc, doc.root()));
        for (filter, verdict) in [
            (r#"userName eq "ADA""#, Some(Verdict::Match)),
            (r#"USERNAME Eq "bob""#, Some(Verdict::Other)),
            (r#"urn:ietf:params:scim:schemas:core:2.0:User:userName eq "ada""#, Some(Verdict::Match)),
            (r#"externalId eq "x1""#, Some(Verdict::Other)),
            (r#"id eq "7""#, Some(Verdict::Match)),
            (r#"emails eq "b@x""#, Some(Verdict::Match)),
            (r#"emails.value eq "A@X""#, Some(Verdict::Match)),
            (r#"emails.value eq "c@x""#, Some(Verdict::Other)),
            (r#"emails.type eq "home""#, Some(Verdict::Other)),
            ("active eq true", Some(Verdict::Match)),
            (r#"active eq "False""#, Some(Verdict::Other)),
            (r#"name.familyName eq "l""#, Some(Verdict::Match)),
            (r#"title eq "x""#, Some(Verdict::Absent)),
            (r#"nickName eq "x""#, Some(Verdict::Absent)),
            (r#"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager eq "9""#, Some(Verdict::Match)),
            (r#"meta.created eq "2020-01-01T00:00:00Z""#, None),
            (r#"unknown eq "x""#, None),
            (r#"userName eq "a" or id eq "b""#, None),
            (r#"userName sw "a""#, None),
            (r#"emails[type eq "work"]"#, None),
        ] {
            assert_eq!(judge(filter), verdict, "{filter}");
        }
    }

    #[test]
    fn every_spelling_of_the_attribute_counts() {
        let registry = Registry::rfc();
        let user = registry.resource_type("Users").expect("User");
        let enterprise = urn::ENTERPRISE_USER;
        let department = format!(r#"{enterprise}:department eq "d""#);
        let manager = format!(r#"{enterprise}:manager eq "9""#);
        let name = r#"userName eq "a""#;
        for (filter, body, verdict) in [
            (name, r#"{"urn:ietf:params:scim:schemas:core:2.0:User:userName":"A"}"#, Verdict::Match),
            (name, r#"{"urn:ietf:params:scim:schemas:core:2.0:user:UserName":"b"}"#, Verdict::Other),
            (name, r#"{"urn:ietf:params:scim:schemas:core:2.0:User":{"userName":"a"}}"#, Verdict::Match),
            (name, r#"{"urn:scim:schemas:core:1.0:userName":"b"}"#, Verdict::Other),
            (name, r#"{"urn:ietf:params:scim:schemas:core:2.0:User:userNames":"b"}"#, Verdict::Absent),
            (name, r#"{"urn:acme:userName":"b"}"#, Verdict::Absent),
            (name, r#"{"UserName":"a","username":"b"}"#, Verdict::Unclear),
            (name, r#"{"UserName":"b","username":"c"}"#, Verdict::Unclear),
            (name, r#"{"userName":"a","urn:ietf:params:scim:schemas:core:2.0:User:userName":"b"}"#, Verdict::Unclear),
            (r#"emails.value eq "a""#, r#"{"emails":[{"value":"b","Value":"a"}]}"#, Verdict::Unclear),
            (
                r#"name.familyName eq "a""#,
                r#"{"urn:ietf:params:scim:schemas:core:2.0:User:name.familyName":"a"}"#,
                Verdict::Match,
            ),
            (&department, r#"{"urn:scim:schemas:extension:enterprise:1.0":{"department":"D"}}"#, Verdict::Match),
            (&department, r#"{"urn:scim:schemas:extension:enterprise:1.0:department":"e"}"#, Verdict::Other),
            (
                &manager,
                r#"{"urn:scim:schemas:extension:enterprise:1.0":{"manager":{"managerId":"9"}}}"#,
                Verdict::Match,
            ),
        ] {
            let doc = Doc::parse(body, registry.names(), Duplicates::CaseKept).expect("valid");
            let lookup = Lookup::of(filter, &user.attrs, &[urn::USER]).expect("a lookup");
            assert_eq!(lookup.judge(&doc, doc.root()), verdict, "{filter} {body}");
        }
    }
}
