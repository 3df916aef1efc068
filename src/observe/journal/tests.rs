use std::{collections::BTreeSet, fs, path::Path};

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{entry::LARGEST, *};
use crate::{
    cli::explain,
    config::settings,
    observe::{
        account::{Body, Got, Kept, Sent},
        facts::{
            observation,
            sample::{Sample, kept, whole},
        },
        log::caught::Log,
    },
    quirk::{Direction, Findings, Id, Idp},
};

fn key() -> Key {
    Key::from_bytes([7; 32])
}

fn settings(entries: usize) -> settings::Journal {
    settings::Journal { entries, failures_only: false, reveal: BTreeSet::new() }
}

fn journal(settings: &settings::Journal) -> Journal {
    Journal::new(settings, key(), Arc::new(Metrics::new().expect("a registry")))
}

fn record(journal: &Journal, sample: &Sample) {
    sample.account(|account| {
        let event = observation(account, &key());
        journal.record(account, event.as_ref());
    });
}

/// What is kept of an exchange.
#[track_caller]
fn kept_of(sample: &Sample) -> Value {
    let journal = journal(&settings(1));
    record(&journal, sample);
    let page = journal.find(&Query::default());
    serde_json::from_str(page.entries[0].json.get()).expect("JSON")
}

fn ids(page: &Page) -> Vec<u64> {
    page.entries.iter().map(|entry| entry.seq).collect()
}

fn count(journal: &Journal) -> i64 {
    journal.metrics.journal_entries.get()
}

#[test]
fn values_go_and_shapes_stay() {
    let body = r#"{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"id":"26","externalId":"x-1","userName":"ada",
        "name":{"givenName":"Ada","Familyname":"Lövelace"},"active":"True","nickName":"","title":null,
        "emails":[{"type":"work","value":"ada@example.com","primary":true}],
        "ada@example.com":1,"shoeSize":4.2e1,"born":"1815-12-10","phone":"04912",
        "urn:acme:2.0:User":{"badge":{"Ada Lovelace":{"level":12},"count":3}},
        "meta":{"resourceType":"User","location":"https://app.example.com/scim/v2/Users/26","version":"W/\"7\""}}"#;
    let entry = kept_of(&Sample::new("PUT", "/Users/26?attributes=userName&x=ada", body, 200, body));
    let id = redact::hashed(key().name("acme", "Users", "26"));
    let external = redact::hashed(key().name("acme", "Users", "x-1"));
    assert_eq!(
        entry["request"]["body"],
        json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "id": id, "externalId": external,
            "userName": "string(3)", "name": {"givenName": "string(3)", "Familyname": "string(8)"},
            "active": "True", "nickName": "", "title": null,
            "emails": [{"type": "work", "value": "string(15)", "primary": true}],
            "name(15)": 1, "name(8)": serde_json::from_str::<Value>("9.9e9").unwrap(), "name(4)": "2000-01-01", "name(5)": "string(5)",
            "urn:acme:2.0:User": {"name(5)": {"name(12)": {"name(5)": 99}, "count": 9}},
            "meta": {"resourceType": "User", "location": format!("https://app.example.com/scim/v2/Users/{id}"),
                     "version": "string(5)"},
        })
    );
    assert_eq!(entry["request"]["target"], format!("/Users/{id}?attributes=userName&name(1)=string(3)"));
    assert_eq!(entry["event"]["object_id"], id);
    assert_eq!(entry["told"], entry["app"]);
    assert_eq!(entry["at"], "2015-10-21T16:29:00.007Z");
    assert_eq!(entry["times_us"], json!({"total": 900, "body": 0, "turn": 0, "app": 700, "own": 200}));
    assert_eq!(entry["revealed"], false);
}

