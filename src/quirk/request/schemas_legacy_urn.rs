//! Schema URNs from before the RFC.

use crate::quirk::quirk;

quirk! {
    /// A schema URN of SCIM 1.1 or of the drafts in `schemas`.
    ///
    /// OneLogin's default template lists `urn:scim:schemas:core:2.0`, Okta's 1.1 templates and Google list
    /// `urn:scim:schemas:core:1.0`. Handlers that compare URNs refuse them.
    ///
    /// `urn:scim:schemas:core:1.0` and `urn:scim:schemas:core:2.0` become the core URN of the endpoint,
    /// `urn:scim:schemas:extension:enterprise:2.0` the enterprise URN. A URI that would then stand twice stands where it came
    /// first. Any other `urn:` is kept. RFC 7643 8.7.
    ///
    /// ```scim
    /// POST /Groups
    /// Content-Type: application/scim+json
    ///
    /// {"schemas":["urn:scim:schemas:core:2.0"],"displayName":"Team A"}
    /// ```
    /// ```scim
    /// POST /Groups
    /// Content-Type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"Team A"}
    /// ```
    pub static SCHEMAS_LEGACY_URN = {
        id: "schemas-legacy-urn",
        direction: Request,
        risk: Safe,
        rfc: "RFC 7643 3, 8.7",
        seen_in: &[Onelogin, Google, Okta],
        sources: "goauthentik/authentik#11249, grokability/snipe-it#12642, pond/scimitar#142, okta/okta-developer-docs#800",
    };

    /// The enterprise extension under its URN from before the RFC.
    ///
    /// OneLogin's default template puts `department` into an object `urn:scim:schemas:extension:enterprise:2.0`. Handlers do not
    /// find it.
    ///
    /// The key becomes the enterprise URN; an object that is there already is merged into. Where both name the same attribute,
    /// both stay. RFC 7643 4.3.
    ///
    /// ```scim
    /// POST /Users
    /// Content-Type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:schemas:core:2.0:User","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],"userName":"u2",
    ///  "urn:scim:schemas:extension:enterprise:2.0":{"department":"Sales"}}
    /// ```
    /// ```scim
    /// POST /Users
    /// Content-Type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:schemas:core:2.0:User","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],"userName":"u2",
    ///  "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"Sales"}}
    /// ```
    pub static EXT_LEGACY_KEY = {
        id: "ext-legacy-key",
        direction: Request,
        risk: Safe,
        rfc: "RFC 7643 3, 8.7",
        seen_in: &[Onelogin],
        sources: "Azure/AzureAD-BYOA-Provisioning-Samples#24",
    };
}
