//! The pages of the quirks: their examples run, and what is generated from them is fresh (`UPDATE=1 cargo test` writes
//! it again).

use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    path::Path,
};

use scimshim::{
    cli::{
        explain::{self, Outcome},
        quirk::{index_md, page_md},
    },
    quirk::{ALL, Example, Message, Quirk},
};
use serde_json::{Value, json};

#[test]
fn docs_quirks_is_what_the_catalogue_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/quirks");
    let mut pages: BTreeMap<String, String> =
        ALL.iter().map(|quirk| (format!("{}.md", quirk.id), page_md(quirk))).collect();
    pages.insert("README.md".to_owned(), index_md());

    if env::var_os("UPDATE").is_some() {
        fs::create_dir_all(&folder).expect("a folder for the pages");
        for (name, page) in &pages {
            fs::write(folder.join(name), page).expect("a page can be written");
        }
    }
    let mut problems = Vec::new();
    for entry in fs::read_dir(&folder).expect("docs/quirks; UPDATE=1 cargo test writes it") {
        let name = entry.expect("an entry").file_name().into_string().expect("a name");
        if !pages.contains_key(&name) {
            if env::var_os("UPDATE").is_some() {
                fs::remove_file(folder.join(&name)).expect("an old page can be removed");
            } else {
                problems.push(format!("{name}: no quirk of that name"));
            }
        }
    }
    for (name, page) in &pages {
        if fs::read_to_string(folder.join(name)).ok().as_ref() != Some(page) {
            problems.push(format!("{name}: not what is generated"));
        }
    }
    assert!(problems.is_empty(), "docs/quirks is stale, UPDATE=1 cargo test writes it:\n{}", problems.join("\n"));
}

#[test]
fn every_page_has_a_summary_and_what_it_promises() {
    let mut problems = Vec::new();
    for quirk in ALL {
        let summary = quirk.summary();
        if summary == "PAGE" || summary.len() < 10 {
            problems.push(format!("{}: no summary in the first line", quirk.id));
        }
        if summary.chars().count() > 120 {
            problems.push(format!("{}: the first line has more than 120 characters", quirk.id));
        }
        if quirk.examples().is_empty() {
            problems.push(format!("{}: no example", quirk.id));
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn every_example_comes_out_as_its_page_says() {
    let mut problems = Vec::new();
    for quirk in ALL {
        for (number, example) in quirk.examples().iter().enumerate() {
            if let Err(problem) = run(quirk, example) {
                problems.push(format!("{}, example {}: {problem}", quirk.id, number + 1));
            }
        }
    }
    assert!(problems.is_empty(), "{} examples:\n{}", problems.len(), problems.join("\n"));
}

fn run(quirk: &Quirk, example: &Example) -> Result<(), String> {
    let case = case(example, &example.before);
    let outcome = explain::case(&case.to_string()).map_err(|broken| broken.error)?;
    if let Some(refused) = &outcome.refused {
        return Err(format!("refused: {}", refused.detail));
    }
    let Some(after) = &example.after else {
        return if outcome.unchanged { Ok(()) } else { Err(format!("changed by {:?}", ids(&outcome))) };
    };
    let got = serde_json::to_value(&outcome).map_err(|error| error.to_string())?;
    compare(&got[if after.status.is_some() { "response" } else { "request" }], after)?;
    if !ids(&outcome).contains(quirk.id) {
        return Err(format!("not among the fixes {:?}", ids(&outcome)));
    }
    let again = explain::case(&self::case(example, after).to_string()).map_err(|broken| broken.error)?;
    if !again.unchanged {
        return Err(format!("not settled: a second run changes it by {:?}", ids(&again)));
    }
    Ok(())
}

fn compare(got: &Value, expected: &Message) -> Result<(), String> {
    let same = |what: &str, got: &Value, expected: Value| {
        if *got == expected { Ok(()) } else { Err(format!("{what}\n    got      {got}\n    expected {expected}")) }
    };
    match expected.status {
        Some(status) => same("status", &got["status"], json!(status))?,
        None => {
            same("method", &got["method"], json!(expected.method))?;
            same("target", &got["target"], json!(expected.target))?;
        }
    }
    for (name, value) in &expected.headers {
        same(name, &got["headers"][name], json!(value))?;
    }
    if expected.body.is_empty() {
        return match (got.get("body"), got.get("body_text")) {
            (None, None) => Ok(()),
            (body, text) => Err(format!("a body where none is expected: {:?}", body.or(text))),
        };
    }
    match serde_json::from_str(&expected.body) {
        Ok(body) => same("body", &got["body"], body),
        Err(_) => same("body", &got["body_text"], json!(expected.body)),
    }
}

/// An example as a case of `explain`. The second run of an example takes its second message.
fn case(example: &Example, message: &Message) -> Value {
    let hints: Vec<_> =
        example.hints.iter().map(|(path, kind)| json!({"path": path, "type": kind, "multiValued": false})).collect();
    let headers: BTreeMap<_, _> = message.headers.iter().cloned().collect();
    // The start line of an answer repeats what was asked; a second message may leave it out.
    let asked = if message.method.is_empty() { &example.before } else { message };
    let mut case = json!({
        "id": "example", "idp": example.idp, "enable": example.enable, "schema_hints": hints,
        "base_url": "https://scim.example.com/scim/v2", "upstream_url": "http://127.0.0.1:8080/scim/v2",
        "request": { "method": asked.method, "target": asked.target },
    });
    match message.status {
        Some(status) => {
            case["response"] = json!({ "status": status, "headers": headers, "body_text": message.body });
        }
        None => {
            case["request"]["headers"] = json!(headers);
            case["request"]["body_raw"] = json!(message.body);
        }
    }
    case
}

fn ids(outcome: &Outcome) -> BTreeSet<&'static str> {
    outcome.fixes.iter().map(|fix| fix.quirk.as_str()).collect()
}
