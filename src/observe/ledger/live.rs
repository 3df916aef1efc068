//! The books of all tenants, fed by the proxy and read by operators.
//!
//! Each tenant has a lock of its own, held for the time of one step; the lock over all of them is held only to find one.
//! Timers are run by [`Ledger::tick`], which looks at nothing but each book's next due time.

use std::{
    collections::{HashMap, HashSet},
    io::{self, Write},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Instant, SystemTime},
};

use lru::LruCache;
use prometheus::IntCounter;

use super::{
    Class, Component, Kind, Moment, Observation, State, View,
    book::{Book, Change, Notes, profile},
    cycle::Outcome,
    score::Profile,
    snapshot,
};
use crate::{
    observe::{Metrics, key::Key},
    quirk::Idp,
};

/// Whose exchange it is.
#[derive(Debug, Clone, Copy)]
pub struct Who<'a> {
    /// The tenant.
    pub tenant: &'a str,
    /// Its metric label; `_other` is shared by many.
    pub label: &'a str,
    /// The profile in force.
    pub idp: Idp,
    /// It stands in the configuration.
    pub listed: bool,
}

/// The moment, from a clock that does not step.
#[derive(Debug, Clone)]
pub struct Clock {
    wall: u64,
    mono: Instant,
    speed: u32,
}

impl Clock {
    /// A clock that starts at the wall time.
    pub fn new() -> Self {
        let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Self { wall: millis(wall.as_millis()), mono: Instant::now(), speed: 1 }
    }

    /// One for which time runs `speed` times as fast, for tests that have no hours.
    pub fn at_speed(speed: u32) -> Self {
        Self { speed, ..Self::new() }
    }

    /// The moment.
    pub fn now(&self) -> Moment {
        Moment(self.wall.saturating_add(millis(self.mono.elapsed().as_millis() * u128::from(self.speed))))
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}

fn millis(value: u128) -> u64 {
    u64::try_from(value).unwrap_or(u64::MAX)
}

/// The books of all tenants.
#[derive(Debug)]
pub struct Ledger {
    shelf: Mutex<Shelf>,
    metrics: Arc<Metrics>,
    exported: Mutex<HashMap<Box<str>, Exported>>,
    changes: AtomicU64,
}

#[derive(Debug)]
struct Shelf {
    threshold: u32,
    max_dynamic: usize,
    listed: HashMap<Box<str>, Arc<Slot>>,
    /// Not listed, and told success once. Least recently used first to go.
    dynamic: LruCache<Box<str>, Arc<Slot>>,
    /// Never told success: anybody can invent a name, and displaces none but such.
    probation: LruCache<Box<str>, Arc<Slot>>,
    meters: HashMap<Box<str>, Arc<Meters>>,
}

/// One tenant.
#[derive(Debug)]
struct Slot {
    tenant: Box<str>,
    due: AtomicU64,
    /// Listed, or told success once: its changes of state are worth a line.
    proven: AtomicBool,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    book: Book,
    /// What the configuration says, where it does not leave that to the traffic.
    configured: Option<Profile>,
    meters: Arc<Meters>,
}

/// The counters of one label, looked up once.
#[derive(Debug)]
struct Meters {
    label: Box<str>,
    outcomes: [IntCounter; Class::ALL.len()],
    auth_failures: IntCounter,
    deprovisioned: IntCounter,
    cycles: [IntCounter; Outcome::ALL.len()],
}

impl Meters {
    fn new(metrics: &Metrics, label: &str) -> Self {
        Self {
            label: label.into(),
            outcomes: Class::ALL.map(|class| metrics.outcomes.with_label_values(&[label, class.as_str()])),
            auth_failures: metrics.auth_failures.with_label_values(&[label]),
            deprovisioned: metrics.deprovisioned.with_label_values(&[label]),
            cycles: Outcome::ALL.map(|outcome| metrics.idp_cycles.with_label_values(&[label, outcome.as_str()])),
        }
    }
}

/// What the gauges of one label say.
#[derive(Debug, Clone, PartialEq)]
struct Exported {
    risk: f64,
    components: [Option<f64>; COMPONENTS.len()],
    states: [i64; State::ALL.len()],
    eta: f64,
    failing: u64,
    references: u64,
    succeeded: u64,
    budget: f64,
    period: f64,
    last_request: f64,
    last_success: f64,
    next: f64,
    disable: f64,
}

/// Every component of every profile.
const COMPONENTS: [Component; 9] = [
    Component::Auth,
    Component::Calls,
    Component::Connection,
    Component::EscrowBase,
    Component::EscrowProportion,
    Component::EscrowTotal,
    Component::MassDelete,
    Component::StuckTasks,
    Component::ThrottleAttempts,
];

/// On probation is one for so many that are not, but never less than this: as many as customers that are set up at once.
const PROBATION: usize = 10;
const LEAST_PROBATION: usize = 16;

/// Culprits in a line of the log.
const NAMED: usize = 3;

impl Ledger {
    /// No tenant is known yet.
    pub fn new(mass_delete_threshold: u32, max_dynamic: usize, metrics: Arc<Metrics>) -> Self {
        let shelf = Shelf {
            threshold: mass_delete_threshold,
            max_dynamic,
            listed: HashMap::new(),
            dynamic: LruCache::unbounded(),
            probation: LruCache::unbounded(),
            meters: HashMap::new(),
        };
        Self { shelf: Mutex::new(shelf), metrics, exported: Mutex::default(), changes: AtomicU64::new(0) }
    }

