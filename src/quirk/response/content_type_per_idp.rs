//! The right media type for an IdP that wants the other one.

use crate::quirk::quirk;

quirk! {
    /// `application/scim+json` to an identity provider that wants plain JSON.
    ///
    /// OneLogin's guide asks for `application/json` in every response, where Entra's validator stops on exactly that.
    /// Both are media types that RFC 7644 3.8 lets a client ask for, so the label follows the profile of the tenant.
    ///
    /// In the profile `onelogin`, an answer whose body is a JSON object or array is labelled `application/json`, and so
    /// is every body that scimshim writes itself; `content-type-json` then finds nothing. A body that is not JSON keeps
    /// its label.
    ///
    /// ```scim
    /// # idp: onelogin
    /// 200 to GET /Users/2819
    /// content-type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"id":"2819",
    ///  "userName":"ada@example.com","active":true,"meta":{"resourceType":"User"}}
    /// ```
    /// ```scim
    /// 200 to GET /Users/2819
    /// content-type: application/json
    ///
    /// {"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"id":"2819",
    ///  "userName":"ada@example.com","active":true,"meta":{"resourceType":"User"}}
    /// ```
    pub static CONTENT_TYPE_PER_IDP = {
        id: "content-type-per-idp",
        direction: Response,
        risk: Inferred,
        rfc: "RFC 7644 3.8",
        seen_in: &[Onelogin],
        sources: "https://developers.onelogin.com/scim/implement-scim-api",
    };
}
