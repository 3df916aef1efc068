//! Filters: the reader beside the grammar of the RFC, read again in `tests/rfc`.

use scimshim::scim::{Filter, Syntax};

use super::PARSER;
use crate::{
    rfc::grammar,
    seeds,
    target::{Shape, Target},
};

pub static TARGET: Target = Target {
    name: "filter",
    about: "filters, beside an independent reading of the grammar",
    run,
    seeds: || {
        let more = [
            "not (a pr) and (b eq 1 or c lt -1.5e3)",
            "emails[type eq \"work\" and not (primary eq true)]",
            "urn:a:b:2.0:User:x.y sw \"\\u0061\\\"\"",
            "((((a pr))))",
        ];
        let filters = seeds::filters_and_paths().0.into_iter().map(String::into_bytes);
        filters.chain(seeds::bytes(&more)).collect()
    },
    words: &[
        " eq ",
        " ne ",
        " co ",
        " sw ",
        " pr",
        " and ",
        " or ",
        "not (",
        "\"",
        "emails[",
        "]",
        "true",
        "null",
        "urn:ietf:params:scim:schemas:core:2.0:User:",
        "userName",
        "$ref",
        ".value",
    ],
    shape: Shape::Bytes,
    longest: 1024,
    cost: PARSER,
};

fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let strict = Filter::parse(text, Syntax::Strict);
    let lenient = Filter::parse(text, Syntax::Lenient);
    assert!(strict.is_err() || lenient.is_ok(), "lenient takes what strict takes");
    for error in [strict.as_ref().err(), lenient.as_ref().err()].into_iter().flatten() {
        assert!(error.at <= text.len());
    }
    let theirs = grammar::filter(text).is_some();
    if strict.is_ok() {
        assert!(theirs, "the grammar has no such filter");
    } else if theirs {
        let deep = text.bytes().filter(|byte| matches!(byte, b'(' | b'[')).count() > 30;
        assert!(deep, "the grammar has such a filter: {:?}", strict.err());
    }
}
