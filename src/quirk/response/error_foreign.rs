//! Errors that are no SCIM Error: other envelopes, text, HTML, nothing.

use http::StatusCode;

use super::{error_detail_missing::reason, error_schemas::is_error};
use crate::{
    json::{Doc, Kind, Node, push_encoded},
    quirk::{Id, quirk},
    scim::{name, urn},
};

quirk! {
    /// An error in the app's own JSON instead of a SCIM Error.
    ///
    /// `{"error": ...}`, `{"message": ...}`, problem details, `generalErrors`: Okta's SPEC test and scim2-client ask
    /// for the Error of RFC 7644 3.12, and an admin console that finds none shows a parser error instead of the reason.
    ///
    /// An Error takes its place. `detail` is the first text among `detail`, `message`, `error_description`,
    /// `errorMessage`, `error` (an object is searched likewise), `title`, `description`, `generalErrors[0].message`,
    /// `Errors[0].description`: its first line, at most 500 characters; without any, the reason phrase. A `scimType` is
    /// kept, also one beside the message in an `error`; the rest is not passed on: it is traces and SQL. An object with nothing but `status`, `detail` and
    /// `scimType` is a matter of `error-schemas-missing`.
    ///
    /// ```scim
    /// 400 to POST /Users
    /// content-type: application/scim+json
    ///
    /// {"error":{"code":17,"message":"userName is missing\n  at users.js:7"}}
    /// ```
    /// ```scim
    /// 400 to POST /Users
    /// content-type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"400",
    ///  "detail":"userName is missing"}
    /// ```
    pub static ERROR_ENVELOPE_MISSING = {
        id: "error-envelope-missing",
        direction: Response,
        risk: Safe,
        rfc: "RFC 7644 3.12",
        seen_in: &[Okta],
        sources: "Metatavu/keycloak-scim-server#109, FusionAuth/fusionauth-issues#3307, \
                  grokability/snipe-it#13253, pond/scimitar#124",
    };

    /// An error as plain text.
    ///
    /// Okta parses every body as JSON, and its admin console shows the parser's complaint instead of the reason.
    ///
    /// The first line that is not blank becomes the `detail` of an Error (RFC 7644 3.12), at most 500 characters. So
    /// does a JSON string as the whole body, JSON that is broken, and a number labelled as text. What is not UTF-8 is
    /// read as Latin-1; if it is JSON then, it is treated as such, and written as UTF-8.
    ///
    /// ```scim
    /// 400 to PATCH /Groups/7
    /// content-type: text/plain
    ///
    /// Unsupported path: members
    ///   at groups.py:17
    /// ```
    /// ```scim
    /// 400 to PATCH /Groups/7
    /// content-type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"400",
    ///  "detail":"Unsupported path: members"}
    /// ```
    pub static ERROR_PLAIN_TEXT = {
        id: "error-plain-text",
        direction: Response,
        risk: Safe,
        rfc: "RFC 7644 3.12",
        seen_in: &[Okta],
        sources: "Metatavu/keycloak-scim-server#100",
    };

    /// An error as an HTML page.
    ///
    /// Such pages come from frameworks, routers and gateways. Okta shows a parser error for them, Entra a piece of
    /// HTML.
    ///
    /// An Error (RFC 7644 3.12) takes its place. Its `detail` is the page's title if that names the status code and has
    /// at most 100 characters, else the reason phrase: debug pages put exceptions into titles. A body is HTML if it
    /// begins with `<`, or is labelled so, and is no JSON. A page under a status of success is left as it is.
    ///
    /// ```scim
    /// 502 to GET /Users
    /// content-type: text/html
    ///
    /// <html><head><title>502 Bad&nbsp;Gateway</title></head></html>
    /// ```
    /// ```scim
    /// 502 to GET /Users
    /// content-type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"502",
    ///  "detail":"502 Bad Gateway"}
    /// ```
    pub static ERROR_HTML = {
        id: "error-html",
        direction: Response,
        risk: Safe,
        rfc: "RFC 7644 3.12",
        seen_in: &[Okta, Entra],
        sources: "goauthentik/authentik#25837, wso2/product-is#12830",
    };

    /// An error without a body.
    ///
    /// Okta's SPEC test reads `schemas`, `detail` and `status` of every error (RFC 7644 3.12).
    ///
    /// The body becomes an Error with the reason phrase as `detail`; headers such as Allow stay. The answer to HEAD has
    /// no body and gets none.
    ///
    /// ```scim
    /// 405 to POST /Users
    /// allow: GET
    /// ```
    /// ```scim
    /// 405 to POST /Users
    /// content-type: application/scim+json
    /// allow: GET
    ///
    /// {"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"405",
    ///  "detail":"Method Not Allowed"}
    /// ```
    pub static ERROR_EMPTY_BODY = {
        id: "error-empty-body",
        direction: Response,
        risk: Safe,
        rfc: "RFC 7644 3.12",
        seen_in: &[Okta],
        sources: "goauthentik/authentik#20764",
    };

    /// An Error that stands under another key.
    ///
    /// `{"status": "404", "response": {Error}}` failed Okta's test: the Error is the whole body (RFC 7644 3.12).
    ///
    /// The Error takes the place of what stands around it. It is known by its URN.
    ///
    /// ```scim
    /// 404 to GET /Users/2819
    /// content-type: application/scim+json
    ///
    /// {"code":404,"response":{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],
    ///  "status":"404","detail":"no such user"}}
    /// ```
    /// ```scim
    /// 404 to GET /Users/2819
    /// content-type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],
    ///  "status":"404","detail":"no such user"}
    /// ```
    pub static ERROR_NESTED = {
        id: "error-nested",
        direction: Response,
        risk: Safe,
        rfc: "RFC 7644 3.12",
        seen_in: &[Okta],
        sources: "simpleidserver/SimpleIdServer#227",
    };

    /// An error in the form of SCIM 1.1.
    ///
    /// `{"Errors": [{"description": ..., "code": ...}]}` was right in SCIM 1.1; clients of 2.0 find no `detail` in it.
    ///
    /// It becomes an Error (RFC 7644 3.12) with the first description as `detail`, else the reason phrase. The HTTP
    /// status counts, not the code.
    ///
    /// ```scim
    /// 404 to GET /Users/2819
    /// content-type: application/scim+json
    ///
    /// {"Errors":[{"description":"no such user","code":"404"}]}
    /// ```
    /// ```scim
    /// 404 to GET /Users/2819
    /// content-type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"404",
    ///  "detail":"no such user"}
    /// ```
    pub static SCIM11_ERROR = {
        id: "scim11-error",
        direction: Response,
        risk: Safe,
        rfc: "RFC 7644 3.12",
        sources: "https://developer.okta.com/docs/reference/scim/scim-11/, jelhub/scimgateway",
    };
}

