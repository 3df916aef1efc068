//! Time that does not jump. Ages and deadlines are counted on the monotonic clock; the wall clock is asked only where a
//! time is written to disk or shown. Every decision takes a [`Time`], so that tests move it and never sleep.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

/// A moment: seconds since 1970 as they were when the clock was made, moved on by the monotonic clock alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Time(Duration);

impl Time {
    /// For tests and for values read from disk.
    pub const fn from_secs(secs: u64) -> Self {
        Self(Duration::from_secs(secs))
    }

    pub(super) const fn from_millis(millis: u64) -> Self {
        Self(Duration::from_millis(millis))
    }

    pub(super) fn millis(self) -> u64 {
        u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX)
    }

    /// How long ago `earlier` was; nothing for what lies ahead.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }

    /// The moment `by` from here.
    #[must_use]
    pub fn plus(self, by: Duration) -> Self {
        Self(self.0.saturating_add(by))
    }

    /// The moment `by` before this one.
    #[must_use]
    pub fn minus(self, by: Duration) -> Self {
        Self(self.0.saturating_sub(by))
    }
}

/// Where a [`Time`] comes from; clones tell the same time.
#[derive(Debug, Clone)]
pub struct Clock {
    wall: Duration,
    mono: Instant,
    ahead: Arc<AtomicU64>,
}

impl Clock {
    /// A clock that starts at the wall time.
    pub fn new() -> Self {
        Self { wall: unix(SystemTime::now()), mono: Instant::now(), ahead: Arc::default() }
    }

    /// The moment.
    pub fn now(&self) -> Time {
        let ahead = Duration::from_millis(self.ahead.load(Ordering::Relaxed));
        Time(self.wall.saturating_add(self.mono.elapsed()).saturating_add(ahead))
    }

    /// Moves every clone on: for tests, which have no days to wait.
    pub fn advance(&self, by: Duration) {
        self.ahead.fetch_add(u64::try_from(by.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// `time` on the wall clock of now, in seconds since 1970.
    pub fn to_wall(&self, time: Time) -> u64 {
        let (now, wall) = (self.now(), self.wall_now());
        if time >= now { wall.saturating_add(time.since(now)) } else { wall.saturating_sub(now.since(time)) }.as_secs()
    }

    /// A wall time, in seconds since 1970, on this clock. What seems to lie ahead is now: the wall clock was set back.
    pub fn past(&self, secs: u64) -> Time {
        self.now().minus(self.wall_now().saturating_sub(Duration::from_secs(secs)))
    }

    /// A wall time that may lie ahead, as deadlines do.
    pub fn deadline(&self, secs: u64) -> Time {
        let (wall, at) = (self.wall_now(), Duration::from_secs(secs));
        if at > wall { self.now().plus(at.saturating_sub(wall)) } else { self.past(secs) }
    }

    fn wall_now(&self) -> Duration {
        unix(SystemTime::now()).saturating_add(Duration::from_millis(self.ahead.load(Ordering::Relaxed)))
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}

pub(super) fn unix(at: SystemTime) -> Duration {
    at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_survive_the_way_to_disk_and_back() {
        let clock = Clock::new();
        let day = Duration::from_secs(86_400);
        let (then, ahead) = (clock.now().minus(day), clock.now().plus(day));
        let age = clock.now().since(clock.past(clock.to_wall(then)));
        assert!(age.abs_diff(day) < Duration::from_secs(5), "{age:?}");
        let left = clock.deadline(clock.to_wall(ahead)).since(clock.now());
        assert!(left.abs_diff(day) < Duration::from_secs(5), "{left:?}");
    }

    #[test]
    fn a_copy_from_the_future_is_of_now() {
        let clock = Clock::new();
        let future = clock.to_wall(clock.now()) + 1_000_000;
        assert!(clock.past(future) <= clock.now());
    }

    #[test]
    fn clones_move_together() {
        let clock = Clock::new();
        let (other, before) = (clock.clone(), clock.now());
        clock.advance(Duration::from_secs(100));
        assert!(other.now().since(before) >= Duration::from_secs(100));
    }
}
