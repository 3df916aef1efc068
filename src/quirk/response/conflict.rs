//! PAGE

use crate::quirk::quirk;

quirk! {
    /// PAGE
    pub static CONFLICT_SCIMTYPE_MISSING = {
        id: "conflict-scimtype-missing",
        direction: Response,
        risk: Safe,
        rfc: "RFC 7644 3.3",
        seen_in: &[Authentik],
    };

    /// PAGE
    pub static CONFLICT_STATUS = {
        id: "conflict-status",
        direction: Response,
        risk: OptIn,
        rfc: "RFC 7644 3.3",
        seen_in: &[Okta, Entra],
    };
}
