//! The empty string as the new value of a complex attribute.

use crate::{
    json::{Doc, Node},
    quirk::{Cx, Id, quirk},
    scim::Attr,
};

quirk! {
    /// The empty string as the new value of a complex attribute: `manager: ""`.
    ///
    /// Microsoft's gallery test clears the manager with an empty string. It cannot be a complex value; handlers answer 400,
    /// or look for a user with an empty id.
    ///
    /// The operation becomes `remove`; inside a value without path the member is taken out into one. Only in PATCH, and only
    /// for single-valued complex attributes: the empty string is a value of a string attribute and stays there. On in the
    /// Entra profile. RFC 7643 4.3.
    ///
    /// ```scim
    /// # idp: entra
    /// PATCH /Users/2819
    /// Content-Type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[
    ///  {"op":"replace","path":"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager","value":""},
    ///  {"op":"replace","path":"title","value":""}]}
    /// ```
    /// ```scim
    /// PATCH /Users/2819
    /// Content-Type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[
    ///  {"op":"remove","path":"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager"},
    ///  {"op":"replace","path":"title","value":""}]}
    /// ```
    pub static PATCH_EMPTY_STRING_CLEAR = {
        id: "patch-empty-string-clear",
        direction: Request,
        risk: Inferred,
        rfc: "RFC 7643 4.3",
        seen_in: &[Entra],
        sources: "AzureAD/SCIMReferenceCode SCIM-Validation-Test-Overview.md",
    };
}

/// Whether the value is an empty string that clears a single-valued complex attribute.
pub(super) fn clears(doc: &Doc<'_>, cx: &mut Cx<'_>, value: Node, attr: Option<&Attr>) -> bool {
    attr.is_some_and(|attr| attr.is_single_complex() && !attr.extension)
        && doc.string(value).is_some_and(|text| text.is_empty())
        && cx.may(Id::PatchEmptyStringClear, || doc.pointer(value))
}
