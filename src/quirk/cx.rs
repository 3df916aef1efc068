//! What every quirk's function is handed: the plan, the direction, and where findings are noted.

use super::{Direction, Findings, Id, Mode, Plan, finding::Place};

/// The context of one message on its way through the quirks.
pub(crate) struct Cx<'p> {
    /// Modes and schemas of the tenant.
    pub(crate) plan: &'p Plan,
    /// Which way the message goes.
    pub(crate) way: Direction,
    /// What was found so far.
    pub(crate) findings: Findings,
}

impl<'p> Cx<'p> {
    /// A context without findings.
    pub(crate) fn new(plan: &'p Plan, way: Direction) -> Self {
        Self { plan, way, findings: Findings::default() }
    }

    /// Notes that `quirk` stands at `at`; true when it is to be fixed. Call it once per finding, before the change,
    /// and change nothing when it says false.
    pub(crate) fn may<P: Place>(&mut self, quirk: Id, at: impl FnOnce() -> P) -> bool {
        match self.plan.mode(self.way, quirk) {
            Mode::Fix => {
                self.findings.note(quirk, true, at);
                true
            }
            Mode::Observe => {
                self.findings.note(quirk, false, at);
                false
            }
            Mode::Off => false,
        }
    }

    /// Notes what is counted and never mended.
    pub(crate) fn report<P: Place>(&mut self, quirk: Id, at: impl FnOnce() -> P) {
        if self.plan.mode(self.way, quirk) != Mode::Off {
            self.findings.note(quirk, false, at);
        }
    }

    /// Whether a deviation is fixed here, without noting anything.
    pub(crate) fn fixes(&self, quirk: Id) -> bool {
        self.plan.mode(self.way, quirk) == Mode::Fix
    }
}
