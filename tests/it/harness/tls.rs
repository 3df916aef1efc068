use std::{
    env, fs, io,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use http::{Request, Response, Version};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair};
use rustls::{
    ClientConfig, RootCertStore, ServerConfig, SupportedProtocolVersion,
    crypto::ring::default_provider,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
    server::{NoClientAuth, WebPkiClientVerifier, danger::ClientCertVerifier},
};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, TlsConnector, client::TlsStream};
use tokio_util::task::AbortOnDropHandle;

/// The name that leaves of the shim and of the app have.
pub(crate) const NAME: &str = "localhost";

/// A folder that goes when it is dropped.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = env::temp_dir().join(format!("scimshim-it-{}-{number}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    /// `tls.crt` and `tls.key`, below `under`.
    pub(crate) fn identity(&self, under: &str, identity: &Identity) {
        self.write(&format!("{under}tls.crt"), &identity.chain);
        self.write(&format!("{under}tls.key"), &identity.key);
    }
}

impl AsRef<Path> for Folder {
    fn as_ref(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A CA.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key, as PEM.
#[derive(Clone)]
pub(crate) struct Identity {
    pub(crate) chain: String,
    pub(crate) key: String,
}

impl Identity {
    pub(crate) fn leaf(&self) -> CertificateDer<'static> {
        CertificateDer::from_pem_slice(self.chain.as_bytes()).unwrap()
    }

    fn parts(&self) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
        (vec![self.leaf()], PrivateKeyDer::from_pem_slice(self.key.as_bytes()).unwrap())
    }
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "a CA of the test");
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    pub(crate) fn leaf(&self, name: &str) -> Identity {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let certificate = params.signed_by(&key, &self.0).unwrap();
        Identity { chain: certificate.pem(), key: key.serialize_pem() }
    }

    fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).unwrap();
        roots
    }

    /// A client that believes this CA.
    pub(crate) fn client(
        &self,
        versions: &[&'static SupportedProtocolVersion],
        alpn: &[&str],
        identity: Option<&Identity>,
    ) -> Arc<ClientConfig> {
        let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(self.roots());
        let mut config = match identity {
            None => builder.with_no_client_auth(),
            Some(identity) => {
                let (chain, key) = identity.parts();
                builder.with_client_auth_cert(chain, key).unwrap()
            }
        };
        config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        Arc::new(config)
    }

    /// A server with a leaf of this CA, which may ask for a certificate of it.
    pub(crate) fn server(&self, identity: &Identity, alpn: &[&str], mutual: bool) -> Arc<ServerConfig> {
        let provider = Arc::new(default_provider());
        let clients: Arc<dyn ClientCertVerifier> = if mutual {
            WebPkiClientVerifier::builder_with_provider(Arc::new(self.roots()), Arc::clone(&provider)).build().unwrap()
        } else {
            Arc::new(NoClientAuth)
        };
        let (chain, key) = identity.parts();
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(clients)
            .with_single_cert(chain, key)
            .unwrap();
        config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        Arc::new(config)
    }
}

/// A TLS connection.
pub(crate) async fn secure(addr: SocketAddr, config: &Arc<ClientConfig>) -> io::Result<TlsStream<TcpStream>> {
    upgrade(TcpStream::connect(addr).await?, config).await
}

/// TLS on a connection that is there.
pub(crate) async fn upgrade(tcp: TcpStream, config: &Arc<ClientConfig>) -> io::Result<TlsStream<TcpStream>> {
    tcp.set_nodelay(true)?;
    TlsConnector::from(Arc::clone(config)).connect(ServerName::try_from(NAME).unwrap(), tcp).await
}

/// A connection on which several requests can be made.
pub(crate) struct Kept {
    sender: Sender,
    connection: tokio::task::JoinHandle<()>,
}

enum Sender {
    H1(hyper::client::conn::http1::SendRequest<Full<Bytes>>),
    H2(hyper::client::conn::http2::SendRequest<Full<Bytes>>),
}

