//! What happened, said once at the end.
//!
//! Steps note facts here; dropping the exchange feeds metrics and the access log. So a client that leaves in the middle
//! is counted like any other, and no step has to remember to count.

use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use tokio::sync::watch;
use tracing::Level;

use super::{
    budget::Share,
    captured::Captured,
    life::{Life, Phase},
    refusal::Refusal,
    shown::{Outcome, Shown},
};
use crate::{
    gate::{
        Room, Tenant,
        rate::{Standing, Turn},
    },
    observe::{
        Metrics, Recorder,
        account::{Account, Times},
        audit,
        metrics::{Counted, NO_TENANT, code_class},
        trace,
    },
    quirk::{Direction, Findings, Id, Idp, Plan},
};

/// One request and its answer.
#[derive(Debug)]
pub(crate) struct Exchange {
    metrics: Arc<Metrics>,
    recorder: Arc<Recorder>,
    life: Arc<Life>,
    started: Instant,
    /// The same moment for people.
    at: SystemTime,
    id: HeaderValue,
    trace: trace::Root,
    /// The caller did not say what it is.
    nameless: bool,
    /// What the caller has shown.
    shown: Shown,
    /// What went over the wire.
    wire: Captured,
    method: &'static str,
    resource: &'static str,
    tenant: Option<Arc<Tenant>>,
    admission: Option<Admission>,
    /// What the tenant's rate is at.
    quota: Option<Standing>,
    room: Option<Room>,
    /// Of the memory for bodies.
    shares: Vec<Share>,
    status: Option<StatusCode>,
    refusal: Option<(&'static str, Level, String)>,
    findings: Vec<(Direction, Findings)>,
    unread: Vec<(Direction, Unread)>,
    /// When the answer's head was ready.
    ready: Option<Instant>,
    body_wait: Duration,
    turn_wait: Duration,
    upstream: Option<Duration>,
    held: bool,
    retries: u32,
    complete: bool,
    broken: bool,
}

#[derive(Debug)]
struct Admission {
    idp: Idp,
    /// The profile that the User-Agent tells, where the tenant had none.
    told: Option<Idp>,
    _turn: Option<Turn>,
}

/// Why a body went on as sent though it should have been read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unread {
    /// It is no JSON that can be read in one way.
    Body,
    /// Its content coding is unknown or broken.
    Encoding,
    /// It is over the limit.
    TooLarge,
}

impl Unread {
    fn as_str(self) -> &'static str {
        match self {
            Self::Body => "body",
            Self::Encoding => "encoding",
            Self::TooLarge => "too_large",
        }
    }
}

impl Exchange {
    /// Begins when the head has been read.
    pub(crate) fn new(
        recorder: &Arc<Recorder>,
        life: &Arc<Life>,
        id: HeaderValue,
        method: &Method,
        headers: &HeaderMap,
    ) -> Self {
        Self {
            metrics: Arc::clone(recorder.metrics()),
            recorder: Arc::clone(recorder),
            life: Arc::clone(life),
            started: Instant::now(),
            at: SystemTime::now(),
            trace: trace::Root::new(&id, method_label(method), headers),
            id,
            nameless: !headers.contains_key(header::USER_AGENT),
            shown: Shown::new(headers),
            wire: Captured::default(),
            method: method_label(method),
            resource: "other",
            tenant: None,
            admission: None,
            quota: None,
            room: None,
            shares: Vec::new(),
            status: None,
            refusal: None,
            findings: Vec::new(),
            unread: Vec::new(),
            ready: None,
            body_wait: Duration::ZERO,
            turn_wait: Duration::ZERO,
            upstream: None,
            held: false,
            retries: 0,
            complete: false,
            broken: false,
        }
    }

    /// When the request began, for the one deadline.
    pub(crate) fn started(&self) -> Instant {
        self.started
    }

    /// The name of this request in both directions.
    pub(crate) fn id(&self) -> &HeaderValue {
        &self.id
    }

    /// The span of this exchange, for its steps to be below.
    pub(crate) fn span(&self) -> &tracing::Span {
        self.trace.span()
    }

