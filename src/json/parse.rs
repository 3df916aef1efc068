//! The strict pass: RFC 8259, no duplicate keys, bounded depth. No recursion.
//!
//! Lists hold one object after another with the same keys. So a key is first compared with the one that stood at its
//! place in the object before (its *pattern*): where both are the same bytes its name is known, and it cannot be a
//! duplicate, since it was none there. The first key that differs ends that for its object.

use std::{borrow::Cow, collections::HashSet, fmt};

use super::{
    doc::{Cell, Doc, Kind, NONE, flag},
    text::{decode, escape, number_end, plain_run, string_run},
};

/// Nested arrays and objects at most; deeper is refused. serde_json stops at the same depth.
pub const MAX_DEPTH: u32 = 128;

/// Keys of one object that are compared one by one; beyond it a set is built, so that no body costs quadratic time.
const FEW_KEYS: usize = 48;

/// Gives known keys a number, so that look-ups in a document compare no text.
pub trait Names {
    /// The number of a key (0: not known), in any ASCII letter case, and whether it is spelled canonically.
    fn find(&self, key: &str) -> (u16, bool);
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
            at: 0,
            cells: Vec::with_capacity(expected_cells(text.as_bytes())),
            open: NONE,
            in_object: false,
            last: NONE,
            pattern: NONE,
            plain: text.bytes().fold(true, |plain, byte| plain & (byte >= 0x20)),
            names,
            duplicates,
            keys: Keys { hashes: Vec::with_capacity(32), levels: Vec::with_capacity(8) },
        };
        parser.document()?;
        Ok(Doc::of(text, parser.cells))
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
    at: usize,
    cells: Vec<Cell>,
    /// The innermost open container.
    open: u32,
    /// It is an object.
    in_object: bool,
    /// Its last child so far.
    last: u32,
    /// The member that the next key is expected to look like; in an array, what its first element is.
    pattern: u32,
    /// There is no control character in the text, so that none has to be looked for.
    plain: bool,
    names: &'a N,
    duplicates: Duplicates,
    keys: Keys,
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

/// All members of the pattern have come; the keys so far are known by it alone.
const ENDED: u32 = NONE - 1;

const NO_KEY: Key = Key { start: NONE, name: 0, flags: 0, pattern: NONE };

