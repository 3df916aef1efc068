//! A value on a removal that does not need one.

use super::patch_path::Place;
use crate::{
    json::{Doc, Kind, Node},
    quirk::{Cx, Id, quirk},
};

quirk! {
    /// A `value` on the removal of a single value, or a null on any removal.
    ///
    /// Entra sends `"value":null` on removals, older clients repeat the value that goes. Handlers that validate operations
    /// answer 400.
    ///
    /// The value is dropped where the path names a known single-valued attribute or a sub-attribute, or where the value is
    /// null. On another list it stays: dropping it would confirm "remove all". For `members` see
    /// `patch-remove-value-members`. RFC 7644 3.5.2.2.
    ///
    /// ```scim
    /// PATCH /Users/2819
    /// Content-Type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[
    ///  {"op":"remove","path":"phoneNumbers[type eq \"mobile\"].value","value":null},
    ///  {"op":"remove","path":"title","value":"Lead"},{"op":"remove","path":"emails","value":[{"value":"a@example.com"}]}]}
    /// ```
    /// ```scim
    /// PATCH /Users/2819
    /// Content-Type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[
    ///  {"op":"remove","path":"phoneNumbers[type eq \"mobile\"].value"},
    ///  {"op":"remove","path":"title"},{"op":"remove","path":"emails","value":[{"value":"a@example.com"}]}]}
    /// ```
    pub static PATCH_REMOVE_VALUE_IGNORED = {
        id: "patch-remove-value-ignored",
        direction: Request,
        risk: Safe,
        rfc: "RFC 7644 3.5.2.2",
        seen_in: &[Entra],
    };
}

/// Drops the value. The caller has handled the whole list of members.
pub(super) fn drop(doc: &mut Doc<'_>, cx: &mut Cx<'_>, value: Node, place: &Place<'_>) {
    let ignored = doc.kind(value) == Kind::Null || place.needs_no_value();
    if ignored && cx.may(Id::PatchRemoveValueIgnored, || doc.pointer(value)) {
        doc.remove(value);
    }
}
