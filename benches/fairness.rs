//! Does one tenant's flood delay another? Paired rounds in one process: a calm tenant alone, and the same beside a tenant
//! that sends as fast as it can, a hundred times over its rate.
//!
//! `cargo bench --bench fairness` prints for each round the calm tenant's p50 in both halves and how often it was seen
//! waiting for a turn. The flood is refused and queued on its own account; what is left of it for the other is that
//! refusing takes the processor too.

#![allow(missing_docs, clippy::print_stdout)]

use std::{
    convert::Infallible,
    net::SocketAddr,
    path::Path,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use scimshim::{
    config::{self, World},
    observe::Metrics,
    proxy,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
    time::sleep,
};

const ROUNDS: usize = 10;
const REQUESTS: usize = 300;
const FLOODERS: usize = 32;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime").block_on(rounds());
}

async fn rounds() {
    let app = app().await;
    let yaml = format!(
        "upstream: {{ url: 'http://{app}/scim/v2' }}
tenants:
  resolve: [{{ path: '/{{tenant}}' }}]
  unknown: defaults
  defaults: {{ rate_limit: {{ writes: {{ per_second: 1000, burst: 1000 }}, concurrency: 32 }} }}
  list: {{ flood: {{ rate_limit: {{ writes: {{ per_second: 20, burst: 20 }}, wait: 10s, max_waiting: 16 }} }} }}
log: {{ level: off }}"
    );
    let mut settings = config::read(&yaml, Path::new(""), &World::real()).expect("a configuration").settings;
    settings.listen.address = ([127, 0, 0, 1], 0).into();
    settings.admin.address = ([127, 0, 0, 1], 0).into();
    let shim = proxy::bind(settings).await.expect("free ports");
    let (data, metrics) = (shim.data_addr(), shim.metrics());
    tokio::spawn(shim.run(std::future::pending()));

    println!("round   alone p50   beside a flood   ratio   calm seen waiting   flood: answered, refused");
    let mut ratios = Vec::new();
    for round in 1..=ROUNDS {
        let (alone, _) = calm(data, &metrics).await;
        let before = flooded(&metrics);
        let flood: Vec<JoinHandle<()>> = (0..FLOODERS).map(|_| tokio::spawn(flood(data))).collect();
        while metrics.rate_limit_waiting.with_label_values(&["flood"]).get() < 16 {
            sleep(Duration::from_millis(1)).await;
        }
        let (beside, waiting) = calm(data, &metrics).await;
        flood.iter().for_each(JoinHandle::abort);
        let after = flooded(&metrics);
        let ratio = beside.as_secs_f64() / alone.as_secs_f64();
        ratios.push(ratio);
        let (answered, refused) = (after.0 - before.0, after.1 - before.1);
        println!("{round:>5} {alone:>11.1?} {beside:>16.1?} {ratio:>7.2} {waiting:>19} {answered:>17}, {refused}");
    }
    ratios.sort_by(f64::total_cmp);
    println!("median ratio {:.2}", ratios[ratios.len() / 2]);
}

/// p50 of a tenant within its rate, and how often it was seen waiting.
async fn calm(shim: SocketAddr, metrics: &Metrics) -> (Duration, usize) {
    let mut client = Client::connect(shim).await;
    let mut times = Vec::with_capacity(REQUESTS);
    let mut waiting = 0;
    for _ in 0..REQUESTS {
        let began = Instant::now();
        assert_eq!(client.post("/calm/scim/v2/Users").await, Some(200));
        times.push(began.elapsed());
        waiting += usize::from(metrics.rate_limit_waiting.with_label_values(&["calm"]).get() > 0);
        sleep(Duration::from_millis(1)).await;
    }
    times.sort_unstable();
    (times[times.len() / 2], waiting)
}

async fn flood(shim: SocketAddr) {
    loop {
        let mut client = Client::connect(shim).await;
        while client.post("/flood/scim/v2/Users").await.is_some() {}
    }
}

/// Answered by the app and refused so far.
fn flooded(metrics: &Metrics) -> (u64, u64) {
    let refused = metrics.refusals.with_label_values(&["flood", "rate"]).get();
    let answered = metrics.requests.with_label_values(&["flood", "generic", "POST", "Users", "200"]).get();
    (answered, refused)
}

/// An app that takes a millisecond.
async fn app() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let service = service_fn(|_: Request<Incoming>| async {
                sleep(Duration::from_millis(1)).await;
                Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(b"{}"))))
            });
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
    address
}

struct Client {
    stream: TcpStream,
    buf: Vec<u8>,
}

impl Client {
    async fn connect(shim: SocketAddr) -> Self {
        let stream = TcpStream::connect(shim).await.expect("the shim listens");
        stream.set_nodelay(true).expect("a socket option");
        Self { stream, buf: Vec::new() }
    }

    /// Sends a user and reads the whole answer; its status, or nothing where the shim has closed.
    async fn post(&mut self, path: &str) -> Option<u16> {
        const USER: &str = r#"{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"a"}"#;
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: a\r\ncontent-type: application/scim+json\r\ncontent-length: {}\r\n\r\n{USER}",
            USER.len()
        );
        self.stream.write_all(request.as_bytes()).await.ok()?;
        loop {
            let text = String::from_utf8_lossy(&self.buf).into_owned();
            if let Some(end) = text.find("\r\n\r\n") {
                let length = text.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
                let whole = end + 4 + length.unwrap_or(0);
                if self.buf.len() >= whole {
                    self.buf.drain(..whole);
                    return text[9..12].parse().ok();
                }
            }
            self.stream.read_buf(&mut self.buf).await.ok().filter(|read| *read > 0)?;
        }
    }
}
