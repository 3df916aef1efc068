//! One feed at run time: fetch, judge, apply, keep; when to try again; what operators are told.
//!
//! A turn never makes things worse: whatever goes wrong, the last good copy stays in force. What is said is said when it
//! changes, not with every try.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use data_encoding::HEXLOWER;
use tokio::{sync::Notify, task, time};

use super::{
    Part, Source, Spec, State,
    cache::Cache,
    clock::{Clock, Time},
    fetch::{self, Answer, FetchError, Fetched, Patience},
    guard::Rejection,
    reading::{Reading, wanted},
    set::AddressSet,
    state::{Change, Held, Standing},
};
use crate::{observe::Metrics, watch::Seen};

/// The first pause after a failure.
const FIRST_PAUSE: Duration = Duration::from_secs(30);
/// A source that asks for more than this (or the refresh interval, if that is longer) is asked again anyway.
const LONGEST_PAUSE: Duration = Duration::from_secs(3600);
const YEAR: Duration = Duration::from_secs(365 * 86_400);
/// Between two looks at the clock: grace that ends, copies that grow stale.
const TICK: Duration = Duration::from_secs(20);
/// Between two looks at a file.
const FILE_TICK: Duration = Duration::from_secs(3);

/// A server may say "unchanged" of what has changed (a clock set back, a proxy that caches); so it is asked now and then
/// for the whole.
const WHOLE_EVERY: Duration = Duration::from_secs(86_400);

/// What feeds share.
#[derive(Debug)]
pub(super) struct Surroundings {
    pub(super) metrics: Arc<Metrics>,
    pub(super) cache: Cache,
    pub(super) clock: Clock,
    pub(super) patience: Patience,
    /// Feeds whose last copy could not be written.
    pub(super) unwritten: Mutex<BTreeSet<Arc<str>>>,
}

impl Surroundings {
    /// Notes how writing a copy went; says it once until all can be written again.
    pub(super) fn written(&self, feed: &Arc<str>, error: Option<&str>) {
        let mut unwritten = self.unwritten.lock().unwrap_or_else(PoisonError::into_inner);
        match error {
            Some(error) => {
                if unwritten.is_empty() {
                    tracing::warn!(error, "feeds.cache_dir cannot be written; a restart will have to fetch all feeds");
                }
                unwritten.insert(Arc::clone(feed));
            }
            None => {
                unwritten.remove(feed);
            }
        }
        self.metrics.cache_writable.set(i64::from(unwritten.is_empty()));
    }
}

/// How a turn ended.
#[derive(Debug)]
pub enum Outcome {
    /// A document came and is in force.
    Accepted(Vec<Change>),
    /// No document came.
    Failed(String),
    /// A document came and is not believed.
    Rejected {
        /// Why.
        rejection: Rejection,
        /// What `accept` would have to say; none for a document that was too large to be read.
        sha256: Option<String>,
    },
    /// The last good copy is the newest.
    Unchanged,
}

impl Outcome {
    /// Whether the feed is up to date now.
    pub fn is_success(&self) -> bool {
        matches!(self, Self::Accepted(_) | Self::Unchanged)
    }
}

/// A feed.
#[derive(Debug)]
pub(super) struct Feed {
    pub(super) spec: ArcSwap<Spec>,
    pub(super) parts: ArcSwap<BTreeMap<Arc<str>, Arc<Part>>>,
    pub(super) standing: Arc<Standing>,
    pub(super) memory: Mutex<Memory>,
    /// One turn at a time.
    pub(super) turn: tokio::sync::Mutex<()>,
    /// Something has changed that a turn should see at once.
    pub(super) wake: Notify,
    pub(super) tried: AtomicBool,
    /// It is configured no more; its series have ended.
    pub(super) gone: AtomicBool,
}

