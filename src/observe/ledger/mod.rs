//! How near each connection is to quarantine: what the IdP was told, remembered per object, and judged as the IdP is
//! taken to judge it.
//!
//! It is a model: only the IdP knows. It judges the answers that left here and not those of the app, so that a repair
//! can neither hide the app's failures nor be hidden by them. Time is handed in.

mod book;
mod causes;
mod classify;
mod cycle;
mod distinct;
mod faults;
mod forecast;
mod history;
mod live;
mod names;
mod objects;
mod rhythm;
mod score;
mod snapshot;

#[cfg(test)]
mod rules;

pub mod replay;

use serde::Serialize;

use crate::quirk::Id;

pub use classify::{Answer, Class, classify};
pub use live::{Clock, Ledger, Who};
pub use snapshot::{Corrupt, Unread};

/// Milliseconds of Unix time on a clock that never steps: the wall clock at the start of the process, and from there on
/// a monotonic one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize)]
pub struct Moment(pub u64);

/// One exchange, as the ledger sees it.
#[derive(Debug, Clone)]
pub struct Observation {
    /// What was asked.
    pub kind: Kind,
    /// The filter compares with a bare GUID and nothing else: it may be a check, see [`Kind::Probe`].
    pub guid: bool,
    /// How many resources a lookup found, where its answer could be read.
    pub matches: Option<u32>,
    /// The method is DELETE.
    pub delete: bool,
    /// The object: a keyed hash of the value that was looked up or created, or of the id.
    pub object: Option<u64>,
    /// Another name of the same object, which the answer told: the id of what was created or found.
    pub also: Option<u64>,
    /// What the IdP was told; 0 is no answer.
    pub status: u16,
    /// The answer's body is SCIM, or there was none and none was due.
    pub scim: bool,
    /// It touches only `members` or `manager`.
    pub reference: bool,
    /// It deactivates or deletes.
    pub deprovision: bool,
    /// Why it failed, where it did; without personal data.
    pub cause: Option<Box<Cause>>,
}

impl Observation {
    /// An exchange of which nothing more is to be said.
    pub fn new(kind: Kind, object: Option<u64>, status: u16) -> Self {
        Self {
            kind,
            guid: false,
            matches: None,
            delete: false,
            object,
            also: None,
            status,
            scim: true,
            reference: false,
            deprovision: false,
            cause: None,
        }
    }
}

/// What was asked (model 4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A lookup.
    Filter,
    /// A read by id, or of what is no object.
    Get,
    /// A check of connection and credentials.
    Probe,
    /// A write.
    Write,
}

/// Why an object fails: bounded words only, from our own tables and the schemas.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct Cause {
    /// `Users`, `Groups` ...
    pub resource: &'static str,
    /// What the IdP was told; 0 is no answer.
    pub status: u16,
    /// RFC 7644 table 9, if the answer had one that stands there.
    pub scim_type: Option<&'static str>,
    /// The path of the attribute that the answer names or the request touches, as the schema spells it.
    pub attribute: Option<String>,
    /// A deviation found in this exchange and not fixed.
    #[serde(serialize_with = "name")]
    pub quirk: Option<Id>,
    /// The label of scimshim's own refusal.
    pub refusal: Option<&'static str>,
}

fn name<S: serde::Serializer>(id: &Option<Id>, serializer: S) -> Result<S::Ok, S::Error> {
    id.map(Id::as_str).serialize(serializer)
}

/// What the model takes a connection to be in (4.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Nothing has come yet.
    Unknown,
    /// Nothing to worry about.
    Healthy,
    /// Risk at 0.25 or above.
    AtRisk,
    /// What the IdP has seen is enough for quarantine.
    LikelyQuarantined,
    /// A good cycle after that.
    Recovering,
    /// No word where one was due.
    Silent,
    /// In quarantine for 28 days.
    DisabledSuspected,
}

impl State {
    /// Every state, in the order of the model.
    pub const ALL: [Self; 7] = [
        Self::Unknown,
        Self::Healthy,
        Self::AtRisk,
        Self::LikelyQuarantined,
        Self::Recovering,
        Self::Silent,
        Self::DisabledSuspected,
    ];

