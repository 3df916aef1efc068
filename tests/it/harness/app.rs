use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, Version};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::AbortHandle,
};

/// A request as the app got it.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) method: Method,
    pub(crate) target: String,
    pub(crate) version: Version,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

type Log<T> = Arc<Mutex<Vec<T>>>;

/// An app that speaks HTTP/1.1 and h2c and answers what the test says, after a pause if it says so.
pub(crate) struct App {
    pub(crate) addr: SocketAddr,
    seen: Log<Seen>,
}

impl App {
    /// Answers every request with `answer`.
    pub(crate) async fn start(answer: impl Fn(&Seen) -> Response<Bytes> + Send + Sync + 'static) -> Self {
        Self::on(free().await, move |seen| (Duration::ZERO, answer(seen)))
    }

    /// Answers 200 with `body` as JSON.
    pub(crate) async fn json(body: &'static str) -> Self {
        Self::start(move |_| json(200, body)).await
    }

    /// Answers after a while.
    pub(crate) async fn slow(pause: Duration) -> Self {
        Self::on(free().await, move |_| (pause, json(200, "{}")))
    }

    pub(crate) fn on(
        listener: TcpListener,
        answer: impl Fn(&Seen) -> (Duration, Response<Bytes>) + Send + Sync + 'static,
    ) -> Self {
        let addr = listener.local_addr().unwrap();
        let seen = Log::default();
        let answer = Arc::new(answer);
        let log = Arc::clone(&seen);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (answer, log) = (Arc::clone(&answer), Arc::clone(&log));
                let service = service_fn(move |request: Request<Incoming>| {
                    let (answer, log) = (Arc::clone(&answer), Arc::clone(&log));
                    async move {
                        let (parts, body) = request.into_parts();
                        let seen = Seen {
                            method: parts.method,
                            target: parts.uri.path_and_query().unwrap().to_string(),
                            version: parts.version,
                            headers: parts.headers,
                            body: body.collect().await?.to_bytes(),
                        };
                        let (pause, reply) = answer(&seen);
                        log.lock().unwrap().push(seen);
                        tokio::time::sleep(pause).await;
                        Ok::<_, hyper::Error>(reply.map(Full::new))
                    }
                });
                tokio::spawn(async move {
                    let builder = auto::Builder::new(TokioExecutor::new());
                    drop(builder.serve_connection(TokioIo::new(stream), service).await);
                });
            }
        });
        Self { addr, seen }
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// The one request that came.
    #[track_caller]
    pub(crate) fn only(&self) -> Seen {
        let mut seen = self.seen();
        assert_eq!(seen.len(), 1, "{seen:#?}");
        seen.remove(0)
    }
}

/// An answer with a JSON body.
pub(crate) fn json(status: u16, body: &'static str) -> Response<Bytes> {
    let answer = Response::builder().status(status).header("content-type", "application/scim+json");
    answer.body(Bytes::from_static(body.as_bytes())).unwrap()
}

/// What a raw app does with a connection once a whole request is there.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Act {
    /// Writes these bytes and goes on reading requests.
    Say(&'static [u8]),
    /// Writes these bytes and closes.
    SayAndClose(&'static [u8]),
    /// Answers nobody, ever.
    Hang,
    /// Resets the connection.
    Reset,
}

/// An app below HTTP: request number n meets the n-th act, the last one repeats.
pub(crate) struct Raw {
    pub(crate) addr: SocketAddr,
    heads: Log<String>,
    door: AbortHandle,
}

impl Raw {
    pub(crate) async fn start(acts: &'static [Act]) -> Self {
        Self::at(free().await, acts)
    }

    pub(crate) fn at(listener: TcpListener, acts: &'static [Act]) -> Self {
        let addr = listener.local_addr().unwrap();
        let heads = Log::default();
        let log = Arc::clone(&heads);
        let door = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(serve(stream, Arc::clone(&log), acts));
            }
        });
        Self { addr, heads, door: door.abort_handle() }
    }

    /// Takes no more connections; those that are open stay.
    pub(crate) fn close(&self) {
        self.door.abort();
    }

    /// Request lines in the order in which they came.
    pub(crate) fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }
}

