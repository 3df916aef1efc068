//! Bodies of the benches: deterministic, every name made up. A PATCH of 0.3 kB, a user of 1.3 kB, a list of 100 users
//! (150 kB), groups of 1,000 and 20,000 members (84 kB and 1.7 MB); each as a sloppy IdP or app sends it, and clean.

use std::{hint::black_box, time::SystemTime};

use http::{HeaderMap, Method, StatusCode};
use scimshim::quirk::{self, Answer, Asked, Plan, Sent};
use serde_json::{Value, json};

const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
const PATCH_OP: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";
const LIST: &str = "urn:ietf:params:scim:api:messages:2.0:ListResponse";

/// One body, dirty and clean.
pub(crate) struct Body {
    pub(crate) name: &'static str,
    pub(crate) method: &'static str,
    pub(crate) target: &'static str,
    /// Whether it is an app's answer.
    pub(crate) answer: bool,
    pub(crate) dirty: Vec<u8>,
    pub(crate) clean: Vec<u8>,
}

impl Body {
    /// One call of the engine over `bytes`, which are the dirty or the clean ones.
    pub(crate) fn walk(&self, plan: &Plan, method: &Method, headers: &HeaderMap, bytes: &[u8]) {
        if !self.answer {
            let sent = Sent { method, target: self.target, headers, body: black_box(bytes) };
            black_box(quirk::normalize(plan, &sent).expect("legal JSON"));
            return;
        }
        let asked = Asked {
            method,
            target: self.target,
            base_url: "https://app.example/scim/v2",
            upstream_url: "http://127.0.0.1:8080/scim/v2",
            now: SystemTime::UNIX_EPOCH,
            collection_seen: true,
        };
        black_box(quirk::repair(plan, &asked, &Answer { status: StatusCode::OK, headers, body: black_box(bytes) }));
    }
}

pub(crate) fn all() -> Vec<Body> {
    let body = |name, method, target, answer, dirty: Value, clean: Value| Body {
        name,
        method,
        target,
        answer,
        dirty: dirty.to_string().into_bytes(),
        clean: clean.to_string().into_bytes(),
    };
    let list = |user: &dyn Fn(u32) -> Value, count: &Value| {
        json!({"schemas": [LIST], "totalResults": count, "startIndex": 1, "itemsPerPage": 100,
               "Resources": (1..=100).map(user).collect::<Vec<_>>()})
    };
    vec![
        body(
            "patch-0.3kB",
            "PATCH",
            "/Users/1",
            false,
            patch("Replace", &json!("False"), "displayname"),
            patch("replace", &json!(false), "displayName"),
        ),
        body("user-1.3kB", "POST", "/Users", false, dirty(&user(1)), user(1)),
        body("group-84kB", "PATCH", "/Groups/1", false, members("Add", 1000), members("add", 1000)),
        body(
            "list-150kB",
            "GET",
            "/Users?startIndex=1&count=100",
            true,
            list(&stored, &json!("100")),
            list(&stored, &json!(100)),
        ),
        body("group-1.7MB", "PATCH", "/Groups/1", false, members("Add", 20_000), members("add", 20_000)),
    ]
}

fn uid(n: u32) -> String {
    let hash = n.wrapping_mul(0x9e37_79b9);
    format!("{hash:08x}-1f2e-5d3c-8b4a-{:012x}", u64::from(hash) * 2_654_435_761)
}

fn patch(op: &str, active: &Value, display_name: &str) -> Value {
    let op2 = if op == "Replace" { "Add" } else { "add" };
    json!({"schemas": [PATCH_OP], "Operations": [
        {"op": op, "path": "active", "value": active},
        {"op": op2, "path": display_name, "value": "Pat Person000001"},
        {"op": op, "value": {"userName": "person.000001@corp.example", "title": "Engineer"}}]})
}

fn members(op: &str, count: u32) -> Value {
    let members: Vec<Value> =
        (0..count).map(|i| json!({"value": uid(1000 + i), "display": format!("Pat Quinn Person{i:06}")})).collect();
    json!({"schemas": [PATCH_OP], "Operations": [{"op": op, "path": "members", "value": members}]})
}

fn user(n: u32) -> Value {
    json!({
        "schemas": [USER, ENTERPRISE],
        "externalId": uid(n + 10_000_000),
        "userName": format!("person.{n:06}@corp.example"),
        "name": {"formatted": format!("Pat Q. Person{n:06}"), "familyName": format!("Person{n:06}"),
                 "givenName": "Pat", "middleName": "Quinn", "honorificPrefix": "Dr"},
        "displayName": format!("Pat Person{n:06}"), "nickName": "Pat", "title": "Senior Field Engineer",
        "userType": "Employee", "preferredLanguage": "en-GB", "locale": "en-GB", "timezone": "Europe/Berlin",
        "active": true,
        "emails": [{"value": format!("person.{n:06}@corp.example"), "type": "work", "primary": true},
                   {"value": format!("pat{n:06}@home.example"), "type": "home", "primary": false}],
        "phoneNumbers": [{"value": format!("+49 30 5550{n:06}"), "type": "work"},
                         {"value": format!("+49 170 555{n:06}"), "type": "mobile"}],
        "addresses": [{"type": "work", "primary": true, "streetAddress": format!("Example Street {n}"),
                       "locality": "Berlin", "region": "BE", "postalCode": "10115", "country": "DE",
                       "formatted": format!("Example Street {n}, 10115 Berlin, DE")}],
        ENTERPRISE: {"employeeNumber": format!("E{n:06}"), "costCenter": "CC-4130", "organization": "Example Corp",
                     "division": "Field", "department": "Service North",
                     "manager": {"value": uid(7), "displayName": "Max Manager"}},
    })
}

fn stored(n: u32) -> Value {
    let mut stored = user(n);
    stored["id"] = json!(uid(n));
    stored["meta"] = json!({"resourceType": "User", "created": "2026-02-03T04:05:06.789Z",
        "lastModified": "2026-08-09T10:11:12.131Z", "version": format!("W/\"a{n}\""),
        "location": format!("https://app.example/scim/v2/Users/{}", uid(n))});
    stored
}

/// The same resource as a sloppy IdP sends it: names in another case, booleans as strings.
fn dirty(value: &Value) -> Value {
    const RENAMED: [(&str, &str); 7] = [
        ("userName", "username"),
        ("displayName", "DisplayName"),
        ("externalId", "externalid"),
        ("phoneNumbers", "phonenumbers"),
        ("givenName", "GivenName"),
        ("streetAddress", "streetaddress"),
        ("primary", "Primary"),
    ];
    match value {
        Value::Object(members) => members
            .iter()
            .map(|(key, value)| {
                let renamed = RENAMED.iter().find(|(name, _)| name == key).map_or(&**key, |(_, renamed)| renamed);
                (renamed.to_owned(), dirty(value))
            })
            .collect(),
        Value::Array(items) => items.iter().map(dirty).collect(),
        Value::Bool(true) => json!("True"),
        Value::Bool(false) => json!("False"),
        other => other.clone(),
    }
}
