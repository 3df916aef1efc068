//! What has to hold of every message, whatever it is.

use std::{collections::BTreeMap, sync::OnceLock};

use http::{Method, StatusCode, header};
use scimshim::quirk::{Findings, Idp, Plan, PlanSettings, TenantMode};
use serde::de::IgnoredAny;
use serde_json::{Value, value::RawValue};

use crate::{
    activation::{actives, asks_for_true},
    input::{Message, repaired},
    mutate::{CANARY, KEPT},
    rfc::{self, grammar},
};

/// Of a request.
pub fn request(message: &Message<'_>) {
    observed(message);
    let first = match message.normalize() {
        Ok(first) => first,
        Err(refused) => {
            discreet(message.target, message.body, &refused.findings, &[&refused.detail]);
            return;
        }
    };
    let apart = scimshim::json::apart(|| message.normalize()).expect("taken before");
    assert_eq!(format!("{apart:?}"), format!("{first:?}"), "what is in one element does not hang on its neighbours");
    let is_changed = first.body.is_some() || first.target.is_some() || !first.headers.is_empty();
    let fixes: Vec<_> = first.findings.fixes().map(|fix| (fix.quirk.as_str(), fix.at)).collect();
    assert_eq!(is_changed, !fixes.is_empty(), "a change has a name, and a name a change: {fixes:?}");
    discreet(message.target, message.body, &first.findings, first.unread.as_deref().as_slice());

    let body = first.body.as_deref().unwrap_or(message.body);
    let target = first.target.as_deref().unwrap_or(message.target);
    let again = message.normalize_again(&first).expect("what was forwarded is legal");
    let more: Vec<_> = again.findings.fixes().map(|fix| (fix.quirk.as_str(), fix.at)).collect();
    assert!(
        more.is_empty() && again.body.is_none() && again.target.is_none() && again.headers.is_empty(),
        "a fixed request is settled: {more:?} in {target} {}",
        String::from_utf8_lossy(body)
    );
    if body.is_empty() || ![Method::POST, Method::PUT, Method::PATCH].contains(&message.method) {
        return;
    }
    serde_json::from_slice::<IgnoredAny>(without_mark(body)).expect("what is forwarded is JSON");
    // Unless the operator's word is that the app gets no attribute that it does not know, or none that holds nothing: an
    // empty list goes whatever its name.
    let dropped = first.findings.fixes().any(|fix| match fix.quirk.as_str() {
        "attr-unknown" => true,
        "empty-attr" => fix.at.strip_prefix('/') == Some(KEPT),
        _ => false,
    });
    faithful(text(message.body), text(body), message.method != Method::PATCH && !dropped);
    // A number may be larger than any that Rust has.
    let Ok(came) = serde_json::from_slice::<Value>(without_mark(message.body)) else { return };
    let out: Value = serde_json::from_slice(without_mark(body)).expect("what came was JSON");
    activations(&came, &out);
    if message.method == Method::PATCH && target.starts_with("/Users/") {
        deactivations(&came, &out);
    }
    if message.everything {
        if message.method == Method::PATCH && target.starts_with("/Groups/") {
            removals(&came, &out);
        }
        clean(&rfc::request(message.method.as_str(), target, &out), &out);
    }
}

/// Tenant mode `observe` changes nothing and refuses nothing.
fn observed(message: &Message<'_>) {
    static OBSERVER: OnceLock<Plan> = OnceLock::new();
    let observer = OBSERVER
        .get_or_init(|| Plan::new(&PlanSettings { mode: TenantMode::Observe, ..PlanSettings::default() }, Idp::Entra));
    let seen = message.normalize_with(observer, message.target, message.body).expect("nothing is refused");
    assert!(seen.body.is_none() && seen.target.is_none() && seen.headers.is_empty(), "observe changes nothing");
    assert!(seen.findings.fixes().next().is_none(), "observe fixes nothing");
    discreet(message.target, message.body, &seen.findings, seen.unread.as_deref().as_slice());
}

/// Nothing is activated that did not ask to be.
fn activations(came: &Value, out: &Value) {
    let count = |message: &Value| {
        let mut found = Vec::new();
        actives(message, &mut found);
        found.iter().filter(|value| asks_for_true(value)).count()
    };
    assert!(count(out) <= count(came), "nothing is activated that did not ask to be: {out}");
}

