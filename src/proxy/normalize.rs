//! The request: read with a bound, handed to the engine, and on as it came where nothing was fixed.

use std::{
    borrow::Cow,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Method, header, request::Parts};
use http_body::Body;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::{task, time};

use super::{
    body::{self, Decoded, Payload},
    exchange::{Exchange, Unread},
    headers,
    refusal::Refusal,
    wire::Open,
};
use crate::{
    config::settings::Limits,
    quirk::{self, Direction, Normalized, Plan, RefusedBody, Sent, TenantMode},
};

/// Bodies above this are walked on a thread of their own: a walk over it takes some hundred microseconds, in which a
/// runtime with one thread would answer nobody.
pub(crate) const LARGE: usize = 256 << 10;

/// How long a client that is still sending is listened to after it has been refused, so that it reads the answer
/// before it meets a reset.
const LINGER: Duration = Duration::from_secs(2);

/// Makes a request compliant: reads its body and edits its head; gives the target and the body for the app.
pub(crate) async fn request(
    plan: &Arc<Plan>,
    parts: &mut Parts,
    target: String,
    body: Incoming,
    limits: &Limits,
    open: &Open,
    exchange: &mut Exchange,
) -> Result<(String, Payload), Refusal> {
    let began = Instant::now();
    let raw = read(&parts.headers, body, limits, open).await;
    exchange.waited_for_body(began.elapsed());
    let raw = raw?;
    let decoded = match body::decode(&parts.headers, &raw, limits.body) {
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
    let outcome = if decoded.len() <= LARGE {
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

/// One call of the engine.
fn step(
    plan: &Plan,
    method: &Method,
    target: &str,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Normalized, Box<RefusedBody>> {
    quirk::normalize(plan, &Sent { method, target: &rooted(target), headers, body })
}

/// A target as the engine knows it: the base itself, which has no path below it, is the root.
pub(crate) fn rooted(target: &str) -> Cow<'_, str> {
    if target.starts_with('/') { target.into() } else { format!("/{target}").into() }
}

/// Runs `work` where it may take its time; a panic in it is a panic here.
pub(crate) async fn elsewhere<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(failed) => match failed.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime is going away and this task with it.
            Err(_) => std::future::pending().await,
        },
    }
}

/// Reads a whole body, at most `limits.body` bytes in at most `limits.body_timeout`.
async fn read(headers: &HeaderMap, mut body: Incoming, limits: &Limits, open: &Open) -> Result<Bytes, Refusal> {
    if body.is_end_stream() {
        return Ok(Bytes::new());
    }
    let outcome = if body.size_hint().lower() > limits.body as u64 {
        Err(Refusal::TooLarge { limit: limits.body })
    } else {
        match time::timeout(limits.body_timeout, collect(&mut body, limits.body)).await {
            Ok(outcome) => outcome,
            Err(_) => return Err(Refusal::Slow("body")),
        }
    };
    // Who waits for "100 Continue" sends nothing after a refusal.
    if outcome.is_err() && !headers.contains_key(header::EXPECT) {
        linger(body, open.clone());
    }
    outcome
}

async fn collect(body: &mut Incoming, limit: usize) -> Result<Bytes, Refusal> {
    let mut first: Option<Bytes> = None;
    let mut more = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| body::broken_off())?;
        if let Some(refusal) = body::trailers(&frame) {
            return Err(refusal);
        }
        let Ok(data) = frame.into_data() else { continue };
        if first.as_ref().map_or(0, Bytes::len).max(more.len()) + data.len() > limit {
            return Err(Refusal::TooLarge { limit });
        }
        match &first {
            None => first = Some(data),
            Some(one) => {
                if more.is_empty() {
                    more.reserve(one.len() + body.size_hint().lower() as usize + data.len());
                    more.extend_from_slice(one);
                }
                more.extend_from_slice(&data);
            }
        }
    }
    Ok(if more.is_empty() { first.unwrap_or_default() } else { more.freeze() })
}

fn linger(mut body: Incoming, open: Open) {
    task::spawn(async move {
        let _ = time::timeout(LINGER, async { while let Some(Ok(_)) = body.frame().await {} }).await;
        drop(open);
    });
}
