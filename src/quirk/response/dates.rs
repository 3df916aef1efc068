//! PAGE

use crate::quirk::quirk;

quirk! {
    /// PAGE
    pub static DATE_EPOCH = {
        id: "date-epoch",
        direction: Response,
        risk: Safe,
        rfc: "RFC 7643 2.3.5",
    };

    /// PAGE
    pub static DATE_SPACE = {
        id: "date-space",
        direction: Response,
        risk: Safe,
        rfc: "RFC 7643 2.3.5",
    };

    /// PAGE
    pub static DATE_NO_ZONE = {
        id: "date-no-zone",
        direction: Response,
        risk: OptIn,
        rfc: "RFC 7643 2.3.5",
    };
}
