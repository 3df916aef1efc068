//! A created resource without `id`.

use super::query::percent_decode;
use crate::{
    json::{Doc, Node},
    quirk::{Cx, Id, quirk},
    scim::{ResourceType, name},
};

quirk! {
    /// A created resource has no `id`, but its Location tells it.
    ///
    /// Without `id` an IdP cannot address what it has created: the next cycle creates it again, or fails on the
    /// duplicate.
    ///
    /// With the switch on, the last segment of the Location of a 201 becomes the `id`, percent-decoded. Opt-in, because
    /// it takes the app's word for an address as its word for an id. The body must name the core schema; otherwise it
    /// is not known to be the resource.
    ///
    /// ```scim
    /// # enable: id-from-location
    /// 201 to POST /Users
    /// content-type: application/scim+json
    /// location: https://scim.example.com/scim/v2/Users/a%2F7
    ///
    /// {"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"ada@example.com",
    ///  "meta":{"resourceType":"User","location":"https://scim.example.com/scim/v2/Users/a%2F7"}}
    /// ```
    /// ```scim
    /// 201 to POST /Users
    /// content-type: application/scim+json
    /// location: https://scim.example.com/scim/v2/Users/a%2F7
    ///
    /// {"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"id":"a/7","userName":"ada@example.com",
    ///  "meta":{"resourceType":"User","location":"https://scim.example.com/scim/v2/Users/a%2F7"}}
    /// ```
    pub static ID_FROM_LOCATION = {
        id: "id-from-location",
        direction: Response,
        risk: OptIn,
        rfc: "RFC 7643 3.1",
        sources: "RFC 7643 3.1; no server is named",
    };
}

/// Gives a created resource without `id` the one that its Location ends in.
pub(crate) fn fix(cx: &mut Cx<'_>, doc: &mut Doc<'_>, resource: Node, location: &str, kind: &ResourceType) {
    let path = location.split(['?', '#']).next().unwrap_or_default();
    let segment = path.rsplit('/').next().unwrap_or_default();
    let id = String::from_utf8(percent_decode(segment.as_bytes())).unwrap_or_default();
    if id.is_empty() || id == *kind.endpoint || !cx.may(Id::IdFromLocation, || format!("{}/id", doc.pointer(resource)))
    {
        return;
    }
    match doc.get(resource, name::ID) {
        Some(null) => doc.set_string(null, &id),
        None => {
            let id = doc.text(&id);
            let id = doc.keyed(id, "id", name::ID);
            match doc.get(resource, name::SCHEMAS) {
                Some(schemas) => doc.insert_after(schemas, id),
                None => doc.insert_first(resource, id),
            }
        }
    }
}
