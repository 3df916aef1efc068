//! PAGE

use crate::quirk::quirk;

quirk! {
    /// PAGE
    pub static QUERY_DANGLING_SEPARATOR = {
        id: "query-dangling-separator",
        direction: Request,
        risk: Safe,
        rfc: "RFC 3986 3.4",
        seen_in: &[Onelogin],
    };

    /// PAGE
    pub static PAGING_STARTINDEX_ZERO = {
        id: "paging-startindex-zero",
        direction: Request,
        risk: Safe,
        rfc: "RFC 7644 3.4.2.4",
    };

    /// PAGE
    pub static PAGING_COUNT_NEGATIVE = {
        id: "paging-count-negative",
        direction: Request,
        risk: Safe,
        rfc: "RFC 7644 3.4.2.4",
    };
}
