//! PAGE

use crate::quirk::quirk;

quirk! {
    /// PAGE
    pub static SCHEMAS_ENTRA_UNSUPPORTED = {
        id: "schemas-entra-unsupported",
        direction: Response,
        risk: Inferred,
        rfc: "RFC 7643 8.7.1",
        seen_in: &[Entra],
    };
}
