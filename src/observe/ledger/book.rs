//! The book of one tenant: what has come, and what follows from it.
//!
//! All that happens is an exchange or a timer. Timers that are due run first, so that the outcome does not depend on
//! how often anybody looks; a close comes before a checkpoint, and that before silence.

use std::collections::VecDeque;

use super::{
    Component, Culprit, Kind, Moment, Observation, State, View,
    causes::{Causes, noun, others},
    classify::{Answer, Class, classify},
    cycle::{CHECKPOINT, Cycle, GAP, Outcome, Runs, Share},
    distinct::Distinct,
    faults::{Fault, Faults},
    forecast::Growth,
    history::History,
    names::Names,
    objects::{Failing, Sort},
    rhythm::Rhythm,
    score::{ATTEMPTS, Counts, Inputs, Profile, Score},
};
use crate::quirk::Idp;

/// Risk at which a tenant becomes at risk, and below which it is healthy again: apart, so that it does not flap.
const ENTER: f64 = 0.25;
const EXIT: f64 = 0.15;
/// Silence is three periods, and never less than this, in milliseconds.
const PERIODS: u64 = 3;
const SILENCE: u64 = 7_200_000;
/// Published: a job in quarantine is switched off after 28 days.
const DISABLE: u64 = 28 * 86_400_000;
/// Published: attempts of a job in quarantine after 6, 12 and 24 hours, then daily.
const HOUR: u64 = 3_600_000;
/// Further good cycles that end a recovery.
const RECOVERED: u8 = 2;
/// Lookups that may turn out to be checks: as many as an IdP has open at once.
const DOUBTS: usize = 32;
const NEVER: Moment = Moment(u64::MAX);

/// A state became another.
#[derive(Debug, Clone, Copy)]
pub(super) struct Change {
    pub(super) at: Moment,
    pub(super) from: State,
    pub(super) to: State,
    pub(super) risk: f64,
    pub(super) reason: Option<Component>,
    pub(super) eta: f64,
}

/// What has happened and was not told yet.
#[derive(Debug, Clone, Default)]
pub(super) struct Notes {
    pub(super) changes: Vec<Change>,
    /// Cycles that closed, by [`Outcome::ALL`].
    pub(super) cycles: [u32; 4],
    pub(super) deprovisioned: u32,
    /// State or risk changed in a way that can be seen.
    pub(super) visible: bool,
}

impl Notes {
    pub(super) fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.cycles == [0; 4] && self.deprovisioned == 0 && !self.visible
    }
}

/// A lookup that was taken for a check until a write shows otherwise.
#[derive(Debug, Clone)]
struct Doubt {
    object: u64,
    seen: Observation,
    /// As a check, and as a lookup.
    classes: (Class, Class),
    /// Which check of its cycle it was, and what it changed.
    number: u64,
    check: Option<bool>,
    refused: bool,
}

/// In the order in which they run at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    Close,
    Checkpoint,
    Silence,
    Disable,
}

/// One tenant.
#[derive(Debug, Clone)]
pub(super) struct Book {
    pub(super) profile: Profile,
    pub(super) threshold: u32,
    pub(super) state: State,
    pub(super) since: Moment,
    /// The latest moment that was heard of; it does not go back.
    pub(super) now: Moment,
    due: Moment,
    pub(super) failing: Failing,
    pub(super) references: Failing,
    /// `T` of the model: failing or succeeded.
    pub(super) seen: Distinct,
    pub(super) names: Names,
    pub(super) rhythm: Rhythm,
    pub(super) cycle: Option<Cycle>,
    pub(super) runs: Runs,
    /// Auth answers in a row.
    pub(super) refusals: u32,
    /// A check was refused and none answered otherwise since.
    pub(super) refused: bool,
    /// Deprovisioned in the last cycle.
    pub(super) deprovisioned: u64,
    /// Good cycles after the one that ended quarantine.
    pub(super) good: u8,
    /// The first answer that was neither success nor neutral after the close of the last good cycle.
    pub(super) first_failure: Option<Moment>,
    pub(super) last_request: Option<Moment>,
    pub(super) last_success: Option<Moment>,
    pub(super) growth: Growth,
    /// Why credentials are refused, or cycles dead.
    pub(super) faults: Faults,
    causes: Causes,
    history: History,
    doubts: VecDeque<Doubt>,
    score: Score,
    shown: (State, u8),
    pub(super) notes: Notes,
}

