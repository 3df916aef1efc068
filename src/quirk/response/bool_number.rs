//! A boolean written as a number.

use crate::quirk::quirk;

quirk! {
    /// `1` or `0` where a boolean belongs.
    ///
    /// Servers whose database has no booleans send what is stored there. Okta and Entra compare `active` with `true`
    /// and `false`, and a deactivation is never confirmed.
    ///
    /// The numbers 1 and 0 become `true` and `false`, for attributes whose type is known: `active`, `primary`, and what
    /// is declared under `normalize.schemas`. Any other number is left and counted. Texts are a matter of
    /// `bool-string`. RFC 7643 2.3.2.
    ///
    /// ```scim
    /// 200 to GET /Users/2819
    /// content-type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"id":"2819",
    ///  "userName":"ada@example.com","active":0,"meta":{"resourceType":"User"}}
    /// ```
    /// ```scim
    /// 200 to GET /Users/2819
    /// content-type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"id":"2819",
    ///  "userName":"ada@example.com","active":false,"meta":{"resourceType":"User"}}
    /// ```
    pub static BOOL_NUMBER = {
        id: "bool-number",
        direction: Response,
        risk: Safe,
        rfc: "RFC 7643 2.3.2",
        seen_in: &[Okta, Entra],
        sources: "Captain-P-Goldfish/scim-for-keycloak#87, grokability/snipe-it#13948",
    };
}