/// What an error body that is no SCIM Error tells.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Told {
    /// Which kind of body it is.
    pub(crate) quirk: Id,
    /// The app's own message, all of it.
    pub(crate) message: Option<String>,
    /// What of it becomes `detail`; without it the reason phrase does.
    pub(crate) detail: Option<String>,
    /// A `scimType` beside it.
    pub(crate) scim_type: Option<String>,
}

impl Told {
    /// No body at all.
    pub(crate) const NOTHING: Self = Self { quirk: Id::ErrorEmptyBody, message: None, detail: None, scim_type: None };

    fn message(quirk: Id, message: Option<String>) -> Self {
        let detail = message.as_deref().and_then(first_line);
        Self { quirk, message, detail, scim_type: None }
    }

    /// What a JSON value tells.
    pub(crate) fn of_json(doc: &Doc<'_>, value: Node) -> Self {
        match doc.kind(value) {
            Kind::String => Self::message(Id::ErrorPlainText, doc.string(value).map(|text| text.into_owned())),
            Kind::Object if is_scim11(doc, value) => {
                let description = scim11_item(doc, value).and_then(|item| text_of(doc, item, "description"));
                Self::message(Id::Scim11Error, description)
            }
            Kind::Object => {
                let (message, holder) = candidate(doc, value, 0).unzip();
                let scim_type = |object| text_of(doc, object, "scimType");
                Self {
                    scim_type: scim_type(value).or_else(|| scim_type(holder?)),
                    ..Self::message(Id::ErrorEnvelopeMissing, message)
                }
            }
            _ => Self::message(Id::ErrorEnvelopeMissing, None),
        }
    }

    /// What a body tells that is no JSON. The title of a page counts only if it names the status, since debug pages put
    /// exception texts there; the rest of a page never does.
    pub(crate) fn of_text(text: &str, is_labelled_html: bool, http: StatusCode) -> Self {
        let text = text.trim_start_matches('\u{feff}');
        if is_labelled_html || text.trim_start().starts_with('<') {
            let detail = title(text).filter(|title| is_harmless(title, http));
            return Self { quirk: Id::ErrorHtml, message: detail.clone(), detail, scim_type: None };
        }
        if text.trim().is_empty() {
            return Self::NOTHING;
        }
        Self::message(Id::ErrorPlainText, Some(text.to_owned()))
    }

