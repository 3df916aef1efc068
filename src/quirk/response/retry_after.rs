//! PAGE

use crate::quirk::quirk;

quirk! {
    /// PAGE
    pub static RETRY_AFTER_DATE = {
        id: "retry-after-date",
        direction: Response,
        risk: Safe,
        rfc: "RFC 9110 10.2.3",
        seen_in: &[Okta],
    };

    /// PAGE
    pub static RETRY_AFTER_FRACTION = {
        id: "retry-after-fraction",
        direction: Response,
        risk: Safe,
        rfc: "RFC 9110 10.2.3",
        seen_in: &[Okta],
    };
}
