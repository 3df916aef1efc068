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

/// Wrong tokens that an address may try in a minute.
const TRIES: u32 = 10;
const MINUTE: Duration = Duration::from_secs(60);
/// Addresses whose tries are remembered.
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
        let mut book = self.book();
        let (since, wrong) = *book.tries.get_or_insert(peer, || (now, 0));
        let (since, wrong) = if now.saturating_duration_since(since) >= MINUTE { (now, 0) } else { (since, wrong) };
        if wrong >= TRIES {
            return Err(Refused::Tries);
        }
        let is_right = bool::from(token.ct_eq(&presented.0));
        book.tries.put(peer, (since, wrong + u32::from(!is_right)));
        if is_right { Ok(()) } else { Err(Refused::Token) }
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
fn is_loopback(host: &str) -> bool {
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

/// Whether a header is one that proxies add: standard, of clouds, and of the meshes Envoy, Istio and Linkerd.
fn forwards(name: &str) -> bool {
    const NAMES: [&str; 13] = [
        "cdn-loop",
        "client-ip",
        "fastly-client-ip",
        "forwarded",
        "true-client-ip",
        "via",
        "x-azure-clientip",
        "x-client-ip",
        "x-cluster-client-ip",
        "x-proxyuser-ip",
        "x-real-ip",
        "x-remote-addr",
        "x-remote-ip",
    ];
    const BEGINNINGS: [&str; 6] = ["cf-", "l5d-", "x-envoy-", "x-forwarded", "x-istio-", "x-original-"];
    NAMES.contains(&name) || BEGINNINGS.iter().any(|beginning| name.starts_with(beginning))
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
            "x-forwarded-client-cert",
            "x-forwarded-anything",
            "x-real-ip",
            "via",
            "true-client-ip",
            "cf-connecting-ip",
            "x-envoy-external-address",
            "x-original-forwarded-for",
            "l5d-client-id",
        ] {
            assert_eq!(
                check(&door, &open, LOCAL, &[("host", "localhost"), (name, "")]),
                Err(Refused::Forwarded),
                "{name}"
            );
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
    fn the_token_opens_to_everyone_and_ten_wrong_ones_a_minute_are_enough() {
        let (door, access) = (Door::new(), access(Some("secret"), false));
        let right = [("authorization", "Bearer secret")];
        let wrong = [("authorization", "Bearer guess")];
        assert_eq!(check(&door, &access, STRANGER, &right), Ok(()));
        assert_eq!(check(&door, &access, STRANGER, &[]), Err(Refused::Peer));
        let now = Instant::now();
        for _ in 0..TRIES {
            assert_eq!(door.check(&access, STRANGER, &request(&wrong), now), Err(Refused::Token));
        }
        assert_eq!(door.check(&access, STRANGER, &request(&right), now), Err(Refused::Tries));
        assert_eq!(door.check(&access, LOCAL, &request(&right), now), Ok(()), "another address");
        assert_eq!(door.check(&access, STRANGER, &request(&right), now + MINUTE), Ok(()));
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