/// Event-driven IdPs have no cycles; those that are not known are taken for Entra.
pub(super) fn profile(idp: Idp) -> Profile {
    match idp {
        Idp::Okta | Idp::Ping => Profile::Events,
        Idp::Auto | Idp::Authentik | Idp::Entra | Idp::Generic | Idp::Google | Idp::Jumpcloud | Idp::Onelogin => {
            Profile::Cycles
        }
    }
}

impl Book {
    pub(super) fn new(profile: Profile, threshold: u32, now: Moment) -> Self {
        let mut book = Self {
            profile,
            threshold,
            state: State::Unknown,
            since: now,
            now,
            due: NEVER,
            failing: Failing::default(),
            references: Failing::default(),
            seen: Distinct::default(),
            names: Names::default(),
            rhythm: Rhythm::default(),
            cycle: None,
            runs: Runs::default(),
            refusals: 0,
            refused: false,
            deprovisioned: 0,
            good: 0,
            first_failure: None,
            last_request: None,
            last_success: None,
            growth: Growth::default(),
            faults: Faults::default(),
            causes: Causes::default(),
            history: History::default(),
            doubts: VecDeque::new(),
            score: Score::default(),
            shown: (State::Unknown, 0),
            notes: Notes::default(),
        };
        book.refresh();
        book
    }

    /// When something happens by itself.
    pub(super) fn due(&self) -> Moment {
        self.due
    }

    pub(super) fn risk(&self) -> f64 {
        self.score.risk()
    }

    pub(super) fn score(&self) -> &Score {
        &self.score
    }

    /// The profile was found or changed: a state that the other one does not have becomes the nearest.
    pub(super) fn set_profile(&mut self, profile: Profile) {
        if self.profile == profile {
            return;
        }
        self.profile = profile;
        self.refresh();
        let foreign =
            !matches!(self.state, State::Unknown | State::Healthy | State::AtRisk) && profile == Profile::Events;
        if foreign {
            let to = if self.risk() >= ENTER { State::AtRisk } else { State::Healthy };
            self.change(self.now, to);
        }
        self.plan();
    }

    /// The threshold of `mass_delete`.
    pub(super) fn set_threshold(&mut self, threshold: u32) {
        self.threshold = threshold;
        self.refresh();
    }

    /// Notes an exchange of the proxy, which does not know checks from lookups; tells what it was taken for.
    pub(super) fn observe(&mut self, now: Moment, seen: &Observation) -> (Kind, Class) {
        let now = self.begin(now);
        let object = self.object(seen);
        let kind = self.kind(seen, object);
        (kind, self.decide(now, kind, seen, object))
    }

    /// Notes an exchange of which was written down what [`Book::observe`] took it for: a lookup that was taken for a
    /// check is one, until a write shows otherwise here too.
    pub(super) fn observe_again(&mut self, now: Moment, seen: &Observation) -> Class {
        let now = self.begin(now);
        let object = self.object(seen);
        self.decide(now, seen.kind, seen, object)
    }

    /// Notes an exchange whose kind is as it says.
    pub(super) fn observe_as_told(&mut self, now: Moment, seen: &Observation) -> Class {
        let now = self.begin(now);
        let object = self.object(seen);
        self.note(now, seen.kind, seen, object)
    }

    /// Runs the timers that are due.
    pub(super) fn advance(&mut self, now: Moment) {
        if self.since == Moment::default() {
            // It was made where the time was not known.
            self.since = now;
        }
        if now >= self.due {
            while let Some((at, timer)) = self.next_timer()
                && at <= now
            {
                self.now = self.now.max(at);
                match timer {
                    Timer::Close => self.close(at),
                    Timer::Checkpoint => self.checkpoint(at),
                    Timer::Silence => self.fall_silent(at),
                    Timer::Disable => {
                        self.change(at, State::DisabledSuspected);
                        self.show(at);
                    }
                }
            }
            self.plan();
        }
        self.now = self.now.max(now);
    }

