//! From what was written to what runs: the checks that need more than one key, the machine or the clock.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    num::NonZeroU32,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use http::{HeaderValue, Uri};
use ipnet::IpNet;

use super::{
    World,
    document::Node,
    file::{self, Allow, Attribute, Feed, File, Quota, RateLimit, StoreKind, TenantNormalize},
    force,
    problem::{Grade, Problems},
    settings::{self, AddressFrom, AllowMode, NotInForce, Outside, Resolve, Settings, UnknownTenant},
    types::{BasePath, Cidr, HttpUrl, Period, Secret, SecretText, Sha256, Size, read_text},
};
use crate::{
    feed::{self, Kind as FeedKind},
    gate::rate,
    quirk::{Mode, PlanSettings},
    scim::Registry,
    tls,
    watch::Seen,
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
    let mut build = Build { file, doc, base, world, problems, files: Vec::new() };
    let base_path = build.app();
    build.ports();
    build.limits();
    let tls = build.tls();
    build.client_address();
    build.secret(&["admin", "token"], file.admin.token.as_ref());
    build.retry_after();
    let tenants = build.tenants();
    build.feeds();
    build.rest();
    let not_in_force = build.not_in_force();
    let files = build.files;

    let (listen, upstream, limits) = (&file.listen, &file.upstream, &file.listen.limits);
    Some(Settings {
        listen: settings::Listen {
            address: listen.address.0,
            base_url: listen.base_url.clone(),
            base_path: base_path?,
            outside: listen.outside,
            tls: tls.0,
            proxy_protocol: listen.proxy_protocol,
            client_address: settings::ClientAddress {
                from: listen.client_address.from,
                trusted_proxies: ranges(&listen.client_address.trusted_proxies),
            },
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
            url: upstream.url.clone()?,
            tls: tls.1,
            connect_timeout: upstream.connect_timeout.0,
            hold: upstream.hold.0,
            max_held: upstream.max_held,
            retries: upstream.retries,
            pool: upstream.pool,
            http2: upstream.http2,
            content_type: upstream.content_type.as_ref().map(|t| t.0.clone()),
        },
        feeds: feeds_of(file, base, &tenants),
        tenants,
        store: match (file.rate_limit_store.kind, &file.rate_limit_store.url) {
            (StoreKind::Redis, Some(url)) => {
                settings::Store::Redis { url: url.clone(), key_prefix: file.rate_limit_store.key_prefix.clone() }
            }
            (StoreKind::Redis | StoreKind::Local, _) => settings::Store::Local,
        },
        max_labels: file.metrics.max_tenants,
        debug_headers: file.normalize.debug_headers,
        retry_after: settings::RetryAfter { floor: file.retry_after.floor.0, ceiling: file.retry_after.ceiling.0 },
        threads: file.threads.get(),
        log: settings::Log { format: file.log.format, level: file.log.level.0.clone() },
        files,
        not_in_force,
    })
}

/// IPv4-mapped ranges as IPv4, as addresses are compared.
fn ranges(cidrs: &[Cidr]) -> Vec<IpNet> {
    cidrs.iter().map(|cidr| canonical(cidr.0)).collect()
}

fn canonical(net: IpNet) -> IpNet {
    match net {
        IpNet::V6(v6) if v6.prefix_len() >= 96 => match v6.addr().to_ipv4_mapped() {
            Some(v4) => ipnet::Ipv4Net::new(v4, v6.prefix_len() - 96).map_or(net, IpNet::V4),
            None => net,
        },
        net => net,
    }
}

/// The feeds, with the parts that tenants name.
fn feeds_of(file: &File, base: &Path, tenants: &settings::Tenants) -> settings::Feeds {
    let named = tenants.list.values().chain([&tenants.defaults]).flat_map(|tenant| &tenant.allow.feeds);
    let mut parts: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for reference in named {
        parts.entry(&reference.feed).or_default().extend(reference.part.as_deref());
    }
    let spec = |(name, feed): (&super::types::FeedName, &Feed)| {
        let kind = feed.kind?;
        let url = |url: &HttpUrl| url.as_str().to_owned();
        let source = match (&feed.url, &feed.discover, &feed.file) {
            (_, _, Some(file)) => feed::Source::File(base.join(file)),
            (Some(at), ..) => feed::Source::Url(url(at)),
            (_, Some(page), _) => feed::Source::Discover(url(page)),
            (None, None, None) => match kind {
                FeedKind::Okta => feed::Source::Url(OKTA.to_owned()),
                FeedKind::AzureServiceTags => feed::Source::Discover(AZURE.to_owned()),
                FeedKind::List => return None,
            },
        };
        Some(feed::Spec {
            name: name.0.as_str().into(),
            kind,
            source,
            refresh: feed.refresh.unwrap_or(feed_refresh(kind)).0,
            removal_grace: feed.removal_grace.0,
            stale_after: feed.stale_after.unwrap_or(feed_stale_after(kind)).0,
            ca: feed.ca.as_ref().map(|ca| base.join(ca)),
            accept: feed.accept.map(|Sha256(hash)| hash),
            pointer: feed.pointer.clone(),
            parts: parts.get(name.0.as_str()).into_iter().flatten().map(|&part| part.into()).collect(),
        })
    };
    settings::Feeds {
        cache_dir: file.feeds.cache_dir.as_ref().map(|folder| base.join(folder)),
        specs: file.feeds.named.iter().filter_map(spec).collect(),
    }
}

