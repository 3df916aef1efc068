//! What becomes of PATCH operations and resources, by table: the rules that one case of the corpus alone would not hold.

use scimshim::cli::explain;
use serde_json::{Value, json};

const CORE: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
const PATCH_OP: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

/// What is forwarded for a body; the sent body where nothing is changed.
fn forwarded(method: &str, target: &str, body: &Value, hints: &Value) -> Value {
    let case = json!({"id": "t", "idp": "entra", "schema_hints": hints, "request":
        {"method": method, "target": target, "headers": {"content-type": "application/scim+json"}, "body": body}});
    let outcome = explain::case(&case.to_string()).unwrap_or_else(|broken| panic!("{}", broken.error));
    let outcome = serde_json::to_value(&outcome).expect("JSON");
    assert_eq!(outcome["refused"], Value::Null, "{body}");
    outcome["request"]["body"].clone()
}

/// Short forms: `CORE` and `ENT` stand for the URNs.
fn text(short: &str) -> Value {
    let long = short.replace("ENT", ENTERPRISE).replace("CORE", CORE);
    serde_json::from_str(&long).unwrap_or_else(|error| panic!("{error}: {long}"))
}

fn patch(target: &str, operations: &str, expected: &str, hints: &Value) {
    let body = json!({"schemas": [PATCH_OP], "Operations": text(operations)});
    let got = forwarded("PATCH", target, &body, hints);
    let expected = if expected == "same" { text(operations) } else { text(expected) };
    assert_eq!(got["Operations"], expected, "{target} {operations}");
}

