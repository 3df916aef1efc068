//! What an app can do to an answer.

use std::{io::Write as _, time::Duration};

use flate2::{Compression, write::GzEncoder};

use super::{
    app::{App, Seen, Step, answer, user},
    h2,
    line::{Line, request},
    scene::{NEW, Outcome, Scene, Stage},
    twice,
};

const MILLI: fn(u64) -> Duration = Duration::from_millis;

/// GETs, and as many POSTs, at the same time.
const AT_ONCE: usize = 4;

/// What comes of a broken answer.
struct Wanted {
    status: u16,
    /// Where the shim answers itself.
    reason: Option<&'static str>,
    /// How often the app is asked for one GET. For a POST it is once, whatever happens.
    tries: usize,
    /// Where the app's body goes on as it came.
    body: Option<Vec<u8>>,
    /// It goes on because it cannot be read.
    unread: bool,
}

impl Wanted {
    const fn refused(status: u16, reason: &'static str, tries: usize) -> Self {
        Self { status, reason: Some(reason), tries, body: None, unread: false }
    }

    fn passed(body: impl Into<Vec<u8>>, unread: bool) -> Self {
        Self { status: 200, reason: None, tries: 1, body: Some(body.into()), unread }
    }
}

fn broken(name: &str, steps: &[Step], wanted: &Wanted) -> Option<Outcome> {
    twice(name, Stage::default(), |scene| {
        scene.app.does(steps);
        let before = scene.app.seen().len();
        let answers = if wanted.reason.is_some() {
            scene.ask_at_once(AT_ONCE)
        } else {
            (0..AT_ONCE).map(|_| ("GET", scene.ask("GET", "", b""))).collect()
        };
        for (method, answer) in &answers {
            let answer = answer.as_ref().unwrap_or_else(|| panic!("{method}: no answer\n{}", scene.log()));
            assert_eq!((answer.status, answer.whole), (wanted.status, true), "{method}: {answer:?}");
            match (wanted.reason, &wanted.body) {
                (Some(_), _) => {
                    assert_eq!(answer.header("content-type"), Some("application/scim+json"), "{answer:?}");
                    assert!(answer.text().contains("urn:ietf:params:scim:api:messages:2.0:Error"), "{answer:?}");
                    // Whoever reads it must not take it for "not done".
                    assert_eq!(answer.text().contains("is unknown"), wanted.status != 503, "{answer:?}");
                }
                (None, Some(body)) => assert!(answer.body == *body, "{answer:?}"),
                (None, None) => {}
            }
        }
        if let Some(reason) = wanted.reason {
            scene.refused(reason, answers.len());
        }
        scene.unread(if wanted.unread { answers.len() } else { 0 });
        let seen = scene.app.seen();
        let count = |method: &str| seen[before..].iter().filter(|seen| seen.is(method)).count();
        let is_whole = |seen: &Seen| !seen.is("POST") || seen.body == NEW.as_bytes();
        assert!(seen[before..].iter().all(is_whole), "{seen:?}");
        let posts = answers.iter().filter(|(method, _)| *method == "POST").count();
        assert_eq!((count("GET"), count("POST")), (AT_ONCE * wanted.tries, posts), "what the app was asked");
    })
}

fn said(text: &str) -> Step {
    Step::Say(text.as_bytes().to_vec())
}

fn head(fields: &str) -> String {
    format!("HTTP/1.1 200 OK\r\ncontent-type: application/scim+json\r\n{fields}\r\n")
}

/// So that what was said goes out before what follows.
const SHORTLY: Step = Step::Wait(Duration::from_millis(50));

pub(crate) fn reset_before_head(name: &str) -> Option<Outcome> {
    broken(name, &[Step::Reset], &Wanted::refused(502, "upstream", 3))
}

pub(crate) fn reset_in_head(name: &str) -> Option<Outcome> {
    broken(name, &[said("HTTP/1.1 200 OK\r\ncontent-ty"), SHORTLY, Step::Reset], &Wanted::refused(502, "upstream", 3))
}

pub(crate) fn reset_after_head(name: &str) -> Option<Outcome> {
    let steps = [said(&head("content-length: 100\r\n")), SHORTLY, Step::Reset];
    broken(name, &steps, &Wanted::refused(502, "upstream", 1))
}

pub(crate) fn reset_in_body(name: &str) -> Option<Outcome> {
    let steps = [said(&head("content-length: 100\r\n")), said("{\"schemas\":["), SHORTLY, Step::Reset];
    broken(name, &steps, &Wanted::refused(502, "upstream", 1))
}

pub(crate) fn reset_in_chunks(name: &str) -> Option<Outcome> {
    let steps = [said(&head("transfer-encoding: chunked\r\n")), said("c\r\n{\"schemas\":[\r\n"), SHORTLY, Step::Close];
    broken(name, &steps, &Wanted::refused(502, "upstream", 1))
}

pub(crate) fn length_too_long(name: &str) -> Option<Outcome> {
    let steps = [said(&head("content-length: 500\r\n")), said(&user("victim")), Step::Close];
    broken(name, &steps, &Wanted::refused(502, "upstream", 1))
}

