//! The configuration file, key by key: what each is for, and why its default is what it is. The JSON Schema and
//! `docs/config.md` are made from this file; it holds what was written, `build` decides whether it makes sense.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr},
    num::{NonZeroU32, NonZeroUsize},
    path::PathBuf,
};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Serialize, ser::SerializeMap};

use super::{
    document::{Kind, Node, join},
    problem::Problems,
    read::{Read, Word, choice, entries, section, unknown},
    settings::{AddressFrom, AllowMode, LogFormat, Outside, Readiness, Resolve, UnknownTenant},
    types::{
        Address, BasePath, Cidr, FeedName, FeedRef, HttpUrl, LogLevel, MediaType, PerSecond, Period, RedisUrl, Secret,
        Sha256, Size, TENANT, TenantId, Timestamp, one_key,
    },
};
use crate::{
    feed::Kind as FeedKind,
    quirk::{self, Idp, Mode, Risk, Switch, TenantMode},
    scim::Type,
    tls::MinVersion,
};

/// RFC 7643: easy to keep in mind, and no app's usual port.
const DATA_PORT: u16 = 7643;
/// Its neighbour, RFC 7644.
const ADMIN_PORT: u16 = 7644;

const fn any(port: u16) -> Address {
    Address(SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::UNSPECIFIED), port))
}

const fn count(n: usize) -> NonZeroUsize {
    match NonZeroUsize::new(n) {
        Some(n) => n,
        None => NonZeroUsize::MIN,
    }
}

