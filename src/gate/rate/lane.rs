//! The line before one quota: first come, first served, and only the first one asks.
//!
//! Who finds the bucket empty queues; while anyone queues, newcomers queue behind. The front sleeps until the moment
//! that the bucket named and asks again, then the next one moves up: one timer for each line, no stampede. A place in
//! line is a place in a fair semaphore with one permit, so who leaves is forgotten at once, wherever it stood.
//!
//! Not reservations (take a future turn, sleep until then): a turn that its holder does not live to see is lost there.

use std::{
    pin::pin,
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwapOption;
use tokio::{
    sync::{Notify, Semaphore},
    time::{Instant, sleep_until, timeout_at},
};

use super::{
    bucket::{Bucket, Pace},
    store::Counter,
};

/// One class of one tenant.
#[derive(Debug, Default)]
pub(super) struct Lane {
    bucket: ArcSwapOption<Bucket>,
    waiting: AtomicU32,
    /// Made when somebody waits for the first time; most tenants never do.
    queue: OnceLock<Box<Queue>>,
}

#[derive(Debug)]
struct Queue {
    /// Held by who stands at the front.
    front: Semaphore,
    /// Another quota came into force.
    changed: Notify,
}

/// What became of somebody who came for a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turned {
    /// Came in, with so many turns left.
    In(Pace, u32),
    /// Goes away; there would be a turn after this time.
    Away(Pace, Duration),
    /// There is no quota.
    Unlimited,
}

/// How long somebody would wait.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// Never beyond this moment.
    pub(super) give_up: Instant,
    /// Goes away at once when the ones ahead take every turn until then, if they stay.
    pub(super) counts_heads: bool,
    /// How many may wait.
    pub(super) max_waiting: u32,
}

impl Lane {
    /// Puts a quota into force. The same one keeps its state; with another one those who wait ask anew, in their order.
    pub(super) fn set(&self, pace: Option<Pace>) {
        if self.bucket.load().as_ref().map(|bucket| bucket.pace) == pace {
            return;
        }
        self.bucket.store(pace.map(|pace| Bucket::new(pace).into()));
        if let Some(queue) = self.queue.get() {
            queue.changed.notify_waiters();
        }
    }

    pub(super) fn has_quota(&self) -> bool {
        self.bucket.load().is_some()
    }

    /// A turn without waiting, decided here; `None` if that is not possible now.
    pub(super) fn try_take(&self) -> Option<Turned> {
        let bucket = self.bucket.load();
        let Some(bucket) = bucket.as_ref() else { return Some(Turned::Unlimited) };
        if self.waiting.load(Ordering::Acquire) > 0 {
            return None;
        }
        bucket.take().ok().map(|left| Turned::In(bucket.pace, left))
    }

    /// A turn, after the wait that it takes.
    pub(super) async fn take(&self, patience: Patience, counter: Counter<'_>, waits: impl FnOnce() -> bool) -> Turned {
        let Some(bucket) = self.bucket.load_full() else { return Turned::Unlimited };
        if self.waiting.load(Ordering::Acquire) == 0 {
            match counter.take(&bucket).await {
                Ok(left) => return Turned::In(bucket.pace, left),
                Err(wait) => bucket.put_off(wait),
            }
        }
        let Some(place) = self.join(patience.max_waiting) else { return self.away() };
        // A lookup stays unless no departure of others could help it: a refused check is a failed check.
        let ahead = if patience.counts_heads { place.ahead } else { 0 };
        let free = bucket.free();
        if free + bucket.pace.refill(ahead) > patience.give_up {
            let wait = free.saturating_duration_since(Instant::now()) + bucket.pace.refill(place.ahead);
            return Turned::Away(bucket.pace, wait);
        }
        drop(bucket);
        if !waits() {
            drop(place);
            return self.away();
        }
        let queue = self.queue();
        let front = async {
            // Never closed, so there is a permit to come.
            let _front = queue.front.acquire().await;
            self.lead(queue, patience.give_up, counter).await
        };
        timeout_at(patience.give_up, front).await.unwrap_or_else(|_| {
            drop(place);
            self.away()
        })
    }

    /// At the front: asks, sleeps as long as it is told, asks again.
    async fn lead(&self, queue: &Queue, give_up: Instant, counter: Counter<'_>) -> Turned {
        loop {
            // Before the bucket is looked at, so that no change is missed.
            let mut changed = pin!(queue.changed.notified());
            changed.as_mut().enable();
            let Some(bucket) = self.bucket.load_full() else { return Turned::Unlimited };
            if bucket.free() <= Instant::now() {
                match counter.take(&bucket).await {
                    Ok(left) => return Turned::In(bucket.pace, left),
                    Err(wait) => bucket.put_off(wait),
                }
            }
            let free = bucket.free();
            if free > give_up {
                return Turned::Away(bucket.pace, free.saturating_duration_since(Instant::now()));
            }
            tokio::select! {
                () = sleep_until(free) => {}
                () = &mut changed => {}
            }
        }
    }

    /// Whether nobody waits and forgetting the bucket would give nobody a turn too many.
    pub(super) fn is_idle(&self, now: Instant) -> bool {
        self.waiting.load(Ordering::Acquire) == 0
            && self.bucket.load().as_ref().is_none_or(|bucket| bucket.is_full(now))
    }

    /// Turns somebody away with the wait behind all who are there, if they stay.
    fn away(&self) -> Turned {
        let Some(bucket) = self.bucket.load_full() else { return Turned::Unlimited };
        let ahead = self.waiting.load(Ordering::Acquire);
        Turned::Away(bucket.pace, bucket.free().saturating_duration_since(Instant::now()) + bucket.pace.refill(ahead))
    }

    fn join(&self, max_waiting: u32) -> Option<Place<'_>> {
        let more = |waiting| (waiting < max_waiting).then_some(waiting + 1);
        let ahead = self.waiting.fetch_update(Ordering::AcqRel, Ordering::Acquire, more).ok()?;
        Some(Place { waiting: &self.waiting, ahead })
    }

    fn queue(&self) -> &Queue {
        self.queue.get_or_init(|| Box::new(Queue { front: Semaphore::new(1), changed: Notify::new() }))
    }
}

/// One of those who wait.
struct Place<'a> {
    waiting: &'a AtomicU32,
    ahead: u32,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.waiting.fetch_sub(1, Ordering::AcqRel);
    }
}
