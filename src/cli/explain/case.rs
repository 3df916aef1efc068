//! One case: an exchange as JSON, through the engine, and what came of it as JSON. Bodies are carried as the text they
//! are, so that a number keeps its digits.

use std::{collections::BTreeMap, str::FromStr, sync::Arc, time::SystemTime};

use anyhow::{Context, anyhow, bail};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use serde::{
    Deserialize, Serialize, Serializer,
    ser::{SerializeMap, SerializeStruct},
};
use serde_json::value::RawValue;

use super::Defaults;
use crate::{
    cli::json,
    quirk::{
        Answer, Asked, Body, Findings, Fix, HeaderEdit, Id, Idp, Mode, Plan, PlanSettings, RefusedBody, Sent, Switch,
        Why, normalize, repair,
    },
    scim::{Registry, Type},
};

/// Stands for the tenant's public base where a case names none.
pub(super) const BASE_URL: &str = "https://scim.example.com/scim/v2";
/// Stands for the app where a case names none: no answer holds it (RFC 2606).
pub(super) const UPSTREAM_URL: &str = "http://upstream.invalid";

/// Runs one case, given as JSON.
///
/// # Errors
/// What is not a case: broken JSON, no request, a method or header that HTTP does not know, an unknown quirk.
pub fn case(line: &str) -> Result<Outcome, Broken> {
    with_defaults(line, &Defaults::default())
}

pub(super) fn with_defaults(line: &str, defaults: &Defaults<'_>) -> Result<Outcome, Broken> {
    Exchange::from_json(line, defaults).map(|exchange| exchange.explain())
}

/// A case that could not be run.
#[derive(Debug, Serialize)]
pub struct Broken {
    /// The id, where it could be read.
    pub id: Option<Box<RawValue>>,
    /// What is wrong with it.
    pub error: String,
}

impl Broken {
    pub(super) fn new(error: impl Into<String>) -> Self {
        Self { id: None, error: error.into() }
    }
}

/// What the engine made of a case.
#[derive(Debug)]
pub struct Outcome {
    /// The case's id, as given.
    pub id: Option<Box<RawValue>>,
    /// Method, target, headers as given and body are as they came, byte for byte.
    pub unchanged: bool,
    /// What goes on; `None` when the shim answers itself.
    pub message: Option<Message>,
    /// What was done.
    pub fixes: Vec<Place>,
    /// What would have been done in mode `fix`, and what is only counted.
    pub observed: Vec<Place>,
    /// The shim's own answer.
    pub refused: Option<Refused>,
    /// Why a body could not be read, where it goes on as sent.
    pub unread: Option<String>,
}

/// A request or an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// What kind.
    pub start: Start,
    /// The header block.
    pub headers: HeaderMap,
    /// The body; empty when there is none.
    pub body: Vec<u8>,
}

/// The first line of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Start {
    /// A request.
    Request {
        /// The method.
        method: Method,
        /// Path and query below the SCIM base.
        target: String,
    },
    /// An answer.
    Response(StatusCode),
}

/// A quirk at a place of the message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Which.
    pub quirk: Id,
    /// JSON pointer, header or query name.
    pub at: String,
}

/// An answer that the shim gives itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Refused {
    /// HTTP status.
    pub status: u16,
    /// RFC 7644 3.12, where it has a word for it.
    #[serde(rename = "scimType")]
    pub scim_type: Option<&'static str>,
    /// For the admin who reads it.
    pub detail: String,
}

/// A request, perhaps with its answer, and the tenant it belongs to.
#[derive(Debug)]
pub struct Exchange {
    /// The case's id, as given.
    pub id: Option<Box<RawValue>>,
    /// The tenant's quirks.
    pub plan: Plan,
    /// What the IdP calls the tenant's base.
    pub base_url: String,
    /// What the app calls it.
    pub upstream_url: String,
    /// Not below the SCIM base: nobody touches it.
    pub outside: bool,
    /// The method of the request.
    pub method: Method,
    /// Its target.
    pub target: String,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Vec<u8>,
    /// The answer; when there is one, it is what gets repaired.
    pub answer: Option<(StatusCode, HeaderMap, Vec<u8>)>,
}

