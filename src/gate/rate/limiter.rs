//! The limits of one tenant, and a request's way through them.

use std::{
    num::NonZeroU32,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};

use prometheus::IntGauge;
use tokio::time::Instant;

use super::{
    Limits,
    bucket::Pace,
    class::Class,
    headers::Standing,
    lane::{Lane, Patience, Turned},
    room::{Room, Slot},
    store::{Counter, Store},
};

/// Holds one tenant to its limits. Without limits it is a few pointers.
#[derive(Debug)]
pub struct Limiter {
    tenant: Arc<str>,
    label: Arc<str>,
    store: Arc<Store>,
    rules: OnceLock<Arc<Rules>>,
}

/// A request that came in. Dropping it makes room for the next, so it lives until the answer has gone out.
#[derive(Debug)]
#[must_use = "dropping it gives the place in flight away"]
pub struct Turn {
    waited: Duration,
    standing: Option<Standing>,
    _slot: Option<Slot>,
}

/// Why a request may not come in within its wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Too many in flight.
    #[error(
        "this connection already has as many requests in progress as the provisioning gateway admits; send this one \
         again after the wait, or ask the operator of the application to raise rate_limit.concurrency"
    )]
    Concurrency {
        /// How long until there would be room: unknown, so zero, and the floor of `Retry-After` speaks.
        wait: Duration,
        /// The quota that admitted it.
        standing: Option<Standing>,
    },
    /// Too many in too short a time.
    #[error(
        "this connection sends more {} than the provisioning gateway admits; send this one again after the wait, or ask \
         the operator of the application to raise rate_limit.{0}", standing.class().policy()
    )]
    Rate {
        /// How long until there would be a turn, if all who wait now stay.
        wait: Duration,
        /// The quota that it went over.
        standing: Standing,
    },
}

impl Refused {
    /// How long until it might succeed; becomes `Retry-After` within its bounds.
    pub fn wait(&self) -> Duration {
        match self {
            Self::Concurrency { wait, .. } | Self::Rate { wait, .. } => *wait,
        }
    }

    /// One over its rate, for tests of those who answer.
    #[cfg(test)]
    pub(crate) fn over(class: Class, wait: Duration) -> Self {
        let quota = super::Quota { per_second: 1.0, burst: NonZeroU32::MIN };
        Self::Rate { wait, standing: Standing::refused(class, Pace::of(quota), wait) }
    }

    /// The quota that it counted under, for headers.
    pub fn standing(&self) -> Option<Standing> {
        match self {
            Self::Concurrency { standing, .. } => *standing,
            Self::Rate { standing, .. } => Some(*standing),
        }
    }
}

impl Turn {
    /// How long it waited for its turn and for room.
    pub fn waited(&self) -> Duration {
        self.waited
    }

    /// How its quota stands; `None` where its class has none.
    pub fn standing(&self) -> Option<Standing> {
        self.standing
    }
}

impl Limiter {
    /// A limiter for `tenant`, which is its name in a shared store; `label` is its metric label.
    pub fn new(store: &Arc<Store>, tenant: &Arc<str>, label: &Arc<str>, limits: Option<&Limits>) -> Self {
        let limiter = Self {
            tenant: Arc::clone(tenant),
            label: Arc::clone(label),
            store: Arc::clone(store),
            rules: OnceLock::new(),
        };
        limiter.reconfigure(limits);
        limiter
    }

    /// Puts other limits into force. A quota that is the same keeps its state; those who wait before one that is not
    /// keep their order and the end of their wait. Requests in flight count under a new `concurrency`, unless there was
    /// none when they came.
    pub fn reconfigure(&self, limits: Option<&Limits>) {
        let limits = limits.copied().unwrap_or_default();
        if self.rules.get().is_none() && !limits.limit_anything() {
            return;
        }
        let rules = self.rules.get_or_init(|| {
            let waiting = self.store.metrics().rate_limit_waiting.with_label_values(&[&*self.label]);
            Arc::new(Rules::new(waiting))
        });
        rules.set(&limits);
    }

