//! PAGE

use crate::quirk::quirk;

quirk! {
    /// PAGE
    pub static VERSION_NUMBER = {
        id: "version-number",
        direction: Response,
        risk: Safe,
        rfc: "RFC 7643 3.1",
    };
}
