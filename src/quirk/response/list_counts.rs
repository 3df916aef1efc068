//! The three counts of a list.

use super::{list_resources_null, query::Ask};
use crate::{
    json::{Doc, Kind, Node},
    quirk::{Cx, Id, quirk},
    scim::name,
};

quirk! {
    /// `totalResults`, `startIndex` or `itemsPerPage` as a string.
    ///
    /// Okta compares `totalResults` with a number, and an import that adds up strings stops after the first page.
    ///
    /// Text that is a non-negative integer becomes that number. Other text stays and is counted. RFC 7644 3.4.2.4.
    ///
    /// ```scim
    /// 200 to GET /Users?startIndex=1&count=2
    /// content-type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],"totalResults":"0",
    ///  "startIndex":"1","itemsPerPage":"0","Resources":[]}
    /// ```
    /// ```scim
    /// 200 to GET /Users?startIndex=1&count=2
    /// content-type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],"totalResults":0,
    ///  "startIndex":1,"itemsPerPage":0,"Resources":[]}
    /// ```
    ///
    /// ```scim
    /// 200 to GET /Users?startIndex=1&count=2
    /// content-type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],"totalResults":"many",
    ///  "startIndex":1,"itemsPerPage":0,"Resources":[]}
    /// ```
    /// ```scim
    /// unchanged
    /// ```
    pub static LIST_COUNTS_STRING = {
        id: "list-counts-string",
        direction: Response,
        risk: Safe,
        rfc: "RFC 7644 3.4.2.4",
        seen_in: &[Okta],
        sources: "https://developer.okta.com/docs/api/openapi/okta-scim/guides/scim-20/, scimmyjs/scimmy#22",
    };

    /// A list without `totalResults`, `startIndex` or `itemsPerPage`.
    ///
    /// Okta's SPEC test and Entra's validator ask for all three. `itemsPerPage` becomes the number of resources
    /// returned, `startIndex` the index that was asked for, or 1.
    ///
    /// `totalResults` is filled in only where the answer provably holds everything: the request asked neither `count`
    /// nor a `startIndex` above 1, and a stated `itemsPerPage` is not just the number returned; or the request is a
    /// lookup (one `eq`) from the start, and fewer than `count` came back. A short page proves nothing (RFC 7644
    /// 3.4.2.4), and an invented total would end an import early: there it is only counted. Nothing is filled in where
    /// cursors are used (RFC 9865), or where neither `Resources` nor `totalResults` is there. After `.search` the request is not known, so only `itemsPerPage` is filled in.
    ///
    /// ```scim
    /// 200 to GET /Groups
    /// content-type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],"Resources":[
    ///  {"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"id":"7","displayName":"Staff",
    ///  "meta":{"resourceType":"Group"}}]}
    /// ```
    /// ```scim
    /// 200 to GET /Groups
    /// content-type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],"totalResults":1,
    ///  "startIndex":1,"itemsPerPage":1,"Resources":[
    ///  {"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"id":"7","displayName":"Staff",
    ///  "meta":{"resourceType":"Group"}}]}
    /// ```
    ///
    /// ```scim
    /// 200 to GET /Groups?startIndex=1&count=50
    /// content-type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],"startIndex":1,"itemsPerPage":1,"Resources":[
    ///  {"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"id":"7","displayName":"Staff",
    ///  "meta":{"resourceType":"Group"}}]}
    /// ```
    /// ```scim
    /// unchanged
    /// ```
    pub static LIST_COUNTS_MISSING = {
        id: "list-counts-missing",
        direction: Response,
        risk: Safe,
        rfc: "RFC 7644 3.4.2",
        seen_in: &[Okta, Entra],
        sources: "15five/django-scim2#159, sourcegraph/sourcegraph-public-snapshot#48355",
    };

    /// `startIndex` 0 or null in a list.
    ///
    /// Indexes count from 1 (RFC 7644 3.4.2.4). A server that counts from 0 tells so in the envelope, and Entra's
    /// gallery test compares `startIndex` with the index it asked for.
    ///
    /// It becomes the index that was asked for, at least 1. It is left and counted where that is not known: after
    /// `.search`, and where cursors are used. Whether the app also begins one resource too early cannot be seen from
    /// one answer.
    ///
    /// ```scim
    /// 200 to GET /Users?startIndex=1&count=5
    /// content-type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],"totalResults":0,
    ///  "startIndex":0,"itemsPerPage":0,"Resources":[]}
    /// ```
    /// ```scim
    /// 200 to GET /Users?startIndex=1&count=5
    /// content-type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],"totalResults":0,
    ///  "startIndex":1,"itemsPerPage":0,"Resources":[]}
    /// ```
    pub static LIST_STARTINDEX_ZERO = {
        id: "list-startindex-zero",
        direction: Response,
        risk: Safe,
        rfc: "RFC 7644 3.4.2.4",
        seen_in: &[Entra],
        sources: "simpleidserver/SimpleIdServer#185, AzureAD/SCIMReferenceCode#28, elimity-com/scim#154",
    };

    /// `itemsPerPage` repeats the page size that was asked for, not the number of resources returned.
    ///
    /// Okta's review of integrations blocks on it; Entra does not look. RFC 7644 3.4.2 defines it as the number of
    /// resources in this page.
    ///
    /// It becomes the length of `Resources`, 0 where there is none. The value as stated is still used to judge whether
    /// an answer without `totalResults` is whole.
    ///
    /// ```scim
    /// 200 to GET /Users?startIndex=101&count=100
    /// content-type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],"totalResults":25,
    ///  "startIndex":101,"itemsPerPage":100,"Resources":[]}
    /// ```
    /// ```scim
    /// 200 to GET /Users?startIndex=101&count=100
    /// content-type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],"totalResults":25,
    ///  "startIndex":101,"itemsPerPage":0,"Resources":[]}
    /// ```
    pub static LIST_ITEMSPERPAGE_MISMATCH = {
        id: "list-itemsperpage-mismatch",
        direction: Response,
        risk: Safe,
        rfc: "RFC 7644 3.4.2",
        seen_in: &[Okta],
        sources: "15five/django-scim2#208, ory/polis#4054, scimmyjs/scimmy#101",
    };

    /// `totalResults` is the length of the page, so that imports stop after the first one.
    ///
    /// `totalResults` is the number of all matches (RFC 7644 3.4.2). A client that has read as many resources as that
    /// number says asks for no more: users beyond the first page are missing in the import, or are taken for deleted.
    ///
    /// Counted, never mended: the true number cannot be known from one answer. It is noted where the total is smaller
    /// than what lies before and in this page, and where the first page of an unfiltered list is full and the total
    /// equals it.
    ///
    /// ```scim
    /// 200 to GET /Groups?startIndex=1&count=1
    /// content-type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],"totalResults":1,"startIndex":1,
    ///  "itemsPerPage":1,
    ///  "Resources":[{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"id":"7","displayName":"Staff",
    ///  "meta":{"resourceType":"Group"}}]}
    /// ```
    /// ```scim
    /// unchanged
    /// ```
    pub static LIST_TOTAL_IS_PAGE = {
        id: "list-total-is-page",
        direction: Response,
        risk: Report,
        rfc: "RFC 7644 3.4.2",
        seen_in: &[Okta],
        sources: "wso2/product-is#7320, wso2/product-is#13772, better-auth/better-auth#10398",
    };
}