    /// After a reload: books stay; a tenant that is listed (its name, label and profile) exists from the start, one that
    /// no longer is counts as dynamic.
    pub fn reconfigure(&self, mass_delete_threshold: u32, max_dynamic: usize, listed: &[(&str, &str, Idp)]) {
        let mut shelf = lock(&self.shelf);
        let shelf = &mut *shelf;
        (shelf.threshold, shelf.max_dynamic) = (mass_delete_threshold, max_dynamic);
        for (tenant, label, idp) in listed {
            let who = Who { tenant, label, idp: *idp, listed: true };
            let slot = shelf.slot(&who, &self.metrics, Moment::default());
            let meters = shelf.meters(label, &self.metrics);
            let mut inner = lock(&slot.inner);
            inner.meters = meters;
            inner.configured = (*idp != Idp::Auto).then(|| profile(*idp));
            if let Some(profile) = inner.configured {
                inner.book.set_profile(profile);
            }
            slot.due.store(inner.book.due().0, Ordering::Relaxed);
        }
        let names: HashSet<&str> = listed.iter().map(|(tenant, ..)| *tenant).collect();
        let gone: Vec<Box<str>> = shelf.listed.keys().filter(|name| !names.contains(&***name)).cloned().collect();
        for name in gone {
            if let Some(slot) = shelf.listed.remove(&name) {
                slot.proven.store(lock(&slot.inner).book.last_success.is_some(), Ordering::Relaxed);
                shelf.put(slot);
            }
        }
        shelf.bound();
        for slot in shelf.slots() {
            lock(&slot.inner).book.set_threshold(mass_delete_threshold);
        }
        self.changes.fetch_add(1, Ordering::Relaxed);
    }

    /// Notes one exchange, and tells what it was taken for: a lookup may be a check.
    pub fn record(&self, who: &Who<'_>, now: Moment, seen: &Observation) -> Kind {
        let slot = lock(&self.shelf).slot(who, &self.metrics, now);
        let mut inner = lock(&slot.inner);
        if *inner.meters.label != *who.label {
            // Never the lock of the shelf while a book is held.
            drop(inner);
            let meters = lock(&self.shelf).meters(who.label, &self.metrics);
            inner = lock(&slot.inner);
            inner.meters = meters;
        }
        if who.idp != Idp::Auto {
            inner.book.set_profile(profile(who.idp));
        }
        let (kind, class) = inner.book.observe(now, seen);
        inner.meters.outcomes[class as usize].inc();
        if class == Class::Auth {
            inner.meters.auth_failures.inc();
        }
        let proves = class == Class::Ok && !slot.proven.swap(true, Ordering::Relaxed);
        self.settle(&slot, inner);
        if proves {
            lock(&self.shelf).promote(slot);
        }
        kind
    }

    /// Runs what is due: to be called about every second.
    pub fn tick(&self, now: Moment) {
        let due: Vec<Arc<Slot>> = {
            let shelf = lock(&self.shelf);
            shelf.slots().filter(|slot| slot.due.load(Ordering::Relaxed) <= now.0).cloned().collect()
        };
        for slot in due {
            self.advance(&slot, now);
        }
    }

    /// Sets every gauge of the model: to be called before each scrape.
    pub fn export(&self, now: Moment) {
        let mut labels: HashMap<Box<str>, Exported> = HashMap::new();
        for slot in self.all() {
            self.advance(&slot, now);
            let inner = lock(&slot.inner);
            let one = Exported::of(&inner.book, now);
            match labels.get_mut(&inner.meters.label) {
                Some(sum) => sum.add(&one),
                None => drop(labels.insert(inner.meters.label.clone(), one)),
            }
        }
        let mut exported = lock(&self.exported);
        for (label, before) in &*exported {
            if !labels.contains_key(label) {
                before.remove(&self.metrics, label);
            }
        }
        for (label, sum) in &labels {
            sum.set(&self.metrics, label, exported.get(label));
        }
        *exported = labels;
    }

    /// Every tenant, by name, without history.
    pub fn views(&self, now: Moment) -> Vec<View> {
        let mut views: Vec<View> = self.all().iter().map(|slot| self.look(slot, now, false)).collect();
        views.sort_by(|a, b| a.tenant.cmp(&b.tenant));
        views
    }

    /// One tenant, with its history.
    pub fn view(&self, tenant: &str, now: Moment) -> Option<View> {
        let slot = {
            let shelf = lock(&self.shelf);
            let unlisted = || shelf.dynamic.peek(tenant).or_else(|| shelf.probation.peek(tenant));
            shelf.listed.get(tenant).or_else(unlisted).cloned()
        }?;
        Some(self.look(&slot, now, true))
    }

    /// Grows when the state or the risk of any tenant has changed so that it can be seen.
    pub fn changes(&self) -> u64 {
        self.changes.load(Ordering::Relaxed)
    }

    /// All books as bytes, with the key by which their objects are named.
    pub fn snapshot(&self, key: &Key, now: Moment) -> Vec<u8> {
        let mut bytes = Vec::new();
        // A vector takes all of them.
        let _ = self.write(&mut bytes, key, now);
        bytes
    }

    /// The same to wherever it goes, book by book.
    pub(super) fn write(&self, out: &mut impl Write, key: &Key, now: Moment) -> io::Result<()> {
        let mut writer = snapshot::Writer::new(out, key, now)?;
        for slot in self.all() {
            let inner = lock(&slot.inner);
            writer.take(&slot.tenant, *inner.meters.label == *slot.tenant, &inner.book);
            drop(inner);
            writer.put()?;
        }
        writer.finish()
    }