    /// Lets a request in without waiting and without asking a shared store. `None` says nothing about whether
    /// [`Self::enter`] would.
    #[inline]
    pub fn try_enter(&self, class: Class) -> Option<Turn> {
        self.attempt(class, |_| 0).ok()
    }

    /// Lets a request in, after the wait that it takes: for its turn, then for room. A lookup waits until `deadline`,
    /// anything else as long as the limits say, and no longer than that. Dropping the future gives the place in line up.
    ///
    /// # Errors
    /// It cannot come in within its wait, which is told at once where it is known at once; or too many wait already.
    pub async fn enter(&self, class: Class, deadline: Instant) -> Result<Turn, Refused> {
        let missing = match self.attempt(class, Rules::max_waiting) {
            Ok(turn) => return Ok(turn),
            Err(missing) => missing,
        };
        let rules = self.rules.get().expect("who has no limits came in");
        let patience = rules.patience(class, deadline);
        let mut visit = Visit::new(&self.store, &rules.waiting);
        let standing = match missing {
            Missing::Both => return Err(Refused::Concurrency { wait: Duration::ZERO, standing: None }),
            Missing::Room(standing) => standing,
            Missing::Turn => {
                let counter = Counter { store: &self.store, tenant: &self.tenant, class };
                match rules.lane(class).take(patience, counter, || visit.waits()).await {
                    Turned::In(pace, left) => Some(Standing::admitted(class, pace, left)),
                    Turned::Unlimited => None,
                    Turned::Away(pace, wait) => {
                        return Err(Refused::Rate { wait, standing: Standing::refused(class, pace, wait) });
                    }
                }
            }
        };
        let slot = match rules.room.get() {
            None => None,
            Some(room) => {
                let slot = room.take(class, patience.max_waiting, patience.give_up, || visit.waits()).await;
                Some(slot.ok_or(Refused::Concurrency { wait: Duration::ZERO, standing })?)
            }
        };
        Ok(Turn { waited: visit.waited(), standing, _slot: slot })
    }

    /// The way without a wait. Room is looked at before a turn is taken, so that none is spent in vain, and taken
    /// after: one that gets no turn must not stand in the way of one that would.
    #[inline]
    fn attempt(&self, class: Class, may_wait: impl FnOnce(&Rules) -> u32) -> Result<Turn, Missing> {
        let Some(rules) = self.rules.get() else {
            return Ok(Turn { waited: Duration::ZERO, standing: None, _slot: None });
        };
        let (room, lane) = (rules.room.get(), rules.lane(class));
        if room.is_some_and(|room| room.is_crowded(class, may_wait(rules))) {
            return Err(Missing::Both);
        }
        if self.store.is_shared() && lane.has_quota() {
            return Err(Missing::Turn);
        }
        let standing = match lane.try_take().ok_or(Missing::Turn)? {
            Turned::In(pace, left) => Some(Standing::admitted(class, pace, left)),
            Turned::Unlimited => None,
            Turned::Away(..) => return Err(Missing::Turn),
        };
        let slot = room.map(|room| room.try_take().ok_or(Missing::Room(standing))).transpose()?;
        if slot.is_some() || standing.is_some() {
            self.store.metrics().rate_limit_wait.observe(0.0);
        }
        Ok(Turn { waited: Duration::ZERO, standing, _slot: slot })
    }

    /// Whether it could be forgotten and made anew without a difference: nobody is in flight or waits, and every
    /// bucket is full.
    pub fn is_idle(&self, now: Instant) -> bool {
        self.rules.get().is_none_or(|rules| {
            rules.lanes.iter().all(|lane| lane.is_idle(now)) && rules.room.get().is_none_or(|room| room.is_empty())
        })
    }
}

/// What there is none of without a wait.
enum Missing {
    /// No room, and none to wait for it.
    Both,
    /// No room; it has its turn.
    Room(Option<Standing>),
    /// No turn that can be taken here and now.
    Turn,
}

