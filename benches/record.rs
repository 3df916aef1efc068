//! What it costs to record an exchange at its end: what is made of it, the journal, and everything with the ledger.
//!
//! Most exchanges succeed and the journal keeps failures only, so that is what every request pays. One that fails is
//! redacted on the spot; beside it, in the same run, stands what its two bodies cost to be read as JSON, the work that
//! no redaction can do without.

#![allow(missing_docs)]

use std::{collections::BTreeSet, hint::black_box, path::Path, sync::Arc, time::SystemTime};

use bytes::Bytes;
use criterion::{Criterion, criterion_group, criterion_main};
use http::{HeaderMap, HeaderValue, header};
use scimshim::{
    config::{self, World, settings},
    observe::{
        Metrics, Recorder,
        account::{Account, Body, Got, Kept, Sent, Times},
        facts,
        journal::{Journal, Query},
        key::Key,
        ledger::Clock,
    },
    quirk::Idp,
};

const PATCH: &str = r#"{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"replace","path":"active","value":false},{"op":"replace","path":"emails[type eq \"work\"].value","value":"ada.lovelace@example.com"}]}"#;

const USER: &str = r#"{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],"externalId":"0a21f0f2-8d2a-4f8e-bf98-7363c4aed4ef","userName":"ada.lovelace@example.com","active":true,"emails":[{"primary":true,"type":"work","value":"ada.lovelace@example.com"}],"meta":{"resourceType":"User"},"name":{"formatted":"Ada Lovelace","familyName":"Lovelace","givenName":"Ada"},"title":"Countess","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"Analytics","employeeNumber":"1815"}}"#;

const ERROR: &str = r#"{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"400","scimType":"invalidValue","detail":"emails.type is required for ada.lovelace@example.com"}"#;

/// An exchange, owned.
struct Exchange {
    method: &'static str,
    resource: &'static str,
    sent: Sent,
    got: Got,
}

impl Exchange {
    fn new(method: &'static str, target: &str, body: &str, status: u16, answer: &str) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/scim+json"));
        let headers = Kept::of(&headers);
        let whole = |text: &str| Body::of(&Bytes::copy_from_slice(text.as_bytes()));
        Self {
            method,
            resource: if target.starts_with("/Groups") { "Groups" } else { "Users" },
            sent: Sent::new(target.to_owned(), headers.clone(), whole(body)),
            got: Got::new(status, headers, whole(answer)),
        }
    }

    fn account(&self) -> Account<'_> {
        Account {
            at: SystemTime::UNIX_EPOCH,
            tenant: "acme",
            label: "acme",
            listed: true,
            idp: Idp::Entra,
            id: "4bf92f3577b34da6",
            method: self.method,
            resource: self.resource,
            received: &self.sent,
            forwarded: Some(&self.sent),
            app: Some(&self.got),
            told: Some(&self.got),
            refusal: None,
            findings: &[],
            unread: &[],
            caller: None,
            token: Some("main"),
            credentials: true,
            credible: true,
            times: Times::default(),
        }
    }
}

fn journal(entries: usize) -> Journal {
    let settings = settings::Journal { entries, failures_only: true, reveal: BTreeSet::new() };
    Journal::new(&settings, Key::from_bytes([7; 32]), Arc::new(Metrics::new().expect("a registry")))
}

fn benches(c: &mut Criterion) {
    let key = Key::from_bytes([7; 32]);
    let found = format!(
        r#"{{"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],"totalResults":1,"Resources":[{{"id":"2819c223",{}]}}"#,
        &USER[1..]
    );
    let members: Vec<String> = (0..1000).map(|n| format!(r#"{{"value":"2819c223-7f76-453a-919d-{n:012}"}}"#)).collect();
    let group = format!(
        r#"{{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{{"op":"add","path":"members","value":[{}]}}]}}"#,
        members.join(",")
    );
    let filter = "/Users?filter=userName%20eq%20%22ada.lovelace@example.com%22";
    let user = "/Users/2819c223-7f76-453a-919d-413861904646";
    let exchanges = [
        ("lookup", Exchange::new("GET", filter, "", 200, &found)),
        ("create", Exchange::new("POST", "/Users", USER, 201, USER)),
        ("patch", Exchange::new("PATCH", user, PATCH, 204, "")),
        ("patch of 1000 members", Exchange::new("PATCH", "/Groups/1", &group, 204, "")),
        ("failing patch", Exchange::new("PATCH", user, PATCH, 400, ERROR)),
    ];
    let journal = journal(1000);
    let settings = config::read("upstream: { url: 'http://app/s' }", Path::new(""), &World::real());
    let metrics = Arc::new(Metrics::new().expect("a registry"));
    let settings = settings.expect("a configuration").settings;
    let recorder = Recorder::open(&settings, Clock::new(), &metrics).expect("a recorder");
    for (name, exchange) in &exchanges {
        c.bench_function(&format!("record/facts/{name}"), |b| {
            b.iter(|| facts::observation(&black_box(exchange).account(), &key));
        });
        c.bench_function(&format!("record/facts and journal/{name}"), |b| {
            b.iter(|| {
                let account = black_box(exchange).account();
                let event = facts::observation(&account, &key);
                journal.record(&account, event.as_ref());
                event
            });
        });
        c.bench_function(&format!("record/everything/{name}"), |b| {
            b.iter(|| recorder.record(&black_box(exchange).account()));
        });
    }
    c.bench_function("record/serde_json reads the failing bodies", |b| {
        b.iter(|| [PATCH, ERROR].map(|text| serde_json::from_str::<serde_json::Value>(black_box(text)).is_ok()));
    });
    assert_eq!(journal.find(&Query { limit: Some(500), ..Query::default() }).entries.len(), 500, "a full journal");
    c.bench_function("record/a page of 50 of 1000", |b| b.iter(|| journal.find(black_box(&Query::default()))));
    let rare = Query { id: Some("none".to_owned()), ..Query::default() };
    c.bench_function("record/a search through 1000", |b| b.iter(|| journal.find(black_box(&rare))));
}

criterion_group!(record, benches);
criterion_main!(record);
