//! An envelope that does not name its schema.

use super::{
    schemas_missing::{place, put},
    schemas_string,
};
use crate::{
    json::{Doc, Kind, Node},
    quirk::{Cx, Id, quirk},
    scim::{name, urn},
};

quirk! {
    /// A list whose envelope has no `schemas`, or a wrong one.
    ///
    /// Entra's validator and Okta's SPEC test ask for the URN of ListResponse, and SDKs choose their parser by it.
    ///
    /// An object that answers a query and has `Resources` or `totalResults` is a list; it gets the URN of ListResponse.
    /// One that names it beside others is left, one that has it as plain text is a matter of `schemas-string`. RFC 7644
    /// 3.4.2.
    ///
    /// ```scim
    /// 200 to GET /Users
    /// content-type: application/scim+json
    ///
    /// {"totalResults":0,"startIndex":1,"itemsPerPage":0,"Resources":[]}
    /// ```
    /// ```scim
    /// 200 to GET /Users
    /// content-type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],
    ///  "totalResults":0,"startIndex":1,"itemsPerPage":0,"Resources":[]}
    /// ```
    pub static LIST_SCHEMAS_MISSING = {
        id: "list-schemas-missing",
        direction: Response,
        risk: Safe,
        rfc: "RFC 7644 3.4.2",
        seen_in: &[Entra, Okta],
        sources: "sourcegraph/sourcegraph-public-snapshot#48355, 15five/django-scim2#159",
    };
}

/// Gives the envelope its URN.
pub(crate) fn fix(cx: &mut Cx<'_>, doc: &mut Doc<'_>, list: Node) {
    let schemas = doc.get(list, name::SCHEMAS);
    if schemas.is_none() && doc.find(list, "schemas").is_some() {
        return; // two spellings of it
    }
    let has_items = |list| doc.children(list).any(|item| doc.kind(item) == Kind::Object);
    if schemas.is_some_and(|schemas| doc.collides(schemas) && has_items(schemas)) {
        return; // what `discovery-key` has left
    }
    match schemas {
        Some(schemas) if names(doc, list, name::SCHEMAS, urn::LIST_RESPONSE) => {
            if doc.kind(schemas) == Kind::String {
                schemas_string::fix(cx, doc, schemas);
            }
        }
        _ => {
            if cx.may(Id::ListSchemasMissing, || place(doc, list)) {
                put(doc, list, &[urn::LIST_RESPONSE]);
            }
        }
    }
}

/// Whether a member of an object is a URN, or a list with it, in any letter case.
pub(crate) fn names(doc: &Doc<'_>, object: Node, member: u16, urn: &str) -> bool {
    doc.get(object, member).is_some_and(|schemas| {
        let is_it = |node| doc.string(node).is_some_and(|text| text.eq_ignore_ascii_case(urn));
        match doc.kind(schemas) {
            Kind::String => is_it(schemas),
            Kind::Array => doc.children(schemas).any(is_it),
            _ => false,
        }
    })
}
