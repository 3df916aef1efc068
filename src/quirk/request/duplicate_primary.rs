//! PAGE

use crate::quirk::quirk;

quirk! {
    /// PAGE
    pub static DUPLICATE_PRIMARY = {
        id: "duplicate-primary",
        direction: Request,
        risk: OptIn,
        rfc: "RFC 7643 2.4",
        seen_in: &[Ping],
    };
}
