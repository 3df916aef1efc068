//! Why a connection is refused or dead: its answers of class auth and connection, counted by reason while their run
//! lasts.
//!
//! Such an answer is no outcome of an object, so the table of failing objects knows nothing of it: what stands there is
//! another matter, and often an old one. It is counted apart, and forgotten when the run ends.

use super::{
    Cause, Class, Culprit, Kind, Observation,
    causes::{SHOWN, others},
};

/// Reasons that are told apart; the rest is counted as one.
const MOST: usize = 16;
/// With the rest, which is one for each of checks and others, refused and dead.
pub(super) const BOUND: usize = MOST + 4;

/// How answers were alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) check: bool,
    /// Of class auth, else of class connection.
    pub(super) refused: bool,
    /// `None` for the rest.
    pub(super) cause: Option<Cause>,
}

impl Fault {
    /// `None` for an answer of another class.
    pub(super) fn of(kind: Kind, class: Class, seen: &Observation) -> Option<Self> {
        let refused = match class {
            Class::Auth => true,
            Class::Connection => false,
            Class::Neutral | Class::Object | Class::Ok | Class::Reference | Class::Throttle => return None,
        };
        let check = kind == Kind::Probe;
        let cause = seen.cause.as_deref().cloned().unwrap_or_else(|| others(seen.status));
        // The attribute that a request touches has no part in it, and a check asks for nothing in particular.
        let resource = if check { others(seen.status).resource } else { cause.resource };
        Some(Self { check, refused, cause: Some(Cause { resource, attribute: None, ..cause }) })
    }

    /// Such as `4 answers 401 (Users)`.
    fn words(&self, count: u32) -> String {
        let ending = if count == 1 { "" } else { "s" };
        let noun = match self {
            Self { check: true, .. } => "check",
            Self { refused: true, .. } => "answer",
            Self { .. } => "lookup",
        };
        let Some(cause) = &self.cause else { return format!("{count} {noun}{ending}, other reasons") };
        let mut text = match cause.status {
            0 => format!("{count} {noun}{ending} without an answer"),
            status @ 200..300 => format!("{count} {noun}{ending} {status} without SCIM"),
            status => format!("{count} {noun}{ending} {status}"),
        };
        if let Some(scim_type) = cause.scim_type {
            text.push(' ');
            text.push_str(scim_type);
        }
        if cause.resource != others(0).resource {
            text.push_str(&format!(" ({})", cause.resource));
        }
        if let Some(quirk) = cause.quirk {
            text.push_str(&format!(", {}", quirk.as_str()));
        }
        if let Some(refusal) = cause.refusal {
            text.push_str(&format!(", refused by scimshim ({refusal})"));
        }
        text
    }
}

/// Those of one tenant.
#[derive(Debug, Clone, Default)]
pub(super) struct Faults(Vec<(Fault, u32)>);

impl Faults {
    pub(super) fn add(&mut self, fault: Fault, count: u32) {
        if let Some((_, have)) = self.0.iter_mut().find(|(have, _)| *have == fault) {
            *have = have.saturating_add(count);
        } else if self.0.len() < MOST || fault.cause.is_none() {
            self.0.push((fault, count));
        } else {
            self.add(Fault { cause: None, ..fault }, count);
        }
    }

    /// One answer was none of these after all.
    pub(super) fn take(&mut self, fault: &Fault) {
        let rest = Fault { cause: None, ..*fault };
        let at = [fault, &rest].into_iter().find_map(|fault| self.0.iter().position(|(have, _)| have == fault));
        let Some(at) = at else { return };
        self.0[at].1 -= 1;
        if self.0[at].1 == 0 {
            self.0.remove(at);
        }
    }

