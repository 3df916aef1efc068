//! PAGE

use crate::quirk::quirk;

quirk! {
    /// PAGE
    pub static PATCH_FILTER_KEYS = {
        id: "patch-filter-keys",
        direction: Request,
        risk: Safe,
        rfc: "RFC 7644 3.5.2",
        seen_in: &[Entra],
    };
}
