//! Traffic that was written down, through the same books as live traffic: timelines with expectations, and journals.
//!
//! A file may be anybody's: the events that it asks for are counted before any is made.

mod journal;
mod timeline;

use std::hash::{DefaultHasher, Hash, Hasher};

use serde::Serialize;

use super::{Kind, Moment, Observation, State, book::Book, score::Profile};

pub use journal::{Journal, Line};
pub use timeline::{Judged, Scenario, Unusable, scenarios};

/// Events of one scenario or journal.
const MOST_EVENTS: u64 = 10_000_000;
/// Tenants of one scenario or journal.
const MOST_TENANTS: usize = 10_000;
/// Some 300 years: what is later is no time.
const LATEST: f64 = 1e10;
/// The default, and the example of the Graph documentation.
const MASS_DELETE: u32 = 500;

/// What the model says at one moment.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Said {
    /// The state.
    pub state: State,
    /// The risk.
    #[serde(serialize_with = "short")]
    pub risk: f64,
    /// Seconds until quarantine.
    #[serde(serialize_with = "short_or_none")]
    pub ttq_s: Option<f64>,
}

impl Said {
    /// In figures to be read: no noise of binary fractions.
    fn new(state: State, risk: f64, eta: f64) -> Self {
        Self { state, risk: rounded(risk, 6), ttq_s: eta.is_finite().then(|| rounded(eta, 3)) }
    }
}

/// One exchange, small enough to have ten million of them.
#[derive(Debug, Clone, Copy)]
struct Event {
    at: Moment,
    object: u64,
    tenant: u16,
    status: u16,
    kind: Kind,
    flags: u8,
}

const OBJECT: u8 = 1;
const DELETE: u8 = 2;
const REFERENCE: u8 = 4;
const DEPROVISION: u8 = 8;
const NOT_SCIM: u8 = 16;
const SEVERAL: u8 = 32;

impl Event {
    fn is(self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    fn observation(self) -> Observation {
        Observation {
            matches: self.is(SEVERAL).then_some(2),
            delete: self.is(DELETE),
            scim: !self.is(NOT_SCIM),
            reference: self.is(REFERENCE),
            deprovision: self.is(DEPROVISION) || self.is(DELETE),
            ..Observation::new(self.kind, self.is(OBJECT).then_some(self.object), self.status)
        }
    }
}

fn flag(set: bool, flag: u8) -> u8 {
    if set { flag } else { 0 }
}

/// The kind that an event without one has.
fn kind_of(method: &str, has_object: bool) -> Kind {
    match method {
        "GET" if has_object => Kind::Filter,
        "GET" => Kind::Probe,
        _ => Kind::Write,
    }
}

fn kind_named(name: &str) -> Option<Kind> {
    [("filter", Kind::Filter), ("get", Kind::Get), ("probe", Kind::Probe), ("write", Kind::Write)]
        .into_iter()
        .find_map(|(have, kind)| (have == name).then_some(kind))
}

/// Names in a file are hashed without a key: nothing of it is kept.
fn hashed(resource: &str, object: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    (resource, object).hash(&mut hasher);
    hasher.finish()
}

/// By the name of the IdP, also where it is none of ours.
fn profile(idp: &str) -> Profile {
    let events = ["okta", "ping", "pingone", "pingfederate"];
    if events.iter().any(|name| idp.eq_ignore_ascii_case(name)) { Profile::Events } else { Profile::Cycles }
}

fn millis(seconds: f64) -> Option<u64> {
    // The range fits, and what is below a millisecond is noise of the format.
    (0.0..=LATEST).contains(&seconds).then(|| (seconds * 1000.0).round() as u64)
}

fn book(idp: &str) -> Book {
    Book::new(profile(idp), MASS_DELETE, Moment(0))
}

fn rounded(value: f64, digits: i32) -> f64 {
    let scale = 10_f64.powi(digits);
    (value * scale).round() / scale
}

/// Whole numbers without a fraction.
fn short<S: serde::Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    if value.fract() == 0.0 && value.abs() < 1e15 {
        serializer.serialize_i64(*value as i64)
    } else {
        serializer.serialize_f64(*value)
    }
}

fn short_or_none<S: serde::Serializer>(value: &Option<f64>, serializer: S) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => short(value, serializer),
        None => serializer.serialize_none(),
    }
}
