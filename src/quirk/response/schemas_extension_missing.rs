//! PAGE

use crate::quirk::quirk;

quirk! {
    /// PAGE
    pub static SCHEMAS_EXTENSION_MISSING = {
        id: "schemas-extension-missing",
        direction: Response,
        risk: Safe,
        rfc: "RFC 7643 3, 3.3",
    };
}
