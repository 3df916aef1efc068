//! What is read and checked but not done yet. One table for the log, `check` and the reference page: a feature that
//! lands takes its line away here, and is in force everywhere at once.

use super::file::{File, Journal, Quarantine};

/// A key that waits for its feature.
pub(crate) struct Waiting {
    /// Dotted; `*` stands for any name. What is below it waits too.
    key: &'static str,
    /// What is not done, in one sentence.
    pub(crate) what: &'static str,
}

const WAITING: &[Waiting] = &[
    Waiting { key: "admin.loopback", what: "there is no page and no API yet that the token would protect" },
    Waiting { key: "admin.token", what: "there is no page and no API yet that the token would protect" },
    Waiting { key: "audit", what: "no audit lines are written" },
    Waiting { key: "journal", what: "no exchanges are kept" },
    Waiting { key: "quarantine", what: "quarantine risk is not modelled" },
    Waiting { key: "telemetry", what: "no traces are sent" },
];

/// The line for `key`, or for what it is below of.
pub(crate) fn waiting(key: &[&str]) -> Option<&'static Waiting> {
    let matches = |pattern: &&Waiting| {
        let mut parts = key.iter();
        pattern.key.split('.').all(|part| parts.next().is_some_and(|have| part == "*" || part == *have))
    };
    WAITING.iter().filter(matches).max_by_key(|pattern| pattern.key.len())
}

/// A key that was written, means something, and is not done.
pub(crate) struct Unmet {
    /// Its path.
    pub(crate) path: Vec<String>,
    /// What is not done.
    pub(crate) what: String,
}

/// Everything that `file` asks for and that is not done. A key at its default, or one that has no effect, is not named.
pub(crate) fn unmet(file: &File) -> Vec<Unmet> {
    let mut list = List(Vec::new());
    list.when(file.admin.token.is_some(), &["admin", "token"], &[]);
    list.when(!file.admin.loopback, &["admin", "loopback"], &[]);
    list.when(file.quarantine != Quarantine::default(), &["quarantine"], &[]);
    list.when(file.journal != Journal::default(), &["journal"], &[]);
    list.when(file.audit.target.is_some(), &["audit", "target"], &[]);
    list.when(file.telemetry.otlp_endpoint.is_some(), &["telemetry", "otlp_endpoint"], &[]);
    list.0
}

struct List(Vec<Unmet>);

impl List {
    fn when(&mut self, asked: bool, path: &[&str], aspect: &[&str]) {
        if let (true, Some(waiting)) = (asked, waiting(&[path, aspect].concat())) {
            let path = path.iter().map(|&part| part.to_owned()).collect();
            self.0.push(Unmet { path, what: waiting.what.to_owned() });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_asks_for_nothing_that_waits() {
        assert!(unmet(&File::default()).is_empty());
    }

    #[test]
    fn what_is_below_a_waiting_key_waits() {
        assert!(waiting(&["journal", "entries"]).is_some_and(|w| w.what.contains("exchanges")));
        assert!(waiting(&["tenants", "list", "acme", "tokens"]).is_none());
        assert!(waiting(&["listen", "base_url"]).is_none());
        assert!(waiting(&["tenants", "defaults", "idp"]).is_none());
    }
}
