//! PAGE

use crate::{
    json::{Doc, Node},
    quirk::{Cx, Id, quirk},
    scim::name,
};

quirk! {
    /// PAGE
    pub static MANAGER_STRING = {
        id: "manager-string",
        direction: Response,
        risk: OptIn,
        rfc: "RFC 7643 4.3",
    };
}

/// Puts a bare manager where its id belongs.
#[cold]
pub(crate) fn fix(cx: &mut Cx<'_>, doc: &mut Doc<'_>, value: Node) {
    if cx.may(Id::ManagerString, || doc.pointer(value)) {
        doc.wrap_in_object(value, "value", name::VALUE);
    }
}
