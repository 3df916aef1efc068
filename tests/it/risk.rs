//! `scimshim risk` as a user calls it: timelines with what is expected of them, journals, and what is neither. Other
//! timelines can be tried too: `SCIMSHIM_QUARANTINE_CORPUS` names their folder, with a `scenarios.json` in it.

use std::{
    env, fs,
    io::Write,
    path::{Path, PathBuf},
    process::Output,
    sync::Arc,
    time::{Duration, Instant},
};

use scimshim::{
    observe::{
        Metrics,
        ledger::{Answer, Kind, Ledger, Moment, Observation, Who, classify},
    },
    quirk::Idp,
};
use serde_json::{Value, json};

use crate::cli::{scimshim, stderr};

fn own(name: &str) -> String {
    format!("{}/tests/corpus/quarantine/{name}", env!("CARGO_MANIFEST_DIR"))
}

fn risk(args: &[&str], input: &str) -> Output {
    scimshim(&[&["risk"], args].concat(), input)
}

fn lines(output: &Output) -> Vec<Value> {
    let text = std::str::from_utf8(&output.stdout).expect("text");
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

/// Timelines that others wrote, which are not part of this repository: a run that demands everything has none either.
fn shared(test: &str) -> Option<PathBuf> {
    let folder = env::var_os("SCIMSHIM_QUARANTINE_CORPUS").map(PathBuf::from);
    if folder.is_none() {
        // Said so that nobody takes it for a pass.
        let _ = writeln!(
            std::io::stderr(),
            "SKIPPED {test}: SCIMSHIM_QUARANTINE_CORPUS names no folder of timelines, which are not part of this repository"
        );
    }
    folder
}

#[test]
fn every_expectation_of_our_timelines_holds_in_its_order() {
    let output = risk(&["--check", &own("index.json")], "");
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(stderr(&output), "27 expectations hold\n");
    let told: Vec<(Value, Value)> =
        lines(&output).into_iter().map(|line| (line["id"].clone(), line["at_s"].clone())).collect();
    let mut expected = Vec::new();
    for file in ["recovery.json", "objects.json", "okta.json"] {
        let document: Value = serde_json::from_str(&fs::read_to_string(own(file)).unwrap()).unwrap();
        for scenario in document["scenarios"].as_array().unwrap() {
            let times = scenario["expect"].as_array().unwrap().iter();
            expected.extend(times.map(|expect| (scenario["id"].clone(), expect["at_s"].clone())));
        }
    }
    assert_eq!(told, expected);
}

#[test]
fn timelines_of_others_hold_too() {
    let Some(folder) = shared("timelines_of_others_hold_too") else { return };
    let began = Instant::now();
    let index = folder.join("scenarios.json");
    let output = risk(&["--check", index.to_str().unwrap()], "");
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
}

#[test]
fn answers_are_classified_as_others_have_written_down() {
    let Some(folder) = shared("answers_are_classified_as_others_have_written_down") else { return };
    let document: Value = serde_json::from_str(&fs::read_to_string(folder.join("scenarios.json")).unwrap()).unwrap();
    let vectors = document["classification_vectors"].as_array().unwrap();
    assert!(vectors.len() >= 37);
    for vector in vectors {
        let flag = |name: &str, default: bool| vector[name].as_bool().unwrap_or(default);
        let kind = match vector["kind"].as_str().unwrap() {
            "probe" => Kind::Probe,
            "filter" => Kind::Filter,
            "get" => Kind::Get,
            _ => Kind::Write,
        };
        let class = classify(&Answer {
            kind,
            delete: vector["method"] == "DELETE",
            status: vector["status"].as_u64().unwrap() as u16,
            scim: flag("body_scim", true),
            several: false,
            reference: flag("ref", false),
            trusted: flag("success_in_cycle", false),
        });
        assert_eq!(class.as_str(), vector["expect"], "{vector}");
    }
}

#[test]
fn a_line_has_the_six_members_and_whole_numbers_stay_whole() {
    let scenario = json!({"id": "x", "events": [], "expect": [{"at_s": 5, "state": "unknown"}]});
    let output = risk(&["-"], &scenario.to_string());
    assert_eq!(
        String::from_utf8(output.stdout).unwrap(),
        "{\"id\":\"x\",\"tenant\":\"t1\",\"at_s\":5,\"state\":\"unknown\",\"risk\":0,\"ttq_s\":null}\n"
    );
}

#[test]
fn a_difference_is_told_and_fails_only_with_check() {
    let scenario = json!({"id": "x", "events": [], "expect": [
        {"at_s": 5, "state": "healthy"}, {"at_s": 5, "also_ok": ["silent"], "risk_min": 0.5}, {"at_s": 5, "ttq_s_max": 9}
    ]})
    .to_string();
    let output = risk(&["-"], &scenario);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(stderr(&output), "3 of 3 expectations do not hold; --check names them\n");
    let output = risk(&["--check", "-"], &scenario);
    assert_eq!((output.status.code(), lines(&output).len()), (Some(1), 3));
    let said = stderr(&output);
    assert!(said.contains("t1 of x at 5 s: unknown where healthy is expected\n"), "{said}");
    assert!(said.contains("risk 0 where at least 0.5 is expected") && said.contains("ttq_s inf where at most 9"));
}

#[test]
fn what_cannot_be_run_is_refused_in_one_line_with_its_cure() {
    let cycles = |more: Value| {
        let mut generator = json!({"gen": "cycles", "probe": {"status": 200}, "rate_per_s": 5});
        generator.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({"id": "big", "events": [generator], "expect": []}).to_string()
    };
    let one = |event: Value| json!({"id": "x", "events": [event], "expect": []}).to_string();
    let step = |n: u64| json!([{"do": "provision", "n": n}]);
    for (text, says) in [
        (String::new(), "is empty"),
        ("nonsense".into(), "neither a timeline nor a journal"),
        ("[]".into(), "no scenarios in it"),
        ("{\"scenarios\": 3}".into(), "no scenarios in it"),
        (cycles(json!({"count": 1_000_000_000_000_000_000_u64})), "more than 10000000 events"),
        (cycles(json!({"count": 1_000_000, "period_s": 1, "steps": step(u64::MAX)})), "more than 10000000 events"),
        (cycles(json!({"at_s": [0], "steps": step(5_000_001)})), "more than 10000000 events"),
        (cycles(json!({"count": 10, "period_s": 1e300})), "`period_s` is no time"),
        (cycles(json!({"count": 10, "period_s": -5})), "`period_s` is no time"),
        (cycles(json!({"rate_per_s": 0})), "`rate_per_s` must be"),
        (cycles(json!({"steps": [{"do": "write", "n": 1, "fail": {"num": 1, "den": 0, "status": 400}}]})), "`den`"),
        (one(json!({"gen": "weeks"})), "is no generator; write \"cycles\""),
        (one(json!({"t_s": -1, "method": "GET", "status": 200})), "is no time"),
        (one(json!({"t_s": 1, "method": "GET"})), "needs `status`"),
        (one(json!({"t_s": 1, "method": "GET", "status": 200, "kind": "knock"})), "is no kind; write one of"),
        (json!({"events": [], "expect": [{"at_s": 1, "state": "fine"}]}).to_string(), "is no state; write one of"),
        (json!({"files": ["../../etc/passwd"]}).to_string(), "names files beside it"),
    ] {
        let began = Instant::now();
        let output = risk(&["-"], &text);
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(1), "{text}: {said}");
        assert!(said.starts_with("error: ") && said.lines().count() == 1 && said.contains(says), "{text}: {said}");
        assert!(began.elapsed() < Duration::from_secs(10) && output.stdout.is_empty());
    }
    let output = risk(&["/no/such/file"], "");
    assert_eq!((output.status.code(), stderr(&output).lines().count()), (Some(1), 1));
    assert!(stderr(&output).contains("name a file, or - for standard input"), "{}", stderr(&output));
}

