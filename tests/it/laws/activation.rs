//! Who asks for an activation. Also compiled into the fuzz targets.

use serde_json::Value;

/// Every value that stands at `active`, as key, path or filter key.
pub(crate) fn actives(value: &Value, found: &mut Vec<Value>) {
    let is_active = |text: &str| {
        let leaf = text.rsplit([':', '.']).next().unwrap_or(text);
        leaf.eq_ignore_ascii_case("active")
    };
    match value {
        Value::Object(members) => {
            // Names fold case (RFC 7643 2.1), and the engine gives them the one that the RFC writes.
            let named = |name: &'static str| {
                members.iter().filter(move |(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
            };
            if named("path").filter_map(Value::as_str).any(is_active) {
                found.extend(named("value").cloned());
            }
            for (key, value) in members {
                if is_active(key) {
                    found.push(value.clone());
                }
                actives(value, found);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| actives(item, found)),
        _ => {}
    }
}

/// Whether a value asks for an activation, in any accent.
pub(crate) fn asks_for_true(value: &Value) -> bool {
    match value {
        Value::Bool(active) => *active,
        Value::String(text) => text.eq_ignore_ascii_case("true"),
        Value::Array(items) => items.iter().any(asks_for_true),
        Value::Object(members) => members.values().any(asks_for_true),
        _ => false,
    }
}
