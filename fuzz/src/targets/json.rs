//! The JSON reader beside serde_json: the same texts are JSON, save duplicate keys, lone surrogates and depth; and what is
//! read is written back to the byte.

use scimshim::json::{Doc, Duplicates, NoNames};
use serde::de::IgnoredAny;
use serde_json::Value;

use super::PARSER;
use crate::{
    seeds,
    target::{Shape, Target},
};

pub static TARGET: Target = Target {
    name: "json",
    about: "the JSON reader and writer, beside serde_json",
    run,
    seeds: || {
        let bodies = seeds::requests().into_iter().map(|case| case["request"]["body"].to_string().into_bytes());
        bodies
            .chain(seeds::bytes(&[
                "[1.10,-0.0,1e400,9007199254740993]",
                r#"{"a":"\ud83d\ude80\u0000\/","b":[]}"#,
                "[[[[[]]]]]",
            ]))
            .collect()
    },
    words: &["true", "false", "null", "\\u0000", "\\ud83d\\ude80", "\\ud83d", "1e400", "-0.0", "{\"a\":", "[[[["],
    shape: Shape::Json { heads: &[] },
    longest: 4096,
    cost: PARSER,
};

fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    // A number may be larger than any that Rust has; that is no fault of the text.
    let theirs = serde_json::from_str::<IgnoredAny>(text);
    let strictly = serde_json::from_str::<Value>(text);
    for duplicates in [Duplicates::Refuse, Duplicates::CaseKept] {
        match Doc::parse(text, &NoNames, duplicates) {
            Ok(doc) => {
                assert!(theirs.is_ok(), "serde_json refuses it");
                let written = doc.write();
                assert_eq!(written, text.trim_matches([' ', '\n', '\r', '\t']).as_bytes());
            }
            Err(error) => {
                let ours = ["key", "level", "deep", "surrogate"].iter().any(|word| error.what.contains(word));
                assert!(strictly.is_err() || ours, "serde_json takes it: {error}");
                assert!(error.at <= text.len());
            }
        }
    }
}
