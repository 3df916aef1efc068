//! PAGE

use crate::quirk::quirk;

quirk! {
    /// PAGE
    pub static LIST_RESOURCES_NULL = {
        id: "list-resources-null",
        direction: Response,
        risk: Safe,
        rfc: "RFC 7644 3.4.2",
        seen_in: &[Entra, Okta, Ping],
    };
}
