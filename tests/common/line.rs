//! A connection below HTTP.

use std::{
    io::{self, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// An answer as it came.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
    /// It ended where its framing says that it ends.
    pub(crate) whole: bool,
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut fields = self.head.lines().filter_map(|line| line.split_once(':'));
        fields.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }
}

/// A connection.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) stream: TcpStream,
    buffer: Vec<u8>,
}

impl Line {
    pub(crate) fn open(to: SocketAddr) -> Self {
        Self::try_open(to).unwrap()
    }

    pub(crate) fn try_open(to: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&to, PATIENCE)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Self { stream, buffer: Vec::new() })
    }

    /// Says as much as the other side takes; it may have had enough.
    pub(crate) fn say(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.stream.write_all(bytes.as_ref()).is_ok()
    }

    /// The next answer; none where the connection ends before its head does.
    pub(crate) fn answer(&mut self) -> Option<Answer> {
        let end = loop {
            if let Some(end) = self.buffer.windows(4).position(|four| four == b"\r\n\r\n") {
                break end + 4;
            }
            self.more()?;
        };
        let head = String::from_utf8_lossy(&self.buffer[..end]).into_owned();
        self.buffer.drain(..end);
        let status = head.get(9..12)?.parse().ok()?;
        let mut answer = Answer { status, head, body: Vec::new(), whole: true };
        if answer.header("transfer-encoding").is_some() {
            answer.whole = self.chunks(&mut answer.body).is_some();
        } else {
            let length = answer.header("content-length").map_or(0, |length| length.parse().unwrap());
            while self.buffer.len() < length && self.more().is_some() {}
            answer.whole = self.buffer.len() >= length;
            answer.body = self.buffer.drain(..length.min(self.buffer.len())).collect();
        }
        Some(answer)
    }

    fn chunks(&mut self, body: &mut Vec<u8>) -> Option<()> {
        loop {
            let line = loop {
                match self.buffer.windows(2).position(|two| two == b"\r\n") {
                    Some(end) => break end,
                    None => self.more()?,
                }
            };
            let length = usize::from_str_radix(std::str::from_utf8(&self.buffer[..line]).ok()?, 16).ok()?;
            while self.buffer.len() < line + 2 + length + 2 {
                self.more()?;
            }
            body.extend_from_slice(&self.buffer[line + 2..line + 2 + length]);
            self.buffer.drain(..line + 2 + length + 2);
            if length == 0 {
                return Some(());
            }
        }
    }

    fn more(&mut self) -> Option<()> {
        let mut piece = [0; 1 << 16];
        match self.stream.read(&mut piece) {
            Ok(count @ 1..) => self.buffer.extend_from_slice(&piece[..count]),
            _ => return None,
        }
        Some(())
    }

    /// Takes so many bytes as they come, or what there is before the end; what was first is given back.
    pub(crate) fn take(&mut self, count: usize) -> Vec<u8> {
        let (mut piece, mut taken, mut first) = (vec![0; 1 << 16], 0, Vec::new());
        while taken < count {
            let Ok(more @ 1..) = self.stream.read(&mut piece) else { break };
            taken += more;
            if first.is_empty() {
                first = piece[..more].to_vec();
            }
        }
        first
    }

    /// Reads to the end of the connection; true if the other side ended it, false if it did not in time.
    pub(crate) fn ended(&mut self) -> bool {
        let mut scrap = [0; 1 << 16];
        loop {
            match self.stream.read(&mut scrap) {
                Ok(0) => return true,
                Ok(_) => {}
                Err(error) => return !matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut),
            }
        }
    }
}

/// A request as bytes.
pub(crate) fn request(method: &str, target: &str, fields: &str, body: &[u8]) -> Vec<u8> {
    let kind = if body.is_empty() { "" } else { "content-type: application/scim+json\r\n" };
    let length = if method == "GET" { String::new() } else { format!("content-length: {}\r\n", body.len()) };
    let head = format!("{method} {target} HTTP/1.1\r\nhost: scim.example.com\r\n{kind}{length}{fields}\r\n");
    [head.as_bytes(), body].concat()
}
