//! Documents as they are published: bytes in, address ranges by part out, or what was expected and what came.
//!
//! An entry that cannot be read is an error of the whole document, never left out: a tool that drops lines makes an
//! empty list of an error page. Nothing here judges whether the ranges are plausible; that is `guard`.
//!
//! JSON is taken piece by piece, text that is not needed stays text, and the first fault ends it: whatever the sender
//! makes of its bytes, reading takes no more memory than the ranges and names that are in them.

mod azure;
mod list;
mod okta;

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashSet},
    fmt,
    marker::PhantomData,
    net::IpAddr,
    sync::Arc,
};

use ipnet::IpNet;
use serde::{
    Deserialize, Deserializer,
    de::{self, MapAccess, SeqAccess, Visitor},
};
use serde_json::value::RawValue;

use super::Kind;

/// The name of a list's only part.
pub const WHOLE: &str = "";

/// More than any document has: Azure's public file has 95,823 ranges in 3,041 tags.
const MOST_RANGES: usize = 500_000;
const MOST_PARTS: usize = 50_000;

/// What a document says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Document {
    /// The parts that were asked for and are there.
    pub parts: BTreeMap<Arc<str>, Vec<IpNet>>,
    /// The names of all parts, in the order of the document.
    pub names: Vec<Arc<str>>,
    /// Azure's count of publications.
    pub change_number: Option<u64>,
}

/// Which parts are read.
#[derive(Debug, Clone, Copy)]
pub enum Wanted<'a> {
    /// Every one, for people who look.
    All,
    /// These.
    Named(&'a [Arc<str>]),
}

/// Why a document cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// The same part twice: two readers may take different ones.
    #[error("the part `{0}` stands in it twice; expected each once")]
    DuplicatePart(String),
    /// No bytes, or a document without any part.
    #[error("it is empty; expected {expected}")]
    Empty {
        /// What a document of this kind looks like.
        expected: &'static str,
    },
    /// Something that is no address range.
    #[error("{at}: `{text}` is no address and no CIDR range")]
    Entry {
        /// Line, cell or tag.
        at: String,
        /// What stands there, cut short.
        text: String,
    },
    /// Ranges that could mean a host or its network.
    #[error("{count} ranges have bits behind their prefix, first {first}; expected {instead}")]
    HostBits {
        /// How many.
        count: usize,
        /// The first, with its place.
        first: String,
        /// The network of it.
        instead: IpNet,
    },
    /// An error page or a login page.
    #[error("it is an HTML page; expected {expected}")]
    Html {
        /// What a document of this kind looks like.
        expected: &'static str,
    },
    /// Not the format.
    #[error("expected {expected}, but {why}")]
    Malformed {
        /// What a document of this kind looks like.
        expected: &'static str,
        /// What came.
        why: String,
    },
    /// An error message of a storage service.
    #[error("it is an XML document; expected {expected}")]
    Xml {
        /// What a document of this kind looks like.
        expected: &'static str,
    },
}

impl ParseError {
    /// The metric label.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::DuplicatePart(_) => "duplicate_part",
            Self::Empty { .. } => "empty",
            Self::Entry { .. } => "entry",
            Self::HostBits { .. } => "host_bits",
            Self::Html { .. } => "html",
            Self::Malformed { .. } => "malformed",
            Self::Xml { .. } => "xml",
        }
    }
}

/// Reads a document; `pointer` says where the array of a JSON list is.
///
/// # Errors
/// It is not what this kind looks like.
pub fn document(kind: Kind, pointer: Option<&str>, wanted: Wanted<'_>, bytes: &[u8]) -> Result<Document, ParseError> {
    let expected = expected(kind);
    let text = text(bytes, expected)?;
    let mut entries = Entries::default();
    let document = match kind {
        Kind::AzureServiceTags => azure::read(text, wanted, &mut entries),
        Kind::List => list::read(text, pointer, &mut entries),
        Kind::Okta => okta::read(text, wanted, &mut entries),
    }?;
    entries.verdict()?;
    if document.names.is_empty() {
        return Err(ParseError::Empty { expected });
    }
    Ok(document)
}

