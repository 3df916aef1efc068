//! Nulls in the elements of a list.

use crate::{
    json::{Doc, Kind, Node},
    quirk::{Cx, Id, quirk},
};

quirk! {
    /// `null` for a sub-attribute in an element of a list.
    ///
    /// Entra sends every member as `{"$ref":null,"value":"..."}`, Okta puts groups with `"display":null`, addresses come
    /// with a null for each part that is not known. Handlers that validate types answer 400.
    ///
    /// The member of the object is dropped, in every method: elements are written whole, so null and absent are the same
    /// there (RFC 7643 2.4, 2.5). An element that would become empty stays. Nulls elsewhere are another matter: see
    /// `null-attr` and `patch-null-clear`.
    ///
    /// ```scim
    /// PATCH /Groups/9
    /// Content-Type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
    ///  "Operations":[{"op":"add","path":"members","value":[{"$ref":null,"value":"2819"}]}]}
    /// ```
    /// ```scim
    /// PATCH /Groups/9
    /// Content-Type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
    ///  "Operations":[{"op":"add","path":"members","value":[{"value":"2819"}]}]}
    /// ```
    pub static NULL_SUBATTR = {
        id: "null-subattr",
        direction: Request,
        risk: Safe,
        rfc: "RFC 7643 2.4, 2.5",
        seen_in: &[Entra, Okta],
        sources: "scimmyjs/scimmy#34, jelhub/scimgateway#95, different-ai/openwork#4691",
    };
}

/// Drops the null members of an element that has others.
pub(super) fn drop(doc: &mut Doc<'_>, cx: &mut Cx<'_>, element: Node) {
    let mut nulls = false;
    let mut others = false;
    for member in doc.children(element) {
        match doc.kind(member) {
            Kind::Null => nulls = true,
            _ => others = true,
        }
    }
    if !(nulls && others) {
        return;
    }
    let mut next = doc.first(element);
    while let Some(member) = next {
        next = doc.next(member);
        if doc.kind(member) == Kind::Null && cx.may(Id::NullSubattr, || doc.pointer(member)) {
            doc.remove(member);
        }
    }
}
