//! PAGE

use crate::{
    json::{Doc, Node},
    quirk::{Cx, Id, quirk},
};

quirk! {
    /// PAGE
    pub static VERSION_NUMBER = {
        id: "version-number",
        direction: Response,
        risk: Safe,
        rfc: "RFC 7643 3.1",
    };
}

/// Writes the number as a weak entity tag.
#[cold]
pub(crate) fn fix(cx: &mut Cx<'_>, doc: &mut Doc<'_>, value: Node) {
    let tag = format!("W/\"{}\"", doc.raw(value));
    if cx.may(Id::VersionNumber, || doc.pointer(value)) {
        doc.set_string(value, &tag);
    }
}
