//! PAGE

use crate::quirk::quirk;

quirk! {
    /// PAGE
    pub static REDIRECT = {
        id: "redirect",
        direction: Response,
        risk: OptIn,
        rfc: "RFC 7644 3.12",
    };
}
