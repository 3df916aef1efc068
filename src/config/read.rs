//! From a tree of values to types, without stopping: what cannot be read is noted, and keeps its default.

use std::{
    collections::{BTreeMap, BTreeSet},
    num::{NonZeroU32, NonZeroUsize},
    path::PathBuf,
};

use super::{
    document::{Kind, Node, join},
    problem::{Place, Problems},
};

/// A type that the configuration holds.
pub(crate) trait Read: Sized {
    /// Reads `node`, which stands at `key`. `None` after a problem, or where a variable is not set.
    fn read(node: &Node, key: &str, problems: &mut Problems) -> Option<Self>;
}

/// A type that is written as one word.
pub(crate) trait Word: Sized {
    /// What to write, for the problem's cure: "a duration such as `20s`".
    const WANTED: &'static str;
    /// The value may hold a secret, so problems do not repeat it.
    const PRIVATE: bool = false;

    /// The value, or what is wrong with it (may be empty: then the cure says enough).
    fn parse(text: &str) -> Result<Self, String>;
}

/// Reads a [`Word`].
pub(crate) fn word<T: Word>(node: &Node, key: &str, problems: &mut Problems) -> Option<T> {
    let scalar = match &node.kind {
        Kind::Scalar(scalar) => scalar,
        Kind::Unset => return None,
        other => {
            let what = format!("{} where one value belongs", named(other));
            problems.wrong(node.place, key, what, format!("write {}", T::WANTED));
            return None;
        }
    };
    match T::parse(&scalar.text) {
        Ok(value) => Some(value),
        Err(why) => {
            // A reason can quote the value, so it is left out where the value came from a variable.
            let why = if why.is_empty() || scalar.substituted() { String::new() } else { format!(": {why}") };
            let what = if T::PRIVATE { format!("not legal{why}") } else { format!("{}{why}", quoted(&scalar.shown)) };
            problems.wrong(node.place, key, what, format!("write {}", T::WANTED));
            None
        }
    }
}

fn quoted(text: &str) -> String {
    // What stands before an `@` in a URL is a user with a password, however the rest was misspelled.
    if text.contains('@') {
        return "what is written (not shown, since it may hold a password) is not legal here".to_owned();
    }
    let short: String = text.chars().filter(|c| !c.is_control()).take(60).collect();
    let dots = if short.len() < text.len() { "…" } else { "" };
    format!("`{short}{dots}` is not legal here")
}

fn named(kind: &Kind) -> &'static str {
    match kind {
        Kind::List(_) => "a list",
        Kind::Map(_) => "a mapping",
        Kind::Null | Kind::Unset => "nothing",
        Kind::Scalar(_) => "a single value",
    }
}

/// The entries of a mapping, each key once; `null` is an empty one.
pub(crate) fn entries<'a>(
    node: &'a Node,
    key: &str,
    problems: &mut Problems,
) -> Option<Vec<(&'a str, Place, &'a Node)>> {
    let entries = match &node.kind {
        Kind::Map(entries) => entries,
        Kind::Null => return Some(Vec::new()),
        Kind::Unset => return None,
        other => {
            problems.wrong(
                node.place,
                key,
                format!("{} where a mapping belongs", named(other)),
                "write `key: value` lines below it",
            );
            return None;
        }
    };
    let mut seen = BTreeSet::new();
    let mut list = Vec::with_capacity(entries.len());
    for entry in entries {
        if seen.insert(entry.key.as_str()) {
            list.push((entry.key.as_str(), entry.place, &entry.value));
        } else {
            problems.wrong(entry.place, &join(key, &entry.key), "the key stands here twice", "keep one of the two");
        }
    }
    Some(list)
}

/// Notes a key that nothing reads.
pub(crate) fn unknown(key: &str, parent: &str, place: Place, known: &[&str], problems: &mut Problems) {
    let instead = match problems.guess(key, known.iter().copied()) {
        Some(name) => format!("did you mean `{name}`?"),
        None if known.len() <= 12 => format!("write one of {}", known.join(", ")),
        None => "remove it; `scimshim schema` lists every key".to_owned(),
    };
    problems.wrong(place, &join(parent, key), "no such key", instead);
}

impl<T: Read> Read for Option<T> {
    fn read(node: &Node, key: &str, problems: &mut Problems) -> Option<Self> {
        match node.kind {
            Kind::Null => Some(None),
            _ => T::read(node, key, problems).map(Some),
        }
    }
}

impl<T: Read> Read for Vec<T> {
    fn read(node: &Node, key: &str, problems: &mut Problems) -> Option<Self> {
        match &node.kind {
            Kind::List(items) => {
                let read: Vec<_> =
                    items.iter().enumerate().map(|(i, item)| T::read(item, &format!("{key}[{i}]"), problems)).collect();
                // All or nothing, so that an index here is an index in the file.
                read.into_iter().collect()
            }
            Kind::Null => Some(Self::new()),
            Kind::Unset => None,
            other => {
                problems.wrong(node.place, key, format!("{} where a list belongs", named(other)), "write `[a, b]`");
                None
            }
        }
    }
}

impl<K: Word + Ord, T: Read> Read for BTreeMap<K, T> {
    fn read(node: &Node, key: &str, problems: &mut Problems) -> Option<Self> {
        let mut map = Self::new();
        for (name, place, value) in entries(node, key, problems)? {
            let below = join(key, name);
            let value = T::read(value, &below, problems);
            match K::parse(name) {
                Ok(name) => map.extend(value.map(|value| (name, value))),
                Err(_) => problems.wrong(place, &below, "the name is not legal", format!("write {}", K::WANTED)),
            }
        }
        Some(map)
    }
}

