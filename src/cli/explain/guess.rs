//! What a pasted text is: a case, an HTTP message, a request body, or the body of an answer.

use anyhow::{Context, bail};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use serde_json::{Map, Value};

use super::{
    Defaults, Exchange,
    case::{self, BASE_URL, UPSTREAM_URL},
};
use crate::cli::json;

const LIST: &str = "urn:ietf:params:scim:api:messages:2.0:ListResponse";
const ERROR: &str = "urn:ietf:params:scim:api:messages:2.0:Error";
/// Stands for the id of a resource that the text does not name.
const SOME_ID: &str = "1";

/// The exchange that a text stands for, and a sentence that says as what it was taken.
pub(super) fn exchange(
    text: &[u8],
    method: Option<&str>,
    target: Option<&str>,
    defaults: &Defaults<'_>,
) -> anyhow::Result<(Exchange, String)> {
    // The line break at the end of a paste or a file is the editor's.
    let text = text.trim_ascii_end();
    if text.is_empty() {
        bail!("there is nothing to explain: give a body or a case, in a file or on standard input");
    }
    let (message, text) = match Head::of(text) {
        Some((head, body)) => (head, body),
        None => (Head::default(), text),
    };
    // Types are not looked at here, so what a float loses in a tree does not matter; the engine gets the text.
    let value: Value = json::text(text).and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    let shape = Shape::of(&value);
    if let (Shape::Case, None, None, None) = (&shape, method, target, &message.start) {
        let text = std::str::from_utf8(text).context("the case is not UTF-8")?;
        let exchange = Exchange::from_json(text, defaults).map_err(|broken| anyhow::anyhow!(broken.error))?;
        return Ok((exchange, "a case".to_owned()));
    }
    let method =
        method.or(message.method.as_deref()).map(|name| case::method(&name.to_ascii_uppercase())).transpose()?;
    let answer = match message.start {
        Some(Start::Answer(_)) => true,
        Some(Start::Request) => false,
        // A GET or DELETE has no body to speak of: then the text is the answer. Any other method makes it a request.
        None => method.as_ref().map_or(shape.is_answer(), |m| *m == Method::GET || *m == Method::DELETE),
    };
    let asked = method.unwrap_or_else(|| match message.start {
        Some(Start::Answer(status)) if status != StatusCode::CREATED => Method::GET,
        _ => shape.method(),
    });
    let target = target.map(str::to_owned).or(message.target).unwrap_or_else(|| shape.target(&value, &asked));
    let taken = format!("{}{asked} {target}", if answer { "the answer to " } else { "" });

    let mut headers = message.headers;
    if message.start.is_none() {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/scim+json"));
    }
    let profile = case::profile(defaults.idp, &headers);
    let (body, headers, answer) = if answer {
        let status = match message.start {
            Some(Start::Answer(status)) => status,
            _ => shape.status(&value, &asked),
        };
        (Vec::new(), HeaderMap::new(), Some((status, headers, text.to_vec())))
    } else {
        (text.to_vec(), headers, None)
    };
    let exchange = Exchange {
        id: None,
        plan: case::plan(profile, defaults.enable, None),
        base_url: BASE_URL.to_owned(),
        upstream_url: UPSTREAM_URL.to_owned(),
        outside: false,
        method: asked,
        target,
        headers,
        body,
        answer,
    };
    Ok((exchange, taken))
}

/// What stands before the body when a whole HTTP message was pasted.
#[derive(Debug, Default)]
struct Head {
    start: Option<Start>,
    method: Option<String>,
    target: Option<String>,
    headers: HeaderMap,
}

#[derive(Debug, Clone, Copy)]
enum Start {
    Answer(StatusCode),
    Request,
}

impl Head {
    /// `PATCH /Users/1 HTTP/1.1`, `HTTP/1.1 200 OK`, or, as on the pages of the quirks, `200 to PATCH /Users/1`; then
    /// headers, a blank line and the body.
    fn of(text: &[u8]) -> Option<(Self, &[u8])> {
        let mut rest = text;
        let mut head = Self::start(line(&mut rest)?)?;
        loop {
            match line(&mut rest) {
                None | Some("") => return Some((head, rest)),
                Some(field) => {
                    let (name, value) = field.split_once(':')?;
                    let name = HeaderName::from_bytes(name.trim().as_bytes()).ok()?;
                    head.headers.append(name, HeaderValue::from_bytes(value.trim().as_bytes()).ok()?);
                }
            }
        }
    }

