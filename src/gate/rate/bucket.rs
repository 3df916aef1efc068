//! One quota as a governor limiter: GCRA on a clock that tests can move.

use std::{
    num::NonZeroU32,
    ops::Add,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use governor::{
    RateLimiter,
    clock::{Clock, Reference},
    middleware::StateInformationMiddleware,
    nanos::Nanos,
    state::{InMemoryState, NotKeyed},
};
use tokio::time::Instant;

use super::Quota;

/// A quota in the units of the algorithm, within bounds that no sum of it overflows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pace {
    /// From one turn to the next, at the sustained rate.
    pub(super) period: Duration,
    pub(super) burst: NonZeroU32,
}

impl Pace {
    /// Fifty years in nanoseconds; 64 bits hold 584.
    const FILL: u64 = 50 * 365 * 86_400 * 1_000_000_000;

    /// The pace of `quota`. What would take over fifty years is cut there, the burst as the interval: nobody will see
    /// the difference, and governor would overflow.
    pub(super) fn of(quota: Quota) -> Self {
        // The cast saturates. What is no rate admits least, although the configuration lets none through.
        let period = if quota.per_second > 0.0 { (1e9 / quota.per_second).round() as u64 } else { Self::FILL };
        let period = period.clamp(1, Self::FILL);
        let most = u32::try_from(Self::FILL / period).unwrap_or(u32::MAX);
        let burst = quota.burst.min(NonZeroU32::new(most).unwrap_or(NonZeroU32::MIN));
        Self { period: Duration::from_nanos(period), burst }
    }

    /// How long `turns` take to come back.
    pub(super) fn refill(self, turns: u32) -> Duration {
        Duration::from_nanos((self.period.as_nanos() as u64).saturating_mul(u64::from(turns)))
    }
}

/// The state of one quota in this process.
#[derive(Debug)]
pub(super) struct Bucket {
    pub(super) pace: Pace,
    gcra: RateLimiter<NotKeyed, InMemoryState, TokioClock, StateInformationMiddleware>,
    made: Instant,
    /// When it is surely full again, in nanoseconds after `made`; governor does not say.
    full: AtomicU64,
    /// When there will be a turn, as it was last said, in nanoseconds after `made`.
    free: AtomicU64,
}

impl Bucket {
    pub(super) fn new(pace: Pace) -> Self {
        let quota = governor::Quota::with_period(pace.period).expect("a pace is at least a nanosecond");
        let gcra = RateLimiter::direct_with_clock(quota.allow_burst(pace.burst), TokioClock).with_middleware();
        Self { pace, gcra, made: Instant::now(), full: AtomicU64::new(0), free: AtomicU64::new(0) }
    }

    /// Takes a turn and says how many are left, or how long until there is one.
    pub(super) fn take(&self) -> Result<u32, Duration> {
        match self.gcra.check() {
            Ok(snapshot) => {
                let left = snapshot.remaining_burst_capacity();
                let full = self.made.elapsed() + self.pace.refill(self.pace.burst.get().saturating_sub(left));
                self.full.fetch_max(full.as_nanos() as u64, Ordering::Relaxed);
                Ok(left)
            }
            Err(until) => Err(until.wait_time_from(TokioClock.now())),
        }
    }

    /// When there will be a turn; now, if that moment has passed.
    pub(super) fn free(&self) -> Instant {
        let free = self.made + Duration::from_nanos(self.free.load(Ordering::Relaxed));
        free.max(Instant::now())
    }

    /// Whoever decided said that there is a turn only after `wait`.
    pub(super) fn put_off(&self, wait: Duration) {
        self.free.store((self.made.elapsed() + wait).as_nanos() as u64, Ordering::Relaxed);
    }

    /// Whether forgetting it would give nobody a turn too many.
    pub(super) fn is_full(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.made).as_nanos() >= u128::from(self.full.load(Ordering::Relaxed))
    }
}

/// The runtime's clock, so that `tokio::time::pause` and `advance` move it too.
#[derive(Debug, Clone, Copy)]
struct TokioClock;

impl Clock for TokioClock {
    type Instant = Tick;

