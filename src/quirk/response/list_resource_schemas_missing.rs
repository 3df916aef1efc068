//! Resources in a list without `schemas`.

use crate::quirk::quirk;

quirk! {
    /// Resources in a list without `schemas`.
    ///
    /// Every representation carries it (RFC 7643 3), in a list as well. SailPoint needs it there, and strict SDKs
    /// refuse the list.
    ///
    /// The core URN of the endpoint is put first, then the URN of each extension in the resource, in order. At the base
    /// URI and after `/.search` the type is what `meta.resourceType` says; without that, nothing is added. Nothing is
    /// added either when the request limits the attributes (`attributes`, or `excludedAttributes` with `schemas`).
    ///
    /// ```scim
    /// 200 to GET /Groups
    /// content-type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],"totalResults":1,"startIndex":1,
    ///  "itemsPerPage":1,
    ///  "Resources":[{"id":"7","displayName":"Staff","meta":{"resourceType":"Group"}}]}
    /// ```
    /// ```scim
    /// 200 to GET /Groups
    /// content-type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],"totalResults":1,"startIndex":1,
    ///  "itemsPerPage":1,
    ///  "Resources":[{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"id":"7",
    ///  "displayName":"Staff","meta":{"resourceType":"Group"}}]}
    /// ```
    pub static LIST_RESOURCE_SCHEMAS_MISSING = {
        id: "list-resource-schemas-missing",
        direction: Response,
        risk: Safe,
        rfc: "RFC 7643 3",
        sources: "jelhub/scimgateway#44, https://developer.okta.com/docs/api/openapi/okta-scim/guides/scim-20/",
    };
}