/// What is known beside the addresses.
#[derive(Debug, Default)]
pub(super) struct Memory {
    pub(super) held: Option<Arc<Held>>,
    /// Why the last turn failed.
    pub(super) error: Option<String>,
    /// Why the copy on disk was not used, or could not be written.
    pub(super) cache_error: Option<String>,
    pub(super) failures: u32,
    pub(super) retry_after: Option<Duration>,
    /// The parts whose absence has been said.
    pub(super) absent: Vec<Arc<str>>,
    /// When the next try is due.
    pub(super) next_try: Option<Time>,
    /// How loudly the age has been said: 0, 1 (warning) or 2 (error).
    pub(super) age_told: u8,
}

impl Feed {
    /// A feed with its last good copy, if there is one.
    pub(super) fn new(spec: Spec, with: &Surroundings) -> Self {
        let standing = Arc::<Standing>::default();
        standing.set_stale_after(spec.stale_after);
        with.cache.sweep(&spec);
        let (held, cache_error) = match with.cache.load(&spec, &with.clock) {
            Ok(held) => (held, None),
            Err(error) => {
                tracing::warn!(feed = &*spec.name, %error, "the last good copy on disk is not used");
                (None, Some(format!("the last good copy on disk is not used: {error}")))
            }
        };
        let feed = Self {
            parts: ArcSwap::from_pointee(BTreeMap::new()),
            standing,
            memory: Mutex::new(Memory { cache_error, ..Memory::default() }),
            turn: tokio::sync::Mutex::default(),
            wake: Notify::new(),
            tried: AtomicBool::new(false),
            gone: AtomicBool::new(false),
            spec: ArcSwap::from_pointee(spec),
        };
        feed.export_zeros(with);
        if let Some(held) = held {
            feed.standing.accepted(held.checked);
            let hours = with.clock.now().since(held.checked).as_secs() / 3600;
            tracing::info!(feed = &*feed.spec().name, hours, "the last good copy from disk is in force");
            feed.memory().held = Some(Arc::new(held));
            feed.hold(with.clock.now(), Held::clone);
        }
        feed.name_parts(with);
        feed
    }

    pub(super) fn spec(&self) -> Arc<Spec> {
        self.spec.load_full()
    }

    pub(super) fn part(&self, part: &str) -> Option<Arc<Part>> {
        self.parts.load().get(part).map(Arc::clone)
    }

    pub(super) fn parts(&self) -> Arc<BTreeMap<Arc<str>, Arc<Part>>> {
        self.parts.load_full()
    }

    pub(super) fn was_tried(&self) -> bool {
        self.tried.load(Ordering::Acquire)
    }

    pub(super) fn memory(&self) -> MutexGuard<'_, Memory> {
        // Nothing that holds it can panic half way through a change.
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The worst state of its parts, so that a misspelt part is seen.
    pub(super) fn state(&self, now: Time) -> State {
        let parts = self.parts.load();
        let whole = if self.memory().held.is_some() { self.standing.state(now) } else { State::NeverLoaded };
        parts.values().map(|part| part.state(now)).max().unwrap_or(whole)
    }

    /// Takes new settings; a newly named part, and another source, is fetched at once. What was loaded from the source
    /// before stays in force until then, and is what the first document of the new one is compared with.
    pub(super) fn reconfigure(&self, spec: Spec, with: &Surroundings) {
        self.standing.set_stale_after(spec.stale_after);
        let before = self.spec.swap(Arc::new(spec));
        self.hold(with.clock.now(), Held::clone);
        self.name_parts(with);
        if *before != *self.spec() {
            self.wake.notify_one();
        }
    }

    /// Makes the parts those that are named; what the copy has of new ones is in force at once.
    fn name_parts(&self, with: &Surroundings) {
        // Held to the end, so that no turn puts a document in force between the look at the copy and its parts.
        let memory = self.memory();
        let (before, spec) = (self.parts.load_full(), self.spec());
        let part = |name: &Arc<str>| {
            if let Some(part) = before.get(name) {
                return (Arc::clone(name), Arc::clone(part));
            }
            let part = Part::new(Arc::clone(&self.standing));
            if let Some(kept) = memory.held.as_deref().and_then(|held| held.parts.get(name)) {
                part.publish(AddressSet::new(kept.nets()), kept.count());
            }
            (Arc::clone(name), Arc::new(part))
        };
        let now: BTreeMap<_, _> = wanted(&spec).iter().map(part).collect();
        for gone in before.keys().filter(|name| !now.contains_key(*name)) {
            // It may never have been exported.
            let _ = with.metrics.feed_addresses.remove_label_values(&[&*spec.name, &**gone]);
        }
        self.parts.store(Arc::new(now));
        drop(memory);
        self.export(with);
    }

