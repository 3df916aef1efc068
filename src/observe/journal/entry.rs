//! One exchange as it is kept and shown: a JSON object on one line, which is also a case for `scimshim explain --jsonl`.
//!
//! It is written once and kept as text, so that looking at a thousand costs no more than copying them.

use std::{
    borrow::Cow,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    address, heads,
    redact::{Redactor, hashed},
};
use crate::{
    config::types::Timestamp,
    json::push_encoded,
    observe::{
        account::{Account, Body, Got, Kept, Sent},
        facts::{Target, head, is_coded},
        ledger::Observation,
    },
    quirk::{Findings, Fix, Id},
};

/// Bytes of one entry.
pub(super) const LARGEST: usize = 64 << 10;

/// A body above it is not parsed: it would be cut to nearly nothing.
const PARSED: usize = 256 << 10;

/// Places told of each kind.
const PLACES: usize = 32;

/// Bytes of one place.
const PLACE: usize = 160;

/// Bytes of a tenant's or a request's name.
const NAME: usize = 128;

/// An exchange in the journal.
#[derive(Debug)]
pub struct Entry {
    /// Its number; later ones are greater.
    pub seq: u64,
    /// The tenant.
    pub tenant: Box<str>,
    /// `x-request-id`, as far as it is printable.
    pub id: Box<str>,
    /// HTTP method.
    pub method: &'static str,
    /// The first segment of the target.
    pub resource: &'static str,
    /// What the IdP was told; 0 is no answer.
    pub status: u16,
    /// The answer was no success, or the ledger counts it as none.
    pub failed: bool,
    /// What was found, fixed or not.
    pub quirks: Box<[Id]>,
    /// The whole of it.
    pub json: Box<RawValue>,
}

impl Entry {
    pub(super) fn new(
        seq: u64,
        account: &Account<'_>,
        event: Option<&Observation>,
        redactor: &Redactor<'_>,
        failed: bool,
    ) -> Self {
        let id: String = head(account.id, NAME).chars().map(|c| if is_plain(c) { c } else { '_' }).collect();
        let mut json = write(seq, &id, account, event, redactor, true);
        if json.len() > LARGEST {
            json = write(seq, &id, account, event, redactor, false);
        }
        let mut quirks: Vec<Id> = counts(account).map(|(id, ..)| id).collect();
        quirks.sort_unstable();
        quirks.dedup();
        Self {
            seq,
            tenant: head(account.tenant, NAME).into(),
            id: id.into(),
            method: account.method,
            resource: account.resource,
            status: account.told.map_or(0, |told| told.status),
            failed,
            quirks: quirks.into(),
            json: RawValue::from_string(json).unwrap_or_else(|_| RawValue::NULL.to_owned()),
        }
    }

    /// What it takes in memory.
    pub(super) fn size(&self) -> usize {
        size_of::<Self>() + self.tenant.len() + self.id.len() + self.quirks.len() + self.json.get().len()
    }

    /// The app's answer as a case of its own, where there is one: a case with an answer is one whose answer is repaired.
    pub(super) fn answer_case(&self) -> Option<String> {
        #[derive(Deserialize)]
        struct Parts<'e> {
            #[serde(borrow)]
            tenant: &'e RawValue,
            #[serde(borrow)]
            idp: &'e RawValue,
            #[serde(borrow)]
            enable: &'e RawValue,
            #[serde(borrow)]
            forwarded: Option<&'e RawValue>,
            #[serde(borrow)]
            app: Option<&'e RawValue>,
        }
        let parts: Parts<'_> = serde_json::from_str(self.json.get()).ok()?;
        let mut case = Object::new();
        case.text("id", &format!("{}/answer", self.id));
        case.raw("tenant", parts.tenant.get());
        case.raw("idp", parts.idp.get());
        case.raw("enable", parts.enable.get());
        case.raw("request", parts.forwarded?.get());
        case.raw("response", &with_placeholder(parts.app?.get()));
        Some(case.close())
    }
}

