//! How many instructions the engine takes for a body, and the whole program for an exchange: a gate, because it says
//! the same on every run, which no time does.
//!
//! `cargo bench --bench instructions` counts under callgrind and compares with `benches/instructions.json`; it fails,
//! with both numbers, where a body takes 3 % more or less than recorded, or an exchange 10 %. Less has to be recorded
//! too, or it could be lost again unseen: `UPDATE=1` does. Names as arguments choose cases. Each case is counted twice,
//! for few repetitions and for more, and what start and end cost falls out of the difference.
//!
//! An exchange is counted in the real program, one request after another on one connection, before an app that answers
//! at once; the instructions of the kernel are not in it. Callgrind knows no SHA extensions, so a digest counts for more
//! than it costs.

#![allow(missing_docs, clippy::print_stdout)]

use std::{
    collections::BTreeMap,
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Command, ExitCode, Stdio},
    thread,
    time::{Duration, Instant},
};

use http::{HeaderMap, Method, header::CONTENT_TYPE};
use scimshim::quirk::{Idp, Plan, PlanSettings};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

mod bodies;

const ENGINE_MAY_DIFFER: f64 = 0.03;
/// What wakes the program up when is the kernel's to say.
const EXCHANGE_MAY_DIFFER: f64 = 0.10;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [flag, case, times] = &arguments[..]
        && flag == "--walk"
    {
        walk(case, times.parse().expect("a number"));
        return ExitCode::SUCCESS;
    }
    if Command::new("valgrind").arg("--version").output().is_err() {
        assert!(
            std::env::var_os("SCIMSHIM_REQUIRE").is_none(),
            "valgrind is missing (Debian: apt-get install valgrind)"
        );
        println!("SKIPPED: valgrind is not installed (Debian: apt-get install valgrind)");
        return ExitCode::SUCCESS;
    }
    let chosen: Vec<&String> = arguments.iter().filter(|argument| !argument.starts_with('-')).collect();
    let wanted = |name: &str| chosen.is_empty() || chosen.iter().any(|part| name.contains(part.as_str()));
    let mut counted = BTreeMap::new();
    for body in bodies::all() {
        for kind in ["dirty", "clean"] {
            let name = format!("engine/{}/{kind}", body.name);
            if wanted(&name) {
                let (few, more) = if body.dirty.len() > 1 << 20 { (1, 3) } else { (5, 25) };
                counted.insert(name.clone(), difference(few, more, |times| count_walk(&name, times)));
            }
        }
    }
    for exchange in exchanges() {
        let name = format!("exchange/{}", exchange.name);
        if wanted(&name) {
            let (few, more) = exchange.times;
            counted.insert(name, difference(few, more, |times| count_exchange(&exchange, times)));
        }
    }
    judge(&counted)
}

/// Instructions of one, from the counts of few and of more.
fn difference(few: u64, more: u64, count: impl Fn(u64) -> u64) -> u64 {
    (count(more) - count(few)) / (more - few)
}

fn judge(counted: &BTreeMap<String, u64>) -> ExitCode {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/instructions.json");
    let mut recorded: BTreeMap<String, u64> =
        fs::read(&path).ok().map(|text| serde_json::from_slice(&text).expect("names and numbers")).unwrap_or_default();
    let (mut passed, mut failed) = (0, 0);
    println!("{:28} {:>12} {:>12} {:>8}", "instructions", "recorded", "counted", "change");
    for (name, &count) in counted {
        let allowed = if name.starts_with("engine/") { ENGINE_MAY_DIFFER } else { EXCHANGE_MAY_DIFFER };
        let before = recorded.get(name).copied().unwrap_or(0);
        let change = count as f64 / before.max(1) as f64 - 1.0;
        let verdict = if change.abs() <= allowed {
            passed += 1;
            ""
        } else {
            failed += 1;
            "  <- differs by more than is allowed; if it is meant to, UPDATE=1 records it"
        };
        println!("{name:28} {before:>12} {count:>12} {:>+7.1}%{verdict}", change * 100.0);
    }
    if std::env::var_os("UPDATE").is_some() {
        recorded.extend(counted.iter().map(|(name, count)| (name.clone(), *count)));
        let text = serde_json::to_string_pretty(&recorded).expect("names and numbers") + "\n";
        fs::write(&path, text).expect("the record can be written");
        println!("recorded in benches/instructions.json");
        return ExitCode::SUCCESS;
    }
    println!("{passed} passed, {failed} failed");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// A command under callgrind, run by `run` to its end; what it took.
fn callgrind(name: &str, command: &[&str], run: impl FnOnce(&mut Command)) -> u64 {
    let out = scratch().join(format!("{}.callgrind", name.replace('/', "-")));
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--tool=callgrind", "-q", &format!("--callgrind-out-file={}", out.display())]).args(command);
    run(&mut valgrind);
    let text = fs::read_to_string(&out).expect("what callgrind counted");
    let line = text.lines().find_map(|line| line.strip_prefix("totals: ").or_else(|| line.strip_prefix("summary: ")));
    line.and_then(|line| line.split(' ').next()?.parse().ok()).expect("a total")
}

fn scratch() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("instructions");
    fs::create_dir_all(&folder).expect("a folder below target/");
    folder
}

