//! `scimshim explain`: lines of cases, and what a person pastes.

use scimshim::{cli::explain::case, fuzzing};
use serde::de::IgnoredAny;
use serde_json::Value;

use super::ENGINE;
use crate::{
    cost::Cost,
    seeds,
    target::{Shape, Target},
};

pub static TARGET: Target = Target {
    name: "explain",
    about: "explain --jsonl and pasted messages: one line of JSON out for a line in",
    run,
    seeds: || {
        let cases = seeds::requests().into_iter().chain(seeds::answers()).map(|case| case.to_string().into_bytes());
        cases
            .chain(seeds::bytes(&[
                "PATCH /Users/1 HTTP/1.1\ncontent-type: application/json\n\n{\"Operations\":[{\"op\":\"Add\"}]}",
                "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\n\r\n{\"Resources\":[]}",
                "404 to GET /Users/1\n\nnot found",
            ]))
            .filter(|case| case.len() <= TARGET.longest)
            .collect()
    },
    words: &[
        "\"request\":",
        "\"response\":",
        "\"method\":",
        "\"target\":",
        "\"headers\":",
        "\"body_raw\":",
        "\"enable\":",
        "\"schema_hints\":",
        "\"path\":",
        "\"type\":",
        "\"base_url\":",
        "\"upstream_url\":",
        "HTTP/1.1 ",
        " to GET /",
    ],
    shape: Shape::Json { heads: &[] },
    longest: 4096,
    cost: Cost { steps: 5_000_000, room: 20_000_000, ..ENGINE },
};

fn run(data: &[u8]) {
    let _ = fuzzing::pasted(data);
    let Ok(text) = std::str::from_utf8(data) else { return };
    text.lines().for_each(one);
}

fn one(line: &str) {
    match case(line) {
        Ok(outcome) => {
            let text = serde_json::to_string(&outcome).expect("memory");
            assert!(!text.contains('\n'), "one line for a line: {text}");
            serde_json::from_str::<IgnoredAny>(&text).expect("a line is JSON");
            // A number may be larger than any that Rust has.
            let Ok(value) = serde_json::from_str::<Value>(&text) else { return };
            let refused = !value["refused"].is_null();
            let is_told = value.get("request").or(value.get("response")).is_some_and(|part| !part.is_null());
            assert_ne!(refused, is_told, "it goes on, or it is refused");
            let fixed = value["fixes"].as_array().is_some_and(|fixes| !fixes.is_empty());
            assert!(!(value["unchanged"] == true && (refused || fixed)), "unchanged means unchanged: {text}");
        }
        Err(broken) => {
            let text = serde_json::to_string(&broken).expect("memory");
            assert!(!text.contains('\n') && text.contains("\"error\""), "one line for a line: {text}");
        }
    }
}
