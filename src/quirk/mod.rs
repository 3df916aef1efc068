//! Deviations from the standard: one file each, and the walk that applies them.
//!
//! A quirk is a [`Quirk`] block whose doc comment is its user page (with a message as it arrives and as it goes on;
//! both run as a test) and one small function that the walk calls where the deviation can stand. Requests are made
//! compliant by [`normalize`], answers by [`repair`]; both take a [`Plan`], which says per quirk whether it is fixed,
//! observed or off. Nothing here does I/O, holds state or reads configuration.

mod catalogue;
mod cx;
mod finding;
mod normalize;
mod page;
mod plan;
mod repair;

pub mod both;
pub mod request;
pub mod response;

pub use catalogue::{ALL, Id};
pub(crate) use cx::Cx;
pub use finding::{Findings, Fix, PLACES};
pub use normalize::{HeaderEdit, Normalized, RefusedBody, Sent, Why, normalize, normalize_seen};
pub use page::{Example, Message};
pub use plan::{Idp, Mode, Plan, PlanSettings, Switch, TenantMode};
pub use repair::{Answer, Asked, Body, Repaired, collection, repair, repair_seen, shown};

/// Which messages a quirk can stand in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the IdP to the app.
    Request,
    /// From the app to the IdP.
    Response,
    /// Either.
    Both,
}

impl Direction {
    /// Whether a quirk of this direction can stand in a message that goes `way`.
    pub fn covers(self, way: Self) -> bool {
        self == Self::Both || self == way
    }

    /// The metric label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Response => "response",
            Self::Both => "both",
        }
    }
}

/// How sure the rewrite is, and so what it does without the operator's word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Risk {
    /// No reading of the message under which its meaning changes, given the schema: fixed for every tenant.
    Safe,
    /// Known because that IdP is known to mean it: fixed in the profile of an IdP in `seen_in`, else observed.
    Inferred,
    /// May hide a fault or drop something: observed until the operator says `fix`.
    OptIn,
    /// Cannot or must not be mended from one message: counted only.
    Report,
}

impl Risk {
    /// As docs and the catalogue command print it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Safe => "safe",
            Self::Inferred => "inferred",
            Self::OptIn => "opt-in",
            Self::Report => "report",
        }
    }
}

/// One known deviation.
#[derive(Debug)]
pub struct Quirk {
    /// The name in configuration, metrics, logs and docs; says what is wrong, not the remedy.
    pub id: &'static str,
    /// Which messages it stands in.
    pub direction: Direction,
    /// How sure the rewrite is.
    pub risk: Risk,
    /// The rule that is broken.
    pub rfc: &'static str,
    /// Identity providers that send it (requests) or trip over it (answers); turns `Inferred` on in their profiles.
    pub seen_in: &'static [Idp],
    /// Profiles in which an answer of this kind is right as it is.
    pub not_for: &'static [Idp],
    /// Servers and clients in which it was seen: public threads and files.
    pub sources: &'static str,
    /// A spelling that the RFC allows; normalized, not refused, in tenant mode `reject`.
    pub spelling: bool,
    /// The user page, in Markdown; see [`Quirk::examples`] for the two messages in it.
    pub docs: &'static str,
}

impl Quirk {
    /// What a `quirk!` block leaves out.
    pub(crate) const DEFAULT: Self = Self {
        id: "",
        direction: Direction::Both,
        risk: Risk::Report,
        rfc: "",
        seen_in: &[],
        not_for: &[],
        sources: "",
        spelling: false,
        docs: "",
    };

    /// The mode without the operator's word.
    pub fn default_mode(&self, idp: Idp, way: Direction) -> Mode {
        match self.risk {
            Risk::Safe if way == Direction::Response && self.not_for.contains(&idp) => Mode::Observe,
            Risk::Safe => Mode::Fix,
            Risk::Inferred if self.seen_in.contains(&idp) => Mode::Fix,
            Risk::Inferred | Risk::OptIn | Risk::Report => Mode::Observe,
        }
    }

    /// The first line of the page.
    pub fn summary(&self) -> &'static str {
        self.docs.trim_start().lines().next().unwrap_or_default().trim()
    }
}

/// Declares quirks; the doc comment is the user page.
macro_rules! quirk {
    ($($(#[doc = $doc:literal])+ pub static $name:ident = { $($field:ident: $value:expr),+ $(,)? };)+) => {
        $(
            $(#[doc = $doc])+
            pub static $name: $crate::quirk::Quirk = {
                #[allow(unused_imports)]
                use $crate::quirk::{Direction::*, Idp::*, Risk::*};
                $crate::quirk::Quirk {
                    docs: concat!($($doc, "\n"),+),
                    $($field: $value,)+
                    ..$crate::quirk::Quirk::DEFAULT
                }
            };
        )+
    };
}
pub(crate) use quirk;