    /// The Error of RFC 7644 3.12 that says so.
    pub(crate) fn write(&self, http: StatusCode, scim_type: Option<&str>) -> Vec<u8> {
        let mut out = format!(r#"{{"schemas":["{}"],"status":"{}","#, urn::ERROR, http.as_str());
        if let Some(scim_type) = scim_type {
            out.push_str("\"scimType\":");
            push_encoded(&mut out, scim_type);
            out.push(',');
        }
        out.push_str("\"detail\":");
        push_encoded(&mut out, self.detail.as_deref().unwrap_or_else(|| reason(http)));
        out.push('}');
        out.into_bytes()
    }
}

/// The Error that stands under another key.
pub(crate) fn nested(doc: &Doc<'_>, object: Node) -> Option<Node> {
    fn search(doc: &Doc<'_>, object: Node, depth: u32) -> Option<Node> {
        let inner = || doc.children(object).filter(|&member| doc.kind(member) == Kind::Object);
        let here = inner().find(|&member| is_error(doc, member));
        here.or_else(|| if depth == 0 { None } else { inner().find_map(|member| search(doc, member, depth - 1)) })
    }
    search(doc, object, 2)
}

/// Where the message of a home-made envelope is looked for, in this order; the last two are lists.
const CANDIDATES: [&str; 8] =
    ["detail", "message", "error_description", "errorMessage", "error", "title", "description", ""];

/// How deep an `error` within an `error` is followed.
const MAX_NESTED: u32 = 8;

/// The message, and the object in which it stands.
fn candidate(doc: &Doc<'_>, object: Node, depth: u32) -> Option<(String, Node)> {
    for key in CANDIDATES {
        if key == "error"
            && depth < MAX_NESTED
            && let Some(inner) = doc.find(object, key).filter(|&inner| doc.kind(inner) == Kind::Object)
            && let Some(found) = candidate(doc, inner, depth + 1)
        {
            return Some(found);
        }
        if !key.is_empty()
            && let Some(message) = text_of(doc, object, key)
        {
            return Some((message, object));
        }
    }
    let first = |list: &str| {
        doc.find(object, list).filter(|&list| doc.kind(list) == Kind::Array).and_then(|list| doc.first(list))
    };
    let text = first("generalErrors")
        .and_then(|item| text_of(doc, item, "message"))
        .or_else(|| first("Errors").and_then(|item| text_of(doc, item, "description")));
    text.map(|text| (text, object))
}

/// A member's text that is not blank.
fn text_of(doc: &Doc<'_>, object: Node, key: &str) -> Option<String> {
    if doc.kind(object) != Kind::Object {
        return None;
    }
    let text = doc.string(doc.find(object, key)?)?;
    (!text.trim().is_empty()).then(|| text.into_owned())
}

/// `{"Errors": [{"description": .., "code": ..}]}` and nothing beside it but `schemas`.
fn is_scim11(doc: &Doc<'_>, object: Node) -> bool {
    let of_11 = doc.children(object).all(|member| matches!(doc.name(member), name::ERRORS | name::SCHEMAS));
    of_11
        && scim11_item(doc, object).is_some_and(|item| {
            doc.kind(item) == Kind::Object && ["description", "code"].iter().any(|key| doc.find(item, key).is_some())
        })
}

fn scim11_item(doc: &Doc<'_>, object: Node) -> Option<Node> {
    let list = doc.get(object, name::ERRORS).filter(|&list| doc.kind(list) == Kind::Array)?;
    doc.first(list)
}

/// The most characters that `detail` takes over: what follows is traces and SQL.
const MAX_DETAIL: usize = 500;
/// The most characters of a title that is taken over.
const MAX_TITLE: usize = 100;

/// The first line that is not blank, trimmed.
fn first_line(text: &str) -> Option<String> {
    let line = text.split(['\n', '\r']).map(str::trim).find(|line| !line.is_empty())?;
    Some(line.chars().take(MAX_DETAIL).collect())
}

/// A page's title, references decoded, white space collapsed.
fn title(page: &str) -> Option<String> {
    let lower = page.to_ascii_lowercase();
    let mut from = 0;
    let open = loop {
        let at = from + lower.get(from..)?.find("<title")?;
        let behind = at + "<title".len();
        match lower.as_bytes().get(behind)? {
            b'>' | b' ' | b'\t' | b'\r' | b'\n' | b'/' => break behind + lower[behind..].find('>')? + 1,
            _ => from = behind,
        }
    };
    let close = open + lower[open..].find("</title").or_else(|| lower[open..].find('<'))?;
    Some(unescape(&page[open..close]).split_whitespace().collect::<Vec<_>>().join(" "))
}

fn is_harmless(title: &str, http: StatusCode) -> bool {
    let mut rest = title;
    let mut names_status = false;
    while let Some(at) = rest.find(http.as_str()) {
        let behind = &rest[at + 3..];
        let digit = |c: Option<char>| c.is_some_and(|c| c.is_ascii_digit());
        names_status |= !digit(rest[..at].chars().next_back()) && !digit(behind.chars().next());
        rest = behind;
    }
    names_status && title.chars().count() <= MAX_TITLE
}

/// Character references decoded as HTML does; an unknown one stays as it is.
fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        match reference(rest) {
            Some((character, length)) => {
                out.push(character);
                rest = &rest[length..];
                rest = rest.strip_prefix(';').unwrap_or(rest);
            }
            None => out.push('&'),
        }
    }
    out.push_str(rest);
    out
}

