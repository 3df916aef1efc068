//! PAGE

use crate::quirk::quirk;

quirk! {
    /// PAGE
    pub static PATCH_EMPTY_STRING_CLEAR = {
        id: "patch-empty-string-clear",
        direction: Request,
        risk: Inferred,
        rfc: "RFC 7643 4.3",
        seen_in: &[Entra],
    };
}
