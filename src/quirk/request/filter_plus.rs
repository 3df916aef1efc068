//! PAGE

use crate::quirk::quirk;

quirk! {
    /// PAGE
    pub static FILTER_PLUS_ENCODING = {
        id: "filter-plus-encoding",
        direction: Request,
        risk: Safe,
        rfc: "RFC 3986 3.4, RFC 7644 3.4.2.2",
        seen_in: &[Entra, Onelogin],
    };

    /// PAGE
    pub static FILTER_RAW_PLUS = {
        id: "filter-raw-plus",
        direction: Request,
        risk: Safe,
        rfc: "RFC 3986 3.4, RFC 7644 3.4.2.2",
        seen_in: &[Okta],
    };
}