    /// Takes up what [`Ledger::snapshot`] wrote; the time between counts as idle. Returns the key.
    ///
    /// # Errors
    /// It is not what was written; nothing has been taken up then.
    pub fn restore(&self, bytes: &[u8], now: Moment) -> Result<Key, snapshot::Corrupt> {
        let kept = snapshot::read(bytes, now)?;
        let mut shelf = lock(&self.shelf);
        let unlisted = |book: &snapshot::Taken| book.labelled && !shelf.listed.contains_key(&*book.tenant);
        let named: Vec<bool> = named(kept.books.iter().map(unlisted)).collect();
        // Most recently used last.
        for (snapshot::Taken { tenant, book, .. }, named) in kept.books.into_iter().zip(named).rev() {
            let label = if named { &*tenant } else { OTHER };
            let who = Who { tenant: &tenant, label, idp: Idp::Auto, listed: false };
            let slot = shelf.slot(&who, &self.metrics, now);
            if book.last_success.is_some() && !slot.proven.swap(true, Ordering::Relaxed) {
                shelf.promote(Arc::clone(&slot));
            }
            let mut inner = lock(&slot.inner);
            inner.book = book;
            inner.book.threshold = shelf.threshold;
            inner.book.resume();
            // The configuration may say something else now.
            if let Some(profile) = inner.configured {
                inner.book.set_profile(profile);
            }
            slot.due.store(inner.book.due().0, Ordering::Relaxed);
        }
        self.changes.fetch_add(1, Ordering::Relaxed);
        Ok(kept.key)
    }

    /// Whether the last writing to disk succeeded.
    pub(super) fn wrote(&self, done: bool, now: Moment) {
        self.metrics.ledger_writable.set(i64::from(done));
        if done {
            self.metrics.ledger_snapshot.set(i64::try_from(now.0 / 1000).unwrap_or(i64::MAX));
        }
    }

    fn all(&self) -> Vec<Arc<Slot>> {
        lock(&self.shelf).slots().cloned().collect()
    }

    fn look(&self, slot: &Slot, now: Moment, with_history: bool) -> View {
        self.advance(slot, now);
        let inner = lock(&slot.inner);
        inner.book.view(&slot.tenant, &inner.meters.label, now, with_history)
    }

    fn advance(&self, slot: &Slot, now: Moment) {
        let mut inner = lock(&slot.inner);
        inner.book.advance(now);
        self.settle(slot, inner);
    }

