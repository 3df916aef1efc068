//! PAGE

use crate::quirk::quirk;

quirk! {
    /// PAGE
    pub static DELETE_200_BODY = {
        id: "delete-200-body",
        direction: Response,
        risk: Safe,
        rfc: "RFC 7644 3.6",
    };
}
