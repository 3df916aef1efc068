//! A filter without effect.

use super::lookup::{Lookup, Verdict};
use crate::{
    json::{Doc, Node},
    quirk::{Cx, Id, quirk},
};

quirk! {
    /// The filter is ignored and everyone is returned.
    ///
    /// The IdP asks whether an account exists and gets the first of all accounts: it creates a duplicate or, worse,
    /// binds a person to somebody else's account.
    ///
    /// With the switch on, resources that do not satisfy the filter are dropped and the list is counted anew. Only for
    /// a filter of one `eq` on a known attribute; letter case counts as the schema says (`userName`, `displayName` and
    /// `emails.value` fold it, `id` and `externalId` do not), and of several values one equal one is enough. Only on a
    /// whole answer: `startIndex` 1, `totalResults` the number returned, no cursor. And only if at least one resource
    /// carries the attribute; those without it are then no match. Fully qualified keys and those of SCIM 1.1 count as the
    /// attribute they name. Where one resource has it under keys that differ in letter case alone, or under spellings that
    /// disagree, nothing is dropped. A bare resource that does not satisfy the filter is left. Opt-in, because it hides that the app cannot filter.
    /// RFC 7644 3.4.2.2.
    ///
    /// ```scim
    /// # enable: filter-ignored
    /// 200 to GET /Groups?filter=displayName%20eq%20%22STAFF%22
    /// content-type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],"totalResults":2,
    ///  "startIndex":1,"itemsPerPage":2,"Resources":[
    ///  {"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"id":"7","displayName":"Staff",
    ///  "meta":{"resourceType":"Group"}},
    ///  {"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"id":"8","displayName":"Sales",
    ///  "meta":{"resourceType":"Group"}}]}
    /// ```
    /// ```scim
    /// 200 to GET /Groups?filter=displayName%20eq%20%22STAFF%22
    /// content-type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],"totalResults":1,
    ///  "startIndex":1,"itemsPerPage":1,"Resources":[
    ///  {"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"id":"7","displayName":"Staff",
    ///  "meta":{"resourceType":"Group"}}]}
    /// ```
    pub static FILTER_IGNORED = {
        id: "filter-ignored",
        direction: Response,
        risk: OptIn,
        rfc: "RFC 7644 3.4.2.2",
        sources: "eneo-ai/eneo#443, https://docs.snowflake.com/release-notes/bcr-bundles/2026_03/bcr-2276, \
                  bitwarden/server#4034",
    };
}

/// Takes out the resources that do not satisfy the filter, from an answer that holds everything; whether it did.
///
/// An answer in which none carries the attribute proves nothing: the app may not return it.
pub(crate) fn fix(cx: &mut Cx<'_>, doc: &mut Doc<'_>, resources: Node, lookup: &Lookup) -> bool {
    let verdicts: Vec<(Node, Verdict)> =
        doc.children(resources).map(|resource| (resource, lookup.judge(doc, resource))).collect();
    if verdicts.iter().all(|(_, verdict)| *verdict == Verdict::Absent) {
        return false;
    }
    if verdicts.iter().any(|(_, verdict)| *verdict == Verdict::Unclear) {
        if let Some((other, _)) = verdicts.iter().find(|(_, verdict)| *verdict == Verdict::Other) {
            cx.report(Id::FilterIgnored, || doc.pointer(*other));
        }
        return false;
    }
    let mut dropped = false;
    for (resource, verdict) in verdicts {
        if verdict != Verdict::Match && cx.may(Id::FilterIgnored, || doc.pointer(resource)) {
            doc.remove(resource);
            dropped = true;
        }
    }
    dropped
}
