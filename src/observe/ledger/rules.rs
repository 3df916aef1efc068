//! The rules of the model, one test for each, told as what comes and what follows.

use super::{Component, Kind, Moment, Observation, State, book::Book, score::Profile};

const DAY: u64 = 86_400;

struct Told(Book);

fn exchange(kind: Kind, object: Option<u64>, status: u16) -> Observation {
    Observation::new(kind, object, status)
}

impl Told {
    fn entra() -> Self {
        Self(Book::new(Profile::Cycles, 500, Moment(0)))
    }

    fn okta() -> Self {
        Self(Book::new(Profile::Events, 500, Moment(0)))
    }

    fn say(&mut self, at: u64, kind: Kind, object: Option<u64>, status: u16) -> &mut Self {
        self.with(at, kind, object, status, |_| ())
    }

    fn with(
        &mut self,
        at: u64,
        kind: Kind,
        object: Option<u64>,
        status: u16,
        change: impl Fn(&mut Observation),
    ) -> &mut Self {
        let mut seen = exchange(kind, object, status);
        change(&mut seen);
        self.0.observe_as_told(Moment(at * 1000), &seen);
        self
    }

    fn check(&mut self, at: u64, status: u16) -> &mut Self {
        self.say(at, Kind::Probe, None, status)
    }

    fn find(&mut self, at: u64, object: u64, status: u16) -> &mut Self {
        self.say(at, Kind::Filter, Some(object), status)
    }

    fn write(&mut self, at: u64, object: u64, status: u16) -> &mut Self {
        self.say(at, Kind::Write, Some(object), status)
    }

    fn reference(&mut self, at: u64, object: u64, status: u16) -> &mut Self {
        self.with(at, Kind::Write, Some(object), status, |seen| seen.reference = true)
    }

    /// A check that passes, and writes of `total` objects, of which the first `failing` are refused.
    fn cycle(&mut self, at: u64, failing: u64, total: u64) -> &mut Self {
        self.check(at, 200);
        for object in 0..total {
            self.write(at, object, if object < failing { 400 } else { 200 });
        }
        self
    }

    /// Clean cycles at these times.
    fn cycles(&mut self, starts: impl IntoIterator<Item = u64>) -> &mut Self {
        for start in starts {
            self.cycle(start, 0, 1);
        }
        self
    }

    #[track_caller]
    fn is(&mut self, at: u64, state: State) -> &mut Self {
        self.0.advance(Moment(at * 1000));
        assert_eq!(self.0.state, state, "at {at}");
        self
    }

    #[track_caller]
    fn risk(&mut self, at: u64, component: Component, value: f64) -> &mut Self {
        self.0.advance(Moment(at * 1000));
        let found = self.0.score().components().find(|(have, _)| *have == component).unwrap().1;
        assert!((found - value).abs() < 1e-9, "{component:?} is {found} at {at}");
        self
    }

    fn eta(&mut self, at: u64) -> f64 {
        self.0.advance(Moment(at * 1000));
        self.0.eta(Moment(at * 1000))
    }

    fn counts(&self) -> (u64, u64, u64) {
        let counts = self.0.counts();
        (counts.failing, counts.references, counts.succeeded)
    }
}

use Component::{Auth, Calls, Connection, EscrowProportion, MassDelete, StuckTasks, ThrottleAttempts};
use State::{AtRisk, DisabledSuspected, Healthy, LikelyQuarantined, Recovering, Silent, Unknown};

#[test]
fn auth_connection_and_neutral_answers_and_references_are_no_outcome_of_an_object() {
    let mut told = Told::entra();
    told.check(0, 200).write(1, 1, 401).find(2, 2, 404).say(3, Kind::Get, Some(3), 404).reference(4, 4, 200);
    assert_eq!(told.counts(), (0, 0, 0));
    told.write(5, 1, 429).reference(6, 4, 400).write(7, 5, 200);
    assert_eq!(told.counts(), (1, 1, 1));
    // A write clears a write, a reference a reference.
    told.find(8, 1, 200).reference(9, 1, 200).write(10, 4, 200);
    assert_eq!(told.counts(), (1, 1, 2));
    told.write(11, 1, 200).reference(12, 4, 200);
    assert_eq!(told.counts(), (0, 0, 3));
}