/// Reads words through [`Word`], and gives them their place in the schema.
macro_rules! words {
    ($($type:ty, $wanted:literal, $parse:expr;)+) => {
        $(
            impl $crate::config::read::Word for $type {
                const WANTED: &'static str = $wanted;

                fn parse(text: &str) -> Result<Self, String> {
                    let parse: fn(&str) -> Result<Self, String> = $parse;
                    parse(text)
                }
            }

            impl $crate::config::read::Read for $type {
                fn read(
                    node: &$crate::config::document::Node,
                    key: &str,
                    problems: &mut $crate::config::problem::Problems,
                ) -> Option<Self> {
                    $crate::config::read::word(node, key, problems)
                }
            }
        )+
    };
}
pub(crate) use words;

fn parsed<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| String::new())
}

words! {
    bool, "`true` or `false`", parsed;
    u32, "a whole number", parsed;
    usize, "a whole number", parsed;
    NonZeroU32, "a whole number, 1 or more", parsed;
    NonZeroUsize, "a whole number, 1 or more", parsed;
    String, "text", |text| Ok(text.to_owned());
    PathBuf, "the path of a file", |text| {
        if text.is_empty() { Err("empty".into()) } else { Ok(Self::from(text)) }
    };
}

/// Declares a part of the file: one doc comment and one default per key, from which the reader, the JSON Schema and
/// the reference page come.
macro_rules! section {
    ($($(#[$meta:meta])* $name:ident { $($(#[$field_meta:meta])* $field:ident: $type:ty = $default:expr,)+ })+) => {
        $(
            $(#[$meta])*
            #[derive(Debug, Clone, PartialEq, serde::Serialize, schemars::JsonSchema)]
            #[schemars(deny_unknown_fields, default)]
            pub struct $name {
                $($(#[$field_meta])* pub $field: $type,)+
            }

            impl Default for $name {
                fn default() -> Self {
                    Self { $($field: $default,)+ }
                }
            }

            impl $crate::config::read::Read for $name {
                fn read(
                    node: &$crate::config::document::Node,
                    key: &str,
                    problems: &mut $crate::config::problem::Problems,
                ) -> Option<Self> {
                    // `type` is a keyword in Rust and a key in the file.
                    const KEYS: &[&str] = &[$($crate::config::read::bare(stringify!($field)),)+];
                    let mut section = Self::default();
                    for (name, place, value) in $crate::config::read::entries(node, key, problems)? {
                        let below = $crate::config::document::join(key, name);
                        let mut keys = KEYS.iter();
                        $(
                            if keys.next() == Some(&name) {
                                if let Some(value) = $crate::config::read::Read::read(value, &below, problems) {
                                    section.$field = value;
                                }
                                continue;
                            }
                        )+
                        $crate::config::read::unknown(name, key, place, KEYS, problems);
                    }
                    Some(section)
                }
            }
        )+
    };
}
pub(crate) use section;

/// `r#type` without its prefix.
pub(crate) const fn bare(field: &'static str) -> &'static str {
    match field.as_bytes() {
        [b'r', b'#', ..] => field.split_at(2).1,
        _ => field,
    }
}

/// Gives an enum its spellings in the file, with a word on each for the schema.
macro_rules! choice {
    ($($type:ty { $($variant:ident = $name:literal, $what:literal;)+ })+) => {
        $(
            impl $crate::config::read::Read for $type {
                fn read(
                    node: &$crate::config::document::Node,
                    key: &str,
                    problems: &mut $crate::config::problem::Problems,
                ) -> Option<Self> {
                    $crate::config::read::chosen(node, key, &[$((<$type>::$variant, $name),)+], problems)
                }
            }

            impl serde::Serialize for $type {
                fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                    serializer.serialize_str(match self {
                        $(Self::$variant => $name,)+
                    })
                }
            }

            impl schemars::JsonSchema for $type {
                fn inline_schema() -> bool {
                    true
                }

                fn schema_name() -> std::borrow::Cow<'static, str> {
                    stringify!($type).into()
                }

                fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                    schemars::json_schema!({ "oneOf": [$({ "const": $name, "description": $what },)+] })
                }
            }
        )+
    };
}
pub(crate) use choice;

/// Reads one of a few names.
pub(crate) fn chosen<T: Copy>(node: &Node, key: &str, all: &[(T, &str)], problems: &mut Problems) -> Option<T> {
    let names: Vec<&str> = all.iter().map(|&(_, name)| name).collect();
    let written = match &node.kind {
        Kind::Scalar(scalar) => scalar,
        Kind::Unset => return None,
        other => {
            let what = format!("{} where one name belongs", named(other));
            problems.wrong(node.place, key, what, format!("write one of {}", names.join(", ")));
            return None;
        }
    };
    let found = all.iter().find(|&&(_, name)| name == written.text).map(|&(value, _)| value);
    if found.is_none() {
        let guess = problems.guess(&written.shown, names.iter().copied()).map(|n| format!(" (did you mean `{n}`?)"));
        let instead = format!("write one of {}{}", names.join(", "), guess.unwrap_or_default());
        problems.wrong(node.place, key, quoted(&written.shown), instead);
    }
    found
}
