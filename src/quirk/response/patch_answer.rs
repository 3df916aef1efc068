//! PAGE

use crate::quirk::quirk;

quirk! {
    /// PAGE
    pub static PATCH_200_EMPTY_BODY = {
        id: "patch-200-empty-body",
        direction: Response,
        risk: Safe,
        rfc: "RFC 7644 3.5.2",
    };

    /// PAGE
    pub static GROUP_PATCH_200_TO_204 = {
        id: "group-patch-200-to-204",
        direction: Response,
        risk: Inferred,
        rfc: "RFC 7644 3.5.2",
        seen_in: &[Entra],
    };
}
