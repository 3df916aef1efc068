//! Keys that are paths: `name.givenName`, `urn:...:User:department`, `urn:...:User.costCenter`.
//!
//! No attribute name has a dot or a colon, so such a key has one reading: the place it names. All keys of a value are
//! planned first and moved only if no two name the same place; else the value keeps the keys it came with.

use super::{urn_alias, walk::Form};
use crate::{
    json::{Doc, Kind, Names, Node},
    quirk::{Cx, Id},
    scim::{Attr, Registry, ResourceType, name, path::is_attr_name, urn},
};

/// Keys that are moved in one value. A resource has far fewer attributes; comparing each with each must stay cheap
/// whatever a body holds.
const MAX_MOVES: usize = 100;

/// One key and the place it names.
struct Move {
    member: Node,
    /// Keys from the value inwards.
    place: Vec<String>,
    quirks: Vec<Id>,
    /// The place as a path, where the value is a null that clears it: it need not be moved to be removed.
    clears: Option<String>,
}

/// What has become of the keys of a value.
#[derive(Debug, Default)]
pub(crate) struct Settled {
    /// Two keys name the same place: all keys stay as they came, and so should what hangs on them.
    pub(crate) clash: bool,
    /// Members that stayed because they are to be taken out as removals of these paths.
    pub(crate) clears: Vec<(Node, String)>,
}

/// Moves the members of a resource, or of a value without path, to the places their keys name; `rest` is what else is
/// mended of it. `clears` says whether a null for an attribute of that definition is taken out as a removal.
///
/// Keys that had to stay get a second look when the rest is mended: what stood in their way may have been dropped, or be
/// an object by then (a manager that was a string), and a second run would move them. Then the rest follows once more.
pub(crate) fn settle<'d, 'p>(
    doc: &mut Doc<'d>,
    cx: &mut Cx<'p>,
    object: Node,
    resource: Option<&ResourceType>,
    form: Form,
    clears: &dyn Fn(Option<&Attr>) -> bool,
    rest: &mut dyn FnMut(&mut Doc<'d>, &mut Cx<'p>, &Settled),
) {
    let plan = |doc: &Doc<'d>, cx: &Cx<'p>| Moves::of(doc, cx, object, resource, form, clears);
    let first = plan(doc, cx);
    if !first.clash && !first.leaves {
        let settled = first.carry_out(doc, cx, object);
        return rest(doc, cx, &settled);
    }
    let before = std::mem::take(&mut cx.findings);
    let settled = first.carry_out(doc, cx, object);
    rest(doc, cx, &settled);
    if cx.findings.fixes().next().is_some() {
        let second = plan(doc, cx);
        if !second.clash && !second.list.is_empty() {
            cx.findings.forget_observed(); // all of it is looked at again
            let settled = second.carry_out(doc, cx, object);
            rest(doc, cx, &settled);
        }
    }
    let found = std::mem::replace(&mut cx.findings, before);
    cx.findings.extend(found);
}

/// What is to become of the keys of a value.
#[derive(Default)]
struct Moves {
    list: Vec<Move>,
    clash: bool,
    /// An extension under another spelling of its URN stays, since it is empty and its place is taken.
    leaves: bool,
}

impl Moves {
    fn of(
        doc: &Doc<'_>,
        cx: &Cx<'_>,
        object: Node,
        resource: Option<&ResourceType>,
        form: Form,
        clears: &dyn Fn(Option<&Attr>) -> bool,
    ) -> Self {
        let mut moves = Vec::new();
        for member in doc.children(object) {
            if doc.name(member) == 0 || !doc.is_exact(member) {
                moves.extend(planned(doc, cx, object, member, resource, form, clears));
            }
            if moves.len() > MAX_MOVES {
                return Self { clash: true, ..Self::default() };
            }
        }
        if moves.is_empty() {
            return Self::default();
        }
        let leaves = spread_merged_objects(doc, object, &mut moves);
        let clash = moves.len() > MAX_MOVES
            || moves.iter().enumerate().any(|(i, one)| {
                moves[..i].iter().any(|other| overlap(&one.place, &other.place)) || taken(doc, object, one, &moves)
            });
        Self { list: moves, clash, leaves }
    }

