//! The strict pass: RFC 8259, no duplicate keys, bounded depth. No recursion.
//!
//! Lists hold one object after another with the same keys. So a key is first compared with the one that stood at its
//! place in the object before (its *pattern*): where both are the same bytes its name is known, and it cannot be a
//! duplicate, since it was none there. The first key that differs ends that for its object. Where none did, and all values
//! are of the kinds that stood there, the two are known to be alike ([`Doc::are_alike`]).

use std::{borrow::Cow, collections::HashSet, fmt};

use super::{
    doc::{Cell, Census, Doc, Kind, NONE, flag},
    text::{decode, escape, number_end, plain_run},
};

/// Nested arrays and objects at most; deeper is refused. serde_json stops at the same depth.
pub const MAX_DEPTH: u32 = 128;

/// Keys of one object that are compared one by one; beyond it a set is built, so that no body costs quadratic time.
const FEW_KEYS: usize = 48;

/// Gives known keys a number, so that look-ups in a document compare no text.
pub trait Names {
    /// The number of a key (0: not known), in any ASCII letter case, and whether it is spelled canonically.
    fn find(&self, key: &str) -> (u16, bool);

    /// The known key that is to be expected there, and its canonical spelling, which has nothing in it that is escaped in
    /// JSON. A guess, which the parser verifies.
    fn expected(&self, _: Before) -> Option<(u16, &str)> {
        None
    }

    /// A key was there in its canonical spelling, and none or another was expected.
    fn found(&self, _: Before, _: u16) {}
}

/// What comes before a key. Programs write their keys in one order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Before {
    /// The opening of the object that has this key itself, or is in an array that has it; 0 for neither.
    Opening(u16),
    /// The member with this key.
    Member(u16),
}

/// No key is known.
#[derive(Debug, Clone, Copy)]
pub struct NoNames;

impl Names for NoNames {
    fn find(&self, _: &str) -> (u16, bool) {
        (0, false)
    }
}

/// What is done about keys of one object that differ in letter case alone. Equal keys are always refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Duplicates {
    /// Refused: another parser may take the other one.
    Refuse,
    /// Kept; the ones that are not spelled canonically lose their name.
    CaseKept,
}

/// Why a text is refused, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Error {
    /// Byte offset.
    pub at: usize,
    /// What was expected or found; never a part of the text.
    pub what: &'static str,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}", self.what, self.at)
    }
}

impl std::error::Error for Error {}

impl<'a> Doc<'a> {
    /// Reads a whole text.
    ///
    /// # Errors
    /// What serde_json refuses, lone surrogates, duplicate keys (by [`Duplicates`], escapes decoded), more than
    /// [`MAX_DEPTH`] levels, 4 GiB.
    pub fn parse(text: &'a str, names: &impl Names, duplicates: Duplicates) -> Result<Self, Error> {
        if u32::try_from(text.len()).is_err() {
            return Err(Error { at: 0, what: "a document over 4 GiB" });
        }
        let mut parser = Parser {
            text,
            bytes: text.as_bytes(),
            cells: Vec::with_capacity(expected_cells(text.as_bytes())),
            open: NONE,
            in_object: false,
            last: NONE,
            pattern: NONE,
            like: false,
            names,
            duplicates,
            keys: Keys { hashes: Vec::with_capacity(64), around: Vec::with_capacity(8), ..Keys::default() },
            census: Census::default(),
            at: 0,
            error: Error { at: 0, what: "" },
        };
        match parser.document() {
            Some(()) => Ok(Doc::of(text, parser.cells, parser.census)),
            None => Err(parser.error),
        }
    }
}