impl Exchange {
    /// Reads a case.
    pub(super) fn from_json(line: &str, defaults: &Defaults<'_>) -> Result<Self, Broken> {
        // An array would be taken for the members of a case in their order.
        if !line.trim_start().starts_with('{') {
            return Err(Broken::new("not a case: a JSON object was expected"));
        }
        let given: Given<'_> = serde_json::from_str(line).map_err(|error| {
            let id = serde_json::from_str::<OnlyId>(line).ok().and_then(|only| only.id);
            Broken { id, error: format!("not a case: {error}") }
        })?;
        let id = given.id.map(ToOwned::to_owned);
        given.exchange(defaults).map_err(|error| Broken { id, error: format!("{error:#}") })
    }

    /// Runs the engine.
    pub fn explain(&self) -> Outcome {
        let before = self.before();
        if self.outside {
            return self.outcome(before.clone(), &before, &Findings::default(), None);
        }
        match &self.answer {
            Some((status, headers, body)) => self.repaired(&before, *status, headers, body),
            None => self.normalized(&before),
        }
    }

    /// The message that is looked at, as it comes.
    pub(super) fn before(&self) -> Message {
        match &self.answer {
            Some((status, headers, body)) => {
                Message { start: Start::Response(*status), headers: headers.clone(), body: body.clone() }
            }
            None => Message {
                start: Start::Request { method: self.method.clone(), target: self.target.clone() },
                headers: self.headers.clone(),
                body: self.body.clone(),
            },
        }
    }

    fn normalized(&self, before: &Message) -> Outcome {
        let sent = Sent { method: &self.method, target: &self.target, headers: &self.headers, body: &self.body };
        let normalized = match normalize(&self.plan, &sent) {
            Ok(normalized) => normalized,
            Err(refused) => return self.refused(&refused),
        };
        let mut after = before.clone();
        if let Some(target) = normalized.target {
            after.start = Start::Request { method: self.method.clone(), target };
        }
        edit(&mut after.headers, normalized.headers);
        if let Some(body) = normalized.body {
            replace_body(&mut after, body);
        }
        self.outcome(after, before, &normalized.findings, normalized.unread)
    }

    fn repaired(&self, before: &Message, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Outcome {
        // The proxy judges an answer by the target that the app got.
        let sent = Sent { method: &self.method, target: &self.target, headers: &self.headers, body: &[] };
        let target = normalize(&self.plan, &sent).ok().and_then(|normalized| normalized.target);
        let asked = Asked {
            method: &self.method,
            target: target.as_deref().unwrap_or(&self.target),
            base_url: self.base_url.trim_end_matches('/'),
            upstream_url: self.upstream_url.trim_end_matches('/'),
            now: SystemTime::now(),
            collection_seen: true,
        };
        let repaired = repair(&self.plan, &asked, &Answer { status, headers, body });
        let mut after = before.clone();
        if let Some(status) = repaired.status {
            after.start = Start::Response(status);
        }
        edit(&mut after.headers, repaired.headers);
        match repaired.body {
            Body::AsSent => {}
            Body::Empty => {
                after.body.clear();
                for name in [header::CONTENT_TYPE, header::CONTENT_LENGTH, header::CONTENT_ENCODING] {
                    after.headers.remove(name);
                }
            }
            Body::New(body) => replace_body(&mut after, body),
        }
        self.outcome(after, before, &repaired.findings, repaired.unread)
    }

    fn outcome(&self, after: Message, before: &Message, findings: &Findings, unread: Option<String>) -> Outcome {
        Outcome {
            id: self.id.clone(),
            unchanged: after == *before,
            message: Some(after),
            fixes: findings.fixes().map(Place::from).collect(),
            observed: findings.observed().map(Place::from).collect(),
            refused: None,
            unread,
        }
    }

    /// Nothing was done then, so that everything found counts as observed.
    fn refused(&self, refused: &RefusedBody) -> Outcome {
        let (status, scim_type) = match refused.why {
            Why::Malformed | Why::Quirk => (400, Some("invalidSyntax")),
            Why::Encoding => (415, None),
        };
        Outcome {
            id: self.id.clone(),
            unchanged: false,
            message: None,
            fixes: Vec::new(),
            observed: refused.findings.fixes().chain(refused.findings.observed()).map(Place::from).collect(),
            refused: Some(Refused { status, scim_type, detail: refused.detail.clone() }),
            unread: None,
        }
    }
}

fn edit(headers: &mut HeaderMap, edits: Vec<HeaderEdit>) {
    for (name, value) in edits {
        match value {
            Some(value) => drop(headers.insert(name, value)),
            None => drop(headers.remove(name)),
        }
    }
}

fn replace_body(message: &mut Message, body: Vec<u8>) {
    if message.headers.contains_key(header::CONTENT_LENGTH) {
        message.headers.insert(header::CONTENT_LENGTH, body.len().into());
    }
    message.body = body;
}

impl From<Fix<'_>> for Place {
    fn from(fix: Fix<'_>) -> Self {
        Self { quirk: fix.quirk, at: fix.at.to_owned() }
    }
}