#[test]
fn entries_are_forgotten_at_a_close_49_hours_after_they_were_seen() {
    let mut told = Told::entra();
    told.check(0, 200).write(0, 1, 400).reference(0, 2, 400);
    told.check(49 * 3600 - 301, 200).is(49 * 3600 - 1, Healthy);
    assert_eq!(told.counts(), (1, 1, 0));
    told.check(49 * 3600, 200).is(49 * 3600 + 300, Healthy);
    assert_eq!(told.counts(), (0, 0, 0));
    // A lookup that passes does not clear a write, but the object is still in scope.
    let mut told = Told::entra();
    told.check(0, 200).write(0, 1, 400).find(3600, 1, 200).check(49 * 3600, 200).is(49 * 3600 + 300, Healthy);
    assert_eq!(told.counts(), (1, 0, 0));
}

#[test]
fn exactly_300_seconds_later_another_cycle_begins_and_timers_run_first() {
    let mut told = Told::entra();
    told.check(0, 503).check(299, 503);
    told.risk(299, Connection, 0.5);
    told.check(599, 503).risk(599, Connection, 1.0).is(899, LikelyQuarantined);
    let mut told = Told::entra();
    told.check(0, 503).check(299, 503).is(599, AtRisk);
}

#[test]
fn a_checkpoint_judges_and_does_not_split() {
    // 5,400 fail before the first checkpoint; the state changes there and not before.
    let mut told = Told::entra();
    told.check(0, 200);
    for object in 0..5400 {
        told.write(object * 4 / 10, object, 400);
    }
    told.is(2399, AtRisk).risk(2399, EscrowProportion, 1.0);
    for at in (2200..2400).step_by(100) {
        told.check(at, 200);
    }
    assert_eq!(told.eta(2399), 0.0);
    told.is(2400, LikelyQuarantined);
    assert_eq!(told.0.notes.cycles, [0; 4], "no cycle has closed");
    assert_eq!(told.0.rhythm.intervals.len(), 0);
    // A dead cycle that runs on is one cycle still.
    let mut told = Told::entra();
    for at in (0..=5000).step_by(200) {
        told.check(at, 503);
    }
    told.risk(5000, Connection, 0.5).is(5000, AtRisk);
}

#[test]
fn a_checkpoint_counts_cycles_before_it_and_does_not_clear() {
    let mut told = Told::entra();
    told.check(0, 503).is(300, AtRisk);
    for at in (1000..3400).step_by(200) {
        told.check(at, 503);
    }
    told.is(3399, AtRisk).is(3400, LikelyQuarantined);
    let mut told = Told::entra();
    told.cycle(0, 5, 10).is(0, AtRisk);
    for object in 0..5 {
        told.write(1, object, 200);
    }
    for at in (200..=2400).step_by(200) {
        told.check(at, 200);
    }
    told.is(2400, AtRisk).is(2700, Healthy);
}

#[test]
fn credentials_refused_at_a_checkpoint_are_enough() {
    let mut told = Told::entra();
    for at in (0..=2400).step_by(200) {
        told.check(at, 200);
    }
    told.write(2450, 1, 401).write(2650, 1, 401).write(2850, 1, 401);
    for at in (3000..4800).step_by(200) {
        told.write(at, 1, 401);
    }
    told.is(4799, AtRisk).is(4800, LikelyQuarantined);
}

#[test]
fn nothing_is_learned_in_quarantine_or_while_recovering() {
    let mut told = Told::entra();
    told.cycles([0]).check(2400, 401).is(2700, LikelyQuarantined);
    told.check(4800, 401).cycles([7200]).is(7500, Recovering).cycles([9600, 12_000]).is(12_300, Healthy);
    assert_eq!(told.0.rhythm.intervals, [2_400_000]);
    told.cycles([14_400]);
    assert_eq!(told.0.rhythm.intervals.len(), 2);
}

#[test]
fn a_later_passed_check_mends_only_the_first_of_the_three() {
    let mut told = Told::entra();
    told.check(0, 503).risk(0, Connection, 0.5).check(1, 200).risk(1, Connection, 0.0);
    told.find(2, 1, 501).risk(2, Connection, 0.5).check(3, 200).risk(3, Connection, 0.5);
    let mut told = Told::entra();
    told.write(0, 1, 500).write(0, 2, 500).risk(0, Connection, 0.0).write(0, 3, 500).risk(0, Connection, 0.5);
    told.say(1, Kind::Get, Some(1), 404).risk(1, Connection, 0.0);
}