/// Room for the cells of a text. A large one is counted first, so that its tape is allocated once and no larger than
/// needed; a hostile one (`[,,,,`) gets no more than half again its size in advance.
fn expected_cells(bytes: &[u8]) -> usize {
    const LARGE: usize = 256 << 10;
    let guess = 16 + bytes.len() / 24;
    if bytes.len() < LARGE {
        return guess;
    }
    // Bytes are summed in bytes, so that the compiler can take many at once; `[` is `{` without its case bit.
    let structural: usize = bytes
        .chunks(128)
        .map(|chunk| chunk.iter().map(|&byte| u8::from(byte == b',') + u8::from(byte | 0x20 == b'{')).sum::<u8>())
        .map(usize::from)
        .sum();
    (structural + 1).min(bytes.len() / 16)
}

struct Parser<'a, N> {
    text: &'a str,
    bytes: &'a [u8],
    cells: Vec<Cell>,
    /// The innermost open container.
    open: u32,
    /// It is an object.
    in_object: bool,
    /// Its last child so far.
    last: u32,
    /// The member that the next key is expected to look like; in an array, what the next element stands for in the one that
    /// this is compared with, which is what the first is expected to look like.
    pattern: u32,
    /// The innermost open container is like its pattern so far.
    like: bool,
    names: &'a N,
    duplicates: Duplicates,
    keys: Keys,
    census: Census,
    /// Where a new key has ended.
    at: usize,
    /// Why the text is refused: what `None` means in all of these functions, whose results fit into registers so.
    error: Error,
}

/// A member's key, until its value is pushed.
#[derive(Clone, Copy)]
struct Key {
    start: u32,
    name: u16,
    flags: u16,
    /// The member that it looks like.
    pattern: u32,
}

/// All members or elements of the pattern have come; keys so far are known by it alone.
const ENDED: u32 = NONE - 1;

/// What the pattern has behind one of its members or elements.
#[inline]
fn behind(cell: &Cell) -> u32 {
    if cell.next == NONE { ENDED } else { cell.next }
}

const NO_KEY: Key = Key { start: NONE, name: 0, flags: 0, pattern: NONE };

