//! Heads on their way: what ends at this hop, what scimshim says about the caller, what the app should not see.

use std::{
    fmt::Write as _,
    hash::{BuildHasher, RandomState},
    net::IpAddr,
    sync::atomic::{AtomicU64, Ordering},
};

use bytes::{BufMut as _, Bytes, BytesMut};
use data_encoding::HEXLOWER;
use http::{HeaderMap, HeaderName, HeaderValue, Uri, Version, header, uri::Authority};

use crate::{gate::Caller, observe::trace};

pub(crate) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const FORWARDED: HeaderName = header::FORWARDED;
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// The longest request id that is kept; a UUID has 36, a trace context 55.
const LONGEST_ID: usize = 128;

/// Fields that end at each hop even when Connection does not name them (RFC 9110 7.6.1), and those that speak to a
/// proxy and not to the app (11.7).
fn ends_here(name: &str) -> bool {
    matches!(
        name,
        "connection"
            | "http2-settings"
            | "keep-alive"
            | "proxy-authenticate"
            | "proxy-authorization"
            | "proxy-connection"
            | "te"
            | "trailer"
            | "transfer-encoding"
            | "upgrade"
    )
}

/// Where others write what scimshim writes into `forwarded` and `x-forwarded-*`: apps read whichever they know, and only
/// one answer can be right.
fn is_forwarding(name: &str) -> bool {
    matches!(
        name,
        "forwarded"
            | "front-end-https"
            | "true-client-ip"
            | "x-client-ip"
            | "x-cluster-client-ip"
            | "x-forwarded"
            | "x-forwarded-by"
            | "x-forwarded-for"
            | "x-forwarded-host"
            | "x-forwarded-port"
            | "x-forwarded-prefix"
            | "x-forwarded-proto"
            | "x-forwarded-protocol"
            | "x-forwarded-scheme"
            | "x-forwarded-server"
            | "x-forwarded-ssl"
            | "x-original-forwarded-for"
            | "x-original-host"
            | "x-original-url"
            | "x-real-ip"
            | "x-rewrite-url"
            | "x-url-scheme"
    )
}

/// What is written or judged here and must not come a second time with `_` for `-`: CGI, WSGI and their like make one
/// name of the two.
fn has_no_twin(name: &str) -> bool {
    matches!(
        name,
        "accept-encoding"
            | "content-encoding"
            | "content-length"
            | "content-type"
            | "transfer-encoding"
            | "user-agent"
            | "x-request-id"
    )
}

/// Digests of a body that has been rewritten.
const DIGESTS: [HeaderName; 4] = [
    HeaderName::from_static("content-digest"),
    HeaderName::from_static("content-md5"),
    HeaderName::from_static("digest"),
    HeaderName::from_static("repr-digest"),
];

/// Removes what ends at this hop.
pub(crate) fn end_hop(headers: &mut HeaderMap) {
    if headers.contains_key(header::CONNECTION) {
        let named: Vec<HeaderName> = headers
            .get_all(header::CONNECTION)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .filter_map(|name| name.trim().parse().ok())
            .collect();
        for name in named {
            headers.remove(name);
        }
    }
    forget(headers, ends_here);
}

/// Removes the fields of these names. A head has few fields, fewer of which go, so all that it has are looked at and
/// none that it might have is looked up.
fn forget(headers: &mut HeaderMap, goes: impl Fn(&str) -> bool) {
    let gone: Vec<HeaderName> = headers.keys().filter(|name| goes(name.as_str())).cloned().collect();
    for name in gone {
        headers.remove(name);
    }
}

/// Turns the head that the IdP sent into the one that the app gets. The Host is left to the client, which takes it
/// from the app's URL, and so is the framing of the body.
pub(crate) fn to_app(headers: &mut HeaderMap, caller: &Caller, host: Option<&Authority>, id: &HeaderValue) {
    end_hop(headers);
    forget(headers, is_written_here);
    join_cookies(headers);
    let proto = if caller.https { "https" } else { "http" };
    // One allocation for all three values.
    let mut text = BytesMut::with_capacity(192);
    // RFC 7239 6.2 has a word for an address that is not known; the others have none.
    let mut node = Bytes::from_static(b"unknown");
    if let Some(address) = caller.address {
        write_address(&mut text, address);
        node = text.split().freeze();
        if let Ok(value) = HeaderValue::from_maybe_shared(node.clone()) {
            headers.insert(X_FORWARDED_FOR, value);
        }
    }
    let (before, behind) =
        if caller.address.is_some_and(|address| address.is_ipv6()) { ("\"[", "]\"") } else { ("", "") };
    for part in [b"for=", before.as_bytes(), &node, behind.as_bytes(), b";proto=", proto.as_bytes()] {
        text.extend_from_slice(part);
    }
    if let Some(host) = host {
        for part in [";host=\"", host.as_str(), "\""] {
            text.extend_from_slice(part.as_bytes());
        }
    }
    put(headers, FORWARDED, &mut text);
    if let Some(host) = host {
        text.extend_from_slice(host.as_str().as_bytes());
        put(headers, X_FORWARDED_HOST, &mut text);
    }
    trace::forget_broken(headers);
    headers.insert(X_FORWARDED_PROTO, HeaderValue::from_static(proto));
    headers.insert(X_REQUEST_ID, id.clone());
    if headers.get(header::USER_AGENT).is_none_or(|agent| agent.as_bytes().trim_ascii().is_empty()) {
        headers.insert(header::USER_AGENT, HeaderValue::from_static(concat!("scimshim/", env!("CARGO_PKG_VERSION"))));
    }
}

