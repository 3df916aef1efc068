//! Who is calling: one address, or none.
//!
//! The other end of the connection (or what a PROXY header says of it) is believed. A header is believed only where that
//! end is a trusted proxy, and then from right to left: each proxy writes down whom it saw, so the first address from
//! the right that is no trusted proxy is the caller, and everything left of it may be invented. What was not chosen:
//! counting hops (wrong as soon as one proxy more or less stands in the way), and the leftmost entry (anyone writes it).
//! Where the walk finds nothing, the address is unknown; that is never taken for "allowed".

use std::net::{IpAddr, SocketAddr};

use http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::config::settings::{AddressFrom, ClientAddress};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// What is established about the caller of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caller {
    /// Its address, IPv4-mapped ones as IPv4; `None` where none could be established.
    pub address: Option<IpAddr>,
    /// Whether the other end of the connection is a trusted proxy.
    pub by_proxy: bool,
    /// Whether it came by HTTPS, as far as that is known here.
    pub https: bool,
}

/// Establishes the caller. `peer` is the other end of the connection, or what a PROXY header said; `None` where that
/// said nothing. The headers must be as they came: `Connection: x-forwarded-for` would remove the evidence.
pub fn caller(rules: &ClientAddress, peer: Option<IpAddr>, tls: bool, headers: &HeaderMap) -> Caller {
    let peer = peer.map(|peer| peer.to_canonical());
    let by_proxy = peer.is_some_and(|peer| is_trusted(rules, peer));
    if !by_proxy {
        return Caller { address: peer, by_proxy, https: tls };
    }
    let (address, https) = match rules.from {
        AddressFrom::Peer => return Caller { address: peer, by_proxy, https: tls },
        AddressFrom::XForwardedFor => {
            (walk(rules, entries(headers, &X_FORWARDED_FOR).map(|entry| node(entry.trim()))), forwarded_proto(headers))
        }
        AddressFrom::Forwarded => {
            let hops = hops(headers);
            let proto = hops.as_ref().and_then(|hops| hops.last()).and_then(|hop| hop.https);
            let walked = hops.and_then(|hops| walk(rules, hops.into_iter().map(|hop| hop.node)));
            (walked, proto)
        }
    };
    Caller { address, by_proxy, https: https.unwrap_or(tls) }
}

fn is_trusted(rules: &ClientAddress, address: IpAddr) -> bool {
    rules.trusted_proxies.iter().any(|net| net.contains(&address))
}

/// The first address from the right that is no trusted proxy. One that cannot be read ends the walk without a result:
/// who stands left of it is not known. So does a list of trusted proxies only.
fn walk(rules: &ClientAddress, nodes: impl DoubleEndedIterator<Item = Option<IpAddr>>) -> Option<IpAddr> {
    nodes.rev().find(|node| node.is_none_or(|address| !is_trusted(rules, address))).flatten()
}

/// Every entry of a list header, all lines in their order (RFC 9110 5.3). A line that is no text is one bad entry.
fn entries<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl DoubleEndedIterator<Item = &'a str> {
    let text = |line: &'a HeaderValue| line.to_str().unwrap_or("?");
    headers.get_all(name).iter().flat_map(move |line| text(line).split(','))
}

/// An address as proxies write it: bare, or with a port (Azure's gateways). A zone names an interface of another
/// machine, and `unknown` or `_hidden` (RFC 7239 6.2, 6.3) nobody.
fn node(text: &str) -> Option<IpAddr> {
    if text.contains('%') {
        return None;
    }
    let bare = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok().map(IpAddr::V6);
    let with_port = || text.parse().ok().map(|socket: SocketAddr| socket.ip());
    text.parse().ok().or_else(with_port).or_else(bare).map(|address: IpAddr| address.to_canonical())
}

/// What the nearest proxy says of the scheme: the last entry.
fn forwarded_proto(headers: &HeaderMap) -> Option<bool> {
    let last = entries(headers, &X_FORWARDED_PROTO).next_back()?;
    scheme(last.trim())
}

fn scheme(text: &str) -> Option<bool> {
    if text.eq_ignore_ascii_case("https") { Some(true) } else { text.eq_ignore_ascii_case("http").then_some(false) }
}

/// An element of `Forwarded` (RFC 7239 4), as far as it matters here.
#[derive(Debug, PartialEq, Eq)]
struct Hop {
    node: Option<IpAddr>,
    https: Option<bool>,
}

