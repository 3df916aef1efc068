//! PAGE

use crate::quirk::quirk;

quirk! {
    /// PAGE
    pub static LIST_COUNTS_STRING = {
        id: "list-counts-string",
        direction: Response,
        risk: Safe,
        rfc: "RFC 7644 3.4.2.4",
        seen_in: &[Okta],
    };

    /// PAGE
    pub static LIST_COUNTS_MISSING = {
        id: "list-counts-missing",
        direction: Response,
        risk: Safe,
        rfc: "RFC 7644 3.4.2",
        seen_in: &[Okta, Entra],
    };

    /// PAGE
    pub static LIST_STARTINDEX_ZERO = {
        id: "list-startindex-zero",
        direction: Response,
        risk: Safe,
        rfc: "RFC 7644 3.4.2.4",
        seen_in: &[Entra],
    };

    /// PAGE
    pub static LIST_ITEMSPERPAGE_MISMATCH = {
        id: "list-itemsperpage-mismatch",
        direction: Response,
        risk: Safe,
        rfc: "RFC 7644 3.4.2",
        seen_in: &[Okta],
    };

    /// PAGE
    pub static LIST_TOTAL_IS_PAGE = {
        id: "list-total-is-page",
        direction: Response,
        risk: Report,
        rfc: "RFC 7644 3.4.2",
        seen_in: &[Okta],
    };
}
