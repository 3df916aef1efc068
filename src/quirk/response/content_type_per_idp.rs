//! PAGE

use crate::quirk::quirk;

quirk! {
    /// PAGE
    pub static CONTENT_TYPE_PER_IDP = {
        id: "content-type-per-idp",
        direction: Response,
        risk: Inferred,
        rfc: "RFC 7644 3.8",
        seen_in: &[Onelogin],
    };
}