/// An answer whose body is not kept, with one of ours that begins as it did: without any it would be an answer that had
/// no body, and something else would be found. Of JSON that could not be read the beginning says too little.
fn with_placeholder(app: &str) -> Cow<'_, str> {
    #[derive(Deserialize)]
    struct Answer<'a> {
        #[serde(borrow)]
        unreadable: Option<Unreadable<'a>>,
    }
    #[derive(Deserialize)]
    struct Unreadable<'a> {
        begins: &'a str,
    }
    let unreadable = serde_json::from_str(app).ok().and_then(|answer: Answer<'_>| answer.unreadable);
    let placeholder = match unreadable.map(|unreadable| unreadable.begins) {
        Some("html") => "<html></html>",
        Some("xml") => "<xml/>",
        Some("form") => "name=value",
        Some("text") => "text",
        _ => return Cow::Borrowed(app),
    };
    let open = app.strip_suffix('}').unwrap_or(app);
    Cow::Owned(format!(r#"{open},"body_text":"{placeholder}"}}"#))
}

fn counts(account: &Account<'_>) -> impl Iterator<Item = (Id, bool, u32)> {
    account.findings.iter().flat_map(|(_, findings)| findings.counts())
}

fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-._:/+=".contains(c)
}

fn write(
    seq: u64,
    id: &str,
    account: &Account<'_>,
    event: Option<&Observation>,
    redactor: &Redactor<'_>,
    bodies: bool,
) -> String {
    let write = Writer { account, redactor, bodies };
    let mut entry = Object::new();
    entry.text("id", id);
    entry.number("seq", seq);
    entry.text("at", &moment(account.at));
    entry.text("tenant", head(account.tenant, NAME));
    entry.text("idp", account.idp.as_str());
    entry.raw("enable", &enable(account));
    let received = write.sent(account.received);
    let got = account.app.map(|app| write.got(app));
    entry.raw("request", &received);
    entry.raw(
        "forwarded",
        &match account.forwarded {
            Some(forwarded) if is_same_sent(account.received, forwarded) => received.clone(),
            Some(forwarded) => write.sent(forwarded),
            None => "null".to_owned(),
        },
    );
    entry.raw("app", got.as_deref().unwrap_or("null"));
    entry.raw(
        "told",
        &match (account.told, account.app, &got) {
            (Some(told), Some(app), Some(got)) if is_same_got(app, told) => got.clone(),
            (Some(told), ..) => write.got(told),
            (None, ..) => "null".to_owned(),
        },
    );
    entry.raw("fixes", &write.places(Findings::fixes));
    entry.raw("observed", &write.places(Findings::observed));
    entry.raw("unread", &list(account.unread.iter().map(|direction| direction.as_str())));
    entry.raw("refused", &refused(account));
    entry.raw("times_us", &times(account));
    entry.raw("event", &event.map_or_else(|| "null".to_owned(), |event| observed(account, event)));
    entry.raw("revealed", if redactor.reveal { "true" } else { "false" });
    entry.close()
}

struct Writer<'w> {
    account: &'w Account<'w>,
    redactor: &'w Redactor<'w>,
    bodies: bool,
}

