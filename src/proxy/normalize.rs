//! The request: read with a bound, handed to the engine, and on as it came where nothing was fixed.

use std::{borrow::Cow, sync::Arc, time::Instant};

use http::{HeaderMap, Method, request::Parts};
use tokio::task;
use tracing::{Instrument, Span};

use super::{
    body::{self, Bounds, Decoded, Inbound, Payload},
    exchange::{Exchange, Unread},
    headers,
    refusal::Refusal,
};
use crate::{
    observe::{facts, trace::step},
    quirk::{self, Direction, Normalized, Plan, RefusedBody, Sent, TenantMode},
};

/// Bodies above this are walked on a thread of their own: a walk over it takes some hundred microseconds, in which a
/// runtime with one thread would answer nobody.
pub(crate) const LARGE: usize = 256 << 10;

/// Makes a request compliant: reads its body and edits its head; gives the target and the body for the app.
pub(crate) async fn request(
    plan: &Arc<Plan>,
    parts: &mut Parts,
    target: String,
    body: &mut Inbound,
    bounds: &Bounds<'_>,
    exchange: &mut Exchange,
) -> Result<(String, Payload), Refusal> {
    let began = Instant::now();
    let read = body.read(bounds, &parts.headers).instrument(step!("read")).await;
    exchange.waited_for_body(began.elapsed());
    let (raw, share) = read?;
    exchange.holds(share);
    let limits = bounds.limits;
    exchange.wire().received_body(&raw);
    let decoded = match body::decoded(&parts.headers, &raw, limits.body).await {
        Decoded::Plain => raw.clone(),
        Decoded::Whole(decoded) => decoded.into(),
        unread if matches!(plan.tenant_mode(), TenantMode::Observe | TenantMode::Off) => {
            exchange.unread(
                Direction::Request,
                if unread == Decoded::TooLarge { Unread::TooLarge } else { Unread::Encoding },
            );
            return Ok((target, Payload::whole(raw)));
        }
        Decoded::Foreign(coding) => {
            return Err(Refusal::Encoding(format!(
                "content-encoding {} is not supported, expected gzip, deflate or none",
                coding.escape_debug()
            )));
        }
        Decoded::Garbled => return Err(Refusal::Malformed("the request body is not in its content-encoding".into())),
        Decoded::TooLarge => return Err(Refusal::TooLarge { limit: limits.body }),
    };
    let (outcome, facts) = if decoded.len() <= LARGE {
        step(plan, &parts.method, &target, &parts.headers, &decoded)
    } else {
        let (plan, method, to, headers) =
            (Arc::clone(plan), parts.method.clone(), target.clone(), parts.headers.clone());
        elsewhere(move || step(&plan, &method, &to, &headers, &decoded)).await
    };
    let normalized = match outcome {
        Ok(normalized) => normalized,
        Err(mut refused) => {
            exchange.found(Direction::Request, std::mem::take(&mut refused.findings));
            return Err(refused.into());
        }
    };
    exchange.found(Direction::Request, normalized.findings);
    if let Some(why) = normalized.unread {
        tracing::debug!(why, "request body goes on unread");
        exchange.unread(Direction::Request, Unread::Body);
    }
    exchange.wire().asks(facts);
    edit(&mut parts.headers, normalized.headers);
    let payload = match normalized.body {
        Some(fixed) => {
            headers::forget_body(&mut parts.headers);
            Payload::whole(fixed.into())
        }
        None => Payload::whole(raw),
    };
    Ok((normalized.target.unwrap_or(target), payload))
}

/// Sets and removes what the engine says.
pub(crate) fn edit(headers: &mut HeaderMap, edits: Vec<quirk::HeaderEdit>) {
    for (name, value) in edits {
        match value {
            Some(value) => headers.insert(name, value),
            None => headers.remove(name),
        };
    }
}

/// One call of the engine; beside what comes of it, what the body says.
fn step(
    plan: &Plan,
    method: &Method,
    target: &str,
    headers: &HeaderMap,
    body: &[u8],
) -> (Result<Normalized, Box<RefusedBody>>, Option<Box<facts::Request>>) {
    let _step = step!("normalize").entered();
    let mut facts = None;
    let sent = Sent { method, target: &rooted(target), headers, body };
    let normalized = quirk::normalize_seen(plan, &sent, &mut |doc| facts = Some(Box::new(facts::Request::of(doc))));
    (normalized, facts)
}

/// A target as the engine knows it: the base itself, which has no path below it, is the root.
pub(crate) fn rooted(target: &str) -> Cow<'_, str> {
    if target.starts_with('/') { target.into() } else { format!("/{target}").into() }
}

/// Runs `work` where it may take its time; a panic in it is a panic here.
pub(crate) async fn elsewhere<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let span = Span::current();
    match task::spawn_blocking(move || span.in_scope(work)).await {
        Ok(done) => done,
        Err(failed) => match failed.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime is going away and this task with it.
            Err(_) => std::future::pending().await,
        },
    }
}
