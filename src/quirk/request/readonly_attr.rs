//! What a client sends of attributes that only the app sets.

use crate::{
    json::{Doc, Node},
    quirk::{Cx, Id, quirk},
    scim::{ResourceType, name, urn},
};

quirk! {
    /// `meta` or a user's `groups` in a resource to create or to replace.
    ///
    /// Entra sends `"meta":{"resourceType":"User"}` with every create, Okta `"groups":[]`. Both are read-only: what a client
    /// sends of them shall be ignored (RFC 7643 3.1, 4.1.2, RFC 7644 3.3, 3.5.1). Handlers that know a list of attributes
    /// and nothing else answer 400.
    ///
    /// Opt-in, because it is legal, and some handlers count on `meta`. When fixed, the two are dropped from POST and PUT.
    /// `id` stays: handlers compare it with the path.
    ///
    /// ```scim
    /// # enable: readonly-attr
    /// POST /Users
    /// Content-Type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"jyoung","groups":[],
    ///  "meta":{"resourceType":"User"}}
    /// ```
    /// ```scim
    /// POST /Users
    /// Content-Type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"jyoung"}
    /// ```
    pub static READONLY_ATTR = {
        id: "readonly-attr",
        direction: Request,
        risk: OptIn,
        rfc: "RFC 7643 3.1, 4.1.2",
        seen_in: &[Entra, Okta],
        sources: "scimmyjs/scimmy#41, scimmyjs/scimmy#17, better-auth/better-auth#10620",
    };
}

/// Drops them from a resource.
pub(crate) fn drop(doc: &mut Doc<'_>, cx: &mut Cx<'_>, resource: Node, kind: &ResourceType) {
    let groups = (*kind.urn == *urn::USER).then_some(name::GROUPS);
    for number in [Some(name::META), groups].into_iter().flatten() {
        if let Some(member) = doc.get(resource, number)
            && cx.may(Id::ReadonlyAttr, || doc.pointer(member))
        {
            doc.remove(member);
        }
    }
}