/// The character behind `&`, and the length of its name or number without the semicolon.
fn reference(text: &str) -> Option<(char, usize)> {
    if let Some(number) = text.strip_prefix('#') {
        let (digits, radix, before) = match number.strip_prefix(['x', 'X']) {
            Some(hex) => (hex, 16, 2),
            None => (number, 10, 1),
        };
        let length = digits.bytes().take_while(|byte| char::from(*byte).is_digit(radix)).count();
        let character = numbered(u32::from_str_radix(&digits[..length], radix).ok()?)?;
        return Some((character, before + length));
    }
    let length = text.bytes().take_while(u8::is_ascii_alphanumeric).count();
    let name = &text[..length];
    let latin = |name: &str| {
        let at = LATIN_1.iter().position(|known| *known == name)?;
        u8::try_from(at).ok().map(|at| char::from(0xa0 + at))
    };
    let old = |name: &str| latin(name).or_else(|| BASIC.iter().find(|(n, _)| *n == name).map(|(_, c)| *c));
    if text[length..].starts_with(';')
        && let Some(character) = old(name).or_else(|| NAMED.iter().find(|(n, _)| *n == name).map(|(_, c)| *c))
    {
        return Some((character, length));
    }
    // The oldest names do without a semicolon, also with text right behind them; the longest counts.
    (2..=length.min(LONGEST)).rev().find_map(|length| old(&name[..length]).map(|character| (character, length)))
}

/// A numeric reference: pages that say Latin-1 mean Windows-1252, and 0 is no character.
fn numbered(number: u32) -> Option<char> {
    const WINDOWS: &str = "€\u{81}‚ƒ„…†‡ˆ‰Š‹Œ\u{8d}Ž\u{8f}\u{90}‘’“”•–—˜™š›œ\u{9d}žŸ";
    match number {
        0 => Some('\u{fffd}'),
        0x80..=0x9f => WINDOWS.chars().nth(number as usize - 0x80),
        _ => char::from_u32(number),
    }
}

/// Names from before HTML 4 beside those of Latin-1.
const BASIC: [(&str, char); 8] =
    [("amp", '&'), ("lt", '<'), ("gt", '>'), ("quot", '"'), ("AMP", '&'), ("LT", '<'), ("GT", '>'), ("QUOT", '"')];
