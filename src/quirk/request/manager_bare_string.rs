//! The manager as a string.

use crate::{
    json::{Doc, Node},
    quirk::{Cx, Id, quirk},
    scim::{Attr, name},
};

quirk! {
    /// The manager's id as a plain string.
    ///
    /// Entra sends `"manager":"26118915"` in creates, in values and as the value of an operation. The manager is a complex
    /// attribute; handlers answer 400 or lose it, and Entra sends it again in every cycle.
    ///
    /// The string becomes `{"value":"..."}`. Only in the enterprise extension (a `manager` of a foreign extension is its
    /// own matter), and only a string with content: for the empty one see `patch-empty-string-clear`. RFC 7643 4.3.
    ///
    /// ```scim
    /// POST /Users
    /// Content-Type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:schemas:core:2.0:User","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],
    ///  "userName":"bjensen","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"manager":"26118915"}}
    /// ```
    /// ```scim
    /// POST /Users
    /// Content-Type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:schemas:core:2.0:User","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],
    ///  "userName":"bjensen","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"manager":{"value":"26118915"}}}
    /// ```
    pub static MANAGER_BARE_STRING = {
        id: "manager-bare-string",
        direction: Request,
        risk: Safe,
        rfc: "RFC 7643 4.3",
        seen_in: &[Entra],
        sources: "Captain-P-Goldfish/SCIM-SDK#541, apache/directory-scimple#1242, MicrosoftDocs/azure-docs#69234, \
                  ssoready/ssoready#233",
    };
}

/// Makes the string the manager's `value`.
pub(super) fn wrap(doc: &mut Doc<'_>, cx: &mut Cx<'_>, node: Node, attr: &Attr) -> Option<Node> {
    if attr.name != name::MANAGER || !attr.standard || doc.string(node)?.is_empty() {
        return None;
    }
    cx.may(Id::ManagerBareString, || doc.pointer(node)).then(|| doc.wrap_in_object(node, "value", name::VALUE))
}
