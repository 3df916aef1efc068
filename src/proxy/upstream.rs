//! The app: hold, retry, deadline.
//!
//! Two questions decide everything. Can a byte of this request have reached the app? If not, or if the app says that it
//! has not processed it (RFC 9113 8.7), it is held and tried again whatever it is. Is it a GET or HEAD? Then a connection
//! that failed before an answer is tried again too. A write of which a byte may have arrived is never sent twice (RFC 9110
//! 9.2.2 would allow PUT and DELETE; a slow app that has done the first would do it again over what came after). The retry
//! of hyper's pool is of the first kind: it repeats only what its connection had not begun to write. A client that leaves
//! takes its request with it: a held write that went out later could overtake what the IdP sends next.
//!
//! Over TLS a connection that is refused or lost in the handshake may be an app that restarts, and is held like any. A
//! handshake that both sides finished with "no" stays so until somebody mends it, and is answered at once.
//!
//! Requests wait in a line (see [`super::hold`]) for an app that is away. Where the app is in this pod (at loopback) and
//! the shim was told to leave, they do not: the pod ends, and what serves next is in another one.
//!
//! An app may answer before it has read a body, a 401 above all, and close. The rest of the body then goes nowhere, and
//! the answer is what counts: see [`Socket`].

use std::{
    error::Error,
    future::Future,
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::{Duration, Instant},
};

use http::{HeaderMap, HeaderValue, Method, Request, Response, Uri, Version, header, uri::Authority};
use hyper::{
    body::Incoming,
    rt::{Read, ReadBufCursor, Write},
};
use hyper_util::{
    client::legacy::{
        Client, Error as Failure,
        connect::{Connected, Connection, HttpConnector},
    },
    rt::{TokioExecutor, TokioIo, TokioTimer},
};
use prometheus::IntGauge;
use rustls::{ClientConfig, pki_types::ServerName};
use tokio::{net::TcpStream, time};
use tokio_rustls::TlsConnector;
use tower::Service;
use tracing::{Instrument, Span};

use super::{
    body::Payload,
    exchange::Exchange,
    hold::{Behind, End, Guest, Lines, Place},
    names::Names,
    refusal::Refusal,
};
use crate::{
    config::settings,
    gate::{Tenant, rate::Class},
    observe::{
        Metrics,
        metrics::Counted,
        trace::{self, step},
    },
    tls::{self, Live, Stream},
};

/// Between attempts of one request where others get through.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// What is left for the last attempt before the deadline. A connection in a pod is there, or refused, in under a
/// millisecond.
const LAST_TRY: Duration = Duration::from_millis(250);

/// Idle connections are given up before common servers do (Node 5 s; Jetty, nginx, Tomcat later), because a write that
/// meets a closing connection can only be answered with 502.
const POOL_IDLE: Duration = Duration::from_secs(4);

/// A request for the app, ready to be given as often as it may be.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
    pub(crate) payload: Payload,
    /// Whose room it waits in, and whose place it must not leave.
    pub(crate) tenant: Arc<Tenant>,
    /// What it is to those who wait for the app; `None` outside SCIM.
    pub(crate) class: Option<Class>,
}

impl Outgoing {
    fn guest(&self, exchange: &Exchange) -> Guest<'_> {
        Guest { tenant: &self.tenant, class: self.class, known: exchange.is_known() }
    }

    /// A request to be given away. The Host field is what hyper would write, which would write it anew each time; in HTTP/2
    /// it stands elsewhere.
    fn request(&self, span: &Span, sets_host: bool) -> Request<Payload> {
        let mut request = Request::new(self.payload.clone());
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = self.uri.clone();
        *request.version_mut() = Version::HTTP_11;
        *request.headers_mut() = self.headers.clone();
        if let Some(host) = self.tenant.place.host.as_ref().filter(|_| sets_host && self.is_at_its_origin()) {
            request.headers_mut().entry(header::HOST).or_insert_with(|| host.clone());
        }
        trace::continue_in(span, request.headers_mut());
        request
    }

    fn is_at_its_origin(&self) -> bool {
        let origin = &self.tenant.place.origin;
        let (here, there) = (self.uri.authority(), origin.authority());
        // As text: they are hardly ever spelled differently, and what hyper writes is right too.
        here.map(Authority::as_str) == there.map(Authority::as_str) && self.uri.scheme() == origin.scheme()
    }
}

