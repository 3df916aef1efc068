//! Who waits for an app that is away, and who is next when it is back.
//!
//! One request tries the app for all that wait for it, so an app that starts is knocked at a few times a second however
//! many wait. When it lets one in, the others follow in order: lookups first, since a credential check that fails costs
//! a connection, and among themselves as they came; but after [`STREAK`] lookups that passed others by, one of the
//! others is next. They do not come all at once. An app that has just started is cold, so [`FIRST`] go in, and for each
//! that is answered two more. One that accepts and never answers has then been given a few requests and not all; the
//! rest are told, truly, that nothing of theirs was given to it.
//!
//! Whoever comes while others wait goes behind them instead of trying for itself. Each origin has a line of its own,
//! because where `upstream.url` holds `{tenant}` one tenant's app may be away while another's is not.
//!
//! The choice not taken: each request tries for itself, with pauses. Then the order is luck, and all that waited meet
//! the app in its first second.

use std::{
    collections::{HashMap, VecDeque},
    future::Future,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use http::uri::Authority;
use tokio::{sync::oneshot, time};

use crate::gate::{Room, Tenant, rate::Class};

/// Between tries for all: soon enough that a quick restart costs little.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_millis(250);

/// Requests that go to an app at once when it is back.
const FIRST: usize = 4;

/// Lookups that may pass others by in a row.
const STREAK: u8 = 4;

/// A try that is under way for so long has been taken by the app, or hangs in a way that says nothing about others. A
/// connection in a pod is there, or refused, in under a millisecond.
const TAKEN: Duration = Duration::from_secs(1);

/// All lines of one app.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    lines: Mutex<HashMap<Authority, Line>>,
    /// How many lines there are, for those who come while there is none.
    count: AtomicUsize,
}

/// Those who wait for one origin, and those who were let in and have not been answered yet.
#[derive(Debug)]
struct Line {
    lookups: VecDeque<Waiting>,
    others: VecDeque<Waiting>,
    streak: u8,
    out: usize,
    /// How many may be out. One, while the app is away: it tries for all.
    limit: usize,
    next_try: Instant,
    pause: Duration,
    ids: u64,
}

#[derive(Debug)]
struct Waiting {
    id: u64,
    /// By name: a reload makes another of the same tenant.
    tenant: Arc<str>,
    tell: oneshot::Sender<Word>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Word {
    Displaced,
    Go,
}

/// A place in a line, to the answer. Dropping it lets the next one in.
#[derive(Debug)]
pub(crate) struct Place {
    lines: Arc<Lines>,
    app: Authority,
    class: Class,
    tenant: Arc<str>,
    stage: Stage,
    _room: Room,
}

#[derive(Debug)]
enum Stage {
    In(u64, oneshot::Receiver<Word>),
    Out,
    Over,
}

impl Lines {
    /// Whether who comes now should go behind others.
    pub(crate) fn is_occupied(&self, app: &Authority) -> bool {
        self.count.load(Ordering::Relaxed) > 0 && self.lock().get(app).is_some_and(Line::is_occupied)
    }

    /// A place, if the tenant has room for one. A lookup that finds none takes that of the tenant's youngest other.
    pub(crate) fn join(self: &Arc<Self>, app: &Authority, class: Class, tenant: &Arc<Tenant>) -> Option<Place> {
        let mut lines = self.lock();
        let line = lines.entry(app.clone()).or_insert_with(Line::new);
        let room = tenant.hold().or_else(|| {
            let displaces = class == Class::Lookup && line.displace(&tenant.id);
            displaces.then(|| tenant.hold_instead())
        });
        let place = room.map(|room| Place {
            lines: Arc::clone(self),
            app: app.clone(),
            class,
            tenant: Arc::clone(&tenant.id),
            stage: line.enqueue(class, &tenant.id, End::Back),
            _room: room,
        });
        line.let_in();
        self.settle(lines, app);
        place
    }

    /// The app has accepted a connection.
    pub(crate) fn opened(&self, app: &Authority) {
        if self.count.load(Ordering::Relaxed) > 0 {
            self.with(app, |line| line.limit = line.limit.max(FIRST));
        }
    }

    /// Changes a line that is there, and lets in whom it then has room for.
    fn with(&self, app: &Authority, change: impl FnOnce(&mut Line)) {
        let mut lines = self.lock();
        if let Some(line) = lines.get_mut(app) {
            change(line);
            line.let_in();
        }
        self.settle(lines, app);
    }

