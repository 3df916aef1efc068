//! Values out, shapes kept: what a message looked like, without what it said about anybody.
//!
//! A string becomes `string(12)`, a number nines; what quirks look at stays (names, `op`, paths, booleans in disguise,
//! canonical types, the shape of dates and numbers in strings), so that the engine finds in an entry what it found in
//! the exchange. Ids become the names that the ledger knows objects by, so that one object can be followed.
//!
//! Names of members are kept where the standard puts names of attributes, and only if they look like one: an address or
//! a number as a key is somebody's. Inside values that no schema describes only the standard's names are kept.
//!
//! Blanking what looks personal was the other way. It needs a list of everything that may be, and this one does not.

use std::fmt::Write as _;

use percent_encoding::percent_decode_str;

use super::address;
use crate::{
    json::{Doc, Duplicates, Kind, Names, Node, is_number, push_encoded},
    observe::{
        facts::{self, registry, scim_type, split},
        key::Key,
    },
    scim::{
        Filter, Path, Syntax,
        filter::{Check, Part, Value},
        name, urn,
    },
};

/// Redacts what belongs to one exchange.
#[derive(Debug, Clone, Copy)]
pub(super) struct Redactor<'a> {
    pub(super) key: &'a Key,
    pub(super) tenant: &'a str,
    /// What its ids are ids of.
    pub(super) resource: &'static str,
    /// Values stay, save credentials.
    pub(super) reveal: bool,
}

/// Elements of a list that are kept when all of them are too many.
const SOME: usize = 20;

/// The same where that is still too much.
const FEW: usize = 2;

/// Bytes of a redacted body.
const ROOM: usize = 10 << 10;

/// Bytes of a text in clear: no longer one says more, and each is searched for credentials.
const SHOWN: usize = 2048;

/// A redacted body.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Redacted {
    /// JSON on one line.
    pub(super) json: String,
    /// Elements that were left out.
    pub(super) cut: usize,
    /// Attributes that the `detail` of an Error names.
    pub(super) names: Vec<String>,
}

