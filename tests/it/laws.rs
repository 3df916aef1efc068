//! Laws of the engine, tried on generated messages: settled, faithful, never a panic, never an activation that nobody
//! asked for, and serde_json as the judge of what is JSON.

use http::{HeaderMap, Method, header::CONTENT_TYPE};
use proptest::{collection::vec, prelude::*, sample::select};
use scimshim::{
    json::{Doc, Duplicates, NoNames},
    quirk::{Idp, Mode, Normalized, Plan, PlanSettings, Sent, TenantMode, Why, normalize},
    scim::{Filter, Path, Registry, Syntax, Type},
};
use serde_json::{Value, json};

mod activation;
mod words;

use activation::{actives, asks_for_true};

use crate::rfc;

const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
const PATCH_OP: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

/// A plan with everything on that can be on.
fn plan(everything: bool) -> Plan {
    let mut registry = Registry::rfc();
    registry.declare("urn:example:hr:2.0:User:level", Type::Integer, false).expect("legal");
    registry.declare("urn:example:hr:2.0:User:contractor", Type::Boolean, false).expect("legal");
    let mut settings = PlanSettings { registry: registry.into(), ..PlanSettings::default() };
    if everything {
        for quirk in ["null-attr", "roles-json-string", "duplicate-primary", "roles-displayname"] {
            settings.quirks.insert(quirk.to_owned(), Mode::Fix);
        }
    }
    Plan::new(&settings, Idp::Entra)
}

/// A plan in which every quirk is mended.
fn all() -> Plan {
    let quirks = scimshim::quirk::ALL.iter().map(|quirk| (quirk.id.to_owned(), Mode::Fix)).collect();
    Plan::new(&PlanSettings { quirks, ..PlanSettings::default() }, Idp::Entra)
}

fn run(plan: &Plan, method: &Method, target: &str, body: &[u8]) -> Result<Normalized, Why> {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, "application/scim+json".parse().expect("legal"));
    normalize(plan, &Sent { method, target, headers: &headers, body }).map_err(|refused| refused.why)
}

fn out(normalized: &Normalized, body: &[u8]) -> Vec<u8> {
    normalized.body.clone().unwrap_or_else(|| body.to_vec())
}

/// Keys that mean something to the engine, in the spellings seen in the field, and some that mean nothing.
fn key() -> impl Strategy<Value = String> {
    prop_oneof![select(words::KEYS).prop_map(str::to_owned), "[a-zA-Z.:\\[\\]$ ]{0,6}",]
}

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        select(words::TEXTS).prop_map(Value::from),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    scalar().prop_recursive(4, 24, 5, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            vec((key(), inner), 0..5).prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn operation() -> impl Strategy<Value = Value> {
    let op = select(words::OPS);
    let path = prop_oneof![
        3 => Just(None),
        5 => key().prop_map(Some),
    ];
    (op, path, proptest::option::of(value()), any::<bool>()).prop_map(|(op, path, value, capital)| {
        let mut operation = serde_json::Map::new();
        operation.insert(if capital { "OP" } else { "op" }.to_owned(), op.into());
        if let Some(path) = path {
            operation.insert("path".to_owned(), path.into());
        }
        if let Some(value) = value {
            operation.insert("value".to_owned(), value);
        }
        Value::Object(operation)
    })
}

fn patch() -> impl Strategy<Value = Value> {
    let schemas = select(vec![
        json!(null),
        json!([]),
        json!([PATCH_OP]),
        json!(["urn:ietf:params:scim:api:messages:2.0:patchop"]),
        json!(["http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group"]),
        json!("x"),
    ]);
    (schemas, vec(operation(), 0..4), any::<bool>()).prop_map(|(schemas, operations, missing)| {
        let mut message = serde_json::Map::new();
        if !missing {
            message.insert("schemas".to_owned(), schemas);
        }
        message.insert("Operations".to_owned(), operations.into());
        message.insert("id".to_owned(), "1".into());
        Value::Object(message)
    })
}

fn target() -> impl Strategy<Value = &'static str> {
    select(vec![
        "/Users/1",
        "/Groups/1",
        "/Devices/1",
        "/users/1/",
        "/Me",
        "/Users",
        "/Groups",
        "/",
        "/Bulk",
        "/Users/.search",
    ])
}

fn method() -> impl Strategy<Value = Method> {
    select(vec![Method::POST, Method::PUT, Method::PATCH])
}

