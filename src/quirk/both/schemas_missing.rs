//! PAGE

use crate::quirk::quirk;

quirk! {
    /// PAGE
    pub static SCHEMAS_MISSING = {
        id: "schemas-missing",
        direction: Both,
        risk: Safe,
        rfc: "RFC 7643 3, RFC 7644 3.1, 3.5.2",
        seen_in: &[Authentik, Okta],
    };
}