    /// Seconds until quarantine; infinite for none in sight.
    pub(super) fn eta(&self, now: Moment) -> f64 {
        let counts = self.counts();
        match (self.profile, self.state) {
            (Profile::Events, _) => return f64::INFINITY,
            (Profile::Cycles, State::LikelyQuarantined | State::DisabledSuspected) => return 0.0,
            (Profile::Cycles, _) if counts.is_enough() => return 0.0,
            (Profile::Cycles, _) => {}
        }
        let stands = self.refused || self.running_runs().dead > 0;
        let check = self.rhythm.start.zip(self.rhythm.assumed()).filter(|_| stands);
        let check = check.map_or(f64::INFINITY, |(start, period)| {
            (start.0.saturating_add(period)).saturating_sub(now.0) as f64 / 1000.0
        });
        self.growth.until(now, counts).min(check)
    }

    pub(super) fn counts(&self) -> Counts {
        let failing = self.failing.len();
        Counts { failing, references: self.references.len(), succeeded: self.seen.len().saturating_sub(failing) }
    }

    /// When the IdP is expected to knock, and to switch off.
    pub(super) fn estimates(&self, now: Moment) -> Option<(Moment, Moment)> {
        let first = self.first_failure.filter(|_| self.state == State::LikelyQuarantined)?;
        let hours = now.0.saturating_sub(first.0) / HOUR;
        let next = match hours {
            0..6 => 6,
            6..12 => 12,
            _ => (hours / 24 + 1) * 24,
        };
        Some((Moment(first.0.saturating_add(next * HOUR)), Moment(first.0.saturating_add(DISABLE))))
    }

    /// As operators see it.
    pub(super) fn view(&self, tenant: &str, label: &str, now: Moment, with_history: bool) -> View {
        let seconds = |moment: Moment| moment.0 as f64 / 1000.0;
        let counts = self.counts();
        let estimates = self.estimates(now);
        View {
            tenant: tenant.to_owned(),
            label: label.to_owned(),
            state: self.state,
            since: seconds(self.since),
            risk: self.risk(),
            reason: self.score.reason(),
            components: self.score.components().collect(),
            eta_s: Some(self.eta(now)).filter(|eta| eta.is_finite()),
            failing: counts.failing,
            failing_references: counts.references,
            succeeded: counts.succeeded,
            budget: self.budget(),
            period_s: self.period(),
            last_request: self.last_request.map(seconds),
            last_success: self.last_success.map(seconds),
            next_attempt: estimates.map(|(next, _)| seconds(next)),
            disable: estimates.map(|(_, disable)| seconds(disable)),
            culprits: self.culprits(),
            history: if with_history { self.history.samples() } else { Vec::new() },
        }
    }

    /// The learned period in seconds; an event-driven IdP has none.
    pub(super) fn period(&self) -> Option<f64> {
        let period = self.rhythm.trusted().filter(|_| self.profile == Profile::Cycles);
        period.map(|period| period as f64 / 1000.0)
    }

    /// What accounts for the component that is the risk.
    pub(super) fn culprits(&self) -> Vec<Culprit> {
        let objects = |references| self.causes.culprits(&self.failing, references);
        match self.score.reason() {
            Some(Component::Auth) => self.faults.culprits(true),
            // Also dead is a cycle in which objects fail and nothing succeeds.
            Some(Component::Connection) if self.faults.is_empty() => objects(Some(&self.references)),
            Some(Component::Connection) => self.faults.culprits(false),
            Some(Component::Calls | Component::EscrowBase | Component::EscrowProportion) => objects(None),
            Some(Component::MassDelete) => vec![self.deletions()],
            Some(Component::ThrottleAttempts) => {
                let mut culprits = vec![self.attempts()];
                culprits.extend(objects(Some(&self.references)));
                culprits
            }
            Some(Component::EscrowTotal | Component::StuckTasks) | None => objects(Some(&self.references)),
        }
    }

    fn deletions(&self) -> Culprit {
        let (objects, threshold) = (self.cycle_deprovisioned(), self.threshold.max(1));
        let share = objects as f64 / f64::from(threshold);
        let (noun, percent) = (noun("", objects), (share * 100.0).round());
        let text = format!("{objects} {noun} deprovisioned in one cycle, {percent} % of the threshold of {threshold}");
        Culprit { cause: others(0), objects, share: share.min(1.0), text }
    }

