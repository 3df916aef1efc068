//! PAGE

use crate::quirk::quirk;

quirk! {
    /// PAGE
    pub static SCHEMAS_RESOURCE_SCHEMAS_MISSING = {
        id: "schemas-resource-schemas-missing",
        direction: Response,
        risk: Safe,
        rfc: "RFC 7643 7",
    };

    /// PAGE
    pub static SCHEMAS_ENUM_CASE = {
        id: "schemas-enum-case",
        direction: Response,
        risk: Safe,
        rfc: "RFC 7643 7",
        seen_in: &[Entra],
    };

    /// PAGE
    pub static SCHEMAS_NULL = {
        id: "schemas-null",
        direction: Response,
        risk: Safe,
        rfc: "RFC 7643 2.5",
        seen_in: &[Entra],
    };

    /// PAGE
    pub static SCHEMAS_TYPE_WRONG = {
        id: "schemas-type-wrong",
        direction: Response,
        risk: OptIn,
        rfc: "RFC 7643 8.7.1",
    };
}
