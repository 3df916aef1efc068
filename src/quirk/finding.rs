//! What the engine found: which quirk, where, and whether it was fixed. Never a value.

use super::Id;

/// Places kept per quirk and message; beyond it only the count goes on, so that a body with 20,000 members
/// costs no more memory than one with a hundred.
pub const PLACES: u32 = 100;

/// One deviation at one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fix {
    /// Which quirk.
    pub quirk: Id,
    /// JSON pointer into the message as it came, a header name, a query parameter, `path` or `status`.
    pub at: String,
    /// Done, or only counted.
    pub fixed: bool,
}

/// Everything found in one message, in the order found.
#[derive(Debug, Clone, Default)]
pub struct Findings {
    places: Vec<Fix>,
    counts: Vec<(Id, bool, u32)>,
}

impl Findings {
    /// Notes one finding; `at` is only called while places are still kept.
    pub fn note(&mut self, quirk: Id, fixed: bool, at: impl FnOnce() -> String) {
        let count = match self.counts.iter_mut().find(|(id, done, _)| (*id, *done) == (quirk, fixed)) {
            Some((_, _, count)) => {
                *count += 1;
                *count
            }
            None => {
                self.counts.push((quirk, fixed, 1));
                1
            }
        };
        if count <= PLACES {
            if self.places.capacity() == 0 {
                self.places.reserve(8);
            }
            self.places.push(Fix { quirk, at: at(), fixed });
        }
    }

    /// What was fixed, with places.
    pub fn fixes(&self) -> impl Iterator<Item = &Fix> {
        self.places.iter().filter(|fix| fix.fixed)
    }

    /// What would have been fixed.
    pub fn observed(&self) -> impl Iterator<Item = &Fix> {
        self.places.iter().filter(|fix| !fix.fixed)
    }

    /// Per quirk: fixed or observed, and how often.
    pub fn counts(&self) -> impl Iterator<Item = (Id, bool, u32)> + '_ {
        self.counts.iter().copied()
    }

    /// Whether nothing was found.
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// Takes over what another part of the same message found.
    pub fn extend(&mut self, other: Self) {
        for (id, fixed, count) in other.counts {
            match self.counts.iter_mut().find(|(i, f, _)| (*i, *f) == (id, fixed)) {
                Some((_, _, sum)) => *sum += count,
                None => self.counts.push((id, fixed, count)),
            }
        }
        self.places.extend(other.places);
    }
}
