//! The answer: read with a bound, handed to the engine, and on as it came where nothing was fixed.

use std::{
    collections::VecDeque,
    future::Future,
    sync::Arc,
    time::{Instant, SystemTime},
};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Method, Response, StatusCode, header, response::Parts};
use http_body::Body as _;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::time;
use tracing::Instrument;

use super::{
    body::{self, Decoded},
    budget::{Budget, FREE, Share},
    exchange::{Exchange, Unread},
    headers,
    normalize::{LARGE, edit, elsewhere, rooted},
    refusal::Refusal,
    reply::Flow,
};
use crate::{
    gate::Tenant,
    observe::{facts, trace::step},
    quirk::{self, Answer, Asked, Body, Direction, Plan, Repaired},
};

/// An answer over this is streamed without repair and counted: a page of ten thousand users with photos is smaller.
pub(crate) const LARGEST: usize = 32 << 20;

/// What an answer is judged by.
#[derive(Debug, Clone)]
pub(crate) struct Question {
    pub(crate) plan: Arc<Plan>,
    pub(crate) tenant: Arc<Tenant>,
    pub(crate) method: Method,
    pub(crate) target: String,
    pub(crate) base_url: String,
    pub(crate) upstream_url: String,
}

/// Hands an answer through unread.
pub(crate) fn untouched(answer: Response<Incoming>, method: &Method) -> (Parts, Flow) {
    let (mut head, body) = answer.into_parts();
    headers::end_hop(&mut head.headers);
    if !is_bodiless(method, head.status) {
        head.headers.remove(header::CONTENT_LENGTH);
    }
    (head, Flow::App { first: VecDeque::new(), rest: body })
}

/// Repairs an answer.
pub(crate) async fn answer(
    question: Question,
    answer: Response<Incoming>,
    bodies: &Budget,
    deadline: Instant,
    exchange: &mut Exchange,
) -> Result<(Parts, Flow), Refusal> {
    exchange.wire().app_answers(answer.status(), answer.headers());
    let (head, flow) = untouched(answer, &question.method);
    // Not Modified describes a body that the IdP has from before.
    let Flow::App { rest, .. } = flow else { return Ok((head, flow)) };
    if head.status == StatusCode::NOT_MODIFIED {
        return Ok((head, Flow::App { first: VecDeque::new(), rest }));
    }
    let began = Instant::now();
    // What is inside a coding may be of any size.
    let coded = head.headers.contains_key(header::CONTENT_ENCODING).then_some(LARGEST);
    let tenant = &question.tenant.id;
    let share = |length: usize| async move {
        let length = coded.unwrap_or(length);
        if length <= FREE {
            return Ok(None);
        }
        // For want of memory it is late, as if the app were.
        bodies.share(tenant, length, deadline).await.map(Some).ok_or(Refusal::Deadline)
    };
    let read = time::timeout_at(deadline.into(), read(rest, share)).instrument(step!("read_answer")).await;
    exchange.waited_for_app(began.elapsed());
    let (flow, share) = read.map_err(|_| Refusal::Deadline)??;
    // Until the client has taken what is made of it.
    exchange.holds(share);
    let raw = match flow {
        Flow::Whole(raw) => raw,
        large => {
            exchange.unread(Direction::Response, Unread::TooLarge);
            return Ok((head, large));
        }
    };
    exchange.wire().app_body(&raw);
    let decoded = match body::decoded(&head.headers, &raw, LARGEST).await {
        Decoded::Plain => raw.clone(),
        Decoded::Whole(decoded) => decoded.into(),
        unread => {
            let why = if unread == Decoded::TooLarge { Unread::TooLarge } else { Unread::Encoding };
            exchange.unread(Direction::Response, why);
            return Ok((head, Flow::Whole(raw)));
        }
    };
    let bodiless = question.method == Method::HEAD;
    let (mut head, repaired, facts) = walk(question, head, decoded).await;
    exchange.wire().says(facts);
    exchange.found(Direction::Response, repaired.findings);
    if let Some(why) = repaired.unread {
        tracing::debug!(why, "answer goes on unread");
        exchange.unread(Direction::Response, Unread::Body);
    }
    if let Some(status) = repaired.status {
        head.status = status;
    }
    let flow = match repaired.body {
        _ if bodiless => Flow::Whole(Bytes::new()),
        Body::AsSent => Flow::Whole(raw),
        Body::Empty => {
            headers::forget_body(&mut head.headers);
            head.headers.remove(header::CONTENT_TYPE);
            Flow::Whole(Bytes::new())
        }
        Body::New(fixed) => {
            headers::forget_body(&mut head.headers);
            Flow::Whole(fixed.into())
        }
    };
    edit(&mut head.headers, repaired.headers);
    Ok((head, flow))
}

