//! The audit stream as operators read it: lines in a file that changes under it.

use std::{
    fs,
    path::Path,
    sync::Arc,
    time::{Duration, SystemTime},
};

use scimshim::{
    config::settings::AuditTarget,
    observe::{
        Metrics,
        account::{Account, Body, Got, Kept, Sent, Times},
        audit::{Audit, Refused},
    },
    quirk::Idp,
};
use serde_json::Value;

use crate::harness::Folder;

const LONG: Duration = Duration::from_secs(20);

fn metrics() -> Arc<Metrics> {
    Arc::new(Metrics::new().unwrap())
}

fn file(path: &Path) -> Option<AuditTarget> {
    Some(AuditTarget::File(path.to_owned()))
}

fn lines(path: &Path) -> Vec<Value> {
    fs::read_to_string(path).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn sent() -> Sent {
    let headers = [("user-agent", "agent-pLanTed"), ("location", "https://x/Users/pLanTed"), ("etag", "pLanTed")];
    let headers = headers.map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
    Sent::new(
        "/Users/id-pLanTed?filter=userName%20eq%20%22pLanTed%22".to_owned(),
        Kept::of(&headers.into_iter().collect()),
        Body::Whole(r#"{"userName":"pLanTed","password":"pLanTed"}"#.into()),
    )
}

fn got(status: u16) -> Got {
    let Sent { headers, body, .. } = sent();
    Got::new(status, headers, body)
}

fn account<'a>(method: &'static str, received: &'a Sent, told: Option<&'a Got>) -> Account<'a> {
    Account {
        at: SystemTime::now(),
        tenant: "acme",
        label: "acme",
        listed: true,
        idp: Idp::Entra,
        id: "r-1",
        method,
        resource: "Users",
        received,
        forwarded: Some(received),
        app: told,
        told,
        refusal: None,
        findings: &[],
        unread: &[],
        caller: Some([192, 0, 2, 1].into()),
        token: Some("2026-11"),
        credentials: true,
        credible: true,
        times: Times::default(),
    }
}

#[test]
fn writes_and_refusals_are_recorded_reads_are_not_and_no_line_holds_a_value() {
    let folder = Folder::new();
    let path = folder.path("audit.jsonl");
    let audit = Audit::open(file(&path).as_ref(), metrics()).unwrap();
    let (received, told) = (sent(), got(201));
    for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
        audit.record(&account(method, &received, Some(&told)), Some(0xff));
    }
    let refusal = Some(("rate", "over the rate of pLanTed"));
    audit.record(&Account { refusal, token: None, app: None, ..account("GET", &received, None) }, None);
    audit.record_refusal(&Refused {
        at: SystemTime::now(),
        id: "r-2",
        method: "GET",
        resource: "other",
        caller: None,
        told: Some(404),
        reason: "tenant",
    });
    audit.close(LONG);
    let lines = lines(&path);
    let said: Vec<_> = lines.iter().map(|line| (line["method"].as_str().unwrap(), &line["outcome"])).collect();
    let written = serde_json::json!({ "status": 201, "app": 201, "refused": null });
    let rate = serde_json::json!({ "status": null, "app": null, "refused": "rate" });
    let tenant = serde_json::json!({ "status": 404, "app": null, "refused": "tenant" });
    let writes = ["POST", "PUT", "PATCH", "DELETE"].map(|method| (method, &written));
    assert_eq!(said, [&writes[..], &[("GET", &rate), ("GET", &tenant)]].concat());
    assert_eq!(lines[0]["object"], "00000000000000ff");
    assert_eq!(lines[0]["who"], serde_json::json!({ "address": "192.0.2.1", "token": "2026-11" }));
    assert_eq!((&lines[5]["tenant"], &lines[5]["idp"]), (&Value::Null, &Value::Null));
    assert!(!fs::read_to_string(&path).unwrap().contains("pLanTed"));
}

#[test]
fn the_target_changes_while_it_runs_and_a_bad_one_changes_nothing() {
    let (folder, metrics) = (Folder::new(), metrics());
    let (one, two) = (folder.path("one.jsonl"), folder.path("two.jsonl"));
    let audit = Audit::open(None, Arc::clone(&metrics)).unwrap();
    let (received, told) = (sent(), got(204));
    let record = |id: &'static str| audit.record(&Account { id, ..account("DELETE", &received, Some(&told)) }, None);
    record("nowhere");
    audit.put(audit.prepare(file(&one).as_ref()).unwrap());
    record("first");
    audit.put(audit.prepare(file(&one).as_ref()).unwrap());
    record("second");
    let error = audit.prepare(file(&folder.path("none/three.jsonl")).as_ref()).unwrap_err().to_string();
    assert!(error.contains("none/three.jsonl cannot be made, since there is no folder"), "{error}");
    assert_eq!(metrics.audit_writable.get(), 1, "what is in force takes lines");
    record("third");
    audit.put(audit.prepare(file(&two).as_ref()).unwrap());
    record("fourth");
    audit.close(LONG);
    record("after the end");
    let ids = |path: &Path| lines(path).iter().map(|line| line["id"].clone()).collect::<Vec<_>>();
    assert_eq!(ids(&two), ["fourth"]);
    // The thread of the old target ends by itself.
    for _ in 0..1000 {
        if metrics.audit_lines.get() == 4 {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(ids(&one), ["first", "second", "third"]);
    assert_eq!((metrics.audit_lines.get(), metrics.audit_lost.get()), (4, 0));
}
