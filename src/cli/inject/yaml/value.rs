//! Values: how they are written, and how two of them are told apart.

use serde_json::Value as Json;

use super::tree::{Form, Kind, Node, Tree};

/// A value as a reader sees it, precise enough that two equal ones mean the same to every reader.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    /// `*name`; what it stands for is compared where it stands.
    Alias(String),
    Map(Vec<(Value, Value)>),
    /// With an anchor and a tag.
    Marked(Option<String>, Option<String>, Box<Value>),
    Null,
    /// A plain scalar that is not surely a string, as it is written: readers disagree about `010` and `yes`.
    Plain(String),
    Seq(Vec<Value>),
    Text(String),
}

impl Value {
    /// The value of a node, whose members are what `members` makes of them.
    pub(super) fn of(tree: &Tree<'_>, node: Node, members: impl FnOnce() -> Self) -> Self {
        let cell = tree.cell(node);
        let bare = match cell.kind {
            Kind::Alias(_) => return Self::Alias(cell.text.to_string()),
            Kind::Map | Kind::Seq => members(),
            Kind::Null => Self::Null,
            Kind::Plain => Self::Plain(cell.text.to_string()),
            Kind::Text => Self::Text(cell.text.to_string()),
        };
        if cell.anchor.is_none() && cell.tag.is_none() {
            return bare;
        }
        // `!!str 1` and `!!str a` are strings, `!!int 1` is not: with a tag, the text as it stands.
        let bare = match bare {
            Self::Text(text) if cell.form == Form::Plain && cell.tag.is_some() => Self::Plain(text),
            other => other,
        };
        let text = |text: Option<&str>| text.map(str::to_owned);
        Self::Marked(text(cell.anchor.as_deref()), text(cell.tag.as_deref()), Box::new(bare))
    }

    /// As JSON, if it is a scalar or has no members.
    pub(super) fn json(&self) -> Option<String> {
        Some(match self {
            Self::Map(members) if members.is_empty() => " {}".to_owned(),
            Self::Seq(items) if items.is_empty() => " []".to_owned(),
            Self::Null => " null".to_owned(),
            Self::Plain(text) => format!(" {text}"),
            Self::Text(text) => format!(" {}", Json::from(&**text)),
            Self::Alias(_) | Self::Map(_) | Self::Marked(..) | Self::Seq(_) => return None,
        })
    }

    /// Where two values differ, as a path of keys and places; `None` where they are equal.
    pub(super) fn differs(&self, other: &Self) -> Option<String> {
        let below = |name: String, path: String| Some(if path.is_empty() { name } else { format!("{name}.{path}") });
        match (self, other) {
            (Self::Map(a), Self::Map(b)) if a.len() == b.len() => a.iter().zip(b).find_map(|(a, b)| {
                if a.0 != b.0 {
                    return Some(a.0.name());
                }
                a.1.differs(&b.1).and_then(|path| below(a.0.name(), path))
            }),
            (Self::Seq(a), Self::Seq(b)) if a.len() == b.len() => {
                let mut pairs = a.iter().zip(b).enumerate();
                pairs.find_map(|(i, (a, b))| a.differs(b).and_then(|path| below(i.to_string(), path)))
            }
            (Self::Marked(a, b, c), Self::Marked(d, e, f)) if (a, b) == (d, e) => c.differs(f),
            _ => (self != other).then(String::new),
        }
    }

    fn name(&self) -> String {
        match self {
            Self::Plain(name) | Self::Text(name) => name.clone(),
            _ => "?".to_owned(),
        }
    }
}

impl From<&Json> for Value {
    fn from(json: &Json) -> Self {
        match json {
            Json::Null => Self::Null,
            Json::Bool(_) | Json::Number(_) => Self::Plain(json.to_string()),
            Json::String(text) => Self::Text(text.clone()),
            Json::Array(items) => Self::Seq(items.iter().map(Self::from).collect()),
            Json::Object(members) => {
                Self::Map(members.iter().map(|(key, value)| (Self::Text(key.clone()), value.into())).collect())
            }
        }
    }
}

/// Whether a plain scalar is a string to every reader, of YAML 1.1 and of 1.2. `64Mi` is, `1e3` and `0x1f` are not.
pub(super) fn is_string(text: &str) -> bool {
    const WORDS: [&str; 9] = ["null", "true", "false", "yes", "no", "on", "off", "y", "n"];
    let behind_digits = text.trim_start_matches(|c: char| c.is_ascii_digit());
    if behind_digits.len() < text.len() {
        return !behind_digits.is_empty() && behind_digits.chars().all(|c| "KMGTPikms".contains(c));
    }
    text.starts_with(|first: char| first.is_ascii_alphabetic() || matches!(first, '/' | '_'))
        && !WORDS.iter().any(|word| text.eq_ignore_ascii_case(word))
}

/// How lists stand in this document: how far a dash is to the right of its key.
#[derive(Debug, Clone, Copy)]
pub(super) struct Style {
    pub(super) dash: usize,
}

impl Style {
    /// An entry of a block map, its key at `column`, with the line break at its end.
    pub(super) fn entry(self, key: &str, value: &Json, column: usize) -> String {
        let mut out = String::new();
        self.write_entry(&mut out, key, value, column);
        out
    }

