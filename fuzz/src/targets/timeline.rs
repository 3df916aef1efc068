//! Timelines with expectations, as `scimshim risk` reads them. Few events: what they ask for is bounded elsewhere.

use scimshim::observe::ledger::replay::scenarios;
use serde_json::Value;

use crate::{
    cost::Cost,
    seeds,
    target::{Shape, Target},
};

pub static TARGET: Target = Target {
    name: "timeline",
    about: "scenarios of the model of quarantine",
    run,
    seeds: || {
        let files = seeds::files("tests/corpus/quarantine", ".json");
        let scenarios = files
            .iter()
            .filter_map(|text| serde_json::from_slice::<Value>(text).ok())
            .flat_map(|file| file["scenarios"].as_array().cloned().unwrap_or_default());
        scenarios.map(|one| one.to_string().into_bytes()).filter(|text| text.len() <= TARGET.longest).collect()
    },
    words: &[
        "\"gen\":",
        "\"cycles\"",
        "\"steps\":",
        "\"do\":",
        "\"n\":",
        "\"count\":",
        "\"fail\":",
        "\"num\":",
        "\"den\":",
        "\"overrides\":",
        "\"expect\":",
        "\"at_s\":",
        "1e300",
        "-1",
        "null",
    ],
    shape: Shape::Json { heads: &[] },
    longest: 4096,
    cost: Cost { steps: 400_000_000, steps_per_byte: 1_000_000, room: 400_000_000, room_per_byte: 1_000_000 },
};

fn run(data: &[u8]) {
    let Ok(document) = serde_json::from_slice::<Value>(data) else { return };
    let asked = events(&document);
    let Ok(scenarios) = scenarios(document) else { return };
    for scenario in &scenarios {
        if asked > 2_000.0 {
            continue;
        }
        for judged in scenario.run().into_iter().flatten() {
            let value = serde_json::to_value(&judged).expect("memory");
            let risk = value["risk"].as_f64().expect("a number");
            assert!((0.0..=1.0).contains(&risk), "a risk of {risk}");
            assert!(value["ttq_s"].as_f64().is_none_or(|seconds| seconds >= 0.0), "quarantine before now");
        }
    }
}

/// No fewer events than a document asks for: each number may multiply all others of its item.
fn events(value: &Value) -> f64 {
    match value {
        Value::Number(number) => number.as_f64().unwrap_or(0.0).abs().max(1.0),
        Value::Array(items) => items.iter().map(events).sum::<f64>().max(1.0),
        Value::Object(members) => {
            let times =
                |name: &str| members.get(name).and_then(Value::as_f64).map_or(1.0, |number| number.abs().max(1.0));
            let inner: f64 =
                members.iter().filter(|(_, value)| !value.is_number()).map(|(_, value)| events(value)).sum();
            times("count") * times("n") * times("rate_per_s") * inner.max(1.0)
        }
        _ => 1.0,
    }
}
