//! PAGE

use crate::quirk::quirk;

quirk! {
    /// PAGE
    pub static PATCH_MEMBERS_BARE_STRING = {
        id: "patch-members-bare-string",
        direction: Request,
        risk: Safe,
        rfc: "RFC 7643 4.2, 2.4",
        seen_in: &[Entra],
    };

    /// PAGE
    pub static PATCH_MEMBERS_SINGLE_OBJECT = {
        id: "patch-members-single-object",
        direction: Request,
        risk: Safe,
        rfc: "RFC 7643 4.2, 2.4",
    };
}
