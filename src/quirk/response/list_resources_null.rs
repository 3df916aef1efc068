//! An empty list without its array.

use crate::{
    json::{Doc, Kind, Node},
    quirk::{Cx, Id, quirk},
    scim::name,
};

quirk! {
    /// An empty list whose `Resources` is null or absent.
    ///
    /// RFC 7644 3.4.2 allows to leave it out where `totalResults` is 0, and RFC 7643 2.5 makes null the same. Even so
    /// Azure has put a job into quarantine over it, Okta's SPEC test failed, and SDKs of Ping and others threw.
    ///
    /// With `totalResults` 0 it becomes an empty array. With another total it is left: nothing is known about what is
    /// missing.
    ///
    /// ```scim
    /// 200 to GET /Users?filter=userName%20eq%20%22ada%40example.com%22
    /// content-type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],"totalResults":0,
    ///  "startIndex":1,"itemsPerPage":0,"Resources":null}
    /// ```
    /// ```scim
    /// 200 to GET /Users?filter=userName%20eq%20%22ada%40example.com%22
    /// content-type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],"totalResults":0,
    ///  "startIndex":1,"itemsPerPage":0,"Resources":[]}
    /// ```
    pub static LIST_RESOURCES_NULL = {
        id: "list-resources-null",
        direction: Response,
        risk: Safe,
        rfc: "RFC 7644 3.4.2",
        seen_in: &[Entra, Okta, Ping],
        sources: "elimity-com/scim#78, elimity-com/scim#127, pingidentity/scim2#233, \
                  ShiftControl-io/scim-v2-rust#40",
    };
}

/// Gives an empty list its empty array.
pub(crate) fn fix(cx: &mut Cx<'_>, doc: &mut Doc<'_>, list: Node) {
    let node = doc.get(list, name::RESOURCES);
    match node {
        Some(node) if doc.kind(node) != Kind::Null => return,
        None if doc.find(list, "Resources").is_some() => return,
        _ => {}
    }
    if !cx.may(Id::ListResourcesNull, || format!("{}/Resources", doc.pointer(list))) {
        return;
    }
    let array = doc.array();
    match node {
        Some(null) => doc.replace(null, array),
        None => {
            let array = doc.keyed(array, "Resources", name::RESOURCES);
            doc.push(list, array);
        }
    }
}