/// The elements of all `Forwarded` lines; `None` if one cannot be read, since a comma in a quoted string may then have
/// been taken for the end of an element.
fn hops(headers: &HeaderMap) -> Option<Vec<Hop>> {
    let mut hops = Vec::new();
    for line in headers.get_all(header::FORWARDED) {
        let mut rest = line.to_str().ok()?;
        loop {
            let (hop, after) = element(rest)?;
            hops.push(hop);
            match after {
                Some(more) => rest = more,
                None => break,
            }
        }
    }
    Some(hops)
}

/// One element, and what follows its comma.
fn element(mut text: &str) -> Option<(Hop, Option<&str>)> {
    let (mut node_seen, mut hop) = (false, Hop { node: None, https: None });
    loop {
        text = text.trim_start();
        // Empty pairs and elements are legal in lists (RFC 9110 5.6.1); an element without `for` names nobody.
        let end = text.find([';', ',', '=']).unwrap_or(text.len());
        if text[end..].starts_with('=') {
            let (name, (value, after)) = (&text[..end], value(&text[end + 1..])?);
            if name.eq_ignore_ascii_case("for") {
                // Two of them are two callers.
                hop.node = if node_seen { None } else { node(&value) };
                node_seen = true;
            } else if name.eq_ignore_ascii_case("proto") {
                hop.https = scheme(&value);
            }
            text = after.trim_start();
        } else if text[..end].trim().is_empty() {
            text = &text[end..];
        } else {
            return None;
        }
        match text.chars().next() {
            None => return Some((hop, None)),
            Some(',') => return Some((hop, Some(&text[1..]))),
            Some(';') => text = &text[1..],
            Some(_) => return None,
        }
    }
}

/// A token or a quoted string, and what follows it.
fn value(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([';', ',', ' ', '\t', '"']).unwrap_or(text.len());
        return Some((text[..end].to_owned(), &text[end..]));
    };
    let mut value = String::new();
    let mut chars = quoted.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, &quoted[at + 1..])),
            '\\' => value.push(chars.next()?.1),
            c => value.push(c),
        }
    }
    None
}

