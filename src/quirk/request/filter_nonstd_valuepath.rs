//! PAGE

use crate::quirk::quirk;

quirk! {
    /// PAGE
    pub static FILTER_NONSTD_VALUEPATH = {
        id: "filter-nonstd-valuepath",
        direction: Request,
        risk: Safe,
        rfc: "RFC 7644 3.4.2.2",
        seen_in: &[Entra],
    };
}
