//! The document: a tape of cells that point into the text, and edits of them.
//!
//! A cell stands for one value, and for its key where it is a member. Children follow their container; siblings are
//! chained. An edit never moves a cell: a removed one is marked, a new one is put behind the tape with its text in the
//! arena, a moved value is a new cell that refers to the old one. Every edit marks the containers around it, and
//! writing copies what is not marked.

use std::{borrow::Cow, fmt};

use super::text::{decode, plain_run, push_encoded, push_escaped};

/// No cell.
pub(super) const NONE: u32 = u32::MAX;

/// The kind of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u16)]
#[allow(missing_docs)] // RFC 8259 3
pub enum Kind {
    Null = 0,
    True = 1,
    False = 2,
    Number = 3,
    String = 4,
    Array = 5,
    Object = 6,
}

impl Kind {
    const ALL: [Self; 8] =
        [Self::Null, Self::True, Self::False, Self::Number, Self::String, Self::Array, Self::Object, Self::Null];

    /// Whether a value of this kind has children.
    pub fn is_container(self) -> bool {
        matches!(self, Self::Array | Self::Object)
    }

    /// Whether it is `true` or `false`.
    pub fn is_bool(self) -> bool {
        matches!(self, Self::True | Self::False)
    }
}

/// Bits beside the kind.
pub(super) mod flag {
    /// The low bits hold the kind.
    pub(in super::super) const KIND: u16 = 7;
    /// The key is spelled as its name is.
    pub(in super::super) const EXACT: u16 = 1 << 3;
    /// The string has escapes.
    pub(in super::super) const ESCAPED: u16 = 1 << 4;
    /// The container has children right behind it on the tape.
    pub(in super::super) const FILLED: u16 = 1 << 5;
    /// The key differs from another of its object in letter case alone.
    pub(in super::super) const COLLIDES: u16 = 1 << 6;
    /// Not part of the document any more.
    pub(in super::super) const REMOVED: u16 = 1 << 7;
    /// Something inside was edited.
    pub(in super::super) const DIRTY: u16 = 1 << 8;
    /// The value's text is in the arena.
    pub(in super::super) const ARENA: u16 = 1 << 9;
    /// The key's text is in the arena.
    pub(in super::super) const KEY_ARENA: u16 = 1 << 10;
    /// `start` is the cell whose value this is.
    pub(in super::super) const MOVED: u16 = 1 << 11;
    /// The container's first child is `start`.
    pub(in super::super) const HEAD: u16 = 1 << 12;
    /// The container came with the keys and kinds of the one that it was compared with.
    pub(in super::super) const LIKE: u16 = 1 << 13;
    /// That was the element before it.
    pub(in super::super) const NEIGHBOUR: u16 = 1 << 14;
}

/// 24 bytes: less than the text of a group's member takes.
#[derive(Debug, Clone)]
pub(super) struct Cell {
    /// The value's text, quotes included; see `MOVED` and `HEAD`.
    pub(super) start: u32,
    pub(super) end: u32,
    /// The key's text behind its quote, or `NONE`.
    pub(super) key: u32,
    pub(super) next: u32,
    pub(super) parent: u32,
    pub(super) name: u16,
    pub(super) meta: u16,
}

impl Cell {
    #[inline]
    pub(super) fn is(&self, flag: u16) -> bool {
        self.meta & flag != 0
    }

    #[inline]
    pub(super) fn set(&mut self, flag: u16) {
        self.meta |= flag;
    }

    #[inline]
    pub(super) fn kind(&self) -> Kind {
        Kind::ALL[(self.meta & flag::KIND) as usize]
    }
}

#[cfg(fuzzing)]
thread_local! {
    static APART: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

/// Runs something to which no two elements are known to be alike: all that it does must come out the same.
#[cfg(fuzzing)]
pub fn apart<T>(run: impl FnOnce() -> T) -> T {
    APART.set(true);
    let outcome = run();
    APART.set(false);
    outcome
}

/// A value of a [`Doc`]; good as long as the document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Node(u32);

/// A parsed document and its edits.
#[derive(Debug, Clone)]
pub struct Doc<'a> {
    text: &'a str,
    arena: String,
    cells: Vec<Cell>,
    root: u32,
    parsed: u32,
    changed: bool,
    /// The element whose place was asked for last: its parent, itself, its place.
    counted: std::cell::Cell<(u32, u32, usize)>,
    /// Bytes of the text that removals have taken out, for the size of what is written.
    saved: usize,
    census: Census,
}

/// What the text has anywhere in it, so that what it has not needs no walk to be looked for.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Census {
    /// A bit for the number of each key; the first one for those that are not known or have a number beyond.
    names: [u64; 4],
    /// There is a null.
    pub(super) nulls: bool,
}

impl Census {
    #[inline]
    pub(super) fn add(&mut self, name: u16) {
        let name = usize::from(name);
        match self.names.get_mut(name / 64) {
            Some(word) => *word |= 1 << (name % 64),
            None => self.names[0] |= 1,
        }
    }

