//! A `bulk` without limits.

use crate::{
    json::{Doc, Kind, Node},
    quirk::{Cx, Id, quirk},
    scim::name,
};

quirk! {
    /// `bulk` without its limits in the service provider configuration.
    ///
    /// `maxOperations` and `maxPayloadSize` are required (RFC 7643 5). authentik gives up on the whole document
    /// without, and then uses neither PATCH nor filters.
    ///
    /// Where `supported` is false, both become 0. Where it is true or missing they are left: the limits are the app's
    /// to say.
    ///
    /// ```scim
    /// 200 to GET /ServiceProviderConfig
    /// content-type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"],
    ///  "patch":{"supported":true},"bulk":{"supported":false}}
    /// ```
    /// ```scim
    /// 200 to GET /ServiceProviderConfig
    /// content-type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"],
    ///  "patch":{"supported":true},"bulk":{"supported":false,"maxOperations":0,"maxPayloadSize":0}}
    /// ```
    pub static SPC_BULK_LIMITS = {
        id: "spc-bulk-limits",
        direction: Response,
        risk: Safe,
        rfc: "RFC 7643 5",
        seen_in: &[Authentik],
        sources: "goauthentik/authentik#25056, osiam/osiam#309",
    };
}

/// Gives a `bulk` that is not supported its limits.
pub(crate) fn fix(cx: &mut Cx<'_>, doc: &mut Doc<'_>, config: Node) {
    let Some(bulk) = doc.get(config, name::BULK).filter(|&bulk| doc.kind(bulk) == Kind::Object) else { return };
    let is_off = doc.get(bulk, name::SUPPORTED).is_some_and(|supported| doc.kind(supported) == Kind::False);
    for (limit, key) in [(name::MAX_OPERATIONS, "maxOperations"), (name::MAX_PAYLOAD_SIZE, "maxPayloadSize")] {
        let stated = doc.get(bulk, limit);
        let is_missing = match stated {
            Some(node) => doc.kind(node) == Kind::Null,
            None => doc.find(bulk, key).is_none(),
        };
        let place = |doc: &Doc<'_>| format!("{}/{key}", doc.pointer(bulk));
        if !is_missing {
            continue;
        }
        if !is_off {
            cx.report(Id::SpcBulkLimits, || place(doc));
        } else if cx.may(Id::SpcBulkLimits, || place(doc)) {
            match stated {
                Some(null) => doc.set(null, "0"),
                None => {
                    let zero = doc.scalar("0");
                    let zero = doc.keyed(zero, key, limit);
                    doc.push(bulk, zero);
                }
            }
        }
    }
}
