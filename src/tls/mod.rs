//! TLS on both sides: rustls with ring, files that are read again when they change.

use std::path::PathBuf;

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
