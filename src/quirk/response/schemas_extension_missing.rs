//! PAGE

use crate::{
    json::{Doc, Kind, Node},
    quirk::{Cx, Id, quirk},
    scim::urn,
};

quirk! {
    /// PAGE
    pub static SCHEMAS_EXTENSION_MISSING = {
        id: "schemas-extension-missing",
        direction: Response,
        risk: Safe,
        rfc: "RFC 7643 3, 3.3",
    };
}

/// The keys of the extensions in a resource, in order.
pub(crate) fn extensions(doc: &Doc<'_>, resource: Node) -> Vec<String> {
    let objects = doc.children(resource).filter(|&member| doc.kind(member) == Kind::Object);
    objects.map(|member| doc.key(member).into_owned()).filter(|key| urn::is_urn(key)).collect()
}

/// Lists an extension that is there in the array `schemas`.
pub(crate) fn fix(cx: &mut Cx<'_>, doc: &mut Doc<'_>, schemas: Node, extension: Node) {
    let key = doc.key(extension);
    let is_listed = |node| doc.string(node).is_some_and(|text| text.eq_ignore_ascii_case(&key));
    if doc.children(schemas).any(is_listed) || !cx.may(Id::SchemasExtensionMissing, || doc.pointer(schemas)) {
        return;
    }
    let key = key.into_owned();
    let urn = doc.text(&key);
    doc.push(schemas, urn);
}
