//! PAGE

use crate::quirk::quirk;

quirk! {
    /// PAGE
    pub static SCHEMAS_LEGACY_URN = {
        id: "schemas-legacy-urn",
        direction: Request,
        risk: Safe,
        rfc: "RFC 7643 3, 8.7",
        seen_in: &[Onelogin, Google, Okta],
    };

    /// PAGE
    pub static EXT_LEGACY_KEY = {
        id: "ext-legacy-key",
        direction: Request,
        risk: Safe,
        rfc: "RFC 7643 3, 8.7",
        seen_in: &[Onelogin],
    };
}