/// The app behind its pool of connections.
#[derive(Debug)]
pub(crate) struct App {
    client: Client<Connector, Payload>,
    lines: Arc<Lines>,
    /// It is in this pod, and ends with it.
    beside: bool,
    hold: Duration,
    retries: u32,
    content_type: Option<HeaderValue>,
    /// It speaks HTTP/1.1 for sure.
    sets_host: bool,
}

impl App {
    pub(crate) fn new(settings: &settings::Upstream, connector: Connector) -> Self {
        let lines = Arc::clone(&connector.lines);
        let beside = settings.url.is_loopback();
        let client = Client::builder(TokioExecutor::new())
            .pool_max_idle_per_host(settings.pool)
            .pool_idle_timeout(POOL_IDLE)
            .pool_timer(TokioTimer::new())
            .timer(TokioTimer::new())
            // Inside TLS the two sides agree (RFC 7301).
            .http2_only(settings.http2 && !settings.url.is_tls())
            .build(connector);
        let content_type = settings.content_type.clone();
        let (hold, retries, sets_host) = (settings.hold, settings.retries, !settings.http2);
        Self { client, lines, beside, hold, retries, content_type, sets_host }
    }

    /// `upstream.content_type`, after everything else.
    pub(crate) fn content_type(&self, outgoing: &mut Outgoing) {
        if let Some(value) = self.content_type.as_ref().filter(|_| !outgoing.payload.is_empty()) {
            outgoing.headers.insert(header::CONTENT_TYPE, value.clone());
        }
    }

    /// Whether the operator has said what a body's media type is.
    pub(crate) fn sets_content_type(&self) -> bool {
        self.content_type.is_some()
    }

    /// Gives a request to the app and waits for the head of its answer.
    pub(crate) async fn send(
        &self,
        outgoing: &Outgoing,
        deadline: Instant,
        exchange: &mut Exchange,
    ) -> Result<Response<Incoming>, Refusal> {
        let began = Instant::now();
        let span = step!("upstream", otel.kind = "client");
        let answer = self.attempts(outgoing, began, deadline, exchange).instrument(span).await;
        exchange.waited_for_app(began.elapsed());
        match answer {
            // The app believes that this is no HTTP any more; the IdP was promised that it is.
            Ok(answer) if answer.status().is_informational() => {
                Err(Refusal::Upstream("the application switched protocols, which nobody asked it to"))
            }
            answer => answer,
        }
    }

