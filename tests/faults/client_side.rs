//! What a client can do to a request, or to a connection.

use std::{
    io::{self, Write as _},
    net::Shutdown,
    thread::sleep,
    time::{Duration, Instant},
};

use flate2::{Compression, write::GzEncoder};

use super::{
    app::{Step, answer, good},
    h2,
    line::{Line, request},
    scene::{NEW, Outcome, Scene, Stage},
    twice,
};

const MILLI: fn(u64) -> Duration = Duration::from_millis;

/// Clients that do the same at the same time.
const MANY: usize = 50;

/// Each of many clients says `first` and then a byte now and then; all are told `status`.
fn slowly(name: &str, first: fn(&Scene) -> String, status: u16) -> Option<Outcome> {
    twice(name, Stage::default(), |scene| {
        let first = first(scene);
        let mut lines: Vec<Line> = (0..MANY).map(|_| Line::open(scene.shim.data)).collect();
        lines.iter_mut().for_each(|line| assert!(line.say(&first)));
        let began = Instant::now();
        while began.elapsed() < MILLI(2500) {
            lines.iter_mut().for_each(|line| {
                line.say("a");
            });
            sleep(MILLI(100));
        }
        for mut line in lines {
            let answer = line.answer();
            scene.told(answer.as_ref());
            assert_eq!(answer.map(|answer| answer.status), Some(status));
        }
        scene.refused("slow", MANY);
        assert!(scene.app.seen().is_empty());
    })
}

pub(crate) fn slow_head(name: &str) -> Option<Outcome> {
    slowly(name, |scene| format!("GET {} HTTP/1.1\r\nhost: a\r\nx-a: ", scene.target("/Users")), 408)
}

pub(crate) fn slow_body(name: &str) -> Option<Outcome> {
    let first = |scene: &Scene| {
        let target = scene.target("/Users");
        format!(
            "POST {target} HTTP/1.1\r\nhost: a\r\ncontent-type: application/scim+json\r\ncontent-length: 9999\r\n\r\n{{"
        )
    };
    slowly(name, first, 408)
}

/// Connections whose other end has gone without a word.
pub(crate) fn half_open(name: &str) -> Option<Outcome> {
    twice(name, Stage::default(), |scene| {
        let target = scene.target("/Users");
        let post = format!("POST {target} HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\n{{");
        let mut lines: Vec<(Line, Option<u16>)> = Vec::new();
        for (first, status) in [("", None), ("GET / HT", Some(408)), (&post, Some(408))] {
            for _ in 0..MANY {
                let mut line = Line::open(scene.shim.data);
                assert!(line.say(first));
                lines.push((line, status));
            }
        }
        let mut kept = Line::open(scene.shim.data);
        kept.say(request("GET", &scene.target("/Users/1"), "", b""));
        scene.told(kept.answer().as_ref());
        for (mut line, status) in lines {
            let answer = line.answer();
            assert_eq!(answer.as_ref().map(|answer| answer.status), status);
            scene.told(answer.as_ref());
            assert!(line.ended());
        }
        assert!(kept.ended(), "one that is idle for too long");
        scene.refused("slow", 2 * MANY);
    })
}

/// A client that says that it will send no more, and waits for its answer.
pub(crate) fn half_closed(name: &str) -> Option<Outcome> {
    twice(name, Stage::default(), |scene| {
        scene.app.does(&[Step::Wait(MILLI(200)), good()]);
        for method in ["GET", "POST", "GET", "POST"] {
            let mut line = Line::open(scene.shim.data);
            let body = if method == "POST" { NEW.as_bytes() } else { b"" };
            let rest = if method == "POST" { "/Users" } else { "/Users/1" };
            line.say(request(method, &scene.target(rest), "", body));
            line.stream.shutdown(Shutdown::Write).unwrap();
            let answer = line.answer();
            scene.told(answer.as_ref());
            assert!(answer.is_none(), "{answer:?}");
            scene.left(1);
        }
    })
}

