//! PAGE

use crate::{
    json::{Doc, Node},
    quirk::{Cx, Id, quirk},
};

quirk! {
    /// PAGE
    pub static ID_NUMBER = {
        id: "id-number",
        direction: Response,
        risk: Safe,
        rfc: "RFC 7643 2.2, 3.1",
        seen_in: &[Jumpcloud],
    };
}

/// Writes the number as text, digit for digit. Only for `id`, `externalId` and the `value` of `members` and `groups`.
#[cold]
pub(crate) fn fix(cx: &mut Cx<'_>, doc: &mut Doc<'_>, value: Node) {
    let digits = doc.raw(value).to_owned();
    if digits.bytes().any(|byte| matches!(byte, b'.' | b'e' | b'E')) {
        cx.report(Id::IdNumber, || doc.pointer(value));
    } else if cx.may(Id::IdNumber, || doc.pointer(value)) {
        doc.set_string(value, &digits);
    }
}