section! {
    /// Configuration of scimshim.
    File {
        /// The data port: where identity providers call.
        listen: Listen = Listen::default(),
        /// The admin port: health, metrics, status page, API.
        admin: Admin = Admin::default(),
        /// The app: where its SCIM endpoint is, and how patient we are with it.
        upstream: Upstream = Upstream::default(),
        /// What is rewritten, for every tenant.
        normalize: Normalize = Normalize::default(),
        /// The customers' connections, and how one is told from another.
        tenants: Tenants = Tenants::default(),
        /// Bounds of the Retry-After that scimshim writes itself.
        retry_after: RetryAfter = RetryAfter::default(),
        /// Where rate limits are counted.
        rate_limit_store: RateLimitStore = RateLimitStore::default(),
        /// Published address ranges for allowlists, each under a name of its own.
        feeds: Feeds = Feeds::default(),
        /// The model of how near a connection is to quarantine.
        quarantine: Quarantine = Quarantine::default(),
        /// Prometheus metrics.
        metrics: Metrics = Metrics::default(),
        /// Redacted exchanges kept in memory for the status page.
        journal: Journal = Journal::default(),
        /// One JSON line for each write and each refusal, without values.
        audit: Audit = Audit::default(),
        // Provisioning is tens of requests a second, and one thread forwards thousands.
        /// Worker threads.
        threads: NonZeroUsize = NonZeroUsize::MIN,
        /// Logs on standard error.
        log: Log = Log::default(),
        /// Traces.
        telemetry: Telemetry = Telemetry::default(),
    }

    /// `listen`.
    Listen {
        /// Address and port.
        address: Address = any(DATA_PORT),
        /// What IdPs call; used for Location and `meta.location`. May hold `{tenant}`. Without it, taken from each request.
        base_url: Option<HttpUrl> = None,
        /// Where SCIM begins; `/` is the root. Without it, the path of `upstream.url`; required where that path holds `{tenant}`.
        base_path: Option<BasePath> = None,
        /// What a request outside the base path gets.
        outside: Outside = Outside::Refuse,
        /// TLS towards the IdP; without it plain HTTP.
        tls: Option<ListenTls> = None,
        /// PROXY protocol: required from `client_address.trusted_proxies`, refused from others.
        proxy_protocol: bool = false,
        /// How the address of the caller is established.
        client_address: ClientAddress = ClientAddress::default(),
        /// Bounds on what a stranger can make us hold.
        limits: Limits = Limits::default(),
    }

    /// `listen.tls`.
    ListenTls {
        /// PEM chain, leaf first; read again when the file changes.
        #[schemars(required, extend("x-required" = true, "format" = "file"))]
        certificate: Option<PathBuf> = None,
        /// PEM key of the leaf.
        #[schemars(required, extend("x-required" = true, "format" = "file"))]
        private_key: Option<PathBuf> = None,
        /// PEM; when given, clients must present a certificate that it signed.
        #[schemars(extend("format" = "file"))]
        client_ca: Option<PathBuf> = None,
        /// Lowest TLS version.
        min_version: MinVersion = MinVersion::V1_2,
    }

    /// `listen.client_address`.
    ClientAddress {
        /// What names the caller.
        from: AddressFrom = AddressFrom::Peer,
        /// CIDRs of proxies whose header (or PROXY protocol) is believed.
        trusted_proxies: Vec<Cidr> = Vec::new(),
    }

    /// `listen.limits`.
    Limits {
        // 100,000 members of a group, each with an id and a name, are about 8 MiB.
        /// Bytes of a request body; over it 413.
        body: Size = Size(10 << 20),
        // Tokens with group claims reach 16 KiB; nginx and Envoy stop at 32 and 60.
        /// Bytes of a request's header block; over it 431; under `8KiB` counts as that.
        header: Size = Size(64 << 10),
        /// Open connections.
        connections: NonZeroUsize = count(10_000),
        /// Requests in flight; over it 503.
        in_flight: NonZeroUsize = count(4096),
        /// Time for a request's head; over it 408.
        header_timeout: Period = Period::secs(10),
        /// Time for a request's body; over it 408.
        body_timeout: Period = Period::secs(30),
        // Longer than the 60 s of the usual load balancers, so that they close first and no request meets a closed connection.
        /// Keep-alive.
        idle_timeout: Period = Period::secs(75),
        // Both Entra and Okta give up at 60 s; ten are left for the way back and a load balancer between.
        /// Time for everything, from the head to the answer's head; over it 504.
        deadline: Period = Period::secs(50),
        // As long as the slowest request may take.
        /// How long SIGTERM waits for requests in flight.
        drain: Period = Period::secs(50),
    }

    /// `admin`.
    Admin {
        /// Address and port.
        address: Address = any(ADMIN_PORT),
        /// Bearer token for page and API; without it they answer loopback peers only.
        token: Option<Secret> = None,
        /// Whether loopback peers need no token.
        loopback: bool = true,
        /// What `/readyz` waits for.
        readiness: Readiness = Readiness::Shim,
    }

    /// `upstream`.
    Upstream {
        /// The app's SCIM base, such as `http://127.0.0.1:8080/scim/v2`; may hold `{tenant}`.
        #[schemars(required, extend("x-required" = true))]
        url: Option<HttpUrl> = None,
        /// TLS towards the app, for an `https` URL.
        tls: UpstreamTls = UpstreamTls::default(),
        // The app is in the same pod: a connection takes under a millisecond or never.
        /// Time for a TCP connection, and as much again for TLS.
        connect_timeout: Period = Period::secs(2),
        // A container restarts in 5 to 15 s.
        /// How long a request waits for an app that refuses connections; over it 503.
        hold: Period = Period::secs(20),
        // They wait in memory with their bodies: a few MiB as a rule, 2.5 GiB if every body were the largest.
        /// Requests of one tenant that wait so at once; over it 503.
        max_held: usize = 256,
        /// Further tries for what is safe to repeat.
        retries: u32 = 2,
        /// Idle connections kept.
        pool: usize = 64,
        /// HTTP/2: with prior knowledge on `http`, by ALPN on `https`.
        http2: bool = false,
        /// Content-Type put on every request with a body, for apps that parse nothing but `application/json`; applied last.
        content_type: Option<MediaType> = None,
    }

    /// `upstream.tls`.
    UpstreamTls {
        /// PEM, for an app with a private CA; without it the platform's roots.
        #[schemars(extend("format" = "file"))]
        ca: Option<PathBuf> = None,
        /// PEM chain that we present.
        #[schemars(extend("format" = "file"))]
        client_certificate: Option<PathBuf> = None,
        /// PEM key of it.
        #[schemars(extend("format" = "file"))]
        client_private_key: Option<PathBuf> = None,
    }

    /// `normalize`.
    Normalize {
        /// What is done about the traffic as a whole.
        mode: TenantMode = TenantMode::Rewrite,
        /// Mode of single quirks; the others have the mode that their risk and the IdP's profile give.
        quirks: Quirks = Quirks::default(),
        /// Types of attributes that RFC 7643 does not know.
        schemas: Schemas = Schemas::default(),
        /// Send `scimshim-fixes` to the IdP.
        debug_headers: bool = false,
    }

    /// `normalize.schemas`.
    Schemas {
        /// JSON documents as the app's `/Schemas` answers them; relative paths start at the configuration's folder.
        files: Vec<PathBuf> = Vec::new(),
        /// Single attributes.
        attributes: Vec<Attribute> = Vec::new(),
    }

    /// An entry of `normalize.schemas.attributes`.
    Attribute {
        /// Its path with the schema's URN: `urn:example:2.0:User:contractor`.
        #[schemars(required, extend("x-required" = true))]
        path: Option<String> = None,
        /// Its data type (RFC 7643 2.3).
        #[schemars(required, extend("x-required" = true))]
        r#type: Option<Type> = None,
        /// Whether it holds several values.
        multi_valued: bool = false,
    }

    /// `tenants`.
    Tenants {
        /// How a request's tenant is found, tried in order; without it there is one tenant, called `default`.
        resolve: Vec<Resolve> = Vec::new(),
        /// What a tenant's name that is not in `list` gets.
        unknown: UnknownTenant = UnknownTenant::Reject,
        // A tenant costs some kilobytes (buckets, ledger).
        /// Tenants that are remembered without being listed; the least recently used beyond that are forgotten.
        max_dynamic: NonZeroUsize = count(10_000),
        /// What every tenant starts from; a tenant's own settings are laid over it key by key, lists replace.
        defaults: TenantDefaults = TenantDefaults::default(),
        /// The tenants that have settings of their own, by name.
        list: BTreeMap<TenantId, Tenant> = BTreeMap::new(),
    }

    /// `tenants.defaults`.
    TenantDefaults {
        /// Read an Authorization header without a scheme as a token.
        bare_token: bool = false,
        /// The identity provider, which chooses the profile of quirks.
        idp: Idp = Idp::Auto,
        /// Rates and concurrency; without it nothing is limited.
        rate_limit: Option<RateLimit> = None,
        /// From which addresses a tenant may call.
        allow: Allow = Allow::default(),
        /// Authorization header towards the app, in place of the IdP's.
        upstream_authorization: Option<Secret> = None,
        /// Normalizing, over the top-level `normalize`.
        normalize: TenantNormalize = TenantNormalize::default(),
    }

    /// An entry of `tenants.list`.
    Tenant {
        /// As in `defaults`.
        bare_token: Option<bool> = None,
        /// As in `defaults`.
        idp: Option<Idp> = None,
        /// Tokens that this tenant may present; without any the app judges the Authorization header.
        tokens: Vec<Token> = Vec::new(),
        /// As in `defaults`.
        rate_limit: Option<RateLimit> = None,
        /// As in `defaults`.
        allow: Allow = Allow::default(),
        /// As in `defaults`.
        upstream_authorization: Option<Secret> = None,
        /// As in `defaults`.
        normalize: TenantNormalize = TenantNormalize::default(),
    }

    /// An entry of `tokens`.
    Token {
        /// SHA-256 of the token; `scimshim token` makes both.
        #[schemars(required, extend("x-required" = true))]
        sha256: Option<Sha256> = None,
        /// A name for metrics and logs.
        name: Option<String> = None,
        /// When it stops being valid.
        expires: Option<Timestamp> = None,
    }

    /// `rate_limit`.
    RateLimit {
        /// Any other GET.
        reads: Option<Quota> = None,
        /// POST, PUT, PATCH, DELETE.
        writes: Option<Quota> = None,
        /// GET with `filter`, `.search`, `count` up to 2, discovery: what a credential check sends.
        lookups: Option<Quota> = None,
        // Entra counts a 429 as a failing object; 10 s are a fifth of the deadline.
        /// How long a request may wait for its turn before 429; `10s` where a rate is given.
        wait: Option<Period> = None,
        /// How many may wait so in each class; `100` where a rate is given.
        max_waiting: Option<u32> = None,
        /// Requests of one tenant in flight.
        concurrency: Option<NonZeroU32> = None,
    }

    /// `reads`, `writes`, `lookups`.
    Quota {
        /// Sustained rate; required here or in `defaults`.
        per_second: Option<PerSecond> = None,
        /// How many may come at once; without it, the rate rounded up.
        burst: Option<NonZeroU32> = None,
    }

    /// `allow`.
    Allow {
        /// What is done about an address that is not listed; `observe` when feeds or CIDRs are named, else `off`.
        mode: Option<AllowMode> = None,
        /// Names from `feeds`, with a cell or tag: `okta:us_cell_1`, `entra:AzureActiveDirectory`.
        feeds: Option<Vec<FeedRef>> = None,
        /// Address ranges.
        cidrs: Option<Vec<Cidr>> = None,
    }

    /// A tenant's `normalize`.
    TenantNormalize {
        /// As in the top-level `normalize`.
        mode: Option<TenantMode> = None,
        /// Mode of single quirks, over those of the top-level `normalize`.
        quirks: Quirks = Quirks::default(),
        /// Types of custom attributes; `files` and `attributes` each replace the list of the top-level `normalize`.
        schemas: TenantSchemas = TenantSchemas::default(),
    }

    /// A tenant's `normalize.schemas`.
    TenantSchemas {
        /// As in `normalize.schemas`.
        files: Option<Vec<PathBuf>> = None,
        /// As in `normalize.schemas`.
        attributes: Option<Vec<Attribute>> = None,
    }

    /// `retry_after`.
    RetryAfter {
        // Okta waits what it is told, doubled each time, ten times: 30 s is the least that spans a deployment.
        /// Never less; whole seconds.
        floor: Period = Period::secs(30),
        /// Never more; whole seconds.
        ceiling: Period = Period::secs(600),
    }

    /// `rate_limit_store`.
    RateLimitStore {
        /// Where the counters are.
        kind: StoreKind = StoreKind::Local,
        /// The server, for `redis`.
        url: Option<RedisUrl> = None,
        /// What every key begins with.
        key_prefix: String = "scimshim:".to_owned(),
    }

    /// A feed.
    Feed {
        /// The format, and where to look for it.
        #[schemars(required, extend("x-required" = true))]
        kind: Option<FeedKind> = None,
        /// Where it is fetched from.
        url: Option<HttpUrl> = None,
        /// A page that links the weekly file (`azure-service-tags` only).
        discover: Option<HttpUrl> = None,
        /// A local file in place of a URL.
        #[schemars(extend("format" = "file"))]
        file: Option<PathBuf> = None,
        // Okta's list changes daily and is rewritten hourly; Azure's changes a few times a year.
        /// How often it is fetched; `1h` for okta, `24h` for the others.
        refresh: Option<Period> = None,
        // Removed ranges sometimes come back within weeks.
        /// How long a removed range stays allowed.
        removal_grace: Period = Period::secs(7 * 86_400),
        /// Age after which the last good copy no longer refuses anyone; `3d` for okta, `21d` for azure-service-tags, `7d` for list.
        stale_after: Option<Period> = None,
        /// PEM, for a mirror with a private CA.
        #[schemars(extend("format" = "file"))]
        ca: Option<PathBuf> = None,
        /// SHA-256 of one document that the guards refuse and a person has read.
        accept: Option<Sha256> = None,
        /// JSON pointer to the array of ranges (`list` only).
        pointer: Option<String> = None,
    }

    /// `quarantine`.
    Quarantine {
        /// How often the ledger is written to `feeds.cache_dir`.
        snapshot: Period = Period::secs(60),
        // The default of Entra's own "prevent accidental deletion".
        /// Deletions that count as a mass deletion.
        mass_delete_threshold: NonZeroU32 = match NonZeroU32::new(500) { Some(n) => n, None => NonZeroU32::MIN },
    }

    /// `metrics`.
    Metrics {
        /// Tenants with labels of their own beyond those listed; the others share `_other`.
        max_tenants: usize = 200,
    }

    /// `journal`.
    Journal {
        /// Exchanges kept.
        entries: usize = 1000,
        /// Keep only what failed.
        failures_only: bool = true,
        /// Tenants whose values are kept in clear, for support; logged as a warning.
        reveal: Vec<TenantId> = Vec::new(),
    }

    /// `audit`.
    Audit {
        /// `stdout`, or the path of a file.
        #[schemars(extend("format" = "file"))]
        target: Option<PathBuf> = None,
    }

    /// `log`.
    Log {
        /// Without it JSON, and text on a terminal.
        format: Option<LogFormat> = None,
        /// `error`, `warn`, `info`, `debug`, `trace`, or directives such as `info,scimshim::proxy=debug`. Libraries stay at
        /// `info` unless they are named: `debug,h2=debug`.
        level: LogLevel = LogLevel("info".to_owned()),
    }

    /// `telemetry`.
    Telemetry {
        /// OTLP collector such as `http://collector:4318`, spoken to over HTTP at `/v1/traces` below it.
        otlp_endpoint: Option<HttpUrl> = None,
    }
}

