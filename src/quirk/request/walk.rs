//! The schema-driven walk over a request's values: known attributes only, everything else is opaque.
//!
//! A value of the kind its attribute has costs one comparison; only a mismatch is handed to the quirks.

use super::{
    array_wrapped, duplicate_primary, manager_bare_string, members_displayname, null_subattr, numeric_string,
    object_for_array, patch_members, roles,
};
use crate::{
    json::{Doc, Kind, Node},
    quirk::{
        Cx,
        both::{attr_case, bool_string},
    },
    scim::{
        Attr, Attrs,
        Plurality::{Multi, Single, Unknown},
        Type, name,
    },
};

/// Which body a value stands in; some rewrites are right in one of them only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// A PATCH operation's value.
    Patch,
    /// A resource to create.
    Post,
    /// A resource to replace.
    Put,
}

/// The members of a resource, of an extension or of a complex value.
pub(crate) fn object(doc: &mut Doc<'_>, cx: &mut Cx<'_>, object: Node, attrs: &Attrs, form: Form) {
    let mut next = doc.first(object);
    while let Some(member) = next {
        let Some(attr) = attrs.get(doc.name(member)) else {
            next = doc.next(member);
            continue;
        };
        if !doc.is_exact(member) || attr.respelled {
            attr_case::key(doc, cx, member, attr);
        }
        let member = value(doc, cx, member, attr, form);
        next = doc.next(member);
    }
}

/// The value of a known attribute, named as a whole by its key or path. Returns the node that stands there now.
pub(crate) fn value(doc: &mut Doc<'_>, cx: &mut Cx<'_>, mut node: Node, attr: &Attr, form: Form) -> Node {
    // Each round settles one layer of wrapping; more than a few cannot come together.
    for _ in 0..4 {
        let kind = doc.kind(node);
        let mended = match (attr.plurality, attr.kind, kind) {
            (Multi, Type::Complex, Kind::Array) => {
                elements(doc, cx, node, attr, form);
                None
            }
            (Multi, Type::Complex, Kind::Object) => match (form, attr.name) {
                (Form::Patch, name::MEMBERS) => patch_members::single_object(doc, cx, node, attr),
                _ => object_for_array::wrap(doc, cx, node, attr),
            },
            (Multi, Type::Complex, Kind::String) if form == Form::Patch && attr.name == name::MEMBERS => {
                patch_members::bare_string(doc, cx, node)
            }
            (Multi, kind, Kind::Array) => {
                items(doc, cx, node, kind);
                None
            }
            (Single, Type::Complex, Kind::Object) => {
                object(doc, cx, node, &attr.sub, form);
                None
            }
            (Single, Type::Complex, Kind::String) => manager_bare_string::wrap(doc, cx, node, attr),
            (Single, _, Kind::Array) => array_wrapped::unwrap(doc, cx, node, attr),
            (Single, kind, Kind::String) => {
                scalar(doc, cx, node, kind);
                None
            }
            (Unknown, Type::Complex, Kind::Object) => {
                object(doc, cx, node, &attr.sub, form);
                None
            }
            (Unknown, Type::Complex, Kind::Array) => {
                objects(doc, cx, node, attr, form);
                None
            }
            _ => None,
        };
        match mended {
            Some(new) => node = new,
            None => break,
        }
    }
    node
}

/// One element of a multi-valued complex attribute.
pub(crate) fn element(doc: &mut Doc<'_>, cx: &mut Cx<'_>, element: Node, attr: &Attr, form: Form) {
    if attr.name == name::ROLES {
        roles::display_name(doc, cx, element);
    } else if attr.name == name::MEMBERS {
        members_displayname::rename(doc, cx, element);
    }
    object(doc, cx, element, &attr.sub, form);
    // Now that a value in a list of one has been taken out of it.
    if attr.name == name::ROLES {
        roles::json_string(doc, cx, element);
    }
}

fn elements(doc: &mut Doc<'_>, cx: &mut Cx<'_>, list: Node, attr: &Attr, form: Form) {
    if form == Form::Patch && attr.name == name::MEMBERS {
        patch_members::bare_strings(doc, cx, list);
    }
    let mut primaries = 0;
    let mut next = doc.first(list);
    while let Some(item) = next {
        if doc.kind(item) == Kind::Object {
            let glance = glance(doc, item, &attr.sub);
            if glance.nulls {
                null_subattr::drop(doc, cx, item);
            }
            if !glance.fits || glance.names || attr.name == name::ROLES {
                element(doc, cx, item, attr, form);
            }
            primaries += usize::from(glance.primary);
        }
        next = doc.next(item);
    }
    if primaries > 1 {
        duplicate_primary::later_ones(doc, cx, list);
    }
}

/// The objects of a list that may not have been meant as one: only their known sub-attributes are looked at.
fn objects(doc: &mut Doc<'_>, cx: &mut Cx<'_>, list: Node, attr: &Attr, form: Form) {
    let mut next = doc.first(list);
    while let Some(item) = next {
        next = doc.next(item);
        if doc.kind(item) == Kind::Object {
            object(doc, cx, item, &attr.sub, form);
        }
    }
}

/// What one look over an element's members tells: most elements of a large group need no second one.
struct Glance {
    /// There are nulls.
    nulls: bool,
    /// Every known member is spelled as the schema does and has a simple value of its kind.
    fits: bool,
    /// There is a `primary` that is not false.
    primary: bool,
    /// There is a `displayName`.
    names: bool,
}

fn glance(doc: &Doc<'_>, element: Node, attrs: &Attrs) -> Glance {
    let mut glance = Glance { nulls: false, fits: true, primary: false, names: false };
    for member in doc.children(element) {
        let (name, kind) = (doc.name(member), doc.kind(member));
        if kind == Kind::Null {
            glance.nulls = true;
        } else if name == name::PRIMARY {
            glance.primary |= kind != Kind::False;
        }
        glance.names |= name == name::DISPLAY_NAME;
        glance.fits = glance.fits
            && match attrs.get(name) {
                None => true,
                Some(attr) => doc.is_exact(member) && !attr.respelled && fits(attr, kind),
            };
    }
    glance
}

/// Whether a value of this kind is what a simple single-valued attribute wants, or nothing that a quirk knows.
fn fits(attr: &Attr, kind: Kind) -> bool {
    match kind {
        Kind::String => attr.is_single() && attr.kind.is_text(),
        Kind::Array | Kind::Object => false,
        Kind::Null | Kind::True | Kind::False | Kind::Number => true,
    }
}

/// The elements of a list of simple values.
fn items(doc: &mut Doc<'_>, cx: &mut Cx<'_>, list: Node, kind: Type) {
    if kind.is_text() {
        return;
    }
    let mut next = doc.first(list);
    while let Some(item) = next {
        if doc.kind(item) == Kind::String {
            scalar(doc, cx, item, kind);
        }
        next = doc.next(item);
    }
}

/// A string where another simple value belongs.
fn scalar(doc: &mut Doc<'_>, cx: &mut Cx<'_>, node: Node, kind: Type) {
    match kind {
        Type::Boolean => bool_string::literal(doc, cx, node),
        Type::Integer | Type::Decimal => numeric_string::number(doc, cx, node, kind),
        _ => {}
    }
}