impl Redactor<'_> {
    /// A JSON text; `None` when it is none, or too large even with lists cut short.
    pub(super) fn json(&self, text: &str) -> Option<Redacted> {
        let doc = Doc::parse(text, registry().names(), Duplicates::CaseKept).ok()?;
        [usize::MAX, SOME, FEW].into_iter().find_map(|list| {
            let mut walk = Walk { redactor: self, doc: &doc, out: String::new(), list, cut: 0, names: Vec::new() };
            walk.value(doc.root(), Spot::ROOT).ok()?;
            Some(Redacted { json: walk.out, cut: walk.cut, names: walk.names })
        })
    }

    /// The name of an object.
    pub(super) fn id(&self, resource: &str, value: &str) -> String {
        if self.shows(value) { value.to_owned() } else { hashed(self.key.name(self.tenant, resource, value)) }
    }

    /// Whether a text stays as it is: values are revealed, and it speaks of no credential, escaped or not.
    pub(super) fn shows(&self, text: &str) -> bool {
        let speaks =
            |text: &str| is_secret(text) || is_credential(text) || has_secret_parameter(text) || has_userinfo(text);
        self.reveal && text.len() <= SHOWN && !speaks(text) && {
            let plain = text.replace('+', " ");
            !text.contains(['%', '+']) || !speaks(&percent_decode_str(&plain).decode_utf8_lossy())
        }
    }

    /// A filter with other values; a whole one that cannot be read is one value.
    pub(super) fn filter(&self, text: &str) -> String {
        if self.shows(text) {
            return text.to_owned();
        }
        match Filter::parse(text, Syntax::Lenient) {
            Ok(filter) => {
                let mut edits = Vec::new();
                self.in_filter(text, &filter, None, &mut edits);
                apply(text, edits)
            }
            Err(_) => typed(text),
        }
    }

    /// The path of a PATCH operation, or a key that is one.
    pub(super) fn path(&self, text: &str) -> String {
        if self.shows(text) || text.is_empty() {
            return text.to_owned();
        }
        let Ok(path) = Path::parse(text, Syntax::Lenient) else { return typed(text) };
        let end = path.filter.as_ref().map_or(text.len(), |filter| filter.outer.start);
        if !is_plain_path(&text[..end]) {
            return typed(text);
        }
        let mut edits = Vec::new();
        if let Some(filter) = &path.filter {
            self.in_filter(text, &filter.filter, Some(&path.attr), &mut edits);
        }
        if let Some(sub) = path.sub.as_deref().filter(|sub| path.filter.is_some() && !is_name(sub)) {
            edits.push((text.len() - sub.len()..text.len(), "unknown".to_owned()));
        }
        apply(text, edits)
    }

    fn in_filter(&self, text: &str, filter: &Filter<'_>, outer: Option<&str>, edits: &mut Vec<Edit>) {
        let mut check = |path: &str, outer: Option<&str>, check: &Check<'_>| {
            if let Check::Compare { value, .. } = check {
                edits.extend(self.compared(path, outer, value));
            }
        };
        match filter {
            Filter::Chain { terms, .. } => {
                for term in terms {
                    self.in_filter(text, term, outer, edits);
                }
            }
            Filter::Group(inner) | Filter::Not { filter: inner, .. } => self.in_filter(text, inner, outer, edits),
            Filter::Test { path, check: test } => {
                check(&text[path.at.clone()], outer, test);
                edits.extend(unnamed(text, &path.at));
            }
            Filter::Element { path, selected } => {
                edits.extend(unnamed(text, &path.at));
                self.in_filter(text, &selected.filter, Some(&path.it.attr), edits);
            }
            Filter::ElementTest { path, selected, sub, check: test } => {
                let leaf = sub.as_ref().map_or("value", |sub| &text[sub.at.clone()]);
                check(leaf, Some(&path.it.attr), test);
                edits.extend(unnamed(text, &path.at));
                edits.extend(sub.iter().filter_map(|sub| unnamed(text, &sub.at)));
                self.in_filter(text, &selected.filter, Some(&path.it.attr), edits);
            }
        }
    }

    fn compared(&self, path: &str, outer: Option<&str>, value: &Part<Value<'_>>) -> Option<Edit> {
        let new = match &value.it {
            Value::False | Value::Null | Value::True => return None,
            Value::Number(number) => nines(number),
            text => {
                let (attr, sub) = split(path);
                let of = |name: &str| registry().names().find(name).0;
                let (own, parent) = if sub.is_empty() { (of(attr), outer.map_or(0, of)) } else { (of(sub), of(attr)) };
                // In clear only what speaks of credentials comes here.
                let spot = Spot { name: own, parent, secret: self.reveal, ..Spot::ROOT };
                let plain = text.text().unwrap_or_default();
                let mut new = self.string(&plain, spot).0;
                if plain.contains('+') {
                    new.push('+'); // `filter-raw-plus` looks for it
                }
                match text {
                    // Parentheses would end it.
                    Value::Bare(_) => new.replace('(', "-").replace(')', ""),
                    _ => crate::json::encode(&new),
                }
            }
        };
        Some((value.at.clone(), new))
    }

    /// What stands for a string, and whether that is JSON text already.
    fn string(&self, text: &str, spot: Spot) -> (String, Vec<String>) {
        let keep = || (text.to_owned(), Vec::new());
        if spot.secret {
            return (typed(text), Vec::new());
        }
        if text.is_empty() || ["true", "false"].iter().any(|word| text.eq_ignore_ascii_case(word)) {
            return keep();
        }
        if text.trim_start().starts_with('{') && !spot.inner {
            return (self.nested(text), Vec::new());
        }
        if self.shows(text) {
            return keep();
        }
        let id = |resource| (self.id(resource, text), Vec::new());
        match spot.name {
            name::SCHEMAS | name::SCHEMA if is_uri(text) => keep(),
            name::OP if is_operation(text) => keep(),
            name::PATH if spot.operation && !text.starts_with('/') => (self.path(text), Vec::new()),
            name::PATH if spot.operation => (address::target(self, text), Vec::new()),
            name::FILTER if spot.parent == 0 => (self.filter(text), Vec::new()),
            name::RESOURCE_TYPE if RESOURCE_TYPES.iter().any(|known| known.eq_ignore_ascii_case(text)) => keep(),
            name::STATUS if text.len() == 3 && is_number(text) => keep(),
            name::SCIM_TYPE if scim_type(text).is_some() => keep(),
            name::METHOD if METHODS.iter().any(|known| known.eq_ignore_ascii_case(text)) => keep(),
            name::TYPE if CANONICAL.iter().any(|known| known.eq_ignore_ascii_case(text)) => keep(),
            name::ID | name::EXTERNAL_ID if spot.parent == 0 => id(self.resource),
            name::MANAGER_ID | name::MANAGER | name::MEMBERS => id("Users"),
            name::VALUE if matches!(spot.parent, name::MANAGER | name::MEMBERS) => id("Users"),
            name::VALUE if spot.parent == name::GROUPS => id("Groups"),
            name::REF | name::LOCATION => (address::url(self, text), Vec::new()),
            name::DETAIL if spot.parent == 0 => (typed(text), words(text)),
            _ if is_number(text) => (nines(text), Vec::new()),
            _ if is_date(text) => (date(text), Vec::new()),
            _ => (typed(text), Vec::new()),
        }
    }

    /// JSON in a string, as Entra writes roles. It is read again with every try to make lists short enough, so a long one
    /// is not read at all.
    fn nested(&self, text: &str) -> String {
        if text.len() > ROOM {
            return typed(text);
        }
        let Ok(doc) = Doc::parse(text, registry().names(), Duplicates::CaseKept) else { return typed(text) };
        let mut walk = Walk { redactor: self, doc: &doc, out: String::new(), list: SOME, cut: 0, names: Vec::new() };
        match walk.value(doc.root(), Spot { inner: true, ..Spot::ROOT }) {
            Ok(()) => walk.out,
            Err(Full) => typed(text),
        }
    }

    /// A JSON pointer, by the rules for keys.
    pub(super) fn pointer(&self, at: &str) -> String {
        let Some(pointer) = at.strip_prefix('/') else {
            // The root has no name (RFC 6901 5).
            return if at.is_empty() || is_name(at) { at.to_owned() } else { named(at) };
        };
        pointer.split('/').fold(String::new(), |mut out, part| {
            out.push('/');
            if part.len() < 6 && part.bytes().all(|byte| byte.is_ascii_digit()) {
                out.push_str(part);
            } else {
                let key = part.replace("~1", "/").replace("~0", "~");
                out.push_str(&self.key(&key, true).replace('~', "~0").replace('/', "~1"));
            }
            out
        })
    }

    /// A member's name; `attribute` where the standard puts names of attributes.
    fn key(&self, key: &str, attribute: bool) -> String {
        if is_known(key) || self.shows(key) || self.reveal && is_name(key) && !is_credential(key) {
            return key.to_owned();
        }
        match attribute {
            true if is_plain_path(key) => key.to_owned(),
            true if key.contains('[') => {
                let path = self.path(key);
                if path == typed(key) { named(key) } else { path }
            }
            _ => named(key),
        }
    }
}

