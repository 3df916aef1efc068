//! Connections: how many, how long, and how they end.

use std::{convert::Infallible, future::Future, net::SocketAddr, sync::Arc, time::Duration};

use hyper::service::service_fn;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto, graceful::GracefulShutdown},
};
use tokio::{
    net::{TcpListener, TcpStream},
    pin, select,
    sync::Semaphore,
    task, time,
};

use super::{
    Proxy,
    wire::{Open, Traffic, Wire},
};

/// Streams of one HTTP/2 connection at once; what IdPs open is below ten, and the requests in flight are bounded too.
const STREAMS: u32 = 256;

/// hyper reads at least this much of a head before it can refuse it.
const SMALLEST_HEAD: usize = 8 << 10;

/// Serves until `shutdown`, then stops accepting and waits up to `limits.drain` for the requests in flight.
pub(crate) async fn serve(listener: TcpListener, proxy: Arc<Proxy>, shutdown: impl Future<Output = ()>) {
    let limits = &proxy.settings.listen.limits;
    let slots = Arc::new(Semaphore::new(limits.connections.clamp(1, Semaphore::MAX_PERMITS)));
    let builder = builder(limits.header);
    let graceful = GracefulShutdown::new();
    pin!(shutdown);
    loop {
        let next = async {
            // At the limit new connections wait in the kernel until an old one ends; idle ones do.
            let slot = Arc::clone(&slots).acquire_owned().await;
            (slot, accept(&listener).await)
        };
        let (slot, (stream, peer)) = select! {
            biased;
            () = &mut shutdown => break,
            next = next => next,
        };
        let traffic = Arc::new(Traffic::default());
        let wire = Wire::new(stream, Arc::clone(&proxy), Arc::clone(&traffic));
        let service = service_fn({
            let proxy = Arc::clone(&proxy);
            move |request| {
                let exchange = Arc::clone(&proxy).handle(peer, Open::new(&traffic), request);
                async { Ok::<_, Infallible>(exchange.await) }
            }
        });
        let connection = graceful.watch(builder.serve_connection(TokioIo::new(wire), service).into_owned());
        task::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(error = &*error, "connection ended");
            }
            drop(slot);
        });
    }
    drop(listener);
    let open = graceful.count();
    tracing::info!(open, "draining");
    if time::timeout(limits.drain, graceful.shutdown()).await.is_err() {
        tracing::warn!("requests were still in flight when the drain time ended");
    }
}

fn builder(head: usize) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(None).max_buf_size(head.max(SMALLEST_HEAD));
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(u32::try_from(head).unwrap_or(u32::MAX))
        .max_concurrent_streams(STREAMS);
    builder
}

/// The next connection. An error is of that connection, or of a process that is out of files and has to wait.
async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                let _ = stream.set_nodelay(true);
                return (stream, peer);
            }
            Err(error) => {
                tracing::warn!(%error, "accept failed");
                time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}
