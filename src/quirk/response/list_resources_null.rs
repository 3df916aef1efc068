//! PAGE

use crate::{
    json::{Doc, Kind, Node},
    quirk::{Cx, Id, quirk},
    scim::name,
};

quirk! {
    /// PAGE
    pub static LIST_RESOURCES_NULL = {
        id: "list-resources-null",
        direction: Response,
        risk: Safe,
        rfc: "RFC 7644 3.4.2",
        seen_in: &[Entra, Okta, Ping],
    };
}

/// Gives an empty list its empty array.
pub(crate) fn fix(cx: &mut Cx<'_>, doc: &mut Doc<'_>, list: Node) {
    let node = doc.get(list, name::RESOURCES);
    match node {
        Some(node) if doc.kind(node) != Kind::Null => return,
        None if doc.find(list, "Resources").is_some() => return,
        _ => {}
    }
    if !cx.may(Id::ListResourcesNull, || doc.pointer(list) + "/Resources") {
        return;
    }
    let array = doc.array();
    match node {
        Some(null) => doc.replace(null, array),
        None => {
            let array = doc.keyed(array, "Resources", name::RESOURCES);
            doc.push(list, array);
        }
    }
}