#[test]
fn a_journal_tells_each_change_of_state() {
    let event = |t: f64, tenant: &str, idp: &str, status: u16, kind: &str| {
        let event = json!({
            "t_s": t, "tenant": tenant, "idp": idp, "method": "POST", "resource": "Users", "object_id": "8f3a",
            "status": status, "kind": kind, "ref": false, "deprov": false
        });
        format!("{}\n", json!({"id": "x", "request": {"method": "POST"}, "event": event}))
    };
    // The newest first, as a ring is exported.
    let mut text = event(1_800_002_700.5, "acme", "entra", 200, "probe");
    text += &event(1_800_000_001.0, "globex", "okta", 409, "write");
    text += "{\"request\": {}}\n{\"event\": {\"t_s\": \n\n";
    text += &event(1_800_000_000.0, "acme", "entra", 401, "probe");
    let output = risk(&["-"], &text);
    assert_eq!(output.status.code(), Some(1), "a line is broken");
    let said = stderr(&output);
    assert!(said.starts_with("note: ") && said.contains("overstates the risk"), "{said}");
    assert!(said.contains("line 4: ") && said.ends_with("3 events read, 1 lines broken\n"), "{said}");
    let lines = lines(&output);
    let told: Vec<_> = lines.iter().map(|line| (&line["tenant"], &line["state"], &line["reason"])).collect();
    let of = |tenant: &'static str, state: &'static str, reason: &'static str| (tenant, state, reason);
    let expected = [
        of("acme", "at_risk", "auth"),
        of("globex", "at_risk", "stuck_tasks"),
        of("acme", "likely_quarantined", "auth"),
    ];
    assert_eq!(told.len(), expected.len(), "{lines:?}");
    for (told, expected) in told.iter().zip(expected) {
        assert_eq!(
            (told.0.as_str(), told.1.as_str(), told.2.as_str()),
            (Some(expected.0), Some(expected.1), Some(expected.2))
        );
    }
    assert_eq!((&lines[0]["at"], &lines[0]["ttq_s"]), (&json!("2027-01-15T08:00:00Z"), &json!(2400)));
    // One line is a journal too.
    let output = risk(&["-"], &event(1.0, "acme", "entra", 503, "probe"));
    assert_eq!((output.status.code(), self::lines(&output).len()), (Some(0), 1));
}

