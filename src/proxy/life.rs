//! Where a shim is between its start and its end, for everyone who ends something because of it.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::watch;

/// What the shim is doing, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// Its work.
    Serving,
    /// It was told to drain or to stop. New connections still come in, since who sends them may not know yet; each answer
    /// is the last one of its connection.
    Leaving,
    /// No new connections; those on which nothing happens are closed.
    Ending,
    /// The drain time is over.
    Over,
}

/// The phase, and whether somebody stands at the door for whom there is no room; shared.
#[derive(Debug)]
pub(crate) struct Life {
    phase: watch::Sender<Phase>,
    /// The same as far as others ask: it leaves, or has left.
    draining: watch::Sender<bool>,
    crowded: watch::Sender<bool>,
    /// How many connections should go now.
    wanted: AtomicUsize,
}

impl Life {
    pub(crate) fn phase(&self) -> Phase {
        *self.phase.borrow()
    }

    pub(crate) fn enter(&self, phase: Phase) {
        self.phase.send_replace(phase);
    }

    /// Leaves, if it has not begun to; whether this was the first word of it.
    pub(crate) fn leave(&self) -> bool {
        let first = !self.draining.send_replace(true);
        self.phase.send_if_modified(|phase| {
            let serves = *phase == Phase::Serving;
            if serves {
                *phase = Phase::Leaving;
            }
            serves
        });
        first
    }

    /// Tells when it has been told to leave.
    pub(crate) fn follow_draining(&self) -> watch::Receiver<bool> {
        self.draining.subscribe()
    }

    pub(crate) fn is_crowded(&self) -> bool {
        *self.crowded.borrow()
    }

    /// Somebody has to wait at the door, until this is dropped. One connection should go for each that waits: if all
    /// went that could, all of them would stand at the door next.
    pub(crate) fn crowd(&self) -> Crowd<'_> {
        self.wanted.store(1, Ordering::Relaxed);
        self.crowded.send_replace(true);
        Crowd(self)
    }

    /// Whether the connection that asks is the one that should go.
    pub(crate) fn leaves(&self) -> bool {
        self.wanted.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |wanted| wanted.checked_sub(1)).is_ok()
    }

    /// Tells when it gets crowded and when it is over.
    pub(crate) fn follow_crowd(&self) -> watch::Receiver<bool> {
        self.crowded.subscribe()
    }

    /// Tells of each phase after the one of now.
    pub(crate) fn follow(&self) -> watch::Receiver<Phase> {
        self.phase.subscribe()
    }
}

/// That it is crowded.
#[derive(Debug)]
pub(crate) struct Crowd<'a>(&'a Life);

impl Crowd<'_> {
    /// The one that should go has not gone; another one should.
    pub(crate) fn insist(&self) {
        self.0.wanted.store(1, Ordering::Relaxed);
        self.0.crowded.send_replace(true);
    }
}

impl Drop for Crowd<'_> {
    fn drop(&mut self) {
        self.0.wanted.store(0, Ordering::Relaxed);
        self.0.crowded.send_replace(false);
    }
}

impl Default for Life {
    fn default() -> Self {
        Self {
            phase: watch::Sender::new(Phase::Serving),
            draining: watch::Sender::new(false),
            crowded: watch::Sender::new(false),
            wanted: AtomicUsize::new(0),
        }
    }
}
