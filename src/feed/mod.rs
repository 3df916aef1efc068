//! Published address ranges: parse, guard, fetch, keep the last good copy.
//!
//! The story of a document, which is also the map of files:
//!
//! ```text
//! refresh   when to try, and what becomes of it       parse    bytes -> ranges by part, or what is wrong with them
//! fetch     a file, a URL, a page (discover) -> bytes guard    may it be believed, compared with the last good copy
//! cache     the last good copy on disk                reading  what it would change, if it is believed
//! tell      the log and the metrics of it             state    what is kept by grace, what may be concluded
//! ```
//!
//! [`Feeds`] owns all of it; the gate holds [`Part`]s, which are replaced behind its back. A listed address passes in every
//! state; an address that is not listed is refused only by a part that is [`Readiness::Ready`].
//!
//! No list is built into the program: it would be an old one, and refuse the wrong callers.

mod cache;
mod clock;
mod discover;
mod fetch;
#[cfg(fuzzing)]
pub(crate) mod fuzzing;
pub mod guard;
pub mod parse;
mod ranges;
mod reading;
mod refresh;
mod set;
mod state;
mod tell;

use std::{
    collections::BTreeMap,
    net::IpAddr,
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use ipnet::IpNet;
use serde::Serialize;
use sha2::{Digest, Sha256};
use tokio_util::task::AbortOnDropHandle;

use self::{cache::Cache, refresh::Feed, refresh::Surroundings};
pub use self::{
    clock::{Clock, Time},
    fetch::{Patience, proxy_faults},
    ranges::Ranges,
    refresh::Outcome,
    set::AddressSet,
    state::{Change, Part, Readiness, State},
};
use crate::observe::Metrics;

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

impl Source {
    /// For people; what stands behind `?` may be a secret.
    pub fn shown(&self) -> String {
        match self {
            Self::Discover(url) | Self::Url(url) => match url.split_once('?') {
                Some((url, _)) => format!("{url}?..."),
                None => url.clone(),
            },
            Self::File(path) => path.display().to_string(),
        }
    }
}

impl Spec {
    /// What a last good copy belongs to beside its name: the kind of feed, and where in the document the ranges are. Not
    /// the source: when that moves, what it said before is what its first document is compared with.
    fn identity(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        for field in [self.kind.as_str(), self.pointer.as_deref().unwrap_or("\0")] {
            hash.update((field.len() as u64).to_be_bytes());
            hash.update(field.as_bytes());
        }
        hash.finalize().into()
    }
}

/// Every feed of a shim, kept up to date while it lives.
#[derive(Debug)]
pub struct Feeds {
    feeds: ArcSwap<BTreeMap<Arc<str>, Arc<Feed>>>,
    with: Arc<Surroundings>,
    /// Ended when this is dropped.
    tasks: Mutex<BTreeMap<Arc<str>, AbortOnDropHandle<()>>>,
    running: AtomicBool,
    ready: AtomicBool,
}

impl Feeds {
    /// The feeds with their last good copies from `cache_dir`; nothing is fetched yet.
    pub fn new(specs: Vec<Spec>, cache_dir: Option<PathBuf>, metrics: Arc<Metrics>) -> Arc<Self> {
        Self::with(specs, Cache::new(cache_dir), metrics, Clock::new(), Patience::default())
    }

    /// The same for a command that must not write into the folder of a shim that runs.
    pub fn read_only(specs: Vec<Spec>, cache_dir: Option<PathBuf>, metrics: Arc<Metrics>) -> Arc<Self> {
        Self::with(specs, Cache::read_only(cache_dir), metrics, Clock::new(), Patience::default())
    }

    /// The same by another clock and with other bounds on time: for tests.
    pub fn timed(
        specs: Vec<Spec>,
        cache_dir: Option<PathBuf>,
        metrics: Arc<Metrics>,
        clock: Clock,
        patience: Patience,
    ) -> Arc<Self> {
        Self::with(specs, Cache::new(cache_dir), metrics, clock, patience)
    }

    fn with(specs: Vec<Spec>, cache: Cache, metrics: Arc<Metrics>, clock: Clock, patience: Patience) -> Arc<Self> {
        metrics.cache_writable.set(1);
        let with = Arc::new(Surroundings { metrics, cache, clock, patience, unwritten: Mutex::default() });
        let feed = |spec: Spec| (Arc::clone(&spec.name), Arc::new(Feed::new(spec, &with)));
        let feeds = specs.into_iter().map(feed).collect();
        Arc::new(Self {
            feeds: ArcSwap::from_pointee(feeds),
            with,
            tasks: Mutex::default(),
            running: AtomicBool::new(false),
            ready: AtomicBool::new(false),
        })
    }

    /// Begins to keep the feeds up to date, in tasks that end with this. The first try of each is at once.
    pub fn run(&self) {
        for fault in proxy_faults() {
            tracing::warn!("{fault}");
        }
        self.running.store(true, Ordering::Release);
        self.spawn();
    }

    /// A task for each feed, and none for what is no feed any more.
    fn spawn(&self) {
        if !self.running.load(Ordering::Acquire) {
            return;
        }
        let feeds = self.feeds.load();
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        tasks.retain(|name, _| feeds.contains_key(name));
        for (name, feed) in feeds.iter() {
            tasks
                .entry(Arc::clone(name))
                .or_insert_with(|| AbortOnDropHandle::new(tokio::spawn(Arc::clone(feed).run(Arc::clone(&self.with)))));
        }
    }

    /// Takes the feeds of a new configuration. A feed of the same name, kind and pointer keeps what it has loaded; a part
    /// that is named for the first time, and another source, is fetched at once.
    pub fn reconfigure(&self, specs: Vec<Spec>) {
        let before = self.feeds.load_full();
        let stays = |feed: &Feed| {
            let old = feed.spec();
            specs.iter().any(|spec| spec.name == old.name && spec.identity() == old.identity())
        };
        let (kept, gone): (BTreeMap<_, _>, BTreeMap<_, _>) =
            before.iter().map(|(name, feed)| (Arc::clone(name), Arc::clone(feed))).partition(|(_, feed)| stays(feed));
        // Before the series end, so that nobody begins them again.
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner).retain(|name, _| kept.contains_key(name));
        gone.values().for_each(|feed| feed.forget(&self.with));
        let feed = |spec: Spec| {
            let name = Arc::clone(&spec.name);
            match kept.get(&name) {
                Some(feed) => {
                    feed.reconfigure(spec, &self.with);
                    (name, Arc::clone(feed))
                }
                None => (name, Arc::new(Feed::new(spec, &self.with))),
            }
        };
        self.feeds.store(Arc::new(specs.into_iter().map(feed).collect()));
        self.spawn();
    }

    /// One part, for the gate to hold on to; `None` names the only part of a list. It is replaced when the settings are,
    /// so ask again after [`Feeds::reconfigure`].
    pub fn part(&self, feed: &str, part: Option<&str>) -> Option<Arc<Part>> {
        self.feeds.load().get(feed)?.part(part.unwrap_or(parse::WHOLE))
    }

    /// The moment, for [`Part::readiness`].
    pub fn now(&self) -> Time {
        self.with.clock.now()
    }

    /// Whether the first try of each feed has ended, well or not. Once true it stays so: a feed that a reload adds does
    /// not take the pod out of service.
    pub fn all_tried(&self) -> bool {
        if self.ready.load(Ordering::Acquire) {
            return true;
        }
        let tried = self.feeds.load().values().all(|feed| feed.was_tried());
        if tried {
            self.ready.store(true, Ordering::Release);
        }
        tried
    }

    /// Fetches one feed now.
    pub async fn refresh(&self, feed: &str) -> Option<Outcome> {
        let feed = self.feeds.load().get(feed).map(Arc::clone)?;
        Some(feed.refresh(&self.with).await)
    }

    /// Lets what only time changes change: ends of grace, ages. The tasks do this by themselves.
    pub fn tend(&self) {
        for feed in self.feeds.load().values() {
            feed.tend(&self.with);
        }
    }

    /// What the document at the source of a feed holds, all parts with their entries, without applying it.
    ///
    /// # Errors
    /// It cannot be fetched or read, and why.
    pub async fn look(&self, feed: &str) -> Result<BTreeMap<Arc<str>, Vec<IpNet>>, String> {
        let feed = self.feeds.load().get(feed).map(Arc::clone).ok_or("there is no such feed")?;
        reading::look(&feed.spec(), self.with.patience).await
    }

    /// Where an address stands in one part: the entry, and until when (Unix time) if only the grace keeps it.
    pub fn find(&self, feed: &str, part: Option<&str>, address: IpAddr) -> Option<(IpNet, Option<u64>)> {
        let part = part.unwrap_or(parse::WHOLE);
        let entry = self.part(feed, Some(part))?.find(address)?;
        let held = self.feeds.load().get(feed)?.memory().held.clone();
        let until = held.and_then(|held| held.parts.get(part)?.until(&entry));
        Some((entry, until.map(|until| self.with.clock.to_wall(until))))
    }

    /// How things stand, for the status page and for people.
    pub fn status(&self) -> Vec<Status> {
        let clock = &self.with.clock;
        let now = clock.now();
        let status = |feed: &Arc<Feed>| {
            let (spec, state, parts) = (feed.spec(), feed.state(now), feed.parts());
            let (held, error, cache_error, next_try) = {
                let memory = feed.memory();
                (memory.held.clone(), memory.error.clone(), memory.cache_error.clone(), memory.next_try)
            };
            let part = |(name, part): (&Arc<str>, &Arc<Part>)| {
                let kept = held.as_ref().and_then(|held| held.parts.get(name));
                PartStatus {
                    name: name.to_string(),
                    state: part.state(now),
                    entries: part.entries(),
                    addresses: part.addresses(),
                    kept: kept.map_or(0, |kept| Ranges::of(kept.leaving.iter().map(|(net, _)| net)).count()),
                }
            };
            let parts: Vec<_> = parts.iter().map(part).collect();
            let held = held.as_deref();
            Status {
                name: spec.name.to_string(),
                kind: spec.kind.as_str(),
                source: spec.source.shown(),
                state,
                age_seconds: held.map(|held| now.since(held.checked).as_secs()),
                last_success: held.map(|held| clock.to_wall(held.checked)),
                document_date: held.and_then(|held| held.dated),
                change_number: held.and_then(|held| held.change_number),
                sha256: held.and_then(|held| held.sha256).map(|hash| data_encoding::HEXLOWER.encode(&hash)),
                entries: parts.iter().map(|part| part.entries).sum(),
                addresses: parts.iter().map(|part| part.addresses).sum(),
                last_error: error,
                cache_error,
                next_try: next_try.map(|at| clock.to_wall(at)),
                parts,
            }
        };
        self.feeds.load().values().map(status).collect()
    }
}

