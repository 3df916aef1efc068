//! An extension that is not listed.

use crate::{
    json::{Doc, Kind, Node},
    quirk::{Cx, Id, quirk},
    scim::urn,
};

quirk! {
    /// An extension is there, but `schemas` does not list it.
    ///
    /// `schemas` names every schema in the representation (RFC 7643 3). SDKs that bind by it drop an extension that is
    /// not listed.
    ///
    /// The URN is appended. An extension is a member at the top whose name begins with `urn:` and whose value is an
    /// object. What is listed keeps its place, also where no such object is there.
    ///
    /// ```scim
    /// 200 to GET /Users/2819
    /// content-type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"id":"2819",
    ///  "userName":"ada@example.com",
    ///  "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"Sales"},
    ///  "meta":{"resourceType":"User"}}
    /// ```
    /// ```scim
    /// 200 to GET /Users/2819
    /// content-type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:schemas:core:2.0:User",
    ///   "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],"id":"2819",
    ///  "userName":"ada@example.com",
    ///  "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"Sales"},
    ///  "meta":{"resourceType":"User"}}
    /// ```
    pub static SCHEMAS_EXTENSION_MISSING = {
        id: "schemas-extension-missing",
        direction: Response,
        risk: Safe,
        rfc: "RFC 7643 3, 3.3",
        sources: "https://learn.microsoft.com/en-us/entra/identity/app-provisioning/use-scim-to-provision-users-and-groups",
    };
}

/// Extensions of one resource that are looked at. Real resources have a few; comparing each with each must stay cheap
/// whatever an app answers.
pub(crate) const MOST: usize = 100;

/// The keys of the extensions in a resource, in order.
pub(crate) fn extensions(doc: &Doc<'_>, resource: Node) -> Vec<String> {
    let objects = doc.children(resource).filter(|&member| doc.kind(member) == Kind::Object);
    objects.map(|member| doc.key(member).into_owned()).filter(|key| urn::is_urn(key)).take(MOST).collect()
}

/// Lists an extension that is there in the array `schemas`.
pub(crate) fn fix(cx: &mut Cx<'_>, doc: &mut Doc<'_>, schemas: Node, extension: Node) {
    let key = doc.key(extension);
    let is_listed = |node| doc.string(node).is_some_and(|text| text == key || text.eq_ignore_ascii_case(&key));
    if doc.children(schemas).any(is_listed) || !cx.may(Id::SchemasExtensionMissing, || doc.pointer(schemas)) {
        return;
    }
    let key = key.into_owned();
    let urn = doc.text(&key);
    doc.push(schemas, urn);
}