/// Settles the three counts of a list, and `Resources` where there is none.
pub(crate) fn fix(cx: &mut Cx<'_>, doc: &mut Doc<'_>, list: Node, ask: &Ask<'_>) {
    for (count, key) in COUNTS {
        number_from_string(cx, doc, list, count, key);
    }
    let Some(returned) = returned(doc, list) else { return };
    let cursor = ask.cursor || has_cursor(doc, list);
    if says_nothing(doc, list) {
        if !cursor {
            cx.report(Id::ListCountsMissing, || format!("{}/totalResults", doc.pointer(list)));
        }
        return;
    }
    // The page size that was stated tells whether this is all, so it is read before it is mended.
    let whole = is_whole(doc, list, ask, returned) && !cursor;
    first_index(cx, doc, list, ask, cursor);
    page_length(cx, doc, list, returned, cursor);
    total(cx, doc, list, ask, whole.then_some(returned));
    if returned == 0 && integer(doc, list, name::TOTAL_RESULTS) == Some(0) {
        list_resources_null::fix(cx, doc, list);
    }
    if is_suspicious(doc, list, ask, returned) {
        cx.report(Id::ListTotalIsPage, || format!("{}/totalResults", doc.pointer(list)));
    }
}

const COUNTS: [(u16, &str); 3] =
    [(name::TOTAL_RESULTS, "totalResults"), (name::START_INDEX, "startIndex"), (name::ITEMS_PER_PAGE, "itemsPerPage")];

