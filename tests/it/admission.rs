//! Who comes in: whose connection it is, from which address, with which token; and what the app is told of it.

use sha2::{Digest, Sha256};

use crate::harness::{Answer, App, Client, Shim, ask, configured, http2, read};

const JSON: (&str, &str) = ("content-type", "application/scim+json");

fn sha256(token: &str) -> String {
    Sha256::digest(token).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn detail(answer: &Answer) -> String {
    let body: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    body["detail"].as_str().unwrap().to_owned()
}

/// Two tenants by every way, each with a token, a place in the app and authorization of its own.
async fn two() -> (App, Shim) {
    let app = App::json("{}").await;
    let yaml = format!(
        "upstream: {{ url: 'http://{}/t/{{tenant}}/scim' }}
listen:
  base_path: /scim/v2
  client_address: {{ trusted_proxies: [127.0.0.0/8] }}
tenants:
  resolve: [{{ path: '/tenants/{{tenant}}' }}, {{ host: '{{tenant}}.scim.example.com' }}, {{ header: x-tenant-id }}, token]
  list:
    acme: {{ tokens: [{{ sha256: '{}', name: a }}], upstream_authorization: '${{PATH_A}}', idp: entra }}
    globex: {{ tokens: [{{ sha256: '{}', name: b }}], idp: okta, normalize: {{ mode: observe }} }}
",
        app.addr,
        sha256("token-a"),
        sha256("token-b"),
    );
    let yaml = yaml.replace("'${PATH_A}'", "'Bearer of-acme'");
    let shim = Shim::start(read(&yaml).unwrap()).await;
    (app, shim)
}

mod whose {
    use super::*;

    #[tokio::test]
    async fn each_way_finds_the_tenant() {
        let (app, shim) = two().await;
        let a = ("authorization", "Bearer token-a");
        for (path, headers) in [
            ("/tenants/acme/scim/v2/Users?count=1", &[a][..]),
            ("/scim/v2/Users?count=1", &[a, ("host", "acme.scim.example.com")]),
            ("/scim/v2/Users?count=1", &[a, ("host", "ACME.Scim.example.com:8443")]),
            ("/scim/v2/Users?count=1", &[a, ("x-tenant-id", "acme")]),
            ("/scim/v2/Users?count=1", &[a]),
            ("http://acme.scim.example.com/scim/v2/Users?count=1", &[a, ("host", "globex.scim.example.com")]),
            (
                "/tenants/acme/scim/v2/Users?count=1",
                &[a, ("host", "gateway.scim.example.com"), ("x-tenant-id", "acme")],
            ),
        ] {
            let said = ask(shim.data, "GET", path, headers, "").await;
            assert_eq!(said.status, 200, "{path} {headers:?} {}", said.text());
            let seen = app.seen().pop().unwrap();
            assert_eq!(seen.target, "/t/acme/scim/Users?count=1", "{path} {headers:?}");
            assert_eq!(seen.header("authorization"), "Bearer of-acme");
            assert!(matches!(seen.header("x-tenant-id"), "" | "acme"), "{path}");
        }
        shim.counts("scimshim_requests_total", &[("tenant", "acme"), ("idp", "entra"), ("code", "200")], 7.0).await;
        shim.counts("scimshim_requests_total", &[("tenant", "globex")], 0.0).await;
    }

    #[tokio::test]
    async fn nothing_of_one_tenant_reaches_another() {
        let (app, shim) = two().await;
        let (a, b) = (("authorization", "Bearer token-a"), ("authorization", "Bearer token-b"));
        for (path, headers, status) in [
            // The token of another tenant.
            ("/tenants/acme/scim/v2/Users", &[b][..], 401),
            ("/scim/v2/Users", &[b, ("host", "acme.scim.example.com")], 401),
            ("/scim/v2/Users", &[b, ("x-tenant-id", "acme")], 401),
            // Names that another reader could take for a tenant.
            ("/tenants/ACME/scim/v2/Users", &[a], 404),
            ("/tenants/ac%6de/scim/v2/Users", &[a], 404),
            ("/tenants/acme%2f../globex/scim/v2/Users", &[a], 404),
            ("/tenants/globex%2f..%2facme/scim/v2/Users", &[a], 404),
            ("/tenants/globex/../acme/scim/v2/Users", &[a], 404),
            ("/tenants/globex/%2e%2e/acme/scim/v2/Users", &[a], 404),
            ("/tenants/globex/%252e%252e/acme/scim/v2/Users", &[a], 404),
            ("/tenants/globex/..;/acme/scim/v2/Users", &[a], 404),
            ("/tenants/acme%00/scim/v2/Users", &[a], 404),
            ("/tenants/acme;x/scim/v2/Users", &[a], 404),
            ("/tenants//acme/scim/v2/Users", &[a], 404),
            ("//tenants/acme/scim/v2/Users", &[a], 404),
            ("/tenants/acme//scim/v2/Users", &[a], 404),
            ("/Tenants/acme/scim/v2/Users", &[a], 404),
            ("/%74enants/acme/scim/v2/Users", &[a], 404),
            ("/tenants/acme/scim%2fv2/Users", &[a], 404),
            ("/tenants/acme/tenants/globex/scim/v2/Users", &[a], 404),
            ("/t/globex/scim/Users", &[a], 404),
            ("/tenants/initech/scim/v2/Users", &[a], 404),
            ("/tenants//scim/v2/Users", &[a], 404),
            // Two hosts are two targets.
            ("/scim/v2/Users", &[a, ("host", "acme.scim.example.com"), ("host", "globex.scim.example.com")], 400),
            ("/scim/v2/Users", &[a, ("host", "globex@acme.scim.example.com")], 400),
            ("/scim/v2/Users", &[a, ("x-tenant-id", "acme"), ("x-tenant-id", "globex")], 404),
            ("/scim/v2/Users", &[a, ("host", "initech.scim.example.com")], 404),
            // Two things name two tenants.
            ("/tenants/acme/scim/v2/Users", &[a, ("host", "globex.scim.example.com")], 404),
            ("/tenants/acme/scim/v2/Users", &[a, ("x-tenant-id", "globex")], 404),
            ("http://acme.scim.example.com/tenants/globex/scim/v2/Users", &[a], 404),
            ("/scim/v2/Users", &[a, ("host", "acme.scim.example.com"), ("x-tenant-id", "globex")], 404),
            // Nothing names one.
            ("/scim/v2/Users", &[], 401),
            ("/scim/v2/Users", &[("authorization", "Bearer token-c")], 401),
            ("/scim/v2/Users", &[a, b], 401),
        ] {
            let said = ask(shim.data, "GET", path, headers, "").await;
            assert_eq!(said.status, status, "{path} {headers:?} {}", said.text());
            assert_eq!(said.header("content-type"), "application/scim+json", "{path}");
        }
        assert!(app.seen().is_empty(), "{:#?}", app.seen());
    }

    #[tokio::test]
    async fn http2_names_its_tenant_in_the_authority() {
        let (app, shim) = two().await;
        let request =
            http::Request::get("http://Acme.scim.example.com/scim/v2/Me").header("authorization", "Bearer token-a");
        let answer = http2(shim.data, request.body("").unwrap()).await;
        assert_eq!(answer.status(), 200);
        assert_eq!(app.only().target, "/t/acme/scim/Me");
    }

    #[tokio::test]
    async fn each_tenant_has_its_own_plan() {
        let (app, shim) = two().await;
        let dirty = r#"{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"Replace","path":"active","value":"False"}]}"#;
        for (tenant, token, op) in
            [("acme", "token-a", r#""op":"replace""#), ("globex", "token-b", r#""op":"Replace""#)]
        {
            let authorization = format!("Bearer {token}");
            let headers = [JSON, ("authorization", authorization.as_str())];
            ask(shim.data, "PATCH", &format!("/tenants/{tenant}/scim/v2/Users/1"), &headers, dirty).await;
            let seen = app.seen().pop().unwrap();
            let body = String::from_utf8(seen.body.to_vec()).unwrap();
            assert!(body.contains(op), "{tenant} {body}");
            assert_eq!(seen.target, format!("/t/{tenant}/scim/Users/1"));
        }
        let fixes = |tenant, mode| [("tenant", tenant), ("quirk", "patch-op-case"), ("mode", mode)];
        shim.counts("scimshim_fixes_total", &fixes("acme", "fix"), 1.0).await;
        shim.counts("scimshim_fixes_total", &fixes("globex", "observe"), 1.0).await;
        shim.counts("scimshim_fixes_total", &fixes("globex", "fix"), 0.0).await;
    }

    #[tokio::test]
    async fn an_app_cannot_send_a_tenant_to_another() {
        let app = App::start(|seen| {
            let to = if seen.target.starts_with("/t/acme/scim/Users") {
                "/t/globex/scim/Users"
            } else {
                "/t/acme/scim/Users/"
            };
            http::Response::builder().status(307).header("location", to).body("{}".into()).unwrap()
        })
        .await;
        let yaml = format!(
            "upstream: {{ url: 'http://{}/t/{{tenant}}/scim' }}\nlisten: {{ base_path: /scim/v2 }}\n\
             normalize: {{ quirks: {{ redirect: fix }} }}\n\
             tenants: {{ resolve: [{{ path: '/{{tenant}}' }}], list: {{ acme: {{}}, globex: {{}} }} }}",
            app.addr
        );
        let shim = Shim::start(read(&yaml).unwrap()).await;
        let said = ask(shim.data, "GET", "/acme/scim/v2/Users", &[], "").await;
        assert_eq!(said.status, 307);
        assert_eq!(app.only().target, "/t/acme/scim/Users");
    }

    #[tokio::test]
    async fn a_redirect_does_not_leave_a_tenant_in_disguise() {
        for disguise in [
            "%2e%2e/%2e%2e/globex/scim",
            "..%2f..%2fglobex/scim",
            "..%5c..%5cglobex/scim",
            "..;/..;/globex/scim",
            "x%252e%252e/y",
        ] {
            let to = format!("/t/acme/scim/{disguise}/Users/7/");
            let app = App::start(move |_| {
                http::Response::builder().status(308).header("location", &to).body("{}".into()).unwrap()
            })
            .await;
            let yaml = format!(
                "upstream: {{ url: 'http://{}/t/{{tenant}}/scim' }}\nlisten: {{ base_path: /scim/v2 }}\n\
                 normalize: {{ quirks: {{ redirect: fix }} }}\n\
                 tenants: {{ resolve: [{{ path: '/{{tenant}}' }}], list: {{ acme: {{}}, globex: {{}} }} }}",
                app.addr
            );
            let shim = Shim::start(read(&yaml).unwrap()).await;
            assert_eq!(ask(shim.data, "DELETE", "/acme/scim/v2/Users/7", &[], "").await.status, 308, "{disguise}");
            assert_eq!(app.only().target, "/t/acme/scim/Users/7");
        }
    }

    #[tokio::test]
    async fn connection_does_not_take_the_tenant_away() {
        let (app, shim) = two().await;
        let headers = [
            ("authorization", "Bearer token-a"),
            ("x-tenant-id", "acme"),
            ("connection", "x-tenant-id, authorization"),
        ];
        assert_eq!(ask(shim.data, "GET", "/scim/v2/Users", &headers, "").await.status, 200);
        let seen = app.only();
        assert_eq!((seen.header("x-tenant-id"), seen.header("authorization")), ("acme", "Bearer of-acme"));
    }

    #[tokio::test]
    async fn only_a_served_caller_settles_the_profile() {
        let app = App::start(|seen| {
            let status = if seen.header("authorization") == "Bearer good" { 200 } else { 401 };
            http::Response::builder().status(status).body("{}".into()).unwrap()
        })
        .await;
        let shim = Shim::before(app.addr).await;
        let with = async |agent: &str, token: &str| {
            ask(shim.data, "GET", "/scim/v2/Users/1", &[("user-agent", agent), ("authorization", token)], "")
                .await
                .status
        };
        assert_eq!(with("Okta SCIM Client 1.0.0", "Bearer bad").await, 401);
        shim.counts("scimshim_requests_total", &[("idp", "okta"), ("code", "401")], 1.0).await;
        assert_eq!(with("authentik@2024", "Bearer good").await, 200);
        shim.counts("scimshim_idp_detected", &[("idp", "authentik")], 1.0).await;
        assert_eq!(with("Okta SCIM Client 1.0.0", "Bearer good").await, 200);
        shim.counts("scimshim_requests_total", &[("idp", "authentik"), ("code", "200")], 2.0).await;
        assert_eq!(shim.metric("scimshim_idp_detected", &[("idp", "okta")]).await, 0.0);
    }

    #[tokio::test]
    async fn a_header_of_a_stranger_names_nobody() {
        let app = App::json("{}").await;
        let yaml = "tenants: { resolve: [{ header: x-tenant-id }], list: { acme: {} } }";
        let shim = Shim::start(configured(app.addr, yaml)).await;
        let said = ask(shim.data, "GET", "/scim/v2/Users", &[("x-tenant-id", "acme")], "").await;
        shim.refused("tenant", &said, 404).await;
        // Named by its path, it cannot make the app believe something else.
        let yaml = "tenants: { resolve: [{ path: '/{tenant}' }, { header: x-tenant-id }], list: { acme: {} } }";
        let shim = Shim::start(configured(app.addr, yaml)).await;
        let lies = [("x-tenant-id", "globex"), ("x_tenant_id", "globex")];
        assert_eq!(ask(shim.data, "GET", "/acme/scim/v2/Users", &lies, "").await.status, 200);
        let seen = app.only();
        assert_eq!((seen.header("x-tenant-id"), seen.header("x_tenant_id")), ("", ""));
    }

    #[tokio::test]
    async fn unlisted_tenants_get_the_defaults_and_bounded_labels() {
        let app = App::json("{}").await;
        let yaml = "tenants: { resolve: [{ path: '/{tenant}' }], unknown: defaults, max_dynamic: 3 }\nmetrics: { max_tenants: 2 }";
        let shim = Shim::start(configured(app.addr, yaml)).await;
        for n in 0..10 {
            assert_eq!(ask(shim.data, "GET", &format!("/t{n}/scim/v2/Users"), &[], "").await.status, 200);
        }
        shim.counts("scimshim_requests_total", &[("tenant", "_other")], 8.0).await;
        shim.counts("scimshim_requests_total", &[("tenant", "t0")], 1.0).await;
        shim.counts("scimshim_dynamic_tenants", &[], 3.0).await;
        assert_eq!(ask(shim.data, "GET", "/Bad/scim/v2/Users", &[], "").await.status, 404);
    }

    #[tokio::test]
    async fn a_stranger_takes_no_label_and_no_place() {
        let app = App::json("{}").await;
        let yaml = "listen: { client_address: { from: x-forwarded-for, trusted_proxies: [127.0.0.0/8] } }
metrics: { max_tenants: 1 }
tenants:
  resolve: [{ path: '/{tenant}' }]
  unknown: defaults
  max_dynamic: 1
  defaults: { allow: { mode: enforce, cidrs: [192.0.2.0/24] }, rate_limit: { reads: { per_second: 0.001, burst: 2 }, wait: 0s } }";
        let shim = Shim::start(configured(app.addr, yaml)).await;
        let from = async |tenant: &str, address: &str| {
            ask(shim.data, "GET", &format!("/{tenant}/scim/v2/Users/1"), &[("x-forwarded-for", address)], "")
                .await
                .status
        };
        assert_eq!(from("none", "203.0.113.9").await, 403);
        assert_eq!(from("acme", "192.0.2.7").await, 200);
        for n in 0..5 {
            assert_eq!(from(&format!("n{n}"), "203.0.113.9").await, 403);
        }
        assert_eq!((from("acme", "192.0.2.7").await, from("acme", "192.0.2.7").await), (200, 429));
        shim.counts("scimshim_requests_total", &[("tenant", "acme"), ("code", "200")], 2.0).await;
        shim.counts("scimshim_refusals_total", &[("tenant", "_other"), ("reason", "address")], 6.0).await;
        shim.counts("scimshim_dynamic_tenants", &[], 1.0).await;
    }

    #[tokio::test]
    async fn locations_are_where_the_idp_found_them() {
        let app = App::start(|seen| {
            let user = format!(
                r#"{{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"id":"1","meta":{{"resourceType":"User","location":"http://{}/scim/v2/Users/1"}}}}"#,
                seen.header("host")
            );
            http::Response::builder().header("content-type", "application/scim+json").body(user.into()).unwrap()
        })
        .await;
        for (base_url, want) in [
            ("", "http://scim.example.com/tenants/acme/scim/v2/Users/1"),
            ("listen: { base_url: 'https://idp.example/{tenant}/v2' }", "https://idp.example/acme/v2/Users/1"),
            ("listen: { base_url: 'https://idp.example/scim/v2' }", "https://idp.example/tenants/acme/scim/v2/Users/1"),
        ] {
            let yaml = format!(
                "{base_url}\ntenants: {{ resolve: [{{ path: '/tenants/{{tenant}}' }}], list: {{ acme: {{}} }} }}"
            );
            let shim = Shim::start(configured(app.addr, &yaml)).await;
            let said = ask(shim.data, "GET", "/tenants/acme/scim/v2/Users/1", &[], "").await;
            let body: serde_json::Value = serde_json::from_slice(&said.body).unwrap();
            assert_eq!(body["meta"]["location"], want);
        }
    }
}

mod order {
    use super::*;

    /// Each request breaks one rule less than the one before, so each refusal is the first that applies.
    #[tokio::test]
    async fn refusals_come_in_the_order_of_the_contract() {
        let app = App::json("{}").await;
        let yaml = format!(
            "listen:
  client_address: {{ from: x-forwarded-for, trusted_proxies: [127.0.0.0/8] }}
tenants:
  resolve: [{{ path: '/tenants/{{tenant}}' }}]
  list:
    acme:
      tokens: [{{ sha256: '{}' }}]
      allow: {{ mode: enforce, cidrs: [192.0.2.0/24] }}
      rate_limit: {{ writes: {{ per_second: 0.001, burst: 3 }}, wait: 0s }}
      normalize: {{ mode: reject }}
",
            sha256("t")
        );
        let shim = Shim::start(configured(app.addr, &yaml)).await;
        let dirty = r#"{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"Replace","path":"active","value":"False"}]}"#;
        let user = "/tenants/acme/scim/v2/Users/1";
        let (from, token) = (("x-forwarded-for", "192.0.2.1"), ("authorization", "Bearer t"));
        let gzip = ("content-encoding", "br");
        let large = " ".repeat((1 << 20) + 1);
        for (path, headers, body, status, reason) in [
            ("/tenants/other/v3/Users/1", &[gzip][..], large.as_str(), 404, "outside"),
            ("/tenants/other/scim/v2/Users/1", &[gzip], &large, 404, "tenant"),
            (user, &[gzip], &large, 503, "address_unknown"),
            (user, &[gzip, ("x-forwarded-for", "203.0.113.1")], &large, 403, "address"),
            (user, &[gzip, from], &large, 401, "token"),
            (user, &[gzip, from, token, JSON], &large, 413, "too_large"),
            (user, &[gzip, from, token, JSON], dirty, 415, "encoding"),
            (user, &[from, token, JSON], dirty, 400, "quirk"),
            (user, &[gzip, from, token, JSON], &large, 429, "rate"),
        ] {
            let said = ask(shim.data, "PATCH", path, headers, body).await;
            shim.refused(reason, &said, status).await;
        }
        assert!(app.seen().is_empty());
    }

    #[tokio::test]
    async fn reject_names_the_quirks() {
        let app = App::json("{}").await;
        let shim = Shim::start(configured(app.addr, "normalize: { mode: reject }")).await;
        let dirty = r#"{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"replace","path":"active","value":"False"}]}"#;
        let said = ask(shim.data, "PATCH", "/scim/v2/Users/1", &[JSON], dirty).await;
        shim.refused("quirk", &said, 400).await;
        assert!(detail(&said).contains("bool-string"), "{}", detail(&said));
        assert!(said.text().contains("invalidSyntax"));
    }
}

mod token {
    use super::*;

    fn yaml(list: &str) -> String {
        format!("tenants: {{ list: {{ default: {{ {list} }} }} }}")
    }

    #[tokio::test]
    async fn missing_unknown_and_expired_are_told_apart() {
        let app = App::json("{}").await;
        let tokens = format!(
            "tokens: [{{ sha256: '{}', name: old, expires: 2020-01-01T00:00:00Z }}, {{ sha256: '{}', name: new, \
             expires: 2999-01-01T00:00:00Z }}, {{ sha256: '{}' }}]",
            sha256("old"),
            sha256("new"),
            sha256("ever")
        );
        let shim = Shim::start(configured(app.addr, &yaml(&tokens))).await;
        let with = async |value: &str| ask(shim.data, "GET", "/scim/v2/Users", &[("authorization", value)], "").await;

        let said = ask(shim.data, "GET", "/scim/v2/Users", &[], "").await;
        shim.refused("token", &said, 401).await;
        assert!(detail(&said).contains("no bearer token"), "{}", detail(&said));
        assert_eq!(said.header("www-authenticate"), "Bearer realm=\"scim\"");
        let said = with("Bearer other").await;
        assert!(said.status == 401 && detail(&said).contains("not one of"), "{}", detail(&said));
        assert!(said.header("www-authenticate").contains("invalid_token"));
        let said = with("Bearer old").await;
        assert!(said.status == 401 && detail(&said).contains("expired at 2020-01-01T00:00:00Z"), "{}", detail(&said));
        assert!(app.seen().is_empty());
        for good in ["Bearer new", "bearer ever", "Bearer  Bearer new", "BEARER ever "] {
            assert_eq!(with(good).await.status, 200, "{good}");
        }
        // Without authorization of its own the app gets what was sent.
        assert_eq!(app.seen()[0].header("authorization"), "Bearer new");
        assert_eq!(with("new").await.status, 401);
        assert_eq!(with("Basic bmV3").await.status, 401);
        shim.counts("scimshim_refusals_total", &[("reason", "token"), ("tenant", "default")], 5.0).await;
        let tenant = ("tenant", "default");
        assert_eq!(
            shim.metric("scimshim_token_expiry_timestamp_seconds", &[tenant, ("token", "old")]).await,
            1_577_836_800.0
        );
        assert!(shim.metric("scimshim_token_last_used_timestamp_seconds", &[tenant, ("token", "new")]).await > 1e9);
        assert_eq!(shim.metric("scimshim_token_last_used_timestamp_seconds", &[tenant, ("token", "old")]).await, 0.0);
        let unnamed = sha256("ever")[..8].to_owned();
        assert!(shim.metric("scimshim_token_last_used_timestamp_seconds", &[tenant, ("token", &unnamed)]).await > 1e9);
    }

    #[tokio::test]
    async fn a_bare_token_is_one_only_where_the_operator_says_so() {
        let app = App::json("{}").await;
        let tokens =
            format!("bare_token: true, tokens: [{{ sha256: '{}' }}], upstream_authorization: 'Basic app'", sha256("t"));
        let shim = Shim::start(configured(app.addr, &yaml(&tokens))).await;
        for value in ["t", "Bearer t"] {
            assert_eq!(ask(shim.data, "GET", "/scim/v2/Users", &[("authorization", value)], "").await.status, 200);
            assert_eq!(app.seen().pop().unwrap().header("authorization"), "Basic app");
        }
        // Also where it names the tenant.
        let list = |bare| {
            format!(
                "tenants: {{ resolve: [token], list: {{ a: {{ bare_token: {bare}, tokens: [{{ sha256: '{}' }}] }} }} }}",
                sha256("t")
            )
        };
        for (bare, status) in [(true, 200), (false, 401)] {
            let shim = Shim::start(configured(app.addr, &list(bare))).await;
            assert_eq!(ask(shim.data, "GET", "/scim/v2/Users", &[("authorization", "t")], "").await.status, status);
        }
    }

    #[tokio::test]
    async fn without_tokens_the_app_decides() {
        let app = App::start(|seen| {
            let status = if seen.header("authorization") == "Bearer mine" { 200 } else { 401 };
            http::Response::builder().status(status).body("{}".into()).unwrap()
        })
        .await;
        // The app's own authorization is lent to nobody who has not shown a token.
        let shim = Shim::start(configured(app.addr, &yaml("upstream_authorization: 'Bearer mine'"))).await;
        assert_eq!(ask(shim.data, "GET", "/scim/v2/Users", &[], "").await.status, 401);
        assert_eq!(ask(shim.data, "GET", "/scim/v2/Users", &[("authorization", "Bearer x")], "").await.status, 401);
        assert_eq!(ask(shim.data, "GET", "/scim/v2/Users", &[("authorization", "Bearer mine")], "").await.status, 200);
        shim.counts("scimshim_refusals_total", &[("reason", "token")], 0.0).await;
    }
}

mod address {
    use super::*;

    const ENFORCE: &str = "tenants: { defaults: { allow: { mode: enforce, cidrs: [192.0.2.0/24, '2001:db8::/32'] } } }";
    const BEHIND: &str =
        "listen: { client_address: { from: x-forwarded-for, trusted_proxies: [127.0.0.0/8, 10.0.0.0/8] } }";

    #[tokio::test]
    async fn only_listed_addresses_come_in() {
        let app = App::json("{}").await;
        let shim = Shim::start(configured(app.addr, &format!("{BEHIND}\n{ENFORCE}"))).await;
        let from = async |address: &str| {
            ask(
                shim.data,
                "GET",
                "/scim/v2/Users",
                &[("x-forwarded-for", address), ("connection", "x-forwarded-for")],
                "",
            )
            .await
        };
        for address in
            ["192.0.2.7", "6.6.6.6, 192.0.2.7, 10.1.1.1", "::ffff:192.0.2.7", "[2001:db8::7]:443", "192.0.2.7:4711"]
        {
            assert_eq!(from(address).await.status, 200, "{address}");
        }
        assert_eq!(app.seen()[1].header("x-forwarded-for"), "192.0.2.7");
        assert_eq!(app.seen()[3].header("forwarded"), "for=\"[2001:db8::7]\";proto=http;host=\"scim.example.com\"");
        let said = from("192.0.2.7, 203.0.113.9").await;
        shim.refused("address", &said, 403).await;
        assert!(detail(&said).contains("203.0.113.9"));
        for address in ["192.0.2.7, unknown", "", "10.2.2.2", "fe80::1%eth0"] {
            let said = from(address).await;
            assert_eq!((said.status, said.header("retry-after")), (503, "30"), "{address}");
            assert!(detail(&said).contains("proxies"), "{}", detail(&said));
        }
        assert_eq!(app.seen().len(), 5);
        shim.counts("scimshim_refusals_total", &[("reason", "address_unknown")], 4.0).await;
        for (decision, count) in [("listed", 5.0), ("refused", 1.0), ("address_unknown", 4.0), ("would_refuse", 0.0)] {
            shim.counts("scimshim_allowlist_decisions_total", &[("decision", decision)], count).await;
        }
    }

    #[tokio::test]
    async fn a_header_is_not_believed_without_a_trusted_proxy() {
        let app = App::json("{}").await;
        let shim = Shim::start(configured(app.addr, ENFORCE)).await;
        let said = ask(
            shim.data,
            "GET",
            "/scim/v2/Users",
            &[("x-forwarded-for", "192.0.2.7"), ("forwarded", "for=192.0.2.7")],
            "",
        )
        .await;
        shim.refused("address", &said, 403).await;
        assert!(detail(&said).contains("127.0.0.1"));
    }

    #[tokio::test]
    async fn several_header_lines_are_one_list() {
        let app = App::json("{}").await;
        let shim = Shim::start(configured(app.addr, &format!("{BEHIND}\n{ENFORCE}"))).await;
        let mut client = Client::connect(shim.data).await;
        let lines = [("x-forwarded-for", "192.0.2.7"), ("x-forwarded-for", "203.0.113.9, 10.0.0.1")];
        client.request("GET", "/scim/v2/Users", &lines, b"").await;
        assert_eq!(client.answer().await.status, 403);
        let lines = [("x-forwarded-for", "203.0.113.9"), ("x-forwarded-for", "192.0.2.7")];
        client.request("GET", "/scim/v2/Users", &lines, b"").await;
        assert_eq!(client.answer().await.status, 200);
    }

    #[tokio::test]
    async fn forwarded_is_read_where_it_is_chosen() {
        let app = App::json("{}").await;
        let listen = BEHIND.replace("x-forwarded-for", "forwarded");
        let shim = Shim::start(configured(app.addr, &format!("{listen}\n{ENFORCE}"))).await;
        let lines =
            [("forwarded", "for=6.6.6.6, for=\"192.0.2.7:80\";proto=https"), ("x-forwarded-for", "203.0.113.9")];
        assert_eq!(ask(shim.data, "GET", "/scim/v2/Users", &lines, "").await.status, 200);
        assert_eq!(app.only().header("x-forwarded-proto"), "https");
    }

    #[tokio::test]
    async fn observe_lets_in_and_counts_what_enforce_would_refuse() {
        let app = App::json("{}").await;
        let yaml = format!(
            "tenants: {{ list: {{ default: {{ allow: {{ cidrs: [192.0.2.0/24] }}, tokens: [{{ sha256: '{}' }}] }} }} }}",
            sha256("t")
        );
        let shim = Shim::start(configured(app.addr, &yaml)).await;
        assert_eq!(ask(shim.data, "GET", "/scim/v2/Users", &[("authorization", "Bearer t")], "").await.status, 200);
        assert_eq!(ask(shim.data, "GET", "/scim/v2/Users", &[("authorization", "Bearer x")], "").await.status, 401);
        for (decision, count) in
            [("would_refuse", 2.0), ("unlisted_valid_token", 1.0), ("listed", 0.0), ("refused", 0.0)]
        {
            shim.counts("scimshim_allowlist_decisions_total", &[("decision", decision)], count).await;
        }
    }

    #[tokio::test]
    async fn a_refused_address_with_a_valid_token_is_counted() {
        let app = App::json("{}").await;
        let yaml = format!(
            "tenants: {{ list: {{ default: {{ allow: {{ mode: enforce, cidrs: [192.0.2.0/24] }}, tokens: [{{ sha256: '{}' }}] }} }} }}",
            sha256("t")
        );
        let shim = Shim::start(configured(app.addr, &yaml)).await;
        for token in ["Bearer t", "Bearer x"] {
            assert_eq!(ask(shim.data, "GET", "/scim/v2/Users", &[("authorization", token)], "").await.status, 403);
        }
        shim.counts("scimshim_allowlist_decisions_total", &[("decision", "unlisted_valid_token")], 1.0).await;
        shim.counts("scimshim_allowlist_decisions_total", &[("decision", "refused")], 2.0).await;
        // A token that did not let in was not used.
        assert_eq!(shim.metric("scimshim_token_last_used_timestamp_seconds", &[]).await, 0.0);
    }

    #[tokio::test]
    async fn what_passes_outside_scim_has_the_allowlist_of_default() {
        let app = App::json("{}").await;
        let yaml = format!("{}\n{ENFORCE}", BEHIND.replace("listen: {", "listen: { outside: pass,"));
        let shim = Shim::start(configured(app.addr, &yaml)).await;
        let from =
            async |address: &str| ask(shim.data, "GET", "/healthz", &[("x-forwarded-for", address)], "").await.status;
        assert_eq!(from("192.0.2.7").await, 200);
        assert_eq!(from("203.0.113.9").await, 403);
        assert_eq!(app.only().target, "/healthz");
    }
}

mod feed {
    use std::{fs, path::PathBuf};

    use super::*;

    const OKTA: &str = r#"{"us_cell_1":{"ip_ranges":["192.0.2.0/25","198.51.100.7/32"]},"eu_cell_1":{"ip_ranges":["203.0.113.0/28"]}}"#;

    /// A file that goes when it is dropped.
    struct Document(PathBuf);

    impl Document {
        fn new(name: &str, text: &str) -> Self {
            let path = std::env::temp_dir().join(format!("scimshim-admission-{}-{name}", std::process::id()));
            fs::write(&path, text).unwrap();
            Self(path)
        }
    }

    impl Drop for Document {
        fn drop(&mut self) {
            let _ = fs::remove_file(&self.0);
        }
    }

    async fn enforcing(app: &App, feeds: &str, named: &str) -> Shim {
        let yaml = format!(
            "listen: {{ client_address: {{ from: x-forwarded-for, trusted_proxies: [127.0.0.0/8] }} }}
feeds: {feeds}
tenants: {{ defaults: {{ allow: {{ mode: enforce, feeds: [{named}] }} }} }}"
        );
        Shim::start(configured(app.addr, &yaml)).await
    }

    async fn from(shim: &Shim, address: &str) -> Answer {
        ask(shim.data, "GET", "/scim/v2/Users/1", &[("x-forwarded-for", address)], "").await
    }

    async fn ready(shim: &Shim) {
        let ready = async || ask(shim.admin, "GET", "/readyz", &[], "").await.status == 200;
        crate::harness::eventually("it is ready", ready).await;
    }

    #[tokio::test]
    async fn a_feed_that_was_never_loaded_refuses_nobody_for_good() {
        let app = App::json("{}").await;
        let shim =
            enforcing(&app, "{ okta: { kind: okta, url: 'http://127.0.0.1:1/none' } }", "'okta:us_cell_1'").await;
        ready(&shim).await;
        let said = from(&shim, "192.0.2.7").await;
        shim.refused("feed", &said, 503).await;
        assert_eq!(said.header("retry-after"), "30");
        shim.counts("scimshim_feed_state", &[("feed", "okta"), ("state", "never_loaded")], 1.0).await;
        shim.counts("scimshim_allowlist_decisions_total", &[("decision", "feed_not_ready")], 1.0).await;
        assert!(app.seen().is_empty());
    }

    #[tokio::test]
    async fn a_loaded_feed_lets_in_whom_it_lists_also_when_it_turns_bad() {
        let (app, document) = (App::json("{}").await, Document::new("okta.json", OKTA));
        let feeds = format!("{{ okta: {{ kind: okta, file: '{}' }} }}", document.0.display());
        let shim = enforcing(&app, &feeds, "'okta:us_cell_1'").await;
        ready(&shim).await;
        let judged = async || {
            for (address, status) in [("192.0.2.7", 200), ("198.51.100.7", 200), ("203.0.113.1", 403)] {
                assert_eq!(from(&shim, address).await.status, status, "{address}");
            }
        };
        judged().await;
        shim.counts("scimshim_feed_addresses", &[("feed", "okta"), ("part", "us_cell_1")], 129.0).await;
        shim.counts("scimshim_feed_state", &[("feed", "okta"), ("state", "fresh")], 1.0).await;
        fs::write(&document.0, "<!DOCTYPE html><title>404</title>").unwrap();
        shim.counts("scimshim_feed_state", &[("feed", "okta"), ("state", "rejected")], 1.0).await;
        shim.counts("scimshim_feed_rejected_total", &[("feed", "okta"), ("reason", "html")], 1.0).await;
        judged().await;
        // What is added is in force as soon as it is read.
        fs::write(&document.0, OKTA.replace("192.0.2.0/25", "192.0.2.0/25\",\"203.0.113.1/32")).unwrap();
        crate::harness::eventually("the new address comes in", || async {
            from(&shim, "203.0.113.1").await.status == 200
        })
        .await;
    }

    #[tokio::test]
    async fn an_unknown_cell_is_a_state_and_no_exit() {
        let (app, document) = (App::json("{}").await, Document::new("cells.json", OKTA));
        let feeds = format!("{{ okta: {{ kind: okta, file: '{}' }} }}", document.0.display());
        let shim = enforcing(&app, &feeds, "'okta:us_cell_1', 'okta:us_cell_99'").await;
        ready(&shim).await;
        assert_eq!(from(&shim, "192.0.2.7").await.status, 200);
        assert_eq!(from(&shim, "203.0.113.1").await.status, 503, "the cell that is not there could hold it");
    }
}
