//! PAGE

use super::error_schemas::is_error;
use crate::{
    json::{Doc, Kind, Node},
    quirk::quirk,
};

quirk! {
    /// PAGE
    pub static DELETE_200_BODY = {
        id: "delete-200-body",
        direction: Response,
        risk: Safe,
        rfc: "RFC 7644 3.6",
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
                !matches!(doc.raw(member), "null" | "false" | "\"\"") && !(doc.kind(member).is_container() && doc.is_empty(member))
            } else {
                is("success")
                    && (doc.kind(member) == Kind::False
                        || doc.string(member).is_some_and(|text| text.eq_ignore_ascii_case("false")))
            }
        })
}