impl<N: Names> Parser<'_, N> {
    fn document(&mut self) -> Result<(), Error> {
        self.space();
        let mut key = NO_KEY;
        loop {
            if self.value(key)? {
                key = self.first_key()?;
                continue;
            }
            match self.after_value()? {
                Some(next) => key = next,
                None => return Ok(()),
            }
        }
    }

    /// Reads a scalar whole, or opens a container; true when one with content is open.
    #[inline]
    fn value(&mut self, key: Key) -> Result<bool, Error> {
        let start = self.at;
        let (kind, flags) = match self.bytes.get(start) {
            Some(b'"') => {
                let escaped = self.string()?;
                (Kind::String, if escaped { flag::ESCAPED } else { 0 })
            }
            Some(b'{') => return self.container(key, Kind::Object, b'}'),
            Some(b'[') => return self.container(key, Kind::Array, b']'),
            Some(b't') => (self.word("true", Kind::True)?, 0),
            Some(b'f') => (self.word("false", Kind::False)?, 0),
            Some(b'n') => (self.word("null", Kind::Null)?, 0),
            Some(b'-' | b'0'..=b'9') => {
                self.at = number_end(self.bytes, start).ok_or(self.error("a malformed number"))?;
                (Kind::Number, 0)
            }
            Some(_) => return Err(self.error("a value was expected")),
            None => return Err(self.error("the text ends where a value was expected")),
        };
        self.push(key, kind, start, flags);
        Ok(false)
    }

    fn container(&mut self, key: Key, kind: Kind, close: u8) -> Result<bool, Error> {
        if self.keys.levels.len() == MAX_DEPTH as usize {
            return Err(self.error("more than 128 levels"));
        }
        let start = self.at;
        self.at += 1;
        let like = match (self.in_object, self.last) {
            (true, _) => key.pattern,
            (false, NONE) => self.pattern,
            (false, before) => before,
        };
        let index = self.push(key, kind, start, 0);
        self.space();
        if self.bytes.get(self.at) == Some(&close) {
            self.at += 1;
            self.cells[index as usize].end = self.offset();
            return Ok(false);
        }
        self.cells[index as usize].set(flag::FILLED);
        self.open = index;
        self.in_object = kind == Kind::Object;
        self.last = NONE;
        self.keys.open(self.pattern);
        self.pattern = match self.cells.get(like as usize) {
            Some(like_cell) if like_cell.kind() == kind && like_cell.is(flag::FILLED) => like + 1,
            _ => NONE,
        };
        Ok(true)
    }

    #[inline]
    fn first_key(&mut self) -> Result<Key, Error> {
        if self.in_object { self.key() } else { Ok(NO_KEY) }
    }

    /// Behind a value: the key of the next one, or `None` at the end of the document.
    #[inline]
    fn after_value(&mut self) -> Result<Option<Key>, Error> {
        loop {
            self.space();
            if self.open == NONE {
                return if self.at == self.bytes.len() { Ok(None) } else { Err(self.error("text behind the value")) };
            }
            match self.bytes.get(self.at) {
                Some(b',') => {
                    self.at += 1;
                    self.space();
                    return if self.in_object { self.key().map(Some) } else { Ok(Some(NO_KEY)) };
                }
                Some(b'}') if self.in_object => self.close(),
                Some(b']') if !self.in_object => self.close(),
                Some(_) if self.in_object => return Err(self.error("`,` or `}` was expected")),
                Some(_) => return Err(self.error("`,` or `]` was expected")),
                None => return Err(self.error("the text ends inside an object or array")),
            }
        }
    }

    #[inline]
    fn close(&mut self) {
        self.at += 1;
        let end = self.offset();
        let cell = &mut self.cells[self.open as usize];
        cell.end = end;
        self.last = self.open;
        self.open = cell.parent;
        self.in_object = self.cells.get(self.open as usize).is_some_and(|cell| cell.kind() == Kind::Object);
        self.pattern = self.keys.close();
    }

    #[inline]
    fn push(&mut self, key: Key, kind: Kind, start: usize, flags: u16) -> u32 {
        let index = self.cells.len() as u32;
        if self.last != NONE {
            self.cells[self.last as usize].next = index;
        }
        if self.cells.len() == self.cells.capacity() {
            // A quarter at a time: doubling would take a large body over three times its size.
            self.cells.reserve_exact(self.cells.len() / 4 + 16);
        }
        self.cells.push(Cell {
            start: start as u32,
            end: self.at as u32,
            key: key.start,
            next: NONE,
            parent: self.open,
            name: key.name,
            meta: kind as u16 | flags | key.flags,
        });
        self.last = index;
        index
    }

    /// At a key: reads it, its colon and the space behind.
    #[inline]
    fn key(&mut self) -> Result<Key, Error> {
        if let Some(pattern) = self.cells.get(self.pattern as usize) {
            // From the quote before the key to the value.
            let text = &self.bytes[pattern.key as usize - 1..pattern.start as usize];
            if self.bytes[self.at..].starts_with(text) && !pattern.is(flag::COLLIDES) {
                let start = self.offset() + 1;
                let key = Key { start, name: pattern.name, flags: pattern.meta & flag::EXACT, pattern: self.pattern };
                self.pattern = if pattern.next == NONE { ENDED } else { pattern.next };
                self.at += text.len();
                self.space();
                return Ok(key);
            }
        }
        if self.pattern != NONE {
            self.leave_pattern();
        }
        self.new_key()
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

    fn new_key(&mut self) -> Result<Key, Error> {
        if self.bytes.get(self.at) != Some(&b'"') {
            return Err(self.error("a key was expected"));
        }
        let quote = self.at;
        let escaped = self.string()?;
        let raw = &self.text[quote + 1..self.at - 1];
        let ((name, exact), folded) = if escaped {
            let decoded = decode(raw);
            let found = self.names.find(&decoded);
            (found, self.hash(found.0, &decoded))
        } else {
            let found = self.names.find(raw);
            (found, self.hash(found.0, raw))
        };
        let flags = if exact { flag::EXACT } else { 0 };
        let mut key = Key { start: quote as u32 + 1, name, flags, pattern: NONE };
        if self.keys.hit(folded) {
            key = self.duplicate(key, quote)?;
        }
        self.space();
        if self.bytes.get(self.at) != Some(&b':') {
            return Err(self.error("`:` was expected"));
        }
        self.at += 1;
        self.space();
        Ok(key)
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
    fn duplicate(&mut self, mut key: Key, quote: usize) -> Result<Key, Error> {
        let text = decode(&self.text[quote + 1..self.at - 1]).into_owned();
        let folded = fold(&text);
        if self.keys.is_large() {
            return match self.keys.insert(folded) {
                true => Ok(key),
                false => Err(Error { at: quote, what: "a duplicate key" }),
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
                true => Ok(key),
                false => Err(Error { at: quote, what: "a duplicate key" }),
            };
        }
        for index in siblings {
            let other = self.key_text(index).into_owned();
            if fold(&other) != folded {
                continue;
            }
            if other == text {
                return Err(Error { at: quote, what: "a duplicate key" });
            }
            if self.duplicates == Duplicates::Refuse {
                return Err(Error { at: quote, what: "a key that differs from another in letter case alone" });
            }
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
        Ok(key)
    }

    /// At an opening quote: moves behind the closing one; whether there were escapes.
    #[inline]
    fn string(&mut self) -> Result<bool, Error> {
        let quote = self.at;
        let mut escaped = false;
        let mut i = quote + 1;
        loop {
            i = if self.plain { string_run(self.bytes, i) } else { plain_run(self.bytes, i) };
            match self.bytes.get(i) {
                Some(b'"') => {
                    self.at = i + 1;
                    return Ok(escaped);
                }
                Some(b'\\') => {
                    escaped = true;
                    let Some((_, length)) = escape(&self.bytes[i..]) else {
                        return Err(Error { at: i, what: "a malformed escape or a lone surrogate" });
                    };
                    i += length;
                }
                Some(_) => return Err(Error { at: i, what: "a control character in a string" }),
                None => return Err(Error { at: quote, what: "a string without its end" }),
            }
        }
    }

    #[inline]
    fn word(&mut self, word: &str, kind: Kind) -> Result<Kind, Error> {
        if !self.bytes[self.at..].starts_with(word.as_bytes()) {
            return Err(self.error("a value was expected"));
        }
        self.at += word.len();
        Ok(kind)
    }

    #[inline]
    fn space(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.bytes.get(self.at) {
            self.at += 1;
        }
    }

    fn offset(&self) -> u32 {
        self.at as u32
    }

    #[cold]
    fn error(&self, what: &'static str) -> Error {
        Error { at: self.at, what }
    }
}

/// Folded hashes of the keys of every open object, innermost last.
struct Keys {
    hashes: Vec<u32>,
    levels: Vec<Level>,
}

#[derive(Default)]
struct Level {
    base: usize,
    /// The pattern of the object or array around it, to go on with.
    around: u32,
    /// One bit for each hash: most keys are seen to be new by it alone.
    seen: u64,
    /// Only for an object with many keys.
    large: Option<HashSet<String>>,
}

impl Keys {
    #[inline]
    fn open(&mut self, around: u32) {
        self.levels.push(Level { base: self.hashes.len(), around, seen: 0, large: None });
    }

    #[inline]
    fn close(&mut self) -> u32 {
        let Some(level) = self.levels.pop() else { return NONE };
        self.hashes.truncate(level.base);
        level.around
    }

    /// Adds a hash; true when the key must be looked at: it may be there already, or the object has grown large.
    #[inline]
    fn hit(&mut self, hash: u32) -> bool {
        let Some(level) = self.levels.last_mut() else { return false };
        if self.hashes.len() - level.base >= FEW_KEYS {
            return true;
        }
        let bit = 1 << (hash & 63);
        let hit = level.seen & bit != 0 && self.hashes[level.base..].contains(&hash);
        level.seen |= bit;
        self.hashes.push(hash);
        hit
    }

    fn is_large(&self) -> bool {
        self.levels.last().is_some_and(|level| level.large.is_some())
    }

    /// Whether the object has just outgrown the comparison one by one.
    fn grow(&self) -> bool {
        self.levels.last().is_some_and(|level| self.hashes.len() - level.base >= FEW_KEYS)
    }

    fn fill(&mut self, keys: Vec<String>) {
        if let Some(level) = self.levels.last_mut() {
            level.large = Some(keys.into_iter().collect());
        }
    }

    fn insert(&mut self, key: String) -> bool {
        self.levels.last_mut().and_then(|level| level.large.as_mut()).is_none_or(|keys| keys.insert(key))
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
