//! PAGE

use crate::quirk::quirk;

quirk! {
    /// PAGE
    pub static PATCH_OP_CASE = {
        id: "patch-op-case",
        direction: Request,
        risk: Safe,
        rfc: "RFC 7644 3.5.2",
        seen_in: &[Entra],
    };

    /// PAGE
    pub static PATCH_OP_ALIAS = {
        id: "patch-op-alias",
        direction: Request,
        risk: Safe,
        rfc: "RFC 7644 3.5.2",
    };
}