    /// Forgets a line that nobody stands in.
    fn settle(&self, mut lines: MutexGuard<'_, HashMap<Authority, Line>>, app: &Authority) {
        if lines.get(app).is_some_and(Line::is_over) {
            lines.remove(app);
        }
        self.count.store(lines.len(), Ordering::Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Authority, Line>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where in its queue a request goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Back,
    Front,
}

impl Line {
    fn new() -> Self {
        let (lookups, others) = Default::default();
        let next_try = Instant::now() + FIRST_PAUSE;
        Self { lookups, others, streak: 0, out: 0, limit: 1, next_try, pause: FIRST_PAUSE, ids: 0 }
    }

    fn is_occupied(&self) -> bool {
        !(self.lookups.is_empty() && self.others.is_empty()) || (self.out > 0 && self.limit == 1)
    }

    fn is_over(&self) -> bool {
        self.out == 0 && self.lookups.is_empty() && self.others.is_empty()
    }

    fn enqueue(&mut self, class: Class, tenant: &Arc<str>, end: End) -> Stage {
        let (tell, told) = oneshot::channel();
        self.ids += 1;
        let waiting = Waiting { id: self.ids, tenant: Arc::clone(tenant), tell };
        let queue = if class == Class::Lookup { &mut self.lookups } else { &mut self.others };
        match end {
            End::Back => queue.push_back(waiting),
            End::Front => queue.push_front(waiting),
        }
        Stage::In(self.ids, told)
    }

    /// Sends the tenant's youngest away that is no lookup.
    fn displace(&mut self, tenant: &str) -> bool {
        let youngest = self.others.iter().rposition(|waiting| *waiting.tenant == *tenant);
        let displaced = youngest.and_then(|at| self.others.remove(at));
        displaced.is_some_and(|waiting| waiting.tell.send(Word::Displaced).is_ok())
    }

    fn let_in(&mut self) {
        while self.out < self.limit {
            let Some(waiting) = self.next() else { return };
            // Who has left meanwhile takes itself out.
            self.out += usize::from(waiting.tell.send(Word::Go).is_ok());
        }
    }

    fn next(&mut self) -> Option<Waiting> {
        let turn = self.streak >= STREAK && !self.others.is_empty();
        if !turn && let Some(lookup) = self.lookups.pop_front() {
            self.streak = if self.others.is_empty() { 0 } else { self.streak + 1 };
            return Some(lookup);
        }
        self.streak = 0;
        self.others.pop_front()
    }

    fn remove(&mut self, id: u64) -> bool {
        let queues = [&mut self.lookups, &mut self.others];
        queues.into_iter().any(|queue| {
            let at = queue.iter().position(|waiting| waiting.id == id);
            at.is_some_and(|at| queue.remove(at).is_some())
        })
    }
}

impl Place {
    /// Waits until this request may be given to the app. False where it may not any more: `until` has come, a lookup
    /// took its place, or `gone` says that the app will not be back.
    pub(crate) async fn turn(&mut self, until: Instant, gone: impl Future<Output = ()>) -> bool {
        let wait = async {
            if let Stage::In(_, told) = &mut self.stage {
                match time::timeout_at(until.into(), told).await {
                    Ok(Ok(Word::Go)) => self.stage = Stage::Out,
                    Ok(Ok(Word::Displaced) | Err(_)) => {
                        self.stage = Stage::Over;
                        return false;
                    }
                    Err(_) => return false,
                }
            }
            let next_try = self.lines.lock().get(&self.app).filter(|line| line.limit == 1).map(|line| line.next_try);
            if let Some(next_try) = next_try {
                if Instant::now() >= until {
                    return false;
                }
                // The last try is at the end of the hold, not a pause before it.
                time::sleep_until(next_try.min(until).into()).await;
            }
            true
        };
        tokio::select! {
            biased;
            () = gone => false,
            may = wait => may,
        }
    }

    /// Gives a request to the app. If that takes longer than any connection does, the others wait for it no longer.
    pub(crate) async fn watch<T>(&self, attempt: impl Future<Output = T>) -> T {
        let mut attempt = std::pin::pin!(attempt);
        tokio::select! {
            biased;
            done = &mut attempt => return done,
            () = time::sleep(TAKEN) => self.lines.opened(&self.app),
        }
        attempt.await
    }

    /// The app was not there. One request goes on trying; others that were out stand at the front again.
    pub(crate) fn refused(&mut self) {
        let (class, tenant, mut stage) = (self.class, Arc::clone(&self.tenant), Stage::Out);
        self.lines.with(&self.app, |line| {
            if line.limit > 1 {
                (line.limit, line.pause) = (1, FIRST_PAUSE);
            }
            line.next_try = Instant::now() + line.pause;
            line.pause = (line.pause * 3 / 2).min(LONGEST_PAUSE);
            if line.out > 1 {
                line.out -= 1;
                stage = line.enqueue(class, &tenant, End::Front);
            }
        });
        self.stage = stage;
    }

    /// The app has answered.
    pub(crate) fn answered(mut self) {
        self.stage = Stage::Over;
        self.lines.with(&self.app, |line| {
            line.out -= 1;
            line.limit = line.limit.max(FIRST) + 1;
        });
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let stage = std::mem::replace(&mut self.stage, Stage::Over);
        let was_out = |told: &mut oneshot::Receiver<Word>| matches!(told.try_recv(), Ok(Word::Go));
        match stage {
            Stage::In(id, mut told) => self.lines.with(&self.app, |line| {
                if !line.remove(id) && was_out(&mut told) {
                    line.out -= 1;
                }
            }),
            Stage::Out => self.lines.with(&self.app, |line| line.out -= 1),
            Stage::Over => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A line in which nobody may go yet, and who stands in it.
    struct Queue(Line, Vec<(&'static str, Stage)>);

    impl Queue {
        fn of(people: &[(&'static str, Class, &str)]) -> Self {
            let mut queue = Self(Line::new(), Vec::new());
            for (name, class, tenant) in people {
                queue.1.push((name, queue.0.enqueue(*class, &Arc::from(*tenant), End::Back)));
            }
            queue
        }

        /// Who has heard this word since.
        fn told(&mut self, word: Word) -> Vec<&'static str> {
            let heard = |stage: &mut Stage| match stage {
                Stage::In(_, told) => told.try_recv() == Ok(word),
                Stage::Out | Stage::Over => false,
            };
            self.1.iter_mut().filter_map(|(name, stage)| heard(stage).then_some(*name)).collect()
        }

        /// In which order they go, one by one.
        fn order(mut self) -> Vec<&'static str> {
            let mut order = Vec::new();
            while !self.0.is_over() {
                self.0.out = 0;
                self.0.let_in();
                order.extend(self.told(Word::Go));
                self.0.out = 0;
            }
            order
        }
    }

    #[test]
    fn lookups_go_first_but_not_for_ever() {
        use Class::{Lookup, Read, Write};
        let people =
            [("w1", Write, "a"), ("r1", Read, "b"), ("l1", Lookup, "a"), ("l2", Lookup, "b"), ("l3", Lookup, "a")];
        assert_eq!(Queue::of(&people).order(), ["l1", "l2", "l3", "w1", "r1"]);
        let more = [("l4", Lookup, "a"), ("l5", Lookup, "a"), ("l6", Lookup, "a")];
        assert_eq!(Queue::of(&[&people[..], &more].concat()).order(), ["l1", "l2", "l3", "l4", "w1", "l5", "l6", "r1"]);
    }

    #[test]
    fn no_more_are_let_in_than_may_be_out() {
        let mut queue = Queue::of(&[("1", Class::Write, "a"), ("2", Class::Write, "a"), ("3", Class::Write, "a")]);
        queue.0.let_in();
        assert_eq!((queue.told(Word::Go), queue.0.out), (vec!["1"], 1));
        queue.0.limit = 2;
        queue.0.let_in();
        queue.0.let_in();
        assert_eq!((queue.told(Word::Go), queue.0.out), (vec!["2"], 2));
    }

    #[test]
    fn the_youngest_of_the_same_tenant_makes_room_and_no_lookup() {
        let mut queue = Queue::of(&[
            ("1", Class::Write, "a"),
            ("2", Class::Read, "a"),
            ("3", Class::Write, "b"),
            ("4", Class::Lookup, "a"),
        ]);
        assert!(queue.0.displace("a"));
        assert_eq!(queue.told(Word::Displaced), ["2"]);
        assert!(queue.0.displace("a"));
        assert!(!queue.0.displace("a"));
        assert!(!queue.0.displace("c"));
        assert_eq!(queue.told(Word::Displaced), ["1"]);
    }

    #[test]
    fn who_has_left_is_passed_over() {
        let mut queue = Queue::of(&[("1", Class::Write, "a"), ("2", Class::Write, "a")]);
        queue.1.remove(0);
        queue.0.let_in();
        assert_eq!((queue.told(Word::Go), queue.0.out), (vec!["2"], 1));
    }
}
