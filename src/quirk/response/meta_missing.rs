//! PAGE

use crate::{
    json::{Doc, Node},
    quirk::{Cx, Id, quirk},
    scim::{ResourceType, name},
};

quirk! {
    /// PAGE
    pub static META_MISSING = {
        id: "meta-missing",
        direction: Response,
        risk: Safe,
        rfc: "RFC 7643 3.1",
    };
}

/// Gives a resource a `meta` that tells its type, and its location where it was just created.
#[cold]
pub(crate) fn fix(cx: &mut Cx<'_>, doc: &mut Doc<'_>, resource: Node, kind: &ResourceType, location: Option<&str>) {
    let old = doc.get(resource, name::META);
    if !cx.may(Id::MetaMissing, || old.map_or_else(|| doc.pointer(resource) + "/meta", |old| doc.pointer(old))) {
        return;
    }
    let meta = doc.object();
    let name = doc.text(&kind.name);
    let name = doc.keyed(name, "resourceType", name::RESOURCE_TYPE);
    doc.push(meta, name);
    if let Some(location) = location {
        let location = doc.text(location);
        let location = doc.keyed(location, "location", name::LOCATION);
        doc.push(meta, location);
    }
    match old {
        Some(null) => doc.replace(null, meta),
        None => {
            let meta = doc.keyed(meta, "meta", name::META);
            doc.push(resource, meta);
        }
    }
}