    async fn attempts(
        &self,
        outgoing: &Outgoing,
        began: Instant,
        deadline: Instant,
        exchange: &mut Exchange,
    ) -> Result<Response<Incoming>, Refusal> {
        // A last try that had no time would end as if the app had been asked.
        let until = (began + self.hold).min(deadline.checked_sub(LAST_TRY).unwrap_or(began));
        let mut pause = FIRST_PAUSE;
        let mut retries = self.retries;
        let mut waiting = None;
        let span = Span::current();
        let mut held = match self.behind(outgoing, exchange) {
            Behind::Free => None,
            Behind::Full => return Err(Refusal::Hold),
            Behind::Place(place) => Some((place, exchange.held())),
        };
        loop {
            let attempt =
                time::timeout_at(deadline.into(), self.client.request(outgoing.request(&span, self.sets_host)));
            let done = match &mut held {
                None => attempt.await,
                Some((place, _)) => {
                    if !place.turn(until, &mut self.end(exchange)).await {
                        return Err(Refusal::Hold);
                    }
                    place.watch(attempt).await
                }
            };
            let failure = match done {
                Ok(Ok(answer)) => {
                    held.into_iter().for_each(|(place, _)| place.answered());
                    if is_premature(&answer) {
                        let why = "the application closed the connection before it had the request";
                        return Err(Refusal::Upstream(why));
                    }
                    return Ok(answer);
                }
                Ok(Err(failure)) => failure,
                Err(_) => return Err(outgoing.payload.refusal().unwrap_or(Refusal::Deadline)),
            };
            if let Some(refusal) = outgoing.payload.refusal() {
                return Err(refusal);
            }
            tracing::debug!(error = &failure as &dyn Error, "attempt failed");
            if let Some(why) = disagreement(&failure) {
                tracing::error!(
                    error = &failure as &dyn Error,
                    "{why}; compare `upstream.url` and `upstream.tls` with the app's certificate, and mend one of them"
                );
                return Err(Refusal::Untrusted(why));
            }
            match unsent(&failure).filter(|_| outgoing.payload.is_untouched()) {
                Some(Refusal::Hold) => {
                    waiting = None;
                    match &mut held {
                        Some((place, _)) => place.refused(),
                        None => held = Some(self.join(outgoing, exchange).ok_or(Refusal::Hold)?),
                    }
                    continue;
                }
                Some(refusal) => {
                    held = None;
                    if self.end(exchange).has_begun() {
                        return Err(refusal);
                    }
                    if waiting.is_none() {
                        let Some(slot) = outgoing.tenant.hold() else { return Err(refusal) };
                        waiting = Some((slot, exchange.held()));
                    }
                    let left = until.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return Err(refusal);
                    }
                    // The last try is at the end of the hold, not a pause before it.
                    pause = pause.min(left);
                }
                None if is_read(&outgoing.method) && retries > 0 && outgoing.payload.is_untouched() => {
                    retries -= 1;
                    exchange.retried();
                    (held, waiting) = (None, None);
                }
                None => return Err(Refusal::Upstream(cause(&failure))),
            }
            time::sleep_until((Instant::now() + pause).min(deadline).into()).await;
            pause = (pause * 3 / 2).min(LONGEST_PAUSE);
        }
    }

    /// A place behind those who wait for the app, where somebody does.
    fn behind(&self, outgoing: &Outgoing, exchange: &Exchange) -> Behind {
        // Who calls is looked at only where somebody waits, which is hardly ever.
        let app = outgoing.uri.authority().filter(|app| self.lines.is_occupied(app));
        app.map_or(Behind::Free, |app| self.lines.behind(app, outgoing.guest(exchange)))
    }

    /// When an app that is away will not be back.
    fn end(&self, exchange: &Exchange) -> End {
        End(self.beside.then(|| exchange.phases()))
    }

    fn join(&self, outgoing: &Outgoing, exchange: &mut Exchange) -> Option<(Place, Counted)> {
        let place = self.lines.join(outgoing.uri.authority()?, outgoing.guest(exchange))?;
        Some((place, exchange.held()))
    }
}

fn is_read(method: &Method) -> bool {
    *method == Method::GET || *method == Method::HEAD
}

/// What to say if it stays so, where the request may be sent again whatever it is: no byte of it can have reached the app
/// (there was no connection, it failed before it took a request, or it gave the request back unbegun), or the app says
/// that it has not processed it.
fn unsent(failure: &Failure) -> Option<Refusal> {
    let given_back = || find(failure).is_some_and(hyper::Error::is_canceled);
    if is_declined(failure) {
        Some(Refusal::Declined)
    } else if !(failure.is_connect() || failure.connect_info().is_none() || given_back()) {
        None
    } else if is_exhausted(failure) {
        Some(Refusal::Exhausted)
    } else {
        Some(Refusal::Hold)
    }
}