// The engine.

fn count_walk(name: &str, times: u64) -> u64 {
    let this = std::env::current_exe().expect("this program");
    let this = this.to_str().expect("a path in UTF-8");
    callgrind(name, &[this, "--walk", name, &times.to_string()], |valgrind| {
        assert!(valgrind.status().expect("valgrind runs").success(), "{name}");
    })
}

/// Walks a body so many times.
fn walk(name: &str, times: u64) {
    let mut parts = name.split('/').skip(1);
    let (body, kind) = (parts.next().expect("a body"), parts.next().expect("a kind"));
    let body = bodies::all().into_iter().find(|known| known.name == body).expect("a known body");
    let bytes = if kind == "dirty" { &body.dirty } else { &body.clean };
    let plan = Plan::new(&PlanSettings::default(), Idp::Entra);
    let method: Method = body.method.parse().expect("a method");
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, "application/scim+json".parse().expect("a header value"));
    for _ in 0..times {
        body.walk(&plan, &method, &headers, bytes);
    }
}

// The whole program.

/// A request and its answer.
struct Exchange {
    name: &'static str,
    method: &'static str,
    target: &'static str,
    sent: Vec<u8>,
    answer: Vec<u8>,
    times: (u64, u64),
}

fn exchanges() -> Vec<Exchange> {
    let body = |name: &str| bodies::all().into_iter().find(|body| body.name == name).expect("a known body");
    let list = body("list-150kB").clean;
    let users: Value = serde_json::from_slice(&list).expect("legal JSON");
    let user = users["Resources"][0].to_string().into_bytes();
    let exchange = |name, method, target, sent: Vec<u8>, answer: &[u8], times| Exchange {
        name,
        method,
        target,
        sent,
        answer: answer.to_vec(),
        times,
    };
    vec![
        exchange("get-user", "GET", "/Users/1", Vec::new(), &user, (100, 300)),
        exchange("patch-user", "PATCH", "/Users/1", body("patch-0.3kB").dirty, &user, (100, 300)),
        exchange("post-user", "POST", "/Users", body("user-1.3kB").dirty, &user, (100, 300)),
        exchange("get-list", "GET", "/Users?startIndex=1&count=100", Vec::new(), &list, (10, 30)),
        exchange("patch-group", "PATCH", "/Groups/1", body("group-84kB").dirty, b"", (10, 30)),
    ]
}

const TOKEN: &str = "QmVuY2hPbmx5Tm9TZWNyZXRRbVZ1WTJoUGJteDVUbTlUWldOeVpYUg";

