//! One provisioning cycle, and what a row of them adds up to.
//!
//! A cycle is judged by integers: "over 40 %" must not depend on how a fraction is rounded.

use super::{Kind, Moment, classify::Class, distinct::Distinct};

/// Idle time that ends a cycle, in milliseconds.
pub(super) const GAP: u64 = 300_000;
/// A running cycle is judged this often.
pub(super) const CHECKPOINT: u64 = 2_400_000;
/// Fewer objects than this: the share of a cycle says nothing.
const JUDGED: u64 = 10;
/// A cycle with this many requests and no success is dead.
const DEAD: u64 = 3;

/// Failing objects of all objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Share {
    pub(super) failing: u64,
    pub(super) total: u64,
}

impl Share {
    /// `total` may be an estimate.
    pub(super) fn new(failing: u64, total: u64) -> Self {
        Self { failing, total: total.max(failing) }
    }

    pub(super) fn ratio(self) -> f64 {
        if self.total == 0 { 0.0 } else { self.failing as f64 / self.total as f64 }
    }

    /// More than 40 %.
    pub(super) fn is_over(self) -> bool {
        5 * self.failing > 2 * self.total
    }

    /// 90 % or more: "most or all calls".
    fn is_most(self) -> bool {
        self.total > 0 && 10 * self.failing >= 9 * self.total
    }

    fn is_judged(self) -> bool {
        self.total >= JUDGED
    }
}

/// A cycle that runs.
#[derive(Debug, Clone, Default)]
pub(super) struct Cycle {
    pub(super) start: Moment,
    pub(super) last: Moment,
    pub(super) checkpoint: Moment,
    /// Since the start of the one before.
    pub(super) interval: Option<u64>,
    pub(super) requests: u64,
    /// Those of them that were checks.
    pub(super) checks: u64,
    /// An answer of class success: a 403 is no longer about credentials.
    pub(super) succeeded: bool,
    /// An answer of class success or neutral: the endpoint lives.
    pub(super) lives: bool,
    /// Whether the last check passed.
    pub(super) check: Option<bool>,
    /// A filter query was answered 404 or 501.
    pub(super) gone: bool,
    /// The last answer that was not neutral was an auth failure.
    pub(super) refused: bool,
    /// Objects with an outcome.
    pub(super) seen: Distinct,
    /// Objects that were deprovisioned.
    pub(super) deprovisioned: Distinct,
}

impl Cycle {
    pub(super) fn new(start: Moment, interval: Option<u64>) -> Self {
        Self { start, last: start, checkpoint: Moment(start.0 + CHECKPOINT), interval, ..Self::default() }
    }

    /// Notes an answer, without its object.
    pub(super) fn note(&mut self, at: Moment, kind: Kind, class: Class) {
        self.last = at;
        self.requests += 1;
        self.succeeded |= class == Class::Ok;
        self.lives |= matches!(class, Class::Ok | Class::Neutral);
        match kind {
            Kind::Probe => {
                self.checks += 1;
                self.check = Some(class == Class::Ok);
            }
            Kind::Filter => self.gone |= class == Class::Connection,
            Kind::Get | Kind::Write => {}
        }
        if class != Class::Neutral {
            self.refused = class == Class::Auth;
        }
    }

    /// The last check failed, or a lookup found no endpoint, or nothing at all succeeded. A check that passes later
    /// mends only the first.
    pub(super) fn is_dead(&self) -> bool {
        self.check == Some(false) || self.gone || (self.requests >= DEAD && !self.lives)
    }
}

/// The label of a cycle that closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Auth,
    Dead,
    Good,
    Partial,
}

impl Outcome {
    pub(super) const ALL: [Self; 4] = [Self::Auth, Self::Dead, Self::Good, Self::Partial];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Auth => "auth",
            Self::Dead => "dead",
            Self::Good => "good",
            Self::Partial => "partial",
        }
    }

    /// `escrow` is predicate A. A refused check makes a cycle both dead and auth; that credentials are refused says more.
    pub(super) fn of(cycle: &Cycle, share: Share, escrow: bool) -> Self {
        if cycle.refused {
            Self::Auth
        } else if cycle.is_dead() {
            Self::Dead
        } else if cycle.lives && !share.is_over() && !escrow {
            Self::Good
        } else {
            Self::Partial
        }
    }
}

/// What is counted in a row over cycles that closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Runs {
    pub(super) dead: u32,
    pub(super) over: u32,
    /// Of the last cycle that was judged, unless a small good one came after it.
    pub(super) carried: Option<Share>,
}

impl Runs {
    /// With the running cycle, whose share is `share`.
    pub(super) fn with(self, running: Option<(&Cycle, Share)>) -> Self {
        let Some((cycle, share)) = running else { return self };
        let mut runs = self;
        if cycle.is_dead() {
            runs.dead = self.dead.saturating_add(1);
        } else if cycle.lives {
            runs.dead = 0;
        }
        if share.is_judged() {
            runs.over = if share.is_over() { self.over.saturating_add(1) } else { 0 };
            runs.carried = Some(share);
        }
        runs
    }

    /// The cycle closes. One too small to be judged can end a run, not lengthen it.
    pub(super) fn close(&mut self, cycle: &Cycle, share: Share) {
        *self = self.with(Some((cycle, share)));
        if !share.is_judged() && share.total > 0 && !share.is_over() {
            (self.over, self.carried) = (0, None);
        }
    }

