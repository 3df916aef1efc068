//! A server of SCIM 1.1.

use super::{password_echo, schemas_extension_missing::MOST};
use crate::{
    json::{Doc, Kind, Node},
    quirk::{Cx, Id, quirk},
    scim::{ResourceType, name, urn},
};

quirk! {
    /// A server that speaks SCIM 1.1.
    ///
    /// Its resources look much the same, but its URNs are `urn:scim:schemas:core:1.0` and its manager's id is
    /// `managerId`.
    ///
    /// With the switch on, the URNs become those of SCIM 2.0 by endpoint (in the envelope of a list ListResponse), in
    /// `schemas` and as the key of the enterprise extension; `managerId` becomes `value`; `meta.resourceType` is added.
    /// Fully qualified keys take the new schema, and `ext-flat-key` moves them.
    /// Dates and `version` stay. Only answers that name a URN of 1.0 are translated. After that all other quirks are
    /// looked for. RFC 7643 3.
    ///
    /// ```scim
    /// # enable: scim11-translate
    /// 200 to GET /Users/2819
    /// content-type: application/scim+json
    ///
    /// {"schemas":["urn:scim:schemas:core:1.0","urn:scim:schemas:extension:enterprise:1.0"],"id":"2819",
    ///  "userName":"ada@example.com","meta":{"version":"6feac5cd"},
    ///  "urn:scim:schemas:extension:enterprise:1.0":{"manager":{"managerId":"26118"}}}
    /// ```
    /// ```scim
    /// 200 to GET /Users/2819
    /// content-type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:schemas:core:2.0:User",
    ///   "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],"id":"2819",
    ///  "userName":"ada@example.com","meta":{"version":"6feac5cd","resourceType":"User"},
    ///  "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"manager":{"value":"26118"}}}
    /// ```
    pub static SCIM11_TRANSLATE = {
        id: "scim11-translate",
        direction: Response,
        risk: OptIn,
        rfc: "RFC 7643 3",
        seen_in: &[Okta, Jumpcloud],
        sources: "https://developer.okta.com/docs/reference/scim/scim-11/, jelhub/scimgateway",
    };
}

/// The core schema of SCIM 1.1, users and groups alike.
pub(crate) const CORE: &str = "urn:scim:schemas:core:1.0";
/// The enterprise extension of SCIM 1.1.
pub(crate) const ENTERPRISE: &str = "urn:scim:schemas:extension:enterprise:1.0";

/// Whether a URN is one of SCIM 1.1, and what it is in 2.0 where `core` stands for the core one.
fn modern(text: &str, core: &'static str) -> Option<&'static str> {
    if text.eq_ignore_ascii_case(CORE) {
        Some(core)
    } else if text.eq_ignore_ascii_case(ENTERPRISE) {
        Some(urn::ENTERPRISE_USER)
    } else {
        None
    }
}

/// Whether an object names a schema of SCIM 1.1, in `schemas` or as a key.
pub(crate) fn is_old(doc: &Doc<'_>, object: Node) -> bool {
    doc.get(object, name::SCHEMAS)
        .is_some_and(|schemas| doc.children(schemas).chain([schemas]).any(|node| is_old_urn(doc, node)))
}

fn is_old_urn(doc: &Doc<'_>, node: Node) -> bool {
    doc.string(node).is_some_and(|text| modern(&text, urn::USER).is_some())
}

/// Whether a key is the one of the enterprise extension in SCIM 1.1, or is qualified by a schema of it.
pub(crate) fn is_old_key(key: &str) -> bool {
    key.eq_ignore_ascii_case(ENTERPRISE) || [CORE, ENTERPRISE].iter().any(|schema| behind(key, schema).is_some())
}

/// The attribute in a key that is qualified by a schema.
fn behind<'k>(key: &'k str, schema: &str) -> Option<&'k str> {
    let start = key.get(..schema.len())?;
    if start.eq_ignore_ascii_case(schema) { key[schema.len()..].strip_prefix(':') } else { None }
}

