//! Queries and forms of the admin port.

use scimshim::fuzzing;

use super::PARSER;
use crate::{
    seeds,
    target::{Shape, Target},
};

pub static TARGET: Target = Target {
    name: "admin",
    about: "queries and forms of the admin port",
    run,
    seeds: || seeds::bytes(&["token=a%2Fb+c&tenant=x", "t%6Fken=1&token=2", "&&=&a", "token=%ff%"]),
    words: &["token=", "tenant=", "%2B", "+", "&"],
    shape: Shape::Bytes,
    longest: 1024,
    cost: PARSER,
};

fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (parsed, field, without) = fuzzing::asked(text, "token");
    if let Ok([token, _]) = &parsed {
        assert_eq!(*token, field, "a page and a form read alike");
    }
    let (_, gone, again) = fuzzing::asked(&without, "token");
    assert_eq!(again, without, "taken out once is taken out");
    // A plus in the name is a blank to a form only.
    assert!(gone.is_none() || text.contains('+'), "it is taken out");
}
