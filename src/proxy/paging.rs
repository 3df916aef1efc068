//! The quirk `startindex-zero-based`: an app that takes `startIndex` for the number of results to skip.
//!
//! Done to the request that goes out, not to the one that answers are judged by, and so not in the engine: made twice it
//! would skip twice, and what the engine does it may do again.

use std::borrow::Cow;

use http::Method;

use super::exchange::Exchange;
use crate::quirk::{Direction, Findings, Id, Mode, Plan, both::startindex_zero_based};

/// The target as the app counts.
pub(crate) fn as_the_app_counts<'t>(
    plan: &Plan,
    method: &Method,
    target: &'t str,
    exchange: &mut Exchange,
) -> Cow<'t, str> {
    let mode = plan.mode(Direction::Request, Id::StartindexZeroBased);
    // Without the operator's word there is nothing to see: a right request looks the same.
    if mode != Mode::Fix || *method != Method::GET {
        return target.into();
    }
    let Some(shifted) = startindex_zero_based::shifted(target) else { return target.into() };
    let mut findings = Findings::default();
    findings.note(Id::StartindexZeroBased, true, || "startIndex".to_owned());
    exchange.found(Direction::Request, findings);
    shifted.into()
}