    fn now(&self) -> Tick {
        Tick(Instant::now())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Tick(Instant);

impl Add<Nanos> for Tick {
    type Output = Self;

    fn add(self, nanos: Nanos) -> Self {
        Self(self.0 + Duration::from(nanos))
    }
}

impl Reference for Tick {
    fn duration_since(&self, earlier: Self) -> Nanos {
        Nanos::new(self.0.saturating_duration_since(earlier.0).as_nanos() as u64)
    }

    fn saturating_sub(&self, nanos: Nanos) -> Self {
        Self(self.0.checked_sub(nanos.into()).unwrap_or(self.0))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tokio::time::advance;

    use super::*;

    fn quota(per_second: f64, burst: u32) -> Quota {
        Quota { per_second, burst: NonZeroU32::new(burst).unwrap() }
    }

    fn bucket(per_second: f64, burst: u32) -> Bucket {
        Bucket::new(Pace::of(quota(per_second, burst)))
    }

    #[tokio::test(start_paused = true)]
    async fn a_burst_then_the_rate() {
        let bucket = bucket(10.0, 3);
        assert_eq!([bucket.take(), bucket.take(), bucket.take()], [Ok(2), Ok(1), Ok(0)]);
        assert_eq!(bucket.take(), Err(Duration::from_millis(100)));
        advance(Duration::from_millis(99)).await;
        assert_eq!(bucket.take(), Err(Duration::from_millis(1)));
        advance(Duration::from_millis(1)).await;
        assert_eq!(bucket.take(), Ok(0));
        advance(Duration::from_secs(3600)).await;
        assert_eq!(bucket.take(), Ok(2));
    }

    #[tokio::test(start_paused = true)]
    async fn a_rate_below_one_a_second() {
        let bucket = bucket(0.1, 1);
        assert_eq!(bucket.take(), Ok(0));
        assert_eq!(bucket.take(), Err(Duration::from_secs(10)));
        advance(Duration::from_secs(10)).await;
        assert_eq!(bucket.take(), Ok(0));
    }

    #[tokio::test(start_paused = true)]
    async fn a_million_a_second() {
        let bucket = bucket(1e6, 1);
        for _ in 0..100 {
            assert_eq!(bucket.take(), Ok(0));
            assert_eq!(bucket.take(), Err(Duration::from_micros(1)));
            advance(Duration::from_micros(1)).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_full_when_every_turn_has_come_back() {
        let bucket = bucket(10.0, 3);
        assert!(bucket.is_full(Instant::now()));
        bucket.take().unwrap();
        bucket.take().unwrap();
        advance(Duration::from_millis(199)).await;
        assert!(!bucket.is_full(Instant::now()));
        advance(Duration::from_millis(1)).await;
        assert!(bucket.is_full(Instant::now()));
    }

    proptest! {
        #[test]
        fn no_quota_overflows(per_second in prop_oneof![any::<f64>(), 1e-12..1e6_f64], burst in 1..=u32::MAX, takes in 1..5) {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
            runtime.block_on(async {
                let bucket = bucket(per_second, burst);
                for _ in 0..takes {
                    let _ = bucket.take();
                    advance(Duration::from_secs(86_400 * 365)).await;
                }
                let _ = bucket.is_full(Instant::now());
            });
        }

        /// The law of the algorithm: in any window no more than the burst and what the window brings.
        #[test]
        fn no_window_admits_more_than_burst_and_rate(
            per_second in 0.5..2000_f64,
            burst in 1..50_u32,
            gaps in proptest::collection::vec(prop_oneof![Just(0), 0..2_000_u64, 0..2_000_000_u64], 1..200),
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
            let admitted = runtime.block_on(async {
                let (bucket, start, mut admitted) = (bucket(per_second, burst), Instant::now(), Vec::new());
                for gap in gaps {
                    advance(Duration::from_micros(gap)).await;
                    if bucket.take().is_ok() {
                        admitted.push(start.elapsed());
                    }
                }
                admitted
            });
            let period = Pace::of(quota(per_second, burst)).period.as_nanos();
            for (i, first) in admitted.iter().enumerate() {
                for (j, last) in admitted.iter().enumerate().skip(i) {
                    let most = u128::from(burst) + (*last - *first).as_nanos() / period;
                    prop_assert!((j - i + 1) as u128 <= most, "{} in {:?}", j - i + 1, *last - *first);
                }
            }
        }
    }
}