fn count_exchange(exchange: &Exchange, times: u64) -> u64 {
    let app = app(&exchange.answer);
    let door = free();
    let config = scratch().join(format!("{}.yaml", exchange.name));
    fs::write(&config, configuration(door, app)).expect("a file below target/");
    let program = env!("CARGO_BIN_EXE_scimshim");
    callgrind(exchange.name, &[program, "serve", config.to_str().expect("a path in UTF-8")], |valgrind| {
        let mut shim = valgrind.stderr(Stdio::null()).stdout(Stdio::null()).spawn().expect("valgrind runs");
        let mut client = connect(door);
        let request = request(exchange);
        for _ in 0..times {
            client.write_all(&request).expect("the shim reads");
            assert!(read(&mut client).0.starts_with(b"HTTP/1.1 20"), "{}", exchange.name);
        }
        drop(client);
        let told = Command::new("kill").args(["-TERM", &shim.id().to_string()]).status();
        assert!(told.expect("kill runs").success());
        shim.wait().expect("the shim ends");
    })
}

fn configuration(door: SocketAddr, app: SocketAddr) -> String {
    let digest: String = Sha256::digest(TOKEN).iter().map(|byte| format!("{byte:02x}")).collect();
    format!(
        r#"listen: {{ address: "{door}", base_path: /scim/v2, limits: {{ drain: 1s }} }}
admin: {{ address: "127.0.0.1:0" }}
upstream: {{ url: "http://{app}/scim/v2" }}
tenants:
  resolve: [token]
  list:
    acme:
      idp: entra
      tokens: [{{ name: one, sha256: "{digest}" }}]
      rate_limit:
        reads: {{ per_second: 1000000, burst: 1000000 }}
        writes: {{ per_second: 1000000, burst: 1000000 }}
        lookups: {{ per_second: 1000000, burst: 1000000 }}
        concurrency: 100
      allow: {{ mode: enforce, cidrs: ["127.0.0.0/8", "192.0.2.0/24"] }}
"#
    )
}

fn request(exchange: &Exchange) -> Vec<u8> {
    let Exchange { method, target, sent, .. } = exchange;
    let mut request = format!(
        "{method} /scim/v2{target} HTTP/1.1\r\nHost: app.example\r\nAuthorization: Bearer {TOKEN}\r\n\
         Accept: application/scim+json\r\n"
    );
    if !sent.is_empty() {
        request += &format!("Content-Type: application/scim+json; charset=utf-8\r\nContent-Length: {}\r\n", sent.len());
    }
    [request.as_bytes(), b"\r\n", sent].concat()
}

/// An app that answers everything with this body.
fn app(body: &[u8]) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let mut answer = b"HTTP/1.1 204 No Content\r\n\r\n".to_vec();
    if !body.is_empty() {
        answer =
            format!("HTTP/1.1 200 OK\r\nContent-Type: application/scim+json\r\nContent-Length: {}\r\n\r\n", body.len())
                .into_bytes();
        answer.extend_from_slice(body);
    }
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, answer) = (stream.expect("a connection"), answer.clone());
            thread::spawn(move || while !read(&mut stream).0.is_empty() && stream.write_all(&answer).is_ok() {});
        }
    });
    address
}

/// One message with its body; empty at the end of the stream.
fn read(stream: &mut TcpStream) -> (Vec<u8>, Vec<u8>) {
    let mut message = Vec::new();
    let mut piece = [0; 1 << 16];
    loop {
        if let Some(end) = message.windows(4).position(|window| window == b"\r\n\r\n") {
            let body = message.split_off(end + 4);
            let head = String::from_utf8_lossy(&message).to_ascii_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok()).unwrap_or(0);
            return (message, rest(stream, body, length));
        }
        match stream.read(&mut piece) {
            Ok(0) | Err(_) => return (Vec::new(), Vec::new()),
            Ok(read) => message.extend_from_slice(&piece[..read]),
        }
    }
}

fn rest(stream: &mut TcpStream, mut body: Vec<u8>, length: usize) -> Vec<u8> {
    let got = body.len();
    body.resize(length.max(got), 0);
    stream.read_exact(&mut body[got..]).expect("the whole body");
    body
}

fn free() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port")
}

fn connect(door: SocketAddr) -> TcpStream {
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        match TcpStream::connect(door) {
            Ok(stream) => {
                stream.set_nodelay(true).expect("a socket");
                return stream;
            }
            Err(error) => assert!(Instant::now() < end, "the shim does not listen: {error}"),
        }
        thread::sleep(Duration::from_millis(50));
    }
}
