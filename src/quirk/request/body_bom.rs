//! What may stand around a body.

use crate::quirk::quirk;

quirk! {
    /// A UTF-8 byte order mark before the body.
    ///
    /// JSON texts must not begin with one (RFC 8259 8.1); most parsers answer 400 to the three bytes.
    ///
    /// They are taken off.
    ///
    /// ```scim
    /// POST /Groups
    /// Content-Type: application/scim+json
    ///
    /// ﻿{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"A"}
    /// ```
    /// ```scim
    /// POST /Groups
    /// Content-Type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"A"}
    /// ```
    pub static BODY_BOM = {
        id: "body-bom",
        direction: Request,
        risk: Safe,
        rfc: "RFC 8259 8.1",
    };

    /// White space around the body.
    ///
    /// Legal (RFC 8259 2). Counted only, because a few old handlers trip over it: the same bytes go on.
    ///
    /// ```scim
    /// POST /Groups
    /// Content-Type: application/scim+json
    ///
    ///   {"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"A"}
    /// ```
    /// ```scim
    /// unchanged
    /// ```
    pub static BODY_WHITESPACE = {
        id: "body-whitespace",
        direction: Request,
        risk: Report,
        rfc: "RFC 8259 2, 7",
    };
}