/// Translates the URNs in `schemas`; `core` is what the core one becomes here. One that is listed already goes.
pub(crate) fn schemas(cx: &mut Cx<'_>, doc: &mut Doc<'_>, object: Node, core: &'static str) {
    let Some(schemas) = doc.get(object, name::SCHEMAS) else { return };
    let nodes: Vec<Node> = doc.children(schemas).chain([schemas]).collect();
    let keeps_extension = kept_extension(doc, object);
    let lists = |urn: &str| {
        doc.children(schemas).any(|node| doc.string(node).is_some_and(|text| text.eq_ignore_ascii_case(urn)))
    };
    let mut listed: Vec<&str> = [core, urn::ENTERPRISE_USER].into_iter().filter(|urn| lists(urn)).collect();
    for node in nodes {
        let Some(new) = doc.string(node).and_then(|text| modern(&text, core)) else { continue };
        let is_kept = keeps_extension && new == urn::ENTERPRISE_USER;
        if is_kept || !cx.may(Id::Scim11Translate, || doc.pointer(node)) {
            continue;
        }
        if listed.contains(&new) {
            doc.remove(node);
        } else {
            doc.set_string(node, new);
            listed.push(new);
        }
    }
}

/// Whether the old extension cannot take its new name: the new one is there too, or the key is there twice.
fn kept_extension(doc: &Doc<'_>, object: Node) -> bool {
    doc.find(object, ENTERPRISE)
        .is_some_and(|old| doc.collides(old) || doc.find(object, urn::ENTERPRISE_USER).is_some())
}

/// Translates a resource: `schemas`, the key of the enterprise extension, the manager's id, `meta.resourceType`.
#[cold]
pub(crate) fn resource(cx: &mut Cx<'_>, doc: &mut Doc<'_>, resource: Node, kind: &ResourceType) {
    let core = if *kind.urn == *urn::GROUP { urn::GROUP } else { urn::USER };
    schemas(cx, doc, resource, core);
    if let Some(extension) = doc.find(resource, ENTERPRISE)
        && !kept_extension(doc, resource)
        && cx.may(Id::Scim11Translate, || doc.pointer(extension))
    {
        doc.rename(extension, urn::ENTERPRISE_USER, name::ENTERPRISE_USER);
    }
    flat_keys(cx, doc, resource, core);
    let manager = doc.get(resource, name::ENTERPRISE_USER).and_then(|extension| doc.get(extension, name::MANAGER));
    if let Some(manager) = manager {
        manager_id(cx, doc, manager);
    }
    if let Some(meta) = doc.get(resource, name::META)
        && doc.kind(meta) == Kind::Object
        && doc.find(meta, "resourceType").is_none()
        && cx.may(Id::Scim11Translate, || format!("{}/resourceType", doc.pointer(meta)))
    {
        let kind = doc.text(&kind.name);
        let kind = doc.keyed(kind, "resourceType", name::RESOURCE_TYPE);
        doc.push(meta, kind);
    }
}

/// Translates the schema in fully qualified keys; `ext-flat-key` takes them from there.
fn flat_keys(cx: &mut Cx<'_>, doc: &mut Doc<'_>, resource: Node, core: &str) {
    let is_qualified = |member: &Node| doc.name(*member) == 0 && urn::is_urn(&doc.key(*member));
    let members: Vec<Node> = doc.children(resource).filter(is_qualified).take(MOST + 1).collect();
    if members.len() > MOST {
        return;
    }
    for member in members {
        let key = doc.key(member);
        let Some((new, attr)) = [(CORE, core), (ENTERPRISE, urn::ENTERPRISE_USER)]
            .into_iter()
            .find_map(|(old, new)| behind(&key, old).map(|attr| (new, attr)))
        else {
            continue;
        };
        let is_manager = new == urn::ENTERPRISE_USER && attr.eq_ignore_ascii_case("manager");
        let key = format!("{new}:{attr}");
        if doc.collides(member) || password_echo::is_password(doc, member) || doc.find(resource, &key).is_some() {
            continue;
        }
        if cx.may(Id::Scim11Translate, || doc.pointer(member)) {
            doc.spell(member, &key, 0, false);
            if is_manager {
                manager_id(cx, doc, member);
            }
        }
    }
}

fn manager_id(cx: &mut Cx<'_>, doc: &mut Doc<'_>, manager: Node) {
    if let Some(id) = doc.get(manager, name::MANAGER_ID)
        && doc.get(manager, name::VALUE).is_none()
        && cx.may(Id::Scim11Translate, || doc.pointer(id))
    {
        doc.rename(id, "value", name::VALUE);
    }
}

/// Whether an object without `id` tells by its members that it is the resource and not another answer: the core
/// schema of SCIM 1.1 is also that of lists and errors.
pub(crate) fn tells_its_kind(doc: &Doc<'_>, object: Node, kind: &ResourceType) -> bool {
    doc.children(object).any(|member| match doc.name(member) {
        name::SCHEMAS | name::META => false,
        0 => behind(&doc.key(member), CORE).is_some_and(|attr| kind.attrs.find(attr).is_some()),
        number => kind.attrs.get(number).is_some(),
    })
}
