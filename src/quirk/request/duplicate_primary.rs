//! More than one primary value.

use crate::{
    json::{Doc, Kind, Node},
    quirk::{Cx, Id, quirk},
    scim::name,
};

quirk! {
    /// Two elements of a list with `primary: true`.
    ///
    /// PingOne sends the same address twice, as work and as home, both primary. The RFC allows one (7643 2.4); handlers
    /// answer 400 or keep whichever they like.
    ///
    /// Opt-in, because it is a guess which one was meant: the first stays primary, later ones become `false`.
    ///
    /// ```scim
    /// # enable: duplicate-primary
    /// PUT /Users/2819
    /// Content-Type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"p2","emails":[
    ///  {"type":"home","value":"h@example.com","primary":true},{"type":"work","value":"w@example.com","primary":true}]}
    /// ```
    /// ```scim
    /// PUT /Users/2819
    /// Content-Type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"p2","emails":[
    ///  {"type":"home","value":"h@example.com","primary":true},{"type":"work","value":"w@example.com","primary":false}]}
    /// ```
    pub static DUPLICATE_PRIMARY = {
        id: "duplicate-primary",
        direction: Request,
        risk: OptIn,
        rfc: "RFC 7643 2.4",
        seen_in: &[Ping],
        sources: "docs.pingidentity.com p1_scim_provisioning_limitations",
    };
}

/// Lets the first primary element stay, in a list whose booleans are settled.
pub(super) fn later_ones(doc: &mut Doc<'_>, cx: &mut Cx<'_>, list: Node) {
    let mut found = false;
    let mut next = doc.first(list);
    while let Some(element) = next {
        next = doc.next(element);
        if doc.kind(element) != Kind::Object {
            continue;
        }
        let Some(primary) = doc.get(element, name::PRIMARY).filter(|&primary| doc.kind(primary) == Kind::True) else {
            continue;
        };
        if found && cx.may(Id::DuplicatePrimary, || doc.pointer(primary)) {
            doc.set(primary, "false");
        }
        found = true;
    }
}
