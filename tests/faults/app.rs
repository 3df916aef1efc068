//! The app: good to the bystander, and to the victim whatever the cell says.
//!
//! It reads what the shim sends as plainly as it can (one length, or chunks), since the shim has to be plain to it.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    runtime, time,
};

/// What it does with a victim's request, in order.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    /// Writes these bytes.
    Say(Vec<u8>),
    /// Writes these bytes one by one, with a pause before each.
    Drip(Vec<u8>, Duration),
    /// Writes these bytes so many times, or until nobody takes them.
    Repeat(Vec<u8>, usize),
    /// Writes these bytes without end, with a pause between.
    Pour(Vec<u8>, Duration),
    Wait(Duration),
    /// Says nothing more, and keeps the connection.
    Hang,
    /// Closes its side, and keeps the other open.
    HalfClose,
    Close,
    Reset,
}

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    /// Method, target and version.
    pub(crate) line: String,
    pub(crate) body: Vec<u8>,
}

impl Seen {
    pub(crate) fn is(&self, method: &str) -> bool {
        self.line.split(' ').next() == Some(method)
    }
}

type Script = Arc<Mutex<Arc<Vec<Step>>>>;

/// A running app, for the rest of the process.
pub(crate) struct App {
    pub(crate) address: SocketAddr,
    script: Script,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl App {
    /// Listens on all addresses, so that each tenant can have one of its own.
    pub(crate) fn start() -> Self {
        let listener = std::net::TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
        let address = (Ipv4Addr::LOCALHOST, listener.local_addr().unwrap().port()).into();
        listener.set_nonblocking(true).unwrap();
        let (script, seen) = (Script::default(), Arc::<Mutex<Vec<Seen>>>::default());
        *script.lock().unwrap() = Arc::new(vec![good()]);
        let (acts, log) = (Arc::clone(&script), Arc::clone(&seen));
        thread::spawn(move || {
            let runtime = runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async move {
                let listener = TcpListener::from_std(listener).unwrap();
                loop {
                    let Ok((stream, _)) = listener.accept().await else {
                        time::sleep(Duration::from_millis(10)).await;
                        continue;
                    };
                    let (acts, log) = (Arc::clone(&acts), Arc::clone(&log));
                    // A connection that the other side ends is over.
                    tokio::spawn(async move { drop(serve(stream, acts, log).await) });
                }
            });
        });
        Self { address, script, seen }
    }

    /// What the next requests of the victim meet.
    pub(crate) fn does(&self, steps: &[Step]) {
        *self.script.lock().unwrap() = Arc::new(steps.to_vec());
    }

    /// The victim's requests so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

/// An answer that needs no repair.
pub(crate) fn good() -> Step {
    Step::Say(answer(&user("victim")))
}

/// A whole answer with this body.
pub(crate) fn answer(body: &str) -> Vec<u8> {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/scim+json\r\n";
    format!("{head}content-length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

pub(crate) fn user(name: &str) -> String {
    format!(
        "{{\"schemas\":[\"urn:ietf:params:scim:schemas:core:2.0:User\"],\"id\":\"1\",\"userName\":\"{name}\",\
         \"meta\":{{\"resourceType\":\"User\"}}}}"
    )
}

async fn serve(mut stream: TcpStream, script: Script, log: Arc<Mutex<Vec<Seen>>>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = Vec::new();
    loop {
        let Some(seen) = read(&mut stream, &mut buffer).await? else { return Ok(()) };
        if seen.line.contains("/bystander/") || seen.line.contains("/1/scim/") {
            // Between the two nothing is shared but the shim, so it must get its own name back.
            stream.write_all(&answer(&user("bystander"))).await?;
            continue;
        }
        log.lock().unwrap().push(seen);
        let steps = Arc::clone(&script.lock().unwrap());
        for step in steps.iter() {
            match step {
                Step::Say(bytes) => stream.write_all(bytes).await?,
                Step::Drip(bytes, pause) => {
                    for byte in bytes {
                        time::sleep(*pause).await;
                        stream.write_all(&[*byte]).await?;
                    }
                }
                Step::Repeat(bytes, times) => {
                    for _ in 0..*times {
                        stream.write_all(bytes).await?;
                    }
                }
                Step::Pour(bytes, pause) => loop {
                    stream.write_all(bytes).await?;
                    time::sleep(*pause).await;
                },
                Step::Wait(time) => time::sleep(*time).await,
                // To the end of the connection, so that the shim's close is seen.
                Step::Hang => while stream.read(&mut [0; 4096]).await? > 0 {},
                Step::HalfClose => stream.shutdown().await?,
                Step::Close => return Ok(()),
                Step::Reset => return stream.set_zero_linger(),
            }
        }
    }
}

async fn read(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> io::Result<Option<Seen>> {
    loop {
        if let Some((seen, length)) = parse(buffer) {
            buffer.drain(..length);
            return Ok(Some(seen));
        }
        if stream.read_buf(buffer).await? == 0 {
            return Ok(None);
        }
    }
}

/// A request at the beginning of `bytes` and how long it is, if it is whole.
fn parse(bytes: &[u8]) -> Option<(Seen, usize)> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let line = head.lines().next().unwrap_or_default().to_owned();
    let field = |name: &str| {
        let mut lines = head.lines().filter_map(|line| line.split_once(':'));
        lines.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim().to_owned())
    };
    if field("transfer-encoding").is_none() {
        let length: usize = field("content-length").map_or(0, |length| length.parse().unwrap());
        let body = bytes.get(end..end + length)?.to_vec();
        return Some((Seen { line, body }, end + length));
    }
    let (mut at, mut body) = (end, Vec::new());
    loop {
        let size = at + bytes[at..].windows(2).position(|two| two == b"\r\n")?;
        let length = usize::from_str_radix(std::str::from_utf8(&bytes[at..size]).unwrap(), 16).unwrap();
        let data = size + 2;
        body.extend_from_slice(bytes.get(data..data + length)?);
        at = data + length + 2;
        if bytes.len() < at {
            return None;
        }
        if length == 0 {
            return Some((Seen { line, body }, at));
        }
    }
}
