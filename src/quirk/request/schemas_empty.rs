//! An empty `schemas` list.

use crate::quirk::quirk;

quirk! {
    /// An empty `schemas` list, or one that runs empty when known-bad URIs go.
    ///
    /// WSO2's sample creates a user with `"schemas":[]`. Handlers that pick the resource type by it answer 400.
    ///
    /// The list is filled as `schemas-missing` says: PatchOp for PATCH, the core URN of the endpoint and the extensions in use
    /// for POST and PUT. RFC 7643 3.
    ///
    /// ```scim
    /// POST /Users
    /// Content-Type: application/scim+json
    ///
    /// {"schemas":[],"userName":"kim"}
    /// ```
    /// ```scim
    /// POST /Users
    /// Content-Type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"kim"}
    /// ```
    pub static SCHEMAS_EMPTY = {
        id: "schemas-empty",
        direction: Request,
        risk: Safe,
        rfc: "RFC 7643 3",
        sources: "wso2/product-is#16933",
    };
}
