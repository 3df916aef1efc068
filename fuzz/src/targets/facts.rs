//! What ledger and journal read out of an exchange, and what they keep of it: no value.

use std::sync::{Arc, OnceLock};

use scimshim::{fuzzing, observe::Metrics};

use super::ENGINE;
use crate::{
    input::Message,
    laws,
    mutate::CANARY,
    seeds,
    target::{Shape, Target},
    words::KEYS,
};

pub static TARGET: Target = Target {
    name: "facts",
    about: "what ledger and journal keep of an exchange: JSON, and no value",
    run,
    seeds: || {
        let (requests, answers) = (seeds::requests(), seeds::answers());
        requests.iter().filter_map(seeds::request).chain(answers.iter().filter_map(seeds::answer)).collect()
    },
    words: KEYS,
    shape: Shape::Json {
        heads: &[
            "entra PATCH /Users/1 204",
            "entra PATCH /Groups/1 500",
            "entra POST /Users 409",
            "okta PUT /Users/Zq9canary 200",
            "entra GET /Users?filter=userName%20eq%20%22Zq9canary%22 200",
            "entra GET /Users?filter=id%20eq%20%22Zq9canary%22 200",
            "okta GET /Groups?attributes=id&filter=displayName%20eq%20%22Zq9canary%22 200",
            "generic DELETE /Users/Zq9canary 404",
            "generic POST /Users/.search 200",
        ],
    },
    longest: 4096,
    cost: ENGINE,
};

fn run(data: &[u8]) {
    static METRICS: OnceLock<Arc<Metrics>> = OnceLock::new();
    let metrics = METRICS.get_or_init(|| Arc::new(Metrics::new().expect("names are unique")));
    let message = Message::read(data);
    let Ok(text) = std::str::from_utf8(message.body) else { return };
    let methods = ["GET", "POST", "PUT", "PATCH", "DELETE"];
    let method = methods.into_iter().find(|known| *known == message.method.as_str()).unwrap_or("other");
    // A GET has its message in the answer; others have it both ways.
    let body = if method == "GET" { "" } else { text };
    let (seen, lines) = fuzzing::recorded(metrics, method, message.target, body, message.status.as_u16(), text);
    for line in &lines {
        assert!(serde_json::from_str::<serde::de::IgnoredAny>(line).is_ok(), "a line of the journal is JSON: {line}");
    }
    // The id and the filter of a target are values; other parts of it are names.
    let plain = message.target.replace("/Users/Zq9canary", "").replace("%22Zq9canary%22", "");
    if !laws::names_canary(&plain, message.body) {
        assert!(!seen.contains(CANARY), "the ledger is told a value: {seen}");
        for line in &lines {
            assert!(!line.contains(CANARY), "the journal keeps a value: {line}");
        }
    }
}
