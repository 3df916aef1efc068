//! PAGE

use crate::quirk::quirk;

quirk! {
    /// PAGE
    pub static ERROR_200 = {
        id: "error-200",
        direction: Response,
        risk: Safe,
        rfc: "RFC 7644 3.12",
    };
}
