//! PAGE

use crate::quirk::quirk;

quirk! {
    /// PAGE
    pub static ROLES_JSON_STRING = {
        id: "roles-json-string",
        direction: Request,
        risk: OptIn,
        rfc: "RFC 7643 4.1.2",
        seen_in: &[Entra],
    };

    /// PAGE
    pub static ROLES_DISPLAYNAME = {
        id: "roles-displayname",
        direction: Request,
        risk: Inferred,
        rfc: "RFC 7643 4.1.2",
        seen_in: &[Entra],
    };
}
