//! How messages are changed: as trees, with the words of the standard and the accents of the field, so that what comes out
//! is mostly JSON and gets past the parser. One in eight is left to libFuzzer, for what is no JSON.

use serde_json::{Map, Value, json};

use crate::words::{KEYS, OPS, TEXTS};

/// Text that stands in values only: where it turns up in a finding, a refusal or a log, a value was told.
pub const CANARY: &str = "Zq9canary";

/// A member that no schema knows; see [`ODD`].
pub const KEPT: &str = "x_keep";

/// Literals that a parser which rewrites them would spoil. In a tree they are strings that begin with `@`.
pub const ODD: &[&str] =
    &["1.10", "9007199254740993", "1E400", "-0.0", "1e-7", r#""\u0061\/""#, r#""\ud83d\ude80""#, "[ 1 , 2 ]"];

const PATCH_OP: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";
const LIST: &str = "urn:ietf:params:scim:api:messages:2.0:ListResponse";
const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";

/// Numbers from a seed; the same seed gives the same (xorshift64*).
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u32) -> Self {
        Self(u64::from(seed).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// One of `sides`, from 0; 0 for none.
    pub fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let number = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(number).unwrap_or(0).checked_rem(sides).unwrap_or(0)
    }

    pub fn one<'a, T: ?Sized>(&mut self, of: &[&'a T]) -> &'a T {
        of[self.roll(of.len())]
    }
}

/// Changes a message in place and says how long it is then.
pub fn message(data: &mut [u8], size: usize, most: usize, seed: u32, heads: &[&str]) -> usize {
    let mut dice = Dice::new(seed);
    if dice.roll(8) > 0
        && let Some(new) = changed(&data[..size], &mut dice, heads)
        && new.len() <= most
    {
        data[..new.len()].copy_from_slice(&new);
        return new.len();
    }
    libfuzzer_sys::fuzzer_mutate(data, size, most)
}

fn changed(data: &[u8], dice: &mut Dice, heads: &[&str]) -> Option<Vec<u8>> {
    let end = if heads.is_empty() { 0 } else { data.iter().position(|byte| *byte == b'\n').unwrap_or(data.len()) };
    let (mut head, body) = (data[..end].to_vec(), data.get(end + usize::from(!heads.is_empty())..).unwrap_or_default());
    if !heads.is_empty() && dice.roll(8) == 0 {
        head = dice.one(heads).as_bytes().to_vec();
    }
    let mut tree: Value = serde_json::from_slice(body).ok()?;
    for _ in 0..=dice.roll(3) {
        let nodes = count(&tree);
        let at = dice.roll(nodes);
        change(nth(&mut tree, at)?, dice);
    }
    let text =
        if dice.roll(6) == 0 { serde_json::to_string_pretty(&tree) } else { serde_json::to_string(&tree) }.ok()?;
    if !heads.is_empty() {
        head.push(b'\n');
    }
    head.extend_from_slice(with_odd(text).as_bytes());
    Some(head)
}

/// Puts the odd literals in.
fn with_odd(mut text: String) -> String {
    if text.contains("\"@") {
        for literal in ODD {
            let quoted = json!(format!("@{literal}")).to_string();
            text = text.replace(&quoted, literal);
        }
    }
    text
}

fn count(value: &Value) -> usize {
    1 + match value {
        Value::Array(items) => items.iter().map(count).sum(),
        Value::Object(members) => members.values().map(count).sum(),
        _ => 0,
    }
}

/// The node of that number, depth first.
fn nth(value: &mut Value, mut at: usize) -> Option<&mut Value> {
    if at == 0 {
        return Some(value);
    }
    at -= 1;
    let children: Box<dyn Iterator<Item = &mut Value>> = match value {
        Value::Array(items) => Box::new(items.iter_mut()),
        Value::Object(members) => Box::new(members.values_mut()),
        _ => return None,
    };
    for child in children {
        let size = count(child);
        if at < size {
            return nth(child, at);
        }
        at -= size;
    }
    None
}

fn change(node: &mut Value, dice: &mut Dice) {
    match (dice.roll(10), &mut *node) {
        (0..=1, Value::Object(members)) => drop(members.insert(key(dice), value(dice, 2))),
        (0, Value::Array(items)) => items.push(value(dice, 2)),
        (1, Value::Array(items)) if !items.is_empty() => {
            let again = items[dice.roll(items.len())].clone();
            items.push(again);
        }
        (2, Value::Object(members)) => {
            if let Some(name) = some_key(members, dice) {
                members.shift_remove(&name);
            }
        }
        (2, Value::Array(items)) if !items.is_empty() => drop(items.remove(dice.roll(items.len()))),
        (3..=4, Value::Object(members)) => rename(members, dice),
        (3, Value::Array(items)) if items.len() > 1 => {
            let (a, b) = (dice.roll(items.len()), dice.roll(items.len()));
            items.swap(a, b);
        }
        (5, old) => *old = Value::Array(vec![old.take()]),
        (6, old) => *old = json!({"value": old.take()}),
        (7, old) => *old = Value::String(old.to_string()),
        (8, Value::String(text)) => *text = recased(text, dice),
        (8, Value::Bool(active)) => *node = Value::String(recased(&active.to_string(), dice)),
        (_, old) => *old = value(dice, 3),
    }
}

