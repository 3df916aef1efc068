//! Attributes as texts and paths name them, spelled as the schemas of RFC 7643 spell them. Nothing else of a text is
//! ever kept.

use std::sync::LazyLock;

use crate::scim::{Attr, Registry};

/// The schemas of RFC 7643: what may stand in a cause must not depend on what an operator declared.
pub(crate) fn registry() -> &'static Registry {
    static RFC: LazyLock<Registry> = LazyLock::new(Registry::rfc);
    &RFC
}

/// Attribute and sub-attribute of a path, key or URN with either; without schema and filter. Empty where there is none.
pub(crate) fn split(path: &str) -> (&str, &str) {
    let bracket = path.find('[').unwrap_or(path.len());
    let (name, behind) = path.split_at(bracket);
    let name = match registry().known_urn(name) {
        Some(known) => known.rest,
        None => name.rsplit(':').next().unwrap_or(name),
    };
    let (attr, sub) = name.split_once('.').unwrap_or((name, ""));
    let after = behind.rfind(']').map_or("", |end| &behind[end + 1..]);
    (attr, after.strip_prefix('.').unwrap_or(sub))
}

/// The whole text is the URN of a schema of RFC 7643.
pub(crate) fn is_schema(text: &str) -> bool {
    registry().known_urn(text).is_some_and(|known| known.rest.is_empty())
}

/// A path as the schema spells it; of a sub-attribute that it does not know the attribute alone.
pub(super) fn spelled(resource: &str, attr: &str, sub: &str) -> Option<String> {
    let attr = attribute(resource, attr)?;
    Some(match attr.sub.find(sub) {
        Some(leaf) => format!("{}.{}", attr.canonical, leaf.canonical),
        None => attr.canonical.to_string(),
    })
}

/// The attribute that a text for people names; `touched` is what the request touched, if that is one attribute.
pub(crate) fn named(text: &str, resource: &str, touched: Option<(&str, &str)>) -> Option<String> {
    let mut attr: Option<&Attr> = None;
    let mut leaf = None;
    for word in words(head(text, LONGEST)) {
        let (name, sub) = split(word.text);
        match attribute(resource, name) {
            Some(found) if word.is_name(name) => {
                if let Some(leaf) = found.sub.find(sub) {
                    return Some(format!("{}.{}", found.canonical, leaf.canonical));
                }
                attr = attr.or(Some(found));
            }
            None if sub.is_empty() && word.is_name(name) => leaf = leaf.or(Some(name)),
            _ => {}
        }
    }
    let asked = touched.filter(|(_, sub)| sub.is_empty()).and_then(|(attr, _)| attribute(resource, attr));
    let within = |attr: &Attr| {
        let leaf = attr.sub.find(leaf?)?;
        Some(format!("{}.{}", attr.canonical, leaf.canonical))
    };
    match attr {
        Some(attr) => within(attr).or_else(|| Some(attr.canonical.to_string())),
        None => asked.and_then(within).or_else(|| owner(resource, leaf?)),
    }
}

/// A text is looked at so far: an app may put a stack trace there.
const LONGEST: usize = 4096;

pub(crate) fn head(text: &str, longest: usize) -> &str {
    let mut end = longest.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// An attribute of the resource, of the enterprise extension, or of the other resource.
fn attribute(resource: &str, name: &str) -> Option<&'static Attr> {
    if name.is_empty() {
        return None;
    }
    let kinds = if resource == "Groups" { ["Groups", "Users"] } else { ["Users", "Groups"] };
    let types = || kinds.into_iter().filter_map(|kind| registry().resource_type(kind));
    types().find_map(|kind| kind.attrs.find(name).filter(|attr| !attr.extension)).or_else(|| {
        types().flat_map(|kind| kind.attrs.iter().filter(|attr| attr.extension)).find_map(|ext| ext.sub.find(name))
    })
}

/// The path of a sub-attribute that only one attribute has, such as `familyName`.
fn owner(resource: &str, leaf: &str) -> Option<String> {
    let kind = registry().resource_type(if resource == "Groups" { "Groups" } else { "Users" })?;
    let mut paths = kind
        .attrs
        .iter()
        .filter(|attr| !attr.extension)
        .filter_map(|attr| attr.sub.find(leaf).map(|leaf| format!("{}.{}", attr.canonical, leaf.canonical)));
    paths.next().filter(|_| paths.next().is_none())
}

/// A run of characters that could be a path.
struct Word<'t> {
    text: &'t str,
    /// Quotes around it, or the word "attribute" beside it.
    marked: bool,
    /// "attribute" stands before it.
    told: bool,
}

impl Word<'_> {
    /// Whether the writer can only have meant an attribute: English has many of their names too.
    fn is_name(&self, name: &str) -> bool {
        let path = self.text.contains(['.', '[', ':']);
        // "the attribute value is wrong" names none.
        let told = self.told && !name.eq_ignore_ascii_case("value");
        self.marked || told || path || !COMMON.iter().any(|common| common.eq_ignore_ascii_case(name))
    }
}

