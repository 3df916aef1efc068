//! PAGE

use super::attr_case;
use crate::{
    json::{Doc, Node},
    quirk::{Cx, Id, quirk},
};

quirk! {
    /// PAGE
    pub static LIST_KEY_CASE = {
        id: "list-key-case",
        direction: Response,
        risk: Safe,
        rfc: "RFC 7643 2.1",
        seen_in: &[Okta, Entra],
    };
}

/// Gives the members of the envelope their canonical names.
pub(crate) fn fix(cx: &mut Cx<'_>, doc: &mut Doc<'_>, list: Node) {
    let attrs = &cx.plan.registry().messages().list_response;
    attr_case::fix_all(cx, doc, list, attrs, Id::ListKeyCase);
}
