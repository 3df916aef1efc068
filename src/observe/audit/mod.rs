//! The audit stream: one JSON line for every write and every refusal, to a file or to standard output.
//!
//! A line says who, which tenant, what, how it ended and what was fixed. It holds no value, no token and no id in clear,
//! so that it may be kept for years by people who may not see the data. Recording never waits: a thread of its own
//! writes (`writer`), and what its queue has no room for is counted as lost. The choice not taken is to let an
//! exchange wait until its line is on disk: a full disk would then stop deprovisioning.

mod writer;

use std::{
    io,
    net::IpAddr,
    sync::Arc,
    time::{Duration, SystemTime},
};

use arc_swap::ArcSwapOption;
use serde::Serialize;

use self::writer::Writer;
use super::{Metrics, account::Account};
use crate::{
    config::{settings::AuditTarget, types::Timestamp},
    quirk::{Direction, Findings},
};

/// Where lines go; it may be nowhere, and may change while requests are served.
#[derive(Debug)]
pub struct Audit {
    writer: ArcSwapOption<Writer>,
    metrics: Arc<Metrics>,
}

/// A target that has been opened and is not in force yet; see [`Audit::prepare`].
#[derive(Debug)]
pub struct Prepared(Next);

#[derive(Debug)]
enum Next {
    Same,
    Other(Option<Arc<Writer>>),
}

/// A request that was refused before it had a tenant.
#[derive(Debug, Clone, Copy)]
pub struct Refused<'a> {
    /// When its head had been read.
    pub at: SystemTime,
    /// `x-request-id`.
    pub id: &'a str,
    /// HTTP method, `other` if it is none that SCIM knows.
    pub method: &'static str,
    /// The first segment of the target, as metrics call it.
    pub resource: &'static str,
    /// The address of the caller, where it is established.
    pub caller: Option<IpAddr>,
    /// The status that the caller was told; `None` if it had left.
    pub told: Option<u16>,
    /// The reason label of the refusal.
    pub reason: &'static str,
}

impl Audit {
    /// Opens `target`; `None` is a stream that takes nothing.
    ///
    /// # Errors
    /// The file cannot be opened or made, or standard output is closed; the text names the path and the cure.
    pub fn open(target: Option<&AuditTarget>, metrics: Arc<Metrics>) -> io::Result<Self> {
        let audit = Self { writer: ArcSwapOption::empty(), metrics };
        audit.put(audit.prepare(target)?);
        Ok(audit)
    }

    /// The first half of a change of target: what can fail, with nothing changed. A target that is in force already is
    /// left as it is.
    ///
    /// # Errors
    /// As for [`Audit::open`].
    pub fn prepare(&self, target: Option<&AuditTarget>) -> io::Result<Prepared> {
        if self.writer.load().as_deref().map(Writer::target) == target {
            return Ok(Prepared(Next::Same));
        }
        let writer = target.map(|target| Writer::start(target, &self.metrics)).transpose()?;
        Ok(Prepared(Next::Other(writer.map(Arc::new))))
    }

    /// The second half. What was recorded before is still written to the old target.
    pub fn put(&self, prepared: Prepared) {
        if let Next::Other(writer) = prepared.0 {
            self.writer.store(writer);
            // It has just been opened, or there is none.
            self.metrics.audit_writable.set(1);
        }
    }

    /// Records an exchange, if it is a write or was refused. `object` is the ledger's name for what it is about.
    pub fn record(&self, account: &Account<'_>, object: Option<u64>) {
        let Some(writer) = &*self.writer.load() else { return };
        if account.refusal.is_none() && !is_write(account.method, account.resource) {
            return;
        }
        let guest = account.refusal.is_some() && account.token.is_none();
        writer.push(line(&Line::of(account, object)), guest);
    }

    /// Records a refusal that concerns no tenant.
    pub fn record_refusal(&self, refused: &Refused<'_>) {
        let Some(writer) = &*self.writer.load() else { return };
        writer.push(line(&Line::from(refused)), true);
    }

    /// Takes no more, and waits until what was recorded has been written, but no longer than `patience`: a pipe that
    /// nobody reads must not keep the process. It blocks its thread.
    pub fn close(&self, patience: Duration) {
        if let Some(writer) = self.writer.swap(None) {
            Writer::finish(writer, patience);
        }
    }
}

/// Whether a request asks for a change. A search by POST is a read; a method that SCIM does not know may be anything,
/// and a line too many is better than one too few.
fn is_write(method: &str, resource: &str) -> bool {
    match method {
        "GET" | "HEAD" | "OPTIONS" => false,
        "POST" => resource != "search",
        _ => true,
    }
}

#[derive(Debug, Serialize)]
struct Line<'a> {
    at: String,
    id: &'a str,
    tenant: Option<&'a str>,
    idp: Option<&'static str>,
    who: Who<'a>,
    method: &'static str,
    resource: &'static str,
    object: Option<String>,
    outcome: Outcome,
    fixes: Vec<&'static str>,
    observed: Vec<&'static str>,
}