/// A client that goes away in the middle of its body.
pub(crate) fn leaves(name: &str) -> Option<Outcome> {
    twice(name, Stage::default(), |scene| {
        let before = scene.since("scimshim_refusals_total", |_| true);
        let head = format!("POST {} HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\n{{", scene.target("/Users"));
        for _ in 0..MANY {
            assert!(Line::open(scene.shim.data).say(&head));
        }
        // Nobody reads it, but what came is what it says.
        scene.happened("400, unread", MANY);
        scene.refused("malformed", MANY);
        scene.eventually("all are counted", |scene| {
            scene.since("scimshim_refusals_total", |_| true) - before >= MANY as f64
        });
        assert!(scene.app.seen().is_empty());
    })
}

/// A client that reads nothing of its answer.
pub(crate) fn reads_nothing(name: &str) -> Option<Outcome> {
    twice(name, Stage::default(), |scene| {
        scene.app.does(&[Step::Say(answer(&" ".repeat(8 << 20)))]);
        let before = scene.since("scimshim_clients_left_total", |_| true);
        let lines: Vec<Line> = (0..4)
            .map(|_| {
                let mut line = Line::open(scene.shim.data);
                line.say(request("GET", &scene.target("/Users"), "", b""));
                line
            })
            .collect();
        scene.eventually("all are let go", |scene| {
            scene.since("scimshim_clients_left_total", |_| true) - before >= lines.len() as f64
        });
        scene.unread(lines.len());
        scene.happened("200, left", lines.len());
    })
}

/// As many as may be open, none of which sends anything after its first request; then somebody else comes.
pub(crate) fn idle_connections(name: &str) -> Option<Outcome> {
    const CONNECTIONS: usize = 10_000;
    let limits = "header_timeout: 60s, idle_timeout: 60s, deadline: 10s, drain: 5s, connections: 10000".to_owned();
    // Each is a file here too.
    let files = rlimit::increase_nofile_limit(u64::MAX).unwrap();
    if files < 2 * CONNECTIONS as u64 {
        return super::skip(
            name,
            &format!("{files} open files are too few for {CONNECTIONS} connections; raise ulimit -n"),
        );
    }
    twice(name, Stage { limits, ..Stage::default() }, |scene| {
        let mut idle = Vec::new();
        for _ in 0..CONNECTIONS {
            let mut line = Line::open(scene.shim.data);
            // What only connects is not asked to go: it may be about to send.
            line.say(request("GET", &scene.target("/Users/1"), "", b""));
            let answer = line.answer();
            scene.told(answer.as_ref());
            assert_eq!(answer.map(|answer| answer.status), Some(200));
            idle.push(line);
        }
        for _ in 0..3 {
            let answer = scene.ask("GET", "", b"");
            assert_eq!(answer.map(|answer| answer.status), Some(200), "who comes is let in");
        }
        idle.reverse();
        let open = idle.iter_mut().map(Line::is_open).filter(|open| *open).count();
        assert!(open >= CONNECTIONS - 100, "{open} of {CONNECTIONS} are left");
    })
}

/// A request that is refused before the app hears of it.
fn refused(name: &str, status: u16, reason: &'static str, make: fn(&Scene) -> Vec<u8>) -> Option<Outcome> {
    twice(name, Stage::default(), |scene| {
        let request = make(scene);
        for _ in 0..4 {
            let mut line = Line::open(scene.shim.data);
            // It may be refused before all of it is out.
            line.say(&request);
            let answer = line.answer();
            scene.told(answer.as_ref());
            assert_eq!(answer.map(|answer| answer.status), Some(status), "{}", scene.log());
        }
        scene.refused(reason, 4);
        assert!(scene.app.seen().is_empty());
    })
}

pub(crate) fn no_utf8(name: &str) -> Option<Outcome> {
    refused(name, 400, "malformed", |scene| {
        request("POST", &scene.target("/Users"), "", b"{\"schemas\":[],\"userName\":\"\xff\xfe\"}")
    })
}

