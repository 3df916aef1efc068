//! The rules of repair as tables: what arrives, what comes out, which quirks are named.

use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header::CONTENT_TYPE};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::quirk::{
    ALL, Answer, Asked, Body, Direction, Id, Idp, Message, Mode, Plan, PlanSettings, Repaired, TenantMode, repair,
};

const BASE: &str = "https://scim.example.com/scim/v2";
const UPSTREAM: &str = "http://127.0.0.1:8080/scim/v2";
const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
const LIST: &str = "urn:ietf:params:scim:api:messages:2.0:ListResponse";
const SCHEMA: &str = "urn:ietf:params:scim:schemas:core:2.0:Schema";
const ERROR: &str = "urn:ietf:params:scim:api:messages:2.0:Error";

/// An answer, and the tenant it is for.
#[derive(Clone)]
struct Case {
    idp: Idp,
    enable: Vec<String>,
    mode: TenantMode,
    method: Method,
    target: String,
    status: u16,
    headers: HeaderMap,
    body: Vec<u8>,
    seen: bool,
}

/// What came out.
struct Out {
    status: u16,
    headers: HeaderMap,
    body: Vec<u8>,
    fixed: Vec<&'static str>,
    observed: Vec<&'static str>,
    repaired: Repaired,
}

impl Out {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    fn is_unchanged(&self) -> bool {
        self.repaired.status.is_none() && self.repaired.headers.is_empty() && self.repaired.body == Body::AsSent
    }
}

impl Case {
    #[allow(clippy::needless_pass_by_value)] // most are temporaries
    fn new(start: &str, body: impl ToString) -> Self {
        let parts: Vec<&str> = start.split(' ').collect();
        let [status, "to", method, target] = parts[..] else { panic!("{start}") };
        let body = body.to_string().into_bytes();
        let mut headers = HeaderMap::new();
        if !body.is_empty() {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/scim+json"));
        }
        Self {
            idp: Idp::Generic,
            enable: Vec::new(),
            mode: TenantMode::Rewrite,
            method: method.parse().expect("a method"),
            target: target.to_owned(),
            status: status.parse().expect("a status"),
            headers,
            body,
            seen: true,
        }
    }

    fn enable(mut self, name: &str) -> Self {
        self.enable.push(name.to_owned());
        self
    }

    fn idp(mut self, idp: Idp) -> Self {
        self.idp = idp;
        self
    }

    fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.insert(HeaderName::from_static(name), HeaderValue::from_str(value).expect("a value"));
        self
    }

    fn plan(&self) -> Plan {
        let quirks = self.enable.iter().map(|name| (name.clone(), Mode::Fix)).collect();
        Plan::new(&PlanSettings { mode: self.mode, quirks, ..PlanSettings::default() }, self.idp)
    }

    /// Runs it, and runs what came out again: that must find nothing more to fix.
    fn run(&self) -> Out {
        let out = self.once();
        let mut again = self.clone();
        again.status = out.status;
        again.headers = out.headers.clone();
        again.body = out.body.clone();
        let again = again.once();
        assert!(
            again.is_unchanged() && again.fixed.is_empty(),
            "not settled: {:?} of {} {}",
            again.fixed,
            self.target,
            String::from_utf8_lossy(&out.body)
        );
        if let Body::New(body) = &out.repaired.body {
            serde_json::from_slice::<Value>(body).expect("what is written is JSON");
        }
        out
    }

    fn once(&self) -> Out {
        self.by(&self.plan())
    }

    fn by(&self, plan: &Plan) -> Out {
        let asked = Asked {
            method: &self.method,
            target: &self.target,
            base_url: BASE,
            upstream_url: UPSTREAM,
            now: SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000),
            collection_seen: self.seen,
        };
        let status = StatusCode::from_u16(self.status).expect("a status");
        let repaired = repair(plan, &asked, &Answer { status, headers: &self.headers, body: &self.body });
        let mut headers = self.headers.clone();
        for (name, value) in &repaired.headers {
            match value {
                Some(value) => drop(headers.insert(name, value.clone())),
                None => drop(headers.remove(name)),
            }
        }
        let names = |done: bool| {
            let mut names: Vec<_> =
                repaired.findings.counts().filter(|(_, fixed, _)| *fixed == done).map(|(id, ..)| id.as_str()).collect();
            names.sort_unstable();
            names
        };
        Out {
            status: repaired.status.unwrap_or(status).as_u16(),
            headers,
            body: match &repaired.body {
                Body::AsSent => self.body.clone(),
                Body::Empty => Vec::new(),
                Body::New(body) => body.clone(),
            },
            fixed: names(true),
            observed: names(false),
            repaired,
        }
    }
}

fn user(id: &str) -> Value {
    json!({"schemas": [USER], "id": id, "userName": format!("{id}@example.com"), "meta": {"resourceType": "User"}})
}

fn list(resources: &[Value]) -> Value {
    json!({"schemas": [LIST], "totalResults": resources.len(), "startIndex": 1, "itemsPerPage": resources.len(),
        "Resources": resources})
}

#[test]
fn every_example_comes_out_as_its_page_says() {
    let case = |message: &Message| {
        let start = format!("{} to {} {}", message.status.unwrap_or(0), message.method, message.target);
        let mut case = Case::new(&start, &message.body);
        case.headers.clear();
        for (name, value) in &message.headers {
            let name: HeaderName = name.parse().expect("a name");
            case.headers.insert(name, value.parse().expect("a value"));
        }
        case
    };
    let mut examples = 0;
    for quirk in ALL.iter().filter(|quirk| quirk.direction.covers(Direction::Response)) {
        for example in quirk.examples().iter().filter(|example| example.before.status.is_some()) {
            examples += 1;
            let mut before = case(&example.before);
            before.enable = example.enable.clone();
            before.idp = example.idp.as_deref().map_or(Idp::Generic, |name| name.parse().expect("a profile"));
            let out = before.run();
            let Some(after) = &example.after else {
                assert!(out.is_unchanged(), "{}: {:?}", quirk.id, out.fixed);
                continue;
            };
            assert_eq!(Some(out.status), after.status, "{}", quirk.id);
            for (name, value) in &after.headers {
                assert_eq!(out.header(name), Some(value.as_str()), "{}", quirk.id);
            }
            if after.body.is_empty() {
                assert!(out.body.is_empty(), "{}", quirk.id);
            } else {
                let expected: Value = serde_json::from_str(&after.body).expect("JSON");
                assert_eq!(out.json(), expected, "{}", quirk.id);
            }
            assert_eq!(out.fixed, [quirk.id]);
        }
    }
    assert!(examples >= 70, "{examples}");
}

#[test]
fn totals_are_filled_in_only_where_they_are_proved() {
    let page = |stated: Option<u64>| {
        let mut page = json!({"schemas": [LIST], "startIndex": 1, "Resources": [user("1")]});
        if let Some(stated) = stated {
            page["itemsPerPage"] = json!(stated);
        }
        page
    };
    let eq = "filter=userName%20eq%20%221@example.com%22";
    for (query, stated, total) in [
        (String::new(), None, true),
        (String::new(), Some(100), true),
        (String::new(), Some(1), false),
        ("count=5".to_owned(), None, false),
        ("startIndex=1".to_owned(), None, true),
        ("startIndex=2".to_owned(), None, false),
        ("cursor=".to_owned(), None, false),
        ("count=x".to_owned(), None, false),
        (eq.to_owned(), Some(1), true),
        (format!("{eq}&count=2"), Some(1), true),
        (format!("{eq}&count=1"), Some(1), false),
        (format!("{eq}&startIndex=2"), Some(1), false),
        ("filter=userName%20sw%20%221%22&count=2".to_owned(), Some(1), false),
    ] {
        let out = Case::new(&format!("200 to GET /Users?{query}"), page(stated)).run();
        assert_eq!(out.json().get("totalResults").is_some(), total, "{query} {stated:?}");
    }
    let out = Case::new("200 to POST /Users/.search", page(None)).run();
    assert_eq!(out.json(), json!({"schemas": [LIST], "startIndex": 1, "itemsPerPage": 1, "Resources": [user("1")]}));
    let out = Case::new("200 to GET /Users", json!({"schemas": [LIST], "nextCursor": "a", "Resources": []})).run();
    assert!(out.is_unchanged());
}

