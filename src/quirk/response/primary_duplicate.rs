//! Two primary values.

use crate::{
    json::{Doc, Node},
    quirk::{Cx, Id, quirk},
};

quirk! {
    /// Two values of one attribute are `primary`.
    ///
    /// At most one may be (RFC 7643 2.4). Which of them a client takes is up to it, and the mail may go to the wrong
    /// one.
    ///
    /// With the switch on, the first keeps `primary`, and the others become `false`. Opt-in, because it changes what
    /// the app says.
    ///
    /// ```scim
    /// # enable: primary-duplicate
    /// 200 to GET /Users/2819
    /// content-type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"id":"2819",
    ///  "userName":"ada@example.com","emails":[{"value":"a@example.com","primary":true},
    ///   {"value":"b@example.com","primary":true}],"meta":{"resourceType":"User"}}
    /// ```
    /// ```scim
    /// 200 to GET /Users/2819
    /// content-type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"id":"2819",
    ///  "userName":"ada@example.com","emails":[{"value":"a@example.com","primary":true},
    ///   {"value":"b@example.com","primary":false}],"meta":{"resourceType":"User"}}
    /// ```
    pub static PRIMARY_DUPLICATE = {
        id: "primary-duplicate",
        direction: Response,
        risk: OptIn,
        rfc: "RFC 7643 2.4",
        sources: "RFC 7643 2.4; no server is named",
    };
}

/// Leaves the first `primary` and takes it from another.
#[cold]
pub(crate) fn fix(cx: &mut Cx<'_>, doc: &mut Doc<'_>, primary: Node) {
    if cx.may(Id::PrimaryDuplicate, || doc.pointer(primary)) {
        doc.set(primary, "false");
    }
}