#[test]
fn an_undecided_cycle_leaves_the_run_of_dead_ones() {
    let mut told = Told::entra();
    told.check(0, 503).write(1000, 1, 500).risk(1000, Connection, 0.5).is(1300, AtRisk);
    told.check(2000, 503).risk(2000, Connection, 1.0).is(2300, LikelyQuarantined);
    let mut told = Told::entra();
    told.check(0, 503).check(1000, 200).check(2000, 503).is(2300, AtRisk);
}

#[test]
fn q_is_carried_until_a_cycle_says_otherwise() {
    let mut told = Told::entra();
    told.cycle(0, 4, 10).risk(0, Calls, 0.0).risk(300, Calls, 0.0);
    told.cycle(1000, 5, 10).risk(1000, Calls, 0.3).risk(1300, Calls, 0.3);
    // No object, and a few that fail, change neither.
    told.check(2000, 200).risk(2300, Calls, 0.3).cycle(3000, 2, 4).risk(3300, Calls, 0.3);
    told.is(3300, AtRisk).cycle(4000, 2, 5).risk(4000, Calls, 0.3).risk(4300, Calls, 0.0).is(4300, Healthy);
}

#[test]
fn two_cycles_over_40_percent_are_enough_if_the_last_is_at_90() {
    let mut told = Told::entra();
    told.cycle(0, 9, 10).risk(0, Calls, 0.5).is(300, AtRisk).cycle(1000, 9, 10).risk(1000, Calls, 1.0);
    told.is(1299, AtRisk).is(1300, LikelyQuarantined);
    let mut told = Told::entra();
    told.cycle(0, 10, 10).cycle(1000, 17, 19).is(1300, AtRisk).cycle(2000, 5, 10).cycle(3000, 4, 10);
    told.cycle(4000, 10, 10).is(4300, AtRisk);
}

#[test]
fn within_a_cycle_an_object_fails_by_the_same_rule() {
    let mut told = Told::entra();
    told.cycle(0, 5, 10).risk(0, Calls, 0.3).find(1, 0, 200).risk(1, Calls, 0.3).write(2, 0, 200).risk(2, Calls, 0.0);
    // What failed in the cycle before and was only looked up in this one does not fail in it.
    told.cycle(1000, 5, 10).is(1300, AtRisk).check(2000, 200);
    for object in 0..10 {
        told.find(2000, object, 200);
    }
    told.risk(2000, Calls, 0.0).is(2300, Healthy);
    assert_eq!(told.counts(), (5, 0, 5));
}

#[test]
fn references_are_no_part_of_q() {
    let mut told = Told::entra();
    told.check(0, 200);
    for object in 0..50 {
        told.reference(0, object, 400);
    }
    told.risk(0, Calls, 0.0).is(300, Healthy);
    for object in 0..9 {
        told.write(1000, object, 400);
    }
    for object in 9..50 {
        told.reference(1000, object, 200);
    }
    told.check(1001, 200).risk(1002, Calls, 0.0);
}

#[test]
fn a_refused_check_counts_until_another_is_answered_otherwise() {
    let mut told = Told::entra();
    told.check(0, 401).risk(0, Auth, 1.0).write(1, 1, 200).risk(1, Auth, 1.0).check(2, 503).risk(2, Auth, 0.0);
    told.check(3, 403).risk(3, Auth, 1.0).check(4, 200).risk(4, Auth, 0.0);
}

#[test]
fn a_success_ends_the_row_of_refusals_and_a_close_does_not() {
    let mut told = Told::entra();
    told.check(0, 200).write(1, 1, 401).write(2, 1, 400).risk(2, Auth, 1.0 / 3.0);
    told.check(1000, 200).risk(1000, Auth, 0.0).write(1001, 1, 401).write(1002, 2, 401);
    told.risk(1400, Auth, 2.0 / 3.0).write(1500, 3, 401).risk(1500, Auth, 1.0);
}

#[test]
fn a_403_is_about_credentials_until_something_has_succeeded() {
    let mut told = Told::entra();
    told.write(0, 1, 403).risk(0, Auth, 1.0 / 3.0);
    assert_eq!(told.counts(), (0, 0, 0));
    told.say(1, Kind::Get, Some(9), 404).write(2, 1, 403).risk(2, Auth, 2.0 / 3.0).check(3, 200).write(4, 1, 403);
    assert_eq!(told.counts(), (1, 0, 0));
    told.write(1000, 1, 403).risk(1000, Auth, 1.0 / 3.0);
}

