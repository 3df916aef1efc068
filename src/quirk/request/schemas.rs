//! The `schemas` list of a request (RFC 7643 3, RFC 7644 3.1): known-bad URIs go or are mapped, a missing list is filled.

use std::collections::HashSet;

use super::{keys, schemas_unknown_uri, urn_alias};
use crate::{
    json::{Doc, Kind, Node, encode},
    quirk::{Cx, Id},
    scim::{ResourceType, name, urn},
};

/// The list of a PATCH message.
pub(super) fn of_patch(doc: &mut Doc<'_>, cx: &mut Cx<'_>, message: Node, resource: Option<&ResourceType>) {
    settle(doc, cx, message, resource, &[urn::PATCH_OP.to_owned()]);
}

/// The list of a resource whose extension keys are settled.
pub(crate) fn of_resource(doc: &mut Doc<'_>, cx: &mut Cx<'_>, resource: Node, kind: &ResourceType) {
    let extensions: Vec<String> = doc
        .children(resource)
        .filter(|&member| doc.kind(member) == Kind::Object)
        .map(|member| match kind.attrs.get(doc.name(member)) {
            Some(known) => known.canonical.to_string(), // the key gets this spelling as well
            None => doc.key(member).into_owned(),
        })
        .filter(|key| urn::is_urn(key) && !key.eq_ignore_ascii_case(&kind.urn))
        .filter(|key| !keys::names_attribute(cx.plan.registry(), kind, key))
        // A known-bad spelling that had to stay, since two keys name the same place, is not listed as well.
        .filter(|key| urn_alias::listed(cx.plan.registry(), Some(&kind.urn), key).is_none())
        .collect();
    let mut defaults = vec![kind.urn.to_string()];
    defaults.extend(extensions.iter().cloned());
    settle(doc, cx, resource, Some(kind), &defaults);
    unlisted(doc, cx, resource, &extensions);
}

fn settle(doc: &mut Doc<'_>, cx: &mut Cx<'_>, object: Node, resource: Option<&ResourceType>, defaults: &[String]) {
    let Some(list) = doc.get(object, name::SCHEMAS) else {
        if cx.may(Id::SchemasMissing, || "/schemas".to_owned()) {
            let list = filled(doc, defaults);
            let list = doc.keyed(list, "schemas", name::SCHEMAS);
            doc.insert_first(object, list);
        }
        return;
    };
    match doc.kind(list) {
        Kind::Null if cx.may(Id::SchemasMissing, || doc.pointer(list)) => {
            let new = filled(doc, defaults);
            doc.replace(list, new);
        }
        Kind::Array => {
            uris(doc, cx, list, resource.map(|kind| &*kind.urn));
            if doc.is_empty(list) && cx.may(Id::SchemasEmpty, || doc.pointer(list)) {
                let new = filled(doc, defaults);
                doc.replace(list, new);
            }
        }
        _ => {}
    }
}

/// Drops and maps the known-bad URIs; one that then stands twice stands where it came first.
fn uris(doc: &mut Doc<'_>, cx: &mut Cx<'_>, list: Node, core: Option<&str>) {
    let registry = cx.plan.registry();
    let mut mapped = false;
    let mut next = doc.first(list);
    while let Some(item) = next {
        next = doc.next(item);
        let Some(uri) = doc.string(item) else { continue };
        if schemas_unknown_uri::is_known_bad(&uri) {
            if cx.may(Id::SchemasUnknownUri, || doc.pointer(item)) {
                doc.remove(item);
            }
        } else if let Some((canonical, quirk)) = urn_alias::listed(registry, core, &uri)
            && cx.may(quirk, || doc.pointer(item))
        {
            doc.set(item, &encode(canonical));
            mapped = true;
        }
    }
    if !mapped {
        return;
    }
    let mut seen = HashSet::new();
    let mut next = doc.first(list);
    while let Some(item) = next {
        next = doc.next(item);
        let Some(uri) = doc.string(item).map(|uri| uri.to_ascii_lowercase()) else { continue };
        if !seen.insert(uri) {
            doc.remove(item);
        }
    }
}

/// Appends the URIs of extensions that are used and not listed.
fn unlisted(doc: &mut Doc<'_>, cx: &mut Cx<'_>, resource: Node, extensions: &[String]) {
    let Some(list) = doc.get(resource, name::SCHEMAS).filter(|&list| doc.kind(list) == Kind::Array) else { return };
    let listed: HashSet<String> =
        doc.children(list).filter_map(|item| doc.string(item)).map(|uri| uri.to_ascii_lowercase()).collect();
    let missing = extensions.iter().filter(|extension| !listed.contains(&extension.to_ascii_lowercase()));
    let mut wanted = Vec::new();
    for extension in missing {
        if cx.may(Id::SchemasExtensionUnlisted, || doc.pointer(list)) {
            wanted.push(extension);
        }
    }
    let last = doc.children(list).last();
    append(doc, list, last, wanted.into_iter());
}

fn filled(doc: &mut Doc<'_>, uris: &[String]) -> Node {
    let list = doc.array();
    append(doc, list, None, uris.iter());
    list
}

/// Puts URIs behind the last item of a list.
fn append<'u>(doc: &mut Doc<'_>, list: Node, mut last: Option<Node>, uris: impl Iterator<Item = &'u String>) {
    for uri in uris {
        let uri = doc.text(uri);
        match last {
            Some(last) => doc.insert_after(last, uri),
            None => doc.push(list, uri),
        }
        last = Some(uri);
    }
}
