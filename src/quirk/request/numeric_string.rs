//! PAGE

use crate::quirk::quirk;

quirk! {
    /// PAGE
    pub static NUMERIC_STRING = {
        id: "numeric-string",
        direction: Request,
        risk: Safe,
        rfc: "RFC 7643 2.3.4",
    };
}