    /// Forgets those whose run has ended.
    pub(super) fn retain(&mut self, refused: bool, dead: bool) {
        if !self.0.is_empty() {
            self.0.retain(|(fault, _)| if fault.refused { refused } else { dead });
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The most frequent first; `refused` is to leave out all others.
    pub(super) fn culprits(&self, refused: bool) -> Vec<Culprit> {
        let mut chosen: Vec<_> = self.0.iter().filter(|(fault, _)| fault.refused || !refused).collect();
        chosen.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let all: u64 = chosen.iter().map(|(_, count)| u64::from(*count)).sum();
        let of = if chosen.iter().all(|(fault, _)| fault.refused) {
            "refused credentials"
        } else if chosen.iter().all(|(fault, _)| fault.check) {
            "failed checks"
        } else {
            "failures of the connection"
        };
        let culprit = |(fault, count): &(Fault, u32)| {
            let share = f64::from(*count) / all as f64;
            let text = format!("{}, {} % of {of}", fault.words(*count), (share * 100.0).round());
            Culprit { cause: fault.cause.clone().unwrap_or_else(|| others(0)), objects: (*count).into(), share, text }
        };
        chosen.into_iter().take(SHOWN).map(culprit).collect()
    }

    /// For the snapshot.
    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = &(Fault, u32)> {
        self.0.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(kind: Kind, class: Class, status: u16) -> Fault {
        let cause = Cause { attribute: Some("userName".to_owned()), resource: "Users", ..others(status) };
        let seen = Observation { cause: Some(Box::new(cause)), ..Observation::new(kind, None, status) };
        Fault::of(kind, class, &seen).unwrap()
    }

    fn texts(faults: &Faults, refused: bool) -> Vec<String> {
        faults.culprits(refused).into_iter().map(|culprit| culprit.text).collect()
    }

    #[test]
    fn they_are_told_by_what_was_asked() {
        let mut faults = Faults::default();
        faults.add(answer(Kind::Probe, Class::Connection, 503), 1);
        assert_eq!(texts(&faults, false), ["1 check 503, 100 % of failed checks"]);
        faults.add(answer(Kind::Filter, Class::Auth, 401), 1);
        faults.add(answer(Kind::Write, Class::Auth, 401), 3);
        assert_eq!(texts(&faults, true), ["4 answers 401 (Users), 100 % of refused credentials"]);
        faults.add(answer(Kind::Filter, Class::Connection, 404), 5);
        assert_eq!(
            texts(&faults, false),
            [
                "5 lookups 404 (Users), 50 % of failures of the connection",
                "4 answers 401 (Users), 40 % of failures of the connection",
                "1 check 503, 10 % of failures of the connection",
            ]
        );
        faults.retain(true, false);
        assert_eq!(texts(&faults, false), texts(&faults, true), "the dead run has ended");
        faults.retain(false, true);
        assert!(faults.culprits(false).is_empty());
    }

    #[test]
    fn what_is_no_status_of_a_failure_is_said_in_words() {
        let mut faults = Faults::default();
        faults.add(answer(Kind::Probe, Class::Connection, 0), 2);
        faults.add(answer(Kind::Probe, Class::Connection, 200), 1);
        let refused = Cause { refusal: Some("token"), ..others(401) };
        let seen = Observation { cause: Some(Box::new(refused)), ..Observation::new(Kind::Write, None, 401) };
        faults.add(Fault::of(Kind::Write, Class::Auth, &seen).unwrap(), 1);
        let texts = texts(&faults, false).join("; ");
        for part in
            ["2 checks without an answer, 50", "1 check 200 without SCIM", "1 answer 401, refused by scimshim (token)"]
        {
            assert!(texts.contains(part), "{part}: {texts}");
        }
        let ok = Observation::new(Kind::Write, None, 500);
        assert!(Fault::of(Kind::Write, Class::Object, &ok).is_none());
    }

    #[test]
    fn there_are_never_more_than_sixteen_and_the_rest() {
        let mut faults = Faults::default();
        for status in 500..600 {
            faults.add(answer(Kind::Probe, Class::Connection, status), 1);
            faults.add(answer(Kind::Probe, Class::Auth, status), 1);
        }
        assert_eq!(faults.0.len(), MOST + 2);
        assert!(texts(&faults, false)[0].starts_with("92 checks, other reasons, 46 % of failed checks"));
        // What was counted with the rest is taken from it.
        faults.take(&answer(Kind::Probe, Class::Connection, 599));
        faults.take(&answer(Kind::Probe, Class::Connection, 500));
        assert_eq!((faults.0.len(), faults.iter().map(|(_, count)| count).sum()), (MOST + 1, 198_u32));
    }
}
