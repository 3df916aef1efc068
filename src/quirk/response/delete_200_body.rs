//! A deletion answered 200.

use super::error_schemas::is_error;
use crate::{
    json::{Doc, Kind, Node},
    quirk::quirk,
};

quirk! {
    /// A deletion answered 200, with or without a body.
    ///
    /// Deleted is 204 (RFC 7644 3.6), and scim2-tester, suvera and Microsoft's collection of requests insist on it.
    ///
    /// It becomes 204, and the body is dropped, unless it tells of a failure: an object with a non-empty `error` or
    /// `errors`, with `success: false`, or an Error. Such an answer stays as it was sent, and so does one
    /// that is labelled JSON and is broken. One with a usable status
    /// inside is `error-200`.
    ///
    /// ```scim
    /// 200 to DELETE /Users/2819
    /// content-type: application/scim+json
    ///
    /// {"success":true}
    /// ```
    /// ```scim
    /// 204 to DELETE /Users/2819
    /// ```
    ///
    /// ```scim
    /// 200 to DELETE /Users/2819
    /// content-type: application/scim+json
    ///
    /// {"success":false,"message":"locked"}
    /// ```
    /// ```scim
    /// unchanged
    /// ```
    pub static DELETE_200_BODY = {
        id: "delete-200-body",
        direction: Response,
        risk: Safe,
        rfc: "RFC 7644 3.6",
        sources: "RFC 7644 3.6; no server is named",
    };
}

/// Whether the body of a 200 tells that the resource was not deleted.
pub(crate) fn tells_of_failure(doc: &Doc<'_>, body: Node) -> bool {
    if doc.kind(body) != Kind::Object {
        return false;
    }
    is_error(doc, body)
        || doc.children(body).any(|member| {
            let key = doc.key(member);
            let is = |name: &str| key.eq_ignore_ascii_case(name);
            if is("error") || is("errors") {
                match doc.kind(member) {
                    Kind::Array | Kind::Object => !doc.is_empty(member),
                    Kind::String => doc.raw(member) != "\"\"",
                    kind => !matches!(kind, Kind::Null | Kind::False),
                }
            } else {
                is("success")
                    && (doc.kind(member) == Kind::False
                        || doc.string(member).is_some_and(|text| text.eq_ignore_ascii_case("false")))
            }
        })
}
