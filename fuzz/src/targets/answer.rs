//! Answers through the engine, with every law of `laws`.

use super::ENGINE;
use crate::{
    input::Message,
    laws, seeds,
    target::{Shape, Target},
    words::KEYS,
};

pub static TARGET: Target = Target {
    name: "answer",
    about: "answers: repaired once is repaired twice, RFC-clean, nobody told active, no failure told as success",
    run,
    seeds: || seeds::answers().iter().filter_map(seeds::answer).collect(),
    words: KEYS,
    shape: Shape::Json { heads: HEADS },
    longest: 4096,
    cost: ENGINE,
};

const HEADS: &[&str] = &[
    "entra+ GET /Users 200 application/json",
    "entra+ GET /Users?filter=userName%20eq%20%22a%22 200 application/scim+json",
    "entra GET /Users?startIndex=2&count=2 200 text/html",
    "okta+ GET /Groups?filter=displayName%20eq%20%22a%22&startIndex=1&count=100 200 application/json",
    "okta GET /Users/1 200 application/json",
    "entra+ GET /Users/1?attributes=userName 200 application/json",
    "generic+ GET /Groups/1?excludedAttributes=members 200 application/scim+json",
    "onelogin+ POST /Users 201 application/json location:/scim/v2/Users/1",
    "entra+ POST /Users 200 application/json location:http://127.0.0.1:8080/scim/v2/Users/1",
    "entra+ POST /Groups 500 text/plain",
    "entra POST /Users 400 application/json",
    "entra+ PATCH /Groups/1 200 application/json",
    "okta+ PATCH /Users/1 200 application/json",
    "okta PUT /Users/1 200 application/json",
    "generic+ DELETE /Users/1 200 application/json",
    "entra+ GET /Users?filter=externalId%20eq%20%221%22 404 application/json",
    "entra+ GET /Users/1 404 application/scim+json",
    "generic+ GET /Schemas 200 application/json",
    "generic+ GET /ResourceTypes 200 application/json",
    "generic+ GET /ServiceProviderConfig 200 application/json",
    "okta+ GET /Users 429 application/json retry-after:Wed,_21_Oct_2026_07:28:00_GMT",
    "generic POST /Bulk 200 application/json",
    "generic+ POST /Users/.search 200 application/json",
    "ping+ GET /Users 503 text/html retry-after:soon",
];

fn run(data: &[u8]) {
    laws::answer(&Message::read(data));
}
