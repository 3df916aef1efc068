//! Plain sockets: a client that sends exactly what a case says, an app that answers what it is told, and the shim as a
//! child process between them. No HTTP library stands in the way of an odd target or a byte order mark.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use crate::harness::free_port;

use serde_json::Value;

/// Where SCIM begins, at the app and so at the shim.
const BASE: &str = "/scim/v2";
const PATIENCE: Duration = Duration::from_secs(20);

/// A message as it stood on the wire.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
    }
}

/// What the app is to answer.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl From<&Value> for Reply {
    fn from(response: &Value) -> Self {
        let headers = response["headers"].as_object().into_iter().flatten();
        Self {
            status: response["status"].as_u64().and_then(|n| u16::try_from(n).ok()).unwrap_or(200),
            headers: headers
                .map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned()))
                .collect(),
            body: body(response, "body_text"),
        }
    }
}

/// An app on a port of its own; its threads end with the process.
pub(crate) struct App {
    address: SocketAddr,
    state: Arc<Mutex<(Reply, Option<Seen>)>>,
}

impl App {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let state = Arc::new(Mutex::new((Reply { status: 204, ..Reply::default() }, None)));
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&shared);
                thread::spawn(move || serve(&stream, &shared));
            }
        });
        Self { address, state }
    }

    pub(crate) fn base(&self) -> String {
        format!("http://{}{BASE}", self.address)
    }

    /// Sets the next answer and forgets the last request.
    pub(crate) fn answer(&self, reply: Reply) {
        *self.state.lock().expect("no panic while held") = (reply, None);
    }

    /// The request that came since.
    pub(crate) fn last(&self) -> Option<Seen> {
        self.state.lock().expect("no panic while held").1.clone()
    }
}

fn serve(stream: &TcpStream, state: &Mutex<(Reply, Option<Seen>)>) {
    let mut input = BufReader::new(stream);
    while let Some(mut seen) = read(&mut input, None) {
        seen.target = seen.target.strip_prefix(BASE).unwrap_or(&seen.target).to_owned();
        let head = seen.method == "HEAD";
        let reply = {
            let mut state = state.lock().expect("no panic while held");
            state.1 = Some(seen);
            state.0.clone()
        };
        let mut text = format!("HTTP/1.1 {} x\r\n", reply.status);
        for (name, value) in reply.headers.iter().filter(|(name, _)| name != "content-length") {
            text += &format!("{name}: {value}\r\n");
        }
        if reply.status != 204 && reply.status != 304 {
            text += &format!("content-length: {}\r\n", reply.body.len());
        }
        let mut out = stream;
        let body: &[u8] = if head || reply.status == 204 { &[] } else { &reply.body };
        if out.write_all(&[text.as_bytes(), b"\r\n", body].concat()).is_err() {
            return;
        }
    }
}

/// Sends the request of a case to `base` and reads the answer.
pub(crate) fn send(base: &str, request: &Value) -> Seen {
    let address = base.strip_prefix("http://").and_then(|rest| rest.split('/').next()).expect("an http base");
    let (method, target) = (request["method"].as_str().unwrap_or("GET"), request["target"].as_str().unwrap_or("/"));
    let body = body(request, "body_raw");
    let mut text = format!("{method} {BASE}{target} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n");
    for (name, value) in request["headers"].as_object().into_iter().flatten() {
        text += &format!("{name}: {}\r\n", value.as_str().unwrap_or_default());
    }
    if !body.is_empty() {
        text += &format!("content-length: {}\r\n", body.len());
    }
    let stream = TcpStream::connect(address).expect("the shim listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a socket option");
    (&stream).write_all(&[text.as_bytes(), b"\r\n", &body].concat()).expect("the shim reads");
    read(&mut BufReader::new(&stream), Some(method)).unwrap_or_default()
}

