//! POST and PUT through the engine, with every law of `laws`.

use super::ENGINE;
use crate::{
    input::Message,
    laws, seeds,
    target::{Shape, Target},
    words::KEYS,
};

pub static TARGET: Target = Target {
    name: "resource",
    about: "resources that are created and replaced: the same laws as for PATCH",
    run,
    seeds: || {
        let cases = seeds::requests().into_iter().filter(|case| case["request"]["method"] != "PATCH");
        cases.filter_map(|case| seeds::request(&case)).collect()
    },
    words: KEYS,
    shape: Shape::Json { heads: HEADS },
    longest: 4096,
    cost: ENGINE,
};

const HEADS: &[&str] = &[
    "entra+ POST /Users",
    "entra+ POST /Groups",
    "entra POST /Users",
    "okta POST /Groups",
    "okta+ PUT /Users/1",
    "okta PUT /Groups/1",
    "onelogin POST /Users",
    "google+ PUT /Users/1",
    "jumpcloud POST /Users",
    "generic POST /Devices",
    "generic PUT /users/1/",
    "entra POST /Users/.search",
    "entra+ POST /Bulk",
    "authentik+ PUT /Groups/1",
];

fn run(data: &[u8]) {
    laws::request(&Message::read(data));
}
