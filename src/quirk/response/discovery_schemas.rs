//! PAGE

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
    /// PAGE
    pub static SCHEMAS_RESOURCE_SCHEMAS_MISSING = {
        id: "schemas-resource-schemas-missing",
        direction: Response,
        risk: Safe,
        rfc: "RFC 7643 7",
    };

    /// PAGE
    pub static SCHEMAS_ENUM_CASE = {
        id: "schemas-enum-case",
        direction: Response,
        risk: Safe,
        rfc: "RFC 7643 7",
        seen_in: &[Entra],
    };

    /// PAGE
    pub static SCHEMAS_NULL = {
        id: "schemas-null",
        direction: Response,
        risk: Safe,
        rfc: "RFC 7643 2.5",
        seen_in: &[Entra],
    };

    /// PAGE
    pub static SCHEMAS_TYPE_WRONG = {
        id: "schemas-type-wrong",
        direction: Response,
        risk: OptIn,
        rfc: "RFC 7643 8.7.1",
    };
}

/// Repairs one schema definition.
pub(crate) fn fix(cx: &mut Cx<'_>, doc: &mut Doc<'_>, schema: Node, bases: Bases<'_>) {
    if doc.kind(schema) != Kind::Object {
        return;
    }
    let named = doc.get(schema, name::SCHEMAS);
    let collides = named.is_none() && doc.find(schema, "schemas").is_some();
    if is_blank(doc, named) && !collides {
        if cx.may(Id::SchemasResourceSchemasMissing, || place(doc, schema)) {
            put(doc, schema, &[urn::SCHEMA]);
        }
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
        match doc.kind(child) {
            Kind::Null => {
                if cx.may(Id::SchemasNull, || doc.pointer(child)) {
                    doc.remove(child);
                }
            }
            kind if kind.is_container() => without_nulls(cx, doc, child), // the parser has bounded the depth
            _ => {}
        }
    }
}
