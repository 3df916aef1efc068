//! The answer half of `bool-string`: here `"1"` and `"0"` count as well.

use crate::{
    json::{Doc, Kind, Node},
    quirk::{Cx, Id},
};

/// The boolean that a word stands for in answers.
pub(crate) fn word(text: &str) -> Option<bool> {
    match text {
        "1" => Some(true),
        "0" => Some(false),
        _ if text.eq_ignore_ascii_case("true") => Some(true),
        _ if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

/// Mends a value of a boolean attribute that is none.
#[cold]
pub(crate) fn fix(cx: &mut Cx<'_>, doc: &mut Doc<'_>, value: Node) {
    let (id, boolean) = match doc.kind(value) {
        Kind::String => (Id::BoolString, doc.string(value).as_deref().and_then(word)),
        Kind::Number => (Id::BoolNumber, word(doc.raw(value))),
        _ => return,
    };
    match boolean {
        Some(boolean) if cx.may(id, || doc.pointer(value)) => doc.set(value, if boolean { "true" } else { "false" }),
        Some(_) => {}
        None => cx.report(id, || doc.pointer(value)),
    }
}