/// The plan of a tenant that has set nothing but `enable` and its schemas.
pub(super) fn plan(idp: Idp, enable: &[String], registry: Option<Registry>) -> Plan {
    let quirks = enable.iter().map(|name| (name.clone(), Mode::Fix)).collect();
    let mut settings = PlanSettings { quirks, ..PlanSettings::default() };
    if let Some(registry) = registry {
        settings.registry = Arc::new(registry);
    }
    Plan::new(&settings, idp)
}

/// A name without a profile of its own counts as generic; `auto` asks the User-Agent.
pub(super) fn profile(name: Option<&str>, headers: &HeaderMap) -> Idp {
    match name.map(|name| Idp::from_str(&name.to_ascii_lowercase()).unwrap_or(Idp::Generic)) {
        Some(Idp::Auto) => headers
            .get(header::USER_AGENT)
            .and_then(|agent| Idp::from_user_agent(agent.to_str().ok()?))
            .unwrap_or(Idp::Generic),
        Some(idp) => idp,
        None => Idp::Generic,
    }
}

/// Refuses names that are neither a quirk nor a switch: a slip of the pen would look like "nothing to fix".
pub(super) fn check_enabled(names: &[String]) -> anyhow::Result<()> {
    for name in names {
        if !Switch::ALL.iter().any(|(_, switch, _)| switch == name) {
            crate::cli::quirk::find(name).context("enable")?;
        }
    }
    Ok(())
}

#[derive(Deserialize)]
struct OnlyId {
    id: Option<Box<RawValue>>,
}

#[derive(Deserialize)]
struct Given<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    idp: Option<String>,
    enable: Option<Vec<String>>,
    schema_hints: Option<Vec<Hint>>,
    base_url: Option<String>,
    upstream_url: Option<String>,
    #[serde(borrow)]
    request: Option<GivenRequest<'a>>,
    #[serde(borrow)]
    response: Option<GivenResponse<'a>>,
}

#[derive(Deserialize)]
struct Hint {
    path: String,
    #[serde(rename = "type")]
    kind: String,
    #[serde(rename = "multiValued", default)]
    multi_valued: bool,
}

#[derive(Deserialize)]
struct GivenRequest<'a> {
    method: String,
    target: String,
    headers: Option<BTreeMap<String, Values>>,
    #[serde(borrow)]
    body: Option<&'a RawValue>,
    body_raw: Option<String>,
    outside_base: Option<bool>,
}

#[derive(Deserialize)]
struct GivenResponse<'a> {
    status: u16,
    headers: Option<BTreeMap<String, Values>>,
    #[serde(borrow)]
    body: Option<&'a RawValue>,
    body_text: Option<String>,
}

/// A header, or several of one name.
#[derive(Deserialize)]
#[serde(untagged)]
enum Values {
    One(String),
    Many(Vec<String>),
}

impl Given<'_> {
    fn exchange(self, defaults: &Defaults<'_>) -> anyhow::Result<Exchange> {
        let Some(request) = self.request else { bail!("the case has no request: give method and target") };
        let enable = [self.enable.unwrap_or_default(), defaults.enable.to_vec()].concat();
        check_enabled(&enable)?;
        let headers = headers(request.headers)?;
        let idp = profile(self.idp.as_deref().or(defaults.idp), &headers);
        let answer = match self.response {
            Some(response) => Some((
                StatusCode::from_u16(response.status).context("the response has no valid status")?,
                self::headers(response.headers)?,
                body(response.body, response.body_text),
            )),
            None => None,
        };
        Ok(Exchange {
            id: self.id.map(ToOwned::to_owned),
            plan: plan(idp, &enable, registry(self.schema_hints.unwrap_or_default())?),
            base_url: self.base_url.unwrap_or_else(|| BASE_URL.to_owned()),
            upstream_url: self.upstream_url.unwrap_or_else(|| UPSTREAM_URL.to_owned()),
            outside: request.outside_base.unwrap_or(false),
            method: method(&request.method)?,
            target: request.target,
            headers,
            body: body(request.body, request.body_raw),
            answer,
        })
    }
}

pub(super) fn method(name: &str) -> anyhow::Result<Method> {
    Method::from_bytes(name.as_bytes()).map_err(|_| anyhow!("{name:?} is no HTTP method"))
}

/// Text comes first: whoever gives it cares about the bytes.
fn body(json: Option<&RawValue>, text: Option<String>) -> Vec<u8> {
    text.or_else(|| json.map(|json| json.get().to_owned())).unwrap_or_default().into_bytes()
}

fn headers(given: Option<BTreeMap<String, Values>>) -> anyhow::Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    for (name, values) in given.unwrap_or_default() {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| anyhow!("{name:?} is no header name"))?;
        let values = match values {
            Values::One(value) => vec![value],
            Values::Many(values) => values,
        };
        for value in values {
            let value = HeaderValue::from_bytes(value.as_bytes())
                .map_err(|_| anyhow!("header {name}: no value that HTTP can carry"))?;
            headers.append(&name, value);
        }
    }
    Ok(headers)
}

