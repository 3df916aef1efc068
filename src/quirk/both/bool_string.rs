//! PAGE

use crate::quirk::quirk;

quirk! {
    /// PAGE
    pub static BOOL_STRING = {
        id: "bool-string",
        direction: Both,
        risk: Safe,
        rfc: "RFC 7643 2.3.2, 2.4, 4.1.1",
        seen_in: &[Entra],
    };
}
