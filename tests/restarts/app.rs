//! The app as a process: a SCIM endpoint that keeps what it has done in a file, so that it can be restarted, killed and
//! asked afterwards. A write is in the file before it is answered.

use std::{
    collections::HashSet,
    fs::{self, File, OpenOptions},
    io::Write,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{rt::TokioIo, server::graceful::GracefulShutdown};
use serde_json::{Value, json};
use tokio::{net::TcpListener, runtime, signal::unix, time};

use crate::process::signal;

/// Long enough that a signal meets requests in the middle.
const WORK: Duration = Duration::from_millis(5);

/// The list of addresses that it also serves, for a feed.
pub(crate) const RANGES: &str = "192.0.2.0/24\n198.51.100.0/24\n203.0.113.0/24\n";

/// What the app has done, by what the writes were marked with.
struct Book {
    file: File,
    done: HashSet<String>,
}

/// The role of the process: `app ADDRESS FILE`.
pub(crate) fn main(args: &[String]) {
    let [address, file] = args else { panic!("app ADDRESS FILE") };
    let done = fs::read_to_string(file).unwrap_or_default().lines().map(str::to_owned).collect();
    let file = OpenOptions::new().create(true).append(true).open(file).unwrap();
    let book = Arc::new(Mutex::new(Book { file, done }));
    let runtime = runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(serve(address.parse().unwrap(), book));
}

async fn serve(address: SocketAddr, book: Arc<Mutex<Book>>) {
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
                let book = Arc::clone(&book);
                let service = service_fn(move |request| answer(request, Arc::clone(&book)));
                let connection = open.watch(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
                tokio::spawn(async { drop(connection.await) });
            }
        }
    }
    drop(listener);
    open.shutdown().await;
}

async fn answer(request: Request<Incoming>, book: Arc<Mutex<Book>>) -> hyper::Result<Response<Full<Bytes>>> {
    let (head, body) = request.into_parts();
    let body: Value = serde_json::from_slice(&body.collect().await?.to_bytes()).unwrap_or_default();
    let target = head.uri.path_and_query().map_or("", |target| target.as_str());
    if target == "/ranges.txt" {
        return Ok(Response::new(Full::new(Bytes::from_static(RANGES.as_bytes()))));
    }
    let (status, answer) = match head.method {
        Method::POST | Method::PATCH => {
            let mark = body["externalId"].as_str().or(body["Operations"][0]["value"].as_str()).expect("a mark");
            {
                let mut book = book.lock().unwrap();
                // One write, so that a kill leaves whole lines.
                book.file.write_all(format!("{mark}\n").as_bytes()).unwrap();
                book.done.insert(mark.to_owned());
            }
            (if head.method == Method::POST { 201 } else { 200 }, user(mark))
        }
        _ => {
            let mark = target.split("%22").nth(1).unwrap_or_default();
            let found = book.lock().unwrap().done.contains(mark);
            let resources: Vec<_> = found.then(|| user(mark)).into_iter().collect();
            let schemas = ["urn:ietf:params:scim:api:messages:2.0:ListResponse"];
            let count = resources.len();
            (
                200,
                json!({"schemas": schemas, "totalResults": count, "startIndex": 1, "itemsPerPage": count,
                         "Resources": resources}),
            )
        }
    };
    time::sleep(WORK).await;
    let answer = Full::new(Bytes::from(answer.to_string()));
    let head = Response::builder().status(status).header("content-type", "application/scim+json");
    Ok(head.body(answer).unwrap())
}

fn user(mark: &str) -> Value {
    json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "id": mark, "externalId": mark, "userName": mark,
           "meta": {"resourceType": "User"}})
}

/// A running app.
pub(crate) struct App {
    pub(crate) address: SocketAddr,
    book: PathBuf,
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
