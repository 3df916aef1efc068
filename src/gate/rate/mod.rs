//! How fast a tenant may come: reads, writes and lookups apart; wait first, refuse last.
//!
//! Entra counts a 429 as a failing object, and a check that meets one as a failed check; Okta retries ten times and then
//! gives up for good. So a request over the rate waits for its turn, and is refused only when that would take longer
//! than it may: `class` says what it is, a [`Limiter`] holds its tenant to the [`Limits`], [`Turn`] and [`Refused`] say
//! how that ended, a [`Store`] counts.
//!
//! ```text
//! Limiter::enter   lane    the line before each quota: who came first is next      bucket  GCRA on this process's clock
//!                  room    requests in flight, lookups first                       store   the same, shared through Redis
//! ```
//!
//! Each tenant has its own lines, so one tenant's flood delays nobody else. Nothing here knows HTTP but the two ends:
//! what a request is, and what headers tell.

mod bucket;
mod class;
mod headers;
mod lane;
mod limiter;
mod room;
mod store;

use std::{num::NonZeroU32, time::Duration};

pub use self::{
    class::{Class, class},
    headers::Standing,
    limiter::{Limiter, Refused, Turn},
    store::{BadUrl, Store},
};

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