    fn attempts(&self) -> Culprit {
        let waits = self.waits();
        let objects = self.failing.waiting(waits) + self.references.waiting(waits);
        let share = f64::from(waits) / ATTEMPTS;
        let (noun, percent) = (noun("", objects), (share * 100.0).round());
        let times = if waits == 1 { "once" } else { &*format!("{waits} times in a row") };
        let text = format!("{objects} {noun} told to wait {times}, {percent} % of the attempts before it gives up");
        Culprit { cause: others(429), objects, share: share.min(1.0), text }
    }

    /// The running cycle's, between cycles the last one's.
    fn cycle_deprovisioned(&self) -> u64 {
        self.cycle.as_ref().map_or(self.deprovisioned, |cycle| cycle.deprovisioned.len())
    }

    /// The longest run of 429 on one object.
    fn waits(&self) -> u8 {
        self.failing.waits().max(self.references.waits())
    }

    /// What is left until the nearest published figure; an event-driven IdP has none.
    pub(super) fn budget(&self) -> f64 {
        match self.profile {
            Profile::Cycles => self.counts().budget(),
            Profile::Events => 1.0,
        }
    }

    /// What was kept is whole: everything that follows from it is computed again.
    pub(super) fn resume(&mut self) {
        self.refresh();
        self.shown = (self.state, percent(self.risk()));
        self.notes = Notes::default();
        self.plan();
    }

    fn begin(&mut self, now: Moment) -> Moment {
        let now = now.max(self.now);
        self.advance(now);
        if self.cycle.is_none() {
            let interval = self.rhythm.start(now, self.state);
            self.cycle = Some(Cycle::new(now, interval));
        }
        now
    }

    /// The name that counts, after what this exchange tells of names.
    fn object(&mut self, seen: &Observation) -> Option<u64> {
        let (Some(object), Some(also)) = (seen.object, seen.also) else {
            let name = seen.object.or(seen.also)?;
            return Some(self.names.find(name).unwrap_or(name));
        };
        let known = (self.names.find(object), self.names.find(also));
        let counts = match known {
            // The id is what lasts; a value may pass from one object to another.
            (_, Some(counts)) | (Some(counts), None) => counts,
            (None, None) if self.knows(also) && !self.knows(object) => also,
            (None, None) => object,
        };
        for (name, before) in [(object, known.0), (also, known.1)] {
            if name != counts && before != Some(counts) {
                self.names.link(name, counts);
                if before.is_none() {
                    self.merge(name, counts);
                }
            }
        }
        Some(counts)
    }

    fn knows(&self, object: u64) -> bool {
        self.seen.contains(object).unwrap_or(false) || self.failing.contains(object) || self.references.contains(object)
    }

    fn merge(&mut self, from: u64, to: u64) {
        self.failing.rename(from, to);
        self.references.rename(from, to);
        let cycle = self.cycle.iter_mut().flat_map(|cycle| [&mut cycle.seen, &mut cycle.deprovisioned]);
        for set in cycle.chain([&mut self.seen]) {
            if set.remove(from) {
                set.insert(to);
            }
        }
    }

    /// A lookup by a bare GUID of nothing known that finds nothing, or fails while only checks have come in this cycle,
    /// is a check; so is a first lookup while nothing at all is known.
    fn kind(&self, seen: &Observation, object: Option<u64>) -> Kind {
        let (Kind::Filter, Some(cycle)) = (seen.kind, &self.cycle) else { return seen.kind };
        let knows_none = self.seen.len() == 0 && self.failing.len() == 0 && self.references.len() == 0;
        if knows_none && cycle.requests == 0 {
            return Kind::Probe;
        }
        if !seen.guid || object.is_some_and(|object| self.knows(object)) {
            return Kind::Filter;
        }
        let answered = (200..300).contains(&seen.status) && seen.scim;
        let is_check = if answered { seen.matches == Some(0) } else { cycle.requests == cycle.checks };
        if is_check { Kind::Probe } else { Kind::Filter }
    }

    fn decide(&mut self, now: Moment, kind: Kind, seen: &Observation, object: Option<u64>) -> Class {
        match (kind, object) {
            (Kind::Write, Some(object)) => self.settle_doubt(now, object),
            (Kind::Probe, Some(object)) => self.doubt(seen, object),
            (Kind::Filter | Kind::Get | Kind::Probe | Kind::Write, _) => {}
        }
        self.note(now, kind, seen, object)
    }

