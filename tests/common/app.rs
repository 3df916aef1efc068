//! An app as a process: this test's own program, started with `app ADDRESS FILE`. What it has done is in the file.

use std::{
    convert::Infallible,
    fs,
    future::Future,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    thread,
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{rt::TokioIo, server::graceful::GracefulShutdown};
use tokio::{net::TcpListener, runtime, signal::unix};

use crate::process::signal;

/// The role of the process: serves until SIGTERM, then finishes what it has begun.
pub(crate) fn serve<F>(address: SocketAddr, answer: impl Fn(Request<Incoming>) -> F + Send + Sync + 'static)
where
    F: Future<Output = Response<Full<Bytes>>> + Send + 'static,
{
    let runtime = runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(run(address, Arc::new(answer)));
}

async fn run<F>(address: SocketAddr, answer: Arc<impl Fn(Request<Incoming>) -> F + Send + Sync + 'static>)
where
    F: Future<Output = Response<Full<Bytes>>> + Send + 'static,
{
    let mut stop = unix::signal(unix::SignalKind::terminate()).unwrap();
    let listener = TcpListener::bind(address).await.unwrap();
    let open = GracefulShutdown::new();
    loop {
        tokio::select! {
            biased;
            _ = stop.recv() => break,
            accepted = listener.accept() => {
                let (stream, _) = accepted.unwrap();
                stream.set_nodelay(true).unwrap();
                let answer = Arc::clone(&answer);
                let service = service_fn(move |request| {
                    let answer = answer(request);
                    async { Ok::<_, Infallible>(answer.await) }
                });
                let connection = open.watch(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
                tokio::spawn(async { drop(connection.await) });
            }
        }
    }
    drop(listener);
    open.shutdown().await;
}

/// A running app.
pub(crate) struct App {
    pub(crate) address: SocketAddr,
    pub(crate) book: PathBuf,
    child: Option<Child>,
}

impl App {
    /// An address and a book, and nothing that runs.
    pub(crate) fn new(address: SocketAddr, folder: &Path) -> Self {
        Self { address, book: folder.join("book.txt"), child: None }
    }

    pub(crate) fn start(&mut self) {
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["app", &self.address.to_string()])
            .arg(&self.book)
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        self.child = Some(child);
    }

    /// Starts it and waits until it listens.
    pub(crate) fn started(&mut self) {
        self.start();
        while std::net::TcpStream::connect(self.address).is_err() {
            thread::sleep(Duration::from_millis(10));
        }
    }

    pub(crate) fn signal(&self, name: &str) {
        signal(self.child.as_ref().expect("it runs"), name);
    }

    /// Sends it a signal and waits until it has ended.
    pub(crate) fn stop(&mut self, name: &str) {
        self.signal(name);
        let _ = self.child.take().expect("it runs").wait();
    }

    /// Everything that it has done, in order.
    pub(crate) fn done(&self) -> Vec<String> {
        fs::read_to_string(&self.book).unwrap_or_default().lines().map(str::to_owned).collect()
    }
}

impl Drop for App {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
