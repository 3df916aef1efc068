//! Exchanges for tests of what is recorded.

use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::{
    observe::account::{Account, Body, Got, Kept, Sent, Times},
    quirk::{Direction, Findings, Idp},
};

/// The parts of an account, owned.
#[derive(Debug, Clone)]
pub(crate) struct Sample {
    pub(crate) tenant: String,
    pub(crate) id: String,
    pub(crate) method: &'static str,
    pub(crate) resource: &'static str,
    pub(crate) received: Sent,
    pub(crate) forwarded: Option<Sent>,
    pub(crate) app: Option<Got>,
    pub(crate) told: Option<Got>,
    pub(crate) refusal: Option<(&'static str, String)>,
    pub(crate) findings: Vec<(Direction, Findings)>,
    pub(crate) token: Option<String>,
    pub(crate) credentials: bool,
    pub(crate) credible: bool,
    pub(crate) idp: Idp,
}

impl Sample {
    /// A request that went through and was answered so.
    pub(crate) fn new(method: &'static str, target: &str, body: &str, status: u16, answer: &str) -> Self {
        let sent = Sent::new(target.to_owned(), scim(), whole(body.as_bytes()));
        let got = Got::new(status, scim(), whole(answer.as_bytes()));
        let first = target.split(['/', '?']).nth(1).unwrap_or_default();
        Self {
            tenant: "acme".to_owned(),
            id: "req-1".to_owned(),
            method,
            resource: super::endpoint(first).unwrap_or("other"),
            received: sent.clone(),
            forwarded: Some(sent),
            app: Some(got.clone()),
            told: Some(got),
            refusal: None,
            findings: Vec::new(),
            token: None,
            credentials: true,
            credible: true,
            idp: Idp::Entra,
        }
    }

    #[cfg(test)]
    pub(crate) fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    pub(crate) fn account<R>(&self, look: impl FnOnce(&Account<'_>) -> R) -> R {
        look(&Account {
            at: UNIX_EPOCH + Duration::from_millis(1_445_444_940_007),
            tenant: &self.tenant,
            label: &self.tenant,
            listed: true,
            idp: self.idp,
            id: &self.id,
            method: self.method,
            resource: self.resource,
            received: &self.received,
            forwarded: self.forwarded.as_ref(),
            app: self.app.as_ref(),
            told: self.told.as_ref(),
            refusal: self.refusal.as_ref().map(|(reason, text)| (*reason, text.as_str())),
            findings: &self.findings,
            unread: &[],
            caller: None,
            token: self.token.as_deref(),
            credentials: self.credentials,
            credible: self.credible,
            times: Times { total: Duration::from_micros(900), app: Duration::from_micros(700), ..Times::default() },
        })
    }
}

pub(crate) fn whole(bytes: &[u8]) -> Body {
    Body::of(&Bytes::copy_from_slice(bytes))
}

pub(crate) fn kept(headers: &[(&str, &str)]) -> Kept {
    let pair = |(name, value): &(&str, &str)| {
        (
            HeaderName::from_bytes(name.as_bytes()).expect("legal"),
            HeaderValue::from_bytes(value.as_bytes()).expect("legal"),
        )
    };
    Kept::of(&headers.iter().map(pair).collect::<HeaderMap>())
}

fn scim() -> Kept {
    kept(&[("content-type", "application/scim+json")])
}