/// Where a value stands.
#[derive(Debug, Clone, Copy)]
struct Spot {
    /// The name of its member, or of the list that it is an element of.
    name: u16,
    /// The attribute around that; 0 at the root of a resource.
    parent: u16,
    /// What the names of members are, if it is an object.
    keys: Keys,
    /// Member of an operation.
    operation: bool,
    /// Under the name of a credential.
    secret: bool,
    /// In a string.
    inner: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Keys {
    /// Attributes, of a resource, message or extension.
    Attributes,
    /// Sub-attributes.
    Subs,
    /// Nobody knows.
    Opaque,
}

impl Spot {
    const ROOT: Self =
        Self { name: 0, parent: 0, keys: Keys::Attributes, operation: false, secret: false, inner: false };
}

/// An attribute as what is around another: one without a number is not the root.
fn around(name: u16) -> u16 {
    if name == 0 { u16::MAX } else { name }
}

/// There is no room for the rest.
struct Full;

struct Walk<'w, 'a> {
    redactor: &'w Redactor<'w>,
    doc: &'w Doc<'a>,
    out: String,
    /// Elements kept of a list.
    list: usize,
    cut: usize,
    names: Vec<String>,
}

impl Walk<'_, '_> {
    /// No deeper than the parser went.
    fn value(&mut self, node: Node, spot: Spot) -> Result<(), Full> {
        if self.out.len() > ROOM {
            return Err(Full);
        }
        match self.doc.kind(node) {
            Kind::Object => self.object(node, spot),
            Kind::Array => self.array(node, spot),
            Kind::String => {
                let text = self.doc.string(node).unwrap_or_default();
                let (text, names) = self.redactor.string(&text, spot);
                self.names.extend(names);
                push_encoded(&mut self.out, &text);
                Ok(())
            }
            _ => {
                let raw = self.doc.raw(node);
                if is_number(raw) && !(self.redactor.reveal && !spot.secret || is_count(raw, spot)) {
                    self.out.push_str(&nines(raw));
                } else {
                    self.out.push_str(raw);
                }
                Ok(())
            }
        }
    }

