//! Who is taken to be the identity provider: a stranger brings about no state, and ends none.

use std::net::SocketAddr;

use bytes::Bytes;
use http::Response;

use crate::harness::{App, Seen, Shim, ask, configured};

const FROM: &str = "listen: { client_address: { from: x-forwarded-for, trusted_proxies: [127.0.0.0/8] } }";
/// Hashes of `good` and `old`.
const TOKENS: &str = "tenants: { defaults: { idp: entra }, list: { default: { tokens: [\
    { sha256: 770e607624d689265ca6c44884d0807d9b054d23c473c106c72be9de08b7376c, name: new }, \
    { sha256: cba06b5736faf67e54b07b561eae94395e774c517a7d910a54369e1263ccfbd4, name: old, expires: 2020-01-01T00:00:00Z }] } } }";

/// An app that knows one token, tells everybody what it can, and refuses every change.
fn answer(seen: &Seen) -> Response<Bytes> {
    let good = seen.header("authorization") == "Bearer good";
    let status = match seen.method.as_str() {
        _ if seen.target.ends_with("/ServiceProviderConfig") => 200,
        _ if !good && !seen.header("authorization").is_empty() => 401,
        "PATCH" => 400,
        _ => 200,
    };
    Response::builder().status(status).header("content-type", "application/scim+json").body("{}".into()).unwrap()
}

async fn shim(yaml: &str) -> (App, Shim) {
    let app = App::start(answer).await;
    let shim = Shim::start(configured(app.addr, &format!("{FROM}\n{yaml}"))).await;
    (app, shim)
}

/// A request from `address` with `authorization`, if that is anything.
async fn call(data: SocketAddr, address: &str, authorization: &str, method: &str, target: &str) -> u16 {
    let mut headers = vec![("x-forwarded-for", address), ("content-type", "application/scim+json")];
    if !authorization.is_empty() {
        headers.push(("authorization", authorization));
    }
    let body = if method == "PATCH" {
        r#"{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"add","path":"title","value":"x"}]}"#
    } else {
        ""
    };
    ask(data, method, &format!("/scim/v2/{target}"), &headers, body).await.status
}

#[tokio::test]
async fn a_wrong_token_counts_only_from_where_a_good_one_came() {
    let (_app, shim) = shim(TOKENS).await;
    let outcomes = |class| [("tenant", "default"), ("class", class)];
    for authorization in ["", "Bearer wrong", "Basic eDp4"] {
        assert_eq!(call(shim.data, "192.0.2.7", authorization, "GET", "Users/1").await, 401);
    }
    assert_eq!(call(shim.data, "192.0.2.7", "Bearer good", "GET", "Users/1").await, 200);
    shim.counts("scimshim_outcomes_total", &outcomes("ok"), 1.0).await;
    shim.counts("scimshim_outcomes_total", &[], 1.0).await;
    // Somebody else, and then the neighbour of who was let in.
    assert_eq!(call(shim.data, "198.51.100.7", "Bearer wrong", "GET", "Users/1").await, 401);
    assert_eq!(call(shim.data, "192.0.2.8", "", "GET", "Users/1").await, 401);
    assert_eq!(call(shim.data, "192.0.2.8", "Bearer wrong", "GET", "Users/1").await, 401);
    shim.counts("scimshim_outcomes_total", &outcomes("auth"), 1.0).await;
    shim.counts("scimshim_refusals_total", &[("reason", "token")], 6.0).await;
    shim.counts("scimshim_outcomes_total", &[], 2.0).await;
}

#[tokio::test]
async fn a_token_that_has_expired_counts_from_anywhere() {
    let (_app, shim) = shim(TOKENS).await;
    assert_eq!(call(shim.data, "198.51.100.7", "Bearer old", "GET", "Users/1").await, 401);
    shim.counts("scimshim_outcomes_total", &[("class", "auth")], 1.0).await;
}

#[tokio::test]
async fn who_shows_nothing_counts_until_credentials_have_succeeded() {
    let (_app, shim) = shim("tenants: { defaults: { idp: entra } }").await;
    let failing = [("tenant", "default"), ("reference", "false")];
    assert_eq!(call(shim.data, "192.0.2.7", "", "PATCH", "Users/1").await, 400);
    shim.counts("scimshim_failing_objects", &failing, 1.0).await;
    assert_eq!(call(shim.data, "192.0.2.7", "Bearer good", "GET", "Users/2").await, 200);
    shim.counts("scimshim_outcomes_total", &[("class", "ok")], 1.0).await;
    assert_eq!(call(shim.data, "192.0.2.7", "", "PATCH", "Users/3").await, 400);
    // Wrong credentials: from elsewhere a stranger's, from the same network most likely a rotation that went wrong.
    assert_eq!(call(shim.data, "198.51.100.7", "Bearer wrong", "PATCH", "Users/4").await, 401);
    assert_eq!(call(shim.data, "192.0.2.9", "Bearer wrong", "PATCH", "Users/5").await, 401);
    shim.counts("scimshim_auth_failures_total", &[("tenant", "default")], 1.0).await;
    shim.counts("scimshim_failing_objects", &failing, 1.0).await;
    let risk = shim.metric("scimshim_quarantine_risk_component_ratio", &[("component", "auth")]).await;
    // What an app tells everybody ends no alarm.
    assert_eq!(call(shim.data, "192.0.2.9", "", "GET", "ServiceProviderConfig").await, 200);
    shim.counts("scimshim_requests_total", &[("resource", "ServiceProviderConfig")], 1.0).await;
    assert_eq!(shim.metric("scimshim_quarantine_risk_component_ratio", &[("component", "auth")]).await, risk);
    assert!(risk > 0.0);
}

#[tokio::test]
async fn a_create_that_is_refused_for_its_rate_is_a_failing_object() {
    let limits = "rate_limit: { writes: { per_second: 0.001, burst: 1 }, wait: 0s }";
    let (_app, shim) = shim(&format!("tenants: {{ defaults: {{ idp: entra, {limits} }} }}")).await;
    for (name, status) in [("a", 200), ("b", 429), ("c", 429), ("b", 429)] {
        let body = format!(r#"{{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"{name}"}}"#);
        let headers = [("authorization", "Bearer good"), ("content-type", "application/scim+json")];
        assert_eq!(ask(shim.data, "POST", "/scim/v2/Users", &headers, &body).await.status, status, "{name}");
    }
    shim.counts("scimshim_failing_objects", &[("tenant", "default"), ("reference", "false")], 2.0).await;
    shim.counts("scimshim_outcomes_total", &[("class", "throttle")], 3.0).await;
}
