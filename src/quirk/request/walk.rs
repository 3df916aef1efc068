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
    // The element before, if nothing is to be done about it. What a glance sees of one that is alike is the same: it looks
    // at the value of nothing but `primary`, which that one has not.
    let mut plain: Option<Node> = None;
    let mut next = doc.first(list);
    while let Some(item) = next {
        if plain.is_some_and(|before| doc.are_alike(before, item)) {
            plain = Some(item);
        } else if doc.kind(item) == Kind::Object {
            let glance = glance(doc, item, &attr.sub);
            let needs_more = !glance.fits || glance.names || attr.name == name::ROLES;
            plain = (!needs_more && !glance.nulls && !glance.has_primary).then_some(item);
            if glance.nulls {
                null_subattr::drop(doc, cx, item);
            }
            if needs_more {
                element(doc, cx, item, attr, form);
            }
            primaries += usize::from(glance.is_primary);
        } else {
            plain = None;
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
    /// There is a `primary`, which is no null.
    has_primary: bool,
    /// It is not false.
    is_primary: bool,
    /// There is a `displayName`.
    names: bool,
}

fn glance(doc: &Doc<'_>, element: Node, attrs: &Attrs) -> Glance {
    let mut glance = Glance { nulls: false, fits: true, has_primary: false, is_primary: false, names: false };
    for member in doc.children(element) {
        let (name, kind) = (doc.name(member), doc.kind(member));
        if kind == Kind::Null {
            glance.nulls = true;
        } else if name == name::PRIMARY {
            glance.has_primary = true;
            glance.is_primary |= kind != Kind::False;
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

#[cfg(test)]
mod tests {
    use http::{HeaderMap, Method, header::CONTENT_TYPE};
    use serde_json::{Value, json};

    use crate::quirk::{Idp, Mode, Plan, PlanSettings, Sent, normalize};

    /// `members` as the app gets them, of a group that is created with them.
    fn created(members: &[Value]) -> Vec<Value> {
        let quirks = [("duplicate-primary".to_owned(), Mode::Fix)].into();
        let plan = Plan::new(&PlanSettings { quirks, ..PlanSettings::default() }, Idp::Entra);
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, "application/scim+json".parse().expect("a header value"));
        let group = json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": "G",
            "members": members});
        let body = group.to_string();
        let sent = Sent { method: &Method::POST, target: "/Groups", headers: &headers, body: body.as_bytes() };
        let new = normalize(&plan, &sent).expect("taken").body.unwrap_or(body.into_bytes());
        let group: Value = serde_json::from_slice(&new).expect("JSON");
        group["members"].as_array().expect("members").clone()
    }

    /// What becomes of an element does not hang on its neighbours, alike or not.
    #[test]
    fn each_element_in_a_row_is_judged_as_if_it_stood_alone() {
        let members = [
            json!({"value": "1", "display": "x"}),
            json!({"value": "2", "display": null}),
            json!({"value": ["3"], "display": "x"}),
            json!({"value": "4", "displayName": "x"}),
            json!({"Value": "5", "display": "x"}),
            json!({"value": "6", "primary": "True"}),
            json!({"value": "7", "primary": false}),
            json!({"value": "8", "primary": true}),
        ];
        let alone: Vec<Value> = members.iter().map(|member| created(std::slice::from_ref(member))[0].clone()).collect();
        let mended = members.iter().zip(&alone).filter(|(member, alone)| member != alone).count();
        assert!(mended >= 3, "{alone:#?}");
        for first in 0..members.len() {
            for second in 0..members.len() {
                let order = [0, 0, first, 0, second, 0, second.min(4), second.min(4)];
                let primaries = order.iter().filter(|&&index| index == 5 || index == 7).count();
                // A second `primary` is of another rule.
                if primaries < 2 {
                    let written = created(&order.map(|index| members[index].clone()));
                    assert_eq!(written, order.map(|index| alone[index].clone()), "{first}, {second}");
                }
            }
        }
    }

    #[test]
    fn a_second_primary_is_seen_among_elements_that_are_alike() {
        let member = |primary: bool| json!({"value": "1", "primary": primary});
        let written = created(&[member(false), member(true), member(false), member(true)]);
        assert_eq!(written, [member(false), member(true), member(false), member(false)]);
    }
}
