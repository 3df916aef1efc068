//! PAGE

use crate::quirk::quirk;

quirk! {
    /// PAGE
    pub static LIST_ARRAY_BARE = {
        id: "list-array-bare",
        direction: Response,
        risk: Safe,
        rfc: "RFC 7644 3.4.2",
        seen_in: &[Entra],
    };

    /// PAGE
    pub static LIST_SINGLE_OBJECT = {
        id: "list-single-object",
        direction: Response,
        risk: Safe,
        rfc: "RFC 7644 3.4.2",
        seen_in: &[Entra],
    };
}
