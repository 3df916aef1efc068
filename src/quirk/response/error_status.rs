//! PAGE

use http::StatusCode;

use crate::{
    json::{Doc, Kind, Node},
    quirk::{Cx, Id, quirk},
    scim::name,
};

quirk! {
    /// PAGE
    pub static ERROR_STATUS_NUMBER = {
        id: "error-status-number",
        direction: Response,
        risk: Safe,
        rfc: "RFC 7644 3.12",
        seen_in: &[Okta],
    };

    /// PAGE
    pub static ERROR_STATUS_MISSING = {
        id: "error-status-missing",
        direction: Response,
        risk: Safe,
        rfc: "RFC 7644 3.12",
        seen_in: &[Okta],
    };

    /// PAGE
    pub static ERROR_STATUS_MISMATCH = {
        id: "error-status-mismatch",
        direction: Response,
        risk: Safe,
        rfc: "RFC 7644 3.12",
    };
}

/// Makes the `status` of an Error the text of the HTTP status.
pub(crate) fn fix(cx: &mut Cx<'_>, doc: &mut Doc<'_>, error: Node, http: StatusCode) {
    let Some(node) = doc.get(error, name::STATUS) else {
        let collides = doc.find(error, "status").is_some();
        if !collides && cx.may(Id::ErrorStatusMissing, || doc.pointer(error) + "/status") {
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
    let agrees = match text.parse::<f64>() {
        Ok(said) if is_number => said == f64::from(http.as_u16()),
        _ => text == http.as_str(),
    };
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
