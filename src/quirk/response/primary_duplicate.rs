//! PAGE

use crate::{
    json::{Doc, Node},
    quirk::{Cx, Id, quirk},
};

quirk! {
    /// PAGE
    pub static PRIMARY_DUPLICATE = {
        id: "primary-duplicate",
        direction: Response,
        risk: OptIn,
        rfc: "RFC 7643 2.4",
    };
}

/// Leaves the first `primary` and takes it from another.
#[cold]
pub(crate) fn fix(cx: &mut Cx<'_>, doc: &mut Doc<'_>, primary: Node) {
    if cx.may(Id::PrimaryDuplicate, || doc.pointer(primary)) {
        doc.set(primary, "false");
    }
}
