//! What the engine found: which quirk, where, and whether it was fixed. Never a value.

use super::Id;
use crate::json::Pointer;

/// Places kept per quirk and message; beyond it only the count goes on, so that a body with 20,000 members
/// costs no more memory than one with a hundred.
pub const PLACES: u32 = 100;

/// One deviation at one place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fix<'f> {
    /// Which quirk.
    pub quirk: Id,
    /// JSON pointer into the message as it came, a header name, a query parameter, `path` or `status`.
    pub at: &'f str,
    /// Done, or only counted.
    pub fixed: bool,
}

/// Where something was found, written only while places are kept.
pub trait Place {
    /// Writes the place behind `text`.
    fn push_to(&self, text: &mut String);
}

impl Place for &str {
    fn push_to(&self, text: &mut String) {
        text.push_str(self);
    }
}

impl Place for String {
    fn push_to(&self, text: &mut String) {
        text.push_str(self);
    }
}

impl Place for Pointer<'_, '_> {
    fn push_to(&self, text: &mut String) {
        Pointer::push_to(self, text);
    }
}

/// Everything found in one message, in the order found.
#[derive(Debug, Clone, Default)]
pub struct Findings {
    places: Vec<Spot>,
    /// The texts of all places, one behind the other.
    text: String,
    counts: Vec<(Id, bool, u32)>,
}

#[derive(Debug, Clone)]
struct Spot {
    quirk: Id,
    fixed: bool,
    from: usize,
    to: usize,
}

impl Findings {
    /// Notes one finding; `at` is only called while places are still kept.
    pub fn note<P: Place>(&mut self, quirk: Id, fixed: bool, at: impl FnOnce() -> P) {
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
        if count > PLACES {
            return;
        }
        if self.places.capacity() == 0 {
            // Most messages with a finding have a few.
            self.places.reserve(8);
            self.text.reserve(256);
        }
        let from = self.text.len();
        at().push_to(&mut self.text);
        self.places.push(Spot { quirk, fixed, from, to: self.text.len() });
    }

    /// What was fixed, with places.
    pub fn fixes(&self) -> impl Iterator<Item = Fix<'_>> {
        self.places().filter(|fix| fix.fixed)
    }

    /// What would have been fixed.
    pub fn observed(&self) -> impl Iterator<Item = Fix<'_>> {
        self.places().filter(|fix| !fix.fixed)
    }

    fn places(&self) -> impl Iterator<Item = Fix<'_>> {
        self.places.iter().map(|place| Fix {
            quirk: place.quirk,
            at: &self.text[place.from..place.to],
            fixed: place.fixed,
        })
    }

    /// Per quirk: fixed or observed, and how often.
    pub fn counts(&self) -> impl Iterator<Item = (Id, bool, u32)> + '_ {
        self.counts.iter().copied()
    }

    /// How many were found in all.
    pub(crate) fn number(&self) -> u64 {
        self.counts.iter().map(|(.., count)| u64::from(*count)).sum()
    }

    /// Whether nothing was found.
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// Forgets what was only observed, where it will be looked at again.
    pub(crate) fn forget_observed(&mut self) {
        self.places.retain(|place| place.fixed);
        self.counts.retain(|(_, fixed, _)| *fixed);
    }

    /// Takes over what another part of the same message found.
    pub fn extend(&mut self, other: Self) {
        for (id, fixed, count) in other.counts {
            match self.counts.iter_mut().find(|(i, f, _)| (*i, *f) == (id, fixed)) {
                Some((_, _, sum)) => *sum += count,
                None => self.counts.push((id, fixed, count)),
            }
        }
        let offset = self.text.len();
        self.text.push_str(&other.text);
        self.places.extend(other.places.into_iter().map(|place| Spot {
            from: place.from + offset,
            to: place.to + offset,
            ..place
        }));
    }
}
