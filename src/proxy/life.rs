//! Where a shim is between its start and its end, for everyone who ends something because of it.

use tokio::sync::watch;

/// What the shim is doing, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// Its work.
    Serving,
    /// It was told to stop. New connections still come in, since who sends them may not know yet; each answer is the
    /// last one of its connection.
    Leaving,
    /// No new connections; those on which nothing happens are closed.
    Ending,
    /// The drain time is over.
    Over,
}

/// The phase, shared.
#[derive(Debug)]
pub(crate) struct Life(watch::Sender<Phase>);

impl Life {
    pub(crate) fn phase(&self) -> Phase {
        *self.0.borrow()
    }

    pub(crate) fn enter(&self, phase: Phase) {
        self.0.send_replace(phase);
    }

    /// Tells of each phase after the one of now.
    pub(crate) fn follow(&self) -> watch::Receiver<Phase> {
        self.0.subscribe()
    }
}

impl Default for Life {
    fn default() -> Self {
        Self(watch::Sender::new(Phase::Serving))
    }
}
