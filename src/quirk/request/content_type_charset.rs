//! PAGE

use crate::quirk::quirk;

quirk! {
    /// PAGE
    pub static CONTENT_TYPE_CHARSET = {
        id: "content-type-charset",
        direction: Request,
        risk: Safe,
        rfc: "RFC 7644 3.1, 8.1",
        seen_in: &[Okta, Entra],
        spelling: true,
    };
}
