//! PAGE

use crate::quirk::quirk;

quirk! {
    /// PAGE
    pub static LIST_SCHEMAS_MISSING = {
        id: "list-schemas-missing",
        direction: Response,
        risk: Safe,
        rfc: "RFC 7644 3.4.2",
        seen_in: &[Entra, Okta],
    };
}
