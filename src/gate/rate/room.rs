//! How many requests of one tenant may be in flight, and who is next when one ends.
//!
//! A place that becomes free is handed over, never put down: while anyone waits there is no free place that a newcomer
//! could take. Lookups go first, so that a flood of writes cannot make a credential check fail; but after [`STREAK`]
//! lookups that passed others by, the one of the others that has waited longest is next, so that a flood of lookups
//! cannot stop the writes either. Reads and writes are served in the order in which they came.
//!
//! A tokio semaphore would be shorter and knows one queue only.

use std::{
    collections::VecDeque,
    num::NonZeroU32,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::{
    sync::oneshot,
    time::{Instant, timeout_at},
};

use super::class::Class;

/// Lookups that may pass waiting reads and writes by in a row: four fifths of the places go to lookups at most.
const STREAK: u8 = 4;

#[derive(Debug)]
pub(super) struct Room {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    limit: u32,
    taken: u32,
    lookups: VecDeque<Seat>,
    others: VecDeque<Seat>,
    streak: u8,
    seats: u64,
}

#[derive(Debug)]
struct Seat {
    /// Ascending in each queue.
    id: u64,
    class: Class,
    give: oneshot::Sender<Slot>,
}

/// One of the requests in flight; dropping it lets the next one in.
#[derive(Debug)]
pub(super) struct Slot(Option<Arc<Room>>);

impl Room {
    pub(super) fn new(limit: Option<NonZeroU32>) -> Arc<Self> {
        let (lookups, others) = Default::default();
        let state = State { limit: bound(limit), taken: 0, lookups, others, streak: 0, seats: 0 };
        Arc::new(Self { state: Mutex::new(state) })
    }

    /// A place, if one is free.
    pub(super) fn try_take(self: &Arc<Self>) -> Option<Slot> {
        let mut state = self.lock();
        // No free place while anyone waits, so nobody is overtaken.
        (state.taken < state.limit).then(|| {
            state.taken += 1;
            Slot(Some(Arc::clone(self)))
        })
    }

    /// Whether a request of this class could neither come in nor wait.
    pub(super) fn is_crowded(&self, class: Class, max_waiting: u32) -> bool {
        let state = self.lock();
        state.taken >= state.limit && state.waiting(class) >= max_waiting as usize
    }

    /// Waits for a place until `give_up`; `None` if there is none by then, or no room to wait in.
    pub(super) async fn take(
        self: &Arc<Self>,
        class: Class,
        max_waiting: u32,
        give_up: Instant,
        waits: impl FnOnce() -> bool,
    ) -> Option<Slot> {
        let (give, given) = oneshot::channel();
        let id = {
            let mut state = self.lock();
            if state.taken < state.limit {
                state.taken += 1;
                return Some(Slot(Some(Arc::clone(self))));
            }
            if state.waiting(class) >= max_waiting as usize {
                return None;
            }
            state.sit(class, give)
        };
        // Dropped before `given`: a place that is handed over in between is dropped with it, and so handed on.
        let _seated = Seated { room: self, class, id };
        if !waits() {
            return None;
        }
        timeout_at(give_up, given).await.ok()?.ok()
    }

    /// A new limit. Those over it stay, those who wait come in as far as there is room now.
    pub(super) fn set_limit(self: &Arc<Self>, limit: Option<NonZeroU32>) {
        self.lock().limit = bound(limit);
        self.admit();
    }

    /// Whether nobody is in it and nobody waits.
    pub(super) fn is_empty(&self) -> bool {
        let state = self.lock();
        state.taken == 0 && state.lookups.is_empty() && state.others.is_empty()
    }

    /// Hands free places to those who are next.
    fn admit(self: &Arc<Self>) {
        while let Some(seat) = self.next() {
            if let Err(mut unclaimed) = seat.give.send(Slot(Some(Arc::clone(self)))) {
                // Left in this moment. Not dropped as it is: that would call this function again, one deeper each time.
                unclaimed.0 = None;
                self.lock().taken -= 1;
            }
        }
    }

    fn next(&self) -> Option<Seat> {
        let mut state = self.lock();
        if state.taken >= state.limit {
            return None;
        }
        let seat = state.next()?;
        state.taken += 1;
        Some(seat)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn queue(&mut self, class: Class) -> &mut VecDeque<Seat> {
        match class {
            Class::Lookup => &mut self.lookups,
            Class::Read | Class::Write => &mut self.others,
        }
    }

    fn waiting(&self, class: Class) -> usize {
        match class {
            Class::Lookup => self.lookups.len(),
            Class::Read | Class::Write => self.others.iter().filter(|seat| seat.class == class).count(),
        }
    }

    fn sit(&mut self, class: Class, give: oneshot::Sender<Slot>) -> u64 {
        let id = self.seats;
        self.seats += 1;
        self.queue(class).push_back(Seat { id, class, give });
        id
    }

    fn next(&mut self) -> Option<Seat> {
        if self.others.is_empty() {
            self.streak = 0;
            return self.lookups.pop_front();
        }
        if self.streak < STREAK && !self.lookups.is_empty() {
            self.streak += 1;
            return self.lookups.pop_front();
        }
        self.streak = 0;
        self.others.pop_front()
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if let Some(room) = self.0.take() {
            room.lock().taken -= 1;
            room.admit();
        }
    }
}

/// Leaves the queue with its future.
struct Seated<'a> {
    room: &'a Room,
    class: Class,
    id: u64,
}

impl Drop for Seated<'_> {
    fn drop(&mut self) {
        let mut state = self.room.lock();
        let queue = state.queue(self.class);
        if let Ok(at) = queue.binary_search_by_key(&self.id, |seat| seat.id) {
            queue.remove(at);
        }
    }
}

