//! A PATCH message (RFC 7644 3.5.2): its own keys, then each operation, then what the operations are split into.

use super::{
    array_wrapped, keys,
    patch_dotted_keys::Lists,
    patch_empty_string_clear, patch_filter_keys, patch_message, patch_null_clear, patch_op, patch_path,
    patch_remove_members, patch_remove_value_ignored, readonly_id_in_patch, schemas,
    walk::{self, Form},
};
use crate::{
    json::{Doc, Kind, Node, encode},
    quirk::{Cx, Id},
    scim::{
        Attr, ResourceType, name,
        patch::{Operation, Verb, operations},
    },
};

/// Operations of one message, as received.
const MAX_OPERATIONS: usize = 10_000;

/// Operations taken out of one value that a further one is compared with.
const MAX_COMPARED: usize = 100;

/// The resource a PATCH is sent to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Subject<'r, 's> {
    /// Its type, where the endpoint tells it.
    pub(crate) resource: Option<&'r ResourceType>,
    /// Its id, percent-decoded.
    pub(crate) id: Option<&'s str>,
}

/// More operations than are read.
#[derive(Debug)]
pub(crate) struct TooManyOperations;

/// Settles a message. One without `Operations` is no PatchOp (SCIM 1.1 has another form) and is left alone.
pub(crate) fn message<'r>(
    doc: &mut Doc<'_>,
    cx: &mut Cx<'r>,
    subject: Subject<'r, '_>,
) -> Result<(), TooManyOperations> {
    let root = doc.root();
    let Some(operations) = operations(doc) else { return Ok(()) };
    if doc.kind(operations) == Kind::Array && doc.children(operations).nth(MAX_OPERATIONS).is_some() {
        return Err(TooManyOperations);
    }
    patch_message::top_level_keys(doc, cx, root);
    patch_message::extra_toplevel(doc, cx, root, subject.id);
    schemas::of_patch(doc, cx, root, subject.resource);
    patch_message::empty_operations(doc, cx, operations);
    if doc.kind(operations) != Kind::Array {
        return Ok(());
    }
    let mut next = doc.first(operations);
    while let Some(operation) = next {
        if doc.kind(operation) == Kind::Object {
            settle(doc, cx, operation, subject);
        }
        next = doc.next(operation);
    }
    Ok(())
}

/// One operation. What it is split into is put behind it, and settled in its turn.
fn settle<'r>(doc: &mut Doc<'_>, cx: &mut Cx<'r>, node: Node, subject: Subject<'r, '_>) {
    patch_message::operation_keys(doc, cx, node);
    patch_message::extra_key(doc, cx, node);
    let Some(operation) = Operation::read(doc, node) else { return };
    let Some(verb) = patch_op::verb(doc, cx, operation) else { return };
    let step = Step { node, op: operation.op, verb };
    match (operation.path, operation.value) {
        (Some(path), value) => {
            if let Some(place) = patch_path::settle(doc, cx, path, subject.resource)
                && let Some(value) = value
            {
                with_path(doc, cx, step, path, value, &place);
            }
        }
        (None, Some(value)) if verb != Verb::Remove && doc.kind(value) == Kind::Object => {
            without_path(doc, cx, step, value, subject);
        }
        (None, _) => {}
    }
}

/// An operation whose verb is settled.
#[derive(Debug, Clone, Copy)]
struct Step {
    node: Node,
    op: Node,
    verb: Verb,
}

