//! The quirk `media-type-refused`: an app that answers 415 to the media type a body goes by.
//!
//! By 415 the app says that it has not looked at the body (RFC 9110 15.5.16), so that the same bytes under the other of
//! SCIM's two media types are not a write sent twice. Which one an app reads is remembered of the tenant: what costs a
//! second request costs it once.

use std::time::Instant;

use http::{HeaderValue, Response, StatusCode, header};
use hyper::body::Incoming;

use super::{
    exchange::Exchange,
    refusal::Refusal,
    upstream::{App, Outgoing},
};
use crate::quirk::{Direction, Findings, Id, Mode, Plan};

const SCIM: &str = "application/scim+json";
const JSON: &str = "application/json";

/// Gives a request to the app, by the media type that it reads as far as that is known.
pub(crate) async fn send(
    app: &App,
    plan: &Plan,
    outgoing: &mut Outgoing,
    deadline: Instant,
    exchange: &mut Exchange,
) -> Result<Response<Incoming>, Refusal> {
    let mode = plan.mode(Direction::Request, Id::MediaTypeRefused);
    let label = label(outgoing).filter(|_| mode != Mode::Off && !app.sets_content_type());
    let Some(label) = label else { return app.send(outgoing, deadline, exchange).await };
    let mut findings = Findings::default();
    let answer = adapted(app, mode, label, outgoing, &mut findings, deadline, exchange).await;
    exchange.found(Direction::Request, findings);
    answer
}

async fn adapted(
    app: &App,
    mode: Mode,
    label: &'static str,
    outgoing: &mut Outgoing,
    findings: &mut Findings,
    deadline: Instant,
    exchange: &mut Exchange,
) -> Result<Response<Incoming>, Refusal> {
    let place = || "content-type".to_owned();
    let known = outgoing.tenant.media_type().filter(|&known| mode == Mode::Fix && known != label);
    let first = known.unwrap_or(label);
    if first != label {
        findings.note(Id::MediaTypeRefused, true, place);
        relabel(outgoing, first, exchange);
    }
    let answer = app.send(outgoing, deadline, exchange).await?;
    if answer.status() != StatusCode::UNSUPPORTED_MEDIA_TYPE {
        return Ok(answer);
    }
    let again = mode == Mode::Fix && outgoing.payload.is_untouched();
    findings.note(Id::MediaTypeRefused, again, place);
    if !again {
        return Ok(answer);
    }
    let other = if first == SCIM { JSON } else { SCIM };
    relabel(outgoing, other, exchange);
    let answer = app.send(outgoing, deadline, exchange).await?;
    // An app that has something else against the body refuses it by either name, and has taught nothing.
    if answer.status() != StatusCode::UNSUPPORTED_MEDIA_TYPE {
        outgoing.tenant.reads(other);
    }
    Ok(answer)
}

/// The media type of a body, if it is one of the two.
fn label(outgoing: &Outgoing) -> Option<&'static str> {
    if outgoing.payload.is_empty() {
        return None;
    }
    let sent = outgoing.headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    let essence = sent.split(';').next().unwrap_or_default().trim();
    [SCIM, JSON].into_iter().find(|known| essence.eq_ignore_ascii_case(known))
}

fn relabel(outgoing: &mut Outgoing, label: &'static str, exchange: &mut Exchange) {
    outgoing.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(label));
    exchange.wire().relabels(&outgoing.headers);
}
