//! Answers to PATCH.

use crate::quirk::quirk;

quirk! {
    /// 200 without a body as the answer to PATCH.
    ///
    /// A PATCH is answered 200 with the resource or 204 without (RFC 7644 3.5.2). Parsers fail on the empty body of a
    /// 200.
    ///
    /// It becomes 204. Nothing is read back: the shim does not put a body together that the app has not sent.
    ///
    /// ```scim
    /// 200 to PATCH /Users/2819
    /// ```
    /// ```scim
    /// 204 to PATCH /Users/2819
    /// ```
    pub static PATCH_200_EMPTY_BODY = {
        id: "patch-200-empty-body",
        direction: Response,
        risk: Safe,
        rfc: "RFC 7644 3.5.2",
        sources: "RFC 7644 3.5.2; no server is named",
    };

    /// The whole group, with all its members, as the answer to PATCH.
    ///
    /// It is legal (RFC 7644 3.5.2), but Entra recommends 204 and discourages returning the members: a change of one
    /// member of a large group moves all of them through the wire each time.
    ///
    /// In the profile `entra`, 200 with the group becomes 204. If the request names `attributes`, the group must be
    /// returned, and it is. Users are left alone: there Entra reads the answer.
    ///
    /// ```scim
    /// # idp: entra
    /// 200 to PATCH /Groups/7
    /// content-type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"id":"7","displayName":"Staff",
    ///  "members":[{"value":"2819"}],"meta":{"resourceType":"Group"}}
    /// ```
    /// ```scim
    /// 204 to PATCH /Groups/7
    /// ```
    pub static GROUP_PATCH_200_TO_204 = {
        id: "group-patch-200-to-204",
        direction: Response,
        risk: Inferred,
        rfc: "RFC 7644 3.5.2",
        seen_in: &[Entra],
        sources: "https://learn.microsoft.com/en-us/entra/identity/app-provisioning/use-scim-to-provision-users-and-groups",
    };

    /// The whole user as the answer to PATCH.
    ///
    /// It is as legal as 204 (RFC 7644 3.5.2). Microsoft's test collection wants 204 after every PATCH, and an app that
    /// returns long users sends each of them twice in a cycle.
    ///
    /// Opt-in: Entra and Okta take either, and may read the answer. When fixed, 200 with the user becomes 204. If the request
    /// names `attributes`, the user must be returned, and it is.
    ///
    /// ```scim
    /// # enable: user-patch-200-to-204
    /// 200 to PATCH /Users/2819
    /// content-type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"id":"2819","userName":"jyoung",
    ///  "meta":{"resourceType":"User"}}
    /// ```
    /// ```scim
    /// 204 to PATCH /Users/2819
    /// ```
    pub static USER_PATCH_200_TO_204 = {
        id: "user-patch-200-to-204",
        direction: Response,
        risk: OptIn,
        rfc: "RFC 7644 3.5.2",
        seen_in: &[Entra],
        sources: "AzureAD/SCIMReferenceCode PostmanCollection.json",
    };
}