/// Names that are words of every day, so that they count only where they are marked as names.
const COMMON: [&str; 33] = [
    "active",
    "addresses",
    "country",
    "created",
    "department",
    "display",
    "division",
    "formatted",
    "groups",
    "id",
    "ims",
    "locale",
    "locality",
    "location",
    "manager",
    "members",
    "meta",
    "name",
    "organization",
    "password",
    "photos",
    "primary",
    "region",
    "roles",
    "schema",
    "schemas",
    "status",
    "timezone",
    "title",
    "type",
    "value",
    "version",
    "$ref",
];

fn words(text: &str) -> impl Iterator<Item = Word<'_>> {
    let mut at = 0;
    let mut before = "";
    std::iter::from_fn(move || {
        loop {
            let start = at + text[at..].find(is_part)?;
            let end = word_end(text, start);
            at = end;
            let word = text[start..end].trim_end_matches(['.', ':', '-']);
            let previous = std::mem::replace(&mut before, word);
            let around = (text[..start].chars().next_back(), text[start + word.len()..].chars().next());
            // Part of an address: somebody's, and no path.
            if word.is_empty() || around.0 == Some('@') || around.1 == Some('@') {
                continue;
            }
            return Some(Word { text: word, marked: is_quoted(around), told: is_attribute(previous) });
        }
    })
}

fn is_part(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '$' | '_' | '-' | '.' | ':')
}

/// Behind the word that begins at `start`, with a filter in brackets and what hangs on it by a dot.
fn word_end(text: &str, start: usize) -> usize {
    let plain = |from: usize| text[from..].find(|c| !is_part(c)).map_or(text.len(), |length| from + length);
    let end = plain(start);
    let Some(filter) = text[end..].strip_prefix('[') else { return end };
    match filter.find(']') {
        Some(length) if !filter[..length].contains('\n') => plain(end + 1 + length + 1),
        _ => end,
    }
}

fn is_quoted(around: (Option<char>, Option<char>)) -> bool {
    matches!(around, (Some('"' | '\'' | '`' | '“' | '‘' | '«'), Some('"' | '\'' | '`' | '”' | '’' | '»')))
}

fn is_attribute(word: &str) -> bool {
    ["attribute", "attributes", "sub-attribute", "subattribute"].iter().any(|said| word.eq_ignore_ascii_case(said))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn paths_lose_schema_and_filter() {
        for (path, parts) in [
            ("userName", ("userName", "")),
            ("name.givenName", ("name", "givenName")),
            ("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value", ("manager", "value")),
            ("URN:ietf:params:scim:schemas:extension:enterprise:2.0:user.department", ("department", "")),
            ("urn:scim:schemas:extension:enterprise:1.0:manager", ("manager", "")),
            ("urn:ietf:params:scim:schemas:core:2.0:User", ("", "")),
            (r#"emails[type eq "a.b:c"].value"#, ("emails", "value")),
            (r#"members[value eq "x"]"#, ("members", "")),
            ("emails[", ("emails", "")),
            ("", ("", "")),
        ] {
            assert_eq!(split(path), parts, "{path}");
        }
    }

    #[test]
    fn texts_for_people_name_attributes() {
        for (text, path) in [
            ("userName must be unique", Some("userName")),
            ("Username 'ada' is taken", Some("userName")),
            ("emails.type is required", Some("emails.type")),
            (r#"emails[type eq "work"].value is no address"#, Some("emails.value")),
            ("invalid value for attribute 'title'.", Some("title")),
            ("The attribute active is read-only", Some("active")),
            ("the attribute value is wrong", None),
            ("'type' of emails must be work or home", Some("emails.type")),
            ("familyName is missing", Some("name.familyName")),
            ("/emails/0/type: required", Some("emails")),
            ("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager is unknown", Some("manager")),
            ("ask your manager for the type of name that is active", None),
            ("nobody has this id; members display no value", None),
            ("username@example.com has userType@acme", None),
            ("'schemas' is missing", Some("schemas")),
            ("employeeNumber is no number", Some("employeeNumber")),
            ("", None),
        ] {
            assert_eq!(named(text, "Users", None).as_deref(), path, "{text}");
        }
        assert_eq!(named("'type' is required", "Users", Some(("emails", ""))).as_deref(), Some("emails.type"));
        assert_eq!(named("displayName is taken", "Groups", None).as_deref(), Some("displayName"));
    }

    proptest! {
        #[test]
        fn whatever_a_text_says_only_the_schemas_words_come_out(text in "\\PC{0,200}|[a-zA-Z.:\\[\\]'@ ]{0,80}") {
            if let Some(path) = named(&text, "Users", None) {
                let (attr, sub) = path.split_once('.').unwrap_or((&path, ""));
                let known = attribute("Users", attr).expect("an attribute");
                prop_assert!(sub.is_empty() || known.sub.find(sub).is_some());
            }
        }
    }
}