#[test]
fn bare_arrays_are_wrapped_unless_they_may_be_a_part_or_contradict_the_filter() {
    for (target, wrapped) in [
        ("/Users", true),
        ("/Users?count=3", true),
        ("/Users?count=2", false),
        ("/Users?count=1", false),
        ("/Users?startIndex=3", false),
        ("/Users?cursor=x", false),
        ("/Users?filter=userName%20eq%20%221@EXAMPLE.com%22", false),
        ("/Users?filter=nickName%20eq%20%22x%22", true),
        ("/Users?filter=userName%20co%20%22x%22", true),
        ("/", true),
        ("/Devices", false),
        ("/Users/1", false),
    ] {
        let out = Case::new(&format!("200 to GET {target}"), json!([user("1"), user("2")])).run();
        assert_eq!(
            out.json(),
            if wrapped { list(&[user("1"), user("2")]) } else { json!([user("1"), user("2")]) },
            "{target}"
        );
        assert_eq!(out.is_unchanged(), !wrapped, "{target}");
    }
    let filtered = "200 to GET /Users?filter=id%20eq%20%222%22";
    let out = Case::new(filtered, json!([user("1"), user("2")])).enable("filter-ignored").run();
    assert_eq!(out.json(), list(&[user("2")]));
    assert_eq!(out.fixed, ["filter-ignored", "list-array-bare"]);
    assert!(Case::new("200 to POST /.search", "[]").run().is_unchanged());
    assert!(Case::new("200 to GET /Users", "[1]").run().is_unchanged());
    let out = Case::new("200 to GET /Users?count=1", json!([{"id": "1", "Password": "x"}])).run();
    assert_eq!((out.json(), out.fixed), (json!([{"id": "1"}]), vec!["password-echo"]));
}

#[test]
fn a_bare_resource_is_wrapped_for_a_filter_only() {
    let out = Case::new("200 to GET /Users?filter=id%20eq%20%221%22&count=1", user("1")).run();
    assert_eq!(out.json(), list(&[user("1")]));
    for target in ["/Users?filter=id%20eq%20%222%22", "/Users?filter=id%20eq%20%221%22&startIndex=2", "/Users"] {
        assert!(Case::new(&format!("200 to GET {target}"), user("1")).run().is_unchanged(), "{target}");
    }
    let filtered = "200 to GET /Users?filter=id%20eq%20%222%22";
    assert!(Case::new(filtered, user("1")).enable("filter-ignored").run().is_unchanged());
}

#[test]
fn a_filter_sees_every_spelling() {
    let core = |name: &str| json!({"schemas": [USER], "id": "1", format!("{USER}:userName"): name, "meta": {}});
    let old = json!({"schemas": ["urn:scim:schemas:core:1.0"], "id": "1", "urn:scim:schemas:core:1.0:userName": "a", "meta": {}});
    let filtered = "200 to GET /Users?filter=userName%20eq%20%22a%22";
    for other in [core("b"), json!({"schemas": [USER], "id": "1", "UserName": "a", "username": "b", "meta": {}})] {
        for body in [other.clone(), json!([other])] {
            let out = Case::new(filtered, &body).run();
            assert!(out.is_unchanged(), "{body}");
            assert!(out.observed.iter().any(|quirk| quirk.starts_with("list-")), "{body}");
        }
    }
    let wrapped = Case::new(filtered, json!([core("a")])).run().json();
    assert_eq!(wrapped["Resources"], json!([{"schemas": [USER], "id": "1", "userName": "a", "meta": {}}]));
    let other = json!({"schemas": [USER], "id": "2", "userName": "b", "meta": {}});
    for kept in [core("a"), old] {
        let case = Case::new(filtered, list(&[kept.clone(), other.clone()])).enable("filter-ignored");
        let out = case.enable("scim11-translate").run();
        assert_eq!(out.json()["Resources"].as_array().map(Vec::len), Some(1), "{kept}");
        assert_eq!(out.json()["Resources"][0]["userName"], "a", "{kept}");
    }
    let unclear = json!({"schemas": [USER], "id": "1", "UserName": "a", "username": "b", "meta": {}});
    let case = Case::new(filtered, list(&[unclear, other])).enable("filter-ignored").run();
    assert!(case.is_unchanged() && case.observed.contains(&"filter-ignored"));
    assert_eq!(Case::new("204 to GET /Users?filter=", "").run().status, 204);
    assert_eq!(Case::new("204 to GET /Users?filter=%20", "").run().status, 204);
}

#[test]
fn an_answer_that_says_nothing_is_left() {
    for body in [
        json!({"schemas": [LIST], "items": [user("1")]}),
        json!({"schemas": [LIST]}),
        json!({"schemas": [LIST], "Resources": null}),
        json!({"schemas": [LIST], "totalResults": null, "Resources": null, "startIndex": 0}),
    ] {
        let out = Case::new("200 to GET /Users", &body).run();
        assert!(out.is_unchanged(), "{body}");
        assert_eq!(out.observed, ["list-counts-missing"], "{body}");
    }
    let out = Case::new(
        "200 to GET /Users",
        json!({"schemas": [LIST], "totalResults": 0, "startIndex": 1, "itemsPerPage": 0}),
    )
    .run();
    assert_eq!((out.json(), out.fixed), (list(&[]), vec!["list-resources-null"]));
    let kind = json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:ResourceType"], "name": "User"});
    let body = json!({"schemas": [LIST], "resource_types": [kind], "Resources": null});
    let out = Case::new("200 to GET /ResourceTypes", body).run();
    assert_eq!(out.json(), list(&[kind]));
    assert_eq!(out.fixed, ["discovery-key", "list-counts-missing"]);
}

#[test]
fn passwords_go_wherever_a_resource_can_stand() {
    let with = || json!({"schemas": [USER], "id": "1", "userName": "a", "PassWord": "secret", "meta": {}});
    let plain = json!({"id": "1", "password": "secret"});
    let bulk = |response: Value| {
        json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkResponse"],
        "Operations": [{"method": "POST", "status": "201", "response": response}]})
    };
    for (start, body) in [
        ("200 to GET /Users?startIndex=2", json!([with(), plain])),
        ("200 to POST /.search", json!([plain])),
        ("200 to POST /.search", list(&[with(), plain.clone()])),
        ("200 to POST /.search", plain.clone()),
        ("200 to POST /Users/.search", json!([plain])),
        ("200 to POST /Users/.search", list(std::slice::from_ref(&plain))),
        ("200 to GET /Devices", list(std::slice::from_ref(&plain))),
        ("200 to GET /People", json!([plain])),
        ("201 to POST /People", plain.clone()),
        ("200 to GET /Users", json!({"schemas": [LIST], "totalResults": 1, "Resources": with()})),
        ("200 to GET /Users", json!({"schemas": [LIST], "totalResults": 1, "Resources": [[plain]]})),
        ("200 to GET /Users", json!({"schemas": [LIST], "totalResults": 1, "items": [with()]})),
        ("200 to GET /Users/1", json!([plain])),
        ("200 to GET /Users/1", list(std::slice::from_ref(&plain))),
        ("201 to POST /Users", json!([plain])),
        ("200 to PUT /Users/1", list(std::slice::from_ref(&plain))),
        ("200 to GET /Me", plain.clone()),
        ("201 to POST /Users", json!({"userName": "a", "password": "secret"})),
        ("200 to GET /Users/1", json!({"ID": "1", "id": "2", "password": "secret"})),
        ("200 to POST /Bulk", bulk(with())),
        ("200 to POST /Bulk", bulk(plain.clone())),
        ("200 to GET /Users/1", json!({"schemas": [USER], "id": "1", USER: {"password": "secret"}})),
        ("200 to GET /Users/1", json!({"schemas": [USER], "id": "1", "urn:scim:schemas:core:1.0:password": "secret"})),
        ("200 to GET /x/y", json!({"data": {"user": with()}})),
        ("200 to DELETE /Users/1", json!({"success": false, "user": with()})),
        ("200 to GET /Users?filter=id%20eq%20%221%22", plain.clone()),
    ] {
        let out = Case::new(start, &body).run();
        assert!(!String::from_utf8_lossy(&out.body).contains("secret"), "{start} {body}");
        assert!(out.fixed.contains(&"password-echo"), "{start} {body}");
        let mut off = Case::new(start, &body);
        off.enable.clear();
        let quirks = ["list-array-bare", "list-single-object"].map(|name| (name.to_owned(), Mode::Observe)).into();
        let plan = Plan::new(&PlanSettings { quirks, ..PlanSettings::default() }, Idp::Generic);
        let out = off.by(&plan);
        assert!(!String::from_utf8_lossy(&out.body).contains("secret"), "{start} {body}");
        let mut watched = Case::new(start, &body);
        watched.mode = TenantMode::Observe;
        let seen = watched.once().repaired.findings.counts().find(|(id, ..)| *id == Id::PasswordEcho).map(|(.., n)| n);
        assert_eq!(
            seen,
            Some(u32::try_from(body.to_string().matches("secret").count()).expect("few")),
            "{start} {body}"
        );
    }
    let definition = json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:Schema"], "id": "x", "password": {"name": "password"}});
    for target in ["/Schemas", "/", "/ResourceTypes"] {
        let out = Case::new(&format!("200 to GET {target}"), list(std::slice::from_ref(&definition))).run();
        assert!(out.is_unchanged(), "{target}");
    }
    let vendor = json!({"schemas": [USER, "urn:a:b"], "id": "1", "meta": {}, "urn:a:b": {"password": "policy"}});
    assert!(Case::new("200 to GET /Users/1", vendor).run().is_unchanged());
    assert!(Case::new("200 to GET /ServiceProviderConfig", json!({"password": 1, "bulk": {}})).run().is_unchanged());
}

