//! Paths of PATCH operations and attribute names, beside the grammar of the RFC.

use scimshim::scim::{AttrPath, Path, Syntax};

use super::PARSER;
use crate::{
    rfc::grammar,
    seeds,
    target::{Shape, Target},
    words::KEYS,
};

pub static TARGET: Target = Target {
    name: "path",
    about: "paths of PATCH operations, beside an independent reading of the grammar",
    run,
    seeds: || {
        let paths = seeds::filters_and_paths().1.into_iter().map(String::into_bytes);
        paths.chain(seeds::bytes(KEYS)).collect()
    },
    words: KEYS,
    shape: Shape::Bytes,
    longest: 1024,
    cost: PARSER,
};

fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let strict = Path::parse(text, Syntax::Strict);
    let lenient = Path::parse(text, Syntax::Lenient);
    assert!(strict.is_err() || lenient.is_ok(), "lenient takes what strict takes");
    if let Ok(name) = AttrPath::parse(text) {
        assert_eq!(name.to_string(), text, "a name is read whole");
    }
    match (&strict, grammar::path(text)) {
        (Ok(ours), Some(theirs)) => {
            let parts = (ours.urn.as_deref(), &*ours.attr, ours.sub.as_deref(), ours.filter.is_some());
            assert_eq!(parts, (theirs.urn, theirs.attribute, theirs.sub, theirs.filter.is_some()));
        }
        (Ok(_), None) => panic!("the grammar has no such path"),
        (Err(error), Some(_)) => {
            let deep = text.bytes().filter(|byte| matches!(byte, b'(' | b'[')).count() > 30;
            assert!(deep, "the grammar has such a path: {error}");
        }
        (Err(error), None) => assert!(error.at <= text.len()),
    }
}
