//! YAML text in, a tree of values with their places out.
//!
//! serde stops at the first error, which is why nothing here is typed: the text is read once without types, and
//! [`super::read`] walks the tree and keeps going.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{Error as _, MapAccess, SeqAccess, Visitor},
};
use serde_saphyr::{DuplicateKeyPolicy, Location, Spanned};

use super::problem::{Grade, Place, Problems};

/// A configuration larger than this is a mistake (a data file, a device), and reading it would only delay saying so.
pub(crate) const MAX_BYTES: usize = 32 << 20;

/// The contract's file is 6 deep and has 400 values, 30 for a tenant; 50,000 tenants fit.
const MAX_DEPTH: usize = 32;
const MAX_NODES: usize = 2_000_000;
/// What anchors repeat; a file that lives of them is written by hand.
const MAX_REPLAYED: usize = 100_000;

/// A value and where it stands.
#[derive(Clone)]
pub(crate) struct Node {
    pub(crate) place: Place,
    pub(crate) kind: Kind,
}

/// What was written.
#[derive(Clone)]
pub(crate) enum Kind {
    List(Vec<Node>),
    Map(Vec<Entry>),
    Null,
    Scalar(Scalar),
    /// Text that names a variable which is not set. Said already: whoever reads it keeps the default.
    Unset,
}

/// A string, number or boolean.
#[derive(Clone)]
pub(crate) struct Scalar {
    /// The value, variables filled in.
    pub(crate) text: String,
    /// As it stands in the file; messages show this, so that a variable's value never leaves through an error.
    pub(crate) shown: String,
}

impl Scalar {
    /// Whether a variable was filled in.
    pub(crate) fn substituted(&self) -> bool {
        self.text != self.shown
    }
}

/// A key of a mapping.
#[derive(Clone)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) place: Place,
    pub(crate) value: Node,
}

impl Node {
    /// The document without a line.
    pub(crate) fn empty() -> Self {
        Self { place: Place::Nowhere, kind: Kind::Null }
    }

    /// The value below `key`.
    pub(crate) fn get(&self, key: &str) -> Option<&Self> {
        match &self.kind {
            Kind::Map(entries) => entries.iter().find(|e| e.key == key).map(|e| &e.value),
            Kind::List(items) => items.get(key.parse::<usize>().ok()?),
            _ => None,
        }
    }

    /// The value at `path`.
    pub(crate) fn get_path(&self, path: &[&str]) -> Option<&Self> {
        path.iter().try_fold(self, |node, key| node.get(key))
    }

    /// `path` as problems write it: `tenants.list.acme.tokens[0]`.
    pub(crate) fn key(&self, path: &[&str]) -> String {
        let mut node = Some(self);
        path.iter().fold(String::new(), |key, part| {
            let in_list = node.is_some_and(|node| matches!(node.kind, Kind::List(_)));
            node = node.and_then(|node| node.get(part));
            if in_list { format!("{key}[{part}]") } else { join(&key, part) }
        })
    }

    /// Whether something stands at `path`, be it `null`.
    pub(crate) fn has(&self, path: &[&str]) -> bool {
        self.get_path(path).is_some()
    }

    /// Whether it is more than `null`.
    pub(crate) fn is_written(&self) -> bool {
        !matches!(self.kind, Kind::Null)
    }

    /// The place of `path`, or of the nearest thing around it; of its key, where the value begins on a later line.
    pub(crate) fn place(&self, path: &[&str]) -> Place {
        let (mut node, mut place) = (self, self.place);
        for part in path {
            let Some(next) = node.get(part) else { break };
            let key = match &node.kind {
                Kind::Map(entries) => entries.iter().find(|e| e.key == *part).map(|e| e.place),
                _ => None,
            };
            place = match (key, next.place) {
                (Some(key @ Place::File(above, _)), Place::File(line, _)) if above < line => key,
                (_, place) => place,
            };
            node = next;
        }
        place
    }

    /// Puts a value from a flag over what the file says.
    pub(crate) fn put(&mut self, path: &[&str], flag: &'static str, text: &str) {
        let mut node = self;
        for key in path {
            if !matches!(node.kind, Kind::Map(_)) {
                node.kind = Kind::Map(Vec::new());
            }
            let Kind::Map(entries) = &mut node.kind else { return };
            let index = entries.iter().position(|e| e.key == *key).unwrap_or_else(|| {
                let value = Self { place: Place::Flag(flag), kind: Kind::Null };
                entries.push(Entry { key: (*key).to_owned(), place: Place::Flag(flag), value });
                entries.len() - 1
            });
            node = &mut entries[index].value;
        }
        let scalar = Scalar { text: text.to_owned(), shown: text.to_owned() };
        *node = Self { place: Place::Flag(flag), kind: Kind::Scalar(scalar) };
    }
}