/// RFC 9113 8.7: a stream that was refused, and one above the last that a GOAWAY names; h2 ends only these with it.
fn is_declined(failure: &(dyn Error + 'static)) -> bool {
    find(failure).is_some_and(|error: &h2::Error| {
        error.is_remote() && (error.is_go_away() || error.reason() == Some(h2::Reason::REFUSED_STREAM))
    })
}

/// On what a TLS handshake with the app failed, where trying again mends nothing. The request has not been looked at.
fn disagreement(failure: &Failure) -> Option<&'static str> {
    use rustls::{AlertDescription as Alert, Error as Tls};
    let error: &io::Error = find(failure)?;
    match error.get_ref()?.downcast_ref()? {
        // In TLS 1.3 the app judges our certificate when we have begun to speak; it reads nothing before it has.
        Tls::AlertReceived(
            Alert::AccessDenied
            | Alert::BadCertificate
            | Alert::CertificateExpired
            | Alert::CertificateRequired
            | Alert::CertificateRevoked
            | Alert::CertificateUnknown
            | Alert::DecryptError
            | Alert::NoCertificate
            | Alert::UnknownCA
            | Alert::UnsupportedCertificate,
        ) => Some("the application did not accept the TLS certificate of the provisioning gateway, or got none"),
        // The others are about the handshake only while there is one.
        _ if !failure.is_connect() => None,
        Tls::InvalidCertificate(_) | Tls::NoCertificatesPresented => {
            Some("the application's TLS certificate was not accepted by the provisioning gateway")
        }
        Tls::InvalidMessage(_) => Some("the application does not speak TLS"),
        Tls::PeerIncompatible(_)
        | Tls::NoApplicationProtocol
        | Tls::AlertReceived(
            Alert::HandshakeFailure
            | Alert::InsufficientSecurity
            | Alert::NoApplicationProtocol
            | Alert::ProtocolVersion
            | Alert::UnrecognisedName,
        ) => Some("the application and the provisioning gateway do not agree on how to speak TLS"),
        // Also what an app says that has not started to its end.
        _ => None,
    }
}

/// Whether it is this process or its host that cannot connect, whatever the app does.
fn is_exhausted(failure: &(dyn Error + 'static)) -> bool {
    // ENFILE and EMFILE, which have no kind; the numbers are the same on all Unixes.
    const FILES: [i32; 2] = [23, 24];
    find(failure).is_some_and(|error: &io::Error| {
        error.kind() == io::ErrorKind::AddrNotAvailable
            || (cfg!(unix) && error.raw_os_error().is_some_and(|code| FILES.contains(&code)))
    })
}

/// The first error of a type among the causes of another.
fn find<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    std::iter::successors(Some(error), |&error| error.source()).find_map(|error| error.downcast_ref())
}

/// A success that came though the request could not be written to its end. A refusal needs no body; a success that was
/// not asked for is none.
fn is_premature(answer: &Response<Incoming>) -> bool {
    answer.status().is_success() && answer.extensions().get::<Severed>().is_some_and(Severed::get)
}

/// What went wrong, in words that name no address.
fn cause(failure: &Failure) -> &'static str {
    match failure.source().and_then(|cause| cause.downcast_ref::<hyper::Error>()) {
        Some(error) if error.is_parse() => "the application gave an answer that is not HTTP",
        Some(error) if error.is_incomplete_message() => "the application closed the connection without an answer",
        _ => "the connection to the application failed before it answered",
    }
}

/// TCP to the app, with TLS where its URL says `https`, counted.
#[derive(Debug, Clone)]
pub(crate) struct Connector {
    lines: Arc<Lines>,
    tcp: HttpConnector<Names>,
    tls: Option<Arc<Live<ClientConfig>>>,
    patience: Duration,
    open: IntGauge,
}

