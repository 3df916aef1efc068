//! PATCH through the engine, with every law of `laws`.

use super::ENGINE;
use crate::{
    input::Message,
    laws, seeds,
    target::{Shape, Target},
    words::KEYS,
};

pub static TARGET: Target = Target {
    name: "patch",
    about: "PATCH messages: normalized once is normalized twice, RFC-clean, nothing activated, nothing widened",
    run,
    seeds: || {
        let cases = seeds::requests().into_iter().filter(|case| case["request"]["method"] == "PATCH");
        cases.filter_map(|case| seeds::request(&case)).collect()
    },
    words: KEYS,
    shape: Shape::Json { heads: HEADS },
    longest: 4096,
    cost: ENGINE,
};

const HEADS: &[&str] = &[
    "entra+ PATCH /Users/1",
    "entra+ PATCH /Groups/1",
    "entra PATCH /Users/1",
    "entra PATCH /Groups/1",
    "okta PATCH /Users/1",
    "okta+ PATCH /Groups/1",
    "authentik PATCH /Groups/1",
    "onelogin PATCH /Users/1",
    "google PATCH /Users/1",
    "generic PATCH /Groups/1",
    "generic+ PATCH /Devices/1",
    "ping PATCH /users/1/",
    "entra+ PATCH /Me",
    "jumpcloud+ PATCH /Users/a%2Fb?attributes=id&excludedAttributes=members",
];

fn run(data: &[u8]) {
    laws::request(&Message::read(data));
}
