//! Connections: how many, what comes before HTTP, how long, and how they end.
//!
//! A slot is taken before a connection is accepted and given back when its task ends. In between every phase has a
//! deadline of its own: the PROXY header, the TLS handshake, the first head. A client that is slow in one of them costs
//! a slot and a few kilobytes for that long.

use std::{
    convert::Infallible,
    future::{Future, poll_fn},
    io,
    net::{IpAddr, SocketAddr},
    pin::pin,
    sync::Arc,
    time::Duration,
};

use hyper::service::service_fn;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use rustls::ServerConfig;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    select,
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{self, Instant},
};
use tokio_rustls::TlsAcceptor;
use tokio_util::task::TaskTracker;

use super::{
    Proxy, announce,
    life::{Life, Phase},
    wire::{Open, Traffic, Wire},
};
use crate::{
    observe::{files::Shortage, metrics::Counted},
    tls::{Live, Stream},
};

/// Streams of one HTTP/2 connection at once; what IdPs open is below ten. With the piece of an answer that each may
/// leave untaken this bounds what a connection costs.
const STREAMS: u32 = 64;

/// hyper reads at least this much of a head before it can refuse it.
pub(crate) const SMALLEST_HEAD: usize = 8 << 10;

/// How far over the limit the reader of HTTP/2 goes, so that the refusal is ours and not its bare 431. It counts 32
/// bytes more for each field than was sent.
const HTTP2_SLACK: usize = 4;

/// How long connections are still taken after the signal: what balances load before us learns in that time that this
/// instance is not ready (kube-proxy in one to two seconds as a rule). At most half of `limits.drain`.
const GRACE: Duration = Duration::from_secs(3);

/// The grace is over earlier where there is no connection and none has come for so long.
const QUIET: Duration = Duration::from_millis(300);

/// How long one connection has to go before another is asked.
const INSIST: Duration = Duration::from_secs(1);

/// Between two lines of the log about the same crowd.
const TELL: Duration = Duration::from_secs(60);

/// What was cut off gets this long to say so.
const FAREWELL: Duration = Duration::from_millis(500);

/// At the end of a drain: what a connection that is still being established gets. Three round trips of a slow way; its
/// first request may be right behind them.
const LAST_CALL: Duration = Duration::from_secs(1);

/// After a failed handshake: how long, and for how many bytes, the client is listened to, so that it reads the alert
/// before it meets a reset.
const PARTING: Duration = Duration::from_secs(1);
const PARTING_BYTES: usize = 64 << 10;

/// Every way in which a connection ends before a request, so that all are exported as zero.
const REASONS: [&str; 4] = ["proxy_protocol", "proxy_protocol_slow", "tls", "tls_slow"];

/// What was established about a connection before its first request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Connection {
    /// The other end of the socket, IPv4-mapped addresses as IPv4.
    pub(crate) socket_peer: SocketAddr,
    /// What the PROXY protocol said.
    pub(crate) announced: Announced,
    /// Whether the caller speaks TLS to us.
    pub(crate) tls: bool,
}

/// Who is at the other end of a connection, by the word of a trusted proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Announced {
    /// Who is at the other end of the socket: there is no word of a proxy, or it speaks for itself.
    Direct,
    /// Somebody else, IPv4-mapped addresses as IPv4.
    Proxied(SocketAddr),
    /// Somebody else, and the proxy does not know who.
    Unknown,
}

impl Connection {
    /// The address from which the connection was made, as far as it is known; headers are not looked at.
    pub(crate) fn caller(&self) -> Option<IpAddr> {
        match self.announced {
            Announced::Direct => Some(self.socket_peer.ip()),
            Announced::Proxied(address) => Some(address.ip()),
            Announced::Unknown => None,
        }
    }
}

impl Announced {
    pub(crate) fn proxied(address: SocketAddr) -> Self {
        Self::Proxied(canonical(address))
    }
}