impl<N: Names> Parser<'_, N> {
    /// One value after the other, each with its key in front of it and what closes behind it. The place in the text is
    /// kept in a variable, and handed through: it changes with every step.
    fn document(&mut self) -> Option<()> {
        let mut at = self.space(0);
        let mut key = NO_KEY;
        loop {
            match self.bytes.get(at) {
                Some(b'"') => {
                    let end = plain_run(self.bytes, at + 1);
                    let (end, flags) = match self.bytes.get(end) {
                        Some(b'"') => (end + 1, 0),
                        _ => (self.rest_of_string(at, end)?, flag::ESCAPED),
                    };
                    self.push(key, Kind::String, at, end, flags);
                    at = end;
                }
                Some(&byte @ (b'{' | b'[')) => {
                    let inside = self.space(at + 1);
                    let kind = if byte == b'{' { Kind::Object } else { Kind::Array };
                    // `}` and `]` are two behind their openings in ASCII.
                    if self.open(key, kind, at, self.bytes.get(inside) == Some(&(byte + 2)))? {
                        (at, key) = if self.in_object { self.key(inside)? } else { (inside, NO_KEY) };
                        continue;
                    }
                    at = inside + 1;
                    self.cells[self.last as usize].end = at as u32;
                }
                Some(&byte @ (b't' | b'f' | b'n')) => {
                    let (end, kind) = match byte {
                        b't' => (self.word(at, b"true")?, Kind::True),
                        b'f' => (self.word(at, b"false")?, Kind::False),
                        _ => (self.word(at, b"null")?, Kind::Null),
                    };
                    self.census.nulls |= kind == Kind::Null;
                    self.push(key, kind, at, end, 0);
                    at = end;
                }
                Some(b'-' | b'0'..=b'9') => {
                    let Some(end) = number_end(self.bytes, at) else { return self.fail(at, "a malformed number") };
                    self.push(key, Kind::Number, at, end, 0);
                    at = end;
                }
                Some(_) => return self.fail(at, "a value was expected"),
                None => return self.fail(at, "the text ends where a value was expected"),
            }
            // Behind a value.
            loop {
                at = self.space(at);
                match self.bytes.get(at) {
                    Some(b',') if self.in_object => {
                        (at, key) = self.key(self.space(at + 1))?;
                        break;
                    }
                    Some(b',') if self.open != NONE => {
                        (at, key) = (self.space(at + 1), NO_KEY);
                        break;
                    }
                    Some(b'}') if self.in_object => {
                        at += 1;
                        self.close(at);
                    }
                    Some(b']') if self.open != NONE && !self.in_object => {
                        at += 1;
                        self.close(at);
                    }
                    None if self.open == NONE => return Some(()),
                    found => {
                        let what = self.misses(found.is_none());
                        return self.fail(at, what);
                    }
                }
            }
        }
    }

    #[cold]
    fn fail<T>(&mut self, at: usize, what: &'static str) -> Option<T> {
        self.error = Error { at, what };
        None
    }

    /// What was expected behind a value.
    #[cold]
    fn misses(&self, ended: bool) -> &'static str {
        match (self.open, ended, self.in_object) {
            (NONE, ..) => "text behind the value",
            (_, true, _) => "the text ends inside an object or array",
            (_, _, true) => "`,` or `}` was expected",
            (_, _, false) => "`,` or `]` was expected",
        }
    }

    /// Pushes a container; whether it has content, and is open now.
    #[inline]
    fn open(&mut self, key: Key, kind: Kind, at: usize, empty: bool) -> Option<bool> {
        if self.keys.around.len() == MAX_DEPTH as usize {
            return self.fail(at, "more than 128 levels");
        }
        // An element is compared with what it stands for in the array that its own is compared with, or else with the one
        // before it.
        let twin = if self.in_object { key.pattern } else { self.pattern };
        let (like, neighbours) = match self.cells.get(twin as usize) {
            None if !self.in_object => (self.last, flag::NEIGHBOUR),
            _ => (twin, 0),
        };
        if empty {
            self.push(key, kind, at, at, 0);
            return Some(false);
        }
        let index = self.push(key, kind, at, at, flag::FILLED | neighbours);
        self.keys.open(Around { pattern: self.pattern, in_object: self.in_object, like: self.like });
        self.open = index;
        self.in_object = kind == Kind::Object;
        self.last = NONE;
        self.pattern = match self.cells.get(like as usize) {
            Some(like_cell) if like_cell.kind() == kind && like_cell.is(flag::FILLED) => like + 1,
            _ => NONE,
        };
        self.like = self.pattern != NONE;
        Some(true)
    }

    #[inline]
    fn close(&mut self, end: usize) {
        let is_like = self.like && self.pattern == ENDED;
        let cell = &mut self.cells[self.open as usize];
        cell.end = end as u32;
        if is_like {
            cell.set(flag::LIKE);
        }
        self.last = self.open;
        self.open = cell.parent;
        let around = self.keys.close();
        (self.pattern, self.in_object, self.like) = (around.pattern, around.in_object, around.like && is_like);
    }

    #[inline(always)]
    fn push(&mut self, key: Key, kind: Kind, start: usize, end: usize, flags: u16) -> u32 {
        let index = self.cells.len() as u32;
        let twin = self.cells.get(if self.in_object { key.pattern } else { self.pattern } as usize);
        self.like &= twin.is_some_and(|twin| {
            let sort = kind as u16 | flags & flag::FILLED;
            twin.meta & (flag::KIND | flag::FILLED) == sort || kind.is_bool() && twin.kind().is_bool()
        });
        if let (Some(twin), false) = (twin, self.in_object) {
            self.pattern = behind(twin);
        }
        if let Some(last) = self.cells.get_mut(self.last as usize) {
            last.next = index;
        }
        if self.cells.len() == self.cells.capacity() {
            self.grow();
        }
        self.cells.push(Cell {
            start: start as u32,
            end: end as u32,
            key: key.start,
            next: NONE,
            parent: self.open,
            name: key.name,
            meta: kind as u16 | flags | key.flags,
        });
        self.last = index;
        index
    }

    /// A quarter at a time: doubling would take a large body over three times its size.
    #[cold]
    fn grow(&mut self) {
        self.cells.reserve_exact(self.cells.len() / 4 + 16);
    }

    /// At a key: reads it, its colon and the space behind, to the value.
    #[inline(always)]
    fn key(&mut self, at: usize) -> Option<(usize, Key)> {
        if let Some(pattern) = self.cells.get(self.pattern as usize) {
            // From the quote before the key to the value.
            let text = &self.bytes[pattern.key as usize - 1..pattern.start as usize];
            if starts_with(&self.bytes[at..], text) && !pattern.is(flag::COLLIDES) {
                let start = at as u32 + 1;
                let key = Key { start, name: pattern.name, flags: pattern.meta & flag::EXACT, pattern: self.pattern };
                self.pattern = behind(pattern);
                return Some((self.space(at + text.len()), key));
            }
        }
        let key = self.new_key(at)?;
        Some((self.at, key))
    }

    /// A key that does not follow the pattern: those before it have to be known by their hashes from now on.
    #[cold]
    fn leave_pattern(&mut self) {
        self.pattern = NONE;
        let mut sibling = if self.last == NONE { NONE } else { self.open + 1 };
        while sibling != NONE {
            let (name, next) = (self.cells[sibling as usize].name, self.cells[sibling as usize].next);
            let hash = self.hash(name, &self.key_text(sibling));
            self.keys.hit(hash);
            sibling = next;
        }
    }

    /// The characters of a key that has been pushed.
    fn key_text(&self, cell: u32) -> Cow<'_, str> {
        let from = self.cells[cell as usize].key as usize;
        let mut end = plain_run(self.bytes, from);
        while self.bytes.get(end) == Some(&b'\\') {
            end = plain_run(self.bytes, end + 2);
        }
        decode(&self.text[from..end])
    }

    /// A key as if there were no pattern; `at` is set behind it.
    #[inline(never)]
    fn new_key(&mut self, quote: usize) -> Option<Key> {
        if self.pattern != NONE {
            self.leave_pattern();
        }
        if self.bytes.get(quote) != Some(&b'"') {
            return self.fail(quote, "a key was expected");
        }
        let before = self.before();
        if let Some((name, text)) = self.names.expected(before)
            && starts_with(&self.bytes[quote + 1..], text.as_bytes())
            && self.bytes[quote + 1 + text.len()..].starts_with(b"\":")
        {
            self.census.add(name);
            let mut key = Key { start: quote as u32 + 1, name, flags: flag::EXACT, pattern: NONE };
            let end = quote + text.len() + 2;
            if self.keys.hit(name.into()) {
                key = self.duplicate(key, quote, end)?;
            }
            self.at = self.space(end + 1);
            return Some(key);
        }
        let end = plain_run(self.bytes, quote + 1);
        let plain = self.bytes.get(end) == Some(&b'"');
        let end = if plain { end + 1 } else { self.rest_of_string(quote, end)? };
        let raw = &self.text[quote + 1..end - 1];
        let ((name, exact), folded) = if plain {
            let found = self.names.find(raw);
            (found, self.hash(found.0, raw))
        } else {
            let decoded = decode(raw);
            let found = self.names.find(&decoded);
            (found, self.hash(found.0, &decoded))
        };
        self.census.add(name);
        if exact {
            self.names.found(before, name);
        }
        let flags = if exact { flag::EXACT } else { 0 };
        let mut key = Key { start: quote as u32 + 1, name, flags, pattern: NONE };
        if self.keys.hit(folded) {
            key = self.duplicate(key, quote, end)?;
        }
        let colon = self.space(end);
        if self.bytes.get(colon) != Some(&b':') {
            return self.fail(colon, "`:` was expected");
        }
        self.at = self.space(colon + 1);
        Some(key)
    }

    /// What comes before the next key.
    #[inline]
    fn before(&self) -> Before {
        if let Some(last) = self.cells.get(self.last as usize) {
            return Before::Member(last.name);
        }
        let open = self.cells.get(self.open as usize);
        let around = || self.cells.get(open?.parent as usize);
        let named = open.filter(|open| open.name != 0).or_else(around);
        Before::Opening(named.map_or(0, |cell| cell.name))
    }

    /// What a key is compared by with the others of its object: its name's number, also where only its letters outside
    /// ASCII fold to that name, or a hash.
    #[inline]
    fn hash(&self, name: u16, key: &str) -> u32 {
        if name != 0 {
            return name.into();
        }
        if key.is_ascii() {
            return fold_hash(key);
        }
        match self.names.find(&fold(key)).0 {
            0 => fold_hash(key),
            number => number.into(),
        }
    }

    /// A key whose hash was seen in this object: is it one of the others?
    #[cold]
    fn duplicate(&mut self, mut key: Key, quote: usize, end: usize) -> Option<Key> {
        let text = decode(&self.text[quote + 1..end - 1]).into_owned();
        let folded = fold(&text);
        if self.keys.is_large() {
            return match self.keys.insert(folded) {
                true => Some(key),
                false => self.fail(quote, "a duplicate key"),
            };
        }
        // The keys pushed so far are the chain of siblings from the first child; the last one may have no value yet.
        let mut sibling = if self.last == NONE { NONE } else { self.open + 1 };
        let mut siblings = Vec::new();
        while sibling != NONE {
            siblings.push(sibling);
            sibling = self.cells[sibling as usize].next;
        }
        if self.keys.grow() {
            let keys: Vec<String> = siblings.iter().map(|&i| fold(&self.key_text(i))).collect();
            self.keys.fill(keys);
            return match self.keys.insert(folded) {
                true => Some(key),
                false => self.fail(quote, "a duplicate key"),
            };
        }
        for index in siblings {
            let other = self.key_text(index).into_owned();
            if fold(&other) != folded {
                continue;
            }
            if other == text {
                return self.fail(quote, "a duplicate key");
            }
            if self.duplicates == Duplicates::Refuse {
                return self.fail(quote, "a key that differs from another in letter case alone");
            }
            // One of the two is not known by its name any more.
            self.census.add(0);
            let cell = &mut self.cells[index as usize];
            if !cell.is(flag::EXACT) {
                cell.name = 0;
            }
            cell.set(flag::COLLIDES);
            if key.flags & flag::EXACT == 0 {
                key.name = 0;
            }
            key.flags |= flag::COLLIDES;
        }
        Some(key)
    }

    /// The place behind a string in which something other than its end has come at `i`.
    #[cold]
    fn rest_of_string(&mut self, quote: usize, mut i: usize) -> Option<usize> {
        loop {
            match self.bytes.get(i) {
                Some(b'"') => return Some(i + 1),
                Some(b'\\') => {
                    let Some((_, length)) = escape(&self.bytes[i..]) else {
                        return self.fail(i, "a malformed escape or a lone surrogate");
                    };
                    i = plain_run(self.bytes, i + length);
                }
                Some(_) => return self.fail(i, "a control character in a string"),
                None => return self.fail(quote, "a string without its end"),
            }
        }
    }

    /// The place behind a word.
    #[inline(always)]
    fn word<const LENGTH: usize>(&mut self, at: usize, word: &[u8; LENGTH]) -> Option<usize> {
        match self.bytes.get(at..).and_then(|rest| rest.first_chunk::<LENGTH>()) {
            Some(found) if found == word => Some(at + LENGTH),
            _ => self.fail(at, "a value was expected"),
        }
    }

    /// The first place at or behind `at` that is no white space; mostly there is none.
    #[inline(always)]
    fn space(&self, at: usize) -> usize {
        match self.bytes.get(at) {
            Some(..=b' ') => self.behind_space(at),
            _ => at,
        }
    }

    fn behind_space(&self, mut at: usize) -> usize {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.bytes.get(at) {
            at += 1;
        }
        at
    }
}