/// A deactivation that arrives is forwarded. It is read here as the field writes it, where the message says it once.
fn deactivations(came: &Value, out: &Value) {
    let asked = operations(came).filter(|operation| is_off(operation, true)).count();
    let told = operations(out).filter(|operation| is_off(operation, false)).count();
    assert!(asked <= told, "a deactivation that arrives is forwarded: {out}");
}

fn is_off(operation: &Value, in_dialect: bool) -> bool {
    let field = |name: &str| {
        let members = operation.as_object()?;
        let mut named =
            members.iter().filter(|(key, _)| if in_dialect { key.eq_ignore_ascii_case(name) } else { *key == name });
        named.next().map(|(_, value)| value)
    };
    let Some(op) = field("op").and_then(Value::as_str) else { return false };
    if !["add", "replace"].iter().any(|known| known.eq_ignore_ascii_case(op)) {
        return false;
    }
    let is_false = |value: &Value| match value {
        Value::Bool(active) => !active,
        Value::String(text) => in_dialect && text.eq_ignore_ascii_case("false"),
        _ => false,
    };
    let is_active = |text: &str| if in_dialect { text == "active" } else { text.eq_ignore_ascii_case("active") };
    match (field("path"), field("value")) {
        (Some(Value::String(path)), Some(value)) if is_active(path) => is_false(value),
        (None, Some(Value::Object(members))) => {
            let speaks = |key: &String| key.to_ascii_lowercase().contains("active");
            // Said twice, in two ways, it is not said.
            members.keys().filter(|key| speaks(key)).count() == 1 && members.get("active").is_some_and(is_false)
        }
        _ => false,
    }
}

fn operations(message: &Value) -> impl Iterator<Item = &Value> {
    let members = message.as_object().into_iter().flatten();
    let lists =
        members.filter(|(key, _)| key.eq_ignore_ascii_case("Operations")).filter_map(|(_, list)| list.as_array());
    lists.flatten()
}

/// A removal of members never becomes wider: taken literally (RFC 7644 3.5.2.2), what is forwarded removes nobody whom
/// the message does not name.
fn removals(came: &Value, out: &Value) {
    let (mut asked, mut all) = (Vec::new(), false);
    for operation in operations(came).filter(|operation| is_removal(operation, true)) {
        let value = named(operation, "value");
        all |= value.is_none_or(Value::is_null);
        value.into_iter().for_each(|value| words_in(value, &mut asked));
        let path = named(operation, "path").and_then(Value::as_str).unwrap_or_default();
        asked.extend(path.split(['"', '[', ']', ' ', '(', ')']).map(str::to_owned));
        // A filter may quote with escapes, or not at all.
        asked.push(path.to_owned());
        asked.extend(grammar::path(path).and_then(|path| path.filter).and_then(one_id));
    }
    let clears = |(key, value): (&String, &Value)| {
        key.to_ascii_lowercase().contains("members") && (value.is_null() || value == "")
    };
    let values = operations(came).filter_map(|operation| named(operation, "value")?.as_object());
    if all || values.flatten().any(clears) {
        return;
    }
    for operation in operations(out).filter(|operation| is_removal(operation, false)) {
        let Some(path) = named(operation, "path").and_then(Value::as_str).and_then(grammar::path) else { continue };
        if !path.attribute.eq_ignore_ascii_case("members") || operations(came).any(|sent| sent == operation) {
            continue;
        }
        // What names nobody in a way that the field knows stays what it is.
        if path.sub.is_some() || path.filter.is_none() && !named(operation, "value").is_some_and(names_members) {
            let same = |sent: &Value| is_removal(sent, true) && named(sent, "value") == named(operation, "value");
            if operations(came).any(same) {
                continue;
            }
        }
        let Some(filter) = path.filter else {
            panic!("a removal of members became one of all of them: {operation}");
        };
        let id = one_id(filter);
        let known = id.is_none_or(|id| asked.iter().any(|word| *word == id || word.contains(&id)));
        assert!(known, "a removal names somebody who was not named: {operation}");
    }
}

/// Who is meant by a filter for one id.
fn one_id(filter: &str) -> Option<String> {
    let (name, rest) = filter.split_at_checked(5)?;
    let (op, json) = rest.trim_start().split_at_checked(2)?;
    let is_id = name.eq_ignore_ascii_case("value") && op.eq_ignore_ascii_case("eq");
    is_id.then(|| serde_json::from_str(json.trim()).ok())?
}