    /// Tells what has happened in a book, the log after its lock is given back.
    fn settle(&self, slot: &Slot, mut inner: MutexGuard<'_, Inner>) {
        slot.due.store(inner.book.due().0, Ordering::Relaxed);
        if inner.book.notes.is_empty() {
            return;
        }
        let notes: Notes = std::mem::take(&mut inner.book.notes);
        for (counter, count) in inner.meters.cycles.iter().zip(notes.cycles) {
            counter.inc_by(count.into());
        }
        inner.meters.deprovisioned.inc_by(notes.deprovisioned.into());
        if notes.visible || !notes.changes.is_empty() {
            self.changes.fetch_add(1, Ordering::Relaxed);
        }
        if notes.changes.is_empty() || !slot.proven.load(Ordering::Relaxed) {
            return;
        }
        let culprits = inner.book.culprits();
        drop(inner);
        let culprits: Vec<&str> = culprits.iter().take(NAMED).map(|culprit| &*culprit.text).collect();
        for change in notes.changes {
            tell(&slot.tenant, &change, &culprits.join("; "));
        }
    }
}

/// The label of tenants that have none of their own.
const OTHER: &str = "_other";

/// Of tenants that are not listed, and have not called since the restart, as many keep labels of their own: the default
/// of `metrics.max_tenants`. Labels are given anew after a restart, so that without a bound they would add up.
const LABELLED: usize = 200;

/// The number of them.
fn named(labelled: impl Iterator<Item = bool>) -> impl Iterator<Item = bool> {
    let mut left = LABELLED;
    labelled.map(move |labelled| {
        let named = labelled && left > 0;
        left -= usize::from(named);
        named
    })
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The model's word: never that a connection is in quarantine.
fn tell(tenant: &str, change: &Change, culprits: &str) {
    let (from, to) = (change.from.as_str(), change.to.as_str());
    let reason = change.reason.map_or("none", Component::as_str);
    let risk = (change.risk * 1000.0).round() / 1000.0;
    let eta_s = change.eta.is_finite().then(|| change.eta.round() as u64);
    macro_rules! say {
        ($level:ident, $text:literal) => {
            tracing::$level!(tenant, from, to, risk, reason, eta_s, culprits, $text)
        };
    }
    match change.to {
        State::AtRisk => say!(warn, "the model takes the connection to be at risk of quarantine by its IdP"),
        State::LikelyQuarantined => {
            say!(warn, "the model takes the connection to be in quarantine by now; only the IdP knows");
        }
        State::DisabledSuspected => {
            say!(warn, "the model takes the job to have been switched off after 28 days; only the IdP knows");
        }
        State::Healthy => say!(info, "the model takes the connection to be healthy"),
        State::Recovering => say!(info, "the model takes the connection to be recovering"),
        State::Silent => {
            say!(info, "the model takes the connection to be silent: its IdP has not called when it was due");
        }
        State::Unknown => say!(info, "the model knows nothing of the connection"),
    }
}

impl Shelf {
    fn slots(&self) -> impl Iterator<Item = &Arc<Slot>> {
        // Most recently used first: where there is not room for all, those matter.
        self.listed.values().chain(self.dynamic.iter().chain(&self.probation).map(|(_, slot)| slot))
    }

    fn slot(&mut self, who: &Who<'_>, metrics: &Metrics, now: Moment) -> Arc<Slot> {
        if let Some(slot) = self.listed.get(who.tenant) {
            return Arc::clone(slot);
        }
        let known = if who.listed {
            self.dynamic.pop(who.tenant).or_else(|| self.probation.pop(who.tenant))
        } else {
            self.dynamic.get(who.tenant).or_else(|| self.probation.get(who.tenant)).cloned()
        };
        let is_new = known.is_none();
        let slot = known.unwrap_or_else(|| {
            let book = Book::new(profile(who.idp), self.threshold, now);
            let (due, meters) = (AtomicU64::new(book.due().0), self.meters(who.label, metrics));
            Arc::new(Slot {
                tenant: who.tenant.into(),
                due,
                proven: AtomicBool::new(false),
                inner: Mutex::new(Inner { book, configured: None, meters }),
            })
        });
        if who.listed {
            slot.proven.store(true, Ordering::Relaxed);
            self.listed.insert(who.tenant.into(), Arc::clone(&slot));
        } else if is_new {
            self.put(Arc::clone(&slot));
        }
        slot
    }

    /// An unlisted one, to where it belongs.
    fn put(&mut self, slot: Arc<Slot>) {
        let place = if slot.proven.load(Ordering::Relaxed) { &mut self.dynamic } else { &mut self.probation };
        place.put(slot.tenant.clone(), slot);
        self.bound();
    }

    /// One on probation was told success.
    fn promote(&mut self, slot: Arc<Slot>) {
        // While nobody looked it may have been listed, or forgotten and made anew.
        if !self.listed.contains_key(&slot.tenant) && !self.dynamic.contains(&slot.tenant) {
            self.probation.pop(&slot.tenant);
            self.put(slot);
        }
    }

    fn bound(&mut self) {
        // The one that has just come is the last to go.
        while self.dynamic.len() > self.max_dynamic.max(1) {
            self.dynamic.pop_lru();
        }
        while self.probation.len() > (self.max_dynamic / PROBATION).max(LEAST_PROBATION) {
            self.probation.pop_lru();
        }
    }

    fn meters(&mut self, label: &str, metrics: &Metrics) -> Arc<Meters> {
        if let Some(meters) = self.meters.get(label) {
            return Arc::clone(meters);
        }
        // Those of labels that nobody has any more go when a new one comes.
        self.meters.retain(|_, meters| Arc::strong_count(meters) > 1);
        let meters = Arc::new(Meters::new(metrics, label));
        self.meters.insert(label.into(), Arc::clone(&meters));
        meters
    }
}

impl Exported {
    fn of(book: &Book, now: Moment) -> Self {
        let seconds = |moment: Option<Moment>| moment.map_or(0.0, |moment| moment.0 as f64 / 1000.0);
        let counts = book.counts();
        let estimates = book.estimates(now);
        let value = |of| book.score().components().find(|(component, _)| *component == of).map(|(_, value)| value);
        Self {
            risk: book.risk(),
            components: COMPONENTS.map(value),
            states: State::ALL.map(|state| i64::from(state == book.state)),
            eta: book.eta(now),
            failing: counts.failing,
            references: counts.references,
            succeeded: counts.succeeded,
            budget: book.budget(),
            period: book.period().unwrap_or(0.0),
            last_request: seconds(book.last_request),
            last_success: seconds(book.last_success),
            next: seconds(estimates.map(|(next, _)| next)),
            disable: seconds(estimates.map(|(_, disable)| disable)),
        }
    }

    /// One label for many: the worst of each, and sums of what is counted.
    fn add(&mut self, other: &Self) {
        let soonest = |a: f64, b: f64| if a == 0.0 || (b > 0.0 && b < a) { b } else { a };
        self.risk = self.risk.max(other.risk);
        for (mine, theirs) in self.components.iter_mut().zip(other.components) {
            *mine = match (*mine, theirs) {
                (Some(a), Some(b)) => Some(a.max(b)),
                (one, other) => one.or(other),
            };
        }
        self.states.iter_mut().zip(other.states).for_each(|(mine, theirs)| *mine += theirs);
        self.eta = self.eta.min(other.eta);
        self.failing += other.failing;
        self.references += other.references;
        self.succeeded += other.succeeded;
        self.budget = self.budget.min(other.budget);
        // Rhythms of different tenants make none together.
        self.period = 0.0;
        self.last_request = self.last_request.max(other.last_request);
        self.last_success = self.last_success.max(other.last_success);
        self.next = soonest(self.next, other.next);
        self.disable = soonest(self.disable, other.disable);
    }

    fn set(&self, metrics: &Metrics, label: &str, before: Option<&Self>) {
        let count = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        metrics.quarantine_risk.with_label_values(&[label]).set(self.risk);
        for (at, component) in COMPONENTS.iter().enumerate() {
            let labels = [label, component.as_str()];
            match self.components[at] {
                Some(value) => metrics.quarantine_component.with_label_values(&labels).set(value),
                None if before.is_some_and(|before| before.components[at].is_some()) => {
                    // It may be gone already, which is as good.
                    let _ = metrics.quarantine_component.remove_label_values(&labels);
                }
                None => {}
            }
        }
        for (state, value) in State::ALL.iter().zip(self.states) {
            metrics.quarantine_state.with_label_values(&[label, state.as_str()]).set(value);
        }
        metrics.quarantine_eta.with_label_values(&[label]).set(self.eta);
        metrics.failing_objects.with_label_values(&[label, "false"]).set(count(self.failing));
        metrics.failing_objects.with_label_values(&[label, "true"]).set(count(self.references));
        metrics.succeeded_objects.with_label_values(&[label]).set(count(self.succeeded));
        for (gauge, value) in self.plain(metrics) {
            gauge.with_label_values(&[label]).set(value);
        }
    }

    /// Gauges with no label but the tenant.
    fn plain<'a>(&self, metrics: &'a Metrics) -> [(&'a prometheus::GaugeVec, f64); 6] {
        [
            (&metrics.escrow_budget, self.budget),
            (&metrics.idp_cycle_period, self.period),
            (&metrics.idp_last_request, self.last_request),
            (&metrics.idp_last_success, self.last_success),
            (&metrics.quarantine_next, self.next),
            (&metrics.quarantine_disable, self.disable),
        ]
    }

    /// The last tenant of that label was forgotten. What is not there cannot be removed, which is as good.
    fn remove(&self, metrics: &Metrics, label: &str) {
        let _ = metrics.quarantine_risk.remove_label_values(&[label]);
        for component in COMPONENTS {
            let _ = metrics.quarantine_component.remove_label_values(&[label, component.as_str()]);
        }
        for state in State::ALL {
            let _ = metrics.quarantine_state.remove_label_values(&[label, state.as_str()]);
        }
        let _ = metrics.quarantine_eta.remove_label_values(&[label]);
        for reference in ["false", "true"] {
            let _ = metrics.failing_objects.remove_label_values(&[label, reference]);
        }
        let _ = metrics.succeeded_objects.remove_label_values(&[label]);
        for (gauge, _) in self.plain(metrics) {
            let _ = gauge.remove_label_values(&[label]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::{
        ledger::{Cause, Kind},
        log::caught::Log,
    };

    const START: Moment = Moment(1_800_000_000_000);

    fn at(seconds: u64) -> Moment {
        Moment(START.0 + seconds * 1000)
    }

    fn ledger() -> (Ledger, Arc<Metrics>) {
        let metrics = Arc::new(Metrics::new().unwrap());
        (Ledger::new(500, 3, Arc::clone(&metrics)), metrics)
    }

    fn who<'a>(tenant: &'a str, label: &'a str) -> Who<'a> {
        Who { tenant, label, idp: Idp::Entra, listed: false }
    }

    fn seen(kind: Kind, object: Option<u64>, status: u16) -> Observation {
        let cause = (status >= 400).then(|| {
            let (scim_type, attribute) = (Some("invalidValue"), Some("emails.type".to_owned()));
            Box::new(Cause { resource: "Users", status, scim_type, attribute, quirk: None, refusal: None })
        });
        Observation { cause, ..Observation::new(kind, object, status) }
    }

    fn has(metrics: &Metrics, line: &str) -> bool {
        metrics.text().unwrap().lines().any(|have| have == line)
    }

    #[test]
    fn a_listed_tenant_is_exported_before_it_calls() {
        let (ledger, metrics) = ledger();
        ledger.reconfigure(500, 3, &[("acme", "acme", Idp::Entra), ("globex", "globex", Idp::Okta)]);
        ledger.export(START);
        for line in [
            r#"scimshim_quarantine_state{state="unknown",tenant="acme"} 1"#,
            r#"scimshim_quarantine_risk_component_ratio{component="auth",tenant="acme"} 0"#,
            r#"scimshim_quarantine_risk_component_ratio{component="stuck_tasks",tenant="globex"} 0"#,
            r#"scimshim_quarantine_eta_seconds{tenant="acme"} inf"#,
            r#"scimshim_failing_objects{reference="true",tenant="acme"} 0"#,
            r#"scimshim_escrow_budget_remaining_ratio{tenant="acme"} 1"#,
            r#"scimshim_idp_cycles_total{result="dead",tenant="acme"} 0"#,
            r#"scimshim_outcomes_total{class="throttle",tenant="globex"} 0"#,
            r#"scimshim_idp_last_request_timestamp_seconds{tenant="acme"} 0"#,
        ] {
            assert!(has(&metrics, line), "{line}\n{}", metrics.text().unwrap());
        }
        assert!(!metrics.text().unwrap().contains(r#"{component="auth",tenant="globex"}"#));
        // The profile that is found later has other components, and those of the first go.
        ledger.reconfigure(500, 3, &[("acme", "acme", Idp::Ping)]);
        ledger.export(START);
        assert!(!metrics.text().unwrap().contains(r#"{component="auth",tenant="acme"}"#));
    }

    #[test]
    fn what_happens_is_counted_once() {
        let (ledger, metrics) = ledger();
        let acme = who("acme", "acme");
        ledger.record(&acme, at(0), &seen(Kind::Probe, None, 200));
        ledger.record(&acme, at(1), &seen(Kind::Write, Some(1), 401));
        for _ in 0..2 {
            let gone = Observation { deprovision: true, ..seen(Kind::Write, Some(2), 200) };
            ledger.record(&acme, at(2), &gone);
        }
        ledger.tick(at(301));
        assert!(has(&metrics, r#"scimshim_idp_cycles_total{result="good",tenant="acme"} 0"#));
        ledger.tick(at(302));
        ledger.tick(at(303));
        for line in [
            r#"scimshim_outcomes_total{class="auth",tenant="acme"} 1"#,
            r#"scimshim_outcomes_total{class="ok",tenant="acme"} 3"#,
            r#"scimshim_auth_failures_total{tenant="acme"} 1"#,
            r#"scimshim_deprovisioned_objects_total{tenant="acme"} 1"#,
            r#"scimshim_idp_cycles_total{result="good",tenant="acme"} 1"#,
        ] {
            assert!(has(&metrics, line), "{line}\n{}", metrics.text().unwrap());
        }
    }

    #[test]
    fn a_shared_label_shows_the_worst_and_the_sums() {
        let (ledger, metrics) = ledger();
        ledger.record(&who("a", "_other"), at(0), &seen(Kind::Probe, None, 503));
        ledger.record(&who("b", "_other"), at(0), &seen(Kind::Probe, None, 200));
        ledger.record(&who("b", "_other"), at(1), &seen(Kind::Write, Some(1), 400));
        ledger.record(&who("c", "_other"), at(0), &seen(Kind::Probe, None, 200));
        ledger.record(&who("c", "_other"), at(1), &seen(Kind::Write, Some(1), 400));
        ledger.export(at(100));
        for line in [
            r#"scimshim_quarantine_risk_ratio{tenant="_other"} 0.5"#,
            r#"scimshim_quarantine_state{state="at_risk",tenant="_other"} 1"#,
            r#"scimshim_quarantine_state{state="healthy",tenant="_other"} 2"#,
            r#"scimshim_quarantine_eta_seconds{tenant="_other"} 2300"#,
            r#"scimshim_failing_objects{reference="false",tenant="_other"} 2"#,
        ] {
            assert!(has(&metrics, line), "{line}\n{}", metrics.text().unwrap());
        }
    }

    #[test]
    fn unlisted_tenants_are_forgotten_the_least_recently_used_first() {
        let (ledger, metrics) = ledger();
        for (second, tenant) in ["a", "b", "c", "a", "d"].into_iter().enumerate() {
            ledger.record(&who(tenant, tenant), at(second as u64), &seen(Kind::Probe, None, 200));
            ledger.export(at(second as u64));
        }
        let names: Vec<_> = ledger.views(at(9)).into_iter().map(|view| view.tenant).collect();
        assert_eq!(names, ["a", "c", "d"]);
        assert!(ledger.view("b", at(9)).is_none());
        assert!(!metrics.text().unwrap().contains(r#"scimshim_quarantine_risk_ratio{tenant="b"}"#));
    }

    #[test]
    fn invented_names_displace_nobody_and_fill_no_log() {
        let log = Log::catch();
        let (ledger, metrics) = ledger();
        ledger.record(&who("acme", "acme"), at(0), &seen(Kind::Probe, None, 200));
        ledger.record(&who("globex", "globex"), at(1), &seen(Kind::Probe, None, 401));
        for name in 0..100 {
            let name = format!("invented-{name}");
            ledger.record(&who("globex", "globex"), at(2), &seen(Kind::Probe, None, 401));
            ledger.record(&who(&name, "_other"), at(2), &seen(Kind::Probe, None, 401));
        }
        let names = |ledger: &Ledger| ledger.views(at(3)).into_iter().map(|view| view.tenant).collect::<Vec<_>>();
        let have = names(&ledger);
        assert_eq!((have.len(), &*have[0], &*have[1]), (1 + LEAST_PROBATION, "acme", "globex"), "{have:?}");
        assert_eq!(ledger.view("invented-99", at(3)).unwrap().state, State::AtRisk);
        ledger.export(at(3));
        assert!(has(&metrics, r#"scimshim_quarantine_state{state="at_risk",tenant="globex"} 1"#));
        let lines = |log: &Log| log.text().lines().map(str::to_owned).collect::<Vec<_>>();
        assert!(lines(&log).iter().all(|line| line.contains("acme")), "{}", log.text());
        // The first success ends probation, also over a restart.
        ledger.record(&who("globex", "globex"), at(4), &seen(Kind::Probe, None, 200));
        ledger.tick(at(4 + 300));
        let (after, _) = self::ledger();
        after.restore(&ledger.snapshot(&Key::from_bytes([7; 32]), at(305)), at(305)).unwrap();
        assert!(lines(&log).last().unwrap().contains("globex"), "{}", log.text());
        for ledger in [&ledger, &after] {
            for name in 0..100 {
                ledger.record(&who(&format!("another-{name}"), "_other"), at(306), &seen(Kind::Probe, None, 401));
            }
            assert_eq!(names(ledger).iter().filter(|name| ["acme", "globex"].contains(&&***name)).count(), 2);
        }
    }

    #[test]
    fn one_that_is_listed_no_longer_is_on_probation_unless_it_was_told_success() {
        let (ledger, _) = ledger();
        ledger.reconfigure(500, 3, &[("acme", "acme", Idp::Entra), ("globex", "globex", Idp::Entra)]);
        ledger.record(&Who { listed: true, ..who("acme", "acme") }, at(0), &seen(Kind::Probe, None, 200));
        ledger.reconfigure(500, 3, &[]);
        let places = |ledger: &Ledger| {
            let shelf = lock(&ledger.shelf);
            (shelf.listed.len(), shelf.dynamic.contains("acme"), shelf.probation.contains("globex"))
        };
        assert_eq!(places(&ledger), (0, true, true));
        ledger.reconfigure(500, 3, &[("acme", "acme", Idp::Entra), ("globex", "globex", Idp::Entra)]);
        assert_eq!(places(&ledger), (2, false, false));
    }

    #[test]
    fn labels_of_their_own_are_kept_over_a_restart_but_not_more_than_usual() {
        let metrics = Arc::new(Metrics::new().unwrap());
        let before = Ledger::new(500, 1000, metrics);
        let names: Vec<String> = (0..LABELLED + 50).map(|name| format!("tenant-{name}")).collect();
        for name in &names {
            before.record(&who(name, name), at(0), &seen(Kind::Probe, None, 200));
        }
        before.record(&who("stranger", "_other"), at(1), &seen(Kind::Probe, None, 200));
        let bytes = before.snapshot(&Key::from_bytes([7; 32]), at(2));
        let metrics = Arc::new(Metrics::new().unwrap());
        let after = Ledger::new(500, 1000, Arc::clone(&metrics));
        after.reconfigure(500, 1000, &[("tenant-3", "tenant-3", Idp::Entra)]);
        after.restore(&bytes, at(2)).unwrap();
        let label = |tenant: &str| after.view(tenant, at(2)).unwrap().label;
        assert_eq!(
            (label("stranger"), label("tenant-249"), label("tenant-3")),
            ("_other".to_owned(), "tenant-249".to_owned(), "tenant-3".to_owned())
        );
        assert_eq!(label("tenant-0"), "_other", "the least recently used");
        let own = names.iter().filter(|name| label(name) == **name).count();
        assert_eq!(own, LABELLED + 1, "and the one that is listed");
        after.export(at(2));
        assert!(has(&metrics, r#"scimshim_quarantine_state{state="healthy",tenant="tenant-249"} 1"#));
    }

    #[test]
    fn it_is_known_after_a_restart_why_credentials_are_refused() {
        let (before, _) = ledger();
        let acme = who("acme", "acme");
        before.record(&acme, at(0), &seen(Kind::Probe, None, 200));
        before.record(&acme, at(1), &Observation { reference: true, ..seen(Kind::Write, Some(1), 400) });
        for object in 0..4 {
            before.record(&acme, at(2), &seen(Kind::Write, Some(object), 401));
        }
        let texts = |ledger: &Ledger| {
            let culprits = ledger.view("acme", at(500)).unwrap().culprits;
            culprits.into_iter().map(|culprit| culprit.text).collect::<Vec<_>>()
        };
        assert_eq!(texts(&before), ["4 answers 401 invalidValue (Users), 100 % of refused credentials"]);
        let (after, _) = ledger();
        after.restore(&before.snapshot(&Key::from_bytes([7; 32]), at(600)), at(600)).unwrap();
        assert_eq!(texts(&after), ["4 answers 401, 100 % of refused credentials"]);
    }

    #[test]
    fn nothing_is_ever_so_since_1970() {
        let (ledger, _) = ledger();
        ledger.reconfigure(500, 3, &[("acme", "acme", Idp::Entra)]);
        assert_eq!(ledger.view("acme", at(5)).unwrap().since, (START.0 / 1000 + 5) as f64);
        assert_eq!(ledger.view("acme", at(9)).unwrap().since, (START.0 / 1000 + 5) as f64);
        ledger.record(&Who { listed: true, ..who("acme", "acme") }, at(20), &seen(Kind::Probe, None, 200));
        assert_eq!(ledger.view("acme", at(30)).unwrap().since, (START.0 / 1000 + 20) as f64);
    }

    #[test]
    fn a_change_of_state_is_one_line_with_its_culprits() {
        let log = Log::catch();
        let (ledger, _) = ledger();
        let acme = who("acme", "acme");
        let before = ledger.changes();
        ledger.record(&acme, at(0), &seen(Kind::Probe, None, 200));
        for object in 0..12 {
            ledger.record(&acme, at(1), &seen(Kind::Write, Some(object), 400));
        }
        assert!(ledger.changes() > before);
        let text = log.text();
        let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let line = lines.iter().find(|line| line["to"] == "at_risk").unwrap();
        assert_eq!(
            (&line["level"], &line["tenant"], &line["from"]),
            (&"WARN".into(), &"acme".into(), &"healthy".into())
        );
        assert_eq!((&line["reason"], &line["risk"]), (&"calls".into(), &0.5.into()));
        assert_eq!(line["culprits"], "10 Users, 400 invalidValue, emails.type, 100 % of failures");
        assert!(line["message"].as_str().unwrap().starts_with("the model takes"));
        assert_eq!(lines.len(), 2, "{text}");
        let quiet = ledger.changes();
        ledger.tick(at(2));
        assert_eq!(ledger.changes(), quiet);
    }

    #[test]
    fn a_view_tells_all_and_history_where_one_is_looked_at() {
        let (ledger, _) = ledger();
        let acme = who("acme", "acme");
        ledger.record(&acme, at(0), &seen(Kind::Probe, None, 401));
        let view = ledger.view("acme", at(400)).unwrap();
        assert_eq!((view.state, view.risk, view.reason), (State::LikelyQuarantined, 1.0, Some(Component::Auth)));
        assert_eq!(view.since, (START.0 / 1000 + 300) as f64);
        assert_eq!(view.next_attempt, Some((START.0 / 1000 + 6 * 3600) as f64));
        assert_eq!((view.eta_s, view.history.len()), (Some(0.0), 2));
        assert!(ledger.views(at(400))[0].history.is_empty());
    }

    #[test]
    fn a_restart_forgets_nothing_that_the_model_needs() {
        let (before, _) = ledger();
        let (acme, globex) = (who("acme", "acme"), who("globex", "_other"));
        for cycle in 0..5 {
            for object in 0..20 {
                let status = if object < 9 { 400 } else { 200 };
                before.record(&acme, at(cycle * 1200 + 1), &seen(Kind::Write, Some(object), status));
            }
        }
        for object in 0..30_000 {
            before.record(&globex, at(1), &seen(Kind::Write, Some(object), 200));
        }
        let key = Key::from_bytes([7; 32]);
        let bytes = before.snapshot(&key, at(4850));
        let (after, _) = ledger();
        after.reconfigure(500, 3, &[("acme", "acme", Idp::Entra)]);
        assert!(after.restore(&bytes, at(4850)).unwrap() == key);
        let quiet = |view: Option<View>| View { culprits: Vec::new(), history: Vec::new(), ..view.unwrap() };
        for later in [4850, 5000, 9000, 20_000] {
            for tenant in ["acme", "globex"] {
                let (old, new) = (quiet(before.view(tenant, at(later))), quiet(after.view(tenant, at(later))));
                let of = |view: &View| serde_json::to_value(View { label: String::new(), ..view.clone() }).unwrap();
                assert_eq!(of(&old), of(&new), "{tenant} {later}");
            }
        }
    }

    #[test]
    fn a_clock_that_was_set_back_moves_all_times_together() {
        let (before, _) = ledger();
        before.record(&who("acme", "acme"), at(0), &seen(Kind::Probe, None, 503));
        let bytes = before.snapshot(&Key::from_bytes([7; 32]), at(200));
        let (after, _) = ledger();
        let earlier = Moment(1_000_000);
        after.restore(&bytes, earlier).unwrap();
        let view = after.view("acme", earlier).unwrap();
        assert_eq!((view.state, view.last_request), (State::AtRisk, Some(800.0)));
        after.tick(Moment(1_000_000 + 7_000_000));
        assert_eq!(after.view("acme", Moment(8_000_000)).unwrap().state, State::LikelyQuarantined);
    }

    #[test]
    fn what_is_no_snapshot_is_refused_and_changes_nothing() {
        let (before, _) = ledger();
        before.record(&who("acme", "acme"), at(0), &seen(Kind::Write, Some(1), 400));
        let good = before.snapshot(&Key::from_bytes([7; 32]), at(0));
        let (after, _) = ledger();
        for cut in 0..good.len() {
            assert!(after.restore(&good[..cut], at(0)).is_err(), "{cut}");
        }
        for flip in 0..good.len() {
            let mut bad = good.clone();
            bad[flip] ^= 0x55;
            assert!(after.restore(&bad, at(0)).is_err(), "{flip}");
        }
        let mut newer = good.clone();
        newer[16] = 9;
        assert_eq!(after.restore(&newer, at(0)).unwrap_err(), snapshot::Corrupt::Version(9));
        assert!(after.views(at(0)).is_empty());
    }

    #[test]
    fn a_profile_that_was_found_is_kept_where_the_configuration_leaves_it_to_the_traffic() {
        let (before, _) = ledger();
        let acme = Who { idp: Idp::Okta, ..who("acme", "acme") };
        before.record(&acme, at(0), &seen(Kind::Write, Some(1), 400));
        let bytes = before.snapshot(&Key::from_bytes([7; 32]), at(1));
        for (idp, state) in [(Idp::Auto, State::AtRisk), (Idp::Entra, State::Healthy)] {
            let (after, _) = ledger();
            after.reconfigure(500, 3, &[("acme", "acme", idp)]);
            after.restore(&bytes, at(1)).unwrap();
            after.tick(at(40_000));
            assert_eq!(after.view("acme", at(40_000)).unwrap().state, state, "{idp:?}");
        }
    }

    #[test]
    fn a_strange_file_with_a_good_checksum_does_no_harm() {
        use sha2::{Digest, Sha256};
        let (before, _) = ledger();
        before.record(&who("acme", "acme"), at(0), &seen(Kind::Probe, None, 401));
        before.tick(at(400));
        before.record(&who("acme", "acme"), at(2400), &seen(Kind::Probe, None, 200));
        before.record(&who("acme", "acme"), at(2401), &seen(Kind::Write, Some(1), 400));
        let good = before.snapshot(&Key::from_bytes([7; 32]), at(2402));
        let end = good.len() - 32;
        for place in 20..end {
            for value in [0, 1, 0x7f, 0xff] {
                let mut bad = good[..end].to_vec();
                bad[place] = value;
                let sum = Sha256::digest(&bad);
                bad.extend_from_slice(&sum);
                let (after, _) = ledger();
                if after.restore(&bad, at(3000)).is_ok() {
                    after.record(&who("acme", "acme"), at(3001), &seen(Kind::Write, Some(2), 200));
                    after.tick(at(4_000_000));
                    after.export(at(4_000_000));
                }
            }
        }
    }

    /// A book that stands at 1970 beside a cycle of today would run every checkpoint between them.
    #[test]
    fn a_book_behind_its_cycle_catches_up_on_nothing() {
        use sha2::{Digest, Sha256};
        let (before, _) = ledger();
        before.record(&who("acme", "acme"), at(0), &seen(Kind::Write, Some(1), 400));
        let mut bytes = before.snapshot(&Key::from_bytes([7; 32]), at(1));
        bytes.truncate(bytes.len() - 32);
        // Behind the file's head, the name with its length, three flags, and `since`.
        let now = 60 + 8 + 3 + 8;
        assert_eq!(bytes[now..now + 8], at(0).0.to_le_bytes());
        bytes[now..now + 8].copy_from_slice(&1_u64.to_le_bytes());
        let sum = Sha256::digest(&bytes);
        bytes.extend_from_slice(&sum);
        let kept = snapshot::read(&bytes, at(2)).unwrap();
        let cycle = kept.books[0].book.cycle.as_ref().unwrap();
        assert!(cycle.checkpoint > cycle.last, "{cycle:?}");
    }

    #[test]
    fn a_file_is_written_whole_and_a_broken_one_set_aside() {
        let folder = std::env::temp_dir().join(format!("scimshim-ledger-{}", std::process::id()));
        let path = folder.join("new").join("ledger.snapshot");
        let (ledger, metrics) = ledger();
        assert!(ledger.load(&path, at(0)).unwrap().is_none());
        ledger.record(&who("acme", "acme"), at(0), &seen(Kind::Write, Some(1), 400));
        let key = Key::from_bytes([7; 32]);
        ledger.save(&path, &key, at(1)).unwrap();
        assert!(has(&metrics, "scimshim_ledger_snapshot_timestamp_seconds 1800000001"));
        #[cfg(unix)]
        assert_eq!(
            std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&path).unwrap().permissions()) & 0o777,
            0o600
        );
        assert!(ledger.load(&path, at(1)).unwrap() == Some(key.clone()));
        for second in 0..6 {
            std::fs::write(&path, "something else").unwrap();
            let error = ledger.load(&path, at(second)).unwrap_err();
            assert!(error.to_string().contains("no snapshot of the ledger; it was moved to"), "{error}");
        }
        let left = std::fs::read_dir(path.parent().unwrap()).unwrap().count();
        assert_eq!(left, 3, "the latest few are kept");
        std::fs::write(folder.join("file"), "").unwrap();
        assert!(ledger.save(&folder.join("file").join("ledger.snapshot"), &key, at(2)).is_err());
        assert!(has(&metrics, "scimshim_ledger_writable 0"));
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
