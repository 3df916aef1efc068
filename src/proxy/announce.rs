//! The header of the PROXY protocol, versions 1 and 2: who a trusted proxy says is calling.
//!
//! <https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt>, sections 2.1 and 2.2. It is read ahead (`MSG_PEEK`)
//! and only its own bytes are taken, so that TLS or HTTP begins with the next byte without a buffer in between. A
//! connection either must begin with it or is never looked at for it: where both would do, anyone could write one.

use std::{io, net::SocketAddr};

use ppp::{PartialResult as _, v1, v2};
use tokio::{io::AsyncReadExt as _, net::TcpStream};

use super::accept::Announced;

/// The longest header of version 1, with its line end (section 2.1).
const LONGEST_LINE: usize = 107;

/// Version 2 up to its length (section 2.2).
const FIXED: usize = 16;

/// The protocol allows 64 KiB behind it. Real ones have addresses and some TLVs below 1 KiB; a client certificate
/// (`PP2_SUBTYPE_SSL_CLIENT_CERT`) may be the rest.
const LONGEST: usize = 4 << 10;

/// Why there is no header.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Missing {
    /// Such as a health check that only connects.
    #[error("the connection ended before its first byte")]
    Silent,
    #[error("the connection does not begin with a PROXY header: {0}")]
    Garbled(&'static str),
    #[error(transparent)]
    Lost(#[from] io::Error),
}

/// Takes the header off `stream`, and no byte more.
pub(crate) async fn read(stream: &mut TcpStream) -> Result<Announced, Missing> {
    let mut head = Vec::new();
    loop {
        let mut ahead = [0; 512];
        let seen = stream.peek(&mut ahead).await?;
        if seen == 0 {
            return Err(if head.is_empty() { Missing::Silent } else { Missing::Garbled("it ends in the middle") });
        }
        let ours = belonging(&head, &ahead[..seen]).map_err(Missing::Garbled)?;
        // They are there, so this waits for nothing.
        stream.read_exact(&mut ahead[..ours]).await?;
        head.extend_from_slice(&ahead[..ours]);
        if let Some(announced) = parse(&head).map_err(Missing::Garbled)? {
            return Ok(announced);
        }
    }
}

/// How many of the bytes `ahead` belong to the header that begins with `head`; one at least.
fn belonging(head: &[u8], ahead: &[u8]) -> Result<usize, &'static str> {
    if head.first().or(ahead.first()) == Some(&v2::PROTOCOL_PREFIX[0]) {
        let wanted = if head.len() < FIXED { FIXED - head.len() } else { whole(head) - head.len() };
        return Ok(wanted.min(ahead.len()));
    }
    let line = ahead.iter().position(|&byte| byte == b'\n').map_or(ahead.len(), |end| end + 1);
    if head.len() + line > LONGEST_LINE { Err("the line is too long") } else { Ok(line) }
}

/// Length of a header of version 2 whose fixed part is there.
fn whole(head: &[u8]) -> usize {
    FIXED + usize::from(u16::from_be_bytes([head[FIXED - 2], head[FIXED - 1]]))
}

/// What the header says; `None` while more of it has to come.
fn parse(head: &[u8]) -> Result<Option<Announced>, &'static str> {
    if head.first() == Some(&v2::PROTOCOL_PREFIX[0]) { binary(head) } else { line(head) }
}

fn line(head: &[u8]) -> Result<Option<Announced>, &'static str> {
    const BEGINS: &[u8] = b"PROXY ";
    if head.iter().zip(BEGINS).any(|(have, want)| have != want) {
        return Err("it begins with something else");
    }
    if !head.ends_with(b"\n") {
        return Ok(None);
    }
    let header = v1::Header::try_from(head).map_err(|_| "the line cannot be read")?;
    Ok(Some(match header.addresses {
        v1::Addresses::Unknown => Announced::Unknown,
        v1::Addresses::Tcp4(all) => Announced::proxied((all.source_address, all.source_port).into()),
        v1::Addresses::Tcp6(all) => Announced::proxied((all.source_address, all.source_port).into()),
    }))
}

fn binary(head: &[u8]) -> Result<Option<Announced>, &'static str> {
    if head.len() >= FIXED && whole(head) > LONGEST {
        return Err("it is longer than any that a proxy sends");
    }
    let header = match v2::Header::try_from(head) {
        Ok(header) => header,
        Err(error) if error.is_incomplete() => return Ok(None),
        Err(v2::ParseError::Prefix) => return Err("it begins with something else"),
        Err(_) => return Err("version 2 cannot be read"),
    };
    let source: Option<SocketAddr> = match header.addresses {
        v2::Addresses::IPv4(all) => Some((all.source_address, all.source_port).into()),
        v2::Addresses::IPv6(all) => Some((all.source_address, all.source_port).into()),
        v2::Addresses::Unspecified | v2::Addresses::Unix(_) => None,
    };
    Ok(Some(match (header.command, header.protocol, source) {
        // The proxy itself, such as its health check; whatever stands behind it is to be skipped.
        (v2::Command::Local, ..) => Announced::Direct,
        (v2::Command::Proxy, v2::Protocol::Stream, Some(source)) => Announced::proxied(source),
        // No TCP connection comes from an unspecified protocol or a datagram.
        (v2::Command::Proxy, ..) => Announced::Unknown,
    }))
}

