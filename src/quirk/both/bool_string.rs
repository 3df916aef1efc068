//! A boolean written as a string.

use crate::{
    json::{Doc, Node},
    quirk::{Cx, Id, quirk},
};

quirk! {
    /// `"True"` or `"False"` in quotes where a boolean belongs.
    ///
    /// Microsoft Entra sends `active` as the string `"False"` unless its `aadOptscim062020` flag is set: as the value of
    /// an operation, inside a value without path, and in create requests; `primary` comes in the same way. Strict
    /// handlers answer 400. Careless ones are worse: in many languages the string `"False"` is true, and the account
    /// stays active after its owner has left. Apps that stored the string send it back, and IdPs trip over it.
    ///
    /// `true` and `false` in any letter case become the JSON boolean, for attributes whose type is known: `active`,
    /// `primary`, and what is declared under `normalize.schemas`. In answers `"1"` and `"0"` are read as booleans too.
    /// Any other word stays as it is: guessing could reactivate somebody. RFC 7643 2.3.2.
    ///
    /// ```scim
    /// PATCH /Users/2819
    /// Content-Type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
    ///  "Operations":[{"op":"replace","path":"active","value":"False"}]}
    /// ```
    /// ```scim
    /// PATCH /Users/2819
    /// Content-Type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
    ///  "Operations":[{"op":"replace","path":"active","value":false}]}
    /// ```
    pub static BOOL_STRING = {
        id: "bool-string",
        direction: Both,
        risk: Safe,
        rfc: "RFC 7643 2.3.2, 2.4, 4.1.1",
        seen_in: &[Entra],
        sources: "AzureAD/SCIMReferenceCode#21, zitadel/zitadel#8140, bytebase/bytebase#19073, \
                  Captain-P-Goldfish/scim-for-keycloak#87, grokability/snipe-it#13948",
    };
}

/// Makes the word a literal.
pub(crate) fn literal(doc: &mut Doc<'_>, cx: &mut Cx<'_>, node: Node) {
    let Some(text) = doc.string(node) else { return };
    let literal = if text.eq_ignore_ascii_case("true") {
        "true"
    } else if text.eq_ignore_ascii_case("false") {
        "false"
    } else {
        return;
    };
    if cx.may(Id::BoolString, || doc.pointer(node)) {
        doc.set(node, literal);
    }
}