    fn note(&mut self, now: Moment, kind: Kind, seen: &Observation, object: Option<u64>) -> Class {
        let class = self.classify(kind, seen);
        if let Some(fault) = Fault::of(kind, class, seen) {
            self.faults.add(fault, 1);
        }
        if let Some(cycle) = &mut self.cycle {
            cycle.note(now, kind, class);
        }
        if kind == Kind::Probe {
            self.refused = class == Class::Auth;
        }
        match class {
            Class::Auth => self.refusals = self.refusals.saturating_add(1),
            Class::Ok => self.refusals = 0,
            Class::Connection | Class::Neutral | Class::Object | Class::Reference | Class::Throttle => {}
        }
        if !matches!(class, Class::Ok | Class::Neutral) {
            self.first_failure.get_or_insert(now);
        }
        self.last_request = Some(now);
        if class == Class::Ok {
            self.last_success = Some(now);
        }
        if kind != Kind::Probe
            && let Some(object) = object
        {
            let cause = self.causes.place(seen.cause.as_deref(), &self.failing, &self.references);
            let sort = if kind == Kind::Write { Sort::Write } else { Sort::Read };
            self.outcome(now, object, sort, class, (seen.reference, seen.status == 429), cause);
            if class == Class::Ok && (seen.deprovision || seen.delete) {
                self.deprovision(object);
            }
        }
        self.after_exchange(now, class);
        class
    }

    fn classify(&self, kind: Kind, seen: &Observation) -> Class {
        classify(&Answer {
            kind,
            delete: seen.delete,
            status: seen.status,
            scim: seen.scim,
            several: kind == Kind::Filter && seen.matches.is_some_and(|matches| matches > 1),
            reference: seen.reference,
            trusted: self.cycle.as_ref().is_some_and(|cycle| cycle.succeeded),
        })
    }

    /// What became of an object.
    fn outcome(
        &mut self,
        now: Moment,
        object: u64,
        sort: Sort,
        class: Class,
        (reference, throttled): (bool, bool),
        cause: u8,
    ) {
        self.failing.touch(object, now);
        self.references.touch(object, now);
        let runs = self.profile == Profile::Events;
        let class = match class {
            // A task fails there, whatever the reason.
            Class::Auth | Class::Connection if runs && reference => Class::Reference,
            Class::Auth | Class::Connection if runs => Class::Object,
            // A run of 429 is one of all writes of an object.
            Class::Reference if runs && throttled => Class::Throttle,
            class => class,
        };
        match class {
            Class::Ok if reference => {
                self.failing.succeed_reference(object, runs);
                self.references.succeed(object, sort, runs);
                if runs {
                    self.failing.end_run(object, true);
                }
            }
            Class::Ok => {
                self.failing.succeed(object, sort, runs);
                self.count(object);
            }
            Class::Object | Class::Throttle => {
                // One that the full set does not take is not counted as succeeded either.
                if self.failing.fail(object, now, sort, throttled, cause) {
                    self.count(object);
                }
            }
            Class::Reference => {
                self.references.fail(object, now, sort, throttled, cause);
                if runs {
                    self.failing.end_run(object, false);
                }
            }
            Class::Auth | Class::Connection | Class::Neutral => {}
        }
    }

    fn count(&mut self, object: u64) {
        self.seen.insert(object);
        if let Some(cycle) = &mut self.cycle {
            cycle.seen.insert(object);
        }
    }

    fn deprovision(&mut self, object: u64) {
        if let Some(cycle) = &mut self.cycle
            && cycle.deprovisioned.insert(object)
        {
            self.notes.deprovisioned += 1;
        }
    }

    fn doubt(&mut self, seen: &Observation, object: u64) {
        let classes = (self.classify(Kind::Probe, seen), self.classify(Kind::Filter, seen));
        let Some(cycle) = &self.cycle else { return };
        if self.doubts.len() == DOUBTS {
            self.doubts.pop_front();
        }
        let (number, check, refused) = (cycle.checks + 1, cycle.check, self.refused);
        self.doubts.push_back(Doubt { object, seen: seen.clone(), classes, number, check, refused });
    }

