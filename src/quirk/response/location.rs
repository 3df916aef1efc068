//! PAGE

use crate::quirk::quirk;

quirk! {
    /// PAGE
    pub static LOCATION_MISSING = {
        id: "location-missing",
        direction: Response,
        risk: Safe,
        rfc: "RFC 7644 3.3",
    };

    /// PAGE
    pub static LOCATION_RELATIVE = {
        id: "location-relative",
        direction: Response,
        risk: Safe,
        rfc: "RFC 7643 3.1",
    };

    /// PAGE
    pub static LOCATION_INTERNAL_HOST = {
        id: "location-internal-host",
        direction: Response,
        risk: Safe,
        rfc: "RFC 7643 2.3.7",
    };

    /// PAGE
    pub static LOCATION_MISMATCH = {
        id: "location-mismatch",
        direction: Response,
        risk: Safe,
        rfc: "RFC 7643 3.1",
    };
}