fn expected(kind: Kind) -> &'static str {
    match kind {
        Kind::AzureServiceTags => {
            "Azure Service Tags: {\"values\":[{\"name\":...,\"properties\":{\"addressPrefixes\":[...]}}]}"
        }
        Kind::List => "a CIDR range on each line, or JSON",
        Kind::Okta => "Okta's ip_ranges.json: {\"us_cell_1\":{\"ip_ranges\":[...]}}",
    }
}

/// The text without a byte order mark; names what is often stored in place of a feed.
fn text<'a>(bytes: &'a [u8], expected: &'static str) -> Result<&'a str, ParseError> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let start = bytes.trim_ascii_start();
    if start.is_empty() {
        return Err(ParseError::Empty { expected });
    }
    if start[0] == b'<' {
        let head = start[..start.len().min(1024)].to_ascii_lowercase();
        let has = |tag: &[u8]| head.windows(tag.len()).any(|window| window == tag);
        let html = [&b"<html"[..], b"<!doctype html", b"<head", b"<body", b"<title"].into_iter().any(has);
        return Err(if html { ParseError::Html { expected } } else { ParseError::Xml { expected } });
    }
    std::str::from_utf8(bytes)
        .map_err(|error| ParseError::Malformed { expected, why: format!("it is not UTF-8: {error}") })
}

/// A JSON error as ours, without long quotations of the document.
fn malformed(kind: Kind) -> impl Fn(serde_json::Error) -> ParseError {
    move |error| ParseError::Malformed { expected: expected(kind), why: shorten(&error.to_string()) }
}

/// Something of a document for a message: short, and without what moves a terminal's cursor.
fn shorten(text: &str) -> String {
    const ENOUGH: usize = 160;
    let mut short: String = text.chars().take(ENOUGH).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    if text.chars().nth(ENOUGH).is_some() {
        short.push_str("...");
    }
    short
}

/// Text that is borrowed where it holds no escapes; `Cow` alone would always copy.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// Hands out the elements of a JSON array, one after another, to the first that is wrong.
fn elements<'a, T: Deserialize<'a>>(
    kind: Kind,
    array: &'a str,
    mut take: impl FnMut(usize, T) -> Result<(), ParseError>,
) -> Result<(), ParseError> {
    struct Elements<F, T>(F, PhantomData<T>);

    impl<'de, T: Deserialize<'de>, F: FnMut(usize, T) -> bool> Visitor<'de> for Elements<F, T> {
        type Value = ();

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an array")
        }

        fn visit_seq<A: SeqAccess<'de>>(mut self, mut array: A) -> Result<(), A::Error> {
            let mut index = 0;
            while let Some(element) = array.next_element()? {
                if !(self.0)(index, element) {
                    return Err(de::Error::custom("stopped"));
                }
                index += 1;
            }
            Ok(())
        }
    }

    let mut fault = None;
    let goes_on = |index, element| take(index, element).map_err(|error| fault = Some(error)).is_ok();
    let mut json = serde_json::Deserializer::from_str(array);
    let read = json.deserialize_seq(Elements(goes_on, PhantomData)).and_then(|()| json.end());
    fault.map_or_else(|| read.map_err(malformed(kind)), Err)
}

/// Hands out the members of a JSON object in their order, one after another, to the first that is wrong. A map would
/// hide that one stands there twice.
fn members<'a>(
    kind: Kind,
    object: &'a str,
    mut take: impl FnMut(Cow<'a, str>, &'a RawValue) -> Result<(), ParseError>,
) -> Result<(), ParseError> {
    struct Members<F>(F);

    impl<'de, F: FnMut(Cow<'de, str>, &'de RawValue) -> bool> Visitor<'de> for Members<F> {
        type Value = ();

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(mut self, mut object: A) -> Result<(), A::Error> {
            while let Some((Text(name), value)) = object.next_entry()? {
                if !(self.0)(name, value) {
                    return Err(de::Error::custom("stopped"));
                }
            }
            Ok(())
        }
    }

    let mut fault = None;
    let goes_on = |name, value| take(name, value).map_err(|error| fault = Some(error)).is_ok();
    let mut json = serde_json::Deserializer::from_str(object);
    let read = json.deserialize_map(Members(goes_on)).and_then(|()| json.end());
    fault.map_or_else(|| read.map_err(malformed(kind)), Err)
}

