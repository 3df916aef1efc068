//! A version that is a number.

use crate::{
    json::{Doc, Node},
    quirk::{Cx, Id, quirk},
};

quirk! {
    /// `meta.version` as a number.
    ///
    /// A version is text, the entity tag of the resource (RFC 7643 3.1). Clients that send it back in If-Match need it
    /// quoted.
    ///
    /// The number n becomes the weak tag `W/"n"`. A string is left, entity tag or not.
    ///
    /// ```scim
    /// 200 to GET /Users/2819
    /// content-type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"id":"2819",
    ///  "userName":"ada@example.com","meta":{"resourceType":"User","version":0}}
    /// ```
    /// ```scim
    /// 200 to GET /Users/2819
    /// content-type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"id":"2819",
    ///  "userName":"ada@example.com","meta":{"resourceType":"User","version":"W/\"0\""}}
    /// ```
    pub static VERSION_NUMBER = {
        id: "version-number",
        direction: Response,
        risk: Safe,
        rfc: "RFC 7643 3.1",
        sources: "simpleidserver/SimpleIdServer#825",
    };
}

/// Writes the number as a weak entity tag.
#[cold]
pub(crate) fn fix(cx: &mut Cx<'_>, doc: &mut Doc<'_>, value: Node) {
    let tag = format!("W/\"{}\"", doc.raw(value));
    if cx.may(Id::VersionNumber, || doc.pointer(value)) {
        doc.set_string(value, &tag);
    }
}
