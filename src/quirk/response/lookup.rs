//! Does a resource satisfy the filter that was asked? Only for one `eq` on a known attribute (a lookup).

use std::borrow::Cow;

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
    /// The extension, or 0.
    extension: u16,
    attr: u16,
    /// The sub-attribute, or 0.
    sub: u16,
    want: Want,
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
}

impl Lookup {
    /// The lookup in a filter's text, for resources with these attributes.
    pub(crate) fn of(filter: &str, attrs: &Attrs) -> Option<Self> {
        let filter = Filter::parse(filter, Syntax::Lenient).ok()?;
        let (path, value) = filter.single_eq()?;
        let (extension, attr) = resolve(path, attrs)?;
        let (sub, leaf) = match &path.sub {
            Some(sub) => attr.sub.find(sub).map(|sub| (sub.name, sub))?,
            None if attr.kind == Type::Complex => attr.sub.get(name::VALUE).map(|sub| (sub.name, sub))?,
            None => (0, attr),
        };
        Some(Self { extension, attr: attr.name, sub, want: want(leaf, value)? })
    }

    /// What a resource says.
    pub(crate) fn judge(&self, doc: &Doc<'_>, resource: Node) -> Verdict {
        let holder = match self.extension {
            0 => Some(resource),
            extension => doc.get(resource, extension),
        };
        let Some(value) = holder.and_then(|holder| doc.get(holder, self.attr)) else { return Verdict::Absent };
        match doc.kind(value) {
            Kind::Array => doc.children(value).fold(Verdict::Absent, |sum, item| better(sum, self.value(doc, item))),
            _ => self.value(doc, value),
        }
    }

    /// What one value, or one element of a list, says.
    fn value(&self, doc: &Doc<'_>, value: Node) -> Verdict {
        let leaf = match (self.sub, doc.kind(value)) {
            (_, Kind::Null) => return Verdict::Absent,
            (0, _) => value,
            (sub, Kind::Object) => match doc.get(value, sub) {
                Some(leaf) if doc.kind(leaf) != Kind::Null => leaf,
                _ => return Verdict::Absent,
            },
            (name::VALUE, _) => value,
            _ => return Verdict::Other,
        };
        if self.want.is(doc, leaf) { Verdict::Match } else { Verdict::Other }
    }
}

fn better(a: Verdict, b: Verdict) -> Verdict {
    match (a, b) {
        (Verdict::Match, _) | (_, Verdict::Match) => Verdict::Match,
        (Verdict::Other, _) | (_, Verdict::Other) => Verdict::Other,
        _ => Verdict::Absent,
    }
}

fn resolve<'a>(path: &AttrPath<'_>, attrs: &'a Attrs) -> Option<(u16, &'a Attr)> {
    match path.urn.as_deref() {
        None => attrs.find(&path.attr).map(|attr| (0, attr)),
        Some(urn) if [urn::USER, urn::GROUP].iter().any(|core| core.eq_ignore_ascii_case(urn)) => {
            attrs.find(&path.attr).map(|attr| (0, attr))
        }
        Some(urn) => {
            let extension = attrs.find(urn)?;
            extension.sub.find(&path.attr).map(|attr| (extension.name, attr))
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
        let judge = |filter: &str| Lookup::of(filter, &user.attrs).map(|lookup| lookup.judge(&doc, doc.root()));
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
}