pub(crate) fn large_head(name: &str) -> Option<Outcome> {
    refused(name, 431, "header", |scene| {
        request("GET", &scene.target("/Users/1"), &format!("x-long: {}\r\n", "a".repeat(1 << 20)), b"")
    })
}

pub(crate) fn cut_gzip(name: &str) -> Option<Outcome> {
    refused(name, 400, "malformed", |scene| {
        let mut body = gzip(NEW.as_bytes());
        body.truncate(body.len() - 10);
        request("POST", &scene.target("/Users"), "content-encoding: gzip\r\n", &body)
    })
}

pub(crate) fn gzip_bomb(name: &str) -> Option<Outcome> {
    refused(name, 413, "too_large", |scene| {
        request("POST", &scene.target("/Users"), "content-encoding: gzip\r\n", &gzip(&vec![b' '; 64 << 20]))
    })
}

pub(crate) fn endless(name: &str) -> Option<Outcome> {
    refused(name, 413, "too_large", |scene| {
        let head = format!("POST {} HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n", scene.target("/Users"));
        let chunk = [format!("{:x}\r\n", 1 << 16).as_bytes(), &vec![b' '; 1 << 16], b"\r\n"].concat();
        [head.into_bytes(), chunk.repeat(40)].concat()
    })
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// What stands for a request that somebody hides in the body of another.
const HIDDEN: &str = "GET /t/victim/scim/v2/Users/hidden HTTP/1.1\r\nhost: a\r\n\r\n";

/// Heads of one request, as a proxy before us could read them, and what follows: bytes that are a second request for who
/// reads them otherwise. `{n}` is the length of what follows.
const PAIRS: &[(&str, &str)] = &[
    ("length and chunks", "content-length: {n}\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"),
    ("chunks and length", "transfer-encoding: chunked\r\ncontent-length: {n}\r\n\r\n0\r\n\r\n"),
    ("chunks, and no length", "transfer-encoding: chunked\r\ncontent-length: 0\r\n\r\n0\r\n\r\n"),
    ("blank before the colon", "transfer-encoding : chunked\r\ncontent-length: {n}\r\n\r\n0\r\n\r\n"),
    ("blank before the name", " transfer-encoding: chunked\r\ncontent-length: {n}\r\n\r\n0\r\n\r\n"),
    ("tab before the coding", "transfer-encoding:\tchunked\r\ncontent-length: {n}\r\n\r\n0\r\n\r\n"),
    ("vertical tab before the coding", "transfer-encoding:\x0bchunked\r\ncontent-length: {n}\r\n\r\n0\r\n\r\n"),
    ("coding in capitals", "Transfer-Encoding: CHUNKED\r\ncontent-length: {n}\r\n\r\n0\r\n\r\n"),
    ("coding that is none", "transfer-encoding: xchunked\r\ncontent-length: {n}\r\n\r\n0\r\n\r\n"),
    ("coding in quotes", "transfer-encoding: \"chunked\"\r\ncontent-length: {n}\r\n\r\n0\r\n\r\n"),
    ("two codings in one field", "transfer-encoding: identity, chunked\r\ncontent-length: {n}\r\n\r\n0\r\n\r\n"),
    (
        "two codings in two fields",
        "transfer-encoding: chunked\r\ntransfer-encoding: x\r\ncontent-length: {n}\r\n\r\n0\r\n\r\n",
    ),
    ("chunked is not the last", "transfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n"),
    ("coding on a folded line", "transfer-encoding:\r\n chunked\r\ncontent-length: {n}\r\n\r\n0\r\n\r\n"),
    ("coding behind a bare line feed", "x-a: b\ntransfer-encoding: chunked\r\ncontent-length: {n}\r\n\r\n0\r\n\r\n"),
    ("length behind a bare line feed", "x-a: b\ncontent-length: 0\r\ncontent-length: {n}\r\n\r\n"),
    (
        "coding behind a bare carriage return",
        "x-a: b\rtransfer-encoding: chunked\r\ncontent-length: {n}\r\n\r\n0\r\n\r\n",
    ),
    ("coding behind a zero byte", "x-a: b\0\r\ntransfer-encoding: chunked\r\ncontent-length: {n}\r\n\r\n0\r\n\r\n"),
    ("two lengths", "content-length: 0\r\ncontent-length: {n}\r\n\r\n"),
    ("two lengths, the other way", "content-length: {n}\r\ncontent-length: 0\r\n\r\n"),
    ("two lengths in one field", "content-length: 0, {n}\r\n\r\n"),
    ("a length with a sign", "content-length: +0\r\n\r\n"),
    ("a length below nothing", "content-length: -1\r\n\r\n"),
    ("a length in hexadecimal", "content-length: 0x0\r\n\r\n"),
    ("a length with a blank in it", "content-length: 0 0\r\n\r\n"),
    ("a length with a comma", "content-length: 0,\r\n\r\n"),
    ("a length that is none", "content-length: \r\n\r\n"),
    ("a length that is too long for anybody", "content-length: 99999999999999999999999\r\n\r\n"),
    ("a length with a low line", "content_length: {n}\r\ncontent-length: {n}\r\n\r\n"),
    ("a chunk size below nothing", "transfer-encoding: chunked\r\n\r\n-1\r\n\r\n"),
    ("a chunk size that overflows", "transfer-encoding: chunked\r\n\r\n10000000000000000\r\n\r\n"),
    ("a chunk size with 0x", "transfer-encoding: chunked\r\n\r\n0x0\r\n\r\n"),
    ("a chunk size behind a blank", "transfer-encoding: chunked\r\n\r\n 0\r\n\r\n"),
    ("a line feed in a chunk extension", "transfer-encoding: chunked\r\n\r\n2;a\nxx\r\n0\r\n\r\n"),
    ("a chunk that is longer than it says", "transfer-encoding: chunked\r\n\r\n2\r\n{}x\r\n0\r\n\r\n"),
    ("a chunk that ends in two bytes of anything", "transfer-encoding: chunked\r\n\r\n2\r\n{}xx0\r\n\r\n"),
    ("trailers", "transfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\ncontent-length: {n}\r\n\r\n"),
    (
        "an upgrade to HTTP/2",
        "connection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABk\r\ncontent-length: {n}\r\n\r\n",
    ),
    (
        "an expectation, and both lengths",
        "expect: 100-continue\r\ncontent-length: {n}\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    ),
    ("a field that names the length as its own", "connection: content-length\r\ncontent-length: {n}\r\n\r\n"),
    (
        "a field that names the coding as its own",
        "connection: transfer-encoding\r\ntransfer-encoding: chunked\r\ncontent-length: {n}\r\n\r\n0\r\n\r\n",
    ),
];

pub(crate) fn smuggling(name: &str) -> Option<Outcome> {
    twice(name, Stage::default(), |scene| {
        for (what, pair) in PAIRS {
            for version in ["HTTP/1.1", "HTTP/1.0"] {
                let before = scene.app.seen().len();
                let head = format!("POST {} {version}\r\nhost: a\r\n", scene.target("/Users"));
                let follows = pair.split_once("\r\n\r\n").map_or(0, |(_, body)| body.len()) + HIDDEN.len();
                let pair = pair.replace("{n}", &follows.to_string());
                let mut line = Line::open(scene.shim.data);
                line.say(format!("{head}{pair}{HIDDEN}"));
                line.stream.set_read_timeout(Some(MILLI(5000))).unwrap();
                let mut answers = Vec::new();
                while let Some(answer) = line.answer() {
                    scene.told(Some(&answer));
                    answers.push(answer);
                }
                let seen = scene.app.seen();
                let seen = &seen[before..];
                assert!(seen.iter().all(|seen| !seen.line.contains("hidden")), "{what}, {version}: {seen:?}");
                assert!(seen.len() <= 1 && answers.len() <= 1, "{what}, {version}: {seen:?} {answers:?}");
                let status = answers.first().map(|answer| answer.status);
                match status {
                    Some(400) => scene.refused("malformed", 1),
                    Some(413) => scene.refused("too_large", 1),
                    Some(501) => scene.refused("unsupported", 1),
                    Some(408) => scene.refused("slow", 1),
                    status => panic!("{what}, {version}: {status:?}, {seen:?}\n{}", scene.log()),
                }
                // Where it was told something, and the app asked, the two would disagree on where the request ends.
                assert!(seen.is_empty(), "{what}, {version}: {status:?}, {seen:?}");
            }
        }
    })
}

pub(crate) fn h2_rapid_reset(name: &str) -> Option<Outcome> {
    const STREAMS: u32 = 5000;
    twice(name, Stage::default(), |scene| {
        scene.app.does(&[Step::Wait(MILLI(100)), good()]);
        let block = h2::get(&scene.target("/Users/1"));
        let before = scene.since("scimshim_requests_total", |labels| labels.contains("code=\"499\""));
        let mut client = h2::Client::open(scene.shim.data);
        let attack: Vec<u8> = (0..STREAMS)
            .flat_map(|number| {
                let id = 2 * number + 1;
                let head = h2::frame(h2::HEADERS, h2::END_HEADERS | h2::END_STREAM, id, &block);
                [head, h2::frame(h2::RST_STREAM, 0, id, &[0, 0, 0, 8])].concat()
            })
            .collect();
        client.say(&attack);
        let end = client.ended();
        assert_eq!(end, "GOAWAY, enhance your calm");
        scene.happened(&end, 1);
        scene.quiet();
        // Those that had begun when they were given up.
        let left = scene.since("scimshim_requests_total", |labels| labels.contains("code=\"499\"")) - before;
        assert!(left < 200.0, "{left}");
        scene.left(left as usize);
    })
}

/// Frames of one kind without end; the connection ends by itself.
fn flood(name: &str, end: &'static [&'static str], make: fn(&Scene) -> (Vec<u8>, Vec<u8>)) -> Option<Outcome> {
    twice(name, Stage::default(), |scene| {
        let (first, more) = make(scene);
        let mut client = h2::Client::open(scene.shim.data);
        client.say(&first);
        let piece = more.repeat((1 << 16) / more.len());
        let mut said = 0;
        while said < 64 << 20 && client.say(&piece) {
            said += piece.len();
        }
        assert!(said < 64 << 20, "it takes {said} bytes of that");
        let told = client.ended();
        assert!(end.contains(&&*told), "{told}");
        scene.happened("closed", 1);
        assert!(scene.app.seen().is_empty());
        let (most, before) = (scene.most(), scene.before());
        assert!(most <= before + (16 << 10), "{most} KiB at most, {before} KiB at the start");
    })
}

pub(crate) fn h2_continuations(name: &str) -> Option<Outcome> {
    flood(name, &["closed", "GOAWAY, enhance your calm", "GOAWAY 1"], |scene| {
        let begin = h2::frame(h2::HEADERS, h2::END_STREAM, 1, &h2::get(&scene.target("/Users/1")));
        (begin, h2::frame(h2::CONTINUATION, 0, 1, &h2::block(&[("x-a", &"a".repeat(100))])))
    })
}

pub(crate) fn h2_empty_continuations(name: &str) -> Option<Outcome> {
    flood(name, &["closed", "GOAWAY, enhance your calm", "GOAWAY 1"], |scene| {
        let begin = h2::frame(h2::HEADERS, h2::END_STREAM, 1, &h2::get(&scene.target("/Users/1")));
        (begin, h2::frame(h2::CONTINUATION, 0, 1, &[]))
    })
}

/// It reads none of the answers to them.
pub(crate) fn h2_pings(name: &str) -> Option<Outcome> {
    flood(name, &["closed", "GOAWAY, enhance your calm"], |_| (Vec::new(), h2::frame(h2::PING, 0, 0, &[7; 8])))
}

impl Line {
    /// Whether the other side has not closed it.
    fn is_open(&mut self) -> bool {
        self.stream.set_nonblocking(true).unwrap();
        self.stream.peek(&mut [0]).is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    }
}
