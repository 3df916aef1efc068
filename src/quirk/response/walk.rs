//! The walk over one resource: types, names and references by the schema, then what the resource as a whole lacks.
//!
//! Most members are right, and for them a walk costs a look-up and a comparison of kinds; what mends is kept out of
//! line. Members without a known attribute are never looked into.

use std::borrow::Cow;

use super::{
    alike::{Row, Trail},
    attr_case, attribute_selection, bool_string, dates, ext_flat_key, id_from_location, id_number,
    location::{self, Bases, Subject},
    manager_string, meta_missing, multivalue, primary_duplicate,
    query::Ask,
    resource_null, schemas_extension_missing, schemas_missing, schemas_string, scim11_translate, version_number,
};
use crate::{
    json::{Doc, Kind, Node},
    quirk::{Cx, Direction, Id, Mode},
    scim::{
        Attr, Attrs,
        Plurality::{Multi, Single, Unknown},
        ResourceType, Type, name, urn,
    },
};

/// What a resource is judged by beside its own members.
#[derive(Clone, Copy)]
pub(crate) struct Env<'e> {
    /// What was asked.
    pub(crate) ask: &'e Ask<'e>,
    /// The two names of the base.
    pub(crate) bases: Bases<'e>,
    /// Whether the status is 201.
    pub(crate) created: bool,
    /// Whether the list around it names schemas of SCIM 1.1.
    pub(crate) old_list: bool,
    /// Whether the answer can hold a null.
    pub(crate) nulls: bool,
}

/// Where a walk is, beside its place in the document.
pub(super) struct Way<'w, 'k> {
    pub(super) bases: Bases<'w>,
    pub(super) trail: Trail<'k>,
}

/// Repairs the objects in a list. The type is that of the endpoint; at the base it is what `meta.resourceType` says.
pub(crate) fn in_list(cx: &mut Cx<'_>, doc: &mut Doc<'_>, list: Node, kind: Option<&ResourceType>, env: Env<'_>) {
    let mut row = Row::default();
    let mut next = doc.first(list);
    while let Some(item) = next {
        next = doc.next(item);
        if doc.kind(item) != Kind::Object || row.repeats(cx, doc, item, env.bases) {
            continue;
        }
        let Some(kind) = kind else {
            if let Some(kind) = stated_kind(cx, doc, item) {
                resource(cx, doc, item, kind, env, Role::InList, Trail::off());
            }
            continue;
        };
        let found = cx.findings.number();
        let trail = resource(cx, doc, item, kind, env, Role::InList, Trail::default());
        // What is selected hangs on what was asked.
        if cx.findings.number() == found && !env.ask.is_limited() {
            row.was_clean(doc, item, &trail);
        }
    }
}

/// Repairs a resource that is the whole answer; `header` is the Location as it stands, the result the one it gets.
pub(crate) fn alone(
    cx: &mut Cx<'_>,
    doc: &mut Doc<'_>,
    at: Node,
    kind: &ResourceType,
    env: Env<'_>,
    header: Option<&str>,
) -> Option<String> {
    let mut new = None;
    resource(cx, doc, at, kind, env, Role::Alone { header, new: &mut new }, Trail::off());
    new
}

enum Role<'h> {
    Alone { header: Option<&'h str>, new: &'h mut Option<String> },
    InList,
}

fn stated_kind<'p>(cx: &Cx<'p>, doc: &Doc<'_>, resource: Node) -> Option<&'p ResourceType> {
    let meta = doc.get(resource, name::META)?;
    let stated = doc.string(doc.get(meta, name::RESOURCE_TYPE)?)?;
    cx.plan.registry().resource_type_named(&stated)
}

