//! One object where a list belongs.

use crate::{
    json::{Doc, Node},
    quirk::{Cx, Id, quirk},
    scim::Attr,
};

quirk! {
    /// One object where a multi-valued attribute wants a list.
    ///
    /// OneLogin's JSON template is edited by admins; `emails` as one object is a common result. Handlers that iterate
    /// over it read the object's keys as addresses, or fail.
    ///
    /// The object is put into a list when the path or key names the whole attribute, the attribute is known to be
    /// multi-valued, and the object has a sub-attribute known there (for `members` its `value`). Behind a filter
    /// (`emails[type eq "work"]`) an object is legal and stays. RFC 7643 2.4.
    ///
    /// ```scim
    /// POST /Users
    /// Content-Type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"lee@example.com",
    ///  "emails":{"value":"lee@example.com","type":"work"}}
    /// ```
    /// ```scim
    /// POST /Users
    /// Content-Type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"lee@example.com",
    ///  "emails":[{"value":"lee@example.com","type":"work"}]}
    /// ```
    pub static OBJECT_FOR_ARRAY = {
        id: "object-for-array",
        direction: Request,
        risk: Safe,
        rfc: "RFC 7643 2.4, 4.1.2",
        seen_in: &[Onelogin],
        sources: "15five/django-scim2 src/django_scim/adapters.py",
    };
}

/// Puts the object into a list.
pub(super) fn wrap(doc: &mut Doc<'_>, cx: &mut Cx<'_>, object: Node, attr: &Attr) -> Option<Node> {
    if !is_element(doc, object, attr) {
        return None;
    }
    cx.may(Id::ObjectForArray, || doc.pointer(object)).then(|| doc.wrap_in_array(object))
}

/// Whether the object can be an element of the attribute: it has a sub-attribute known there, a member its `value`.
pub(super) fn is_element(doc: &Doc<'_>, object: Node, attr: &Attr) -> bool {
    use crate::scim::name::{MEMBERS, VALUE};
    match attr.name {
        MEMBERS => doc.get(object, VALUE).is_some(),
        _ => doc.children(object).any(|member| attr.sub.get(doc.name(member)).is_some()),
    }
}
