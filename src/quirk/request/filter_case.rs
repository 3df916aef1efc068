//! PAGE

use crate::quirk::quirk;

quirk! {
    /// PAGE
    pub static FILTER_ATTR_CASE = {
        id: "filter-attr-case",
        direction: Request,
        risk: Safe,
        rfc: "RFC 7643 2.1, RFC 7644 3.4.2.2",
        seen_in: &[Entra],
        spelling: true,
    };

    /// PAGE
    pub static FILTER_OP_CASE = {
        id: "filter-op-case",
        direction: Request,
        risk: Safe,
        rfc: "RFC 7644 3.4.2.2",
        spelling: true,
    };
}
