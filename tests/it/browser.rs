//! The status page in a real Chromium, driven by `tests/browser/status.mjs`.
//!
//! Without node, Chromium or playwright-core the test is skipped and says so; `SCIMSHIM_REQUIRE=all` makes the skip a
//! failure. The script asks for changes on its output, and the test makes them.

use std::{
    env,
    io::{self, Write as _},
    path::PathBuf,
    process::Stdio,
    sync::Arc,
    time::Duration,
};

use scimshim::observe::ledger::{Component, State};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    process::Command,
    time::timeout,
};

use crate::admin::{HOSTILE, Port, Stage, now, plant_trouble};

const BROWSER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/browser");

#[tokio::test(flavor = "multi_thread")]
async fn the_status_page_works_in_a_browser() {
    let Some(modules) = installed("the_status_page_works_in_a_browser") else { return };
    let stage = Stage::new();
    plant(&stage);
    let (port, other) = (stage.open().await, stage.open().await);
    let mut child = Command::new("node")
        .arg(format!("{BROWSER}/status.mjs"))
        .arg(format!("http://{}", port.addr))
        .arg(&modules)
        .arg(format!("http://{}", other.addr))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let (mut stdin, stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let mut lines = BufReader::new(stdout).lines();
    let mut said = Vec::new();
    let driven = async {
        while let Some(line) = lines.next_line().await.unwrap() {
            if let Some(wish) = line.strip_prefix("> ") {
                change(&stage, [&port, &other], wish);
                stdin.write_all(b"done\n").await.unwrap();
            }
            said.push(line);
        }
        child.wait().await.unwrap()
    };
    let status = timeout(Duration::from_secs(240), driven).await;
    assert!(status.is_ok_and(|status| status.success()), "after: {said:#?}; what failed stands above");
    assert_eq!(said.last().map(String::as_str), Some("all done"));
}

fn plant(stage: &Stage) {
    stage.plant("calm", State::Healthy, 0.01);
    stage.plant("better", State::Recovering, 0.2);
    stage.plant("fresh", State::Unknown, 0.0);
    stage.change("fresh", |view| (view.last_success, view.last_request, view.since) = (None, None, 0.0));
    stage.plant("quiet", State::Silent, 0.05);
    stage.change("quiet", |view| view.last_success = Some(now() - 30_000.0));
    stage.plant("gone", State::DisabledSuspected, 1.0);
    stage.plant("likely", State::LikelyQuarantined, 1.0);
    for tenant in ["gone", "likely"] {
        stage.change(tenant, |view| {
            view.reason = Some(Component::Auth);
            view.eta_s = Some(0.0);
            view.last_success = Some(now() - 200_000.0);
            view.next_attempt = Some(now() + 11_000.0);
            view.disable = Some(now() + 20.0 * 86_400.0);
        });
    }
    stage.plant("warming", State::AtRisk, 0.31);
    stage.change("warming", |view| {
        view.reason = Some(Component::MassDelete);
        view.failing = 14;
    });
    stage.plant(HOSTILE, State::Healthy, 0.0);
    stage.plant("shut", State::Unknown, 0.0);
    stage.change("shut", |view| (view.last_success, view.last_request, view.since) = (None, None, 0.0));
    stage.metrics.refusals.with_label_values(&["shut", "address"]).inc_by(16);
    plant_trouble(stage, "acme");
    for at in 0..30 {
        stage.record(exchange(at));
    }
}

fn change(stage: &Arc<Stage>, [port, other]: [&Port; 2], wish: &str) {
    match wish {
        "calm turns bad" => stage.plant("calm", State::LikelyQuarantined, 0.97),
        "late comes" => stage.plant("late", State::AtRisk, 0.4),
        "late goes" => stage.remove("late"),
        "an exchange is recorded" => {
            let mut exchange = exchange(99);
            exchange["forwarded"] = json!(null);
            exchange["app"] = json!(null);
            exchange["told"] = json!({ "status": 401, "unreadable": { "bytes": 90, "begins": "html" } });
            exchange["refused"] = json!({ "reason": "malformed" });
            stage.record(exchange);
        }
        "the token is not demanded" => stage.demand(None, true),
        "it drains" => port.drain(),
        "it dies" => other.die(),
        "the token is demanded" => stage.demand(Some("planted-token"), false),
        other => panic!("the script wants {other:?}"),
    }
}

/// A PATCH with two slips, and an answer with one.
fn exchange(at: u32) -> Value {
    let body = |op: &str, name: &str| {
        json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
            "Operations": [{ "op": op, "path": "userName", "value": name }]
        })
    };
    let user = |active: Value| json!({ "id": "string(36)", "userName": HOSTILE, "active": active });
    let target = format!("/Users/hash-{at:04x}");
    let headers = json!({ "content-type": "application/scim+json" });
    json!({
        "id": format!("request-{at}"),
        "seq": at,
        "at": format!("2026-03-01T10:{:02}:{:02}.250Z", at / 60, at % 60),
        "tenant": "acme",
        "idp": "entra",
        "request": { "method": "PATCH", "target": target, "headers": headers, "body": body("Replace", HOSTILE) },
        "forwarded": { "method": "PATCH", "target": target, "headers": headers, "body": body("replace", HOSTILE) },
        "app": { "status": 200, "headers": { "content-type": "application/json" }, "body": user(json!("True")) },
        "told": { "status": 200, "headers": headers, "body": user(json!(true)) },
        "fixes": [
            { "quirk": "patch-op-case", "direction": "request", "at": "/Operations/0/op" },
            { "quirk": "bool-string", "direction": "response", "at": "/active" }
        ],
        "observed": [],
        "refused": null,
        "times_us": { "total": 31_400, "body": 0, "turn": 0, "app": 30_900, "own": 500 },
        "revealed": false
    })
}

/// The folder of playwright-core, if everything is there.
fn installed(test: &str) -> Option<String> {
    let chromium = env::var("SCIMSHIM_CHROMIUM").unwrap_or_else(|_| "/usr/bin/chromium".to_owned());
    let modules = env::var("SCIMSHIM_NODE_MODULES").unwrap_or_else(|_| format!("{BROWSER}/node_modules"));
    let node = std::process::Command::new("node").arg("--version").stdout(Stdio::null()).status();
    let missing = if node.is_err() {
        "node is not installed".to_owned()
    } else if !PathBuf::from(&chromium).exists() {
        format!("{chromium} is not there; install chromium, or name it in SCIMSHIM_CHROMIUM")
    } else if !PathBuf::from(&modules).join("playwright-core").exists() {
        format!("{modules} holds no playwright-core; run `npm ci` in tests/browser, or set SCIMSHIM_NODE_MODULES")
    } else {
        return Some(modules);
    };
    assert!(env::var("SCIMSHIM_REQUIRE").as_deref() != Ok("all"), "{test} must run, but {missing}");
    // Not eprintln, which the test harness swallows when a test passes.
    let _ = writeln!(io::stderr(), "SKIPPED {test}: {missing}");
    None
}