/// `rate_limit_store.kind`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreKind {
    /// In this process.
    Local,
    /// In a Redis or Valkey.
    Redis,
}

choice! {
    Outside {
        Refuse = "refuse", "404 with a SCIM Error";
        Pass = "pass", "untouched to the same path at the app's origin";
    }
    Readiness {
        Shim = "shim", "the shim alone";
        App = "app", "the app must accept connections too";
    }
    LogFormat {
        Json = "json", "one JSON object a line";
        Text = "text", "for people";
    }
    TenantMode {
        Rewrite = "rewrite", "each quirk by its own mode";
        Observe = "observe", "everything is counted, nothing is changed";
        Reject = "reject", "400, and the quirks are named; for contract tests";
        Off = "off", "nothing is read";
    }
    Mode {
        Fix = "fix", "rewritten and counted";
        Observe = "observe", "counted, forwarded untouched";
        Off = "off", "not looked for";
    }
    Idp {
        Auto = "auto", "from the User-Agent where it tells, else generic";
        Entra = "entra", "Microsoft Entra ID";
        Okta = "okta", "Okta";
        Onelogin = "onelogin", "OneLogin";
        Google = "google", "Google Workspace";
        Jumpcloud = "jumpcloud", "JumpCloud";
        Ping = "ping", "PingFederate and PingOne";
        Authentik = "authentik", "authentik";
        Generic = "generic", "no profile";
    }
    Type {
        String = "string", "RFC 7643 2.3.1";
        Boolean = "boolean", "2.3.2";
        Decimal = "decimal", "2.3.3";
        Integer = "integer", "2.3.4";
        DateTime = "dateTime", "2.3.5";
        Binary = "binary", "2.3.6";
        Reference = "reference", "2.3.7";
        Complex = "complex", "2.3.8";
    }
    MinVersion {
        V1_2 = "1.2", "RFC 5246";
        V1_3 = "1.3", "RFC 8446";
    }
    AddressFrom {
        Peer = "peer", "the other end of the connection";
        XForwardedFor = "x-forwarded-for", "the header, from trusted proxies";
        Forwarded = "forwarded", "RFC 7239, from trusted proxies";
    }
    UnknownTenant {
        Reject = "reject", "404";
        Defaults = "defaults", "treated with `tenants.defaults`";
    }
    AllowMode {
        Off = "off", "not looked at";
        Observe = "observe", "counted";
        Enforce = "enforce", "refused with 403, or 503 while a feed is not to be trusted";
    }
    StoreKind {
        Local = "local", "in this process, so per replica";
        Redis = "redis", "in an existing Redis or Valkey, shared by all replicas";
    }
    FeedKind {
        Okta = "okta", "Okta's `ip_ranges.json`, by cell";
        AzureServiceTags = "azure-service-tags", "Azure Service Tags, by tag";
        List = "list", "one CIDR per line, or JSON";
    }
}

