//! Published address ranges: parse, guard, fetch, keep the last good copy.

use std::{path::PathBuf, sync::Arc, time::Duration};

/// The format of a feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Azure Service Tags, by tag.
    AzureServiceTags,
    /// One CIDR per line, or JSON.
    List,
    /// Okta's `ip_ranges.json`, by cell.
    Okta,
}

/// Where a feed is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A page that links the weekly file.
    Discover(String),
    /// A file on this machine.
    File(PathBuf),
    /// The document itself.
    Url(String),
}

/// What the operator wrote about one feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spec {
    /// Its name below `feeds`; the metric label.
    pub name: Arc<str>,
    /// Its format.
    pub kind: Kind,
    /// Where it is.
    pub source: Source,
    /// How often it is fetched.
    pub refresh: Duration,
    /// How long a removed range stays allowed.
    pub removal_grace: Duration,
    /// Age after which the last good copy no longer refuses anyone.
    pub stale_after: Duration,
    /// PEM of a private CA for the source.
    pub ca: Option<PathBuf>,
    /// SHA-256 of one document that the guards refuse and a person has read.
    pub accept: Option<[u8; 32]>,
    /// JSON pointer to the array of ranges (lists only).
    pub pointer: Option<String>,
    /// Cells or tags that tenants name, sorted, each once; empty for a list.
    pub parts: Vec<Arc<str>>,
}
