//! PAGE

use crate::quirk::quirk;

quirk! {
    /// PAGE
    pub static MULTIVALUE_STRINGS = {
        id: "multivalue-strings",
        direction: Response,
        risk: Safe,
        rfc: "RFC 7643 2.4, 4.1.2, 4.2",
        seen_in: &[Okta],
    };

    /// PAGE
    pub static MULTIVALUE_OBJECT = {
        id: "multivalue-object",
        direction: Response,
        risk: Safe,
        rfc: "RFC 7643 2.4",
        seen_in: &[Okta],
    };

    /// PAGE
    pub static MULTIVALUE_NESTED_ARRAY = {
        id: "multivalue-nested-array",
        direction: Response,
        risk: Safe,
        rfc: "RFC 7643 2.4",
    };
}
