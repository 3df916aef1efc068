//! PAGE

use crate::quirk::quirk;

quirk! {
    /// PAGE
    pub static SCHEMAS_UNKNOWN_URI = {
        id: "schemas-unknown-uri",
        direction: Request,
        risk: Safe,
        rfc: "RFC 7643 3",
        seen_in: &[Entra],
    };
}