#[test]
fn nulls_clear_and_never_undo_what_stands_beside_them() {
    for (operations, expected) in [
        (
            r#"[{"op":"replace","value":{"name.givenName":"X","title":null,"name.familyName":null}}]"#,
            r#"[{"op":"replace","value":{"name":{"givenName":"X"}}},{"op":"remove","path":"title"},{"op":"remove","path":"name.familyName"}]"#,
        ),
        (
            r#"[{"op":"replace","value":{"ENT:department":null,"ENT":{"division":null,"organization":"o"}}}]"#,
            r#"[{"op":"replace","value":{"ENT":{"organization":"o"}}},{"op":"remove","path":"ENT:department"},{"op":"remove","path":"ENT:division"}]"#,
        ),
        (
            r#"[{"op":"replace","value":{"emails[type eq \"work\"].value":"x","emails":null}}]"#,
            r#"[{"op":"remove","path":"emails"},{"op":"replace","path":"emails[type eq \"work\"].value","value":"x"}]"#,
        ),
        (r#"[{"op":"replace","value":{"name.familyName":"X","name":null}}]"#, "same"),
        (r#"[{"op":"replace","value":{"ENT:department":"X","ENT":null}}]"#, "same"),
        (r#"[{"op":"replace","value":{"emails.value":"X","emails":null}}]"#, "same"),
        (r#"[{"op":"replace","value":{"emails":null,"CORE:emails.value":null}}]"#, "same"),
        (
            r#"[{"op":"add","value":{"name":{"shoe":null}}},{"op":"add","path":"name.shoe","value":null},{"op":"add","path":"foo.bar","value":null}]"#,
            "same",
        ),
        (r#"[{"op":"add","path":"emails.value","value":null}]"#, "same"),
        (r#"[{"op":"add","path":"name.familyName","value":null}]"#, r#"[{"op":"remove","path":"name.familyName"}]"#),
        (r#"[{"op":"replace","path":"ENT:","value":{"department":null}}]"#, "same"),
    ] {
        patch("/Users/1", operations, expected, &json!([]));
    }
}

#[test]
fn active_null_stays_wherever_it_stands() {
    for target in ["/Users/1", "/Groups/1", "/Me", "/Devices/1"] {
        for path in ["active", "Active", "CORE:active", "urn:scim:schemas:core:1.0:active", "urn:acme:x:active"] {
            let path = path.replace("CORE", CORE);
            let body = json!({"schemas": [PATCH_OP], "Operations": [{"op": "replace", "path": path, "value": null}]});
            let got = forwarded("PATCH", target, &body, &json!([]));
            assert_eq!(got["Operations"][0]["op"], "replace", "{target} {path}");
            assert_eq!(got["Operations"][0].get("value"), Some(&Value::Null), "{target} {path}");
        }
        patch(target, r#"[{"op":"replace","value":{"active":null}}]"#, "same", &json!([]));
    }
}

#[test]
fn a_removal_that_would_empty_a_list_is_not_confirmed() {
    for operations in [
        r#"[{"op":"remove","path":"members.value","value":"2819"}]"#,
        r#"[{"op":"remove","path":"members","value":[]}]"#,
        r#"[{"op":"remove","path":"members","value":null}]"#,
        r#"[{"op":"remove","path":"members","value":[{"value":"1"},{"display":"x"}]}]"#,
        r#"[{"op":"remove","path":"members","value":[{"value":5}]}]"#,
        r#"[{"op":"remove","path":"members","value":{"members":["1"],"x":1}}]"#,
        r#"[{"op":"remove","value":{"members":[{"value":"1"}]}}]"#,
        r#"[{"op":"add","path":"members","value":null}]"#,
    ] {
        patch("/Groups/9", operations, "same", &json!([]));
    }
    patch("/Users/1", r#"[{"op":"remove","path":"emails.value","value":"x"}]"#, "same", &json!([]));
    patch("/Users/1", r#"[{"op":"remove","path":"emails","value":[{"value":"x"}]}]"#, "same", &json!([]));
}

#[test]
fn a_declared_part_tells_nothing_of_the_whole() {
    let part = json!([{"path": "urn:acme:2.0:User:items.vip", "type": "boolean", "multiValued": false}]);
    for (operations, expected) in [
        (
            r#"[{"op":"replace","path":"urn:acme:2.0:User:items","value":[{"vip":"True"},{"vip":"false"}]}]"#,
            r#"[{"op":"replace","path":"urn:acme:2.0:User:items","value":[{"vip":true},{"vip":false}]}]"#,
        ),
        (r#"[{"op":"remove","path":"urn:acme:2.0:User:items","value":[{"vip":"x"}]}]"#, "same"),
        (r#"[{"op":"add","path":"urn:acme:2.0:User:items","value":null}]"#, "same"),
        (r#"[{"op":"add","path":"urn:acme:2.0:User:items","value":[{"vip":true}]}]"#, "same"),
    ] {
        patch("/Users/1", operations, expected, &part);
    }
    let whole = json!([part[0], {"path": "urn:acme:2.0:User:items", "type": "complex", "multiValued": true}]);
    patch(
        "/Users/1",
        r#"[{"op":"add","path":"urn:acme:2.0:User:items","value":{"vip":"True"}}]"#,
        r#"[{"op":"add","path":"urn:acme:2.0:User:items","value":[{"vip":true}]}]"#,
        &whole,
    );
}

#[test]
fn a_declared_name_beside_the_standards_keeps_its_spelling() {
    let hints = json!([{"path": "urn:acme:2.0:User:Division", "type": "string", "multiValued": false}]);
    let body =
        |key: &str| json!({"schemas": [CORE, "urn:acme:2.0:User"], "userName": "x", "urn:acme:2.0:User": {key: "d"}});
    assert_eq!(forwarded("POST", "/Users", &body("Division"), &hints), body("Division"));
    assert_eq!(forwarded("POST", "/Users", &body("division"), &hints), body("Division"));
}

#[test]
fn an_empty_path_is_none() {
    for path in ["null", "\"\""] {
        patch(
            "/Users/1",
            &format!(r#"[{{"op":"Replace","path":{path},"value":{{"active":"False"}}}}]"#),
            &format!(r#"[{{"op":"replace","path":{path},"value":{{"active":false}}}}]"#),
            &json!([]),
        );
    }
}

#[test]
fn a_whole_extension_is_not_taken_apart() {
    let body = json!({"schemas": [CORE, "urn:acme:2.0:User"], "userName": "x", "urn:acme:2.0:User": null});
    assert_eq!(forwarded("PUT", "/Users/1", &body, &json!([])), body);
    let body = json!({"schemas": [CORE, "urn:acme:2.0:User"], "userName": "x", "urn:acme:2.0:User": [1]});
    assert_eq!(forwarded("PUT", "/Users/1", &body, &json!([])), body);
}

#[test]
fn a_list_of_one_is_unwrapped_before_it_is_looked_into() {
    let body = json!({"schemas": [CORE], "userName": "x", ENTERPRISE: [{"department": "d"}]});
    let expected = json!({"schemas": [CORE, ENTERPRISE], "userName": "x", ENTERPRISE: {"department": "d"}});
    assert_eq!(forwarded("POST", "/Users", &body, &json!([])), expected);
    patch(
        "/Users/1",
        r#"[{"op":"replace","value":{"id":["1"],"title":"x"}}]"#,
        r#"[{"op":"replace","value":{"title":"x"}}]"#,
        &json!([]),
    );
    patch(
        "/Users/1",
        r#"[{"op":"replace","value":{"CORE:id":"1","title":"x"}}]"#,
        r#"[{"op":"replace","value":{"title":"x"}}]"#,
        &json!([]),
    );
}

/// What stands in a key's way may be dropped, or be an object when it is mended; what names the same place stays in it.
#[test]
fn a_key_moves_when_nothing_stands_in_its_way_any_more() {
    for (operations, expected) in [
        (
            r#"[{"op":"replace","value":{"ENT":{"manager":"7"},"ENT:manager.displayName":"Bob"}}]"#,
            r#"[{"op":"replace","value":{"ENT":{"manager":{"value":"7","displayName":"Bob"}}}}]"#,
        ),
        (
            r#"[{"op":"replace","value":{"ENT":{"manager":[{"value":"7"}]},"ENT:manager.displayName":null}}]"#,
            r#"[{"op":"replace","value":{"ENT":{"manager":{"value":"7"}}}},{"op":"remove","path":"ENT:manager.displayName"}]"#,
        ),
        (
            r#"[{"op":"replace","value":{"id":"1","CORE:id":"1","CORE:title":"x"}}]"#,
            r#"[{"op":"replace","value":{"title":"x"}}]"#,
        ),
        (r#"[{"op":"replace","value":{"id":"1","CORE:id":"2"}}]"#, r#"[{"op":"replace","value":{"id":"2"}}]"#),
        (
            r#"[{"op":"replace","value":{"ENT":{"manager":"7"},"ENT:manager.value":"8"}}]"#,
            r#"[{"op":"replace","value":{"ENT":{"manager":{"value":"7"}},"ENT:manager.value":"8"}}]"#,
        ),
        (
            r#"[{"op":"replace","value":{"active":["False"],"CORE:active":true}}]"#,
            r#"[{"op":"replace","value":{"active":false,"CORE:active":true}}]"#,
        ),
    ] {
        patch("/Users/1", operations, expected, &json!([]));
    }
    for (method, target, sent, expected) in [
        (
            "POST",
            "/Users",
            r#"{"schemas":["CORE"],"userName":"x","ENT":{"manager":"7"},"ENT:manager.displayName":"Bob"}"#,
            r#"{"schemas":["CORE","ENT"],"userName":"x","ENT":{"manager":{"value":"7","displayName":"Bob"}}}"#,
        ),
        (
            "POST",
            "/Users",
            r#"{"schemas":["CORE","ENT"],"userName":"x","ENT":[{"department":null}],"ENT:department":"d"}"#,
            r#"{"schemas":["CORE","ENT"],"userName":"x","ENT":{"department":"d"}}"#,
        ),
        (
            "PUT",
            "/Users/1",
            r#"{"schemas":["CORE"],"userName":"x","meta":"m","CORE:meta.version":"1","CORE:title":"t"}"#,
            r#"{"schemas":["CORE"],"userName":"x","title":"t"}"#,
        ),
        (
            "POST",
            "/Users",
            r#"{"schemas":["CORE"],"userName":"x","emails":[],"CORE:emails":[{"value":"x@y.z"}]}"#,
            r#"{"schemas":["CORE"],"userName":"x","emails":[{"value":"x@y.z"}]}"#,
        ),
        (
            "POST",
            "/Groups",
            r#"{"schemas":["urn:acme"],"displayName":"x","shoe":1,"urn:ietf:params:scim:schemas:core:2.0:Group:shoe.size":{"a":1}}"#,
            r#"{"schemas":["urn:acme"],"displayName":"x"}"#,
        ),
        // Two names for one place, and both stay: which one counts is not ours to say.
        (
            "POST",
            "/Users",
            r#"{"schemas":["CORE"],"userName":"x","active":null,"CORE:active":true}"#,
            r#"{"schemas":["CORE"],"userName":"x","active":null,"CORE:active":true}"#,
        ),
        (
            "POST",
            "/Users",
            r#"{"schemas":["CORE"],"userName":"x","active":[],"CORE:active":true}"#,
            r#"{"schemas":["CORE"],"userName":"x","active":[],"CORE:active":true}"#,
        ),
        // A path is no extension, also where it has to stay.
        (
            "PUT",
            "/Users/1",
            r#"{"schemas":["CORE"],"userName":"x","name":{"familyName":"a"},"CORE:name":{"familyName":"b"}}"#,
            r#"{"schemas":["CORE"],"userName":"x","name":{"familyName":"a"},"CORE:name":{"familyName":"b"}}"#,
        ),
    ] {
        let enable = ["null-attr", "empty-attr", "attr-unknown", "readonly-attr"];
        let case = json!({"id": "t", "idp": "entra", "enable": enable, "request": {"method": method, "target": target,
            "headers": {"content-type": "application/scim+json"}, "body": text(sent)}});
        let run = |case: &Value| {
            let outcome = explain::case(&case.to_string()).unwrap_or_else(|broken| panic!("{}", broken.error));
            serde_json::to_value(&outcome).expect("JSON")
        };
        let first = run(&case);
        assert_eq!(first["request"]["body"], text(expected), "{sent}");
        let mut again = case.clone();
        again["request"]["body"] = first["request"]["body"].clone();
        assert_eq!(run(&again)["fixes"], json!([]), "{sent}");
    }
}

/// A key that moves late is told once: as moved, not also as seen.
#[test]
fn a_key_that_moves_late_is_told_once() {
    let body = text(
        r#"{"schemas":["CORE","ENT"],"userName":"x","title":null,"ENT":{"manager":"7"},"ENT:manager.displayName":"B"}"#,
    );
    let case = json!({"id": "t", "idp": "entra", "request": {"method": "POST", "target": "/Users",
        "headers": {"content-type": "application/scim+json"}, "body": body}});
    let outcome = explain::case(&case.to_string()).unwrap_or_else(|broken| panic!("{}", broken.error));
    let outcome = serde_json::to_value(&outcome).expect("JSON");
    let quirks = |list: &str| -> Vec<Value> {
        outcome[list].as_array().expect("a list").iter().map(|fix| fix["quirk"].clone()).collect()
    };
    assert_eq!(quirks("fixes"), ["manager-bare-string", "resource-urn-keys"]);
    assert_eq!(quirks("observed"), ["null-attr"]);
}

#[test]
fn keys_that_fold_to_the_same_name_are_refused() {
    for body in [
        "{\"active\":false,\"act\u{131}ve\":true}",
        "{\"displayName\":\"a\",\"di\u{17f}playName\":\"b\"}",
        "{\"Operations\":[],\"Operation\u{17f}\":[]}",
        r#"{"active":false,"\u0061ctive":true}"#,
        r#"{"active":false,"ACTIVE":true}"#,
    ] {
        let case = json!({"id": "t", "request": {"method": "PATCH", "target": "/Users/1", "body_raw": body}});
        let outcome = explain::case(&case.to_string()).unwrap_or_else(|broken| panic!("{}", broken.error));
        assert!(outcome.refused.is_some(), "{body}");
    }
}

#[test]
fn escapes_in_a_key_are_not_another_spelling() {
    let body = r#"{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"o\u0070":"replace","value":{"act\u0069ve":false}}]}"#;
    let case = json!({"id": "t", "request": {"method": "PATCH", "target": "/Users/1",
        "headers": {"content-type": "application/scim+json"}, "body_raw": body}});
    let outcome = explain::case(&case.to_string()).unwrap_or_else(|broken| panic!("{}", broken.error));
    assert!(outcome.unchanged, "{:?}", outcome.fixes);
}