/// One spelling for each address, so that ranges mean one thing.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// Serves until `shutdown`; then takes what still comes for a while, and waits until everything that came has been
/// answered, in all up to `limits.drain`.
pub(crate) async fn serve(
    listener: TcpListener,
    proxy: Arc<Proxy>,
    tls: Option<Live<ServerConfig>>,
    shutdown: impl Future<Output = ()>,
) {
    let (connections, header) = {
        let limits = &proxy.running.load().settings.listen.limits;
        (limits.connections, limits.header)
    };
    for reason in REASONS {
        proxy.metrics.connections_refused.with_label_values(&[reason]);
    }
    let mut shutdown = pin!(shutdown);
    let mut door = Door {
        slots: Arc::new(Semaphore::new(connections.clamp(1, Semaphore::MAX_PERMITS))),
        open: TaskTracker::new(),
        guest: None,
        shortage: Shortage::default(),
        told: None,
        hall: Arc::new(Hall { builder: builder(header), proxy, tls }),
    };
    loop {
        select! {
            biased;
            () = &mut shutdown => break,
            (slot, stream, peer) = door.next(&listener) => {
                door.take(Some(slot), stream, peer);
            }
        }
    }
    let began = Instant::now();
    let drain = door.hall.proxy.running.load().settings.listen.limits.drain;
    let life = Arc::clone(&door.hall.proxy.life);
    life.leave();
    tracing::info!(open = door.open.len(), "draining");
    let open = door.open.clone();
    let mut grace = pin!(time::sleep(GRACE.min(drain / 2)));
    loop {
        let quiet = async {
            time::sleep(QUIET).await;
            while !open.is_empty() {
                time::sleep(QUIET / 10).await;
            }
        };
        select! {
            () = &mut grace => break,
            () = quiet => break,
            (slot, stream, peer) = door.next(&listener) => {
                door.take(Some(slot), stream, peer);
            }
        }
    }
    if let Some((stream, peer)) = door.guest.take() {
        door.take(None, stream, peer);
    }
    door.take_queued(listener);
    life.enter(Phase::Ending);
    door.open.close();
    if time::timeout_at(began + drain, door.open.wait()).await.is_err() {
        life.enter(Phase::Over);
        tracing::warn!(open = door.open.len(), "requests were still in flight when the drain time ended");
        let _ = time::timeout(FAREWELL, door.open.wait()).await;
    }
}

/// Where connections come in.
struct Door {
    hall: Arc<Hall>,
    slots: Arc<Semaphore>,
    open: TaskTracker,
    /// Accepted, and waiting for a slot. Kept here, so that whoever stops waiting for it does not lose it.
    guest: Option<(TcpStream, SocketAddr)>,
    shortage: Shortage,
    /// When it was last said that there is no slot.
    told: Option<Instant>,
}

impl Door {
    /// The next connection and its slot. At the limit one more is accepted, so that it is known that somebody waits; the
    /// others wait in the kernel. For the one that waits an idle one is closed.
    async fn next(&mut self, listener: &TcpListener) -> (OwnedSemaphorePermit, TcpStream, SocketAddr) {
        while self.guest.is_none() {
            match listener.accept().await {
                Ok(guest) => self.guest = Some(guest),
                Err(error) => refused_by_system(&error, &mut self.shortage).await,
            }
        }
        let slot = match Arc::clone(&self.slots).try_acquire_owned() {
            Ok(slot) => slot,
            Err(_) => self.room().await,
        };
        match self.guest.take() {
            Some((stream, peer)) => (slot, stream, peer),
            // It was there before the slot was, and nobody else takes it.
            None => std::future::pending().await,
        }
    }

