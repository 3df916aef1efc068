//! Bodies that a stranger can send: each gets a SCIM Error that says what and where, and nothing reaches the app.

use scimshim::quirk::TenantMode;

use crate::harness::{App, Shim, ask, plan, settings};

const SCIM: &[(&str, &str)] = &[("content-type", "application/scim+json")];

/// What cannot be read, and what the answer says of it.
fn hostile() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let operations =
        format!("{{\"Operations\":[{}{{}}]}}", "{\"op\":\"add\",\"path\":\"title\",\"value\":\"x\"},".repeat(100_000));
    vec![
        ("100,000 levels", "[".repeat(100_000).into_bytes(), "128 levels"),
        ("10 MiB of brackets", "[".repeat(10 << 20).into_bytes(), "128 levels"),
        ("129 objects", format!("{}1{}", "{\"a\":".repeat(129), "}".repeat(129)).into_bytes(), "128 levels"),
        ("a key twice", br#"{"active":true,"active":false}"#.to_vec(), "duplicate key at byte 15"),
        ("a key twice by case", br#"{"active":true,"Active":false}"#.to_vec(), "letter case alone at byte 15"),
        ("a key twice by escape", br#"{"active":true,"\u0061ctive":false}"#.to_vec(), "duplicate key at byte 15"),
        ("a key twice, deep down", br#"{"x":[{"y":{"k":1,"K":2}}]}"#.to_vec(), "letter case alone"),
        ("half a surrogate pair", br#"{"userName":"\ud800"}"#.to_vec(), "lone surrogate at byte 13"),
        ("the other half", br#"{"userName":"\udc00\ud800"}"#.to_vec(), "lone surrogate"),
        ("a raw NUL", b"{\"userName\":\"a\0b\"}".to_vec(), "control character"),
        ("a raw line break", b"{\"userName\":\"a\nb\"}".to_vec(), "control character"),
        ("invalid UTF-8", b"{\"userName\":\"\xff\xfe\"}".to_vec(), "not UTF-8 at byte 13"),
        ("overlong UTF-8", b"{\"userName\":\"\xc0\xaf\"}".to_vec(), "not UTF-8"),
        ("UTF-16", b"\xff\xfe{\0}\0".to_vec(), "not UTF-8"),
        ("100,000 operations", operations.into_bytes(), "10000 operations"),
        ("no object", b"[]".to_vec(), "not an object"),
        ("a number", b"7".to_vec(), "not an object"),
        ("cut off", br#"{"userName":"a"#.to_vec(), "string without its end"),
        ("two documents", b"{}{}".to_vec(), "text behind the value"),
        ("a comment", b"{/**/}".to_vec(), "a key was expected"),
        ("a trailing comma", br#"{"a":1,}"#.to_vec(), "a key was expected"),
        ("single quotes", b"{'a':1}".to_vec(), "a key was expected"),
        ("NaN", br#"{"a":NaN}"#.to_vec(), "a value was expected"),
        ("a leading zero", br#"{"a":007}"#.to_vec(), "`,` or `}` was expected"),
        ("only blanks", b"  \r\n".to_vec(), "ends where a value was expected"),
    ]
}

#[tokio::test]
async fn what_cannot_be_read_is_refused_with_what_and_where() {
    let app = App::json("{}").await;
    let mut settings = settings(app.addr);
    settings.listen.limits.body = 16 << 20;
    let shim = Shim::start(settings).await;
    for (name, body, says) in hostile() {
        let answer = ask(shim.data, "PATCH", "/scim/v2/Users/1", SCIM, &body).await;
        assert_eq!(answer.status, 400, "{name}");
        assert_eq!(answer.header("content-type"), "application/scim+json", "{name}");
        let error: serde_json::Value = serde_json::from_str(&answer.text()).expect("a SCIM Error");
        assert_eq!(error["scimType"], "invalidSyntax", "{name}");
        assert!(error["detail"].as_str().is_some_and(|detail| detail.contains(says)), "{name}: {error}");
    }
    assert!(app.seen().is_empty(), "nothing reaches the app");
    let labels = [("tenant", "default"), ("reason", "malformed")];
    shim.counts("scimshim_refusals_total", &labels, hostile().len() as f64).await;
}

#[tokio::test]
async fn what_says_that_it_is_no_json_is_refused_as_that() {
    let app = App::json("{}").await;
    let shim = Shim::before(app.addr).await;
    for (media, body) in [
        ("application/xml", "<user/>"),
        ("text/xml; charset=utf-8", "<user/>"),
        ("application/x-www-form-urlencoded", "userName=x"),
        ("multipart/form-data; boundary=b", "--b\r\n\r\nx\r\n--b--"),
    ] {
        let answer = ask(shim.data, "POST", "/scim/v2/Users", &[("content-type", media)], body.as_bytes()).await;
        assert_eq!(answer.status, 415, "{media}");
        assert!(answer.text().contains("application/scim+json"), "{media}: {}", answer.text());
    }
    assert!(app.seen().is_empty());
    shim.counts("scimshim_refusals_total", &[("tenant", "default"), ("reason", "encoding")], 4.0).await;
}

#[tokio::test]
async fn observe_forwards_what_it_cannot_read_as_it_came() {
    let app = App::json("{}").await;
    let mut settings = settings(app.addr);
    plan(&mut settings).mode = TenantMode::Observe;
    let shim = Shim::start(settings).await;
    for (name, body, _) in hostile().into_iter().filter(|(_, body, _)| body.len() < 1 << 20) {
        let answer = ask(shim.data, "PATCH", "/scim/v2/Users/1", SCIM, &body).await;
        assert_eq!(answer.status, 200, "{name}");
        assert_eq!(app.seen().last().map(|seen| seen.body.to_vec()), Some(body), "{name}");
    }
}

#[tokio::test]
async fn a_body_without_a_byte_goes_on_without_one() {
    let app = App::json("{}").await;
    let shim = Shim::before(app.addr).await;
    for method in ["POST", "PUT", "PATCH", "DELETE"] {
        assert_eq!(ask(shim.data, method, "/scim/v2/Users/1", &[], b"").await.status / 100, 2, "{method}");
        assert!(app.seen().last().is_some_and(|seen| seen.body.is_empty()), "{method}");
    }
}

#[tokio::test]
async fn numbers_and_escapes_survive_a_fix_beside_them() {
    let app = App::json("{}").await;
    let shim = Shim::before(app.addr).await;
    let body = br#"{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"\u00e9\/","active":"True","n":[9007199254740993,1.10,1e400,-0]}"#;
    ask(shim.data, "POST", "/scim/v2/Users", SCIM, body).await;
    let forwarded = String::from_utf8(app.only().body.to_vec()).expect("UTF-8");
    let expected = String::from_utf8(body.to_vec()).expect("UTF-8").replace("\"True\"", "true");
    assert_eq!(forwarded, expected);
}
