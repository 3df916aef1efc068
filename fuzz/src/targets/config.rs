//! The configuration, YAML and JSON: a list of problems, or settings that run. A secret is in neither.

use std::{path::Path, time::SystemTime};

use scimshim::config::{self, World};

use crate::{
    cost::Cost,
    seeds,
    target::{Shape, Target},
};

pub static TARGET: Target = Target {
    name: "config",
    about: "the configuration: problems with their places, or settings; never a secret in either",
    run,
    seeds: || {
        let mut seeds = seeds::files("tests/config", ".yaml");
        seeds.extend(seeds::bytes(&[
            "upstream: { url: http://127.0.0.1:8080/scim/v2 }\nnormalize: { mode: observe }\n",
            "{\"upstream\":{\"url\":\"http://127.0.0.1:8080\",\"hold\":\"20s\"},\"admin\":{\"token\":{\"env\":\"SECRET\"}}}",
            "upstream: &a { url: \"${APP}\" }\ntenants: { list: [ *a ] }\n",
        ]));
        seeds
    },
    words: &[
        "upstream:",
        "url:",
        "listen:",
        "tenants:",
        "list:",
        "normalize:",
        "quirks:",
        "mode: observe",
        "rate_limit:",
        "allowlist:",
        "feeds:",
        "tokens:",
        "sha256:",
        "{ env: SECRET }",
        "${SECRET}",
        "20s",
        "10MiB",
        "&a ",
        "*a",
        "<<: ",
        "!!str ",
        "|\n",
        "- ",
        ": ",
        "? ",
    ],
    shape: Shape::Bytes,
    longest: 8192,
    // Unknown keys are compared with known ones, by an edit distance of short words.
    cost: Cost { steps: 5_000_000, steps_per_byte: 50_000, room: 20_000_000, room_per_byte: 50_000 },
};

const SECRET: &str = "Zq9secret";

fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if text.contains(SECRET) {
        return;
    }
    let env = |name: &str| match name {
        "SECRET" => Some(SECRET.to_owned()),
        "APP" => Some("http://127.0.0.1:8080/scim".to_owned()),
        _ => None,
    };
    let world = World { env: &env, now: SystemTime::UNIX_EPOCH };
    // Nothing of this machine is read: no such folder is there.
    let base = Path::new("/nonexistent/fuzz");
    let lines = text.chars().filter(|c| matches!(c, '\r' | '\n')).count() as u64 + 1;
    match config::read(text, base, &world) {
        Ok(loaded) => {
            // `${SECRET}` may stand where no secret belongs; then it is what the operator wants to be seen.
            if !text.contains("${SECRET}") {
                assert!(!format!("{:?}", loaded.settings).contains(SECRET), "settings print a secret");
            }
        }
        Err(problems) => {
            assert!(!problems.is_empty(), "what cannot run has a problem");
            for problem in problems {
                assert!(problem.line <= lines + 1, "line {} of {lines}", problem.line);
                assert!(!problem.to_string().contains(SECRET), "a problem prints a secret: {problem}");
                assert!(!problem.to_string().contains('\n'), "a problem is one line: {problem}");
            }
        }
    }
}
