//! Who may see page and API: who stands in the pod, and who has the token.
//!
//! A loopback peer proves little by itself. A mesh proxy in the pod makes strangers look local, so what says that it was
//! forwarded is not local; and a browser can be led to any name that resolves to 127.0.0.1, so the `Host` must be a
//! loopback name, and a page of another site may not ask.
//!
//! Browsers send no bearer token of their own accord: a form takes it once and gives a cookie that stands for a session
//! here, never for the token. Sessions are kept in memory; a restart or another token ends them.

use std::{
    collections::VecDeque,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    num::NonZeroUsize,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use data_encoding::BASE64URL_NOPAD;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use lru::LruCache;
use subtle::ConstantTimeEq as _;

use super::{Answer, Desk, only, page, query, text};
use crate::{gate::token::Presented, observe::house::Access};

/// A working day and a night shift.
const SESSION: Duration = Duration::from_secs(12 * 3600);
/// More operators than look at one sidecar; one more ends the oldest.
const SESSIONS: usize = 64;

/// Wrong tokens after which an address is told to stop, in a minute. The right one passes all the same: it is too long
/// to be found by trying, and whoever shares an address with a scanner must get in.
const TRIES: u32 = 10;
const MINUTE: Duration = Duration::from_secs(60);
/// Addresses whose tries are remembered; of IPv6 a /64, within which a caller is free to choose (RFC 4291, 2.5.4).
const TRIED: NonZeroUsize = NonZeroUsize::new(256).expect("it is not 0");

/// A token and its name.
const FORM: usize = 4096;

const COOKIE: &str = "scimshim_session";

/// Why page and API are not shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refused {
    #[error("this request was made by a page of another site")]
    Foreign,
    #[error("this request says that it was forwarded, so it is not known to come from this pod")]
    Forwarded,
    #[error("the Host of this request is no loopback name, so a browser may have been led here")]
    Host,
    #[error("`admin.loopback: false` demands the token of loopback too")]
    Loopback,
    #[error("this request does not come from loopback")]
    Peer,
    #[error("the token is not the one of `admin.token`")]
    Token,
    #[error("too many wrong tokens from this address; try again in a minute")]
    Tries,
}

/// Sessions, and who tries tokens.
pub(super) struct Door(Mutex<Book>);

struct Book {
    sessions: VecDeque<Session>,
    tries: LruCache<IpAddr, (Instant, u32)>,
}

struct Session {
    /// The hash of the cookie: what is in memory opens nothing.
    id: Presented,
    /// The token that it was opened with.
    token: [u8; 32],
    since: Instant,
}

impl Door {
    pub(super) fn new() -> Self {
        Self(Mutex::new(Book { sessions: VecDeque::new(), tries: LruCache::new(TRIED) }))
    }

    /// Whether this request may see page and API.
    pub(super) fn check<B>(
        &self,
        access: &Access,
        peer: IpAddr,
        request: &Request<B>,
        now: Instant,
    ) -> Result<(), Refused> {
        let Err(refused) = local(access, peer, request) else { return Ok(()) };
        let Some(token) = access.token else { return Err(refused) };
        if let Some(presented) = Presented::of(request.headers(), false) {
            return self.try_token(token, &presented, peer, now);
        }
        let mut cookies = cookies(request.headers());
        if cookies.any(|cookie| self.is_open(cookie, token, now)) { Ok(()) } else { Err(refused) }
    }

    /// Compares a token, and counts the wrong ones.
    fn try_token(&self, token: [u8; 32], presented: &Presented, peer: IpAddr, now: Instant) -> Result<(), Refused> {
        if bool::from(token.ct_eq(&presented.0)) {
            return Ok(());
        }
        let mut book = self.book();
        let (since, wrong) = book.tries.get_or_insert_mut(neighbourhood(peer), || (now, 0));
        if now.saturating_duration_since(*since) >= MINUTE {
            (*since, *wrong) = (now, 0);
        }
        *wrong = wrong.saturating_add(1);
        Err(if *wrong > TRIES { Refused::Tries } else { Refused::Token })
    }

    /// A new session, by the value of its cookie.
    fn open(&self, token: [u8; 32], now: Instant) -> Result<String, getrandom::Error> {
        let mut id = [0; 32];
        getrandom::fill(&mut id)?;
        let id = BASE64URL_NOPAD.encode(&id);
        let sessions = &mut self.book().sessions;
        if sessions.len() >= SESSIONS {
            sessions.pop_front();
        }
        sessions.push_back(Session { id: Presented::hash(id.as_bytes()), token, since: now });
        Ok(id)
    }

