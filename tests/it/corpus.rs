//! Every case of `tests/corpus` through the engine, by the code path of `scimshim explain --jsonl`, and a good part of
//! them through the running proxy.
//!
//! How they are compared: headers by lower-case name, the path byte by byte, the query as an ordered list of decoded
//! pairs, bodies as JSON values with numbers as text. A case without quirks comes out byte for byte.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use scimshim::cli::explain::{self, Outcome};
use serde_json::{Value, json};

use crate::rfc;

pub(crate) mod wire;

use wire::{App, Reply, Shim};

#[test]
fn every_request_is_normalized_as_expected() {
    check(&cases("requests"), request);
}

#[test]
fn every_answer_is_repaired_as_expected() {
    check(&cases("responses"), response);
}

/// Nothing more is found in what came out.
#[test]
fn what_comes_out_is_settled() {
    let all: Vec<_> = cases("requests").into_iter().chain(cases("responses")).collect();
    check(&all, |case, outcome| {
        let mut again = case.clone();
        let mut out = serde_json::to_value(outcome).map_err(|error| error.to_string())?;
        let part = if case.get("response").is_some() { "response" } else { "request" };
        again[part] = out[part].take();
        if let Some(text) = again[part].get("body_text").filter(|_| part == "request").cloned() {
            again[part]["body_raw"] = text;
        }
        if case["request"].get("outside_base").is_some() {
            again["request"]["outside_base"] = case["request"]["outside_base"].clone();
        }
        let again = explain::case(&again.to_string()).map_err(|broken| broken.error)?;
        let mut more = quirks(&again);
        // A router's 404 becomes a SCIM Error, and a SCIM Error is what this switch waits for: it is for the app's own
        // answer, not for ours.
        if case["enable"].as_array().is_some_and(|names| names.iter().any(|name| name == "list-404-empty")) {
            more.remove("list-404-empty");
        }
        same("fixes of a second run", &more, &BTreeSet::new())
    });
}

/// With every quirk on, what comes out is what the RFC asks for, by a reading that knows no quirk.
#[test]
fn what_comes_out_is_clean() {
    let everything: Vec<_> = scimshim::quirk::ALL.iter().map(|quirk| quirk.id).collect();
    let all: Vec<_> = cases("requests").into_iter().chain(cases("responses")).collect();
    check(&all, |case, _| {
        let mut case = case.clone();
        case["enable"] = json!(everything);
        let outcome = explain::case(&case.to_string()).map_err(|broken| broken.error)?;
        let out = serde_json::to_value(&outcome).map_err(|error| error.to_string())?;
        let (method, target) = (text(&case["request"]["method"]), text(&case["request"]["target"]));
        let outside = case["request"].get("outside_base").is_some();
        let faults = match (out.get("response"), out.get("request")) {
            _ if outside || outcome.unread.is_some() => Vec::new(),
            (Some(answer), _) if !answer["body"].is_null() => {
                let status = u16::try_from(answer["status"].as_u64().unwrap_or_default()).expect("a status");
                rfc::answer(method, target, status, &answer["body"])
            }
            (None, Some(sent)) if !sent["body"].is_null() => rfc::request(method, text(&sent["target"]), &sent["body"]),
            _ => Vec::new(),
        };
        let faults: Vec<_> = faults.iter().map(ToString::to_string).collect();
        if faults.is_empty() { Ok(()) } else { Err(faults.join("; ")) }
    });
}

#[test]
fn the_proxy_sends_what_the_corpus_expects() {
    let mut by_idp: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for case in cases("requests").into_iter().filter(plain) {
        by_idp.entry(profile(&case)).or_default().push(case);
    }
    for (idp, cases) in by_idp {
        let app = App::start();
        let shim = Shim::start(&app.base(), &format!("tenants: {{ defaults: {{ idp: {idp} }} }}"));
        let seen = requests_through(&shim.base(), &app, &cases);
        assert!(seen > 0, "no request of {idp} went through");
    }
}

#[test]
fn the_proxy_answers_what_the_corpus_expects() {
    let mut by_idp: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for case in cases("responses").into_iter().filter(plain) {
        by_idp.entry(profile(&case)).or_default().push(case);
    }
    for (idp, cases) in by_idp {
        let app = App::start();
        let public = "listen: { base_url: \"https://scim.example.com/scim/v2\" }";
        let shim = Shim::start(&app.base(), &format!("{public}\ntenants: {{ defaults: {{ idp: {idp} }} }}"));
        let seen = answers_through(&shim.base(), &app, &cases);
        assert!(seen > 0, "no answer for {idp} came through");
    }
}