/// Whether the protocol sends no body with such an answer (RFC 9112 6.3); its Content-Length then tells of another.
pub(crate) fn is_bodiless(method: &Method, status: StatusCode) -> bool {
    *method == Method::HEAD || status == StatusCode::NOT_MODIFIED
}

/// One call of the engine, on this thread or, for a large body, on another.
async fn walk(question: Question, head: Parts, body: Bytes) -> (Parts, Repaired, Option<Box<facts::Answer>>) {
    if body.len() <= LARGE {
        let (repaired, facts) = step(&question, head.status, &head.headers, &body);
        return (head, repaired, facts);
    }
    elsewhere(move || {
        let (repaired, facts) = step(&question, head.status, &head.headers, &body);
        (head, repaired, facts)
    })
    .await
}

/// What comes of an answer, and what its body says.
fn step(
    question: &Question,
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
) -> (Repaired, Option<Box<facts::Answer>>) {
    let _step = step!("repair").entered();
    let Question { plan, tenant, method, target, base_url, upstream_url } = question;
    let target = &*rooted(target);
    let collection = quirk::collection(target);
    let asked = Asked {
        method,
        target,
        base_url,
        upstream_url,
        now: SystemTime::now(),
        collection_seen: collection.is_some_and(|collection| tenant.has_seen(collection)),
    };
    let mut facts = None;
    let answer = Answer { status, headers, body };
    let repaired = quirk::repair_seen(plan, &asked, &answer, &mut |doc| facts = Some(Box::new(facts::Answer::of(doc))));
    if let Some(collection) = quirk::shown(method, target, status) {
        tenant.saw(collection);
    }
    (repaired, facts)
}

/// Reads a whole body, with the memory that it needs by its length; one over [`LARGEST`] comes back as a stream that begins
/// with what was read.
async fn read<F>(mut rest: Incoming, share: impl Fn(usize) -> F) -> Result<(Flow, Option<Share>), Refusal>
where
    F: Future<Output = Result<Option<Share>, Refusal>>,
{
    let mut first = VecDeque::new();
    let mut length = 0;
    let mut held = None;
    loop {
        let known = length as u64 + rest.size_hint().lower();
        if known > LARGEST as u64 {
            return Ok((Flow::App { first, rest }, held));
        }
        if held.is_none() && !rest.is_end_stream() {
            // Where it does not say how long it is, and is longer than most, it may be as long as any.
            let exact = rest.size_hint().exact().is_some();
            held = share(if exact || length <= FREE { known as usize } else { LARGEST }).await?;
        }
        let Some(frame) = rest.frame().await else { break };
        let frame = frame
            .map_err(|_| Refusal::Upstream("the application closed the connection in the middle of its answer"))?;
        if let Ok(data) = frame.into_data() {
            length += data.len();
            first.push_back(data);
        }
    }
    if first.len() < 2 {
        return Ok((Flow::Whole(first.pop_front().unwrap_or_default()), held));
    }
    let mut whole = BytesMut::with_capacity(length);
    first.iter().for_each(|data| whole.extend_from_slice(data));
    Ok((Flow::Whole(whole.freeze()), held))
}