#[derive(Debug, Serialize)]
struct Who<'a> {
    address: Option<IpAddr>,
    token: Option<&'a str>,
}

/// What the IdP was told, what the app had said, and why scimshim answered itself.
#[derive(Debug, Serialize)]
struct Outcome {
    status: Option<u16>,
    app: Option<u16>,
    refused: Option<&'static str>,
}

impl<'a> Line<'a> {
    fn of(account: &Account<'a>, object: Option<u64>) -> Self {
        Self {
            at: moment(account.at),
            id: account.id,
            tenant: Some(account.tenant),
            idp: Some(account.idp.as_str()),
            who: Who { address: account.caller, token: account.token },
            method: account.method,
            resource: account.resource,
            object: object.map(|name| format!("{name:016x}")),
            outcome: Outcome {
                status: account.told.map(|told| told.status),
                app: account.app.map(|app| app.status),
                refused: account.refusal.map(|(reason, _)| reason),
            },
            fixes: quirks(account.findings, true),
            observed: quirks(account.findings, false),
        }
    }
}

impl<'a> From<&Refused<'a>> for Line<'a> {
    fn from(refused: &Refused<'a>) -> Self {
        Self {
            at: moment(refused.at),
            id: refused.id,
            tenant: None,
            idp: None,
            who: Who { address: refused.caller, token: None },
            method: refused.method,
            resource: refused.resource,
            object: None,
            outcome: Outcome { status: refused.told, app: None, refused: Some(refused.reason) },
            fixes: Vec::new(),
            observed: Vec::new(),
        }
    }
}

/// The names of what was fixed, or of what would have been, each once.
fn quirks(findings: &[(Direction, Findings)], fixed: bool) -> Vec<&'static str> {
    let mut ids = Vec::new();
    for (id, done, _) in findings.iter().flat_map(|(_, findings)| findings.counts()) {
        if done == fixed && !ids.contains(&id.as_str()) {
            ids.push(id.as_str());
        }
    }
    ids
}

fn line(line: &Line<'_>) -> Vec<u8> {
    let mut text = serde_json::to_vec(line).expect("texts and numbers are always JSON");
    text.push(b'\n');
    text
}

/// RFC 3339, UTC, to the millisecond.
fn moment(at: SystemTime) -> String {
    let since = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let second = Timestamp { unix: i64::try_from(since.as_secs()).unwrap_or_default() }.to_string();
    format!("{}.{:03}Z", second.trim_end_matches('Z'), since.subsec_millis())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        observe::account::{Got, Sent, Times},
        quirk::Idp,
    };

    #[test]
    fn a_search_by_post_is_a_read_and_an_unknown_method_is_a_write() {
        for (method, resource, write) in [
            ("GET", "Users", false),
            ("HEAD", "Users", false),
            ("OPTIONS", "other", false),
            ("POST", "search", false),
            ("POST", "Users", true),
            ("POST", "Bulk", true),
            ("PATCH", "Groups", true),
            ("PUT", "Users", true),
            ("DELETE", "search", true),
            ("other", "Users", true),
        ] {
            assert_eq!(is_write(method, resource), write, "{method} {resource}");
        }
    }

    #[test]
    fn a_moment_has_milliseconds_and_is_utc() {
        assert_eq!(
            moment(SystemTime::UNIX_EPOCH + Duration::from_millis(1_700_000_000_007)),
            "2023-11-14T22:13:20.007Z"
        );
    }

    #[test]
    fn a_line_says_who_what_and_how_it_ended_and_no_value() {
        let received = Sent { target: "/Users/secret-id?x=secret".into(), ..Sent::default() };
        let told = Got::new(409, Default::default(), Default::default());
        let account = Account {
            at: SystemTime::UNIX_EPOCH,
            tenant: "acme",
            label: "acme",
            listed: true,
            idp: Idp::Okta,
            id: "r\"1\n",
            method: "PATCH",
            resource: "Users",
            received: &received,
            forwarded: Some(&received),
            app: Some(&told),
            told: Some(&told),
            refusal: None,
            findings: &[],
            unread: &[],
            caller: Some([192, 0, 2, 1].into()),
            token: Some("2026"),
            credentials: true,
            credible: true,
            times: Times::default(),
        };
        let text = String::from_utf8(line(&Line::of(&account, Some(0xab)))).unwrap();
        assert_eq!(
            text,
            "{\"at\":\"1970-01-01T00:00:00.000Z\",\"id\":\"r\\\"1\\n\",\"tenant\":\"acme\",\"idp\":\"okta\",\"who\":\
             {\"address\":\"192.0.2.1\",\"token\":\"2026\"},\"method\":\"PATCH\",\"resource\":\"Users\",\"object\":\
             \"00000000000000ab\",\"outcome\":{\"status\":409,\"app\":409,\"refused\":null},\"fixes\":[],\
             \"observed\":[]}\n"
        );
    }
}
