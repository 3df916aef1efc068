//! Enterprise attributes without their URN.

use crate::quirk::quirk;

quirk! {
    /// A PATCH path such as `manager` or `department` without the enterprise URN.
    ///
    /// An older sample of Entra's tutorial uses the path `manager`. It is no attribute of the core schema; handlers answer 400,
    /// or 200 with nothing done.
    ///
    /// The enterprise URN is put in front, in paths of PATCH requests to `/Users`, for names of the enterprise extension that
    /// neither the core schema nor a declared one has. Keys of a value stay as they are. RFC 7644 3.10.
    ///
    /// ```scim
    /// PATCH /Users/2819
    /// Content-Type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
    ///  "Operations":[{"op":"replace","path":"department","value":"Sales"}]}
    /// ```
    /// ```scim
    /// PATCH /Users/2819
    /// Content-Type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
    ///  "Operations":[{"op":"replace","path":"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department","value":"Sales"}]}
    /// ```
    pub static PATH_MISSING_URN = {
        id: "path-missing-urn",
        direction: Request,
        risk: Safe,
        rfc: "RFC 7644 3.10",
        seen_in: &[Entra],
        sources: "learn.microsoft.com use-scim-to-provision-users-and-groups, example 5",
    };
}
