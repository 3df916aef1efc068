//! PAGE

use super::{
    schemas_missing::{place, put},
    schemas_string,
};
use crate::{
    json::{Doc, Kind, Node},
    quirk::{Cx, Id, quirk},
    scim::{name, urn},
};

quirk! {
    /// PAGE
    pub static LIST_SCHEMAS_MISSING = {
        id: "list-schemas-missing",
        direction: Response,
        risk: Safe,
        rfc: "RFC 7644 3.4.2",
        seen_in: &[Entra, Okta],
    };
}

/// Gives the envelope its URN.
pub(crate) fn fix(cx: &mut Cx<'_>, doc: &mut Doc<'_>, list: Node) {
    let schemas = doc.get(list, name::SCHEMAS);
    if schemas.is_none() && doc.find(list, "schemas").is_some() {
        return; // two spellings of it
    }
    match schemas {
        Some(schemas) if names(doc, list, name::SCHEMAS, urn::LIST_RESPONSE) => {
            if doc.kind(schemas) == Kind::String {
                schemas_string::fix(cx, doc, schemas);
            }
        }
        _ => {
            if cx.may(Id::ListSchemasMissing, || place(doc, list)) {
                put(doc, list, &[urn::LIST_RESPONSE]);
            }
        }
    }
}

/// Whether a member of an object is a URN, or a list with it, in any letter case.
pub(crate) fn names(doc: &Doc<'_>, object: Node, member: u16, urn: &str) -> bool {
    doc.get(object, member).is_some_and(|schemas| {
        let is_it = |node| doc.string(node).is_some_and(|text| text.eq_ignore_ascii_case(urn));
        match doc.kind(schemas) {
            Kind::String => is_it(schemas),
            Kind::Array => doc.children(schemas).any(is_it),
            _ => false,
        }
    })
}
