//! What a target is.

use crate::cost::Cost;

/// One fuzz target.
pub struct Target {
    /// As `fuzz/run --target` calls it.
    pub name: &'static str,
    /// What it tries, in one line.
    pub about: &'static str,
    /// Panics where a law does not hold.
    pub run: fn(&[u8]),
    /// What to begin with; made from the corpus of the tests, so that nothing binary lies in the repository.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// Words that random bytes do not find.
    pub words: &'static [&'static str],
    /// How inputs are changed.
    pub shape: Shape,
    /// Bytes of an input at most.
    pub longest: usize,
    /// What an input may cost.
    pub cost: Cost,
}

/// How inputs are changed.
#[derive(Clone, Copy)]
pub enum Shape {
    /// By libFuzzer alone.
    Bytes,
    /// A line that is one of `heads` or like it, then JSON that is changed as a tree; without heads JSON alone.
    Json {
        /// First lines.
        heads: &'static [&'static str],
    },
}
