//! The ledger through the door: what it knew before a restart is known after it.

use bytes::Bytes;
use http::Response;
use serde_json::Value;

use crate::harness::{App, Folder, Seen, Shim, ask, configured};

/// An app that lets everybody look and refuses every change.
fn answer(seen: &Seen) -> Response<Bytes> {
    let status = if seen.method == "GET" { 200 } else { 400 };
    Response::builder().status(status).header("content-type", "application/scim+json").body("{}".into()).unwrap()
}

async fn connections(shim: &Shim) -> Vec<(String, String)> {
    let status = ask(shim.admin, "GET", "/api/status", &[("host", "localhost")], "").await.text();
    let status: Value = serde_json::from_str(&status).unwrap();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let all = status["tenants"].as_array().unwrap().iter();
    all.map(|tenant| (text(&tenant["tenant"]), text(&tenant["state"]))).collect()
}

#[tokio::test]
async fn who_was_in_trouble_before_a_restart_is_on_the_page_before_it_calls() {
    let (app, folder) = (App::start(answer).await, Folder::new());
    let yaml = format!(
        "tenants: {{ resolve: [{{ path: '/{{tenant}}' }}], unknown: defaults, defaults: {{ idp: entra }} }}\n\
         feeds: {{ cache_dir: '{}' }}",
        folder.path("cache").display()
    );
    let mut shim = Shim::start(configured(app.addr, &yaml)).await;
    let headers = [("authorization", "Bearer x"), ("content-type", "application/scim+json")];
    for tenant in ["calm", "ill"] {
        ask(shim.data, "GET", &format!("/{tenant}/scim/v2/Users/1"), &headers, "").await;
    }
    for user in 0..12 {
        ask(shim.data, "PUT", &format!("/ill/scim/v2/Users/{user}"), &headers, "{}").await;
    }
    shim.counts("scimshim_failing_objects", &[("tenant", "ill"), ("reference", "false")], 12.0).await;
    shim.stop();
    shim.stopped().await;

    let shim = Shim::start(configured(app.addr, &yaml)).await;
    assert_eq!(connections(&shim).await, [("ill".to_owned(), "at_risk".to_owned())]);
    shim.counts("scimshim_quarantine_state", &[("tenant", "ill"), ("state", "at_risk")], 1.0).await;
    assert_eq!(ask(shim.admin, "GET", "/tenants/ill", &[("host", "localhost")], "").await.status, 200);
    ask(shim.data, "GET", "/ill/scim/v2/Users/1", &headers, "").await;
    assert_eq!(connections(&shim).await.len(), 1, "once, also when it has called");
}
