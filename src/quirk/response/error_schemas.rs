//! An Error that does not name its schema.

use super::{
    list_schemas_missing::names,
    schemas_missing::{is_blank, place, put},
    schemas_string,
};
use crate::{
    json::{Doc, Kind, Node},
    quirk::{Cx, Id, quirk},
    scim::{name, urn},
};

quirk! {
    /// An Error without `schemas`.
    ///
    /// Okta's SPEC test and scim2-client want the URN of Error (RFC 7644 3.12).
    ///
    /// An error body that has `detail` or `scimType`, and nothing beside them but `status`, gets it. Any other object
    /// without it is the app's own envelope (`error-envelope-missing`).
    ///
    /// ```scim
    /// 404 to GET /Users/2819
    /// content-type: application/scim+json
    ///
    /// {"status":"404","detail":"no such user"}
    /// ```
    /// ```scim
    /// 404 to GET /Users/2819
    /// content-type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],
    ///  "status":"404","detail":"no such user"}
    /// ```
    pub static ERROR_SCHEMAS_MISSING = {
        id: "error-schemas-missing",
        direction: Response,
        risk: Safe,
        rfc: "RFC 7644 3.12",
        seen_in: &[Okta],
        sources: "getsentry/sentry#45484",
    };

    /// An Error that has `schema` in place of `schemas`.
    ///
    /// AWS IAM Identity Center answers so. Clients look for `schemas` (RFC 7644 3.12).
    ///
    /// The member gets its right name, if it holds the URN of Error. Other members stay.
    ///
    /// ```scim
    /// 404 to GET /Users/2819
    /// content-type: application/scim+json
    ///
    /// {"schema":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"404",
    ///  "detail":"no such user","requestId":"88d9c6f3"}
    /// ```
    /// ```scim
    /// 404 to GET /Users/2819
    /// content-type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"404",
    ///  "detail":"no such user","requestId":"88d9c6f3"}
    /// ```
    pub static ERROR_SCHEMA_KEY = {
        id: "error-schema-key",
        direction: Response,
        risk: Safe,
        rfc: "RFC 7644 3.12",
        seen_in: &[Okta],
        sources: "slashdevops/idp-scim-sync#30",
    };
}

/// Whether an object says that it is an Error: its URN in `schemas`, or in `schema`.
pub(crate) fn is_error(doc: &Doc<'_>, object: Node) -> bool {
    doc.kind(object) == Kind::Object
        && [name::SCHEMAS, name::SCHEMA].iter().any(|&member| names(doc, object, member, urn::ERROR))
}

/// Whether an error body without `schemas` is an Error all the same: `detail` or `scimType`, and nothing beside
/// `status`, `detail`, `scimType`.
pub(crate) fn is_error_without_schemas(doc: &Doc<'_>, object: Node) -> bool {
    let has = |member| doc.get(object, member).is_some_and(|node| doc.kind(node) == Kind::String);
    let is_text_or_null =
        |member| doc.get(object, member).is_none_or(|node| matches!(doc.kind(node), Kind::String | Kind::Null));
    is_blank(doc, doc.get(object, name::SCHEMAS))
        && (has(name::DETAIL) || has(name::SCIM_TYPE))
        && is_text_or_null(name::DETAIL)
        && is_text_or_null(name::SCIM_TYPE)
        && doc
            .children(object)
            .all(|member| matches!(doc.name(member), name::SCHEMAS | name::STATUS | name::DETAIL | name::SCIM_TYPE))
}

/// Gives an Error its `schemas`.
pub(crate) fn fix(cx: &mut Cx<'_>, doc: &mut Doc<'_>, error: Node) {
    if !names(doc, error, name::SCHEMAS, urn::ERROR) && names(doc, error, name::SCHEMA, urn::ERROR) {
        rename(cx, doc, error);
    } else if is_blank(doc, doc.get(error, name::SCHEMAS)) && cx.may(Id::ErrorSchemasMissing, || place(doc, error)) {
        put(doc, error, &[urn::ERROR]);
    }
    if let Some(schemas) = doc.get(error, name::SCHEMAS)
        && doc.kind(schemas) == Kind::String
        && names(doc, error, name::SCHEMAS, urn::ERROR)
    {
        schemas_string::fix(cx, doc, schemas);
    }
}

fn rename(cx: &mut Cx<'_>, doc: &mut Doc<'_>, error: Node) {
    let Some(schema) = doc.get(error, name::SCHEMA) else { return };
    let schemas = doc.get(error, name::SCHEMAS);
    let is_free = if schemas.is_some() { is_blank(doc, schemas) } else { doc.find(error, "schemas").is_none() };
    if !is_free {
        cx.report(Id::ErrorSchemaKey, || doc.pointer(schema));
    } else if cx.may(Id::ErrorSchemaKey, || doc.pointer(schema)) {
        if let Some(blank) = schemas {
            doc.remove(blank);
        }
        doc.rename(schema, "schemas", name::SCHEMAS);
    }
}
