//! The `/Schemas` document that an operator hands over, and attributes that are declared one by one.

use std::sync::Arc;

use http::{HeaderMap, Method};
use scimshim::{
    quirk::{Idp, Plan, PlanSettings, Sent, normalize},
    scim::{Registry, Type},
};

use super::ENGINE;
use crate::{
    seeds,
    target::{Shape, Target},
    words::KEYS,
};

pub static TARGET: Target = Target {
    name: "schemas",
    about: "a /Schemas document on disk, and the engine with what it says",
    run,
    seeds: || {
        let discovery = seeds::answers().into_iter().filter(|case| {
            case["request"]["target"].as_str().is_some_and(|target| target.to_ascii_lowercase().starts_with("/schemas"))
        });
        let more = [
            r#"[{"id":"urn:example:hr:2.0:User","attributes":[{"name":"level","type":"integer","multiValued":false},
                {"name":"badge","type":"complex","multiValued":true,"subAttributes":[{"name":"on","type":"boolean"}]}]}]"#,
            r#"{"Resources":[{"id":"urn:ietf:params:scim:schemas:core:2.0:User","attributes":[{"name":"x","type":"string"}]}]}"#,
        ];
        discovery.map(|case| case["response"]["body"].to_string().into_bytes()).chain(seeds::bytes(&more)).collect()
    },
    words: &[
        "\"attributes\":",
        "\"name\":",
        "\"type\":",
        "\"subAttributes\":",
        "\"multiValued\":",
        "complex",
        "boolean",
    ],
    shape: Shape::Json { heads: &[] },
    longest: 4096,
    cost: ENGINE,
};

fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut registry = Registry::rfc();
    for name in KEYS.iter().copied().chain([text]) {
        // Some are legal, some are not; none may harm.
        let _ = registry.declare(name, Type::Boolean, true);
    }
    if registry.load(text).is_err() {
        return;
    }
    let settings = PlanSettings { registry: Arc::new(registry), ..PlanSettings::default() };
    let plan = Plan::new(&settings, Idp::Entra);
    let headers = HeaderMap::new();
    for (method, target) in [(Method::POST, "/Users"), (Method::PATCH, "/Users/1")] {
        let _ = normalize(&plan, &Sent { method: &method, target, headers: &headers, body: data });
    }
}
