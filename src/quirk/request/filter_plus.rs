//! A `+` in a filter: a blank in forms, a plus in URIs.

use super::filter::Place;
use crate::{
    quirk::{Cx, Id, quirk},
    scim::{Filter, Syntax},
};

quirk! {
    /// Blanks in a filter are written `+`, as forms do, not `%20`.
    ///
    /// A `+` in a URI is a plus sign; only HTML forms read it as a blank. Servers that decode the query by RFC 3986
    /// see `userName+eq+"..."`, find no operator and answer 400, or worse, an unfiltered list.
    ///
    /// The blanks between names, operators and values decide: when they are written `+`, the sender writes forms, and
    /// every `+` of the filter becomes `%20`, also between quotes (such a sender writes `%2B` for a plus). `%2B` is
    /// never decoded twice. A filter that mixes `+` and `%20` between its parts is left as sent, as is one that is no
    /// filter even then. Parameters other than `filter` keep their `+`.
    ///
    /// RFC 3986 section 3.4 gives `+` no meaning in a query; RFC 7644 section 3.4.2.2 separates by blanks.
    ///
    /// ```scim
    /// GET /Users?filter=displayName+eq+%22Ada+Lovelace%22
    /// ```
    /// ```scim
    /// GET /Users?filter=displayName%20eq%20%22Ada%20Lovelace%22
    /// ```
    pub static FILTER_PLUS_ENCODING = {
        id: "filter-plus-encoding",
        direction: Request,
        risk: Safe,
        rfc: "RFC 3986 3.4, RFC 7644 3.4.2.2",
        seen_in: &[Entra, Onelogin],
        sources: "MicrosoftDocs/azure-docs#94189, audriga/scim-server-php#1, goauthentik/authentik#11249",
    };

    /// A plus sign stands unescaped in a filter whose blanks are `%20`.
    ///
    /// The sender escapes as URIs do, so the `+` is a plus: `ada+test@example.com`. Many servers decode queries as
    /// forms and look for `ada test@example.com`; the lookup finds nobody and the identity provider creates a second
    /// account.
    ///
    /// Where the blanks between names, operators and values are written `%20`, every `+` becomes `%2B`, which both
    /// kinds of server read as a plus. A filter that mixes `+` and `%20` between its parts is left as sent, as is one
    /// that is no filter even then. `%2B` stays.
    ///
    /// RFC 3986 section 3.4 leaves `+` to itself; a compare value is a JSON string in which it is a character like
    /// others (RFC 7644 section 3.4.2.2).
    ///
    /// ```scim
    /// GET /Users?filter=userName%20eq%20%22ada+test@example.com%22
    /// ```
    /// ```scim
    /// GET /Users?filter=userName%20eq%20%22ada%2Btest@example.com%22
    /// ```
    /// ```scim
    /// GET /Users?filter=userName+eq%20%22ada@example.com%22
    /// ```
    /// ```scim
    /// unchanged
    /// ```
    pub static FILTER_RAW_PLUS = {
        id: "filter-raw-plus",
        direction: Request,
        risk: Safe,
        rfc: "RFC 3986 3.4, RFC 7644 3.4.2.2",
        seen_in: &[Okta],
        sources: "elimity-com/scim#133",
    };
}

/// What the `+` signs of a filter stand for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Plus {
    /// There are none.
    Absent,
    /// Blanks, as in a form.
    Blank,
    /// Plus signs, as in a URI.
    Sign,
}

/// Decodes the value of a `filter` parameter and says how its `+` are to be read; `None` when it has broken escapes
/// or its blanks do not tell.
pub(crate) fn read(raw: &str) -> Option<(String, Plus)> {
    let (text, pluses) = decode(raw, b'+')?;
    if pluses.is_empty() {
        return Some((text, Plus::Absent));
    }
    // With the blanks escaped, no plus can separate: names and operators have none.
    if Filter::parse(&text, Syntax::Lenient).is_ok() {
        return Some((text, Plus::Sign));
    }
    let (text, pluses) = decode(raw, b' ')?;
    let (_, strings) = Filter::parse_marking(&text, Syntax::Lenient).ok()?;
    let quoted = |at: usize| {
        let next = strings.partition_point(|string| string.end <= at);
        strings.get(next).is_some_and(|string| string.contains(&at))
    };
    let form = text.match_indices(' ').all(|(at, _)| quoted(at) || pluses.binary_search(&at).is_ok());
    form.then_some((text, Plus::Blank))
}

/// Whether the `+` signs are to be written so that every server reads them alike.
pub(crate) fn fix(plus: Plus, cx: &mut Cx<'_>, at: Place<'_>) -> bool {
    match plus {
        Plus::Absent => false,
        Plus::Blank => cx.may(Id::FilterPlusEncoding, at),
        Plus::Sign => cx.may(Id::FilterRawPlus, at),
    }
}

/// Takes off the percent-encoding and puts `plus` for `+`; with the places where that stands.
fn decode(raw: &str, plus: u8) -> Option<(String, Vec<usize>)> {
    let mut text = Vec::with_capacity(raw.len());
    let mut pluses = Vec::new();
    let mut bytes = raw.bytes();
    while let Some(byte) = bytes.next() {
        text.push(match byte {
            b'%' => hex(bytes.next()?)? << 4 | hex(bytes.next()?)?,
            b'+' => {
                pluses.push(text.len());
                plus
            }
            other => other,
        });
    }
    Some((String::from_utf8(text).ok()?, pluses))
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_between_the_parts_tell_what_a_plus_is() {
        for (raw, expected) in [
            ("a%20eq%20%22b%22", Some(("a eq \"b\"", Plus::Absent))),
            ("a+eq+%22b+c%2Bd%22", Some(("a eq \"b c+d\"", Plus::Blank))),
            ("a+eq+%22b%20c%22", Some(("a eq \"b c\"", Plus::Blank))),
            ("a+eq+b", Some(("a eq b", Plus::Blank))),
            ("a%20eq%20%22b+c%22", Some(("a eq \"b+c\"", Plus::Sign))),
            ("a%20eq%20b+c", Some(("a eq b+c", Plus::Sign))),
            ("a%20gt%201e+5", Some(("a gt 1e+5", Plus::Sign))),
            ("a+eq%20%22b%22", None),
            ("a%20eq+%22b%22", None),
            ("a%20eq%20%22b%22+and+c%20pr", None),
            ("a+eq+%22b%22%20and%20c+pr", None),
            ("a+b+c", None),
            ("%zz", None),
            ("a%2", None),
            ("%ff", None),
        ] {
            assert_eq!(read(raw), expected.map(|(text, plus)| (text.to_owned(), plus)), "{raw}");
        }
    }
}