    /// A slot, when there is one again.
    async fn room(&mut self) -> OwnedSemaphorePermit {
        if self.told.is_none_or(|told| told.elapsed() >= TELL) {
            self.told = Some(Instant::now());
            tracing::warn!(
                open = self.open.len(),
                "as many connections are open as `listen.limits.connections` allows; for each that waits one on which \
                 nothing happens is closed"
            );
        }
        let crowd = self.hall.proxy.life.crowd();
        let mut slot = pin!(Arc::clone(&self.slots).acquire_owned());
        loop {
            match time::timeout(INSIST, slot.as_mut()).await {
                Ok(Ok(slot)) => return slot,
                // Nobody closes it.
                Ok(Err(_)) => std::future::pending().await,
                Err(_) => crowd.insist(),
            }
        }
    }

    /// Gives a connection to a task of its own, which holds the slot to the end.
    fn take(&self, slot: Option<OwnedSemaphorePermit>, stream: TcpStream, peer: SocketAddr) {
        let hall = Arc::clone(&self.hall);
        let _ = stream.set_nodelay(true);
        let open = Counted::new(hall.proxy.metrics.client_connections.clone());
        self.open.spawn(async move {
            let established = select! {
                biased;
                established = hall.establish(stream, canonical(peer)) => established,
                () = last_call(&hall.proxy.life) => None,
            };
            if let Some((stream, connection)) = established {
                hall.converse(stream, connection).await;
            }
            drop((open, slot));
        });
    }

    /// Takes what the system has accepted already, whatever the limit says: it is the last, and no longer than the
    /// queue. Asked of the system itself, because the runtime may not have heard of it yet.
    fn take_queued(&self, listener: TcpListener) {
        let Ok(listener) = listener.into_std() else { return };
        while let Ok((stream, peer)) = listener.accept() {
            if stream.set_nonblocking(true).is_ok()
                && let Ok(stream) = TcpStream::from_std(stream)
            {
                self.take(None, stream, peer);
            }
        }
    }
}

/// What every connection goes through.
struct Hall {
    proxy: Arc<Proxy>,
    builder: auto::Builder<TokioExecutor>,
    tls: Option<Live<ServerConfig>>,
}

impl Hall {
    /// What comes before HTTP: the PROXY header, then TLS, each in its own time.
    async fn establish(&self, mut stream: TcpStream, socket_peer: SocketAddr) -> Option<(Stream, Connection)> {
        let patience = self.proxy.running.load().settings.listen.limits.header_timeout;
        let mut announced = Announced::Direct;
        if self.announces(socket_peer.ip()) {
            announced = match time::timeout(patience, announce::read(&mut stream)).await {
                Ok(Ok(announced)) => announced,
                Ok(Err(why)) => {
                    let probe = matches!(why, announce::Missing::Silent);
                    return self.refuse("proxy_protocol", socket_peer, probe, &why.to_string());
                }
                Err(_) => return self.refuse("proxy_protocol_slow", socket_peer, false, "no PROXY header in time"),
            };
        }
        let connection = Connection { socket_peer, announced, tls: self.tls.is_some() };
        let Some(tls) = &self.tls else { return Some((Stream::Plain(stream), connection)) };
        // What only connects is no client of TLS, so it is none that failed.
        let handshake = async {
            let silent = !stream.peek(&mut [0]).await.is_ok_and(|seen| seen > 0);
            (silent, TlsAcceptor::from(tls.get()).accept(stream).into_fallible().await)
        };
        match time::timeout(patience, handshake).await {
            Ok((_, Ok(stream))) => Some((Stream::Tls(Box::new(stream.into())), connection)),
            Ok((silent, Err((error, stream)))) => {
                let none = self.refuse("tls", socket_peer, silent, &error.to_string());
                part(stream).await;
                none
            }
            Err(_) => self.refuse("tls_slow", socket_peer, false, "no TLS handshake in time"),
        }
    }

    /// Whether connections from there must begin with a PROXY header.
    fn announces(&self, peer: IpAddr) -> bool {
        let listen = &self.proxy.running.load().settings.listen;
        listen.proxy_protocol && listen.client_address.trusted_proxies.iter().any(|range| range.contains(&peer))
    }

