//! An app is away for two cycles of Entra and comes back, before a real Prometheus with the alerts that are shipped: the
//! right ones fire, in the right order, and no others.
//!
//! Hours pass in a minute: the shim's clock for the model runs [`SPEED`] times as fast, and so do the times in the
//! rules. Nothing else is different, and the requests are real.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::Response;
use scimshim::observe::ledger::Clock;
use serde_json::Value;
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

use crate::{
    harness::{App, Folder, Seen, Shim, ask, configured, eventually},
    monitoring::program,
    prometheus::Prometheus,
};

const SPEED: u32 = 240;

/// Starts of cycles, in seconds of the model; the app is away for those in the middle. A cycle is 20 minutes here, so
/// that being at risk for one stays far under the 45 minutes of the warning: a busy machine is late by seconds, each of
/// which is four minutes.
const CYCLES: [(u32, bool); 9] = [
    (0, true),
    (1200, true),
    (2400, true),
    (3600, true),
    (4800, false),
    (6000, false),
    (9000, true),
    (10_200, true),
    (11_400, true),
];
/// Everything has been judged.
const END: u32 = 12_900;

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_fires_the_right_alerts_in_the_right_order() {
    let test = "an_outage_fires_the_right_alerts_in_the_right_order";
    let Some(program) = program(test, "SCIMSHIM_PROMETHEUS", "prometheus") else { return };
    let up = Arc::new(AtomicBool::new(true));
    let answers = Arc::clone(&up);
    let app = App::start(move |seen| answer(seen, answers.load(Ordering::SeqCst))).await;
    let settings = configured(app.addr, "tenants: { defaults: { idp: entra } }");
    let shim = Shim::start_at(settings, Clock::at_speed(SPEED)).await;
    let folder = Folder::new();
    let prometheus = Prometheus::start(&program, &folder, shim.admin, SPEED).await;

    // Until the first scrape nobody knows that there is a shim, which is an alert of its own.
    eventually("it is scraped", || async { prometheus.has("up == 1").await && alerts(&prometheus).await.is_empty() })
        .await;
    let began = Instant::now();
    let at = move |model: u32| began + Duration::from_secs(model.into()) / SPEED;
    let idp = AbortOnDropHandle::new(tokio::spawn(async move {
        for (start, is_up) in CYCLES {
            tokio::time::sleep_until(at(start)).await;
            up.store(is_up, Ordering::SeqCst);
            cycle(shim.data, is_up).await;
        }
    }));
    let mut story: Vec<String> = Vec::new();
    let mut firing: Vec<String> = Vec::new();
    while Instant::now() < at(END) {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let now = alerts(&prometheus).await;
        story.extend(now.iter().filter(|name| !firing.contains(name)).map(|name| format!("{name} fires")));
        story.extend(firing.iter().filter(|name| !now.contains(name)).map(|name| format!("{name} ends")));
        firing = now;
    }
    idp.await.unwrap();
    // Which of the two ends first is a matter of one evaluation.
    let fired = story.len().min(2);
    story[fired..].sort_unstable();
    let told = ["ScimshimQuarantineSoon fires", "ScimshimQuarantineLikely fires"];
    let ended = ["ScimshimQuarantineLikely ends", "ScimshimQuarantineSoon ends"];
    assert_eq!(story, [told, ended].concat());
    shim.counts("scimshim_quarantine_state", &[("tenant", "default"), ("state", "healthy")], 1.0).await;
}

/// An app that finds nobody and takes every change; one that is away says so in HTML.
fn answer(seen: &Seen, up: bool) -> Response<Bytes> {
    const NONE: &str =
        r#"{"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],"totalResults":0,"Resources":[]}"#;
    let (status, body) = match () {
        () if !up => (503, "<html>upgrading</html>"),
        () if seen.method == "PATCH" => (204, ""),
        () => (200, NONE),
    };
    let answer = Response::builder().status(status).header("content-type", "application/scim+json");
    answer.body(Bytes::from_static(body.as_bytes())).unwrap()
}

/// What Entra asks in a cycle: a check first, which nobody matches, then each changed user.
async fn cycle(data: std::net::SocketAddr, passes: bool) {
    const CHECK: &str = "/scim/v2/Users?filter=externalId%20eq%20%228f1f0b62-7f3c-4a6c-9d2c-0e6f3c1f4a7b%22";
    const PATCH: &str = r#"{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"Replace","path":"title","value":"x"}]}"#;
    let headers = [("authorization", "Bearer secret"), ("content-type", "application/scim+json")];
    ask(data, "GET", CHECK, &headers, "").await;
    for user in if passes { 0..20 } else { 0..0 } {
        let lookup = format!("/scim/v2/Users?filter=userName%20eq%20%22user-{user}%22");
        ask(data, "GET", &lookup, &headers, "").await;
        ask(data, "PATCH", &format!("/scim/v2/Users/{user}"), &headers, PATCH).await;
    }
}

/// The names of the alerts that fire.
async fn alerts(prometheus: &Prometheus) -> Vec<String> {
    let answer = ask(prometheus.addr, "GET", "/api/v1/alerts", &[], "").await;
    let answer: Value = serde_json::from_str(&answer.text()).unwrap();
    let alerts = answer["data"]["alerts"].as_array().unwrap().iter();
    let firing = alerts.filter(|alert| alert["state"] == "firing");
    let names = firing.map(|alert| alert["labels"]["alertname"].as_str().unwrap().to_owned());
    // A scrape that is late on a busy machine: five minutes of that are a second here.
    names.filter(|name| name != "ScimshimDown").collect()
}