/// How a feed stands. Times are Unix times.
#[derive(Debug, Clone, Serialize)]
pub struct Status {
    /// Its name below `feeds`.
    pub name: String,
    /// Its kind, as in the configuration.
    pub kind: &'static str,
    /// Where it comes from, without a query.
    pub source: String,
    /// The worst state of its parts.
    pub state: State,
    /// Since a fetch last succeeded.
    pub age_seconds: Option<u64>,
    /// When a document was last accepted or found unchanged.
    pub last_success: Option<u64>,
    /// What the document says of its own date.
    pub document_date: Option<u64>,
    /// Azure's count of publications.
    pub change_number: Option<u64>,
    /// Of the document in force; none where parts on disk came of several.
    pub sha256: Option<String>,
    /// Entries of its parts.
    pub entries: usize,
    /// Addresses of its parts; IPv6 by networks of 64 bits.
    pub addresses: u64,
    /// Why the last try failed.
    pub last_error: Option<String>,
    /// Why the copy on disk was not used, or could not be written.
    pub cache_error: Option<String>,
    /// When the next one is due.
    pub next_try: Option<u64>,
    /// The parts that tenants name.
    pub parts: Vec<PartStatus>,
}

/// How a part stands.
#[derive(Debug, Clone, Serialize)]
pub struct PartStatus {
    /// Cell or tag; empty for a list.
    pub name: String,
    /// How far it can be trusted.
    pub state: State,
    /// Entries in force.
    pub entries: usize,
    /// Addresses in force, those kept by the grace included.
    pub addresses: u64,
    /// Addresses that only the grace keeps.
    pub kept: u64,
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path, sync::atomic::AtomicU32};

    use super::*;

    /// A folder that goes when the test ends.
    pub(super) struct Scratch(PathBuf);

    impl Scratch {
        pub(super) fn new() -> Self {
            static NEXT: AtomicU32 = AtomicU32::new(0);
            let name = format!("scimshim-feed-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
            let path = std::env::temp_dir().join(name);
            fs::create_dir_all(&path).unwrap();
            Self(path)
        }

        pub(super) fn path(&self) -> &Path {
            &self.0
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    pub(super) fn spec() -> Spec {
        Spec {
            name: "okta".into(),
            kind: Kind::Okta,
            source: Source::Url("https://feeds.example/ip_ranges.json".into()),
            refresh: Duration::from_secs(3600),
            removal_grace: Duration::from_secs(7 * 86_400),
            stale_after: Duration::from_secs(3 * 86_400),
            ca: None,
            accept: None,
            pointer: None,
            parts: vec!["us_cell_1".into()],
        }
    }

    #[test]
    fn a_query_is_not_shown() {
        let source = Source::Url("https://mirror.example/list?sig=secret".into());
        assert_eq!(source.shown(), "https://mirror.example/list?...");
    }

    #[test]
    fn a_copy_belongs_to_kind_and_pointer() {
        let source = Source::Discover("https://feeds.example/moved".into());
        let same = Spec { refresh: Duration::from_secs(60), parts: vec![], source, ..spec() };
        assert_eq!(same.identity(), spec().identity());
        for other in [Spec { kind: Kind::List, ..spec() }, Spec { pointer: Some(String::new()), ..spec() }] {
            assert_ne!(other.identity(), spec().identity());
        }
    }
}