/// Names that need their semicolon.
const NAMED: [(&str, char); 11] = [
    ("apos", '\''),
    ("ndash", '–'),
    ("mdash", '—'),
    ("lsquo", '‘'),
    ("rsquo", '’'),
    ("ldquo", '“'),
    ("rdquo", '”'),
    ("bull", '•'),
    ("hellip", '…'),
    ("trade", '™'),
    ("euro", '€'),
];
/// The names of U+00A0 to U+00FF.
#[rustfmt::skip]
const LATIN_1: [&str; 96] = [
    "nbsp", "iexcl", "cent", "pound", "curren", "yen", "brvbar", "sect", "uml", "copy", "ordf", "laquo", "not", "shy",
    "reg", "macr", "deg", "plusmn", "sup2", "sup3", "acute", "micro", "para", "middot", "cedil", "sup1", "ordm",
    "raquo", "frac14", "frac12", "frac34", "iquest", "Agrave", "Aacute", "Acirc", "Atilde", "Auml", "Aring", "AElig",
    "Ccedil", "Egrave", "Eacute", "Ecirc", "Euml", "Igrave", "Iacute", "Icirc", "Iuml", "ETH", "Ntilde", "Ograve",
    "Oacute", "Ocirc", "Otilde", "Ouml", "times", "Oslash", "Ugrave", "Uacute", "Ucirc", "Uuml", "Yacute", "THORN",
    "szlig", "agrave", "aacute", "acirc", "atilde", "auml", "aring", "aelig", "ccedil", "egrave", "eacute", "ecirc",
    "euml", "igrave", "iacute", "icirc", "iuml", "eth", "ntilde", "ograve", "oacute", "ocirc", "otilde", "ouml",
    "divide", "oslash", "ugrave", "uacute", "ucirc", "uuml", "yacute", "thorn", "yuml",
];
/// The length of the longest of them.
const LONGEST: usize = 6;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{json::Duplicates, scim::NameTable};

    fn told(body: &str) -> Told {
        let doc = Doc::parse(body, &NameTable::standard(), Duplicates::CaseKept).expect("valid");
        Told::of_json(&doc, doc.root())
    }

    #[test]
    fn the_first_candidate_with_text_wins() {
        for (body, detail) in [
            (r#"{"message":"m","detail":"d"}"#, Some("d")),
            (r#"{"detail":" ","Message":"m"}"#, Some("m")),
            (r#"{"detail":{"a":1},"title":"t","error":"e"}"#, Some("e")),
            (r#"{"error":{"code":5,"error":{"message":"inner"}},"title":"t"}"#, Some("inner")),
            (r#"{"error":{"code":5},"title":"t"}"#, Some("t")),
            (r#"{"error_description":"x","error":"invalid"}"#, Some("x")),
            (r#"{"errorMessage":"x","description":"y"}"#, Some("x")),
            (r#"{"fieldErrors":{},"generalErrors":[{"message":"g"}]}"#, Some("g")),
            (r#"{"Errors":[{"description":"e"}],"x":1}"#, Some("e")),
            (r#"{"message":"\n  first \nsecond"}"#, Some("first")),
            (r#"{"code":7}"#, None),
            ("[]", None),
            ("7", None),
        ] {
            assert_eq!(told(body).detail.as_deref(), detail, "{body}");
        }
        assert_eq!(told(r#"{"Errors":[{"code":"404"}]}"#).quirk, Id::Scim11Error);
        assert_eq!(told(r#""text""#).quirk, Id::ErrorPlainText);
        assert_eq!(told(r#"{"error":{"message":"x","scimType":"tooMany"}}"#).scim_type.as_deref(), Some("tooMany"));
        assert_eq!(told(r#"{"error":{"scimType":"tooMany"},"title":"t"}"#).scim_type, None);
        assert_eq!(told(r#"{"message":"x","scimType":"tooMany"}"#).scim_type.as_deref(), Some("tooMany"));
        assert_eq!(
            told(&format!("{{\"message\":\"{}\"}}", "é".repeat(600))).detail.map(|d| d.chars().count()),
            Some(500)
        );
    }

    #[test]
    fn a_title_counts_if_it_names_the_status() {
        let long = format!("<title>404 {}</title>", "x".repeat(100));
        for (page, detail) in [
            ("<html><head><title>404 Not Found</title></head>", Some("404 Not Found")),
            (
                "<!doctype html>\n<TITLE data-x=\"1\">\n Error&nbsp;404 &ndash; not&#32;found\n</TITLE>",
                Some("Error 404 – not found"),
            ),
            ("<title>DoesNotExist at /scim/Users/1</title>", None),
            ("<title>Error 4041</title>", None),
            ("<title>500</title>", None),
            ("<titles>404</titles>", None),
            ("<h1>404</h1>", None),
            (&long, None),
            ("<title", None),
            ("<title>404 f&uuml;r &copy 1 &eacutex &#150;&#x80 &#0;</title>", Some("404 für © 1 éx –€ \u{fffd}")),
            ("<title>404 &notx &hellip &ndash &AMP; &#; &#x;</title>", Some("404 ¬x &hellip &ndash & &#; &#x;")),
            ("<title>404 &#xFFFFFFFF; &bogus; &</title>", Some("404 &#xFFFFFFFF; &bogus; &")),
        ] {
            let told = Told::of_text(page, false, StatusCode::NOT_FOUND);
            assert_eq!((told.quirk, told.detail.as_deref()), (Id::ErrorHtml, detail), "{page}");
        }
        assert_eq!(Told::of_text("gone", true, StatusCode::NOT_FOUND).quirk, Id::ErrorHtml);
        assert_eq!(Told::of_text(" \n", false, StatusCode::NOT_FOUND), Told::NOTHING);
        assert_eq!(Told::of_text("\u{feff}\r\n a \r\n b", false, StatusCode::NOT_FOUND).detail.as_deref(), Some("a"));
    }
}
