//! All that is recorded of an exchange, from one account of it: ledger, journal, audit stream.
//!
//! One object owns them, so that the proxy has one thing to tell and the admin port one thing to ask, and none of them
//! knows another.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

use bytes::Bytes;
use tokio::{
    task,
    time::{self, MissedTickBehavior},
};

use super::{
    Metrics,
    account::Account,
    admin::{Lines, Records},
    audit::{Audit, Prepared, Refused},
    facts,
    journal::{Journal, Query},
    key::Key,
    ledger::{Clock, Ledger, View, Who},
    pace::Pace,
};
use crate::{config::Settings, gate::tenants::DEFAULT, quirk::Idp};

/// Writes down what happened.
#[derive(Debug)]
pub struct Recorder {
    metrics: Arc<Metrics>,
    clock: Clock,
    key: Key,
    ledger: Ledger,
    journal: Journal,
    audit: Audit,
    /// Where the ledger outlives the process.
    snapshot: Option<PathBuf>,
    /// Between two of them, in milliseconds.
    pace: AtomicU64,
    /// The last one was written, or none was tried.
    writes: AtomicBool,
    /// When the file was last written by us; another time is somebody else's.
    written: Mutex<Option<SystemTime>>,
    /// Somebody else has been told of.
    shared: AtomicBool,
    strangers: Pace,
}

/// The ledger's file in `feeds.cache_dir`.
const FILE: &str = "ledger.snapshot";

/// Lines of the log in a minute about callers who are not taken to be an identity provider: enough to see them.
const STRANGERS: u32 = 30;

/// A cycle closes five minutes after its last request; a second more is nothing.
const TICK: Duration = Duration::from_secs(1);

/// How long the end of the process waits for what was recorded to be written.
const LAST: Duration = Duration::from_secs(2);

impl Recorder {
    /// Goes on where the snapshot in `feeds.cache_dir` ends, if there is one.
    ///
    /// # Errors
    /// The target of the audit stream cannot be opened, or the system has no random numbers.
    pub fn open(settings: &Settings, clock: Clock, metrics: &Arc<Metrics>) -> anyhow::Result<Self> {
        let ledger =
            Ledger::new(settings.quarantine.mass_delete_threshold, settings.tenants.max_dynamic, Arc::clone(metrics));
        // Before the snapshot, so that books of listed tenants are found by their labels.
        register(&ledger, settings);
        let snapshot = settings.feeds.cache_dir.as_ref().map(|folder| folder.join(FILE));
        let kept = snapshot.as_deref().and_then(|path| restore(&ledger, path, &clock));
        let key = kept.map_or_else(Key::random, Ok)?;
        let recorder = Self {
            journal: Journal::new(&settings.journal, key.clone(), Arc::clone(metrics)),
            audit: Audit::open(settings.audit.as_ref(), Arc::clone(metrics))?,
            metrics: Arc::clone(metrics),
            clock,
            key,
            ledger,
            snapshot,
            pace: AtomicU64::new(0),
            writes: AtomicBool::new(true),
            written: Mutex::default(),
            shared: AtomicBool::new(false),
            strangers: Pace::new(STRANGERS),
        };
        recorder.set_pace(settings);
        Ok(recorder)
    }

    /// What everything here counts on.
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// The first half of a reload: what can fail.
    ///
    /// # Errors
    /// The target of the audit stream cannot be opened.
    pub fn prepare(&self, settings: &Settings) -> io::Result<Prepared> {
        self.audit.prepare(settings.audit.as_ref())
    }

    /// The second half.
    pub fn reconfigure(&self, settings: &Settings, prepared: Prepared) {
        self.audit.put(prepared);
        self.journal.reconfigure(&settings.journal);
        register(&self.ledger, settings);
        self.set_pace(settings);
    }

    fn set_pace(&self, settings: &Settings) {
        let pace = u64::try_from(settings.quarantine.snapshot.as_millis()).unwrap_or(u64::MAX);
        self.pace.store(pace, Ordering::Relaxed);
    }

    /// An exchange of a tenant is over.
    pub fn record(&self, account: &Account<'_>) {
        let mut seen = facts::observation(account, &self.key);
        if let Some(seen) = &mut seen {
            let who = Who { tenant: account.tenant, label: account.label, idp: account.idp, listed: account.listed };
            // Whether a lookup was a check is for the ledger to say, and for the journal to write down.
            seen.kind = self.ledger.record(&who, self.clock.now(), seen);
        }
        self.journal.record(account, seen.as_ref());
        self.audit.record(account, seen.as_ref().and_then(|seen| seen.object));
    }

