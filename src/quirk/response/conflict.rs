//! PAGE

use http::StatusCode;

use super::{error_status, schemas_missing::is_blank};
use crate::{
    json::{Doc, Node},
    quirk::{Cx, Id, quirk},
    scim::name,
};

quirk! {
    /// PAGE
    pub static CONFLICT_SCIMTYPE_MISSING = {
        id: "conflict-scimtype-missing",
        direction: Response,
        risk: Safe,
        rfc: "RFC 7644 3.3",
        seen_in: &[Authentik],
    };

    /// PAGE
    pub static CONFLICT_STATUS = {
        id: "conflict-status",
        direction: Response,
        risk: OptIn,
        rfc: "RFC 7644 3.3",
        seen_in: &[Okta, Entra],
    };
}

/// What servers say about a duplicate, in lower case.
const PATTERNS: [&str; 4] = ["already exists", "not unique", "duplicate key", "err_email_exists"];

/// Whether a create that failed with this status and message failed on a duplicate.
pub(crate) fn is_duplicate(http: StatusCode, message: &str) -> bool {
    let message = message.to_lowercase();
    matches!(http.as_u16(), 400 | 500) && PATTERNS.iter().any(|pattern| message.contains(pattern))
}

/// Settles status and `scimType` of an Error that answers a create; the new HTTP status.
pub(crate) fn fix(cx: &mut Cx<'_>, doc: &mut Doc<'_>, error: Node, http: StatusCode) -> StatusCode {
    let message = doc.get(error, name::DETAIL).and_then(|detail| doc.string(detail));
    let is_duplicate = message.is_some_and(|message| is_duplicate(http, &message));
    if is_duplicate && cx.may(Id::ConflictStatus, || "status".to_owned()) {
        error_status::put(doc, error, StatusCode::CONFLICT);
        put_type(doc, error);
        return StatusCode::CONFLICT;
    }
    let stated = doc.get(error, name::SCIM_TYPE);
    let collides = stated.is_none() && doc.find(error, "scimType").is_some();
    if http == StatusCode::CONFLICT
        && !collides
        && is_blank(doc, stated)
        && cx.may(Id::ConflictScimtypeMissing, || doc.pointer(error) + "/scimType")
    {
        put_type(doc, error);
    }
    http
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
