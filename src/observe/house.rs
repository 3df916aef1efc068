//! What the admin port asks the proxy: the proxy knows its tenants and settings, and the admin port knows no proxy.

use std::{future::Future, pin::Pin};

use http::Uri;
use serde::Serialize;

use crate::gate::unlisted::Sighting;

/// A running shim, to be looked at.
pub trait House: Send + Sync {
    /// An app, to be knocked at.
    fn app(&self) -> Uri;
    /// Every tenant that is listed or remembered, by id; of many dynamic ones those used last.
    fn tenants(&self) -> Vec<Facts>;
    /// One of them.
    fn tenant(&self, id: &str) -> Option<Facts>;
    /// What would hold for one that is neither: the ledger may know more of them, from before a restart. `None` where it
    /// is not to be shown.
    fn absent(&self, _id: &str, _label: &str) -> Option<Facts> {
        None
    }
    /// Who may see page and API.
    fn access(&self) -> Access;
    /// The keys that a reload wanted to change and could not, and what is not in force.
    fn notes(&self) -> Vec<String>;
    /// Tells it to leave: it is not ready from now on, answers what still comes, and ends each connection with its
    /// answer. It ends by a signal only.
    fn drain(&self);
    /// Reads the configuration again; what there is to warn of, and what of it is not in force.
    fn reload(&self) -> Reloading;
}

/// A configuration that is being read.
pub type Reloading = Pin<Box<dyn Future<Output = Result<Vec<String>, NotReloaded>> + Send>>;

/// Why the settings are still those of before.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotReloaded {
    /// There is no file to read.
    #[error("there is no configuration file to read again; scimshim was started without one")]
    NoFile,
    /// Every problem, a line each.
    #[error("{}\nthe configuration was not taken; what ran before stays in force", .0.join("\n"))]
    Problems(Vec<String>),
    /// The process is about to end.
    #[error("scimshim is stopping and reads no configuration any more")]
    Stopping,
}

/// What the settings and the gate know of one tenant.
#[derive(Debug, Clone, Serialize)]
pub struct Facts {
    /// Its name.
    pub tenant: String,
    /// Its metric label.
    pub label: String,
    /// It stands in the configuration.
    pub listed: bool,
    /// The profile in force; `auto` while none is known.
    pub idp: &'static str,
    /// `rewrite`, `observe`, `reject` or `off`.
    pub mode: &'static str,
    /// Addresses: `off`, `observe` or `enforce`.
    pub allow: &'static str,
    /// It has rates.
    pub limited: bool,
    /// Addresses on no list that called of late.
    pub unlisted: Vec<Sighting>,
}

/// Who may see page and API.
#[derive(Debug, Clone, Copy)]
pub struct Access {
    /// The SHA-256 of the token; without one only loopback may.
    pub token: Option<[u8; 32]>,
    /// Loopback needs no token.
    pub loopback: bool,
}