    /// Whether the log may tell of one more stranger in this minute; metrics and audit stream count all of them.
    pub fn may_tell_of_a_stranger(&self) -> bool {
        let turn = self.strangers.turn(Instant::now());
        if turn == Some(STRANGERS) {
            tracing::info!(
                lines = STRANGERS,
                "refusals of callers who are not taken to be an identity provider go on at debug until the minute ends; \
                 `scimshim_refusals_total` and the audit stream have all of them"
            );
        }
        turn.is_some()
    }

    /// A request was refused that was for no tenant, or not for SCIM.
    pub fn record_refusal(&self, refused: &Refused<'_>) {
        self.audit.record_refusal(refused);
    }

    /// Lets time pass in the ledger and writes snapshots, until it is dropped.
    pub async fn keep(self: Arc<Self>) {
        let mut ticks = time::interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut last = time::Instant::now();
        loop {
            ticks.tick().await;
            self.ledger.tick(self.clock.now());
            let pace = Duration::from_millis(self.pace.load(Ordering::Relaxed));
            if last.elapsed() >= pace {
                last = time::Instant::now();
                let recorder = Arc::clone(&self);
                // A panic in it is told by its thread.
                let _ = task::spawn_blocking(move || recorder.save()).await;
            }
        }
    }

    /// The last words: a snapshot, and what the audit stream still holds. It blocks its thread for some seconds at most.
    pub fn close(&self) {
        self.save();
        self.audit.close(LAST);
    }

    /// Replicas that share a folder overwrite each other's ledger, and a restart takes up whichever was last.
    fn watch_for_others(&self, path: &Path) {
        let last = *self.written();
        let is_others = last.is_some() && changed(path).is_some_and(|now| Some(now) != last);
        // Once: they take turns from now on.
        if is_others && !self.shared.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                path = %path.display(),
                "something else writes this quarantine ledger too; give each replica a `feeds.cache_dir` of its own"
            );
        }
    }

    fn written(&self) -> MutexGuard<'_, Option<SystemTime>> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn save(&self) {
        let Some(path) = &self.snapshot else { return };
        let now = self.clock.now();
        self.watch_for_others(path);
        let outcome = self.ledger.save(path, &self.key, now);
        *self.written() = changed(path);
        match outcome {
            Ok(()) if self.writes.swap(true, Ordering::Relaxed) => {}
            Ok(()) => tracing::info!("the quarantine ledger is written again"),
            Err(error) if self.writes.swap(false, Ordering::Relaxed) => {
                tracing::warn!(
                    %error,
                    path = %path.display(),
                    "the quarantine ledger cannot be written; a restart would begin from what was written last"
                );
            }
            Err(_) => {}
        }
    }
}

/// When a file was last written.
fn changed(path: &Path) -> Option<SystemTime> {
    path.metadata().and_then(|about| about.modified()).ok()
}

impl Records for Recorder {
    fn views(&self) -> Vec<View> {
        self.ledger.views(self.clock.now())
    }

    fn view(&self, tenant: &str) -> Option<View> {
        self.ledger.view(tenant, self.clock.now())
    }

    fn changes(&self) -> u64 {
        self.ledger.changes()
    }

    fn export(&self) {
        self.ledger.export(self.clock.now());
    }

    fn journal(&self, query: &str) -> Result<String, String> {
        let page = self.journal.find(&Query::parse(query)?);
        serde_json::to_string(&page).map_err(|error| error.to_string())
    }

    fn journal_export(&self, query: &str) -> Result<Lines, String> {
        let lines = self.journal.export(&Query::parse(query)?);
        Ok(Box::new(lines.map(|line| Bytes::from(line + "\n"))))
    }
}

/// Makes the tenants of `settings` known, so many as have zeros from the beginning; the others come with their first
/// exchange.
fn register(ledger: &Ledger, settings: &Settings) {
    let tenants = &settings.tenants;
    let listed = tenants.list.iter().filter(|(id, _)| &***id != DEFAULT).take(settings.max_labels);
    let mut list: Vec<(&str, &str, Idp)> = listed.map(|(id, tenant)| (&**id, &**id, tenant.idp)).collect();
    let default = tenants.list.get(DEFAULT).unwrap_or(&tenants.defaults);
    list.push((DEFAULT, DEFAULT, default.idp));
    ledger.reconfigure(settings.quarantine.mass_delete_threshold, tenants.max_dynamic, &list);
}

/// The key of the snapshot at `path`, with everything in it put into `ledger`.
fn restore(ledger: &Ledger, path: &Path, clock: &Clock) -> Option<Key> {
    match ledger.load(path, clock.now()) {
        Ok(key) => key,
        Err(error) => {
            tracing::warn!(%error, path = %path.display(), "the quarantine ledger begins anew");
            None
        }
    }
}
