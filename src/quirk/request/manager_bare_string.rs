//! PAGE

use crate::quirk::quirk;

quirk! {
    /// PAGE
    pub static MANAGER_BARE_STRING = {
        id: "manager-bare-string",
        direction: Request,
        risk: Safe,
        rfc: "RFC 7643 4.3",
        seen_in: &[Entra],
    };
}
