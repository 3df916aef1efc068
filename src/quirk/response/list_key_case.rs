//! The members of a list in another letter case.

use super::attr_case;
use crate::{
    json::{Doc, Node},
    quirk::{Cx, Id, quirk},
};

quirk! {
    /// `resources`, `TotalResults` and their like in the envelope of a list.
    ///
    /// Names fold case (RFC 7643 2.1), but Okta and Entra read `Resources` exactly, and find an empty directory behind
    /// `resources`.
    ///
    /// The members of ListResponse get their canonical names. Where two keys differ in letter case alone, nothing is
    /// done to them: either may be the true one. Other members of the envelope are left.
    ///
    /// ```scim
    /// 200 to GET /Users
    /// content-type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],"TotalResults":0,
    ///  "startIndex":1,"itemsPerPage":0,"resources":[]}
    /// ```
    /// ```scim
    /// 200 to GET /Users
    /// content-type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],"totalResults":0,
    ///  "startIndex":1,"itemsPerPage":0,"Resources":[]}
    /// ```
    pub static LIST_KEY_CASE = {
        id: "list-key-case",
        direction: Response,
        risk: Safe,
        rfc: "RFC 7643 2.1",
        seen_in: &[Okta, Entra],
        sources: "ssoready/dummyidp#15",
    };
}

/// Gives the members of the envelope their canonical names.
pub(crate) fn fix(cx: &mut Cx<'_>, doc: &mut Doc<'_>, list: Node) {
    let attrs = &cx.plan.registry().messages().list_response;
    attr_case::fix_all(cx, doc, list, attrs, Id::ListKeyCase);
}
