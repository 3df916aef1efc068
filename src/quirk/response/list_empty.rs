//! PAGE

use crate::{quirk::quirk, scim::urn};

quirk! {
    /// PAGE
    pub static LIST_404_EMPTY = {
        id: "list-404-empty",
        direction: Response,
        risk: OptIn,
        rfc: "RFC 7644 3.4.2",
        seen_in: &[Entra],
    };

    /// PAGE
    pub static LIST_204_EMPTY = {
        id: "list-204-empty",
        direction: Response,
        risk: Safe,
        rfc: "RFC 7644 3.4.2",
        seen_in: &[Entra, Okta],
    };
}

/// The answer of a query that nothing matches.
pub(crate) fn body() -> Vec<u8> {
    format!(r#"{{"schemas":["{}"],"totalResults":0,"startIndex":1,"itemsPerPage":0,"Resources":[]}}"#, urn::LIST_RESPONSE)
        .into_bytes()
}
