//! The JSON Schema and the reference page, both made from [`super::file`], so that they cannot be out of date.

use std::fmt::Write as _;

use schemars::{JsonSchema, generate::SchemaSettings};
use serde_json::{Map, Value};

use super::{file::File, force};

/// JSON Schema (2020-12) of the configuration file, for editors.
pub fn schema() -> Value {
    let mut schema = raw();
    if let Some(root) = schema.as_object_mut() {
        root.insert("title".into(), "scimshim configuration".into());
    }
    for_editors(&mut schema);
    schema
}

fn raw() -> Value {
    debug_assert!(!File::inline_schema());
    let mut schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<File>().to_value();
    lift_required(&mut schema);
    schema
}

/// Lists what is required where a schema lists it. The derive takes every key of a struct with defaults for optional.
fn lift_required(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            let mut required = Vec::new();
            if let Some(Value::Object(properties)) = object.get_mut("properties") {
                for (key, property) in properties {
                    let Value::Object(property) = property else { continue };
                    if property.remove("x-required").is_some() {
                        property.remove("default");
                        required.push(Value::from(key.as_str()));
                    }
                }
            }
            if !required.is_empty() {
                object.insert("required".into(), required.into());
            }
            object.values_mut().for_each(lift_required);
        }
        Value::Array(items) => items.iter_mut().for_each(lift_required),
        _ => {}
    }
}

/// Takes out what only repeats, and lets `${NAME}` stand where a pattern is.
fn for_editors(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            if object.get("default").is_some_and(|d| d.is_object() || d.is_array()) {
                object.remove("default");
            }
            if let Some(Value::String(pattern)) = object.get_mut("pattern") {
                *pattern = format!("{pattern}|\\$\\{{[A-Za-z_]");
            }
            object.values_mut().for_each(for_editors);
        }
        Value::Array(items) => items.iter_mut().for_each(for_editors),
        _ => {}
    }
}

const INTRO: &str = "\
# Configuration

scimshim reads one YAML file: `scimshim serve config.yaml`. The least it needs is where the app's SCIM endpoint is:

```yaml
upstream:
  url: http://127.0.0.1:8080/scim/v2
```

`scimshim check config.yaml` lists every problem at once, with its line and what to write instead; `scimshim schema`
prints a JSON Schema for editors. Unknown keys and keys that stand twice are problems, not surprises.

- Durations have a unit: `500ms`, `20s`, `2m`, `1h`, `7d`. Sizes are bytes, or `64KiB`, `10MiB`, `1GiB`.
- `${NAME}` in a value is the environment variable `NAME`, filled in after the YAML is read, so that it cannot change
  the structure. `$${` writes the two characters. A variable that is not set is a problem.
- Secrets are `{env: NAME}` or `{file: PATH}`. They are printed nowhere.
- Relative paths start at the folder of the configuration file.
- A flag wins over its variable (`SCIMSHIM_UPSTREAM`, `SCIMSHIM_LISTEN`, `SCIMSHIM_ADMIN`, `SCIMSHIM_THREADS`), and
  that over the file.

*In force* says whether a key does what it asks for. One that needs a cargo feature is in force in builds that have it, the
image among them; other builds read and check it, name it in `check` and in the start-up log, and do nothing about it.

This page is made from the source (`UPDATE=1 cargo test`).
";

/// `docs/config.md`.
pub fn reference() -> String {
    let root = raw();
    let mut page = String::from(INTRO);
    for (key, schema) in properties(&root) {
        let _ = write!(page, "\n## {key}\n\n{}\n\n", text(schema, "description"));
        page.push_str("| key | type | default | meaning | in force |\n|---|---|---|---|---|\n");
        let target = deref(&root, schema);
        if is_mapping(target) {
            below(&root, std::slice::from_ref(key), target, &mut page);
        } else {
            row(&root, std::slice::from_ref(key), schema, false, &mut page);
        }
    }
    page
}

/// One row for each key below `path`.
fn below(root: &Value, path: &[String], schema: &Value, page: &mut String) {
    let required: Vec<&str> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    for (key, property) in properties(schema) {
        let path = [path, std::slice::from_ref(key)].concat();
        let target = deref(root, property);
        // A section without a switch of its own needs no row.
        if !is_mapping(target) || is_optional(root, property) {
            row(root, &path, property, required.contains(&key.as_str()), page);
        }
        if is_mapping(target) {
            below(root, &path, target, page);
        } else if let Some(items) = target.get("items") {
            let items = deref(root, items);
            if is_mapping(items) {
                let mut path = path;
                if let Some(last) = path.last_mut() {
                    last.push_str("[]");
                }
                below(root, &path, items, page);
            }
        }
    }
    if let Some(each) = each(schema) {
        below(root, &[path, &["*".to_owned()]].concat(), deref(root, each), page);
    }
}

