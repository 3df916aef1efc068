//! PAGE

use crate::quirk::quirk;

quirk! {
    /// PAGE
    pub static ERROR_DETAIL_MISSING = {
        id: "error-detail-missing",
        direction: Response,
        risk: Inferred,
        rfc: "RFC 7644 3.12",
        seen_in: &[Okta],
    };
}
