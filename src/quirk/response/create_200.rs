//! A create answered 200.

use crate::quirk::quirk;

quirk! {
    /// A create answered 200.
    ///
    /// A resource that was created is answered 201 (RFC 7644 3.3); Okta's SPEC test and every other suite insist on it.
    ///
    /// 200 to a POST on a collection becomes 201 if the body is the resource: it has an `id` or names the core schema,
    /// and is no Error. `{"success": true}` is a word and not a resource; it stays 200. So does an answer of `.search`,
    /// `/Bulk` and `/Me`.
    ///
    /// ```scim
    /// 200 to POST /Groups
    /// content-type: application/scim+json
    /// location: https://scim.example.com/scim/v2/Groups/7
    ///
    /// {"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"id":"7","displayName":"Staff",
    ///  "meta":{"resourceType":"Group","location":"https://scim.example.com/scim/v2/Groups/7"}}
    /// ```
    /// ```scim
    /// 201 to POST /Groups
    /// content-type: application/scim+json
    /// location: https://scim.example.com/scim/v2/Groups/7
    ///
    /// {"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"id":"7","displayName":"Staff",
    ///  "meta":{"resourceType":"Group","location":"https://scim.example.com/scim/v2/Groups/7"}}
    /// ```
    ///
    /// ```scim
    /// 200 to POST /Groups
    /// content-type: application/scim+json
    ///
    /// {"success":true}
    /// ```
    /// ```scim
    /// unchanged
    /// ```
    pub static CREATE_200 = {
        id: "create-200",
        direction: Response,
        risk: Safe,
        rfc: "RFC 7644 3.3",
        seen_in: &[Okta],
        sources: "FusionAuth/fusionauth-issues#1775",
    };
}
