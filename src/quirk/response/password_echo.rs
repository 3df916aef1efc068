//! PAGE

use crate::quirk::quirk;

quirk! {
    /// PAGE
    pub static PASSWORD_ECHO = {
        id: "password-echo",
        direction: Response,
        risk: Safe,
        rfc: "RFC 7643 4.1.1, 7",
    };
}
