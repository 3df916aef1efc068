//! PAGE

use crate::quirk::quirk;

quirk! {
    /// PAGE
    pub static SPC_BULK_LIMITS = {
        id: "spc-bulk-limits",
        direction: Response,
        risk: Safe,
        rfc: "RFC 7643 5",
        seen_in: &[Authentik],
    };
}
