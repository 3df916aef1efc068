//! When the published figures would be reached, at the growth of the last 30 minutes.
//!
//! Growth is a difference between two moments and not a fit: it is what an operator would compute by hand.

use std::collections::VecDeque;

use super::{Moment, score::Counts};

/// The window, and the least time between two samples, in milliseconds: 180 samples of 24 bytes at most.
const WINDOW: u64 = 1_800_000;
const APART: u64 = 10_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Point {
    pub(super) at: Moment,
    pub(super) failing: u32,
    pub(super) references: u32,
    pub(super) succeeded: u32,
}

/// How the counts stood of late.
#[derive(Debug, Clone, Default)]
pub(super) struct Growth(pub(super) VecDeque<Point>);

impl Growth {
    pub(super) fn note(&mut self, at: Moment, counts: Counts) {
        if self.0.back().is_some_and(|last| at.0 < last.at.0 + APART) {
            return;
        }
        while self.0.front().is_some_and(|first| first.at.0 + WINDOW < at.0) {
            self.0.pop_front();
        }
        let small = |count: u64| u32::try_from(count).unwrap_or(u32::MAX);
        self.0.push_back(Point {
            at,
            failing: small(counts.failing),
            references: small(counts.references),
            succeeded: small(counts.succeeded),
        });
    }

    /// Seconds until predicate A holds; infinite where it will not.
    pub(super) fn until(&self, now: Moment, counts: Counts) -> f64 {
        let Some(oldest) = self.0.iter().find(|point| point.at.0 + WINDOW >= now.0) else { return f64::INFINITY };
        let elapsed = now.0.saturating_sub(oldest.at.0) as f64 / 1000.0;
        if elapsed <= 0.0 {
            return f64::INFINITY;
        }
        let (failing, references, succeeded) =
            (counts.failing as f64, counts.references as f64, counts.succeeded as f64);
        let f = (failing - f64::from(oldest.failing)) / elapsed;
        let r = (references - f64::from(oldest.references)) / elapsed;
        let s = (succeeded - f64::from(oldest.succeeded)) / elapsed;
        let enough = if failing >= 5000.0 { 0.0 } else { over(5000.0 - failing, f) };
        let short = 0.4 * succeeded - 0.6 * failing;
        let share = if short < 0.0 { 0.0 } else { over(short, 0.6 * f - 0.4 * s) };
        let base = over(40_001.0 - failing, f);
        let total = over(60_001.0 - failing - references, f + r);
        enough.max(share).min(base).min(total).max(0.0)
    }
}

/// How long for `distance` at `speed`.
fn over(distance: f64, speed: f64) -> f64 {
    if speed > 0.0 { distance / speed } else { f64::INFINITY }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(failing: u64, references: u64, succeeded: u64) -> Counts {
        Counts { failing, references, succeeded }
    }

    fn until(then: Counts, elapsed: u64, now: Counts) -> f64 {
        let mut growth = Growth::default();
        growth.note(Moment(1000), then);
        growth.until(Moment(1000 + elapsed * 1000), now)
    }

    #[test]
    fn both_terms_of_the_proportion_must_be_met() {
        // 2 a second, 1 success a second: 1500 s to 5,000 failures; the share is over 40 % already.
        assert_eq!(until(counts(1800, 0, 900), 100, counts(2000, 0, 1000)), 1500.0);
        // 0.4 × 9000 − 0.6 × 5400 = 360 at 0.6 × 4 − 0.4 × 1 = 2 a second.
        assert_eq!(until(counts(5000, 0, 8900), 100, counts(5400, 0, 9000)), 180.0);
        // The share falls: only the base figure is left.
        assert_eq!(until(counts(5300, 0, 8000), 100, counts(5400, 0, 9000)), 34_601.0);
    }

    #[test]
    fn a_growing_share_of_standing_failures_is_none() {
        assert_eq!(until(counts(2000, 0, 1000), 100, counts(2000, 0, 1000)), f64::INFINITY);
        assert_eq!(until(counts(3000, 0, 1000), 100, counts(2000, 0, 1000)), f64::INFINITY);
        // Enough failures, the share over 40 %: it holds.
        assert_eq!(until(counts(5000, 0, 0), 100, counts(5000, 0, 0)), 0.0);
        // Exactly 40 %, and nothing moves.
        assert_eq!(until(counts(5000, 0, 7500), 100, counts(5000, 0, 7500)), f64::INFINITY);
    }

    #[test]
    fn references_count_toward_the_total_alone() {
        assert_eq!(until(counts(1, 0, 500_000), 100, counts(1, 10_000, 500_000)), 500.0);
    }

    #[test]
    fn growth_is_that_of_thirty_minutes() {
        let mut growth = Growth::default();
        for step in 0..400_u64 {
            growth.note(Moment(step * 10_000), counts(step.min(100), 0, 0));
        }
        assert_eq!(growth.0.len(), 181);
        assert_eq!(growth.until(Moment(3_990_000), counts(100, 0, 0)), f64::INFINITY, "what grew is long ago");
        assert_eq!(Growth::default().until(Moment(5), counts(9, 0, 0)), f64::INFINITY);
        // Samples older than the window do not count, even where none has come since.
        let mut growth = Growth::default();
        growth.note(Moment(0), counts(0, 0, 0));
        assert!(growth.until(Moment(1_800_000), counts(2500, 0, 0)).is_finite());
        assert_eq!(growth.until(Moment(1_800_001), counts(2500, 0, 0)), f64::INFINITY);
        assert_eq!(growth.until(Moment(0), counts(2500, 0, 0)), f64::INFINITY, "no time has passed");
    }
}
