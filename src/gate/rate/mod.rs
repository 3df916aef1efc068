//! How fast a tenant may come: reads, writes and lookups apart; wait first, refuse last.

use std::{num::NonZeroU32, time::Duration};

/// What the operator wrote about one tenant's rates. Nothing is limited that is not given.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Limits {
    /// Any other GET.
    pub reads: Option<Quota>,
    /// POST, PUT, PATCH, DELETE.
    pub writes: Option<Quota>,
    /// What a credential check sends.
    pub lookups: Option<Quota>,
    /// How long a read or write may wait for its turn.
    pub wait: Duration,
    /// How many may wait so in each class.
    pub max_waiting: u32,
    /// Requests of this tenant in flight.
    pub concurrency: Option<NonZeroU32>,
}

/// A sustained rate and what may come at once.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quota {
    /// Requests a second; over 0, at most a million.
    pub per_second: f64,
    /// Requests at once.
    pub burst: NonZeroU32,
}
// STUB
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Class {
    Lookup,
    Read,
    Write,
}
#[allow(missing_docs)]
pub fn class(_: &http::Method, _: &str) -> Class {
    Class::Read
}
#[allow(missing_docs)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("r")]
    Rate { class: Class, wait: Duration },
    #[error("c")]
    Concurrency { wait: Duration },
}
#[allow(missing_docs)]
#[derive(Debug)]
pub struct Limiter;
#[allow(missing_docs)]
#[derive(Debug, Clone)]
pub struct Store;
#[allow(missing_docs)]
#[derive(Debug)]
pub struct Turn;
#[allow(missing_docs)]
#[derive(Debug, Clone, Copy)]
pub struct Standing;
#[allow(missing_docs)]
impl Limiter {
    pub fn new(
        _: &std::sync::Arc<str>,
        _: &std::sync::Arc<str>,
        _: &Limits,
        _: &Store,
        _: &std::sync::Arc<crate::observe::Metrics>,
    ) -> Self {
        Self
    }
    pub fn reconfigure(&self, _: &Limits) {}
    pub async fn enter(&self, _: Class, _: tokio::time::Instant) -> Result<Turn, Refused> {
        Ok(Turn)
    }
}
#[allow(missing_docs)]
impl Turn {
    pub fn standing(&self) -> Option<Standing> {
        None
    }
    pub fn waited(&self) -> Duration {
        Duration::ZERO
    }
}
#[allow(missing_docs)]
impl Standing {
    pub fn write(&self, _: &mut http::HeaderMap) {}
}
