//! From what was written to what runs: the checks that need more than one key, the machine or the clock.

use std::{collections::BTreeMap, net::SocketAddr, path::Path, sync::Arc, time::Duration};

use http::Uri;

use super::{
    World,
    document::Node,
    file::{
        AddressFrom, Allow, AllowMode, Attribute, Feed, FeedKind, File, Quota, RateLimit, Resolve, StoreKind,
        TenantNormalize,
    },
    force,
    problem::{Grade, Problems},
    settings::{self, NotInForce, Settings},
    types::{BasePath, Cidr, HttpUrl, Period, Secret, Size, read_text},
};
use crate::{
    quirk::{Mode, PlanSettings},
    scim::Registry,
};

/// The tenant of every request that nothing else resolves.
pub(crate) const DEFAULT_TENANT: &str = "default";

/// A `/Schemas` document of a large product has some 200 KiB.
const MAX_SCHEMA_BYTES: u64 = 8 << 20;
/// hyper's HTTP/1 buffer cannot be smaller.
const MIN_HEADER: usize = 8 << 10;
/// 10,000 connections (the default) of it are 10 GiB already.
const MAX_HEADER: usize = 1 << 20;
/// A body is held in memory whole.
const MAX_BODY: usize = 1 << 30;
/// Entra and Okta give up on a request after this.
const IDP_PATIENCE: Duration = Duration::from_secs(60);

/// Settings from a file. `None` only where `problems` holds the reason.
pub(crate) fn build(
    file: &File,
    doc: &Node,
    base: &Path,
    world: &World<'_>,
    problems: &mut Problems,
) -> Option<Settings> {
    let mut build = Build { file, doc, base, world, problems };
    let (url, base_path) = build.app();
    build.ports();
    build.limits();
    build.tls();
    build.client_address();
    build.secret(&["admin", "token"], file.admin.token.as_ref(), false);
    build.retry_after();
    build.tenants();
    build.feeds();
    build.rest();
    let tenant = build.tenant();
    let not_in_force = build.not_in_force();

    let (listen, upstream, limits) = (&file.listen, &file.upstream, &file.listen.limits);
    Some(Settings {
        listen: settings::Listen {
            address: listen.address.0,
            base_url: listen.base_url.as_ref().map(|url| url.for_tenant(DEFAULT_TENANT)),
            base_path: base_path?,
            outside: listen.outside,
            limits: settings::Limits {
                body: limits.body.0,
                header: limits.header.0,
                connections: limits.connections.get(),
                in_flight: limits.in_flight.get(),
                header_timeout: limits.header_timeout.0,
                body_timeout: limits.body_timeout.0,
                idle_timeout: limits.idle_timeout.0,
                deadline: limits.deadline.0,
                drain: limits.drain.0,
            },
        },
        admin: settings::Admin { address: file.admin.address.0, readiness: file.admin.readiness },
        upstream: settings::Upstream {
            url: url?,
            connect_timeout: upstream.connect_timeout.0,
            hold: upstream.hold.0,
            max_held: upstream.max_held,
            retries: upstream.retries,
            pool: upstream.pool,
            http2: upstream.http2,
            content_type: upstream.content_type.as_ref().map(|t| t.0.clone()),
        },
        tenant,
        debug_headers: file.normalize.debug_headers,
        retry_after: settings::RetryAfter { floor: file.retry_after.floor.0, ceiling: file.retry_after.ceiling.0 },
        threads: file.threads.get(),
        log: settings::Log { format: file.log.format, level: file.log.level.0.clone() },
        not_in_force,
    })
}

struct Build<'a> {
    file: &'a File,
    doc: &'a Node,
    base: &'a Path,
    world: &'a World<'a>,
    problems: &'a mut Problems,
}

