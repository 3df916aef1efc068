use std::{io, net::SocketAddr, time::Duration};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use tokio_util::task::AbortOnDropHandle;

/// An answer as the client read it.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// A header's value, or the empty string.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// One request on a connection of its own.
pub(crate) async fn ask(
    addr: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: impl AsRef<[u8]>,
) -> Answer {
    let mut client = Client::connect(addr).await;
    client.request(method, path, headers, body.as_ref()).await;
    client.answer_to(method).await
}

/// A TCP connection on which anything can be said.
pub(crate) struct Client {
    stream: TcpStream,
    buf: Vec<u8>,
}

impl Client {
    pub(crate) async fn connect(addr: SocketAddr) -> Self {
        Self::try_connect(addr).await.unwrap()
    }

    pub(crate) async fn try_connect(addr: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(addr).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buf: Vec::new() })
    }

    /// Writes as far as the other side takes it.
    pub(crate) async fn say(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.stream.write_all(bytes.as_ref()).await;
    }

    /// A well-formed request; with a body also its Content-Length.
    pub(crate) async fn request(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) {
        let mut head = format!("{method} {path} HTTP/1.1\r\n");
        if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
            head.push_str("host: scim.example.com\r\n");
        }
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if !body.is_empty() {
            head.push_str(&format!("content-length: {}\r\n", body.len()));
        }
        head.push_str("\r\n");
        self.say([head.as_bytes(), body].concat()).await;
    }

    pub(crate) async fn answer(&mut self) -> Answer {
        self.answer_to("GET").await
    }

    /// The next answer; panics when there is none.
    pub(crate) async fn answer_to(&mut self, method: &str) -> Answer {
        timeout(Duration::from_secs(30), self.read(method)).await.expect("an answer in time").expect("an answer")
    }

    /// The next answer to a GET, or nothing where the other side has closed.
    pub(crate) async fn try_answer(&mut self) -> Option<Answer> {
        timeout(Duration::from_secs(30), self.read("GET")).await.expect("an answer in time").ok()
    }

    /// The bytes up to and with `end`.
    pub(crate) async fn until(&mut self, end: &str) -> String {
        let at = self.find(end.as_bytes(), 0).await.unwrap() + end.len();
        String::from_utf8(self.buf.drain(..at).collect()).unwrap()
    }

    /// Waits until the other side closes; what it still said.
    pub(crate) async fn closed(&mut self) -> Vec<u8> {
        let read = async { while self.stream.read_buf(&mut self.buf).await.is_ok_and(|read| read > 0) {} };
        timeout(Duration::from_secs(30), read).await.expect("the connection closes");
        std::mem::take(&mut self.buf)
    }

    async fn more(&mut self) -> io::Result<()> {
        match self.stream.read_buf(&mut self.buf).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }

    async fn find(&mut self, needle: &[u8], from: usize) -> io::Result<usize> {
        loop {
            if let Some(at) = self.buf[from..].windows(needle.len()).position(|window| window == needle) {
                return Ok(from + at);
            }
            self.more().await?;
        }
    }

    async fn take(&mut self, count: usize) -> io::Result<Vec<u8>> {
        while self.buf.len() < count {
            self.more().await?;
        }
        Ok(self.buf.drain(..count).collect())
    }

    async fn read(&mut self, method: &str) -> io::Result<Answer> {
        let end = self.find(b"\r\n\r\n", 0).await?;
        let head = String::from_utf8(self.take(end + 4).await?).unwrap();
        let mut lines = head.trim_end().lines();
        let status = lines.next().unwrap()[9..12].parse().unwrap();
        let headers: Vec<_> = lines
            .map(|line| line.split_once(": ").unwrap_or((line.trim_end_matches(':'), "")))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        let mut answer = Answer { status, headers, body: Vec::new() };
        if method == "HEAD" || matches!(status, 100..=199 | 204 | 304) {
            return Ok(answer);
        }
        if answer.header("transfer-encoding") == "chunked" {
            loop {
                let end = self.find(b"\r\n", 0).await?;
                let size = self.take(end + 2).await?;
                let size = usize::from_str_radix(std::str::from_utf8(&size).unwrap().trim(), 16).unwrap();
                let chunk = self.take(size + 2).await?;
                if size == 0 {
                    return Ok(answer);
                }
                answer.body.extend_from_slice(&chunk[..size]);
            }
        }
        answer.body = match answer.header("content-length") {
            "" => self.closed().await,
            length => {
                let length = length.parse().unwrap();
                self.take(length).await?
            }
        };
        Ok(answer)
    }
}

/// Opens this many streams on one HTTP/2 connection, asks for `path` on each, and takes not a byte of any answer; the
/// connection lives until the task is dropped.
pub(crate) async fn greedy(addr: SocketAddr, path: &str, streams: usize) -> AbortOnDropHandle<()> {
    let stream = TcpStream::connect(addr).await.unwrap();
    let mut builder = hyper::client::conn::http2::Builder::new(TokioExecutor::new());
    let (mut sender, connection) = builder.initial_stream_window_size(0).handshake(TokioIo::new(stream)).await.unwrap();
    let mut asked = Vec::new();
    for _ in 0..streams {
        let request = Request::get(format!("http://a{path}")).body(Full::new(Bytes::new())).unwrap();
        asked.push(sender.send_request(request));
    }
    AbortOnDropHandle::new(tokio::spawn(async move {
        let answers = async {
            let mut answers = Vec::new();
            for answer in asked {
                answers.push(answer.await);
            }
            std::future::pending::<()>().await;
            drop(sender);
        };
        tokio::select! { _ = connection => {}, () = answers => {} }
    }))
}

/// One request over HTTP/2 with prior knowledge.
pub(crate) async fn http2(addr: SocketAddr, request: Request<&'static str>) -> Response<Bytes> {
    let stream = TcpStream::connect(addr).await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let answer = sender.send_request(request.map(|body| Full::new(Bytes::from(body)))).await.unwrap();
    let (head, body) = answer.into_parts();
    Response::from_parts(head, body.collect().await.unwrap().to_bytes())
}
