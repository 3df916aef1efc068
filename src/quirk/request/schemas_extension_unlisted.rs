//! PAGE

use crate::quirk::quirk;

quirk! {
    /// PAGE
    pub static SCHEMAS_EXTENSION_UNLISTED = {
        id: "schemas-extension-unlisted",
        direction: Request,
        risk: Safe,
        rfc: "RFC 7643 3",
    };
}
