//! Where a target leads, read as the engine reads it.

use std::borrow::Cow;

use crate::{
    quirk::request::filter_plus,
    scim::{
        AttrPath, Filter, Syntax,
        filter::{Check, Join, Op, Part, Value},
    },
};

/// The segments that RFC 7644 3.2 lets stand first.
pub(crate) const ENDPOINTS: [&str; 7] =
    ["Users", "Groups", "Me", "Bulk", "Schemas", "ResourceTypes", "ServiceProviderConfig"];

/// A target's parts, as far as exchanges differ by them.
#[derive(Debug)]
pub(crate) struct Target<'t> {
    /// The first segment, where RFC 7644 knows it, in its spelling.
    pub(crate) endpoint: Option<&'static str>,
    /// The second segment, decoded.
    pub(crate) id: Option<Cow<'t, str>>,
    /// It ends in `.search`.
    pub(crate) search: bool,
    /// The `filter` of the query, decoded; of several the last.
    pub(crate) filter: Option<String>,
}

impl<'t> Target<'t> {
    pub(crate) fn read(target: &'t str) -> Self {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let mut segments = path.split('/').filter(|segment| !segment.is_empty());
        let first = segments.next();
        let is_search = |segment: &str| segment.eq_ignore_ascii_case(".search");
        let search = path.rsplit('/').find(|segment| !segment.is_empty()).is_some_and(is_search);
        Self {
            endpoint: first.and_then(endpoint),
            id: segments.next().filter(|segment| !is_search(segment)).map(decoded),
            search,
            filter: if query.is_empty() { None } else { filter(query) },
        }
    }

    /// Under which resource the names of its objects are hashed: that of the path, also for `/Users/.search`.
    pub(crate) fn resource(&self, label: &'static str) -> &'static str {
        self.endpoint.unwrap_or(label)
    }

    /// Discovery, of which there are no objects (RFC 7644 4).
    pub(crate) fn is_discovery(&self) -> bool {
        matches!(self.endpoint, Some("Schemas" | "ResourceTypes" | "ServiceProviderConfig"))
    }
}

pub(crate) fn endpoint(segment: &str) -> Option<&'static str> {
    ENDPOINTS.into_iter().find(|known| known.eq_ignore_ascii_case(segment))
}

/// Without percent-escapes; as it stands where they are no UTF-8.
pub(crate) fn decoded(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    percent_encoding::percent_decode_str(text).decode_utf8().unwrap_or(Cow::Borrowed(text))
}

fn filter(query: &str) -> Option<String> {
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let (_, raw) = pairs.rev().find(|(name, _)| decoded(name).eq_ignore_ascii_case("filter"))?;
    // A plus is a blank or a plus as the rest of the filter tells; where it does not, as forms have it.
    let text = match filter_plus::read(raw) {
        Some((text, _)) => text,
        None => decoded(&raw.replace('+', " ")).into_owned(),
    };
    (!text.trim().is_empty()).then_some(text)
}

/// The one comparison by which a filter looks up an object.
#[derive(Debug)]
pub(super) struct Lookup {
    /// `userName`, `emails.value`.
    pub(super) path: String,
    /// What it is compared with.
    pub(super) value: String,
}

impl Lookup {
    /// Of a filter that is one `eq`, or one on the `value` of elements that are chosen by `type` or `primary`.
    pub(super) fn of(filter: &str) -> Option<Self> {
        Self::in_filter(&Filter::parse(filter, Syntax::Lenient).ok()?)
    }

    fn in_filter(filter: &Filter<'_>) -> Option<Self> {
        match filter {
            Filter::Group(inner) => Self::in_filter(inner),
            Filter::Test { path, check } => Self::test(spelled(&path.it), check),
            Filter::Element { path, selected } => {
                let (_, check) = only_value(&selected.filter)?;
                Self::test(format!("{}.value", path.it), check)
            }
            Filter::ElementTest { path, sub, check, .. } => {
                let sub = sub.as_ref().map_or(Cow::Borrowed("value"), |sub| Cow::Owned(sub.it.to_string()));
                Self::test(format!("{}.{sub}", path.it), check)
            }
            Filter::Chain { .. } | Filter::Not { .. } => None,
        }
    }