/// Whether a list can be judged as whole: what it states is what it holds, from the first resource on, no cursor.
pub(crate) fn states_to_be_whole(doc: &Doc<'_>, list: Node, ask: &Ask<'_>) -> bool {
    let returned = returned(doc, list);
    returned.is_some()
        && integer(doc, list, name::TOTAL_RESULTS) == returned
        && integer(doc, list, name::START_INDEX) == Some(1)
        && !ask.cursor
        && !has_cursor(doc, list)
}

/// Puts the number of resources that are left into a list that was whole.
pub(crate) fn recount(doc: &mut Doc<'_>, list: Node) {
    let Some(returned) = returned(doc, list) else { return };
    for count in [name::TOTAL_RESULTS, name::ITEMS_PER_PAGE] {
        if let Some(node) = doc.get(list, count) {
            doc.set(node, &returned.to_string());
        }
    }
}

/// How many resources an answer holds; `None` where `Resources` is no array.
fn returned(doc: &Doc<'_>, list: Node) -> Option<u64> {
    match doc.get(list, name::RESOURCES).map(|resources| (doc.kind(resources), resources)) {
        None => doc.find(list, "Resources").is_none().then_some(0),
        Some((Kind::Null, _)) => Some(0),
        Some((Kind::Array, resources)) => u64::try_from(doc.len(resources)).ok(),
        Some(_) => None,
    }
}

/// Whether a list holds neither resources nor their number: to take that for "nothing matches" would be a guess.
fn says_nothing(doc: &Doc<'_>, list: Node) -> bool {
    let is_absent =
        |member, key: &str| doc.get(list, member).map_or(doc.find(list, key).is_none(), |n| doc.kind(n) == Kind::Null);
    is_absent(name::RESOURCES, "Resources") && is_absent(name::TOTAL_RESULTS, "totalResults")
}

fn has_cursor(doc: &Doc<'_>, list: Node) -> bool {
    doc.get(list, name::NEXT_CURSOR).or_else(|| doc.get(list, name::PREVIOUS_CURSOR)).is_some()
}

fn integer(doc: &Doc<'_>, list: Node, count: u16) -> Option<u64> {
    let node = doc.get(list, count)?;
    match doc.kind(node) {
        Kind::Number => doc.raw(node).parse().ok(),
        _ => doc.string(node)?.parse().ok(),
    }
}

/// Whether an answer without cursor provably holds everything that was asked for.
fn is_whole(doc: &Doc<'_>, list: Node, ask: &Ask<'_>, returned: u64) -> bool {
    if ask.unclear || ask.first() > 1 {
        return false;
    }
    // A page size equal to what came back may be the reason why no more came back.
    let page_may_be_full = integer(doc, list, name::ITEMS_PER_PAGE) == Some(returned);
    match ask.count {
        None => !page_may_be_full || ask.is_lookup(),
        Some(count) => returned < count && ask.is_lookup(),
    }
}

fn number_from_string(cx: &mut Cx<'_>, doc: &mut Doc<'_>, list: Node, count: u16, key: &str) {
    let Some(node) = doc.get(list, count) else { return };
    let Some(text) = doc.string(node) else { return };
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return cx.report(Id::ListCountsString, || format!("{}/{key}", doc.pointer(list)));
    }
    let digits = text.trim_start_matches('0');
    let digits = if digits.is_empty() { "0" } else { digits }.to_owned();
    if cx.may(Id::ListCountsString, || doc.pointer(node)) {
        doc.set(node, &digits);
    }
}

