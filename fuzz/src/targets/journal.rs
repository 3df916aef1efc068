//! Exported journals, as `scimshim risk` reads them; and the query by which they are asked for.

use scimshim::observe::{journal::Query, ledger::replay::Journal};

use crate::{
    cost::Cost,
    seeds,
    target::{Shape, Target},
};

pub static TARGET: Target = Target {
    name: "journal",
    about: "lines of a journal through the model of quarantine; queries of the journal",
    run,
    seeds: || {
        seeds::bytes(&[
            "{\"event\":{\"t_s\":1,\"tenant\":\"a\",\"method\":\"GET\",\"resource\":\"Users\",\"kind\":\"filter\",\"status\":500}}\n\
             {\"event\":{\"t_s\":2400,\"tenant\":\"a\",\"idp\":\"okta\",\"method\":\"PATCH\",\"object_id\":\"x\",\"status\":400}}\n\
             {\"event\":{\"t_s\":99999,\"tenant\":\"b\",\"method\":\"DELETE\",\"object_id\":\"x\",\"status\":204,\"deprov\":true}}\n",
            "{\"event\":{\"t_s\":1e9,\"tenant\":\"a\",\"method\":\"POST\",\"also_id\":\"y\",\"matches\":2,\"body_scim\":false}}",
            "tenant=a&quirk=bool-string&status=4xx&failed=true&before=10&limit=5",
        ])
    },
    words: &[
        "{\"event\":{",
        "\"t_s\":",
        "\"tenant\":\"",
        "\"method\":\"PATCH\"",
        "\"status\":500",
        "\"kind\":\"probe\"",
        "\"ref\":true",
        "}}\n",
        "1e9",
        "status=",
        "quirk=",
        "limit=",
    ],
    shape: Shape::Bytes,
    longest: 4096,
    cost: Cost { steps: 20_000_000, steps_per_byte: 200_000, room: 50_000_000, room_per_byte: 50_000 },
};

fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let _ = Query::parse(text);
    let mut journal = Journal::default();
    let read = text.lines().filter(|line| matches!(journal.read(line), Ok(true))).count();
    let lines = journal.run();
    assert!(read > 0 || lines.is_empty());
    for pair in lines.windows(2) {
        assert!(pair[0].at_s <= pair[1].at_s, "in order of time");
    }
    for line in lines {
        let value = serde_json::to_value(&line).expect("memory");
        let risk = value["risk"].as_f64().expect("a number");
        assert!((0.0..=1.0).contains(&risk), "a risk of {risk}");
    }
}