    fn may_have(&self, name: u16) -> bool {
        let name = usize::from(name);
        self.names.get(name / 64).map_or(self.names[0] & 1, |word| word >> (name % 64) & 1) != 0
    }
}

impl<'a> Doc<'a> {
    pub(super) fn of(text: &'a str, cells: Vec<Cell>, census: Census) -> Self {
        let parsed = cells.len() as u32;
        Self {
            text,
            arena: String::new(),
            cells,
            root: 0,
            parsed,
            changed: false,
            counted: (NONE, 0, 0).into(),
            saved: 0,
            census,
        }
    }

    /// Whether the text has a key of that number anywhere; with 0, whether it may have one that is not known. What was
    /// edited since is not looked at.
    pub fn had_name(&self, name: u16) -> bool {
        self.census.may_have(name)
    }

    /// Whether the text has a null anywhere; what was edited since is not looked at.
    pub fn had_null(&self) -> bool {
        self.census.nulls
    }

    /// The outermost value.
    pub fn root(&self) -> Node {
        Node(self.root)
    }

    /// Whether anything was edited.
    pub fn is_changed(&self) -> bool {
        self.changed
    }

    /// The kind of a value.
    #[inline]
    pub fn kind(&self, node: Node) -> Kind {
        self.cells[node.0 as usize].kind()
    }

    /// The number of a member's key; 0 when it is not known.
    #[inline]
    pub fn name(&self, node: Node) -> u16 {
        self.cells[node.0 as usize].name
    }

    /// Whether a member's key is spelled as its name is.
    #[inline]
    pub fn is_exact(&self, node: Node) -> bool {
        self.cells[node.0 as usize].is(flag::EXACT)
    }

    /// Whether a member's key differs from another of its object in letter case alone.
    pub fn collides(&self, node: Node) -> bool {
        self.cells[node.0 as usize].is(flag::COLLIDES)
    }

    /// Whether two neighbouring elements are as they came, and came with the same keys in the same order and with values of
    /// the same kinds, all the way down; `true` and `false` are of one kind here. Then what stands in one of them at some
    /// [`Doc::offset`] stands in the other at the same.
    ///
    /// What is alike is not always known to be: `false` says nothing.
    pub fn are_alike(&self, before: Node, node: Node) -> bool {
        #[cfg(fuzzing)]
        if APART.get() {
            return false;
        }
        const ALIKE: u16 = flag::LIKE | flag::NEIGHBOUR;
        const EDITED: u16 = flag::REMOVED | flag::DIRTY | flag::ARENA | flag::MOVED | flag::HEAD;
        let (first, second) = (&self.cells[before.0 as usize], &self.cells[node.0 as usize]);
        second.meta & ALIKE == ALIKE && first.next == node.0 && (first.meta | second.meta) & EDITED == 0
    }

    /// How far a value that came inside another is from its beginning; `None` if it did not come there.
    pub fn offset(&self, outer: Node, inner: Node) -> Option<u32> {
        inner.0.checked_sub(outer.0)
    }

    /// The value at an [`Doc::offset`] that was found in an element that is alike.
    pub fn at(&self, outer: Node, offset: u32) -> Node {
        Node(outer.0 + offset)
    }

