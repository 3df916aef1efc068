//! What RFC 7643 and RFC 7644 ask of a message, read again without the engine: nothing of `src` is used here, so that a
//! slip there cannot hide itself. Used by the laws in `tests/it` and by the fuzz targets.
//!
//! Only what the quirks promise to mend is asked for. What cannot be mended from one message (an operation that nobody
//! knows, a value of the wrong type, a missing `userName`) is the app's to refuse and no fault here.

pub(crate) mod grammar;
mod schema;

use std::fmt;

use serde_json::Value;

use schema::{Attribute, Kind, Schema};

/// What is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    /// JSON pointer.
    pub(crate) at: String,
    /// The rule that is broken.
    pub(crate) what: &'static str,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.at, self.what)
    }
}

/// Collects faults.
#[derive(Default)]
struct Faults(Vec<Fault>);

impl Faults {
    fn check(&mut self, holds: bool, at: &str, what: &'static str) {
        if !holds {
            self.0.push(Fault { at: at.to_owned(), what });
        }
    }
}

/// What is wrong with a request, as far as its endpoint is known; `target` is what follows the SCIM base.
pub(crate) fn request(method: &str, target: &str, body: &Value) -> Vec<Fault> {
    let place = Place::of(target);
    match (method, place.kind, place.has_id) {
        _ if place.deeper => Vec::new(),
        ("PATCH", Some(kind), true) => patch(body, kind),
        ("POST", Some(kind), false) | ("PUT", Some(kind), true) => resource(body, kind),
        _ => Vec::new(),
    }
}

/// What is wrong with an answer that is JSON.
pub(crate) fn answer(method: &str, target: &str, status: u16, body: &Value) -> Vec<Fault> {
    let place = Place::of(target);
    let Some(kind) = place.kind.filter(|_| body.is_object() && !place.deeper && method != "HEAD") else {
        return Vec::new();
    };
    let is_list = method == "GET" && !place.has_id && body.get("Resources").is_some_and(Value::is_array);
    let has_id = body.get("id").and_then(Value::as_str).is_some_and(|id| !id.is_empty());
    match status {
        400..600 => error(body, status),
        // Neither a list nor a resource. Which failure it is only its status tells, which may be missing.
        _ if is_error(body) => Vec::new(),
        // What a query leaves out may be missing.
        200 | 201 if place.selects => Vec::new(),
        200 if is_list => list(body, kind),
        200 | 201 if place.has_id && has_id && method != "DELETE" => answered(body, kind),
        _ => Vec::new(),
    }
}

/// Where a target leads.
struct Place {
    kind: Option<Kind>,
    has_id: bool,
    deeper: bool,
    /// Attributes are named in the query.
    selects: bool,
}

impl Place {
    fn of(target: &str) -> Self {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let mut segments = path.split('/').skip(1);
        let kind = match segments.next() {
            Some("Users") => Some(Kind::User),
            Some("Groups") => Some(Kind::Group),
            _ => None,
        };
        let id = segments.next();
        let deeper = segments.next().is_some() || id == Some(".search");
        Self { kind, has_id: id.is_some(), deeper, selects: query.contains("ttributes=") }
    }
}

/// A PATCH message, RFC 7644 3.5.2: its schema, the spelling of members and operations, booleans that are booleans, names
/// in the schema's spelling.
fn patch(message: &Value, kind: Kind) -> Vec<Fault> {
    let mut faults = Faults::default();
    let Some(members) = message.as_object() else { return faults.0 };
    spelled(&mut faults, members, "Operations", "");
    let Some(operations) = members.get("Operations").and_then(Value::as_array) else { return faults.0 };
    spelled(&mut faults, members, "schemas", "");
    faults.check(names(message), "/schemas", "a PATCH names its schema (RFC 7644 3.5.2)");
    for (index, operation) in operations.iter().enumerate() {
        let at = format!("/Operations/{index}");
        let Some(parts) = operation.as_object() else { continue };
        for name in ["op", "path", "value"] {
            spelled(&mut faults, parts, name, &at);
        }
        let op = parts.get("op").and_then(Value::as_str).unwrap_or_default();
        let known = ["add", "remove", "replace"].iter().any(|known| known.eq_ignore_ascii_case(op));
        let lower = op.bytes().all(|byte| !byte.is_ascii_uppercase());
        faults.check(!known || lower, &format!("{at}/op"), "operations are written small (RFC 7644 3.5.2)");
        // What is removed is named by the path; a value beside it is nobody's.
        let Some(value) = parts.get("value").filter(|_| matches!(op, "add" | "replace")) else { continue };
        let at = format!("{at}/value");
        let path = parts.get("path").unwrap_or(&Value::Null);
        match path.as_str() {
            // A path that is no text is the app's to refuse.
            None if !path.is_null() => {}
            None | Some("") => members_of(&mut faults, value, kind.schema(), &at),
            Some(path) => {
                // What a filter has chosen is one element.
                let fits = |_: &&Attribute| !(value.is_array() && path.contains('['));
                if let Some(attribute) = kind.schema().at(path).filter(fits) {
                    values_of(&mut faults, value, attribute, &at);
                }
            }
        }
    }
    faults.0
}

/// A resource, RFC 7643 4: booleans that are booleans, names in the schema's spelling.
fn resource(value: &Value, kind: Kind) -> Vec<Fault> {
    let mut faults = Faults::default();
    members_of(&mut faults, value, kind.schema(), "");
    faults.0
}