/// One resource; what the outcome hung on.
fn resource<'k>(
    cx: &mut Cx<'_>,
    doc: &mut Doc<'_>,
    at: Node,
    kind: &'k ResourceType,
    env: Env<'_>,
    role: Role<'_>,
    trail: Trail<'k>,
) -> Trail<'k> {
    let mut way = Way { bases: env.bases, trail };
    prepare(cx, doc, at, kind, env, &mut way.trail);
    let seen = members_of(cx, doc, at, kind, &mut way);
    if env.nulls {
        resource_null::drop(cx, doc, at, kind);
    }
    let in_list = matches!(role, Role::InList);
    schemas(cx, doc, at, kind, env.ask, &seen, in_list);
    let has_meta = seen.meta.is_some_and(|meta| doc.kind(meta) != Kind::Null);
    let adds_meta = !has_meta && lacks(doc, at, name::META, "meta") && !env.ask.keeps_out(&kind.urn, "meta");
    let mut without_location = None;
    match role {
        Role::InList if adds_meta => meta_missing::fix(cx, doc, at, kind, None),
        Role::InList => {}
        Role::Alone { header, new } => {
            if env.created && lacks(doc, at, name::ID, "id") {
                let location = header.map(str::to_owned).or_else(|| stated_location(doc, at));
                if let Some(location) = location {
                    id_from_location::fix(cx, doc, at, &location, kind);
                }
            }
            let fills_meta = !env.ask.keeps_out(&kind.urn, "meta");
            let subject = Subject { resource: at, kind, bases: env.bases, created: env.created, fills_meta };
            if adds_meta {
                let uri = if env.created { header.map(str::to_owned).or_else(|| subject.uri(doc)) } else { None };
                let uri = uri.filter(|uri| location::is_absolute(uri));
                meta_missing::fix(cx, doc, at, kind, uri.as_deref());
            }
            *new = subject.settle(cx, doc, header);
            if env.created && header.is_none() && new.is_none() {
                without_location = Some((subject, new));
            }
        }
    }
    if env.ask.is_limited() {
        attribute_selection::fix(cx, doc, at, env.ask, &kind.urn);
        // A location that was no use has been left out with the rest of `meta`, and the resource is as one without.
        if let Some((subject, new)) = without_location.filter(|_| cx.fixes(Id::LocationMissing))
            && lacks(doc, at, name::META, "meta")
        {
            *new = subject.settle(cx, doc, None);
        }
        // An old URN stays for the sake of an extension that may have been left out.
        if cx.fixes(Id::Scim11Translate) && scim11_translate::is_old(doc, at) {
            scim11_translate::schemas(cx, doc, at, if *kind.urn == *urn::GROUP { urn::GROUP } else { urn::USER });
        }
    } else if *kind.urn == *urn::USER {
        if !seen.active {
            cx.report(Id::ActiveMissing, || doc.pointer(at));
        }
        if !seen.family_name {
            cx.report(Id::NameMissing, || doc.pointer(at));
        }
    }
    way.trail
}

/// `meta.location`, which a missing header is filled from.
fn stated_location(doc: &Doc<'_>, resource: Node) -> Option<String> {
    let meta = doc.get(resource, name::META).filter(|&meta| doc.kind(meta) == Kind::Object)?;
    doc.string(doc.get(meta, name::LOCATION)?).map(Cow::into_owned)
}

/// Whether a member is null or absent, also under keys that collide.
fn lacks(doc: &Doc<'_>, object: Node, number: u16, key: &str) -> bool {
    match doc.get(object, number) {
        Some(member) => doc.kind(member) == Kind::Null,
        None => doc.find(object, key).is_none(),
    }
}

/// What has to be in its place before members are known: SCIM 1.1 and fully qualified keys.
fn prepare(cx: &mut Cx<'_>, doc: &mut Doc<'_>, at: Node, kind: &ResourceType, env: Env<'_>, trail: &mut Trail<'_>) {
    let mut qualified = 0;
    let mut old = env.old_list;
    let unknown = doc.had_name(0).then(|| doc.children(at).filter(|&member| doc.name(member) == 0));
    for member in unknown.into_iter().flatten() {
        let key = doc.key(member);
        if urn::is_urn(&key) {
            qualified += 1;
            old |= scim11_translate::is_old_key(&key);
        }
    }
    old |= scim11_translate::is_old(doc, at);
    if old || qualified > 0 {
        trail.more();
    }
    // A null that is to go stands in no key's way. Those of moved members go later.
    if env.nulls && (old || qualified > 0) && cx.fixes(Id::ResourceNull) {
        resource_null::drop(cx, doc, at, kind);
    }
    if old && cx.plan.mode(Direction::Response, Id::Scim11Translate) != Mode::Off {
        scim11_translate::resource(cx, doc, at, kind);
    }
    if (1..=schemas_extension_missing::MOST).contains(&qualified) {
        ext_flat_key::fix(cx, doc, at, kind);
    }
}