#[test]
fn a_filter_is_applied_to_whole_answers_only() {
    let two = [user("1"), user("2")];
    let by_id = "200 to GET /Users?filter=id%20eq%20%222%22";
    let run = |start: &str, body: Value| Case::new(start, body).enable("filter-ignored").run();
    assert_eq!(run(by_id, list(&two)).json(), list(&two[1..]));
    let mut part = list(&two);
    part["totalResults"] = json!(7);
    assert!(run(by_id, part).is_unchanged());
    let mut later = list(&two);
    later["startIndex"] = json!(3);
    assert!(run(by_id, later).is_unchanged());
    assert!(run("200 to GET /Users?filter=title%20eq%20%22x%22", list(&two)).is_unchanged());
    let observed = Case::new(by_id, list(&two)).run();
    assert!(observed.is_unchanged() && observed.observed.contains(&"filter-ignored"));
}

#[test]
fn counts_are_numbers_of_what_is_there() {
    let out = Case::new(
        "200 to GET /Users?startIndex=11&count=5",
        r#"{"Schemas":["x"],"totalresults":"0011","startIndex":null,"itemsPerPage":null,"resources":null}"#,
    )
    .run();
    let expected =
        json!({"schemas": [LIST], "totalResults": 11, "startIndex": 11, "itemsPerPage": 0, "Resources": null});
    assert_eq!(out.json(), expected);
    let all =
        ["list-counts-missing", "list-counts-string", "list-key-case", "list-schemas-missing", "list-startindex-zero"];
    assert_eq!(out.fixed, all);
    let odd = json!({"schemas": [LIST], "totalResults": "-1", "startIndex": 1, "itemsPerPage": 0, "Resources": {}});
    assert!(Case::new("200 to GET /Users", odd).run().is_unchanged());
    let collision = r#"{"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],"totalResults":0,
        "StartIndex":1,"startindex":2,"itemsPerPage":0,"Resources":[]}"#;
    assert!(Case::new("200 to GET /Users", collision).run().is_unchanged());
}

#[test]
fn an_empty_answer_means_no_match_only_where_it_can() {
    let filter = "filter=id%20eq%20%221%22";
    for (status, query, enable, becomes) in [
        (204, filter.to_owned(), "", 200),
        (204, format!("{filter}&startIndex=1&count=2"), "", 200),
        (204, format!("{filter}&startIndex=2"), "", 204),
        (204, format!("{filter}&count=0"), "", 204),
        (204, format!("{filter}&cursor=a"), "", 204),
        (204, String::new(), "", 204),
    ] {
        let out = Case::new(&format!("{status} to GET /Users?{query}"), "").enable(enable).run();
        assert_eq!((out.status, !out.body.is_empty()), (becomes, becomes == 200), "{query}");
    }
    let silent = format!("200 to GET /Users?{filter}");
    assert!(Case::new(&silent, "").run().is_unchanged());
    let out = Case::new(&silent, "").enable("list-200-no-body").run();
    assert_eq!((out.json(), out.fixed), (list(&[]), vec!["list-204-empty"]));
    assert!(Case::new("200 to GET /Users", "").enable("list-200-no-body").run().is_unchanged());
}

