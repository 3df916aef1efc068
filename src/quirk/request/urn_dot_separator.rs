//! PAGE

use crate::quirk::quirk;

quirk! {
    /// PAGE
    pub static URN_DOT_SEPARATOR = {
        id: "urn-dot-separator",
        direction: Request,
        risk: Safe,
        rfc: "RFC 7644 3.10",
        seen_in: &[Entra],
    };
}
