//! PAGE

use crate::quirk::quirk;

quirk! {
    /// PAGE
    pub static EXCLUDED_ATTRIBUTES_IGNORED = {
        id: "excluded-attributes-ignored",
        direction: Response,
        risk: Safe,
        rfc: "RFC 7644 3.9",
        seen_in: &[Entra],
    };

    /// PAGE
    pub static ATTRIBUTES_IGNORED = {
        id: "attributes-ignored",
        direction: Response,
        risk: OptIn,
        rfc: "RFC 7644 3.9",
    };
}
