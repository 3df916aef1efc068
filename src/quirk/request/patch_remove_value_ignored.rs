//! PAGE

use crate::quirk::quirk;

quirk! {
    /// PAGE
    pub static PATCH_REMOVE_VALUE_IGNORED = {
        id: "patch-remove-value-ignored",
        direction: Request,
        risk: Safe,
        rfc: "RFC 7644 3.5.2.2",
        seen_in: &[Entra],
    };
}