impl Connector {
    /// For the app of `settings`.
    ///
    /// # Errors
    /// It is called by TLS, and a file for that cannot be used.
    pub(crate) fn new(settings: &settings::Upstream, metrics: &Metrics) -> Result<Self, tls::Unusable> {
        let patience = settings.connect_timeout;
        let mut tcp = HttpConnector::new_with_resolver(Names::new(patience));
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(patience));
        tcp.enforce_http(false);
        let mut tls = None;
        if settings.url.is_tls() {
            let (files, http2) = (settings.tls.clone(), settings.http2);
            let good = metrics.tls_reload_success.with_label_values(&["upstream"]);
            let live = Live::new("upstream.tls", files.files(), good, move || files.load(http2))?;
            tls = Some(Arc::new(live));
        }
        Ok(Self { lines: Arc::default(), tcp, tls, patience, open: metrics.upstream_connections.clone() })
    }
}

/// A TLS connection to the host that `uri` names, and to no other.
async fn secure(tcp: TcpStream, uri: &Uri, config: Arc<ClientConfig>) -> io::Result<Stream> {
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    let name =
        ServerName::try_from(host.to_owned()).map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
    let stream = TlsConnector::from(config).connect(name, tcp).await?;
    Ok(Stream::Tls(Box::new(stream.into())))
}

impl Service<Uri> for Connector {
    type Response = Socket;
    type Error = Box<dyn Error + Send + Sync>;
    type Future = Pin<Box<dyn Future<Output = Result<Socket, Self::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.tcp.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connecting = self.tcp.call(uri.clone());
        let tls = self.tls.as_ref().map(|tls| tls.get());
        let (patience, open, lines) = (self.patience, self.open.clone(), Arc::clone(&self.lines));
        Box::pin(async move {
            let tcp = connecting.await?.into_inner();
            let stream = match tls {
                None => Stream::Plain(tcp),
                Some(config) => time::timeout(patience, secure(tcp, &uri, config)).await??,
            };
            uri.authority().into_iter().for_each(|app| lines.opened(app));
            open.inc();
            Ok(Socket { io: TokioIo::new(stream), open, severed: Severed::default() })
        })
    }
}

/// A connection to the app. Where the app takes no more, writes go nowhere instead of failing: hyper would give the
/// connection up at once and with it an answer that has come already. If none has, reading says so.
#[derive(Debug)]
pub(crate) struct Socket {
    io: TokioIo<Stream>,
    open: IntGauge,
    severed: Severed,
}

/// Whether something that was written went nowhere.
#[derive(Debug, Clone, Default)]
struct Severed(Arc<AtomicBool>);

impl Severed {
    fn get(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl Socket {
    fn written<T>(&self, done: Poll<io::Result<T>>, length: T) -> Poll<io::Result<T>> {
        match done {
            Poll::Ready(Err(error))
                if matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset) =>
            {
                self.severed.0.store(true, Ordering::Relaxed);
                Poll::Ready(Ok(length))
            }
            done => done,
        }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.open.dec();
    }
}

impl Connection for Socket {
    fn connected(&self) -> Connected {
        let stream = self.io.inner();
        let connected = stream.tcp().connected().extra(self.severed.clone());
        if stream.alpn() == Some(tls::H2) { connected.negotiated_h2() } else { connected }
    }
}

impl Read for Socket {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl Write for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let done = Pin::new(&mut self.io).poll_write(cx, buf);
        self.written(done, buf.len())
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // TLS keeps what the socket did not take, and fails here.
        let done = Pin::new(&mut self.io).poll_flush(cx);
        self.written(done, ())
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let done = Pin::new(&mut self.io).poll_write_vectored(cx, bufs);
        self.written(done, bufs.iter().map(|buf| buf.len()).sum())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("tcp connect error")]
    struct Connect(#[source] io::Error);

    #[test]
    #[cfg(unix)]
    fn what_is_missing_here_is_not_blamed_on_the_app() {
        for (code, ours) in [(24, true), (23, true), (111, false)] {
            assert_eq!(is_exhausted(&Connect(io::Error::from_raw_os_error(code))), ours, "{code}");
        }
        assert!(is_exhausted(&Connect(io::ErrorKind::AddrNotAvailable.into())));
        let text = Refusal::Exhausted.to_string();
        assert!(!text.contains("not reachable"), "{text}");
    }
}
