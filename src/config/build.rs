//! From what was written to what runs: the checks that need more than one key, the machine or the clock.

mod feeds;
mod tenants;

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use http::{HeaderValue, Uri};
use ipnet::IpNet;
use sha2::{Digest, Sha256};

use super::{
    World,
    document::Node,
    file::{File, StoreKind},
    force,
    problem::{Grade, Problems},
    settings::{self, AddressFrom, NotInForce, Settings},
    types::{BasePath, Cidr, Period, Secret, SecretText, Size},
};
use crate::{tls, watch::Seen};

/// The tenant of every request that nothing else resolves.
pub(crate) const DEFAULT_TENANT: &str = "default";

/// hyper's HTTP/1 buffer cannot be smaller.
const MIN_HEADER: usize = 8 << 10;
/// 10,000 connections (the default) of it are 10 GiB already.
const MAX_HEADER: usize = 1 << 20;
/// A body is held in memory whole.
const MAX_BODY: usize = 1 << 30;
/// Of 16 random letters and digits nobody finds one by trying.
const SHORT_TOKEN: usize = 16;
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
    let token = build.secret(&["admin", "token"], file.admin.token.as_ref());
    if token.as_ref().is_some_and(|token| token.expose().len() < SHORT_TOKEN) {
        let what = format!(
            "it is shorter than {SHORT_TOKEN} characters, and nothing but its length keeps it from being found"
        );
        build.note(&["admin", "token"], what, "use a random one, such as `openssl rand -hex 32` prints");
    }
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
        admin: settings::Admin {
            address: file.admin.address.0,
            token: token.map(|token| Sha256::digest(token.expose()).into()),
            loopback: file.admin.loopback,
            readiness: file.admin.readiness,
        },
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
        feeds: feeds::feeds_of(file, base, &tenants),
        tenants,
        store: match (file.rate_limit_store.kind, &file.rate_limit_store.url) {
            (StoreKind::Redis, Some(url)) => {
                settings::Store::Redis { url: url.clone(), key_prefix: file.rate_limit_store.key_prefix.clone() }
            }
            (StoreKind::Redis | StoreKind::Local, _) => settings::Store::Local,
        },
        max_labels: file.metrics.max_tenants,
        quarantine: settings::Quarantine {
            snapshot: file.quarantine.snapshot.0,
            mass_delete_threshold: file.quarantine.mass_delete_threshold.get(),
        },
        journal: settings::Journal {
            entries: file.journal.entries,
            failures_only: file.journal.failures_only,
            reveal: file.journal.reveal.iter().map(|tenant| tenant.0.clone()).collect(),
        },
        audit: file.audit.target.as_ref().map(|target| match target.to_str() {
            Some("stdout") => settings::AuditTarget::Stdout,
            _ => settings::AuditTarget::File(base.join(target)),
        }),
        otlp: file.telemetry.otlp_endpoint.clone(),
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

    /// A tenant that is never served reveals nothing: its name is misspelled, and the real one stays redacted.
    fn revealed(&mut self) {
        let (tenants, reveal) = (&self.file.tenants, &self.file.journal.reveal);
        if tenants.unknown != settings::UnknownTenant::Reject {
            return;
        }
        for tenant in reveal {
            if &*tenant.0 != DEFAULT_TENANT && !tenants.list.contains_key(tenant) {
                let what = format!("no tenant `{}` is listed, and others are turned away", tenant.0);
                self.note(&["journal", "reveal"], what, "write a name from `tenants.list`, or remove it");
            }
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
        self.revealed();
        if let Some(endpoint) = &file.telemetry.otlp_endpoint {
            self.collector(endpoint);
        }
    }

    /// OTLP is spoken over HTTP. On the port of the other kind nobody understands it, unless the path says otherwise.
    fn collector(&mut self, endpoint: &super::types::HttpUrl) {
        const ENDPOINT: &[&str] = &["telemetry", "otlp_endpoint"];
        if endpoint.has_tenant() {
            self.wrong(ENDPOINT, "there is one collector for all tenants", "write a URL without `{tenant}`");
        }
        let authority = endpoint.as_str().split('/').nth(2).unwrap_or_default();
        if authority.ends_with(":4317") && matches!(endpoint.path(), "" | "/") {
            self.note(
                ENDPOINT,
                "4317 is where collectors take OTLP over gRPC, and scimshim speaks OTLP over HTTP",
                "write the port for HTTP, which is 4318 by default",
            );
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