impl Build<'_> {
    fn add(&mut self, grade: Grade, path: &[&str], what: impl Into<String>, instead: impl Into<String>) {
        self.problems.add(grade, self.doc.place(path), &self.doc.key(path), what, instead);
    }

    fn wrong(&mut self, path: &[&str], what: impl Into<String>, instead: impl Into<String>) {
        self.add(Grade::Wrong, path, what, instead);
    }

    fn note(&mut self, path: &[&str], what: impl Into<String>, instead: impl Into<String>) {
        self.add(Grade::Note, path, what, instead);
    }

    /// A key without which its parent means nothing. What was written but could not be read has been said.
    fn need(&mut self, given: bool, parent: &[&str], key: &str, instead: &str) {
        let path = [parent, &[key]].concat();
        if !given && !self.doc.get_path(&path).is_some_and(Node::is_written) {
            self.wrong(&path, "it is required", instead);
        }
    }

    fn file_exists(&mut self, grade: Grade, path: &[&str], file: &Path) {
        let file = self.base.join(file);
        let why = match std::fs::metadata(&file) {
            Ok(about) if about.is_dir() => "it is a folder".to_owned(),
            // A pipe is not opened: that would wait for whoever writes to it.
            Ok(about) if !about.is_file() => return,
            Ok(_) => match std::fs::File::open(&file) {
                Ok(_) => return,
                Err(error) => error.to_string(),
            },
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => "no such file".to_owned(),
            Err(error) => error.to_string(),
        };
        let what = format!("{} cannot be read: {why}", file.display());
        self.add(grade, path, what, "put the file there, or mend the path");
    }

    /// Whether a secret can be had here, and would fit into a header.
    fn secret(&mut self, path: &[&str], secret: Option<&Secret>, header: bool) {
        let Some(secret) = secret else { return };
        match secret.read(self.base, self.world.env) {
            Ok(text) if header && http::HeaderValue::from_str(text.expose()).is_err() => {
                self.wrong(path, "the secret has characters that no header can hold", "write it in one line of ASCII");
            }
            Ok(_) => {}
            Err(error) => {
                let cure = match secret {
                    Secret::Env(name) => format!("set {name} where scimshim runs"),
                    Secret::File(_) | Secret::Text(_) => "put the secret there".to_owned(),
                };
                self.add(Grade::Missing, path, error.to_string(), cure);
            }
        }
    }

    /// The app's URL, and the path at which SCIM begins on both sides.
    fn app(&mut self) -> (Option<Uri>, Option<String>) {
        const URL: &[&str] = &["upstream", "url"];
        const BASE_PATH: &[&str] = &["listen", "base_path"];
        self.need(
            self.file.upstream.url.is_some(),
            &["upstream"],
            "url",
            "write where the app's SCIM endpoint is: `upstream: { url: http://127.0.0.1:8080/scim/v2 }`",
        );
        if let Some(url) = &self.file.listen.base_url
            && url.has_query()
        {
            self.wrong(&["listen", "base_url"], "it has a query", "end it before the `?`");
        }
        let written = self.file.listen.base_path.as_ref().map(|path| path.0.clone());
        let Some(url) = &self.file.upstream.url else { return (None, written) };
        if url.has_query() {
            self.wrong(URL, "it has a query, which a SCIM base cannot have", "end it before the `?`");
        }
        let base_path = match (written, url.path()) {
            (Some(path), _) => Some(path),
            (None, path) if path.contains(super::types::TENANT) => {
                if !self.doc.has(BASE_PATH) {
                    self.problems.wrong(
                        self.doc.place(URL),
                        "listen.base_path",
                        "it is required, since the path of upstream.url holds `{tenant}`",
                        "write the path at which IdPs call: `base_path: /scim/v2`",
                    );
                }
                None
            }
            (None, "") => Some(String::new()),
            (None, path) => match BasePath::parse(path) {
                Ok(path) => Some(path.0),
                Err(why) => {
                    self.wrong(
                        URL,
                        format!("its path cannot be where SCIM begins: {why}"),
                        "write a plain path, or `listen.base_path`",
                    );
                    None
                }
            },
        };
        let uri: Option<Uri> = url.for_tenant(DEFAULT_TENANT).parse().ok();
        if let Some(uri) = &uri {
            self.not_ourselves(uri);
        }
        (uri, base_path)
    }

    /// A sidecar that calls its own port answers nothing for ever.
    fn not_ourselves(&mut self, uri: &Uri) {
        let port = uri.port_u16().unwrap_or(80);
        let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
        let local = host == "localhost"
            || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback() || ip.is_unspecified());
        let ours = |address: SocketAddr| {
            let ip = address.ip();
            address.port() == port && (ip.to_string() == host || (local && (ip.is_unspecified() || ip.is_loopback())))
        };
        if ours(self.file.listen.address.0) || ours(self.file.admin.address.0) {
            self.wrong(&["upstream", "url"], "this is a port of scimshim itself", "write the app's own port");
        }
    }

    fn ports(&mut self) {
        let (data, admin) = (self.file.listen.address.0, self.file.admin.address.0);
        let overlap = data.ip() == admin.ip() || data.ip().is_unspecified() || admin.ip().is_unspecified();
        if data.port() == admin.port() && data.port() != 0 && overlap {
            self.wrong(
                &["admin", "address"],
                format!("port {} is the data port too", data.port()),
                "write another port, such as `0.0.0.0:7644`",
            );
        }
    }

    fn limits(&mut self) {
        const LIMITS: &[&str] = &["listen", "limits"];
        let limits = &self.file.listen.limits;
        let at = |key| [LIMITS, &[key]].concat();
        if limits.body > Size(MAX_BODY) || limits.body == Size(0) {
            self.wrong(&at("body"), "a body is held in memory: 1 byte to 1GiB", "write `10MiB`");
        }
        if limits.header < Size(MIN_HEADER) {
            let what = "heads are read 8KiB at a time, so 8KiB is what applies";
            self.note(&at("header"), what, "write `8KiB` or more");
        } else if limits.header > Size(MAX_HEADER) {
            self.wrong(&at("header"), "every connection may hold so much: 1MiB at most", "write `64KiB`");
        }
        let upstream = &self.file.upstream;
        for (path, period, usual) in [
            (at("header_timeout"), limits.header_timeout, "10s"),
            (at("body_timeout"), limits.body_timeout, "30s"),
            (at("idle_timeout"), limits.idle_timeout, "75s"),
            (at("deadline"), limits.deadline, "50s"),
            (vec!["upstream", "connect_timeout"], upstream.connect_timeout, "2s"),
        ] {
            if period.0.is_zero() {
                self.wrong(&path, "nothing can be done in no time", format!("write `{usual}`"));
            }
        }
        if limits.body_timeout > limits.deadline {
            self.note(
                &at("body_timeout"),
                format!(
                    "a body that is slow to come is answered by the deadline ({}), as if the app were",
                    limits.deadline
                ),
                "write less",
            );
        }
        if limits.deadline.0 >= IDP_PATIENCE {
            self.note(&at("deadline"), "Entra and Okta give up after 60s and do not see a later answer", "write `50s`");
        }
        if upstream.hold > limits.deadline {
            self.note(
                &["upstream", "hold"],
                format!("it is cut short by listen.limits.deadline ({})", limits.deadline),
                "write less",
            );
        }
        if upstream.connect_timeout > limits.deadline {
            self.note(
                &["upstream", "connect_timeout"],
                format!("it is cut short by listen.limits.deadline ({})", limits.deadline),
                "write less",
            );
        }
        if upstream.retries > 10 {
            self.wrong(&["upstream", "retries"], "more tries than ten only add load to an app in trouble", "write `2`");
        }
        if self.file.threads.get() > 1024 {
            self.wrong(&["threads"], "1 to 1024", "write `1`, or the number of cores the container has");
        }
    }

    fn tls(&mut self) {
        const TLS: &[&str] = &["listen", "tls"];
        if let Some(tls) = &self.file.listen.tls {
            self.need(tls.certificate.is_some(), TLS, "certificate", "write the path of a PEM chain");
            self.need(tls.private_key.is_some(), TLS, "private_key", "write the path of a PEM key");
            for (key, file) in
                [("certificate", &tls.certificate), ("private_key", &tls.private_key), ("client_ca", &tls.client_ca)]
            {
                if let Some(file) = file {
                    self.file_exists(Grade::Missing, &[TLS, &[key]].concat(), file);
                }
            }
        }
        let tls = &self.file.upstream.tls;
        for (key, file) in [
            ("ca", &tls.ca),
            ("client_certificate", &tls.client_certificate),
            ("client_private_key", &tls.client_private_key),
        ] {
            if let Some(file) = file {
                self.file_exists(Grade::Missing, &["upstream", "tls", key], file);
            }
        }
        if tls.client_certificate.is_some() != tls.client_private_key.is_some() {
            self.wrong(
                &["upstream", "tls"],
                "a certificate and its key come together",
                "write both client_certificate and client_private_key",
            );
        }
    }

    fn client_address(&mut self) {
        const PROXIES: &[&str] = &["listen", "client_address", "trusted_proxies"];
        let from = &self.file.listen.client_address;
        let cure = "write their CIDRs: `trusted_proxies: [10.0.0.0/8]`";
        if from.trusted_proxies.is_empty() {
            if from.from != AddressFrom::Peer {
                self.note(
                    &["listen", "client_address", "from"],
                    "no proxy is trusted, so the header is never believed",
                    cure,
                );
            }
            if self.file.listen.proxy_protocol {
                self.note(
                    &["listen", "proxy_protocol"],
                    "no proxy is trusted, so every connection that uses it is refused",
                    cure,
                );
            }
        }
        self.whole_world(PROXIES, &from.trusted_proxies, "anyone can write the header");
    }

    fn whole_world(&mut self, path: &[&str], cidrs: &[Cidr], so: &str) {
        for (i, cidr) in cidrs.iter().enumerate() {
            if cidr.0.prefix_len() == 0 {
                self.note(
                    &[path, &[&i.to_string()]].concat(),
                    format!("{cidr} is every address, so {so}"),
                    "write a narrower range",
                );
            }
        }
    }

    fn retry_after(&mut self) {
        let bounds = &self.file.retry_after;
        for (key, period) in [("floor", bounds.floor), ("ceiling", bounds.ceiling)] {
            if period.0.subsec_nanos() != 0 || period.0.is_zero() {
                self.wrong(&["retry_after", key], "Retry-After is a whole number of seconds, 1 or more", "write `30s`");
            }
        }
        if bounds.floor > bounds.ceiling {
            self.wrong(
                &["retry_after", "floor"],
                format!("over the ceiling of {}", bounds.ceiling),
                "write less, or raise `ceiling`",
            );
        }
    }

    fn tenants(&mut self) {
        const TENANTS: &[&str] = &["tenants"];
        let tenants = &self.file.tenants;
        let untrusted = self.file.listen.client_address.trusted_proxies.is_empty();
        for (i, way) in tenants.resolve.iter().enumerate() {
            if matches!(way, Resolve::Header(_)) && untrusted {
                let what = "no proxy is trusted, so the header is never believed";
                self.note(
                    &["tenants", "resolve", &i.to_string()],
                    what,
                    "write `listen.client_address.trusted_proxies`",
                );
            }
        }
        let defaults = &tenants.defaults;
        let at = [TENANTS, &["defaults"]].concat();
        self.allow(&at, &defaults.allow, &defaults.allow);
        self.rates(&at, defaults.rate_limit.as_ref(), None);
        self.secret(&[&at[..], &["upstream_authorization"]].concat(), defaults.upstream_authorization.as_ref(), true);

        let mut hashes = BTreeMap::new();
        for (id, tenant) in &tenants.list {
            let at = ["tenants", "list", id.0.as_str()];
            let can = |way: &Resolve| match way {
                Resolve::Token => !tenant.tokens.is_empty(),
                // A label of a host has no dots.
                Resolve::Host(_) => !id.0.contains('.'),
                Resolve::Path(_) | Resolve::Header(_) => true,
            };
            if !force::is_in_force(tenants, &id.0) && !tenants.resolve.iter().any(can) {
                let (what, instead) = if tenants.resolve.is_empty() {
                    (
                        "nothing can resolve this tenant",
                        "write `tenants.resolve`, such as `resolve: [{ path: \"/tenants/{tenant}\" }]`",
                    )
                } else {
                    (
                        "nothing in `tenants.resolve` can resolve this tenant",
                        "give it `tokens`, or add a way to `tenants.resolve`",
                    )
                };
                self.wrong(&at, what, instead);
            }
            for (i, token) in tenant.tokens.iter().enumerate() {
                let i = i.to_string();
                let at = [&at[..], &["tokens", &i]].concat();
                self.need(token.sha256.is_some(), &at, "sha256", "write the hash that `scimshim token new` prints");
                if token.expires.is_some_and(|at| at.is_past(self.world.now)) {
                    self.note(
                        &[&at[..], &["expires"]].concat(),
                        "the token has expired",
                        "remove it, or issue a new one",
                    );
                }
                if let Some(hash) = token.sha256
                    && let Some(other) = hashes.insert(hash.0, &id.0)
                {
                    let whose = if *other == id.0 {
                        "this tenant has it already".into()
                    } else {
                        format!("tenant {other} has it too")
                    };
                    self.wrong(
                        &[&at[..], &["sha256"]].concat(),
                        format!("a token belongs to one tenant, once: {whose}"),
                        "issue another token",
                    );
                }
            }
            self.allow(&at, &tenant.allow, &defaults.allow);
            self.rates(&at, tenant.rate_limit.as_ref(), defaults.rate_limit.as_ref());
            self.secret(&[&at[..], &["upstream_authorization"]].concat(), tenant.upstream_authorization.as_ref(), true);
            if !force::is_in_force(tenants, &id.0) {
                self.own_schemas(&at, &tenant.normalize);
            }
        }
    }

    /// `allow` below `at`, laid over the defaults.
    fn allow(&mut self, at: &[&str], allow: &Allow, defaults: &Allow) {
        let at = [at, &["allow"]].concat();
        for (i, named) in allow.feeds.iter().flatten().enumerate() {
            let i = i.to_string();
            let path = [&at[..], &["feeds", &i]].concat();
            let known = self.file.feeds.named.iter().find(|(name, _)| name.0 == named.feed);
            let Some((_, feed)) = known else {
                // A feed that is there but could not be read has been said.
                if !self.doc.has(&["feeds", &named.feed]) || named.feed == "cache_dir" {
                    let names = self.file.feeds.named.keys().map(|name| name.0.as_str());
                    let instead = match self.problems.guess(&named.feed, names) {
                        Some(name) => format!("did you mean `{name}`?"),
                        None => "name a feed of `feeds`".to_owned(),
                    };
                    self.wrong(&path, format!("there is no feed `{}`", named.feed), instead);
                }
                continue;
            };
            match (feed.kind, &named.part) {
                (Some(FeedKind::Okta), None) => self.wrong(
                    &path,
                    "the whole list is every Okta customer's",
                    format!("name the cell: `{}:us_cell_1`", named.feed),
                ),
                (Some(FeedKind::AzureServiceTags), None) => {
                    self.wrong(
                        &path,
                        "the whole list is all of Azure",
                        format!("name the tag: `{}:AzureActiveDirectory`", named.feed),
                    );
                }
                (Some(FeedKind::List), Some(_)) => {
                    self.wrong(&path, "a list has no parts", format!("write `{}`", named.feed));
                }
                _ => {}
            }
        }
        let cidrs = allow.cidrs.as_deref().unwrap_or_default();
        self.whole_world(&[&at[..], &["cidrs"]].concat(), cidrs, "nothing is kept out");
        let feeds = allow.feeds.as_ref().or(defaults.feeds.as_ref()).is_some_and(|f| !f.is_empty());
        let ranges = allow.cidrs.as_ref().or(defaults.cidrs.as_ref()).is_some_and(|c| !c.is_empty());
        // A list that could not be read has been said.
        let doc = self.doc;
        let unread = ["feeds", "cidrs"].iter().any(|key| doc.has(&[&at[..], &[key, "0"]].concat()));
        if allow.mode.or(defaults.mode) == Some(AllowMode::Enforce) && !feeds && !ranges && !unread {
            self.wrong(
                &at,
                "`enforce` without feeds and CIDRs refuses everyone",
                "name feeds or CIDRs, or write `mode: observe`",
            );
        }
    }

    /// `rate_limit` below `at`, laid over the defaults.
    fn rates(&mut self, at: &[&str], own: Option<&RateLimit>, defaults: Option<&RateLimit>) {
        let Some(own) = own else { return };
        let at = [at, &["rate_limit"]].concat();
        let inherited = |of: fn(&RateLimit) -> &Option<Quota>| defaults.and_then(|d| of(d).as_ref());
        for (key, quota, below) in [
            ("reads", &own.reads, inherited(|r| &r.reads)),
            ("writes", &own.writes, inherited(|r| &r.writes)),
            ("lookups", &own.lookups, inherited(|r| &r.lookups)),
        ] {
            if let Some(quota) = quota {
                let given = quota.per_second.or(below.and_then(|q| q.per_second)).is_some();
                self.need(given, &[&at[..], &[key]].concat(), "per_second", "write a rate: `per_second: 25`");
            }
        }
        let deadline = self.file.listen.limits.deadline;
        if own.wait.is_some_and(|wait| wait > deadline) {
            self.note(
                &[&at[..], &["wait"]].concat(),
                format!("it is cut short by listen.limits.deadline ({deadline})"),
                "write less",
            );
        }
    }

    fn feeds(&mut self) {
        for (name, feed) in &self.file.feeds.named {
            self.feed(&["feeds", name.0.as_str()], feed);
        }
    }

    fn feed(&mut self, at: &[&str], feed: &Feed) {
        let path = |key| [at, &[key]].concat();
        self.need(feed.kind.is_some(), at, "kind", "write okta, azure-service-tags or list");
        let Some(kind) = feed.kind else { return };
        let sources =
            [("url", feed.url.is_some()), ("discover", feed.discover.is_some()), ("file", feed.file.is_some())];
        let given: Vec<&str> = sources.into_iter().filter(|&(_, given)| given).map(|(key, _)| key).collect();
        if given.len() > 1 {
            self.wrong(&path(given[1]), format!("`{}` says already where the feed is", given[0]), "keep one of them");
        }
        // The published places of the other kinds are their defaults.
        let written = sources.iter().any(|&(key, _)| self.doc.has(&path(key)));
        if kind == FeedKind::List && !written {
            self.wrong(at, "the list is nowhere", "write `url:` or `file:`");
        }
        if kind != FeedKind::AzureServiceTags && feed.discover.is_some() {
            self.wrong(&path("discover"), "only Azure's list is discovered from a page", "write `url:` or `file:`");
        }
        if let Some(pointer) = &feed.pointer {
            if kind != FeedKind::List {
                self.wrong(&path("pointer"), "the format of this kind is known", "remove it");
            } else if !pointer.is_empty() && !pointer.starts_with('/') {
                self.wrong(&path("pointer"), "a JSON pointer begins with `/`", "write `/prefixes`");
            }
        }
        for (key, url) in [("url", &feed.url), ("discover", &feed.discover)] {
            if url.as_ref().is_some_and(|url: &HttpUrl| !url.is_tls()) {
                self.note(&path(key), "without TLS, who sits on the way chooses who may call", "write `https://`");
            }
        }
        if let Some(file) = &feed.file {
            self.file_exists(Grade::Absent, &path("file"), file);
        }
        if let Some(ca) = &feed.ca {
            self.file_exists(Grade::Absent, &path("ca"), ca);
        }
        let refresh = feed.refresh.unwrap_or(feed_refresh(kind));
        if refresh < Period::secs(60) {
            self.wrong(
                &path("refresh"),
                "less than a minute is no courtesy to whoever publishes the list",
                "write `1h`",
            );
        }
        let stale = feed.stale_after.unwrap_or(feed_stale_after(kind));
        if stale <= refresh {
            let key = if feed.stale_after.is_some() { "stale_after" } else { "refresh" };
            self.wrong(
                &path(key),
                format!("each copy would be stale ({stale}) before the next is fetched ({refresh})"),
                "write a stale_after of several times refresh",
            );
        }
    }

    fn rest(&mut self) {
        let file = self.file;
        if file.rate_limit_store.kind == StoreKind::Redis {
            self.need(
                file.rate_limit_store.url.is_some(),
                &["rate_limit_store"],
                "url",
                "write `url: redis://127.0.0.1:6379/0`",
            );
        }
        if file.quarantine.snapshot < Period::secs(1) {
            self.wrong(&["quarantine", "snapshot"], "a second at least", "write `60s`");
        }
        if file.metrics.max_tenants > 100_000 {
            self.wrong(&["metrics", "max_tenants"], "each costs hundreds of series", "write `200`");
        }
        if file.journal.entries > 1_000_000 {
            self.wrong(&["journal", "entries"], "they are kept in memory", "write `1000`");
        }
    }

    /// The tenant that runs.
    fn tenant(&mut self) -> settings::Tenant {
        let file = self.file;
        let defaults = &file.tenants.defaults;
        let listed =
            file.tenants.list.iter().find(|(id, _)| force::is_in_force(&file.tenants, &id.0)).map(|(_, tenant)| tenant);
        let normalize = listed.map(|tenant| &tenant.normalize);

        let mut quirks: BTreeMap<String, Mode> = file.normalize.quirks.0.clone();
        quirks.extend(defaults.normalize.quirks.0.clone());
        quirks.extend(normalize.into_iter().flat_map(|n| n.quirks.0.clone()));
        let mode = normalize.and_then(|n| n.mode).or(defaults.normalize.mode).unwrap_or(file.normalize.mode);

        let mut files = (&["normalize"][..], &file.normalize.schemas.files);
        let mut attributes = (&["normalize"][..], &file.normalize.schemas.attributes);
        let over: [(&[&str], Option<&TenantNormalize>); 2] = [
            (&["tenants", "defaults", "normalize"], Some(&defaults.normalize)),
            (&["tenants", "list", DEFAULT_TENANT, "normalize"], normalize),
        ];
        for (at, normalize) in over {
            if let Some(list) = normalize.and_then(|n| n.schemas.files.as_ref()) {
                files = (at, list);
            }
            if let Some(list) = normalize.and_then(|n| n.schemas.attributes.as_ref()) {
                attributes = (at, list);
            }
        }
        let mut registry = Registry::rfc();
        self.schema_files(files.0, files.1, &mut registry);
        self.attributes(attributes.0, attributes.1, &mut registry);
        settings::Tenant {
            id: DEFAULT_TENANT.into(),
            idp: listed.and_then(|tenant| tenant.idp).unwrap_or(defaults.idp),
            plan: PlanSettings { mode, quirks, registry: Arc::new(registry) },
        }
    }

    /// Schemas of a tenant that does not run yet: read, so that their problems are seen.
    fn own_schemas(&mut self, at: &[&str], normalize: &TenantNormalize) {
        if normalize.schemas.files.is_none() && normalize.schemas.attributes.is_none() {
            return;
        }
        let at = [at, &["normalize"]].concat();
        let mut registry = Registry::rfc();
        self.schema_files(&at, normalize.schemas.files.as_deref().unwrap_or_default(), &mut registry);
        self.attributes(&at, normalize.schemas.attributes.as_deref().unwrap_or_default(), &mut registry);
    }

    fn schema_files(&mut self, at: &[&str], files: &[std::path::PathBuf], registry: &mut Registry) {
        for (i, file) in files.iter().enumerate() {
            let i = i.to_string();
            let at = [at, &["schemas", "files", &i]].concat();
            let file = self.base.join(file);
            match read_text(&file, MAX_SCHEMA_BYTES) {
                Err(why) => self.add(
                    Grade::Missing,
                    &at,
                    format!("{} cannot be read: {why}", file.display()),
                    "put the file there, or mend the path",
                ),
                Ok(document) => match registry.load(&document) {
                    Err(why) => {
                        self.wrong(
                            &at,
                            format!("{}: {why}", file.display()),
                            "save what the app answers at `/Schemas`",
                        );
                    }
                    Ok(0) => self.note(
                        &at,
                        format!("{} holds no schema", file.display()),
                        "save what the app answers at `/Schemas`",
                    ),
                    Ok(_) => {}
                },
            }
        }
    }

    fn attributes(&mut self, at: &[&str], attributes: &[Attribute], registry: &mut Registry) {
        for (i, attribute) in attributes.iter().enumerate() {
            let i = i.to_string();
            let at = [at, &["schemas", "attributes", &i]].concat();
            self.need(attribute.path.is_some(), &at, "path", "write `path: urn:...:User:name`");
            self.need(
                attribute.r#type.is_some(),
                &at,
                "type",
                "write `type: boolean`, or another type of RFC 7643 2.3",
            );
            if let (Some(path), Some(kind)) = (&attribute.path, attribute.r#type)
                && let Err(why) = registry.declare(path, kind, attribute.multi_valued)
            {
                self.wrong(&[&at[..], &["path"]].concat(), why.to_string(), "write `urn:...:User:name`");
            }
        }
    }

    fn not_in_force(&mut self) -> Vec<NotInForce> {
        let mut list = Vec::new();
        for unmet in force::unmet(self.file) {
            let path: Vec<&str> = unmet.path.iter().map(String::as_str).collect();
            if unmet.grade == Grade::Unable {
                let instead = match path[0] {
                    "upstream" => "write `http://` and the app's port inside the pod",
                    _ => "remove it, and let the ingress or the mesh speak TLS",
                };
                self.add(Grade::Unable, &path, format!("not yet in force: {}", unmet.what), instead);
            } else {
                self.problems.not_in_force(self.doc.place(&path), &path.join("."), &unmet.what);
            }
            list.push(NotInForce { key: path.join("."), what: unmet.what });
        }
        list
    }
}

/// How often a feed is fetched: Okta's list is rewritten hourly, the others change over weeks.
pub(crate) fn feed_refresh(kind: FeedKind) -> Period {
    match kind {
        FeedKind::Okta => Period::secs(3600),
        FeedKind::AzureServiceTags | FeedKind::List => Period::secs(86_400),
    }
}

/// When a feed's copy is too old to refuse anyone by: 10 % of Okta's addresses are new after a week, Azure announces
/// a week ahead.
pub(crate) fn feed_stale_after(kind: FeedKind) -> Period {
    match kind {
        FeedKind::Okta => Period::secs(3 * 86_400),
        FeedKind::AzureServiceTags => Period::secs(21 * 86_400),
        FeedKind::List => Period::secs(7 * 86_400),
    }
}
