//! PAGE

use crate::quirk::quirk;

quirk! {
    /// PAGE
    pub static PRIMARY_DUPLICATE = {
        id: "primary-duplicate",
        direction: Response,
        risk: OptIn,
        rfc: "RFC 7643 2.4",
    };
}
