//! Attribute names in another letter case.

use crate::{
    json::{Doc, Node},
    quirk::{Cx, Id, quirk},
    scim::Attr,
};

quirk! {
    /// A known attribute's name in another letter case than the schema's.
    ///
    /// Attribute names fold case by the RFC, but most handlers, and the IdPs when they read answers, compare them
    /// exactly. In Entra the target names come from a mapping table that an admin typed, so `Emails[Type eq "work"].Value`
    /// reaches the wire; .NET handlers answer `UserName` and `meta.ResourceType`.
    ///
    /// Names of RFC 7643's User, Group and enterprise extension, of `meta` and of declared attributes get their
    /// canonical spelling, in bodies and in the paths of PATCH operations. Values, compare values in filters, unknown
    /// names and everything inside an unknown extension keep theirs. In an answer that has both spellings of a name,
    /// both stay. RFC 7643 2.1.
    ///
    /// ```scim
    /// PATCH /Users/2819
    /// Content-Type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[
    ///  {"op":"replace","path":"Emails[Type eq \"Work\"].Value","value":"New@example.com"},
    ///  {"op":"replace","value":{"Name":{"GivenName":"Lin"}}}]}
    /// ```
    /// ```scim
    /// PATCH /Users/2819
    /// Content-Type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[
    ///  {"op":"replace","path":"emails[type eq \"Work\"].value","value":"New@example.com"},
    ///  {"op":"replace","value":{"name":{"givenName":"Lin"}}}]}
    /// ```
    pub static ATTR_CASE = {
        id: "attr-case",
        direction: Both,
        risk: Safe,
        rfc: "RFC 7643 2.1",
        seen_in: &[Entra],
        sources: "AzureAD/SCIMReferenceCode PostmanCollection.json, MicrosoftDocs/azure-docs#69245, \
                  learn.microsoft.com/answers/questions/2238842",
        spelling: true,
    };
}

/// Spells a member's key as the schema does.
pub(crate) fn key(doc: &mut Doc<'_>, cx: &mut Cx<'_>, member: Node, attr: &Attr) {
    if doc.key(member) == *attr.canonical {
        return;
    }
    let quirk = if attr.extension { Id::SchemasMalformedUrn } else { Id::AttrCase };
    if cx.may(quirk, || doc.pointer(member)) {
        doc.rename(member, &attr.canonical, attr.name);
    }
}