    fn start(line: &str) -> Option<Self> {
        let words: Vec<_> = line.split_whitespace().collect();
        let status = |word: &str| word.parse().ok().map(Start::Answer);
        let (start, method, target) = match words[..] {
            [version, code, ..] if version.starts_with("HTTP/") => (status(code)?, None, None),
            [code, "to", method, target] => (status(code)?, Some(method), Some(target)),
            [method, target] | [method, target, _] if target.contains('/') => {
                (Start::Request, Some(method), Some(target))
            }
            _ => return None,
        };
        if method.is_some_and(|name| !name.bytes().all(|b| b.is_ascii_uppercase())) {
            return None;
        }
        Some(Self {
            start: Some(start),
            method: method.map(str::to_owned),
            target: target.map(|target| below_base(target).to_owned()),
            headers: HeaderMap::new(),
        })
    }
}

/// The next line, without its end; `None` at the end of the text or where it is no text.
fn line<'a>(rest: &mut &'a [u8]) -> Option<&'a str> {
    if rest.is_empty() {
        return None;
    }
    let end = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
    let (line, tail) = rest.split_at(end);
    *rest = tail.get(1..).unwrap_or_default();
    std::str::from_utf8(line).ok().map(|line| line.trim_end_matches('\r'))
}

/// What follows the SCIM base: a logged target holds the whole path.
fn below_base(target: &str) -> &str {
    const FIRST: [&str; 8] =
        ["users", "groups", "me", "bulk", "schemas", "resourcetypes", "serviceproviderconfig", ".search"];
    let path = target.split('?').next().unwrap_or_default();
    let mut at = 0;
    for segment in path.split('/') {
        if at > 0 && FIRST.contains(&segment.to_ascii_lowercase().as_str()) {
            return &target[at - 1..];
        }
        at += segment.len() + 1;
    }
    target
}

/// What a text looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Case,
    Error,
    List,
    New,
    Patch,
    Resource,
}

impl Shape {
    fn of(value: &Value) -> Self {
        let Value::Object(body) = value else {
            return if value.is_array() { Self::List } else { Self::New };
        };
        if body.get("request").is_some_and(Value::is_object) {
            Self::Case
        } else if member(body, "Operations").is_some() {
            Self::Patch
        } else if names(body, LIST) || member(body, "Resources").is_some() || member(body, "totalResults").is_some() {
            Self::List
        } else if names(body, ERROR) {
            Self::Error
        } else if member(body, "meta").is_some() {
            Self::Resource
        } else {
            Self::New
        }
    }

    fn is_answer(self) -> bool {
        matches!(self, Self::Error | Self::List | Self::Resource)
    }

    fn method(self) -> Method {
        match self {
            Self::Case | Self::New => Method::POST,
            Self::Error | Self::List | Self::Resource => Method::GET,
            Self::Patch => Method::PATCH,
        }
    }

    fn target(self, value: &Value, method: &Method) -> String {
        let first = match value {
            Value::Array(items) => items.first(),
            Value::Object(body) => member(body, "Resources").and_then(|list| list.get(0)),
            _ => None,
        };
        let collection = collection(first.unwrap_or(value));
        if self == Self::List || *method == Method::POST {
            return format!("/{collection}");
        }
        let id = value.get("id").and_then(Value::as_str).unwrap_or(SOME_ID);
        format!("/{collection}/{}", percent(id))
    }

    fn status(self, value: &Value, method: &Method) -> StatusCode {
        let said = value.get("status").and_then(|status| match status {
            Value::String(text) => text.parse().ok(),
            status => status.as_u64().and_then(|n| u16::try_from(n).ok()),
        });
        match (self, said.and_then(|code| StatusCode::from_u16(code).ok())) {
            (Self::Error, Some(status)) => status,
            (Self::Error, None) => StatusCode::BAD_REQUEST,
            _ if *method == Method::POST => StatusCode::CREATED,
            _ => StatusCode::OK,
        }
    }
}

