//! The name of a member.

use crate::{
    json::{Doc, Node},
    quirk::{Cx, Id, quirk},
    scim::name,
};

quirk! {
    /// `displayName` of a group's member, where the standard says `display`.
    ///
    /// Microsoft's own test collection adds members as `{"displayName":"Jo Young","value":"2819"}`. Handlers drop the name,
    /// or answer 400 to the unknown sub-attribute.
    ///
    /// Opt-in, because nothing shows that Entra itself sends it, and an app may read the name where it is. When fixed, it is
    /// renamed to `display`, where there is no `display`. The twin for roles is `roles-displayname`. RFC 7643 2.4, 4.2.
    ///
    /// ```scim
    /// # enable: members-displayname
    /// PATCH /Groups/9
    /// Content-Type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
    ///  "Operations":[{"op":"add","path":"members","value":[{"displayName":"Jo Young","value":"2819"}]}]}
    /// ```
    /// ```scim
    /// PATCH /Groups/9
    /// Content-Type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
    ///  "Operations":[{"op":"add","path":"members","value":[{"display":"Jo Young","value":"2819"}]}]}
    /// ```
    pub static MEMBERS_DISPLAYNAME = {
        id: "members-displayname",
        direction: Request,
        risk: OptIn,
        rfc: "RFC 7643 2.4, 4.2",
        seen_in: &[Entra],
        sources: "AzureAD/SCIMReferenceCode PostmanCollection.json",
    };
}

/// Renames `displayName` to `display`.
pub(super) fn rename(doc: &mut Doc<'_>, cx: &mut Cx<'_>, element: Node) {
    let Some(named) = doc.get(element, name::DISPLAY_NAME) else { return };
    if doc.get(element, name::DISPLAY).is_none() && cx.may(Id::MembersDisplayname, || doc.pointer(named)) {
        doc.rename(named, "display", name::DISPLAY);
    }
}
