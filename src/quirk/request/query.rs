//! The query beside the filter: separators and paging.

use crate::quirk::{Cx, Id, quirk};

quirk! {
    /// The target ends in `?` or `&` with nothing behind it.
    ///
    /// Left behind by URL templates whose last parameter is empty. Routers that compare the whole target, and
    /// frameworks that turn the empty pair into a parameter without a name, answer 404 or 400.
    ///
    /// Empty pairs at the end are dropped, and the `?` with them when nothing else is in the query. Empty pairs
    /// between others stay, and every other parameter keeps its bytes.
    ///
    /// RFC 3986 section 3.4: an empty query is legal but says nothing; RFC 7644 section 3.4.2 has no use for it.
    ///
    /// ```scim
    /// DELETE /Users/26?
    /// ```
    /// ```scim
    /// DELETE /Users/26
    /// ```
    /// ```scim
    /// GET /Users?startIndex=1&count=50&&
    /// ```
    /// ```scim
    /// GET /Users?startIndex=1&count=50
    /// ```
    pub static QUERY_DANGLING_SEPARATOR = {
        id: "query-dangling-separator",
        direction: Request,
        risk: Safe,
        rfc: "RFC 3986 3.4",
        seen_in: &[Onelogin],
        sources: "goauthentik/authentik#11249, Azure/AzureAD-BYOA-Provisioning-Samples#24",
    };

    /// `startIndex` is 0 or negative, from a client that counts from zero.
    ///
    /// SCIM counts results from 1. Apps that take the number as it comes answer 400, or skip or repeat a result.
    ///
    /// Any integer below 1 becomes 1. Text that is no integer, and numbers written in another way, stay as sent.
    ///
    /// RFC 7644 section 3.4.2.4: a value less than 1 SHALL be interpreted as 1.
    ///
    /// ```scim
    /// GET /Users?startIndex=0&count=50
    /// ```
    /// ```scim
    /// GET /Users?startIndex=1&count=50
    /// ```
    pub static PAGING_STARTINDEX_ZERO = {
        id: "paging-startindex-zero",
        direction: Request,
        risk: Safe,
        rfc: "RFC 7644 3.4.2.4",
        sources: "okta/okta-developer-docs#251",
    };

    /// `count` is negative.
    ///
    /// Apps that hand it to their database fail with 500, or read it as "no limit" and return everything.
    ///
    /// Any integer below 0 becomes 0: no results, only how many there are. Text that is no integer stays as sent.
    ///
    /// RFC 7644 section 3.4.2.4: a negative value SHALL be interpreted as 0.
    ///
    /// ```scim
    /// GET /Groups?count=-1
    /// ```
    /// ```scim
    /// GET /Groups?count=0
    /// ```
    pub static PAGING_COUNT_NEGATIVE = {
        id: "paging-count-negative",
        direction: Request,
        risk: Safe,
        rfc: "RFC 7644 3.4.2.4",
    };
}

/// The query without the empty pairs at its end.
pub(crate) fn dangling<'t>(query: &'t str, cx: &mut Cx<'_>) -> Option<&'t str> {
    let trimmed = query.trim_end_matches('&');
    let found = trimmed.len() < query.len() || query.is_empty();
    (found && cx.may(Id::QueryDanglingSeparator, || "query".to_owned())).then_some(trimmed)
}

/// What stands for a `startIndex` that is out of bounds.
pub(crate) fn start_index(value: &str, cx: &mut Cx<'_>) -> Option<&'static str> {
    let (negative, magnitude) = integer(value)?;
    let found = negative || magnitude.is_empty();
    (found && cx.may(Id::PagingStartindexZero, || "startIndex".to_owned())).then_some("1")
}

/// What stands for a `count` that is out of bounds.
pub(crate) fn count(value: &str, cx: &mut Cx<'_>) -> Option<&'static str> {
    let (negative, magnitude) = integer(value)?;
    let found = negative && !magnitude.is_empty();
    (found && cx.may(Id::PagingCountNegative, || "count".to_owned())).then_some("0")
}

/// Sign and digits of an integer of any length, without leading zeros.
fn integer(value: &str) -> Option<(bool, &str)> {
    let digits = value.strip_prefix('-').unwrap_or(value);
    let whole = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    whole.then(|| (digits.len() < value.len(), digits.trim_start_matches('0')))
}