    /// Fetches, judges and applies, once.
    pub(super) async fn refresh(&self, with: &Arc<Surroundings>) -> Outcome {
        let _turn = self.turn.lock().await;
        let spec = self.spec();
        let held = self.memory().held.clone();
        let now = with.clock.now();
        // Only a copy that has every part may be confirmed by "not modified".
        let whole = |held: &&Held| wanted(&spec).iter().all(|part| held.parts.contains_key(part));
        let known = held.as_deref().filter(whole).filter(|held| now.since(held.fetched) < WHOLE_EVERY);
        let outcome = match fetch::fetch(&spec, known.map(|held| &held.validators), with.patience).await {
            Ok(Answer::Document(fetched)) => self.document(&spec, held, fetched, with).await,
            Ok(Answer::Unchanged) => self.unchanged(&spec, with).await,
            Err(FetchError::TooLarge(cap)) => self.rejected(&spec, Rejection::TooLarge(cap), None, with).await,
            Err(error) => {
                self.memory().retry_after = error.retry_after();
                self.failed(&spec, error.to_string(), with)
            }
        };
        self.tried.store(true, Ordering::Release);
        self.export(with);
        outcome
    }

    async fn document(
        &self,
        spec: &Arc<Spec>,
        held: Option<Arc<Held>>,
        fetched: Fetched,
        with: &Arc<Surroundings>,
    ) -> Outcome {
        // A few milliseconds of work on 4 MB, which a runtime of one thread does not have.
        let (own, now) = (Arc::clone(spec), with.clock.now());
        let read = task::spawn_blocking(move || Reading::of(&own, held.as_deref(), fetched, now)).await;
        match read {
            Ok(Ok(reading)) => self.accepted(spec, reading, with).await,
            Ok(Err((rejection, sha256))) => self.rejected(spec, rejection, Some(sha256), with).await,
            Err(error) => self.failed(spec, format!("the task that reads the document ended: {error}"), with),
        }
    }

    async fn accepted(&self, spec: &Arc<Spec>, reading: Reading, with: &Arc<Surroundings>) -> Outcome {
        let Reading { held, changes, sets, absent, names, lower } = reading;
        if let Some((before, now)) = lower {
            tracing::warn!(
                feed = &*spec.name,
                before,
                now,
                "the change number went down; an older document was published"
            );
        }
        let held = Arc::new(held);
        let recovered = {
            let mut memory = self.memory();
            memory.held = Some(Arc::clone(&held));
            memory.failures = 0;
            self.standing.accepted(held.checked);
            let parts = self.parts.load();
            for (name, set, addresses) in sets {
                if let Some(part) = parts.get(&name) {
                    part.publish(set, addresses);
                }
            }
            memory.error.take().is_some()
        };
        let moved = changes.iter().any(|change| change.added + change.removed > 0);
        for change in changes.iter().filter(|change| change.added + change.removed > 0) {
            let count = |label, by| with.metrics.feed_changes.with_label_values(&[&*spec.name, label]).inc_by(by);
            count("added", change.added);
            count("removed", change.removed);
            let Change { part, added, removed, kept, total, .. } = change;
            tracing::info!(feed = &*spec.name, part, added, removed, kept, total, "new addresses are in force");
        }
        if recovered && !moved {
            tracing::info!(feed = &*spec.name, "the feed is up to date again");
        }
        self.tell_absent(spec, absent, &names);
        self.save(spec, held, with).await;
        Outcome::Accepted(changes)
    }