    fn test(path: String, check: &Check<'_>) -> Option<Self> {
        let Check::Compare { op: Op::Eq, value: Part { it: value, .. }, .. } = check else { return None };
        let value = match value {
            Value::Number(number) => (*number).to_owned(),
            value => value.text()?.into_owned(),
        };
        (!value.is_empty()).then_some(Self { path, value })
    }
}

fn spelled(path: &AttrPath<'_>) -> String {
    path.to_string()
}

/// `value eq "x"` in brackets, alone or beside tests of `type` and `primary`.
fn only_value<'f>(filter: &'f Filter<'f>) -> Option<(&'f str, &'f Check<'f>)> {
    let terms = match filter {
        Filter::Chain { join: Join::And, terms, .. } => &terms[..],
        single => std::slice::from_ref(single),
    };
    let mut found = None;
    for term in terms {
        let Filter::Test { path, check } = term else { return None };
        let name = &*path.it.attr;
        if name.eq_ignore_ascii_case("value") && found.is_none() {
            found = Some((name, check));
        } else if !["type", "primary"].iter().any(|chooses| name.eq_ignore_ascii_case(chooses)) {
            return None;
        }
    }
    found
}

/// 8-4-4-4-12 hex digits and nothing else: what Entra checks its connection with (a user that cannot exist).
pub(super) fn is_guid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lookup(filter: &str) -> Option<(String, String)> {
        Lookup::of(filter).map(|lookup| (lookup.path, lookup.value))
    }

    #[test]
    fn targets_are_read_as_the_engine_reads_them() {
        let target = Target::read("//users/a%2Fb/?x=1");
        assert_eq!((target.endpoint, target.id.as_deref()), (Some("Users"), Some("a/b")));
        assert!(Target::read("/Users/.Search").search && Target::read("/Users/.search").id.is_none());
        assert!(Target::read("/.search").search);
        for (query, filter) in [
            ("filter=userName+eq+%22a%22", Some(r#"userName eq "a""#)),
            ("%66ilter=userName%20eq%20%22a+b%22", Some(r#"userName eq "a+b""#)),
            ("filter=%20", None),
            ("filter", None),
            ("count=1", None),
        ] {
            assert_eq!(Target::read(&format!("/Users?{query}")).filter.as_deref(), filter, "{query}");
        }
    }

    #[test]
    fn one_comparison_names_an_object() {
        let found = |path: &str, value: &str| Some((path.to_owned(), value.to_owned()));
        assert_eq!(lookup(r#"userName eq "a\u0062""#), found("userName", "ab"));
        assert_eq!(lookup("(externalId Eq 7)"), found("externalId", "7"));
        for filter in [
            r#"emails[type eq "work"].value eq "a@b""#,
            r#"emails[type eq "work" and value eq "a@b"]"#,
            r#"emails[value eq "a@b"]"#,
        ] {
            assert_eq!(lookup(filter), found("emails.value", "a@b"), "{filter}");
        }
        for filter in [
            r#"userName eq "a" and active eq true"#,
            r#"userName sw "a""#,
            "active eq true",
            r#"not (userName eq "a")"#,
            r#"emails[value eq "a" or value eq "b"]"#,
            r#"userName eq """#,
            "userName",
        ] {
            assert_eq!(lookup(filter), None, "{filter}");
        }
    }

    #[test]
    fn guids_are_told_by_their_form() {
        assert!(is_guid("2819c223-7f76-453a-919d-413861904646"));
        assert!(!is_guid("2819c223-7f76-453a-919d-41386190464"));
        assert!(!is_guid("2819c223x7f76-453a-919d-413861904646"));
        assert!(!is_guid("é819c223-7f76-453a-919d-41386190464"));
    }
}
