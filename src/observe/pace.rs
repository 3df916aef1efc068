//! So many in a minute and no more: for lines that strangers can bring about.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Instant,
};

/// Counts in minutes of its own.
#[derive(Debug)]
pub struct Pace {
    began: Instant,
    most: u32,
    /// The minute in the upper half, how many it has had in the lower.
    count: AtomicU64,
}

impl Pace {
    /// One that lets `most` through in a minute.
    pub fn new(most: u32) -> Self {
        Self { began: Instant::now(), most, count: AtomicU64::new(0) }
    }

    /// Which one of its minute this is, if it may go through; the first is 1.
    pub fn turn(&self, now: Instant) -> Option<u32> {
        let minute = now.saturating_duration_since(self.began).as_secs() / 60;
        let next = |count: u64| {
            let had = if count >> 32 == minute { count & u64::from(u32::MAX) } else { 0 };
            (had < self.most.into()).then(|| minute << 32 | (had + 1))
        };
        let before = self.count.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).ok()?;
        next(before).map(|count| count as u32)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_next_minute_begins_anew() {
        let pace = Pace::new(3);
        let allowed = |seconds| {
            let now = pace.began + Duration::from_secs(seconds);
            (0..10).filter_map(|_| pace.turn(now)).collect::<Vec<_>>()
        };
        let all = [1, 2, 3];
        assert_eq!([allowed(0), allowed(59), allowed(60), allowed(3600)], [&all[..], &[], &all, &all]);
    }
}
