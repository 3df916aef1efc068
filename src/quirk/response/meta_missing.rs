//! PAGE

use crate::quirk::quirk;

quirk! {
    /// PAGE
    pub static META_MISSING = {
        id: "meta-missing",
        direction: Response,
        risk: Safe,
        rfc: "RFC 7643 3.1",
    };
}