    fn array(&mut self, node: Node, spot: Spot) -> Result<(), Full> {
        self.out.push('[');
        for (at, element) in self.doc.children(node).enumerate() {
            if at >= self.list {
                self.cut += self.doc.len(node) - at;
                break;
            }
            if at > 0 {
                self.out.push(',');
            }
            self.value(element, spot)?;
        }
        self.out.push(']');
        Ok(())
    }

    fn object(&mut self, node: Node, spot: Spot) -> Result<(), Full> {
        let touched = if spot.operation { self.touched(node) } else { None };
        let secret = spot.secret || self.is_of_secret(node);
        self.out.push('{');
        for (at, member) in self.doc.children(node).enumerate() {
            if at > 0 {
                self.out.push(',');
            }
            let key = self.doc.key(member);
            push_encoded(&mut self.out, &self.redactor.key(&key, spot.keys != Keys::Opaque));
            self.out.push(':');
            let inside = self.inside(&key, Spot { secret, ..spot }, touched);
            self.value(member, inside)?;
        }
        self.out.push('}');
        Ok(())
    }

    /// Where the value of a member stands.
    fn inside(&self, key: &str, spot: Spot, touched: Option<Spot>) -> Spot {
        let of = |name: &str| registry().names().find(name).0;
        let secret = spot.secret || is_secret(key);
        let (attr, sub) = split(key);
        let base = Spot { secret, operation: false, ..spot };
        if spot.operation && key.eq_ignore_ascii_case("value") {
            return match touched {
                Some(touched) => Spot { secret: secret || touched.secret, inner: spot.inner, ..touched },
                None => Spot { name: 0, parent: 0, keys: Keys::Attributes, ..base },
            };
        }
        if spot.operation && !matches!(of(attr), name::DATA | name::RESPONSE) {
            return Spot { name: of(attr), parent: 0, keys: Keys::Attributes, operation: true, ..base };
        }
        let name = of(if sub.is_empty() { attr } else { sub });
        match spot.keys {
            Keys::Attributes if matches!(name, name::OPERATIONS) => {
                Spot { name: 0, parent: 0, keys: Keys::Attributes, operation: true, ..base }
            }
            Keys::Attributes
                if matches!(name, name::RESOURCES | name::DATA | name::RESPONSE)
                    || urn::is_urn(key) && attr.is_empty() =>
            {
                Spot { name: 0, parent: 0, keys: Keys::Attributes, ..base }
            }
            // The object of an extension that is declared elsewhere: its last segment begins with a capital.
            Keys::Attributes if urn::is_urn(key) && attr.starts_with(|c: char| c.is_ascii_uppercase()) => {
                Spot { name: 0, parent: 0, keys: Keys::Attributes, ..base }
            }
            Keys::Attributes => {
                let parent = if sub.is_empty() { 0 } else { around(of(attr)) };
                Spot { name, parent, keys: Keys::Subs, ..base }
            }
            Keys::Subs | Keys::Opaque => Spot { name, parent: around(spot.name), keys: Keys::Opaque, ..base },
        }
    }

