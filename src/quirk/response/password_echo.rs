//! Passwords in answers.

use crate::{
    json::{Doc, Node},
    quirk::{Cx, Id, quirk},
    scim::{name, urn},
};

quirk! {
    /// `password` in an answer.
    ///
    /// Its value must never be returned (RFC 7643 4.1.1, 7). Okta sends one with every create, and an app that answers
    /// with what it was given puts it into logs and consoles on the way.
    ///
    /// Any member of a resource called `password` is removed: in any letter case, under its fully qualified name,
    /// whatever its value, also null or a mask. It is the only quirk that also looks into two keys that differ in
    /// letter case alone, and into a bare array that is otherwise left. A schema definition that names `password` is no
    /// echo.
    ///
    /// ```scim
    /// 201 to POST /Users
    /// content-type: application/scim+json
    /// location: https://scim.example.com/scim/v2/Users/2819
    ///
    /// {"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"id":"2819",
    ///  "userName":"ada@example.com","Password":"placeholder","meta":{"resourceType":"User",
    ///   "location":"https://scim.example.com/scim/v2/Users/2819"}}
    /// ```
    /// ```scim
    /// 201 to POST /Users
    /// content-type: application/scim+json
    /// location: https://scim.example.com/scim/v2/Users/2819
    ///
    /// {"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"id":"2819",
    ///  "userName":"ada@example.com","meta":{"resourceType":"User",
    ///   "location":"https://scim.example.com/scim/v2/Users/2819"}}
    /// ```
    pub static PASSWORD_ECHO = {
        id: "password-echo",
        direction: Response,
        risk: Safe,
        rfc: "RFC 7643 4.1.1, 7",
        sources: "pond/scimitar#56, elimity-com/scim#57",
    };
}

/// Takes out a member that is called `password` in any spelling, also where it collides with another, and also under
/// its fully qualified name.
#[cold]
pub(crate) fn fix(cx: &mut Cx<'_>, doc: &mut Doc<'_>, member: Node) {
    if cx.may(Id::PasswordEcho, || doc.pointer(member)) {
        doc.remove(member);
    }
}

/// Takes it out of a resource in which nothing else is looked at.
pub(crate) fn strip(cx: &mut Cx<'_>, doc: &mut Doc<'_>, resource: Node) {
    let mut next = doc.first(resource);
    while let Some(member) = next {
        next = doc.next(member);
        if is_password(doc, member) {
            fix(cx, doc, member);
        }
    }
}

/// Whether a member's key names the password.
#[inline]
pub(crate) fn is_password(doc: &Doc<'_>, member: Node) -> bool {
    match doc.name(member) {
        name::PASSWORD => true,
        0 => spells_password(&doc.key(member)),
        _ => false,
    }
}

fn spells_password(key: &str) -> bool {
    let name = match key.get(..urn::USER.len()) {
        Some(core) if core.eq_ignore_ascii_case(urn::USER) => {
            key[core.len()..].strip_prefix([':', '.']).unwrap_or_default()
        }
        _ => key,
    };
    name.eq_ignore_ascii_case("password")
}
