//! The `status` of an Error.

use http::StatusCode;

use crate::{
    json::{Doc, Kind, Node},
    quirk::{Cx, Id, quirk},
    scim::name,
};

quirk! {
    /// The `status` of an Error as a number.
    ///
    /// It is a string (RFC 7644 3.12). Okta's SPEC test compares it as one, and strict SDKs refuse the number.
    ///
    /// It becomes the text of the HTTP status.
    ///
    /// ```scim
    /// 404 to GET /Users/2819
    /// content-type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":404,"detail":"no such user"}
    /// ```
    /// ```scim
    /// 404 to GET /Users/2819
    /// content-type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"404","detail":"no such user"}
    /// ```
    pub static ERROR_STATUS_NUMBER = {
        id: "error-status-number",
        direction: Response,
        risk: Safe,
        rfc: "RFC 7644 3.12",
        seen_in: &[Okta],
        sources: "limosa-io/laravel-scim-server#114, getsentry/sentry#117870",
    };

    /// An Error without `status`.
    ///
    /// It is required (RFC 7644 3.12), and Okta's SPEC test reads it.
    ///
    /// The text of the HTTP status is put in, also for null and an empty text.
    ///
    /// ```scim
    /// 404 to GET /Users/2819
    /// content-type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"detail":"no such user"}
    /// ```
    /// ```scim
    /// 404 to GET /Users/2819
    /// content-type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"404","detail":"no such user"}
    /// ```
    pub static ERROR_STATUS_MISSING = {
        id: "error-status-missing",
        direction: Response,
        risk: Safe,
        rfc: "RFC 7644 3.12",
        seen_in: &[Okta],
        sources: "limosa-io/laravel-scim-server#114, getsentry/sentry#117870",
    };

    /// The `status` of an Error is not the status of the answer.
    ///
    /// The body says 500, HTTP says 404: clients decide by either (RFC 7644 3.12).
    ///
    /// HTTP wins, since everything on the way has acted on it. An Error under a status of success is a matter of
    /// `error-200`.
    ///
    /// ```scim
    /// 404 to GET /Users/2819
    /// content-type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"500","detail":"no such user"}
    /// ```
    /// ```scim
    /// 404 to GET /Users/2819
    /// content-type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"404","detail":"no such user"}
    /// ```
    pub static ERROR_STATUS_MISMATCH = {
        id: "error-status-mismatch",
        direction: Response,
        risk: Safe,
        rfc: "RFC 7644 3.12",
        sources: "sourcegraph/sourcegraph-public-snapshot#48353",
    };
}

/// Makes the `status` of an Error the text of the HTTP status. That was another when it was `sent` where
/// `conflict-status` has changed it; an Error that agreed with either does not contradict.
pub(crate) fn fix(cx: &mut Cx<'_>, doc: &mut Doc<'_>, error: Node, sent: StatusCode, http: StatusCode) {
    let Some(node) = doc.get(error, name::STATUS) else {
        let collides = doc.find(error, "status").is_some();
        if !collides && cx.may(Id::ErrorStatusMissing, || format!("{}/status", doc.pointer(error))) {
            put(doc, error, http);
        }
        return;
    };
    let text = match doc.kind(node) {
        Kind::Null => None,
        Kind::Number => Some(doc.raw(node).to_owned()),
        Kind::String => doc.string(node).map(|text| text.into_owned()).filter(|text| !text.is_empty()),
        _ => Some(String::new()),
    };
    let Some(text) = text else {
        if cx.may(Id::ErrorStatusMissing, || doc.pointer(node)) {
            doc.set_string(node, http.as_str());
        }
        return;
    };
    let is_number = doc.kind(node) == Kind::Number;
    let is = |status: StatusCode| match text.parse::<f64>() {
        Ok(said) if is_number => said == f64::from(status.as_u16()),
        _ => text == status.as_str(),
    };
    let agrees = is(http) || is(sent);
    if is_number && cx.may(Id::ErrorStatusNumber, || doc.pointer(node)) {
        doc.set_string(node, if agrees { http.as_str() } else { &text });
    }
    if !agrees && cx.may(Id::ErrorStatusMismatch, || doc.pointer(node)) {
        doc.set_string(node, http.as_str());
    }
}

/// Writes the status, whatever stands there.
pub(crate) fn put(doc: &mut Doc<'_>, error: Node, http: StatusCode) {
    match doc.get(error, name::STATUS) {
        Some(node) => doc.set_string(node, http.as_str()),
        None => {
            let status = doc.text(http.as_str());
            let status = doc.keyed(status, "status", name::STATUS);
            match doc.get(error, name::SCHEMAS) {
                Some(schemas) => doc.insert_after(schemas, status),
                None => doc.insert_first(error, status),
            }
        }
    }
}
