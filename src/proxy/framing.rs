//! Where heads begin and end in the bytes of an HTTP/1 connection, to catch the one that says its length twice, or in a
//! way that cannot be followed.
//!
//! A request with Content-Length and Transfer-Encoding is how a second request is smuggled past a proxy in front that
//! believes the other field. RFC 9112 6.1 lets a server refuse it; hyper follows the chunks and drops the length before
//! anyone can see it. So the framing is followed here beside hyper, which judges everything else. Where the two should
//! ever disagree, nothing is let through that hyper would not let through. So that they do not disagree, a line that would
//! decide and is too long to be kept ends the connection.

use memchr::memchr;

use super::refusal::Refusal;

/// Follows one connection.
#[derive(Debug, Default)]
pub(crate) struct Framing {
    part: Part,
    /// As much of the line as has come and can matter, without the blanks before it.
    line: Vec<u8>,
    /// There was more of the line.
    cut: bool,
    length: Option<u64>,
    coding: Coding,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Part {
    /// The line with method and target, or an empty one before it.
    #[default]
    Start,
    Fields,
    /// This much of a body or chunk is to come.
    Body(u64),
    ChunkSize,
    /// This much of a chunk and the line end after it.
    Chunk(u64),
    Trailers,
}

/// What Transfer-Encoding says.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Coding {
    #[default]
    None,
    /// `chunked` and nothing else: the only one that is taken off here.
    Chunked,
    /// Others, and `chunked` at their end or not.
    Foreign { chunked: bool },
}

/// Why a head or chunk is not followed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Ambiguous {
    /// Content-Length and Transfer-Encoding.
    Both,
    /// Chunks with another coding inside; the app would get that body without a word about its coding.
    Coding,
    /// A line that would decide is longer than anybody needs.
    Long,
}

impl From<Ambiguous> for Refusal {
    fn from(why: Ambiguous) -> Self {
        let malformed = |detail: &str| Self::Malformed(detail.to_owned());
        match why {
            Ambiguous::Both => {
                malformed("the request has both content-length and transfer-encoding, expected one of them")
            }
            // RFC 9112 6.1.
            Ambiguous::Coding => Self::Unsupported("transfer codings other than chunked are"),
            Ambiguous::Long => malformed("the request has a length or chunk size that is padded beyond use"),
        }
    }
}

/// Enough for the names that matter with their values; the rest of any other line only has to end.
const LONGEST: usize = 64;

impl Framing {
    /// Follows the next bytes.
    pub(crate) fn follow(&mut self, mut bytes: &[u8]) -> Result<(), Ambiguous> {
        while !bytes.is_empty() {
            if let Part::Body(left) | Part::Chunk(left) = self.part {
                let now = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
                bytes = &bytes[now..];
                self.skipped(left - now as u64);
                continue;
            }
            let end = memchr(b'\n', bytes);
            if let (Some(end), true, false) = (end, self.line.is_empty(), self.cut) {
                // Most lines come whole, and need not be kept.
                let text = bytes[..=end].trim_ascii_start();
                bytes = &bytes[end + 1..];
                self.line(text[..text.len().min(LONGEST)].trim_ascii(), text.len() > LONGEST)?;
                continue;
            }
            let (text, rest) = bytes.split_at(end.map_or(bytes.len(), |end| end + 1));
            let text = if self.line.is_empty() { text.trim_ascii_start() } else { text };
            let room = LONGEST.saturating_sub(self.line.len());
            self.line.extend_from_slice(&text[..text.len().min(room)]);
            self.cut |= text.len() > room;
            bytes = rest;
            if end.is_some() {
                let line = std::mem::take(&mut self.line);
                let cut = std::mem::take(&mut self.cut);
                self.line(line.trim_ascii(), cut)?;
            }
        }
        Ok(())
    }

    fn skipped(&mut self, left: u64) {
        self.part = match (self.part, left) {
            (Part::Chunk(_), 0) => Part::ChunkSize,
            (Part::Chunk(_), left) => Part::Chunk(left),
            (_, 0) => Part::Start,
            (_, left) => Part::Body(left),
        };
    }

    fn line(&mut self, line: &[u8], cut: bool) -> Result<(), Ambiguous> {
        self.part = match (self.part, line) {
            (Part::Start, b"") => Part::Start,
            (Part::Start, _) => {
                (self.length, self.coding) = (None, Coding::None);
                Part::Fields
            }
            (Part::Fields, b"") => match (self.coding, self.length) {
                (Coding::Foreign { chunked: true }, _) => return Err(Ambiguous::Coding),
                (Coding::Chunked, _) => Part::ChunkSize,
                // hyper answers 400 to a coding that says no length (RFC 9112 6.3).
                (_, Some(0) | None) => Part::Start,
                (_, Some(length)) => Part::Body(length),
            },
            (Part::Fields, _) => {
                self.field(line, cut)?;
                if self.coding != Coding::None && self.length.is_some() {
                    return Err(Ambiguous::Both);
                }
                Part::Fields
            }
            // Only an extension may be long.
            (Part::ChunkSize, _) if cut && !line.contains(&b';') => return Err(Ambiguous::Long),
            (Part::ChunkSize, _) => match chunk_size(line) {
                0 => Part::Trailers,
                size => Part::Chunk(size.saturating_add(2)),
            },
            (Part::Trailers, b"") => Part::Start,
            (part, _) => part,
        };
        Ok(())
    }

