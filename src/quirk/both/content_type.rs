//! PAGE

use crate::quirk::quirk;

quirk! {
    /// PAGE
    pub static CONTENT_TYPE_JSON = {
        id: "content-type-json",
        direction: Both,
        risk: Safe,
        rfc: "RFC 7644 3.1, 8.1",
        seen_in: &[Google, Ping, Authentik, Entra],
        not_for: &[Onelogin],
    };

    /// PAGE
    pub static CONTENT_TYPE_WRONG = {
        id: "content-type-wrong",
        direction: Both,
        risk: Safe,
        rfc: "RFC 7644 3.1, 8.1",
        seen_in: &[Entra],
    };

    /// PAGE
    pub static CONTENT_TYPE_MISSING = {
        id: "content-type-missing",
        direction: Both,
        risk: Safe,
        rfc: "RFC 7644 3.1, 8.1",
        seen_in: &[Entra],
    };
}
