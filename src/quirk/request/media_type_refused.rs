//! 415 for SCIM's own media type.

use crate::quirk::quirk;

quirk! {
    /// 415 for a body whose media type is one of SCIM's two.
    ///
    /// Body parsers read `application/json` and nothing else unless they are told (Express, Spring, many of our own), and a
    /// handler that was written for a client which sends that never was. Other handlers read `application/scim+json` only.
    /// Okta and Entra send the one, Google, Ping and authentik the other.
    ///
    /// By 415 the app says that it has not looked at the body (RFC 9110 15.5.16). The proxy sends the same bytes under the
    /// other of the two media types, once, and remembers for the tenant what the app reads. `upstream.content_type` settles
    /// it without asking. `explain`, which makes no requests, finds nothing here. RFC 7644 3.1, 8.1.
    ///
    /// ```scim
    /// 415 to POST /Users
    /// content-type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"415","detail":"Unsupported Media Type"}
    /// ```
    /// ```scim
    /// unchanged
    /// ```
    pub static MEDIA_TYPE_REFUSED = {
        id: "media-type-refused",
        direction: Request,
        risk: Safe,
        rfc: "RFC 7644 3.1",
        seen_in: &[Okta, Entra],
        sources: "MicrosoftDocs/azure-docs#12728, medplum/medplum#4143, koajs/bodyparser#151, pingidentity/scim2#131",
    };
}
