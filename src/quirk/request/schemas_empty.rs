//! PAGE

use crate::quirk::quirk;

quirk! {
    /// PAGE
    pub static SCHEMAS_EMPTY = {
        id: "schemas-empty",
        direction: Request,
        risk: Safe,
        rfc: "RFC 7643 3",
    };
}
