//! PAGE

use crate::quirk::quirk;

quirk! {
    /// PAGE
    pub static OBJECT_FOR_ARRAY = {
        id: "object-for-array",
        direction: Request,
        risk: Safe,
        rfc: "RFC 7643 2.4, 4.1.2",
        seen_in: &[Onelogin],
    };
}
