//! Empty lists in a resource to create.

use crate::{
    json::{Doc, Kind, Node},
    quirk::{Cx, Id, quirk},
    scim::{ResourceType, name},
};

quirk! {
    /// An empty list for an attribute in a create request.
    ///
    /// Entra creates users with `"roles":[]`, Okta groups with `"members":[]`, authentik users with `"photos":[]`. An empty
    /// list is the same state as no attribute (RFC 7643 2.5). Handlers that refuse attributes which they do not have answer
    /// 400 to one that holds nothing.
    ///
    /// Opt-in, because what is left out may be defaulted by the app. When fixed, empty lists are dropped from POST bodies at
    /// the top level and in known extensions; `schemas` stays, and so does `active`, which some apps take for false if it
    /// holds nothing and for true if it is absent. A PUT keeps them: there empty and absent differ.
    ///
    /// ```scim
    /// # enable: empty-attr
    /// POST /Users
    /// Content-Type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"jyoung","roles":[],"photos":[]}
    /// ```
    /// ```scim
    /// POST /Users
    /// Content-Type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"jyoung"}
    /// ```
    pub static EMPTY_ATTR = {
        id: "empty-attr",
        direction: Request,
        risk: OptIn,
        rfc: "RFC 7643 2.5",
        seen_in: &[Entra, Okta, Authentik],
        sources: "goauthentik/authentik#5640, scimmyjs/scimmy#17",
    };
}

/// Drops the empty lists of a resource and of its known extensions.
pub(crate) fn drop(doc: &mut Doc<'_>, cx: &mut Cx<'_>, resource: Node, kind: &ResourceType) {
    let extension = |doc: &Doc<'_>, member| {
        doc.kind(member) == Kind::Object && kind.attrs.get(doc.name(member)).is_some_and(|attr| attr.extension)
    };
    let extensions: Vec<Node> = doc.children(resource).filter(|&member| extension(doc, member)).collect();
    for object in [resource].into_iter().chain(extensions) {
        let mut next = doc.first(object);
        while let Some(member) = next {
            next = doc.next(member);
            if doc.kind(member) == Kind::Array
                && doc.is_empty(member)
                && !matches!(doc.name(member), name::SCHEMAS | name::ACTIVE)
                && cx.may(Id::EmptyAttr, || doc.pointer(member))
            {
                doc.remove(member);
            }
        }
    }
}