    /// A member's key, decoded; empty for elements.
    pub fn key(&self, node: Node) -> Cow<'_, str> {
        decode(self.key_text(node.0))
    }

    /// A string's characters; `None` for another kind.
    pub fn string(&self, node: Node) -> Option<Cow<'_, str>> {
        let cell = &self.cells[self.resolve(node.0) as usize];
        if cell.kind() != Kind::String {
            return None;
        }
        let inner = self.span(cell);
        let inner = &inner[1..inner.len() - 1];
        Some(if cell.is(flag::ESCAPED) { decode(inner) } else { Cow::Borrowed(inner) })
    }

    /// A scalar's text as it stands, quotes included. For a container: the text as it came.
    pub fn raw(&self, node: Node) -> &str {
        let cell = &self.cells[self.resolve(node.0) as usize];
        if cell.is(flag::HEAD) { "" } else { self.span(cell) }
    }

    /// The first child.
    #[inline]
    pub fn first(&self, node: Node) -> Option<Node> {
        self.live(self.first_cell(node.0))
    }

    /// The next sibling.
    #[inline]
    pub fn next(&self, node: Node) -> Option<Node> {
        self.live(self.cells[node.0 as usize].next)
    }

    /// The container around a value.
    pub fn parent(&self, node: Node) -> Option<Node> {
        let parent = self.cells[node.0 as usize].parent;
        (parent != NONE).then_some(Node(parent))
    }

    /// The children in order.
    pub fn children<'d>(&'d self, node: Node) -> Children<'d, 'a> {
        Children { doc: self, next: self.first(node) }
    }

    /// How many children there are.
    pub fn len(&self, node: Node) -> usize {
        self.children(node).count()
    }

    /// Whether there are none.
    pub fn is_empty(&self, node: Node) -> bool {
        self.first(node).is_none()
    }

    /// The only child.
    pub fn only(&self, node: Node) -> Option<Node> {
        let first = self.first(node)?;
        self.next(first).is_none().then_some(first)
    }

    /// The member of an object by the number of its key.
    #[inline]
    pub fn get(&self, object: Node, name: u16) -> Option<Node> {
        self.children(object).find(|&member| self.name(member) == name)
    }

    /// The member of an object by its key, in any ASCII letter case.
    pub fn find(&self, object: Node, key: &str) -> Option<Node> {
        self.children(object).find(|&member| self.key(member).eq_ignore_ascii_case(key))
    }

    /// Puts a scalar of this JSON text in place of a value.
    pub fn set(&mut self, node: Node, raw: &str) {
        let (start, end) = self.keep(raw);
        self.put(node, start, end, kind_of(raw), raw.contains('\\'));
    }

    /// Puts a string in place of a value.
    pub fn set_string(&mut self, node: Node, text: &str) {
        self.reserve();
        let start = self.arena.len();
        push_encoded(&mut self.arena, text);
        let escaped = self.arena.len() - start > text.len() + 2;
        self.put(node, start as u32, self.arena.len() as u32, Kind::String, escaped);
    }

    fn put(&mut self, node: Node, start: u32, end: u32, kind: Kind, escaped: bool) {
        let cell = &mut self.cells[node.0 as usize];
        cell.start = start;
        cell.end = end;
        cell.meta = cell.meta & (flag::EXACT | flag::COLLIDES | flag::KEY_ARENA)
            | kind as u16
            | flag::ARENA
            | if escaped { flag::ESCAPED } else { 0 };
        self.touch(node);
    }

    /// Gives a member another key, in the canonical spelling of its name.
    pub fn rename(&mut self, node: Node, key: &str, name: u16) {
        self.spell(node, key, name, true);
    }

    /// Gives a member another key; `exact` says whether that is the canonical spelling of its name.
    pub fn spell(&mut self, node: Node, key: &str, name: u16, exact: bool) {
        self.reserve();
        let start = self.arena.len() as u32;
        push_escaped(&mut self.arena, key);
        self.arena.push('"');
        let cell = &mut self.cells[node.0 as usize];
        cell.key = start;
        cell.name = name;
        let exact = if exact { flag::EXACT } else { 0 };
        cell.meta = cell.meta & !(flag::COLLIDES | flag::EXACT) | flag::KEY_ARENA | exact;
        self.touch(node);
    }

    /// Takes a value out of its container.
    pub fn remove(&mut self, node: Node) {
        let cell = &self.cells[node.0 as usize];
        if cell.meta & (flag::ARENA | flag::MOVED | flag::HEAD | flag::REMOVED) == 0 {
            self.saved += (cell.end - cell.start.min(cell.key)) as usize;
        }
        self.unlink(node);
    }

    fn unlink(&mut self, node: Node) {
        self.cells[node.0 as usize].set(flag::REMOVED);
        self.touch(node);
    }

    /// A new scalar of this JSON text, not yet part of a container.
    pub fn scalar(&mut self, raw: &str) -> Node {
        let (start, end) = self.keep(raw);
        let escaped = if raw.contains('\\') { flag::ESCAPED } else { 0 };
        self.cell(start, end, kind_of(raw) as u16 | flag::ARENA | escaped)
    }

    /// A new string, not yet part of a container.
    pub fn text(&mut self, text: &str) -> Node {
        self.scalar(&super::encode(text))
    }

    /// A new array without elements.
    pub fn array(&mut self) -> Node {
        self.cell(NONE, 0, Kind::Array as u16 | flag::HEAD | flag::DIRTY)
    }

    /// A new object without members.
    pub fn object(&mut self) -> Node {
        self.cell(NONE, 0, Kind::Object as u16 | flag::HEAD | flag::DIRTY)
    }

    /// Takes a value out of its container for use elsewhere; the new node stands for it.
    pub fn take(&mut self, node: Node) -> Node {
        let kind = self.kind(node) as u16;
        let target = self.resolve(node.0);
        self.unlink(node);
        let moved = self.cell(target, 0, kind | flag::MOVED);
        self.cells[target as usize].parent = moved.0;
        moved
    }

    /// Gives a new node its key, before it is put into an object.
    pub fn keyed(&mut self, node: Node, key: &str, name: u16) -> Node {
        self.rename(node, key, name);
        node
    }

    /// Puts a new node behind a sibling.
    pub fn insert_after(&mut self, sibling: Node, node: Node) {
        let (next, parent) = {
            let cell = &self.cells[sibling.0 as usize];
            (cell.next, cell.parent)
        };
        self.cells[sibling.0 as usize].next = node.0;
        let cell = &mut self.cells[node.0 as usize];
        cell.next = next;
        cell.parent = parent;
        self.touch(node);
    }

    /// Puts a new node before all children of a container.
    pub fn insert_first(&mut self, container: Node, node: Node) {
        let container = self.resolve(container.0);
        let first = self.first_cell(container);
        let cell = &mut self.cells[node.0 as usize];
        cell.next = first;
        cell.parent = container;
        let head = &mut self.cells[container as usize];
        head.start = node.0;
        head.set(flag::HEAD);
        self.touch(node);
    }

    /// Puts a new node behind all children of a container.
    pub fn push(&mut self, container: Node, node: Node) {
        let container = self.resolve(container.0);
        let mut last = self.first_cell(container);
        if last == NONE {
            return self.insert_first(Node(container), node);
        }
        while self.cells[last as usize].next != NONE {
            last = self.cells[last as usize].next;
        }
        self.insert_after(Node(last), node);
    }

    /// Puts a new node in the place of a value, under the same key.
    pub fn replace(&mut self, node: Node, new: Node) {
        let (key, name, meta) = {
            let cell = &self.cells[node.0 as usize];
            (cell.key, cell.name, cell.meta & (flag::EXACT | flag::COLLIDES | flag::KEY_ARENA))
        };
        let cell = &mut self.cells[new.0 as usize];
        cell.key = key;
        cell.name = name;
        cell.meta |= meta;
        if node.0 == self.root {
            self.root = new.0;
            self.touch(new);
            return;
        }
        self.insert_after(node, new);
        self.unlink(node);
    }

    /// Puts an array in the place of a value, the value as its only element.
    pub fn wrap_in_array(&mut self, node: Node) -> Node {
        let array = self.array();
        self.replace(node, array);
        let inner = self.take_replaced(node);
        self.push(array, inner);
        array
    }

    /// Puts an object in the place of a value, the value as its only member.
    pub fn wrap_in_object(&mut self, node: Node, key: &str, name: u16) -> Node {
        let object = self.object();
        self.replace(node, object);
        let inner = self.take_replaced(node);
        let inner = self.keyed(inner, key, name);
        self.push(object, inner);
        object
    }

    /// Puts a descendant in the place of a value.
    pub fn unwrap_to(&mut self, node: Node, inner: Node) -> Node {
        let moved = self.take(inner);
        self.replace(node, moved);
        moved
    }

    /// The JSON pointer (RFC 6901) of a value; elements are counted as they came.
    pub fn pointer(&self, node: Node) -> Pointer<'_, 'a> {
        Pointer { doc: self, index: node.0 }
    }

    /// The whole text, edits applied.
    pub fn write(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity((self.text.len() + self.arena.len()).saturating_sub(self.saved) + 64);
        self.write_value(self.root, &mut out);
        out
    }

    /// One value's text, edits applied.
    pub fn write_node(&self, node: Node) -> Vec<u8> {
        let mut out = Vec::new();
        self.write_value(node.0, &mut out);
        out
    }

    /// Recursion is bounded by the depth of the document and what wrapping adds to it.
    fn write_value(&self, index: u32, out: &mut Vec<u8>) {
        let index = self.resolve(index);
        let cell = &self.cells[index as usize];
        if !cell.is(flag::DIRTY) {
            out.extend_from_slice(self.span(cell).as_bytes());
            return;
        }
        let (open, close) = if cell.kind() == Kind::Object { (b'{', b'}') } else { (b'[', b']') };
        out.push(open);
        let content = out.len();
        let mut run: Option<(u32, u32)> = None;
        let mut expected = NONE;
        let mut child = self.first_cell(index);
        while child != NONE {
            let cell = &self.cells[child as usize];
            let next = cell.next;
            if cell.is(flag::REMOVED) {
                child = next;
                continue;
            }
            let clean = cell.meta & (flag::DIRTY | flag::ARENA | flag::KEY_ARENA | flag::MOVED) == 0;
            match &mut run {
                Some((_, to)) if clean && expected == child => *to = cell.end,
                _ => {
                    self.flush(run.take(), content, out);
                    if clean {
                        let from = if cell.key == NONE { cell.start } else { cell.key - 1 };
                        run = Some((from, cell.end));
                    } else {
                        self.write_child(child, content, out);
                    }
                }
            }
            expected = if clean { next } else { NONE };
            child = next;
        }
        self.flush(run, content, out);
        out.push(close);
    }

    fn write_child(&self, index: u32, content: usize, out: &mut Vec<u8>) {
        if out.len() > content {
            out.push(b',');
        }
        if self.cells[index as usize].key != NONE {
            out.push(b'"');
            out.extend_from_slice(self.key_text(index).as_bytes());
            out.extend_from_slice(b"\":");
        }
        self.write_value(index, out);
    }

    /// Copies a run of untouched neighbours in one go.
    fn flush(&self, run: Option<(u32, u32)>, content: usize, out: &mut Vec<u8>) {
        let Some((from, to)) = run else { return };
        if out.len() > content {
            out.push(b',');
        }
        out.extend_from_slice(&self.text.as_bytes()[from as usize..to as usize]);
    }

    /// Marks the containers around an edited value, so that they are written anew.
    fn touch(&mut self, node: Node) {
        self.changed = true;
        let mut at = self.cells[node.0 as usize].parent;
        while at != NONE {
            let cell = &mut self.cells[at as usize];
            if cell.is(flag::DIRTY) && !cell.is(flag::MOVED) {
                break;
            }
            cell.set(flag::DIRTY);
            at = cell.parent;
        }
    }

    /// A value that `replace` has just removed, as a new node.
    fn take_replaced(&mut self, node: Node) -> Node {
        let kind = self.kind(node) as u16;
        let target = self.resolve(node.0);
        let moved = self.cell(target, 0, kind | flag::MOVED);
        self.cells[target as usize].parent = moved.0;
        moved
    }

    fn cell(&mut self, start: u32, end: u32, meta: u16) -> Node {
        self.cells.push(Cell { start, end, key: NONE, next: NONE, parent: NONE, name: 0, meta });
        Node(self.cells.len() as u32 - 1)
    }

    /// Room for the text of a few edits: most messages need no more.
    fn reserve(&mut self) {
        if self.arena.capacity() == 0 {
            self.arena.reserve(256);
        }
    }

    fn keep(&mut self, raw: &str) -> (u32, u32) {
        self.reserve();
        let start = self.arena.len();
        self.arena.push_str(raw);
        (start as u32, self.arena.len() as u32)
    }

    /// The cell that holds the value.
    #[inline]
    fn resolve(&self, mut index: u32) -> u32 {
        while self.cells[index as usize].is(flag::MOVED) {
            index = self.cells[index as usize].start;
        }
        index
    }

    #[inline]
    fn first_cell(&self, index: u32) -> u32 {
        let index = self.resolve(index);
        let cell = &self.cells[index as usize];
        if cell.is(flag::HEAD) {
            cell.start
        } else if cell.is(flag::FILLED) {
            index + 1
        } else {
            NONE
        }
    }

    /// The first cell from here on that is not removed.
    #[inline]
    fn live(&self, mut index: u32) -> Option<Node> {
        while index != NONE {
            let cell = &self.cells[index as usize];
            if !cell.is(flag::REMOVED) {
                return Some(Node(index));
            }
            index = cell.next;
        }
        None
    }

    fn span(&self, cell: &Cell) -> &str {
        let text = if cell.is(flag::ARENA) { self.arena.as_str() } else { self.text };
        &text[cell.start as usize..cell.end as usize]
    }

    /// A key's text between its quotes, as it stands.
    fn key_text(&self, index: u32) -> &str {
        let cell = &self.cells[index as usize];
        if cell.key == NONE {
            return "";
        }
        let text = if cell.is(flag::KEY_ARENA) { self.arena.as_str() } else { self.text };
        let from = cell.key as usize;
        let mut end = plain_run(text.as_bytes(), from);
        while text.as_bytes().get(end) == Some(&b'\\') {
            end = plain_run(text.as_bytes(), end + 2);
        }
        &text[from..end]
    }

    /// The place of an element among those that came; one put in later has the place of the one before it.
    ///
    /// Findings are noted in the order of the text, so counting goes on where it ended: the places of a long list cost
    /// one walk over it.
    fn index(&self, parent: u32, element: u32) -> usize {
        let (known, at, place) = self.counted.get();
        let resumes = known == parent && at <= element && element < self.parsed;
        let (mut at, mut place) = if resumes { (at, place) } else { (self.first_cell(parent), 0) };
        let mut seen = place;
        while at != NONE {
            if at < self.parsed {
                place = seen;
                seen += 1;
            }
            if at == element {
                break;
            }
            at = self.cells[at as usize].next;
        }
        if element < self.parsed {
            self.counted.set((parent, element, place));
        }
        place
    }
}

