//! Resources without the envelope of a list.

use super::{query::Ask, schemas_missing::put};
use crate::{
    json::{Doc, Node},
    quirk::quirk,
    scim::{name, urn},
};

quirk! {
    /// A bare array of resources where a list was asked for.
    ///
    /// Entra reads every query as a ListResponse (RFC 7644 3.4.2), also one that nothing matches.
    ///
    /// The array is put into the envelope of a list with its counts. It is left, and counted, where it could be a part:
    /// the request asked for a `startIndex` above 1 or a cursor, or `count` was reached; and where it does not hold
    /// objects only. It is left as well where the filter is one `eq` and a resource carries that attribute with another
    /// value: the app has ignored the filter, and a well-formed list would let the IdP bind the wrong account (see
    /// `filter-ignored`).
    ///
    /// ```scim
    /// 200 to GET /Users?filter=userName%20eq%20%22ada%40example.com%22
    /// content-type: application/scim+json
    ///
    /// []
    /// ```
    /// ```scim
    /// 200 to GET /Users?filter=userName%20eq%20%22ada%40example.com%22
    /// content-type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],"totalResults":0,
    ///  "startIndex":1,"itemsPerPage":0,"Resources":[]}
    /// ```
    ///
    /// ```scim
    /// 200 to GET /Groups?filter=displayName%20eq%20%22Staff%22
    /// content-type: application/scim+json
    ///
    /// [{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"id":"8","displayName":"Sales",
    ///   "meta":{"resourceType":"Group"}}]
    /// ```
    /// ```scim
    /// unchanged
    /// ```
    pub static LIST_ARRAY_BARE = {
        id: "list-array-bare",
        direction: Response,
        risk: Safe,
        rfc: "RFC 7644 3.4.2",
        seen_in: &[Entra],
        sources: "https://learn.microsoft.com/en-us/entra/identity/app-provisioning/use-scim-to-provision-users-and-groups",
    };

    /// The bare resource where a filter was asked.
    ///
    /// An app that looks up by user name may answer the one user it found. Entra reads the answer of a query as a
    /// ListResponse (RFC 7644 3.4.2), finds no `Resources`, and creates the user again.
    ///
    /// The resource becomes a list of one. It is left where it contradicts the filter (one `eq`, and the resource
    /// carries that attribute with another value: see `filter-ignored`), where a later page was asked for, and where no
    /// filter was.
    ///
    /// ```scim
    /// 200 to GET /Groups?filter=displayName%20eq%20%22staff%22
    /// content-type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"id":"7",
    ///  "displayName":"Staff","meta":{"resourceType":"Group"}}
    /// ```
    /// ```scim
    /// 200 to GET /Groups?filter=displayName%20eq%20%22staff%22
    /// content-type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],"totalResults":1,
    ///  "startIndex":1,"itemsPerPage":1,"Resources":[{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],
    ///  "id":"7",
    ///  "displayName":"Staff","meta":{"resourceType":"Group"}}]}
    /// ```
    pub static LIST_SINGLE_OBJECT = {
        id: "list-single-object",
        direction: Response,
        risk: Safe,
        rfc: "RFC 7644 3.4.2",
        seen_in: &[Entra],
        sources: "https://learn.microsoft.com/en-us/entra/identity/app-provisioning/use-scim-to-provision-users-and-groups",
    };
}

/// Puts bare resources into a list of all there are; they stand in an array by now.
pub(crate) fn wrap(doc: &mut Doc<'_>, resources: Node) {
    let total = doc.len(resources).to_string();
    let list = doc.wrap_in_object(resources, "Resources", name::RESOURCES);
    for (number, key, count) in [
        (name::ITEMS_PER_PAGE, "itemsPerPage", total.as_str()),
        (name::START_INDEX, "startIndex", "1"),
        (name::TOTAL_RESULTS, "totalResults", total.as_str()),
    ] {
        let node = doc.scalar(count);
        let node = doc.keyed(node, key, number);
        doc.insert_first(list, node);
    }
    put(doc, list, &[urn::LIST_RESPONSE]);
}

/// Whether bare resources are all that was asked for: an array knows no pages.
pub(crate) fn is_whole(ask: &Ask<'_>, returned: usize) -> bool {
    let returned = u64::try_from(returned).unwrap_or(u64::MAX);
    !ask.unclear && !ask.cursor && ask.first() == 1 && ask.count.is_none_or(|count| returned < count)
}