/// With every request, so an IPv4 address is written without the machinery of `write!`.
fn write_address(text: &mut BytesMut, address: IpAddr) {
    let IpAddr::V4(address) = address else {
        let _ = write!(text, "{address}");
        return;
    };
    for (place, octet) in address.octets().into_iter().enumerate() {
        if place > 0 {
            text.put_u8(b'.');
        }
        if octet > 99 {
            text.put_u8(b'0' + octet / 100);
        }
        if octet > 9 {
            text.put_u8(b'0' + octet / 10 % 10);
        }
        text.put_u8(b'0' + octet % 10);
    }
}

/// Sets a field to what has been written to `text`, which is then empty.
fn put(headers: &mut HeaderMap, name: HeaderName, text: &mut BytesMut) {
    if let Ok(value) = HeaderValue::from_maybe_shared(text.split().freeze()) {
        headers.insert(name, value);
    }
}

/// What the app gets from here and not from the caller, and what would contradict it.
fn is_written_here(name: &str) -> bool {
    if matches!(name, "host" | "content-length" | "expect") || is_forwarding(name) {
        return true;
    }
    name.contains('_') && {
        let dashed = name.replace('_', "-");
        is_forwarding(&dashed) || has_no_twin(&dashed)
    }
}

/// Removes fields that name a tenant, however they are spelled: an app that reads them would serve another tenant than
/// the one that was let in. Those that say what was found are given back, to be written when `Connection` can no longer
/// take them away.
pub(crate) fn take_tenant<'a>(
    headers: &mut HeaderMap,
    names: impl Iterator<Item = &'a HeaderName>,
    tenant: &str,
) -> Vec<(HeaderName, HeaderValue)> {
    let mut said = Vec::new();
    for name in names {
        let mut lines = headers.get_all(name).iter();
        if let (Some(line), None) = (lines.next(), lines.next())
            && line.as_bytes() == tenant.as_bytes()
        {
            said.push((name.clone(), line.clone()));
        }
        let spelled = |key: &&HeaderName| key.as_str().replace('_', "-") == name.as_str().replace('_', "-");
        let gone: Vec<HeaderName> = headers.keys().filter(spelled).cloned().collect();
        for name in gone {
            headers.remove(name);
        }
    }
    said
}

