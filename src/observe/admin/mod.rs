//! The admin port: is it alive, is it ready, what has it counted; and, to operators alone, the status page and its API.
//!
//! Health and metrics answer everyone; there is nothing secret in them and probes carry no token. Everything else asks
//! `access` first. Only POST changes anything: `orders` has the two that do.
//!
//! The page is rendered here and not in the browser: so it works without JavaScript, and there is one place that words a
//! state. The script fetches the same page again when something has changed, and takes over the rows that differ.

mod access;
mod api;
mod body;
mod events;
#[cfg(fuzzing)]
pub(crate) mod fuzzing;
mod health;
mod orders;
mod page;
mod query;
mod words;

use std::{
    collections::VecDeque,
    convert::Infallible,
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header, header::HeaderName};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task, time,
};
use tokio_util::task::AbortOnDropHandle;

use self::{access::Door, body::Content, events::Events, health::Knocker};
use super::{Metrics, files::Shortage, house::House, ledger::View};
use crate::feed::Feeds;

/// What the admin port tells about.
#[derive(Clone)]
pub struct Admin {
    /// What `/metrics` prints.
    pub metrics: Arc<Metrics>,
    /// True from the first signal on.
    pub draining: watch::Receiver<bool>,
    /// Ready only when each of them has been tried once, for some time.
    pub feeds: Arc<Feeds>,
    /// When that time began.
    pub since: Instant,
    /// The proxy.
    pub house: Arc<dyn House>,
    /// Ledger and journal.
    pub records: Arc<dyn Records>,
    /// Whether an app that does not answer makes `/readyz` fail.
    pub app_required: bool,
}

/// What was recorded, to be looked at.
pub trait Records: Send + Sync {
    /// Every connection that is remembered, without its history.
    fn views(&self) -> Vec<View>;
    /// One of them, with its history.
    fn view(&self, tenant: &str) -> Option<View>;
    /// Grows when a view has changed.
    fn changes(&self) -> u64;
    /// Brings the metrics up to date; called before a scrape.
    fn export(&self);
    /// A page of the journal as JSON.
    ///
    /// # Errors
    /// What is wrong with the query.
    fn journal(&self, query: &str) -> Result<String, String>;
    /// What `query` finds in the journal, as JSON lines, in pieces that are made when they are asked for.
    ///
    /// # Errors
    /// What is wrong with the query.
    fn journal_export(&self, query: &str) -> Result<Lines, String>;
}

/// Pieces of an export.
pub type Lines = Box<dyn Iterator<Item = Bytes> + Send>;

/// Nobody sends an admin request slowly.
const HEAD: Duration = Duration::from_secs(5);

/// From accept to the end of the one answer that a connection gets; the default of scrapers is the same.
const LIFE: Duration = Duration::from_secs(10);

/// Scrapers, probes and browsers need a handful of connections. One more that has asked something ends the oldest that
/// has, which has had its time: who fills them and reads nothing must not keep the probes out. Streams do not count;
/// there are [`events::STREAMS`].
const ASKED: usize = 64;

/// Connections that have not sent a whole request head. They push out each other and nobody else, so that who only
/// opens connections ends no request; and there are many, so that a probe has the time to ask amidst them.
const IDLE: usize = 256;

/// Serves the admin port until it is dropped.
pub async fn serve(listener: TcpListener, admin: Admin) {
    let desk = Arc::new(Desk { events: Events::new(), door: Door::new(), knocker: Arc::default(), admin });
    let _ticker = AbortOnDropHandle::new(task::spawn(events::tick(Arc::clone(&desk))));
    let mut open = Connections::default();
    let mut shortage = Shortage::default();
    loop {
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                shortage.tell(&error, "admin");
                time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let peer = peer.ip().to_canonical();
        open.make_room(peer);
        open.idle.push_back(Open::new(Arc::clone(&desk), stream, peer));
        // Who has sent its request already has it read before the next is let in.
        task::yield_now().await;
    }
}

/// Every connection, by how far it has come.
#[derive(Default)]
struct Connections {
    idle: VecDeque<Open>,
    asked: VecDeque<Open>,
    lasting: Vec<Open>,
}

impl Connections {
    /// Ends what is too much with one more from `peer`, which should push out its own rather than others.
    fn make_room(&mut self, peer: IpAddr) {
        self.sort();
        while self.asked.len() > ASKED {
            self.asked.pop_front();
        }
        if self.idle.len() >= IDLE {
            let at = self.idle.iter().position(|open| open.peer == peer).unwrap_or(0);
            self.idle.remove(at);
        }
    }

    /// Forgets what has ended, and moves on what has come further.
    fn sort(&mut self) {
        self.lasting.retain(|open| !open.task.is_finished());
        let brief = std::mem::take(&mut self.asked).into_iter().chain(std::mem::take(&mut self.idle));
        for open in brief.filter(|open| !open.task.is_finished()).collect::<Vec<_>>() {
            match open.stage.load(Ordering::Relaxed) {
                LASTING => self.lasting.push(open),
                ASKING => self.asked.push_back(open),
                _ => self.idle.push_back(open),
            }
        }
    }
}

/// One connection; it ends when this is dropped.
struct Open {
    task: AbortOnDropHandle<()>,
    peer: IpAddr,
    stage: Arc<AtomicU8>,
}

/// How far a connection has come; a new one has sent no whole head yet.
const ASKING: u8 = 1;
/// It gets an answer that lasts.
const LASTING: u8 = 2;