    /// The metric label of the tenant.
    pub(crate) fn tenant(&self) -> &str {
        self.tenant.as_ref().map_or(NO_TENANT, |tenant| &tenant.label)
    }

    /// What the caller has shown so far, for the steps to add to.
    pub(crate) fn shown(&mut self) -> &mut Shown {
        &mut self.shown
    }

    /// What went over the wire so far, for the steps to add to.
    pub(crate) fn wire(&mut self) -> &mut Captured {
        &mut self.wire
    }

    /// It is known whose connection this is.
    pub(crate) fn of(&mut self, tenant: &Arc<Tenant>) {
        self.trace.of(&tenant.id);
        self.tenant = Some(Arc::clone(tenant));
    }

    /// It is one of the requests in flight.
    pub(crate) fn takes(&mut self, room: Room) {
        self.room = Some(room);
    }

    /// It holds a body that is large, to its end.
    pub(crate) fn holds(&mut self, share: Option<Share>) {
        self.shares.extend(share);
    }

    /// The rate has been asked, and has let the request wait so long.
    pub(crate) fn waited_for_turn(&mut self, time: Duration) {
        self.turn_wait += time;
    }

    /// What to say about the tenant's rate.
    pub(crate) fn stands(&mut self, quota: Option<Standing>) {
        self.quota = quota;
    }

    /// The caller came in.
    pub(crate) fn admitted(&mut self, plan: &Plan, told: Option<Idp>, turn: Option<Turn>) {
        self.metrics.in_flight.with_label_values(&[self.tenant()]).inc();
        self.admission = Some(Admission { idp: plan.idp(), told, _turn: turn });
    }

    /// What the request is about.
    pub(crate) fn target(&mut self, target: &str) {
        self.resource = resource_label(target);
    }

    /// What the engine found.
    pub(crate) fn found(&mut self, direction: Direction, findings: Findings) {
        if !findings.is_empty() {
            self.findings.push((direction, findings));
        }
    }

    /// A body went on as sent.
    pub(crate) fn unread(&mut self, direction: Direction, why: Unread) {
        self.unread.push((direction, why));
    }

    /// Time in which the client owed us its body.
    pub(crate) fn waited_for_body(&mut self, time: Duration) {
        self.body_wait += time;
    }

    /// Time in which the app owed us something.
    pub(crate) fn waited_for_app(&mut self, time: Duration) {
        *self.upstream.get_or_insert_default() += time;
    }

    /// The request waits for an app that refuses connections, as long as the answer lives.
    pub(crate) fn held(&mut self) -> Counted {
        self.held = true;
        Counted::new(self.metrics.held.with_label_values(&[self.tenant()]))
    }

    /// Tells of each phase of the shim.
    pub(crate) fn phases(&self) -> watch::Receiver<Phase> {
        self.life.follow()
    }

    /// Its caller has shown a token of ours, or credentials that have called with success.
    pub(crate) fn is_known(&self) -> bool {
        self.tenant.as_ref().is_some_and(|tenant| self.shown.is_known(tenant))
    }

    /// A read is sent again.
    pub(crate) fn retried(&mut self) {
        self.retries += 1;
    }

    /// scimshim answers itself.
    pub(crate) fn refused(&mut self, refusal: &Refusal) {
        let told = refusal.told();
        self.wire.says(None);
        self.refusal = Some((told.reason, told.level, refusal.to_string()));
    }

    /// The answer's head is ready.
    pub(crate) fn answered(&mut self, status: StatusCode) {
        self.status = Some(status);
        self.ready = Some(Instant::now());
    }

    /// The whole answer has been handed over.
    pub(crate) fn complete(&mut self) {
        self.complete = true;
    }

    /// The app broke off in the middle of an answer that had begun to go out.
    pub(crate) fn broke(&mut self) {
        self.broken = true;
    }

    /// How much of its rate the tenant has left.
    pub(crate) fn write_quota(&self, headers: &mut HeaderMap) {
        if let Some(quota) = &self.quota {
            quota.write(headers);
        }
    }