/// The bytes of a body: text where the case gives text, else the JSON value.
fn body(message: &Value, text: &str) -> Vec<u8> {
    match (message.get(text).and_then(Value::as_str), message.get("body")) {
        (Some(text), _) => text.into(),
        (None, Some(body)) => body.to_string().into(),
        (None, None) => Vec::new(),
    }
}

/// One message; an answer when `asked` says by which method it was asked.
fn read(input: &mut impl BufRead, asked: Option<&str>) -> Option<Seen> {
    let mut line = String::new();
    input.read_line(&mut line).ok().filter(|n| *n > 0)?;
    let words: Vec<_> = line.split_whitespace().collect();
    let mut seen = Seen::default();
    match asked {
        Some(_) => seen.status = words.get(1)?.parse().ok()?,
        None => (seen.method, seen.target) = (words.first()?.to_string(), words.get(1)?.to_string()),
    }
    loop {
        let mut line = String::new();
        input.read_line(&mut line).ok().filter(|n| *n > 0)?;
        let Some((name, value)) = line.split_once(':') else { break };
        seen.headers.push((name.to_lowercase(), value.trim().to_owned()));
    }
    let bodyless = asked == Some("HEAD") || matches!(seen.status, 204 | 304);
    if seen.header("transfer-encoding").is_some_and(|coding| coding.contains("chunked")) {
        chunks(input, &mut seen.body)?;
    } else if let Some(length) = seen.header("content-length").and_then(|n| n.parse().ok()).filter(|_| !bodyless) {
        seen.body = vec![0; length];
        input.read_exact(&mut seen.body).ok()?;
    } else if asked.is_some() && !bodyless {
        input.read_to_end(&mut seen.body).ok()?;
    }
    Some(seen)
}

fn chunks(input: &mut impl BufRead, body: &mut Vec<u8>) -> Option<()> {
    loop {
        let mut line = String::new();
        input.read_line(&mut line).ok()?;
        let length = usize::from_str_radix(line.trim().split(';').next()?, 16).ok()?;
        let start = body.len();
        body.resize(start + length, 0);
        input.read_exact(&mut body[start..]).ok()?;
        line.clear();
        input.read_line(&mut line).ok()?;
        if length == 0 {
            return Some(());
        }
    }
}

/// `scimshim serve` before an app; killed when dropped.
pub(crate) struct Shim {
    child: Child,
    port: u16,
    config: PathBuf,
}

impl Shim {
    /// Starts it with a configuration that holds `upstream` and whatever else `config` says.
    pub(crate) fn start(upstream: &str, config: &str) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let file = std::env::temp_dir().join(format!("scimshim-it-{}-{number}.yaml", std::process::id()));
        fs::write(&file, format!("upstream: {{ url: \"{upstream}\" }}\n{config}\n")).expect("a temporary file");
        let (port, admin) = (free_port(), free_port());
        let mut child = Command::new(env!("CARGO_BIN_EXE_scimshim"))
            .arg("serve")
            .arg(&file)
            .args(["--listen", &format!("127.0.0.1:{port}"), "--admin", &format!("127.0.0.1:{admin}")])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let started = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            let ended = child.try_wait().expect("a child of ours");
            if ended.is_some() || started.elapsed() > PATIENCE {
                // Its end closes the pipe, so that reading ends.
                let _ = child.kill();
                let mut said = String::new();
                let _ = child.stderr.take().map(|mut pipe| pipe.read_to_string(&mut said));
                panic!("scimshim serve does not listen on {port}: {said}");
            }
            thread::sleep(Duration::from_millis(20));
        }
        // Nobody reads the log: drain it, or a full pipe would stop the shim.
        if let Some(mut pipe) = child.stderr.take() {
            thread::spawn(move || std::io::copy(&mut pipe, &mut std::io::sink()));
        }
        Self { child, port, config: file }
    }

    pub(crate) fn base(&self) -> String {
        format!("http://127.0.0.1:{}{BASE}", self.port)
    }

    /// The same port without the base.
    pub(crate) fn origin(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

impl Drop for Shim {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_file(&self.config);
    }
}
