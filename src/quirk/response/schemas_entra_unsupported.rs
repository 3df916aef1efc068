//! What the validator of Entra refuses in schema definitions.

use crate::{
    json::{Doc, Kind, Node},
    quirk::{Cx, Id, quirk},
    scim::name,
};

quirk! {
    /// `password` and `emails.display` in the definition of User.
    ///
    /// Both stand in RFC 7643 8.7.1, but Entra's validator refuses them.
    ///
    /// In the profile `entra`, they are taken out of the definition of the core User schema. Other identity providers
    /// see them.
    ///
    /// ```scim
    /// # idp: entra
    /// 200 to GET /Schemas/urn:ietf:params:scim:schemas:core:2.0:User
    /// content-type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:schemas:core:2.0:Schema"],"id":"urn:ietf:params:scim:schemas:core:2.0:User",
    ///  "attributes":[{"name":"userName","type":"string","mutability":"readWrite"},
    ///  {"name":"password","type":"string"}]}
    /// ```
    /// ```scim
    /// 200 to GET /Schemas/urn:ietf:params:scim:schemas:core:2.0:User
    /// content-type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:schemas:core:2.0:Schema"],"id":"urn:ietf:params:scim:schemas:core:2.0:User",
    ///  "attributes":[{"name":"userName","type":"string","mutability":"readWrite"}]}
    /// ```
    pub static SCHEMAS_ENTRA_UNSUPPORTED = {
        id: "schemas-entra-unsupported",
        direction: Response,
        risk: Inferred,
        rfc: "RFC 7643 8.7.1",
        seen_in: &[Entra],
        sources: "scimmyjs/scimmy-routers#10, sourcegraph/sourcegraph-public-snapshot#62185",
    };
}

/// Takes `password` and `emails.display` out of the definition of User, as often as they stand there.
pub(crate) fn fix(cx: &mut Cx<'_>, doc: &mut Doc<'_>, attributes: Node) {
    for password in defined(doc, attributes, "password") {
        remove(cx, doc, password);
    }
    for emails in defined(doc, attributes, "emails") {
        let Some(subs) = doc.get(emails, name::SUB_ATTRIBUTES) else { continue };
        for display in defined(doc, subs, "display") {
            remove(cx, doc, display);
        }
    }
}

fn remove(cx: &mut Cx<'_>, doc: &mut Doc<'_>, definition: Node) {
    if cx.may(Id::SchemasEntraUnsupported, || doc.pointer(definition)) {
        doc.remove(definition);
    }
}

fn defined(doc: &Doc<'_>, list: Node, attr: &str) -> Vec<Node> {
    let is_it = |item: &Node| {
        let name = doc.get(*item, name::NAME).and_then(|name| doc.string(name));
        name.is_some_and(|name| name.eq_ignore_ascii_case(attr))
    };
    doc.children(list).filter(|&item| doc.kind(item) == Kind::Object).filter(is_it).collect()
}