    fn is_open(&self, cookie: &[u8], token: [u8; 32], now: Instant) -> bool {
        let asked = Presented::hash(cookie);
        let sessions = &mut self.book().sessions;
        sessions.retain(|session| {
            now.saturating_duration_since(session.since) < SESSION && bool::from(session.token.ct_eq(&token))
        });
        sessions.iter().fold(false, |found, session| found | bool::from(session.id.0.ct_eq(&asked.0)))
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Refused {
    /// Whether a token was tried, so that this is a failure and not a first visit.
    pub(super) fn is_failure(self) -> bool {
        match self {
            Self::Token | Self::Tries => true,
            Self::Foreign | Self::Forwarded | Self::Host | Self::Loopback | Self::Peer => false,
        }
    }

    /// What the caller is told, with the cure.
    pub(super) fn answer<B>(self, access: &Access, request: &Request<B>) -> Answer {
        let status = match (self, access.token) {
            (Self::Tries, _) => StatusCode::TOO_MANY_REQUESTS,
            (_, Some(_)) => StatusCode::UNAUTHORIZED,
            (_, None) => StatusCode::FORBIDDEN,
        };
        let cure = match (access.token.is_some(), access.loopback) {
            (true, true) => {
                "send `Authorization: Bearer <admin.token>`, log in at /login, or use `kubectl port-forward` and open \
                 http://localhost:<port>/"
            }
            (true, false) => "send `Authorization: Bearer <admin.token>`, or log in at /login",
            (false, true) => {
                "use `kubectl port-forward` and open http://localhost:<port>/, or set `admin.token` and send it"
            }
            (false, false) => "set `admin.token` and send it as `Authorization: Bearer ...`",
        };
        let mut answer = if access.token.is_some() && wants_html(request.headers()) {
            page::login(status, Some(self))
        } else {
            text(status, format!("{self}; {cure}\n"))
        };
        let headers = answer.headers_mut();
        match status {
            StatusCode::UNAUTHORIZED => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"scimshim\""));
            }
            StatusCode::TOO_MANY_REQUESTS => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static("60"));
            }
            _ => {}
        }
        answer
    }
}

impl Desk {
    /// The form, and what it sends.
    pub(super) async fn login(self: &Arc<Self>, peer: IpAddr, request: Request<Incoming>) -> Answer {
        let access = self.admin.house.access();
        let Some(token) = access.token else {
            return text(
                StatusCode::NOT_FOUND,
                "there is no `admin.token` to log in with; use `kubectl port-forward`\n",
            );
        };
        if matches!(*request.method(), Method::GET | Method::HEAD) {
            return page::login(StatusCode::OK, None);
        }
        if *request.method() != Method::POST {
            return only("GET, HEAD, POST");
        }
        if is_foreign(request.headers()) {
            return Refused::Foreign.answer(&access, &request);
        }
        let (head, body) = request.into_parts();
        let request = Request::from_parts(head, ());
        let Ok(form) = Limited::new(body, FORM).collect().await else {
            return text(StatusCode::BAD_REQUEST, "a form with one field `token` is expected\n");
        };
        let form = form.to_bytes();
        let given = std::str::from_utf8(&form).ok().and_then(|form| query::field(form, "token")).unwrap_or_default();
        let presented = Presented::hash(given.trim().as_bytes());
        let now = Instant::now();
        if let Err(refused) = self.door.try_token(token, &presented, peer, now) {
            return refused.answer(&access, &request);
        }
        let Ok(session) = self.door.open(token, now) else {
            return text(
                StatusCode::SERVICE_UNAVAILABLE,
                "the system has no random numbers; send the token as a header\n",
            );
        };
        let mut answer = text(StatusCode::SEE_OTHER, "logged in\n");
        answer.headers_mut().insert(header::LOCATION, HeaderValue::from_static("/"));
        let cookie = format!("{COOKIE}={session}; HttpOnly; SameSite=Strict; Path=/; Max-Age={}", SESSION.as_secs());
        if let Ok(cookie) = HeaderValue::try_from(cookie) {
            answer.headers_mut().insert(header::SET_COOKIE, cookie);
        }
        answer
    }
}

/// Whose tries are counted together.
fn neighbourhood(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX))),
        v4 @ IpAddr::V4(_) => v4,
    }
}

