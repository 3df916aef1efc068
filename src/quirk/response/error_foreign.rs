//! PAGE

use crate::quirk::quirk;

quirk! {
    /// PAGE
    pub static ERROR_ENVELOPE_MISSING = {
        id: "error-envelope-missing",
        direction: Response,
        risk: Safe,
        rfc: "RFC 7644 3.12",
        seen_in: &[Okta],
    };

    /// PAGE
    pub static ERROR_PLAIN_TEXT = {
        id: "error-plain-text",
        direction: Response,
        risk: Safe,
        rfc: "RFC 7644 3.12",
        seen_in: &[Okta],
    };

    /// PAGE
    pub static ERROR_HTML = {
        id: "error-html",
        direction: Response,
        risk: Safe,
        rfc: "RFC 7644 3.12",
        seen_in: &[Okta, Entra],
    };

    /// PAGE
    pub static ERROR_EMPTY_BODY = {
        id: "error-empty-body",
        direction: Response,
        risk: Safe,
        rfc: "RFC 7644 3.12",
        seen_in: &[Okta],
    };

    /// PAGE
    pub static ERROR_NESTED = {
        id: "error-nested",
        direction: Response,
        risk: Safe,
        rfc: "RFC 7644 3.12",
        seen_in: &[Okta],
    };

    /// PAGE
    pub static SCIM11_ERROR = {
        id: "scim11-error",
        direction: Response,
        risk: Safe,
        rfc: "RFC 7644 3.12",
    };
}
