//! A charset on the right media type.

use crate::quirk::quirk;

quirk! {
    /// `application/scim+json; charset=utf-8` instead of `application/scim+json`.
    ///
    /// Okta and Entra send the parameter on every write. The media type has none (RFC 7644 8.1); handlers that compare the whole
    /// header answer 415.
    ///
    /// A `charset=utf-8` is taken off. Another charset stays: it may be true. For apps that want plain JSON set
    /// `upstream.content_type`.
    ///
    /// ```scim
    /// POST /Groups
    /// Content-Type: application/scim+json; charset=utf-8
    ///
    /// {"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"A"}
    /// ```
    /// ```scim
    /// POST /Groups
    /// Content-Type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"A"}
    /// ```
    pub static CONTENT_TYPE_CHARSET = {
        id: "content-type-charset",
        direction: Request,
        risk: Safe,
        rfc: "RFC 7644 3.1, 8.1",
        seen_in: &[Okta, Entra],
        spelling: true,
        sources: "MicrosoftDocs/azure-docs#12728, MicrosoftDocs/azure-docs#94189, oktadeveloper/okta-blog-archive#1956",
    };
}
