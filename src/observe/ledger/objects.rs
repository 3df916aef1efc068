//! Objects that fail, and how many there are in all.
//!
//! An object has two sorts of outcome, of lookups and reads, and of writes: a lookup that passes says nothing about the
//! write that failed. Both fit into one entry of 16 bytes with its key, beside when it was last seen, the cause, whether
//! it failed in this cycle, and how often in a row it was told to wait. All that is ever asked about the whole is kept
//! as sums that change with each entry, so that nothing is counted through.

use std::collections::HashMap;

use super::{Moment, causes::CAUSES, distinct::Spreading};

/// Above 60,000 the answer is known; a power of two, since a table takes it anyway.
pub(super) const MOST: usize = 65_536;
/// Two daily retries of a job in quarantine, and an hour.
pub(super) const FORGET: u64 = 49 * 3600 * 1000;
/// Runs are counted no further: the component has its greatest value at 9.
const LONGEST: u8 = 15;

/// The two sorts of outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sort {
    Read,
    Write,
}

/// How one sort stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Side {
    fails: bool,
    /// It failed in the running cycle, and was not cleared in it.
    now: bool,
    /// It failed for another reason than a 429, and no later 429 has mended that.
    stuck: bool,
    /// 429 in a row.
    waits: u8,
}

impl Side {
    fn clear(&mut self) {
        (self.fails, self.now, self.stuck) = (false, false, false);
    }

    fn pack(self) -> u64 {
        u64::from(self.fails) | u64::from(self.now) << 1 | u64::from(self.stuck) << 2 | u64::from(self.waits) << 3
    }

    fn unpack(bits: u64) -> Self {
        Self { fails: bits & 1 != 0, now: bits & 2 != 0, stuck: bits & 4 != 0, waits: (bits >> 3 & 15) as u8 }
    }
}

/// What is known of one object, in 8 bytes: 44 bits for the time, 2 × 7 for the sides, 6 for the cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Entry {
    seen: u64,
    read: Side,
    write: Side,
    cause: u8,
}

impl Entry {
    fn pack(self) -> u64 {
        (self.seen & ((1 << 44) - 1)) << 20
            | self.read.pack() << 13
            | self.write.pack() << 6
            | u64::from(self.cause) & 63
    }

    fn unpack(bits: u64) -> Self {
        Self {
            seen: bits >> 20,
            read: Side::unpack(bits >> 13 & 127),
            write: Side::unpack(bits >> 6 & 127),
            cause: (bits & 63) as u8,
        }
    }

    fn side(&mut self, sort: Sort) -> &mut Side {
        match sort {
            Sort::Read => &mut self.read,
            Sort::Write => &mut self.write,
        }
    }

    fn fails(&self) -> bool {
        self.read.fails || self.write.fails
    }

    /// It fails, or a run of 429 is still open.
    fn matters(&self) -> bool {
        self.fails() || self.waits() > 0
    }

    fn waits(&self) -> u8 {
        self.read.waits.max(self.write.waits)
    }
}

/// Sums over all entries.
#[derive(Debug, Clone, Default)]
struct Sums {
    failing: u32,
    stuck: u32,
    now: u32,
    waits: [u32; LONGEST as usize + 1],
    causes: Vec<u32>,
}

impl Sums {
    fn add(&mut self, entry: &Entry, by: i32) {
        let change = |sum: &mut u32| *sum = sum.wrapping_add_signed(by);
        if entry.fails() {
            change(&mut self.failing);
            if self.causes.is_empty() {
                self.causes = vec![0; CAUSES];
            }
            change(&mut self.causes[usize::from(entry.cause)]);
        }
        if entry.read.stuck || entry.write.stuck {
            change(&mut self.stuck);
        }
        if entry.read.now || entry.write.now {
            change(&mut self.now);
        }
        change(&mut self.waits[usize::from(entry.waits())]);
    }
}

