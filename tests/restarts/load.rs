//! An identity provider that sends and keeps book: every write is marked, so that what it was told can be held against
//! what the app has done.

use std::{
    collections::{HashMap, HashSet},
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{Request, Response, header};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::{net::TcpStream, runtime, task::JoinHandle, time};

/// Entra and Okta give up after 60 s.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where it says that it calls from; it is in the list that the app serves.
const CALLER: &str = "198.51.100.7";

/// Between two requests of one sender.
const PAUSE: Duration = Duration::from_millis(3);

/// The same where it was told to come again later. An identity provider waits for half a minute at least.
const LATER: Duration = Duration::from_millis(100);

/// Senders that go on until they are told to stop.
pub(crate) struct Load {
    runtime: runtime::Runtime,
    stop: Arc<AtomicBool>,
    senders: Vec<JoinHandle<Vec<Sent>>>,
}

/// One request, and what came of it.
struct Sent {
    /// Of a write.
    mark: Option<String>,
    /// The status, and whether it said when to come again; none where no answer came.
    told: Option<(u16, bool)>,
    /// A lookup of what had been written with success found it.
    found: bool,
    took: Duration,
}

impl Load {
    pub(crate) fn start(shim: SocketAddr, senders: usize) -> Self {
        let runtime = runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let stop = Arc::<AtomicBool>::default();
        let senders = (0..senders)
            .map(|number| runtime.spawn(Sender { shim, number, line: None }.run(Arc::clone(&stop))))
            .collect();
        Self { runtime, stop, senders }
    }

    /// The sum, held against what the app has done by then.
    pub(crate) fn stop(self, done: impl FnOnce() -> Vec<String>) -> Tally {
        self.stop.store(true, Ordering::Relaxed);
        let mut sent = Vec::new();
        for sender in self.senders {
            sent.extend(self.runtime.block_on(sender).unwrap());
        }
        Tally::of(&sent, &done())
    }
}

/// What becomes of one request on the wire.
enum Outcome {
    Answered(Response<()>, String),
    Silence,
    Unsent,
}

struct Sender {
    shim: SocketAddr,
    number: usize,
    line: Option<SendRequest<Full<Bytes>>>,
}

impl Sender {
    async fn run(mut self, stop: Arc<AtomicBool>) -> Vec<Sent> {
        let mut sent: Vec<Sent> = Vec::new();
        let mut known: Option<String> = None;
        for count in 0.. {
            if stop.load(Ordering::Relaxed) {
                break;
            }
            let mark = format!("{}-{count}", self.number);
            let (request, mark) = match (count % 3, &known) {
                (0, _) => (post(&mark), Some(mark)),
                (2, Some(known)) => (lookup(known), None),
                _ => (patch(&mark), Some(mark)),
            };
            let began = Instant::now();
            let told = match time::timeout(PATIENCE, self.send(request, &stop)).await {
                Ok(Outcome::Answered(answer, body)) => Some((answer, body)),
                Ok(Outcome::Silence) | Err(_) => None,
                Ok(Outcome::Unsent) => break,
            };
            let mut outcome = Sent { told: None, found: true, took: began.elapsed(), mark };
            if let Some((answer, body)) = told {
                let status = answer.status().as_u16();
                outcome.told = Some((status, answer.headers().contains_key(header::RETRY_AFTER)));
                match &outcome.mark {
                    Some(mark) if status < 300 => known = Some(mark.clone()),
                    None if status == 200 => outcome.found = body.contains("\"totalResults\":1"),
                    _ => {}
                }
            }
            let pause = if matches!(outcome.told, Some((503, _))) { LATER } else { PAUSE };
            sent.push(outcome);
            time::sleep(pause).await;
        }
        sent
    }

    /// Connects as often as it takes, or until it is told to stop: what could not be sent was not. Once sent, it is sent
    /// once.
    async fn send(&mut self, request: Request<Full<Bytes>>, stop: &AtomicBool) -> Outcome {
        loop {
            let kept = match self.line.take() {
                Some(mut line) => line.ready().await.is_ok().then_some(line),
                None => None,
            };
            let Some(mut line) = (match kept {
                Some(line) => Some(line),
                None => self.connect().await,
            }) else {
                if stop.load(Ordering::Relaxed) {
                    return Outcome::Unsent;
                }
                time::sleep(Duration::from_millis(5)).await;
                continue;
            };
            let answer = match line.send_request(request.clone()).await {
                Ok(answer) => answer,
                // Not a byte of it was written.
                Err(error) if error.is_canceled() => continue,
                Err(_) => return Outcome::Silence,
            };
            let (head, body) = answer.into_parts();
            let Ok(body) = body.collect().await else { return Outcome::Silence };
            self.line = Some(line);
            let body = String::from_utf8_lossy(&body.to_bytes()).into_owned();
            return Outcome::Answered(Response::from_parts(head, ()), body);
        }
    }

    async fn connect(&self) -> Option<SendRequest<Full<Bytes>>> {
        let stream = TcpStream::connect(self.shim).await.ok()?;
        stream.set_nodelay(true).ok()?;
        let (line, connection) = http1::handshake(TokioIo::new(stream)).await.ok()?;
        tokio::spawn(async { drop(connection.await) });
        Some(line)
    }
}

fn post(mark: &str) -> Request<Full<Bytes>> {
    let user = json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": mark, "externalId": mark});
    request("POST", "/scim/v2/Users", user.to_string())
}

/// As Entra spells it.
fn patch(mark: &str) -> Request<Full<Bytes>> {
    let operation = json!({"op": "Replace", "path": "nickName", "value": mark});
    let schemas = ["urn:ietf:params:scim:api:messages:2.0:PatchOp"];
    request("PATCH", "/scim/v2/Users/1", json!({"schemas": schemas, "Operations": [operation]}).to_string())
}

fn lookup(mark: &str) -> Request<Full<Bytes>> {
    request("GET", &format!("/scim/v2/Users?filter=externalId%20eq%20%22{mark}%22"), String::new())
}

fn request(method: &str, target: &str, body: String) -> Request<Full<Bytes>> {
    let request = Request::builder().method(method).uri(target).header(header::HOST, "scim.example.com");
    // For who believes it.
    let request = request.header("x-forwarded-for", CALLER);
    request.header(header::CONTENT_TYPE, "application/scim+json").body(Full::new(Bytes::from(body))).unwrap()
}

/// What came of a load.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) sent: usize,
    /// 2xx.
    pub(crate) answered: usize,
    /// 503 with Retry-After: nothing of it was given to the app.
    pub(crate) refused: usize,
    /// 502 and 504: the outcome is unknown, and the text says so.
    pub(crate) cut: usize,
    pub(crate) unanswered: usize,
    pub(crate) other: usize,
    /// Told success, and not in the app.
    pub(crate) lost: usize,
    pub(crate) duplicated: usize,
    /// Told that nothing of it was given to the app, which has it.
    pub(crate) untrue: usize,
    pub(crate) longest: Duration,
}