fn some_key(members: &Map<String, Value>, dice: &mut Dice) -> Option<String> {
    members.keys().nth(dice.roll(members.len())).cloned()
}

/// Another name in the same place.
fn rename(members: &mut Map<String, Value>, dice: &mut Dice) {
    let Some(old) = some_key(members, dice) else { return };
    let new = if dice.roll(2) == 0 { key(dice) } else { recased(&old, dice) };
    *members = std::mem::take(members)
        .into_iter()
        .map(|(name, value)| (if name == old { new.clone() } else { name }, value))
        .collect();
}

fn recased(text: &str, dice: &mut Dice) -> String {
    match dice.roll(4) {
        0 => text.to_ascii_uppercase(),
        1 => text.to_ascii_lowercase(),
        2 => {
            let mut chars = text.chars();
            chars.next().into_iter().flat_map(char::to_uppercase).chain(chars).collect()
        }
        _ => {
            let at = dice.roll(text.len().max(1));
            let flip = |c: char| if c.is_ascii_uppercase() { c.to_ascii_lowercase() } else { c.to_ascii_uppercase() };
            text.chars().enumerate().map(|(index, c)| if index == at { flip(c) } else { c }).collect()
        }
    }
}

fn key(dice: &mut Dice) -> String {
    match dice.roll(12) {
        0 => KEPT.to_owned(),
        1 => format!("{USER}:{}", dice.one(KEYS)),
        2 => dice
            .one(&[
                "Operations",
                "op",
                "path",
                "schemas",
                "Resources",
                "totalResults",
                "itemsPerPage",
                "startIndex",
                "detail",
                "status",
                "scimType",
                "error",
                "message",
                "location",
                "resourceType",
                "created",
                "lastModified",
                "password",
                "nickName",
                "preferredLanguage",
                "x509Certificates",
                "Errors",
                "description",
            ])
            .to_owned(),
        _ => dice.one(KEYS).to_owned(),
    }
}

fn value(dice: &mut Dice, depth: usize) -> Value {
    match dice.roll(if depth == 0 { 9 } else { 14 }) {
        0 => Value::Null,
        1 => Value::Bool(dice.roll(2) == 0),
        2 => Value::from(dice.roll(300)),
        3..=4 => Value::from(dice.one(TEXTS)),
        5 => Value::from(format!("@{}", dice.one(ODD))),
        6 => Value::from(CANARY),
        7 => Value::from(key(dice)),
        8 => Value::from(dice.one(&[
            "2",
            "a1",
            "2011-05-13T04:42:34Z",
            "2011-05-13 04:42:34",
            "user@example.com",
            "http://127.0.0.1:8080/scim/v2/Users/1",
            "https://scim.example.com/scim/v2/Users/1",
            "User",
            "Group",
            "400",
            "uniqueness",
            PATCH_OP,
            LIST,
            USER,
            "urn:ietf:params:scim:api:messages:2.0:Error",
            "urn:scim:schemas:core:1.0",
        ])),
        9 => Value::Array((0..dice.roll(4)).map(|_| value(dice, depth - 1)).collect()),
        10 => {
            let mut operation = json!({"op": dice.one(OPS)});
            if dice.roll(3) > 0 {
                operation["path"] = Value::from(path(dice));
            }
            if dice.roll(6) > 0 {
                operation["value"] = value(dice, depth - 1);
            }
            operation
        }
        11 => json!([{"value": dice.one(&["2", "3", "a1"])}, {"value": "4", "$ref": null}]),
        _ => Value::Object((0..dice.roll(4)).map(|_| (key(dice), value(dice, depth - 1))).collect()),
    }
}

fn path(dice: &mut Dice) -> String {
    match dice.roll(5) {
        0 => format!("members[value eq \"{}\"]", dice.one(&["2", "a1", "x\\\"y"])),
        1 => format!(
            "{}[{} {} \"{}\"].{}",
            key(dice),
            key(dice),
            dice.one(&["eq", "Eq", "ne"]),
            dice.one(TEXTS),
            key(dice)
        ),
        2 => "members".to_owned(),
        _ => key(dice),
    }
}

/// The words as a dictionary of libFuzzer.
pub fn dictionary(words: &[&str]) -> String {
    let mut lines = String::new();
    for word in words.iter().filter(|word| !word.is_empty()) {
        let escaped: String = word
            .bytes()
            .map(|byte| match byte {
                b'"' | b'\\' => format!("\\{}", char::from(byte)),
                b' '..=b'~' => char::from(byte).to_string(),
                _ => format!("\\x{byte:02x}"),
            })
            .collect();
        lines.push_str(&format!("\"{escaped}\"\n"));
    }
    lines
}
