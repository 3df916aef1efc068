//! A resource without `meta`.

use crate::{
    json::{Doc, Node},
    quirk::{Cx, Id, quirk},
    scim::{ResourceType, name},
};

quirk! {
    /// A resource without `meta`.
    ///
    /// SDKs and suvera read `meta.resourceType` and `meta.location`, and fail without (RFC 7643 3.1).
    ///
    /// A `meta` that is absent or null becomes one with `resourceType`, and with `location` on a 201. Dates and
    /// versions are not invented. A `meta` that is there is not extended on reads. None is added to discovery
    /// documents, where the request limits the attributes, or where the type is not known.
    ///
    /// ```scim
    /// 200 to GET /Users/2819
    /// content-type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"id":"2819",
    ///  "userName":"ada@example.com","active":true}
    /// ```
    /// ```scim
    /// 200 to GET /Users/2819
    /// content-type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"id":"2819",
    ///  "userName":"ada@example.com","active":true,"meta":{"resourceType":"User"}}
    /// ```
    pub static META_MISSING = {
        id: "meta-missing",
        direction: Response,
        risk: Safe,
        rfc: "RFC 7643 3.1",
        sources: "sourcegraph/sourcegraph-public-snapshot#48432, wso2/product-is#5328",
    };
}

/// Gives a resource a `meta` that tells its type, and its location where it was just created.
#[cold]
pub(crate) fn fix(cx: &mut Cx<'_>, doc: &mut Doc<'_>, resource: Node, kind: &ResourceType, location: Option<&str>) {
    let old = doc.get(resource, name::META);
    if !cx.may(Id::MetaMissing, || {
        old.map_or_else(|| format!("{}/meta", doc.pointer(resource)), |old| doc.pointer(old).to_string())
    }) {
        return;
    }
    let meta = doc.object();
    let name = doc.text(&kind.name);
    let name = doc.keyed(name, "resourceType", name::RESOURCE_TYPE);
    doc.push(meta, name);
    if let Some(location) = location {
        let location = doc.text(location);
        let location = doc.keyed(location, "location", name::LOCATION);
        doc.push(meta, location);
    }
    match old {
        Some(null) => doc.replace(null, meta),
        None => {
            let meta = doc.keyed(meta, "meta", name::META);
            doc.push(resource, meta);
        }
    }
}