    async fn unchanged(&self, spec: &Arc<Spec>, with: &Arc<Surroundings>) -> Outcome {
        let now = with.clock.now();
        let Some(held) = self.hold(now, |held| held.confirmed(now)) else {
            return self.failed(spec, "the source says that nothing has changed, and nothing is here".into(), with);
        };
        let recovered = {
            let mut memory = self.memory();
            memory.failures = 0;
            memory.error.take().is_some()
        };
        self.standing.accepted(now);
        if recovered {
            tracing::info!(feed = &*spec.name, "the feed is up to date again");
        }
        self.save(spec, held, with).await;
        Outcome::Unchanged
    }

    async fn rejected(
        &self,
        spec: &Arc<Spec>,
        rejection: Rejection,
        sha256: Option<[u8; 32]>,
        with: &Arc<Surroundings>,
    ) -> Outcome {
        with.metrics.feed_rejected.with_label_values(&[&*spec.name, rejection.reason()]).inc();
        self.standing.rejected();
        let sha256 = sha256.map(|hash| HEXLOWER.encode(&hash));
        let mut error = format!("the newest document is refused: {rejection}");
        if let Some(hash) = sha256.as_ref().filter(|_| rejection.is_acceptable()) {
            error.push_str(&format!("; if a person has read it and it is right, set `accept: {hash}`"));
        }
        self.complain(spec, error, "the last good copy stays in force");
        let now = with.clock.now();
        if rejection.was_read()
            && let Some(held) = self.hold(now, |held| held.doubted(now))
        {
            self.save(spec, held, with).await;
        }
        Outcome::Rejected { rejection, sha256 }
    }

    fn failed(&self, spec: &Spec, error: String, with: &Surroundings) -> Outcome {
        with.metrics.feed_failures.with_label_values(&[&*spec.name]).inc();
        self.complain(spec, error.clone(), "the feed could not be fetched");
        Outcome::Failed(error)
    }

    async fn save(&self, spec: &Arc<Spec>, held: Arc<Held>, with: &Arc<Surroundings>) {
        let (spec, own) = (Arc::clone(spec), Arc::clone(with));
        let saved = task::spawn_blocking(move || own.cache.save(&spec, &held, &own.clock)).await;
        let error = match saved {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(error.to_string()),
            Err(error) => Some(format!("the task that writes it ended: {error}")),
        };
        with.written(&self.spec().name, error.as_deref());
        self.memory().cache_error = error.map(|error| format!("the copy cannot be written: {error}"));
    }

    /// What passes with time alone: grace ends, copies age.
    pub(super) fn tend(&self, with: &Surroundings) {
        // A turn that is under way does the same at its end.
        let Ok(_turn) = self.turn.try_lock() else { return };
        let now = with.clock.now();
        let (held, grace) = (self.memory().held.clone(), self.spec().removal_grace);
        if held.is_some_and(|held| held.expires(now, grace)) {
            self.hold(now, Held::clone);
        }
        self.tell_age(now);
        self.export(with);
    }

    /// Changes what is known of the copy, and drops from it what the grace no longer keeps.
    fn hold(&self, now: Time, change: impl FnOnce(&Held) -> Held) -> Option<Arc<Held>> {
        let spec = self.spec();
        // Held from the look to the end, so that no other change is lost.
        let mut memory = self.memory();
        let mut held = change(memory.held.as_deref()?);
        let gone = held.expire(now, spec.removal_grace);
        let held = Arc::new(held);
        let parts = self.parts.load();
        for part in gone {
            if let (Some(open), Some(kept)) = (parts.get(&part), held.parts.get(&part)) {
                open.publish(AddressSet::new(kept.nets()), kept.count());
            }
            tracing::info!(feed = &*spec.name, part = &*part, "addresses that were removed are no longer kept");
        }
        memory.held = Some(Arc::clone(&held));
        Some(held)
    }

    /// Tries at once, then at its intervals, until it is dropped.
    pub(super) async fn run(self: Arc<Self>, with: Arc<Surroundings>) {
        loop {
            let before = self.stamp().await;
            self.refresh(&with).await;
            self.tend(&with);
            let (failures, retry_after) = {
                let mut memory = self.memory();
                (memory.failures, memory.retry_after.take())
            };
            let pause = pause(failures, self.spec().refresh, retry_after, dice());
            self.memory().next_try = Some(with.clock.now().plus(pause));
            self.wait(time::Instant::now() + pause, before, &with).await;
        }
    }

