//! The answer half of `schemas-missing`, and its twin for resources in a list.

use super::schemas_extension_missing::extensions;
use crate::{
    json::{Doc, Kind, Node},
    quirk::{Cx, Id},
    scim::{ResourceType, name},
};

/// Whether a member says nothing: not there, null, an empty array or text.
pub(crate) fn is_blank(doc: &Doc<'_>, member: Option<Node>) -> bool {
    match member.map(|member| (doc.kind(member), member)) {
        None | Some((Kind::Null, _)) => true,
        Some((Kind::Array, member)) => doc.is_empty(member),
        Some((Kind::String, member)) => doc.raw(member) == "\"\"",
        Some(_) => false,
    }
}

/// Puts `schemas` with these URNs first, in place of one that says nothing or something wrong.
pub(crate) fn put(doc: &mut Doc<'_>, object: Node, urns: &[&str]) {
    if let Some(old) = doc.get(object, name::SCHEMAS) {
        doc.remove(old);
    }
    let list = doc.array();
    let list = doc.keyed(list, "schemas", name::SCHEMAS);
    for urn in urns {
        let urn = doc.text(urn);
        doc.push(list, urn);
    }
    doc.insert_first(object, list);
}

/// Where `schemas` is or would be.
pub(crate) fn place(doc: &Doc<'_>, object: Node) -> String {
    doc.get(object, name::SCHEMAS)
        .map_or_else(|| format!("{}/schemas", doc.pointer(object)), |schemas| doc.pointer(schemas).to_string())
}

/// Gives a resource the core URN of its endpoint and those of the extensions in it.
#[cold]
pub(crate) fn fix(cx: &mut Cx<'_>, doc: &mut Doc<'_>, resource: Node, kind: &ResourceType, in_list: bool) {
    let quirk = if in_list { Id::ListResourceSchemasMissing } else { Id::SchemasMissing };
    if !cx.may(quirk, || place(doc, resource)) {
        return;
    }
    let extensions = extensions(doc, resource);
    let mut urns: Vec<&str> = vec![&kind.urn];
    urns.extend(extensions.iter().map(String::as_str).filter(|urn| !urn.eq_ignore_ascii_case(&kind.urn)));
    put(doc, resource, &urns);
}
