//! Attribute paths: how filters and PATCH operations name a part of a resource (RFC 7644 3.10 and 3.5.2).
//!
//! Names are kept as sent, and only ASCII case separates them from the schema's spelling: a caller that knows the
//! schema puts that in their place, and keeps the rest of the sent text.

use std::{borrow::Cow, fmt};

use super::filter::{Enclosed, Filter, Syntax};

/// Where a filter or path stops being one, and what should have stood there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected} at byte {at}")]
pub struct SyntaxError {
    /// Offset into the text, in bytes.
    pub at: usize,
    /// What the grammar asks for.
    pub expected: &'static str,
}

/// Whether `name` can name an attribute or sub-attribute (`ATTRNAME` of RFC 7643 2.1, and `$ref`).
pub fn is_attr_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|first| first.is_ascii_alphabetic())
        && bytes.all(|b| b.is_ascii_alphanumeric() || matches!(b, b'$' | b'-' | b'_'))
        || name.eq_ignore_ascii_case("$ref")
}

/// The name of an attribute inside a filter: `userName`, `name.givenName`, `urn:...:User:manager.value`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttrPath<'a> {
    /// The schema in front of the last colon.
    pub urn: Option<Cow<'a, str>>,
    /// The attribute.
    pub attr: Cow<'a, str>,
    /// The sub-attribute behind the dot.
    pub sub: Option<Cow<'a, str>>,
}

impl<'a> AttrPath<'a> {
    /// The path that is one plain name.
    pub fn name(attr: impl Into<Cow<'a, str>>) -> Self {
        Self { urn: None, attr: attr.into(), sub: None }
    }

    /// Reads a name with an optional schema and sub-attribute.
    ///
    /// A URN alone reads as a URN and an attribute (`urn:...:2.0` and `User`): only the schemas tell them apart.
    ///
    /// # Errors
    /// When a part is missing or is no name.
    pub fn parse(text: &'a str) -> Result<Self, SyntaxError> {
        let (urn, start) = match text.rfind(':') {
            None => (None, 0),
            Some(colon) if is_urn(&text[..colon]) => (Some(Cow::Borrowed(&text[..colon])), colon + 1),
            Some(_) => return Err(SyntaxError { at: 0, expected: "a schema URN" }),
        };
        let (attr, sub) = match text[start..].split_once('.') {
            None => (&text[start..], None),
            Some((attr, sub)) => (attr, Some(sub)),
        };
        if !is_attr_name(attr) {
            return Err(SyntaxError { at: start, expected: "an attribute name" });
        }
        if sub.is_some_and(|sub| !is_attr_name(sub)) {
            return Err(SyntaxError { at: start + attr.len() + 1, expected: "a sub-attribute name" });
        }
        Ok(Self { urn, attr: Cow::Borrowed(attr), sub: sub.map(Cow::Borrowed) })
    }
}

impl fmt::Display for AttrPath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(urn) = &self.urn {
            write!(f, "{urn}:")?;
        }
        f.write_str(&self.attr)?;
        match &self.sub {
            Some(sub) => write!(f, ".{sub}"),
            None => Ok(()),
        }
    }
}

/// The path of a PATCH operation: `userName`, `name.givenName`, `emails[type eq "work"].value`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path<'a> {
    /// The schema in front of the last colon before any `[`.
    pub urn: Option<Cow<'a, str>>,
    /// The attribute.
    pub attr: Cow<'a, str>,
    /// Which elements of the attribute are meant. Places in it are those in the text of the path.
    pub filter: Option<Enclosed<'a>>,
    /// The sub-attribute behind the dot.
    pub sub: Option<Cow<'a, str>>,
}

impl<'a> Path<'a> {
    /// Reads a path; `syntax` is that of the filter in it.
    ///
    /// # Errors
    /// When the text is no path, or nests deeper than [`MAX_DEPTH`](super::filter::MAX_DEPTH).
    pub fn parse(text: &'a str, syntax: Syntax) -> Result<Self, SyntaxError> {
        let Some(bracket) = text.find('[') else {
            let AttrPath { urn, attr, sub } = AttrPath::parse(text)?;
            return Ok(Self { urn, attr, filter: None, sub });
        };
        let AttrPath { urn, attr, sub } = AttrPath::parse(&text[..bracket])?;
        if let Some(sub) = sub {
            return Err(SyntaxError { at: bracket - sub.len() - 1, expected: "a filter right behind the attribute" });
        }
        let filter = Filter::parse_brackets(text, bracket, syntax)?;
        let end = filter.outer.end;
        let sub = match &text[end..] {
            "" => None,
            rest => match rest.strip_prefix('.') {
                Some(sub) if is_attr_name(sub) => Some(Cow::Borrowed(sub)),
                Some(_) => return Err(SyntaxError { at: end + 1, expected: "a sub-attribute name" }),
                None => return Err(SyntaxError { at: end, expected: "a dot or the end" }),
            },
        };
        Ok(Self { urn, attr, filter: Some(filter), sub })
    }
}

