//! PAGE

use crate::quirk::quirk;

quirk! {
    /// PAGE
    pub static BULK_STATUS_NUMBER = {
        id: "bulk-status-number",
        direction: Response,
        risk: Safe,
        rfc: "RFC 7644 3.7.3",
    };
}
