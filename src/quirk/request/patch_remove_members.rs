//! PAGE

use crate::quirk::quirk;

quirk! {
    /// PAGE
    pub static PATCH_REMOVE_VALUE_MEMBERS = {
        id: "patch-remove-value-members",
        direction: Request,
        risk: Safe,
        rfc: "RFC 7644 3.5.2.2",
        seen_in: &[Entra, Jumpcloud, Authentik],
    };

    /// PAGE
    pub static PATCH_REMOVE_WRAPPED_MEMBERS = {
        id: "patch-remove-wrapped-members",
        direction: Request,
        risk: Safe,
        rfc: "RFC 7644 3.5.2.2",
    };
}
