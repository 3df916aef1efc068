//! Filter paths as keys of a PATCH value.

use crate::{
    json::{Doc, Node},
    quirk::{Cx, Id, quirk},
    scim::{filter::Syntax, path::Path, urn},
};

quirk! {
    /// Keys such as `emails[type eq "work"].value` in a PATCH value.
    ///
    /// With its `aadOptscim062020` flag Entra merges changes into one operation without path, filter paths included. A filter
    /// cannot be the name of a member; handlers store it under that name, or answer 400.
    ///
    /// The member becomes an operation of its own, with the key as its path, behind the one it was taken from. A key that is
    /// no path stays. RFC 7644 3.5.2.
    ///
    /// ```scim
    /// PATCH /Users/2819
    /// Content-Type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[
    ///  {"op":"replace","value":{"displayName":"Ada L","emails[type eq \"work\"].value":"ada@example.com"}}]}
    /// ```
    /// ```scim
    /// PATCH /Users/2819
    /// Content-Type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[
    ///  {"op":"replace","value":{"displayName":"Ada L"}},
    ///  {"op":"replace","path":"emails[type eq \"work\"].value","value":"ada@example.com"}]}
    /// ```
    pub static PATCH_FILTER_KEYS = {
        id: "patch-filter-keys",
        direction: Request,
        risk: Safe,
        rfc: "RFC 7644 3.5.2",
        seen_in: &[Entra],
        sources: "boxyhq/jackson npm/src/directory-sync/scim/utils.ts, lightdash/lightdash#25676, \
                  buildbuddy-io/buildbuddy#10578",
    };
}

/// Whether a key is a path with a filter, to be taken out into an operation.
pub(super) fn is_path(doc: &Doc<'_>, cx: &mut Cx<'_>, member: Node) -> bool {
    let key = doc.key(member);
    if !key.contains('[') {
        return false;
    }
    // The attribute of a URN path follows its last colon; the parser sees to the rest.
    let path = Path::parse(&key, Syntax::Lenient);
    path.is_ok_and(|path| path.filter.is_some() && path.urn.as_deref().is_none_or(urn::is_urn))
        && cx.may(Id::PatchFilterKeys, || doc.pointer(member))
}
