//! Where a resource type says that its resources are.

use super::location::Bases;
use crate::{
    json::{Doc, Kind, Node},
    quirk::{Cx, Id, quirk},
};

quirk! {
    /// The `endpoint` of a resource type carries the path or the address of the base: `/scim/v2/Users`.
    ///
    /// It is relative to the base URL (RFC 7643 6), so that a client which goes by it asks `/scim/v2/scim/v2/Users` and finds
    /// nothing. Web frameworks build it from their own routes.
    ///
    /// The app's base, as `upstream.url` has it, and the base that the client uses are taken off the front. Anything else is
    /// left: it may be meant.
    ///
    /// ```scim
    /// 200 to GET /ResourceTypes/User
    /// content-type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:schemas:core:2.0:ResourceType"],"id":"User","name":"User",
    ///  "endpoint":"/scim/v2/Users","schema":"urn:ietf:params:scim:schemas:core:2.0:User"}
    /// ```
    /// ```scim
    /// 200 to GET /ResourceTypes/User
    /// content-type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:schemas:core:2.0:ResourceType"],"id":"User","name":"User",
    ///  "endpoint":"/Users","schema":"urn:ietf:params:scim:schemas:core:2.0:User"}
    /// ```
    pub static ENDPOINT_ABSOLUTE = {
        id: "endpoint-absolute",
        direction: Response,
        risk: Safe,
        rfc: "RFC 7643 6",
        sources: "PyPI django-scim2 0.23.0 adapters.py, resource_type_dict",
    };
}

/// Takes the base off.
pub(crate) fn fix(cx: &mut Cx<'_>, doc: &mut Doc<'_>, resource_type: Node, bases: Bases<'_>) {
    if doc.kind(resource_type) != Kind::Object {
        return;
    }
    let Some(member) = doc.find(resource_type, "endpoint") else { return };
    let Some(rest) = doc.string(member).and_then(|text| bases.below(&text).map(str::to_owned)) else { return };
    if cx.may(Id::EndpointAbsolute, || doc.pointer(member)) {
        doc.set_string(member, &rest);
    }
}
