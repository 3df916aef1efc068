//! PAGE

use crate::quirk::quirk;

quirk! {
    /// PAGE
    pub static LIST_404_EMPTY = {
        id: "list-404-empty",
        direction: Response,
        risk: OptIn,
        rfc: "RFC 7644 3.4.2",
        seen_in: &[Entra],
    };

    /// PAGE
    pub static LIST_204_EMPTY = {
        id: "list-204-empty",
        direction: Response,
        risk: Safe,
        rfc: "RFC 7644 3.4.2",
        seen_in: &[Entra, Okta],
    };
}