/// HTTP/2 may split Cookie, HTTP/1.1 knows one field of it (RFC 9113 8.2.3).
fn join_cookies(headers: &mut HeaderMap) {
    let crumbs: Vec<&[u8]> = headers.get_all(header::COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if crumbs.len() > 1
        && let Ok(cookie) = HeaderValue::from_bytes(&crumbs.join(&b"; "[..]))
    {
        headers.insert(header::COOKIE, cookie);
    }
}

/// Forgets what described a body that is no longer the one that was sent.
pub(crate) fn forget_body(headers: &mut HeaderMap) {
    headers.remove(header::CONTENT_ENCODING);
    for name in &DIGESTS {
        headers.remove(name);
    }
}

/// Whether Host stands there as RFC 9112 3.2 wants it: once, and a host if anything. Two of them are two targets, and
/// what stands before an `@` is a name that another reader takes for the host (RFC 9110 4.2.4).
pub(crate) fn has_sound_host(version: Version, target: &Uri, headers: &HeaderMap) -> bool {
    let plain = |authority: &Authority| !authority.as_str().contains('@');
    let mut hosts = headers.get_all(header::HOST).iter();
    let sound = |host: &HeaderValue| {
        host.is_empty() || host.to_str().is_ok_and(|host| host.parse::<Authority>().is_ok_and(|host| plain(&host)))
    };
    if target.authority().is_some_and(|authority| !plain(authority)) {
        return false;
    }
    match (hosts.next(), hosts.next()) {
        (None, _) => version != Version::HTTP_11,
        (Some(host), None) => sound(host),
        (Some(_), Some(_)) => false,
    }
}

/// Whether an HTTP/2 request names one host only (RFC 9113 8.3.1). In HTTP/1.1 an absolute target just wins.
pub(crate) fn agrees(version: Version, target: &Uri, headers: &HeaderMap) -> bool {
    let named = headers.get(header::HOST).map(HeaderValue::as_bytes);
    match (target.authority(), named) {
        (Some(authority), Some(host)) if version == Version::HTTP_2 => {
            authority.as_str().as_bytes().eq_ignore_ascii_case(host)
        }
        _ => true,
    }
}

/// The host that the caller meant: of an absolute target before the Host field (RFC 9112 3.2.2).
pub(crate) fn host(target: Option<&Authority>, headers: &HeaderMap) -> Option<Authority> {
    let named = || headers.get(header::HOST)?.to_str().ok()?.parse().ok();
    target.cloned().or_else(named)
}

/// Whether the caller wants to leave HTTP. An offer of `h2c` may be ignored (RFC 9110 7.8), and common HTTP clients
/// make it with every request.
pub(crate) fn wants_upgrade(headers: &HeaderMap) -> bool {
    headers
        .get_all(header::UPGRADE)
        .iter()
        .flat_map(|value| value.to_str().unwrap_or("?").split(','))
        .any(|protocol| !protocol.trim().eq_ignore_ascii_case("h2c"))
}

/// Names for requests that came without one.
#[derive(Debug, Default)]
pub(crate) struct Ids {
    random: RandomState,
    next: AtomicU64,
}

impl Ids {
    /// The id that the caller gave, if it is sane, or a new one. It is logged and audited as it stands, so only what ids
    /// are made of is sane: UUIDs, base64, trace contexts, `Root=1-...`. No mail address is, and nothing escaped.
    pub(crate) fn of(&self, headers: &HeaderMap) -> HeaderValue {
        let sane = |id: &&HeaderValue| {
            let id = id.as_bytes();
            let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"._:/+=-".contains(byte);
            (1..=LONGEST_ID).contains(&id.len()) && id.iter().all(plain)
        };
        headers.get(X_REQUEST_ID).filter(sane).cloned().unwrap_or_else(|| self.make())
    }

    /// A new one: random enough not to meet another replica's.
    pub(crate) fn make(&self) -> HeaderValue {
        let count = self.next.fetch_add(1, Ordering::Relaxed);
        let (high, low) = (self.random.hash_one(count), self.random.hash_one((count, "low")));
        let mut digits = [0; 16];
        digits[..8].copy_from_slice(&high.to_be_bytes());
        digits[8..].copy_from_slice(&low.to_be_bytes());
        let id = HEXLOWER.encode(&digits);
        HeaderValue::from_maybe_shared(Bytes::from(id)).unwrap_or(HeaderValue::from_static("0"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value))).collect()
    }

    fn caller(address: &str) -> Caller {
        Caller { address: Some(address.parse().unwrap()), by_proxy: false, https: false }
    }

    #[test]
    fn an_address_is_written_as_it_is_displayed() {
        for address in ["0.0.0.0", "127.0.0.1", "10.99.100.255", "192.0.2.9", "2001:db8::1"] {
            let mut text = BytesMut::new();
            write_address(&mut text, address.parse().unwrap());
            assert_eq!(text, address);
        }
    }

    #[test]
    fn no_header_names_another_tenant() {
        let name = HeaderName::from_static("x-tenant-id");
        let kept = |pairs: &[(&'static str, &'static str)]| {
            let mut headers = map(pairs);
            let said = take_tenant(&mut headers, [&name].into_iter(), "acme");
            assert!(!headers.contains_key(&name));
            headers.extend(said);
            headers
        };
        assert_eq!(
            kept(&[("x-tenant-id", "acme"), ("x-other", "b")]),
            map(&[("x-tenant-id", "acme"), ("x-other", "b")])
        );
        assert_eq!(kept(&[("x-tenant-id", "b")]), HeaderMap::new());
        assert_eq!(kept(&[("x_tenant_id", "b"), ("x-tenant-id", "acme")]), map(&[("x-tenant-id", "acme")]));
    }

    #[test]
    fn what_connection_names_ends_here() {
        let mut headers = map(&[
            ("connection", "close, X-Private"),
            ("x-private", "1"),
            ("keep-alive", "timeout=5"),
            ("te", "trailers"),
            ("x-kept", "1"),
        ]);
        end_hop(&mut headers);
        assert_eq!(headers, map(&[("x-kept", "1")]));
    }

    #[test]
    fn forwarding_is_what_was_established() {
        let mut headers = map(&[
            ("x-forwarded-for", "6.6.6.6"),
            ("x-forwarded-host", "evil.example"),
            ("x-forwarded-proto", "https"),
            ("forwarded", "for=6.6.6.6"),
            ("connection", "x-forwarded-for"),
            ("user-agent", " "),
        ]);
        let host: Authority = "app.example:80".parse().unwrap();
        to_app(&mut headers, &caller("2001:db8::1"), Some(&host), &HeaderValue::from_static("id"));
        assert_eq!(headers["x-forwarded-for"], "2001:db8::1");
        assert_eq!(headers["x-forwarded-host"], "app.example:80");
        assert_eq!(headers["x-forwarded-proto"], "http");
        assert_eq!(headers["forwarded"], r#"for="[2001:db8::1]";proto=http;host="app.example:80""#);
        assert!(headers["user-agent"].to_str().unwrap().starts_with("scimshim/"));
        to_app(&mut headers, &caller("192.0.2.1"), None, &HeaderValue::from_static("id"));
        assert!(!headers.contains_key("x-forwarded-host"), "a stranger's host must not stay");
        assert_eq!(headers["forwarded"], "for=192.0.2.1;proto=http");
        let nobody = Caller { address: None, by_proxy: true, https: true };
        to_app(&mut headers, &nobody, None, &HeaderValue::from_static("id"));
        assert!(!headers.contains_key("x-forwarded-for"));
        assert_eq!(
            (&headers["forwarded"], &headers["x-forwarded-proto"]),
            (&"for=unknown;proto=https".parse().unwrap(), &"https".parse().unwrap())
        );
    }

    #[test]
    fn nothing_contradicts_what_was_established() {
        let mut headers = map(&[
            ("x_forwarded_for", "6.6.6.6"),
            ("X_Forwarded-Host", "evil.example"),
            ("x-real-ip", "6.6.6.6"),
            ("x-forwarded-port", "443"),
            ("x-forwarded-prefix", "/admin"),
            ("x-forwarded-server", "evil.example"),
            ("true-client-ip", "6.6.6.6"),
            ("x-original-url", "/admin"),
            ("x_request_id", "other"),
            ("content_length", "1"),
            ("transfer_encoding", "chunked"),
            ("content-type", "application/scim+json"),
            ("x-forwarded-client-cert", "kept"),
            ("x_kept", "1"),
        ]);
        to_app(&mut headers, &caller("192.0.2.1"), None, &HeaderValue::from_static("id"));
        let mut names: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        let want = [
            "content-type",
            "forwarded",
            "user-agent",
            "x-forwarded-client-cert",
            "x-forwarded-for",
            "x-forwarded-proto",
            "x-request-id",
            "x_kept",
        ];
        assert_eq!(names, want);
        assert_eq!(headers["x-forwarded-for"], "192.0.2.1");
    }

    #[test]
    fn crumbs_become_one_cookie() {
        let mut headers = map(&[("cookie", "a=1"), ("cookie", "b=2"), ("cookie", "c=3")]);
        join_cookies(&mut headers);
        assert_eq!(headers, map(&[("cookie", "a=1; b=2; c=3")]));
    }

    #[test]
    fn a_sane_id_is_kept_and_any_other_replaced() {
        let ids = Ids::default();
        let longest = "x".repeat(LONGEST_ID);
        let given = |id: &str| HeaderMap::from_iter([(X_REQUEST_ID, HeaderValue::from_bytes(id.as_bytes()).unwrap())]);
        for good in ["abc-1", "Root=1-67891233-abcdef", "a+b/c==", "v1.2_3:4", &longest] {
            assert_eq!(ids.of(&given(good)), good);
        }
        let long = format!("{longest}x");
        for bad in ["", "a b", "\u{00e9}", "ada@example.com", "a%40b", "\"a\"", "a,b", "{a}", "~a", &long] {
            let headers = given(bad);
            assert_eq!(ids.of(&headers).len(), 32, "{bad:?}");
        }
        assert_ne!(ids.make(), ids.make());
    }

    #[test]
    fn an_offer_of_h2c_is_no_upgrade() {
        assert!(!wants_upgrade(&map(&[("upgrade", "h2c")])));
        assert!(wants_upgrade(&map(&[("upgrade", "h2c, websocket")])));
    }
}
