//! The last exchanges, redacted: what came, what went on, what the app said, what the IdP was told.
//!
//! A ring in memory, bounded in exchanges and bytes; what comes in is redacted before it is kept, so that neither a page
//! nor a core dump holds what was not to be kept. Redacting when somebody looks would be cheaper and keep everything.
//!
//! Callers who are not taken to be the identity provider but showed credentials, such as a wrong token, have a tenth of
//! it: what they are told helps whoever mixed up tokens, and a flood of it pushes out nothing else.

mod address;
mod entry;
mod heads;
mod query;
mod redact;

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use arc_swap::ArcSwap;

pub use self::{
    entry::Entry,
    query::{Page, Query, Status},
};
use self::{
    query::{DEFAULT_LIMIT, MAX_LIMIT},
    redact::Redactor,
};
use super::{Metrics, account::Account, facts::Target, key::Key, ledger::Observation};
use crate::config::settings;

/// Bytes of all entries together: some thousand of the usual size, whatever number is set.
const ROOM: usize = 64 << 20;

/// One in so many entries, and in so many bytes, may be a guest's.
const GUESTS: usize = 10;

/// Entries looked at before others get their turn: a search must not hold up an exchange.
const STRIDE: usize = 1024;

/// The ring.
#[derive(Debug)]
pub struct Journal {
    settings: ArcSwap<settings::Journal>,
    key: Key,
    metrics: Arc<Metrics>,
    last: AtomicU64,
    ring: Mutex<Ring>,
}

/// In two lanes, so that the oldest of either is at hand.
#[derive(Debug, Default)]
struct Ring {
    house: Lane,
    guests: Lane,
}

/// Oldest first, by number.
#[derive(Debug, Default)]
struct Lane {
    entries: VecDeque<Arc<Entry>>,
    bytes: usize,
}

impl Journal {
    /// An empty one. `key` is the ledger's, so that objects have one name in both.
    pub fn new(settings: &settings::Journal, key: Key, metrics: Arc<Metrics>) -> Self {
        warn(settings);
        Self {
            settings: ArcSwap::from_pointee(settings.clone()),
            key,
            metrics,
            last: AtomicU64::new(0),
            ring: Mutex::new(Ring::default()),
        }
    }

    /// Puts other settings in force; what is too much goes, oldest first. What was kept in clear stays so until it goes.
    pub fn reconfigure(&self, settings: &settings::Journal) {
        if settings.reveal != self.settings.load().reveal {
            warn(settings);
        }
        self.settings.store(Arc::new(settings.clone()));
        let mut ring = self.ring();
        ring.trim(settings.entries);
        self.tell(&ring);
    }

    /// Keeps an exchange, if it is of those that are kept. Who has shown nothing at the door is not.
    pub fn record(&self, account: &Account<'_>, event: Option<&Observation>) {
        let settings = self.settings.load();
        let failed = has_failed(account, event);
        let guest = !account.credible;
        if settings.entries == 0 || settings.failures_only && !failed || guest && !account.credentials {
            return;
        }
        let redactor = Redactor {
            key: &self.key,
            tenant: account.tenant,
            resource: Target::read(&account.received.target).resource(account.resource),
            reveal: settings.reveal.contains(account.tenant),
        };
        let seq = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        let entry = Arc::new(Entry::new(seq, account, event, &redactor, failed));
        let mut ring = self.ring();
        if guest { &mut ring.guests } else { &mut ring.house }.add(entry);
        // A reload may have set another number since.
        ring.trim(self.settings.load().entries);
        self.tell(&ring);
    }

    /// A page of what `query` wants, latest first.
    pub fn find(&self, query: &Query) -> Page {
        let limit = query.limit.unwrap_or(DEFAULT_LIMIT).min(MAX_LIMIT);
        let mut entries = self.search(query, limit + 1);
        let more = entries.len() > limit;
        entries.truncate(limit);
        let next = entries.last().filter(|_| more).map(|entry| entry.seq);
        Page { entries, next }
    }

