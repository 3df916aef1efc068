//! PAGE

use crate::quirk::quirk;

quirk! {
    /// PAGE
    pub static MANAGER_STRING = {
        id: "manager-string",
        direction: Response,
        risk: OptIn,
        rfc: "RFC 7643 4.3",
    };
}
