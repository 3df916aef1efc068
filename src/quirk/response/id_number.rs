//! PAGE

use crate::quirk::quirk;

quirk! {
    /// PAGE
    pub static ID_NUMBER = {
        id: "id-number",
        direction: Response,
        risk: Safe,
        rfc: "RFC 7643 2.2, 3.1",
        seen_in: &[Jumpcloud],
    };
}