/// Mode by quirk id or switch.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Quirks(pub BTreeMap<String, Mode>);

/// Every name that `quirks` takes: ids, then switches with the quirk they belong to.
fn quirk_names() -> impl Iterator<Item = (&'static str, &'static quirk::Quirk)> {
    quirk::ALL.iter().map(|quirk| (quirk.id, *quirk)).chain(Switch::ALL.iter().map(|&(_, name, id)| (name, id.quirk())))
}

impl Read for Quirks {
    fn read(node: &Node, key: &str, problems: &mut Problems) -> Option<Self> {
        let mut modes = BTreeMap::new();
        for (name, place, value) in entries(node, key, problems)? {
            let below = join(key, name);
            let mode: Option<Mode> = Read::read(value, &below, problems);
            let Some((name, quirk)) = quirk_names().find(|&(known, _)| known == name) else {
                let instead = match problems.guess(name, quirk_names().map(|(known, _)| known)) {
                    Some(known) => format!("did you mean `{known}`?"),
                    None => "write an id that `scimshim quirk` lists".to_owned(),
                };
                problems.wrong(place, &below, "no such quirk", instead);
                continue;
            };
            if quirk.risk == Risk::Report && quirk.id == name && mode == Some(Mode::Fix) {
                let what = "this quirk cannot be mended from one message, so it is only counted";
                problems.note(value.place, &below, what, "write `observe` or `off`");
            }
            modes.extend(mode.map(|mode| (name.to_owned(), mode)));
        }
        Some(Self(modes))
    }
}

