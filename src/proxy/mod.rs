//! The way of one exchange. The files are the route: `accept` and `announce`, `route`, `normalize`, `upstream`,
//! `redirect`, `repair`; `refusal` answers where the way ends early, `exchange` says at the end what happened.
//!
//! Steps are plain functions and `?`; what a step refuses becomes an answer in one place. There are no layers: the
//! bounds (time, size, number) belong to the steps that can name them in their answer.

mod accept;
mod announce;
mod body;
mod exchange;
mod framing;
mod headers;
mod life;
mod normalize;
mod redirect;
mod refusal;
mod repair;
mod route;
mod serve;
mod upstream;
mod wire;

use std::{
    future::{Future, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    sync::Arc,
    task::Poll,
};

use http::{HeaderValue, Method, Request, Response, Uri, Version, header, request, response, uri::Authority};
use hyper::body::Incoming;

pub use self::serve::{Shim, bind, serve_blocking};
use self::{
    accept::Connection,
    body::{Flow, Inbound, Payload, Reply, Times},
    exchange::Exchange,
    headers::Ids,
    life::{Life, Phase},
    refusal::Refusal,
    repair::Question,
    route::Way,
    upstream::{App, Outgoing},
    wire::Open,
};
use crate::{config::Settings, gate::Gate, observe::Metrics, quirk::TenantMode};

/// What all exchanges share.
#[derive(Debug)]
pub(crate) struct Proxy {
    settings: Settings,
    metrics: Arc<Metrics>,
    gate: Gate,
    app: App,
    ids: Ids,
    life: Arc<Life>,
}

impl Proxy {
    /// One exchange, to its answer. Whatever happens, there is one.
    async fn handle(
        self: Arc<Self>,
        connection: Connection,
        open: Open,
        request: Request<Incoming>,
    ) -> Response<Reply> {
        let (parts, body) = request.into_parts();
        let (method, version) = (parts.method.clone(), parts.version);
        let mut inbound = Inbound::new(body, &parts.headers);
        let id = self.ids.of(&parts.headers);
        let mut exchange = Exchange::new(&self.metrics, &self.life, id, &method, &parts.headers);
        let outcome = caught(self.exchange(connection, parts, &mut inbound, &mut exchange)).await;
        let mut last = self.life.phase() != Phase::Serving;
        let (mut head, flow) = outcome.unwrap_or(Err(Refusal::Internal)).unwrap_or_else(|refusal| {
            exchange.refused(&refusal);
            last |= inbound.give_up(&open);
            let (head, body) = refusal.answer(self.settings.retry_after).into_parts();
            (head, Flow::Whole(body))
        });
        // In HTTP/2 a stream ends by itself, and the connection is told in its own way.
        if last && version < Version::HTTP_2 {
            head.headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        head.headers.insert(headers::X_REQUEST_ID, exchange.id().clone());
        if self.settings.debug_headers {
            exchange.write_fixes(&mut head.headers);
        }
        exchange.answered(head.status);
        let bodiless = repair::is_bodiless(&method, head.status);
        let limits = &self.settings.listen.limits;
        let times = Times { app: limits.deadline, client: limits.idle_timeout };
        Response::from_parts(head, Reply::new(flow, bodiless, times, exchange, open))
    }

    /// The way.
    async fn exchange(
        &self,
        connection: Connection,
        mut parts: request::Parts,
        body: &mut Inbound,
        exchange: &mut Exchange,
    ) -> Result<(response::Parts, Flow), Refusal> {
        let limits = &self.settings.listen.limits;
        let deadline = exchange.started() + limits.deadline;
        bounded(&parts, limits.header.max(accept::SMALLEST_HEAD))?;
        supported(&parts)?;
        let uri = std::mem::take(&mut parts.uri);
        let way = route::find(&self.settings.listen, uri.path_and_query())?;
        if let Way::Scim(target) = way {
            exchange.target(target);
        }
        let admitted = self.gate.admit(&parts, connection.caller().unwrap_or(connection.socket_peer.ip()))?;
        let (tenant, plan) = exchange.admitted(admitted);
        let host = headers::host(uri.authority(), &parts.headers);
        let scheme = if connection.tls { "https" } else { "http" };
        let base_url = self.base_url(scheme, host.as_ref());
        headers::to_app(&mut parts.headers, connection.caller(), scheme, host.as_ref(), exchange.id());

        let target = match way {
            Way::Scim(target) => target.to_owned(),
            Way::Pass => {
                let path = uri.path_and_query().map_or("/", |path| path.as_str());
                let payload = body.stream(usize::MAX, limits.deadline)?;
                let outgoing = self.outgoing(parts, self.app.at(path), payload)?;
                let answer = self.app.send(&outgoing, deadline, exchange).await?;
                return Ok(repair::untouched(answer, &outgoing.method));
            }
        };
        if plan.tenant_mode() == TenantMode::Off {
            let payload = body.stream(limits.body, limits.body_timeout)?;
            let mut outgoing = self.outgoing(parts, self.app.scim(&target), payload)?;
            self.app.content_type(&mut outgoing);
            let answer = self.app.send(&outgoing, deadline, exchange).await?;
            return Ok(repair::untouched(answer, &outgoing.method));
        }

        // So that the answer can be read.
        parts.headers.remove(header::ACCEPT_ENCODING);
        let (target, payload) = normalize::request(&plan, &mut parts, target, body, limits, exchange).await?;
        let mut outgoing = self.outgoing(parts, self.app.scim(&target), payload)?;
        self.app.content_type(&mut outgoing);
        let method = outgoing.method.clone();
        let answer = self.app.send(&outgoing, deadline, exchange).await?;
        let answer = redirect::follow(&self.app, &plan, outgoing, answer, deadline, exchange).await?;
        let question = Question { plan, tenant, method, target, base_url, upstream_url: self.app.base_url() };
        repair::answer(question, answer, deadline, exchange).await
    }

    fn outgoing(&self, parts: request::Parts, uri: Option<Uri>, payload: Payload) -> Result<Outgoing, Refusal> {
        let uri = uri.ok_or_else(|| Refusal::Malformed("the request target is not a URI".to_owned()))?;
        Ok(Outgoing { method: parts.method, uri, headers: parts.headers, payload })
    }

    /// What the caller calls this SCIM base.
    fn base_url(&self, scheme: &str, host: Option<&Authority>) -> String {
        let listen = &self.settings.listen;
        match (&listen.base_url, host) {
            (Some(url), _) => url.for_tenant("default"),
            (None, Some(host)) => format!("{scheme}://{host}{}", listen.base_path),
            (None, None) => format!("{scheme}://{}{}", listen.address, listen.base_path),
        }
    }
}

/// Holds a head to its limit. The readers of both protocols stop somewhere above it: on a kept connection the buffer
/// is filled anew behind the request before, and HTTP/2 counts in its own way.
fn bounded(parts: &request::Parts, limit: usize) -> Result<(), Refusal> {
    let uri = &parts.uri;
    let target = uri.path_and_query().map_or(0, |path| path.as_str().len());
    let host = uri.authority().map_or(0, |host| host.as_str().len());
    let fields: usize =
        parts.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + ": \r\n".len()).sum();
    if parts.method.as_str().len() + target + host + fields > limit {
        return Err(Refusal::Header { limit });
    }
    Ok(())
}

/// What no later step could do anything with.
fn supported(parts: &request::Parts) -> Result<(), Refusal> {
    if parts.method == Method::CONNECT {
        return Err(Refusal::Unsupported("CONNECT is"));
    }
    if headers::wants_upgrade(&parts.headers) {
        return Err(Refusal::Unsupported("upgrades are"));
    }
    if !headers::agrees(parts.version, &parts.uri, &parts.headers) {
        return Err(Refusal::Malformed("the request names one host in :authority and another in host".to_owned()));
    }
    if !headers::has_sound_host(parts.version, &parts.headers) {
        return Err(Refusal::Malformed("the request needs one host field with a host in it".to_owned()));
    }
    Ok(())
}

/// Runs `future` to its end; `None` if it panics. What it shares is counters and maps that are whole between calls.
async fn caught<F: Future>(future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
        Ok(poll) => poll.map(Some),
        Err(_) => Poll::Ready(None),
    })
    .await
}

#[cfg(test)]
mod tests {
    #[tokio::test]
    async fn a_panic_is_caught_with_its_future() {
        assert_eq!(super::caught(async { 1 }).await, Some(1));
        assert_eq!(super::caught(async { panic!("on purpose") }).await, None::<()>);
    }
}