async fn serve(mut stream: TcpStream, heads: Log<String>, acts: &[Act]) {
    let mut buf = Vec::new();
    loop {
        let Some(head) = read_request(&mut stream, &mut buf).await else { return };
        let number = {
            let mut heads = heads.lock().unwrap();
            heads.push(head);
            heads.len() - 1
        };
        match acts[number.min(acts.len() - 1)] {
            Act::Say(bytes) => stream.write_all(bytes).await.unwrap(),
            Act::SayAndClose(bytes) => {
                stream.write_all(bytes).await.unwrap();
                return;
            }
            Act::Hang => std::future::pending().await,
            Act::Reset => {
                stream.set_zero_linger().unwrap();
                return;
            }
        }
    }
}

/// Reads a request with Content-Length or without a body; its first line.
async fn read_request(stream: &mut TcpStream, buf: &mut Vec<u8>) -> Option<String> {
    loop {
        let text = String::from_utf8_lossy(buf).to_ascii_lowercase();
        if let Some(end) = text.find("\r\n\r\n") {
            let length: usize = text[..end]
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "))
                .map_or(0, |length| length.parse().unwrap());
            if buf.len() >= end + 4 + length {
                let head = String::from_utf8_lossy(buf).lines().next().unwrap().to_owned();
                buf.drain(..end + 4 + length);
                return Some(head);
            }
        }
        if stream.read_buf(buf).await.ok()? == 0 {
            return None;
        }
    }
}

/// Type and payload of the frame that ends a stream in HTTP/2.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Frame(pub(crate) u8, pub(crate) &'static [u8]);

/// An app below HTTP/2: request number n meets the n-th frame, the last one repeats.
pub(crate) struct RawH2 {
    pub(crate) addr: SocketAddr,
    requests: Arc<AtomicUsize>,
}

impl RawH2 {
    /// HEADERS with `:status: 200`.
    pub(crate) const OK: Frame = Frame(1, &[0x88]);

    pub(crate) async fn start(frames: &'static [Frame]) -> Self {
        let listener = free().await;
        let addr = listener.local_addr().unwrap();
        let requests = Arc::default();
        let count = Arc::clone(&requests);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let count = Arc::clone(&count);
                // A connection that the other side ends is over.
                tokio::spawn(async move { drop(serve_h2(stream, &count, frames).await) });
            }
        });
        Self { addr, requests }
    }

    /// How many came.
    pub(crate) fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

async fn serve_h2(mut stream: TcpStream, requests: &AtomicUsize, frames: &[Frame]) -> io::Result<()> {
    const GOAWAY: u8 = 7;
    let frame = |kind, flags, id: [u8; 4], payload: &[u8]| {
        [&[0, 0, payload.len() as u8, kind, flags], &id[..], payload].concat()
    };
    stream.read_exact(&mut [0; 24]).await?;
    stream.write_all(&frame(4, 0, [0; 4], b"")).await?;
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head).await?;
        let [a, b, c, kind, flags, id @ ..] = head;
        let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
        stream.read_exact(&mut payload).await?;
        if kind > 1 || flags & 1 == 0 {
            continue;
        }
        let number = requests.fetch_add(1, Ordering::SeqCst);
        let Frame(kind, payload) = frames[number.min(frames.len() - 1)];
        if kind == GOAWAY {
            stream.write_all(&frame(kind, 0, [0; 4], payload)).await?;
            return Ok(());
        }
        // END_STREAM and END_HEADERS, where they mean something.
        stream.write_all(&frame(kind, 5, id, payload)).await?;
    }
}

async fn free() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.unwrap()
}
