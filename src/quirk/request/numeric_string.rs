//! A number written as a string.

use crate::{
    json::{Doc, Node, is_number},
    quirk::{Cx, Id, quirk},
    scim::Type,
};

quirk! {
    /// A number in quotes where the schema says integer or decimal.
    ///
    /// Identity providers keep attributes as text and send `"7"` for an integer. A strict handler answers 400.
    ///
    /// The text becomes the number, digit for digit. That needs a declared type: no integer or decimal attribute is in
    /// the schemas of RFC 7643, so declare yours under `normalize.schemas`. Text that is no JSON number of that type
    /// (`"007"`, `"7 "`, for an integer also `"7.0"`) stays, for the app to refuse. RFC 7643 2.3.3 and 2.3.4.
    ///
    /// ```scim
    /// # hint: urn:example:params:scim:schemas:hr:2.0:User:badgeLevel integer
    /// PATCH /Users/2819
    /// Content-Type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
    ///  "Operations":[{"op":"add","path":"urn:example:params:scim:schemas:hr:2.0:User:badgeLevel","value":"7"}]}
    /// ```
    /// ```scim
    /// PATCH /Users/2819
    /// Content-Type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
    ///  "Operations":[{"op":"add","path":"urn:example:params:scim:schemas:hr:2.0:User:badgeLevel","value":7}]}
    /// ```
    pub static NUMERIC_STRING = {
        id: "numeric-string",
        direction: Request,
        risk: Safe,
        rfc: "RFC 7643 2.3.3, 2.3.4",
    };
}

/// Takes the quotes off a number of the declared type.
pub(super) fn number(doc: &mut Doc<'_>, cx: &mut Cx<'_>, node: Node, kind: Type) {
    let Some(text) = doc.string(node) else { return };
    let fits = is_number(&text) && (kind == Type::Decimal || !text.contains(['.', 'e', 'E']));
    if fits {
        let text = text.into_owned();
        if cx.may(Id::NumericString, || doc.pointer(node)) {
            doc.set(node, &text);
        }
    }
}
