//! Members of a group that are no list of objects.

use super::object_for_array::is_element;
use crate::{
    json::{Doc, Kind, Node},
    quirk::{Cx, Id, quirk},
    scim::{Attr, name},
};

quirk! {
    /// Members added or replaced as plain ids.
    ///
    /// `"value":"2819"` or `"value":["2819"]` on the path `members`. Handlers that read `value[].value` add nobody and say
    /// 200.
    ///
    /// Each id becomes `{"value":"..."}`, and a single one is put into a list. A list in which something is neither an
    /// object nor a string with content stays whole. For removals see `patch-remove-value-members`. RFC 7643 4.2.
    ///
    /// ```scim
    /// PATCH /Groups/9
    /// Content-Type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[
    ///  {"op":"add","path":"members","value":"2819"},{"op":"add","path":"members","value":["a1",{"value":"a2"}]}]}
    /// ```
    /// ```scim
    /// PATCH /Groups/9
    /// Content-Type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[
    ///  {"op":"add","path":"members","value":[{"value":"2819"}]},
    ///  {"op":"add","path":"members","value":[{"value":"a1"},{"value":"a2"}]}]}
    /// ```
    pub static PATCH_MEMBERS_BARE_STRING = {
        id: "patch-members-bare-string",
        direction: Request,
        risk: Safe,
        rfc: "RFC 7643 4.2, 2.4",
        seen_in: &[Entra],
        sources: "AzureAD/SCIMReferenceCode PostmanCollection.json",
    };

    /// One member added or replaced as an object, not as a list.
    ///
    /// `"value":{"value":"2819"}` on the path `members`. Handlers that iterate over the value fail.
    ///
    /// The object is put into a list if it has a `value`. RFC 7643 2.4, 4.2.
    ///
    /// ```scim
    /// PATCH /Groups/9
    /// Content-Type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
    ///  "Operations":[{"op":"add","path":"members","value":{"value":"2819"}}]}
    /// ```
    /// ```scim
    /// PATCH /Groups/9
    /// Content-Type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
    ///  "Operations":[{"op":"add","path":"members","value":[{"value":"2819"}]}]}
    /// ```
    pub static PATCH_MEMBERS_SINGLE_OBJECT = {
        id: "patch-members-single-object",
        direction: Request,
        risk: Safe,
        rfc: "RFC 7643 4.2, 2.4",
    };
}

/// Puts the one member into a list.
pub(super) fn single_object(doc: &mut Doc<'_>, cx: &mut Cx<'_>, object: Node, attr: &Attr) -> Option<Node> {
    if !is_element(doc, object, attr) {
        return None;
    }
    cx.may(Id::PatchMembersSingleObject, || doc.pointer(object)).then(|| doc.wrap_in_array(object))
}

/// Makes the one id a list of one object. An empty string stays: it is no id.
pub(super) fn bare_string(doc: &mut Doc<'_>, cx: &mut Cx<'_>, node: Node) -> Option<Node> {
    if doc.string(node)?.is_empty() || !cx.may(Id::PatchMembersBareString, || doc.pointer(node)) {
        return None;
    }
    let list = doc.wrap_in_array(node);
    if let Some(id) = doc.first(list) {
        doc.wrap_in_object(id, "value", name::VALUE);
    }
    Some(list)
}

/// Makes the ids in a list objects.
pub(super) fn bare_strings(doc: &mut Doc<'_>, cx: &mut Cx<'_>, list: Node) {
    let mut strings = false;
    for item in doc.children(list) {
        match doc.kind(item) {
            Kind::Object => {}
            Kind::String if doc.raw(item) != "\"\"" => strings = true,
            _ => return,
        }
    }
    if !strings {
        return;
    }
    let mut next = doc.first(list);
    while let Some(item) = next {
        next = doc.next(item);
        if doc.kind(item) == Kind::String && cx.may(Id::PatchMembersBareString, || doc.pointer(item)) {
            doc.wrap_in_object(item, "value", name::VALUE);
        }
    }
}