fn kind_of(raw: &str) -> Kind {
    match raw.as_bytes().first() {
        Some(b'"') => Kind::String,
        Some(b't') => Kind::True,
        Some(b'f') => Kind::False,
        Some(b'n') | None => Kind::Null,
        Some(b'{') => Kind::Object,
        Some(b'[') => Kind::Array,
        Some(_) => Kind::Number,
    }
}

/// The place of a value, written only where it is wanted.
#[derive(Debug, Clone, Copy)]
pub struct Pointer<'d, 'a> {
    doc: &'d Doc<'a>,
    index: u32,
}

impl Pointer<'_, '_> {
    /// Writes the pointer behind `text`. Recursion is bounded by the depth of the document and what wrapping adds to it.
    pub fn push_to(&self, text: &mut String) {
        let Self { doc, index } = *self;
        let cell = &doc.cells[index as usize];
        if cell.parent == NONE {
            return;
        }
        Self { doc, index: cell.parent }.push_to(text);
        if doc.cells[cell.parent as usize].is(flag::MOVED) {
            return; // the same value in its new place, which has been written
        }
        text.push('/');
        if cell.key == NONE {
            return push_number(text, doc.index(cell.parent, index));
        }
        let key = doc.key_text(index);
        if !key.bytes().any(|byte| matches!(byte, b'\\' | b'~' | b'/')) {
            return text.push_str(key);
        }
        for character in decode(key).chars() {
            match character {
                '~' => text.push_str("~0"),
                '/' => text.push_str("~1"),
                other => text.push(other),
            }
        }
    }
}