fn is_removal(operation: &Value, in_dialect: bool) -> bool {
    let Some(op) = named(operation, "op").and_then(Value::as_str) else {
        return false;
    };
    // To replace by nothing is to remove (`patch-null-clear`, `patch-empty-string-clear`).
    let clears = || named(operation, "value").is_some_and(|value| value.is_null() || value == "");
    let removes = |known: &&str| known.eq_ignore_ascii_case(op);
    if in_dialect { ["remove", "delete"].iter().any(removes) || clears() } else { op == "remove" }
}

/// Members as Entra and others name them in a removal.
fn names_members(value: &Value) -> bool {
    let is_one = |item: &Value| item.get("value").and_then(Value::as_str).is_some_and(|id| !id.is_empty());
    match value {
        Value::Array(items) => !items.is_empty() && items.iter().all(is_one),
        value => is_one(value),
    }
}

/// A member by its name in any case.
fn named<'v>(value: &'v Value, name: &str) -> Option<&'v Value> {
    value.as_object()?.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

/// Every text and number in a value.
fn words_in(value: &Value, words: &mut Vec<String>) {
    match value {
        Value::String(text) => words.push(text.clone()),
        Value::Number(number) => words.push(number.to_string()),
        Value::Array(items) => items.iter().for_each(|item| words_in(item, words)),
        Value::Object(members) => members.values().for_each(|value| words_in(value, words)),
        _ => {}
    }
}

