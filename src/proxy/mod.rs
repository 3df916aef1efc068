//! The way of one exchange. The files are the route: `accept` and `announce`, `route`, `normalize`, `paging`,
//! `media_type`, `upstream`, `redirect`, `repair`, `reply`; `refusal` answers where the way ends early, `exchange` says
//! at the end what happened.
//!
//! Steps are plain functions and `?`; what a step refuses becomes an answer in one place. There are no layers: the
//! bounds (time, size, number) belong to the steps that can name them in their answer.

mod accept;
mod announce;
mod body;
mod budget;
mod captured;
mod exchange;
mod framing;
#[cfg(fuzzing)]
pub(crate) mod fuzzing;
mod headers;
mod hold;
mod house;
mod life;
mod media_type;
mod names;
mod normalize;
mod paging;
mod redirect;
mod refusal;
mod reload;
mod repair;
mod reply;
mod route;
mod running;
mod serve;
mod shown;
mod upstream;
mod wire;

use std::{
    future::{Future, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::{Pin, pin},
    sync::Arc,
    task::Poll,
    time::{Duration, Instant},
};

use arc_swap::ArcSwap;
use http::{HeaderValue, Method, Request, Response, Uri, Version, header, request, response, uri::Authority};
use hyper::body::Incoming;
use tracing::Instrument;

use self::{
    accept::Connection,
    body::{Bounds, Inbound, Payload},
    exchange::Exchange,
    headers::Ids,
    life::{Life, Phase},
    refusal::Refusal,
    reload::Reloads,
    repair::Question,
    reply::{Flow, Reply, Times},
    route::Way,
    running::Running,
    upstream::Outgoing,
    wire::Open,
};
pub use self::{
    reload::{Hangups, Origin},
    serve::{Shim, bind, bind_at, serve_blocking},
};
use crate::{
    config::settings::Listen,
    feed::Feeds,
    gate::{
        self, Caller, Tenant,
        rate::{self, Class, Turn},
        resolve::{Evidence, Prefix},
        token::Authorization,
    },
    observe::{Metrics, Recorder, trace::step},
    quirk::TenantMode,
};

/// What all exchanges share.
#[derive(Debug)]
pub(crate) struct Proxy {
    running: ArcSwap<Running>,
    feeds: Arc<Feeds>,
    store: Arc<rate::Store>,
    metrics: Arc<Metrics>,
    recorder: Arc<Recorder>,
    ids: Ids,
    life: Arc<Life>,
    reloads: Reloads,
}

impl Proxy {
    /// One exchange. It begins here and not when it is polled first: where a client's end comes with its request, hyper
    /// drops what it has never polled, and that is counted too.
    fn handle(
        self: Arc<Self>,
        connection: Connection,
        open: Open,
        request: Request<Incoming>,
    ) -> impl Future<Output = Response<Reply>> {
        let (parts, body) = request.into_parts();
        let id = self.ids.of(&parts.headers);
        // On the heap, for it moves on with the answer.
        let exchange = Box::new(Exchange::new(&self.recorder, &self.life, id, &parts.method, &parts.headers));
        self.answer(connection, open, parts, body, exchange)
    }

    /// The exchange to its answer. Whatever happens, there is one.
    async fn answer(
        self: Arc<Self>,
        connection: Connection,
        open: Open,
        parts: request::Parts,
        body: Incoming,
        mut exchange: Box<Exchange>,
    ) -> Response<Reply> {
        let (method, version) = (parts.method.clone(), parts.version);
        let mut inbound = Inbound::new(body, &parts.headers);
        let running = self.running.load_full();
        let span = exchange.span().clone();
        let outcome = {
            let way = running.exchange(connection, parts, &mut inbound, &mut exchange);
            caught(pin!(way.instrument(span))).await
        };
        let mut last = self.life.phase() != Phase::Serving || self.life.is_crowded();
        let (mut head, flow) = match outcome.unwrap_or(Err(Refusal::Internal)) {
            Ok(answer) => answer,
            Err(refusal) => {
                exchange.refused(&refusal);
                let (ends, thrown) = inbound.give_up(&open).await;
                last |= ends;
                // What was refused unread is somebody's too.
                thrown.iter().for_each(|body| exchange.wire().received_body(body));
                let (head, body) = refusal.answer(running.settings.retry_after).into_parts();
                (head, Flow::Whole(body))
            }
        };
        // In HTTP/2 a stream ends by itself, and the connection is told in its own way.
        if last && version < Version::HTTP_2 {
            head.headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        head.headers.insert(headers::X_REQUEST_ID, exchange.id().clone());
        exchange.write_quota(&mut head.headers);
        if running.settings.debug_headers {
            exchange.write_fixes(&mut head.headers);
        }
        exchange.answered(head.status);
        exchange.wire().tells(head.status, &head.headers, &flow);
        let bodiless = repair::is_bodiless(&method, head.status);
        let limits = &running.settings.listen.limits;
        let times = Times { app: limits.deadline, client: limits.idle_timeout };
        Response::from_parts(head, Reply::new(flow, bodiless, version, times, exchange, open))
    }
}

impl Running {
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
        let caller = self.gate.caller(connection.caller(), connection.tls, &parts.headers);
        exchange.shown().from(&caller);
        let host = headers::host(uri.authority(), &parts.headers);
        let way = route::find(&self.settings.listen, self.gate.resolver(), &self.guarded, uri.path_and_query())?;
        let Way::Scim { prefix, target } = way else {
            return Box::pin(self.pass(&caller, host.as_ref(), &uri, parts, body, exchange)).await;
        };
        exchange.target(target);
        exchange.wire().receives(target, &parts.headers, body.is_none());
        let evidence = Evidence {
            prefix,
            host: host.as_ref().map(Authority::host),
            headers: &parts.headers,
            by_proxy: caller.by_proxy,
        };
        let authorization = Authorization::of(&parts.headers);
        let tenant = self.gate.tenant(&evidence, &caller, &authorization)?;
        exchange.of(&tenant);
        let admit = step!("admit");
        let judged = admit.in_scope(|| self.gate.admit(&tenant, &caller, &authorization));
        exchange.shown().judged(&judged);
        judged.outcome?;
        let class = rate::class(&parts.method, target);
        let turn = self.turn(&tenant, class, deadline, exchange).instrument(admit).await?;
        exchange.takes(self.gate.room()?);
        let (plan, told) = tenant.plan_for(&parts.headers);
        exchange.admitted(&plan, told, Some(turn));

        let base_url = self.base_url(&tenant, prefix, host.as_ref(), caller.https);
        let said = headers::take_tenant(&mut parts.headers, self.gate.resolver().headers(), &tenant.id);
        headers::to_app(&mut parts.headers, &caller, host.as_ref(), exchange.id());
        parts.headers.extend(said);
        if let Some(authorization) = tenant.authorization() {
            parts.headers.insert(header::AUTHORIZATION, authorization.clone());
        }
        if plan.tenant_mode() == TenantMode::Off {
            let payload = body.stream(limits.body, limits.body_timeout)?;
            let mut outgoing = outgoing(&tenant, Some(class), parts, tenant.place.scim(target), payload)?;
            self.app.content_type(&mut outgoing);
            exchange.wire().forwards(target, &outgoing);
            let answer = self.app.send(&outgoing, deadline, exchange).await?;
            exchange.wire().app_answers(answer.status(), answer.headers());
            return Ok(repair::untouched(answer, &outgoing.method));
        }

        // So that the answer can be read.
        parts.headers.remove(header::ACCEPT_ENCODING);
        let (target, payload) =
            normalize::request(&plan, &mut parts, target.to_owned(), body, &self.room(&tenant, exchange), exchange)
                .await?;
        let asked = paging::as_the_app_counts(&plan, &parts.method, &target, exchange);
        let mut outgoing = outgoing(&tenant, Some(class), parts, tenant.place.scim(&asked), payload)?;
        self.app.content_type(&mut outgoing);
        exchange.wire().forwards(&asked, &outgoing);
        let method = outgoing.method.clone();
        let answer = media_type::send(&self.app, &plan, &mut outgoing, deadline, exchange).await?;
        let answer = if redirect::is_redirect(answer.status()) {
            Box::pin(redirect::follow(&self.app, &plan, outgoing, answer, deadline, exchange)).await?
        } else {
            answer
        };
        let upstream_url = tenant.place.url.clone();
        let question = Question { plan, tenant, method, target, base_url, upstream_url };
        repair::answer(question, answer, &self.bodies.answers, deadline, exchange).await
    }

    /// What a request's body may take, and how long it may wait for it: half of the time is left for the app.
    fn room<'a>(&'a self, tenant: &'a Tenant, exchange: &Exchange) -> Bounds<'a> {
        let limits = &self.settings.listen.limits;
        Bounds {
            limits,
            budget: &self.bodies.requests,
            tenant: &tenant.id,
            until: exchange.started() + limits.deadline / 2,
        }
    }

    /// Waits for the tenant's rate and concurrency to let one more request of `class` in.
    async fn turn(
        &self,
        tenant: &Tenant,
        class: Class,
        deadline: Instant,
        exchange: &mut Exchange,
    ) -> Result<Turn, Refusal> {
        let began = Instant::now();
        let turn = tenant.limiter().enter(class, deadline.into()).await;
        exchange.waited_for_turn(match &turn {
            Ok(turn) => turn.waited(),
            Err(_) => began.elapsed(),
        });
        exchange.stands(match &turn {
            Ok(turn) => turn.standing(),
            Err(refused) => {
                // Two fields of one answer must not name two moments.
                let again = Duration::from_secs(self.settings.retry_after.seconds(refused.wait()));
                refused.standing().map(|standing| standing.again_after(again))
            }
        });
        Ok(turn.map_err(gate::Refused::from)?)
    }

    /// The way of what is not SCIM: by the address alone, and untouched.
    async fn pass(
        &self,
        caller: &Caller,
        host: Option<&Authority>,
        uri: &Uri,
        mut parts: request::Parts,
        body: &mut Inbound,
        exchange: &mut Exchange,
    ) -> Result<(response::Parts, Flow), Refusal> {
        let limits = &self.settings.listen.limits;
        let tenant = Arc::clone(self.gate.outside());
        exchange.of(&tenant);
        exchange.takes(self.gate.room()?);
        self.gate.admit_outside(caller)?;
        exchange.admitted(&tenant.plan_for(&parts.headers).0, None, None);
        headers::take_tenant(&mut parts.headers, self.gate.resolver().headers(), &tenant.id);
        headers::to_app(&mut parts.headers, caller, host, exchange.id());
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let payload = body.stream(usize::MAX, limits.deadline)?;
        let outgoing = outgoing(&tenant, None, parts, tenant.place.at(path), payload)?;
        let answer = self.app.send(&outgoing, exchange.started() + limits.deadline, exchange).await?;
        Ok(repair::untouched(answer, &outgoing.method))
    }

    /// What the caller calls this tenant's SCIM base.
    fn base_url(&self, tenant: &Tenant, prefix: Option<Prefix<'_>>, host: Option<&Authority>, https: bool) -> String {
        let Listen { base_url, base_path, address, .. } = &self.settings.listen;
        let prefix = prefix.map_or("", |prefix| prefix.text);
        let scheme = if https { "https" } else { "http" };
        match (base_url, host) {
            (Some(url), _) if url.has_tenant() => url.for_tenant(&tenant.id),
            (Some(url), _) => {
                let url = url.for_tenant(&tenant.id);
                // The prefix was taken off in front of the base path, whatever a proxy before us has put there.
                let before = url.strip_suffix(base_path.as_str()).unwrap_or(&url);
                format!("{before}{prefix}{}", &url[before.len()..])
            }
            // With every request: without the machinery of `format!`.
            (None, Some(host)) => [scheme, "://", host.as_str(), prefix, base_path].concat(),
            (None, None) => format!("{scheme}://{address}{prefix}{base_path}"),
        }
    }
}

fn outgoing(
    tenant: &Arc<Tenant>,
    class: Option<Class>,
    parts: request::Parts,
    uri: Option<Uri>,
    payload: Payload,
) -> Result<Outgoing, Refusal> {
    let uri = uri.ok_or_else(|| Refusal::Malformed("the request target is not a URI".to_owned()))?;
    let tenant = Arc::clone(tenant);
    Ok(Outgoing { method: parts.method, uri, headers: parts.headers, payload, tenant, class })
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
    if !headers::has_sound_host(parts.version, &parts.uri, &parts.headers) {
        return Err(Refusal::Malformed("the request needs one host field with a host in it".to_owned()));
    }
    Ok(())
}

/// Runs `future` to its end; `None` if it panics. What it shares is counters and maps that are whole between calls.
async fn caught<F: Future>(mut future: Pin<&mut F>) -> Option<F::Output> {
    poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
        Ok(poll) => poll.map(Some),
        Err(_) => Poll::Ready(None),
    })
    .await
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    #[tokio::test]
    async fn a_panic_is_caught_with_its_future() {
        assert_eq!(super::caught(pin!(async { 1 })).await, Some(1));
        assert_eq!(super::caught(pin!(async { panic!("on purpose") })).await, None::<()>);
    }
}
