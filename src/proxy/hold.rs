//! Who waits for an app that is away, and who is next when it is back.
//!
//! One request tries the app for all that wait for it, so an app that starts is knocked at a few times a second however
//! many wait. When it lets one in, the others follow in order: lookups first, since a credential check that fails costs
//! a connection, and among themselves as they came; but after [`STREAK`] lookups that passed others by, one of the
//! others is next. They do not come all at once. An app that has just started is cold, so [`FIRST`] go in, and for each
//! that is answered two more. One that is in the app for [`TAKEN`] keeps nobody out any longer: it may take a minute, and
//! an app that never answers is still given a few a second and not all; the rest are told, truly, that nothing of theirs
//! was given to it.
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
use tokio::{
    sync::{oneshot, watch},
    time,
};

use super::life::Phase;
use crate::gate::{Room, Tenant, rate::Class};

/// Between tries for all: soon enough that a quick restart costs little.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_millis(250);

/// Requests that go to an app at once when it is back.
const FIRST: usize = 4;

/// Lookups that may pass others by in a row.
const STREAK: u8 = 4;

/// A request that is under way for so long is in the app, or its way to it hangs. Answers take milliseconds.
const TAKEN: Duration = Duration::from_secs(1);

/// Requests outside SCIM that may wait. Nobody has looked at who sends them, so they have no room of a tenant.
const OUTSIDE: usize = 32;

/// A request, as far as its place in a line goes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Guest<'a> {
    pub(crate) tenant: &'a Tenant,
    /// `None` outside SCIM.
    pub(crate) class: Option<Class>,
    /// Its caller has shown a token of ours, or credentials that have called with success. A lookup of such a caller may
    /// take the place of another request, which a stranger's must not.
    pub(crate) known: bool,
}

/// What there is for who comes while others wait.
#[derive(Debug)]
pub(crate) enum Behind {
    /// Nobody waits.
    Free,
    /// Others wait for an app that is away, and there is no room.
    Full,
    /// A place behind them.
    Place(Place),
}

/// All lines of one app.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    lines: Mutex<HashMap<Authority, Line>>,
    /// How many lines there are, for those who come while there is none.
    count: AtomicUsize,
    outside: Arc<AtomicUsize>,
}

impl Lines {
    /// Whether who comes now should go behind others.
    pub(crate) fn is_occupied(&self, app: &Authority) -> bool {
        self.count.load(Ordering::Relaxed) > 0 && self.lock().get(app).is_some_and(Line::is_occupied)
    }

    /// A place behind those who wait for this app. Where there is no room and the app is back, a request goes as if nobody
    /// waited.
    pub(crate) fn behind(self: &Arc<Self>, app: &Authority, guest: Guest<'_>) -> Behind {
        match self.join(app, guest) {
            Some(place) => Behind::Place(place),
            None if self.is_away(app) => Behind::Full,
            None => Behind::Free,
        }
    }

    /// A place, if there is room for one. A lookup that finds none takes that of the tenant's youngest other.
    pub(crate) fn join(self: &Arc<Self>, app: &Authority, guest: Guest<'_>) -> Option<Place> {
        let Guest { tenant, class, known } = guest;
        let mut lines = self.lock();
        let line = lines.entry(app.clone()).or_insert_with(|| Line::new(Instant::now()));
        let room = match class {
            None => Room::take(&self.outside, OUTSIDE),
            Some(_) => tenant.hold().or_else(|| {
                let displaces = known && class == Some(Class::Lookup) && line.displace(&tenant.id);
                displaces.then(|| tenant.hold_instead())
            }),
        };
        let place = room.map(|room| {
            let rank = if class == Some(Class::Lookup) { Rank::Lookup } else { Rank::Other };
            let owner = class.map(|_| Arc::clone(&tenant.id));
            let stage = line.enqueue(rank, owner.clone());
            let (lines, app) = (Arc::clone(self), app.clone());
            Place { lines, app, rank, owner, stage, not_before: None, _room: room }
        });
        line.let_in();
        self.settle(lines, app);
        place
    }

    /// The app has accepted a connection.
    pub(crate) fn opened(&self, app: &Authority) {
        if self.count.load(Ordering::Relaxed) > 0 {
            self.with(app, |line| line.opened());
        }
    }