/// `F` or `R` of the model.
#[derive(Debug, Clone, Default)]
pub(super) struct Failing {
    entries: HashMap<u64, u64, Spreading>,
    sums: Sums,
}

impl Failing {
    /// How many fail.
    pub(super) fn len(&self) -> u64 {
        self.sums.failing.into()
    }

    /// How many fail for another reason than a 429.
    pub(super) fn stuck(&self) -> u64 {
        self.sums.stuck.into()
    }

    /// How many fail in the running cycle.
    pub(super) fn now(&self) -> u64 {
        self.sums.now.into()
    }

    /// The longest run of 429 on one object.
    pub(super) fn waits(&self) -> u8 {
        self.sums.waits.iter().rposition(|count| *count > 0).unwrap_or(0) as u8
    }

    /// How many were told to wait so often in a row, and not more often.
    pub(super) fn waiting(&self, waits: u8) -> u64 {
        self.sums.waits.get(usize::from(waits)).copied().unwrap_or(0).into()
    }

    /// How many fail for each cause; may be empty.
    pub(super) fn causes(&self) -> &[u32] {
        &self.sums.causes
    }

    pub(super) fn contains(&self, key: u64) -> bool {
        self.entries.contains_key(&key)
    }

    /// The object was heard of, whatever came of it.
    pub(super) fn touch(&mut self, key: u64, at: Moment) {
        if let Some(bits) = self.entries.get_mut(&key) {
            *bits = Entry { seen: at.0, ..Entry::unpack(*bits) }.pack();
        }
    }

    /// `false` if there is no room for another.
    pub(super) fn fail(&mut self, key: u64, at: Moment, sort: Sort, throttled: bool, cause: u8) -> bool {
        if !self.entries.contains_key(&key) && self.entries.len() >= MOST {
            return false;
        }
        self.change(key, |entry| {
            entry.seen = at.0;
            entry.cause = cause;
            let side = entry.side(sort);
            (side.fails, side.now) = (true, true);
            side.stuck |= !throttled;
            side.waits = if throttled { (side.waits + 1).min(LONGEST) } else { 0 };
        });
        true
    }

    /// A success: of a write it clears both sorts, of a read its own. A run of 429 ends only by its own sort; where runs
    /// do not matter none is kept for its own sake.
    pub(super) fn succeed(&mut self, key: u64, sort: Sort, runs: bool) {
        if !self.entries.is_empty() && self.entries.contains_key(&key) {
            self.change(key, |entry| {
                entry.read.clear();
                if sort == Sort::Write {
                    entry.write.clear();
                }
                entry.side(sort).waits = 0;
                if !runs && !entry.fails() {
                    (entry.read.waits, entry.write.waits) = (0, 0);
                }
            });
        }
    }

    /// The success of a reference is one of the object, but not of the write that failed.
    pub(super) fn succeed_reference(&mut self, key: u64, runs: bool) {
        if !self.entries.is_empty() && self.entries.contains_key(&key) {
            self.change(key, |entry| {
                entry.read.clear();
                if !runs {
                    entry.read.waits = 0;
                }
            });
        }
    }

    /// Its run of 429 on writes has ended elsewhere. What failed for nothing else fails no more, if that was a success.
    pub(super) fn end_run(&mut self, key: u64, success: bool) {
        if !self.entries.is_empty() && self.entries.contains_key(&key) {
            self.change(key, |entry| {
                entry.write.waits = 0;
                if success && !entry.write.stuck {
                    entry.write.clear();
                }
            });
        }
    }

    /// Both names are of one object.
    pub(super) fn rename(&mut self, from: u64, to: u64) {
        let Some(bits) = self.entries.remove(&from) else { return };
        let old = Entry::unpack(bits);
        self.sums.add(&old, -1);
        self.change(to, |entry| {
            let join = |a: Side, b: Side| Side {
                fails: a.fails || b.fails,
                now: a.now || b.now,
                stuck: a.stuck || b.stuck,
                waits: a.waits.max(b.waits),
            };
            if old.seen >= entry.seen {
                entry.cause = old.cause;
            }
            entry.seen = entry.seen.max(old.seen);
            (entry.read, entry.write) = (join(entry.read, old.read), join(entry.write, old.write));
        });
    }

