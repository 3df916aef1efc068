//! The admin port: is it alive, is it ready, what has it counted.
//!
//! Health and metrics answer everyone; there is nothing secret in them and probes carry no token.

use std::{
    collections::VecDeque,
    convert::Infallible,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, Uri, header, uri::Scheme};
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task, time,
};
use tokio_util::task::AbortOnDropHandle;

use super::{Metrics, files::Shortage};
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
    /// The app that is in force, to be knocked at.
    pub app: Arc<dyn Fn() -> Uri + Send + Sync>,
    /// Whether an app that does not answer makes `/readyz` fail.
    pub app_required: bool,
}

/// How long the first tries of feeds may keep the shim unready: a mirror that hangs must not keep a pod from serving,
/// and what is asked before a list is there is answered 503 where it is enforced.
const FEEDS: Duration = Duration::from_secs(10);

/// A probe that hangs must not hang the kubelet, whose default patience is one second.
const KNOCK: Duration = Duration::from_millis(500);

/// Nobody sends an admin request slowly.
const HEAD: Duration = Duration::from_secs(5);

/// From accept to the end of the one answer that a connection gets; the default of scrapers is the same.
const LIFE: Duration = Duration::from_secs(10);

/// Scrapers and probes need a handful of connections. One more ends the oldest, which has had its time: who fills them
/// and reads nothing must not keep the probes out.
const CONNECTIONS: usize = 64;

/// Serves the admin port until it is dropped.
pub async fn serve(listener: TcpListener, admin: Admin) {
    let mut open = VecDeque::<AbortOnDropHandle<()>>::new();
    let mut shortage = Shortage::default();
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                shortage.tell(&error, "admin");
                time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        open.retain(|connection| !connection.is_finished());
        if open.len() >= CONNECTIONS {
            open.pop_front();
        }
        let admin = admin.clone();
        let service = service_fn(move |request| {
            let admin = admin.clone();
            async move { Ok::<_, Infallible>(admin.answer(&request).await) }
        });
        open.push_back(AbortOnDropHandle::new(task::spawn(async move {
            let mut builder = http1::Builder::new();
            builder.timer(TokioTimer::new()).header_read_timeout(HEAD).keep_alive(false);
            match time::timeout(LIFE, builder.serve_connection(TokioIo::new(stream), service)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::debug!(%error, "admin connection ended"),
                Err(_) => tracing::debug!("admin connection ended: it took too long"),
            }
        })));
    }
}

impl Admin {
    async fn answer(&self, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        let path = request.uri().path();
        if !matches!(path, "/livez" | "/readyz" | "/metrics") {
            return text(StatusCode::NOT_FOUND, "not here; try /livez, /readyz?verbose or /metrics\n");
        }
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            let mut answer = text(StatusCode::METHOD_NOT_ALLOWED, "only GET\n");
            answer.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
            return answer;
        }
        match path {
            "/metrics" => self.metrics(),
            "/readyz" => self.ready(request.uri().query().is_some_and(|query| query.contains("verbose"))).await,
            _ => text(StatusCode::OK, "ok\n"),
        }
    }

    fn metrics(&self) -> Response<Full<Bytes>> {
        match self.metrics.text() {
            Ok(page) => {
                let mut answer = text(StatusCode::OK, page);
                let kind = HeaderValue::from_static(prometheus::TEXT_FORMAT);
                answer.headers_mut().insert(header::CONTENT_TYPE, kind);
                answer
            }
            Err(error) => text(StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")),
        }
    }

    async fn ready(&self, verbose: bool) -> Response<Full<Bytes>> {
        let draining = *self.draining.borrow();
        let app = if verbose || self.app_required { Some(self.knock().await) } else { None };
        let all_tried = self.feeds.all_tried();
        let tried = all_tried || self.since.elapsed() >= FEEDS;
        let ready = !draining && tried && (!self.app_required || app == Some(true));
        let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        let mut page = String::new();
        if verbose {
            page.push_str(if draining { "[-] drain: stopping\n" } else { "[+] drain: not draining\n" });
            page.push_str(match (all_tried, tried) {
                (true, _) => "[+] feeds: each has been tried\n",
                (false, true) => "[!] feeds: first tries are still under way, and are waited for no longer\n",
                (false, false) => "[-] feeds: first tries are under way\n",
            });
            page.push_str(match (app, self.app_required) {
                (Some(true), _) => "[+] app: accepts connections\n",
                (_, true) => "[-] app: accepts no connections\n",
                (_, false) => "[!] app: accepts no connections (reported, not required)\n",
            });
        }
        page.push_str(if ready { "ok\n" } else { "not ready\n" });
        text(status, page)
    }

    async fn knock(&self) -> bool {
        let app = (self.app)();
        let Some(host) = app.host() else { return false };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let usual = if app.scheme() == Some(&Scheme::HTTPS) { 443 } else { 80 };
        let port = app.port_u16().unwrap_or(usual);
        matches!(time::timeout(KNOCK, TcpStream::connect((host, port))).await, Ok(Ok(_)))
    }
}

fn text(status: StatusCode, text: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::new(text.into()));
    *answer.status_mut() = status;
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    answer
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;
    use crate::feed::{Kind, Source, Spec};

    #[tokio::test]
    async fn a_feed_that_hangs_is_waited_for_and_then_not_called_tried() {
        let hour = Duration::from_secs(3600);
        let spec = Spec {
            name: "office".into(),
            kind: Kind::List,
            source: Source::File("/nowhere".into()),
            refresh: hour,
            removal_grace: hour,
            stale_after: hour,
            ca: None,
            accept: None,
            pointer: None,
            parts: Vec::new(),
        };
        let metrics = Arc::new(Metrics::new().unwrap());
        let feeds = Feeds::new(vec![spec], None, Arc::clone(&metrics));
        let (_keep, draining) = watch::channel(false);
        let (since, app) = (Instant::now(), Uri::from_static("http://127.0.0.1:1"));
        let app = Arc::new(move || app.clone());
        let mut admin = Admin { metrics, draining, feeds, since, app, app_required: false };
        for (tried, waited, code, line) in [
            (false, Duration::ZERO, 503, "[-] feeds: first tries are under way\n"),
            (false, FEEDS, 200, "[!] feeds: first tries are still under way, and are waited for no longer\n"),
            (true, Duration::ZERO, 200, "[+] feeds: each has been tried\n"),
        ] {
            if tried {
                admin.feeds.refresh("office").await;
            }
            admin.since = Instant::now().checked_sub(waited).unwrap();
            let answer = admin.ready(true).await;
            assert_eq!(answer.status(), code);
            let page = answer.into_body().collect().await.unwrap().to_bytes();
            let page = std::str::from_utf8(&page).unwrap();
            assert!(page.contains(line), "{page}");
        }
    }
}
