//! An answer on its way out: status, head and body, repaired by the tenant's plan.

use std::time::SystemTime;

use http::{HeaderMap, Method, StatusCode};

use super::{Findings, HeaderEdit, Plan};

/// What the IdP asked, as far as the answer is judged by it.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The method.
    pub method: &'a Method,
    /// The normalized target, relative to the SCIM base.
    pub target: &'a str,
    /// What the IdP calls this tenant's base, without a slash at the end: `https://app.example.com/scim/v2`.
    pub base_url: &'a str,
    /// The app's own idea of its base: `http://127.0.0.1:8080/scim/v2`.
    pub upstream_url: &'a str,
    /// Wall clock, for a Retry-After date without a Date beside it.
    pub now: SystemTime,
    /// Whether this collection has answered 200 before for this tenant (`list-404-empty` waits for that).
    pub collection_seen: bool,
}

/// An answer as the app gave it; the body decoded from any content coding.
#[derive(Debug, Clone, Copy)]
pub struct Answer<'a> {
    /// HTTP status.
    pub status: StatusCode,
    /// The header block.
    pub headers: &'a HeaderMap,
    /// The body; empty when there is none.
    pub body: &'a [u8],
}

/// The body that the IdP gets.
#[derive(Debug, Default, PartialEq, Eq)]
pub enum Body {
    /// The app's bytes.
    #[default]
    AsSent,
    /// None, and no body headers.
    Empty,
    /// These bytes.
    New(Vec<u8>),
}

/// What becomes of an answer.
#[derive(Debug, Default)]
pub struct Repaired {
    /// The new status.
    pub status: Option<StatusCode>,
    /// Headers to change; Content-Length is the caller's.
    pub headers: Vec<HeaderEdit>,
    /// The body.
    pub body: Body,
    /// What was found.
    pub findings: Findings,
    /// Why the body could not be read; it goes on as sent and is counted.
    pub unread: Option<String>,
}

/// Repairs an answer. Never fails: what cannot be read goes on as sent.
pub fn repair(_plan: &Plan, _asked: &Asked<'_>, _answer: &Answer<'_>) -> Repaired {
    Repaired::default()
}

/// The collection (`/Users`, `/Groups`) that a target asks a list of; `None` for single resources and anything else.
/// The proxy remembers which collections have answered 200 (`list-404-empty`).
pub fn collection(_target: &str) -> Option<&'static str> {
    None
}
