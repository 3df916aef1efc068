//! The risk: the greatest of its components. The maximum and not a product, so that one reason can be named.

use super::{Component, cycle::Share};

/// Published: failures before the proportion is judged, non-reference failures, all failures.
const FAILURES: u64 = 5_000;
const BASE: u64 = 40_000;
const TOTAL: u64 = 60_000;
/// The proportion; [`Share::is_over`] is the same in integers.
const PROPORTION: f64 = 0.40;
/// The share of a cycle at which `calls` is full.
const ALL_CALLS: f64 = 0.90;
/// Least `calls` while a cycle is over the proportion.
const FLOOR: f64 = 0.30;
/// Dead cycles, cycles over the proportion, and auth answers in a row that are full.
const DEAD: f64 = 2.0;
const OVER: f64 = 2.0;
const REFUSALS: f64 = 3.0;
/// Deletions alone are no proof.
const DELETED: f64 = 0.60;
/// An event-driven IdP never switches off: nothing is certain.
const EVENTS: f64 = 0.90;
/// Failed objects that make `stuck_tasks` full, and the attempts after which Okta gives up.
const STUCK: f64 = 50.0;
pub(super) const ATTEMPTS: f64 = 10.0;

/// Whether an IdP works in cycles, or sends each change when it happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Profile {
    #[default]
    Cycles,
    Events,
}

impl Profile {
    pub(super) fn components(self) -> &'static [Component] {
        match self {
            Self::Cycles => &Component::CYCLES,
            Self::Events => &Component::EVENTS,
        }
    }
}

/// `F`, `R` and `S` of the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Counts {
    pub(super) failing: u64,
    pub(super) references: u64,
    pub(super) succeeded: u64,
}

impl Counts {
    /// Predicate A: the published figures.
    pub(super) fn is_enough(self) -> bool {
        let Self { failing, references, succeeded } = self;
        (failing >= FAILURES && 5 * failing > 2 * (failing + succeeded))
            || failing > BASE
            || failing + references > TOTAL
    }

    fn proportion(self) -> f64 {
        Share::new(self.failing, self.failing + self.succeeded).ratio()
    }

    /// What is left until the nearest published figure.
    pub(super) fn budget(self) -> f64 {
        let used = self.escrow(self.proportion()).into_iter().fold(0.0, f64::max);
        (1.0 - used).clamp(0.0, 1.0)
    }

    /// By proportion, base, total.
    fn escrow(self, proportion: f64) -> [f64; 3] {
        let part = |count: u64, of: u64| count as f64 / of as f64;
        [
            part(self.failing, FAILURES).min(1.0) * (proportion / PROPORTION).min(1.0),
            part(self.failing, BASE).min(1.0),
            part(self.failing + self.references, TOTAL).min(1.0),
        ]
    }
}

/// What the components are made of.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Inputs {
    pub(super) counts: Counts,
    /// The share of the running cycle, else of the last that was judged.
    pub(super) share: Share,
    pub(super) dead: u32,
    pub(super) over: u32,
    /// A check was refused, and none has been answered otherwise since.
    pub(super) refused: bool,
    pub(super) refusals: u32,
    pub(super) deprovisioned: u64,
    pub(super) threshold: u32,
    pub(super) stuck: u64,
    pub(super) waits: u8,
}

/// The components of a profile, in its order.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Score {
    profile: Profile,
    values: [f64; 7],
}

impl Score {
    pub(super) fn new(profile: Profile, inputs: &Inputs) -> Self {
        let mut values = [0.0; 7];
        match profile {
            Profile::Cycles => values = cycles(inputs),
            Profile::Events => {
                values[0] = match inputs.stuck {
                    0 => 0.0,
                    stuck => (0.25 + 0.65 * stuck as f64 / STUCK).min(EVENTS),
                };
                values[1] = (f64::from(inputs.waits) / ATTEMPTS).min(EVENTS);
            }
        }
        Self { profile, values }
    }

    pub(super) fn values(&self) -> &[f64] {
        &self.values[..self.profile.components().len()]
    }

    pub(super) fn components(&self) -> impl Iterator<Item = (Component, f64)> + '_ {
        self.profile.components().iter().copied().zip(self.values.iter().copied())
    }

    pub(super) fn risk(&self) -> f64 {
        self.values().iter().copied().fold(0.0, f64::max)
    }

    /// The component that is the risk.
    pub(super) fn reason(&self) -> Option<Component> {
        let risk = self.risk();
        self.components().find(|(_, value)| *value == risk && risk > 0.0).map(|(component, _)| component)
    }
}