impl Serialize for Quirks {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(&self.0)
    }
}

impl JsonSchema for Quirks {
    fn schema_name() -> Cow<'static, str> {
        "Quirks".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mode = generator.subschema_for::<Mode>();
        let properties: serde_json::Map<_, _> = quirk_names()
            .map(|(name, quirk)| {
                let summary =
                    if name == quirk.id { quirk.summary().to_owned() } else { format!("Switch of `{}`.", quirk.id) };
                let mut schema = mode.clone();
                schema.insert("description".into(), format!("{summary} ({})", quirk.risk.as_str()).into());
                (name.to_owned(), schema.to_value())
            })
            .collect();
        json_schema!({
            "type": "object",
            "format": "quirks",
            "properties": properties,
            "additionalProperties": false,
        })
    }
}

impl Resolve {
    const CURE: &'static str =
        "write `path: /tenants/{tenant}`, `host: \"{tenant}.scim.example.com\"`, `header: NAME` or `token`";

    fn path(template: &str) -> Result<Self, &'static str> {
        let template = template.trim_end_matches('/');
        let plain = template.replace(TENANT, "t");
        if template.split('/').filter(|&s| s == TENANT).count() != 1 || template.matches(TENANT).count() != 1 {
            return Err("the path has not exactly one segment `{tenant}`");
        }
        BasePath::parse(&plain).map_err(|_| "not a legal path")?;
        Ok(Self::Path(template.to_owned()))
    }

    fn host(template: &str) -> Result<Self, &'static str> {
        let label =
            |l: &str| !l.is_empty() && l.len() <= 63 && l.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        let mut tenants = 0;
        for part in template.split('.') {
            if part == TENANT {
                tenants += 1;
            } else if !label(part) {
                return Err("not a legal host name (the port does not count, and `{tenant}` is a whole label)");
            }
        }
        if tenants == 1 {
            Ok(Self::Host(template.to_ascii_lowercase()))
        } else {
            Err("the host has not exactly one label `{tenant}`")
        }
    }
}

