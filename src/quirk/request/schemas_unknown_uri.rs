//! Microsoft's own URIs in `schemas`.

use crate::quirk::quirk;

quirk! {
    /// A Microsoft URI in `schemas` that no service provider knows.
    ///
    /// Entra creates groups with `http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group` listed. Strict
    /// handlers answer 400, and no group is ever created.
    ///
    /// URIs below `http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/` are dropped. Any other unknown URI is kept.
    /// RFC 7643 3.
    ///
    /// ```scim
    /// POST /Groups
    /// Content-Type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group",
    ///  "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group"],"displayName":"Team A"}
    /// ```
    /// ```scim
    /// POST /Groups
    /// Content-Type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"Team A"}
    /// ```
    pub static SCHEMAS_UNKNOWN_URI = {
        id: "schemas-unknown-uri",
        direction: Request,
        risk: Safe,
        rfc: "RFC 7643 3",
        seen_in: &[Entra],
        sources: "learn.microsoft.com application-provisioning-config-problem-scim-compatibility, better-auth/better-auth#10620",
    };
}

/// Whether a listed URI is one that only Microsoft's engine knows.
pub(super) fn is_known_bad(uri: &str) -> bool {
    const PREFIX: &str = "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/";
    uri.get(..PREFIX.len()).is_some_and(|start| start.eq_ignore_ascii_case(PREFIX))
}