#[test]
fn mass_delete_counts_distinct_objects_with_success_in_the_running_or_last_cycle() {
    let leave = |seen: &mut Observation| seen.deprovision = true;
    let mut told = Told::entra();
    told.check(0, 200);
    for object in 0..100 {
        told.with(1, Kind::Write, Some(object), 200, leave).with(2, Kind::Write, Some(object), 204, |seen| {
            seen.delete = true;
        });
    }
    told.with(3, Kind::Write, Some(7777), 404, |seen| seen.delete = true);
    told.with(3, Kind::Write, Some(8888), 400, leave);
    told.risk(3, MassDelete, 0.101).risk(2000, MassDelete, 0.101).check(2001, 200).risk(2001, MassDelete, 0.0);
    assert_eq!(told.0.notes.deprovisioned, 101);
}

#[test]
fn the_next_check_is_awaited_while_one_stands_failed() {
    let mut told = Told::entra();
    told.check(0, 503);
    assert_eq!(told.eta(600), 1800.0);
    assert_eq!(told.eta(3000), 0.0, "never below 0");
    told.check(4000, 200);
    assert_eq!(told.eta(4000), f64::INFINITY);
    // Learned, and none for an irregular tenant.
    let mut told = Told::entra();
    told.cycles((0..5).map(|n| n * 1200)).check(6000, 503);
    assert_eq!(told.eta(6100), 1100.0);
    let mut told = Told::entra();
    told.cycles((0..5).map(|n| n * DAY)).check(5 * DAY, 503);
    assert_eq!(told.eta(5 * DAY + 10), f64::INFINITY);
    told.is(5 * DAY + 10, AtRisk);
    // In quarantine it is over.
    let mut told = Told::entra();
    told.check(0, 401).is(300, LikelyQuarantined);
    assert_eq!(told.eta(300), 0.0);
    let mut told = Told::okta();
    told.write(0, 1, 500);
    assert_eq!(told.eta(1), f64::INFINITY);
}

#[test]
fn unknown_ends_with_the_first_exchange_whatever_its_answer() {
    Told::entra().is(10, Unknown).write(10, 1, 500).is(10, Healthy);
    Told::entra().check(0, 503).is(0, AtRisk);
    // Of risk 1/3.
    Told::entra().write(0, 1, 401).is(0, AtRisk);
}

#[test]
fn risk_falls_below_015_before_a_tenant_is_healthy_and_at_a_close_only() {
    let leave = |seen: &mut Observation| seen.deprovision = true;
    for (count, state) in [(150, AtRisk), (149, Healthy)] {
        let mut told = Told::entra();
        told.check(0, 503).is(0, AtRisk).check(1000, 200);
        for object in 0..count {
            told.with(1000, Kind::Write, Some(object), 200, leave);
        }
        told.is(1299, AtRisk).is(1300, state);
    }
    // Exactly at the entry.
    let mut told = Told::entra();
    told.check(0, 200);
    for object in 0..249 {
        told.with(1, Kind::Write, Some(object), 200, leave);
    }
    told.is(1, Healthy).with(2, Kind::Write, Some(999), 200, leave).is(2, AtRisk);
}

#[test]
fn at_risk_and_idle_is_taken_for_quarantine_unless_there_is_no_rhythm() {
    // The assumed period: 3 × 2,400 s.
    Told::entra().check(0, 503).is(7199, AtRisk).is(7200, LikelyQuarantined);
    // A learned one of an hour: 3 hours after the last exchange.
    let mut told = Told::entra();
    told.cycles((0..4).map(|n| n * 3600)).check(14_400, 503).is(14_400 + 10_799, AtRisk);
    told.is(14_400 + 10_800, LikelyQuarantined);
    // A learned one of ten minutes: 2 hours at least.
    let mut told = Told::entra();
    told.cycles((0..5).map(|n| n * 600)).check(3000, 503).is(10_199, AtRisk).is(10_200, LikelyQuarantined);
    let mut told = Told::entra();
    told.cycles((0..5).map(|n| n * DAY)).check(5 * DAY, 503).is(20 * DAY, AtRisk);
}

