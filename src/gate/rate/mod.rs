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
