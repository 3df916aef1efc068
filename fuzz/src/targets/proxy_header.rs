//! The PROXY protocol, versions 1 and 2: in pieces as whole, and no byte of what follows is taken.

use scimshim::fuzzing;

use super::PARSER;
use crate::{
    seeds,
    target::{Shape, Target},
};

pub static TARGET: Target = Target {
    name: "proxy-header",
    about: "PROXY protocol headers: in pieces as whole, and not a byte too many",
    run,
    seeds: || {
        let v2 = |command: u8, family: u8, payload: &[u8]| {
            let length = u16::try_from(payload.len()).expect("short").to_be_bytes();
            [&b"\r\n\r\n\0\r\nQUIT\n"[..], &[command, family], &length, payload, b"GET /"].concat()
        };
        let v4 = [192, 0, 2, 1, 192, 0, 2, 2, 0x1f, 0x90, 0, 80];
        let mut seeds = seeds::bytes(&[
            "PROXY TCP4 192.0.2.1 192.0.2.2 8080 80\r\nGET /",
            "PROXY TCP6 2001:db8::1 2001:db8::2 9 80\r\nGET /",
            "PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n",
        ]);
        seeds.extend([v2(0x21, 0x11, &v4), v2(0x20, 0, b""), v2(0x21, 0x21, &[1; 36]), v2(0x21, 0x31, &[b'/'; 216])]);
        seeds.push(v2(0x21, 0x11, &[&v4[..], &[4, 0, 3, 1, 2, 3]].concat()));
        seeds
    },
    words: &["PROXY ", "TCP4 ", "TCP6 ", "UNKNOWN", "\r\n", "\r\n\r\n\0\r\nQUIT\n", "192.0.2.1 ", "::1 "],
    shape: Shape::Bytes,
    longest: 4500,
    // In pieces of one byte each piece looks at the whole head again; a head ends at 4 KiB.
    cost: super::Cost { steps_per_byte: 20_000, room_per_byte: 20_000, ..PARSER },
};

fn run(data: &[u8]) {
    let whole = fuzzing::proxy_header(data, data.len().max(1));
    for step in [1, 3, 16, 17] {
        let pieces = fuzzing::proxy_header(data, step);
        // Who ends in an error is cut off; where that is noticed may differ.
        let fails = whole.0.starts_with("Err") && pieces.0.starts_with("Err");
        assert!(fails || pieces == whole, "in pieces of {step}: {pieces:?}, whole: {whole:?}");
    }
    if whole.0.starts_with("Ok(Some") {
        let more = [data, b"more"].concat();
        let (said, left) = fuzzing::proxy_header(&more, more.len());
        assert_eq!((said, left), (whole.0, whole.1 + 4), "what follows is not looked at");
    }
}
