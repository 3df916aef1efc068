//! PAGE

use crate::{
    json::{Doc, Node},
    quirk::{Cx, Id, quirk},
    scim::{name, urn},
};

quirk! {
    /// PAGE
    pub static PASSWORD_ECHO = {
        id: "password-echo",
        direction: Response,
        risk: Safe,
        rfc: "RFC 7643 4.1.1, 7",
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
        Some(core) if core.eq_ignore_ascii_case(urn::USER) => key[core.len()..].strip_prefix([':', '.']).unwrap_or_default(),
        _ => key,
    };
    name.eq_ignore_ascii_case("password")
}
