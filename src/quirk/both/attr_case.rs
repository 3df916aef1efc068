//! PAGE

use crate::quirk::quirk;

quirk! {
    /// PAGE
    pub static ATTR_CASE = {
        id: "attr-case",
        direction: Both,
        risk: Safe,
        rfc: "RFC 7643 2.1",
        seen_in: &[Entra],
        spelling: true,
    };
}