/// A member, by any spelling of its name (RFC 7643 2.1).
fn member<'a>(body: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    body.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

fn names(body: &Map<String, Value>, urn: &str) -> bool {
    match member(body, "schemas") {
        Some(Value::Array(list)) => list.iter().any(|item| item.as_str().is_some_and(|s| s.eq_ignore_ascii_case(urn))),
        Some(Value::String(one)) => one.eq_ignore_ascii_case(urn),
        _ => false,
    }
}

/// Groups have `members`, name the Group schema or say so in `meta`; everything else is taken for a user.
fn collection(resource: &Value) -> &'static str {
    let text = resource.to_string().to_ascii_lowercase();
    let group = [":group\"", "\"resourcetype\":\"group\"", "\"members\"", "\"path\":\"members"];
    if group.iter().any(|mark| text.contains(mark)) { "Groups" } else { "Users" }
}

fn percent(id: &str) -> String {
    id.bytes()
        .map(|b| match b {
            b if b.is_ascii_alphanumeric() || b"-._~".contains(&b) => char::from(b).to_string(),
            b => format!("%{b:02X}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(text: &str, method: Option<&str>, target: Option<&str>) -> String {
        exchange(text.as_bytes(), method, target, &Defaults::default()).expect("something to explain").1
    }

    #[test]
    fn a_body_is_taken_for_what_it_looks_like() {
        assert_eq!(taken(r#"{"Operations":[]}"#, None, None), "PATCH /Users/1");
        assert_eq!(taken(r#"{"operations":[{"path":"members"}]}"#, None, None), "PATCH /Groups/1");
        assert_eq!(taken(r#"{"Resources":[],"totalResults":0}"#, None, None), "the answer to GET /Users");
        assert_eq!(taken("[]", None, None), "the answer to GET /Users");
        assert_eq!(
            taken(r#"{"id":"a/b","meta":{"resourceType":"Group"}}"#, None, None),
            "the answer to GET /Groups/a%2Fb"
        );
        assert_eq!(
            taken(&format!(r#"{{"schemas":["{ERROR}"],"status":"404"}}"#), None, None),
            "the answer to GET /Users/1"
        );
        let group = r#"{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"]}"#;
        assert_eq!(taken(group, None, None), "POST /Groups");
        assert_eq!(taken(r#"{"userName":"a"}"#, None, None), "POST /Users");
        assert_eq!(taken("not json", None, None), "POST /Users");
    }

    #[test]
    fn a_whole_message_says_itself_what_it_is() {
        let patch =
            "PATCH /scim/v2/Users/7?x=1 HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n\r\n{\"meta\":{}}";
        assert_eq!(taken(patch, None, None), "PATCH /Users/7?x=1");
        let exchange = exchange(patch.as_bytes(), None, None, &Defaults::default()).expect("a message").0;
        assert_eq!(
            (&exchange.body[..], &exchange.headers["content-type"]),
            (&b"{\"meta\":{}}"[..], &HeaderValue::from_static("application/json"))
        );
        assert_eq!(taken("GET /users/?", None, None), "GET /users/?");
        assert_eq!(taken("HTTP/1.1 404 Not Found\n\n<html>", None, None), "the answer to GET /Users/1");
        assert_eq!(taken("HTTP/1.1 201 Created\n\n{}", None, None), "the answer to POST /Users");
        assert_eq!(taken("HTTP/1.1 200 OK\n\n{}", Some("put"), Some("/Users/9")), "the answer to PUT /Users/9");
        assert_eq!(taken("200 to DELETE /Users/1\n\n{}", None, None), "the answer to DELETE /Users/1");
        assert_eq!(taken("a sentence of three", None, None), "POST /Users");
    }

    #[test]
    fn flags_override() {
        let body = r#"{"id":"7","meta":{}}"#;
        assert_eq!(taken(body, Some("put"), None), "PUT /Users/7");
        assert_eq!(taken(body, Some("POST"), None), "POST /Users");
        assert_eq!(taken(body, None, Some("/Groups/7")), "the answer to GET /Groups/7");
        assert_eq!(taken(r#"{"userName":"a"}"#, Some("GET"), Some("/Me")), "the answer to GET /Me");
    }
}
