//! A manager that is bare text.

use crate::{
    json::{Doc, Node},
    quirk::{Cx, Id, quirk},
    scim::name,
};

quirk! {
    /// The manager as a bare string.
    ///
    /// `manager` is an object with the manager's id in `value` (RFC 7643 4.3); samples that print it as a string were
    /// copied.
    ///
    /// With the switch on, the string becomes `{"value": ...}`. Opt-in, because it may be a name and no id.
    ///
    /// ```scim
    /// # enable: manager-string
    /// 200 to GET /Users/2819
    /// content-type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:schemas:core:2.0:User",
    ///   "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],"id":"2819","userName":"ada@example.com",
    ///  "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"manager":"26118"},
    ///  "meta":{"resourceType":"User"}}
    /// ```
    /// ```scim
    /// 200 to GET /Users/2819
    /// content-type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:schemas:core:2.0:User",
    ///   "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],"id":"2819","userName":"ada@example.com",
    ///  "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"manager":{"value":"26118"}},
    ///  "meta":{"resourceType":"User"}}
    /// ```
    pub static MANAGER_STRING = {
        id: "manager-string",
        direction: Response,
        risk: OptIn,
        rfc: "RFC 7643 4.3",
        sources: "https://learn.microsoft.com/en-us/entra/identity/app-provisioning/use-scim-to-provision-users-and-groups",
    };
}

/// Puts a bare manager where its id belongs.
#[cold]
pub(crate) fn fix(cx: &mut Cx<'_>, doc: &mut Doc<'_>, value: Node) {
    if cx.may(Id::ManagerString, || doc.pointer(value)) {
        doc.wrap_in_object(value, "value", name::VALUE);
    }
}