/// What stands at the top of a resource.
#[derive(Default)]
struct Seen {
    schemas: Option<Node>,
    meta: Option<Node>,
    /// The first object that may be an extension.
    extension: Option<Node>,
    active: bool,
    family_name: bool,
}

fn members_of<'k>(cx: &mut Cx<'_>, doc: &mut Doc<'_>, at: Node, kind: &'k ResourceType, way: &mut Way<'_, 'k>) -> Seen {
    let mut seen = Seen::default();
    let mut next = doc.first(at);
    while let Some(member) = next {
        next = doc.next(member);
        let number = doc.name(member);
        if number == name::PASSWORD {
            continue; // gone already, or left by the operator's will
        }
        let Some(attr) = kind.attrs.get(number) else {
            seen.active |= number == 0 && doc.collides(member) && doc.key(member).eq_ignore_ascii_case("active");
            seen.extension = seen.extension.or(Some(member));
            continue;
        };
        if attr.extension {
            seen.extension = seen.extension.or(Some(member));
        }
        attr_case::fix(cx, doc, member, attr, Id::AttrCase);
        match number {
            name::SCHEMAS => {
                way.trail.same(member);
                seen.schemas = Some(member);
            }
            name::ACTIVE => seen.active = true,
            name::META => seen.meta = Some(member),
            name::NAME => {
                seen.family_name = doc.kind(member) == Kind::Object && doc.get(member, name::FAMILY_NAME).is_some();
            }
            _ => {}
        }
        value(cx, doc, member, attr, 0, way);
    }
    seen
}

/// Walks the members of a complex value; its `primary` where that is true.
fn members<'k>(
    cx: &mut Cx<'_>,
    doc: &mut Doc<'_>,
    object: Node,
    attrs: &'k Attrs,
    parent: u16,
    way: &mut Way<'_, 'k>,
) -> Option<Node> {
    let mut primary = None;
    let mut next = doc.first(object);
    while let Some(member) = next {
        next = doc.next(member);
        let Some(attr) = attrs.get(doc.name(member)) else { continue };
        attr_case::fix(cx, doc, member, attr, Id::AttrCase);
        value(cx, doc, member, attr, parent, way);
        if attr.name == name::PRIMARY {
            way.trail.same(member);
            if doc.kind(member) == Kind::True {
                primary = Some(member);
            }
        }
    }
    primary
}

/// One value by its attribute. `parent` is the attribute around it, 0 at the top.
#[inline]
pub(super) fn value<'k>(
    cx: &mut Cx<'_>,
    doc: &mut Doc<'_>,
    at: Node,
    attr: &'k Attr,
    parent: u16,
    way: &mut Way<'_, 'k>,
) {
    let kind = doc.kind(at);
    match (attr.kind, attr.plurality, kind) {
        (Type::Complex, Single | Unknown, Kind::Object) => {
            members(cx, doc, at, &attr.sub, attr.name, way);
        }
        (Type::Complex, Unknown, Kind::Array) => {
            let items: Vec<Node> = doc.children(at).filter(|&item| doc.kind(item) == Kind::Object).collect();
            for item in items {
                members(cx, doc, item, &attr.sub, attr.name, way);
            }
        }
        (Type::Complex, Multi, Kind::Array) => items(cx, doc, at, attr, way),
        (Type::Boolean, Single, Kind::String | Kind::Number) => {
            way.trail.text(at, attr, parent);
            bool_string::fix(cx, doc, at);
        }
        (Type::DateTime, Single, Kind::String | Kind::Number) => {
            way.trail.text(at, attr, parent);
            dates::fix(cx, doc, at);
        }
        (Type::Reference, Single, Kind::String) if attr.name == name::REF => {
            way.trail.text(at, attr, parent);
            location::fix_value(cx, doc, at, way.bases, true);
        }
        (Type::Reference, Single, Kind::String) if attr.name == name::LOCATION && parent == name::META => {
            way.trail.text(at, attr, parent);
            location::fix_value(cx, doc, at, way.bases, false);
        }
        (Type::Complex, Single | Multi, Kind::String | Kind::Object)
        | (Type::Boolean | Type::DateTime, Multi, Kind::Array)
        | (Type::String, Single, Kind::Number) => misfit(cx, doc, at, attr, parent, way),
        _ => {}
    }
}

