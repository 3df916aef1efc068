//! The keys of a PATCH message and of its operations.

use crate::{
    json::{Doc, Kind, Node},
    quirk::{Cx, Id, quirk},
    scim::{Attrs, name},
};

quirk! {
    /// The message's own keys in another letter case: `operations`, `OP`, `Path`.
    ///
    /// They are attribute names of the PatchOp message and fold case by the RFC, but handlers read `Operations` exactly and
    /// find nothing to do: they answer 400, or 200 with nothing done.
    ///
    /// `schemas`, `Operations`, `op`, `path` and `value` get their spelling. RFC 7643 2.1, RFC 7644 3.5.2.
    ///
    /// ```scim
    /// PATCH /Users/2819
    /// Content-Type: application/scim+json
    ///
    /// {"Schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
    ///  "operations":[{"OP":"replace","Path":"title","VALUE":"Lead"}]}
    /// ```
    /// ```scim
    /// PATCH /Users/2819
    /// Content-Type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
    ///  "Operations":[{"op":"replace","path":"title","value":"Lead"}]}
    /// ```
    pub static PATCH_OPERATIONS_KEY_CASE = {
        id: "patch-operations-key-case",
        direction: Request,
        risk: Safe,
        rfc: "RFC 7643 2.1, RFC 7644 3.5.2",
        sources: "jelhub/scimgateway lib/utils-scim.ts, RIPAGlobal/scimitar specs",
        spelling: true,
    };

    /// A `name` in a PATCH operation.
    ///
    /// Microsoft's test collection labels operations with `"name":"addMember"`. An operation has `op`, `path` and `value`;
    /// handlers that refuse unknown members answer 400.
    ///
    /// `name` is dropped from operations; other extra members stay. RFC 7644 3.5.2.
    ///
    /// ```scim
    /// PATCH /Groups/9
    /// Content-Type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
    ///  "Operations":[{"name":"addMember","op":"add","path":"members","value":[{"value":"2819"}]}]}
    /// ```
    /// ```scim
    /// PATCH /Groups/9
    /// Content-Type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
    ///  "Operations":[{"op":"add","path":"members","value":[{"value":"2819"}]}]}
    /// ```
    pub static PATCH_OP_EXTRA_KEY = {
        id: "patch-op-extra-key",
        direction: Request,
        risk: Safe,
        rfc: "RFC 7644 3.5.2",
        seen_in: &[Entra],
        sources: "AzureAD/SCIMReferenceCode PostmanCollection.json",
    };

    /// An `id` beside `Operations`.
    ///
    /// Microsoft's test collection repeats the resource's id in the message. Handlers that refuse unknown members answer
    /// 400.
    ///
    /// It is dropped if it equals the id in the target; one that differs stays, for the app to see the conflict. RFC 7644
    /// 3.5.2.
    ///
    /// ```scim
    /// PATCH /Groups/9
    /// Content-Type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"id":"9",
    ///  "Operations":[{"op":"add","path":"members","value":[{"value":"2819"}]}]}
    /// ```
    /// ```scim
    /// PATCH /Groups/9
    /// Content-Type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
    ///  "Operations":[{"op":"add","path":"members","value":[{"value":"2819"}]}]}
    /// ```
    pub static PATCH_EXTRA_TOPLEVEL = {
        id: "patch-extra-toplevel",
        direction: Request,
        risk: Safe,
        rfc: "RFC 7644 3.5.2",
        seen_in: &[Entra],
        sources: "AzureAD/SCIMReferenceCode PostmanCollection.json",
    };

    /// A PATCH message with no operation in it.
    ///
    /// The Microsoft SCIM Validator has sent `"Operations":[]`. The RFC wants one or more; apps answer 400 or 200.
    ///
    /// Counted only: there is nothing to mend. RFC 7644 3.5.2.
    ///
    /// ```scim
    /// PATCH /Users/2819
    /// Content-Type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[]}
    /// ```
    /// ```scim
    /// unchanged
    /// ```
    pub static PATCH_EMPTY_OPERATIONS = {
        id: "patch-empty-operations",
        direction: Request,
        risk: Report,
        rfc: "RFC 7644 3.5.2",
        seen_in: &[Entra],
        sources: "scimmyjs/scimmy#59",
    };
}

/// Spells `schemas` and `Operations`.
pub(super) fn top_level_keys(doc: &mut Doc<'_>, cx: &mut Cx<'_>, message: Node) {
    spell(doc, cx, message, &cx.plan.registry().messages().patch_op);
}

/// Spells `op`, `path` and `value`.
pub(super) fn operation_keys(doc: &mut Doc<'_>, cx: &mut Cx<'_>, operation: Node) {
    if let Some(operations) = cx.plan.registry().messages().patch_op.get(name::OPERATIONS) {
        spell(doc, cx, operation, &operations.sub);
    }
}

fn spell(doc: &mut Doc<'_>, cx: &mut Cx<'_>, object: Node, attrs: &Attrs) {
    let mut next = doc.first(object);
    while let Some(member) = next {
        next = doc.next(member);
        if doc.is_exact(member) {
            continue;
        }
        if let Some(attr) = attrs.get(doc.name(member))
            && cx.may(Id::PatchOperationsKeyCase, || doc.pointer(member))
        {
            doc.rename(member, &attr.canonical, attr.name);
        }
    }
}

/// Drops `name` from an operation.
pub(super) fn extra_key(doc: &mut Doc<'_>, cx: &mut Cx<'_>, operation: Node) {
    if let Some(extra) = doc.get(operation, name::NAME)
        && cx.may(Id::PatchOpExtraKey, || doc.pointer(extra))
    {
        doc.remove(extra);
    }
}

/// Drops the target's id from the message.
pub(super) fn extra_toplevel(doc: &mut Doc<'_>, cx: &mut Cx<'_>, message: Node, id: Option<&str>) {
    if let Some(extra) = doc.get(message, name::ID)
        && doc.string(extra).as_deref() == id
        && id.is_some()
        && cx.may(Id::PatchExtraToplevel, || doc.pointer(extra))
    {
        doc.remove(extra);
    }
}

/// Counts a message that asks for nothing.
pub(super) fn empty_operations(doc: &mut Doc<'_>, cx: &mut Cx<'_>, operations: Node) {
    if doc.kind(operations) == Kind::Array && doc.is_empty(operations) {
        cx.report(Id::PatchEmptyOperations, || doc.pointer(operations));
    }
}
