//! Attributes that no schema has.

use crate::{
    json::{Doc, Node},
    quirk::{Cx, Id, quirk},
    scim::{ResourceType, urn},
};

quirk! {
    /// An attribute that no schema knows, in a resource to create or to replace.
    ///
    /// Attribute mappings are typed by people: `adreses`, `userame`, or a name that means something to another app. Strict
    /// handlers answer 400, and one slip in one mapping keeps every user out.
    ///
    /// Opt-in, because what is dropped is not stored. When fixed, members at the top of a POST or PUT body go that are
    /// neither in RFC 7643 nor declared in `normalize.schemas`. Extensions (keys that are URNs) stay. An app that stores
    /// attributes of its own at the top must have them declared first. RFC 7643 2.1, 7.
    ///
    /// ```scim
    /// # enable: attr-unknown
    /// PUT /Users/2819
    /// Content-Type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"jyoung","adreses":[{"country":"DE"}]}
    /// ```
    /// ```scim
    /// PUT /Users/2819
    /// Content-Type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"jyoung"}
    /// ```
    pub static ATTR_UNKNOWN = {
        id: "attr-unknown",
        direction: Request,
        risk: OptIn,
        rfc: "RFC 7643 7",
        seen_in: &[Entra],
        sources: "scimmyjs/scimmy#41, better-auth/better-auth#10620, AzureAD/SCIMReferenceCode PostmanCollection.json",
    };
}

/// Drops them from the top of a resource.
pub(crate) fn drop(doc: &mut Doc<'_>, cx: &mut Cx<'_>, resource: Node, kind: &ResourceType) {
    let mut next = doc.first(resource);
    while let Some(member) = next {
        next = doc.next(member);
        let known = kind.attrs.get(doc.name(member)).is_some() || doc.collides(member) || urn::is_urn(&doc.key(member));
        if !known && cx.may(Id::AttrUnknown, || doc.pointer(member)) {
            doc.remove(member);
        }
    }
}
