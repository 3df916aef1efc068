//! PAGE

use crate::quirk::quirk;

quirk! {
    /// PAGE
    pub static FILTER_IGNORED = {
        id: "filter-ignored",
        direction: Response,
        risk: OptIn,
        rfc: "RFC 7644 3.4.2.2",
    };
}
