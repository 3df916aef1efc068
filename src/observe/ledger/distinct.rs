//! How many distinct objects there were: exactly up to a bound, by a HyperLogLog of 4 KiB above it.
//!
//! The estimate is off by 1.6 % (one standard deviation), which no threshold is sensitive to at that size; an exact set
//! would cost a large tenant megabytes for a number that is only ever divided by. The estimator is Ertl's, which needs
//! no table of corrections (arXiv:1702.01284, algorithm 6).

use std::{
    collections::HashSet,
    hash::{BuildHasherDefault, Hasher},
};

/// What is counted exactly.
pub(super) const EXACT: usize = 16_384;
/// Registers of one byte.
const REGISTERS: usize = 1 << BITS;
const BITS: u32 = 12;
/// The greatest value of a register: zeros in the bits that do not choose it, and one.
const GREATEST: usize = 64 - BITS as usize + 1;

/// For keys that are hashes already: spread over the bits once more, since those of a timeline may not be.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Spread(u64);

impl Hasher for Spread {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(self.0 ^ u64::from(*byte));
        }
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = mix(value);
    }
}

pub(super) type Spreading = BuildHasherDefault<Spread>;

/// The finalizer of SplitMix64.
fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A set of which mostly the size matters.
#[derive(Debug, Clone)]
pub(super) enum Distinct {
    Exact(HashSet<u64, Spreading>),
    Estimated(Box<Sketch>),
}

impl Default for Distinct {
    fn default() -> Self {
        Self::Exact(HashSet::default())
    }
}

impl Distinct {
    pub(super) fn len(&self) -> u64 {
        match self {
            Self::Exact(set) => set.len() as u64,
            Self::Estimated(sketch) => sketch.count,
        }
    }

    /// Whether it is new, as far as that is known: above the bound everything is.
    pub(super) fn insert(&mut self, key: u64) -> bool {
        match self {
            Self::Exact(set) if set.len() < EXACT || set.contains(&key) => set.insert(key),
            Self::Exact(set) => {
                let mut sketch = Sketch::of(set);
                sketch.insert(key);
                *self = Self::Estimated(Box::new(sketch));
                true
            }
            Self::Estimated(sketch) => {
                sketch.insert(key);
                true
            }
        }
    }

    /// `None` if that cannot be known.
    pub(super) fn contains(&self, key: u64) -> Option<bool> {
        match self {
            Self::Exact(set) => Some(set.contains(&key)),
            Self::Estimated(_) => None,
        }
    }

    /// Takes one out, where that can be done; whether it was there.
    pub(super) fn remove(&mut self, key: u64) -> bool {
        match self {
            Self::Exact(set) => set.remove(&key),
            Self::Estimated(_) => false,
        }
    }

    /// Forgets one that was inserted. Above the bound it is taken off the number: should it come again, it is not
    /// counted again.
    pub(super) fn forget(&mut self, key: u64) {
        match self {
            Self::Exact(set) => drop(set.remove(&key)),
            Self::Estimated(sketch) => {
                sketch.offset -= 1.0;
                sketch.recount();
            }
        }
    }
}

/// Above the bound.
#[derive(Debug, Clone)]
pub(super) struct Sketch {
    pub(super) registers: [u8; REGISTERS],
    /// What to add to the estimate, so that it begins where the exact count ended.
    pub(super) offset: f64,
    /// How many registers have which value.
    values: [u16; GREATEST + 1],
    count: u64,
}

impl Sketch {
    fn of(set: &HashSet<u64, Spreading>) -> Self {
        let mut sketch = Self::from_parts([0; REGISTERS], 0.0);
        for key in set {
            sketch.raise(*key);
        }
        sketch.offset = set.len() as f64 - sketch.estimate();
        sketch.recount();
        sketch
    }

    /// As it was kept.
    pub(super) fn from_parts(registers: [u8; REGISTERS], offset: f64) -> Self {
        let registers = registers.map(|value| value.min(GREATEST as u8));
        let mut values = [0; GREATEST + 1];
        for value in registers {
            values[usize::from(value)] += 1;
        }
        let mut sketch = Self { registers, offset, values, count: 0 };
        sketch.recount();
        sketch
    }

    fn insert(&mut self, key: u64) {
        if self.raise(key) {
            self.recount();
        }
    }

    fn raise(&mut self, key: u64) -> bool {
        let hash = mix(key);
        let at = (hash >> (64 - BITS)) as usize;
        let value = ((hash << BITS).leading_zeros() + 1).min(GREATEST as u32) as u8;
        let old = self.registers[at];
        if value <= old {
            return false;
        }
        self.registers[at] = value;
        self.values[usize::from(old)] -= 1;
        self.values[usize::from(value)] += 1;
        true
    }

    fn recount(&mut self) {
        self.count = (self.estimate() + self.offset).round().max(0.0) as u64;
    }

    fn estimate(&self) -> f64 {
        let m = REGISTERS as f64;
        let share = |value: usize| f64::from(self.values[value]) / m;
        let mut z = m * tau(1.0 - share(GREATEST));
        for value in (1..GREATEST).rev() {
            z = 0.5 * (z + f64::from(self.values[value]));
        }
        z += m * sigma(share(0));
        0.5 / std::f64::consts::LN_2 * m * m / z
    }
}

fn sigma(mut x: f64) -> f64 {
    if x >= 1.0 {
        return f64::INFINITY;
    }
    let (mut y, mut z) = (1.0, x);
    loop {
        x *= x;
        let before = z;
        z += x * y;
        y += y;
        if z <= before {
            return z;
        }
    }
}

fn tau(mut x: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return 0.0;
    }
    let (mut y, mut z) = (1.0, 1.0 - x);
    loop {
        x = x.sqrt();
        let before = z;
        y *= 0.5;
        z -= (1.0 - x).powi(2) * y;
        if z >= before {
            return z / 3.0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_exact_up_to_the_bound_and_close_above_it() {
        let mut seen = Distinct::default();
        for key in 0..EXACT as u64 {
            assert!(seen.insert(key) && !seen.insert(key));
        }
        assert_eq!((seen.len(), seen.contains(3), seen.contains(1 << 40)), (16_384, Some(true), Some(false)));
        seen.insert(EXACT as u64);
        assert!(seen.len().abs_diff(16_385) < 20, "it goes on where it was: {}", seen.len());
        assert_eq!(seen.contains(3), None);
        for (more, most) in [(20_000_u64, 600), (60_000, 2500), (200_000, 9000), (1_000_000, 45_000)] {
            for key in 0..more {
                seen.insert(key);
            }
            assert!(seen.len().abs_diff(more) < most, "{} for {more}", seen.len());
        }
        assert!(!seen.remove(3));
    }

    #[test]
    fn what_is_repeated_changes_nothing() {
        let mut seen = Distinct::default();
        let fill = |seen: &mut Distinct| {
            for key in 0..20_000 {
                seen.insert(key);
            }
            seen.len()
        };
        let before = fill(&mut seen);
        fill(&mut seen);
        assert_eq!(seen.len(), before);
    }

    #[test]
    fn registers_from_a_strange_file_do_no_harm() {
        let mut sketch = Sketch::from_parts([255; REGISTERS], 0.0);
        sketch.insert(1);
        assert!(Sketch::from_parts([0; REGISTERS], 0.0).count == 0);
    }
}
