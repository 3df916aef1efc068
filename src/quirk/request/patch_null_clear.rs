//! PAGE

use crate::quirk::quirk;

quirk! {
    /// PAGE
    pub static PATCH_NULL_CLEAR = {
        id: "patch-null-clear",
        direction: Request,
        risk: Safe,
        rfc: "RFC 7643 2.5, RFC 7644 3.5.2",
        seen_in: &[Entra],
    };
}
