//! Passwords in answers.

use memchr::{memchr_iter, memchr2_iter};

use super::{list_schemas_missing::names, scim11_translate};
use crate::{
    json::{Doc, Kind, Node},
    quirk::{Cx, Id, quirk},
    scim::{name, urn},
};

quirk! {
    /// `password` in an answer.
    ///
    /// Its value must never be returned (RFC 7643 4.1.1, 7). Okta sends one with every create, and an app that answers
    /// with what it was given puts it into logs and consoles on the way.
    ///
    /// Any member called `password` is removed from what is a resource or stands where one can stand: in any letter
    /// case, under its fully qualified name or the core URN, whatever its value, also null or a mask. It is the only
    /// quirk that also looks into two keys that differ in letter case alone, and into answers that are otherwise left:
    /// bare arrays, `/Me`, unknown endpoints, the responses in a bulk answer, objects at any depth that name the User
    /// schema. Discovery documents are left.
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

/// Whether an answer can hold a member of that name: most do not, and are not looked through. A key that is not known may
/// be it behind a schema's URN.
pub(crate) fn may_be_in(doc: &Doc<'_>, body: &[u8]) -> bool {
    doc.had_name(name::PASSWORD) || doc.had_name(0) && is_spelled_in(body)
}

fn is_spelled_in(body: &[u8]) -> bool {
    const WORD: &[u8] = b"password";
    // The rarest letter of the word finds it, many bytes at a time.
    const RAREST: usize = 4;
    let spelled = |at: usize| {
        let word = at.checked_sub(RAREST).and_then(|from| body.get(from..from + WORD.len()));
        word.is_some_and(|word| word.eq_ignore_ascii_case(WORD))
    };
    memchr2_iter(b'w', b'W', body).any(spelled) || memchr_iter(b'\\', body).any(|at| body.get(at + 1) == Some(&b'u'))
}

/// Takes it out of everything in an answer that is a resource or stands where one can stand, however deep.
pub(crate) fn fix(cx: &mut Cx<'_>, doc: &mut Doc<'_>, answer: Node) {
    if doc.kind(answer) == Kind::Object {
        resource(cx, doc, answer, true);
    } else {
        resources(cx, doc, answer);
    }
}

/// What stands where resources do: an object, or lists of them.
fn resources(cx: &mut Cx<'_>, doc: &mut Doc<'_>, value: Node) {
    match doc.kind(value) {
        Kind::Object => resource(cx, doc, value, false),
        Kind::Array => {
            for item in doc.children(value).collect::<Vec<_>>() {
                resources(cx, doc, item); // the parser has bounded the depth
            }
        }
        _ => {}
    }
}

/// The answers inside the operations of a bulk answer.
fn responses(cx: &mut Cx<'_>, doc: &mut Doc<'_>, operations: Node) {
    for operation in doc.children(operations).collect::<Vec<_>>() {
        for member in doc.children(operation).filter(|&member| doc.kind(member).is_container()).collect::<Vec<_>>() {
            if doc.key(member).eq_ignore_ascii_case("response") {
                resources(cx, doc, member);
            } else {
                inside(cx, doc, member);
            }
        }
    }
}

/// Takes it out of one resource, out of what stands under the core URN in it, and out of resources inside it. The
/// outermost object may be the envelope of resources instead.
fn resource(cx: &mut Cx<'_>, doc: &mut Doc<'_>, object: Node, is_outermost: bool) {
    if is_document(doc, object) {
        return;
    }
    let mut next = doc.first(object);
    while let Some(member) = next {
        next = doc.next(member);
        if is_password(doc, member) {
            strip(cx, doc, member);
        } else if doc.kind(member).is_container() {
            let key = doc.key(member);
            let is = |name: &str| key.eq_ignore_ascii_case(name);
            if CORE.into_iter().any(is) || is_outermost && is("Resources") {
                resources(cx, doc, member);
            } else if is_outermost && is("Operations") {
                responses(cx, doc, member);
            } else {
                inside(cx, doc, member);
            }
        }
    }
}

/// Looks for resources by their schema where none is expected.
fn inside(cx: &mut Cx<'_>, doc: &mut Doc<'_>, value: Node) {
    if doc.kind(value) == Kind::Object && names(doc, value, name::SCHEMAS, urn::USER) {
        return resource(cx, doc, value, false);
    }
    let mut next = doc.first(value);
    while let Some(child) = next {
        next = doc.next(child);
        if doc.kind(child).is_container() {
            inside(cx, doc, child); // the parser has bounded the depth
        }
    }
}

fn strip(cx: &mut Cx<'_>, doc: &mut Doc<'_>, member: Node) {
    if cx.may(Id::PasswordEcho, || doc.pointer(member)) {
        doc.remove(member);
    }
}

/// Whether an object is a discovery document, whose members describe and hold no secret.
fn is_document(doc: &Doc<'_>, object: Node) -> bool {
    let documents = [urn::SCHEMA, urn::RESOURCE_TYPE, urn::SERVICE_PROVIDER_CONFIG];
    documents.into_iter().any(|urn| names(doc, object, name::SCHEMAS, urn))
}

/// Whether a member's key names the password: in any letter case, also under its fully qualified name.
#[inline]
pub(crate) fn is_password(doc: &Doc<'_>, member: Node) -> bool {
    match doc.name(member) {
        name::PASSWORD => true,
        0 => spells_password(&doc.key(member)),
        _ => false,
    }
}

fn spells_password(key: &str) -> bool {
    let behind = CORE.iter().find_map(|core| {
        let start = key.get(..core.len())?;
        start.eq_ignore_ascii_case(core).then(|| key[core.len()..].strip_prefix([':', '.']).unwrap_or_default())
    });
    behind.unwrap_or(key).eq_ignore_ascii_case("password")
}

/// The schemas that define it.
const CORE: [&str; 2] = [urn::USER, scim11_translate::CORE];
