//! PAGE

use crate::quirk::quirk;

quirk! {
    /// PAGE
    pub static ID_FROM_LOCATION = {
        id: "id-from-location",
        direction: Response,
        risk: OptIn,
        rfc: "RFC 7643 3.1",
    };
}
