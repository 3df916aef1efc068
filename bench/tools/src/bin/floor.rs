//! Our own floors, all plain hyper + tokio:
//!   plain  the plainest reverse proxy, both bodies streamed (the physical floor of the stack)
//!   serde  the same proxy, but write bodies are buffered, parsed into serde_json::Value,
//!          rewritten by the reference rewriter and serialised again (the obvious way)
//!   span   like serde, but with the span-copy prototype of the anchors (knows only a PATCH
//!          without removals; for W5 it shows what a rewriter that builds no tree costs)
//! With a certificate it listens for TLS, and speaks HTTP/2 where the client asks for it.
//! usage: floor MODE LISTEN UPSTREAM [threads [certificate private_key]]
use benchtools::rewrite;
use http_body_util::{combinators::BoxBody, BodyExt, Full};
use hyper::body::Incoming;
use hyper::{header, server::conn::http1, service::service_fn, Method, Request, Response, Uri, Version};
use hyper_util::client::legacy::{connect::HttpConnector, Client};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use std::convert::Infallible;
use std::sync::Arc;
use tokio_rustls::rustls::pki_types::{pem::PemObject, CertificateDer, PrivateKeyDer};
use tokio_rustls::{rustls::ServerConfig, TlsAcceptor};

#[path = "../../../anchors/src/span.rs"]
mod span;

#[derive(Clone, Copy, PartialEq)]
enum Mode {
    Plain,
    Serde,
    Span,
}

type Body = BoxBody<bytes::Bytes, hyper::Error>;
type Pool = Client<HttpConnector, Body>;

async fn forward(client: Pool, up: String, mode: Mode, mut req: Request<Incoming>) -> Result<Response<Body>, Infallible> {
    let pq = req.uri().path_and_query().map_or("/", |p| p.as_str());
    *req.uri_mut() = Uri::builder().scheme("http").authority(up.as_str()).path_and_query(pq).build().unwrap();
    *req.version_mut() = Version::HTTP_11;
    req.headers_mut().remove(header::CONNECTION);
    let writes = [Method::PUT, Method::POST, Method::PATCH].contains(req.method());
    let req = if mode != Mode::Plain && writes {
        let (mut head, body) = req.into_parts();
        let raw = match body.collect().await {
            Ok(b) => b.to_bytes(),
            Err(_) => return Ok(status(400)),
        };
        let out = if mode == Mode::Span {
            let mut v = Vec::with_capacity(raw.len() + 128);
            if span::rewrite(&raw, &mut v) { v.into() } else { raw }
        } else {
            rewrite::body(head.method.as_str(), head.uri.path(), &raw).map_or(raw, bytes::Bytes::from)
        };
        head.headers.remove(header::TRANSFER_ENCODING);
        head.headers.insert(header::CONTENT_LENGTH, out.len().into());
        Request::from_parts(head, Full::new(out).map_err(|e| match e {}).boxed())
    } else {
        req.map(|b| b.boxed())
    };
    Ok(match client.request(req).await {
        Ok(r) => r.map(|b| b.boxed()),
        Err(_) => status(502),
    })
}

fn status(code: u16) -> Response<Body> {
    let body = Full::new(bytes::Bytes::new()).map_err(|e| match e {}).boxed();
    Response::builder().status(code).body(body).unwrap()
}

fn tls(certificate: &str, key: &str) -> TlsAcceptor {
    let chain = CertificateDer::pem_file_iter(certificate).expect("certificate").map(|c| c.expect("certificate")).collect();
    let key = PrivateKeyDer::from_pem_file(key).expect("private key");
    let mut config = ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key).expect("key of the certificate");
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    TlsAcceptor::from(Arc::new(config))
}

async fn serve(mode: Mode, listen: String, up: String, tls: Option<TlsAcceptor>) {
    let mut c = HttpConnector::new();
    c.set_nodelay(true);
    let client: Pool = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(1024).pool_timer(TokioTimer::new()).build(c);
    let l = tokio::net::TcpListener::bind(&listen).await.expect("bind");
    loop {
        let Ok((s, _)) = l.accept().await else { continue };
        let _ = s.set_nodelay(true);
        let (client, up, tls) = (client.clone(), up.clone(), tls.clone());
        tokio::spawn(async move {
            let svc = service_fn(move |r| forward(client.clone(), up.clone(), mode, r));
            if let Some(tls) = tls {
                let Ok(s) = tls.accept(s).await else { return };
                let _ = auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(s), svc).await;
                return;
            }
            let _ = http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(s), svc).await;
        });
    }
}

fn main() {
    let a: Vec<String> = std::env::args().collect();
    let n: usize = a.get(4).and_then(|s| s.parse().ok()).unwrap_or(1);
    let rt = match n {
        0 | 1 => tokio::runtime::Builder::new_current_thread().enable_all().build(),
        n => tokio::runtime::Builder::new_multi_thread().worker_threads(n).enable_all().build(),
    };
    let mode = match a[1].as_str() {
        "serde" => Mode::Serde,
        "span" => Mode::Span,
        _ => Mode::Plain,
    };
    let tls = a.get(5).map(|certificate| tls(certificate, &a[6]));
    rt.unwrap().block_on(serve(mode, a[2].clone(), a[3].clone(), tls));
}