    /// The names of what was fixed, each once, for `scimshim-fixes`.
    pub(crate) fn write_fixes(&self, headers: &mut HeaderMap) {
        let fixes = self.quirks(true);
        if fixes.is_empty() {
            return;
        }
        if let Ok(value) = HeaderValue::from_str(&fixes.join(", ")) {
            headers.insert("scimshim-fixes", value);
        }
    }

    fn quirks(&self, fixed: bool) -> Vec<&'static str> {
        let mut ids: Vec<Id> = Vec::new();
        for (id, done, _) in self.findings.iter().flat_map(|(_, findings)| findings.counts()) {
            if done == fixed && !ids.contains(&id) {
                ids.push(id);
            }
        }
        ids.into_iter().map(Id::as_str).collect()
    }

    fn is_over(&self) -> bool {
        self.status.is_some() && (self.complete || self.broken)
    }

    /// The drain time was over before this was.
    fn cut(&self) -> bool {
        !self.is_over() && self.life.phase() == Phase::Over
    }

    fn left(&self) -> Option<&'static str> {
        if self.cut() {
            return None;
        }
        match (self.status, self.complete || self.broken) {
            (None, _) => Some("waiting"),
            (Some(_), false) => Some("answer"),
            (Some(_), true) => None,
        }
    }

    fn count(&self, took: Duration) {
        let metrics = &self.metrics;
        let tenant = self.tenant();
        let idp = self.admission.as_ref().map_or("generic", |admission| admission.idp.as_str());
        let code = self.status.as_ref().map_or(if self.cut() { "000" } else { "499" }, code_label);
        metrics.requests.with_label_values(&[tenant, idp, self.method, self.resource, code]).inc();
        metrics.request_duration.observe(took.as_secs_f64());
        let waited = self.body_wait + self.turn_wait + self.upstream.unwrap_or_default();
        if let Some(time) = self.upstream {
            metrics.upstream_duration.observe(time.as_secs_f64());
        }
        if let Some(ready) = self.ready {
            let own = ready.duration_since(self.started).saturating_sub(waited);
            metrics.overhead.observe(own.as_secs_f64());
        }
        for (direction, findings) in &self.findings {
            for (id, fixed, count) in findings.counts() {
                let mode = if fixed { "fix" } else { "observe" };
                metrics
                    .fixes
                    .with_label_values(&[tenant, id.as_str(), direction.as_str(), mode])
                    .inc_by(u64::from(count));
            }
        }
        for (direction, why) in &self.unread {
            metrics.unread.with_label_values(&[tenant, direction.as_str(), why.as_str()]).inc();
        }
        if let Some((reason, ..)) = &self.refusal {
            metrics.refusals.with_label_values(&[tenant, reason]).inc();
        }
        if let Some(when) = self.left() {
            metrics.clients_left.with_label_values(&[tenant, when]).inc();
        }
        metrics.retries.inc_by(u64::from(self.retries));
        self.count_classes();
        if let Some(admission) = &self.admission {
            metrics.in_flight.with_label_values(&[tenant]).dec();
            let served = self.refusal.is_none() && self.status.is_some_and(|status| status.is_success());
            let settles = |idp: &Idp| served && self.tenant.as_ref().is_some_and(|tenant| tenant.settle(*idp));
            if let Some(idp) = admission.told.filter(settles) {
                metrics.idp_detected.with_label_values(&[tenant, idp.as_str()]).set(1);
                tracing::info!(tenant, %idp, "profile taken from the user agent; set `idp` to make it fixed");
            }
            if self.looks_like_entra() && self.tenant.as_ref().is_some_and(|tenant| tenant.suggests()) {
                metrics.idp_suggested.with_label_values(&[tenant, Idp::Entra.as_str()]).set(1);
                tracing::info!(tenant, "no user agent and capital operations look like Entra; if so, set `idp: entra`");
            }
        }
    }

    /// What the app said beside what the IdP was told.
    fn count_classes(&self) {
        if self.tenant.is_none() || self.wire.received.is_none() {
            return;
        }
        let metrics = &self.metrics;
        let told = self.status.filter(|_| self.left().is_none()).map(|status| status.as_u16());
        metrics.idp_responses.with_label_values(&[code_class(told)]).inc();
        if self.wire.forwarded.is_none() {
            return;
        }
        let app = self.wire.app.as_ref().map(|app| app.status);
        metrics.app_responses.with_label_values(&[code_class(app)]).inc();
        let (Some(app), Some(told)) = (app, told) else { return };
        let class = |status| if (200..300).contains(&status) { "success" } else { "failure" };
        if class(app) != class(told) {
            let repair = self.refusal.as_ref().map(|(reason, ..)| *reason).or_else(|| self.changed_status());
            let labels = [repair.unwrap_or("redirect"), class(app), class(told)];
            metrics.outcomes_changed.with_label_values(&labels).inc();
        }
    }

    /// The quirk that gave the answer another status.
    fn changed_status(&self) -> Option<&'static str> {
        let fixes =
            self.findings.iter().filter(|(way, _)| *way == Direction::Response).flat_map(|(_, found)| found.fixes());
        fixes.filter(|fix| fix.at == "status").map(|fix| fix.quirk.as_str()).last()
    }

    /// Hands everything to those who record.
    fn record(&self, took: Duration) {
        let (Some(tenant), Some(received)) = (&self.tenant, &self.wire.received) else {
            return self.record_refusal();
        };
        let unread: Vec<Direction> = self.unread.iter().map(|(direction, _)| *direction).collect();
        let account = Account {
            at: self.at,
            tenant: &tenant.id,
            label: &tenant.label,
            listed: tenant.listed,
            idp: self.admission.as_ref().map_or_else(|| tenant.idp(), |admission| admission.idp),
            id: self.id.to_str().unwrap_or_default(),
            method: self.method,
            resource: self.resource,
            received,
            forwarded: self.wire.forwarded.as_ref(),
            app: self.wire.app.as_ref(),
            told: self.wire.told.as_ref().filter(|_| self.left().is_none() && !self.cut()),
            refusal: self.refusal.as_ref().map(|(reason, _, detail)| (*reason, detail.as_str())),
            findings: &self.findings,
            unread: &unread,
            caller: self.shown.address,
            token: self.shown.token.as_deref(),
            credentials: self.shown.credentials.is_some(),
            credible: self.is_credible(),
            times: Times {
                total: took,
                body: self.body_wait,
                turn: self.turn_wait,
                app: self.upstream.unwrap_or_default(),
            },
        };
        self.recorder.record(&account);
        self.shown.note(tenant, self.outcome());
    }

    /// The caller is taken to be the identity provider of the tenant.
    fn is_credible(&self) -> bool {
        self.tenant.as_ref().is_some_and(|tenant| self.shown.is_credible(tenant, self.outcome()))
    }

    fn outcome(&self) -> Outcome {
        Outcome {
            told: self.status.filter(|_| self.left().is_none() && !self.cut()).map(|status| status.as_u16()),
            refusal: self.refusal.as_ref().map(|(reason, ..)| *reason),
            public: matches!(self.resource, "Schemas" | "ResourceTypes" | "ServiceProviderConfig"),
        }
    }

    /// A refusal without a tenant, or of what is not SCIM.
    fn record_refusal(&self) {
        let Some((reason, ..)) = &self.refusal else { return };
        self.recorder.record_refusal(&audit::Refused {
            at: self.at,
            id: self.id.to_str().unwrap_or_default(),
            method: self.method,
            resource: self.resource,
            caller: self.shown.address,
            told: self.status.filter(|_| self.left().is_none()).map(|status| status.as_u16()),
            reason,
        });
    }

    /// Entra sends no User-Agent and writes `Add`; others do one or the other.
    fn looks_like_entra(&self) -> bool {
        let capital = |findings: &Findings| findings.counts().any(|(id, ..)| id == Id::PatchOpCase);
        self.nameless && self.findings.iter().any(|(_, findings)| capital(findings))
    }

    /// A stranger's refusal, and there were enough of them in this minute.
    fn is_told_too_often(&self) -> bool {
        !self.is_credible() && !self.recorder.may_tell_of_a_stranger()
    }

    /// What an exchange came to is news only where scimshim answered itself, the app broke off or the drain time was
    /// over: what the app answers is in the metrics, and what it means for a tenant is told when its state changes.
    fn log(&self, took: Duration) {
        let level = match &self.refusal {
            Some((_, Level::INFO | Level::WARN, _)) if self.is_told_too_often() => Level::DEBUG,
            Some((_, level, _)) => *level,
            None if self.broken => Level::ERROR,
            None if self.cut() => Level::WARN,
            None => Level::DEBUG,
        };
        macro_rules! say {
            ($level:expr) => {
                tracing::event!(
                    target: "scimshim::access",
                    parent: None,
                    $level,
                    tenant = self.tenant.as_ref().map_or(NO_TENANT, |tenant| &tenant.id),
                    idp = self.admission.as_ref().map(|admission| admission.idp.as_str()),
                    id = self.id.to_str().unwrap_or_default(),
                    trace = self.trace.trace(),
                    method = self.method,
                    resource = self.resource,
                    status = self.status.map(|status| status.as_u16()),
                    took_ms = took.as_secs_f64() * 1e3,
                    app_ms = self.upstream.map(|time| time.as_secs_f64() * 1e3),
                    waited_ms = (!self.turn_wait.is_zero()).then(|| self.turn_wait.as_secs_f64() * 1e3),
                    held = self.held.then_some(true),
                    retries = (self.retries > 0).then_some(self.retries),
                    fixed = joined(&self.quirks(true)),
                    observed = joined(&self.quirks(false)),
                    unread = self.unread.first().map(|(_, why)| why.as_str()),
                    left = self.left(),
                    broken = self.broken.then_some(true),
                    cut = self.cut().then_some(true),
                    refused = self.refusal.as_ref().map(|(reason, ..)| *reason),
                    detail = self.refusal.as_ref().map(|(_, _, detail)| detail.as_str()),
                    "request"
                )
            };
        }
        match level {
            Level::ERROR => say!(Level::ERROR),
            Level::WARN => say!(Level::WARN),
            Level::INFO => say!(Level::INFO),
            _ => say!(Level::DEBUG),
        }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        let took = self.started.elapsed();
        self.count(took);
        self.log(took);
        self.record(took);
        let (status, refused) = (self.status.map(|status| status.as_u16()), self.refusal.as_ref().map(|r| r.0));
        self.trace.ends(self.resource, status, refused, || joined(&self.quirks(true)));
    }
}

