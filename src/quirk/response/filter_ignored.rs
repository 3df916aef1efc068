//! PAGE

use super::lookup::{Lookup, Verdict};
use crate::{
    json::{Doc, Node},
    quirk::{Cx, Id, quirk},
};

quirk! {
    /// PAGE
    pub static FILTER_IGNORED = {
        id: "filter-ignored",
        direction: Response,
        risk: OptIn,
        rfc: "RFC 7644 3.4.2.2",
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
    let mut dropped = false;
    for (resource, verdict) in verdicts {
        if verdict != Verdict::Match && cx.may(Id::FilterIgnored, || doc.pointer(resource)) {
            doc.remove(resource);
            dropped = true;
        }
    }
    dropped
}