pub(crate) fn length_too_short(name: &str) -> Option<Outcome> {
    let steps = [said(&head("content-length: 10\r\n")), said(&user("victim"))];
    broken(name, &steps, &Wanted::passed(&user("victim").as_bytes()[..10], true))
}

pub(crate) fn second_answer(name: &str) -> Option<Outcome> {
    // In one write, so that it is there when the connection is to be used again.
    let steps = [Step::Say([answer(&user("victim")), answer(&user("stranger"))].concat())];
    broken(name, &steps, &Wanted::passed(user("victim"), false))
}

/// It comes while nobody waits for one. Had another request been given to that connection meanwhile, nothing could tell
/// that it is not its answer; so the bystander's app is at another address here.
pub(crate) fn late_second_answer(name: &str) -> Option<Outcome> {
    let upstream = "url: 'http://127.0.0.{tenant}:{port}/{tenant}/scim/v2', hold: 1s".to_owned();
    let app = App::start();
    let port = app.address.port();
    let scene = Scene::at(name, Stage { upstream, names: ["1", "2"], ..Stage::default() }, app, port);
    let play = |scene: &mut Scene| {
        let late = [Step::Say(answer(&user("victim"))), Step::Wait(MILLI(30)), Step::Say(answer(&user("stranger")))];
        scene.app.does(&late);
        for _ in 0..AT_ONCE {
            let answer = scene.ask("GET", "", b"").unwrap();
            assert_eq!((answer.status, answer.text()), (200, user("victim")));
            std::thread::sleep(MILLI(100));
        }
    };
    super::run(scene, play)
}

pub(crate) fn both_lengths(name: &str) -> Option<Outcome> {
    let body = user("victim");
    let chunks = format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
    let steps = [said(&head("content-length: 5\r\ntransfer-encoding: chunked\r\n")), said(&chunks)];
    broken(name, &steps, &Wanted::passed(body, false))
}

pub(crate) fn two_lengths(name: &str) -> Option<Outcome> {
    let steps = [said(&head("content-length: 5\r\ncontent-length: 7\r\n")), said("{}     ")];
    broken(name, &steps, &Wanted::refused(502, "upstream", 3))
}

pub(crate) fn slow_answer(name: &str) -> Option<Outcome> {
    let steps = [said(&head("content-length: 100\r\n")), Step::Drip(vec![b' '; 100], MILLI(1000))];
    broken(name, &steps, &Wanted::refused(504, "deadline", 1))
}

pub(crate) fn slow_head(name: &str) -> Option<Outcome> {
    let steps = [Step::Drip(head("content-length: 2\r\n").into_bytes(), MILLI(200))];
    broken(name, &steps, &Wanted::refused(504, "deadline", 1))
}

pub(crate) fn silent(name: &str) -> Option<Outcome> {
    broken(name, &[Step::Hang], &Wanted::refused(504, "deadline", 1))
}

pub(crate) fn half_closed(name: &str) -> Option<Outcome> {
    broken(name, &[Step::HalfClose, Step::Hang], &Wanted::refused(502, "upstream", 3))
}