/// A ledger as the proxy feeds it, and the journal that would have been written beside it.
struct Both {
    ledger: Ledger,
    journal: String,
}

/// Seconds; the books are alike to the millisecond.
const START: u64 = 1_800_000_000;

impl Both {
    fn new() -> Self {
        let metrics = Arc::new(Metrics::new().expect("a table without doubles"));
        Self { ledger: Ledger::new(500, 100, metrics), journal: String::new() }
    }

    fn say(&mut self, at: u64, method: &str, seen: &Observation) -> Kind {
        let who = Who { tenant: "acme", label: "acme", idp: Idp::Entra, listed: true };
        let kind = self.ledger.record(&who, Moment((START + at) * 1000), seen);
        let name = |object: Option<u64>| object.map(|object| object.to_string());
        let event = json!({
            "t_s": START + at, "tenant": "acme", "idp": "entra", "method": method, "resource": "Users",
            "object_id": name(seen.object), "also_id": name(seen.also), "status": seen.status, "kind": kind,
            "ref": seen.reference, "deprov": seen.deprovision, "guid": seen.guid, "body_scim": seen.scim,
            "matches": seen.matches
        });
        self.journal += &format!("{}\n", json!({"event": event}));
        kind
    }

    /// A lookup of a GUID that finds nothing, if it finds anything out.
    fn look(&mut self, at: u64, object: u64, status: u16) -> Kind {
        let matches = (status == 200).then_some(0);
        let seen = Observation { guid: true, matches, ..Observation::new(Kind::Filter, Some(object), status) };
        self.say(at, "GET", &seen)
    }

    fn write(&mut self, at: u64, object: u64, status: u16) {
        self.say(at, "PATCH", &Observation::new(Kind::Write, Some(object), status));
    }

    /// Both say the same up to the last exchange.
    #[track_caller]
    fn agree(&self, at: u64, state: &str, reason: &str) {
        let output = risk(&["-"], &self.journal);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        let last = lines(&output).pop().expect("a change of state");
        let view = self.ledger.view("acme", Moment((START + at) * 1000)).expect("a tenant");
        let live = json!([view.state, view.since, view.reason]);
        assert_eq!(live, json!([last["state"], last["at_s"].as_f64(), last["reason"]]), "{}", self.journal);
        assert_eq!(json!([view.state, view.reason]), json!([state, reason]));
        assert!((view.risk - last["risk"].as_f64().expect("a number")).abs() < 1e-6);
    }
}

#[test]
fn an_exported_journal_says_what_the_live_model_says() {
    let healthy = || {
        let mut both = Both::new();
        assert_eq!(both.look(0, 100, 200), Kind::Probe);
        (1..20).for_each(|object| both.write(object, object, 200));
        both
    };
    for (status, reason) in [(503, "connection"), (401, "auth")] {
        let mut both = healthy();
        assert_eq!(both.look(2400, 101, status), Kind::Probe, "a GUID that is not known, and first of its cycle");
        both.agree(2400, "at_risk", reason);
    }
    // A lookup that a write follows was none: here too.
    let mut both = healthy();
    assert_eq!(both.look(2400, 101, 503), Kind::Probe);
    both.agree(2400, "at_risk", "connection");
    both.say(2401, "POST", &Observation { also: Some(900), ..Observation::new(Kind::Write, Some(101), 201) });
    for object in 200..216 {
        both.write(2402, object, 400);
    }
    both.write(2403, 900, 400);
    assert_eq!(both.look(4800, 102, 401), Kind::Probe);
    // The cycle closes first.
    both.write(5100, 1, 401);
    both.agree(5100, "likely_quarantined", "auth");
}

#[test]
fn the_help_says_that_it_is_a_model_and_gives_examples() {
    let output = risk(&["--help"], "");
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("only the identity provider knows") && text.contains("scimshim risk --check"));
    assert!(Path::new(&own("index.json")).exists());
}
