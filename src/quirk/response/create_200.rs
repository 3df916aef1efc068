//! PAGE

use crate::quirk::quirk;

quirk! {
    /// PAGE
    pub static CREATE_200 = {
        id: "create-200",
        direction: Response,
        risk: Safe,
        rfc: "RFC 7644 3.3",
        seen_in: &[Okta],
    };
}
