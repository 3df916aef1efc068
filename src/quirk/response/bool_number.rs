//! PAGE

use crate::quirk::quirk;

quirk! {
    /// PAGE
    pub static BOOL_NUMBER = {
        id: "bool-number",
        direction: Response,
        risk: Safe,
        rfc: "RFC 7643 2.3.2",
        seen_in: &[Okta, Entra],
    };
}