/// Whether `text` can be the schema in front of an attribute. Any URI will do (RFC 7643 10.2.1 asks for a URN, and
/// operators declare schemas under others), as long as it cannot run into the rest of a filter.
fn is_urn(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'"' | b'(' | b')' | b'[' | b']'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(text: &str) -> Result<Path<'_>, SyntaxError> {
        Path::parse(text, Syntax::Strict)
    }

    /// The path from its parts.
    fn whole(text: &str, path: &Path<'_>) -> String {
        let brackets = path.filter.as_ref().map(|filter| &text[filter.outer.clone()]);
        let name = AttrPath { urn: path.urn.clone(), attr: path.attr.clone(), sub: None };
        let sub = path.sub.iter().map(|sub| format!(".{sub}")).collect::<String>();
        format!("{name}{}{sub}", brackets.unwrap_or_default())
    }

    #[test]
    fn urn_ends_at_the_last_colon_and_keeps_its_dots() {
        let path = parse("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value").unwrap();
        assert_eq!(path.urn.as_deref(), Some("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"));
        assert_eq!((&*path.attr, path.sub.as_deref()), ("manager", Some("value")));
    }

    #[test]
    fn colons_in_a_compare_value_are_no_part_of_the_urn() {
        let path = parse(r#"emails[value eq "a:b.c"].value"#).unwrap();
        assert_eq!((path.urn.as_deref(), &*path.attr, path.sub.as_deref()), (None, "emails", Some("value")));
    }

    #[test]
    fn paths_are_read_whole() {
        for text in [
            "userName",
            "name.givenName",
            "groups.$ref",
            "urn:ietf:params:scim:schemas:core:2.0:User:userName",
            r#"urn:ietf:params:scim:schemas:core:2.0:User:emails[type eq "work"].value"#,
            r#"emails[type eq "work" and not (primary eq true)]"#,
            r#"members[value eq "a]b"]"#,
        ] {
            assert_eq!(whole(text, &parse(text).unwrap()), text);
        }
    }

    #[test]
    fn bare_values_end_at_the_bracket_in_lenient_paths() {
        assert!(parse("emails[type eq work].value").is_err());
        let path = Path::parse("emails[type eq work].value", Syntax::Lenient).unwrap();
        assert_eq!(whole("emails[type eq work].value", &path), "emails[type eq work].value");
        assert_eq!(path.sub.as_deref(), Some("value"));
    }

    #[test]
    fn errors_say_where() {
        for (text, at) in [
            ("", 0),
            (".", 0),
            ("a.", 2),
            ("a.b.c", 2),
            ("1a", 0),
            (":a", 0),
            ("urn:a:", 6),
            ("emails[", 7),
            ("emails[]", 7),
            (r#"emails[type eq "work""#, 21),
            (r#"emails[type eq "work"]x"#, 22),
            (r#"emails[type eq "work"]."#, 23),
            (r#"emails.value[type eq "work"]"#, 6),
            ("emails[a[b pr]]", 8),
            ("user name", 0),
        ] {
            assert_eq!(parse(text).map_err(|e| e.at), Err(at), "{text}");
        }
    }

    #[test]
    fn names_are_letters_digits_dollars_hyphens_underscores() {
        for name in ["a", "userName", "x509-cert_1", "a$", "cost$center", "$ref", "$Ref"] {
            assert!(is_attr_name(name), "{name}");
        }
        for name in ["", "1a", "-a", "$", "$re", "a.b", "a b", "ä", "1$"] {
            assert!(!is_attr_name(name), "{name}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics_and_what_parses_is_read_whole(text in r#"[a-c:.\[\]() "$é]{0,24}|urn:[a-z:.0-9]{0,12}\[[a-z "]{0,12}\](\.[a-z]*)?"#) {
            for syntax in [Syntax::Strict, Syntax::Lenient] {
                if let Ok(path) = Path::parse(&text, syntax) {
                    prop_assert_eq!(whole(&text, &path), text.as_str());
                }
            }
        }
    }
}