    fn carry_out(self, doc: &mut Doc<'_>, cx: &mut Cx<'_>, object: Node) -> Settled {
        let mut settled = Settled { clash: self.clash, ..Settled::default() };
        for mut one in self.list {
            let fixed = !settled.clash && one.quirks.iter().all(|&quirk| cx.fixes(quirk));
            for &quirk in &one.quirks {
                if fixed {
                    cx.may(quirk, || doc.pointer(one.member));
                } else {
                    cx.report(quirk, || doc.pointer(one.member));
                }
            }
            match one.clears.take().filter(|_| fixed) {
                Some(path) => settled.clears.push((one.member, path)),
                None if fixed => apply(doc, cx, object, &one),
                None => {}
            }
        }
        settled
    }
}

/// Reads one key; `None` where it is a plain name or has to stay.
fn planned(
    doc: &Doc<'_>,
    cx: &Cx<'_>,
    object: Node,
    member: Node,
    resource: Option<&ResourceType>,
    form: Form,
    clears: &dyn Fn(Option<&Attr>) -> bool,
) -> Option<Move> {
    let key = doc.key(member);
    if key.ends_with([':', '.']) {
        return None;
    }
    if !urn::is_urn(&key) {
        let (parent, sub) = key.split_once('.')?;
        let attr = resource?.attrs.find(parent).filter(|attr| !attr.extension)?;
        if form != Form::Patch || !attr.is_single_complex() || !is_attr_name(sub) {
            return None;
        }
        let leaf = attr.sub.find(sub);
        let path = || format!("{}.{}", attr.canonical, leaf.map_or(sub, |leaf| &leaf.canonical));
        return Some(Move {
            member,
            clears: (doc.kind(member) == Kind::Null && clears(leaf)).then(path),
            place: vec![parent.to_owned(), sub.to_owned()],
            quirks: vec![Id::PatchDottedKeys],
        });
    }
    let nested = if form == Form::Patch { Id::PatchUrnKeys } else { Id::ResourceUrnKeys };
    let registry = cx.plan.registry();
    let Some(alias) = urn_alias::split(registry, resource, &key) else {
        // An unknown schema: what follows the last colon is the attribute, unless the key is the extension itself: its
        // value is an object, or null, or `schemas` lists it. In a PATCH a null clears either reading under the same
        // path, and is left to `patch-null-clear`.
        let (schema, attr) = key.rsplit_once(':')?;
        let whole = matches!(doc.kind(member), Kind::Object | Kind::Null) || is_listed(doc, object, &key);
        return (urn::is_urn(schema) && is_attr_name(attr) && !whole).then(|| Move {
            member,
            place: vec![schema.to_owned(), attr.to_owned()],
            quirks: vec![nested],
            clears: None,
        });
    };
    let core = resource.is_some_and(|resource| &*resource.urn == alias.urn);
    if !core && [urn::USER, urn::GROUP].contains(&alias.urn) {
        return None;
    }
    let mut quirks: Vec<Id> = alias.quirk.into_iter().collect();
    if alias.rest.is_empty() {
        let renames = alias.quirk == Some(Id::ExtLegacyKey) || alias.quirk.is_some() && doc.name(member) == 0;
        return (renames && !core).then(|| Move { member, place: vec![alias.urn.to_owned()], quirks, clears: None });
    }
    let (attr, sub) = match alias.rest.split_once('.') {
        Some((attr, sub)) => (attr, Some(sub)),
        None => (alias.rest, None),
    };
    if !is_attr_name(attr) || sub.is_some_and(|sub| !is_attr_name(sub)) {
        return None;
    }
    let attrs = resource.map(|resource| &resource.attrs);
    let scope = if core { attrs } else { attrs.and_then(|attrs| attrs.find(alias.urn)).map(|attr| &attr.sub) };
    let definition = scope.and_then(|scope| scope.find(attr));
    if sub.is_some() && definition.is_some_and(|attr| !attr.is_single_complex()) {
        return None; // of a list: `patch_dotted_keys` splits it out, for the app to say which element is meant
    }
    let leaf = match sub {
        Some(sub) => definition.and_then(|definition| definition.sub.find(sub)),
        None => definition,
    };
    let path = || {
        let attr = definition.map_or(attr, |definition| &definition.canonical);
        let schema = if core { String::new() } else { format!("{}:", alias.urn) };
        match sub {
            Some(sub) => format!("{schema}{attr}.{}", leaf.map_or(sub, |leaf| &leaf.canonical)),
            None => format!("{schema}{attr}"),
        }
    };
    let named_active = sub.unwrap_or(attr).eq_ignore_ascii_case("active");
    let clears = doc.kind(member) == Kind::Null && !named_active && clears(leaf);
    if alias.dot {
        quirks.push(Id::UrnDotSeparator);
    }
    quirks.push(nested);
    let mut place = if core { Vec::new() } else { vec![alias.urn.to_owned()] };
    place.push(attr.to_owned());
    place.extend(sub.map(str::to_owned));
    Some(Move { member, place, quirks, clears: clears.then(path) })
}

