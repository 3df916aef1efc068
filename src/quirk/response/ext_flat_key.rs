//! PAGE

use crate::quirk::quirk;

quirk! {
    /// PAGE
    pub static EXT_FLAT_KEY = {
        id: "ext-flat-key",
        direction: Response,
        risk: Safe,
        rfc: "RFC 7643 3.3",
    };
}