impl Writer<'_> {
    fn sent(&self, sent: &Sent) -> String {
        let mut request = Object::new();
        request.text("method", self.account.method);
        request.text("target", &address::target(self.redactor, &sent.target));
        request.raw("headers", &self.headers(&sent.headers));
        self.body(&mut request, "body_raw", &sent.headers, &sent.body);
        request.close()
    }

    fn got(&self, got: &Got) -> String {
        let mut answer = Object::new();
        answer.number("status", got.status.into());
        answer.raw("headers", &self.headers(&got.headers));
        self.body(&mut answer, "body_text", &got.headers, &got.body);
        answer.close()
    }

    fn headers(&self, kept: &Kept) -> String {
        let mut headers = Object::new();
        for (name, value) in kept.iter() {
            let value =
                value.to_str().map_or_else(|_| "string".to_owned(), |value| heads::value(self.redactor, name, value));
            headers.text(name.as_str(), &value);
        }
        headers.close()
    }

    /// The body by what it is; `text` names the member for one that is JSON with something around it.
    fn body(&self, message: &mut Object, text: &str, headers: &Kept, body: &Body) {
        let bytes = match body {
            Body::Empty => return,
            Body::Unknown => return message.raw("unreadable", r#"{"bytes":null,"begins":"unknown"}"#),
            Body::Whole(bytes) => bytes,
        };
        let unreadable = |begins: &str| format!(r#"{{"bytes":{},"begins":"{begins}"}}"#, bytes.len());
        if is_coded(headers) {
            return message.raw("unreadable", &unreadable("coded"));
        }
        let marked = bytes.strip_prefix(MARK);
        let json = std::str::from_utf8(marked.unwrap_or(bytes)).ok();
        let small = self.bodies && bytes.len() <= PARSED;
        let redacted = json.filter(|_| small).and_then(|json| self.redactor.json(json));
        let (Some(json), Some(redacted)) = (json, redacted) else {
            return message.raw("unreadable", &unreadable(begins(bytes)));
        };
        // What stands around the value is looked at by quirks too.
        let blank = |is: bool| if is { " " } else { "" };
        let before = blank(json.starts_with(char::is_whitespace));
        let after = blank(json.ends_with(char::is_whitespace));
        let mark = if marked.is_some() { "\u{feff}" } else { "" };
        if mark.is_empty() && before.is_empty() && after.is_empty() {
            message.raw("body", &redacted.json);
        } else {
            message.text(text, &format!("{mark}{before}{}{after}", redacted.json));
        }
        if redacted.cut > 0 {
            message.number("cut", redacted.cut as u64);
        }
        if !redacted.names.is_empty() {
            message.raw("names", &list(redacted.names.iter().map(String::as_str)));
        }
    }

    fn places<'f, I: Iterator<Item = Fix<'f>>>(&'f self, of: impl Fn(&'f Findings) -> I) -> String {
        let all =
            self.account.findings.iter().flat_map(|(direction, findings)| of(findings).map(|fix| (*direction, fix)));
        let places = all.take(PLACES).map(|(direction, fix)| {
            let mut place = Object::new();
            place.text("quirk", fix.quirk.as_str());
            place.text("at", head(&self.redactor.pointer(fix.at), PLACE));
            place.text("direction", direction.as_str());
            place.close()
        });
        format!("[{}]", places.collect::<Vec<_>>().join(","))
    }
}

const MARK: &[u8] = b"\xef\xbb\xbf";

/// What a body that is no JSON looks like.
fn begins(bytes: &[u8]) -> &'static str {
    let start = &bytes[..bytes.len().min(512)];
    let start = start.strip_prefix(MARK).unwrap_or(start).trim_ascii_start();
    let text = match std::str::from_utf8(start) {
        Ok(text) => text,
        // Cut in the middle of a character.
        Err(error) if error.error_len().is_none() => std::str::from_utf8(&start[..error.valid_up_to()]).unwrap_or(""),
        Err(_) => return "binary",
    };
    let lower = text.to_ascii_lowercase();
    match lower.as_bytes().first() {
        Some(b'{' | b'[') => "json",
        Some(b'<') if lower.contains("<html") || lower.starts_with("<!doctype html") => "html",
        Some(b'<') => "xml",
        _ if lower.bytes().any(|byte| byte < 0x20 && !byte.is_ascii_whitespace()) => "binary",
        _ if lower.split_once('=').is_some_and(|(name, _)| !name.is_empty() && !name.contains([' ', '\n'])) => "form",
        _ => "text",
    }
}

fn is_same_sent(one: &Sent, other: &Sent) -> bool {
    one.target == other.target && is_same(&one.headers, &other.headers) && is_same_body(&one.body, &other.body)
}

fn is_same_got(one: &Got, other: &Got) -> bool {
    one.status == other.status && is_same(&one.headers, &other.headers) && is_same_body(&one.body, &other.body)
}

fn is_same(one: &Kept, other: &Kept) -> bool {
    one.iter().eq(other.iter())
}

fn is_same_body(one: &Body, other: &Body) -> bool {
    match (one, other) {
        (Body::Empty, Body::Empty) | (Body::Unknown, Body::Unknown) => true,
        (Body::Whole(one), Body::Whole(other)) => one == other,
        _ => false,
    }
}

/// What was fixed, so that a case is run with it whatever the profile says.
fn enable(account: &Account<'_>) -> String {
    let mut fixed: Vec<Id> = counts(account).filter(|(_, fixed, _)| *fixed).map(|(id, ..)| id).collect();
    fixed.sort_unstable();
    fixed.dedup();
    list(fixed.into_iter().map(Id::as_str))
}