fn with_path(
    doc: &mut Doc<'_>,
    cx: &mut Cx<'_>,
    operation: Step,
    path: Node,
    mut value: Node,
    place: &patch_path::Place<'_>,
) {
    if operation.verb == Verb::Remove {
        if place.is_members() {
            patch_remove_members::by_value(doc, cx, operation.node, path, value);
        } else {
            patch_remove_value_ignored::drop(doc, cx, value, place);
        }
        return;
    }
    if let Some(leaf) = place.leaf.filter(|_| place.is_whole())
        && leaf.is_single()
        && doc.kind(value) == Kind::Array
        && let Some(inner) = array_wrapped::unwrap(doc, cx, value, leaf)
    {
        value = inner;
    }
    if patch_null_clear::clears(doc, cx, value, operation.verb, place.is_single(), place.active)
        || patch_empty_string_clear::clears(doc, cx, value, place.leaf.filter(|_| place.is_whole()))
    {
        doc.set(operation.op, "\"remove\"");
        doc.remove(value);
        return;
    }
    let Some(leaf) = place.leaf else { return };
    if !place.is_whole() {
        if doc.kind(value) == Kind::Object {
            walk::element(doc, cx, value, leaf, Form::Patch);
        }
        return;
    }
    if leaf.is_single_complex() && doc.kind(value) == Kind::Object && !place.filtered {
        let mut split = Split { operation, last: operation.node, paths: Vec::new() };
        let prefix = doc.string(path).map(String::from).unwrap_or_default();
        split.nested(doc, cx, value, leaf, &prefix);
        if doc.is_empty(value) && split.last != operation.node {
            doc.remove(operation.node);
            return;
        }
    }
    walk::value(doc, cx, value, leaf, Form::Patch);
}

fn without_path<'r>(doc: &mut Doc<'_>, cx: &mut Cx<'r>, operation: Step, value: Node, subject: Subject<'r, '_>) {
    let attrs = subject.resource.map(|resource| &resource.attrs);
    if let Some(attrs) = attrs {
        array_wrapped::unwrap_members(doc, cx, value, attrs);
    }
    let removes = cx.fixes(Id::PatchNullClear);
    let clears =
        |leaf: Option<&Attr>| removes && (operation.verb == Verb::Replace || leaf.is_some_and(Attr::is_single));
    keys::settle(doc, cx, value, subject.resource, Form::Patch, &clears, &mut |doc, cx, settled| {
        readonly_id_in_patch::drop(doc, cx, value, subject.id);
        let mut split = Split { operation, last: operation.node, paths: Vec::new() };
        // Where two keys name the same place the value stays one: a removal behind it could undo the other key.
        if !settled.clash {
            split.top(doc, cx, value, subject.resource, &settled.clears);
        }
        if split.last != operation.node && doc.is_empty(value) {
            doc.remove(operation.node);
            return;
        }
        if let Some(attrs) = attrs {
            walk::object(doc, cx, value, attrs, Form::Patch);
        }
    });
}

/// What is taken out of a value into operations of its own, in the order in which it was sent: filter keys, dotted keys
/// of lists, nulls. Whole attributes stay first, refinements follow: the only order in which none undoes another.
struct Split {
    operation: Step,
    last: Node,
    /// The paths taken out so far.
    paths: Vec<String>,
}

impl Split {
    /// The members of a value without path.
    fn top(
        &mut self,
        doc: &mut Doc<'_>,
        cx: &mut Cx<'_>,
        value: Node,
        resource: Option<&ResourceType>,
        clears: &[(Node, String)],
    ) {
        let lists = Lists::of(doc, cx, value, resource);
        let mut next = doc.first(value);
        while let Some(member) = next {
            next = doc.next(member);
            if let Some((_, path)) = clears.iter().find(|(cleared, _)| *cleared == member) {
                if cx.may(Id::PatchNullClear, || doc.pointer(member)) {
                    doc.remove(member);
                    self.put(doc, "\"remove\"", path, None);
                }
                continue;
            }
            let attr = resource.and_then(|resource| resource.attrs.get(doc.name(member)));
            if attr.is_none() && self.path_key(doc, cx, &lists, member, resource) {
                continue;
            }
            if !lists.is_contested(doc, cx, member, resource) {
                self.member(doc, cx, member, attr, "", false);
            }
        }
    }

    /// The members of a single-valued complex value or of an extension at `path`.
    fn nested(&mut self, doc: &mut Doc<'_>, cx: &mut Cx<'_>, value: Node, of: &Attr, path: &str) {
        let mut next = doc.first(value);
        while let Some(member) = next {
            next = doc.next(member);
            let attr = of.sub.get(doc.name(member));
            self.member(doc, cx, member, attr, path, of.extension);
        }
    }

