//! PAGE

use crate::quirk::quirk;

quirk! {
    /// PAGE
    pub static ERROR_STATUS_NUMBER = {
        id: "error-status-number",
        direction: Response,
        risk: Safe,
        rfc: "RFC 7644 3.12",
        seen_in: &[Okta],
    };

    /// PAGE
    pub static ERROR_STATUS_MISSING = {
        id: "error-status-missing",
        direction: Response,
        risk: Safe,
        rfc: "RFC 7644 3.12",
        seen_in: &[Okta],
    };

    /// PAGE
    pub static ERROR_STATUS_MISMATCH = {
        id: "error-status-mismatch",
        direction: Response,
        risk: Safe,
        rfc: "RFC 7644 3.12",
    };
}