/// Sends each request to the shim at `base` and compares what `app` got; how many there were.
fn requests_through(base: &str, app: &App, cases: &[Value]) -> usize {
    let mut problems = Vec::new();
    for case in cases {
        let sent = &case["request"];
        app.answer(Reply { status: 204, ..Reply::default() });
        wire::send(base, sent);
        let Some(got) = app.last() else {
            problems.push(format!("{}: nothing reached the app", case["id"]));
            continue;
        };
        let expect = &case["expect"];
        let result = same("method", &got.method.as_str().into(), &expect["method"])
            .and_then(|()| target(&got.target, text(&expect["target"])))
            .and_then(|()| {
                same_value("content-type", &got.header("content-type").into(), &expect["headers"]["content-type"])
            })
            .and_then(|()| same_value("body", &parsed(&got.body), &expect["body"]));
        problems.extend(result.err().map(|problem| format!("{}: {problem}", case["id"])));
    }
    assert!(problems.is_empty(), "{} of {} cases:\n{}", problems.len(), cases.len(), problems.join("\n"));
    cases.len()
}

/// Has `app` give each answer and compares what comes out of the shim at `base`; how many there were.
fn answers_through(base: &str, app: &App, cases: &[Value]) -> usize {
    let mut problems = Vec::new();
    for case in cases {
        app.answer(Reply::from(&case["response"]));
        let got = wire::send(base, &case["request"]);
        let expect = &case["expect"];
        let result = same_value("status", &got.status.into(), &expect["status"])
            .and_then(|()| answer_headers(expect, |name| got.header(name)))
            .and_then(|()| match expect.get("body_text") {
                Some(expected) => same_value("body", &String::from_utf8_lossy(&got.body).into_owned().into(), expected),
                None => same_value("body", &parsed(&got.body), &expect["body"]),
            });
        problems.extend(result.err().map(|problem| format!("{}: {problem}", case["id"])));
    }
    assert!(problems.is_empty(), "{} of {} cases:\n{}", problems.len(), cases.len(), problems.join("\n"));
    cases.len()
}

/// Cases that need nothing but a profile, below the SCIM base of an app that knows its address.
fn plain(case: &Value) -> bool {
    let own = ["enable", "schema_hints", "upstream_url"].iter().any(|key| case.get(key).is_some());
    !own && case["request"].get("outside_base").is_none()
}

/// The profile as the configuration spells it.
fn profile(case: &Value) -> String {
    let name = case["idp"].as_str().unwrap_or("generic");
    name.parse::<scimshim::quirk::Idp>().map_or("generic", |idp| idp.as_str()).to_owned()
}

fn check(cases: &[Value], judge: impl Fn(&Value, &Outcome) -> Result<(), String>) {
    let mut problems = Vec::new();
    for case in cases {
        let outcome = explain::case(&case.to_string()).map_err(|broken| broken.error);
        if let Err(problem) = outcome.and_then(|outcome| judge(case, &outcome)) {
            problems.push(format!("{}: {problem}", case["id"]));
        }
    }
    assert!(problems.is_empty(), "{} of {} cases:\n{}", problems.len(), cases.len(), problems.join("\n"));
}

fn request(case: &Value, outcome: &Outcome) -> Result<(), String> {
    let out = common(case, outcome)?;
    let (got, expect) = (&out["request"], &case["expect"]);
    same("method", &got["method"], &expect["method"])?;
    target(text(&got["target"]), text(&expect["target"]))?;
    let (got_headers, mut headers) = (lower(&got["headers"]), lower(&expect["headers"]));
    // No Content-Type is expected where none is listed; other headers pass through.
    headers.entry("content-type".to_owned()).or_insert(Value::Null);
    for (name, value) in &headers {
        same_value(name, got_headers.get(name).unwrap_or(&Value::Null), value)?;
    }
    same_value("body", &got["body"], &expect["body"])?;
    unchanged(out["unchanged"] == true, case["quirks"] == json!([]))
}

