//! What operators are told of a feed: the log, when something changes, and metrics, as things are.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use super::{
    Kind, Spec, State,
    clock::Time,
    guard::{Names, Rejection},
    refresh::{Feed, Surroundings},
};
use crate::near::nearest;

impl Feed {
    /// Notes a failure; says it when it is a new one.
    pub(super) fn complain(&self, spec: &Spec, error: String, what: &'static str) {
        let mut memory = self.memory();
        memory.failures = memory.failures.saturating_add(1);
        if memory.error.as_ref() != Some(&error) {
            let copy = if memory.held.is_some() {
                what
            } else {
                "there is no good copy: callers not listed elsewhere get 503 in mode enforce"
            };
            tracing::warn!(feed = &*spec.name, error, "{copy}");
        }
        memory.error = Some(error);
    }

    pub(super) fn tell_absent(&self, spec: &Spec, absent: Vec<Arc<str>>, names: &[Arc<str>]) {
        let mut memory = self.memory();
        if memory.absent == absent {
            return;
        }
        for part in &absent {
            let near = nearest(part, names.iter().map(|name| &**name))
                .map(|near| format!("did you mean `{near}`? "))
                .unwrap_or_default();
            let present = Names(names);
            tracing::warn!(
                feed = &*spec.name,
                part = &**part,
                "no such part, or it has no entries: {near}it has {present}"
            );
        }
        memory.absent = absent;
    }

    /// Says once that a copy grows old, and once more when it is a matter of days. Okta's list loses 5 % within three
    /// days and 12 % within a week; a new range of Azure is announced a week before its use.
    pub(super) fn tell_age(&self, now: Time) {
        const HOUR: u64 = 3600;
        let spec = self.spec();
        let (warn, alert) = match spec.kind {
            Kind::AzureServiceTags => (8 * 24 * HOUR, 15 * 24 * HOUR),
            Kind::List => (2 * 24 * HOUR, 4 * 24 * HOUR),
            Kind::Okta => (6 * HOUR, 24 * HOUR),
        };
        let mut memory = self.memory();
        let Some(checked) = memory.held.as_ref().map(|held| held.checked) else { return };
        let age = now.since(checked);
        // A feed that is fetched less often than that is not late.
        let warn = Duration::from_secs(warn).max(spec.refresh.saturating_mul(2));
        let level = if age >= Duration::from_secs(alert).max(spec.refresh.saturating_mul(3)) {
            2
        } else {
            u8::from(age >= warn)
        };
        if level > memory.age_told {
            let (feed, hours, error) = (&*spec.name, age.as_secs() / HOUR, memory.error.as_deref().unwrap_or("none"));
            match level {
                1 => tracing::warn!(feed, hours, error, "the last good copy grows old"),
                _ => tracing::error!(
                    feed,
                    hours,
                    error,
                    "the last good copy is old; new addresses of the publisher are missing"
                ),
            }
        }
        memory.age_told = level;
    }

    pub(super) fn export_zeros(&self, with: &Surroundings) {
        let (spec, metrics) = (self.spec(), &with.metrics);
        let feed = &*spec.name;
        metrics.feed_info.with_label_values(&[feed, spec.kind.as_str()]).set(1);
        metrics.feed_failures.with_label_values(&[feed]);
        for reason in Rejection::REASONS {
            metrics.feed_rejected.with_label_values(&[feed, reason]);
        }
        for change in ["added", "removed"] {
            metrics.feed_changes.with_label_values(&[feed, change]);
        }
    }

    /// Gauges as things are.
    pub(super) fn export(&self, with: &Surroundings) {
        if self.gone.load(Ordering::Acquire) {
            return;
        }
        let (spec, metrics, clock) = (self.spec(), &with.metrics, &with.clock);
        let state = self.state(clock.now());
        for label in State::ALL {
            metrics.feed_state.with_label_values(&[&*spec.name, label.as_str()]).set(i64::from(label == state));
        }
        let held = self.memory().held.clone();
        let number = |secs: Option<u64>| i64::try_from(secs.unwrap_or_default()).unwrap_or(i64::MAX);
        let checked = held.as_ref().map(|held| clock.to_wall(held.checked));
        metrics.feed_last_success.with_label_values(&[&*spec.name]).set(number(checked));
        let dated = held.as_ref().and_then(|held| held.dated);
        metrics.feed_document.with_label_values(&[&*spec.name]).set(number(dated));
        for (name, part) in self.parts.load().iter() {
            metrics.feed_addresses.with_label_values(&[&*spec.name, &**name]).set(number(Some(part.addresses())));
        }
    }

    /// Ends the series of a feed that is no longer configured.
    pub(super) fn forget(&self, with: &Surroundings) {
        self.gone.store(true, Ordering::Release);
        let (spec, metrics) = (self.spec(), &with.metrics);
        let feed = &*spec.name;
        // What was never exported cannot be removed; that is no fault.
        with.written(&spec.name, None);
        let _ = metrics.feed_info.remove_label_values(&[feed, spec.kind.as_str()]);
        let _ = metrics.feed_failures.remove_label_values(&[feed]);
        let _ = metrics.feed_last_success.remove_label_values(&[feed]);
        let _ = metrics.feed_document.remove_label_values(&[feed]);
        for reason in Rejection::REASONS {
            let _ = metrics.feed_rejected.remove_label_values(&[feed, reason]);
        }
        for change in ["added", "removed"] {
            let _ = metrics.feed_changes.remove_label_values(&[feed, change]);
        }
        for state in State::ALL {
            let _ = metrics.feed_state.remove_label_values(&[feed, state.as_str()]);
        }
        for part in self.parts.load().keys() {
            let _ = metrics.feed_addresses.remove_label_values(&[feed, &**part]);
        }
    }
}