    /// What `query` wants as JSON lines, oldest first as timelines are: each exchange is a case whose request
    /// `scimshim explain --jsonl` normalizes, and where the app answered a second one whose answer it repairs.
    pub fn export(&self, query: &Query) -> impl Iterator<Item = String> + use<> {
        let entries = self.search(query, query.limit.unwrap_or(usize::MAX));
        entries.into_iter().rev().flat_map(|entry| {
            let answer = entry.answer_case();
            std::iter::once(entry.json.get().to_owned()).chain(answer)
        })
    }

    /// The exchange of that number, if it is still there.
    pub fn entry(&self, seq: u64) -> Option<Arc<Entry>> {
        self.ring().back(seq.saturating_add(1)).next().filter(|entry| entry.seq == seq).cloned()
    }

    fn search(&self, query: &Query, limit: usize) -> Vec<Arc<Entry>> {
        let mut found = Vec::new();
        let mut before = query.before.unwrap_or(u64::MAX);
        while found.len() < limit {
            let ring = self.ring();
            let start = before;
            let looked = ring.back(start).take(STRIDE).inspect(|entry| before = entry.seq);
            let wanted = looked.filter(|entry| query.wants(entry)).take(limit - found.len());
            found.extend(wanted.cloned());
            if before == start {
                break;
            }
        }
        found
    }

    fn tell(&self, ring: &Ring) {
        self.metrics.journal_entries.set(i64::try_from(ring.len()).unwrap_or(i64::MAX));
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ring {
    fn len(&self) -> usize {
        self.house.entries.len() + self.guests.entries.len()
    }

    /// Those with a lower number, latest first.
    fn back(&self, before: u64) -> impl Iterator<Item = &Arc<Entry>> {
        let (mut house, mut guests) = (self.house.back(before).peekable(), self.guests.back(before).peekable());
        std::iter::from_fn(move || match (house.peek(), guests.peek()) {
            (Some(one), Some(other)) if one.seq < other.seq => guests.next(),
            (Some(_), _) => house.next(),
            (None, _) => guests.next(),
        })
    }

    fn trim(&mut self, entries: usize) {
        while self.guests.entries.len() > entries / GUESTS || self.guests.bytes > ROOM / GUESTS {
            self.guests.drop_oldest();
        }
        while self.len() > entries || self.house.bytes + self.guests.bytes > ROOM {
            let first = |lane: &Lane| lane.entries.front().map_or(u64::MAX, |entry| entry.seq);
            let older = first(&self.guests) < first(&self.house);
            if older { &mut self.guests } else { &mut self.house }.drop_oldest();
        }
    }
}

impl Lane {
    /// Numbers are given before the lock is taken, so the last few may come in another order.
    fn add(&mut self, entry: Arc<Entry>) {
        self.bytes += entry.size();
        let place = self.below(entry.seq);
        self.entries.insert(place, entry);
    }

    fn drop_oldest(&mut self) {
        if let Some(oldest) = self.entries.pop_front() {
            self.bytes -= oldest.size();
        }
    }

    fn back(&self, before: u64) -> impl Iterator<Item = &Arc<Entry>> {
        self.entries.range(..self.below(before)).rev()
    }

    /// How many have a lower number.
    fn below(&self, seq: u64) -> usize {
        self.entries.partition_point(|entry| entry.seq < seq)
    }
}

/// No success, no answer, our own answer; or a success that the ledger counts as a failure, such as a page of HTML.
fn has_failed(account: &Account<'_>, event: Option<&Observation>) -> bool {
    account.told.is_none_or(|told| told.status >= 400)
        || account.refusal.is_some()
        || event.is_some_and(|event| event.cause.is_some())
}

fn warn(settings: &settings::Journal) {
    if !settings.reveal.is_empty() {
        let tenants = settings.reveal.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
        tracing::warn!(
            %tenants,
            "`journal.reveal` keeps the data of these tenants' people in clear, for everybody who may read the journal; \
             take it out when the case is solved"
        );
    }
}

#[cfg(test)]
mod tests;