    /// The state of that label.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }

    /// The label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Healthy => "healthy",
            Self::AtRisk => "at_risk",
            Self::LikelyQuarantined => "likely_quarantined",
            Self::Recovering => "recovering",
            Self::Silent => "silent",
            Self::DisabledSuspected => "disabled_suspected",
        }
    }
}

/// A part of the risk (4.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Component {
    /// Refused credentials.
    Auth,
    /// Most or all calls of a cycle fail.
    Calls,
    /// Dead cycles.
    Connection,
    /// Over 40,000 failing objects.
    EscrowBase,
    /// Over 40 % failing.
    EscrowProportion,
    /// Over 60,000 with references.
    EscrowTotal,
    /// Many deprovisioned in one cycle.
    MassDelete,
    /// Tasks of an event-driven IdP that wait for a human.
    StuckTasks,
    /// 429 in a row on one object.
    ThrottleAttempts,
}

impl Component {
    /// Of the profile of IdPs that work in cycles: Entra, and all that are not named in the other.
    pub const CYCLES: [Self; 7] = [
        Self::EscrowProportion,
        Self::EscrowBase,
        Self::EscrowTotal,
        Self::Connection,
        Self::Auth,
        Self::Calls,
        Self::MassDelete,
    ];
    /// Of the profile of event-driven IdPs: Okta and Ping.
    pub const EVENTS: [Self; 2] = [Self::StuckTasks, Self::ThrottleAttempts];

    /// The label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auth => "auth",
            Self::Calls => "calls",
            Self::Connection => "connection",
            Self::EscrowBase => "escrow_base",
            Self::EscrowProportion => "escrow_proportion",
            Self::EscrowTotal => "escrow_total",
            Self::MassDelete => "mass_delete",
            Self::StuckTasks => "stuck_tasks",
            Self::ThrottleAttempts => "throttle_attempts",
        }
    }
}

/// One connection as operators see it. Times are Unix seconds.
#[derive(Debug, Clone, Serialize)]
pub struct View {
    /// The tenant.
    pub tenant: String,
    /// Its metric label.
    pub label: String,
    /// What the model takes it to be in.
    pub state: State,
    /// Since when; of a tenant that is listed and has not called, since it was first looked at.
    pub since: f64,
    /// The greatest of the components.
    pub risk: f64,
    /// Which one that is; `None` at no risk.
    pub reason: Option<Component>,
    /// All of its profile.
    pub components: Vec<(Component, f64)>,
    /// Estimated seconds to quarantine; `None` for none in sight.
    pub eta_s: Option<f64>,
    /// Failing objects.
    pub failing: u64,
    /// Failing updates of references.
    pub failing_references: u64,
    /// Objects whose last outcome is success.
    pub succeeded: u64,
    /// What is left until the nearest published threshold, 0 to 1.
    pub budget: f64,
    /// Learned time between cycles, in seconds.
    pub period_s: Option<f64>,
    /// When the IdP last called.
    pub last_request: Option<f64>,
    /// When it was last told success.
    pub last_success: Option<f64>,
    /// When it is expected to knock, in quarantine.
    pub next_attempt: Option<f64>,
    /// When it is expected to switch off, in quarantine.
    pub disable: Option<f64>,
    /// What accounts for the risk, the greatest share first: refused credentials or failures of the connection where
    /// [`View::reason`] is one of these, else failing objects.
    pub culprits: Vec<Culprit>,
    /// How it went, oldest first.
    pub history: Vec<Sample>,
}

/// One reason and what it accounts for.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Culprit {
    /// The reason.
    pub cause: Cause,
    /// Objects that fail for it; of a refused or dead connection, answers.
    pub objects: u64,
    /// Of all such failures, 0 to 1; of deletions and attempts, of their limit.
    pub share: f64,
    /// For people, such as `3 Users, 400 invalidValue, emails.type, 91 % of failures` or `1 check 503, 100 % of failed
    /// checks`.
    pub text: String,
}

/// The components at one moment.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Sample {
    /// Unix seconds.
    pub at: f64,
    /// The state.
    pub state: State,
    /// The values, in the order of the profile's components.
    pub components: Vec<f32>,
}