/// With everything on, what goes on is what RFC 7643 and RFC 7644 ask for.
fn clean(faults: &[rfc::Fault], out: &Value) {
    assert!(faults.is_empty(), "{}: {out}", faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "));
}

/// Of an answer.
pub fn answer(message: &Message<'_>) {
    let asked = message.normalize_with(message.plan, message.target, b"").ok().and_then(|normalized| normalized.target);
    let target = asked.as_deref().unwrap_or(message.target);
    let first = message.repair(target, message.status, &message.headers, message.body);
    let apart = scimshim::json::apart(|| message.repair(target, message.status, &message.headers, message.body));
    assert_eq!(format!("{apart:?}"), format!("{first:?}"), "what is in one element does not hang on its neighbours");
    let (status, headers, body) = repaired(&first, message.status, &message.headers, message.body);
    let is_changed = (status, &headers, &*body) != (message.status, &message.headers, message.body);
    let fixes: Vec<_> = first.findings.fixes().map(|fix| (fix.quirk.as_str(), fix.at)).collect();
    assert!(!is_changed || !fixes.is_empty(), "a change has a name");
    discreet(message.target, message.body, &first.findings, first.unread.as_deref().as_slice());

    let again = message.repair(target, status, &headers, &body);
    let (told, heads, text_again) = repaired(&again, status, &headers, &body);
    let more: Vec<_> = again.findings.fixes().map(|fix| (fix.quirk.as_str(), fix.at)).collect();
    assert!(
        (told, &heads, &*text_again) == (status, &headers, &*body) && more.is_empty(),
        "a repaired answer is settled: {more:?} after {fixes:?} in {status} {}",
        String::from_utf8_lossy(&body)
    );

    // Success is said only where the app said so; that nothing was found is the one failure that means so.
    let upgraded = status.is_success() && (message.status.is_client_error() || message.status.is_server_error());
    assert!(!upgraded || message.status == StatusCode::NOT_FOUND && message.method == Method::GET, "never upgraded");

    let came = serde_json::from_slice::<Value>(without_mark(message.body));
    let out = serde_json::from_slice::<Value>(without_mark(&body));
    if first.body != scimshim::quirk::Body::AsSent {
        let is_json = serde_json::from_slice::<IgnoredAny>(without_mark(&body)).is_ok();
        assert!(body.is_empty() || is_json, "what is written is JSON");
    }
    let Ok(out) = out else { return };
    if let Ok(came) = came {
        told_active(&came, &out);
        // In schema definitions nulls are taken out at any depth (`schemas-null`).
        if !target.to_ascii_lowercase().starts_with("/schemas") {
            faithful(text(message.body), text(&body), false);
        }
    }
    if message.everything && first.unread.is_none() && !headers.contains_key(header::CONTENT_ENCODING) {
        clean(&rfc::answer(message.method.as_str(), target, status.as_u16(), &out), &out);
    }
}

/// Nobody is told that somebody is active whom the app did not call so, in any accent.
fn told_active(came: &Value, out: &Value) {
    let count = |message: &Value, in_dialect: bool| {
        let mut found = Vec::new();
        actives(message, &mut found);
        let is_one = |value: &Value| in_dialect && (value.as_f64() == Some(1.0) || value.as_str() == Some("1"));
        found.iter().filter(|value| asks_for_true(value) || is_one(value)).count()
    };
    assert!(count(out, false) <= count(came, true), "nobody is told active whom the app did not call so: {out}");
}

/// No value is told: not in a place, not in a refusal, not in what is printed for debugging.
pub fn discreet(target: &str, body: &[u8], findings: &Findings, texts: &[&str]) {
    if names_canary(target, body) {
        return;
    }
    let printed = format!("{findings:?}");
    assert!(!printed.contains(CANARY), "a finding tells a value: {printed}");
    for text in texts {
        assert!(!text.contains(CANARY), "a message tells a value: {text}");
    }
}

/// Whether the canary stands where names stand.
pub fn names_canary(target: &str, body: &[u8]) -> bool {
    fn in_names(value: &Value) -> bool {
        match value {
            Value::Array(items) => items.iter().any(in_names),
            Value::Object(members) => {
                members.iter().any(|(key, value)| key.to_ascii_lowercase().contains("zq9canary") || in_names(value))
            }
            // JSON in a text is looked into, so its names are names.
            Value::String(text) if text.trim_start().starts_with(['{', '[']) => {
                serde_json::from_str(text).is_ok_and(|value: Value| in_names(&value))
            }
            _ => false,
        }
    }
    let told = |text: &str| text.to_ascii_lowercase().contains("zq9canary");
    match serde_json::from_slice::<Value>(without_mark(body)) {
        Ok(value) => told(target) || in_names(&value),
        // Of JSON with a number that is too large for Rust nobody can say here where it stands.
        Err(_) if serde_json::from_slice::<IgnoredAny>(without_mark(body)).is_ok() => true,
        // Then nothing is read, and nothing of it may be told.
        Err(_) => told(target),
    }
}

/// Numbers, escapes and unknown members survive as they were written.
fn faithful(came: &str, out: &str, is_resource: bool) {
    // A string of JSON may have been taken for what is in it.
    if came.contains("\\\"") {
        return;
    }
    let (before, after) = (kept(came), kept(out));
    let mut left: BTreeMap<&str, usize> = BTreeMap::new();
    before.iter().for_each(|raw| *left.entry(raw).or_default() += 1);
    for raw in &after {
        let count = left.entry(raw).or_default();
        assert!(*count > 0, "a member that no schema knows was written anew: {raw}");
        *count -= 1;
    }
    // At the root of a resource it is nobody's but the app's.
    let at_root = |text: &str| {
        let members: BTreeMap<String, Box<RawValue>> = serde_json::from_str(text).ok()?;
        members.get(KEPT).map(|raw| raw.get().to_owned())
    };
    if is_resource && before.len() == 1 && at_root(came).is_some_and(|raw| raw != "null") {
        assert_eq!(at_root(came), at_root(out), "a member that no schema knows is gone");
    }
    let digits = numbers(came);
    for number in numbers(out) {
        // What was a number in a string, and the counts of a list, which are written here.
        let known = digits.contains(&number) || came.contains(&format!("{number}\"")) || number.len() < 6;
        assert!(known, "a number was written anew: {number}");
    }
}

/// The texts of all values called [`KEPT`].
fn kept(text: &str) -> Vec<&str> {
    let name = format!("\"{KEPT}\"");
    let values = text.match_indices(&name).filter_map(|(at, _)| {
        let rest = text[at + name.len()..].trim_start().strip_prefix(':')?;
        let mut values = serde_json::Deserializer::from_str(rest).into_iter::<&RawValue>();
        values.next()?.ok().map(RawValue::get)
    });
    values.collect()
}

/// The numbers of a JSON text.
fn numbers(text: &str) -> Vec<&str> {
    let (mut found, mut inside, mut escaped, mut from) = (Vec::new(), false, false, None);
    for (at, byte) in text.bytes().enumerate() {
        if inside {
            inside = byte != b'"' || escaped;
            escaped = byte == b'\\' && !escaped;
            continue;
        }
        match (from, byte) {
            (None, b'-' | b'0'..=b'9') => from = Some(at),
            (Some(_), b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9') => {}
            (Some(start), _) => {
                found.push(&text[start..at]);
                from = None;
            }
            _ => {}
        }
        inside = byte == b'"';
    }
    found.extend(from.map(|start| &text[start..]));
    found
}

fn text(body: &[u8]) -> &str {
    std::str::from_utf8(without_mark(body)).unwrap_or_default()
}

fn without_mark(body: &[u8]) -> &[u8] {
    body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body)
}