    /// What the path of an operation says about its value.
    fn touched(&self, operation: Node) -> Option<Spot> {
        let paths = || self.doc.children(operation).filter(|member| self.doc.key(*member).eq_ignore_ascii_case("path"));
        // Of two that differ by case alone either may be the one that is meant.
        let secret = paths().any(|path| self.doc.string(path).is_some_and(|path| is_secret(&path)));
        let path = paths().next().and_then(|path| self.doc.string(path))?;
        let (attr, sub) = split(&path);
        if attr.is_empty() {
            return secret.then_some(Spot { secret, ..Spot::ROOT });
        }
        let of = |name: &str| registry().names().find(name).0;
        Some(if sub.is_empty() {
            Spot { name: of(attr), keys: Keys::Subs, secret, ..Spot::ROOT }
        } else {
            Spot { name: of(sub), parent: around(of(attr)), keys: Keys::Opaque, secret, ..Spot::ROOT }
        })
    }

    /// `{"type":"password","value":...}`: what it is, is said by a value. Needed only where values stay.
    fn is_of_secret(&self, object: Node) -> bool {
        self.redactor.reveal
            && self.doc.children(object).any(|member| {
                let says = |known: &str| self.doc.key(member).eq_ignore_ascii_case(known);
                (says("type") || says("name")) && self.doc.string(member).is_some_and(|text| is_secret(&text))
            })
    }
}

/// Numbers that say nothing of anybody and that quirks look at: counts of lists, and booleans in disguise. No telephone
/// number is that short.
fn is_count(raw: &str, spot: Spot) -> bool {
    let longest = match spot.name {
        name::STATUS => 3,
        name::TOTAL_RESULTS | name::ITEMS_PER_PAGE | name::START_INDEX | name::COUNT => 6,
        name::MAX_OPERATIONS | name::MAX_PAYLOAD_SIZE | name::MAX_RESULTS => 8,
        _ => 0,
    };
    matches!(raw, "0" | "1") || raw.len() <= longest && (spot.parent == 0 || longest == 8)
}

/// An object's name as text.
pub(super) fn hashed(name: u64) -> String {
    format!("~{name:016x}")
}

/// Type and length of a string.
pub(super) fn typed(text: &str) -> String {
    format!("string({})", text.chars().count())
}

/// The same of a name.
pub(super) fn named(text: &str) -> String {
    format!("name({})", text.chars().count())
}

/// Every digit a nine.
pub(super) fn nines(number: &str) -> String {
    // No number is longer that means something.
    let number = number.get(..64).filter(|start| is_number(start)).unwrap_or(number);
    if number.len() > 64 {
        return "9".to_owned();
    }
    number.chars().map(|c| if c.is_ascii_digit() { '9' } else { c }).collect()
}

/// A date in one of the forms that `date-*` quirks know.
fn is_date(text: &str) -> bool {
    let bytes = text.as_bytes();
    (10..=40).contains(&bytes.len())
        && bytes[..10].iter().enumerate().all(|(at, byte)| match at {
            4 | 7 => *byte == b'-',
            _ => byte.is_ascii_digit(),
        })
        && bytes[10..].iter().all(|byte| byte.is_ascii_digit() || b"T:+-.Zz t".contains(byte))
}

/// The first moment of 2000 in the same form.
fn date(text: &str) -> String {
    let mut digits = "20000101".chars();
    text.chars().map(|c| if c.is_ascii_digit() { digits.next().unwrap_or('0') } else { c }).collect()
}

/// A name of the standard, in any case, or a URI that it registers, or an attribute behind one.
fn is_known(key: &str) -> bool {
    let names = registry().names();
    if names.find(key).0 != 0 || urn::canonical(key).is_some() {
        return true;
    }
    let (attr, sub) = split(key);
    let known = |name: &str| name.is_empty() || names.find(name).0 != 0;
    let of_schema = !key.contains(':') || registry().known_urn(key).is_some();
    of_schema && !key.contains('[') && !attr.is_empty() && known(attr) && known(sub)
}

/// Looks like the name of an attribute (RFC 7643 2.1) and like nothing else: no number of a person or a device.
pub(super) fn is_name(name: &str) -> bool {
    name == "$ref"
        || name.len() <= 64
            && name.starts_with(|c: char| c.is_ascii_alphabetic())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"$-_".contains(&byte))
            && name.bytes().filter(u8::is_ascii_digit).count() < 4
}

