//! PAGE

use crate::quirk::quirk;

quirk! {
    /// PAGE
    pub static LIST_RESOURCE_SCHEMAS_MISSING = {
        id: "list-resource-schemas-missing",
        direction: Response,
        risk: Safe,
        rfc: "RFC 7643 3",
    };
}
