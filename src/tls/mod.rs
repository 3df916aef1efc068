//! TLS on both sides: rustls with ring, files that are read again when they change.
//!
//! The provider is passed to each configuration and not installed for the process: a library that wants another one
//! changes nothing here. Sessions and tickets belong to a configuration, so that nobody resumes under a new client CA
//! what was agreed under the old one.

mod files;
mod live;
mod stream;

use std::{path::PathBuf, sync::Arc};

use rustls::{
    ClientConfig, RootCertStore, ServerConfig, SupportedProtocolVersion,
    crypto::{CryptoProvider, ring},
    server::{NoClientAuth, WebPkiClientVerifier, danger::ClientCertVerifier},
    version::{TLS12, TLS13},
};

pub use self::files::{Part, Unusable};
pub(crate) use self::{live::Live, stream::Stream};

/// HTTP/2 as ALPN names it (RFC 9113 3.1).
pub(crate) const H2: &[u8] = b"h2";
const HTTP_1_1: &[u8] = b"http/1.1";

/// `listen.tls`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// PEM chain, leaf first.
    pub certificate: PathBuf,
    /// PEM key of the leaf.
    pub private_key: PathBuf,
    /// PEM; when given, clients must present a certificate that it signed.
    pub client_ca: Option<PathBuf>,
    /// Lowest version.
    pub min_version: MinVersion,
}

/// `listen.tls.min_version`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MinVersion {
    /// RFC 5246.
    V1_2,
    /// RFC 8446.
    V1_3,
}

/// `upstream.tls`, or what a feed's mirror needs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Client {
    /// PEM of a private CA; without it the platform's roots.
    pub ca: Option<PathBuf>,
    /// PEM chain that we present, and the PEM key of it.
    pub identity: Option<(PathBuf, PathBuf)>,
}

impl Server {
    /// Reads the files.
    ///
    /// # Errors
    /// One of them cannot be used.
    pub fn load(&self) -> Result<ServerConfig, Unusable> {
        let chain = files::chain(&self.certificate)?;
        let key = files::key(&self.private_key)?;
        let clients: Arc<dyn ClientCertVerifier> = match &self.client_ca {
            None => Arc::new(NoClientAuth),
            Some(ca) => WebPkiClientVerifier::builder_with_provider(Arc::new(files::roots(ca)?), provider())
                .build()
                .map_err(|error| Unusable::ca(ca, &error))?,
        };
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(self.min_version.and_above())
            .expect("ring has cipher suites for TLS 1.2 and 1.3")
            .with_client_cert_verifier(clients)
            .with_single_cert(chain, key)
            .map_err(|error| Unusable::pair(&self.certificate, &self.private_key, &error))?;
        config.alpn_protocols = vec![H2.to_vec(), HTTP_1_1.to_vec()];
        Ok(config)
    }

    /// Every file that [`Server::load`] reads.
    pub fn files(&self) -> Vec<PathBuf> {
        [&self.certificate, &self.private_key].into_iter().chain(&self.client_ca).cloned().collect()
    }
}

impl MinVersion {
    fn and_above(self) -> &'static [&'static SupportedProtocolVersion] {
        static ALL: [&SupportedProtocolVersion; 2] = [&TLS13, &TLS12];
        match self {
            Self::V1_2 => &ALL,
            Self::V1_3 => &ALL[..1],
        }
    }
}

impl Client {
    /// Reads the files, or the platform's roots. With `http2` the other side may choose it (RFC 7301).
    ///
    /// # Errors
    /// One of the files cannot be used, or the platform has no roots.
    pub fn load(&self, http2: bool) -> Result<ClientConfig, Unusable> {
        let roots = match &self.ca {
            Some(ca) => files::roots(ca)?,
            None => platform()?,
        };
        let mut config = self.with(roots)?;
        if http2 {
            config.alpn_protocols.push(H2.to_vec());
        }
        config.alpn_protocols.push(HTTP_1_1.to_vec());
        Ok(config)
    }

    /// For a side that speaks no TLS, on a platform that may have no roots: nobody is trusted.
    ///
    /// # Errors
    /// One of the files of the identity cannot be used.
    pub fn load_without_roots(&self) -> Result<ClientConfig, Unusable> {
        self.with(RootCertStore::empty())
    }

    /// Reads the files only: whether the platform has roots is a question for where it runs.
    ///
    /// # Errors
    /// One of the files cannot be used.
    pub fn load_files(&self) -> Result<(), Unusable> {
        let roots = self.ca.as_ref().map_or_else(|| Ok(RootCertStore::empty()), |ca| files::roots(ca))?;
        self.with(roots).map(drop)
    }

    fn with(&self, roots: RootCertStore) -> Result<ClientConfig, Unusable> {
        let builder = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(MinVersion::V1_2.and_above())
            .expect("ring has cipher suites for TLS 1.2 and 1.3")
            .with_root_certificates(roots);
        match &self.identity {
            None => Ok(builder.with_no_client_auth()),
            Some((certificate, key)) => builder
                .with_client_auth_cert(files::chain(certificate)?, files::key(key)?)
                .map_err(|error| Unusable::pair(certificate, key, &error)),
        }
    }

    /// Every file that [`Client::load`] reads; the platform's roots come with its image and are read once.
    pub fn files(&self) -> Vec<PathBuf> {
        let identity = self.identity.iter().flat_map(|(certificate, key)| [certificate, key]);
        self.ca.iter().chain(identity).cloned().collect()
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

fn platform() -> Result<RootCertStore, Unusable> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    // Old bundles hold certificates that no verifier reads any more; the others are good.
    let (added, ignored) = roots.add_parsable_certificates(found.certs);
    if added == 0 {
        return Err(Unusable::no_platform_roots(&found.errors));
    }
    tracing::debug!(added, ignored, "roots of the platform");
    Ok(roots)
}
