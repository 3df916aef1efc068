//! PAGE

use crate::quirk::quirk;

quirk! {
    /// PAGE
    pub static NULL_ATTR = {
        id: "null-attr",
        direction: Request,
        risk: OptIn,
        rfc: "RFC 7644 3.3",
        seen_in: &[Entra],
    };
}
