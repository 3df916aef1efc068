//! What runs: the result of reading a configuration. A `Settings` that exists is valid; nothing behind it checks again.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use http::Uri;

use crate::quirk::{Idp, PlanSettings};

/// Everything `serve` needs, with every default filled in.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where identity providers call.
    pub listen: Listen,
    /// Health, metrics, status.
    pub admin: Admin,
    /// The app.
    pub upstream: Upstream,
    /// The one tenant that is in force (`default`): its profile and its quirks.
    pub tenant: Tenant,
    /// Send `scimshim-fixes` to the IdP.
    pub debug_headers: bool,
    /// Bounds of the Retry-After that scimshim writes itself.
    pub retry_after: RetryAfter,
    /// Worker threads; 1 is the current-thread runtime.
    pub threads: usize,
    /// Log format and level.
    pub log: Log,
    /// Configured keys whose feature this version does not enforce, as dotted paths with a sentence each.
    pub not_in_force: Vec<NotInForce>,
}

/// `listen`: the data port.
#[derive(Debug, Clone)]
pub struct Listen {
    /// Address and port; port 0 lets the system choose.
    pub address: SocketAddr,
    /// What IdPs call, used for Location and `meta.location`; `None` takes it from each request.
    pub base_url: Option<String>,
    /// Where SCIM begins, without a slash at the end; empty for the root.
    pub base_path: String,
    /// What happens to a request outside the base path.
    pub outside: Outside,
    /// Bounds on what a stranger can make us hold.
    pub limits: Limits,
}

/// `listen.outside`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outside {
    /// 404 with a SCIM Error.
    Refuse,
    /// Streamed to the same path at the app's origin, untouched.
    Pass,
}

/// `listen.limits`.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Bytes of a request body.
    pub body: usize,
    /// Bytes of a header block.
    pub header: usize,
    /// Open connections.
    pub connections: usize,
    /// Requests in flight; over it 503.
    pub in_flight: usize,
    /// Time for a request head.
    pub header_timeout: Duration,
    /// Time for a request body.
    pub body_timeout: Duration,
    /// Keep-alive.
    pub idle_timeout: Duration,
    /// Time for everything, from the head to the answer's head.
    pub deadline: Duration,
    /// How long SIGTERM waits for requests in flight.
    pub drain: Duration,
}

/// `admin`: the port for operators.
#[derive(Debug, Clone)]
pub struct Admin {
    /// Address and port.
    pub address: SocketAddr,
    /// Whether `/readyz` also waits for the app.
    pub readiness: Readiness,
}

/// `admin.readiness`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readiness {
    /// The shim alone.
    Shim,
    /// The app must accept connections too.
    App,
}

/// `upstream`: the app.
#[derive(Debug, Clone)]
pub struct Upstream {
    /// Its SCIM base, `http://host:port/path` without a slash at the end.
    pub url: Uri,
    /// Time for a TCP connection.
    pub connect_timeout: Duration,
    /// How long a request waits for an app that refuses connections.
    pub hold: Duration,
    /// Requests that may wait so at once.
    pub max_held: usize,
    /// Further tries for what is safe to repeat.
    pub retries: u32,
    /// Idle connections kept.
    pub pool: usize,
    /// HTTP/2 with prior knowledge.
    pub http2: bool,
    /// Content-Type put on requests with a body, after everything else.
    pub content_type: Option<http::HeaderValue>,
}

/// A tenant, as far as it is in force.
#[derive(Debug, Clone)]
pub struct Tenant {
    /// Its id, used as metric label.
    pub id: Arc<str>,
    /// The configured profile; `Auto` is resolved from the traffic.
    pub idp: Idp,
    /// Mode, quirks and schemas, to be compiled into one plan per profile.
    pub plan: PlanSettings,
}

/// `retry_after`.
#[derive(Debug, Clone, Copy)]
pub struct RetryAfter {
    /// Never less.
    pub floor: Duration,
    /// Never more.
    pub ceiling: Duration,
}

/// `log`.
#[derive(Debug, Clone)]
pub struct Log {
    /// JSON lines, or text for people; `None` decides by whether stderr is a terminal.
    pub format: Option<LogFormat>,
    /// An env-filter directive: `info`, `debug`, `scimshim=trace`.
    pub level: String,
}

/// `log.format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// For people.
    Text,
}

/// A key that is read and checked, but whose feature is not enforced yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotInForce {
    /// Dotted path, such as `tenants.list.acme.allow`.
    pub key: String,
    /// What is not done, in one sentence.
    pub what: String,
}
