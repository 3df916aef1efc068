//! Nulls in a resource to create.

use crate::{
    json::{Doc, Kind, Node},
    quirk::{Cx, Id, quirk},
    scim::{Attrs, name},
};

quirk! {
    /// `null` for attributes in a create request.
    ///
    /// Entra's documented sample creates a user with `"addresses":null` and `"title":null`. The RFC allows it: null is how
    /// a client overrides a default of the server (RFC 7644 3.3). Handlers that validate types answer 400.
    ///
    /// Opt-in, because what is left out may be defaulted by the app. When fixed, nulls are dropped from POST bodies: at the
    /// top level whatever the name, in known extensions, and in single-valued complex attributes such as `name`.
    /// `active` is never touched, and a PUT keeps its nulls: there null and absent differ.
    ///
    /// ```scim
    /// # enable: null-attr
    /// POST /Users
    /// Content-Type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"jyoung","addresses":null,
    ///  "name":{"familyName":"Young","honorificPrefix":null},"active":null}
    /// ```
    /// ```scim
    /// POST /Users
    /// Content-Type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"jyoung",
    ///  "name":{"familyName":"Young"},"active":null}
    /// ```
    pub static NULL_ATTR = {
        id: "null-attr",
        direction: Request,
        risk: OptIn,
        rfc: "RFC 7644 3.3",
        seen_in: &[Entra],
        sources: "learn.microsoft.com use-scim-to-provision-users-and-groups, example 2",
    };
}

/// Drops the nulls of a resource, its known extensions and single-valued complex attributes.
pub(crate) fn drop(doc: &mut Doc<'_>, cx: &mut Cx<'_>, resource: Node, attrs: &Attrs) {
    let mut next = doc.first(resource);
    while let Some(member) = next {
        next = doc.next(member);
        match doc.kind(member) {
            Kind::Null if doc.name(member) != name::ACTIVE && cx.may(Id::NullAttr, || doc.pointer(member)) => {
                doc.remove(member);
            }
            Kind::Object => {
                if let Some(attr) = attrs.get(doc.name(member)).filter(|attr| attr.is_single_complex()) {
                    drop(doc, cx, member, &attr.sub);
                }
            }
            _ => {}
        }
    }
}