impl Tally {
    fn of(sent: &[Sent], done: &[String]) -> Self {
        let mut times = HashMap::<&str, usize>::new();
        done.iter().for_each(|mark| *times.entry(mark).or_default() += 1);
        let has: HashSet<_> = times.keys().copied().collect();
        let mut tally = Self { duplicated: times.values().filter(|times| **times > 1).count(), ..Self::default() };
        for Sent { mark, told, found, took } in sent {
            let is_done = mark.as_deref().is_none_or(|mark| has.contains(mark));
            tally.sent += 1;
            tally.longest = tally.longest.max(*took);
            match told {
                None => tally.unanswered += 1,
                Some((200..300, _)) => {
                    tally.answered += 1;
                    tally.lost += usize::from(!is_done || !found);
                }
                Some((503, true)) => {
                    tally.refused += 1;
                    tally.untrue += usize::from(mark.is_some() && is_done);
                }
                Some((502 | 504, _)) => tally.cut += 1,
                Some(_) => tally.other += 1,
            }
        }
        tally
    }

    /// A line of the table.
    pub(crate) fn row(&self, name: &str) -> String {
        let Self { sent, answered, refused, cut, unanswered, lost, duplicated, .. } = self;
        let longest = self.longest.as_millis();
        format!(
            "| {name} | {sent} | {answered} | {refused} | {cut} | {unanswered} | {lost} | {duplicated} | {longest} ms |"
        )
    }
}
