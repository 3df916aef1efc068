//! An Error under a status of success.

use std::borrow::Cow;

use http::StatusCode;

use crate::{
    json::{Doc, Kind, Node},
    quirk::quirk,
    scim::name,
};

quirk! {
    /// An Error under a status of success.
    ///
    /// scim2-client takes the body for what it is, an IdP takes the status and believes that the user was created or is
    /// gone.
    ///
    /// The HTTP status becomes the one that the Error states, if that is 400 to 599; what follows judges by it. The
    /// body must name the URN of Error (RFC 7644 3.12): a word like `"success": false` is not enough.
    ///
    /// ```scim
    /// 200 to GET /Users/2819
    /// content-type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"404","detail":"no such user"}
    /// ```
    /// ```scim
    /// 404 to GET /Users/2819
    /// content-type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"404","detail":"no such user"}
    /// ```
    pub static ERROR_200 = {
        id: "error-200",
        direction: Response,
        risk: Safe,
        rfc: "RFC 7644 3.12",
        sources: "https://pypi.org/project/scim2-client/",
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