pub(crate) fn interim_flood(name: &str) -> Option<Outcome> {
    let steps = [Step::Pour(b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n".repeat(20), MILLI(5))];
    broken(name, &steps, &Wanted::refused(504, "deadline", 1))
}

pub(crate) fn switches_protocols(name: &str) -> Option<Outcome> {
    let steps =
        [said("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n"), Step::Hang];
    broken(name, &steps, &Wanted::refused(502, "upstream", 1))
}

pub(crate) fn no_http(name: &str) -> Option<Outcome> {
    broken(name, &[said("SSH-2.0-OpenSSH_9.6\r\n"), Step::Hang], &Wanted::refused(502, "upstream", 3))
}

pub(crate) fn large_head(name: &str) -> Option<Outcome> {
    let steps = [said(&head(&format!("x-long: {}\r\ncontent-length: 0\r\n", "a".repeat(1 << 20)))), Step::Hang];
    broken(name, &steps, &Wanted::refused(502, "upstream", 3))
}

pub(crate) fn empty(name: &str) -> Option<Outcome> {
    broken(name, &[said(&head("content-length: 0\r\n"))], &Wanted::passed("", false))
}

pub(crate) fn no_utf8(name: &str) -> Option<Outcome> {
    let body = b"{\"userName\":\"\xff\xfe\"}";
    let steps = [said(&head(&format!("content-length: {}\r\n", body.len()))), Step::Say(body.to_vec())];
    broken(name, &steps, &Wanted::passed(&body[..], true))
}

pub(crate) fn cut_gzip(name: &str) -> Option<Outcome> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(user("victim").as_bytes()).unwrap();
    let mut body = encoder.finish().unwrap();
    body.truncate(body.len() - 10);
    let fields = format!("content-encoding: gzip\r\ncontent-length: {}\r\n", body.len());
    let steps = [said(&head(&fields)), Step::Say(body.clone())];
    broken(name, &steps, &Wanted::passed(body, true))
}

/// Over what is repaired, so it is streamed.
pub(crate) fn large(name: &str) -> Option<Outcome> {
    const PIECE: usize = 1 << 20;
    const PIECES: usize = 100;
    twice(name, Stage::default(), |scene| {
        let fields = format!("content-length: {}\r\n", PIECE * PIECES);
        scene.app.does(&[said(&head(&fields)), Step::Repeat(vec![b' '; PIECE], PIECES)]);
        let answer = scene.ask("GET", "", b"").unwrap();
        assert_eq!((answer.status, answer.whole, answer.body.len()), (200, true, PIECE * PIECES));
        scene.unread(1);
        holds_at_most(scene, 48 << 10);
    })
}

pub(crate) fn endless(name: &str) -> Option<Outcome> {
    const ENOUGH: usize = 64 << 20;
    twice(name, Stage::default(), |scene| {
        let chunk = [format!("{:x}\r\n", 1 << 16).as_bytes(), &vec![b' '; 1 << 16], b"\r\n"].concat();
        scene.app.does(&[said(&head("transfer-encoding: chunked\r\n")), Step::Repeat(chunk, usize::MAX)]);
        let mut line = Line::open(scene.shim.data);
        line.say(request("GET", &scene.target("/Users/1"), "", b""));
        let taken = line.take(ENOUGH);
        assert!(taken.starts_with(b"HTTP/1.1 200 "));
        drop(line);
        // There is no end to wait for: the client has had enough.
        scene.happened("200, left", 1);
        scene.unread(1);
        scene.eventually("it is counted", |scene| scene.since("scimshim_clients_left_total", |_| true) >= 1.0);
        holds_at_most(scene, 48 << 10);
    })
}

/// Tiny chunks below what is repaired; the deadline ends it.
pub(crate) fn endless_slowly(name: &str) -> Option<Outcome> {
    let steps = [said(&head("transfer-encoding: chunked\r\n")), Step::Drip(b"1\r\n \r\n".repeat(100), MILLI(10))];
    broken(name, &steps, &Wanted::refused(504, "deadline", 1))
}

/// The most that it has held is within `more` KiB of what it held at the start.
fn holds_at_most(scene: &Scene, more: u64) {
    let (most, before) = (scene.most(), scene.before());
    assert!(most <= before + more, "{most} KiB at most, {before} KiB at the start");
}

/// An app on HTTP/2 that answers with frames of its own.
fn frames(name: &str, attack: h2::Attack, status: u16, reason: &'static str, tries: Option<usize>) -> Option<Outcome> {
    let h2 = h2::App::start(attack);
    let upstream = "url: 'http://127.0.0.{tenant}:{port}/scim/v2', hold: 500ms, http2: true".to_owned();
    let stage = Stage { upstream, names: ["1", "2"], ..Stage::default() };
    let scene = Scene::at(name, stage, App::start(), h2.port);
    let play = |scene: &mut Scene| {
        let before = h2.requests();
        for method in ["GET", "POST", "GET", "POST"] {
            let body = if method == "POST" { NEW.as_bytes() } else { b"" };
            let answer = scene.ask(method, "", body).unwrap_or_else(|| panic!("{method}: no answer\n{}", scene.log()));
            assert_eq!(answer.status, status, "{method}: {answer:?}");
        }
        scene.refused(reason, 4);
        if let Some(tries) = tries {
            assert_eq!(h2.requests() - before, 2 * tries + 2, "what the app was asked");
        }
    };
    super::run(scene, play)
}

pub(crate) fn h2_resets(name: &str) -> Option<Outcome> {
    // INTERNAL_ERROR: it may have been done.
    frames(name, |id| h2::frame(h2::RST_STREAM, 0, id, &[0, 0, 0, 2]), 502, "upstream", Some(3))
}

pub(crate) fn h2_refuses(name: &str) -> Option<Outcome> {
    // REFUSED_STREAM: it says that it has done nothing, so everything may be sent again until the hold is over.
    frames(name, |id| h2::frame(h2::RST_STREAM, 0, id, &[0, 0, 0, 7]), 503, "hold", None)
}

pub(crate) fn h2_goes_away(name: &str) -> Option<Outcome> {
    frames(name, |_| h2::frame(h2::GOAWAY, 0, 0, &[0; 8]).repeat(1000), 503, "hold", None)
}

pub(crate) fn h2_continuations(name: &str) -> Option<Outcome> {
    let attack: h2::Attack = |id| {
        let begin = h2::frame(h2::HEADERS, 0, id, &[0x88]);
        let more = h2::frame(h2::CONTINUATION, 0, id, &h2::block(&[("x-a", &"a".repeat(100))]).repeat(100));
        [begin, more.repeat(2000)].concat()
    };
    frames(name, attack, 502, "upstream", Some(3))
}

pub(crate) fn h2_pings(name: &str) -> Option<Outcome> {
    let attack: h2::Attack = |_| h2::frame(h2::PING, 0, 0, &[7; 8]).repeat(20_000);
    frames(name, attack, 504, "deadline", Some(1))
}