fn bound(limit: Option<NonZeroU32>) -> u32 {
    limit.map_or(u32::MAX, NonZeroU32::get)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::{
        sync::mpsc,
        task::{JoinHandle, yield_now},
        time::sleep,
    };

    use super::*;

    fn room(limit: u32) -> Arc<Room> {
        Room::new(NonZeroU32::new(limit))
    }

    fn later(seconds: u64) -> Instant {
        Instant::now() + Duration::from_secs(seconds)
    }

    /// A request that waits for its place, tells its name, and stays for a second.
    async fn visitor(room: &Arc<Room>, class: Class, name: u32, told: &mpsc::UnboundedSender<u32>) -> JoinHandle<()> {
        let (room, told) = (Arc::clone(room), told.clone());
        let task = tokio::spawn(async move {
            let _slot = room.take(class, 100, later(1000), || true).await.expect("within the wait");
            told.send(name).unwrap();
            sleep(Duration::from_secs(1)).await;
        });
        yield_now().await;
        task
    }

    async fn order(room: &Arc<Room>, queue: &[(Class, u32)]) -> Vec<u32> {
        let held = room.try_take().unwrap();
        let (told, mut heard) = mpsc::unbounded_channel();
        for (class, name) in queue {
            visitor(room, *class, *name, &told).await;
        }
        drop((held, told));
        let mut names = Vec::new();
        while let Some(name) = heard.recv().await {
            names.push(name);
        }
        names
    }

    #[tokio::test(start_paused = true)]
    async fn lookups_pass_writes_but_do_not_starve_them() {
        let room = room(1);
        let writes = (0..3).map(|i| (Class::Write, i));
        let lookups = (10..19).map(|i| (Class::Lookup, i));
        let queue: Vec<_> = writes.chain(lookups).collect();
        assert_eq!(order(&room, &queue).await, [10, 11, 12, 13, 0, 14, 15, 16, 17, 1, 18, 2]);
        assert!(room.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn reads_and_writes_keep_their_order() {
        let queue: Vec<_> = (0..20).map(|i| (if i % 3 == 0 { Class::Read } else { Class::Write }, i)).collect();
        assert_eq!(order(&room(1), &queue).await, (0..20).collect::<Vec<_>>());
    }

    #[tokio::test(start_paused = true)]
    async fn a_newcomer_does_not_overtake() {
        let room = room(1);
        let held = room.try_take().unwrap();
        let (told, mut heard) = mpsc::unbounded_channel();
        visitor(&room, Class::Write, 1, &told).await;
        drop(held);
        // Handed over already, although the one who waited has not run yet.
        assert!(room.try_take().is_none());
        assert_eq!(heard.recv().await, Some(1));
    }

    #[tokio::test(start_paused = true)]
    async fn who_leaves_frees_the_seat_and_a_place_that_was_on_its_way() {
        let room = room(1);
        let held = room.try_take().unwrap();
        let (told, mut heard) = mpsc::unbounded_channel();
        let leaves = visitor(&room, Class::Write, 1, &told).await;
        let handed = visitor(&room, Class::Write, 2, &told).await;
        visitor(&room, Class::Write, 3, &told).await;
        leaves.abort();
        yield_now().await;
        assert_eq!(room.lock().others.len(), 2);
        drop(held);
        handed.abort();
        assert_eq!(heard.recv().await, Some(3));
    }

    #[tokio::test(start_paused = true)]
    async fn the_queue_is_bounded_for_each_class() {
        let room = room(1);
        let held = room.try_take().unwrap();
        let (told, _heard) = mpsc::unbounded_channel();
        visitor(&room, Class::Write, 1, &told).await;
        assert!(room.is_crowded(Class::Write, 1));
        assert!(room.take(Class::Write, 1, later(5), || panic!("does not wait")).await.is_none());
        assert!(!room.is_crowded(Class::Read, 1) && !room.is_crowded(Class::Lookup, 1));
        assert!(room.is_crowded(Class::Lookup, 0));
        drop(held);
        assert!(room.is_crowded(Class::Lookup, 0), "the one who waited has it");
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_beyond_the_end() {
        let room = room(1);
        let _held = room.try_take().unwrap();
        let began = Instant::now();
        assert!(room.take(Class::Lookup, 9, later(5), || true).await.is_none());
        assert_eq!(began.elapsed(), Duration::from_secs(5));
        assert!(room.lock().lookups.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_new_limit_counts_those_who_are_in() {
        let room = room(2);
        let (one, two) = (room.try_take().unwrap(), room.try_take().unwrap());
        room.set_limit(NonZeroU32::new(1));
        drop(one);
        assert!(room.try_take().is_none());
        let (told, mut heard) = mpsc::unbounded_channel();
        for name in 0..3 {
            visitor(&room, Class::Write, name, &told).await;
        }
        room.set_limit(None);
        for name in 0..3 {
            assert_eq!(heard.recv().await, Some(name));
        }
        drop(two);
    }
}