    /// A cycle has closed.
    pub(super) fn close(&mut self) {
        if self.sums.now == 0 {
            return;
        }
        for bits in self.entries.values_mut() {
            let mut entry = Entry::unpack(*bits);
            (entry.read.now, entry.write.now) = (false, false);
            *bits = entry.pack();
        }
        self.sums.now = 0;
    }

    /// Forgets what was not seen for 49 hours, and tells of each that failed.
    pub(super) fn expire(&mut self, at: Moment, mut gone: impl FnMut(u64)) {
        let sums = &mut self.sums;
        self.entries.retain(|key, bits| {
            let entry = Entry::unpack(*bits);
            let stays = at.0.saturating_sub(entry.seen) < FORGET;
            if !stays {
                sums.add(&entry, -1);
                if entry.fails() {
                    gone(*key);
                }
            }
            stays
        });
        if self.entries.capacity() > 64 && self.entries.len() < self.entries.capacity() / 8 {
            self.entries.shrink_to_fit();
        }
    }

    /// For the snapshot.
    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = (u64, u64)> + '_ {
        self.entries.iter().map(|(key, bits)| (*key, *bits))
    }

    /// From the snapshot, where times are moved back by `back` milliseconds, to no later than `now`; causes are not kept.
    pub(super) fn restore(&mut self, key: u64, bits: u64, back: u64, now: Moment) {
        let entry = Entry::unpack(bits);
        let entry = Entry { seen: entry.seen.saturating_sub(back).min(now.0), cause: 0, ..entry };
        // A key that stands twice in a file is taken once, or the sums would not be those of the entries.
        if entry.matters() && self.entries.len() < MOST && !self.entries.contains_key(&key) {
            self.entries.insert(key, entry.pack());
            self.sums.add(&entry, 1);
        }
    }

    fn change(&mut self, key: u64, change: impl FnOnce(&mut Entry)) {
        let before = self.entries.get(&key).map(|bits| Entry::unpack(*bits));
        let none = Entry { seen: 0, read: Side::default(), write: Side::default(), cause: 0 };
        let mut entry = before.unwrap_or(none);
        change(&mut entry);
        if let Some(before) = before {
            self.sums.add(&before, -1);
        }
        if entry.matters() {
            self.sums.add(&entry, 1);
            self.entries.insert(key, entry.pack());
        } else {
            self.entries.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T: Moment = Moment(1_700_000_000_000);

    #[test]
    fn an_entry_fits_into_eight_bytes() {
        let side = |fails, now, stuck, waits| Side { fails, now, stuck, waits };
        let entry =
            Entry { seen: T.0, read: side(true, false, true, 15), write: side(false, true, false, 9), cause: 63 };
        assert_eq!(Entry::unpack(entry.pack()), entry);
    }

    #[test]
    fn a_failed_write_is_cleared_by_a_write_alone_and_a_failed_read_by_any_success() {
        let mut failing = Failing::default();
        assert!(failing.fail(1, T, Sort::Write, false, 0) && failing.fail(2, T, Sort::Read, false, 0));
        failing.succeed(1, Sort::Read, false);
        failing.succeed_reference(1, false);
        failing.succeed(2, Sort::Write, false);
        assert_eq!((failing.len(), failing.contains(1)), (1, true));
        failing.succeed(1, Sort::Write, false);
        assert_eq!(failing.len(), 0);
        failing.fail(3, T, Sort::Read, false, 0);
        failing.succeed_reference(3, false);
        assert_eq!(failing.len(), 0);
        // A lookup that fails after the write does not make the write a matter of lookups.
        failing.fail(4, T, Sort::Write, true, 0);
        failing.fail(4, T, Sort::Read, false, 0);
        failing.succeed(4, Sort::Read, false);
        assert_eq!(failing.len(), 1);
    }

    #[test]
    fn a_key_that_stands_twice_in_a_file_is_taken_once() {
        let waits = Side { waits: 1, ..Side::default() };
        let fails = Side { fails: true, ..Side::default() };
        for (first, second, count) in [(waits, fails, 0), (fails, waits, 1)] {
            let mut failing = Failing::default();
            for write in [first, second] {
                let entry = Entry { seen: T.0, read: Side::default(), write, cause: 0 };
                failing.restore(1, entry.pack(), 0, T);
            }
            assert_eq!(failing.len(), count);
            failing.succeed(1, Sort::Write, false);
            assert_eq!((failing.len(), failing.waits()), (0, 0));
        }
    }

    #[test]
    fn runs_of_429_are_counted_apart() {
        let mut failing = Failing::default();
        for _ in 0..3 {
            failing.fail(1, T, Sort::Write, true, 0);
            failing.succeed(1, Sort::Read, true);
        }
        assert_eq!((failing.waits(), failing.stuck()), (3, 0));
        failing.fail(1, T, Sort::Write, false, 0);
        assert_eq!((failing.waits(), failing.stuck()), (0, 1));
        failing.fail(1, T, Sort::Write, true, 0);
        assert_eq!((failing.waits(), failing.stuck()), (1, 1), "to be told to wait mends nothing");
        for _ in 0..40 {
            failing.fail(2, T, Sort::Read, true, 0);
        }
        assert_eq!(failing.waits(), 15);
        failing.succeed(2, Sort::Write, true);
        assert_eq!((failing.waits(), failing.len()), (15, 1), "the write does not end the run of lookups");
        failing.succeed(2, Sort::Read, true);
        assert_eq!((failing.waits(), failing.entries.len()), (1, 1));
    }

    #[test]
    fn what_is_not_seen_for_49_hours_is_forgotten() {
        let mut failing = Failing::default();
        failing.fail(1, T, Sort::Write, false, 0);
        failing.fail(2, T, Sort::Write, false, 0);
        failing.touch(2, Moment(T.0 + 1));
        failing.expire(Moment(T.0 + FORGET - 1), |_| panic!("too early"));
        let mut gone = Vec::new();
        failing.expire(Moment(T.0 + FORGET), |key| gone.push(key));
        assert_eq!((gone, failing.len()), (vec![1], 1));
    }

    #[test]
    fn there_is_no_room_for_more_than_the_bound() {
        let mut failing = Failing::default();
        assert!((0..MOST as u64).all(|key| failing.fail(key, T, Sort::Write, false, 0)));
        assert!(!failing.fail(1 << 40, T, Sort::Write, false, 0) && failing.fail(7, T, Sort::Read, false, 0));
        assert_eq!(failing.len(), 65_536);
    }

    #[test]
    fn two_names_become_one_object() {
        let mut failing = Failing::default();
        failing.fail(1, T, Sort::Read, false, 3);
        failing.fail(2, T, Sort::Write, true, 4);
        failing.rename(1, 2);
        assert_eq!((failing.len(), failing.waits(), failing.stuck(), failing.contains(1)), (1, 1, 1, false));
        failing.succeed(2, Sort::Write, false);
        assert_eq!((failing.len(), failing.now()), (0, 0));
    }

    #[test]
    fn the_running_cycle_has_its_own_count() {
        let mut failing = Failing::default();
        failing.fail(1, T, Sort::Write, false, 0);
        failing.close();
        assert_eq!((failing.len(), failing.now()), (1, 0));
        // The read fails and passes in this cycle; the write failed in the one before.
        failing.fail(1, T, Sort::Read, false, 0);
        assert_eq!(failing.now(), 1);
        failing.succeed(1, Sort::Read, false);
        assert_eq!((failing.len(), failing.now()), (1, 0));
    }
}