fn joined(ids: &[&str]) -> Option<String> {
    (!ids.is_empty()).then(|| ids.join(","))
}

fn method_label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

/// The first segment of a target, if RFC 7644 knows it, without case as engines route it.
fn resource_label(target: &str) -> &'static str {
    const KNOWN: [&str; 7] = ["Users", "Groups", "Me", "Bulk", "Schemas", "ResourceTypes", "ServiceProviderConfig"];
    let path = target.split('?').next().unwrap_or_default();
    if path.ends_with("/.search") {
        return "search";
    }
    let first = path.trim_start_matches('/').split('/').next().unwrap_or_default();
    KNOWN.into_iter().find(|known| known.eq_ignore_ascii_case(first)).unwrap_or("other")
}

/// Registered codes keep their number, so that an app cannot make 900 series.
fn code_label(code: &StatusCode) -> &str {
    if code.canonical_reason().is_some() { code.as_str() } else { "other" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_bounded() {
        assert_eq!(method_label(&Method::from_bytes(b"BREW").unwrap()), "other");
        for (target, label) in [
            ("/Users/1?x=/Groups", "Users"),
            ("/users", "Users"),
            ("/Users/.search", "search"),
            ("/.search", "search"),
            ("", "other"),
            ("/Usersx", "other"),
            ("/Me", "Me"),
        ] {
            assert_eq!(resource_label(target), label, "{target}");
        }
        assert_eq!(code_label(&StatusCode::from_u16(799).unwrap()), "other");
    }
}
