//! What the page calls things. Every state is worded as the guess of a model: only the identity provider knows.

use crate::{
    feed,
    observe::ledger::{Component, State},
};

/// A state for people.
pub(super) struct Wording {
    /// In a table.
    pub(super) short: &'static str,
    /// One sentence.
    pub(super) long: &'static str,
    /// Beside the colour, for who does not see it.
    pub(super) shape: &'static str,
    /// Where to read on.
    pub(super) runbook: Option<&'static str>,
}

pub(super) fn state(state: State) -> Wording {
    let wording = |short, shape, runbook, long| Wording { short, long, shape, runbook };
    match state {
        State::AtRisk => wording(
            "at risk (model)",
            "▲",
            Some("docs/runbooks/ScimshimQuarantineRisk.md"),
            "What the identity provider was told has begun to look like a connection that it would quarantine; there \
             may still be time to mend the cause.",
        ),
        State::DisabledSuspected => wording(
            "switch-off suspected (model)",
            "✖",
            Some("docs/runbooks/ScimshimJobDisableNear.md"),
            "After 28 days of what looks like quarantine the identity provider has probably switched the job off; look \
             there, and expect to restart it by hand.",
        ),
        State::Healthy => wording(
            "healthy (model)",
            "●",
            None,
            "Nothing that was told to the identity provider points to quarantine.",
        ),
        State::LikelyQuarantined => wording(
            "likely quarantined (model)",
            "■",
            Some("docs/runbooks/ScimshimQuarantineLikely.md"),
            "What the identity provider was told is enough for quarantine by its published rules; whether it did so, \
             only its own console can say.",
        ),
        State::Recovering => wording(
            "recovering (model)",
            "◆",
            None,
            "A good cycle came after what looked like quarantine; two more in a row and this is taken for healthy.",
        ),
        State::Silent => wording(
            "silent (model)",
            "◌",
            Some("docs/runbooks/ScimshimTenantSilent.md"),
            "Nothing has come for longer than the rhythm of this connection allows; a paused job, a quarantine and a \
             broken network all look like this from here.",
        ),
        State::Unknown => wording(
            "no traffic yet",
            "○",
            None,
            "Nothing has come from the identity provider that the model could judge.",
        ),
    }
}

/// A part of the risk, in words: a name, and what it means.
pub(super) fn component(component: Component) -> (&'static str, &'static str) {
    match component {
        Component::Auth => ("credentials", "the identity provider was told that its credentials are not good"),
        Component::Calls => ("calls", "most calls of a cycle fail"),
        Component::Connection => ("connection", "checks or whole cycles got no good answer"),
        Component::EscrowBase => ("failing objects", "the number of failing objects nears its limit"),
        Component::EscrowProportion => ("failing share", "the share of objects that fail nears 40 %"),
        Component::EscrowTotal => ("failing, with references", "failing objects and references near their limit"),
        Component::MassDelete => ("deprovisioning", "unusually many were deactivated or deleted in one cycle"),
        Component::StuckTasks => ("stuck tasks", "objects failed, and wait at the identity provider for a human"),
        Component::ThrottleAttempts => ("throttling", "the same object was told to come later several times in a row"),
    }
}

/// A feed's state, and its shape.
pub(super) fn feed(state: feed::State) -> (&'static str, &'static str) {
    match state {
        feed::State::Fresh => ("fresh", "●"),
        feed::State::NeverLoaded => ("never loaded", "■"),
        feed::State::Rejected => ("newest refused, last good copy in force", "▲"),
        feed::State::Stale => ("stale", "▲"),
    }
}

/// Seconds, as people say them.
pub(super) fn span(seconds: f64) -> String {
    let seconds = seconds.max(0.0);
    let of = |amount: f64, unit: &str| format!("{} {unit}", amount.floor());
    match seconds {
        s if s < 60.0 => of(s, "s"),
        s if s < 3600.0 => of(s / 60.0, "min"),
        s if s < 36_000.0 => match ((s % 3600.0) / 60.0).floor() {
            0.0 => of(s / 3600.0, "h"),
            minutes => format!("{} h {minutes} min", (s / 3600.0).floor()),
        },
        s if s < 172_800.0 => of(s / 3600.0, "h"),
        s => of(s / 86_400.0, "d"),
    }
}

/// A moment of Unix time as RFC 3339 in UTC, to the second.
pub(super) fn moment(unix: f64) -> String {
    let seconds = unix.clamp(0.0, 253_402_300_799.0) as i64;
    let (days, rest) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    // Days to a date of the Gregorian calendar, counted in eras of 400 years from March on.
    let days = days + 719_468;
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year + era * 400 + i64::from(month <= 2);
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_came_is_said_without_doubt() {
        for known in State::ALL {
            let Wording { short, long, .. } = state(known);
            assert!(short.ends_with("(model)") || known == State::Unknown, "{short}");
            assert!(long.ends_with('.'), "{long}");
        }
        assert!(state(State::LikelyQuarantined).long.contains("only its own console can say"));
    }

    #[test]
    fn no_two_states_have_the_same_shape() {
        let shapes: std::collections::HashSet<_> = State::ALL.iter().map(|one| state(*one).shape).collect();
        assert_eq!(shapes.len(), State::ALL.len());
    }

    #[test]
    fn spans_are_short() {
        for (seconds, text) in [
            (-1.0, "0 s"),
            (59.9, "59 s"),
            (60.0, "1 min"),
            (3600.0, "1 h"),
            (8220.0, "2 h 17 min"),
            (86_400.0, "24 h"),
            (200_000.0, "2 d"),
        ] {
            assert_eq!(span(seconds), text);
        }
    }

    #[test]
    fn moments_are_dates() {
        for (unix, text) in [
            (0.0, "1970-01-01T00:00:00Z"),
            (951_782_400.0, "2000-02-29T00:00:00Z"),
            (1_767_225_599.9, "2025-12-31T23:59:59Z"),
            (f64::MAX, "9999-12-31T23:59:59Z"),
            (f64::NAN, "1970-01-01T00:00:00Z"),
        ] {
            assert_eq!(moment(unix), text);
        }
    }
}
