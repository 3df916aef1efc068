//! Members removed by value.

use crate::{
    json::{Doc, Kind, Node, encode, push_encoded},
    quirk::{Cx, Id, quirk},
    scim::name,
};

quirk! {
    /// Members removed by value: the removal that, read literally, empties the group.
    ///
    /// Entra, authentik and JumpCloud send `{"op":"remove","path":"members","value":[{"value":"2819"}]}`. A remove operation
    /// has no value in the RFC; a handler that follows it removes every member and says 200.
    ///
    /// Each id gets a removal of its own, `members[value eq "2819"]`, in the order sent. Ids are taken from a list of
    /// objects, an object, a string, or a list of strings. If one entry gives no id, or the list is empty or null, the
    /// operation stays as sent. One without path stays too: the app owes it a noTarget. RFC 7644 3.5.2.2.
    ///
    /// ```scim
    /// PATCH /Groups/9
    /// Content-Type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
    ///  "Operations":[{"op":"remove","path":"members","value":[{"value":"2819"},{"value":"26118915"}]}]}
    /// ```
    /// ```scim
    /// PATCH /Groups/9
    /// Content-Type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[
    ///  {"op":"remove","path":"members[value eq \"2819\"]"},{"op":"remove","path":"members[value eq \"26118915\"]"}]}
    /// ```
    pub static PATCH_REMOVE_VALUE_MEMBERS = {
        id: "patch-remove-value-members",
        direction: Request,
        risk: Safe,
        rfc: "RFC 7644 3.5.2.2",
        seen_in: &[Entra, Jumpcloud, Authentik],
        sources: "scimmyjs/scimmy#34, apache/directory-scimple DefaultPatchHandler.java, goauthentik/authentik#16677, \
                  AzureAD/SCIMReferenceCode#10, simpleidserver/SimpleIdServer#164",
    };

    /// Members removed by a value that wraps them once more: `{"members":[...]}`.
    ///
    /// Salesforce sends the list under a key `members`. Handlers find no `value` in it, and remove nobody or everybody.
    ///
    /// The list is taken out and then handled as `patch-remove-value-members` says. RFC 7644 3.5.2.2.
    ///
    /// ```scim
    /// PATCH /Groups/9
    /// Content-Type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
    ///  "Operations":[{"op":"remove","path":"members","value":{"members":[{"value":"2819"}]}}]}
    /// ```
    /// ```scim
    /// PATCH /Groups/9
    /// Content-Type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
    ///  "Operations":[{"op":"remove","path":"members[value eq \"2819\"]"}]}
    /// ```
    pub static PATCH_REMOVE_WRAPPED_MEMBERS = {
        id: "patch-remove-wrapped-members",
        direction: Request,
        risk: Safe,
        rfc: "RFC 7644 3.5.2.2",
        sources: "RIPAGlobal/scimitar mixin.rb",
    };
}

/// Makes one removal per id. The first stays in the operation's place, the others follow.
pub(super) fn by_value(doc: &mut Doc<'_>, cx: &mut Cx<'_>, operation: Node, path: Node, value: Node) {
    let wrapped = if doc.kind(value) == Kind::Object && doc.get(value, name::VALUE).is_none() {
        doc.only(value).filter(|&member| doc.name(member) == name::MEMBERS)
    } else {
        None
    };
    let Some(ids) = ids(doc, wrapped.unwrap_or(value)) else { return };
    let both = cx.fixes(Id::PatchRemoveValueMembers) && (wrapped.is_none() || cx.fixes(Id::PatchRemoveWrappedMembers));
    let note = |cx: &mut Cx<'_>, quirk, at: String| {
        if both {
            cx.may(quirk, || at)
        } else {
            cx.report(quirk, || at);
            false
        }
    };
    if wrapped.is_some() {
        note(cx, Id::PatchRemoveWrappedMembers, doc.pointer(value).to_string());
    }
    if !note(cx, Id::PatchRemoveValueMembers, doc.pointer(value).to_string()) {
        return;
    }
    let members = doc.string(path).map(String::from).unwrap_or_default();
    doc.remove(value);
    let mut last = operation;
    let mut raw = String::new();
    for (i, id) in ids.iter().enumerate() {
        let selected = format!("{members}[value eq {}]", encode(id));
        if i == 0 {
            doc.set_string(path, &selected);
            continue;
        }
        raw.clear();
        raw.push_str(r#"{"op":"remove","path":"#);
        push_encoded(&mut raw, &selected);
        raw.push('}');
        // Settled as it is, so it is kept as text: a body of 20,000 removals stays small.
        let removal = doc.scalar(&raw);
        doc.insert_after(last, removal);
        last = removal;
    }
}

/// The ids in a removal's value; `None` when there is none, or one entry gives none.
fn ids(doc: &Doc<'_>, value: Node) -> Option<Vec<String>> {
    let id = |node: Node| {
        let text = match doc.kind(node) {
            Kind::Object => doc.get(node, name::VALUE).and_then(|value| doc.string(value)),
            _ => doc.string(node),
        };
        text.filter(|text| !text.is_empty()).map(String::from)
    };
    match doc.kind(value) {
        Kind::Array => {
            let ids: Vec<String> = doc.children(value).map(id).collect::<Option<_>>()?;
            (!ids.is_empty()).then_some(ids)
        }
        _ => Some(vec![id(value)?]),
    }
}
