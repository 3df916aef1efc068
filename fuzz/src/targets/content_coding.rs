//! Bodies in gzip and deflate: within the limit, whatever they unfold to.

use http::{HeaderMap, HeaderValue, header};
use scimshim::fuzzing;

use crate::{
    cost::Cost,
    target::{Shape, Target},
};

pub static TARGET: Target = Target {
    name: "content-coding",
    about: "gzip and deflate: never more than the limit",
    run,
    // gzip of `{}`, zlib of `{}`, raw deflate of `{}`, a stored block.
    seeds: || {
        vec![
            b"\x1f\x8b\x08\0\0\0\0\0\0\x03\xab\xae\x05\0\x43\xbf\xa6\xa3\x02\0\0\0".to_vec(),
            b"\x78\x9c\xab\xae\x05\0\x01\x75\0\xf9".to_vec(),
            b"\xab\xae\x05\0".to_vec(),
            b"\x01\x02\0\xfd\xff{}".to_vec(),
        ]
    },
    words: &["\u{1f}"],
    shape: Shape::Bytes,
    longest: 4096,
    cost: Cost { steps: 200_000, steps_per_byte: 5_000, room: 2_000_000, room_per_byte: 1_000 },
};

const LIMIT: usize = 10_000;

fn run(data: &[u8]) {
    for coding in ["gzip", "deflate", "x-gzip, identity"] {
        let headers = HeaderMap::from_iter([(header::CONTENT_ENCODING, HeaderValue::from_static(coding))]);
        if let Some(whole) = fuzzing::decoded(&headers, data, LIMIT) {
            assert!(whole.len() <= LIMIT);
            let less = fuzzing::decoded(&headers, data, whole.len().saturating_sub(1));
            assert!(whole.is_empty() || less.is_none(), "a byte over the limit is over the limit");
        }
    }
}
