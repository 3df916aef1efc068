//! An Error without words.

use http::StatusCode;

use crate::{
    json::{Doc, Kind, Node},
    quirk::{Cx, Id, quirk},
    scim::name,
};

quirk! {
    /// An Error without `detail`.
    ///
    /// It is optional (RFC 7644 3.12), but Okta's SPEC test wants it non-empty on 401 and 404.
    ///
    /// In the profile `okta`, the reason phrase is put in where `detail` is absent or null. A `detail` that is there is
    /// never changed.
    ///
    /// ```scim
    /// # idp: okta
    /// 404 to GET /Users/2819
    /// content-type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"404"}
    /// ```
    /// ```scim
    /// 404 to GET /Users/2819
    /// content-type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"404","detail":"Not Found"}
    /// ```
    pub static ERROR_DETAIL_MISSING = {
        id: "error-detail-missing",
        direction: Response,
        risk: Inferred,
        rfc: "RFC 7644 3.12",
        seen_in: &[Okta],
        sources: "https://developer.okta.com/docs/guides/scim-provisioning-integration-test/main/",
    };
}

/// Gives an Error without `detail` the reason phrase.
pub(crate) fn fix(cx: &mut Cx<'_>, doc: &mut Doc<'_>, error: Node, http: StatusCode) {
    let detail = doc.get(error, name::DETAIL);
    let is_missing = match detail {
        Some(node) => doc.kind(node) == Kind::Null,
        None => doc.find(error, "detail").is_none(),
    };
    if !is_missing || !cx.may(Id::ErrorDetailMissing, || format!("{}/detail", doc.pointer(error))) {
        return;
    }
    let reason = reason(http);
    match detail {
        Some(null) => doc.set_string(null, reason),
        None => {
            let detail = doc.text(reason);
            let detail = doc.keyed(detail, "detail", name::DETAIL);
            doc.push(error, detail);
        }
    }
}

/// The registered reason phrase; for a status without one that of its class (RFC 9110 15).
pub(crate) fn reason(http: StatusCode) -> &'static str {
    let class = if http.is_server_error() { "Internal Server Error" } else { "Bad Request" };
    http.canonical_reason().unwrap_or(class)
}
