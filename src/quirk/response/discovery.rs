//! Discovery lists without their envelope.

use super::query::Place;
use crate::{
    json::{Doc, Kind, Node},
    quirk::{Cx, Id, quirk},
    scim::name,
};

quirk! {
    /// A bare array on `/Schemas` or `/ResourceTypes`.
    ///
    /// RFC 7643 8.6 and 8.7 print arrays, but RFC 7644 4 makes the answer a ListResponse, and scim2-tester and
    /// scimverify refuse the array.
    ///
    /// It is put into the envelope of a list. The items get no `meta`; those of `/Schemas` are repaired as schema
    /// definitions.
    ///
    /// ```scim
    /// 200 to GET /ResourceTypes
    /// content-type: application/scim+json
    ///
    /// [{"schemas":["urn:ietf:params:scim:schemas:core:2.0:ResourceType"],"id":"User",
    ///  "name":"User","endpoint":"/Users","schema":"urn:ietf:params:scim:schemas:core:2.0:User"}]
    /// ```
    /// ```scim
    /// 200 to GET /ResourceTypes
    /// content-type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],"totalResults":1,
    ///  "startIndex":1,"itemsPerPage":1,"Resources":[
    ///  {"schemas":["urn:ietf:params:scim:schemas:core:2.0:ResourceType"],"id":"User",
    ///  "name":"User","endpoint":"/Users","schema":"urn:ietf:params:scim:schemas:core:2.0:User"}]}
    /// ```
    pub static DISCOVERY_ARRAY = {
        id: "discovery-array",
        direction: Response,
        risk: Safe,
        rfc: "RFC 7644 4",
        sources: "imulab/go-scim#14, wso2/product-is#21742, wso2/product-is#21744, \
                  PennState/SCIMple-Identity#70",
    };

    /// The items of a discovery list stand under another name than `Resources`.
    ///
    /// `resource_types` was the name in one framework. Clients that read the ListResponse of RFC 7644 3.4.2 find no
    /// resource types.
    ///
    /// On `/ResourceTypes` an array of objects under `resource_types` (in any letter case, with or without `_`) is
    /// renamed to `Resources`, on `/Schemas` one under `schemas`; only where `Resources` is null or missing. The rest of the
    /// envelope is repaired like that of any list.
    ///
    /// ```scim
    /// 200 to GET /ResourceTypes
    /// content-type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],"totalResults":0,
    ///  "startIndex":1,"itemsPerPage":0,"resource_types":[]}
    /// ```
    /// ```scim
    /// 200 to GET /ResourceTypes
    /// content-type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],"totalResults":0,
    ///  "startIndex":1,"itemsPerPage":0,"Resources":[]}
    /// ```
    pub static DISCOVERY_KEY = {
        id: "discovery-key",
        direction: Response,
        risk: Safe,
        rfc: "RFC 7644 3.4.2",
        sources: "pond/scimitar#146",
    };
}

/// Renames the member that holds the items of a discovery list.
pub(crate) fn fix_key(cx: &mut Cx<'_>, doc: &mut Doc<'_>, list: Node, place: Place<'_>) {
    if let Some(items) = items(doc, list, place)
        && cx.may(Id::DiscoveryKey, || doc.pointer(items))
    {
        if let Some(null) = doc.get(list, name::RESOURCES) {
            doc.remove(null);
        }
        doc.rename(items, "Resources", name::RESOURCES);
    }
}

/// The array of objects under a name of its own, where `Resources` is missing.
pub(crate) fn items(doc: &Doc<'_>, list: Node, place: Place<'_>) -> Option<Node> {
    let is_there = match doc.get(list, name::RESOURCES) {
        Some(resources) => doc.kind(resources) != Kind::Null,
        None => doc.find(list, "Resources").is_some(),
    };
    if is_there {
        return None;
    }
    let is_items = |member: &Node| {
        let key: String = doc.key(*member).chars().filter(|c| *c != '_').map(|c| c.to_ascii_lowercase()).collect();
        let named = match place {
            Place::ResourceTypes => key == "resourcetypes",
            // `schemas` is taken by the envelope, unless it holds objects.
            Place::Schemas => key == "schemas" && !doc.is_empty(*member),
            _ => false,
        };
        named
            && !doc.collides(*member)
            && doc.kind(*member) == Kind::Array
            && doc.children(*member).all(|item| doc.kind(item) == Kind::Object)
    };
    doc.children(list).find(is_items)
}