    /// Items of a block list, their dashes at `column`.
    pub(super) fn items(self, items: &[Json], column: usize) -> String {
        let mut out = String::new();
        for item in items {
            self.write_item(&mut out, item, column);
        }
        out
    }

    /// What follows a colon: on the line for a scalar, below it for what has members.
    fn write_body(self, out: &mut String, value: &Json, column: usize) {
        match value {
            Json::Object(members) if !members.is_empty() => {
                out.push('\n');
                for (key, value) in members {
                    self.write_entry(out, key, value, column + 2);
                }
            }
            Json::Array(items) if !items.is_empty() => {
                out.push('\n');
                out.push_str(&self.items(items, column + self.dash));
            }
            scalar => {
                out.push(' ');
                out.push_str(&scalar_text(scalar));
                out.push('\n');
            }
        }
    }

    fn write_entry(self, out: &mut String, key: &str, value: &Json, column: usize) {
        out.extend(std::iter::repeat_n(' ', column));
        out.push_str(&string_text(key));
        out.push(':');
        self.write_body(out, value, column);
    }

    fn write_item(self, out: &mut String, item: &Json, column: usize) {
        let body = match item {
            Json::Object(members) if !members.is_empty() => {
                members.iter().map(|(key, value)| self.entry(key, value, column + 2)).collect()
            }
            scalar => format!("{:column$}  {}\n", "", scalar_text(scalar)),
        };
        out.extend(std::iter::repeat_n(' ', column));
        out.push('-');
        // The first line goes behind the dash.
        out.push_str(&body[column + 1..]);
    }
}

/// A scalar, or an empty map or list.
pub(super) fn scalar_text(value: &Json) -> String {
    match value {
        Json::String(text) => string_text(text),
        other => other.to_string(),
    }
}

fn string_text(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '/' | '_' | '-' | ':' | '@');
    if is_string(text) && text.chars().all(plain) && !text.ends_with(':') {
        return text.to_owned();
    }
    if text.contains(['"', '\\']) && !text.contains(char::is_control) {
        return format!("'{}'", text.replace('\'', "''"));
    }
    Json::from(text).to_string()
}

/// A value in brackets, on one line.
pub(super) fn flow(value: &Json) -> String {
    match value {
        Json::Array(items) if !items.is_empty() => {
            format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", "))
        }
        Json::Object(members) if !members.is_empty() => {
            let members: Vec<_> = members.iter().map(|(key, value)| member(key, &flow(value))).collect();
            format!("{{{}}}", members.join(", "))
        }
        other => other.to_string(),
    }
}

/// A value in brackets, a member on each line, as `kubectl get -o json` writes; lines after the first begin with `lead`.
pub(super) fn flow_lines(value: &Json, lead: &str, step: &str) -> String {
    let inner = format!("{lead}{step}");
    let (open, members, close): (_, Vec<String>, _) = match value {
        Json::Array(items) if !items.is_empty() => {
            ('[', items.iter().map(|item| flow_lines(item, &inner, step)).collect(), ']')
        }
        Json::Object(members) if !members.is_empty() => {
            let lines = members.iter().map(|(key, value)| member(key, &flow_lines(value, &inner, step)));
            ('{', lines.collect(), '}')
        }
        other => return other.to_string(),
    };
    let lines: Vec<_> = members.iter().map(|member| format!("\n{inner}{member}")).collect();
    format!("{open}{}\n{lead}{close}", lines.join(","))
}

/// A member of a map in brackets.
pub(super) fn member(key: &str, value: &str) -> String {
    format!("{}: {value}", Json::from(key))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_written_is_read_as_what_it_was() {
        let value = json!({
            "plain": "a/b:1.2", "number": 7643, "text": "7643", "yes": "yes", "empty": {}, "none": [],
            "quotes": "{\"a\": \"it's\"}", "break": "a\nb", "end": "a:", "blank": "a b", "null": null, "dash": "-",
            "list": ["x", {"a": 1, "b": ["y"]}, {}], "deep": {"er": {"est": true}}
        });
        for dash in [0, 2] {
            let block = format!("- x:\n{}", Style { dash }.entry("v", &value, 4));
            let inline = format!("x: {{v: {}}}", flow(&value));
            let lines = format!("{{\"v\": {}}}", flow_lines(&value, "  ", "  "));
            for text in [block, inline, lines] {
                let tree = Tree::parse(&text).unwrap();
                let found = tree.find(tree.roots()[0], |node| tree.entry(node, "v").is_some()).unwrap();
                let node = tree.entry(found, "v").unwrap().value;
                assert_eq!(super::super::edit::value_of(&tree, node), Value::from(&value), "{text}");
            }
        }
    }

    #[test]
    fn a_difference_is_named_by_its_place() {
        let of = |json: Json| Value::from(&json);
        let (a, b) = (json!({"a": [1, {"b": "x"}]}), json!({"a": [1, {"b": "y"}]}));
        assert_eq!(of(a.clone()).differs(&of(b)).as_deref(), Some("a.1.b"));
        assert_eq!(of(a.clone()).differs(&of(a)), None);
        assert_eq!(of(json!("1")).differs(&of(json!(1))).as_deref(), Some(""));
    }
}