    /// Whether it was not there when it was last tried.
    fn is_away(&self, app: &Authority) -> bool {
        self.lock().get(app).is_some_and(|line| line.away)
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

/// Those who wait for one origin, and how many were let in.
#[derive(Debug)]
struct Line {
    lookups: VecDeque<Waiting>,
    others: VecDeque<Waiting>,
    streak: u8,
    /// The app was not there when it was last tried. One request at a time tries it for all.
    away: bool,
    /// Let in, and neither answered nor in the app for long.
    out: usize,
    /// In the app for long.
    taken: usize,
    /// How many may be out while the app is there.
    limit: usize,
    next_try: Instant,
    pause: Duration,
    ids: u64,
}

#[derive(Debug)]
struct Waiting {
    id: u64,
    /// Whose room it takes, by name: a reload makes another of the same tenant.
    owner: Option<Arc<str>>,
    tell: oneshot::Sender<Word>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rank {
    Lookup,
    Other,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Word {
    Displaced,
    Go,
}

impl Line {
    fn new(now: Instant) -> Self {
        Self {
            lookups: VecDeque::new(),
            others: VecDeque::new(),
            streak: 0,
            away: true,
            out: 0,
            taken: 0,
            limit: FIRST,
            next_try: now + FIRST_PAUSE,
            pause: FIRST_PAUSE,
            ids: 0,
        }
    }

    fn is_empty(&self) -> bool {
        self.lookups.is_empty() && self.others.is_empty()
    }

    fn is_occupied(&self) -> bool {
        !self.is_empty() || (self.away && self.out > 0)
    }

    fn is_over(&self) -> bool {
        self.out + self.taken == 0 && self.is_empty()
    }

    fn enqueue(&mut self, rank: Rank, owner: Option<Arc<str>>) -> Stage {
        self.ids += 1;
        self.insert(self.ids, rank, owner)
    }

    /// Puts a request where its number belongs, which is at the end unless it was there before.
    fn insert(&mut self, id: u64, rank: Rank, owner: Option<Arc<str>>) -> Stage {
        let (tell, told) = oneshot::channel();
        let queue = match rank {
            Rank::Lookup => &mut self.lookups,
            Rank::Other => &mut self.others,
        };
        let at = queue.partition_point(|waiting| waiting.id < id);
        queue.insert(at, Waiting { id, owner, tell });
        Stage::In(id, told)
    }

    /// Sends the tenant's youngest away that is no lookup.
    fn displace(&mut self, tenant: &str) -> bool {
        let youngest = self.others.iter().rposition(|waiting| waiting.owner.as_deref() == Some(tenant));
        let displaced = youngest.and_then(|at| self.others.remove(at));
        displaced.is_some_and(|waiting| waiting.tell.send(Word::Displaced).is_ok())
    }

    fn let_in(&mut self) {
        while self.out < if self.away { 1 } else { self.limit } {
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

    fn opened(&mut self) {
        self.away = false;
    }

    fn answered(&mut self) {
        (self.away, self.pause) = (false, FIRST_PAUSE);
        self.limit += 1;
    }

    /// When whoever was out may try again.
    fn refused(&mut self, now: Instant) -> Instant {
        (self.away, self.limit) = (true, FIRST);
        self.next_try = now + self.pause;
        self.pause = (self.pause * 3 / 2).min(LONGEST_PAUSE);
        self.next_try
    }
}

/// A place in a line, to the answer. Dropping it lets the next one in.
#[derive(Debug)]
pub(crate) struct Place {
    lines: Arc<Lines>,
    app: Authority,
    rank: Rank,
    owner: Option<Arc<str>>,
    stage: Stage,
    not_before: Option<Instant>,
    _room: Room,
}

#[derive(Debug)]
enum Stage {
    In(u64, oneshot::Receiver<Word>),
    Out(u64),
    Taken(u64),
    Over,
}

impl Place {
    /// Waits until this request may be given to the app. False where it may not any more: `until` has come, a lookup
    /// took its place, or the app is away and will not be back.
    pub(crate) async fn turn(&mut self, until: Instant, end: &mut End) -> bool {
        if let Stage::In(id, told) = &mut self.stage {
            let id = *id;
            let told = loop {
                if end.has_begun() && self.lines.is_away(&self.app) {
                    return false;
                }
                tokio::select! {
                    biased;
                    word = &mut *told => break word,
                    () = time::sleep_until(until.into()) => return false,
                    () = end.begins() => {}
                }
            };
            let Ok(Word::Go) = told else {
                self.stage = Stage::Over;
                return false;
            };
            self.stage = Stage::Out(id);
        }
        let next_try = self.lines.lock().get(&self.app).filter(|line| line.away).map(|line| line.next_try);
        let Some(at) = next_try.max(self.not_before.take()) else { return true };
        if Instant::now() >= until {
            return false;
        }
        loop {
            if end.has_begun() && self.lines.is_away(&self.app) {
                return false;
            }
            tokio::select! {
                // The last try is at the end of the hold, not a pause before it.
                () = time::sleep_until(at.min(until).into()) => return true,
                () = end.begins() => {}
            }
        }
    }

    /// Gives a request to the app. If that takes long, the others wait for it no longer.
    pub(crate) async fn watch<T>(&mut self, attempt: impl Future<Output = T>) -> T {
        let mut attempt = std::pin::pin!(attempt);
        tokio::select! {
            biased;
            done = &mut attempt => return done,
            () = time::sleep(TAKEN) => {}
        }
        if let Stage::Out(id) = self.stage {
            self.stage = Stage::Taken(id);
            self.lines.with(&self.app, |line| (line.out, line.taken) = (line.out - 1, line.taken + 1));
        }
        attempt.await
    }

    /// The app was not there. One request goes on trying; others that were out stand where they stood.
    pub(crate) fn refused(&mut self) {
        let stage = std::mem::replace(&mut self.stage, Stage::Over);
        let (mut next, mut not_before) = (Stage::Over, None);
        self.lines.with(&self.app, |line| {
            let id = match stage {
                Stage::Out(id) => id,
                Stage::Taken(id) => {
                    (line.out, line.taken) = (line.out + 1, line.taken - 1);
                    id
                }
                Stage::In(..) | Stage::Over => return,
            };
            not_before = Some(line.refused(Instant::now()));
            next = if line.out > 1 {
                line.out -= 1;
                line.insert(id, self.rank, self.owner.clone())
            } else {
                Stage::Out(id)
            };
        });
        (self.stage, self.not_before) = (next, not_before);
    }

    /// The app has answered.
    pub(crate) fn answered(mut self) {
        self.leave(Line::answered);
    }

    fn leave(&mut self, and: impl FnOnce(&mut Line)) {
        let stage = std::mem::replace(&mut self.stage, Stage::Over);
        self.lines.with(&self.app, |line| {
            match stage {
                Stage::In(id, mut told) => {
                    if !line.remove(id) && told.try_recv() == Ok(Word::Go) {
                        line.out -= 1;
                    }
                }
                Stage::Out(_) => line.out -= 1,
                Stage::Taken(_) => line.taken -= 1,
                Stage::Over => {}
            }
            and(line);
        });
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if !matches!(self.stage, Stage::Over) {
            self.leave(|_| {});
        }
    }
}

/// When an app that is away will not be back: never, or once the shim leaves.
#[derive(Debug)]
pub(crate) struct End(pub(crate) Option<watch::Receiver<Phase>>);

impl End {
    pub(crate) fn has_begun(&self) -> bool {
        self.0.as_ref().is_some_and(|phase| *phase.borrow() >= Phase::Leaving)
    }

    /// Ends once, when it begins.
    async fn begins(&mut self) {
        if let Some(phase) = self.0.as_mut().filter(|phase| *phase.borrow() < Phase::Leaving)
            && phase.wait_for(|phase| *phase >= Phase::Leaving).await.is_ok()
        {
            return;
        }
        std::future::pending::<()>().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A line in which nobody may go yet, and who stands in it.
    struct Queue(Line, Vec<(&'static str, Stage)>);

    impl Queue {
        fn of(people: &[(&'static str, Class, &str)]) -> Self {
            let mut queue = Self(Line::new(Instant::now()), Vec::new());
            for (name, class, tenant) in people {
                let rank = if *class == Class::Lookup { Rank::Lookup } else { Rank::Other };
                queue.1.push((name, queue.0.enqueue(rank, Some(Arc::from(*tenant)))));
            }
            queue
        }

        /// Who has heard this word since.
        fn told(&mut self, word: Word) -> Vec<&'static str> {
            let heard = |stage: &mut Stage| match stage {
                Stage::In(_, told) => told.try_recv() == Ok(word),
                Stage::Out(_) | Stage::Taken(_) | Stage::Over => false,
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
        (queue.0.away, queue.0.limit) = (false, 2);
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