impl Read for Resolve {
    fn read(node: &Node, key: &str, problems: &mut Problems) -> Option<Self> {
        match &node.kind {
            Kind::Scalar(scalar) if scalar.text == "token" => Some(Self::Token),
            Kind::Unset => None,
            Kind::Map(_) => {
                let entries = entries(node, key, problems)?;
                if entries.len() != 1 {
                    problems.wrong(node.place, key, "an entry has one way to find a tenant", Self::CURE);
                    return None;
                }
                let (name, place, value) = entries[0];
                let below = join(key, name);
                if !["path", "host", "header"].contains(&name) {
                    unknown(name, key, place, &["path", "host", "header"], problems);
                    return None;
                }
                let text = String::read(value, &below, problems)?;
                let read = match name {
                    "path" => Self::path(&text),
                    "host" => Self::host(&text),
                    _ => text.parse().map(Self::Header).map_err(|_| "not the name of a header"),
                };
                read.map_err(|what| problems.wrong(value.place, &below, what, Self::CURE)).ok()
            }
            Kind::List(_) | Kind::Null | Kind::Scalar(_) => {
                problems.wrong(node.place, key, "no way to find a tenant", Self::CURE);
                None
            }
        }
    }
}

impl Serialize for Resolve {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        match self {
            Self::Header(name) => map.serialize_entry("header", name.as_str())?,
            Self::Host(template) => map.serialize_entry("host", template)?,
            Self::Path(template) => map.serialize_entry("path", template)?,
            Self::Token => map.serialize_entry("token", &())?,
        }
        map.end()
    }
}

