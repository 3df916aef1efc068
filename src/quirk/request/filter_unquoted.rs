//! PAGE

use crate::quirk::quirk;

quirk! {
    /// PAGE
    pub static FILTER_UNQUOTED = {
        id: "filter-unquoted",
        direction: Request,
        risk: Safe,
        rfc: "RFC 7644 3.4.2.2",
        seen_in: &[Ping, Authentik],
    };
}
