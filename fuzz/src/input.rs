//! Inputs as text that people can read: a first line that says what it is, then the message.
//!
//! `entra+ PATCH /Users/1` before a request, `okta GET /Users?filter=... 200 application/json` before an answer. The plus
//! puts every quirk and switch to `fix`. What cannot be read stands for the first of its kind, so that no input is lost.

use std::{collections::HashMap, str::FromStr as _, sync::OnceLock, time::SystemTime};

use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use scimshim::{
    quirk::{
        self, Answer, Asked, Body, Idp, Mode, Normalized, Plan, PlanSettings, RefusedBody, Repaired, Sent, Switch,
    },
    scim::{Registry, Type},
};

/// The tenant's base, as its identity provider calls it.
pub const BASE: &str = "https://scim.example.com/scim/v2";
/// As the app calls it.
pub const UPSTREAM: &str = "http://127.0.0.1:8080/scim/v2";

/// A request, or an answer to one.
pub struct Message<'a> {
    pub plan: &'static Plan,
    /// Everything that can be fixed is.
    pub everything: bool,
    pub method: Method,
    pub target: &'a str,
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: &'a [u8],
}

impl<'a> Message<'a> {
    pub fn read(data: &'a [u8]) -> Self {
        let end = data.iter().position(|byte| *byte == b'\n').unwrap_or(data.len());
        let head = std::str::from_utf8(&data[..end]).unwrap_or_default();
        let mut words = head.split(' ');
        let profile = words.next().unwrap_or_default();
        let everything = profile.ends_with('+');
        let idp = Idp::from_str(profile.trim_end_matches('+')).unwrap_or(Idp::Entra);
        let method = words.next().and_then(|word| Method::from_str(word).ok()).unwrap_or(Method::PATCH);
        let target = words.next().filter(|word| word.starts_with('/')).unwrap_or("/Users/1");
        let status = words.next().and_then(|word| word.parse().ok()).unwrap_or(StatusCode::OK);
        let mut headers = HeaderMap::new();
        let label = words.next().unwrap_or("application/scim+json");
        if let Ok(value) = HeaderValue::from_str(label) {
            headers.insert(header::CONTENT_TYPE, value);
        }
        for word in words {
            if let Some((name, value)) = word.split_once(':')
                && let (Ok(name), Ok(value)) =
                    (header::HeaderName::from_str(name), HeaderValue::from_str(&value.replace('_', " ")))
            {
                headers.append(name, value);
            }
        }
        let body = data.get(end + 1..).unwrap_or_default();
        Self { plan: plan(idp, everything), everything, method, target, status, headers, body }
    }

    /// Made compliant.
    pub fn normalize(&self) -> Result<Normalized, Box<RefusedBody>> {
        self.normalize_with(self.plan, self.target, self.body)
    }

    /// The same head with another target and body.
    pub fn normalize_with(&self, plan: &Plan, target: &str, body: &[u8]) -> Result<Normalized, Box<RefusedBody>> {
        quirk::normalize(plan, &Sent { method: &self.method, target, headers: &self.headers, body })
    }

    /// What was made of it, normalized again.
    pub fn normalize_again(&self, first: &Normalized) -> Result<Normalized, Box<RefusedBody>> {
        let mut headers = self.headers.clone();
        edit(&mut headers, &first.headers);
        let target = first.target.as_deref().unwrap_or(self.target);
        let body = first.body.as_deref().unwrap_or(self.body);
        quirk::normalize(self.plan, &Sent { method: &self.method, target, headers: &headers, body })
    }

    /// Repaired, for a target that has been normalized.
    pub fn repair(&self, target: &str, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Repaired {
        let asked = Asked {
            method: &self.method,
            target,
            base_url: BASE,
            upstream_url: UPSTREAM,
            now: SystemTime::UNIX_EPOCH,
            collection_seen: true,
        };
        quirk::repair(self.plan, &asked, &Answer { status, headers, body })
    }
}

/// What an answer is after its repair.
pub fn repaired(
    done: &Repaired,
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
) -> (StatusCode, HeaderMap, Vec<u8>) {
    let mut after = headers.clone();
    edit(&mut after, &done.headers);
    let body = match &done.body {
        Body::AsSent => body.to_vec(),
        Body::Empty => Vec::new(),
        Body::New(new) => new.clone(),
    };
    (done.status.unwrap_or(status), after, body)
}

fn edit(headers: &mut HeaderMap, edits: &[quirk::HeaderEdit]) {
    for (name, value) in edits {
        match value {
            Some(value) => drop(headers.insert(name.clone(), value.clone())),
            None => drop(headers.remove(name)),
        }
    }
}

/// The plan of a profile; made once.
pub fn plan(idp: Idp, everything: bool) -> &'static Plan {
    static PLANS: OnceLock<HashMap<(Idp, bool), Plan>> = OnceLock::new();
    let plans = PLANS.get_or_init(|| {
        let all = Idp::ALL.into_iter().flat_map(|idp| [(idp, false), (idp, true)]);
        all.map(|(idp, everything)| ((idp, everything), new_plan(idp, everything))).collect()
    });
    &plans[&(idp, everything)]
}

fn new_plan(idp: Idp, everything: bool) -> Plan {
    let mut registry = Registry::rfc();
    registry.declare("urn:example:hr:2.0:User:level", Type::Integer, false).expect("legal");
    registry.declare("urn:example:hr:2.0:User:contractor", Type::Boolean, false).expect("legal");
    let mut settings = PlanSettings { registry: registry.into(), ..PlanSettings::default() };
    if everything {
        let switches = Switch::ALL.iter().map(|(_, name, _)| *name);
        for name in quirk::ALL.iter().map(|quirk| quirk.id).chain(switches) {
            settings.quirks.insert(name.to_owned(), Mode::Fix);
        }
    }
    Plan::new(&settings, idp)
}
