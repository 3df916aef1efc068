//! PAGE

use crate::quirk::quirk;

quirk! {
    /// PAGE
    pub static ERROR_SCHEMAS_MISSING = {
        id: "error-schemas-missing",
        direction: Response,
        risk: Safe,
        rfc: "RFC 7644 3.12",
        seen_in: &[Okta],
    };

    /// PAGE
    pub static ERROR_SCHEMA_KEY = {
        id: "error-schema-key",
        direction: Response,
        risk: Safe,
        rfc: "RFC 7644 3.12",
        seen_in: &[Okta],
    };
}
