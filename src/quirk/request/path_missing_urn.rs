//! PAGE

use crate::quirk::quirk;

quirk! {
    /// PAGE
    pub static PATH_MISSING_URN = {
        id: "path-missing-urn",
        direction: Request,
        risk: Safe,
        rfc: "RFC 7644 3.10",
        seen_in: &[Entra],
    };
}