/// Whether an address is one that no caller from the internet has: private, shared, local.
pub fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, ..] = v4.octets();
            // RFC 6598: what carriers and clouds use between.
            v4.is_private() || v4.is_loopback() || v4.is_link_local() || (a == 100 && (64..128).contains(&b))
        }
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(from: AddressFrom) -> ClientAddress {
        let trusted_proxies = ["10.0.0.0/8", "2001:db8:1::/48"].map(|net| net.parse().unwrap()).to_vec();
        ClientAddress { from, trusted_proxies }
    }

    fn map(lines: &[(&'static str, &str)]) -> HeaderMap {
        lines.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[track_caller]
    fn says(from: AddressFrom, peer: &str, lines: &[(&'static str, &str)], want: Option<&str>) {
        let got = caller(&rules(from), Some(peer.parse().unwrap()), false, &map(lines)).address;
        assert_eq!(got, want.map(|want| want.parse().unwrap()), "{peer} {lines:?}");
    }

    const XFF: AddressFrom = AddressFrom::XForwardedFor;

    #[test]
    fn a_stranger_is_not_believed() {
        let lie = [("x-forwarded-for", "192.0.2.1"), ("forwarded", "for=192.0.2.1")];
        says(XFF, "203.0.113.9", &lie, Some("203.0.113.9"));
        says(AddressFrom::Forwarded, "203.0.113.9", &lie, Some("203.0.113.9"));
        says(AddressFrom::Peer, "10.0.0.1", &lie, Some("10.0.0.1"));
    }

    #[test]
    fn the_first_hop_from_the_right_that_is_no_proxy_is_the_caller() {
        for (lines, want) in [
            (&[("x-forwarded-for", "192.0.2.1")][..], Some("192.0.2.1")),
            (&[("x-forwarded-for", "6.6.6.6, 192.0.2.1, 10.1.1.1")], Some("192.0.2.1")),
            (&[("x-forwarded-for", "6.6.6.6,192.0.2.1,10.1.1.1,2001:db8:1::7")], Some("192.0.2.1")),
            (&[("x-forwarded-for", "6.6.6.6"), ("x-forwarded-for", "192.0.2.1")], Some("192.0.2.1")),
            (&[("x-forwarded-for", "192.0.2.1:4711")], Some("192.0.2.1")),
            (&[("x-forwarded-for", "[2001:db8::1]:4711")], Some("2001:db8::1")),
            (&[("x-forwarded-for", "[2001:db8::1]")], Some("2001:db8::1")),
            (&[("x-forwarded-for", "::ffff:192.0.2.1")], Some("192.0.2.1")),
            (&[("x-forwarded-for", "192.0.2.1, ::ffff:10.0.0.9")], Some("192.0.2.1")),
        ] {
            says(XFF, "10.0.0.1", lines, want);
            says(XFF, "::ffff:10.0.0.1", lines, want);
        }
    }

    #[test]
    fn what_cannot_be_read_is_nobody() {
        for value in [
            "",
            "10.0.0.2",
            "10.0.0.2, 10.0.0.3",
            "192.0.2.1, unknown",
            "192.0.2.1,",
            "192.0.2.1, _hidden",
            "fe80::1%eth0",
            "[fe80::1%3]:80",
            "020.190.137.45",
            "192.0.2.1 192.0.2.2",
            "192.0.2.1:99999",
            "192.0.2.300",
            "for=192.0.2.1",
        ] {
            says(XFF, "10.0.0.1", &[("x-forwarded-for", value)], None);
        }
        says(XFF, "10.0.0.1", &[], None);
        says(XFF, "10.0.0.1", &[("x_forwarded_for", "192.0.2.1")], None);
        says(AddressFrom::Forwarded, "10.0.0.1", &[("x-forwarded-for", "192.0.2.1")], None);
        let got = caller(&rules(XFF), None, false, &map(&[("x-forwarded-for", "192.0.2.1")]));
        assert_eq!((got.address, got.by_proxy), (None, false));
    }

    #[test]
    fn forwarded_is_read_as_rfc_7239_has_it() {
        for (lines, want) in [
            (&[("forwarded", "for=192.0.2.60;proto=http;by=203.0.113.43")][..], Some("192.0.2.60")),
            (&[("forwarded", "For=\"[2001:db8:cafe::17]:4711\"")], Some("2001:db8:cafe::17")),
            (&[("forwarded", "for=6.6.6.6, for=192.0.2.1 ; proto=https , for=10.2.2.2")], Some("192.0.2.1")),
            (&[("forwarded", "for=6.6.6.6"), ("forwarded", "for=192.0.2.1")], Some("192.0.2.1")),
            (&[("forwarded", "by=\"a,for=6.6.6.6\";for=192.0.2.1")], Some("192.0.2.1")),
            (&[("forwarded", "host=\"x\\\",for=6.6.6.6\";for=192.0.2.1")], Some("192.0.2.1")),
            (&[("forwarded", "for=192.0.2.1;for=192.0.2.2")], None),
            (&[("forwarded", "for=192.0.2.1, proto=https")], None),
            (&[("forwarded", "for=192.0.2.1, for=unknown")], None),
            (&[("forwarded", "for=\"192.0.2.1")], None),
            (&[("forwarded", "192.0.2.1")], None),
            (&[("forwarded", "for=192.0.2.1,")], None),
            (&[("forwarded", "for=2001:db8::1%25eth0")], None),
        ] {
            says(AddressFrom::Forwarded, "10.0.0.1", lines, want);
        }
    }

    #[test]
    fn the_scheme_comes_from_the_nearest_proxy() {
        let https = |from, peer: &str, lines: &[(&'static str, &str)]| {
            caller(&rules(from), Some(peer.parse().unwrap()), false, &map(lines)).https
        };
        assert!(https(XFF, "10.0.0.1", &[("x-forwarded-proto", "http, HTTPS")]));
        assert!(!https(XFF, "10.0.0.1", &[("x-forwarded-proto", "https, http")]));
        assert!(!https(XFF, "203.0.113.9", &[("x-forwarded-proto", "https")]));
        assert!(!https(AddressFrom::Peer, "10.0.0.1", &[("x-forwarded-proto", "https")]));
        assert!(https(AddressFrom::Forwarded, "10.0.0.1", &[("forwarded", "for=192.0.2.1;proto=https")]));
        assert!(caller(&rules(XFF), None, true, &HeaderMap::new()).https);
    }

    proptest::proptest! {
        #[test]
        fn no_header_panics_and_no_stranger_chooses(text in "[ -~]{0,60}", peer: [u8; 4]) {
            let lines = [("x-forwarded-for", text.as_str()), ("forwarded", text.as_str())];
            for from in [XFF, AddressFrom::Forwarded] {
                let peer = IpAddr::from(peer);
                let got = caller(&rules(from), Some(peer), false, &map(&lines));
                proptest::prop_assert!(got.by_proxy || got.address == Some(peer));
            }
        }
    }
}
