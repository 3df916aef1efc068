//! A create that failed on a duplicate and does not say so.

use http::StatusCode;

use super::{error_status, schemas_missing::is_blank};
use crate::{
    json::{Doc, Kind, Node},
    quirk::{Cx, Id, quirk},
    scim::name,
};

quirk! {
    /// 409 on a create without `scimType`.
    ///
    /// A duplicate is 409 with `uniqueness` (RFC 7644 3.3). Clients that adopt an existing account, like authentik,
    /// decide by it.
    ///
    /// `uniqueness` is put in where `scimType` is absent, null or empty, on a POST on a collection only: there 409 has
    /// no other meaning. A `scimType` that is there stays.
    ///
    /// ```scim
    /// 409 to POST /Users
    /// content-type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"409","detail":"name is taken"}
    /// ```
    /// ```scim
    /// 409 to POST /Users
    /// content-type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"409","scimType":"uniqueness",
    ///  "detail":"name is taken"}
    /// ```
    pub static CONFLICT_SCIMTYPE_MISSING = {
        id: "conflict-scimtype-missing",
        direction: Response,
        risk: Safe,
        rfc: "RFC 7644 3.3",
        seen_in: &[Authentik],
        sources: "getsentry/sentry#117860",
    };

    /// 400 or 500 for a duplicate.
    ///
    /// It is 409 with `uniqueness` (RFC 7644 3.3). Entra's validator and Okta's SPEC test expect that, and a create
    /// that fails with 5xx is tried again for days.
    ///
    /// With the switch on, 400 or 500 to a POST on a collection becomes 409 with `uniqueness`, replacing another
    /// `scimType`, if the app's message contains, in any letter case, `already exists`, `not unique`, `duplicate key`
    /// or `err_email_exists`. The message is `detail`, or what `error-envelope-missing` and `error-plain-text` find,
    /// all of it; of an HTML page that is at most the title. Opt-in, because it reads words.
    ///
    /// ```scim
    /// # enable: conflict-status
    /// 500 to POST /Users
    /// content-type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"500",
    ///  "detail":"Duplicate key value violates users_email_key"}
    /// ```
    /// ```scim
    /// 409 to POST /Users
    /// content-type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"409","scimType":"uniqueness",
    ///  "detail":"Duplicate key value violates users_email_key"}
    /// ```
    pub static CONFLICT_STATUS = {
        id: "conflict-status",
        direction: Response,
        risk: OptIn,
        rfc: "RFC 7644 3.3",
        seen_in: &[Okta, Entra],
        sources: "imulab/go-scim#65, FusionAuth/fusionauth-issues#1776, \
                  sourcegraph/sourcegraph-public-snapshot#48353, gravitee-io/gravitee-access-management#8290, \
                  wso2-extensions/identity-inbound-provisioning-scim2#797",
    };
}

/// What servers say about a duplicate, in lower case.
const PATTERNS: [&str; 4] = ["already exists", "not unique", "duplicate key", "err_email_exists"];

/// Whether a create that failed with this status and message failed on a duplicate.
pub(crate) fn is_duplicate(http: StatusCode, message: &str) -> bool {
    let message = message.to_lowercase();
    matches!(http.as_u16(), 400 | 500) && PATTERNS.iter().any(|pattern| message.contains(pattern))
}

/// What HTTP status an Error that answers a create is to have.
pub(crate) fn status(cx: &mut Cx<'_>, doc: &Doc<'_>, error: Node, http: StatusCode) -> StatusCode {
    let message = doc.get(error, name::DETAIL).and_then(|detail| doc.string(detail));
    let is_duplicate = message.is_some_and(|message| is_duplicate(http, &message));
    if is_duplicate && cx.may(Id::ConflictStatus, || "status".to_owned()) { StatusCode::CONFLICT } else { http }
}

/// Settles `status` and `scimType` of an Error that answers a create; `sent` is the HTTP status it came with.
pub(crate) fn fix(cx: &mut Cx<'_>, doc: &mut Doc<'_>, error: Node, sent: StatusCode, http: StatusCode) {
    if sent != http {
        let says_it = |node| doc.string(node).is_some_and(|text| text == http.as_str());
        let is_number = |node| doc.kind(node) == Kind::Number && doc.raw(node) == http.as_str();
        if !doc.get(error, name::STATUS).is_some_and(|node| says_it(node) || is_number(node)) {
            error_status::put(doc, error, http);
        }
        return put_type(doc, error);
    }
    let stated = doc.get(error, name::SCIM_TYPE);
    let collides = stated.is_none() && doc.find(error, "scimType").is_some();
    if http == StatusCode::CONFLICT
        && !collides
        && is_blank(doc, stated)
        && cx.may(Id::ConflictScimtypeMissing, || format!("{}/scimType", doc.pointer(error)))
    {
        put_type(doc, error);
    }
}

fn put_type(doc: &mut Doc<'_>, error: Node) {
    match doc.get(error, name::SCIM_TYPE) {
        Some(node) => doc.set_string(node, "uniqueness"),
        None => {
            let kind = doc.text("uniqueness");
            let kind = doc.keyed(kind, "scimType", name::SCIM_TYPE);
            match doc.get(error, name::STATUS) {
                Some(status) => doc.insert_after(status, kind),
                None => doc.push(error, kind),
            }
        }
    }
}