fn first_index(cx: &mut Cx<'_>, doc: &mut Doc<'_>, list: Node, ask: &Ask<'_>, cursor: bool) {
    let knows = !cursor && !ask.unclear;
    match doc.get(list, name::START_INDEX) {
        None if doc.find(list, "startIndex").is_some() => {}
        None if knows => insert(cx, doc, list, name::START_INDEX, "startIndex", ask.first()),
        None if cursor => {}
        None => cx.report(Id::ListCountsMissing, || format!("{}/startIndex", doc.pointer(list))),
        Some(node) if doc.kind(node) == Kind::Null || integer(doc, list, name::START_INDEX) == Some(0) => {
            if !knows {
                cx.report(Id::ListStartindexZero, || doc.pointer(node));
            } else if cx.may(Id::ListStartindexZero, || doc.pointer(node)) {
                doc.set(node, &ask.first().to_string());
            }
        }
        // What an app that counts from zero was asked, not what the client had.
        Some(node) if knows && integer(doc, list, name::START_INDEX) == Some(ask.first() - 1) => {
            if cx.may(Id::StartindexZeroBased, || doc.pointer(node)) {
                doc.set(node, &ask.first().to_string());
            }
        }
        Some(_) => {}
    }
}

fn page_length(cx: &mut Cx<'_>, doc: &mut Doc<'_>, list: Node, returned: u64, cursor: bool) {
    let Some(node) = doc.get(list, name::ITEMS_PER_PAGE) else {
        if !cursor && doc.find(list, "itemsPerPage").is_none() {
            insert(cx, doc, list, name::ITEMS_PER_PAGE, "itemsPerPage", returned);
        }
        return;
    };
    let quirk = match doc.kind(node) {
        Kind::Null if cursor => return,
        Kind::Null => Id::ListCountsMissing,
        Kind::Number if doc.raw(node).parse::<f64>().is_ok_and(|stated| stated == returned as f64) => return,
        Kind::Number => Id::ListItemsperpageMismatch,
        _ => return,
    };
    if cx.may(quirk, || doc.pointer(node)) {
        doc.set(node, &returned.to_string());
    }
}

fn total(cx: &mut Cx<'_>, doc: &mut Doc<'_>, list: Node, ask: &Ask<'_>, whole: Option<u64>) {
    let node = doc.get(list, name::TOTAL_RESULTS);
    let is_missing = match node {
        Some(node) => doc.kind(node) == Kind::Null,
        None => doc.find(list, "totalResults").is_none(),
    };
    if !is_missing || ask.cursor || has_cursor(doc, list) {
        return; // RFC 9865 pages may do without
    }
    match (node, whole) {
        (None, Some(total)) => insert(cx, doc, list, name::TOTAL_RESULTS, "totalResults", total),
        (Some(node), Some(total)) => {
            if cx.may(Id::ListCountsMissing, || doc.pointer(node)) {
                doc.set(node, &total.to_string());
            }
        }
        (_, None) => cx.report(Id::ListCountsMissing, || format!("{}/totalResults", doc.pointer(list))),
    }
}

fn insert(cx: &mut Cx<'_>, doc: &mut Doc<'_>, list: Node, count: u16, key: &str, number: u64) {
    if !cx.may(Id::ListCountsMissing, || format!("{}/{key}", doc.pointer(list))) {
        return;
    }
    let node = doc.scalar(&number.to_string());
    let node = doc.keyed(node, key, count);
    match doc.get(list, name::SCHEMAS) {
        Some(schemas) => doc.insert_after(schemas, node),
        None => doc.insert_first(list, node),
    }
}

/// A total that leaves out what lies before this page, or is just what an unfiltered full page holds.
fn is_suspicious(doc: &Doc<'_>, list: Node, ask: &Ask<'_>, returned: u64) -> bool {
    let Some(total) = integer(doc, list, name::TOTAL_RESULTS) else { return false };
    if ask.unclear || returned == 0 {
        return false;
    }
    let contradicts = total < (ask.first() - 1).saturating_add(returned);
    contradicts || ask.filter.is_none() && ask.count == Some(returned) && total == returned && ask.first() == 1
}
