//! Keys that are a schema URN and an attribute.

use crate::quirk::quirk;

quirk! {
    /// Keys such as `urn:...:User:department` in a PATCH value.
    ///
    /// With its `aadOptscim062020` flag Entra merges changes into one operation without path, whose keys are paths. Handlers
    /// store the attribute under that very name, or answer 400.
    ///
    /// The member moves under its schema: `{"urn:...:User":{"department":..}}`; a core URN is simply taken off. Behind a known URN
    /// follow attribute and sub-attribute (`manager.value`); another `urn:` key is split at its last colon, if the rest is a legal
    /// name and the value is no object (an object may be the extension itself). An object that is there is merged into. Where two
    /// keys name the same place, the value keeps its keys. RFC 7643 3.3.
    ///
    /// ```scim
    /// PATCH /Users/2819
    /// Content-Type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
    ///  "Operations":[{"op":"add","value":{"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department":"Legal",
    ///   "urn:ietf:params:scim:schemas:core:2.0:User:displayName":"Ana"}}]}
    /// ```
    /// ```scim
    /// PATCH /Users/2819
    /// Content-Type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
    ///  "Operations":[{"op":"add","value":{"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"Legal"},
    ///   "displayName":"Ana"}}]}
    /// ```
    pub static PATCH_URN_KEYS = {
        id: "patch-urn-keys",
        direction: Request,
        risk: Safe,
        rfc: "RFC 7643 3.3, RFC 7644 3.10",
        seen_in: &[Entra],
        sources: "learn.microsoft.com application-provisioning-config-problem-scim-compatibility",
    };

    /// Keys such as `urn:...:User:department` in a resource to create or replace.
    ///
    /// A path notation, not a JSON form: handlers do not find the attribute.
    ///
    /// As `patch-urn-keys`, in POST and PUT. RFC 7643 3.3.
    ///
    /// ```scim
    /// POST /Users
    /// Content-Type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:schemas:core:2.0:User","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],"userName":"f","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department":"Sales"}
    /// ```
    /// ```scim
    /// POST /Users
    /// Content-Type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:schemas:core:2.0:User","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],"userName":"f","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"Sales"}}
    /// ```
    pub static RESOURCE_URN_KEYS = {
        id: "resource-urn-keys",
        direction: Request,
        risk: Safe,
        rfc: "RFC 7643 3.3, RFC 7644 3.10",
    };
}
