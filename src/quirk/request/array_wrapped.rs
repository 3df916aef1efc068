//! PAGE

use crate::quirk::quirk;

quirk! {
    /// PAGE
    pub static ARRAY_WRAPPED_SCALAR = {
        id: "array-wrapped-scalar",
        direction: Request,
        risk: Safe,
        rfc: "RFC 7643 2.4, RFC 7644 3.5.2",
    };

    /// PAGE
    pub static ARRAY_WRAPPED_COMPLEX = {
        id: "array-wrapped-complex",
        direction: Request,
        risk: Safe,
        rfc: "RFC 7643 2.4, RFC 7644 3.5.2",
        seen_in: &[Entra],
    };
}