/// Where Okta publishes its list (support article "List of IP addresses that should be allowlisted").
const OKTA: &str = "https://s3.amazonaws.com/okta-ip-ranges/ip_ranges.json";
/// The page that links the public cloud's weekly file.
const AZURE: &str = "https://www.microsoft.com/en-us/download/details.aspx?id=56519";

/// Where schemas are named, and the two lists.
type Layer<'a> = (&'a [&'a str], Option<&'a Vec<PathBuf>>, Option<&'a Vec<Attribute>>);

struct Build<'a> {
    file: &'a File,
    doc: &'a Node,
    base: &'a Path,
    world: &'a World<'a>,
    problems: &'a mut Problems,
    /// What has been read so far.
    files: Vec<Seen>,
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

    /// The secret as a header's value, if it can be had here.
    fn header(&mut self, path: &[&str], secret: Option<&Secret>) -> Option<HeaderValue> {
        let text = self.secret(path, secret)?;
        match HeaderValue::from_str(text.expose()) {
            Ok(mut value) => {
                value.set_sensitive(true);
                Some(value)
            }
            Err(_) => {
                self.wrong(path, "the secret has characters that no header can hold", "write it in one line of ASCII");
                None
            }
        }
    }

    /// The secret, if it can be had here.
    fn secret(&mut self, path: &[&str], secret: Option<&Secret>) -> Option<SecretText> {
        let secret = secret?;
        if let Secret::File(file) = secret {
            self.files.push(Seen::of(self.base.join(file)));
        }
        match secret.read(self.base, self.world.env) {
            Ok(text) => Some(text),
            Err(error) => {
                let cure = match secret {
                    Secret::Env(name) => format!("set {name} where scimshim runs"),
                    Secret::File(_) | Secret::Text(_) => "put the secret there".to_owned(),
                };
                self.add(Grade::Missing, path, error.to_string(), cure);
                None
            }
        }
    }

    /// The path at which SCIM begins for IdPs.
    fn app(&mut self) -> Option<String> {
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
        let Some(url) = &self.file.upstream.url else { return written };
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
        if let Ok(uri) = url.for_tenant(DEFAULT_TENANT).parse() {
            self.not_ourselves(&uri);
        }
        base_path
    }

    /// A sidecar that calls its own port answers nothing for ever.
    fn not_ourselves(&mut self, uri: &Uri) {
        let port = uri.port_u16().unwrap_or(if uri.scheme() == Some(&http::uri::Scheme::HTTPS) { 443 } else { 80 });
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

    fn tls(&mut self) -> (Option<tls::Server>, tls::Client) {
        const TLS: &[&str] = &["listen", "tls"];
        const UPSTREAM: &[&str] = &["upstream", "tls"];
        let at = |path: &PathBuf| self.base.join(path);
        let server = self.file.listen.tls.as_ref().and_then(|tls| {
            Some(tls::Server {
                certificate: at(tls.certificate.as_ref()?),
                private_key: at(tls.private_key.as_ref()?),
                client_ca: tls.client_ca.as_ref().map(at),
                min_version: tls.min_version,
            })
        });
        let tls = &self.file.upstream.tls;
        let client = tls::Client {
            ca: tls.ca.as_ref().map(at),
            identity: tls.client_certificate.as_ref().map(at).zip(tls.client_private_key.as_ref().map(at)),
        };
        if let Some(tls) = &self.file.listen.tls {
            self.need(tls.certificate.is_some(), TLS, "certificate", "write the path of a PEM chain");
            self.need(tls.private_key.is_some(), TLS, "private_key", "write the path of a PEM key");
            let there = [
                self.pem_exists(TLS, "certificate", tls.certificate.as_deref()),
                self.pem_exists(TLS, "private_key", tls.private_key.as_deref()),
                self.pem_exists(TLS, "client_ca", tls.client_ca.as_deref()),
            ];
            if let Some(server) = server.as_ref().filter(|_| there.into_iter().all(|there| there)) {
                let keys = ["client_ca", "certificate", "private_key"];
                self.pem_is_good(TLS, keys, server.load().err());
            }
        }
        let there = [
            self.pem_exists(UPSTREAM, "ca", tls.ca.as_deref()),
            self.pem_exists(UPSTREAM, "client_certificate", tls.client_certificate.as_deref()),
            self.pem_exists(UPSTREAM, "client_private_key", tls.client_private_key.as_deref()),
        ];
        if tls.client_certificate.is_some() != tls.client_private_key.is_some() {
            self.wrong(
                UPSTREAM,
                "a certificate and its key come together",
                "write both client_certificate and client_private_key",
            );
        }
        let given = client != tls::Client::default();
        if given && there.into_iter().all(|there| there) {
            let keys = ["ca", "client_certificate", "client_private_key"];
            self.pem_is_good(UPSTREAM, keys, client.load_files().err());
        }
        if given && self.file.upstream.url.as_ref().is_some_and(|url| !url.is_tls()) {
            self.note(UPSTREAM, "it has no effect, since upstream.url is plain HTTP", "write `https://`, or remove it");
        }
        (server, client)
    }

    /// Whether a file that may be named can be read and looked into here.
    fn pem_exists(&mut self, at: &[&str], key: &str, file: Option<&Path>) -> bool {
        let Some(file) = file else { return true };
        self.file_exists(Grade::Missing, &[at, &[key]].concat(), file);
        // A pipe gives what it holds once, and that is for `serve`.
        self.base.join(file).is_file()
    }

    /// Says what is wrong with one of three files: CA, certificate, key.
    fn pem_is_good(&mut self, at: &[&str], [ca, certificate, key]: [&str; 3], error: Option<tls::Unusable>) {
        let Some(error) = error else { return };
        let key = match error.part {
            tls::Part::Ca => ca,
            tls::Part::Certificate => certificate,
            tls::Part::Key => key,
        };
        // What cannot be opened has been said.
        if !error.unread {
            self.wrong(&[at, &[key]].concat(), error.what, error.cure);
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
            if canonical(cidr.0).prefix_len() == 0 {
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

    fn tenants(&mut self) -> settings::Tenants {
        const DEFAULTS: &[&str] = &["tenants", "defaults"];
        let tenants = &self.file.tenants;
        self.ways();
        let over = &tenants.defaults;
        self.allow(DEFAULTS, &over.allow, &over.allow);
        self.rates(DEFAULTS, over.rate_limit.as_ref(), None);
        let authorization =
            self.header(&[DEFAULTS, &["upstream_authorization"]].concat(), over.upstream_authorization.as_ref());
        let plan = self.default_plan();
        let defaults = settings::Tenant {
            idp: over.idp,
            plan: Arc::new(plan),
            tokens: Vec::new(),
            bare_token: over.bare_token,
            upstream_authorization: authorization,
            limits: limits_of(None, over.rate_limit.as_ref()),
            allow: allow_of(&Allow::default(), &over.allow),
        };

        let mut owners = BTreeMap::new();
        let mut list = BTreeMap::new();
        for (id, tenant) in &tenants.list {
            let at = ["tenants", "list", id.0.as_str()];
            self.resolvable(&at, tenant);
            self.allow(&at, &tenant.allow, &over.allow);
            self.rates(&at, tenant.rate_limit.as_ref(), over.rate_limit.as_ref());
            let authorization =
                self.header(&[&at[..], &["upstream_authorization"]].concat(), tenant.upstream_authorization.as_ref());
            let own = settings::Tenant {
                idp: tenant.idp.unwrap_or(over.idp),
                plan: self.own_plan(&at, &tenant.normalize, &defaults.plan),
                tokens: self.tokens(&at, &id.0, &tenant.tokens, &mut owners),
                bare_token: tenant.bare_token.unwrap_or(over.bare_token),
                upstream_authorization: authorization.or_else(|| defaults.upstream_authorization.clone()),
                limits: limits_of(tenant.rate_limit.as_ref(), over.rate_limit.as_ref()),
                allow: allow_of(&tenant.allow, &over.allow),
            };
            if tenant.upstream_authorization.is_some() && own.tokens.is_empty() {
                self.unproven(&[&at[..], &["upstream_authorization"]].concat());
            }
            list.insert(id.0.as_str().into(), Arc::new(own));
        }
        let proven = |tenant: &Arc<settings::Tenant>| !tenant.tokens.is_empty();
        let dynamic = !tenants.resolve.is_empty() && tenants.unknown == UnknownTenant::Defaults;
        let implicit = tenants.resolve.is_empty() && !list.contains_key(DEFAULT_TENANT);
        if over.upstream_authorization.is_some() && (dynamic || implicit || !list.values().all(proven)) {
            self.unproven(&[DEFAULTS, &["upstream_authorization"]].concat());
        }
        settings::Tenants {
            resolve: tenants.resolve.clone(),
            unknown: tenants.unknown,
            max_dynamic: tenants.max_dynamic.get(),
            defaults: Arc::new(defaults),
            list,
        }
    }

    /// The ways to find a tenant, and what each needs.
    fn ways(&mut self) {
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
        let Some(url) = &self.file.upstream.url else { return };
        if tenants.resolve.is_empty() || tenants.unknown == UnknownTenant::Reject {
            return;
        }
        let host = url.as_str().split("://").nth(1).and_then(|rest| rest.split('/').next()).unwrap_or_default();
        if host.contains(super::types::TENANT) {
            self.wrong(
                &["upstream", "url"],
                "with `tenants.unknown: defaults` whoever calls would choose the host that is called",
                "list the tenants and write `unknown: reject`, or put `{tenant}` into the path",
            );
        }
    }

    /// A tenant that no request can be of is a slip.
    fn resolvable(&mut self, at: &[&str], tenant: &file::Tenant) {
        let tenants = &self.file.tenants;
        let id = at[at.len() - 1];
        let can = |way: &Resolve| match way {
            Resolve::Token => !tenant.tokens.is_empty(),
            // A label of a host has no dots.
            Resolve::Host(_) => !id.contains('.'),
            Resolve::Path(_) | Resolve::Header(_) => true,
        };
        let is_default =
            id == DEFAULT_TENANT && (tenants.resolve.is_empty() || self.file.listen.outside == Outside::Pass);
        if is_default || tenants.resolve.iter().any(can) {
            return;
        }
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
        self.wrong(at, what, instead);
    }

    fn tokens<'t>(
        &mut self,
        at: &[&str],
        id: &'t str,
        tokens: &[file::Token],
        owners: &mut BTreeMap<[u8; 32], &'t str>,
    ) -> Vec<settings::Token> {
        let mut read: Vec<settings::Token> = Vec::new();
        for (i, token) in tokens.iter().enumerate() {
            let i = i.to_string();
            let at = [at, &["tokens", &i]].concat();
            self.need(token.sha256.is_some(), &at, "sha256", "write the hash that `scimshim token new` prints");
            if token.expires.is_some_and(|at| at.is_past(self.world.now)) {
                self.note(&[&at[..], &["expires"]].concat(), "the token has expired", "remove it, or issue a new one");
            }
            let Some(hash) = token.sha256 else { continue };
            if let Some(other) = owners.insert(hash.0, id) {
                let whose = if other == id {
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
            let name = token.name.clone().unwrap_or_else(|| hash.to_string().trim_end_matches('…').to_owned());
            if read.iter().any(|before| *before.name == *name) {
                self.wrong(
                    &[&at[..], &["name"]].concat(),
                    "another token of this tenant has this name, and metrics tell them apart by it",
                    "write another name",
                );
            }
            read.push(settings::Token { sha256: hash.0, name: name.into(), expires: token.expires });
        }
        read
    }

    /// Who has shown no token of ours would be given the app's own.
    fn unproven(&mut self, path: &[&str]) {
        self.note(
            path,
            "it is not used for a tenant without `tokens`: anybody who calls would be let in with it",
            "give the tenant `tokens`",
        );
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
        let unread = || ["feeds", "cidrs"].iter().any(|key| doc.has(&[&at[..], &[key, "0"]].concat()));
        if allow.mode.or(defaults.mode) == Some(AllowMode::Enforce) && !feeds && !ranges && !unread() {
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

    /// What is rewritten for a tenant without settings of its own.
    fn default_plan(&mut self) -> PlanSettings {
        let (top, over) = (&self.file.normalize, &self.file.tenants.defaults.normalize);
        let mut quirks: BTreeMap<String, Mode> = top.quirks.0.clone();
        quirks.extend(over.quirks.0.clone());
        let registry = self.registry(&[
            (&["normalize"], Some(&top.schemas.files), Some(&top.schemas.attributes)),
            (&["tenants", "defaults", "normalize"], over.schemas.files.as_ref(), over.schemas.attributes.as_ref()),
        ]);
        PlanSettings { mode: over.mode.unwrap_or(top.mode), quirks, registry: Arc::new(registry) }
    }

    /// What is rewritten for one tenant; shared where it says nothing.
    fn own_plan(&mut self, at: &[&str], own: &TenantNormalize, defaults: &Arc<PlanSettings>) -> Arc<PlanSettings> {
        if *own == TenantNormalize::default() {
            return Arc::clone(defaults);
        }
        let mut plan = PlanSettings::clone(defaults);
        plan.mode = own.mode.unwrap_or(plan.mode);
        plan.quirks.extend(own.quirks.0.clone());
        if own.schemas.files.is_some() || own.schemas.attributes.is_some() {
            let (top, over) = (&self.file.normalize.schemas, &self.file.tenants.defaults.normalize.schemas);
            // What was said about these before is not said again.
            let quiet: (&[&str], _, _) = (&[], Some(&top.files), Some(&top.attributes));
            let middle: (&[&str], _, _) = (&[], over.files.as_ref(), over.attributes.as_ref());
            let below = [at, &["normalize"]].concat();
            let registry =
                self.registry(&[quiet, middle, (&below, own.schemas.files.as_ref(), own.schemas.attributes.as_ref())]);
            plan.registry = Arc::new(registry);
        }
        Arc::new(plan)
    }

    /// The schemas of the last layer that names any, files and attributes each.
    fn registry(&mut self, layers: &[Layer<'_>]) -> Registry {
        let mut registry = Registry::rfc();
        if let Some((at, files)) = layers.iter().rev().find_map(|(at, files, _)| files.map(|files| (at, files))) {
            self.schema_files(at, files, &mut registry);
        }
        if let Some((at, list)) = layers.iter().rev().find_map(|(at, _, list)| list.map(|list| (at, list))) {
            self.attributes(at, list, &mut registry);
        }
        registry
    }

    fn schema_files(&mut self, at: &[&str], files: &[PathBuf], registry: &mut Registry) {
        for (i, file) in files.iter().enumerate() {
            let i = i.to_string();
            let at = [at, &["schemas", "files", &i]].concat();
            let file = self.base.join(file);
            self.files.push(Seen::of(file.clone()));
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
            self.problems.not_in_force(self.doc.place(&path), &path.join("."), &unmet.what);
            list.push(NotInForce { key: path.join("."), what: unmet.what });
        }
        list
    }
}

/// A tenant's rates, laid over the defaults key by key. Without any rate nothing is limited.
fn limits_of(own: Option<&RateLimit>, defaults: Option<&RateLimit>) -> Option<rate::Limits> {
    let (none, given) = (RateLimit::default(), own.is_some() || defaults.is_some());
    let (own, below) = (own.unwrap_or(&none), defaults.unwrap_or(&none));
    let quota = |own: &Option<Quota>, below: &Option<Quota>| {
        let (own, below) = (own.as_ref(), below.as_ref());
        let per_second = own.and_then(|q| q.per_second).or(below.and_then(|q| q.per_second))?.0;
        // A rate of one's own with the burst of another would be neither.
        let inherited = own.is_none_or(|q| q.per_second.is_none());
        let burst = own.and_then(|q| q.burst).or(below.filter(|_| inherited).and_then(|q| q.burst));
        let ceiling = NonZeroU32::new(per_second.ceil() as u32).unwrap_or(NonZeroU32::MIN);
        Some(rate::Quota { per_second, burst: burst.unwrap_or(ceiling) })
    };
    given.then(|| rate::Limits {
        reads: quota(&own.reads, &below.reads),
        writes: quota(&own.writes, &below.writes),
        lookups: quota(&own.lookups, &below.lookups),
        wait: own.wait.or(below.wait).map_or(WAIT, |wait| wait.0),
        max_waiting: own.max_waiting.or(below.max_waiting).unwrap_or(MAX_WAITING),
        concurrency: own.concurrency.or(below.concurrency),
    })
}

/// Entra counts a 429 as a failing object; 10 s are a fifth of the deadline.
const WAIT: Duration = Duration::from_secs(10);
/// In each class; they wait in memory without their bodies.
const MAX_WAITING: u32 = 100;

/// A tenant's allowlist, laid over the defaults; lists replace.
fn allow_of(own: &Allow, below: &Allow) -> settings::Allow {
    let feeds = own.feeds.as_ref().or(below.feeds.as_ref()).cloned().unwrap_or_default();
    let cidrs = ranges(own.cidrs.as_ref().or(below.cidrs.as_ref()).map_or(&[][..], Vec::as_slice));
    let usual = if feeds.is_empty() && cidrs.is_empty() { AllowMode::Off } else { AllowMode::Observe };
    settings::Allow { mode: own.mode.or(below.mode).unwrap_or(usual), feeds, cidrs }
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