    /// A key that is the path of an operation.
    fn path_key(
        &mut self,
        doc: &mut Doc<'_>,
        cx: &mut Cx<'_>,
        lists: &Lists<'_>,
        member: Node,
        resource: Option<&ResourceType>,
    ) -> bool {
        let splits = patch_filter_keys::is_path(doc, cx, member) || lists.is_only_part(doc, cx, member, resource);
        if splits {
            let path = doc.key(member).into_owned();
            let op = doc.raw(self.operation.op).to_owned();
            let moved = doc.take(member);
            let moved = doc.keyed(moved, "value", name::VALUE);
            self.put(doc, &op, &path, Some(moved));
        }
        splits
    }

    fn member(
        &mut self,
        doc: &mut Doc<'_>,
        cx: &mut Cx<'_>,
        mut member: Node,
        attr: Option<&Attr>,
        path: &str,
        extension: bool,
    ) {
        if let Some(attr) = attr.filter(|attr| attr.is_single())
            && doc.kind(member) == Kind::Array
            && let Some(inner) = array_wrapped::unwrap(doc, cx, member, attr)
        {
            member = inner;
        }
        let top = path.is_empty();
        match doc.kind(member) {
            Kind::Null => {
                let kept = top && matches!(doc.name(member), name::SCHEMAS | name::ID | name::META);
                let active = doc.name(member) == name::ACTIVE;
                let single = attr.is_some_and(Attr::is_single);
                if !kept
                    && patch_null_clear::is_clearable_key(doc, member)
                    && patch_null_clear::clears(doc, cx, member, self.operation.verb, single, active)
                {
                    self.remove(doc, member, attr, path, extension);
                }
            }
            Kind::String if patch_empty_string_clear::clears(doc, cx, member, attr) => {
                self.remove(doc, member, attr, path, extension);
            }
            Kind::Object => {
                if let Some(attr) = attr.filter(|attr| attr.is_single_complex() && !doc.is_empty(member)) {
                    let before = self.last;
                    let inner = self.path(doc, member, Some(attr), path, extension);
                    self.nested(doc, cx, member, attr, &inner);
                    if self.last != before && doc.is_empty(member) {
                        doc.remove(member);
                    }
                }
            }
            _ => {}
        }
    }

    /// Puts a removal of a member behind, in its place.
    fn remove(&mut self, doc: &mut Doc<'_>, member: Node, attr: Option<&Attr>, path: &str, extension: bool) {
        let path = self.path(doc, member, attr, path, extension);
        doc.remove(member);
        self.put(doc, "\"remove\"", &path, None);
    }

    /// The path of a member of the value at `path`.
    fn path(&self, doc: &Doc<'_>, member: Node, attr: Option<&Attr>, path: &str, extension: bool) -> String {
        let key = attr.map_or_else(|| doc.key(member).into_owned(), |attr| attr.canonical.to_string());
        match (path.is_empty(), extension) {
            (true, _) => key,
            (false, true) => format!("{path}:{key}"),
            (false, false) => format!("{path}.{key}"),
        }
    }

    fn put(&mut self, doc: &mut Doc<'_>, op: &str, path: &str, value: Option<Node>) {
        let operation = doc.object();
        for (key, number, raw) in [("op", name::OP, op), ("path", name::PATH, &*encode(path))] {
            let member = doc.scalar(raw);
            let member = doc.keyed(member, key, number);
            doc.push(operation, member);
        }
        if let Some(value) = value {
            doc.push(operation, value);
        }
        // A whole attribute goes before the parts of it that are there already, or it would undo them.
        let whole = |part: &String| {
            part.get(..path.len()).is_some_and(|start| start.eq_ignore_ascii_case(path))
                && part[path.len()..].starts_with(['[', '.', ':'])
        };
        if self.paths.iter().take(MAX_COMPARED).any(whole) {
            doc.insert_after(self.operation.node, operation);
        } else {
            doc.insert_after(self.last, operation);
            self.last = operation;
        }
        self.paths.push(path.to_owned());
    }
}
