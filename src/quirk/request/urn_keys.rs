//! PAGE

use crate::quirk::quirk;

quirk! {
    /// PAGE
    pub static PATCH_URN_KEYS = {
        id: "patch-urn-keys",
        direction: Request,
        risk: Safe,
        rfc: "RFC 7643 3.3, RFC 7644 3.10",
        seen_in: &[Entra],
    };

    /// PAGE
    pub static RESOURCE_URN_KEYS = {
        id: "resource-urn-keys",
        direction: Request,
        risk: Safe,
        rfc: "RFC 7643 3.3, RFC 7644 3.10",
    };
}
