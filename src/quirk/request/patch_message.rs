//! PAGE

use crate::quirk::quirk;

quirk! {
    /// PAGE
    pub static PATCH_OPERATIONS_KEY_CASE = {
        id: "patch-operations-key-case",
        direction: Request,
        risk: Safe,
        rfc: "RFC 7643 2.1, RFC 7644 3.5.2",
        spelling: true,
    };

    /// PAGE
    pub static PATCH_OP_EXTRA_KEY = {
        id: "patch-op-extra-key",
        direction: Request,
        risk: Safe,
        rfc: "RFC 7644 3.5.2",
        seen_in: &[Entra],
    };

    /// PAGE
    pub static PATCH_EXTRA_TOPLEVEL = {
        id: "patch-extra-toplevel",
        direction: Request,
        risk: Safe,
        rfc: "RFC 7644 3.5.2",
        seen_in: &[Entra],
    };

    /// PAGE
    pub static PATCH_EMPTY_OPERATIONS = {
        id: "patch-empty-operations",
        direction: Request,
        risk: Report,
        rfc: "RFC 7644 3.5.2",
        seen_in: &[Entra],
    };
}