/// Whether `bytes` begin with `text`, which is short in nearly all cases.
#[inline(always)]
fn starts_with(bytes: &[u8], text: &[u8]) -> bool {
    let Some(bytes) = bytes.get(..text.len()) else { return false };
    // Two overlapping words hold all of 8 to 16 bytes.
    match (text.first_chunk::<8>(), text.last_chunk::<8>()) {
        (Some(first), Some(last)) if text.len() <= 16 => {
            bytes.first_chunk::<8>() == Some(first) && bytes.last_chunk::<8>() == Some(last)
        }
        _ => bytes == text,
    }
}

/// Folded hashes of the keys of every open object, innermost last.
#[derive(Default)]
struct Keys {
    hashes: Vec<u32>,
    /// Of the innermost object.
    here: Level,
    /// Of those around it.
    around: Vec<Level>,
    /// The keys of objects with many, each with how many levels are around it.
    large: Vec<(usize, HashSet<String>)>,
}

#[derive(Clone, Copy, Default)]
struct Level {
    /// One bit for each hash: most keys are seen to be new by it alone.
    seen: u64,
    /// Where its hashes begin.
    base: u32,
    around: Around,
}

/// What of an object or array has to be known when one that is in it closes.
#[derive(Clone, Copy, Default)]
struct Around {
    /// Its pattern, to go on with.
    pattern: u32,
    /// It is an object.
    in_object: bool,
    /// It is like its pattern so far, if what opens in it turns out to be.
    like: bool,
}

