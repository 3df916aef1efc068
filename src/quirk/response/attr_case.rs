//! The answer half of `attr-case`.

use crate::{
    json::{Doc, Node},
    quirk::{Cx, Id},
    scim::{Attr, Attrs},
};

/// Gives a known member its canonical name; `quirk` is `attr-case`, or `list-key-case` in the envelope of a list.
///
/// Members that collide with another have lost their number and never come here.
#[inline]
pub(crate) fn fix(cx: &mut Cx<'_>, doc: &mut Doc<'_>, member: Node, attr: &Attr, quirk: Id) {
    if !doc.is_exact(member) || attr.respelled {
        rename(cx, doc, member, attr, quirk);
    }
}

#[cold]
fn rename(cx: &mut Cx<'_>, doc: &mut Doc<'_>, member: Node, attr: &Attr, quirk: Id) {
    // A key with escapes is never exact, but may spell the name all the same.
    if doc.key(member) != *attr.canonical && cx.may(quirk, || doc.pointer(member)) {
        doc.rename(member, &attr.canonical, attr.name);
    }
}

/// The same for every member of an envelope.
pub(crate) fn fix_all(cx: &mut Cx<'_>, doc: &mut Doc<'_>, object: Node, attrs: &Attrs, quirk: Id) {
    let mut next = doc.first(object);
    while let Some(member) = next {
        next = doc.next(member);
        if let Some(attr) = attrs.get(doc.name(member)) {
            fix(cx, doc, member, attr, quirk);
        }
    }
}