/// Bodies that nobody sends and that were not settled by one run: what one quirk made was another's to mend. The fuzz
/// targets found them.
#[test]
fn what_was_once_not_settled_is() {
    let cases = [
        (
            Method::POST,
            "/Users",
            json!({"schemas": [USER, {}], "userName": "u", "urn:scim:schemas:extension:enterprise:2.0": [{"department": "Sales"}]}),
        ),
        (
            Method::POST,
            "/Users",
            json!({"schemas": [USER], "userName": "u", "roles": {"value": ["{\"value\":\"Admin\",\"id\":\"1\"}"]}}),
        ),
        (
            Method::POST,
            "/Users",
            json!({"schemas": [USER], "userName": "u", "roles": {"value": json!({"value": json!({"value": "Admin"}).to_string()}).to_string()}}),
        ),
        (
            Method::POST,
            "/Users",
            json!({"userName": 99, (format!("{ENTERPRISE}:department")): "x",
                (format!("{USER}:members.value")): {(format!("{USER}:name.familyName")): "007"}, "members": 153}),
        ),
        (
            Method::POST,
            "/Groups",
            json!({"urn:ietf:params:scim:schemas:extension:enterprise:2.0User": [],
                "urn:scim:schemas:extension:enterprise:2.0": {}, "displayName": "g"}),
        ),
    ];
    for (method, target, message) in cases {
        let body = message.to_string().into_bytes();
        let first = run(&all(), &method, target, &body).expect("legal");
        let once = out(&first, &body);
        let again = run(&all(), &method, target, &once).expect("legal");
        assert!(first.body.is_some() && again.body.is_none(), "{}", String::from_utf8_lossy(&once));
        assert_eq!(again.findings.fixes().count(), 0, "{}", String::from_utf8_lossy(&once));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    /// Applying the plan twice equals applying it once, and every output is JSON.
    #[test]
    fn a_fixed_patch_is_settled(message in patch(), target in target(), everything in any::<bool>()) {
        let plan = plan(everything);
        let body = message.to_string().into_bytes();
        if let Ok(first) = run(&plan, &Method::PATCH, target, &body) {
            let once = out(&first, &body);
            prop_assert!(serde_json::from_slice::<Value>(&once).is_ok());
            let target = first.target.as_deref().unwrap_or(target);
            let again = run(&plan, &Method::PATCH, target, &once).expect("what was forwarded is legal");
            prop_assert_eq!(again.findings.fixes().collect::<Vec<_>>(), Vec::<scimshim::quirk::Fix<'_>>::new(),
                "{}", String::from_utf8_lossy(&once));
            prop_assert!(again.body.is_none() && again.target.is_none() && again.headers.is_empty());
        }
    }

    #[test]
    fn a_fixed_resource_is_settled(message in value(), method in method(), target in target(), everything in any::<bool>()) {
        let plan = plan(everything);
        let body = message.to_string().into_bytes();
        if let Ok(first) = run(&plan, &method, target, &body) {
            let once = out(&first, &body);
            prop_assert!(serde_json::from_slice::<Value>(&once).is_ok());
            let target = first.target.as_deref().unwrap_or(target);
            let again = run(&plan, &method, target, &once).expect("what was forwarded is legal");
            prop_assert_eq!(again.findings.fixes().collect::<Vec<_>>(), Vec::<scimshim::quirk::Fix<'_>>::new(),
                "{}", String::from_utf8_lossy(&once));
            prop_assert!(again.body.is_none());
        }
    }

    /// With all that can be fixed, what goes on is what the RFC asks for, by a reading that knows no quirk.
    #[test]
    fn a_fixed_message_is_clean(message in patch(), resource in value(), method in method(), target in target()) {
        for (method, message) in [(Method::PATCH, message), (method, resource)] {
            let body = message.to_string().into_bytes();
            if let Ok(done) = run(&all(), &method, target, &body) {
                let out = serde_json::from_slice(&out(&done, &body)).expect("JSON");
                let target = done.target.as_deref().unwrap_or(target);
                let faults: Vec<String> = rfc::request(method.as_str(), target, &out).iter().map(ToString::to_string).collect();
                prop_assert!(faults.is_empty(), "{}: {}", faults.join("; "), out);
            }
        }
    }

    /// Paths and filters are what the grammar of the RFC has, read another way.
    #[test]
    fn the_grammar_has_what_is_read_strictly(text in key(), filter in "[a-c]{1,3}( (eq|pr|and|or|not)| \\(|\\)| \"a\"| 1| [a-c]|\\[|\\]){1,6}") {
        let ours = Path::parse(&text, Syntax::Strict).ok();
        let ours = ours.as_ref().map(|path| (path.urn.as_deref(), &*path.attr, path.filter.is_some(), path.sub.as_deref()));
        let theirs = rfc::grammar::path(&text).map(|path| (path.urn, path.attribute, path.filter.is_some(), path.sub));
        prop_assert_eq!(ours, theirs);
        prop_assert_eq!(Filter::parse(&filter, Syntax::Strict).is_ok(), rfc::grammar::filter(&filter).is_some(), "{}", filter);
    }

    /// No fix, no change; and where there is a change there is a fix.
    #[test]
    fn a_change_has_a_name(message in patch(), target in target()) {
        let body = message.to_string().into_bytes();
        if let Ok(done) = run(&plan(false), &Method::PATCH, target, &body) {
            let changed = done.body.is_some() || done.target.is_some() || !done.headers.is_empty();
            prop_assert_eq!(changed, done.findings.fixes().next().is_some());
        }
    }

    /// Tenant mode observe changes nothing and finds what rewrite fixes.
    #[test]
    fn observe_changes_nothing(message in patch(), target in target()) {
        let body = message.to_string().into_bytes();
        let settings = PlanSettings { mode: TenantMode::Observe, ..PlanSettings::default() };
        let done = run(&Plan::new(&settings, Idp::Entra), &Method::PATCH, target, &body).expect("never refused");
        prop_assert!(done.body.is_none() && done.target.is_none() && done.headers.is_empty());
        prop_assert!(done.findings.fixes().next().is_none());
    }

    /// Nothing is activated that did not ask to be.
    #[test]
    fn nothing_is_activated(message in patch(), resource in value(), method in method(), target in target()) {
        for (method, message) in [(Method::PATCH, message), (method, resource)] {
            let mut asked = Vec::new();
            actives(&message, &mut asked);
            let asked = asked.iter().filter(|value| asks_for_true(value)).count();
            let body = message.to_string().into_bytes();
            if let Ok(done) = run(&plan(true), &method, target, &body) {
                let forwarded: Value = serde_json::from_slice(&out(&done, &body)).expect("JSON");
                let mut active = Vec::new();
                actives(&forwarded, &mut active);
                prop_assert!(active.iter().filter(|value| asks_for_true(value)).count() <= asked);
            }
        }
    }

    /// A deactivation that arrives is forwarded, whatever else stands in the message.
    #[test]
    fn a_deactivation_is_forwarded(
        op in select(vec!["replace", "Replace", "add", "Add", "REPLACE"]),
        path in select(vec![None, Some("active"), Some("Active"), Some("urn:ietf:params:scim:schemas:core:2.0:User:active"),
            Some("urn:ietf:params:scim:schemas:core:2.0:User.active")]),
        off in select(vec![json!(false), json!("False"), json!("false"), json!("FALSE"), json!(["False"]), json!([false])]),
        others in vec(operation(), 0..3),
        beside in vec((key(), value()), 0..3),
    ) {
        let operation = match path {
            Some(path) => json!({"op": op, "path": path, "value": off}),
            None => {
                let mut members: serde_json::Map<String, Value> = beside.into_iter()
                    .filter(|(key, _)| !key.to_ascii_lowercase().contains("active")).collect();
                members.insert("active".to_owned(), off);
                json!({"op": op, "value": members})
            }
        };
        let mut operations = others;
        operations.push(operation);
        let body = json!({"schemas": [PATCH_OP], "Operations": operations}).to_string().into_bytes();
        if let Ok(done) = run(&plan(true), &Method::PATCH, "/Users/1", &body) {
            let forwarded: Value = serde_json::from_slice(&out(&done, &body)).expect("JSON");
            let off = forwarded["Operations"].as_array().expect("operations").iter().any(|operation| {
                let to = match operation.get("path").and_then(Value::as_str) {
                    Some(path) => path.ends_with("active").then(|| operation["value"].clone()),
                    None => operation["value"].get("active").cloned(),
                };
                to == Some(Value::Bool(false)) && matches!(operation["op"].as_str(), Some("replace" | "add"))
            });
            prop_assert!(off, "{}", String::from_utf8_lossy(&out(&done, &body)));
        }
    }

    /// What is unknown keeps its bytes, whatever is fixed beside it.
    #[test]
    fn unknown_members_keep_their_bytes(vendor in "[ \\t\\n]{0,3}(1\\.10|9007199254740993|1e400|\"\\\\u0061\\\\/\"|\\{ \"A\" : \\[ 1 , 2 \\] \\})[ \\n]{0,3}") {
        let body = format!(
            "{{\"schemas\":[\"{USER}\"],\"userName\":\"x\",\"Active\":\"True\",\"x_vendor\":{vendor},\"urn:acme:ext\":{{\"Flag\":{vendor}}},\
             \"Emails\":{{\"value\":\"a@example.com\"}}}}"
        );
        let done = run(&plan(false), &Method::POST, "/Users", body.as_bytes()).expect("legal");
        let text = String::from_utf8(out(&done, body.as_bytes())).expect("UTF-8");
        prop_assert!(done.body.is_some());
        prop_assert_eq!(text.matches(vendor.trim()).count(), 2, "{}", text);
    }

    /// A compliant message goes through as the same bytes.
    #[test]
    fn compliant_messages_are_untouched(
        active in any::<bool>(), title in "[ -~]{0,20}", members in vec("[a-z0-9-]{1,36}", 0..20), spaced in any::<bool>(),
    ) {
        let members: Vec<Value> = members.iter().map(|id| json!({"value": id, "type": "User"})).collect();
        let messages = [
            (Method::PATCH, "/Groups/1", json!({"schemas": [PATCH_OP], "Operations": [
                {"op": "add", "path": "members", "value": members}, {"op": "remove", "path": "members[value eq \"a\"]"},
                {"op": "replace", "value": {"displayName": title}}]})),
            (Method::PATCH, "/Users/1", json!({"schemas": [PATCH_OP], "Operations": [
                {"op": "replace", "path": "active", "value": active}, {"op": "replace", "path": "title", "value": title},
                {"op": "add", "path": format!("{ENTERPRISE}:manager"), "value": {"value": "7"}}]})),
            (Method::POST, "/Users", json!({"schemas": [USER, ENTERPRISE], "userName": title, "active": active,
                "emails": [{"value": title, "primary": true}], ENTERPRISE: {"department": title, "manager": {"value": "7"}}})),
        ];
        for (method, target, message) in messages {
            let body = if spaced { serde_json::to_vec_pretty(&message).expect("writes") } else { message.to_string().into_bytes() };
            let done = run(&plan(true), &method, target, &body).expect("legal");
            prop_assert!(done.body.is_none() && done.findings.fixes().next().is_none(), "{:?}", done.findings);
        }
    }

    /// Nothing panics, whatever the bytes; and what is forwarded is what serde_json takes.
    #[test]
    fn arbitrary_bytes_do_no_harm(bytes in vec(any::<u8>(), 0..200), target in "[ -~]{0,40}", method in method()) {
        if let Ok(done) = run(&plan(true), &method, &format!("/{target}"), &bytes)
            && !bytes.is_empty()
        {
            let body = out(&done, &bytes);
            prop_assert!(serde_json::from_slice::<Value>(&body).is_ok());
        }
    }

    /// serde_json judges: the same texts are JSON, save duplicate keys and depth, and they write back as the same value.
    #[test]
    fn serde_json_agrees_on_what_is_json(value in value(), cut in any::<prop::sample::Index>(), byte in any::<u8>(), mutate in any::<bool>()) {
        let mut bytes = value.to_string().into_bytes();
        if mutate && !bytes.is_empty() {
            let at = cut.index(bytes.len());
            bytes[at] = byte;
        }
        let Ok(text) = std::str::from_utf8(&bytes) else { return Ok(()) };
        let theirs = serde_json::from_str::<Value>(text);
        match Doc::parse(text, &NoNames, Duplicates::Refuse) {
            Ok(doc) => {
                prop_assert!(theirs.is_ok(), "{}", text);
                let padding = [' ', '\n', '\r', '\t'];
                prop_assert_eq!(String::from_utf8(doc.write()).expect("UTF-8"), text.trim_matches(padding));
            }
            Err(error) => prop_assert!(theirs.is_err() || error.what.contains("key"), "{} {}", text, error),
        }
    }
}
