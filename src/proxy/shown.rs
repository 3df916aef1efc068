//! Who is taken to be the identity provider: what decides whether an exchange counts for its connection.
//!
//! Where callers show tokens of ours, a good one speaks for itself, and so does one that has expired. A wrong one may be
//! a stranger's or one that was exchanged on one side only: it counts from an address that is listed, or from a network
//! from which a good one came. Where the app judges, credentials or a network that have called with success count; as
//! long as none have, anybody may be the identity provider, except who shows nothing and is sent away, and who reads what
//! is public.

use std::{net::IpAddr, sync::Arc};

use http::HeaderMap;

use crate::gate::{Caller, Judged, Refused, Tenant, known::Credentials, token};

/// What a caller has shown.
#[derive(Debug, Default)]
pub(crate) struct Shown {
    pub(crate) address: Option<IpAddr>,
    pub(crate) credentials: Option<Credentials>,
    /// The name of the token that was shown, if it is a good one.
    pub(crate) token: Option<Arc<str>>,
    expired: bool,
    listed: bool,
}

/// What came of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Outcome {
    /// What the caller was told; `None` if it had left.
    pub(crate) told: Option<u16>,
    /// Why scimshim answered itself.
    pub(crate) refusal: Option<&'static str>,
    /// It asked what an app tells everybody.
    pub(crate) public: bool,
}

impl Shown {
    /// Before anything is known of the caller but its headers.
    pub(crate) fn new(headers: &HeaderMap) -> Self {
        Self { credentials: Credentials::of(headers), ..Self::default() }
    }

    /// It is known from where it calls.
    pub(crate) fn from(&mut self, caller: &Caller) {
        self.address = caller.address;
    }

    /// The gate has looked at address and token.
    pub(crate) fn judged(&mut self, judged: &Judged) {
        self.token.clone_from(&judged.token);
        self.listed = judged.listed;
        self.expired = matches!(judged.outcome, Err(Refused::Token(token::Refused::Expired(_))));
    }

    /// Whether it is taken to be the identity provider of `tenant`.
    pub(crate) fn is_credible(&self, tenant: &Tenant, outcome: Outcome) -> bool {
        let known = tenant.known();
        let network = || self.address.is_some_and(|address| known.has_network_of(address));
        if tenant.has_tokens() {
            return self.token.is_some()
                || self.expired
                || self.credentials.is_some() && outcome.refusal == Some("token") && (self.listed || network());
        }
        let Some(credentials) = self.credentials else {
            let sent_away = outcome.told.is_none_or(|status| matches!(status, 401 | 403));
            return known.is_new() && !sent_away && !outcome.public && !is_gates(outcome.refusal);
        };
        match outcome.refusal {
            Some("address") => known.has(credentials),
            _ => outcome.is_success() || known.is_new() || known.has(credentials) || network(),
        }
    }

    /// Whether it was before this request: by a token of ours, or by credentials that have called with success.
    pub(crate) fn is_known(&self, tenant: &Tenant) -> bool {
        self.token.is_some() || self.credentials.is_some_and(|credentials| tenant.known().has(credentials))
    }

    /// Remembers a caller that has succeeded.
    pub(crate) fn note(&self, tenant: &Tenant, outcome: Outcome) {
        let Some(credentials) = self.credentials else { return };
        let succeeded = if tenant.has_tokens() { self.token.is_some() } else { outcome.is_success() };
        if succeeded && !outcome.public {
            tenant.known().note(credentials, self.address);
        }
    }
}

impl Outcome {
    fn is_success(self) -> bool {
        self.refusal.is_none() && self.told.is_some_and(|status| (200..300).contains(&status))
    }
}

/// Refused before anybody could judge credentials: a scanner without any gets it too.
fn is_gates(refusal: Option<&str>) -> bool {
    matches!(refusal, Some("address" | "address_unknown" | "feed" | "header"))
}
