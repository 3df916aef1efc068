//! PAGE

use crate::quirk::quirk;

quirk! {
    /// PAGE
    pub static NULL_SUBATTR = {
        id: "null-subattr",
        direction: Request,
        risk: Safe,
        rfc: "RFC 7643 2.4, 2.5",
        seen_in: &[Entra, Okta],
    };
}
