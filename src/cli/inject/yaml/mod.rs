//! YAML text in, spans out, edits back to text: what no edit touches keeps its bytes. Pure; knows no Kubernetes.
//!
//! [`Tree::parse`] reads a stream into nodes that know where they stand; JSON is YAML too, so one reader serves both.
//! [`apply`] turns edits of nodes into insertions and deletions of text. The text that comes of it is read again and
//! must hold what the edits say and nothing else, so a form of YAML that is edited wrongly is refused, not written.
//!
//! Reading into values and writing them anew would be a tenth of this, and would lose each comment, the order and the
//! quoting of what people keep in a repository and review as a diff.

mod edit;
mod tree;
mod value;

pub(crate) use edit::{Edit, Edited, apply};
pub(crate) use tree::{Entry, Kind, Node, Tree};

/// Why a text is not taken, and where in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    /// Byte offset.
    pub(crate) at: usize,
    /// What is wrong; what to do instead.
    pub(crate) what: String,
}

impl Fault {
    pub(crate) fn new(at: usize, what: impl Into<String>) -> Self {
        Self { at, what: what.into() }
    }
}
