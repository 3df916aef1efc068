//! How often an IdP calls: learned from the starts of its cycles.
//!
//! The median, and trusted only while the intervals agree: one long pause must not teach that silence is normal, and a
//! person who starts a sync by hand has no rhythm at all.

use std::collections::VecDeque;

use super::{Moment, State};

/// Intervals that are kept.
const WINDOW: usize = 8;
/// Intervals before a period is trusted, and long ones in a row before a tenant counts as irregular.
const ENOUGH: usize = 3;
/// What is learned, in milliseconds: between 10 minutes and 4 hours.
const SHORTEST: u64 = 600_000;
const LONGEST: u64 = 14_400_000;
/// Entra's 40 minutes, until a period is known.
const ASSUMED: u64 = 2_400_000;

/// The starts of cycles.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Rhythm {
    pub(super) start: Option<Moment>,
    pub(super) intervals: VecDeque<u64>,
    /// Intervals in a row that were too long.
    pub(super) long: u8,
    period: Option<u64>,
}

impl Rhythm {
    /// As it was kept.
    pub(super) fn from_parts(start: Option<Moment>, intervals: VecDeque<u64>, long: u8) -> Self {
        let mut rhythm = Self { start, intervals, long: long.min(ENOUGH as u8), period: None };
        rhythm.intervals.retain(|interval| (SHORTEST..=LONGEST).contains(interval));
        rhythm.intervals.truncate(WINDOW);
        rhythm.period = rhythm.judge();
        rhythm
    }

    /// A cycle starts in `state`; returns the interval since the one before.
    pub(super) fn start(&mut self, at: Moment, state: State) -> Option<u64> {
        let before = self.start.replace(at)?;
        let interval = at.0.saturating_sub(before.0);
        let waits = matches!(state, State::LikelyQuarantined | State::DisabledSuspected);
        if !waits {
            self.long = if interval > LONGEST { (self.long + 1).min(ENOUGH as u8) } else { 0 };
        }
        if !waits && state != State::Recovering && (SHORTEST..=LONGEST).contains(&interval) {
            self.intervals.push_back(interval);
            if self.intervals.len() > WINDOW {
                self.intervals.pop_front();
            }
            self.period = self.judge();
        }
        Some(interval)
    }

    /// Somebody syncs by hand: nothing can be expected.
    pub(super) fn is_irregular(&self) -> bool {
        usize::from(self.long) >= ENOUGH
    }

    /// The learned period in milliseconds, where it can be trusted.
    pub(super) fn trusted(&self) -> Option<u64> {
        self.period.filter(|_| !self.is_irregular())
    }

    /// The learned period, else the usual one; none where nothing can be expected.
    pub(super) fn assumed(&self) -> Option<u64> {
        (!self.is_irregular()).then(|| self.period.unwrap_or(ASSUMED))
    }

    fn judge(&self) -> Option<u64> {
        if self.intervals.len() < ENOUGH {
            return None;
        }
        let period = median(self.intervals.iter().copied());
        let deviation = median(self.intervals.iter().map(|interval| interval.abs_diff(period)));
        (deviation.saturating_mul(4) <= period).then_some(period)
    }
}

fn median(values: impl Iterator<Item = u64>) -> u64 {
    let mut values: Vec<u64> = values.collect();
    values.sort_unstable();
    let middle = values.len() / 2;
    if values.len() % 2 == 1 { values[middle] } else { values[middle - 1].midpoint(values[middle]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Starts after each of `gaps`, in seconds.
    fn rhythm(gaps: &[u64]) -> Rhythm {
        let mut rhythm = Rhythm::default();
        let mut at = 0;
        rhythm.start(Moment(0), State::Unknown);
        for gap in gaps {
            at += gap * 1000;
            rhythm.start(Moment(at), State::Healthy);
        }
        rhythm
    }

    #[test]
    fn a_period_is_trusted_from_the_third_interval_on() {
        assert_eq!(rhythm(&[1200, 1200]).trusted(), None);
        assert_eq!(rhythm(&[1200, 1200]).assumed(), Some(2_400_000));
        assert_eq!(rhythm(&[1200, 1300, 1200]).trusted(), Some(1_200_000));
        assert_eq!(rhythm(&[1000, 1200, 1300, 2000]).trusted(), Some(1_250_000));
    }

    #[test]
    fn intervals_that_disagree_teach_nothing() {
        // Median 2000, deviations 0, 500, 500: exactly a quarter.
        assert_eq!(rhythm(&[1500, 2000, 2500]).trusted(), Some(2_000_000));
        assert_eq!(rhythm(&[1499, 2000, 2501]).trusted(), None);
        assert_eq!(rhythm(&[1499, 2000, 2501]).assumed(), Some(2_400_000));
    }

    #[test]
    fn only_the_last_eight_between_ten_minutes_and_four_hours_count() {
        assert_eq!(rhythm(&[599, 14_401, 599, 14_401]).intervals.len(), 0);
        assert_eq!(rhythm(&[600, 600, 600]).trusted(), Some(600_000));
        assert_eq!(rhythm(&[14_400, 14_400, 14_400]).trusted(), Some(14_400_000));
        let moved: Vec<u64> = [1000; 8].into_iter().chain([3000; 8]).collect();
        assert_eq!((rhythm(&moved).intervals.len(), rhythm(&moved).trusted()), (8, Some(3_000_000)));
    }

    #[test]
    fn three_long_intervals_in_a_row_mean_that_there_is_no_rhythm() {
        let known = [1200, 1200, 1200];
        let with = |more: &[u64]| rhythm(&[&known[..], more].concat());
        assert_eq!(with(&[14_401, 14_401]).trusted(), Some(1_200_000));
        let irregular = with(&[14_401, 14_401, 14_401]);
        assert!(irregular.is_irregular());
        assert_eq!((irregular.trusted(), irregular.assumed()), (None, None));
        assert!(!with(&[14_401, 14_401, 14_400, 14_401]).is_irregular());
        assert_eq!(with(&[14_401, 14_401, 14_401, 500]).trusted(), Some(1_200_000));
    }

    #[test]
    fn what_is_learned_depends_on_the_state_held_before() {
        for (state, learned, long) in [
            (State::Unknown, 1, 0),
            (State::Healthy, 1, 0),
            (State::AtRisk, 1, 0),
            (State::Silent, 1, 0),
            (State::Recovering, 0, 0),
            (State::LikelyQuarantined, 0, 2),
            (State::DisabledSuspected, 0, 2),
        ] {
            let mut rhythm = Rhythm { long: 2, ..Rhythm::default() };
            rhythm.start(Moment(0), state);
            rhythm.start(Moment(2_400_000), state);
            assert_eq!((rhythm.intervals.len(), rhythm.long), (learned, long), "{state:?}");
        }
        // A long pause while recovering counts towards having no rhythm, one in quarantine does not.
        let mut rhythm = Rhythm { long: 2, ..Rhythm::default() };
        rhythm.start(Moment(0), State::Recovering);
        rhythm.start(Moment(86_400_000), State::LikelyQuarantined);
        assert!(!rhythm.is_irregular());
        rhythm.start(Moment(2 * 86_400_000), State::Recovering);
        assert!(rhythm.is_irregular());
    }
}