/// A value of a kind that its attribute does not have, or seldom.
#[cold]
fn misfit<'k>(cx: &mut Cx<'_>, doc: &mut Doc<'_>, at: Node, attr: &'k Attr, parent: u16, way: &mut Way<'_, 'k>) {
    way.trail.more();
    match (attr.kind, attr.plurality, doc.kind(at)) {
        (Type::Complex, Single, Kind::String) if attr.name == name::MANAGER && parent == name::ENTERPRISE_USER => {
            manager_string::fix(cx, doc, at);
        }
        (Type::Complex, Multi, Kind::Object) => {
            if let Some(list) = multivalue::wrap(cx, doc, at) {
                items(cx, doc, list, attr, way);
            }
        }
        (Type::Boolean | Type::DateTime, Multi, Kind::Array) => {
            let items: Vec<Node> = doc.children(at).collect();
            for item in items {
                match attr.kind {
                    Type::Boolean => bool_string::fix(cx, doc, item),
                    _ => dates::fix(cx, doc, item),
                }
            }
        }
        (Type::String, Single, Kind::Number) => match (parent, attr.name) {
            (0, name::ID | name::EXTERNAL_ID) | (name::MEMBERS | name::GROUPS, name::VALUE) => {
                id_number::fix(cx, doc, at);
            }
            (name::META, name::VERSION) => version_number::fix(cx, doc, at),
            _ => {}
        },
        _ => {}
    }
}

fn items<'k>(cx: &mut Cx<'_>, doc: &mut Doc<'_>, list: Node, attr: &'k Attr, way: &mut Way<'_, 'k>) {
    let mut row = Row::default();
    // In a list of resources it is the resources that may be alike.
    let repeats = !way.trail.is_on();
    let mut first_primary = false;
    let mut next = doc.first(list);
    while let Some(item) = next {
        next = doc.next(item);
        if doc.kind(item) != Kind::Object {
            way.trail.more();
            multivalue::item(cx, doc, item, attr);
            continue;
        }
        if repeats && row.repeats(cx, doc, item, way.bases) {
            continue;
        }
        let (found, mut own) = (cx.findings.number(), Way { bases: way.bases, trail: Trail::default() });
        let on = if repeats { &mut own } else { &mut *way };
        let primary = members(cx, doc, item, &attr.sub, attr.name, on);
        if let Some(primary) = primary {
            if std::mem::replace(&mut first_primary, true) {
                primary_duplicate::fix(cx, doc, primary);
            }
        } else if repeats && cx.findings.number() == found {
            row.was_clean(doc, item, &own.trail);
        }
    }
}

fn schemas(
    cx: &mut Cx<'_>,
    doc: &mut Doc<'_>,
    at: Node,
    kind: &ResourceType,
    ask: &Ask<'_>,
    seen: &Seen,
    in_list: bool,
) {
    if schemas_missing::is_blank(doc, seen.schemas) {
        let collides = seen.schemas.is_none() && doc.find(at, "schemas").is_some();
        if !collides && !ask.keeps_out(&kind.urn, "schemas") {
            schemas_missing::fix(cx, doc, at, kind, in_list);
        }
        return;
    }
    let Some(mut list) = seen.schemas else { return };
    if doc.kind(list) == Kind::String {
        if !schemas_string::fix(cx, doc, list) {
            return;
        }
        let Some(array) = doc.get(at, name::SCHEMAS) else { return };
        list = array;
    }
    if doc.kind(list) != Kind::Array {
        return;
    }
    if doc.children(list).nth(schemas_extension_missing::MOST).is_some() {
        return;
    }
    let mut looked_at = 0;
    let mut next = seen.extension;
    while let Some(member) = next.filter(|_| looked_at < schemas_extension_missing::MOST) {
        next = doc.next(member);
        if doc.kind(member) == Kind::Object && is_extension(doc, member, kind) {
            looked_at += 1;
            schemas_extension_missing::fix(cx, doc, list, member);
        }
    }
}

/// Whether an object at the top is an extension: by its name, or by its key where that is not known.
#[inline]
fn is_extension(doc: &Doc<'_>, member: Node, kind: &ResourceType) -> bool {
    match kind.attrs.get(doc.name(member)) {
        Some(attr) => attr.extension,
        None => urn::is_urn(&doc.key(member)),
    }
}
