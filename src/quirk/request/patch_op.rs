//! The verb of a PATCH operation.

use crate::{
    json::Doc,
    quirk::{Cx, Id, quirk},
    scim::patch::{Operation, Verb},
};

quirk! {
    /// A PATCH operation's verb with capitals.
    ///
    /// Entra sends `Add`, `Replace` and `Remove` unless its `aadOptscim062020` flag is set. The values are lower-case in the
    /// RFC; handlers that compare them exactly answer 400, or ignore the operation and say 200: then a deactivation is lost.
    ///
    /// The three verbs are lower-cased. Any other word stays, for the app to refuse. RFC 7644 3.5.2.
    ///
    /// ```scim
    /// PATCH /Users/2819
    /// Content-Type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[
    ///  {"op":"Replace","path":"active","value":false},{"op":"Move","path":"title"}]}
    /// ```
    /// ```scim
    /// PATCH /Users/2819
    /// Content-Type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[
    ///  {"op":"replace","path":"active","value":false},{"op":"Move","path":"title"}]}
    /// ```
    pub static PATCH_OP_CASE = {
        id: "patch-op-case",
        direction: Request,
        risk: Safe,
        rfc: "RFC 7644 3.5.2",
        seen_in: &[Entra],
        sources: "rancher/rancher#54025, rancher/rancher#55776, ssoready/ssoready#228",
    };

    /// The verb `delete` in a PATCH operation.
    ///
    /// There is no such verb; its only reading is `remove`. Handlers ignore it or answer 400.
    ///
    /// `delete` in any letter case becomes `remove`. RFC 7644 3.5.2.
    ///
    /// ```scim
    /// PATCH /Groups/9
    /// Content-Type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
    ///  "Operations":[{"op":"delete","path":"members[value eq \"2819\"]"}]}
    /// ```
    /// ```scim
    /// PATCH /Groups/9
    /// Content-Type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
    ///  "Operations":[{"op":"remove","path":"members[value eq \"2819\"]"}]}
    /// ```
    pub static PATCH_OP_ALIAS = {
        id: "patch-op-alias",
        direction: Request,
        risk: Safe,
        rfc: "RFC 7644 3.5.2",
        sources: "jelhub/scimgateway lib/utils-scim.ts",
    };
}

/// Settles the verb. `None` where it is no verb of the RFC: nothing else of that operation is then read.
pub(super) fn verb(doc: &mut Doc<'_>, cx: &mut Cx<'_>, operation: Operation) -> Option<Verb> {
    let op = operation.op;
    let Some(verb) = operation.verb(doc) else {
        let alias = doc.string(op).is_some_and(|word| word.eq_ignore_ascii_case("delete"));
        return (alias && cx.may(Id::PatchOpAlias, || doc.pointer(op))).then(|| {
            doc.set_string(op, Verb::Remove.as_str());
            Verb::Remove
        });
    };
    let lower = doc.string(op).is_some_and(|word| word == verb.as_str());
    if !lower && cx.may(Id::PatchOpCase, || doc.pointer(op)) {
        doc.set_string(op, verb.as_str());
    }
    Some(verb)
}
