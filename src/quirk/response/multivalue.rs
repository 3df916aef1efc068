//! PAGE

use crate::{
    json::{Doc, Kind, Node},
    quirk::{Cx, Id, quirk},
    scim::{Attr, name},
};

quirk! {
    /// PAGE
    pub static MULTIVALUE_STRINGS = {
        id: "multivalue-strings",
        direction: Response,
        risk: Safe,
        rfc: "RFC 7643 2.4, 4.1.2, 4.2",
        seen_in: &[Okta],
    };

    /// PAGE
    pub static MULTIVALUE_OBJECT = {
        id: "multivalue-object",
        direction: Response,
        risk: Safe,
        rfc: "RFC 7643 2.4",
        seen_in: &[Okta],
    };

    /// PAGE
    pub static MULTIVALUE_NESTED_ARRAY = {
        id: "multivalue-nested-array",
        direction: Response,
        risk: Safe,
        rfc: "RFC 7643 2.4",
    };
}

/// Puts an object that stands for a whole list into one; the list.
#[cold]
pub(crate) fn wrap(cx: &mut Cx<'_>, doc: &mut Doc<'_>, value: Node) -> Option<Node> {
    cx.may(Id::MultivalueObject, || doc.pointer(value)).then(|| doc.wrap_in_array(value))
}

/// Mends an element of a list of objects that is none.
#[cold]
pub(crate) fn item(cx: &mut Cx<'_>, doc: &mut Doc<'_>, item: Node, attr: &Attr) {
    match doc.kind(item) {
        // An address has no `value` (RFC 7643 4.1.2); a declared attribute may have none.
        Kind::String if attr.name != name::ADDRESSES && attr.sub.get(name::VALUE).is_some() => {
            if cx.may(Id::MultivalueStrings, || doc.pointer(item)) {
                doc.wrap_in_object(item, "value", name::VALUE);
            }
        }
        Kind::Array if doc.is_empty(item) => {
            if cx.may(Id::MultivalueNestedArray, || doc.pointer(item)) {
                doc.remove(item);
            }
        }
        Kind::Array => cx.report(Id::MultivalueNestedArray, || doc.pointer(item)),
        _ => {}
    }
}