    /// Predicate B over a cycle that these runs include: what the IdP saw is enough whatever the number of objects.
    pub(super) fn is_enough(self, cycle: &Cycle, share: Share) -> bool {
        cycle.refused || (cycle.is_dead() && self.dead >= 2) || (share.is_judged() && share.is_most() && self.over >= 2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cycle(answers: &[(Kind, Class)]) -> Cycle {
        let mut cycle = Cycle::new(Moment(0), None);
        answers.iter().for_each(|(kind, class)| cycle.note(Moment(0), *kind, *class));
        cycle
    }

    const PASSED: (Kind, Class) = (Kind::Probe, Class::Ok);
    const LOST: (Kind, Class) = (Kind::Probe, Class::Connection);
    const REFUSED: (Kind, Class) = (Kind::Write, Class::Auth);
    const FAILED: (Kind, Class) = (Kind::Write, Class::Object);
    const GONE: (Kind, Class) = (Kind::Filter, Class::Connection);
    const ABSENT: (Kind, Class) = (Kind::Get, Class::Neutral);

    fn share(failing: u64, total: u64) -> Share {
        Share::new(failing, total)
    }

    #[test]
    fn a_later_passed_check_mends_only_a_failed_one() {
        assert!(cycle(&[LOST]).is_dead() && !cycle(&[LOST, PASSED]).is_dead() && cycle(&[PASSED, LOST]).is_dead());
        assert!(cycle(&[GONE, PASSED]).is_dead());
        assert!(!cycle(&[FAILED; 2]).is_dead() && cycle(&[FAILED; 3]).is_dead());
        assert!(!cycle(&[FAILED, FAILED, FAILED, ABSENT]).is_dead(), "a normal 404 shows that the endpoint lives");
    }

    #[test]
    fn the_last_answer_that_is_not_neutral_makes_an_auth_cycle() {
        let of = |answers: &[_]| Outcome::of(&cycle(answers), share(0, 0), false);
        assert_eq!(of(&[PASSED, REFUSED]), Outcome::Auth);
        assert_eq!(of(&[PASSED, REFUSED, ABSENT]), Outcome::Auth);
        assert_eq!(of(&[REFUSED, PASSED]), Outcome::Good);
        assert_eq!(of(&[PASSED, REFUSED, FAILED]), Outcome::Good);
        assert_eq!(of(&[(Kind::Probe, Class::Auth)]), Outcome::Auth);
    }

    #[test]
    fn a_good_cycle_has_a_success_and_at_most_40_percent_failing() {
        let of = |answers: &[_], share, escrow| Outcome::of(&cycle(answers), share, escrow);
        assert_eq!(of(&[PASSED], share(0, 0), false), Outcome::Good);
        assert_eq!(of(&[PASSED], share(2, 5), false), Outcome::Good);
        assert_eq!(of(&[PASSED], share(3, 5), false), Outcome::Partial, "also below ten objects");
        assert_eq!(of(&[PASSED], share(0, 5), true), Outcome::Partial);
        assert_eq!(of(&[ABSENT], share(0, 0), false), Outcome::Good);
        assert_eq!(of(&[FAILED], share(0, 1), false), Outcome::Partial);
        assert_eq!(of(&[LOST], share(0, 0), false), Outcome::Dead);
    }

    #[test]
    fn dead_cycles_are_counted_with_the_one_that_runs() {
        let runs = Runs { dead: 1, ..Runs::default() };
        let with = |answers: &[_]| runs.with(Some((&cycle(answers), share(0, 0)))).dead;
        assert_eq!(with(&[LOST]), 2);
        assert_eq!(with(&[PASSED]), 0);
        assert_eq!(with(&[FAILED]), 1, "undecided");
        assert_eq!(runs.with(None).dead, 1);
    }

    #[test]
    fn only_judged_cycles_lengthen_the_run_over_40_percent() {
        let over = Runs { over: 1, carried: Some(share(9, 10)), ..Runs::default() };
        let running = cycle(&[PASSED]);
        let with = |share| over.with(Some((&running, share)));
        assert_eq!((with(share(4, 9)).over, with(share(5, 10)).over, with(share(4, 10)).over), (1, 2, 0));
        assert_eq!(with(share(0, 9)).carried, Some(share(9, 10)), "while it runs, a small one changes nothing");
        let closed = |share| {
            let mut runs = over;
            runs.close(&running, share);
            (runs.over, runs.carried)
        };
        assert_eq!(closed(share(2, 5)), (0, None));
        assert_eq!(closed(share(3, 5)), (1, Some(share(9, 10))));
        assert_eq!(closed(share(0, 0)), (1, Some(share(9, 10))));
        assert_eq!(closed(share(4, 10)), (0, Some(share(4, 10))));
        assert_eq!(closed(share(5, 10)), (2, Some(share(5, 10))));
    }

    #[test]
    fn one_auth_cycle_two_dead_ones_or_two_bad_ones_are_enough() {
        let runs = |dead, over| Runs { dead, over, carried: None };
        assert!(runs(0, 0).is_enough(&cycle(&[PASSED, REFUSED]), share(0, 0)));
        assert!(!runs(1, 0).is_enough(&cycle(&[LOST]), share(0, 0)));
        assert!(runs(2, 0).is_enough(&cycle(&[LOST]), share(0, 0)));
        let passed = cycle(&[PASSED]);
        assert!(runs(0, 2).is_enough(&passed, share(9, 10)));
        assert!(!runs(0, 1).is_enough(&passed, share(10, 10)));
        assert!(!runs(0, 2).is_enough(&passed, share(89, 100)));
        assert!(!runs(0, 2).is_enough(&passed, share(9, 9)), "fewer than ten are not judged");
    }
}