#[test]
fn silence_needs_a_learned_period() {
    let mut told = Told::entra();
    told.cycles([0, 3600, 7200]).is(90_000, Healthy);
    let mut told = Told::entra();
    told.cycles([0, 3600, 7200, 10_800]).is(21_599, Healthy).is(21_600, Silent);
    // A failing exchange leaves it silent unless the risk rises; a success ends it.
    told.check(30_000, 200).is(30_000, Healthy).is(50_000, Silent);
    told.write(50_001, 1, 400).is(50_001, Silent).check(50_002, 503).is(50_002, AtRisk);
}

#[test]
fn a_silent_tenant_can_be_taken_for_quarantined_at_a_close() {
    let mut told = Told::entra();
    told.cycles([0, 2400, 4800, 7200, 9600]).is(20_000, Silent);
    told.write(20_000, 1, 401).is(20_000, AtRisk).is(20_300, LikelyQuarantined);
}

#[test]
fn recovering_takes_two_further_good_cycles_in_rhythm() {
    let mut told = Told::entra();
    told.check(0, 401).is(300, LikelyQuarantined);
    // Good, and the checkpoint does not count as a close.
    for at in (10_000..=12_400).step_by(200) {
        told.check(at, 200);
    }
    told.is(12_400, LikelyQuarantined).is(12_700, Recovering);
    // 3,601 s after the start before: neither counts nor resets. 3,600 s: exactly one and a half periods.
    told.cycles([13_601]).is(13_901, Recovering).cycles([17_202]).is(17_502, Recovering);
    told.cycles([20_802]).is(21_102, Recovering).cycles([24_402]).is(24_701, Recovering).is(24_702, Healthy);
}

#[test]
fn a_cycle_that_is_not_good_sets_the_count_back_and_risk_does_not_matter() {
    let mut told = Told::entra();
    told.check(0, 401).cycles([1000]).is(1300, Recovering).cycles([2000]);
    told.cycle(3000, 8, 10).is(3000, Recovering).is(3300, Recovering).cycle(4000, 0, 10).is(4300, Recovering);
    told.cycles([5000]).is(5300, Healthy);
}

#[test]
fn a_relapse_needs_no_second_proof() {
    for relapse in [401, 503] {
        let mut told = Told::entra();
        told.check(0, 401).cycles([1000]).is(1300, Recovering).check(2000, relapse).is(2299, Recovering);
        told.is(2300, LikelyQuarantined);
    }
    // By its checkpoint.
    let mut told = Told::entra();
    told.check(0, 401).cycles([1000]).is(1300, Recovering).check(2000, 503);
    for at in (2200..4400).step_by(200) {
        told.check(at, 503);
    }
    told.is(4399, Recovering).is(4400, LikelyQuarantined);
    // One without success that is not dead is none.
    let mut told = Told::entra();
    told.check(0, 401).cycles([1000]).write(2000, 1, 500).is(2300, Recovering);
}

#[test]
fn recovering_can_fall_silent() {
    let mut told = Told::entra();
    told.cycles((0..5).map(|n| n * 2400)).check(12_000, 401).cycles([14_400]).is(14_700, Recovering);
    told.is(21_599, Recovering).is(21_600, Silent);
}

#[test]
fn an_irregular_tenant_recovers_at_any_interval() {
    let mut told = Told::entra();
    told.cycles((0..5).map(|n| n * DAY)).check(5 * DAY, 401).is(5 * DAY + 300, LikelyQuarantined);
    told.cycles([6 * DAY]).is(7 * DAY - 1, Recovering).cycles([7 * DAY, 8 * DAY]).is(8 * DAY + 300, Healthy);
}

#[test]
fn a_job_is_taken_to_be_off_28_days_after_the_first_failure() {
    let mut told = Told::entra();
    told.cycles([0]).write(1000, 1, 400).check(2400, 401).is(2700, LikelyQuarantined);
    let first = 1000;
    let estimates = |told: &Told, at: u64| {
        told.0.estimates(Moment(at * 1000)).map(|(next, off)| (next.0 / 1000 - first, off.0 / 1000 - first))
    };
    for (hours, next) in [(1, 6), (6, 12), (13, 24), (24, 48), (50, 72)] {
        assert_eq!(estimates(&told, first + hours * 3600), Some((next * 3600, 28 * DAY)), "{hours}");
    }
    told.check(3 * DAY, 401).is(first + 28 * DAY - 1, LikelyQuarantined).is(first + 28 * DAY, DisabledSuspected);
    assert_eq!((told.eta(first + 28 * DAY), estimates(&told, first + 28 * DAY)), (0.0, None));
    told.cycles([30 * DAY]).is(30 * DAY + 299, DisabledSuspected).is(30 * DAY + 300, Recovering);
    assert_eq!(told.0.first_failure, None);
}

