//! PATCH operations (RFC 7644 3.5.2) as a typed view of a document.

use super::name;
use crate::json::{Doc, Kind, Node};

/// What an operation does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// RFC 7644 3.5.2.1
    Add,
    /// RFC 7644 3.5.2.2
    Remove,
    /// RFC 7644 3.5.2.3
    Replace,
}

impl Verb {
    /// Every verb.
    pub const ALL: [Self; 3] = [Self::Add, Self::Remove, Self::Replace];

    /// The value of `op`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Remove => "remove",
            Self::Replace => "replace",
        }
    }

    /// The verb that a word is in any letter case; the RFC's own is lower.
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|verb| verb.as_str().eq_ignore_ascii_case(word))
    }
}

/// The parts of one operation: where they stand in the document, whatever they hold.
#[derive(Debug, Clone, Copy)]
pub struct Operation {
    /// The operation itself.
    pub node: Node,
    /// `op`, which every operation has.
    pub op: Node,
    /// `path`; absent, null and empty say that there is none (RFC 7643 2.5).
    pub path: Option<Node>,
    /// `value`.
    pub value: Option<Node>,
}

impl Operation {
    /// The parts of a value that is an object with an `op`.
    pub fn read(doc: &Doc<'_>, node: Node) -> Option<Self> {
        if doc.kind(node) != Kind::Object {
            return None;
        }
        let path = doc.get(node, name::PATH).filter(|&path| !matches!(doc.raw(path), "null" | "\"\""));
        Some(Self { node, op: doc.get(node, name::OP)?, path, value: doc.get(node, name::VALUE) })
    }

    /// The word in `op`, if it is one of the verbs in any letter case.
    pub fn verb(&self, doc: &Doc<'_>) -> Option<Verb> {
        doc.string(self.op).and_then(|word| Verb::of(&word))
    }
}

/// The list of operations of a PATCH message; `None` where the document is no such message.
pub fn operations(doc: &Doc<'_>) -> Option<Node> {
    doc.get(doc.root(), name::OPERATIONS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{json::Duplicates, scim::Registry};

    #[test]
    fn operations_are_seen_by_their_parts() {
        let registry = Registry::rfc();
        let text = r#"{"Operations":[{"OP":"Replace","path":"","value":1},{"op":"move"},{"path":"x"},7]}"#;
        let doc = Doc::parse(text, registry.names(), Duplicates::Refuse).expect("JSON");
        let list = operations(&doc).expect("a PATCH message");
        let read: Vec<_> = doc.children(list).map(|node| Operation::read(&doc, node)).collect();
        let first = read[0].expect("an operation");
        assert_eq!(first.verb(&doc), Some(Verb::Replace));
        assert!(first.path.is_none() && first.value.is_some());
        assert_eq!(read[1].and_then(|operation| operation.verb(&doc)), None);
        assert!(read[2].is_none() && read[3].is_none());
    }
}
