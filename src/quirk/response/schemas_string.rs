//! PAGE

use crate::quirk::quirk;

quirk! {
    /// PAGE
    pub static SCHEMAS_STRING = {
        id: "schemas-string",
        direction: Response,
        risk: Safe,
        rfc: "RFC 7643 3",
    };
}
