//! PAGE

use crate::quirk::quirk;

quirk! {
    /// PAGE
    pub static SCHEMAS_MALFORMED_URN = {
        id: "schemas-malformed-urn",
        direction: Request,
        risk: Safe,
        rfc: "RFC 7643 3, RFC 7644 3.10",
        seen_in: &[Entra],
    };
}
