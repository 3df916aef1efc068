//! Schema URNs with a slip in them.

use crate::quirk::quirk;

quirk! {
    /// A known schema URN in another letter case, or the enterprise URN without its last colon.
    ///
    /// Entra's documented create sample lists `urn:ietf:params:scim:schemas:extension:enterprise:2.0User`. Handlers that compare
    /// URNs refuse it, or take the extension for an unknown one.
    ///
    /// The URN gets its canonical form in `schemas`, as a key and in a path. Only URNs of RFC 7643, of the messages, and of
    /// declared schemas. RFC 7644 3.10: no facet of a URN is case-sensitive.
    ///
    /// ```scim
    /// POST /Users
    /// Content-Type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:schemas:core:2.0:User","urn:ietf:params:scim:schemas:extension:enterprise:2.0User"],"userName":"jyoung"}
    /// ```
    /// ```scim
    /// POST /Users
    /// Content-Type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:schemas:core:2.0:User","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],"userName":"jyoung"}
    /// ```
    pub static SCHEMAS_MALFORMED_URN = {
        id: "schemas-malformed-urn",
        direction: Request,
        risk: Safe,
        rfc: "RFC 7643 3, RFC 7644 3.10",
        seen_in: &[Entra],
        sources: "learn.microsoft.com use-scim-to-provision-users-and-groups, example 2",
    };
}