impl Keys {
    #[inline]
    fn open(&mut self, around: Around) {
        self.around.push(self.here);
        self.here = Level { seen: 0, base: self.hashes.len() as u32, around };
    }

    /// What there is around it.
    #[inline]
    fn close(&mut self) -> Around {
        if self.is_large() {
            self.large.pop();
        }
        let Level { base, around, .. } = self.here;
        self.hashes.truncate(base as usize);
        self.here = self.around.pop().unwrap_or_default();
        around
    }

    /// Adds a hash; true when the key must be looked at: it may be there already, or the object has grown large.
    #[inline]
    fn hit(&mut self, hash: u32) -> bool {
        let base = self.here.base as usize;
        if self.hashes.len() - base >= FEW_KEYS {
            return true;
        }
        let bit = 1 << (hash & 63);
        let hit = self.here.seen & bit != 0 && self.hashes[base..].contains(&hash);
        self.here.seen |= bit;
        self.hashes.push(hash);
        hit
    }

    #[inline]
    fn is_large(&self) -> bool {
        self.large.last().is_some_and(|(around, _)| *around == self.around.len())
    }

    /// Whether the object has just outgrown the comparison one by one.
    fn grow(&self) -> bool {
        self.hashes.len() - self.here.base as usize >= FEW_KEYS
    }

    fn fill(&mut self, keys: Vec<String>) {
        self.large.push((self.around.len(), keys.into_iter().collect()));
    }

    fn insert(&mut self, key: String) -> bool {
        self.large.last_mut().is_none_or(|(_, keys)| keys.insert(key))
    }
}

/// FNV-1a over the folded key, with the top bit set so that it never equals a name's number.
#[inline]
fn fold_hash(key: &str) -> u32 {
    let step = |hash: u32, byte: u8| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
    let hash = if key.is_ascii() {
        key.bytes().fold(0x811c_9dc5, |hash, byte| step(hash, byte.to_ascii_lowercase()))
    } else {
        fold(key).bytes().fold(0x811c_9dc5, step)
    };
    hash | 0x8000_0000
}

/// The key without letter case. Full Unicode: there are parsers that take `ſ` for `s` and the Kelvin sign for `k`.
fn fold(key: &str) -> String {
    if key.is_ascii() {
        return key.to_ascii_lowercase();
    }
    key.chars().flat_map(char::to_uppercase).flat_map(char::to_lowercase).collect()
}
