//! HTTP/2 by the frame (RFC 9113), for what no library would send.

use std::{
    io::{self, Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const WINDOW_UPDATE: u8 = 8;
pub(crate) const CONTINUATION: u8 = 9;

pub(crate) const END_STREAM: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;

/// `:status: 200` (RFC 7541, appendix A).
const OK: u8 = 0x88;

pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let [_, a, b, c] = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&[a, b, c, kind, flags], &stream.to_be_bytes()[..], payload].concat()
}

/// A header block of literals that are not indexed.
pub(crate) fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let text = |text: &str| {
        let length = u8::try_from(text.len()).ok().filter(|length| *length < 127).expect("short");
        [&[length], text.as_bytes()].concat()
    };
    fields.iter().flat_map(|(name, value)| [vec![0], text(name), text(value)].concat()).collect()
}

/// The head of a GET.
pub(crate) fn get(path: &str) -> Vec<u8> {
    block(&[(":method", "GET"), (":scheme", "http"), (":path", path), (":authority", "scim.example.com")])
}

/// A client's connection with its preface said.
pub(crate) struct Client(pub(crate) TcpStream);

impl Client {
    pub(crate) fn open(to: SocketAddr) -> Self {
        let mut stream = TcpStream::connect(to).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        stream.set_write_timeout(Some(Duration::from_secs(5))).unwrap();
        stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").unwrap();
        stream.write_all(&frame(SETTINGS, 0, 0, &[])).unwrap();
        Self(stream)
    }

    pub(crate) fn say(&mut self, bytes: &[u8]) -> bool {
        self.0.write_all(bytes).is_ok()
    }

    /// Reads to the end; the code of the GOAWAY that came before it, or that none came.
    pub(crate) fn ended(&mut self) -> String {
        let mut code = None;
        loop {
            match read(&mut self.0) {
                Ok((GOAWAY, _, _, payload)) => {
                    code = payload.get(4..8).map(|code| u32::from_be_bytes(code.try_into().unwrap()));
                }
                Ok(_) => {}
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                    return "still open".to_owned();
                }
                Err(_) => break,
            }
        }
        match code {
            Some(11) => "GOAWAY, enhance your calm".to_owned(),
            Some(code) => format!("GOAWAY {code}"),
            None => "closed".to_owned(),
        }
    }
}

/// Kind, flags, stream and payload.
fn read(stream: &mut TcpStream) -> io::Result<(u8, u8, u32, Vec<u8>)> {
    let mut head = [0; 9];
    stream.read_exact(&mut head)?;
    let [a, b, c, kind, flags, id @ ..] = head;
    let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
    stream.read_exact(&mut payload)?;
    Ok((kind, flags, u32::from_be_bytes(id) & (u32::MAX >> 1), payload))
}

/// What the app sends for a request on a stream.
pub(crate) type Attack = fn(u32) -> Vec<u8>;

/// An app on HTTP/2 that attacks whom it answers, but for the bystander: that one has an address of its own, 127.0.0.1.
pub(crate) struct App {
    pub(crate) port: u16,
    requests: Arc<AtomicUsize>,
}

impl App {
    pub(crate) fn start(attack: Attack) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let requests = Arc::<AtomicUsize>::default();
        let count = Arc::clone(&requests);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(stream) = stream else { continue };
                let count = Arc::clone(&count);
                // A connection that the other side ends is over.
                thread::spawn(move || drop(serve(stream, attack, &count)));
            }
        });
        Self { port, requests }
    }

    /// How many requests the victim's app has got.
    pub(crate) fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

fn serve(mut stream: TcpStream, attack: Attack, requests: &AtomicUsize) -> io::Result<()> {
    let bystander = stream.local_addr()?.ip() == Ipv4Addr::LOCALHOST;
    stream.set_nodelay(true)?;
    stream.read_exact(&mut [0; 24])?;
    stream.write_all(&frame(SETTINGS, 0, 0, &[]))?;
    loop {
        let (kind, flags, id, payload) = read(&mut stream)?;
        if kind == SETTINGS && flags & 1 == 0 {
            stream.write_all(&frame(SETTINGS, 1, 0, &[]))?;
        }
        if kind == DATA && !payload.is_empty() {
            // Room for as much again, on the connection.
            stream.write_all(&frame(WINDOW_UPDATE, 0, 0, &u32::try_from(payload.len()).unwrap().to_be_bytes()))?;
        }
        if kind > HEADERS || flags & END_STREAM == 0 {
            continue;
        }
        if bystander {
            stream.write_all(&good(id, "bystander"))?;
            continue;
        }
        requests.fetch_add(1, Ordering::SeqCst);
        stream.write_all(&attack(id))?;
    }
}

/// An answer as it should be.
pub(crate) fn good(id: u32, name: &str) -> Vec<u8> {
    let head = [&[OK][..], &block(&[("content-type", "application/scim+json")])].concat();
    let body = super::app::user(name);
    [frame(HEADERS, END_HEADERS, id, &head), frame(DATA, END_STREAM, id, body.as_bytes())].concat()
}
