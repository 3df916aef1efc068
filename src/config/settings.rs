//! What runs: the result of reading a configuration. A `Settings` that exists is valid; nothing behind it checks again.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use ipnet::IpNet;

use super::types::{FeedRef, HttpUrl, RedisUrl, Timestamp};
use crate::{
    feed,
    gate::rate,
    quirk::{Idp, PlanSettings},
    tls, watch,
};

/// Everything `serve` needs, with every default filled in.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where identity providers call.
    pub listen: Listen,
    /// Health, metrics, status.
    pub admin: Admin,
    /// The app.
    pub upstream: Upstream,
    /// The customers' connections, and how one is told from another.
    pub tenants: Tenants,
    /// Published address ranges.
    pub feeds: Feeds,
    /// Where rate limits are counted.
    pub store: Store,
    /// Dynamic tenants with metric labels of their own.
    pub max_labels: usize,
    /// How near each connection is to quarantine.
    pub quarantine: Quarantine,
    /// Exchanges kept for operators.
    pub journal: Journal,
    /// Where a line for each write and each refusal goes.
    pub audit: Option<AuditTarget>,
    /// Where traces go: an OTLP collector.
    pub otlp: Option<HttpUrl>,
    /// Send `scimshim-fixes` to the IdP.
    pub debug_headers: bool,
    /// Bounds of the Retry-After that scimshim writes itself.
    pub retry_after: RetryAfter,
    /// Worker threads; 1 is the current-thread runtime.
    pub threads: usize,
    /// Log format and level.
    pub log: Log,
    /// The files that these were read from, as they were then: the configuration, secrets, schemas.
    pub files: Vec<watch::Seen>,
    /// Configured keys whose feature this build does not have, as dotted paths with a sentence each.
    pub not_in_force: Vec<NotInForce>,
}

/// `listen`: the data port.
#[derive(Debug, Clone)]
pub struct Listen {
    /// Address and port; port 0 lets the system choose.
    pub address: SocketAddr,
    /// What IdPs call, used for Location and `meta.location`; may hold `{tenant}`. `None` takes it from each request.
    pub base_url: Option<HttpUrl>,
    /// Where SCIM begins, without a slash at the end; empty for the root.
    pub base_path: String,
    /// What happens to a request outside the base path.
    pub outside: Outside,
    /// TLS towards the IdP; `None` is plain HTTP.
    pub tls: Option<tls::Server>,
    /// Trusted proxies speak the PROXY protocol.
    pub proxy_protocol: bool,
    /// How the address of the caller is established.
    pub client_address: ClientAddress,
    /// Bounds on what a stranger can make us hold.
    pub limits: Limits,
}

/// `listen.client_address`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClientAddress {
    /// What names the caller.
    pub from: AddressFrom,
    /// Whose word is believed, IPv4-mapped ranges as IPv4.
    pub trusted_proxies: Vec<IpNet>,
}

/// `listen.client_address.from`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AddressFrom {
    /// RFC 7239.
    Forwarded,
    /// The other end of the connection.
    #[default]
    Peer,
    /// `x-forwarded-for`.
    XForwardedFor,
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
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admin {
    /// Address and port.
    pub address: SocketAddr,
    /// The SHA-256 of the token that page and API ask for; `None`: they answer loopback only.
    pub token: Option<[u8; 32]>,
    /// Whether loopback needs no token.
    pub loopback: bool,
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
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upstream {
    /// Its SCIM base, `http://host:port/path`; may hold `{tenant}`.
    pub url: HttpUrl,
    /// For an `https` URL.
    pub tls: tls::Client,
    /// Time for a TCP connection.
    pub connect_timeout: Duration,
    /// How long a request waits for an app that refuses connections.
    pub hold: Duration,
    /// Requests of one tenant that may wait so at once.
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

/// `tenants`.
#[derive(Debug, Clone)]
pub struct Tenants {
    /// How a request's tenant is found, tried in order; empty: every request is of the tenant `default`.
    pub resolve: Vec<Resolve>,
    /// What a name that is not listed gets.
    pub unknown: UnknownTenant,
    /// Tenants that are remembered without being listed.
    pub max_dynamic: usize,
    /// What an unlisted tenant gets, and `default` where it is not listed.
    pub defaults: Arc<Tenant>,
    /// Those with settings of their own, laid over the defaults, by id.
    pub list: BTreeMap<Arc<str>, Arc<Tenant>>,
}

/// One way to find a request's tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resolve {
    /// A header, believed from trusted proxies only.
    Header(http::HeaderName),
    /// A host with `{tenant}` as a label, in lower case.
    Host(String),
    /// A path prefix with `{tenant}` as a segment; taken off before the request goes upstream.
    Path(String),
    /// The bearer token, among those listed.
    Token,
}

/// `tenants.unknown`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnknownTenant {
    /// Treated with `tenants.defaults`.
    Defaults,
    /// 404.
    Reject,
}

