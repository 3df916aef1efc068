//! Nulls in resources.

use crate::{
    json::{Doc, Kind, Node},
    quirk::{Cx, Id, quirk},
    scim::ResourceType,
};

quirk! {
    /// `null` for attributes that have no value.
    ///
    /// Handlers that print a row of their table send `"title":null`. To the RFC it is the same as no attribute (RFC 7643
    /// 2.5); Entra's tutorial asks not to send it, and clients that take a known name for a value show or store "null".
    ///
    /// Opt-in, because a client may read null as "known to be empty". When fixed, nulls are dropped at the top of a resource,
    /// in its known extensions and in complex attributes, single or in a list. `id`, `schemas`, `meta` and `active` are never
    /// touched, nor what no schema knows, nor a null beside the same name in another letter case.
    ///
    /// ```scim
    /// # enable: resource-null
    /// 200 to GET /Users/2819
    /// content-type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"id":"2819","userName":"jyoung","title":null,
    ///  "name":{"familyName":"Young","middleName":null},"emails":[{"value":"j@example.com","display":null}],
    ///  "meta":{"resourceType":"User"}}
    /// ```
    /// ```scim
    /// 200 to GET /Users/2819
    /// content-type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"id":"2819","userName":"jyoung",
    ///  "name":{"familyName":"Young"},"emails":[{"value":"j@example.com"}],"meta":{"resourceType":"User"}}
    /// ```
    pub static RESOURCE_NULL = {
        id: "resource-null",
        direction: Response,
        risk: OptIn,
        rfc: "RFC 7643 2.5",
        seen_in: &[Entra],
        sources: "learn.microsoft.com use-scim-to-provision-users-and-groups, understand your app's SCIM implementation",
    };
}

/// Drops the nulls of a resource.
pub(super) fn drop(cx: &mut Cx<'_>, doc: &mut Doc<'_>, resource: Node, kind: &ResourceType) {
    use crate::scim::name::{ACTIVE, ID, META, SCHEMAS};
    let mut next = doc.first(resource);
    while let Some(member) = next {
        next = doc.next(member);
        let number = doc.name(member);
        let Some(attr) = kind.attrs.get(number) else { continue };
        match doc.kind(member) {
            Kind::Null if ![ACTIVE, ID, META, SCHEMAS].contains(&number) => one(cx, doc, member),
            Kind::Object if number != META => within(cx, doc, member, &attr.sub),
            Kind::Array => {
                let items: Vec<Node> = doc.children(member).filter(|&item| doc.kind(item) == Kind::Object).collect();
                items.into_iter().for_each(|item| within(cx, doc, item, &attr.sub));
            }
            _ => {}
        }
    }
}

/// Drops those of a complex value, at any depth that the schema knows.
fn within(cx: &mut Cx<'_>, doc: &mut Doc<'_>, object: Node, attrs: &crate::scim::Attrs) {
    let mut next = doc.first(object);
    while let Some(member) = next {
        next = doc.next(member);
        let Some(attr) = attrs.get(doc.name(member)) else { continue };
        match doc.kind(member) {
            Kind::Null => one(cx, doc, member),
            Kind::Object => within(cx, doc, member, &attr.sub),
            _ => {}
        }
    }
}

fn one(cx: &mut Cx<'_>, doc: &mut Doc<'_>, member: Node) {
    // Beside the same name in another letter case it says which of the two is read.
    if !doc.collides(member) && cx.may(Id::ResourceNull, || doc.pointer(member)) {
        doc.remove(member);
    }
}
