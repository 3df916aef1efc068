//! Schema definitions that clients refuse.

use super::{
    location::{self, Bases},
    schemas_entra_unsupported,
    schemas_missing::{is_blank, place, put},
};
use crate::{
    json::{Doc, Kind, Node},
    quirk::{Cx, Id, quirk},
    scim::{Attrs, Type, name, urn},
};

quirk! {
    /// A schema definition without `schemas`.
    ///
    /// It is a resource like others (RFC 7643 7). A Keycloak plug-in and the SDK of suvera refuse the whole server
    /// without.
    ///
    /// The URN of Schema is put in, for each definition of `/Schemas`.
    ///
    /// ```scim
    /// 200 to GET /Schemas/urn:ietf:params:scim:schemas:core:2.0:User
    /// content-type: application/scim+json
    ///
    /// {"id":"urn:ietf:params:scim:schemas:core:2.0:User",
    ///  "attributes":[{"name":"userName","type":"string","mutability":"readWrite"}]}
    /// ```
    /// ```scim
    /// 200 to GET /Schemas/urn:ietf:params:scim:schemas:core:2.0:User
    /// content-type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:schemas:core:2.0:Schema"],"id":"urn:ietf:params:scim:schemas:core:2.0:User",
    ///  "attributes":[{"name":"userName","type":"string","mutability":"readWrite"}]}
    /// ```
    pub static SCHEMAS_RESOURCE_SCHEMAS_MISSING = {
        id: "schemas-resource-schemas-missing",
        direction: Response,
        risk: Safe,
        rfc: "RFC 7643 7",
        sources: "apache/directory-scimple#1012, suvera/scim2-sdk#7",
    };

    /// Characteristics in the spelling of Java constants: `READ_WRITE`, `STRING`.
    ///
    /// The words of RFC 7643 7 are `readWrite`, `string` and so on; Entra reads them exactly.
    ///
    /// `type`, `mutability`, `returned` and `uniqueness` of attributes and sub-attributes get the RFC's spelling, if
    /// they differ in letter case, `_` and `-` only. Other words, and other members, are left.
    ///
    /// ```scim
    /// 200 to GET /Schemas/urn:ietf:params:scim:schemas:core:2.0:User
    /// content-type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:schemas:core:2.0:Schema"],"id":"urn:ietf:params:scim:schemas:core:2.0:User",
    ///  "attributes":[{"name":"userName","type":"STRING","mutability":"READ_WRITE"}]}
    /// ```
    /// ```scim
    /// 200 to GET /Schemas/urn:ietf:params:scim:schemas:core:2.0:User
    /// content-type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:schemas:core:2.0:Schema"],"id":"urn:ietf:params:scim:schemas:core:2.0:User",
    ///  "attributes":[{"name":"userName","type":"string","mutability":"readWrite"}]}
    /// ```
    pub static SCHEMAS_ENUM_CASE = {
        id: "schemas-enum-case",
        direction: Response,
        risk: Safe,
        rfc: "RFC 7643 7",
        seen_in: &[Entra],
        sources: "wso2/product-is#21742",
    };

    /// Nulls in schema definitions.
    ///
    /// Null and absent are the same state (RFC 7643 2.5), but Entra asks for a `/Schemas` without nulls.
    ///
    /// They are removed there, at any depth, save one beside the same name in another letter case. Nowhere else are nulls
    /// removed from answers.
    ///
    /// ```scim
    /// 200 to GET /Schemas/urn:ietf:params:scim:schemas:core:2.0:User
    /// content-type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:schemas:core:2.0:Schema"],"id":"urn:ietf:params:scim:schemas:core:2.0:User",
    ///  "description":null,"attributes":[{"name":"userName","type":"string","mutability":"readWrite",
    ///  "subAttributes":null}]}
    /// ```
    /// ```scim
    /// 200 to GET /Schemas/urn:ietf:params:scim:schemas:core:2.0:User
    /// content-type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:schemas:core:2.0:Schema"],"id":"urn:ietf:params:scim:schemas:core:2.0:User",
    ///  "attributes":[{"name":"userName","type":"string","mutability":"readWrite"}]}
    /// ```
    pub static SCHEMAS_NULL = {
        id: "schemas-null",
        direction: Response,
        risk: Safe,
        rfc: "RFC 7643 2.5",
        seen_in: &[Entra],
        sources: "https://learn.microsoft.com/en-us/entra/identity/app-provisioning/use-scim-to-provision-users-and-groups",
    };

    /// A boolean attribute announced as a string.
    ///
    /// Clients that generate their requests from `/Schemas` then send `"active": "true"`, and so on with every value.
    ///
    /// With the switch on, `string` becomes `boolean` for attributes of the core schemas and the enterprise extension
    /// that are boolean by RFC 7643 8.7.1. Opt-in, because the app may really want the string.
    ///
    /// ```scim
    /// # enable: schemas-type-wrong
    /// 200 to GET /Schemas/urn:ietf:params:scim:schemas:core:2.0:User
    /// content-type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:schemas:core:2.0:Schema"],"id":"urn:ietf:params:scim:schemas:core:2.0:User",
    ///  "attributes":[{"name":"active","type":"string"}]}
    /// ```
    /// ```scim
    /// 200 to GET /Schemas/urn:ietf:params:scim:schemas:core:2.0:User
    /// content-type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:schemas:core:2.0:Schema"],"id":"urn:ietf:params:scim:schemas:core:2.0:User",
    ///  "attributes":[{"name":"active","type":"boolean"}]}
    /// ```
    pub static SCHEMAS_TYPE_WRONG = {
        id: "schemas-type-wrong",
        direction: Response,
        risk: OptIn,
        rfc: "RFC 7643 8.7.1",
        sources: "limosa-io/laravel-scim-server#114, wso2/product-is#13978",
    };
}

