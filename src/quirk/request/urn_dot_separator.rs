//! A dot between a schema URN and the attribute.

use crate::quirk::quirk;

quirk! {
    /// A dot where a colon belongs: `urn:...:2.0:User.department`.
    ///
    /// Entra's jobs from before 2018 and Apache Syncope write paths so. Handlers take `User` for the attribute and answer 400.
    ///
    /// Behind a known URN the dot becomes a colon, in paths and keys. Behind an unknown one it stays. RFC 7644 3.10.
    ///
    /// ```scim
    /// PATCH /Users/2819
    /// Content-Type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
    ///  "Operations":[{"op":"replace","path":"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User.department","value":"Retail"}]}
    /// ```
    /// ```scim
    /// PATCH /Users/2819
    /// Content-Type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
    ///  "Operations":[{"op":"replace","path":"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department","value":"Retail"}]}
    /// ```
    pub static URN_DOT_SEPARATOR = {
        id: "urn-dot-separator",
        direction: Request,
        risk: Safe,
        rfc: "RFC 7644 3.10",
        seen_in: &[Entra],
        sources: "learn.microsoft.com application-provisioning-config-problem-scim-compatibility, apache/directory-scimple#704",
    };
}