/// In the order of [`Component::CYCLES`].
fn cycles(inputs: &Inputs) -> [f64; 7] {
    let q = inputs.share.ratio();
    let [proportion, base, total] = inputs.counts.escrow(inputs.counts.proportion().max(q));
    let connection = (f64::from(inputs.dead) / DEAD).min(1.0);
    let auth = if inputs.refused { 1.0 } else { (f64::from(inputs.refusals) / REFUSALS).min(1.0) };
    let steep = ((q - PROPORTION) / (ALL_CALLS - PROPORTION)).clamp(0.0, 1.0);
    let calls = steep * (f64::from(inputs.over) / OVER).min(1.0);
    let floor = if inputs.share.is_over() { FLOOR } else { 0.0 };
    let deleted = 0.5 * inputs.deprovisioned as f64 / f64::from(inputs.threshold.max(1));
    [proportion, base, total, connection, auth, calls.max(floor), deleted.min(DELETED)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(failing: u64, references: u64, succeeded: u64) -> Counts {
        Counts { failing, references, succeeded }
    }

    fn one(component: Component, inputs: Inputs) -> f64 {
        let profile = if Component::EVENTS.contains(&component) { Profile::Events } else { Profile::Cycles };
        let score = Score::new(profile, &Inputs { threshold: 500, ..inputs });
        let found = score.components().find(|(have, _)| *have == component).unwrap().1;
        assert!((0.0..=1.0).contains(&found) && score.risk() >= found);
        (found * 1e6).round() / 1e6
    }

    #[test]
    fn the_published_figures_are_judged_with_integers() {
        for (failing, references, succeeded, enough) in [
            // The cases that the article gives, successes filled in where it has none.
            (4000, 0, 1000, false),
            (45_000, 0, 200_000, true),
            (30_000, 0, 5_000, true),
            (20_000, 0, 100_000, false),
            (40_000, 21_000, 200_000, true),
            // Just below and above each figure.
            (4999, 0, 0, false),
            (5000, 0, 0, true),
            (5000, 0, 7500, false),
            (5000, 0, 7499, true),
            (40_000, 0, 200_000, false),
            (40_001, 0, 200_000, true),
            (40_000, 20_000, 200_000, false),
            (40_000, 20_001, 200_000, true),
            (0, 60_001, 0, true),
            (0, 20_000, 5_000, false),
        ] {
            assert_eq!(
                counts(failing, references, succeeded).is_enough(),
                enough,
                "{failing} {references} {succeeded}"
            );
        }
    }

    #[test]
    fn escrows_grow_to_one() {
        let of = |component, counts, share| one(component, Inputs { counts, share, ..Inputs::default() });
        let none = Share::default();
        assert_eq!(of(Component::EscrowProportion, counts(2500, 0, 0), none), 0.5);
        assert_eq!(of(Component::EscrowProportion, counts(2500, 0, 10_000), none), 0.25);
        assert_eq!(of(Component::EscrowProportion, counts(2500, 0, 10_000), Share::new(3, 10)), 0.375, "the greater");
        assert_eq!(of(Component::EscrowProportion, counts(50_000, 0, 0), none), 1.0);
        assert_eq!(of(Component::EscrowBase, counts(10_000, 50_000, 0), none), 0.25);
        assert_eq!(of(Component::EscrowTotal, counts(10_000, 20_000, 0), none), 0.5);
        assert_eq!(of(Component::EscrowTotal, counts(60_000, 20_000, 0), none), 1.0);
        assert_eq!(counts(0, 0, 5).budget(), 1.0);
        assert_eq!(counts(10_000, 20_000, 1_000_000).budget(), 0.5);
        assert_eq!(counts(60_000, 20_000, 0).budget(), 0.0);
    }

    #[test]
    fn dead_cycles_and_refusals_count_to_their_full() {
        let dead = |dead| one(Component::Connection, Inputs { dead, ..Inputs::default() });
        assert_eq!((dead(0), dead(1), dead(2), dead(9)), (0.0, 0.5, 1.0, 1.0));
        let auth = |refused, refusals| one(Component::Auth, Inputs { refused, refusals, ..Inputs::default() });
        assert_eq!((auth(false, 1), auth(false, 3), auth(false, 4)), (0.333_333, 1.0, 1.0));
        assert_eq!(auth(true, 0), 1.0);
    }

    #[test]
    fn calls_need_two_cycles_for_their_full_weight() {
        let calls = |failing, total, over| {
            one(Component::Calls, Inputs { share: Share::new(failing, total), over, ..Inputs::default() })
        };
        assert_eq!((calls(4, 10, 5), calls(41, 100, 1)), (0.0, 0.3));
        assert_eq!((calls(8, 10, 1), calls(8, 10, 2), calls(8, 10, 7)), (0.4, 0.8, 0.8));
        assert_eq!((calls(10, 10, 1), calls(9, 10, 2)), (0.5, 1.0));
    }

    #[test]
    fn deletions_stop_at_three_fifths() {
        let deleted = |deprovisioned| one(Component::MassDelete, Inputs { deprovisioned, ..Inputs::default() });
        assert_eq!((deleted(0), deleted(250), deleted(599), deleted(9999)), (0.0, 0.25, 0.599, 0.6));
        let score = Score::new(Profile::Cycles, &Inputs { deprovisioned: 1, ..Inputs::default() });
        assert_eq!((score.risk(), score.reason()), (0.5, Some(Component::MassDelete)), "a threshold of 0 counts as 1");
    }

    #[test]
    fn tasks_and_attempts_stop_at_nine_tenths() {
        let stuck = |stuck| one(Component::StuckTasks, Inputs { stuck, ..Inputs::default() });
        assert_eq!((stuck(0), stuck(1), stuck(50), stuck(9999)), (0.0, 0.263, 0.9, 0.9));
        let waits = |waits| one(Component::ThrottleAttempts, Inputs { waits, ..Inputs::default() });
        assert_eq!((waits(1), waits(9), waits(15)), (0.1, 0.9, 0.9));
    }

    #[test]
    fn a_profile_has_its_own_components_only() {
        let inputs = Inputs { dead: 2, stuck: 50, threshold: 500, ..Inputs::default() };
        assert_eq!(Score::new(Profile::Events, &inputs).reason(), Some(Component::StuckTasks));
        assert_eq!(Score::new(Profile::Cycles, &inputs).reason(), Some(Component::Connection));
        assert_eq!(Score::new(Profile::Cycles, &Inputs::default()).reason(), None);
    }
}
