//! PAGE

use crate::{
    json::{Doc, Kind, Node},
    quirk::{Cx, Id, quirk},
    scim::name,
};

quirk! {
    /// PAGE
    pub static SCHEMAS_ENTRA_UNSUPPORTED = {
        id: "schemas-entra-unsupported",
        direction: Response,
        risk: Inferred,
        rfc: "RFC 7643 8.7.1",
        seen_in: &[Entra],
    };
}

/// Takes `password` and `emails.display` out of the definition of User.
pub(crate) fn fix(cx: &mut Cx<'_>, doc: &mut Doc<'_>, attributes: Node) {
    if let Some(password) = defined(doc, attributes, "password") {
        remove(cx, doc, password);
    }
    let subs = defined(doc, attributes, "emails").and_then(|emails| doc.get(emails, name::SUB_ATTRIBUTES));
    if let Some(display) = subs.and_then(|subs| defined(doc, subs, "display")) {
        remove(cx, doc, display);
    }
}

fn remove(cx: &mut Cx<'_>, doc: &mut Doc<'_>, definition: Node) {
    if cx.may(Id::SchemasEntraUnsupported, || doc.pointer(definition)) {
        doc.remove(definition);
    }
}

fn defined(doc: &Doc<'_>, list: Node, attr: &str) -> Option<Node> {
    doc.children(list).filter(|&item| doc.kind(item) == Kind::Object).find(|&item| {
        doc.get(item, name::NAME).and_then(|name| doc.string(name)).is_some_and(|name| name.eq_ignore_ascii_case(attr))
    })
}