/// Whether a key names an attribute behind a known URN. It is no extension, also where it had to stay.
pub(super) fn names_attribute(registry: &Registry, resource: &ResourceType, key: &str) -> bool {
    urn_alias::split(registry, Some(resource), key).is_some_and(|alias| match alias.rest.split_once('.') {
        Some((attr, sub)) => is_attr_name(attr) && is_attr_name(sub),
        None => is_attr_name(alias.rest),
    })
}

/// Whether the `schemas` of a resource list a URI.
fn is_listed(doc: &Doc<'_>, resource: Node, uri: &str) -> bool {
    let Some(list) = doc.get(resource, name::SCHEMAS) else { return false };
    doc.children(list).take(MAX_MOVES).any(|item| doc.string(item).is_some_and(|text| text.eq_ignore_ascii_case(uri)))
}

/// A whole extension object under another spelling of its URN, beside the canonical one or beside flat keys: its
/// members are moved one by one. Whether one has none, and so stays.
fn spread_merged_objects(doc: &Doc<'_>, object: Node, moves: &mut Vec<Move>) -> bool {
    let mut spread = Vec::new();
    for (i, one) in moves.iter().enumerate() {
        let whole = one.place.len() == 1 && doc.kind(one.member) == Kind::Object && urn::is_urn(&one.place[0]);
        let shared = moves.iter().enumerate().any(|(j, other)| i != j && other.place[0] == one.place[0])
            || doc.find(object, &one.place[0]).is_some_and(|there| there != one.member);
        if whole && shared {
            spread.push(i);
        }
    }
    let mut leaves = false;
    for i in spread.into_iter().rev() {
        let whole = moves.remove(i);
        leaves |= doc.is_empty(whole.member);
        for member in doc.children(whole.member) {
            let mut place = whole.place.clone();
            place.push(doc.key(member).into_owned());
            moves.push(Move { member, place, quirks: whole.quirks.clone(), clears: None });
        }
    }
    leaves
}

/// Whether two places are the same, or one lies in the other.
fn overlap(one: &[String], other: &[String]) -> bool {
    one.iter().zip(other).all(|(a, b)| a.eq_ignore_ascii_case(b))
}

/// Whether something that stays is at the place already, or in its way.
fn taken(doc: &Doc<'_>, object: Node, one: &Move, moves: &[Move]) -> bool {
    let mut container = object;
    for (depth, key) in one.place.iter().enumerate() {
        let Some(there) = doc.find(container, key) else { return false };
        if moves.iter().any(|other| other.member == there) {
            return there != one.member && depth + 1 < one.place.len();
        }
        if depth + 1 == one.place.len() || doc.kind(there) != Kind::Object {
            return true;
        }
        container = there;
    }
    false
}

fn apply(doc: &mut Doc<'_>, cx: &Cx<'_>, object: Node, one: &Move) {
    let names = cx.plan.registry().names();
    let (name_of, exact) = (|key: &str| names.find(key).0, |key: &str| names.find(key).1);
    let Some((leaf, containers)) = one.place.split_last() else { return };
    if containers.is_empty() && doc.parent(one.member) == Some(object) {
        doc.spell(one.member, leaf, name_of(leaf), exact(leaf));
        return;
    }
    let anchor = if doc.parent(one.member) == Some(object) { Some(one.member) } else { None };
    let mut container = object;
    for key in containers {
        container = match doc.find(container, key) {
            Some(there) => there,
            None => {
                let new = doc.object();
                doc.spell(new, key, name_of(key), exact(key));
                match anchor.filter(|_| container == object) {
                    Some(anchor) => doc.insert_after(anchor, new),
                    None => doc.push(container, new),
                }
                new
            }
        };
    }
    let from = doc.parent(one.member);
    let moved = doc.take(one.member);
    doc.spell(moved, leaf, name_of(leaf), exact(leaf));
    doc.push(container, moved);
    // An extension object under its old URN goes when its last member has been moved.
    if let Some(from) = from.filter(|&from| from != object && doc.is_empty(from)) {
        doc.remove(from);
    }
}
