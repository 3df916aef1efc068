//! How the components went: for a chart, so compact and of bounded length.

use std::collections::VecDeque;

use super::{Moment, Sample, State, score::Score};

/// At one a minute, five hours of steady change; much longer in practice, since only changes are kept.
const MOST: usize = 300;
const MINUTE: u64 = 60_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Entry {
    at: u32,
    state: State,
    count: u8,
    values: [u16; 7],
}

/// Samples of one tenant.
#[derive(Debug, Clone, Default)]
pub(super) struct History(VecDeque<Entry>);

impl History {
    /// Keeps what has changed; within a minute the last word.
    pub(super) fn note(&mut self, at: Moment, state: State, score: &Score) {
        let mut values = [0; 7];
        for (to, from) in values.iter_mut().zip(score.values()) {
            *to = (from * f64::from(u16::MAX)).round() as u16;
        }
        let count = score.values().len() as u8;
        let entry = Entry { at: u32::try_from(at.0 / 1000).unwrap_or(u32::MAX), state, count, values };
        match self.0.back_mut() {
            Some(last) if (last.state, last.count, last.values) == (state, count, values) => {}
            // The last word of a minute, but a state is never overwritten by another.
            Some(last) if last.state == state && u64::from(entry.at - last.at.min(entry.at)) * 1000 < MINUTE => {
                (last.count, last.values) = (count, values);
            }
            _ => {
                if self.0.len() == MOST {
                    self.0.pop_front();
                }
                self.0.push_back(entry);
            }
        }
    }

    /// Oldest first.
    pub(super) fn samples(&self) -> Vec<Sample> {
        let sample = |entry: &Entry| Sample {
            at: entry.at.into(),
            state: entry.state,
            components: entry.values[..usize::from(entry.count)]
                .iter()
                .map(|value| f32::from(*value) / f32::from(u16::MAX))
                .collect(),
        };
        self.0.iter().map(sample).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::ledger::score::{Inputs, Profile};

    #[test]
    fn it_keeps_changes_one_a_minute_and_300_in_all() {
        let mut history = History::default();
        let score = |dead| Score::new(Profile::Cycles, &Inputs { dead, ..Inputs::default() });
        history.note(Moment(0), State::Healthy, &score(0));
        history.note(Moment(90_000), State::Healthy, &score(0));
        history.note(Moment(100_000), State::AtRisk, &score(1));
        history.note(Moment(101_000), State::AtRisk, &score(2));
        let samples = history.samples();
        assert_eq!(samples.len(), 2);
        assert_eq!((samples[1].at, samples[1].state, samples[1].components[3]), (100.0, State::AtRisk, 1.0));
        for minute in 0..1000 {
            history.note(Moment(200_000 + minute * MINUTE), State::AtRisk, &score((minute % 2) as u32));
        }
        assert_eq!(history.samples().len(), MOST);
    }
}