/// The reason; the text only where it is our own and holds nothing of the request.
fn refused(account: &Account<'_>) -> String {
    const OURS: [&str; 11] = [
        "address_unknown",
        "concurrency",
        "deadline",
        "feed",
        "header",
        "hold",
        "internal",
        "overload",
        "rate",
        "slow",
        "too_large",
    ];
    let Some((reason, text)) = account.refusal else { return "null".to_owned() };
    let mut refused = Object::new();
    refused.text("reason", reason);
    if OURS.contains(&reason) {
        refused.text("detail", head(text, 512));
    }
    refused.close()
}

fn times(account: &Account<'_>) -> String {
    let times = &account.times;
    let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
    let own = times.total.saturating_sub(times.body + times.turn + times.app);
    let mut object = Object::new();
    let parts = [("total", times.total), ("body", times.body), ("turn", times.turn), ("app", times.app), ("own", own)];
    for (name, time) in parts {
        object.number(name, micros(time));
    }
    object.close()
}

/// An event of a timeline, as `scimshim risk` reads it.
fn observed(account: &Account<'_>, event: &Observation) -> String {
    let kind = match event.kind {
        crate::observe::ledger::Kind::Filter => "filter",
        crate::observe::ledger::Kind::Get => "get",
        crate::observe::ledger::Kind::Probe => "probe",
        crate::observe::ledger::Kind::Write => "write",
    };
    // Its end: that is when the ledger was told.
    let since = account.at.duration_since(UNIX_EPOCH).unwrap_or_default() + account.times.total;
    let mut object = Object::new();
    object.raw("t_s", &format!("{}.{:03}", since.as_secs(), since.subsec_millis()));
    object.text("tenant", head(account.tenant, NAME));
    object.text("idp", account.idp.as_str());
    object.text("method", account.method);
    object.text("resource", Target::read(&account.received.target).resource(account.resource));
    if let Some(name) = event.object {
        object.text("object_id", &hashed(name));
    }
    if let Some(name) = event.also {
        object.text("also_id", &hashed(name));
    }
    object.number("status", event.status.into());
    object.text("kind", kind);
    object.raw("ref", if event.reference { "true" } else { "false" });
    object.raw("deprov", if event.deprovision { "true" } else { "false" });
    object.raw("guid", if event.guid { "true" } else { "false" });
    object.raw("body_scim", if event.scim { "true" } else { "false" });
    if let Some(matches) = event.matches {
        object.number("matches", matches.into());
    }
    object.close()
}

/// RFC 3339 in UTC, with milliseconds.
fn moment(at: SystemTime) -> String {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    let whole = Timestamp { unix: i64::try_from(since.as_secs()).unwrap_or(i64::MAX) }.to_string();
    format!("{}.{:03}Z", whole.trim_end_matches('Z'), since.subsec_millis())
}

fn list<'t>(texts: impl Iterator<Item = &'t str>) -> String {
    let texts: Vec<String> = texts.map(crate::json::encode).collect();
    format!("[{}]", texts.join(","))
}

/// A JSON object that is being written.
struct Object(String);

impl Object {
    fn new() -> Self {
        Self("{".to_owned())
    }

    fn raw(&mut self, name: &str, json: &str) {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        push_encoded(&mut self.0, name);
        self.0.push(':');
        self.0.push_str(json);
    }

    fn text(&mut self, name: &str, text: &str) {
        self.raw(name, &crate::json::encode(text));
    }

    fn number(&mut self, name: &str, number: u64) {
        self.raw(name, &number.to_string());
    }

    fn close(mut self) -> String {
        self.0.push('}');
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_that_are_no_json_are_told_by_their_beginning() {
        for (body, is) in [
            (&b"<!DOCTYPE html><p>"[..], "html"),
            (b"  <?xml version=\"1.0\"?><a/>", "xml"),
            (b"grant_type=x&a=b", "form"),
            (b"Bad gateway", "text"),
            (b"\x00\x01", "binary"),
            (b"\xff\xfe", "binary"),
            (b"\xef\xbb\xbf{\"a\":", "json"),
            (b"", "text"),
        ] {
            assert_eq!(begins(body), is, "{body:?}");
        }
    }

    #[test]
    fn moments_are_utc_with_milliseconds() {
        assert_eq!(moment(UNIX_EPOCH + Duration::from_millis(1_445_444_940_007)), "2015-10-21T16:29:00.007Z");
        assert_eq!(moment(UNIX_EPOCH - Duration::from_secs(5)), "1970-01-01T00:00:00.000Z");
    }
}