/// Whether the request comes from within the pod, as far as can be told.
fn local<B>(access: &Access, peer: IpAddr, request: &Request<B>) -> Result<(), Refused> {
    let headers = request.headers();
    let mut hosts = headers.get_all(header::HOST).iter();
    let host = match (hosts.next().map(HeaderValue::as_bytes), hosts.next()) {
        (Some(host), None) => std::str::from_utf8(host).unwrap_or_default(),
        _ => "",
    };
    let named = request.uri().authority().is_none_or(|authority| is_loopback(authority.as_str()));
    if !peer.to_canonical().is_loopback() {
        Err(Refused::Peer)
    } else if !access.loopback {
        Err(Refused::Loopback)
    } else if headers.keys().any(|name| forwards(name.as_str())) {
        Err(Refused::Forwarded)
    } else if !is_loopback(host) || !named {
        Err(Refused::Host)
    } else if is_foreign(headers) {
        Err(Refused::Foreign)
    } else {
        Ok(())
    }
}

/// Whether a `Host` names this machine to itself.
pub(super) fn is_loopback(host: &str) -> bool {
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => (name, port),
        _ => (host, ""),
    };
    let name_is_ours = match name.strip_prefix('[').and_then(|name| name.strip_suffix(']')) {
        Some(v6) => v6.parse::<Ipv6Addr>().is_ok_and(|v6| v6.to_canonical().is_loopback()),
        None => name.eq_ignore_ascii_case("localhost") || name.parse::<Ipv4Addr>().is_ok_and(|v4| v4.is_loopback()),
    };
    name_is_ours && port.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether a header is one that proxies add: standard ones, and those of meshes, clouds, content networks and gateways.
///
/// By parts of names rather than by a list of them, since each vendor has its own: a name taken for one of them wrongly
/// costs a token, and one overlooked shows the page to strangers.
fn forwards(name: &str) -> bool {
    const NAMES: [&str; 6] = ["remote-user", "rndr-id", "via", "x-request-start", "x-scheme", "x-url-scheme"];
    const PARTS: [&str; 25] = [
        "caller-ip",
        "client-addr",
        "client-cert",
        "client-ip",
        "client-verify",
        "clientip",
        "connecting-ip",
        "forward",
        "front-end",
        "host-override",
        "originating",
        "peer-ip",
        "proxy",
        "real-ip",
        "remote-addr",
        "remote-host",
        "remote-ip",
        "source-ip",
        "src-ip",
        "user-ip",
        "userip",
        "x-host",
        "x-original",
        "x-rewrite",
        "x-via",
    ];
    const BEGINNINGS: [&str; 41] = [
        "akamai",
        "ali-cdn",
        "cdn-",
        "cf-",
        "cloudfront-",
        "do-connecting",
        "eagleeye-",
        "fastly",
        "fly-",
        "incap-",
        "l5d-",
        "ssl-client",
        "tailscale-",
        "x-akamai",
        "x-amz",
        "x-appengine",
        "x-arr-",
        "x-auth-request",
        "x-authentik",
        "x-azure",
        "x-cdn",
        "x-cloud-trace",
        "x-cloudfront",
        "x-cluster",
        "x-edge",
        "x-envoy",
        "x-fastly",
        "x-fd-",
        "x-gateway",
        "x-goog-",
        "x-google-",
        "x-istio",
        "x-kong-",
        "x-nf-",
        "x-ngrok",
        "x-nginx",
        "x-pomerium",
        "x-sucuri",
        "x-tyk-",
        "x-varnish",
        "x-vercel",
    ];
    let name = name.to_ascii_lowercase().replace('_', "-");
    NAMES.contains(&&*name)
        || PARTS.iter().any(|part| name.contains(part))
        || BEGINNINGS.iter().any(|beginning| name.starts_with(beginning))
}

/// Whether a browser says that another site's page asks: only to go here is no asking (Fetch Metadata).
fn is_foreign(headers: &HeaderMap) -> bool {
    let is = |name: &str, values: &[&str]| headers.get(name).is_some_and(|value| values.iter().any(|v| value == *v));
    is("sec-fetch-site", &["cross-site", "same-site"]) && !is("sec-fetch-mode", &["navigate"])
}

fn wants_html(headers: &HeaderMap) -> bool {
    headers
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|accept| accept.contains("text/html"))
}