    fn field(&mut self, line: &[u8], cut: bool) -> Result<(), Ambiguous> {
        // A name may be padded too.
        let colon = line.iter().position(|byte| *byte == b':').unwrap_or(line.len());
        let (name, value) = (line[..colon].trim_ascii(), line.get(colon + 1..).unwrap_or_default().trim_ascii());
        let is_length = name.eq_ignore_ascii_case(b"content-length");
        let is_coding = name.eq_ignore_ascii_case(b"transfer-encoding");
        if cut && (is_length || is_coding) {
            return Err(Ambiguous::Long);
        }
        if is_length {
            let value = std::str::from_utf8(value).unwrap_or_default();
            self.length = Some(value.parse().unwrap_or(0));
        } else if is_coding {
            let last = value.rsplit(|byte| *byte == b',').next().unwrap_or_default().trim_ascii();
            self.coding = match self.coding {
                Coding::None if value.eq_ignore_ascii_case(b"chunked") => Coding::Chunked,
                _ => Coding::Foreign { chunked: last.eq_ignore_ascii_case(b"chunked") },
            };
        }
        Ok(())
    }
}

fn chunk_size(line: &[u8]) -> u64 {
    let digits = line.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    std::str::from_utf8(digits).ok().and_then(|digits| u64::from_str_radix(digits, 16).ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: &str = "GET / HTTP/1.1\r\nhost: a\r\n\r\n";
    const LENGTH: &str = "POST / HTTP/1.1\r\ncontent-length: 40\r\n\r\ncontent-length: 1\ntransfer-encoding: 2\n\n";
    const CHUNKS: &str =
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n13;x=1\r\ncontent-length: 1\n\n\r\n0\r\nx-a: b\r\n\r\n";
    const BOTH: &str = "POST / HTTP/1.1\r\nTRANSFER-ENCODING: chunked\r\nContent-Length: 0\r\n\r\n";

    #[test]
    fn bodies_are_skipped_and_every_head_is_seen() {
        assert_eq!(LENGTH.len() - LENGTH.find("\r\n\r\n").unwrap() - 4, 40);
        for step in 1..50 {
            for last in [PLAIN, BOTH] {
                let text = [PLAIN, LENGTH, CHUNKS, PLAIN, "\r\n", LENGTH, CHUNKS, last].concat();
                let mut framing = Framing::default();
                let outcome = text.as_bytes().chunks(step).try_for_each(|bytes| framing.follow(bytes));
                assert_eq!(outcome.is_err(), last == BOTH, "in steps of {step}");
            }
        }
    }

    fn head(fields: &str) -> Result<(), Ambiguous> {
        // Byte by byte, so that nothing hangs on where a read ends.
        let text = format!("POST / HTTP/1.1\r\n{fields}\r\n");
        let mut framing = Framing::default();
        text.as_bytes().chunks(1).try_for_each(|bytes| framing.follow(bytes))
    }

    #[test]
    fn padding_hides_nothing() {
        let (zeros, blanks) = ("0".repeat(70), " ".repeat(70));
        for fields in [
            format!("content-length: {zeros}5\r\n"),
            format!("content-length:{blanks}5\r\n"),
            format!("content-length{blanks}: 5\r\n"),
            format!("{blanks}content-length: {zeros}5\r\n"),
            format!("Transfer-Encoding:{blanks}chunked\r\n"),
            format!("transfer-encoding: chunked\r\n\r\n{zeros}5\r\n"),
        ] {
            assert_eq!(head(&fields), Err(Ambiguous::Long), "{fields:?}");
        }
        let both = format!("transfer-encoding: chunked\r\n{blanks}content-length: 5\r\n");
        assert_eq!(head(&both), Err(Ambiguous::Both));
        for fields in [
            format!("x-content-length: {zeros}\r\n"),
            format!("transfer-encoding: chunked\r\n\r\n5;x={zeros}\r\nabcde\r\n0\r\n"),
            format!("transfer-encoding: chunked\r\n\r\n{blanks}5\r\nabcde\r\n0\r\n"),
        ] {
            assert_eq!(head(&fields), Ok(()), "{fields:?}");
        }
    }

    #[test]
    fn chunked_is_the_only_coding() {
        for value in [
            "gzip, chunked",
            "identity,chunked",
            ",chunked",
            "chunked, chunked",
            "gzip\r\ntransfer-encoding: chunked",
            "chunked\r\ntransfer-encoding: chunked",
        ] {
            assert_eq!(head(&format!("transfer-encoding: {value}\r\n")), Err(Ambiguous::Coding), "{value:?}");
        }
        for value in ["chunked", "Chunked ", "gzip, x", "gzip"] {
            assert_eq!(head(&format!("transfer-encoding: {value}\r\n")), Ok(()), "{value:?}");
        }
        assert_eq!(Refusal::from(Ambiguous::Coding).told().status, 501);
        assert_eq!(Refusal::from(Ambiguous::Both).told().status, 400);
        assert_eq!(Refusal::from(Ambiguous::Long).told().status, 400);
    }

    #[test]
    fn long_lines_cost_no_memory() {
        let mut framing = Framing::default();
        framing.follow(&vec![b'a'; 1 << 20]).unwrap();
        assert!(framing.line.len() <= LONGEST);
    }
}
