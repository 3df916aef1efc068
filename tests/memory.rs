//! What the engine holds at most, counted by the allocator. Alone in its binary: the count is the process's.

use std::time::SystemTime;

use http::{HeaderMap, Method, StatusCode};
use peak_alloc::PeakAlloc;
use scimshim::quirk::{Answer, Asked, Body, Idp, Plan, PlanSettings, Sent, normalize, repair};

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// The body itself, its tape, the edits and the text that goes on stay under three times the body.
#[test]
fn a_large_group_stays_under_three_times_its_size() {
    let plan = Plan::new(&PlanSettings::default(), Idp::Entra);
    let member = |i: usize, null: &str| {
        format!("{{{null}\"value\":\"5d48a0a8-e9f0-4aa3-8008-{i:012}\",\"display\":\"Pat Quinn Person{i:06}\"}}")
    };
    let group = |op: &str, null: &str| {
        let members: Vec<String> = (0..20_000).map(|i| member(i, null)).collect();
        format!(
            "{{\"schemas\":[\"urn:ietf:params:scim:api:messages:2.0:PatchOp\"],\"Operations\":[{{\"op\":\"{op}\",\"path\":\"members\",\
             \"value\":[{}]}}]}}",
            members.join(",")
        )
        .into_bytes()
    };
    // A clean body, one fix in a large body, and one fix per member.
    for (body, fixed) in [(group("add", ""), false), (group("Add", ""), true), (group("Add", "\"$ref\":null,"), true)] {
        let headers = HeaderMap::new();
        MEMORY.reset_peak_usage();
        let before = MEMORY.current_usage() - body.len();
        let done =
            normalize(&plan, &Sent { method: &Method::PATCH, target: "/Groups/9", headers: &headers, body: &body })
                .expect("legal");
        assert_eq!(done.body.is_some(), fixed);
        let peak = MEMORY.peak_usage() - before;
        assert!(peak < 3 * body.len(), "{peak} bytes for a body of {}", body.len());
    }
    answered(&plan);
}

/// The same for a list with one such group in it: each member has a reference, which the walk notes only so far.
fn answered(plan: &Plan) {
    let members: Vec<String> = (0..20_000)
        .map(|i| format!("{{\"value\":\"{i:012}\",\"$ref\":\"https://app.example/scim/v2/Users/{i:012}\"}}"))
        .collect();
    let body = format!(
        "{{\"schemas\":[\"urn:ietf:params:scim:api:messages:2.0:ListResponse\"],\"totalResults\":1,\"startIndex\":1,\
         \"itemsPerPage\":1,\"Resources\":[{{\"schemas\":[\"urn:ietf:params:scim:schemas:core:2.0:Group\"],\"id\":\"9\",\
         \"displayName\":\"G\",\"members\":[{}],\"meta\":{{\"resourceType\":\"Group\"}}}}]}}",
        members.join(",")
    )
    .into_bytes();
    drop(members);
    let asked = Asked {
        method: &Method::GET,
        target: "/Groups",
        base_url: "https://app.example/scim/v2",
        upstream_url: "http://127.0.0.1:8080/scim/v2",
        now: SystemTime::UNIX_EPOCH,
        collection_seen: true,
    };
    let headers = HeaderMap::new();
    MEMORY.reset_peak_usage();
    let before = MEMORY.current_usage() - body.len();
    let repaired = repair(plan, &asked, &Answer { status: StatusCode::OK, headers: &headers, body: &body });
    assert_eq!((repaired.unread, repaired.body), (None, Body::AsSent));
    let peak = MEMORY.peak_usage() - before;
    // Nothing is written, so there is no third copy.
    assert!(peak < 2 * body.len() + body.len() / 2, "{peak} bytes for a body of {}", body.len());
}
