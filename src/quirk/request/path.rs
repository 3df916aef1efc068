//! PAGE

use crate::quirk::quirk;

quirk! {
    /// PAGE
    pub static PATH_CASE = {
        id: "path-case",
        direction: Request,
        risk: Safe,
        rfc: "RFC 7644 3.2",
        seen_in: &[Okta],
    };

    /// PAGE
    pub static PATH_TRAILING_SLASH = {
        id: "path-trailing-slash",
        direction: Request,
        risk: Safe,
        rfc: "RFC 7644 3.2, RFC 3986 3.3",
    };

    /// PAGE
    pub static PATH_DOUBLE_SLASH = {
        id: "path-double-slash",
        direction: Request,
        risk: Safe,
        rfc: "RFC 7644 3.2, RFC 3986 3.3",
    };
}