/// What `bytes` give when they come in pieces of `size`, and what is left of them.
#[cfg(any(test, fuzzing))]
pub(crate) fn fed(bytes: &[u8], size: usize) -> (Result<Option<Announced>, &'static str>, &[u8]) {
    let (mut head, mut rest) = (Vec::new(), bytes);
    while !rest.is_empty() {
        let ours = match belonging(&head, &rest[..size.min(rest.len())]) {
            Ok(ours) => ours,
            Err(why) => return (Err(why), rest),
        };
        assert!(ours > 0, "nothing is taken, for ever");
        head.extend_from_slice(&rest[..ours]);
        rest = &rest[ours..];
        match parse(&head) {
            Ok(None) => {}
            done => return (done, rest),
        }
    }
    (Ok(None), rest)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Version 2 with this command, family and protocol.
    fn v2_header(command: u8, family: u8, payload: &[u8]) -> Vec<u8> {
        let length = u16::try_from(payload.len()).unwrap().to_be_bytes();
        [v2::PROTOCOL_PREFIX, &[0x20 | command, family], &length, payload].concat()
    }

    const V4: &[u8] = &[192, 0, 2, 1, 192, 0, 2, 2, 0x1f, 0x90, 0, 80];

    #[test]
    fn every_form_is_read_in_pieces_of_any_size_and_nothing_after_it() {
        let proxied = |text: &str| Ok(Some(Announced::Proxied(text.parse().unwrap())));
        let v6 = [&[0x20, 1, 0xd, 0xb8][..], &[0; 11], &[1], &[0; 16], &[0, 9, 0, 80]].concat();
        let mapped = [&[0; 10][..], &[0xff, 0xff, 192, 0, 2, 1], &[0; 16], &[0, 9, 0, 80]].concat();
        let tlvs = [V4, &[4, 0, 3, 1, 2, 3], &[3, 0, 4, 0, 0, 0, 0]].concat();
        for (header, wanted) in [
            (b"PROXY TCP4 192.0.2.1 192.0.2.2 8080 80\r\n".to_vec(), proxied("192.0.2.1:8080")),
            (b"PROXY TCP6 2001:db8::1 2001:db8::2 9 80\r\n".to_vec(), proxied("[2001:db8::1]:9")),
            (b"PROXY TCP6 ::ffff:192.0.2.1 ::1 9 80\r\n".to_vec(), proxied("192.0.2.1:9")),
            (b"PROXY UNKNOWN\r\n".to_vec(), Ok(Some(Announced::Unknown))),
            (b"PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n".to_vec(), Ok(Some(Announced::Unknown))),
            (v2_header(1, 0x11, V4), proxied("192.0.2.1:8080")),
            (v2_header(1, 0x11, &tlvs), proxied("192.0.2.1:8080")),
            (v2_header(1, 0x21, &v6), proxied("[2001:db8::1]:9")),
            (v2_header(1, 0x21, &mapped), proxied("192.0.2.1:9")),
            (v2_header(1, 0x00, b""), Ok(Some(Announced::Unknown))),
            (v2_header(1, 0x12, V4), Ok(Some(Announced::Unknown))),
            (v2_header(1, 0x31, &[b'/'; 216]), Ok(Some(Announced::Unknown))),
            (v2_header(0, 0x00, b""), Ok(Some(Announced::Direct))),
            (v2_header(0, 0x11, V4), Ok(Some(Announced::Direct))),
        ] {
            for size in [1, 2, 7, 15, 16, 17, 512] {
                let bytes = [&header[..], b"\x16\x03\x01 PROXY\n"].concat();
                let (said, left) = fed(&bytes, size);
                assert_eq!(said, wanted, "{header:?} by {size}");
                assert_eq!(left, b"\x16\x03\x01 PROXY\n", "{header:?} by {size}");
            }
        }
    }

    #[test]
    fn what_is_none_is_refused_as_soon_as_it_is_known() {
        let long = [&b"PROXY UNKNOWN "[..], &[b'a'; 200]].concat();
        let huge = [v2::PROTOCOL_PREFIX, &[0x21, 0x11, 0xff, 0xff]].concat();
        for bytes in [
            &b"GET / HTTP/1.1\r\n"[..],
            b"\x16\x03\x01",
            b"PROXZ",
            b"\r\n\r\n\0\r\nQUIZ",
            b"PROXY TCP4 192.0.2.1 192.0.2.2 8080 80\n",
            b"PROXY TCP4 192.0.2.256 192.0.2.2 8080 80\r\n",
            b"PROXY TCP4 192.0.2.1 192.0.2.2 8080 65536\r\n",
            b"PROXY TCP4 192.0.2.1 192.0.2.2 8080\r\n",
            b"PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n",
            b"PROXY UDP4 192.0.2.1 192.0.2.2 1 2\r\n",
            b"PROXY \r\n",
            &long,
            &huge,
            &v2_header(1, 0x11, &V4[..11]),
            &v2_header(2, 0x11, V4),
            &[v2::PROTOCOL_PREFIX, &[0x11, 0x11, 0, 12], V4].concat(),
        ] {
            for size in [1, 5, 512] {
                assert!(fed(bytes, size).0.is_err(), "{bytes:?} by {size}");
            }
        }
    }

    proptest! {
        #[test]
        fn whatever_comes_is_bounded(
            begins in 0..3usize,
            bytes in prop::collection::vec(any::<u8>(), 0..6000),
            size in 1..600usize,
        ) {
            let bytes = [[&b""[..], b"PROXY TCP4 ", v2::PROTOCOL_PREFIX][begins], &bytes].concat();
            let (_, left) = fed(&bytes, size);
            prop_assert!(bytes.len() - left.len() <= LONGEST + FIXED);
        }
    }
}
