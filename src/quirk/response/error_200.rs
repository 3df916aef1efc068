//! PAGE

use std::borrow::Cow;

use http::StatusCode;

use crate::{
    json::{Doc, Kind, Node},
    quirk::quirk,
    scim::name,
};

quirk! {
    /// PAGE
    pub static ERROR_200 = {
        id: "error-200",
        direction: Response,
        risk: Safe,
        rfc: "RFC 7644 3.12",
    };
}

/// The HTTP status that an Error in a 2xx answer says it has.
pub(crate) fn status(doc: &Doc<'_>, error: Node) -> Option<StatusCode> {
    let node = doc.get(error, name::STATUS)?;
    let text = match doc.kind(node) {
        Kind::Number => Cow::Borrowed(doc.raw(node)),
        _ => doc.string(node)?,
    };
    let status = text.trim().parse::<u16>().ok().filter(|status| (400..600).contains(status))?;
    StatusCode::from_u16(status).ok()
}
