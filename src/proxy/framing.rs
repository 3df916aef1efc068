//! Where heads begin and end in the bytes of an HTTP/1 connection, to catch the one that says its length twice.
//!
//! A request with Content-Length and Transfer-Encoding is how a second request is smuggled past a proxy in front that
//! believes the other field. RFC 9112 6.1 lets a server refuse it; hyper follows the chunks and drops the length before
//! anyone can see it. So the framing is followed here beside hyper, which judges everything else. Where the two should
//! ever disagree, nothing is let through that hyper would not let through.

/// Follows one connection.
#[derive(Debug, Default)]
pub(crate) struct Framing {
    part: Part,
    /// As much of the line as has come and can matter.
    line: Vec<u8>,
    length: Option<u64>,
    chunked: bool,
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

/// A head says its length twice.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Ambiguous;

/// Enough for the names that matter with their values; the rest of a line only has to end.
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
            let end = bytes.iter().position(|byte| *byte == b'\n');
            let (text, rest) = bytes.split_at(end.map_or(bytes.len(), |end| end + 1));
            let room = LONGEST.saturating_sub(self.line.len());
            self.line.extend_from_slice(&text[..text.len().min(room)]);
            bytes = rest;
            if end.is_some() {
                let line = std::mem::take(&mut self.line);
                self.line(line.trim_ascii())?;
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

    fn line(&mut self, line: &[u8]) -> Result<(), Ambiguous> {
        self.part = match (self.part, line) {
            (Part::Start, b"") => Part::Start,
            (Part::Start, _) => {
                (self.length, self.chunked) = (None, false);
                Part::Fields
            }
            (Part::Fields, b"") if self.chunked => Part::ChunkSize,
            (Part::Fields, b"") => match self.length {
                Some(0) | None => Part::Start,
                Some(length) => Part::Body(length),
            },
            (Part::Fields, _) => {
                self.field(line);
                if self.chunked && self.length.is_some() {
                    return Err(Ambiguous);
                }
                Part::Fields
            }
            (Part::ChunkSize, _) => match chunk_size(line) {
                0 => Part::Trailers,
                size => Part::Chunk(size.saturating_add(2)),
            },
            (Part::Trailers, b"") => Part::Start,
            (part, _) => part,
        };
        Ok(())
    }

    fn field(&mut self, line: &[u8]) {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { return };
        let (name, value) = (line[..colon].trim_ascii(), &line[colon + 1..]);
        if name.eq_ignore_ascii_case(b"content-length") {
            let value = std::str::from_utf8(value.trim_ascii()).unwrap_or_default();
            self.length = Some(value.parse().unwrap_or(0));
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            self.chunked = true;
        }
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

    #[test]
    fn long_lines_cost_no_memory() {
        let mut framing = Framing::default();
        framing.follow(&vec![b'a'; 1 << 20]).unwrap();
        assert!(framing.line.len() <= LONGEST);
    }
}
