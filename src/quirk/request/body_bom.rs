//! PAGE

use crate::quirk::quirk;

quirk! {
    /// PAGE
    pub static BODY_BOM = {
        id: "body-bom",
        direction: Request,
        risk: Safe,
        rfc: "RFC 8259 8.1",
    };

    /// PAGE
    pub static BODY_WHITESPACE = {
        id: "body-whitespace",
        direction: Request,
        risk: Report,
        rfc: "RFC 8259 2, 7",
    };
}
