//! PAGE

use crate::{
    json::{Doc, Node},
    quirk::{Cx, Id, quirk},
};

quirk! {
    /// PAGE
    pub static SCHEMAS_STRING = {
        id: "schemas-string",
        direction: Response,
        risk: Safe,
        rfc: "RFC 7643 3",
    };
}

/// Puts `schemas` that is one text into an array; whether it is one now.
#[cold]
pub(crate) fn fix(cx: &mut Cx<'_>, doc: &mut Doc<'_>, schemas: Node) -> bool {
    let may = cx.may(Id::SchemasString, || doc.pointer(schemas));
    if may {
        doc.wrap_in_array(schemas);
    }
    may
}
