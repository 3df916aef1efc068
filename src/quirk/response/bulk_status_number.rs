//! Statuses of bulk operations as numbers.

use crate::{
    json::{Doc, Kind, Node},
    quirk::{Cx, Id, quirk},
    scim::name,
};

quirk! {
    /// A bulk answer whose operations have their `status` as a number.
    ///
    /// It is a string in BulkResponse as it is in an Error (RFC 7644 3.7.3), and strict SDKs refuse the number.
    ///
    /// The number becomes its text, in each operation and in the Error inside it. Nothing else is looked at in a bulk
    /// answer but passwords (`password-echo`).
    ///
    /// ```scim
    /// 200 to POST /Bulk
    /// content-type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:api:messages:2.0:BulkResponse"],"Operations":[
    ///  {"method":"POST","bulkId":"b1","status":400,"response":{
    ///   "schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":400,"detail":"userName is missing"}}]}
    /// ```
    /// ```scim
    /// 200 to POST /Bulk
    /// content-type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:api:messages:2.0:BulkResponse"],"Operations":[
    ///  {"method":"POST","bulkId":"b1","status":"400","response":{
    ///   "schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"400","detail":"userName is missing"}}]}
    /// ```
    pub static BULK_STATUS_NUMBER = {
        id: "bulk-status-number",
        direction: Response,
        risk: Safe,
        rfc: "RFC 7644 3.7.3",
        sources: "wso2/product-is#3947",
    };
}

/// Writes the status of each operation, and of an error in it, as text.
pub(crate) fn fix(cx: &mut Cx<'_>, doc: &mut Doc<'_>, answer: Node) {
    let Some(operations) = doc.get(answer, name::OPERATIONS) else { return };
    let operations: Vec<Node> = doc.children(operations).filter(|&item| doc.kind(item) == Kind::Object).collect();
    for operation in operations {
        let inner = doc.get(operation, name::RESPONSE).filter(|&inner| doc.kind(inner) == Kind::Object);
        for holder in [Some(operation), inner].into_iter().flatten() {
            if let Some(status) = doc.get(holder, name::STATUS)
                && doc.kind(status) == Kind::Number
                && cx.may(Id::BulkStatusNumber, || doc.pointer(status))
            {
                let digits = doc.raw(status).to_owned();
                doc.set_string(status, &digits);
            }
        }
    }
}