/// Repairs one schema definition.
pub(crate) fn fix(cx: &mut Cx<'_>, doc: &mut Doc<'_>, schema: Node, bases: Bases<'_>) {
    if doc.kind(schema) != Kind::Object {
        return;
    }
    let named = doc.get(schema, name::SCHEMAS);
    let collides = named.is_none() && doc.find(schema, "schemas").is_some();
    // The nulls of a list go below, so a list of nulls is empty.
    let is_blank = is_blank(doc, named) || named.is_some_and(|named| is_list_of_nulls(doc, named));
    if is_blank && !collides && cx.may(Id::SchemasResourceSchemasMissing, || place(doc, schema)) {
        put(doc, schema, &[urn::SCHEMA]);
    }
    let registry = cx.plan.registry();
    let id = doc.get(schema, name::ID).and_then(|id| doc.string(id).map(|text| text.into_owned()));
    let core = |urn: &str| id.as_deref().is_some_and(|id| id.eq_ignore_ascii_case(urn));
    let kind = [("Users", urn::USER), ("Groups", urn::GROUP)]
        .into_iter()
        .find(|(_, urn)| core(urn))
        .and_then(|(endpoint, _)| registry.resource_type(endpoint));
    let known = match kind {
        Some(kind) => Some(&kind.attrs),
        None if core(urn::ENTERPRISE_USER) => registry
            .resource_type("Users")
            .and_then(|user| user.attrs.get(name::ENTERPRISE_USER))
            .map(|extension| &extension.sub),
        None => None,
    };
    if let Some(attributes) = doc.get(schema, name::ATTRIBUTES) {
        if core(urn::USER) {
            schemas_entra_unsupported::fix(cx, doc, attributes);
        }
        definitions(cx, doc, attributes, known);
    }
    without_nulls(cx, doc, schema);
    meta_location(cx, doc, schema, bases);
}

fn is_list_of_nulls(doc: &Doc<'_>, list: Node) -> bool {
    doc.kind(list) == Kind::Array && doc.children(list).all(|item| doc.kind(item) == Kind::Null)
}

/// The app's own address in a discovery document; nothing else of `meta` is looked at there.
pub(crate) fn meta_location(cx: &mut Cx<'_>, doc: &mut Doc<'_>, document: Node, bases: Bases<'_>) {
    let meta = doc.get(document, name::META).filter(|&meta| doc.kind(meta) == Kind::Object);
    if let Some(location) = meta.and_then(|meta| doc.get(meta, name::LOCATION)) {
        location::fix_value(cx, doc, location, bases, true);
    }
}

fn definitions(cx: &mut Cx<'_>, doc: &mut Doc<'_>, list: Node, known: Option<&Attrs>) {
    if doc.kind(list) != Kind::Array {
        return;
    }
    let items: Vec<Node> = doc.children(list).filter(|&item| doc.kind(item) == Kind::Object).collect();
    for item in items {
        let named = doc.get(item, name::NAME).and_then(|name| doc.string(name).map(|text| text.into_owned()));
        let attr = known.and_then(|known| known.find(named.as_deref()?));
        for (characteristic, words) in CHARACTERISTICS {
            if let Some(value) = doc.get(item, characteristic) {
                word(cx, doc, value, words);
            }
        }
        if attr.is_some_and(|attr| attr.kind == Type::Boolean)
            && let Some(kind) = doc.get(item, name::TYPE)
            && doc.string(kind).is_some_and(|text| text.eq_ignore_ascii_case("string"))
            && cx.may(Id::SchemasTypeWrong, || doc.pointer(kind))
        {
            doc.set_string(kind, "boolean");
        }
        if let Some(inner) = doc.get(item, name::SUB_ATTRIBUTES) {
            definitions(cx, doc, inner, attr.map(|attr| &attr.sub)); // the parser has bounded the depth
        }
    }
}

/// The characteristics that have words of their own (RFC 7643 7).
const CHARACTERISTICS: [(u16, &[&str]); 4] = [
    (name::TYPE, &["string", "boolean", "decimal", "integer", "dateTime", "reference", "complex", "binary"]),
    (name::MUTABILITY, &["readOnly", "readWrite", "immutable", "writeOnly"]),
    (name::RETURNED, &["always", "never", "default", "request"]),
    (name::UNIQUENESS, &["none", "server", "global"]),
];

fn word(cx: &mut Cx<'_>, doc: &mut Doc<'_>, value: Node, words: &[&str]) {
    let Some(text) = doc.string(value) else { return };
    if words.contains(&&*text) {
        return;
    }
    let plain: String = text.chars().filter(|c| !matches!(c, '_' | '-')).collect();
    if let Some(word) = words.iter().find(|word| word.eq_ignore_ascii_case(&plain))
        && cx.may(Id::SchemasEnumCase, || doc.pointer(value))
    {
        doc.set_string(value, word);
    }
}

/// Takes out nulls at any depth.
fn without_nulls(cx: &mut Cx<'_>, doc: &mut Doc<'_>, container: Node) {
    let children: Vec<Node> = doc.children(container).collect();
    for child in children {
        let kind = doc.kind(child);
        if kind.is_container() {
            without_nulls(cx, doc, child); // the parser has bounded the depth
        } else if kind == Kind::Null && !doc.collides(child) && cx.may(Id::SchemasNull, || doc.pointer(child)) {
            doc.remove(child);
        }
    }
}
