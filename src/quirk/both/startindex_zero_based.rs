//! Apps that count results from zero.

use crate::quirk::quirk;

quirk! {
    /// `startIndex` is the number of results to skip, in an app that counts from zero.
    ///
    /// SCIM counts results from 1 (RFC 7644 3.4.2.4). Asked for the page from 1 on, such an app leaves out its first result:
    /// an import never sees that user, and one at the end of each page comes twice.
    ///
    /// Opt-in, because one message does not tell: try it with `startIndex=1&count=1`. When fixed, the proxy asks the app for
    /// one less, on every GET that names a `startIndex` of 1 or more, and an answer that repeats the smaller number gets the
    /// one that was asked. `explain`, which makes no requests, shows the answer's side alone.
    ///
    /// ```scim
    /// # enable: startindex-zero-based
    /// 200 to GET /Users?startIndex=101&count=100
    /// content-type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],"totalResults":100,"startIndex":100,
    ///  "itemsPerPage":0,"Resources":[]}
    /// ```
    /// ```scim
    /// 200 to GET /Users?startIndex=101&count=100
    /// content-type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],"totalResults":100,"startIndex":101,
    ///  "itemsPerPage":0,"Resources":[]}
    /// ```
    pub static STARTINDEX_ZERO_BASED = {
        id: "startindex-zero-based",
        direction: Both,
        risk: OptIn,
        rfc: "RFC 7644 3.4.2.4",
        seen_in: &[Okta],
        sources: "simpleidserver/SimpleIdServer#185, okta/okta-developer-docs#251, wso2/product-is#22589",
    };
}

/// The target as an app that counts from zero understands it; `None` where it names no `startIndex`, or more than one.
pub fn shifted(target: &str) -> Option<String> {
    let (path, query) = target.split_once('?')?;
    let index = |pair: &str| pair.strip_prefix("startIndex=").map(str::to_owned);
    let mut stated = query.split('&').filter_map(index);
    let (Some(first), None) = (stated.next(), stated.next()) else { return None };
    let first: u64 = first.parse().ok().filter(|&first| first > 0)?;
    let pair = |pair: &str| index(pair).map_or_else(|| pair.to_owned(), |_| format!("startIndex={}", first - 1));
    Some(format!("{path}?{}", query.split('&').map(pair).collect::<Vec<_>>().join("&")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_index_is_made_one_less() {
        for (target, expected) in [
            ("/Users?startIndex=1&count=2", Some("/Users?startIndex=0&count=2")),
            ("/Users?count=%32&startIndex=101", Some("/Users?count=%32&startIndex=100")),
            (
                "/Users?filter=a%20eq%20%22startIndex=5%22&startIndex=3",
                Some("/Users?filter=a%20eq%20%22startIndex=5%22&startIndex=2"),
            ),
            ("/Users?startIndex=0", None),
            ("/Users?startIndex=-1", None),
            ("/Users?startIndex=x", None),
            ("/Users?startIndex=1&startIndex=5", None),
            ("/Users?count=1", None),
            ("/Users", None),
        ] {
            assert_eq!(shifted(target).as_deref(), expected, "{target}");
        }
    }
}