#[test]
fn a_404_means_no_match_only_from_the_handler() {
    let filtered = "404 to GET /Users?filter=id%20eq%20%221%22";
    let on = |start: &str, body: &str| Case::new(start, body).enable("list-404-empty");
    assert_eq!(on(filtered, r#"{"Errors":[{"description":"x"}]}"#).run().json(), list(&[]));
    for body in ["", "nope", "<title>404</title>", "[]", "\"no\""] {
        assert_eq!(on(filtered, body).run().status, 404, "{body}");
    }
    for start in
        ["404 to GET /Users", "404 to GET /Users/1", "404 to GET /Devices?filter=a%20eq%201", "404 to POST /Users"]
    {
        assert_eq!(on(start, r#"{"message":"x"}"#).run().status, 404, "{start}");
    }
    let mut unseen = on(filtered, r#"{"message":"x"}"#);
    unseen.seen = false;
    let out = unseen.run();
    assert_eq!((out.status, out.observed), (404, vec!["list-404-empty"]));
    assert_eq!(Case::new(filtered, r#"{"message":"x"}"#).run().status, 404);
}

#[test]
fn errors_get_their_envelope() {
    let error = |status: u16, detail: &str| json!({"schemas": [ERROR], "status": status.to_string(), "detail": detail});
    for (start, body, expected, quirks) in [
        (
            "404 to GET /Users/1",
            r#"{"detail":"d"}"#,
            error(404, "d"),
            vec!["error-schemas-missing", "error-status-missing"],
        ),
        (
            "404 to GET /Users/1",
            r#"{"schemas":null,"detail":"d","status":"404"}"#,
            error(404, "d"),
            vec!["error-schemas-missing"],
        ),
        (
            "422 to PUT /Users/1",
            r#"{"detail":[{"msg":"x"}]}"#,
            error(422, "Unprocessable Entity"),
            vec!["error-envelope-missing"],
        ),
        ("404 to GET /Users/1", r#"{"detail":"d","traceId":"7"}"#, error(404, "d"), vec!["error-envelope-missing"]),
        ("404 to GET /Users/1", "null", error(404, "Not Found"), vec!["error-envelope-missing"]),
        ("400 to GET /Users/1", "\"a\\nb\"", error(400, "a"), vec!["error-plain-text"]),
        ("400 to GET /Users/1", "{\"error\": ", error(400, "{\"error\":"), vec!["error-plain-text"]),
        ("499 to GET /Users/1", "", error(499, "Bad Request"), vec!["error-empty-body"]),
        (
            "404 to GET /Users/1",
            &json!({"schema": ERROR, "Detail": "d", "status": 500}).to_string(),
            error(404, "d"),
            vec!["attr-case", "error-schema-key", "error-status-mismatch", "error-status-number", "schemas-string"],
        ),
        (
            "404 to GET /Users/1",
            &json!({"a": {"b": error(404, "d")}}).to_string(),
            error(404, "d"),
            vec!["error-nested"],
        ),
        (
            "404 to GET /Users/1",
            &json!({"schemas": [USER], "detail": "d"}).to_string(),
            error(404, "d"),
            vec!["error-envelope-missing"],
        ),
    ] {
        let out = Case::new(start, body).run();
        assert_eq!(out.json(), expected, "{body}");
        assert_eq!(out.fixed, quirks, "{body}");
        assert_eq!(out.header("content-type"), Some("application/scim+json"), "{body}");
    }
    let kept = Case::new("400 to GET /Users/1", r#"{"message":"m","scimType":"invalidFilter"}"#).run();
    assert_eq!(kept.json()["scimType"], "invalidFilter");
    assert!(Case::new("404 to HEAD /Users/1", "").run().is_unchanged());
    let mut old = Case::new("400 to GET /Users/1", "");
    old.body = b"Ung\xfcltig".to_vec();
    assert_eq!(old.run().json()["detail"], "Ungültig");
    for (body, quirk) in [
        (&b"{\"message\":\"Ung\xfcltig\",\"code\":7}"[..], "error-envelope-missing"),
        (b"{\"detail\":\"Ung\xfcltig\",\"status\":\"400\"}", "error-schemas-missing"),
        (
            b"{\"schemas\":[\"urn:ietf:params:scim:api:messages:2.0:Error\"],\"status\":\"400\",\"detail\":\"Ung\xfcltig\"}",
            "error-plain-text",
        ),
    ] {
        old.body = body.to_vec();
        let out = old.clone().header("content-type", "application/scim+json").run();
        assert_eq!((out.json(), out.fixed), (error(400, "Ungültig"), vec![quirk]));
    }
    let number = Case::new("400 to GET /Users/1", "42").header("content-type", "text/plain").run();
    assert_eq!((number.json(), number.fixed), (error(400, "42"), vec!["error-plain-text"]));
    let inner = Case::new("400 to PUT /Users/1", r#"{"error":{"message":"m","scimType":"mutability"}}"#).run();
    assert_eq!(inner.json()["scimType"], "mutability");
    old.body = b"\x1f\x8b\x08\x00".to_vec();
    assert!(old.run().is_unchanged());
}

#[test]
fn conflicts_are_told_by_the_apps_message() {
    let create =
        |status: u16, body: &str| Case::new(&format!("{status} to POST /Users"), body).enable("conflict-status").run();
    for (status, body, becomes) in [
        (400, r#"{"message":"User ALREADY EXISTS"}"#, 409),
        (500, "first line\nERR_EMAIL_EXISTS", 409),
        (400, r#"{"message":"has already been taken"}"#, 400),
        (503, r#"{"message":"already exists"}"#, 503),
        (500, "<title>IntegrityError: already exists</title>", 500),
        (
            400,
            &json!({"schemas": [ERROR], "status": "400", "scimType": "invalidValue", "detail": "not unique"})
                .to_string(),
            409,
        ),
    ] {
        let out = create(status, body);
        assert_eq!(out.status, becomes, "{body}");
        assert_eq!(out.json()["status"], becomes.to_string(), "{body}");
        assert_eq!(out.json().get("scimType") == Some(&json!("uniqueness")), becomes == 409, "{body}");
    }
    for (stated, quirks) in [
        (json!("409"), vec!["conflict-status"]),
        (json!(409), vec!["conflict-status", "error-status-number"]),
        (json!("500"), vec!["conflict-status"]),
        (json!(500), vec!["conflict-status", "error-status-number"]),
        (json!("404"), vec!["conflict-status", "error-status-mismatch"]),
        (json!(null), vec!["conflict-status", "error-status-missing"]),
    ] {
        let body = json!({"schemas": [ERROR], "status": stated, "detail": "already exists"});
        let out = create(500, &body.to_string());
        assert_eq!(
            (out.status, &out.json()["status"], &out.json()["scimType"]),
            (409, &json!("409"), &json!("uniqueness"))
        );
        assert_eq!(out.fixed, quirks, "{stated}");
    }
    let elsewhere = Case::new("400 to PUT /Users/1", r#"{"message":"already exists"}"#).enable("conflict-status").run();
    assert_eq!(elsewhere.status, 400);
    let plain = Case::new("409 to POST /Groups", "taken").run();
    assert_eq!(plain.fixed, ["conflict-scimtype-missing", "error-plain-text"]);
    let inner = Case::new("200 to POST /Users", json!({"schemas": [ERROR], "status": 409, "detail": "taken"})).run();
    assert_eq!(inner.fixed, ["conflict-scimtype-missing", "error-200", "error-status-number"]);
    assert_eq!(inner.status, 409);
}

#[test]
fn an_error_under_success_needs_its_urn_and_a_status() {
    for (body, becomes) in [
        (json!({"schemas": [ERROR], "status": "404"}), 404),
        (json!({"schemas": ERROR, "status": 503}), 503),
        (json!({"schemas": [ERROR], "status": "200"}), 200),
        (json!({"schemas": [ERROR]}), 200),
        (json!({"status": "404", "detail": "x"}), 200),
    ] {
        assert_eq!(Case::new("200 to GET /Users/1", &body).run().status, becomes, "{body}");
    }
}

#[test]
fn deletions_are_told_from_failures() {
    for (body, becomes) in [
        ("", 204),
        ("{}", 204),
        ("gone", 200),
        ("{\"error\":", 200),
        (r#"{"error":null,"errors":[],"success":true}"#, 204),
        (r#"{"Error":"x"}"#, 200),
        (r#"{"errors":{"a":1}}"#, 200),
        (r#"{"success":false}"#, 200),
        (r#"{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"]}"#, 200),
        (r#"{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"423"}"#, 423),
    ] {
        let out = Case::new("200 to DELETE /Users/1", body).run();
        assert_eq!(out.status, becomes, "{body}");
        assert_eq!(out.body.is_empty(), becomes == 204, "{body}");
        assert!(becomes != 204 || out.header("content-type").is_none(), "{body}");
    }
    for (label, body) in [("text/plain", "gone"), ("text/html", "<p>{</p>")] {
        let out = Case::new("200 to DELETE /Users/1", body).header("content-type", label).run();
        assert_eq!((out.status, out.body.len()), (204, 0), "{label}");
    }
    assert!(Case::new("404 to DELETE /Users/1", json!({"schemas": [ERROR], "status": "404"})).run().is_unchanged());
}

#[test]
fn success_is_never_invented() {
    for body in [json!({"success": true}), json!({"userName": "a"}), json!({"id": null}), json!([]), json!("ok")] {
        let out = Case::new("200 to POST /Users", &body).run();
        assert!(out.is_unchanged(), "{body}");
    }
    assert!(Case::new("200 to POST /Bulk", json!({"id": "1"})).run().is_unchanged());
    assert!(Case::new("200 to POST /Me", user("1")).run().is_unchanged());
    assert_eq!(Case::new("200 to POST /Users", json!({"schemas": [USER]})).run().status, 201);
}

#[test]
fn locations_fill_and_settle_each_other() {
    let at =
        |location: &str| json!({"schemas": [USER], "id": "1", "meta": {"resourceType": "User", "location": location}});
    let right = format!("{BASE}/Users/1");
    let other = format!("{BASE}/People/1");
    for (header, stated, result, quirks) in [
        (Some(right.as_str()), right.as_str(), right.as_str(), vec![]),
        (Some("https://a.example.org/1"), &right, &right, vec!["location-mismatch"]),
        (Some(&right), "https://a.example.org/1", &right, vec!["location-mismatch"]),
        (Some(&other), &right, &right, vec!["location-mismatch"]),
        (Some(&right), &other, &right, vec!["location-mismatch"]),
        (
            Some("/scim/v2/Users/1"),
            "http://127.0.0.1:8080/scim/v2/Users/1",
            &right,
            vec!["location-internal-host", "location-relative"],
        ),
        (None, &right, &right, vec!["location-missing"]),
        (None, "https://a.example.org/1", "https://a.example.org/1", vec!["location-missing"]),
    ] {
        let mut case = Case::new("201 to POST /Users", at(stated));
        if let Some(header) = header {
            case = case.header("location", header);
        }
        let out = case.run();
        assert_eq!(out.header("location"), Some(result), "{header:?} {stated}");
        assert_eq!(out.json()["meta"]["location"], result, "{header:?} {stated}");
        assert_eq!(out.fixed, quirks, "{header:?} {stated}");
    }
    let foreign =
        Case::new("201 to POST /Users", at("https://a.example.org/1")).header("location", "https://b.example.org/1");
    let out = foreign.run();
    assert!(out.is_unchanged() && out.observed.contains(&"location-mismatch"));
    let out = foreign.enable("location-rebuild").run();
    assert_eq!((out.header("location"), out.fixed.clone()), (Some(right.as_str()), vec!["location-mismatch"]));
    for (header, stated) in [(None, Some("https://a.example.org/1")), (Some("https://b.example.org/1"), None)] {
        let mut case =
            Case::new("201 to POST /Users", json!({"schemas": [USER], "id": "1", "meta": {"location": stated}}));
        if let Some(header) = header {
            case = case.header("location", header);
        }
        let out = case.enable("location-rebuild").run();
        assert_eq!(out.header("location"), Some(right.as_str()));
        assert_eq!(out.json()["meta"]["location"], right);
        assert_eq!(out.fixed, ["location-mismatch", "location-missing"]);
    }
    let same = "https://a.example.org/1";
    let mut watched = Case::new("201 to POST /Users", at(same)).header("location", same).enable("location-rebuild");
    watched.mode = TenantMode::Observe;
    assert!(!watched.run().observed.contains(&"location-mismatch"));
    for odd in ["?id=1", "//x/Users/1", "#1"] {
        assert!(Case::new("201 to POST /Users", at(odd)).run().is_unchanged(), "{odd}");
        let bare = json!({"schemas": [USER], "id": "1", "meta": {}});
        assert!(Case::new("201 to POST /Users", bare).header("location", odd).run().is_unchanged(), "{odd}");
        let none = Case::new("201 to POST /Users", json!({"schemas": [USER], "id": "1"})).header("location", odd).run();
        assert_eq!(none.json()["meta"], json!({"resourceType": "User"}), "{odd}");
    }
    let both = Case::new("201 to POST /Users", at(&format!("{BASE}/a"))).header("location", &format!("{BASE}/b")).run();
    assert!(both.is_unchanged());
    let limited = Case::new("201 to POST /Users?attributes=userName", json!({"schemas": [USER], "id": "é/"})).run();
    assert_eq!(limited.header("location"), Some(&*format!("{BASE}/Users/%C3%A9%2F")));
    assert_eq!(limited.repaired.body, Body::AsSent);
    let bare = Case::new("201 to POST /Users", json!({"schemas": [USER], "id": 7})).run();
    assert_eq!(bare.json()["meta"], json!({"resourceType": "User", "location": format!("{BASE}/Users/7")}));
    assert_eq!(bare.fixed, ["id-number", "location-missing", "meta-missing"]);
    let redirect = Case::new("308 to GET /Users", "").header("location", "/scim/v2/Users/").run();
    assert!(redirect.is_unchanged());
}

#[test]
fn types_are_changed_only_where_they_are_known() {
    let body = json!({
        "schemas": [USER], "id": 12, "externalId": 1.5, "userName": 12345, "active": "TRUE", "title": "1", "nickName": "true",
        "emails": ["a@x", 5, {"value": 7, "primary": "0", "Type": "work"}], "groups": {"value": 9}, "addresses": ["a", [], [1]],
        "phoneNumbers": null, "ims": "x", "vendor": {"active": "true", "id": 1}, "urn:acme:1.0:User": {"active": "true"},
        "meta": {"resourceType": "User", "version": 3, "created": 0, "lastModified": "2019-02-18 08:03:34+0100"},
    });
    let out = Case::new("200 to GET /Users/12", body).run();
    assert_eq!(
        out.json(),
        json!({
            "schemas": [USER, "urn:acme:1.0:User"], "id": "12", "externalId": 1.5, "userName": 12345, "active": true, "title": "1",
            "nickName": "true", "emails": [{"value": "a@x"}, 5, {"value": 7, "primary": false, "type": "work"}],
            "groups": [{"value": "9"}], "addresses": ["a", [1]], "phoneNumbers": null, "ims": "x",
            "vendor": {"active": "true", "id": 1}, "urn:acme:1.0:User": {"active": "true"},
            "meta": {"resourceType": "User", "version": "W/\"3\"", "created": "1970-01-01T00:00:00Z",
                "lastModified": "2019-02-18T08:03:34+01:00"},
        })
    );
}

#[test]
fn big_numbers_and_spelling_survive_a_fix() {
    let body = format!(
        r#"{{"schemas":["{USER}"], "id":123456789012345678901234567890,"x":[1.10, 1e-07 ],"y":"\u0061", "meta":{{}}}}"#
    );
    let out = Case::new("200 to GET /Users/1", body).run();
    let text = String::from_utf8(out.body).expect("UTF-8");
    assert!(text.contains(r#""id":"123456789012345678901234567890","x":[1.10, 1e-07 ],"y":"\u0061""#), "{text}");
}

#[test]
fn colliding_keys_are_left_but_for_the_password() {
    let body = format!(
        r#"{{"schemas":["{USER}"],"id":"1","Active":"true","ACTIVE":"false","Meta":1,"mEta":2,"Password":"a","password":"b",
        "{USER}:password":"c"}}"#
    );
    let out = Case::new("200 to GET /Users/1", body).run();
    assert_eq!(
        out.json(),
        json!({"schemas": [USER], "id": "1", "Active": "true", "ACTIVE": "false", "Meta": 1, "mEta": 2})
    );
    assert_eq!(out.fixed, ["password-echo"]);
    let twice = Case::new("200 to GET /Users/1", r#"{"id":"1","id":"2"}"#).run();
    assert!(twice.is_unchanged() && twice.repaired.unread.is_some());
    assert!(Case::new("400 to GET /Users/1", r#"{"a":"1","a":"2"}"#).run().is_unchanged());
}

#[test]
fn a_null_that_goes_stands_in_no_keys_way() {
    for (sent, expected) in [
        (
            json!({"id": "1", ENTERPRISE: {"department": null}, (format!("{ENTERPRISE}:department")): "d", "title": null,
                (format!("{USER}:title")): "t", (format!("{USER}:active")): true, "active": null, "meta": {}}),
            json!({"id": "1", ENTERPRISE: {"department": "d"}, "title": "t", (format!("{USER}:active")): true,
                "active": null, "meta": {}}),
        ),
        (
            json!({"id": "1", ENTERPRISE: null, "meta": {"resourceType": "User"},
                "urn:scim:schemas:extension:enterprise:1.0": {"manager": {"managerId": "7"}}}),
            json!({"id": "1", ENTERPRISE: {"manager": {"value": "7"}}, "meta": {"resourceType": "User"}}),
        ),
    ] {
        let case = |mut body: Value| {
            body["schemas"] = json!([USER, ENTERPRISE]);
            Case::new("200 to GET /Users/1", body)
        };
        let mut got = case(sent.clone()).enable("resource-null").enable("scim11-translate").run().json();
        got.as_object_mut().expect("an object").remove("schemas");
        assert_eq!(got, expected);
        assert!(!case(sent).enable("scim11-translate").run().fixed.contains(&"resource-null"));
    }
}

/// Without the null the other would be the attribute.
#[test]
fn a_null_beside_its_name_in_another_case_is_left() {
    let user = format!(
        r#"{{"schemas":["{USER}"],"id":"1","meta":{{"resourceType":"User"}},"name":null,"Name":{{"familyName":"x"}},"emails":[
        {{"value":"a@b.c","type":null,"Type":"work","display":null}}],"title":null}}"#
    );
    let out = Case::new("200 to GET /Users/1", user).enable("resource-null").run();
    assert_eq!(
        out.json(),
        json!({"schemas": [USER], "id": "1", "meta": {"resourceType": "User"}, "name": null,
            "Name": {"familyName": "x"}, "emails": [{"value": "a@b.c", "type": null, "Type": "work"}]})
    );
    let schema = format!(
        r#"{{"schemas":["{SCHEMA}"],"id":"{USER}","description":null,"attributes":[{{"name":"x","type":null,"Type":"STRING"}}]}}"#
    );
    let out = Case::new("200 to GET /Schemas/x", schema).run();
    assert_eq!(
        out.json(),
        json!({"schemas": [SCHEMA], "id": USER, "attributes": [{"name": "x", "type": null, "Type": "STRING"}]})
    );
}

#[test]
fn flat_keys_go_where_they_belong() {
    let body = json!({"schemas": [USER, "urn:acme:2.0:User"], "id": "1", "meta": {},
        format!("{ENTERPRISE}:Department"): "Sales", format!("{ENTERPRISE}:manager"): {"value": "2"},
        format!("{USER}:title"): "Dr", format!("{USER}:id"): "7", "urn:acme:2.0:User:badge": 5, "urn:other:1.0:x": "y",
        format!("{ENTERPRISE}:a.b"): 1, "urn:acme:2.0:User": {"badge": 1}});
    let out = Case::new("200 to GET /Users/1", body).run();
    assert_eq!(
        out.json(),
        json!({"schemas": [USER, "urn:acme:2.0:User", ENTERPRISE], "id": "1", "meta": {},
        ENTERPRISE: {"department": "Sales", "manager": {"value": "2"}}, "title": "Dr", format!("{USER}:id"): "7",
        "urn:acme:2.0:User:badge": 5, "urn:other:1.0:x": "y", format!("{ENTERPRISE}:a.b"): 1, "urn:acme:2.0:User": {"badge": 1}})
    );
    assert_eq!(out.fixed, ["ext-flat-key", "schemas-extension-missing"]);
}

/// `schemas` is filled after the keys are settled, and a second run would know by it what the first had not.
#[test]
fn an_extension_that_is_there_is_known_before_it_is_listed() {
    for schemas in [json!(null), json!([USER])] {
        let mut body = json!({"schemas": schemas, "id": "1", "urn:acme:2.0:User": {"badge": 1}, "meta": {},
            "urn:acme:2.0:User:tag": ["1"], "urn:acme:2.0:User:Extra": {"a": 1}, "urn:other:1.0:x": "y"});
        if body["schemas"].is_null() {
            body.as_object_mut().expect("an object").remove("schemas");
        }
        let out = Case::new("200 to GET /Users", list(&[body])).run();
        assert_eq!(
            out.json()["Resources"][0],
            json!({"schemas": [USER, "urn:acme:2.0:User", "urn:acme:2.0:User:Extra"], "id": "1", "meta": {},
                "urn:acme:2.0:User": {"badge": 1, "tag": ["1"]}, "urn:acme:2.0:User:Extra": {"a": 1},
                "urn:other:1.0:x": "y"})
        );
    }
}

#[test]
fn an_object_behind_a_flat_key_is_split_like_any_value() {
    let body = json!({"schemas": [USER, ENTERPRISE], "id": "1", "meta": {}, format!("{ENTERPRISE}:custom"): {"a": 1}});
    let out = Case::new("200 to GET /Users/1", body).run();
    assert_eq!(out.json()[ENTERPRISE], json!({"custom": {"a": 1}}));
}

#[test]
fn old_resources_are_translated_before_they_are_judged() {
    let old = "urn:scim:schemas:core:1.0";
    let enterprise = "urn:scim:schemas:extension:enterprise:1.0";
    let run = |start: &str, body: Value| Case::new(start, body).enable("scim11-translate").run();
    let bare = || json!({"schemas": [old], "userName": "x"});
    let new = json!({"schemas": [USER], "userName": "x", "meta": {"resourceType": "User"}});
    assert_eq!(run("200 to GET /Users/1", bare()).json(), new);
    assert_eq!(
        run("200 to GET /Users?filter=userName%20eq%20%22x%22", bare()).json(),
        list(std::slice::from_ref(&new))
    );
    assert_eq!(run("200 to POST /Users", bare()).status, 201);
    assert!(Case::new("200 to GET /Users/1", bare()).run().is_unchanged());
    assert!(run("200 to GET /Users", json!({"schemas": [old], "items": []})).is_unchanged());
    let flat = json!({"schemas": [old], "id": "1", "meta": {"resourceType": "User"}, format!("{enterprise}:department"): "d",
        format!("{enterprise}:manager"): {"managerId": "2"}, format!("{old}:userName"): "x"});
    let out = run("200 to GET /Users/1", flat).json();
    assert_eq!(out["userName"], "x");
    assert_eq!(out[ENTERPRISE], json!({"department": "d", "manager": {"value": "2"}}));
    assert_eq!(out["schemas"], json!([USER, ENTERPRISE]));
    let many: Vec<Value> =
        (0..40_000).map(|n| json!(format!("urn:x:{n}"))).chain((0..40_000).map(|_| json!(old))).collect();
    let out = run("200 to GET /Users/1", json!({"schemas": many, "id": "1", "meta": {"resourceType": "User"}}));
    assert_eq!(out.json()["schemas"].as_array().map(Vec::len), Some(40_001));
}

/// A flat key that stays because its attribute is there is excluded with it, or it would take its place.
#[test]
fn what_is_excluded_is_excluded_under_each_of_its_names() {
    let title = format!("{USER}:Title");
    let department = format!("{ENTERPRISE}:department");
    let body = json!({"schemas": [USER, ENTERPRISE], "id": "1", "title": "a", (title.clone()): "b",
        (format!("{USER}:id")): "2", ENTERPRISE: {"department": "c", "division": "d"}, (department.clone()): "e",
        "meta": {}});
    for (excluded, gone) in [
        ("title,id", vec!["title", &title]),
        (ENTERPRISE, vec![ENTERPRISE, &department]),
        (&format!("{ENTERPRISE}:Division"), vec![]),
    ] {
        let mut expected = body.clone();
        let members = expected.as_object_mut().expect("an object");
        gone.into_iter().for_each(|name| drop(members.shift_remove(name)));
        if let Some(extension) = members.get_mut(ENTERPRISE).filter(|_| excluded.ends_with("Division")) {
            extension.as_object_mut().expect("an object").shift_remove("division");
        }
        let out = Case::new(&format!("200 to GET /Users/1?excludedAttributes={excluded}"), &body).run();
        assert_eq!(out.json(), expected, "{excluded}");
    }
    let out = Case::new(&format!("200 to GET /Users/1?excludedAttributes={department}"), &body).run();
    assert_eq!(out.json()[ENTERPRISE], json!({"division": "d"}));
    assert_eq!(out.json().get(&department), None);
}

/// Renamed, the one would leave its name to the other; and replaced by the URN of a list, what it holds would be lost.
#[test]
fn items_under_a_key_that_collides_are_left() {
    let body =
        format!(r#"{{"totalResults":1,"startIndex":1,"itemsPerPage":0,"SCHEMAS":{{}},"schemas":[{{"id":"{USER}"}}]}}"#);
    let out = Case::new("200 to GET /Schemas", body).run();
    assert!(out.is_unchanged(), "{}", out.json());
}

#[test]
fn a_location_that_is_left_out_stands_in_no_headers_way() {
    let body = json!({"schemas": [USER], "id": "1", "userName": "u", "meta": {"location": r#"{"op":"false"}"#}});
    for (query, expected) in [("attributes=userName", Some("/Users/1")), ("attributes=meta", None)] {
        let case = Case::new(&format!("201 to POST /Users?{query}"), &body).enable("attributes-ignored");
        let out = case.run();
        assert_eq!(out.header("location").map(str::to_owned), expected.map(|path| format!("{BASE}{path}")), "{query}");
    }
}

#[test]
fn an_old_extension_that_stayed_is_left_out_with_the_new_one() {
    let old = "urn:scim:schemas:extension:enterprise:1.0";
    for listed in [json!([USER]), json!([USER, old])] {
        let body = json!({"schemas": listed, "id": "1", "userName": "u", ENTERPRISE: "x", (old): {"department": "d"},
            "meta": {"resourceType": "User"}});
        let both = ["attributes=userName".to_owned(), format!("excludedAttributes={ENTERPRISE},meta")];
        for query in both {
            let case = Case::new(&format!("200 to GET /Users/1?{query}"), &body);
            let out = case.enable("scim11-translate").enable("attributes-ignored").run();
            assert_eq!(out.json(), json!({"schemas": [USER, ENTERPRISE], "id": "1", "userName": "u"}), "{query}");
        }
    }
}

#[test]
fn what_entra_refuses_is_taken_out_as_often_as_it_is_defined() {
    let password = json!({"name": "password", "type": "string"});
    let emails = |subs: Value| json!({"name": "emails", "type": "complex", "multiValued": true, "subAttributes": subs});
    let (value, display) = (json!({"name": "value"}), json!({"name": "Display"}));
    let schema = |attributes: Value| json!({"schemas": [SCHEMA], "id": USER, "attributes": attributes});
    let sent = schema(json!([
        password,
        {"name": "displayName"},
        emails(json!([display, value, display])),
        password,
        emails(json!([display])),
    ]));
    let expected = schema(json!([{"name": "displayName"}, emails(json!([value])), emails(json!([]))]));
    let out = Case::new("200 to GET /Schemas", list(&[sent])).idp(Idp::Entra).run();
    assert_eq!(out.json()["Resources"][0], expected);
    assert_eq!(out.fixed, ["schemas-entra-unsupported"]);
}

#[test]
fn selections_are_applied_by_their_names() {
    let body = json!({"schemas": [USER, ENTERPRISE], "id": "1", "userName": "a", "name": {"givenName": "g", "familyName": "f"},
        "emails": [{"value": "a@x", "type": "work"}, {"value": "b@x"}], ENTERPRISE: {"department": "d", "manager": {"value": "2", "displayName": "m"}},
        "vendor": 1, "meta": {}});
    let without = |paths: &[&str]| {
        let mut body = body.clone();
        for path in paths {
            let (parent, member) = path.rsplit_once('/').expect("a pointer");
            body.pointer_mut(parent).and_then(Value::as_object_mut).expect("an object").shift_remove(member);
        }
        body
    };
    let enterprise = format!("/{ENTERPRISE}");
    for (excluded, gone) in [
        ("NAME.givenname,id,schemas".to_owned(), vec!["/name/givenName".to_owned()]),
        ("emails.value".to_owned(), vec!["/emails/0/value".to_owned(), "/emails/1/value".to_owned()]),
        (format!("{USER}:emails,vendor"), vec!["/emails".to_owned(), "/vendor".to_owned()]),
        (ENTERPRISE.to_owned(), vec![enterprise.clone()]),
        (format!("{ENTERPRISE}:manager.displayName"), vec![format!("{enterprise}/manager/displayName")]),
        (
            format!("{ENTERPRISE}:department,name,name.familyName"),
            vec![format!("{enterprise}/department"), "/name".to_owned()],
        ),
        ("nothing,a%20b".to_owned(), vec![]),
    ] {
        let out = Case::new(&format!("200 to GET /Users/1?excludedAttributes={excluded}"), &body).run();
        assert_eq!(out.json(), without(&gone.iter().map(String::as_str).collect::<Vec<_>>()), "{excluded}");
    }
    for (asked, kept) in [
        ("userName", json!({"userName": "a"})),
        ("emails.value", json!({"emails": [{"value": "a@x"}, {"value": "b@x"}]})),
        ("name.familyName,name", json!({"name": {"givenName": "g", "familyName": "f"}})),
        (&format!("{ENTERPRISE}:manager.value"), json!({ENTERPRISE: {"manager": {"value": "2"}}})),
        (&format!("{ENTERPRISE}:department,{USER}:vendor"), json!({ENTERPRISE: {"department": "d"}, "vendor": 1})),
    ] {
        let target = format!("200 to GET /Users/1?attributes={asked}");
        let mut expected = json!({"schemas": [USER, ENTERPRISE], "id": "1"});
        expected.as_object_mut().expect("an object").extend(kept.as_object().expect("an object").clone());
        assert_eq!(Case::new(&target, &body).enable("attributes-ignored").run().json(), expected, "{asked}");
        assert!(Case::new(&target, &body).run().is_unchanged(), "{asked}");
    }
    let group = "urn:ietf:params:scim:schemas:core:2.0:Group";
    for unread in
        [USER, "emails%5Btype%20eq%20%22work%22%5D.value", &format!("{group}:displayName"), &format!("userName,{USER}")]
    {
        let out =
            Case::new(&format!("200 to GET /Users/1?attributes={unread}"), &body).enable("attributes-ignored").run();
        assert!(out.is_unchanged(), "{unread}");
    }
    for unread in [USER, &format!("{group}:meta"), "emails%5Btype%20eq%20%22work%22%5D"] {
        assert!(Case::new(&format!("200 to GET /Users/1?excludedAttributes={unread}"), &body).run().is_unchanged());
        let bare = Case::new(
            &format!("200 to GET /Users/1?excludedAttributes={unread}"),
            json!({"schemas": [USER], "id": "1"}),
        )
        .run();
        assert_eq!(bare.fixed, ["meta-missing"], "{unread}");
    }
    let excluded: Vec<String> = (0..4000).map(|n| format!("a{n}.b")).collect();
    let mut large = json!({"schemas": [USER], "id": "1", "meta": {}});
    large.as_object_mut().expect("an object").extend((0..80_000).map(|n| (format!("a{n}"), json!({"b": 1}))));
    for (parameter, quirk) in
        [("excludedAttributes", "excluded-attributes-ignored"), ("attributes", "attributes-ignored")]
    {
        let out = Case::new(&format!("200 to GET /Users/1?{parameter}={}", excluded.join(",")), &large).once();
        assert!(out.fixed.contains(&quirk) || out.observed.contains(&quirk));
    }
    let limited = Case::new("200 to GET /Users?excludedAttributes=meta,schemas", list(&[json!({"id": "1"})])).run();
    assert!(limited.is_unchanged());
}

#[test]
fn labels_follow_the_body_and_the_profile() {
    for (idp, label, becomes) in [
        (Idp::Generic, Some("application/json; charset=utf-8"), "application/scim+json"),
        (Idp::Generic, Some("application/scim+json; charset=utf-8"), "application/scim+json; charset=utf-8"),
        (Idp::Generic, Some("APPLICATION/JSON+SCIM"), "application/scim+json"),
        (Idp::Generic, None, "application/scim+json"),
        (Idp::Onelogin, Some("application/json;charset=utf-8"), "application/json;charset=utf-8"),
        (Idp::Onelogin, Some("application/scim+json"), "application/json"),
        (Idp::Onelogin, Some("text/html"), "application/json"),
        (Idp::Onelogin, None, "application/json"),
    ] {
        let mut case = Case::new("200 to GET /Users/1", user("1")).idp(idp);
        case.headers.clear();
        if let Some(label) = label {
            case.headers.insert(CONTENT_TYPE, label.parse().expect("a value"));
        }
        assert_eq!(case.run().header("content-type"), Some(becomes), "{label:?}");
    }
    let own = Case::new("500 to GET /Users", "").idp(Idp::Onelogin).run();
    assert_eq!((own.header("content-type"), own.fixed.clone()), (Some("application/json"), vec!["error-empty-body"]));
    let text = Case::new("200 to GET /Users/1", "plain").header("content-type", "text/plain").run();
    assert!(text.is_unchanged() && text.repaired.unread.is_some());
    let coded = Case::new("400 to GET /Users/1", "??").header("content-encoding", "br").run();
    assert!(coded.is_unchanged() && coded.repaired.unread.is_some());
    let bom = Case::new("200 to GET /Users/1", format!("\u{feff}{}", user("1"))).run();
    assert!(bom.is_unchanged() && bom.repaired.unread.is_none());
    assert!(Case::new("304 to GET /Users/1", "").header("content-type", "text/html").run().is_unchanged());
}

#[test]
fn a_wait_is_told_in_whole_seconds() {
    for (sent, date, seconds) in [
        ("120", None, "120"),
        ("0", None, "0"),
        ("0.2", None, "1"),
        ("Fri, 15 Jan 2027 08:00:10 GMT", None, "10"),
        ("Fri, 15 Jan 2027 07:00:00 GMT", None, "1"),
        ("Wed, 11 Mar 2026 23:29:00 GMT", Some("Wed, 11 Mar 2026 23:27:00 GMT"), "120"),
        ("soon", None, "soon"),
        ("-1", None, "-1"),
    ] {
        let mut case = Case::new("503 to GET /Users", "").header("retry-after", sent);
        if let Some(date) = date {
            case = case.header("date", date);
        }
        assert_eq!(case.run().header("retry-after"), Some(seconds), "{sent}");
    }
}

#[test]
fn the_root_and_search_take_the_type_from_the_resource() {
    let group = json!({"id": 7, "displayName": "x", "meta": {"resourceType": "Group"}});
    let unknown = json!({"id": 8, "password": "x"});
    let out = Case::new("200 to POST /.search", list(&[group, unknown])).run();
    assert_eq!(
        out.json()["Resources"],
        json!([
        {"schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "id": "7", "displayName": "x", "meta": {"resourceType": "Group"}},
        {"id": 8}])
    );
    assert!(Case::new("200 to GET /Devices", list(&[json!({"id": 8})])).run().is_unchanged());
}

#[test]
fn tenant_modes_count_or_look_away() {
    let mut case = Case::new("200 to POST /Users", json!({"id": 1, "password": "x", "active": "True"}));
    case.mode = TenantMode::Observe;
    let out = case.run();
    assert!(out.is_unchanged());
    for quirk in ["create-200", "id-number", "password-echo", "bool-string", "schemas-missing", "meta-missing"] {
        assert!(out.observed.contains(&quirk), "{quirk}");
    }
    case.mode = TenantMode::Off;
    let out = case.run();
    assert!(out.is_unchanged() && out.observed.is_empty());
}

fn member() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(vec![
            "schemas",
            "id",
            "Id",
            "ID",
            "meta",
            "Meta",
            "active",
            "emails",
            "members",
            "groups",
            "name",
            "password",
            "Resources",
            "resources",
            "totalResults",
            "startIndex",
            "itemsPerPage",
            "nextCursor",
            "status",
            "detail",
            "scimType",
            "schema",
            "Errors",
            "error",
            "message",
            "response",
            "location",
            "created",
            "version",
            "resourceType",
            "value",
            "primary",
            "$ref",
            "addresses",
            "manager",
            "managerId",
            "attributes",
            "subAttributes",
            "type",
            "mutability",
            "bulk",
            "supported",
            "Operations",
            "resource_types",
            ENTERPRISE,
            "urn:scim:schemas:extension:enterprise:1.0",
            "urn:scim:schemas:extension:enterprise:1.0:manager",
            "urn:scim:schemas:core:1.0:userName",
            "userName",
            "urn:a:b",
            "urn:ietf:params:scim:schemas:core:2.0:User:title",
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department",
        ])
        .prop_map(str::to_owned),
        "[a-zA-Z]{0,3}",
    ]
}

fn leaf() -> impl Strategy<Value = Value> {
    let text = prop::sample::select(vec![
        "",
        "true",
        "False",
        "1",
        "0",
        "404",
        "200",
        "007",
        USER,
        LIST,
        ERROR,
        "urn:scim:schemas:core:1.0",
        "User",
        "already exists",
        "2019-02-18 08:03:34",
        "2019-02-18T08:03:34+0530",
        "Users/1",
        "/x",
        "http://127.0.0.1:8080/scim/v2/Users/1",
        "READ_WRITE",
        "a\nb",
        "é\"\\",
    ]);
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        prop::sample::select(vec![0i64, 1, 2, 404, 1_551_769_414, 1_551_769_414_007, -1]).prop_map(Value::from),
        Just(json!(1.5)),
        text.prop_map(Value::from),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    leaf().prop_recursive(5, 60, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((member(), inner), 0..8)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// A sound resource or list in which a few things went wrong.
fn damaged() -> impl Strategy<Value = Value> {
    let whole = json!({
        "schemas": [USER, ENTERPRISE], "id": "1", "externalId": "x", "userName": "a", "active": true,
        "name": {"givenName": "g", "familyName": "f"}, "emails": [{"value": "a@x", "type": "work", "primary": true}],
        "groups": [{"value": "7", "$ref": "https://scim.example.com/scim/v2/Groups/7"}], "addresses": [{"type": "work"}],
        ENTERPRISE: {"department": "d", "manager": {"value": "2"}},
        "meta": {"resourceType": "User", "created": "2020-01-01T00:00:00Z", "location": "https://scim.example.com/scim/v2/Users/1"},
    });
    let error = json!({"schemas": [ERROR], "status": "404", "detail": "d"});
    let schema = json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:Schema"], "id": USER,
        "attributes": [{"name": "active", "type": "boolean"}, {"name": "password", "type": "string"}]});
    let sound = prop::sample::select(vec![
        whole.clone(),
        list(&[whole.clone(), whole]),
        error,
        list(std::slice::from_ref(&schema)),
        schema,
    ]);
    let damage = prop::collection::vec((any::<prop::sample::Index>(), 0..4u8, value(), member()), 0..4);
    (sound, damage).prop_map(|(mut body, damage)| {
        for (place, kind, value, key) in damage {
            let mut places = vec![String::new()];
            pointers(&body, "", &mut places);
            let at = place.get(&places).clone();
            let (parent, last) = at.rsplit_once('/').unwrap_or_default();
            match (kind, body.pointer_mut(parent)) {
                (0, _) => *body.pointer_mut(&at).expect("it is there") = value,
                (1, Some(Value::Object(object))) => drop(object.shift_remove(last)),
                (2, Some(Value::Object(object))) => {
                    if let Some(value) = object.shift_remove(last) {
                        object.insert(last.to_uppercase(), value);
                    }
                }
                (_, Some(Value::Object(object))) => drop(object.insert(key, value)),
                _ => {}
            }
        }
        body
    })
}

fn pointers(value: &Value, at: &str, out: &mut Vec<String>) {
    let children: Vec<(String, &Value)> = match value {
        Value::Array(items) => items.iter().enumerate().map(|(i, item)| (i.to_string(), item)).collect(),
        Value::Object(object) => object.iter().map(|(key, value)| (key.clone(), value)).collect(),
        _ => Vec::new(),
    };
    for (key, child) in children {
        let place = format!("{at}/{key}");
        pointers(child, &place, out);
        out.push(place);
    }
}

fn start() -> impl Strategy<Value = String> {
    let targets = prop::sample::select(vec![
        "/Users",
        "/Users/1",
        "/Groups",
        "/Groups/1?excludedAttributes=members.value,meta",
        "/Users?attributes=id,emails.value",
        "/Users?filter=id%20eq%20%221%22",
        "/Users?filter=userName+eq+%22a%22&count=2",
        "/Users?startIndex=3&count=1",
        "/",
        "/.search",
        "/Users/.search",
        "/Schemas",
        "/Schemas/x",
        "/ResourceTypes",
        "/ServiceProviderConfig",
        "/Bulk",
        "/Me",
        "/Devices",
        "/x/y",
        "/Users?cursor=a",
    ]);
    let methods = prop::sample::select(vec!["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"]);
    let statuses = prop::sample::select(vec![200u16, 200, 200, 201, 204, 302, 304, 400, 404, 409, 500]);
    (statuses, methods, targets).prop_map(|(status, method, target)| format!("{status} to {method} {target}"))
}

fn enabled() -> impl Strategy<Value = Vec<String>> {
    let all = ALL.iter().map(|quirk| quirk.id).chain(["date-no-zone-utc", "list-200-no-body", "location-rebuild"]);
    prop_oneof![Just(Vec::new()), Just(all.map(str::to_owned).collect::<Vec<_>>())]
}

/// Users that mostly have the same keys and kinds, and differ in what is found in them.
fn alike() -> Vec<Value> {
    let user = json!({
        "schemas": [USER, ENTERPRISE], "id": "1", "userName": "ada", "name": {"familyName": "L"}, "active": true,
        "emails": [{"value": "a@example.com", "type": "work", "primary": true},
                   {"value": "b@example.com", "type": "home", "primary": false}],
        "groups": [{"value": "g", "$ref": format!("{BASE}/Groups/g")}],
        ENTERPRISE: {"department": "Sales", "manager": {"value": "7", "$ref": format!("{BASE}/Users/7")}},
        "meta": {"resourceType": "User", "created": "2026-01-01T00:00:00Z", "location": format!("{BASE}/Users/1")},
    });
    let edits: [(&str, Value); 19] = [
        ("/active", json!(false)),
        ("/active", json!("True")),
        ("/active", json!("perhaps")),
        ("/active", json!(null)),
        ("/id", json!("2")),
        ("/id", json!(2)),
        ("/meta/created", json!("2026-01-01 00:00:00Z")),
        ("/meta/created", json!("2026-01-01T00:00:00")),
        ("/meta/created", json!("yesterday")),
        ("/meta/created", json!(1_551_769_414)),
        ("/meta/location", json!(format!("{UPSTREAM}/Users/1"))),
        ("/meta/location", json!("/Users/1")),
        ("/groups/0/$ref", json!(format!("{UPSTREAM}/Groups/g"))),
        ("/urn:ietf:params:scim:schemas:extension:enterprise:2.0:User/manager", json!("7")),
        (
            "/urn:ietf:params:scim:schemas:extension:enterprise:2.0:User/manager/$ref",
            json!(format!("{UPSTREAM}/Users/7")),
        ),
        ("/emails/1/primary", json!(true)),
        ("/emails/0/primary", json!(false)),
        ("/schemas/1", json!("urn:example:2.0:User")),
        ("/schemas/0", json!("urn:scim:schemas:core:1.0")),
    ];
    let edited = edits.into_iter().map(|(pointer, value)| {
        let mut user = user.clone();
        *user.pointer_mut(pointer).expect(pointer) = value;
        user
    });
    let other = json!({"schemas": [USER], "id": "9", "userName": "x", "meta": {"resourceType": "User"}});
    [user.clone(), other].into_iter().chain(edited).collect()
}

/// What is found in a resource does not hang on its neighbours, alike or not.
#[test]
fn each_resource_in_a_row_is_judged_as_if_it_stood_alone() {
    let users = alike();
    for enable in [&[][..], &["date-no-zone", "name-missing", "resource-null"]] {
        let alone: Vec<_> = users.iter().map(|user| row(std::slice::from_ref(user), enable)).collect();
        for first in 0..users.len() {
            for second in 0..users.len() {
                let order = [0, first, second, 0, 0, second, second];
                let (written, found) = row(&order.map(|index| users[index].clone()), enable);
                let expected: Vec<&Value> = order.iter().map(|&index| &alone[index].0[0]).collect();
                assert_eq!(written.iter().collect::<Vec<_>>(), expected, "{first}, {second}");
                let expected: Vec<String> = order
                    .iter()
                    .enumerate()
                    .flat_map(|(at, &index)| {
                        let places = alone[index].1.iter();
                        places.map(move |place| place.replace("/Resources/0", &format!("/Resources/{at}")))
                    })
                    .collect();
                assert_eq!(found, expected, "{first}, {second}");
            }
        }
    }
}

/// A list of `users`, repaired: its resources, and what was found in which of them, in the order found.
fn row(users: &[Value], enable: &[&str]) -> (Vec<Value>, Vec<String>) {
    let case = Case::new("200 to GET /Users", list(users));
    let out = enable.iter().fold(case, |case, name| case.enable(name)).run();
    let findings = &out.repaired.findings;
    let mut found: Vec<(usize, String)> = findings
        .fixes()
        .chain(findings.observed())
        .filter_map(|fix| {
            let place: usize = fix.at.strip_prefix("/Resources/")?.split('/').next()?.parse().ok()?;
            Some((place, format!("{} {} {}", fix.quirk.as_str(), fix.at, fix.fixed)))
        })
        .collect();
    found.sort_by_key(|(place, _)| *place);
    let resources = out.json()["Resources"].as_array().expect("a list").clone();
    (resources, found.into_iter().map(|(_, text)| text).collect())
}

/// The same for the values of one attribute.
#[test]
fn each_member_in_a_row_is_judged_as_if_it_stood_alone() {
    let member =
        |value: Value, target: &str| json!({"value": value, "$ref": format!("{target}/Users/1"), "type": "User"});
    let members = [
        member(json!("1"), BASE),
        member(json!("1"), UPSTREAM),
        member(json!(1), BASE),
        json!("1"),
        json!({"value": "1", "primary": true}),
        json!({"value": "1", "primary": "true"}),
    ];
    let group = |members: &[Value]| {
        let group = json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "id": "g", "displayName": "G",
            "members": members, "meta": {"resourceType": "Group"}});
        Case::new("200 to GET /Groups/g", group).run().json()["members"].as_array().expect("members").clone()
    };
    let alone: Vec<Value> = members.iter().map(|member| group(std::slice::from_ref(member))[0].clone()).collect();
    for first in 0..members.len() {
        for second in 0..members.len() {
            // A second `primary` is of another rule.
            let order = [0, 0, first, second, 0, second.min(3), second.min(3)];
            if first >= 4 && second >= 4 {
                continue;
            }
            let written = group(&order.map(|index| members[index].clone()));
            assert_eq!(written, order.map(|index| alone[index].clone()), "{first}, {second}");
        }
    }
}

proptest! {
    #[test]
    fn what_is_written_is_json_and_settled(start in start(), body in value(), enable in enabled(), location in "[ -~]{0,20}") {
        let mut case = Case::new(&start, body);
        case.enable = enable;
        if !location.is_empty() {
            case = case.header("location", &location);
        }
        case.run();
    }

    #[test]
    fn what_is_mended_is_settled(start in start(), body in damaged(), enable in enabled()) {
        let mut case = Case::new(&start, body);
        case.enable = enable;
        case.run();
    }

    #[test]
    fn arbitrary_bytes_do_no_harm(start in start(), body in prop::collection::vec(any::<u8>(), 0..200), enable in enabled()) {
        let mut case = Case::new(&start, "");
        case.body = body;
        case.enable = enable;
        case.run();
    }

    #[test]
    fn nobody_is_activated(start in start(), mut body in value()) {
        if let Some(object) = body.as_object_mut() {
            object.retain(|key, _| !key.eq_ignore_ascii_case("active"));
        }
        let had = body.to_string().to_ascii_lowercase().matches("\"active\"").count();
        let out = Case::new(&start, body).run();
        prop_assert!(String::from_utf8_lossy(&out.body).to_ascii_lowercase().matches("\"active\"").count() <= had);
    }

    #[test]
    fn off_by_the_operator_is_untouched(start in start(), body in value()) {
        let case = Case::new(&start, body);
        let quirks = Id::ALL.iter().map(|id| (id.as_str().to_owned(), Mode::Off)).collect();
        let plan = Plan::new(&PlanSettings { quirks, ..PlanSettings::default() }, Idp::Generic);
        let asked = Asked { method: &case.method, target: &case.target, base_url: BASE, upstream_url: UPSTREAM,
            now: SystemTime::UNIX_EPOCH, collection_seen: true };
        let status = StatusCode::from_u16(case.status).expect("a status");
        let out = repair(&plan, &asked, &Answer { status, headers: &case.headers, body: &case.body });
        prop_assert!(out.body == Body::AsSent && out.status.is_none() && out.headers.is_empty(), "{out:?}");
    }
}
