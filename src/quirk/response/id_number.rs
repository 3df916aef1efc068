//! Ids as numbers.

use crate::{
    json::{Doc, Node},
    quirk::{Cx, Id, quirk},
};

quirk! {
    /// `id` as a number, as databases have it.
    ///
    /// JumpCloud refuses a JSON integer as `id`, and JavaScript clients lose the last digits of one above 2^53: later
    /// requests then go to somebody else, or to nobody.
    ///
    /// An integer in `id`, `externalId`, and the `value` of `members` and `groups` becomes its text, digit for digit.
    /// Numbers with a fraction or an exponent are left and counted. Other string attributes are left. RFC 7643 2.2,
    /// 3.1.
    ///
    /// ```scim
    /// 200 to GET /Users/2819
    /// content-type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"id":9007199254740993,"externalId":42,
    ///  "userName":"ada@example.com","groups":[{"value":7}],"meta":{"resourceType":"User"}}
    /// ```
    /// ```scim
    /// 200 to GET /Users/2819
    /// content-type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"id":"9007199254740993","externalId":"42",
    ///  "userName":"ada@example.com","groups":[{"value":"7"}],"meta":{"resourceType":"User"}}
    /// ```
    pub static ID_NUMBER = {
        id: "id-number",
        direction: Response,
        risk: Safe,
        rfc: "RFC 7643 2.2, 3.1",
        seen_in: &[Jumpcloud],
        sources: "limosa-io/laravel-scim-server#40",
    };
}

/// Writes the number as text, digit for digit. Only for `id`, `externalId` and the `value` of `members` and `groups`.
#[cold]
pub(crate) fn fix(cx: &mut Cx<'_>, doc: &mut Doc<'_>, value: Node) {
    let digits = doc.raw(value).to_owned();
    if digits.bytes().any(|byte| matches!(byte, b'.' | b'e' | b'E')) {
        cx.report(Id::IdNumber, || doc.pointer(value));
    } else if cx.may(Id::IdNumber, || doc.pointer(value)) {
        doc.set_string(value, &digits);
    }
}