/// An attribute that the standard knows, with schema and sub-attribute or without, or one behind the URI of a schema.
/// Any other name may be a person's: a stranger chooses it.
pub(super) fn is_plain_path(path: &str) -> bool {
    let dotted = |name: &str| name.split('.').count() <= 2 && name.split('.').all(is_name);
    is_known(path)
        || path.rsplit_once(':').is_some_and(|(schema, name)| is_uri(schema) && (dotted(name) || is_versioned(name)))
}

/// The end of a URN that hangs on it by a dot: `2.0.User`, `User.department`, `2.0User`.
fn is_versioned(name: &str) -> bool {
    name.len() <= 64
        && name.split('.').all(|part| {
            part.bytes().all(|byte| byte.is_ascii_digit()) && part.len() < 3 || is_name(part.trim_start_matches('0'))
        })
}

/// A schema's URI, in one of the spellings that the quirks know: a name and no data.
fn is_uri(text: &str) -> bool {
    const STARTS: [&str; 3] = ["urn:", "http://schemas.", "https://schemas."];
    text.len() <= 160
        && STARTS.iter().any(|start| text.get(..start.len()).is_some_and(|have| have.eq_ignore_ascii_case(start)))
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b":/.-_".contains(&byte))
        && text.split([':', '/']).all(|part| part.bytes().filter(u8::is_ascii_digit).count() < 5)
}

/// RFC 7644 3.5.2 and the words that IdPs say for it.
fn is_operation(text: &str) -> bool {
    const WORDS: [&str; 9] = ["add", "remove", "replace", "delete", "update", "set", "move", "copy", "test"];
    WORDS.iter().any(|word| word.eq_ignore_ascii_case(text.trim()))
}

/// A name, path or text that speaks of credentials, however it is spelled: `api-key`, `API_KEY`, `apiKey`.
pub(super) fn is_secret(text: &str) -> bool {
    const PARTS: [&str; 12] = [
        "accesskey",
        "apikey",
        "authorization",
        "credential",
        "passcode",
        "passphrase",
        "passwd",
        "password",
        "privatekey",
        "secret",
        "signature",
        "token",
    ];
    // Too short to be looked for within others: `pinned`, `opinion`.
    const WORDS: [&str; 5] = ["jwt", "otp", "pin", "pwd", "totp"];
    let text = text.as_bytes();
    let letters: Vec<u8> =
        text.iter().filter(|byte| byte.is_ascii_alphanumeric()).map(u8::to_ascii_lowercase).collect();
    PARTS.iter().any(|part| letters.windows(part.len()).any(|letters| letters == part.as_bytes()))
        || has_word(text, &WORDS)
}

/// The name of a query's parameter that is one of credentials; names of attributes may be the same.
pub(super) fn is_secret_parameter(name: &str) -> bool {
    const WORDS: [&str; 9] = ["assertion", "auth", "code", "key", "pass", "session", "sid", "sig", "ticket"];
    is_secret(name) || has_word(name.as_bytes(), &WORDS)
}