#[test]
fn without_a_failure_the_series_begins_with_the_entry() {
    let mut told = Told::entra();
    told.check(0, 200);
    for object in 0..300 {
        told.with(0, Kind::Write, Some(object), 200, |seen| seen.deprovision = true);
    }
    told.is(7199, AtRisk).is(7200, LikelyQuarantined).is(7199 + 28 * DAY, LikelyQuarantined);
    told.is(7200 + 28 * DAY, DisabledSuspected);
}

#[test]
fn event_driven_idps_have_three_states() {
    let mut told = Told::okta();
    told.write(0, 1, 400).is(0, AtRisk).risk(0, StuckTasks, 0.263).is(40 * DAY, AtRisk);
    // The task is forgotten at the next close or checkpoint after 49 hours.
    told.find(40 * DAY, 2, 200).is(40 * DAY + 299, AtRisk).is(40 * DAY + 300, Healthy).is(99 * DAY, Healthy);
    let mut told = Told::okta();
    for n in 0..20 {
        told.check(n * 2400, 401);
    }
    told.is(20 * 2400, Healthy);
}

#[test]
fn there_auth_and_connection_answers_fail_an_object_and_throttles_do_not() {
    let mut told = Told::okta();
    told.find(0, 1, 404).write(1, 2, 401).risk(1, StuckTasks, 0.276).write(2, 3, 429).risk(2, StuckTasks, 0.276);
    told.risk(2, ThrottleAttempts, 0.1).find(3, 1, 200).write(4, 2, 201).risk(4, StuckTasks, 0.0).is(303, AtRisk);
    told.is(304, Healthy);
}

#[test]
fn there_a_passing_lookup_does_not_end_the_run_of_writes() {
    let mut told = Told::okta();
    for attempt in 0..12 {
        told.find(attempt, 1, 200).write(attempt, 1, 429);
    }
    told.risk(12, ThrottleAttempts, 0.9).write(13, 1, 500).risk(13, ThrottleAttempts, 0.0).risk(13, StuckTasks, 0.263);
    told.find(14, 5, 429).find(15, 5, 429).risk(15, ThrottleAttempts, 0.2).find(16, 5, 200);
    told.risk(16, ThrottleAttempts, 0.0);
}

#[test]
fn a_profile_that_is_found_later_maps_the_state() {
    let mut told = Told::entra();
    told.check(0, 401).is(300, LikelyQuarantined);
    told.0.set_profile(Profile::Events);
    told.is(300, Healthy).is(99 * DAY, Healthy);
}

#[test]
fn fewer_failures_than_the_minimum_are_never_enough() {
    let mut told = Told::entra();
    told.check(0, 200);
    for object in 0..4999 {
        told.write(object / 100, object, 400);
    }
    for object in 4999..9000 {
        told.write(60, object, 200);
    }
    told.is(360, AtRisk).write(400, 4999, 400).check(400, 200).is(700, LikelyQuarantined);
}

/// Who is told why.
mod culprits {
    use super::*;
    use crate::observe::ledger::Cause;

    fn texts(told: &Told) -> Vec<String> {
        told.0.culprits().into_iter().map(|culprit| culprit.text).collect()
    }

    impl Told {
        /// With the cause that the proxy would give.
        fn fails(&mut self, at: u64, kind: Kind, object: Option<u64>, status: u16) -> &mut Self {
            self.fails_with(at, kind, object, status, |_| ())
        }

        fn fails_with(
            &mut self,
            at: u64,
            kind: Kind,
            object: Option<u64>,
            status: u16,
            change: impl Fn(&mut Observation),
        ) -> &mut Self {
            let resource = "Users";
            let cause = Cause { resource, status, scim_type: None, attribute: None, quirk: None, refusal: None };
            self.with(at, kind, object, status, |seen| {
                seen.cause = Some(Box::new(cause.clone()));
                change(seen);
            })
        }
    }