#[test]
fn patches_keep_operations_and_paths() {
    let body = r#"{"Operations":[{"op":"Replace","path":"emails[type eq \"work\" and value eq \"a@b\"].value","value":"c@d"},
        {"op":"add","path":"members","value":[{"value":"26","display":"Ada"}]},
        {"op":"remove","path":"members[value eq \"26\"]"},
        {"op":"add","value":{"emails[type eq \"x\"].value":"y","manager":"26"}},
        {"op":"add","path":"Ada Lovelace","value":{"Ada Lovelace":1}}]}"#;
    let entry = kept_of(&Sample::new("PATCH", "/Groups/5", body, 204, ""));
    let member = redact::hashed(key().name("acme", "Users", "26"));
    assert_eq!(
        entry["request"]["body"]["Operations"],
        json!([
            {"op": "Replace", "path": r#"emails[type eq "work" and value eq "string(3)"].value"#, "value": "string(3)"},
            {"op": "add", "path": "members", "value": [{"value": member, "display": "string(3)"}]},
            {"op": "remove", "path": format!("members[value eq \"{member}\"]")},
            {"op": "add", "value": {r#"emails[type eq "string(1)"].value"#: "string(1)", "manager": member}},
            {"op": "add", "path": "string(12)", "value": {"name(12)": 1}},
        ])
    );
}

#[test]
fn errors_keep_what_they_name_and_not_what_they_say() {
    let error = r#"{"status":"409","scimType":"uniqueness","detail":"userName ada@example.com is taken"}"#;
    let entry = kept_of(&Sample::new("POST", "/Users", r#"{"userName":"ada@example.com"}"#, 409, error));
    assert_eq!(entry["told"]["body"], json!({"status": "409", "scimType": "uniqueness", "detail": "string(33)"}));
    assert_eq!(entry["told"]["names"], json!(["userName"]));
}

#[test]
fn bodies_that_cannot_be_read_are_only_described() {
    let told = |body: &[u8], headers: &[(&str, &str)]| {
        let got = Got::new(500, kept(headers), whole(body));
        let sample = Sample::new("GET", "/Users/1", "", 500, "").with(|sample| sample.told = Some(got));
        kept_of(&sample)["told"].clone()
    };
    let html = told(b"<html>Ada</html>", &[]);
    assert_eq!(html["unreadable"], json!({"bytes": 16, "begins": "html"}));
    assert!(html.get("body").is_none());
    assert_eq!(told(b"{}", &[("content-encoding", "gzip")])["unreadable"]["begins"], "coded");
    assert_eq!(told(br#"{"a":1,"a":2}"#, &[])["unreadable"]["begins"], "json");
    let large = format!("{{\"a\":\"{}\"}}", "x".repeat(300_000));
    assert_eq!(told(large.as_bytes(), &[])["unreadable"], json!({"bytes": 300_008, "begins": "json"}));
    assert_eq!(told("\u{feff} {\"a\":2}\n".as_bytes(), &[])["body_text"], "\u{feff} {\"name(1)\":9} ");
}

#[test]
fn headers_lose_what_points_at_somebody() {
    let headers = kept(&[
        ("location", "https://app.example.com/base/ada/Users/26?token=x"),
        ("etag", "W/\"26\""),
        ("retry-after", "30"),
        ("user-agent", &"a".repeat(300)),
    ]);
    let got = Got::new(201, headers, Body::Empty);
    let entry = kept_of(&Sample::new("POST", "/Users", "{}", 201, "").with(|sample| sample.told = Some(got)));
    let id = redact::hashed(key().name("acme", "Users", "26"));
    let headers = &entry["told"]["headers"];
    assert_eq!(headers["location"], format!("https://app.example.com/name(4)/name(3)/Users/{id}?name(5)=string(1)"));
    assert_eq!(headers["etag"], "W/\"string(2)\"");
    assert_eq!(headers["retry-after"], "30");
    assert_eq!(headers["user-agent"], "string(300)");
    let okta = kept(&[("user-agent", "Okta SCIM Client 1.0.0")]);
    let entry = kept_of(&Sample::new("POST", "/Users", "{}", 400, "").with(|sample| sample.received.headers = okta));
    assert_eq!(entry["request"]["headers"]["user-agent"], "Okta SCIM Client 1.0.0");
}

#[test]
fn long_lists_are_cut_short_and_say_so() {
    let members: Vec<String> = (0..2000).map(|n| format!(r#"{{"value":"user-{n}"}}"#)).collect();
    let body = format!(r#"{{"Operations":[{{"op":"add","path":"members","value":[{}]}}]}}"#, members.join(","));
    let entry = kept_of(&Sample::new("PATCH", "/Groups/1", &body, 204, ""));
    assert_eq!(entry["request"]["body"]["Operations"][0]["value"].as_array().map(Vec::len), Some(20));
    assert_eq!(entry["request"]["cut"], 1980);
}

#[test]
fn revealed_tenants_keep_everything_but_credentials() {
    let log = Log::catch();
    let mut settings = settings(9);
    settings.reveal.insert("acme".to_owned());
    let journal = journal(&settings);
    journal.reconfigure(&settings);
    assert_eq!(log.text().matches("journal.reveal").count(), 1, "told once: {}", log.text());
    let body = r#"{"userName":"ada","password":"swordfish","x":{"clientSecret":["swordfish",{"a":"swordfish"}]},
        "note":"Bearer swordfish","photo":{"$ref":"https://a/b?token=swordfish"},
        "keys":[{"type":"password","value":"swordfish"}],"role":"{\"token\":\"swordfish\"}"}"#;
    record(&journal, &Sample::new("POST", "/Users?access_token=swordfish", body, 500, "{}"));
    let patch = r#"{"Operations":[{"op":"replace","path":"password","value":"swordfish"},{"op":"add","path":"title","value":"Dr"},
        {"op":"replace","value":{"urn:ietf:params:scim:schemas:core:2.0:User:password":"swordfish"}}]}"#;
    record(&journal, &Sample::new("PATCH", "/Users/26?filter=password+eq+%22swordfish%22", patch, 500, "{}"));
    record(&journal, &Sample::new("POST", "/Users", body, 500, "{}").with(|sample| sample.tenant = "other".to_owned()));
    let lines: Vec<String> = journal.export(&Query::default()).collect();
    assert!(lines.iter().all(|line| !line.contains("swordfish")), "{lines:#?}");
    assert!(lines[0].contains(r#""userName":"ada""#) && lines[0].contains(r#""revealed":true"#));
    assert!(lines[2].contains("/Users/26") && lines[2].contains(r#""value":"Dr""#));
    assert!(!lines[4].contains("ada") && lines[4].contains(r#""revealed":false"#));
}

#[test]
fn whatever_names_a_credential_hides_it_where_values_are_revealed() {
    let mut settings = settings(9);
    settings.reveal.insert("acme".to_owned());
    let line_of = |sample: &Sample| {
        let journal = journal(&settings);
        record(&journal, sample);
        journal.export(&Query::default()).collect::<Vec<_>>().concat()
    };
    let clean = |what: &str, line: &str| {
        assert!(line.contains(r#""revealed":true"#) && !line.contains("swordfish"), "{what}: {line}");
    };
    for target in [
        "/Users?%70assword=swordfish",
        "/Users?sig=swordfish",
        "/Users?X-Amz-Signature=swordfish",
        "/Users?subscription-key=swordfish",
        "/Users?c%6Fde=swordfish",
        "/Users?a=1;sig=swordfish",
        "/Users?next=https%3A%2F%2Fa%2F%3Fsig%3Dswordfish",
        "/Users?x=Bearer+swordfish",
        "/Users?x=Bearer%20swordfish",
        "/Users?filter=title%20eq%20%22Bearer%20swordfish%22",
        "/Users?filter=pwd+eq+%22swordfish%22",
        "/Users/1;code=swordfish",
        "/Users/1#access_token=swordfish",
        "http://ada:swordfish@host/scim/Users",
        "//swordfish@host/Users",
        "/Users?url=https://swordfish@host/",
        "/Users?apiKey",
        "/Users/Bearer%20swordfish",
    ] {
        clean(target, &line_of(&Sample::new("GET", target, "", 500, "{}")));
        let location = json!({ "meta": { "location": target }, "x": target }).to_string();
        clean(target, &line_of(&Sample::new("GET", "/Users/1", "", 500, &location)));
        let got = Got::new(201, kept(&[("location", target)]), Body::Empty);
        clean(target, &line_of(&Sample::new("POST", "/Users", "", 201, "{}").with(|sample| sample.told = Some(got))));
    }
    for path in [
        r#"[type eq \"password\"].value"#,
        "urn:x:password:",
        r#"keys[type eq \"pin\"].value"#,
        "userPin",
        "urn:x:y:pwd",
    ] {
        for value in [r#""swordfish""#, r#"{"a":["swordfish"]}"#] {
            let body = format!(r#"{{"Operations":[{{"op":"replace","path":"{path}","value":{value}}}]}}"#);
            clean(path, &line_of(&Sample::new("PATCH", "/Users/1", &body, 500, "{}")));
        }
    }
    for name in [
        "pwd",
        "PIN",
        "otp",
        "passcode",
        "passphrase",
        "api-key",
        "apikey",
        "API_KEY",
        "jwt",
        "credential",
        "Credentials",
        "privateKey",
        "private_key",
        "userPin",
        "urn:x:y:pwd",
        "otpSecret",
    ] {
        clean(name, &line_of(&Sample::new("POST", "/Users", &json!({ name: ["swordfish"] }).to_string(), 500, "{}")));
        let typed = json!({ "keys": [{ "type": name, "value": "swordfish" }] }).to_string();
        clean(name, &line_of(&Sample::new("POST", "/Users", &typed, 500, "{}")));
    }
    for detail in [
        "it said Bearer swordfish to me",
        "BASIC\tswordfish",
        "see https://a:swordfish@b/c",
        "eyJswordfish.x.y",
        "(bearer: swordfish)",
    ] {
        let error = json!({ "status": "401", "detail": detail, "externalId": detail }).to_string();
        clean(detail, &line_of(&Sample::new("POST", "/Users", "{}", 401, &error)));
    }
    let long = "ada ".repeat(600) + "swordfish";
    clean(
        "a text too long to be searched",
        &line_of(&Sample::new("POST", "/Users", &json!({ "x": long }).to_string(), 500, "{}")),
    );
    let harmless =
        r#"{"title":"opinionated","userName":"ada@example.com","name":{"familyName":"Pinter"},"x":"postal=1"}"#;
    let line = line_of(&Sample::new("POST", "/Users/ada@example.com?x=ada", harmless, 500, "{}"));
    for shown in ["opinionated", "ada@example.com", "Pinter", "postal=1", "/Users/ada@example.com?x=ada"] {
        assert!(line.contains(shown), "{shown}: {line}");
    }
}

#[test]
fn refusals_keep_our_own_words_only() {
    let refused = |reason: &'static str| {
        let sample = Sample::new("PATCH", "/Users/1", "{}", 503, "{}").with(|sample| {
            sample.refusal = Some((reason, "no connection from 192.0.2.1".to_owned()));
            sample.forwarded = None;
            sample.app = None;
        });
        kept_of(&sample)
    };
    assert_eq!(refused("malformed")["refused"], json!({"reason": "malformed"}));
    assert_eq!(refused("hold")["refused"]["reason"], "hold");
    assert!(refused("hold")["forwarded"].is_null() && refused("hold")["app"].is_null());
}

#[test]
fn only_failures_are_kept_where_only_they_are_wanted() {
    let journal = journal(&settings::Journal { failures_only: true, ..settings(9) });
    let quiet = Sample::new("GET", "/Users/1", "", 200, "{}");
    record(&journal, &quiet);
    assert_eq!(count(&journal), 0);
    record(&journal, &Sample::new("GET", "/Users/1", "", 200, "<html>"));
    record(&journal, &Sample::new("GET", "/Users/1", "", 404, "{}"));
    record(&journal, &quiet.clone().with(|sample| sample.told = None));
    record(&journal, &quiet.clone().with(|sample| sample.refusal = Some(("rate", String::new()))));
    assert_eq!(count(&journal), 4);
    let stranger = Sample::new("GET", "/Users/1", "", 401, "{}");
    record(&journal, &stranger.with(|sample| (sample.credible, sample.credentials) = (false, false)));
    assert_eq!(count(&journal), 4, "strangers push nothing out");
    journal.reconfigure(&settings::Journal { failures_only: false, ..settings(9) });
    record(&journal, &quiet);
    assert_eq!(count(&journal), 5);
}

#[test]
fn the_ring_is_bounded_in_entries_and_bytes() {
    let journal = journal(&settings(3));
    let one = Sample::new("GET", "/Users/1", "", 200, "{}");
    for _ in 0..5 {
        record(&journal, &one);
    }
    assert_eq!((ids(&journal.find(&Query::default())), count(&journal)), (vec![5, 4, 3], 3));
    journal.reconfigure(&settings(1));
    assert_eq!((ids(&journal.find(&Query::default())), count(&journal)), (vec![5], 1));
    assert!(journal.entry(5).is_some() && journal.entry(4).is_none());
    journal.reconfigure(&settings(0));
    record(&journal, &one);
    assert_eq!(count(&journal), 0);
    assert_eq!(journal.ring().house.bytes, 0);

    let mut ring = Ring::default();
    let entry = Arc::new(one.account(|account| {
        let redactor = Redactor { key: &key(), tenant: "acme", resource: "Users", reveal: false };
        Entry::new(1, account, None, &redactor, false)
    }));
    for _ in 0..ROOM / entry.size() + 10 {
        ring.house.add(Arc::clone(&entry));
        ring.trim(usize::MAX);
    }
    assert!(ring.house.bytes <= ROOM && ring.house.bytes > ROOM - 2 * entry.size());
    for _ in 0..ROOM / entry.size() {
        ring.guests.add(Arc::clone(&entry));
        ring.trim(usize::MAX);
    }
    assert!(ring.guests.bytes <= ROOM / 10 && ring.guests.bytes > ROOM / 10 - 2 * entry.size());
    assert!(ring.house.bytes + ring.guests.bytes <= ROOM);
}

#[test]
fn a_flood_of_wrong_tokens_washes_a_tenth_out_and_no_more() {
    let journal = journal(&settings(100));
    let house = Sample::new("PATCH", "/Users/1", "{}", 400, "{}");
    let guest = Sample::new("GET", "/Users/1", "", 401, "{}").with(|sample| sample.credible = false);
    let nobody = guest.clone().with(|sample| sample.credentials = false);
    (0..95).for_each(|_| record(&journal, &house));
    (0..5000).for_each(|_| record(&journal, &guest));
    (0..5000).for_each(|_| record(&journal, &nobody));
    let found = |text: &str| ids(&journal.find(&Query::parse(text).expect("a query")));
    assert_eq!(count(&journal), 100);
    assert_eq!(found("method=GET&limit=500"), (5086..=5095).rev().collect::<Vec<_>>(), "the latest guests");
    assert_eq!(found("method=PATCH&limit=500"), (6..=95).rev().collect::<Vec<_>>(), "the latest of the house");
    record(&journal, &house);
    assert_eq!(found("limit=3"), [5096, 5095, 5094], "both are shown in their order");
    assert_eq!((found("limit=1&before=5087"), found("limit=1&before=5086")), (vec![5086], vec![95]));
    assert_eq!(count(&journal), 100);
    assert!(journal.entry(5096).is_some() && journal.entry(5095).is_some() && journal.entry(90).is_some());
    assert!(journal.entry(6).is_none() && journal.entry(3000).is_none() && journal.entry(u64::MAX).is_none());
    let export: Vec<String> = journal.export(&Query::default()).collect();
    assert!(export[0].contains(r#""seq":7,"#) && export.last().is_some_and(|line| line.contains("/answer")));
    journal.reconfigure(&settings(5));
    assert_eq!(found(""), [5096, 95, 94, 93, 92], "too few for a guest");
}

#[test]
fn of_answers_without_json_the_export_finds_the_same() {
    for (body, kind, quirk) in [
        ("<html>Zebra</html>", "text/html", "error-html"),
        ("<?xml version=\"1.0\"?><zebra/>", "text/xml", "error-html"),
        ("Zebra is unknown", "text/plain", "error-plain-text"),
        ("error=zebra", "text/plain", "error-plain-text"),
        ("", "text/plain", "error-empty-body"),
    ] {
        let got = Got::new(500, kept(&[("content-type", kind)]), Body::of(&body.to_owned().into()));
        let sample = Sample::new("GET", "/Users/1", "", 500, "").with(|sample| sample.app = Some(got));
        let journal = journal(&settings(1));
        record(&journal, &sample);
        let lines: Vec<String> = journal.export(&Query::default()).collect();
        assert!(!lines[1].to_lowercase().contains("zebra"), "{}", lines[1]);
        let found = quirks(&serde_json::from_str(&lines[1]).expect("JSON")).expect("a case");
        assert!(found.contains(quirk), "{body}: {found:?}: {}", lines[1]);
        assert!(!found.contains("error-empty-body") || body.is_empty(), "{body}: {found:?}");
    }
}

#[test]
fn long_numbers_of_pages_are_not_in_clear_and_the_root_has_no_name() {
    let target = "/Users?startIndex=8675309&count=100&count=-1&startIndex=--1&count=123456";
    let entry = kept_of(&Sample::new("GET", target, "", 200, "{}").with(|sample| {
        let mut findings = Findings::default();
        findings.note(Id::AttrCase, true, || "");
        sample.findings = vec![(Direction::Request, findings)];
    }));
    let kept = "/Users?startIndex=9999999&count=100&count=-1&startIndex=string(3)&count=123456";
    assert_eq!(entry["request"]["target"], kept);
    assert_eq!(entry["fixes"][0]["at"], "");
}

#[test]
fn pages_lead_on_and_filters_hold() {
    let journal = journal(&settings(5000));
    for n in 0..3000 {
        let method = if n % 2 == 0 { "GET" } else { "PATCH" };
        let status = if n % 1000 == 0 { 409 } else { 200 };
        let sample = Sample::new(method, "/Users/1", "", status, "{}").with(|sample| {
            sample.tenant = format!("t{}", n % 3);
            sample.id = format!("id-{n}");
            if n == 7 {
                let mut findings = Findings::default();
                findings.note(Id::BoolString, true, || "/active");
                sample.findings = vec![(Direction::Request, findings)];
            }
        });
        record(&journal, &sample);
    }
    let find = |text: &str| journal.find(&Query::parse(text).expect("a query"));
    let page = find("");
    assert_eq!((ids(&page).len(), ids(&page)[0], page.next), (50, 3000, Some(2951)));
    assert_eq!(ids(&find("before=2951&limit=1")), [2950]);
    assert_eq!(ids(&find("status=4xx")), [2001, 1001, 1]);
    assert_eq!(find("status=4xx").next, None);
    assert_eq!(ids(&find("status=409&limit=2")), [2001, 1001]);
    assert_eq!(find("status=409&limit=2").next, Some(1001));
    assert_eq!(ids(&find("status=409&before=1001")), [1]);
    assert_eq!(ids(&find("failed=true&tenant=t0")), [1]);
    assert_eq!(ids(&find("quirk=bool-string")), [8]);
    assert_eq!(ids(&find("id=id-42")), [43]);
    assert_eq!(ids(&find("method=PATCH&limit=1")), [3000]);
    assert!(ids(&find("resource=Groups")).is_empty() && ids(&find("status=5xx")).is_empty());
    let export: Vec<String> = journal.export(&Query::parse("status=409").unwrap()).collect();
    assert_eq!(export.len(), 6, "a request and an answer each");
    assert!(export[0].contains(r#""seq":1,"#) && export[5].contains("/answer"));
}

#[test]
fn what_strangers_write_stays_bounded_and_escaped() {
    let huge = "x".repeat(1 << 20);
    let html = r#"{"userName":"<script>alert(1)</script>","a\nb":1}"#;
    let newlines = Sample::new("PATCH", "/Users/1\n{\"id\":\"forged\"}", html, 400, html);
    let long =
        Sample::new("GET", &format!("/Users/{huge}?{}", "a=b&".repeat(10_000)), &huge, 400, &huge).with(|sample| {
            sample.id = format!("{huge}\n");
            sample.tenant = format!("acme{huge}");
        });
    for sample in [newlines, long] {
        let journal = journal(&settings(9));
        record(&journal, &sample);
        for line in journal.export(&Query::default()) {
            assert!(line.len() <= LARGEST && !line.contains('\n') && !line.contains("<script>"), "{}", line.len());
            assert!(!line.contains("forged"));
            serde_json::from_str::<Value>(&line).expect("JSON");
        }
    }
}

/// Every request of the corpus that has a case.
fn corpus() -> Vec<Value> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/requests");
    let folders = fs::read_dir(root).expect("the corpus").map(|folder| folder.expect("a folder").path());
    let files = folders.flat_map(|folder| fs::read_dir(folder).expect("a folder"));
    files
        .map(|file| serde_json::from_slice(&fs::read(file.expect("a file").path()).unwrap()).expect("a case"))
        .collect()
}

fn quirks(case: &Value) -> Result<BTreeSet<String>, String> {
    let outcome = explain::case(&case.to_string()).map_err(|broken| broken.error)?;
    Ok(outcome.fixes.iter().map(|place| place.quirk.as_str().to_owned()).collect())
}

/// The case's request as an account.
fn sample(case: &Value) -> Sample {
    let request = &case["request"];
    let headers: Vec<(&str, &str)> = request["headers"]
        .as_object()
        .map(|headers| headers.iter().filter_map(|(name, value)| Some((name.as_str(), value.as_str()?))).collect())
        .unwrap_or_default();
    let body = match (request.get("body_raw"), request.get("body")) {
        (Some(raw), _) => raw.as_str().unwrap_or_default().to_owned(),
        (None, Some(body)) => body.to_string(),
        (None, None) => String::new(),
    };
    let methods = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"];
    let method = methods.into_iter().find(|method| request["method"] == **method).expect("a method");
    let idp = case["idp"].as_str().and_then(|idp| idp.parse().ok()).unwrap_or(Idp::Generic);
    Sample::new(method, request["target"].as_str().expect("a target"), &body, 200, "{}").with(|sample| {
        sample.received.headers = kept(&headers);
        sample.idp = idp;
    })
}

#[test]
fn explain_finds_in_an_entry_what_it_found_in_the_request() {
    let cases = corpus();
    assert!(cases.len() > 100);
    let mut other = Vec::new();
    for case in &cases {
        let found = quirks(case).expect("a case");
        let mut entry = kept_of(&sample(case));
        // The proxy tells what was fixed by the findings, and schemas are the operator's.
        entry["enable"] = case["enable"].clone();
        entry["schema_hints"] = case["schema_hints"].clone();
        let again = quirks(&entry).unwrap_or_else(|error| panic!("{}: {error}", case["id"]));
        if again != found {
            other.push(format!("{}: {found:?} became {again:?}: {}", case["id"], entry["request"]));
        }
    }
    assert!(other.is_empty(), "{} of {}:\n{}", other.len(), cases.len(), other.join("\n"));
}

#[test]
fn answers_are_exported_as_cases_of_their_own() {
    let journal = journal(&settings(9));
    let list = r#"{"Resources":[],"totalResults":"0"}"#;
    record(&journal, &Sample::new("GET", "/Users?filter=userName%20eq%20%22a%22", "", 200, list));
    let lines: Vec<String> = journal.export(&Query::default()).collect();
    let answer: Value = serde_json::from_str(&lines[1]).expect("JSON");
    assert_eq!(answer["id"], "req-1/answer");
    assert!(
        answer.get("event").is_none() && serde_json::from_str::<Value>(&lines[0]).unwrap().get("response").is_none()
    );
    let found: BTreeSet<String> = quirks(&answer).expect("a case");
    assert!(found.contains("list-schemas-missing"), "{found:?}");
    assert!(explain::case(&lines[0]).is_ok());
}

/// Bodies as they come, with `secret` where people's data stands.
fn body(secret: &'static str) -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        Just(json!(secret)),
        Just(json!(format!("{secret}@example.com"))),
        Just(json!(format!("{{\"value\":\"{secret}\",\"x\":[\"{secret}\"]}}"))),
        Just(json!(format!("emails[value eq \"{secret}\"].value"))),
        Just(json!(format!("https://x/{secret}?q={secret}"))),
        Just(json!(8_675_309_u64)),
        Just(json!("8675309")),
    ];
    let names = prop::sample::select(vec![
        "schemas",
        "id",
        "externalId",
        "userName",
        "name",
        "emails",
        "value",
        "type",
        "display",
        "$ref",
        "members",
        "manager",
        "groups",
        "Operations",
        "op",
        "path",
        "Resources",
        "totalResults",
        "detail",
        "scimType",
        "status",
        "meta",
        "location",
        "resourceType",
        "created",
        "password",
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User",
        "urn:acme:2.0:User",
        "custom",
        "method",
        "data",
        "filter",
        "8675309",
        "zebra@example.com",
        "zebra quagga",
        "emails[value eq \"zebra\"].value",
    ]);
    leaf.prop_recursive(5, 60, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((names.clone(), inner), 0..6)
                .prop_map(|members| members
                    .into_iter()
                    .map(|(n, v)| (n.to_owned(), v))
                    .collect::<serde_json::Map<_, _>>())
                .prop_map(Value::from),
        ]
    })
}

/// A path names an attribute, so a word there is taken for one.
fn without_names(value: &mut Value) {
    match value {
        Value::Array(list) => list.iter_mut().for_each(without_names),
        Value::Object(members) => {
            for (name, member) in members {
                let word = member.as_str().is_none_or(|text| !text.contains('@'));
                if name == "path" && word && !member.is_object() {
                    *member = json!("zebra quagga");
                }
                without_names(member);
            }
        }
        _ => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn nothing_of_a_person_is_kept(mut sent in body("zebra"), mut answer in body("zebra"), place in 0..6_usize) {
        without_names(&mut sent);
        without_names(&mut answer);
        let target = [
            "/Users/zebra?x=zebra&filter=userName%20eq%20%22zebra%22&zebra=1",
            "/Users?filter=emails%5Btype+eq+%22zebra%22%5D.value+eq+zebra&sortBy=zebra@example.com",
            "/Groups/zebra/zebra?filter=zebra+zebra",
            "/zebra/8675309?cursor=zebra&attributes=a.zebra.c",
            "/Users/.search?count=zebra",
            "/zebra@example.com",
        ][place];
        let headers = kept(&[("location", "https://app.example.com/zebra/Users/zebra"), ("if-match", "\"zebra\"")]);
        let sample = Sample::new("PATCH", target, &sent.to_string(), 400, &answer.to_string()).with(|sample| {
            sample.received.headers = headers.clone();
            sample.told.as_mut().unwrap().headers = headers.clone();
            sample.refusal = Some(("malformed", "zebra".to_owned()));
            let mut findings = Findings::default();
            findings.note(Id::AttrCase, false, || "/Operations/0/value/zebra@example.com");
            findings.note(Id::AttrCase, true, || "/emails[value eq \"zebra\"].value");
            sample.findings = vec![(Direction::Request, findings)];
        });
        let journal = journal(&settings(1));
        record(&journal, &sample);
        for line in journal.export(&Query::default()) {
            prop_assert!(!line.contains("zebra") && !line.contains("8675309"), "{}", line);
            prop_assert!(line.len() <= LARGEST && !line.contains('\n'));
            let value: Value = serde_json::from_str(&line).expect("JSON");
            prop_assert!(explain::case(&value.to_string()).is_ok());
        }
    }

    #[test]
    fn any_bytes_give_an_entry(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        text in "\\PC{0,120}|[{}\\[\\]\",:eE0-9.+-]{0,60}",
        reveal in any::<bool>(),
    ) {
        let mut settings = settings(1);
        if reveal {
            settings.reveal.insert("acme".to_owned());
        }
        let journal = journal(&settings);
        let got = Got::new(500, Kept::default(), whole(&bytes));
        let sample = Sample::new("POST", &text, &text, 500, &text).with(|sample| {
            sample.forwarded = Some(Sent::new(format!("/Users?filter={text}"), Kept::default(), whole(&bytes)));
            sample.told = Some(got.clone());
            sample.id = text.clone();
        });
        record(&journal, &sample);
        for line in journal.export(&Query::default()) {
            prop_assert!(serde_json::from_str::<Value>(&line).is_ok() && !line.contains('\n'), "{}", line);
            prop_assert!(explain::case(&line).is_ok(), "{}", line);
        }
    }
}
