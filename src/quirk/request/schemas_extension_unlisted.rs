//! Extensions that `schemas` does not list.

use crate::quirk::quirk;

quirk! {
    /// An extension object whose URN is not in `schemas`.
    ///
    /// Handlers that bind extensions by `schemas` drop the object without a word.
    ///
    /// The URN is appended, in POST and PUT to `/Users` and `/Groups`; known or not, every `urn:` key with an object as its
    /// value counts as an extension, save a known URN with an attribute behind it. RFC 7643 3.
    ///
    /// ```scim
    /// PUT /Users/x2
    /// Content-Type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"x2","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"Sales"}}
    /// ```
    /// ```scim
    /// PUT /Users/x2
    /// Content-Type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:schemas:core:2.0:User","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],"userName":"x2","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"Sales"}}
    /// ```
    pub static SCHEMAS_EXTENSION_UNLISTED = {
        id: "schemas-extension-unlisted",
        direction: Request,
        risk: Safe,
        rfc: "RFC 7643 3",
    };
}