    /// A write for an object whose lookup was taken for a check: it was none.
    fn settle_doubt(&mut self, now: Moment, object: u64) {
        let Some(at) = self.doubts.iter().position(|doubt| doubt.object == object) else { return };
        let (Some(doubt), Some(cycle)) = (self.doubts.remove(at), &mut self.cycle) else { return };
        let Doubt { seen, classes: (as_check, as_lookup), .. } = doubt;
        cycle.gone |= as_lookup == Class::Connection;
        if cycle.checks == doubt.number {
            // No check came after it that would have said something of its own.
            (cycle.check, self.refused) = (doubt.check, doubt.refused);
            cycle.checks -= 1;
            if let Some(fault) = Fault::of(Kind::Probe, as_check, &seen) {
                self.faults.take(&fault);
            }
            if let Some(fault) = Fault::of(Kind::Filter, as_lookup, &seen) {
                self.faults.add(fault, 1);
            }
        }
        let cause = self.causes.place(seen.cause.as_deref(), &self.failing, &self.references);
        self.outcome(now, object, Sort::Read, as_lookup, (false, seen.status == 429), cause);
    }

    fn after_exchange(&mut self, now: Moment, class: Class) {
        self.refresh();
        self.growth.note(now, self.counts());
        self.alarm(now);
        match self.state {
            State::Unknown => self.change(now, State::Healthy),
            State::Silent if class == Class::Ok => self.change(now, State::Healthy),
            State::AtRisk
            | State::DisabledSuspected
            | State::Healthy
            | State::LikelyQuarantined
            | State::Recovering
            | State::Silent => {}
        }
        self.show(now);
        self.plan();
    }

    /// At once, in a state in which nothing worse is suspected.
    fn alarm(&mut self, at: Moment) {
        if self.risk() >= ENTER && matches!(self.state, State::Unknown | State::Healthy | State::Silent) {
            self.change(at, State::AtRisk);
        }
    }

    fn next_timer(&self) -> Option<(Moment, Timer)> {
        let after = |from: Option<Moment>, by: u64| from.map(|from| Moment(from.0.saturating_add(by)));
        let close = after(self.cycle.as_ref().map(|cycle| cycle.last), GAP);
        let checkpoint = self.cycle.as_ref().map(|cycle| cycle.checkpoint);
        let silence = self.patience().and_then(|patience| after(self.last_request, patience));
        let disable = after(self.first_failure.filter(|_| self.state == State::LikelyQuarantined), DISABLE);
        [(close, Timer::Close), (checkpoint, Timer::Checkpoint), (silence, Timer::Silence), (disable, Timer::Disable)]
            .into_iter()
            .filter_map(|(at, timer)| Some((at?, timer)))
            .min()
    }

    /// How long idle means something in this state.
    fn patience(&self) -> Option<u64> {
        let period = match (self.profile, self.state) {
            (Profile::Cycles, State::Healthy | State::Recovering) => self.rhythm.trusted(),
            (Profile::Cycles, State::AtRisk) => self.rhythm.assumed(),
            (Profile::Cycles | Profile::Events, _) => None,
        }?;
        Some((PERIODS * period).max(SILENCE))
    }

    fn fall_silent(&mut self, at: Moment) {
        let to = if self.state == State::AtRisk { State::LikelyQuarantined } else { State::Silent };
        self.change(at, to);
        self.show(at);
    }

    fn close(&mut self, at: Moment) {
        let Some(cycle) = self.cycle.take() else { return };
        let share = self.share(&cycle);
        self.expire(at);
        self.failing.close();
        self.references.close();
        self.doubts.clear();
        self.runs.close(&cycle, share);
        self.deprovisioned = cycle.deprovisioned.len();
        let outcome = Outcome::of(&cycle, share, self.counts().is_enough());
        self.notes.cycles[outcome as usize] += 1;
        self.refresh();
        self.judge(at, &cycle, share, self.runs);
        self.leave(at, &cycle, outcome);
        if outcome == Outcome::Good {
            self.first_failure = None;
        }
        self.alarm(at);
        self.show(at);
    }