impl Limits {
    fn limit_anything(&self) -> bool {
        self.concurrency.is_some() || Class::ALL.iter().any(|class| self.quota(*class).is_some())
    }

    fn quota(&self, class: Class) -> Option<super::Quota> {
        match class {
            Class::Lookup => self.lookups,
            Class::Read => self.reads,
            Class::Write => self.writes,
        }
    }
}

/// What is in force for a tenant that has, or had, limits.
#[derive(Debug)]
struct Rules {
    lanes: [Lane; Class::ALL.len()],
    room: OnceLock<Arc<Room>>,
    /// `Limits::wait`, in nanoseconds.
    wait: AtomicU64,
    max_waiting: AtomicU32,
    waiting: IntGauge,
}

impl Rules {
    fn new(waiting: IntGauge) -> Self {
        Self {
            lanes: Default::default(),
            room: OnceLock::new(),
            wait: AtomicU64::default(),
            max_waiting: AtomicU32::default(),
            waiting,
        }
    }

    fn set(&self, limits: &Limits) {
        self.wait.store(u64::try_from(limits.wait.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
        self.max_waiting.store(limits.max_waiting, Ordering::Relaxed);
        for class in Class::ALL {
            self.lane(class).set(limits.quota(class).map(Pace::of));
        }
        self.set_concurrency(limits.concurrency);
    }

    fn set_concurrency(&self, limit: Option<NonZeroU32>) {
        match self.room.get() {
            Some(room) => room.set_limit(limit),
            None if limit.is_some() => {
                let _ = self.room.set(Room::new(limit));
            }
            None => {}
        }
    }

    fn lane(&self, class: Class) -> &Lane {
        &self.lanes[class.index()]
    }

    fn max_waiting(&self) -> u32 {
        self.max_waiting.load(Ordering::Relaxed)
    }

    fn patience(&self, class: Class, deadline: Instant) -> Patience {
        let max_waiting = self.max_waiting();
        let wait = Duration::from_nanos(self.wait.load(Ordering::Relaxed));
        match class {
            Class::Lookup => Patience { give_up: deadline, counts_heads: false, max_waiting },
            Class::Read | Class::Write => {
                let give_up = Instant::now().checked_add(wait).map_or(deadline, |end| end.min(deadline));
                Patience { give_up, counts_heads: true, max_waiting }
            }
        }
    }
}

/// A request between the door and its turn, however that ends.
struct Visit<'a> {
    store: &'a Store,
    gauge: &'a IntGauge,
    since: Option<Instant>,
}

impl<'a> Visit<'a> {
    fn new(store: &'a Store, gauge: &'a IntGauge) -> Self {
        Self { store, gauge, since: None }
    }

    /// Whether it may wait, which is then counted.
    fn waits(&mut self) -> bool {
        if self.since.is_none() {
            if !self.store.waits() {
                return false;
            }
            self.since = Some(Instant::now());
            self.gauge.inc();
        }
        true
    }

