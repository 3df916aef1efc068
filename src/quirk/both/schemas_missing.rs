//! A message without `schemas`.

use crate::quirk::quirk;

quirk! {
    /// A resource or PATCH message without `schemas`.
    ///
    /// authentik patches groups without it, small clients create users without it; many servers answer resources without it.
    /// Strict readers refuse both: Okta's SPEC test, most SDKs.
    ///
    /// The list is put in, first: PatchOp for PATCH; the core URN of the endpoint and the URN of each extension object present
    /// for a resource. Only on `/Users` and `/Groups`, in answers where the body is a resource and the request did not limit
    /// attributes. A null counts as missing. RFC 7643 3.
    ///
    /// ```scim
    /// PATCH /Groups/5f
    /// Content-Type: application/scim+json
    ///
    /// {"Operations":[{"op":"replace","path":"displayName","value":"Admins"}]}
    /// ```
    /// ```scim
    /// PATCH /Groups/5f
    /// Content-Type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
    ///  "Operations":[{"op":"replace","path":"displayName","value":"Admins"}]}
    /// ```
    pub static SCHEMAS_MISSING = {
        id: "schemas-missing",
        direction: Both,
        risk: Safe,
        rfc: "RFC 7643 3, RFC 7644 3.1, 3.5.2",
        seen_in: &[Authentik, Okta],
        sources: "authentik providers/scim/clients/groups.py, ssoready/dummyidp#17, jelhub/scimgateway#44, PyPI scim2-client",
    };
}