/// Reads YAML. `None` when there is no tree to walk; then `problems` says why.
pub(crate) fn parse(text: &str, env: &dyn Fn(&str) -> Option<String>, problems: &mut Problems) -> Option<Node> {
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: MAX_DEPTH,
            max_nodes: MAX_NODES,
            max_events: 4 * MAX_NODES,
            max_documents: 8,
            flow_nesting_limit: MAX_DEPTH,
        },
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: MAX_REPLAYED, max_replay_stack_depth: 8 },
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        // `off` is a mode here, not a boolean.
        strict_booleans: true,
        non_finite_float_policy: serde_saphyr::options::NonFiniteFloatPolicy::AsString,
        with_snippet: false,
    };
    match serde_saphyr::from_str_with_options::<Option<Spanned<Raw>>>(text, options) {
        Ok(None) => Some(Node::empty()),
        Ok(Some(raw)) => {
            let mut node = node(raw, text);
            substitute(&mut node, "", env, problems);
            Some(node)
        }
        Err(error) => {
            let place = error.location().map_or(Place::Nowhere, place);
            let said = error.without_snippet().to_string();
            // The message repeats the place; the first line is the finding.
            let said = said.lines().next().unwrap_or_default();
            // What stands behind names functions of the parser.
            let said = said.split("; use ").next().unwrap_or(said);
            let what = match said.split(" at line ").next().unwrap_or(said) {
                what if what.contains("budget breached") || what.contains("limit exceeded") => {
                    "more nesting, values or aliases than a configuration needs"
                }
                what => what,
            };
            problems.wrong(
                place,
                "",
                format!("not readable as YAML: {what}"),
                "mend the line (spaces, colons, quotes)",
            );
            None
        }
    }
}

/// YAML without types.
enum Raw {
    List(Vec<Spanned<Raw>>),
    Map(Vec<(Spanned<Option<String>>, Spanned<Raw>)>),
    Null,
    /// Neither a string nor null; its spelling is taken from the file, so that `1.10` and 64 digits stay what they are.
    Plain(String),
    Text(String),
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E>(self, v: bool) -> Result<Raw, E> {
        Ok(Raw::Plain(v.to_string()))
    }

    fn visit_i64<E>(self, v: i64) -> Result<Raw, E> {
        Ok(Raw::Plain(v.to_string()))
    }

    fn visit_u64<E>(self, v: u64) -> Result<Raw, E> {
        Ok(Raw::Plain(v.to_string()))
    }

    fn visit_i128<E>(self, v: i128) -> Result<Raw, E> {
        Ok(Raw::Plain(v.to_string()))
    }

    fn visit_u128<E>(self, v: u128) -> Result<Raw, E> {
        Ok(Raw::Plain(v.to_string()))
    }

    fn visit_f64<E>(self, v: f64) -> Result<Raw, E> {
        Ok(Raw::Plain(v.to_string()))
    }

    fn visit_str<E>(self, v: &str) -> Result<Raw, E> {
        Ok(Raw::Text(v.to_owned()))
    }

    fn visit_bytes<E: serde::de::Error>(self, _: &[u8]) -> Result<Raw, E> {
        Err(E::custom("binary values have no use here"))
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_none<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Raw, D::Error> {
        Raw::deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Raw, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            if items.len() >= MAX_NODES {
                return Err(A::Error::custom("too many values"));
            }
            items.push(item);
        }
        Ok(Raw::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Raw, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            if entries.len() >= MAX_NODES {
                return Err(A::Error::custom("too many keys"));
            }
            entries.push(entry);
        }
        Ok(Raw::Map(entries))
    }
}

fn place(location: Location) -> Place {
    if location.line() == 0 { Place::Nowhere } else { Place::File(location.line(), location.column()) }
}