impl JsonSchema for Resolve {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Resolve".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "format": "resolve",
            "oneOf": [
                one_key("path", "Path prefix with a segment `{tenant}`; taken off before the request goes upstream."),
                one_key("host", "Host with a label `{tenant}`."),
                one_key("header", "Header that names the tenant; believed from trusted proxies only."),
                { "const": "token", "description": "By a token of `tenants.list`." },
            ],
        })
    }
}

/// `feeds`: one reserved key, and the feeds.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Feeds {
    /// Folder for last good copies and the ledger's snapshot.
    pub cache_dir: Option<PathBuf>,
    /// The feeds by name.
    #[serde(flatten)]
    pub named: BTreeMap<FeedName, Feed>,
}

impl Read for Feeds {
    fn read(node: &Node, key: &str, problems: &mut Problems) -> Option<Self> {
        let mut feeds = Self::default();
        for (name, place, value) in entries(node, key, problems)? {
            let below = join(key, name);
            if name == "cache_dir" {
                feeds.cache_dir = Read::read(value, &below, problems).unwrap_or_default();
                continue;
            }
            let feed = Feed::read(value, &below, problems);
            match FeedName::parse(name) {
                Ok(name) => feeds.named.extend(feed.map(|feed| (name, feed))),
                Err(_) => {
                    problems.wrong(place, &below, "not the name of a feed", format!("write {}", FeedName::WANTED));
                }
            }
        }
        Some(feeds)
    }
}

impl JsonSchema for Feeds {
    fn schema_name() -> Cow<'static, str> {
        "Feeds".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "description": "`feeds`.",
            "properties": {
                "cache_dir": {
                    "type": ["string", "null"],
                    "format": "folder",
                    "default": null,
                    "description": "Folder for the last good copies of feeds and for the quarantine ledger; without it none are kept.",
                },
            },
            "additionalProperties": generator.subschema_for::<Feed>(),
        })
    }
}
