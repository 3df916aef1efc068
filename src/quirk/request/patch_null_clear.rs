//! Null as the new value of an attribute.

use crate::{
    json::{Doc, Kind, Node},
    quirk::{Cx, Id, quirk},
    scim::{patch::Verb, path::is_attr_name, urn},
};

quirk! {
    /// `null` as the new value in a PATCH.
    ///
    /// Entra clears an attribute with `{"op":"replace","path":"title","value":null}`. Assigning null is unassigning (RFC 7643
    /// 2.5), but handlers store the word null, or answer 400.
    ///
    /// The operation becomes `remove`, which says the same. A null member of a value without path, of a known extension or
    /// of a single-valued complex attribute is taken out into a `remove` of its own. With `add` only where the attribute is
    /// known to be single-valued: adding null to a list adds nothing, a removal would empty it. `members: null` with
    /// `replace` so empties the group, as asked. `active: null` always stays: an app may read null as false and absence as
    /// true. RFC 7644 3.5.2.
    ///
    /// ```scim
    /// PATCH /Users/2819
    /// Content-Type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[
    ///  {"op":"replace","path":"title","value":null},
    ///  {"op":"replace","value":{"name":{"familyName":null,"givenName":"X"},"active":null}},
    ///  {"op":"add","path":"emails","value":null}]}
    /// ```
    /// ```scim
    /// PATCH /Users/2819
    /// Content-Type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[
    ///  {"op":"remove","path":"title"},
    ///  {"op":"replace","value":{"name":{"givenName":"X"},"active":null}},{"op":"remove","path":"name.familyName"},
    ///  {"op":"add","path":"emails","value":null}]}
    /// ```
    pub static PATCH_NULL_CLEAR = {
        id: "patch-null-clear",
        direction: Request,
        risk: Safe,
        rfc: "RFC 7643 2.5, RFC 7644 3.5.2",
        seen_in: &[Entra],
        sources: "pranems/SCIMServer docs/PATCH_NULL_HANDLING_RFC_COMPLIANCE.md",
    };
}

/// Whether a null clears its target and may be said as a removal.
pub(super) fn clears(doc: &Doc<'_>, cx: &mut Cx<'_>, value: Node, verb: Verb, single: bool, active: bool) -> bool {
    doc.kind(value) == Kind::Null
        && !active
        && (verb == Verb::Replace || verb == Verb::Add && single)
        && cx.may(Id::PatchNullClear, || doc.pointer(value))
}

/// Whether a member's key can stand as the path of a removal.
pub(super) fn is_clearable_key(doc: &Doc<'_>, member: Node) -> bool {
    let key = doc.key(member);
    is_attr_name(&key) || urn::is_urn(&key) && !key.contains(['[', ' '])
}
