//! Where heads and bodies of HTTP/1 end, beside hyper: what is smuggled past one of them would be a request that nobody
//! admitted.

use scimshim::fuzzing;

use super::PARSER;
use crate::{
    seeds,
    target::{Shape, Target},
};

pub static TARGET: Target = Target {
    name: "framing",
    about: "heads and bodies of HTTP/1: in pieces as whole, and both lengths are never let through",
    run,
    seeds: || {
        seeds::bytes(&[
            "GET / HTTP/1.1\r\nhost: a\r\n\r\n",
            "POST / HTTP/1.1\r\ncontent-length: 4\r\n\r\nabcdGET / HTTP/1.1\r\n\r\n",
            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3;x=1\r\nabc\r\n0\r\nx-a: b\r\n\r\n",
            "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\ncontent-length: 0\r\n\r\n",
        ])
    },
    words: &[
        "content-length: ",
        "transfer-encoding: ",
        "chunked",
        "gzip, ",
        "\r\n",
        "\n\n",
        "0\r\n\r\n",
        "POST / HTTP/1.1\r\n",
        ";x=",
        "+5",
    ],
    shape: Shape::Bytes,
    longest: 2048,
    cost: PARSER,
};

fn run(data: &[u8]) {
    let whole = fuzzing::framing(data, data.len().max(1));
    for step in [1, 2, 7] {
        assert_eq!(fuzzing::framing(data, step), whole, "in pieces of {step}");
    }
    // A plain head that says both is seen, whatever else stands in it.
    let end = data.windows(4).position(|window| window == b"\r\n\r\n");
    if let Some(end) = end
        && whole.is_ok()
        && data.first().is_some_and(|first| !first.is_ascii_whitespace())
        && !data[..end]
            .windows(2)
            .any(|pair| pair == b"\n\n" || pair == b"\n\r" || pair[0] != b'\r' && pair[1] == b'\n')
    {
        let names: Vec<_> = data[..end]
            .split(|byte| *byte == b'\n')
            .skip(1)
            .filter_map(|line| line.split(|byte| *byte == b':').next())
            .map(<[u8]>::to_ascii_lowercase)
            .collect();
        let says = |name: &[u8]| names.iter().any(|have| have == name);
        assert!(!(says(b"content-length") && says(b"transfer-encoding")), "both lengths go through");
    }
}