impl Open {
    fn new(desk: Arc<Desk>, stream: TcpStream, peer: IpAddr) -> Self {
        let stage = Arc::<AtomicU8>::default();
        let task = task::spawn(connection(desk, stream, peer, Arc::clone(&stage)));
        Self { task: AbortOnDropHandle::new(task), peer, stage }
    }
}

async fn connection(desk: Arc<Desk>, stream: TcpStream, peer: IpAddr, stage: Arc<AtomicU8>) {
    let answering = Arc::clone(&stage);
    let service = service_fn(move |request| {
        let (desk, stage) = (Arc::clone(&desk), Arc::clone(&answering));
        stage.store(ASKING, Ordering::Relaxed);
        async move {
            let answer = desk.answer(peer, request).await;
            if matches!(answer.body(), Content::Right(_)) {
                stage.store(LASTING, Ordering::Relaxed);
            }
            Ok::<_, Infallible>(answer)
        }
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD).keep_alive(false);
    let mut serving = std::pin::pin!(builder.serve_connection(TokioIo::new(stream), service));
    let mut served = time::timeout(LIFE, &mut serving).await;
    if served.is_err() && stage.load(Ordering::Relaxed) == LASTING {
        // Whoever does not read a stream ends with it all the same.
        served = time::timeout(events::LIFE, serving).await;
    }
    match served {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "admin connection ended"),
        Err(_) => tracing::debug!("admin connection ended: it took too long"),
    }
}

/// What every connection shares.
struct Desk {
    admin: Admin,
    door: Door,
    events: Events,
    knocker: Arc<Knocker>,
}

type Answer = Response<Content>;

impl Desk {
    async fn answer(self: &Arc<Self>, peer: IpAddr, request: Request<Incoming>) -> Answer {
        let mut answer = self.route(peer, request).await;
        for (name, value) in GUARDS {
            answer.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
        }
        answer
    }

    async fn route(self: &Arc<Self>, peer: IpAddr, request: Request<Incoming>) -> Answer {
        let path = request.uri().path();
        let is_health = matches!(path, "/livez" | "/readyz" | "/metrics");
        if is_health || page::asset(path).is_some() {
            return match *request.method() {
                Method::GET | Method::HEAD if is_health => self.health(&request).await,
                Method::GET | Method::HEAD => page::asset(path).map_or_else(missing, |asset| asset.answer(&request)),
                _ => only("GET, HEAD"),
            };
        }
        if path == "/login" {
            return self.login(peer, request).await;
        }
        let access = self.admin.house.access();
        if let Err(refused) = self.door.check(&access, peer, &request, Instant::now()) {
            return refused.answer(&access, &request);
        }
        if let Some(order) = orders::Order::of(path) {
            return self.order(order, &request).await;
        }
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return only("GET, HEAD");
        }
        let (path, query) = (path.to_owned(), request.uri().query().unwrap_or_default().to_owned());
        match &*path {
            "/" => self.aside(move |desk| desk.page(&query)).await,
            "/quirks" => self.aside(|desk| desk.quirks_page()).await,
            "/api/status" => self.aside(move |desk| desk.api_status(&query)).await,
            "/api/quirks" => self.aside(move |desk| desk.api_quirks(&query)).await,
            "/api/journal" if !query::has(&query, "format", "jsonl") => {
                self.aside(move |desk| desk.api_journal(&query)).await
            }
            "/api/journal" | "/api/journal/export" => {
                let query = query::without(&query, "format");
                self.api_journal_export(query, request.method() == Method::HEAD).await
            }
            "/api/events" => self.api_events(&query, request.method() == Method::HEAD),
            _ => match path.strip_prefix("/tenants/").map(query::decoded) {
                Some(tenant) => self.aside(move |desk| desk.tenant_page(&tenant)).await,
                None => missing(),
            },
        }
    }

    /// Off the threads that serve requests: what is asked of all tenants and the whole journal takes milliseconds.
    async fn aside(self: &Arc<Self>, make: impl FnOnce(&Arc<Self>) -> Answer + Send + 'static) -> Answer {
        let desk = Arc::clone(self);
        let made = task::spawn_blocking(move || make(&desk)).await;
        made.unwrap_or_else(|_| {
            text(StatusCode::INTERNAL_SERVER_ERROR, "this is a fault of scimshim; its log says more\n")
        })
    }
}

/// What every answer carries. A page that shows a script of somebody else's would run it with an operator's rights.
const GUARDS: [(HeaderName, &str); 5] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::CACHE_CONTROL, "no-store"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

fn missing() -> Answer {
    text(
        StatusCode::NOT_FOUND,
        "not here; try /, /livez, /readyz?verbose, /metrics, /api/status, /api/quirks or /api/journal; POST /drain or \
         /reload\n",
    )
}

fn only(methods: &'static str) -> Answer {
    let mut answer = text(StatusCode::METHOD_NOT_ALLOWED, format!("only {methods}\n"));
    answer.headers_mut().insert(header::ALLOW, HeaderValue::from_static(methods));
    answer
}

fn text(status: StatusCode, text: impl Into<Bytes>) -> Answer {
    typed(status, "text/plain; charset=utf-8", text)
}

fn typed(status: StatusCode, kind: &'static str, text: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(body::whole(text.into()));
    *answer.status_mut() = status;
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    answer
}

fn later(status: StatusCode, seconds: &'static str, why: &'static str) -> Answer {
    let mut answer = text(status, why);
    answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static(seconds));
    answer
}