    /// Returns when it is time, when the settings or when the file have changed.
    async fn wait(&self, until: time::Instant, before: Option<Seen>, with: &Surroundings) {
        let mut tended = time::Instant::now();
        loop {
            let is_file = matches!(self.spec().source, Source::File(_));
            let tick = time::Instant::now() + if is_file { FILE_TICK } else { TICK };
            tokio::select! {
                () = self.wake.notified() => return,
                () = time::sleep_until(tick.min(until)) => {}
            }
            if time::Instant::now() >= until || (is_file && self.stamp().await != before) {
                return;
            }
            if tended.elapsed() >= TICK {
                tended = time::Instant::now();
                self.tend(with);
            }
        }
    }

    async fn stamp(&self) -> Option<Seen> {
        let spec = self.spec();
        match &spec.source {
            // Also where a file was exchanged behind a symlink, or for one of the same length and time.
            Source::File(path) => {
                let path = path.clone();
                task::spawn_blocking(move || Seen::of(path)).await.ok()
            }
            Source::Discover(_) | Source::Url(_) => None,
        }
    }
}

/// How long to wait for the next try. After a success the interval, a tenth more or less, so that a fleet does not come
/// at once; after failures 30 s, doubled each time up to the interval, half as much again at random. What all of a fleet
/// come to in the end, the interval or what the source asked for, is a tenth longer at random. `dice` is from 0 to 1.
fn pause(failures: u32, refresh: Duration, retry_after: Option<Duration>, dice: f64) -> Duration {
    // So that no sum of times overflows.
    let refresh = refresh.min(YEAR);
    if failures == 0 {
        return refresh.mul_f64(0.9 + 0.2 * dice);
    }
    let doubled = FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1)));
    let own = doubled.mul_f64(1.0 + 0.5 * dice).min(refresh.max(FIRST_PAUSE));
    let asked = retry_after.unwrap_or_default().min(refresh.max(LONGEST_PAUSE));
    own.max(asked).mul_f64(1.0 + 0.1 * dice)
}

fn dice() -> f64 {
    // Without randomness there is no jitter, which is no reason to stop.
    getrandom::u32().map_or(0.5, |number| f64::from(number) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn tries_come_at_the_interval_and_not_all_at_once() {
        assert_eq!(pause(0, HOUR, None, 0.0), Duration::from_secs(3240));
        assert_eq!(pause(0, HOUR, None, 1.0), Duration::from_secs(3960));
        assert!(pause(0, Duration::MAX, None, 1.0) < YEAR * 2);
    }

    #[test]
    fn failures_are_tried_again_soon_and_then_later() {
        assert_eq!(pause(1, HOUR, None, 0.0), Duration::from_secs(30));
        assert_eq!(pause(1, HOUR, None, 1.0), Duration::from_millis(49_500));
        assert_eq!(pause(3, HOUR, None, 0.0), Duration::from_secs(120));
        for failures in [10, 100, u32::MAX] {
            assert_eq!(pause(failures, HOUR, None, 0.0), HOUR);
            assert_eq!(pause(failures, HOUR, None, 1.0), HOUR + HOUR / 10);
        }
    }

    #[test]
    fn what_the_source_asks_for_is_given_within_bounds() {
        let asked = |secs| pause(1, HOUR, Some(Duration::from_secs(secs)), 0.0);
        assert_eq!(asked(600), Duration::from_secs(600));
        assert_eq!(asked(1), Duration::from_secs(30));
        assert_eq!(asked(u64::MAX), HOUR);
        let late = pause(1, HOUR, Some(Duration::from_secs(600)), 1.0);
        assert_eq!(late, Duration::from_secs(660), "a fleet that was told the same does not come at once");
        assert_eq!(pause(1, 24 * HOUR, Some(10 * HOUR), 0.0), 10 * HOUR);
    }
}
