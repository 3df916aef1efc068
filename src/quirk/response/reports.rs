//! What is counted and never mended.

use crate::quirk::quirk;

quirk! {
    /// A user without `active`.
    ///
    /// It is optional (RFC 7643 4.1.1), but one server leaves it out when it is false. Entra's test of deactivation and
    /// Okta's SPEC test fail on it, and a reader that takes "absent" for "true" sees a disabled account as enabled.
    ///
    /// Counted, never mended: to add `true` could bring somebody back who has left.
    ///
    /// ```scim
    /// 200 to GET /Users/2819
    /// content-type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"id":"2819","userName":"ada@example.com",
    ///  "name":{"familyName":"Lovelace"},"meta":{"resourceType":"User"}}
    /// ```
    /// ```scim
    /// unchanged
    /// ```
    pub static ACTIVE_MISSING = {
        id: "active-missing",
        direction: Response,
        risk: Report,
        rfc: "RFC 7643 4.1.1",
        seen_in: &[Entra, Okta],
        sources: "grokability/snipe-it#13855",
    };

    /// 204 as the answer to PATCH.
    ///
    /// It is legal (RFC 7644 3.5.2). scim-sanity and scimverify want 200 with the resource, Microsoft's collection of
    /// requests wants 204, and Entra recommends 204 for groups: no answer satisfies all.
    ///
    /// Counted, never mended: a resource would have to be read back.
    ///
    /// ```scim
    /// 204 to PATCH /Users/2819
    /// ```
    /// ```scim
    /// unchanged
    /// ```
    pub static PATCH_204_EMPTY = {
        id: "patch-204-empty",
        direction: Response,
        risk: Report,
        rfc: "RFC 7644 3.5.2",
        sources: "RFC 7644 3.5.2",
    };

    /// A user without `name.familyName`.
    ///
    /// It is optional (RFC 7643 4.1.1); Okta's SPEC test demands it non-empty all the same.
    ///
    /// Counted, never mended: a name cannot be guessed, not even from `displayName`.
    ///
    /// ```scim
    /// 200 to GET /Users/2819
    /// content-type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"id":"2819","userName":"ada@example.com",
    ///  "active":true,"name":{"givenName":"Ada"},"meta":{"resourceType":"User"}}
    /// ```
    /// ```scim
    /// unchanged
    /// ```
    pub static NAME_MISSING = {
        id: "name-missing",
        direction: Response,
        risk: Report,
        rfc: "RFC 7643 4.1.1",
        seen_in: &[Okta],
        sources: "PostHog/posthog#42205",
    };

    /// 500 or 403 where the token is missing or wrong.
    ///
    /// That is 401 (RFC 7644 3.12). On 401 Entra tells the admin that the credentials are wrong; on 500 it retries for
    /// days.
    ///
    /// Counted, never mended: the cause is not visible from outside. It is noted where a challenge (WWW-Authenticate)
    /// stands beside the status, which only a 401 has reason to carry.
    ///
    /// ```scim
    /// 500 to GET /Users
    /// content-type: application/scim+json
    /// www-authenticate: Bearer
    ///
    /// {"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"500","detail":"no token"}
    /// ```
    /// ```scim
    /// unchanged
    /// ```
    pub static AUTH_STATUS = {
        id: "auth-status",
        direction: Response,
        risk: Report,
        rfc: "RFC 7644 3.12",
        seen_in: &[Okta, Entra],
        sources: "keycloak/keycloak#49973, wso2/product-is#4022",
    };

    /// 404 for a user that has just been deactivated.
    ///
    /// Apps that filter inactive accounts out of every query answer `active: false` with 404, or the read after it (RFC
    /// 7644 3.5.2). Okta and Entra take the user for deleted, or the deactivation for failed.
    ///
    /// Never mended: whether the account is disabled or gone cannot be told from one answer. For the same reason the
    /// engine, which has no memory, does not count it; look for 404 to PATCH and GET of users in
    /// `scimshim_requests_total`.
    ///
    /// ```scim
    /// 404 to PATCH /Users/2819
    /// content-type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"404","detail":"no such user"}
    /// ```
    /// ```scim
    /// unchanged
    /// ```
    pub static PATCH_DEACTIVATE_404 = {
        id: "patch-deactivate-404",
        direction: Response,
        risk: Report,
        rfc: "RFC 7644 3.5.2",
        seen_in: &[Okta, Entra],
        sources: "langfuse/langfuse#13245",
    };
}
