//! Users without a name.

use crate::{
    json::{Doc, Kind, Node},
    quirk::{Cx, Id, quirk},
    scim::{ResourceType, name, urn},
};

quirk! {
    /// A user to create or to replace without `userName`.
    ///
    /// It is required (RFC 7643 4.1.1). Handlers that do not look store an empty name: no look-up finds such a user again, so
    /// that each cycle creates one more, and the second is a duplicate of the first.
    ///
    /// Opt-in, because there are apps that know people by their mail alone. When fixed, such a POST or PUT is answered 400 and
    /// does not reach the app. A name that is null, an empty string or blank counts as none.
    ///
    /// ```scim
    /// POST /Users
    /// Content-Type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"displayName":"Jo Young","active":true}
    /// ```
    /// ```scim
    /// unchanged
    /// ```
    pub static USERNAME_MISSING = {
        id: "username-missing",
        direction: Request,
        risk: OptIn,
        rfc: "RFC 7643 4.1.1",
        seen_in: &[Entra],
        sources: "AzureAD/SCIMReferenceCode PostmanCollection.json",
    };
}

/// Whether a resource is to be refused.
pub(crate) fn refuses(doc: &Doc<'_>, cx: &mut Cx<'_>, resource: Node, kind: &ResourceType) -> bool {
    *kind.urn == *urn::USER && is_missing(doc, resource) && cx.may(Id::UsernameMissing, || "/userName".to_owned())
}

fn is_missing(doc: &Doc<'_>, resource: Node) -> bool {
    match doc.get(resource, name::USER_NAME) {
        // Under two spellings it is there, and which one counts is the app's affair.
        None => doc.find(resource, "userName").is_none(),
        Some(member) => match doc.kind(member) {
            Kind::Null => true,
            Kind::String => doc.string(member).is_some_and(|text| text.trim().is_empty()),
            _ => false,
        },
    }
}
