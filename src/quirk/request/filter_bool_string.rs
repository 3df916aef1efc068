//! Booleans written as strings in filters.

use super::filter::Place;
use crate::{
    quirk::{Cx, Id, quirk},
    scim::{Type, filter::Value},
};

quirk! {
    /// A boolean attribute is compared with a string: `primary eq "True"`.
    ///
    /// Seen in filters of queries and in the paths of PATCH operations. A string never equals a boolean, so the
    /// lookup finds nothing, or the operation is answered `noTarget`, though the element is there.
    ///
    /// On attributes known to be boolean (`active`, `primary`, declared ones) `True`, `"True"` and `"true"`, in any
    /// letter case, become the JSON literal. Other strings (`"yes"`, `"1"`) and attributes of unknown type stay as
    /// sent.
    ///
    /// RFC 7644 section 3.4.2.2: values compared with are JSON, and a boolean is `true` or `false` (RFC 7643 section
    /// 2.3.2).
    ///
    /// ```scim
    /// GET /Users?filter=active%20eq%20%22True%22
    /// ```
    /// ```scim
    /// GET /Users?filter=active%20eq%20true
    /// ```
    /// ```scim
    /// PATCH /Users/26
    /// content-type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"replace","path":"roles[primary eq \"True\"].value","value":"reader"}]}
    /// ```
    /// ```scim
    /// PATCH /Users/26
    /// content-type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"replace","path":"roles[primary eq true].value","value":"reader"}]}
    /// ```
    pub static FILTER_BOOL_STRING = {
        id: "filter-bool-string",
        direction: Request,
        risk: Safe,
        rfc: "RFC 7644 3.4.2.2",
        seen_in: &[Entra],
        sources: "lightdash/lightdash#25676, buildbuddy-io/buildbuddy#10578, jelhub/scimgateway lib/utils-scim.ts, MicrosoftDocs/entra-docs#391",
    };
}

/// The literal to put in the place of a string or word that a boolean is compared with.
pub(crate) fn fix(value: &Value<'_>, kind: Option<Type>, cx: &mut Cx<'_>, at: Place<'_>) -> Option<String> {
    if kind != Some(Type::Boolean) {
        return None;
    }
    let literal = value.text()?.to_ascii_lowercase();
    let is_literal = matches!(&*literal, "true" | "false");
    (is_literal && cx.may(Id::FilterBoolString, at)).then_some(literal)
}