/// RFC 7643 with the hints; `None` when there are none.
fn registry(hints: Vec<Hint>) -> anyhow::Result<Option<Registry>> {
    if hints.is_empty() {
        return Ok(None);
    }
    let mut registry = Registry::rfc();
    for Hint { path, kind, multi_valued } in hints {
        let Ok(kind) = Type::from_str(&kind) else { bail!("schema_hints: {kind:?} is no type of RFC 7643 2.3") };
        registry.declare(&path, kind, multi_valued).with_context(|| format!("schema_hints: {path}"))?;
    }
    Ok(Some(registry))
}

impl Serialize for Outcome {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("id", &self.id)?;
        map.serialize_entry("unchanged", &self.unchanged)?;
        let answer = matches!(&self.message, Some(Message { start: Start::Response(_), .. }));
        map.serialize_entry(if answer { "response" } else { "request" }, &self.message)?;
        map.serialize_entry("fixes", &self.fixes)?;
        map.serialize_entry("observed", &self.observed)?;
        map.serialize_entry("refused", &self.refused)?;
        map.end()
    }
}

impl Serialize for Message {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        match &self.start {
            Start::Request { method, target } => {
                map.serialize_entry("method", method.as_str())?;
                map.serialize_entry("target", target)?;
            }
            Start::Response(status) => map.serialize_entry("status", &status.as_u16())?,
        }
        map.serialize_entry("headers", &Headers(&self.headers))?;
        match json::text(&self.body).map(one_line) {
            _ if self.body.is_empty() => {}
            Some(body) => map.serialize_entry("body", &body)?,
            None => map.serialize_entry("body_text", &String::from_utf8_lossy(&self.body))?,
        }
        map.end()
    }
}

/// The value as it is written, unless it is written on several lines.
fn one_line(text: &str) -> Box<RawValue> {
    let text = if text.contains(['\n', '\r']) { json::compact(text) } else { text.to_owned() };
    RawValue::from_string(text).expect("it was read as JSON")
}

struct Headers<'a>(&'a HeaderMap);

impl Serialize for Headers<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for name in self.0.keys() {
            let values: Vec<_> = self.0.get_all(name).iter().map(|v| String::from_utf8_lossy(v.as_bytes())).collect();
            match &values[..] {
                [value] => map.serialize_entry(name.as_str(), value)?,
                values => map.serialize_entry(name.as_str(), values)?,
            }
        }
        map.end()
    }
}

impl Serialize for Place {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut place = serializer.serialize_struct("Place", 2)?;
        place.serialize_field("quirk", self.quirk.as_str())?;
        place.serialize_field("at", &self.at)?;
        place.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(case: &str) -> String {
        serde_json::to_string(&self::case(case).expect("a case")).expect("json")
    }

    #[test]
    fn bodies_keep_their_digits_and_stay_on_one_line() {
        let out = line(
            r#"{"id":"x","request":{"method":"PUT","target":"/Users/1","headers":{"X-A":["1","2"]},
                "body":{"n":9007199254740993, "d":1.10,
                 "s":"a\nb"}}}"#,
        );
        assert!(out.contains(r#""x-a":["1","2"]"#), "{out}");
        assert!(out.contains(r#""n":9007199254740993"#) && out.contains(r#""d":1.10"#), "{out}");
        assert!(!out.contains('\n'));
    }

    #[test]
    fn an_outside_answer_is_not_touched() {
        let out = line(
            r#"{"id":1,"request":{"method":"GET","target":"/health","outside_base":true},
                "response":{"status":200,"headers":{},"body_text":"ok"}}"#,
        );
        assert_eq!(
            out,
            r#"{"id":1,"unchanged":true,"response":{"status":200,"headers":{},"body_text":"ok"},"fixes":[],"observed":[],"refused":null}"#
        );
    }

    #[test]
    fn what_is_no_case_is_named() {
        let error = |case: &str| self::case(case).expect_err("broken").error;
        assert!(error("{").starts_with("not a case: "));
        assert_eq!(error("[]"), "not a case: a JSON object was expected");
        assert_eq!(error(r#"{"id":"a"}"#), "the case has no request: give method and target");
        assert!(
            error(r#"{"request":{"method":"GET","target":"/"},"enable":["op-cas"]}"#).starts_with("enable: no quirk")
        );
        assert!(error(r#"{"request":{"method":"G T","target":"/"}}"#).ends_with("is no HTTP method"));
    }
}
