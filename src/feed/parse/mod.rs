//! Documents as they are published: bytes in, address ranges by part out, or what was expected and what came.
//!
//! An entry that cannot be read is an error of the whole document, never left out: a tool that drops lines makes an
//! empty list of an error page. Nothing here judges whether the ranges are plausible; that is `guard`.

mod azure;
mod list;
mod okta;

use std::{collections::BTreeMap, net::IpAddr, sync::Arc};

use ipnet::IpNet;

use super::Kind;

/// The name of a list's only part.
pub const WHOLE: &str = "";

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

/// Reads entries; those with host bits are counted, so that one message says how many there are.
#[derive(Debug, Default)]
struct Entries {
    host_bits: usize,
    first: Option<(String, IpNet)>,
}

impl Entries {
    /// A CIDR range, or an address as the range of it alone. `at` says where it stands.
    fn read(&mut self, text: &str, at: impl Fn() -> String) -> Result<IpNet, ParseError> {
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