    #[test]
    fn refused_credentials_are_not_put_down_to_an_old_failure() {
        let mut told = Told::entra();
        told.check(0, 200).fails_with(1, Kind::Write, Some(1), 400, |seen| seen.reference = true);
        assert_eq!(texts(&told), ["1 User, 400, 100 % of failures"], "at no risk, what fails at all");
        told.fails(2400, Kind::Filter, Some(2), 401).fails(2401, Kind::Write, Some(3), 401).is(2401, AtRisk);
        assert_eq!(texts(&told), ["2 answers 401 (Users), 100 % of refused credentials"]);
        told.is(2701, LikelyQuarantined);
        assert_eq!(texts(&told), ["2 answers 401 (Users), 100 % of refused credentials"]);
        // A refused check stands until a check is answered otherwise.
        told.say(9000, Kind::Probe, None, 403);
        assert_eq!(
            texts(&told),
            ["2 answers 401 (Users), 67 % of refused credentials", "1 check 403, 33 % of refused credentials",]
        );
        told.check(20_000, 200);
        assert_eq!(texts(&told), ["1 User, 400, 100 % of failures"]);
    }

    #[test]
    fn two_cycles_with_a_refused_check_are_put_down_to_it() {
        let mut told = Told::entra();
        told.check(0, 401).check(2400, 401);
        assert_eq!(told.0.score().reason(), Some(Connection), "both are full");
        assert_eq!(texts(&told), ["2 checks 401, 100 % of refused credentials"]);
    }

    #[test]
    fn dead_cycles_are_put_down_to_checks_and_lookups_until_one_lives() {
        let mut told = Told::entra();
        told.cycles([0]).fails(1, Kind::Write, Some(9), 400).check(2400, 503);
        assert_eq!(texts(&told), ["1 check 503, 100 % of failed checks"]);
        told.fails(2401, Kind::Filter, Some(2), 404).check(4800, 0);
        assert_eq!(
            texts(&told),
            [
                "1 check 503, 33 % of failures of the connection",
                "1 lookup 404 (Users), 33 % of failures of the connection",
                "1 check without an answer, 33 % of failures of the connection",
            ]
        );
        told.check(7200, 200);
        assert_eq!(texts(&told), ["1 User, 400, 100 % of failures"]);
        told.check(9600, 502);
        assert_eq!(texts(&told), ["1 check 502, 100 % of failed checks"], "the run before it is forgotten");
    }

    #[test]
    fn a_cycle_that_is_dead_by_its_objects_is_put_down_to_them() {
        let mut told = Told::entra();
        told.check(0, 200);
        for object in 0..3 {
            told.fails(2400, Kind::Write, Some(object), 500);
        }
        assert_eq!(
            (told.0.score().reason(), texts(&told)),
            (Some(Connection), vec!["3 Users, 500, 100 % of failures".to_owned()])
        );
    }

    #[test]
    fn references_have_no_part_in_what_they_are_not_counted_for() {
        let mut told = Told::entra();
        told.check(0, 200);
        for object in 0..12 {
            told.fails(1, Kind::Write, Some(object), 400);
            told.fails_with(1, Kind::Write, Some(object), 409, |seen| seen.reference = true);
        }
        assert_eq!(
            (told.0.score().reason(), texts(&told)),
            (Some(Calls), vec!["12 Users, 400, 100 % of failures".to_owned()])
        );
    }

    #[test]
    fn deletions_and_attempts_have_words_of_their_own() {
        let mut told = Told::entra();
        told.check(0, 200);
        for object in 0..300 {
            told.with(1, Kind::Write, Some(object), 204, |seen| seen.deprovision = true);
        }
        told.fails(2, Kind::Write, Some(999), 400);
        assert_eq!(texts(&told), ["300 objects deprovisioned in one cycle, 60 % of the threshold of 500"]);
        let mut told = Told::okta();
        for attempt in 0..4 {
            told.fails(attempt, Kind::Write, Some(1), 429);
        }
        assert_eq!(
            texts(&told),
            [
                "1 object told to wait 4 times in a row, 40 % of the attempts before it gives up",
                "1 User, 429, 100 % of failures",
            ]
        );
    }

