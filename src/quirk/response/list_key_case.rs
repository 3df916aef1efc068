//! PAGE

use crate::quirk::quirk;

quirk! {
    /// PAGE
    pub static LIST_KEY_CASE = {
        id: "list-key-case",
        direction: Response,
        risk: Safe,
        rfc: "RFC 7643 2.1",
        seen_in: &[Okta, Entra],
    };
}
