//! Two names of one object: the value it was looked up or created by, and the id that the app gave it.
//!
//! Bounded by two generations: what is used moves into the young one; when that is full the old one goes. What is
//! forgotten is learned again by the next lookup, which comes before a write anyway.

use std::collections::HashMap;

use super::distinct::Spreading;

/// Names in a generation.
const MOST: usize = 16_384;
/// An object has two or three names.
const HOPS: usize = 3;

/// Other names, each with the one that counts.
#[derive(Debug, Clone, Default)]
pub(super) struct Names {
    young: HashMap<u64, u64, Spreading>,
    old: HashMap<u64, u64, Spreading>,
}

impl Names {
    /// The name that counts, if another does.
    pub(super) fn find(&mut self, name: u64) -> Option<u64> {
        if self.young.is_empty() {
            return None;
        }
        let mut counts = self.step(name)?;
        // What counted may have got another name since; names in a circle end here too.
        for _ in 0..HOPS {
            match self.step(counts) {
                Some(next) => counts = next,
                None => break,
            }
        }
        Some(counts)
    }

    fn step(&mut self, name: u64) -> Option<u64> {
        if let Some(counts) = self.young.get(&name) {
            return Some(*counts);
        }
        let counts = *self.old.get(&name)?;
        self.link(name, counts);
        Some(counts)
    }

    /// `name` is another name of the object that counts as `counts`.
    pub(super) fn link(&mut self, name: u64, counts: u64) {
        if self.young.len() >= MOST {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(name, counts);
    }

    /// For the snapshot.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        let old = self.old.iter().filter(|(name, _)| !self.young.contains_key(name));
        old.chain(&self.young).map(|(name, counts)| (*name, *counts))
    }

    /// The greatest number of them.
    pub(super) const BOUND: usize = 2 * MOST;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_used_stays_and_the_rest_is_bounded() {
        let mut names = Names::default();
        names.link(1, 2);
        for name in 10..100_000 {
            names.link(name, 5);
            if name % 1000 == 0 {
                assert_eq!(names.find(1), Some(2), "{name}");
            }
        }
        assert_eq!((names.find(10), names.find(99_999)), (None, Some(5)));
        assert!(names.iter().count() <= Names::BOUND);
    }
}