    fn checkpoint(&mut self, at: Moment) {
        let Some(mut cycle) = self.cycle.take() else { return };
        cycle.checkpoint = Moment(cycle.checkpoint.0.saturating_add(CHECKPOINT));
        let share = self.share(&cycle);
        self.expire(at);
        let runs = self.runs.with(Some((&cycle, share)));
        self.judge(at, &cycle, share, runs);
        self.cycle = Some(cycle);
        self.refresh();
        self.alarm(at);
        self.show(at);
    }

    /// Into quarantine, at a close or checkpoint.
    fn judge(&mut self, at: Moment, cycle: &Cycle, share: Share, runs: Runs) {
        let escrow = self.counts().is_enough();
        let enough = match (self.profile, self.state) {
            (Profile::Events, _) | (_, State::LikelyQuarantined | State::DisabledSuspected) => false,
            // A relapse needs no second proof.
            (Profile::Cycles, State::Recovering) => escrow || cycle.refused || cycle.is_dead(),
            (Profile::Cycles, State::Unknown | State::Healthy | State::AtRisk | State::Silent) => {
                escrow || runs.is_enough(cycle, share)
            }
        };
        if enough {
            self.change(at, State::LikelyQuarantined);
        }
    }

    /// Out of what was suspected, at a close.
    fn leave(&mut self, at: Moment, cycle: &Cycle, outcome: Outcome) {
        let good = outcome == Outcome::Good;
        match self.state {
            State::AtRisk if self.risk() < EXIT => self.change(at, State::Healthy),
            State::LikelyQuarantined | State::DisabledSuspected if good => {
                self.good = 0;
                self.change(at, State::Recovering);
            }
            State::Recovering if !good => self.good = 0,
            State::Recovering if self.keeps_rhythm(cycle) => {
                self.good += 1;
                if self.good >= RECOVERED {
                    self.change(at, State::Healthy);
                }
            }
            State::AtRisk
            | State::DisabledSuspected
            | State::Healthy
            | State::LikelyQuarantined
            | State::Recovering
            | State::Silent
            | State::Unknown => {}
        }
    }

    /// It began at most one and a half periods after the one before; whoever has no rhythm keeps any.
    fn keeps_rhythm(&self, cycle: &Cycle) -> bool {
        match (self.rhythm.assumed(), cycle.interval) {
            (None, _) => true,
            (Some(period), Some(interval)) => 2 * u128::from(interval) <= 3 * u128::from(period),
            (Some(_), None) => false,
        }
    }

    fn share(&self, cycle: &Cycle) -> Share {
        Share::new(self.failing.now(), cycle.seen.len())
    }

    fn running_runs(&self) -> Runs {
        self.runs.with(self.cycle.as_ref().map(|cycle| (cycle, self.share(cycle))))
    }

    fn expire(&mut self, at: Moment) {
        let seen = &mut self.seen;
        self.failing.expire(at, |object| {
            seen.forget(object);
        });
        self.references.expire(at, |_| ());
    }

    fn refresh(&mut self) {
        let runs = self.running_runs();
        self.faults.retain(self.refused || self.refusals > 0, runs.dead > 0);
        self.score = Score::new(
            self.profile,
            &Inputs {
                counts: self.counts(),
                share: runs.carried.unwrap_or_default(),
                dead: runs.dead,
                over: runs.over,
                refused: self.refused,
                refusals: self.refusals,
                deprovisioned: self.cycle_deprovisioned(),
                threshold: self.threshold,
                // A group that could not be pushed is a task that waits, too.
                stuck: self.failing.stuck() + self.references.stuck(),
                waits: self.waits(),
            },
        );
    }

    fn change(&mut self, at: Moment, to: State) {
        let from = std::mem::replace(&mut self.state, to);
        self.since = at;
        if to == State::LikelyQuarantined {
            self.first_failure.get_or_insert(at);
        }
        let (risk, reason, eta) = (self.risk(), self.score.reason(), self.eta(at));
        self.notes.changes.push(Change { at, from, to, risk, reason, eta });
    }

    fn show(&mut self, at: Moment) {
        self.history.note(at, self.state, &self.score);
        let shown = (self.state, percent(self.risk()));
        self.notes.visible |= shown != self.shown;
        self.shown = shown;
    }

    fn plan(&mut self) {
        self.due = self.next_timer().map_or(NEVER, |(at, _)| at);
    }
}

fn percent(risk: f64) -> u8 {
    (risk * 100.0).round().clamp(0.0, 100.0) as u8
}
