//! Read-only attributes in the value of a PATCH.

use crate::{
    json::{Doc, Node},
    quirk::{Cx, Id, quirk},
    scim::name,
};

quirk! {
    /// `id` or `meta` in a PATCH value without path.
    ///
    /// Okta's group push repeats the group's `id` in the value whenever it renames one; authentik does the same. Handlers
    /// refuse a change of a read-only attribute with 400, and the push fails.
    ///
    /// An `id` that equals the one in the target is dropped; one that differs stays, because the app must see the conflict.
    /// `meta` is always dropped (RFC 7643 3.1: ignored). If nothing would remain, the value stays. POST and PUT keep both:
    /// there the RFC tells the app to ignore them.
    ///
    /// ```scim
    /// PATCH /Groups/c3
    /// Content-Type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
    ///  "Operations":[{"op":"replace","value":{"id":"c3","displayName":"Engineering"}}]}
    /// ```
    /// ```scim
    /// PATCH /Groups/c3
    /// Content-Type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
    ///  "Operations":[{"op":"replace","value":{"displayName":"Engineering"}}]}
    /// ```
    pub static READONLY_ID_IN_PATCH = {
        id: "readonly-id-in-patch",
        direction: Request,
        risk: Safe,
        rfc: "RFC 7643 3.1",
        seen_in: &[Okta, Authentik],
        sources: "okta-developer-docs scim-20, elimity-com/scim internal/patch/patch.go, goauthentik/authentik#16455",
    };
}

/// Drops the target's id and `meta`, if something remains.
pub(super) fn drop(doc: &mut Doc<'_>, cx: &mut Cx<'_>, value: Node, id: Option<&str>) {
    let read_only = |doc: &Doc<'_>, member: Node| match doc.name(member) {
        name::META => true,
        name::ID => id.is_some() && doc.string(member).as_deref() == id,
        _ => false,
    };
    if doc.children(value).all(|member| read_only(doc, member)) {
        return;
    }
    let mut next = doc.first(value);
    while let Some(member) = next {
        next = doc.next(member);
        if read_only(doc, member) && cx.may(Id::ReadonlyIdInPatch, || doc.pointer(member)) {
            doc.remove(member);
        }
    }
}
