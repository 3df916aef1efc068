//! Connections: how many, how long, and how they end.

use std::{
    convert::Infallible,
    future::{Future, poll_fn},
    io,
    net::SocketAddr,
    pin::pin,
    sync::Arc,
    time::Duration,
};

use hyper::service::service_fn;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use tokio::{
    net::{TcpListener, TcpStream},
    select,
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{self, Instant},
};
use tokio_util::task::TaskTracker;

use super::{
    Proxy,
    life::Phase,
    wire::{Open, Traffic, Wire},
};
use crate::observe::files::Shortage;

/// Streams of one HTTP/2 connection at once; what IdPs open is below ten. With the piece of an answer that each may
/// leave untaken this bounds what a connection costs.
const STREAMS: u32 = 64;

/// hyper reads at least this much of a head before it can refuse it.
pub(crate) const SMALLEST_HEAD: usize = 8 << 10;

/// Fields of a head. Browsers and gateways send up to some forty; hyper would stop at a hundred.
const FIELDS: usize = 256;

/// How far over the limit the reader of HTTP/2 goes, so that the refusal is ours and not its bare 431. It counts 32
/// bytes more for each field than was sent.
const HTTP2_SLACK: usize = 4;

/// How long connections are still taken after the signal: what balances load before us learns in that time that this
/// instance is not ready (kube-proxy in one to two seconds as a rule). At most half of `limits.drain`.
const GRACE: Duration = Duration::from_secs(3);

/// The grace is over earlier where there is no connection and none has come for so long.
const QUIET: Duration = Duration::from_millis(300);

/// What was cut off gets this long to say so.
const FAREWELL: Duration = Duration::from_millis(500);

/// Serves until `shutdown`; then takes what still comes for a while, and waits until everything that came has been
/// answered, in all up to `limits.drain`.
pub(crate) async fn serve(listener: TcpListener, proxy: Arc<Proxy>, shutdown: impl Future<Output = ()>) {
    let limits = proxy.settings.listen.limits.clone();
    let mut shutdown = pin!(shutdown);
    let mut door = Door {
        slots: Arc::new(Semaphore::new(limits.connections.clamp(1, Semaphore::MAX_PERMITS))),
        builder: builder(limits.header),
        open: TaskTracker::new(),
        shortage: Shortage::default(),
        proxy,
    };
    loop {
        select! {
            biased;
            () = &mut shutdown => break,
            (slot, stream, peer) = next(&listener, &door.slots, &mut door.shortage) => {
                door.take(Some(slot), stream, peer);
            }
        }
    }
    let began = Instant::now();
    let life = Arc::clone(&door.proxy.life);
    life.enter(Phase::Leaving);
    tracing::info!(open = door.open.len(), "draining");
    let mut grace = pin!(time::sleep(GRACE.min(limits.drain / 2)));
    loop {
        let quiet = async {
            time::sleep(QUIET).await;
            while !door.open.is_empty() {
                time::sleep(QUIET / 10).await;
            }
        };
        select! {
            () = &mut grace => break,
            () = quiet => break,
            (slot, stream, peer) = next(&listener, &door.slots, &mut door.shortage) => {
                door.take(Some(slot), stream, peer);
            }
        }
    }
    door.take_queued(listener);
    life.enter(Phase::Ending);
    door.open.close();
    if time::timeout_at(began + limits.drain, door.open.wait()).await.is_err() {
        life.enter(Phase::Over);
        tracing::warn!(open = door.open.len(), "requests were still in flight when the drain time ended");
        let _ = time::timeout(FAREWELL, door.open.wait()).await;
    }
}

/// What every connection goes through.
struct Door {
    proxy: Arc<Proxy>,
    slots: Arc<Semaphore>,
    builder: auto::Builder<TokioExecutor>,
    open: TaskTracker,
    shortage: Shortage,
}

impl Door {
    fn take(&self, slot: Option<OwnedSemaphorePermit>, stream: TcpStream, peer: SocketAddr) {
        let proxy = Arc::clone(&self.proxy);
        let traffic = Arc::new(Traffic::default());
        let _ = stream.set_nodelay(true);
        let wire = Wire::new(stream, Arc::clone(&proxy), Arc::clone(&traffic));
        let service = service_fn({
            let (proxy, traffic) = (Arc::clone(&proxy), Arc::clone(&traffic));
            move |request| {
                let exchange = Arc::clone(&proxy).handle(peer, Open::new(&traffic), request);
                async { Ok::<_, Infallible>(exchange.await) }
            }
        });
        let connection = self.builder.serve_connection(TokioIo::new(wire), service).into_owned();
        self.open.spawn(async move {
            let life = &proxy.life;
            let mut phases = life.follow();
            let mut connection = pin!(connection);
            let mut told = false;
            let mut run = poll_fn(|cx| {
                let mut poll = connection.as_mut().poll(cx);
                if poll.is_pending() && !told && traffic.is_http2() && life.phase() >= Phase::Leaving {
                    told = true;
                    connection.as_mut().graceful_shutdown();
                    poll = connection.as_mut().poll(cx);
                }
                // hyper does not read again by itself when an answer is done, and the end is seen by reading.
                if poll.is_pending() && !traffic.is_busy() && life.phase() >= Phase::Ending {
                    poll = connection.as_mut().poll(cx);
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
                }
            }
            drop(slot);
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

fn builder(head: usize) -> auto::Builder<TokioExecutor> {
    let head = head.max(SMALLEST_HEAD);
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(None).max_buf_size(head).max_headers(FIELDS);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(u32::try_from(head.saturating_mul(HTTP2_SLACK)).unwrap_or(u32::MAX))
        .max_concurrent_streams(STREAMS);
    builder
}

/// The next connection. At the limit new ones wait in the kernel until an old one ends; idle ones do.
async fn next(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
    shortage: &mut Shortage,
) -> (OwnedSemaphorePermit, TcpStream, SocketAddr) {
    // Nobody closes it.
    let Ok(slot) = Arc::clone(slots).acquire_owned().await else { return std::future::pending().await };
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => return (slot, stream, peer),
            Err(error) => refused_by_system(&error, shortage).await,
        }
    }
}

/// An error is of one connection, or of a process that is out of files and has to wait.
async fn refused_by_system(error: &io::Error, shortage: &mut Shortage) {
    shortage.tell(error, "listen");
    time::sleep(Duration::from_millis(50)).await;
}