    /// Counts a connection that ends before a request; not a `probe`, which wanted nothing and was refused nothing. No
    /// warning: who scans ports must not fill the log.
    fn refuse<T>(&self, reason: &'static str, peer: SocketAddr, probe: bool, why: &str) -> Option<T> {
        if !probe {
            self.proxy.metrics.connections_refused.with_label_values(&[reason]).inc();
        }
        tracing::debug!(reason, %peer, probe, why, "connection ended before a request");
        None
    }

    /// HTTP, to the end of the connection.
    async fn converse(&self, stream: Stream, connection: Connection) {
        let proxy = &self.proxy;
        let traffic = Arc::new(Traffic::default());
        let wire = Wire::new(stream, Arc::clone(proxy), Arc::clone(&traffic));
        let service = service_fn(|request| {
            // hyper moves what it is given, and keeps room for it in each connection to its end; and this is large.
            let exchange = Box::pin(Arc::clone(proxy).handle(connection, Open::new(&traffic), request));
            async { Ok::<_, Infallible>(exchange.await) }
        });
        let life = &proxy.life;
        let (mut phases, mut crowd) = (life.follow(), life.follow_crowd());
        if life.phase() == Phase::Over {
            return;
        }
        let mut http = pin!(self.builder.serve_connection(TokioIo::new(wire), service));
        let mut told = false;
        let mut run = poll_fn(|cx| {
            let mut poll = http.as_mut().poll(cx);
            // One that has not asked yet has just come.
            let leaves = || life.is_crowded() && traffic.has_asked() && life.leaves();
            let unwanted = || life.phase() >= Phase::Leaving || leaves();
            if poll.is_pending() && !told && traffic.is_http2() && unwanted() {
                told = true;
                http.as_mut().graceful_shutdown();
                poll = http.as_mut().poll(cx);
            }
            // hyper does not read again by itself when an answer is done, and the end is seen by reading.
            if poll.is_pending() && !traffic.is_busy() && (life.phase() >= Phase::Ending || life.is_crowded()) {
                poll = http.as_mut().poll(cx);
            }
            poll
        });
        let mut stuck = pin!(traffic.until_stuck());
        loop {
            select! {
                ended = &mut run => {
                    if let Err(error) = ended {
                        tracing::debug!(error = &*error, "connection ended");
                    }
                    break;
                }
                () = &mut stuck => {
                    tracing::debug!("connection ended: the client takes nothing of its answer");
                    break;
                }
                changed = phases.changed() => {
                    if changed.is_err() || life.phase() == Phase::Over {
                        break;
                    }
                }
                // Only a reason to look again.
                _ = crowd.changed() => {}
            }
        }
    }
}

/// Waits until a connection that is still being established has had its time.
async fn last_call(life: &Life) {
    let mut phases = life.follow();
    if phases.wait_for(|phase| *phase >= Phase::Ending).await.is_ok() {
        let _ = time::timeout(LAST_CALL, phases.wait_for(|phase| *phase >= Phase::Over)).await;
    }
}

/// Closes what is no connection, without a reset that would overtake what was said.
async fn part(mut stream: TcpStream) {
    let listen = async {
        stream.shutdown().await?;
        let mut left = PARTING_BYTES;
        let mut scrap = [0; 4096];
        loop {
            let read = stream.read(&mut scrap).await?;
            if read == 0 || read > left {
                return Ok::<_, io::Error>(());
            }
            left -= read;
        }
    };
    let _ = time::timeout(PARTING, listen).await;
}

fn builder(head: usize) -> auto::Builder<TokioExecutor> {
    let head = head.max(SMALLEST_HEAD);
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(None).max_buf_size(head);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(u32::try_from(head.saturating_mul(HTTP2_SLACK)).unwrap_or(u32::MAX))
        .max_concurrent_streams(STREAMS);
    builder
}

/// An error is of one connection, or of a process that is out of files and has to wait.
async fn refused_by_system(error: &io::Error, shortage: &mut Shortage) {
    shortage.tell(error, "listen");
    time::sleep(Duration::from_millis(50)).await;
}
