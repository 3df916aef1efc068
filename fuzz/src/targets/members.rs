//! Changes of group members, made of a few bytes each, in the shapes of the field: random changes of a message rarely make
//! two removals of the right people in two dialects.

use serde_json::{Value, json};

use super::ENGINE;
use crate::{
    input::Message,
    laws,
    target::{Shape, Target},
};

pub static TARGET: Target = Target {
    name: "members",
    about: "removals of group members in every dialect never become wider",
    run,
    seeds: || vec![vec![1, 0, 2, 1, 5], vec![0, 3, 1, 1, 7, 4, 2], vec![3, 1, 0, 5, 2, 2, 9, 1, 6], (0..40).collect()],
    words: &[],
    shape: Shape::Bytes,
    longest: 64,
    // The message is some fifty times as long.
    cost: super::Cost {
        steps_per_byte: 50 * ENGINE.steps_per_byte,
        room_per_byte: 50 * ENGINE.room_per_byte,
        ..ENGINE
    },
};

const IDS: [&str; 8] = ["2", "a1", "10", "A1", "x\"y", "a b", "2]", "5d48a0a8-e9f0-4aa3-8008-000000000001"];
const OPS: [&str; 6] = ["remove", "Remove", "REMOVE", "delete", "add", "Replace"];
const PATHS: [&str; 6] = [
    "members",
    "Members",
    "urn:ietf:params:scim:schemas:core:2.0:Group:members",
    "members.value",
    "urn:ietf:params:scim:schemas:core:2.0:Group.members",
    " members",
];

struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn next(&mut self) -> usize {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        usize::from(*first)
    }

    fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.next() % of.len()]
    }

    fn id(&mut self) -> Value {
        match self.next() % 12 {
            0 => json!(2),
            1 => Value::Null,
            _ => self.one(&IDS).into(),
        }
    }

    fn member(&mut self) -> Value {
        let id = self.id();
        match self.next() % 8 {
            0 => id,
            1 => json!({"Value": id}),
            2 => json!({"value": id, "$ref": null}),
            3 => json!({"value": id, "display": "x", "type": "User"}),
            4 => json!({"display": "x"}),
            5 => json!({"value": id, "primary": "True"}),
            _ => json!({"value": id}),
        }
    }

    fn value(&mut self) -> Option<Value> {
        let many = |bytes: &mut Self| (0..bytes.next() % 4).map(|_| bytes.member()).collect::<Vec<_>>();
        Some(match self.next() % 8 {
            0 => return None,
            1 => Value::Null,
            2 => self.member(),
            3 => json!({"members": many(self)}),
            4 => json!({"members": self.member(), "displayName": "x"}),
            5 => json!([many(self)]),
            _ => many(self).into(),
        })
    }

    fn path(&mut self) -> Option<Value> {
        let (quoted, plain) = (self.id(), self.one(&PATHS));
        let word = quoted.as_str().unwrap_or("7").to_owned();
        Some(match self.next() % 10 {
            0 => return None,
            1 => format!("members[value eq {quoted}]").into(),
            2 => format!("Members[Value Eq {quoted}]").into(),
            3 => format!("members[value eq {word}]").into(),
            4 => format!("members[value eq {quoted} or value eq \"a1\"]").into(),
            5 => format!("members[value eq {quoted}].display").into(),
            6 => format!("members[value ne {quoted}]").into(),
            _ => plain.into(),
        })
    }
}

fn run(data: &[u8]) {
    let mut bytes = Bytes(data);
    let idp = bytes.one(&["entra+", "okta+", "authentik+", "generic+", "entra", "okta", "generic"]);
    let mut operations = Vec::new();
    while !bytes.0.is_empty() && operations.len() < 8 {
        let mut operation = json!({"op": bytes.one(&OPS)});
        if let Some(path) = bytes.path() {
            operation["path"] = path;
        }
        if let Some(value) = bytes.value() {
            operation["value"] = value;
        }
        operations.push(operation);
    }
    let message = json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": operations});
    laws::request(&Message::read(format!("{idp} PATCH /Groups/1\n{message}").as_bytes()));
}
