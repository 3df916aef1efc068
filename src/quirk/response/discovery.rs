//! PAGE

use crate::quirk::quirk;

quirk! {
    /// PAGE
    pub static DISCOVERY_ARRAY = {
        id: "discovery-array",
        direction: Response,
        risk: Safe,
        rfc: "RFC 7644 4",
    };

    /// PAGE
    pub static DISCOVERY_KEY = {
        id: "discovery-key",
        direction: Response,
        risk: Safe,
        rfc: "RFC 7644 3.4.2",
    };
}