impl fmt::Display for Pointer<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        self.push_to(&mut text);
        f.write_str(&text)
    }
}

fn push_number(text: &mut String, number: usize) {
    match u8::try_from(number) {
        Ok(digit @ 0..=9) => text.push(char::from(b'0' + digit)),
        _ => text.push_str(&number.to_string()),
    }
}

/// The children of a container.
#[derive(Debug, Clone)]
pub struct Children<'d, 'a> {
    doc: &'d Doc<'a>,
    next: Option<Node>,
}

impl Iterator for Children<'_, '_> {
    type Item = Node;

    #[inline]
    fn next(&mut self) -> Option<Node> {
        let node = self.next?;
        self.next = self.doc.next(node);
        Some(node)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{Duplicates, NoNames};
    use super::*;

    fn doc(text: &str) -> Doc<'_> {
        Doc::parse(text, &NoNames, Duplicates::Refuse).expect("valid")
    }

    #[test]
    fn a_duplicate_is_found_in_an_object_like_the_one_before() {
        for object in [
            r#"{"a":1,"b":2,"a":3}"#,
            r#"{"a":1,"b":2,"B":3}"#,
            r#"{"a":1,"b":2,"c":3,"\u0061":4}"#,
            r#"{"a":1,"a":2}"#,
            r#"{"b":1,"a":2,"b":3}"#,
            r#"{"a":{"x":1},"b":[{"x":1}],"A":0}"#,
        ] {
            for before in [r#"{"a":1,"b":2}"#, r#"{"a":{"x":1},"b":[{"x":1}]}"#, r#"{"a":1}"#, "{}", "[]"] {
                let text = format!("[{before},{object}]");
                assert!(Doc::parse(&text, &NoNames, Duplicates::Refuse).is_err(), "{text}");
                let nested = format!(r#"[{{"o":{before}}},{{"o":{object}}}]"#);
                assert!(Doc::parse(&nested, &NoNames, Duplicates::Refuse).is_err(), "{nested}");
            }
        }
        let text = r#"[{"a":1,"b":2},{"a":1,"b":2,"c":3},{"b":1,"a":2},{"a":{"a":1}},{"a":{"a":1,"b":2},"b":3}]"#;
        assert!(Doc::parse(text, &NoNames, Duplicates::Refuse).is_ok());
    }

    /// Which neighbours in an array are known to be alike.
    fn alike(text: &str) -> Vec<bool> {
        let d = doc(text);
        let items: Vec<Node> = d.children(d.root()).collect();
        items.windows(2).map(|pair| d.are_alike(pair[0], pair[1])).collect()
    }

    #[test]
    fn neighbours_with_the_same_keys_and_kinds_are_alike() {
        for pair in [
            r#"[{"a":1,"b":"x"},{"a":2,"b":"yy"}]"#,
            r#"[{"a":true},{"a":false}]"#,
            r#"[{"a":{"b":[1,{"c":null}],"d":{}}},{"a":{"b":[2,{"c":null}],"d":{}}}]"#,
            r#"[{"a":[{"x":1},{"y":2}]},{"a":[{"x":3},{"y":4}]}]"#,
            r#"[[1,"x"],[2,"y"]]"#,
        ] {
            assert_eq!(alike(pair), [true], "{pair}");
        }
        for pair in [
            r#"[{"a":1},{"b":1}]"#,
            r#"[{"a":1},{"A":1}]"#,
            r#"[{"a":1},{"a":"1"}]"#,
            r#"[{"a":1},{"a":null}]"#,
            r#"[{"a":1},{"a":1,"b":2}]"#,
            r#"[{"a":1,"b":2},{"a":1}]"#,
            r#"[{"a":1,"b":2},{"b":1,"a":2}]"#,
            r#"[{"a":{}},{"a":{"b":1}}]"#,
            r#"[{"a":[1]},{"a":[1,2]}]"#,
            r#"[{"a":[1,2]},{"a":[1]}]"#,
            r#"[{"a":[1,2]},{"a":[1,"2"]}]"#,
            r#"[{"a":[{"x":1},{"x":2}]},{"a":[{"x":1},{"y":2}]}]"#,
            r#"[{"a":[{"x":1},{"y":2}]},{"a":[{"x":1},{"x":2}]}]"#,
            r#"[{"a":{"b":1},"c":2},{"a":{"b":"1"},"c":2}]"#,
            "[1,2]",
            "[{},{}]",
        ] {
            assert_eq!(alike(pair), [false], "{pair}");
        }
        assert_eq!(alike(r#"[{"a":1},{"a":2},5,{"a":3},{"a":4}]"#), [true, false, false, true]);
        // The members of both groups are alike with those before them, and the second group with the first.
        let groups = r#"[{"m":[{"v":1},{"v":2}]},{"m":[{"v":3},{"v":4}]}]"#;
        let d = doc(groups);
        let group = d.first(d.root()).expect("one");
        let members = d.first(d.first(group).expect("m")).expect("v");
        assert!(d.are_alike(members, d.next(members).expect("another")));
        let next = d.next(group).expect("another");
        assert!(d.are_alike(group, next));
        let offset = d.offset(group, members).expect("inside");
        assert_eq!((offset, d.raw(d.at(next, offset))), (2, r#"{"v":3}"#));
        assert_eq!(d.offset(next, members), None);
    }

    #[test]
    fn what_was_edited_is_like_nothing() {
        let text = r#"[{"a":{"b":1}},{"a":{"b":2}},{"a":{"b":3}}]"#;
        for edited in 0..3 {
            let mut d = doc(text);
            let items: Vec<Node> = d.children(d.root()).collect();
            let inner = d.first(d.first(items[edited]).expect("a")).expect("b");
            d.set(inner, "5");
            assert_eq!(d.are_alike(items[0], items[1]), edited == 2);
            assert_eq!(d.are_alike(items[1], items[2]), edited == 0);
        }
        let mut d = doc(text);
        let items: Vec<Node> = d.children(d.root()).collect();
        d.remove(items[1]);
        assert!(!d.are_alike(items[0], items[2]) && !d.are_alike(items[0], items[1]));
    }

    /// A value of few keys and kinds, so that many are alike.
    fn value() -> impl Strategy<Value = String> {
        let scalar = prop::sample::select(vec!["1", "23", "true", "false", "null", r#""x""#, r#""y\n""#, "{}", "[]"]);
        scalar.prop_map(str::to_owned).prop_recursive(3, 16, 3, |inner| {
            let members = prop::collection::btree_map(prop::sample::select(vec!["a", "b", "c"]), inner.clone(), 1..3);
            prop_oneof![
                prop::collection::vec(inner, 1..3).prop_map(|items| format!("[{}]", items.join(","))),
                members.prop_map(|members| {
                    let members: Vec<String> =
                        members.iter().map(|(key, value)| format!("\"{key}\":{value}")).collect();
                    format!("{{{}}}", members.join(","))
                }),
            ]
        })
    }

    /// Keys and kinds, in the order of the tape.
    fn shape(d: &Doc<'_>, node: Node, into: &mut Vec<String>) {
        let kind = if d.kind(node).is_bool() { Kind::True } else { d.kind(node) };
        into.push(format!("{}:{kind:?}", d.key(node)));
        for child in d.children(node) {
            shape(d, child, into);
        }
        into.push("end".to_owned());
    }

    proptest! {
        #[test]
        fn what_is_said_to_be_alike_is(items in prop::collection::vec(value(), 2..5)) {
            let text = format!("[{}]", items.join(","));
            let d = doc(&text);
            fn check(d: &Doc<'_>, node: Node) {
                let children: Vec<Node> = d.children(node).collect();
                for pair in children.windows(2).filter(|pair| d.are_alike(pair[0], pair[1])) {
                    let [mut first, mut second] = [Vec::new(), Vec::new()];
                    shape(d, pair[0], &mut first);
                    shape(d, pair[1], &mut second);
                    assert_eq!(first, second);
                }
                children.into_iter().for_each(|child| check(d, child));
            }
            check(&d, d.root());
        }

        #[test]
        fn the_same_again_is_alike(item in value(), before in prop::collection::vec(value(), 0..3)) {
            let text = format!("[{}{item},{item}]", before.iter().map(|item| format!("{item},")).collect::<String>());
            let d = doc(&text);
            let items: Vec<Node> = d.children(d.root()).collect();
            let [.., first, second] = items[..] else { panic!("two") };
            prop_assert_eq!(d.are_alike(first, second), d.first(first).is_some(), "{}", text);
        }
    }

    fn written(doc: &Doc<'_>) -> String {
        String::from_utf8(doc.write()).expect("UTF-8")
    }

    #[test]
    fn an_unchanged_document_writes_the_same_text() {
        let text = r#"{"a" : [1.10, "\u0061" , {}],"b":9007199254740993, "c":null}"#;
        assert_eq!(written(&doc(text)), text);
    }

    #[test]
    fn what_is_not_edited_keeps_its_text() {
        let text = r#"{"a" : 1.10, "b": "x" ,"c":{"d" : [1 , 2]},"e":5}"#;
        let mut d = doc(text);
        let b = d.find(d.root(), "b").expect("b");
        d.set(b, "true");
        assert_eq!(written(&d), r#"{"a" : 1.10,"b":true,"c":{"d" : [1 , 2]},"e":5}"#);
    }

    #[test]
    fn members_are_removed_renamed_and_put_in() {
        let mut d = doc(r#"{"a":1,"b":2,"c":3}"#);
        let root = d.root();
        let a = d.find(root, "a").expect("a");
        let b = d.find(root, "b").expect("b");
        d.remove(a);
        d.rename(b, "B\"", 0);
        let s = d.scalar("[\"u\"]");
        let s = d.keyed(s, "schemas", 0);
        d.insert_first(root, s);
        let n = d.text("n");
        let n = d.keyed(n, "z", 0);
        d.push(root, n);
        assert_eq!(written(&d), r#"{"schemas":["u"],"B\"":2,"c":3,"z":"n"}"#);
        assert_eq!(d.len(root), 4);
    }

    #[test]
    fn values_are_wrapped_unwrapped_and_moved_with_their_edits() {
        let mut d = doc(r#"{"m":{"v":"1","x":null},"s":["de"]}"#);
        let root = d.root();
        let m = d.find(root, "m").expect("m");
        let x = d.find(m, "x").expect("x");
        d.remove(x);
        let wrapped = d.wrap_in_array(m);
        assert_eq!(d.kind(wrapped), Kind::Array);
        let inner = d.only(wrapped).expect("one");
        let v = d.find(inner, "v").expect("v");
        d.set(v, "\"2\"");
        let s = d.find(root, "s").expect("s");
        let only = d.only(s).expect("one");
        let s = d.unwrap_to(s, only);
        assert_eq!(d.string(s).as_deref(), Some("de"));
        assert_eq!(written(&d), r#"{"m":[{"v":"2"}],"s":"de"}"#);
        let s2 = d.wrap_in_object(s, "value", 0);
        assert_eq!(d.kind(s2), Kind::Object);
        let other = d.object();
        let moved = d.take(s2);
        let moved = d.keyed(moved, "t", 0);
        d.push(other, moved);
        let other = d.keyed(other, "o", 0);
        d.push(root, other);
        assert_eq!(written(&d), r#"{"m":[{"v":"2"}],"o":{"t":{"value":"de"}}}"#);
    }

    #[test]
    fn an_empty_container_takes_children() {
        let mut d = doc(r#"{"a":[],"b":{}}"#);
        let root = d.root();
        let a = d.find(root, "a").expect("a");
        let one = d.scalar("1");
        d.push(a, one);
        let two = d.scalar("2");
        d.push(a, two);
        assert_eq!(written(&d), r#"{"a":[1,2],"b":{}}"#);
    }

    #[test]
    fn pointers_count_elements_as_they_came() {
        let mut d = doc(r#"{"o":[{"a/b":1},{"c~":[2]}]}"#);
        let o = d.find(d.root(), "o").expect("o");
        let first = d.first(o).expect("first");
        let second = d.next(first).expect("second");
        d.remove(first);
        let c = d.find(second, "c~").expect("c");
        let two = d.first(c).expect("two");
        assert_eq!(d.pointer(two).to_string(), "/o/1/c~0/0");
        let extra = d.scalar("3");
        d.insert_after(second, extra);
        assert_eq!(d.pointer(extra).to_string(), "/o/1");
    }

    #[test]
    fn duplicate_keys_are_refused_also_by_case_and_escapes() {
        for text in [
            r#"{"a":1,"a":2}"#,
            r#"{"active":true,"Active":false}"#,
            r#"{"active":true,"\u0061ctive":false}"#,
            r#"{"x":{"k":1,"K":2}}"#,
            "{\"schemas\":1,\"\u{17f}chemas\":2}",
            "{\"k\":1,\"\u{212a}\":2}",
        ] {
            assert!(Doc::parse(text, &NoNames, Duplicates::Refuse).is_err(), "{text}");
        }
        let many: String = (0..3000).map(|i| format!("\"k{i}\":0,")).collect();
        assert!(Doc::parse(&format!("{{{many}\"z\":1}}"), &NoNames, Duplicates::Refuse).is_ok());
        assert!(Doc::parse(&format!("{{{many}\"K7\":1}}"), &NoNames, Duplicates::Refuse).is_err());
        assert!(Doc::parse(&format!("{{{many}\"K2999\":1}}"), &NoNames, Duplicates::Refuse).is_err());
    }

    #[test]
    fn depth_is_bounded() {
        let nested = |n: usize| format!("{}1{}", "[".repeat(n), "]".repeat(n));
        assert!(Doc::parse(&nested(128), &NoNames, Duplicates::Refuse).is_ok());
        assert!(Doc::parse(&nested(129), &NoNames, Duplicates::Refuse).is_err());
        assert!(Doc::parse(&"[".repeat(10_000_000), &NoNames, Duplicates::Refuse).is_err());
    }
}