/// The values of our cookie; a browser may hold several, of other ports of the same host.
fn cookies(headers: &HeaderMap) -> impl Iterator<Item = &[u8]> {
    let lines = headers.get_all(header::COOKIE).iter();
    let pairs = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b';')).map(<[u8]>::trim_ascii);
    pairs.filter_map(|pair| pair.strip_prefix(COOKIE.as_bytes())?.strip_prefix(b"=")).take(8)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
    const STRANGER: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 1, 2, 3));

    fn request(headers: &[(&str, &str)]) -> Request<()> {
        let request = headers.iter().fold(Request::get("/"), |request, (name, value)| request.header(*name, *value));
        request.body(()).unwrap()
    }

    fn access(token: Option<&str>, loopback: bool) -> Access {
        Access { token: token.map(|token| Presented::hash(token.as_bytes()).0), loopback }
    }

    fn check(door: &Door, access: &Access, peer: IpAddr, headers: &[(&str, &str)]) -> Result<(), Refused> {
        door.check(access, peer, &request(headers), Instant::now())
    }

    #[test]
    fn loopback_counts_with_a_loopback_host_and_unforwarded() {
        let (door, open) = (Door::new(), access(None, true));
        let mapped = "::ffff:127.0.0.1".parse().unwrap();
        for peer in [LOCAL, "127.9.9.9".parse().unwrap(), "::1".parse().unwrap(), mapped] {
            for host in ["localhost", "LocalHost:7644", "127.0.0.1", "127.3.0.1:80", "[::1]", "[::1]:7644"] {
                assert_eq!(check(&door, &open, peer, &[("host", host)]), Ok(()), "{peer} {host}");
            }
        }
        assert_eq!(check(&door, &open, STRANGER, &[("host", "localhost")]), Err(Refused::Peer));
        assert_eq!(check(&door, &access(None, false), LOCAL, &[("host", "localhost")]), Err(Refused::Loopback));
    }

    #[test]
    fn a_name_that_was_bound_to_loopback_is_no_loopback_name() {
        let (door, open) = (Door::new(), access(None, true));
        for host in [
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "localhost:80:80",
            "localhost:a",
            "evil.example:127.0.0.1",
            "user@localhost",
            "::1",
            "[::2]",
            "128.0.0.1",
            "0.0.0.0",
            "",
        ] {
            assert_eq!(check(&door, &open, LOCAL, &[("host", host)]), Err(Refused::Host), "{host:?}");
        }
        assert_eq!(check(&door, &open, LOCAL, &[]), Err(Refused::Host));
        assert_eq!(check(&door, &open, LOCAL, &[("host", "localhost"), ("host", "localhost")]), Err(Refused::Host));
        let request = Request::get("http://evil.example/").header("host", "localhost").body(()).unwrap();
        assert_eq!(door.check(&open, LOCAL, &request, Instant::now()), Err(Refused::Host));
    }

    #[test]
    fn what_a_proxy_adds_is_not_local() {
        let (door, open) = (Door::new(), access(None, true));
        for name in [
            "Forwarded",
            "X-Forwarded-For",
            "X_Forwarded_For",
            "X-FORWARDED_anything",
            "x-forwarded-client-cert",
            "x-ms-forwarded-client-ip",
            "x-real-ip",
            "x_real_ip",
            "via",
            "true-client-ip",
            "wl-proxy-client-ip",
            "x-azure-clientip",
            "x-azure-ref",
            "cf-connecting-ip",
            "cf-ray",
            "fly-client-ip",
            "fly-region",
            "x-amz-cf-id",
            "x-amzn-trace-id",
            "x-appengine-user-ip",
            "x-envoy-external-address",
            "ali-cdn-real-ip",
            "akamai-origin-hop",
            "fastly-ff",
            "x-cluster-client-ip",
            "x-original-forwarded-for",
            "x-original-url",
            "x-rewrite-url",
            "x-host",
            "x-http-host-override",
            "cdn-loop",
            "cloudfront-viewer-address",
            "do-connecting-ip",
            "x-remote-addr",
            "x-remote-user-ip",
            "x-proxyuser-ip",
            "x-source-ip",
            "x-originating-ip",
            "x-cloud-trace-context",
            "x-goog-iap-jwt-assertion",
            "x-arr-log-id",
            "x-auth-request-email",
            "tailscale-user-login",
            "front-end-https",
            "ssl-client-verify",
            "x-vercel-id",
            "x-varnish",
            "l5d-client-id",
            "x-istio-attributes",
        ] {
            assert_eq!(
                check(&door, &open, LOCAL, &[("host", "localhost"), (name, "")]),
                Err(Refused::Forwarded),
                "{name}"
            );
        }
    }

    #[test]
    fn what_browsers_and_tools_send_themselves_is_not_taken_for_forwarding() {
        let (door, open) = (Door::new(), access(None, true));
        for name in [
            "accept",
            "accept-encoding",
            "accept-language",
            "authorization-hint",
            "cache-control",
            "connection",
            "cookie",
            "dnt",
            "if-none-match",
            "last-event-id",
            "origin",
            "pragma",
            "priority",
            "range",
            "referer",
            "sec-ch-ua",
            "sec-ch-ua-form-factors",
            "sec-ch-ua-platform",
            "sec-fetch-dest",
            "sec-fetch-user",
            "sec-gpc",
            "traceparent",
            "upgrade-insecure-requests",
            "user-agent",
            "x-prometheus-scrape-timeout-seconds",
            "x-request-id",
            "x-requested-with",
        ] {
            assert_eq!(check(&door, &open, LOCAL, &[("host", "localhost"), (name, "")]), Ok(()), "{name}");
        }
    }

    #[test]
    fn the_page_of_another_site_may_lead_here_and_not_ask() {
        let (door, open) = (Door::new(), access(None, true));
        let ask = |site, mode| {
            check(&door, &open, LOCAL, &[("host", "localhost"), ("sec-fetch-site", site), ("sec-fetch-mode", mode)])
        };
        assert_eq!(ask("same-origin", "cors"), Ok(()));
        assert_eq!(ask("none", "navigate"), Ok(()));
        assert_eq!(ask("cross-site", "navigate"), Ok(()));
        assert_eq!(ask("cross-site", "no-cors"), Err(Refused::Foreign));
        assert_eq!(ask("same-site", "cors"), Err(Refused::Foreign));
    }

    #[test]
    fn the_right_token_always_opens_and_ten_wrong_ones_a_minute_are_enough() {
        let (door, access) = (Door::new(), access(Some("secret"), false));
        let right = [("authorization", "Bearer secret")];
        let wrong = [("authorization", "Bearer guess")];
        assert_eq!(check(&door, &access, STRANGER, &right), Ok(()));
        assert_eq!(check(&door, &access, STRANGER, &[]), Err(Refused::Peer));
        let now = Instant::now();
        let guess = |peer, now| door.check(&access, peer, &request(&wrong), now);
        for _ in 0..TRIES {
            assert_eq!(guess(STRANGER, now), Err(Refused::Token));
        }
        assert_eq!(guess(STRANGER, now), Err(Refused::Tries));
        assert_eq!(door.check(&access, STRANGER, &request(&right), now), Ok(()), "nobody is locked out");
        assert_eq!(guess(STRANGER, now), Err(Refused::Tries), "and the right one clears no count");
        assert_eq!(guess(LOCAL, now), Err(Refused::Token), "another address");
        assert_eq!(guess(STRANGER, now + MINUTE), Err(Refused::Token));
    }

    #[test]
    fn tries_of_ipv6_are_counted_by_network() {
        let (door, access) = (Door::new(), access(Some("secret"), false));
        let now = Instant::now();
        let guess = |peer: &str| {
            door.check(&access, peer.parse().unwrap(), &request(&[("authorization", "Bearer guess")]), now)
        };
        for host in 0..TRIES {
            assert_eq!(guess(&format!("2001:db8:0:7:{host:x}::1")), Err(Refused::Token));
        }
        assert_eq!(guess("2001:db8:0:7:ffff:ffff:ffff:ffff"), Err(Refused::Tries));
        assert_eq!(guess("2001:db8:0:8::1"), Err(Refused::Token), "another network");
        for _ in 0..TRIES {
            assert_eq!(guess("::ffff:192.0.2.1"), Err(Refused::Token));
        }
        assert_eq!(guess("::ffff:192.0.2.1"), Err(Refused::Tries));
        assert_eq!(guess("::ffff:192.0.2.2"), Err(Refused::Token), "IPv4 by address, however it is written");
    }

    #[test]
    fn a_session_ends_with_its_time_its_token_and_the_next_64() {
        let door = Door::new();
        let (secret, now) = (access(Some("secret"), true), Instant::now());
        let open = || door.open(secret.token.unwrap(), now).unwrap();
        let ask = |access: &Access, cookie: &str, now| {
            let cookie = format!("other=1; {COOKIE}={cookie}");
            door.check(access, STRANGER, &request(&[("cookie", &cookie)]), now)
        };
        let session = open();
        assert_eq!(ask(&secret, &session, now), Ok(()));
        assert_eq!(ask(&secret, "secret", now), Err(Refused::Peer));
        assert_eq!(ask(&secret, "", now), Err(Refused::Peer));
        assert_eq!(ask(&access(None, true), &session, now), Err(Refused::Peer));
        assert_eq!(ask(&secret, &session, now + SESSION), Err(Refused::Peer));
        let session = open();
        assert_eq!(ask(&access(Some("next"), true), &session, now), Err(Refused::Peer));
        assert_eq!(ask(&secret, &session, now), Err(Refused::Peer), "it was ended by the other token");
        let session = open();
        (0..SESSIONS).for_each(|_| drop(open()));
        assert_eq!(ask(&secret, &session, now), Err(Refused::Peer));
    }
}