    fn waited(&self) -> Duration {
        self.since.map_or(Duration::ZERO, |since| since.elapsed())
    }
}

impl Drop for Visit<'_> {
    fn drop(&mut self) {
        self.store.metrics().rate_limit_wait.observe(self.waited().as_secs_f64());
        if self.since.is_some() {
            self.store.has_waited();
            self.gauge.dec();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Mutex, atomic::AtomicUsize};

    use proptest::prelude::*;
    use tokio::{
        task::{JoinHandle, yield_now},
        time::{advance, sleep},
    };

    use super::{super::Quota, *};
    use crate::observe::Metrics;

    const SECOND: Duration = Duration::from_secs(1);

    fn quota(per_second: f64, burst: u32) -> Option<Quota> {
        Some(Quota { per_second, burst: NonZeroU32::new(burst).unwrap() })
    }

    /// No quota, ten seconds of patience, a hundred may wait.
    fn open() -> Limits {
        Limits { wait: 10 * SECOND, max_waiting: 100, ..Limits::default() }
    }

    fn metrics() -> Arc<Metrics> {
        Arc::new(Metrics::new().unwrap())
    }

    fn limiter_of(metrics: &Arc<Metrics>, tenant: &str, limits: &Limits) -> Arc<Limiter> {
        let store = Arc::new(Store::local(Arc::clone(metrics)));
        Arc::new(Limiter::new(&store, &tenant.into(), &tenant.into(), Some(limits)))
    }

    fn limiter(limits: &Limits) -> Arc<Limiter> {
        limiter_of(&metrics(), "acme", limits)
    }

    fn deadline() -> Instant {
        Instant::now() + 50 * SECOND
    }

    async fn enter(limiter: &Limiter, class: Class) -> Result<Turn, Refused> {
        limiter.enter(class, deadline()).await
    }

    /// Runs until it waits.
    async fn arrives(limiter: &Arc<Limiter>, class: Class) -> JoinHandle<Result<Duration, Refused>> {
        let limiter = Arc::clone(limiter);
        let task = tokio::spawn(async move { enter(&limiter, class).await.map(|turn| turn.waited()) });
        yield_now().await;
        task
    }

    #[tokio::test(start_paused = true)]
    async fn without_limits_there_is_nothing() {
        let metrics = metrics();
        let limiter = limiter_of(&metrics, "acme", &open());
        let turn = limiter.try_enter(Class::Write).unwrap();
        assert!(limiter.rules.get().is_none() && turn.standing().is_none() && turn.waited().is_zero());
        assert!(limiter.is_idle(Instant::now()));
        assert_eq!(metrics.rate_limit_wait.get_sample_count(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn classes_count_apart() {
        let limiter = limiter(&Limits { writes: quota(1.0, 1), lookups: quota(1.0, 2), ..open() });
        assert_eq!(limiter.try_enter(Class::Write).unwrap().standing().unwrap().left(), 0);
        assert!(limiter.try_enter(Class::Write).is_none());
        assert_eq!(limiter.try_enter(Class::Lookup).unwrap().standing().unwrap().left(), 1);
        assert!(limiter.try_enter(Class::Read).unwrap().standing().is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn over_the_rate_it_waits() {
        let limiter = limiter(&Limits { writes: quota(10.0, 2), ..open() });
        let mut waits = Vec::new();
        for _ in 0..2 {
            waits.push(enter(&limiter, Class::Write).await.unwrap().waited().as_millis());
        }
        let line: Vec<_> = [arrives(&limiter, Class::Write).await, arrives(&limiter, Class::Write).await].into();
        for task in line {
            waits.push(task.await.unwrap().unwrap().as_millis());
        }
        assert_eq!(waits, [0, 0, 100, 200]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_cannot_come_in_time_is_refused_at_once() {
        let limiter = limiter(&Limits { writes: quota(0.2, 1), ..open() });
        let began = Instant::now();
        drop(enter(&limiter, Class::Write).await.unwrap());
        let second = arrives(&limiter, Class::Write).await;
        let third = arrives(&limiter, Class::Write).await;
        // Its turn would be after 15 s, it may wait 10.
        let refused = enter(&limiter, Class::Write).await.unwrap_err();
        assert_eq!((refused.wait(), began.elapsed()), (15 * SECOND, Duration::ZERO));
        assert_eq!(refused.standing().unwrap().class(), Class::Write);
        assert_eq!(second.await.unwrap(), Ok(5 * SECOND));
        assert_eq!(third.await.unwrap(), Ok(10 * SECOND));
    }

    #[tokio::test(start_paused = true)]
    async fn all_lines_together_are_bounded_and_only_for_those_who_wait() {
        let store = Arc::new(Store::local(metrics()));
        store.bound_waiting(2);
        let of = |tenant: &str, burst, concurrency| {
            let limits = Limits { writes: quota(1.0, burst), concurrency: NonZeroU32::new(concurrency), ..open() };
            Arc::new(Limiter::new(&store, &tenant.into(), &tenant.into(), Some(&limits)))
        };
        let (greedy, calm, narrow) = (of("greedy", 1, 9), of("calm", 9, 9), of("narrow", 9, 1));
        drop(enter(&greedy, Class::Write).await.unwrap());
        let line = [arrives(&greedy, Class::Write).await, arrives(&greedy, Class::Write).await];
        assert_eq!(enter(&greedy, Class::Write).await.unwrap_err().wait(), 3 * SECOND);
        assert_eq!(enter(&calm, Class::Write).await.unwrap().waited(), Duration::ZERO);
        let inside = enter(&narrow, Class::Write).await.unwrap();
        assert!(matches!(enter(&narrow, Class::Write).await, Err(Refused::Concurrency { .. })));
        drop(inside);
        for task in line {
            task.await.unwrap().unwrap();
        }
        assert!(arrives(&greedy, Class::Write).await.await.unwrap().is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn the_line_is_bounded() {
        let limiter = limiter(&Limits { lookups: quota(1.0, 1), max_waiting: 2, ..open() });
        drop(enter(&limiter, Class::Lookup).await.unwrap());
        let line = [arrives(&limiter, Class::Lookup).await, arrives(&limiter, Class::Lookup).await];
        assert_eq!(enter(&limiter, Class::Lookup).await.unwrap_err().wait(), 3 * SECOND);
        for (i, task) in line.into_iter().enumerate() {
            assert_eq!(task.await.unwrap(), Ok((i as u32 + 1) * SECOND));
        }
        let none = Limits { lookups: quota(1.0, 1), max_waiting: 0, ..open() };
        limiter.reconfigure(Some(&none));
        assert_eq!(enter(&limiter, Class::Lookup).await.unwrap_err().wait(), SECOND);
    }

    #[tokio::test(start_paused = true)]
    async fn a_lookup_waits_until_the_deadline() {
        let limiter = limiter(&Limits { lookups: quota(0.1, 1), wait: Duration::ZERO, ..open() });
        drop(enter(&limiter, Class::Lookup).await.unwrap());
        let mut line = Vec::new();
        for _ in 0..6 {
            line.push(arrives(&limiter, Class::Lookup).await);
        }
        // The sixth would come in after 60 s; it stays, since one of those ahead may leave.
        line.remove(1).abort();
        for (i, task) in line.into_iter().enumerate() {
            assert_eq!(task.await.unwrap(), Ok(10 * (i as u32 + 1) * SECOND));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_beyond_the_deadline() {
        let limiter = limiter(&Limits { lookups: quota(0.04, 1), writes: quota(0.2, 1), ..open() });
        drop(enter(&limiter, Class::Lookup).await.unwrap());
        let stays = arrives(&limiter, Class::Lookup).await;
        let began = Instant::now();
        // At the front after 25 s, it learns that the next turn is another 25 s away.
        assert_eq!(limiter.enter(Class::Lookup, began + 26 * SECOND).await.unwrap_err().wait(), 25 * SECOND);
        assert_eq!(began.elapsed(), 25 * SECOND);
        assert_eq!(stays.await.unwrap(), Ok(25 * SECOND));
        // The bucket itself has no turn before the deadline: no departure can help.
        let refused = limiter.enter(Class::Lookup, Instant::now() + SECOND).await.unwrap_err();
        assert_eq!((refused.wait(), began.elapsed()), (25 * SECOND, 25 * SECOND));
        // Not yet at the front when its time is over.
        let line = [arrives(&limiter, Class::Lookup).await, arrives(&limiter, Class::Lookup).await];
        let refused = limiter.enter(Class::Lookup, began + 60 * SECOND).await.unwrap_err();
        assert_eq!((refused.wait(), began.elapsed()), ((15 + 25) * SECOND, 60 * SECOND));
        for (task, waited) in line.into_iter().zip([25, 50]) {
            assert_eq!(task.await.unwrap(), Ok(waited * SECOND));
        }
        drop(enter(&limiter, Class::Write).await.unwrap());
        assert!(limiter.enter(Class::Write, Instant::now() + 4 * SECOND).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn who_leaves_frees_the_place_at_once() {
        let metrics = metrics();
        let limiter = limiter_of(&metrics, "acme", &Limits { writes: quota(1.0, 1), max_waiting: 2, ..open() });
        let waiting = metrics.rate_limit_waiting.with_label_values(&["acme"]);
        drop(enter(&limiter, Class::Write).await.unwrap());
        let line = [arrives(&limiter, Class::Write).await, arrives(&limiter, Class::Write).await];
        assert_eq!(waiting.get(), 2);
        advance(Duration::from_millis(500)).await;
        let [front, back] = line;
        front.abort();
        assert!(front.await.unwrap_err().is_cancelled());
        assert_eq!(waiting.get(), 1);
        let new = arrives(&limiter, Class::Write).await;
        assert_eq!(back.await.unwrap(), Ok(SECOND));
        assert_eq!(new.await.unwrap(), Ok(Duration::from_millis(1500)));
        assert_eq!(waiting.get(), 0);
        // One came in at once, one left, two waited.
        assert_eq!(metrics.rate_limit_wait.get_sample_count(), 4);
        assert_eq!(metrics.rate_limit_wait.get_sample_sum(), 0.5 + 1.0 + 1.5);
    }

    #[tokio::test(start_paused = true)]
    async fn one_tenants_flood_does_not_delay_another() {
        let metrics = metrics();
        let store = Arc::new(Store::local(Arc::clone(&metrics)));
        let limits = Limits { writes: quota(10.0, 10), concurrency: NonZeroU32::new(4), ..open() };
        let made = |tenant: &str| Arc::new(Limiter::new(&store, &tenant.into(), &tenant.into(), Some(&limits)));
        let (flooding, quiet) = (made("flooding"), made("quiet"));
        let (floods, refusals) = (Arc::clone(&flooding), Arc::new(AtomicUsize::new(0)));
        let refused = Arc::clone(&refusals);
        let flood = tokio::spawn(async move {
            loop {
                let (limiter, refused) = (Arc::clone(&floods), Arc::clone(&refused));
                tokio::spawn(async move {
                    match enter(&limiter, Class::Write).await {
                        Ok(_turn) => sleep(Duration::from_millis(50)).await,
                        Err(_) => drop(refused.fetch_add(1, Ordering::Relaxed)),
                    }
                });
                sleep(Duration::from_millis(1)).await;
            }
        });
        sleep(SECOND).await;
        assert_eq!(metrics.rate_limit_waiting.with_label_values(&["flooding"]).get(), 100);
        for _ in 0..200 {
            let turn = enter(&quiet, Class::Write).await.unwrap();
            assert_eq!(turn.waited(), Duration::ZERO);
            sleep(Duration::from_millis(100)).await;
        }
        flood.abort();
        // It has been told to wait as it should: 21,000 came, 210 and the burst had a turn.
        assert!(refusals.load(Ordering::Relaxed) > 20_000);
    }

    #[tokio::test(start_paused = true)]
    async fn the_same_quota_survives_a_reload() {
        let limits = Limits { writes: quota(1.0, 1), reads: quota(1.0, 1), ..open() };
        let limiter = limiter(&limits);
        drop((limiter.try_enter(Class::Write).unwrap(), limiter.try_enter(Class::Read).unwrap()));
        limiter.reconfigure(Some(&Limits { reads: quota(2.0, 1), wait: SECOND, ..limits }));
        assert!(limiter.try_enter(Class::Write).is_none());
        assert!(limiter.try_enter(Class::Read).is_some());
        limiter.reconfigure(None);
        for class in Class::ALL {
            assert!(limiter.try_enter(class).unwrap().standing().is_none());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn those_who_wait_keep_their_order_over_a_reload() {
        let limits = Limits { writes: quota(0.1, 1), wait: 40 * SECOND, ..open() };
        let limiter = limiter(&limits);
        drop(enter(&limiter, Class::Write).await.unwrap());
        let mut line = Vec::new();
        for _ in 0..4 {
            line.push(arrives(&limiter, Class::Write).await);
        }
        advance(SECOND).await;
        limiter.reconfigure(Some(&Limits { writes: quota(1.0, 2), ..limits }));
        assert!(limiter.try_enter(Class::Write).is_none(), "newcomers stay behind");
        line.push(arrives(&limiter, Class::Write).await);
        for (task, waited) in line.into_iter().zip([1, 1, 2, 3, 3]) {
            assert_eq!(task.await.unwrap(), Ok(waited * SECOND));
        }
        let last = arrives(&limiter, Class::Write).await;
        limiter.reconfigure(None);
        assert_eq!(last.await.unwrap(), Ok(Duration::ZERO));
    }

    #[tokio::test(start_paused = true)]
    async fn over_the_concurrency_it_waits_and_then_is_refused() {
        let limiter = limiter(&Limits { concurrency: NonZeroU32::new(1), ..open() });
        let held = enter(&limiter, Class::Write).await.unwrap();
        let next = arrives(&limiter, Class::Write).await;
        advance(SECOND).await;
        drop(held);
        assert_eq!(next.await.unwrap(), Ok(SECOND));
        let _held = enter(&limiter, Class::Write).await.unwrap();
        let began = Instant::now();
        let refused = enter(&limiter, Class::Read).await.unwrap_err();
        assert_eq!(refused, Refused::Concurrency { wait: Duration::ZERO, standing: None });
        assert_eq!(began.elapsed(), 10 * SECOND);
        assert!(!limiter.is_idle(Instant::now()));
    }

    #[tokio::test(start_paused = true)]
    async fn both_waits_share_one_budget() {
        let limiter = limiter(&Limits { writes: quota(0.125, 1), concurrency: NonZeroU32::new(1), ..open() });
        let _held = enter(&limiter, Class::Write).await.unwrap();
        let began = Instant::now();
        // Eight seconds for its turn, so two are left for room.
        let refused = enter(&limiter, Class::Write).await.unwrap_err();
        assert!(matches!(refused, Refused::Concurrency { standing: Some(_), .. }));
        assert_eq!(began.elapsed(), 10 * SECOND);
    }

    #[tokio::test(start_paused = true)]
    async fn no_turn_is_spent_on_what_finds_no_room() {
        let limiter =
            limiter(&Limits { writes: quota(1.0, 3), concurrency: NonZeroU32::new(1), max_waiting: 0, ..open() });
        let held = enter(&limiter, Class::Write).await.unwrap();
        for _ in 0..9 {
            assert!(matches!(enter(&limiter, Class::Write).await, Err(Refused::Concurrency { .. })));
        }
        drop(held);
        assert_eq!(enter(&limiter, Class::Write).await.unwrap().standing().unwrap().left(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_lookup_is_next_when_writes_take_all_the_room() {
        let limiter = limiter(&Limits { concurrency: NonZeroU32::new(2), ..open() });
        let held = [enter(&limiter, Class::Write).await.unwrap(), enter(&limiter, Class::Write).await.unwrap()];
        for _ in 0..50 {
            arrives(&limiter, Class::Write).await;
        }
        let lookup = arrives(&limiter, Class::Lookup).await;
        let [first, _second] = held;
        drop(first);
        yield_now().await;
        assert!(lookup.is_finished());
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_idle_when_nothing_would_be_forgotten() {
        let limiter = limiter(&Limits { writes: quota(1.0, 5), ..open() });
        assert!(limiter.is_idle(Instant::now()));
        drop(limiter.try_enter(Class::Write));
        advance(SECOND - Duration::from_millis(1)).await;
        assert!(!limiter.is_idle(Instant::now()));
        advance(Duration::from_millis(1)).await;
        assert!(limiter.is_idle(Instant::now()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_says_what_to_do() {
        let limiter = limiter(&Limits { reads: quota(0.01, 1), ..open() });
        drop(enter(&limiter, Class::Read).await.unwrap());
        let rate = enter(&limiter, Class::Read).await.unwrap_err();
        assert!(rate.to_string().starts_with("this connection sends more reads than"), "{rate}");
        assert!(rate.to_string().ends_with("to raise rate_limit.reads"), "{rate}");
        let room = Refused::Concurrency { wait: Duration::ZERO, standing: None };
        assert!(room.to_string().ends_with("to raise rate_limit.concurrency"), "{room}");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn who_gets_no_turn_takes_no_room_from_another() {
        let limits = Limits { writes: quota(1e-6, 1), concurrency: NonZeroU32::new(1), max_waiting: 0, ..open() };
        let limiter = limiter(&limits);
        drop(limiter.try_enter(Class::Write).unwrap());
        let flooding = Arc::clone(&limiter);
        let flood = tokio::spawn(async move {
            loop {
                assert!(enter(&flooding, Class::Write).await.is_err());
                yield_now().await;
            }
        });
        for _ in 0..20_000 {
            drop(enter(&limiter, Class::Lookup).await.unwrap());
        }
        flood.abort();
    }

    struct Out<'a>(&'a AtomicUsize);

    impl Drop for Out<'_> {
        fn drop(&mut self) {
            self.0.fetch_sub(1, Ordering::SeqCst);
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn threads_keep_to_the_concurrency() {
        let limits = Limits { concurrency: NonZeroU32::new(3), max_waiting: 1000, wait: 60 * SECOND, ..open() };
        let limiter = limiter(&limits);
        let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let tasks: Vec<_> = (0..600)
            .map(|i| {
                let (limiter, now, most) = (Arc::clone(&limiter), Arc::clone(&now), Arc::clone(&most));
                tokio::spawn(async move {
                    let _turn = enter(&limiter, Class::ALL[i % 3]).await.unwrap();
                    most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    // Before the turn, and also when the task is aborted.
                    let _counted = Out(&now);
                    yield_now().await;
                })
            })
            .collect();
        for (i, task) in tasks.into_iter().enumerate() {
            // Some leave wherever they stand.
            if i % 7 == 0 {
                task.abort();
            }
            let _ = task.await;
        }
        assert!(most.load(Ordering::SeqCst) <= 3);
        assert!(limiter.is_idle(Instant::now()));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Whoever comes and leaves when: turns are given in the order of arrival, and to everyone who stays.
        #[test]
        fn first_come_first_served(
            burst in 1..4_u32,
            visits in proptest::collection::vec((0..30_u64, proptest::option::weighted(0.3, 0..200_u64)), 1..60),
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
            let (stay, came) = runtime.block_on(async {
                let limiter = limiter(&Limits { lookups: quota(100.0, burst), ..open() });
                let came = Arc::new(Mutex::new(Vec::new()));
                let (mut tasks, mut stay) = (Vec::new(), Vec::new());
                for (name, (gap, leaves)) in visits.into_iter().enumerate() {
                    sleep(Duration::from_millis(gap)).await;
                    let (limiter, came) = (Arc::clone(&limiter), Arc::clone(&came));
                    tasks.push(tokio::spawn(async move {
                        let waits = async {
                            let _turn = enter(&limiter, Class::Lookup).await.unwrap();
                            came.lock().unwrap().push(name);
                        };
                        match leaves {
                            Some(after) => drop(tokio::time::timeout(Duration::from_millis(after), waits).await),
                            None => waits.await,
                        }
                    }));
                    if leaves.is_none() {
                        stay.push(name);
                    }
                    yield_now().await;
                }
                for task in tasks {
                    task.await.unwrap();
                }
                let came = came.lock().unwrap().clone();
                (stay, came)
            });
            prop_assert!(came.is_sorted(), "{:?}", came);
            prop_assert!(stay.iter().all(|name| came.contains(name)), "{:?} of {:?}", came, stay);
        }
    }
}