/// Reads entries; those with host bits are counted, so that one message says how many there are.
#[derive(Debug, Default)]
struct Entries {
    parts: HashSet<Arc<str>>,
    ranges: usize,
    host_bits: usize,
    first: Option<(String, IpNet)>,
}

impl Entries {
    /// The name of another part.
    fn part(&mut self, kind: Kind, name: &str) -> Result<Arc<str>, ParseError> {
        let name: Arc<str> = name.into();
        if !self.parts.insert(Arc::clone(&name)) {
            return Err(ParseError::DuplicatePart(shorten(&name)));
        }
        if self.parts.len() > MOST_PARTS {
            let why = format!("it has more than {MOST_PARTS} parts");
            return Err(ParseError::Malformed { expected: expected(kind), why });
        }
        Ok(name)
    }

    /// The ranges in a JSON array of text. `at` says where it stands.
    fn array(&mut self, kind: Kind, array: &RawValue, at: impl Fn() -> String) -> Result<Vec<IpNet>, ParseError> {
        let mut nets = Vec::new();
        elements(kind, array.get(), |_, Text(text)| {
            nets.push(self.read(kind, &text, &at)?);
            Ok(())
        })?;
        Ok(nets)
    }

    /// A CIDR range, or an address as the range of it alone. `at` says where it stands.
    fn read(&mut self, kind: Kind, text: &str, at: impl Fn() -> String) -> Result<IpNet, ParseError> {
        self.ranges += 1;
        if self.ranges > MOST_RANGES {
            let why = format!("it has more than {MOST_RANGES} ranges");
            return Err(ParseError::Malformed { expected: expected(kind), why });
        }
        // A range of `::ffff:...` is kept as it is; the guards refuse it.
        let net = match text.parse::<IpNet>() {
            Ok(net) => net,
            Err(_) => match text.parse::<IpAddr>() {
                Ok(address) => address.into(),
                Err(_) => return Err(ParseError::Entry { at: at(), text: shorten(text) }),
            },
        };
        if net.trunc() != net {
            self.host_bits += 1;
            self.first.get_or_insert_with(|| (format!("{}: {net}", at()), net.trunc()));
        }
        Ok(net.trunc())
    }

    fn verdict(self) -> Result<(), ParseError> {
        match self.first {
            Some((first, instead)) => Err(ParseError::HostBits { count: self.host_bits, first, instead }),
            None => Ok(()),
        }
    }
}

impl Wanted<'_> {
    fn has(self, name: &str) -> bool {
        match self {
            Self::All => true,
            Self::Named(names) => names.iter().any(|wanted| **wanted == *name),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    pub(super) fn all(kind: Kind, text: &str) -> Result<Document, ParseError> {
        document(kind, None, Wanted::All, text.as_bytes())
    }

    const KINDS: [Kind; 3] = [Kind::AzureServiceTags, Kind::List, Kind::Okta];

    #[test]
    fn what_is_stored_in_place_of_a_feed_is_named() {
        for kind in KINDS {
            for (text, reason) in [
                ("", "empty"),
                (" \r\n", "empty"),
                ("\u{feff}", "empty"),
                ("<!DOCTYPE html><html><body>404</body></html>", "html"),
                ("\n<HTML><HEAD><TITLE>Error</TITLE></HEAD>", "html"),
                ("\u{feff}<?xml version=\"1.0\"?><Error><Code>ServerBusy</Code></Error>", "xml"),
                ("{\"values\":", "malformed"),
            ] {
                assert_eq!(all(kind, text).unwrap_err().reason(), reason, "{kind:?} {text}");
            }
            assert_eq!(document(kind, None, Wanted::All, b"\xff\xfe1").unwrap_err().reason(), "malformed");
        }
    }

    #[test]
    fn a_message_does_not_quote_the_whole_document() {
        let error = all(Kind::List, &"x".repeat(100_000)).unwrap_err().to_string();
        assert!(error.len() < 400, "{}", error.len());
    }

    proptest! {
        #[test]
        fn nothing_panics(text in ".{0,200}", bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            for kind in KINDS {
                let _ = all(kind, &text);
                let _ = document(kind, Some("/a"), Wanted::All, &bytes);
                let _ = all(kind, &format!("{{\"a\":{{\"ip_ranges\":[\"{text}\"]}}}}"));
            }
        }
    }
}