/// `sig=...`, wherever it came to stand: behind `#`, `;`, or in a URL that is itself a value.
fn has_secret_parameter(text: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    text.match_indices('=').any(|(at, _)| {
        let before = text[..at].trim_end();
        let name = &before[before.trim_end_matches(is_part).len()..];
        is_secret_parameter(name)
    })
}

/// `//name:password@host`
fn has_userinfo(text: &str) -> bool {
    text.match_indices("//").any(|(at, _)| {
        let authority = text[at + 2..].split(['/', '?', '#', ' ']).next().unwrap_or_default();
        authority.contains('@')
    })
}

/// One of `words` stands in `text` between other characters than letters, or as camel case has it: `pin` in `userPin`.
fn has_word(text: &[u8], words: &[&str]) -> bool {
    let letter = |at: usize| text.get(at).is_some_and(u8::is_ascii_alphabetic);
    let lower = |at: usize| text.get(at).is_some_and(u8::is_ascii_lowercase);
    let begins =
        |at: usize| at == 0 || !letter(at - 1) || text[at].is_ascii_uppercase() && (lower(at - 1) || lower(at + 1));
    let ends = |at: usize| !letter(at) || begins(at);
    words.iter().any(|word| {
        let places = text.windows(word.len()).enumerate();
        places
            .filter(|(_, part)| part.eq_ignore_ascii_case(word.as_bytes()))
            .any(|(at, _)| begins(at) && ends(at + word.len()))
    })
}

/// What stands in an Authorization header, or the beginning of a JWT (RFC 7519), wherever else it came to stand.
pub(super) fn is_credential(text: &str) -> bool {
    let text = text.as_bytes();
    let is_start = |at: usize| at == 0 || !text[at - 1].is_ascii_alphanumeric();
    let scheme = |name: &str| {
        text.windows(name.len() + 1).enumerate().any(|(at, part)| {
            let (have, behind) = part.split_at(name.len());
            let separates = behind[0].is_ascii_whitespace() || b":=".contains(&behind[0]);
            separates && have.eq_ignore_ascii_case(name.as_bytes()) && is_start(at)
        })
    };
    scheme("bearer") || scheme("basic") || text.windows(3).enumerate().any(|(at, part)| part == b"eyJ" && is_start(at))
}

/// Canonical values of RFC 7643 4.1.2 and 4.2, and the one that Entra puts on roles.
const CANONICAL: [&str; 14] = [
    "work",
    "home",
    "other",
    "mobile",
    "fax",
    "pager",
    "photo",
    "thumbnail",
    "direct",
    "indirect",
    "User",
    "Group",
    "WindowsAzureActiveDirectoryRole",
    "oauthbearertoken",
];

const RESOURCE_TYPES: [&str; 7] =
    ["User", "Group", "Users", "Groups", "ServiceProviderConfig", "ResourceType", "Schema"];

const METHODS: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];

/// The attributes that a text for people names; nothing else of it.
fn words(text: &str) -> Vec<String> {
    facts::named(text, "Users", None).into_iter().collect()
}

type Edit = (std::ops::Range<usize>, String);

/// The text with other words at these places.
fn apply(text: &str, mut edits: Vec<Edit>) -> String {
    edits.sort_by_key(|(at, _)| at.start);
    let mut out = String::with_capacity(text.len());
    let mut done = 0;
    for (at, new) in edits {
        if at.start < done {
            continue;
        }
        let _ = write!(out, "{}{new}", &text[done..at.start]);
        done = at.end;
    }
    out.push_str(&text[done..]);
    out
}

/// A name in a filter that looks like no attribute.
fn unnamed(text: &str, at: &std::ops::Range<usize>) -> Option<Edit> {
    (!is_plain_path(&text[at.clone()])).then(|| (at.clone(), "unknown".to_owned()))
}
