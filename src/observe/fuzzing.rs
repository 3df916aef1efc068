//! Doors for the fuzz targets.

use std::{collections::BTreeSet, sync::Arc};

use super::{
    Metrics,
    facts::{self, sample::Sample},
    journal::{Journal, Query},
    key::Key,
};
use crate::config::settings;

/// What ledger and journal make of an exchange: the observation as text, and the journal's lines.
pub fn recorded(
    metrics: &Arc<Metrics>,
    method: &'static str,
    target: &str,
    body: &str,
    status: u16,
    answer: &str,
) -> (String, Vec<String>) {
    let key = Key::from_bytes([7; 32]);
    let settings = settings::Journal { entries: 4, failures_only: false, reveal: BTreeSet::new() };
    let journal = Journal::new(&settings, key.clone(), Arc::clone(metrics));
    let seen = Sample::new(method, target, body, status, answer).account(|account| {
        let seen = facts::observation(account, &key);
        journal.record(account, seen.as_ref());
        seen
    });
    (format!("{seen:?}"), journal.export(&Query::default()).collect())
}
