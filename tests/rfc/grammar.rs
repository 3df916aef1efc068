//! The grammars of filters and paths, RFC 7644 3.4.2.2 (figure 1) and 3.5.2 (figure 7).
//!
//! Wider than the letter in two things that the RFC uses itself: `$ref` is a name, and more than one blank separates.

/// Nesting beyond which no text is read.
const DEEPEST: usize = 200;

/// The parts of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Path<'a> {
    /// The schema.
    pub(crate) urn: Option<&'a str>,
    /// The attribute.
    pub(crate) attribute: &'a str,
    /// The filter in brackets.
    pub(crate) filter: Option<&'a str>,
    /// The sub-attribute.
    pub(crate) sub: Option<&'a str>,
}

/// `PATH = attrPath / valuePath [subAttr]`
pub(crate) fn path(text: &str) -> Option<Path<'_>> {
    let mut reader = Reader { text, at: 0, depth: 0 };
    let (urn, attribute, mut sub) = reader.attr_path()?;
    let mut filter = None;
    if reader.next_is(b'[') {
        if sub.is_some() {
            return None;
        }
        let from = reader.at;
        reader.blanks();
        reader.filter(true)?;
        reader.blanks();
        filter = Some(text[from..reader.at].trim());
        reader.expect(b']')?;
        if reader.next_is(b'.') {
            sub = Some(reader.name()?);
        }
    }
    reader.is_at_end().then_some(Path { urn, attribute, filter, sub })
}

/// `FILTER`
pub(crate) fn filter(text: &str) -> Option<()> {
    let mut reader = Reader { text, at: 0, depth: 0 };
    reader.blanks();
    reader.filter(false)?;
    reader.blanks();
    reader.is_at_end().then_some(())
}

/// Where the quote stands that ends a string.
fn end_of_string(inner: &str) -> Option<usize> {
    let mut escaped = false;
    inner.bytes().position(|byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    })
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
}

impl<'a> Reader<'a> {
    /// Terms joined by `and` and `or`; what binds stronger does not matter for whether it can be read.
    fn filter(&mut self, inside: bool) -> Option<()> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return None;
        }
        loop {
            self.term(inside)?;
            let before = self.at;
            if !(self.blanks() && (self.word("and") || self.word("or"))) {
                self.at = before;
                self.depth -= 1;
                return Some(());
            }
            if !self.blanks() {
                return None;
            }
        }
    }

    fn term(&mut self, inside: bool) -> Option<()> {
        let before = self.at;
        let negated = self.plain_word("not");
        self.blanks();
        if self.next_is(b'(') {
            self.blanks();
            self.filter(inside)?;
            self.blanks();
            return self.expect(b')');
        }
        if negated {
            self.at = before;
        }
        self.attr_path()?;
        if !inside && self.next_is(b'[') {
            self.blanks();
            self.filter(true)?;
            self.blanks();
            return self.expect(b']');
        }
        if !self.blanks() {
            return None;
        }
        if self.word("pr") {
            return Some(());
        }
        let known = ["eq", "ne", "co", "sw", "ew", "gt", "lt", "ge", "le"];
        if !known.into_iter().any(|op| self.word(op)) || !self.blanks() {
            return None;
        }
        self.value()
    }

    /// `compValue`: a JSON value that is no array and no object.
    fn value(&mut self) -> Option<()> {
        let rest = &self.text[self.at..];
        let end = match rest.strip_prefix('"') {
            Some(inner) => end_of_string(inner)? + 2,
            None => rest.find([' ', ')', ']']).unwrap_or(rest.len()),
        };
        let value = &rest[..end];
        if value.starts_with(['[', '{']) || value.trim() != value {
            return None;
        }
        // Not as a value: a number may be larger than any that Rust has.
        serde_json::from_str::<serde::de::IgnoredAny>(value).ok()?;
        self.at += end;
        Some(())
    }

    /// `attrPath = [URI ":"] ATTRNAME *1subAttr`
    fn attr_path(&mut self) -> Option<(Option<&'a str>, &'a str, Option<&'a str>)> {
        let rest = &self.text[self.at..];
        let end = rest.find([' ', '[', ']', '(', ')', '"']).unwrap_or(rest.len());
        let urn = rest[..end].rfind(':').map(|colon| &rest[..colon]);
        if let Some(urn) = urn {
            if !urn.starts_with(|first: char| first.is_ascii_alphabetic()) || !urn.bytes().all(|b| b.is_ascii_graphic())
            {
                return None;
            }
            self.at += urn.len() + 1;
        }
        let attribute = self.name()?;
        let sub = if self.next_is(b'.') { Some(self.name()?) } else { None };
        Some((urn, attribute, sub))
    }

    /// `ATTRNAME`, or `$ref`.
    fn name(&mut self) -> Option<&'a str> {
        let rest = &self.text[self.at..];
        let end =
            rest.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '$'))).unwrap_or(rest.len());
        let name = &rest[..end];
        if !(name.starts_with(|first: char| first.is_ascii_alphabetic()) || name.eq_ignore_ascii_case("$ref")) {
            return None;
        }
        self.at += end;
        Some(name)
    }

    /// A word in any case that ends here: operators have no case (RFC 7644 3.4.2.2).
    fn word(&mut self, word: &str) -> bool {
        let here = self.text.get(self.at..self.at + word.len()).is_some_and(|text| text.eq_ignore_ascii_case(word));
        let ends = !self.text[self.at..].chars().nth(word.len()).is_some_and(|next| next.is_ascii_alphanumeric());
        let found = here && ends;
        self.at += if found { word.len() } else { 0 };
        found
    }

    /// `not` before a parenthesis.
    fn plain_word(&mut self, word: &str) -> bool {
        let before = self.at;
        if self.word(word) {
            let behind = self.text[self.at..].trim_start_matches(' ');
            if behind.starts_with('(') {
                return true;
            }
        }
        self.at = before;
        false
    }

    fn blanks(&mut self) -> bool {
        let blanks = self.text[self.at..].bytes().take_while(|byte| *byte == b' ').count();
        self.at += blanks;
        blanks > 0
    }

    fn next_is(&mut self, byte: u8) -> bool {
        let is = self.text.as_bytes().get(self.at) == Some(&byte);
        self.at += usize::from(is);
        is
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        self.next_is(byte).then_some(())
    }

    fn is_at_end(&self) -> bool {
        self.at == self.text.len()
    }
}
