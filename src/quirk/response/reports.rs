//! PAGE

use crate::quirk::quirk;

quirk! {
    /// PAGE
    pub static ACTIVE_MISSING = {
        id: "active-missing",
        direction: Response,
        risk: Report,
        rfc: "RFC 7643 4.1.1",
        seen_in: &[Entra, Okta],
    };

    /// PAGE
    pub static PATCH_204_EMPTY = {
        id: "patch-204-empty",
        direction: Response,
        risk: Report,
        rfc: "RFC 7644 3.5.2",
    };

    /// PAGE
    pub static NAME_MISSING = {
        id: "name-missing",
        direction: Response,
        risk: Report,
        rfc: "RFC 7643 4.1.1",
        seen_in: &[Okta],
    };

    /// PAGE
    pub static AUTH_STATUS = {
        id: "auth-status",
        direction: Response,
        risk: Report,
        rfc: "RFC 7644 3.12",
        seen_in: &[Okta, Entra],
    };

    /// PAGE
    pub static PATCH_DEACTIVATE_404 = {
        id: "patch-deactivate-404",
        direction: Response,
        risk: Report,
        rfc: "RFC 7644 3.5.2",
        seen_in: &[Okta, Entra],
    };
}