fn row(root: &Value, path: &[String], schema: &Value, required: bool, page: &mut String) {
    let plain: Vec<&str> = path.iter().map(|part| part.trim_end_matches("[]")).collect();
    let mut meaning = text(schema, "description").to_owned();
    let target = deref(root, schema);
    for (name, what) in consts(target) {
        let _ = write!(meaning, " `{name}`: {what}.");
    }
    let default = match schema.get("default") {
        _ if required => "required".to_owned(),
        None | Some(Value::Null) => "none".to_owned(),
        Some(Value::String(text)) => format!("`{text}`"),
        Some(value) => format!("`{value}`"),
    };
    let force = force::optional(&plain).map_or("yes".to_owned(), |line| format!("with feature `{}`", line.feature));
    let _ = writeln!(
        page,
        "| `{}` | {} | {default} | {} | {force} |",
        path.join("."),
        kind(root, target),
        meaning.replace('|', "\\|").replace('\n', " ")
    );
}

/// What to write, in a word or two.
fn kind(root: &Value, schema: &Value) -> String {
    let names: Vec<String> = consts(schema).map(|(name, _)| format!("`{name}`")).collect();
    let word = match text(schema, "format") {
        "quirks" => return "mapping of a quirk or switch to `fix`, `observe` or `off`".to_owned(),
        "resolve" => return "`path:`, `host:`, `header:` or `token`".to_owned(),
        // schemars' own: they say how wide a number is, which is nobody's concern.
        "uint" | "uint32" | "double" => "",
        word => word,
    };
    if !names.is_empty() {
        return "name".to_owned();
    }
    if !word.is_empty() {
        return word.to_owned();
    }
    if let Some(items) = schema.get("items") {
        return format!("list of {}", kind(root, deref(root, items)));
    }
    let types = &schema["type"];
    let is = |name: &str| types == name || types.as_array().is_some_and(|all| all.iter().any(|t| t == name));
    match () {
        () if is("object") => "mapping",
        () if is("integer") => "whole number",
        () if is("number") => "number",
        () if is("boolean") => "`true`, `false`",
        () => "text",
    }
    .to_owned()
}

/// The schema behind references and `null`.
fn deref<'a>(root: &'a Value, schema: &'a Value) -> &'a Value {
    if let Some(name) = schema.get("$ref").and_then(Value::as_str).and_then(|r| r.strip_prefix("#/$defs/")) {
        return deref(root, &root["$defs"][name]);
    }
    match schema.get("anyOf").and_then(Value::as_array) {
        Some(ways) if ways.len() == 2 && ways[1]["type"] == "null" => deref(root, &ways[0]),
        _ => schema,
    }
}

fn is_optional(root: &Value, schema: &Value) -> bool {
    !std::ptr::eq(deref(root, schema), schema) && schema.get("anyOf").is_some()
}

fn is_mapping(schema: &Value) -> bool {
    text(schema, "format") != "quirks" && (schema.get("properties").is_some() || each(schema).is_some())
}

/// The schema of every entry, where the names are free.
fn each(schema: &Value) -> Option<&Value> {
    let patterns = schema.get("patternProperties").and_then(Value::as_object);
    patterns.and_then(|all| all.values().next()).or(schema.get("additionalProperties")).filter(|each| each.is_object())
}

fn properties(schema: &Value) -> impl Iterator<Item = (&String, &Value)> {
    schema.get("properties").and_then(Value::as_object).into_iter().flat_map(Map::iter)
}

/// The names of a choice, with a word on each.
fn consts(schema: &Value) -> impl Iterator<Item = (&str, &str)> {
    let ways = schema.get("oneOf").and_then(Value::as_array).into_iter().flatten();
    ways.filter_map(|way| Some((way.get("const")?.as_str()?, way.get("description")?.as_str()?)))
}

fn text<'a>(schema: &'a Value, key: &str) -> &'a str {
    schema.get(key).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reference_page_is_current() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/config.md");
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(file, reference()).expect("docs/ is writable");
        }
        let written = std::fs::read_to_string(file).unwrap_or_default();
        assert!(written == reference(), "docs/config.md is out of date; run `UPDATE=1 cargo test`");
    }

    #[test]
    fn every_key_has_a_meaning() {
        fn walk(at: &str, schema: &Value) {
            if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
                for (key, property) in properties {
                    assert!(property.get("description").is_some(), "{at}.{key} has no description");
                }
            }
            match schema {
                Value::Object(object) => object.iter().for_each(|(key, below)| walk(&format!("{at}/{key}"), below)),
                Value::Array(items) => items.iter().for_each(|below| walk(at, below)),
                _ => {}
            }
        }
        walk("", &schema());
    }

    #[test]
    fn every_quirk_is_in_the_schema() {
        let schema = schema();
        let quirks = &schema["$defs"]["Quirks"]["properties"];
        assert!(crate::quirk::ALL.iter().all(|quirk| quirks.get(quirk.id).is_some()));
        assert!(quirks.get("list-200-no-body").is_some());
    }
}
