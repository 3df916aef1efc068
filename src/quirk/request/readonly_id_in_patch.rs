//! PAGE

use crate::quirk::quirk;

quirk! {
    /// PAGE
    pub static READONLY_ID_IN_PATCH = {
        id: "readonly-id-in-patch",
        direction: Request,
        risk: Safe,
        rfc: "RFC 7643 3.1",
        seen_in: &[Okta, Authentik],
    };
}