/// A resource as an app answers it, RFC 7643 3: besides, its schema, and an `id` that is text.
fn answered(value: &Value, kind: Kind) -> Vec<Fault> {
    let mut faults = Faults::default();
    whole(&mut faults, value, kind, "");
    faults.0
}

/// A list of resources, RFC 7644 3.4.2: its schema and counts, and every resource in it.
fn list(value: &Value, kind: Kind) -> Vec<Fault> {
    let mut faults = Faults::default();
    let Some(resources) = value.get("Resources").and_then(Value::as_array) else {
        let none = value.get("totalResults").and_then(Value::as_u64) == Some(0);
        faults.check(none, "/Resources", "a list without resources counts none (RFC 7644 3.4.2)");
        return faults.0;
    };
    faults.check(names(value), "/schemas", "a list names its schema (RFC 7644 3.4.2)");
    for name in ["totalResults", "startIndex", "itemsPerPage"] {
        // How many there are in all is not always known from one page.
        let is_number = value.get(name).is_none_or(|count| {
            count.as_str().is_none_or(|text| text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()))
        });
        faults.check(is_number, &format!("/{name}"), "a list has its counts as numbers (RFC 7644 3.4.2.4)");
    }
    for (index, resource) in resources.iter().enumerate().filter(|(_, resource)| resource.is_object()) {
        whole(&mut faults, resource, kind, &format!("/Resources/{index}"));
    }
    faults.0
}

/// An Error, RFC 7644 3.12: its schema, and the status as text.
fn error(value: &Value, status: u16) -> Vec<Fault> {
    let mut faults = Faults::default();
    faults.check(names(value), "/schemas", "an Error names its schema (RFC 7644 3.12)");
    let told = value.get("status").and_then(Value::as_str);
    faults.check(told == Some(&status.to_string()), "/status", "an Error has the status as text (RFC 7644 3.12)");
    faults.0
}

/// Whether a message calls itself an Error, in the spellings of the field.
fn is_error(value: &Value) -> bool {
    let is_it = |urn: &Value| {
        urn.as_str().is_some_and(|urn| urn.eq_ignore_ascii_case("urn:ietf:params:scim:api:messages:2.0:Error"))
    };
    let mut members = value.as_object().into_iter().flatten();
    members.any(|(key, urns)| {
        ["schemas", "schema"].iter().any(|name| key.eq_ignore_ascii_case(name))
            && urns.as_array().map_or_else(|| is_it(urns), |urns| urns.iter().any(is_it))
    })
}

fn whole(faults: &mut Faults, value: &Value, kind: Kind, at: &str) {
    let id = value.get("id");
    // Absent where the query asked for other attributes only.
    faults.check(id.is_none_or(|id| !id.is_u64()), &format!("{at}/id"), "an id is text (RFC 7643 3.1)");
    faults.check(names(value), &format!("{at}/schemas"), "a resource names its schema (RFC 7643 3)");
    members_of(faults, value, kind.schema(), at);
}

/// Whether a message names a schema. A list of others cannot be mended, and is taken as it is; so are two spellings of the
/// name, of which nobody knows which one is read.
fn names(value: &Value) -> bool {
    let members = value.as_object().into_iter().flatten();
    if members.filter(|(key, _)| key.eq_ignore_ascii_case("schemas")).count() > 1 {
        return true;
    }
    match value.get("schemas") {
        None | Some(Value::Null) => false,
        Some(Value::Array(urns)) => !urns.is_empty(),
        Some(_) => true,
    }
}

/// A member that is there in another spelling only. Of two nobody knows which one is read, so they are left.
fn spelled(faults: &mut Faults, members: &serde_json::Map<String, Value>, name: &str, at: &str) {
    let others = members.keys().filter(|key| *key != name && key.eq_ignore_ascii_case(name)).count();
    faults.check(
        others != 1 || members.contains_key(name),
        &format!("{at}/{name}"),
        "names have the schema's spelling",
    );
}

fn members_of(faults: &mut Faults, value: &Value, schema: &Schema, at: &str) {
    let Some(members) = value.as_object() else { return };
    for attribute in schema.attributes() {
        spelled(faults, members, attribute.name, at);
        if let Some(value) = members.get(attribute.name) {
            values_of(faults, value, attribute, &format!("{at}/{}", attribute.name));
        }
    }
    if let Some((urn, extension)) = schema.extension()
        && let Some(value) = members.get(urn)
    {
        members_of(faults, value, extension, &format!("{at}/{urn}"));
    }
}

fn values_of(faults: &mut Faults, value: &Value, attribute: &Attribute, at: &str) {
    match value {
        Value::Array(items) if attribute.multi => {
            for (index, item) in items.iter().enumerate() {
                value_of(faults, item, attribute, &format!("{at}/{index}"));
            }
        }
        // Whoever has no `value` is no member, so what stands alone is put into no list and is the app's to refuse.
        Value::Object(members)
            if attribute.name == "members" && !members.keys().any(|key| key.eq_ignore_ascii_case("value")) => {}
        _ => value_of(faults, value, attribute, at),
    }
}

fn value_of(faults: &mut Faults, value: &Value, attribute: &Attribute, at: &str) {
    match value {
        // A list where one value belongs is the app's to refuse.
        Value::Array(_) => {}
        Value::Object(_) => members_of(faults, value, &attribute.sub, at),
        Value::String(text) if attribute.boolean => {
            let word = ["true", "false"].iter().any(|word| word.eq_ignore_ascii_case(text));
            faults.check(!word, at, "booleans are booleans (RFC 7643 2.3.2)");
        }
        _ => {}
    }
}