fn node(raw: Spanned<Raw>, source: &str) -> Node {
    let kind = match raw.value {
        Raw::List(items) => Kind::List(items.into_iter().map(|item| node(item, source)).collect()),
        Raw::Map(entries) => Kind::Map(
            entries
                .into_iter()
                .map(|(key, value)| Entry {
                    place: place(key.referenced),
                    key: key.value.unwrap_or_else(|| "null".to_owned()),
                    value: node(value, source),
                })
                .collect(),
        ),
        Raw::Null => Kind::Null,
        Raw::Plain(value) => {
            let text = spelling(raw.defined, source).map_or(value, str::to_owned);
            Kind::Scalar(Scalar { shown: text.clone(), text })
        }
        Raw::Text(text) => Kind::Scalar(Scalar { shown: text.clone(), text }),
    };
    Node { place: place(raw.referenced), kind }
}

/// A plain scalar as the file spells it.
fn spelling(location: Location, source: &str) -> Option<&str> {
    let start = usize::try_from(location.span().byte_offset()?).ok()?;
    let end = start.checked_add(usize::try_from(location.span().byte_len()?).ok()?)?;
    let text = source.get(start..end)?.trim();
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '+' | '-' | '_');
    (!text.is_empty() && text.chars().all(plain)).then_some(text)
}

/// Fills `${NAME}` in every value; keys are names and stay as they are.
fn substitute(node: &mut Node, key: &str, env: &dyn Fn(&str) -> Option<String>, problems: &mut Problems) {
    match &mut node.kind {
        Kind::List(items) => {
            for (i, item) in items.iter_mut().enumerate() {
                substitute(item, &format!("{key}[{i}]"), env, problems);
            }
        }
        Kind::Map(entries) => {
            for entry in entries {
                let below = join(key, &entry.key);
                substitute(&mut entry.value, &below, env, problems);
            }
        }
        Kind::Scalar(scalar) if scalar.text.contains("${") => match filled(&scalar.text, env) {
            Ok(text) => scalar.text = text,
            Err(Unfilled::Malformed) => {
                let what = "`${` without a name and a `}` after it";
                problems.wrong(node.place, key, what, "write `${NAME}`, or `$${` for the two characters");
                node.kind = Kind::Unset;
            }
            Err(Unfilled::Unset(name)) => {
                let what = format!("the environment variable {name} is not set");
                problems.add(Grade::Missing, node.place, key, what, format!("set {name} where scimshim runs"));
                node.kind = Kind::Unset;
            }
        },
        Kind::Null | Kind::Scalar(_) | Kind::Unset => {}
    }
}

/// The dotted path of `key` below `parent`.
pub(crate) fn join(parent: &str, key: &str) -> String {
    // A key is a stranger's text until it is known: shortened, so that a problem stays a line.
    let key: Cow<'_, str> = if key.contains("://") && key.contains('@') {
        // A URL with a password, where a key belongs.
        "…".into()
    } else if key.chars().count() > 80 || key.chars().any(char::is_control) {
        key.chars().filter(|c| !c.is_control()).take(80).chain(['…']).collect::<String>().into()
    } else {
        key.into()
    };
    if parent.is_empty() { key.into_owned() } else { format!("{parent}.{key}") }
}

enum Unfilled {
    Malformed,
    Unset(String),
}

fn filled(text: &str, env: &dyn Fn(&str) -> Option<String>) -> Result<String, Unfilled> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        if rest[..at].ends_with('$') {
            out.push_str(&rest[..at - 1]);
            out.push_str("${");
            rest = &rest[at + 2..];
            continue;
        }
        out.push_str(&rest[..at]);
        let (name, after) = rest[at + 2..].split_once('}').ok_or(Unfilled::Malformed)?;
        if !is_variable(name) {
            return Err(Unfilled::Malformed);
        }
        out.push_str(&env(name).ok_or_else(|| Unfilled::Unset(name.to_owned()))?);
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

/// Whether `name` can be an environment variable (POSIX 8.1, lower case allowed).
pub(crate) fn is_variable(name: &str) -> bool {
    let mut chars = name.chars();
    chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
        && name.len() <= 128
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(text: &str) -> Option<String> {
        filled(text, &|name| (name == "A").then(|| "x".to_owned())).ok()
    }

    #[test]
    fn variables_are_filled_and_doubled_dollars_are_not() {
        assert_eq!(fill("a${A}b${A}").as_deref(), Some("axbx"));
        assert_eq!(fill("$${A}").as_deref(), Some("${A}"));
        assert_eq!(fill("${B}"), None);
        assert_eq!(fill("${A"), None);
        assert_eq!(fill("${}"), None);
    }
}
