//! PAGE

use super::query::percent_decode;
use crate::{
    json::{Doc, Node},
    quirk::{Cx, Id, quirk},
    scim::{ResourceType, name},
};

quirk! {
    /// PAGE
    pub static ID_FROM_LOCATION = {
        id: "id-from-location",
        direction: Response,
        risk: OptIn,
        rfc: "RFC 7643 3.1",
    };
}

/// Gives a created resource without `id` the one that its Location ends in.
pub(crate) fn fix(cx: &mut Cx<'_>, doc: &mut Doc<'_>, resource: Node, location: &str, kind: &ResourceType) {
    let path = location.split(['?', '#']).next().unwrap_or_default();
    let segment = path.rsplit('/').next().unwrap_or_default();
    let id = String::from_utf8(percent_decode(segment.as_bytes())).unwrap_or_default();
    if id.is_empty() || id == *kind.endpoint || !cx.may(Id::IdFromLocation, || doc.pointer(resource) + "/id") {
        return;
    }
    match doc.get(resource, name::ID) {
        Some(null) => doc.set_string(null, &id),
        None => {
            let id = doc.text(&id);
            let id = doc.keyed(id, "id", name::ID);
            match doc.get(resource, name::SCHEMAS) {
                Some(schemas) => doc.insert_after(schemas, id),
                None => doc.insert_first(resource, id),
            }
        }
    }
}