impl Kept {
    /// In the protocol that was agreed on.
    pub(crate) async fn new(stream: TlsStream<TcpStream>) -> hyper::Result<Self> {
        let h2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        let io = TokioIo::new(stream);
        Ok(if h2 {
            let (sender, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await?;
            Self { sender: Sender::H2(sender), connection: tokio::spawn(async { drop(connection.await) }) }
        } else {
            let (sender, connection) = hyper::client::conn::http1::handshake(io).await?;
            Self { sender: Sender::H1(sender), connection: tokio::spawn(async { drop(connection.await) }) }
        })
    }

    pub(crate) async fn get(&mut self, path: &str) -> hyper::Result<Response<Bytes>> {
        self.ask("GET", path, "").await
    }

    pub(crate) async fn ask(&mut self, method: &str, path: &str, body: &'static str) -> hyper::Result<Response<Bytes>> {
        let request = Request::builder().method(method).header("content-type", "application/scim+json");
        let body = Full::new(Bytes::from_static(body.as_bytes()));
        let answer = match &mut self.sender {
            Sender::H1(sender) => {
                sender.send_request(request.uri(path).header("host", "scim.example.com").body(body).unwrap()).await
            }
            Sender::H2(sender) => {
                let uri = format!("https://scim.example.com{path}");
                sender.send_request(request.uri(uri).body(body).unwrap()).await
            }
        };
        let (head, body) = answer?.into_parts();
        Ok(Response::from_parts(head, body.collect().await?.to_bytes()))
    }

    /// Waits until the other side has closed.
    pub(crate) async fn closed(self) {
        tokio::time::timeout(std::time::Duration::from_secs(30), self.connection)
            .await
            .expect("the connection closes")
            .unwrap();
    }
}

/// An app behind TLS; it ends when this is dropped.
pub(crate) struct SecureApp {
    pub(crate) addr: SocketAddr,
    seen: Arc<Mutex<Vec<Asked>>>,
    _serving: AbortOnDropHandle<()>,
}

/// A request as the app got it.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) version: Version,
    pub(crate) server_name: Option<String>,
    pub(crate) client: Option<CertificateDer<'static>>,
}

impl SecureApp {
    pub(crate) async fn start(config: Arc<ServerConfig>) -> Self {
        Self::on(TcpListener::bind("127.0.0.1:0").await.unwrap(), config, 0)
    }

    /// Ends the first `lost` connections in their handshake, as an app that restarts does.
    pub(crate) fn on(listener: TcpListener, config: Arc<ServerConfig>, mut lost: usize) -> Self {
        let addr = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&seen);
        let serving = AbortOnDropHandle::new(tokio::spawn(async move {
            let mut open = tokio::task::JoinSet::new();
            loop {
                let (tcp, _) = listener.accept().await.unwrap();
                if lost > 0 {
                    lost -= 1;
                    continue;
                }
                let (config, log) = (Arc::clone(&config), Arc::clone(&log));
                open.spawn(async move {
                    let Ok(stream) = TlsAcceptor::from(config).accept(tcp).await else { return };
                    let session = stream.get_ref().1;
                    let asked = Asked {
                        version: Version::HTTP_09,
                        server_name: session.server_name().map(str::to_owned),
                        client: session.peer_certificates().map(|chain| chain[0].clone()),
                    };
                    let service = service_fn(move |request: Request<Incoming>| {
                        let (mut asked, log) = (asked.clone(), Arc::clone(&log));
                        async move {
                            asked.version = request.version();
                            log.lock().unwrap().push(asked);
                            request.into_body().collect().await?;
                            let answer = Response::builder().header("content-type", "application/scim+json");
                            Ok::<_, hyper::Error>(answer.body(Full::new(Bytes::from_static(b"{}"))).unwrap())
                        }
                    });
                    let builder = auto::Builder::new(TokioExecutor::new());
                    drop(builder.serve_connection(TokioIo::new(stream), service).await);
                });
            }
        }));
        Self { addr, seen, _serving: serving }
    }

    pub(crate) fn seen(&self) -> Vec<Asked> {
        self.seen.lock().unwrap().clone()
    }
}