/// What is in force for one tenant.
#[derive(Debug, Clone)]
pub struct Tenant {
    /// The configured profile; `Auto` is resolved from the traffic.
    pub idp: Idp,
    /// Mode, quirks and schemas, to be compiled into one plan per profile. Tenants with equal settings share it.
    pub plan: Arc<PlanSettings>,
    /// Tokens that it may present; without any the app judges the Authorization header.
    pub tokens: Vec<Token>,
    /// Read an Authorization header without a scheme as a token.
    pub bare_token: bool,
    /// Authorization header towards the app, in place of the IdP's.
    pub upstream_authorization: Option<http::HeaderValue>,
    /// Rates and concurrency.
    pub limits: Option<rate::Limits>,
    /// From which addresses it may call.
    pub allow: Allow,
}

/// A token, as far as it is known here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// Its SHA-256.
    pub sha256: [u8; 32],
    /// The metric label: its name, or the beginning of the hash.
    pub name: Arc<str>,
    /// When it stops being valid.
    pub expires: Option<Timestamp>,
}

/// `allow`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allow {
    /// What is done about an address that is not listed.
    pub mode: AllowMode,
    /// Feeds with their cell or tag.
    pub feeds: Vec<FeedRef>,
    /// Address ranges.
    pub cidrs: Vec<IpNet>,
}

/// `allow.mode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AllowMode {
    /// 403.
    Enforce,
    /// Counted.
    Observe,
    /// Not looked at.
    Off,
}

/// `feeds`.
#[derive(Debug, Clone, Default)]
pub struct Feeds {
    /// Folder for last good copies.
    pub cache_dir: Option<PathBuf>,
    /// Every feed.
    pub specs: Vec<feed::Spec>,
}

/// `quarantine`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quarantine {
    /// How often the ledger is written to `feeds.cache_dir`; zero for never.
    pub snapshot: Duration,
    /// Objects deprovisioned in one cycle that count as a mass deletion.
    pub mass_delete_threshold: u32,
}

/// `journal`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Journal {
    /// Exchanges kept.
    pub entries: usize,
    /// Keep only what failed.
    pub failures_only: bool,
    /// Tenants whose values are kept in clear.
    pub reveal: BTreeSet<String>,
}

/// `audit.target`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuditTarget {
    /// Appended to.
    File(PathBuf),
    /// Standard output.
    Stdout,
}

/// `rate_limit_store`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Store {
    /// In this process, so per replica.
    #[default]
    Local,
    /// In a Redis or Valkey, shared by all replicas.
    Redis {
        /// The server.
        url: RedisUrl,
        /// What every key begins with.
        key_prefix: String,
    },
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
#[derive(Debug, Clone, PartialEq, Eq)]
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

/// A key that is read and checked, but whose feature this build does not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotInForce {
    /// Dotted path, such as `tenants.list.acme.allow`.
    pub key: String,
    /// What is not done, in one sentence.
    pub what: String,
}
