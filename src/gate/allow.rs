//! May a tenant be called from this address?
//!
//! An allowlist narrows exposure and authenticates nobody: the published lists are shared by every customer of an
//! identity provider. So a listed address still needs its token, and an unlisted one is refused only where the lists
//! are known to be good: while a feed is away or too old, nobody is told 403, which an IdP takes for lost credentials.

use std::{net::IpAddr, sync::Arc};

use crate::{
    config::settings::{self, AllowMode},
    feed::{AddressSet, Feeds, Part, Readiness, Time},
};

/// A tenant's allowlist.
#[derive(Debug)]
pub struct Allowlist {
    mode: AllowMode,
    ranges: AddressSet,
    parts: Vec<Arc<Part>>,
}

/// What the lists say of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is in a range or a feed, whatever the feed's state.
    Listed,
    /// It is in none, and a feed that could hold it was never loaded or is over its age.
    NotReady,
    /// It is in none.
    Unlisted,
    /// No address could be established.
    Unknown,
}

impl Allowlist {
    /// The list as configured, with handles on its feeds.
    pub fn new(settings: &settings::Allow, feeds: &Feeds) -> Self {
        let part = |named: &crate::config::types::FeedRef| feeds.part(&named.feed, named.part.as_deref());
        Self {
            mode: settings.mode,
            ranges: AddressSet::new(&settings.cidrs),
            parts: settings.feeds.iter().filter_map(part).collect(),
        }
    }

    /// What is done about an address that is not listed.
    pub fn mode(&self) -> AllowMode {
        self.mode
    }

    /// Judges an address, whatever the mode. The time is asked only where it matters.
    pub fn judge(&self, address: Option<IpAddr>, now: impl Fn() -> Time) -> Verdict {
        let Some(address) = address else { return Verdict::Unknown };
        if self.ranges.find(address).is_some() || self.parts.iter().any(|part| part.find(address).is_some()) {
            Verdict::Listed
        } else if self.parts.is_empty() {
            Verdict::Unlisted
        } else {
            let now = now();
            let not_ready = self.parts.iter().any(|part| part.readiness(now) == Readiness::NotReady);
            if not_ready { Verdict::NotReady } else { Verdict::Unlisted }
        }
    }
}
