//! What the engine holds at most, counted by the allocator. Alone in its binary: the count is the process's.

use http::{HeaderMap, Method};
use peak_alloc::PeakAlloc;
use scimshim::quirk::{Idp, Plan, PlanSettings, Sent, normalize};

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
}
