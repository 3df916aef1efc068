//! PAGE

use crate::quirk::quirk;

quirk! {
    /// PAGE
    pub static SCIM11_TRANSLATE = {
        id: "scim11-translate",
        direction: Response,
        risk: OptIn,
        rfc: "RFC 7643 3",
        seen_in: &[Okta, Jumpcloud],
    };
}
