//! PAGE

use crate::quirk::quirk;

quirk! {
    /// PAGE
    pub static PATCH_DOTTED_KEYS = {
        id: "patch-dotted-keys",
        direction: Request,
        risk: Safe,
        rfc: "RFC 7644 3.5.2.1, 3.5.2.3, 3.10",
        seen_in: &[Entra],
    };
}