fn response(case: &Value, outcome: &Outcome) -> Result<(), String> {
    let out = common(case, outcome)?;
    let (got, expect) = (&out["response"], &case["expect"]);
    same_value("status", &got["status"], &expect["status"])?;
    answer_headers(expect, |name| got["headers"][name].as_str().map(str::to_owned))?;
    // A text may happen to be JSON; it is the same text either way.
    match expect.get("body_text") {
        Some(expected) => {
            let body = outcome.message.as_ref().map(|message| String::from_utf8_lossy(&message.body).into_owned());
            same_value("body", &body.into(), expected)?;
        }
        None => same_value("body", &got["body"], &expect["body"])?,
    }
    unchanged(out["unchanged"] == true, expect["unchanged"] == true)
}

/// What requests and answers have in common; gives the outcome as a program reads it.
fn common(case: &Value, outcome: &Outcome) -> Result<Value, String> {
    let out = serde_json::to_string(outcome).map_err(|error| error.to_string())?;
    let out: Value = serde_json::from_str(&out).map_err(|error| error.to_string())?;
    same("id", &out["id"], &case["id"])?;
    same("refused", &out["refused"], &Value::Null)?;
    let expected = case["quirks"].as_array().into_iter().flatten().map(text).map(str::to_owned).collect();
    same("quirks", &quirks(outcome), &expected)?;
    Ok(out)
}

fn quirks(outcome: &Outcome) -> BTreeSet<String> {
    outcome.fixes.iter().map(|fix| fix.quirk.as_str().to_owned()).collect()
}

/// Listed headers must be there with that value; without a body, headers about it do not matter.
fn answer_headers(expect: &Value, got: impl Fn(&str) -> Option<String>) -> Result<(), String> {
    let bodyless = [204, 304].iter().any(|status| expect["status"] == *status);
    for (name, value) in lower(&expect["headers"]) {
        if !(bodyless && name.starts_with("content-")) {
            same_value(&name, &got(&name).into(), &value)?;
        }
    }
    Ok(())
}

fn target(got: &str, expected: &str) -> Result<(), String> {
    let split = |target: &str| {
        let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
        let pairs: Option<Vec<_>> = query.map(|query| {
            query
                .split('&')
                .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
                .map(|(n, v)| (decoded(n), decoded(v)))
                .collect()
        });
        (path.to_owned(), pairs)
    };
    same("target", &split(got), &split(expected))
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let hex = tail.get(..2).and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        match (first, hex) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            _ => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn unchanged(got: bool, expected: bool) -> Result<(), String> {
    if expected { same("unchanged", &got, &true) } else { Ok(()) }
}

fn lower(headers: &Value) -> BTreeMap<String, Value> {
    headers.as_object().into_iter().flatten().map(|(name, value)| (name.to_lowercase(), value.clone())).collect()
}

fn parsed(body: &[u8]) -> Value {
    match body {
        [] => Value::Null,
        body => serde_json::from_slice(body).unwrap_or_else(|_| String::from_utf8_lossy(body).into()),
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, got: &T, expected: &T) -> Result<(), String> {
    if got == expected { Ok(()) } else { Err(format!("{what}\n    got      {got:?}\n    expected {expected:?}")) }
}

/// As [`same`], told as JSON.
fn same_value(what: &str, got: &Value, expected: &Value) -> Result<(), String> {
    if got == expected { Ok(()) } else { Err(format!("{what}\n    got      {got}\n    expected {expected}")) }
}

/// The cases below a folder of the corpus, by name.
pub(crate) fn cases(folder: &str) -> Vec<Value> {
    let mut files = Vec::new();
    collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus").join(folder), &mut files);
    files.sort();
    assert!(!files.is_empty(), "no case in {folder}");
    files
        .iter()
        .map(|file| {
            let text = fs::read_to_string(file).expect("a case that can be read");
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
        })
        .collect()
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder of cases") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|end| end == "json") {
            files.push(path);
        }
    }
}

#[test]
fn every_case_lies_where_its_sender_says_and_names_known_quirks() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    for case in cases("requests") {
        let file = root.join("requests").join(text(&case["idp"])).join(format!("{}.json", text(&case["id"])));
        assert!(file.exists(), "{} does not lie at {}", case["id"], file.display());
    }
    for case in cases("requests").iter().chain(&cases("responses")) {
        for name in case["quirks"].as_array().expect("quirks") {
            assert!(scimshim::quirk::Id::from_name(text(name)).is_some(), "{}: no quirk {name}", case["id"]);
        }
    }
}
