//! `schemas` as one text.

use crate::{
    json::{Doc, Node},
    quirk::{Cx, Id, quirk},
};

quirk! {
    /// `schemas` as one string instead of an array.
    ///
    /// It is a list also where it has one member (RFC 7643 3). scim2-client and other strict clients refuse anything
    /// else.
    ///
    /// The string becomes the only element of an array, in resources, lists and errors. Its text is not changed.
    ///
    /// ```scim
    /// 200 to GET /Users/2819
    /// content-type: application/scim+json
    ///
    /// {"schemas":"urn:ietf:params:scim:schemas:core:2.0:User","id":"2819",
    ///  "userName":"ada@example.com","meta":{"resourceType":"User"}}
    /// ```
    /// ```scim
    /// 200 to GET /Users/2819
    /// content-type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"id":"2819",
    ///  "userName":"ada@example.com","meta":{"resourceType":"User"}}
    /// ```
    pub static SCHEMAS_STRING = {
        id: "schemas-string",
        direction: Response,
        risk: Safe,
        rfc: "RFC 7643 3",
        sources: "https://pypi.org/project/scim2-client/",
    };
}

/// Puts `schemas` that is one text into an array; whether it is one now.
#[cold]
pub(crate) fn fix(cx: &mut Cx<'_>, doc: &mut Doc<'_>, schemas: Node) -> bool {
    let may = cx.may(Id::SchemasString, || doc.pointer(schemas));
    if may {
        doc.wrap_in_array(schemas);
    }
    may
}