    #[test]
    fn a_check_that_was_a_lookup_is_put_down_as_one() {
        let mut told = Told::entra();
        told.cycles([0]);
        let cause = Cause { resource: "Users", ..crate::observe::ledger::causes::others(503) };
        let look = Observation { guid: true, cause: Some(Box::new(cause)), ..exchange(Kind::Filter, Some(9), 503) };
        told.0.observe(Moment(2_400_000), &look);
        assert_eq!(texts(&told), ["1 check 503, 100 % of failed checks"]);
        told.0.observe(Moment(2_401_000), &exchange(Kind::Write, Some(9), 401));
        assert_eq!(texts(&told), ["1 answer 401, 100 % of refused credentials"]);
        told.0.observe(Moment(2_402_000), &exchange(Kind::Filter, Some(8), 200));
        assert_eq!(texts(&told), ["1 User, 503, 100 % of failures"]);
    }
}

/// What the proxy sees does not say whether it is a check.
mod live {
    use super::*;

    fn look(guid: bool, object: u64, status: u16, matches: u32) -> Observation {
        let matches = (status == 200).then_some(matches);
        Observation { guid, matches, ..exchange(Kind::Filter, Some(object), status) }
    }

    /// The book knows objects 1 and 2.
    fn book() -> Book {
        let mut told = Told::entra();
        told.cycles([0]).write(1, 1, 200).write(2, 2, 200);
        told.0
    }

    fn say(book: &mut Book, at: u64, seen: &Observation) {
        book.observe(Moment(at * 1000), seen);
    }

    fn dead(book: &Book) -> bool {
        book.score().components().any(|(component, value)| component == Connection && value > 0.0)
    }

    #[test]
    fn the_first_lookup_of_all_is_a_check() {
        let mut book = Book::new(Profile::Cycles, 500, Moment(0));
        say(&mut book, 0, &look(false, 1, 503, 0));
        assert!(dead(&book));
    }

    #[test]
    fn a_guid_that_is_not_known_and_finds_nothing_is_a_check() {
        let mut book = book();
        say(&mut book, 1000, &look(true, 9, 200, 0));
        assert_eq!((book.counts().succeeded, book.cycle.as_ref().unwrap().check), (3, Some(true)));
        say(&mut book, 1001, &look(true, 1, 200, 0));
        say(&mut book, 1002, &look(false, 8, 200, 0));
        say(&mut book, 1003, &look(true, 7, 200, 1));
        assert_eq!((book.cycle.as_ref().unwrap().checks, book.counts().succeeded), (1, 5));
    }

    #[test]
    fn a_guid_that_fails_is_a_check_only_at_the_beginning() {
        let mut begun = book();
        say(&mut begun, 1000, &look(true, 9, 503, 0));
        say(&mut begun, 1001, &look(true, 10, 503, 0));
        assert!(dead(&begun) && begun.counts().failing == 0);
        let mut amid = book();
        say(&mut amid, 1000, &look(false, 1, 200, 1));
        say(&mut amid, 1001, &look(true, 9, 503, 0));
        assert!(!dead(&amid) && amid.counts().failing == 1);
    }

    #[test]
    fn a_write_that_follows_makes_it_a_lookup_after_all() {
        let mut book = book();
        say(&mut book, 1000, &exchange(Kind::Probe, None, 503));
        assert!(dead(&book));
        say(&mut book, 1001, &look(true, 9, 200, 0));
        assert!(!dead(&book), "a check that passed mends one that failed");
        say(&mut book, 1002, &exchange(Kind::Write, Some(9), 201));
        assert!(dead(&book), "and a lookup does not");
    }

    #[test]
    fn the_id_of_an_answer_is_another_name_of_the_object() {
        let mut book = book();
        let create = Observation { also: Some(100), ..exchange(Kind::Write, Some(50), 201) };
        say(&mut book, 1000, &create);
        say(&mut book, 1001, &exchange(Kind::Write, Some(100), 400));
        assert_eq!((book.counts().failing, book.counts().succeeded), (1, 3));
        say(&mut book, 1002, &exchange(Kind::Write, Some(50), 200));
        assert_eq!((book.counts().failing, book.counts().succeeded), (0, 4));
        // Names that were used apart before.
        say(&mut book, 1003, &exchange(Kind::Write, Some(200), 400));
        say(&mut book, 1004, &look(false, 60, 400, 0));
        assert_eq!(book.counts().failing, 2);
        say(&mut book, 1005, &Observation { also: Some(200), ..look(false, 60, 200, 1) });
        assert_eq!((book.counts().failing, book.counts().succeeded), (1, 4), "the write still fails");
    }
}
