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

/// A part of the risk, in words.
pub(super) struct Part {
    pub(super) name: &'static str,
    /// What is true where it is high.
    pub(super) high: &'static str,
    /// What is true where it has only begun to rise.
    pub(super) low: &'static str,
}

/// Where the model takes a risk for high (4.5).
const HIGH: f64 = 0.25;

impl Part {
    /// What a value of this part says of the connection.
    pub(super) fn phrase(&self, value: f64) -> &'static str {
        if value >= HIGH { self.high } else { self.low }
    }
}

pub(super) fn component(component: Component) -> Part {
    let part = |name, low, high| Part { name, high, low };
    match component {
        Component::Auth => part(
            "credentials",
            "the identity provider was told now and then that its credentials are not good",
            "the identity provider was told that its credentials are not good",
        ),
        Component::Calls => part("calls", "some calls of a cycle fail", "most calls of a cycle fail"),
        Component::Connection => {
            part("connection", "a check got no good answer", "checks or whole cycles got no good answer")
        }
        Component::EscrowBase => part(
            "failing objects",
            "some objects fail, far from the limit of their number",
            "the number of failing objects nears its limit",
        ),
        Component::EscrowProportion => part(
            "failing share",
            "some objects fail, a share well below 40 %",
            "the share of objects that fail nears 40 %",
        ),
        Component::EscrowTotal => part(
            "failing, with references",
            "some objects and references fail, far from their limit",
            "failing objects and references near their limit",
        ),
        Component::MassDelete => part(
            "deprovisioning",
            "some were deactivated or deleted in one cycle",
            "unusually many were deactivated or deleted in one cycle",
        ),
        Component::StuckTasks => part(
            "stuck tasks",
            "a few objects failed, and wait at the identity provider for a human",
            "objects failed, and wait at the identity provider for a human",
        ),
        Component::ThrottleAttempts => part(
            "throttling",
            "an object was told to come later",
            "the same object was told to come later several times in a row",
        ),
    }
}

/// What it means that scimshim refused, by the label of the reason; as `scimshim_refusals_total` names them.
pub(super) const REFUSALS: [(&str, &str); 20] = [
    ("address", "The caller's address is on none of the lists that this connection admits."),
    ("address_unknown", "The caller's address could not be told, and this connection admits by address."),
    (
        "concurrency",
        "Too many requests of this connection were under way at once; the caller was told when to come again.",
    ),
    ("deadline", "It took longer than a request may take, so it was given up."),
    ("encoding", "The body is compressed or written in a way that is not read here."),
    ("feed", "The list of addresses is not there yet, and without it nobody is let in."),
    ("header", "The headers are larger than they may be."),
    ("hold", "The app was not reachable, and did not come back while the request was held."),
    ("internal", "This is a fault of scimshim; its log says more."),
    ("malformed", "The request is no sound HTTP or JSON, or could be read in two ways, so it was not passed on."),
    ("outside", "The path does not belong to the SCIM endpoint."),
    ("overload", "Too much was under way in this scimshim to take on more."),
    ("quirk", "The request deviates from SCIM, and this connection is set to reject that deviation."),
    ("rate", "This connection sent more than its rate allows; the caller was told when to come again."),
    ("slow", "The caller sent its request too slowly."),
    ("tenant", "The request names no connection that is known here."),
    ("token", "The token was missing, expired, or none of this connection's."),
    ("too_large", "The body is larger than it may be."),
    ("unsupported", "What was asked for, such as an upgrade of the protocol, is not offered here."),
    ("upstream", "The app gave no answer that could be passed on."),
];

/// What a reason means; nothing for one that is not known.
pub(super) fn refusal(reason: &str) -> &'static str {
    REFUSALS.iter().find(|known| known.0 == reason).map_or("", |known| known.1)
}

/// Text with a capital first letter, as the beginning of a sentence.
pub(super) fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
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
    fn a_part_of_the_risk_is_put_by_its_value() {
        let all = Component::CYCLES.into_iter().chain(Component::EVENTS);
        for part in all.map(component) {
            assert_eq!((part.phrase(0.249), part.phrase(0.25)), (part.low, part.high), "{}", part.name);
            assert_ne!(part.low, part.high);
        }
    }

    #[test]
    fn each_reason_of_a_refusal_has_a_sentence() {
        assert!(REFUSALS.is_sorted());
        for (reason, sentence) in REFUSALS {
            assert!(sentence.ends_with('.') && refusal(reason) == sentence, "{reason}");
        }
        assert_eq!(refusal("nobody knows"), "");
    }

    #[test]
    fn sentences_begin_with_a_capital() {
        assert_eq!((sentence("the `a`"), sentence("élan"), sentence("")), ("The `a`".into(), "Élan".into(), "".into()));
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
