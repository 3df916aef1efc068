//! Status, quirks and journal as JSON.
//!
//! What is counted per tenant is taken from the metrics in one pass, and only of the families that are shown: the whole
//! registry holds ten times as much.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use http::{HeaderValue, StatusCode, header};
use prometheus::core::Collector;
use serde::{Serialize, Serializer};
use serde_json::json;
use tokio::task;

use super::{Answer, Desk, body::Stream, later, query, typed};
use crate::{
    feed,
    observe::{
        house::Facts,
        ledger::{Component, Culprit, Sample, State, View},
    },
    quirk,
};

/// How everything stands.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Status {
    pub(super) version: &'static str,
    /// Unix time, as all times here.
    pub(super) now: f64,
    pub(super) started: f64,
    pub(super) draining: bool,
    pub(super) ready: bool,
    pub(super) app: App,
    pub(super) config: Config,
    /// The shared store of rate limits answers, or limits are local.
    pub(super) store_available: bool,
    pub(super) feeds: Vec<feed::Status>,
    /// The worst first.
    pub(super) tenants: Vec<Row>,
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct App {
    pub(super) origin: String,
    /// `None` while it has not been tried.
    pub(super) reachable: Option<bool>,
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct Config {
    pub(super) reload_success: bool,
    pub(super) last_reload: i64,
    pub(super) notes: Vec<String>,
}

/// One tenant: what is configured, what the model says, what was counted.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) facts: Facts,
    pub(super) view: View,
    /// `None` where its label is that of many.
    pub(super) numbers: Option<Numbers>,
}

impl Serialize for Row {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        /// A row, in one object. Name and label stand in facts and view, and once here.
        #[derive(Serialize)]
        struct Flat<'a> {
            #[serde(flatten)]
            facts: &'a Facts,
            state: State,
            since: f64,
            risk: f64,
            reason: Option<Component>,
            components: &'a [(Component, f64)],
            eta_s: Option<f64>,
            failing: u64,
            failing_references: u64,
            succeeded: u64,
            budget: f64,
            period_s: Option<f64>,
            last_request: Option<f64>,
            last_success: Option<f64>,
            next_attempt: Option<f64>,
            disable: Option<f64>,
            culprits: &'a [Culprit],
            history: &'a [Sample],
            #[serde(flatten)]
            numbers: &'a Option<Numbers>,
        }
        let Self { facts, numbers, view } = self;
        let View {
            tenant: _,
            label: _,
            state,
            since,
            risk,
            reason,
            components,
            eta_s,
            failing,
            failing_references,
            succeeded,
            budget,
            period_s,
            last_request,
            last_success,
            next_attempt,
            disable,
            culprits,
            history,
        } = view;
        Flat {
            facts,
            state: *state,
            since: *since,
            risk: *risk,
            reason: *reason,
            components,
            eta_s: *eta_s,
            failing: *failing,
            failing_references: *failing_references,
            succeeded: *succeeded,
            budget: *budget,
            period_s: *period_s,
            last_request: *last_request,
            last_success: *last_success,
            next_attempt: *next_attempt,
            disable: *disable,
            culprits,
            history,
            numbers,
        }
        .serialize(serializer)
    }
}

/// What the metrics have counted of one tenant.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(super) struct Numbers {
    pub(super) rate: Rate,
    pub(super) in_flight: u64,
    pub(super) held: u64,
    /// By reason.
    pub(super) refusals: BTreeMap<String, u64>,
    /// Of addresses.
    pub(super) decisions: BTreeMap<String, u64>,
    /// The most frequent first.
    pub(super) fixes: Vec<Fix>,
    /// There are tokens here that a caller's is compared with.
    #[serde(skip)]
    pub(super) compares_tokens: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub(super) struct Rate {
    pub(super) waiting: u64,
    pub(super) refused: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Fix {
    pub(super) quirk: String,
    pub(super) direction: String,
    pub(super) mode: String,
    pub(super) count: u64,
}

/// How bad a state is, the worst first.
pub(super) const SEVERITY: [State; 7] = [
    State::DisabledSuspected,
    State::LikelyQuarantined,
    State::AtRisk,
    State::Silent,
    State::Recovering,
    State::Unknown,
    State::Healthy,
];

/// Whether somebody should look.
pub(super) fn needs_attention(state: State) -> bool {
    match state {
        State::DisabledSuspected | State::LikelyQuarantined | State::AtRisk | State::Silent => true,
        State::Recovering | State::Unknown | State::Healthy => false,
    }
}

/// A reason of less is noise: it would accuse a connection that is well.
const TELLING: f64 = 0.15;

impl Row {
    /// Requests came, and each was refused here: the model has nothing to judge, and the connection does not work.
    pub(super) fn is_shut_out(&self) -> bool {
        let refused = self.numbers.as_ref().is_some_and(|numbers| !numbers.refusals.is_empty());
        self.view.state == State::Unknown && self.view.last_success.is_none() && refused
    }

    /// Whether somebody should look.
    pub(super) fn needs_attention(&self) -> bool {
        needs_attention(self.view.state) || self.is_shut_out()
    }

    /// How bad it is, the worst with the least.
    pub(super) fn severity(&self) -> usize {
        let of = |state| SEVERITY.iter().position(|known| *known == state).unwrap_or(SEVERITY.len());
        // After what the model warns of, and before what it finds well.
        if self.is_shut_out() { 2 * of(State::Silent) + 1 } else { 2 * of(self.view.state) }
    }

    /// What the risk comes from, where there is enough of it to be spoken of.
    pub(super) fn reason(&self) -> Option<Component> {
        let is_bad = match self.view.state {
            State::DisabledSuspected | State::LikelyQuarantined | State::AtRisk => true,
            State::Silent | State::Recovering | State::Unknown | State::Healthy => false,
        };
        self.view.reason.filter(|_| is_bad || self.view.risk >= TELLING)
    }
}

impl Desk {
    /// How everything stands, of all tenants.
    pub(super) fn status(&self) -> Status {
        let mut views: HashMap<_, _> =
            self.admin.records.views().into_iter().map(|view| (view.tenant.clone(), view)).collect();
        let mut counted = self.counted();
        let mut rows: Vec<_> = self
            .admin
            .house
            .tenants()
            .into_iter()
            .map(|facts| {
                let view = views.remove(&facts.tenant).unwrap_or_else(|| untouched(&facts));
                let numbers = (facts.label == facts.tenant).then(|| counted.remove(&facts.label).unwrap_or_default());
                Row { facts, view: View { history: Vec::new(), ..view }, numbers }
            })
            .collect();
        // Who was in trouble before a restart and has not called since is not forgotten: Entra knocks once a day then.
        let troubled = views.into_values().filter(|view| !matches!(view.state, State::Healthy | State::Unknown));
        rows.extend(troubled.filter_map(|view| {
            let facts = self.admin.house.absent(&view.tenant, &view.label)?;
            Some(Row { facts, view: View { history: Vec::new(), ..view }, numbers: None })
        }));
        rows.sort_by(|one, two| {
            let by_risk = || two.view.risk.total_cmp(&one.view.risk);
            one.severity().cmp(&two.severity()).then_with(by_risk).then_with(|| one.facts.tenant.cmp(&two.facts.tenant))
        });
        self.around(rows)
    }

    /// How one tenant stands, with its history.
    pub(super) fn status_of(&self, tenant: &str) -> Option<Status> {
        let view = self.admin.records.view(tenant);
        let absent = || view.as_ref().and_then(|view| self.admin.house.absent(tenant, &view.label));
        let facts = self.admin.house.tenant(tenant).or_else(absent)?;
        let view = view.unwrap_or_else(|| untouched(&facts));
        let numbers = (facts.label == facts.tenant).then(|| self.counted().remove(&facts.label).unwrap_or_default());
        Some(self.around(vec![Row { facts, view, numbers }]))
    }

    fn around(&self, tenants: Vec<Row>) -> Status {
        let (admin, metrics) = (&self.admin, &self.admin.metrics);
        let reachable = self.reachable();
        let app = admin.house.app();
        let host = app.authority().map_or("", |authority| authority.as_str().rsplit('@').next().unwrap_or_default());
        let now = unix(SystemTime::now());
        Status {
            version: env!("CARGO_PKG_VERSION"),
            now,
            started: now - admin.since.elapsed().as_secs_f64(),
            draining: *admin.draining.borrow(),
            ready: admin.is_ready(reachable),
            app: App { origin: format!("{}://{host}", app.scheme_str().unwrap_or("http")), reachable },
            config: Config {
                reload_success: metrics.config_reload_success.get() == 1,
                last_reload: metrics.config_last_reload.get(),
                notes: admin.house.notes(),
            },
            store_available: metrics.store_available.get() == 1,
            feeds: admin.feeds.status(),
            tenants,
        }
    }

    /// What the metrics have counted, by tenant label.
    fn counted(&self) -> HashMap<String, Numbers> {
        let metrics = &self.admin.metrics;
        let mut all = HashMap::<String, Numbers>::new();
        each(&metrics.in_flight, |[tenant], value| of(&mut all, tenant).in_flight = value);
        each(&metrics.held, |[tenant], value| of(&mut all, tenant).held = value);
        each(&metrics.rate_limit_waiting, |[tenant], value| of(&mut all, tenant).rate.waiting = value);
        each(&metrics.refusals, |[reason, tenant], value| {
            let numbers = of(&mut all, tenant);
            if matches!(reason, "rate" | "concurrency") {
                numbers.rate.refused += value;
            }
            numbers.refusals.insert(reason.to_owned(), value);
        });
        each(&metrics.allowlist_decisions, |[decision, tenant], value| {
            of(&mut all, tenant).decisions.insert(decision.to_owned(), value);
        });
        each(&metrics.fixes, |[direction, mode, quirk, tenant], count| {
            let (quirk, direction, mode) = (quirk.to_owned(), direction.to_owned(), mode.to_owned());
            of(&mut all, tenant).fixes.push(Fix { quirk, direction, mode, count });
        });
        for family in metrics.token_last_used.collect() {
            let labels = family.get_metric().iter().flat_map(|series| series.get_label());
            for tenant in labels.filter(|label| label.name() == "tenant") {
                of(&mut all, tenant.value()).compares_tokens = true;
            }
        }
        for numbers in all.values_mut() {
            numbers.fixes.sort_by(|one, two| two.count.cmp(&one.count).then_with(|| one.quirk.cmp(&two.quirk)));
        }
        all
    }

    pub(super) fn api_status(&self, query: &str) -> Answer {
        let asked = query::parse(query, ["tenant", "state"])
            .and_then(|[tenant, state]| Ok((tenant, state.map(|name| named(&name)).transpose()?)));
        let (tenant, state) = match asked {
            Ok(asked) => asked,
            Err(error) => return bad(&error),
        };
        let mut status = match &tenant {
            None => self.status(),
            Some(tenant) => match self.status_of(tenant) {
                Some(status) => status,
                None => return unknown(tenant),
            },
        };
        status.tenants.retain(|row| state.is_none_or(|state| row.view.state == state));
        json(&status)
    }

    pub(super) fn api_quirks(&self, query: &str) -> Answer {
        match query::parse(query, []) {
            Ok([]) => json(&json!({ "quirks": self.quirks() })),
            Err(error) => bad(&error),
        }
    }

    /// Every quirk, and at whom it was found.
    pub(super) fn quirks(&self) -> Vec<Counted> {
        let mut found = HashMap::<String, Counted>::new();
        each(&self.admin.metrics.fixes, |[_, mode, quirk, tenant], count| {
            let counted = found.entry(quirk.to_owned()).or_default();
            match mode {
                "fix" => counted.counts.fix += count,
                _ => counted.counts.observe += count,
            }
            let same = counted.tenants.iter_mut().find(|place| place.tenant == tenant && place.mode == mode);
            match same {
                Some(place) => place.count += count,
                None => counted.tenants.push(Found { tenant: tenant.to_owned(), mode: mode.to_owned(), count }),
            }
        });
        let all = quirk::ALL.iter().map(|quirk| {
            let mut counted = found.remove(quirk.id).unwrap_or_default();
            counted.tenants.sort_by(|one, two| two.count.cmp(&one.count).then_with(|| one.tenant.cmp(&two.tenant)));
            Counted {
                id: quirk.id,
                summary: quirk.summary(),
                direction: quirk.direction.as_str(),
                risk: quirk.risk.as_str(),
                rfc: quirk.rfc,
                ..counted
            }
        });
        all.collect()
    }

    pub(super) fn api_journal(&self, query: &str) -> Answer {
        match self.admin.records.journal(query) {
            Ok(page) => typed(StatusCode::OK, JSON, page),
            Err(error) => bad(&error),
        }
    }

    pub(super) async fn api_journal_export(self: &Arc<Self>, query: String, head_only: bool) -> Answer {
        let desk = Arc::clone(self);
        let lines = task::spawn_blocking(move || desk.admin.records.journal_export(&query)).await;
        let lines = match lines {
            Ok(Ok(lines)) => lines,
            Ok(Err(error)) => return bad(&error),
            Err(_) => return typed(StatusCode::INTERNAL_SERVER_ERROR, JSON, r#"{"error":"a fault of scimshim"}"#),
        };
        let mut answer = typed(StatusCode::OK, "application/x-ndjson", "");
        answer.headers_mut().insert(
            header::CONTENT_DISPOSITION,
            HeaderValue::from_static("attachment; filename=\"scimshim-journal.jsonl\""),
        );
        if head_only {
            return answer;
        }
        let Some(room) = self.events.room() else {
            return later(StatusCode::TOO_MANY_REQUESTS, "10", "too many streams and exports are open; close one\n");
        };
        *answer.body_mut() = Stream::of(room, |pieces| async move {
            let mut lines = lines;
            // A thread is held while a piece is made, and none while somebody reads it slowly.
            while let Ok((rest, Some(piece))) = task::spawn_blocking(move || {
                let piece = lines.next();
                (lines, piece)
            })
            .await
            {
                lines = rest;
                if pieces.send(piece).await.is_err() {
                    return;
                }
            }
        });
        answer
    }

    /// What changes when something that is shown does, and not because time goes by.
    pub(super) fn fingerprint(&self, status: &Status) -> String {
        let mut still = status.clone();
        (still.now, still.started) = (0.0, 0.0);
        for feed in &mut still.feeds {
            feed.age_seconds = None;
        }
        for row in &mut still.tenants {
            row.view.risk = (row.view.risk * 100.0).round();
            row.view.eta_s = row.view.eta_s.map(|eta| (eta / 60.0).round());
            for (_, value) in &mut row.view.components {
                *value = (*value * 100.0).round();
            }
        }
        let shown = serde_json::to_string(&still).unwrap_or_default();
        format!("{} {shown}", self.admin.records.changes())
    }
}

/// One quirk of the catalogue.
#[derive(Debug, Default, Serialize)]
pub(super) struct Counted {
    pub(super) id: &'static str,
    pub(super) summary: &'static str,
    pub(super) direction: &'static str,
    pub(super) risk: &'static str,
    pub(super) rfc: &'static str,
    pub(super) counts: Counts,
    pub(super) tenants: Vec<Found>,
}

#[derive(Debug, Default, Clone, Copy, Serialize)]
pub(super) struct Counts {
    pub(super) fix: u64,
    pub(super) observe: u64,
}

#[derive(Debug, Serialize)]
pub(super) struct Found {
    pub(super) tenant: String,
    pub(super) mode: String,
    pub(super) count: u64,
}

pub(super) const JSON: &str = "application/json";

pub(super) fn unix(time: SystemTime) -> f64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

/// Every series of a family that is not 0; label values in the order of their names.
fn each<const N: usize>(family: &impl Collector, mut with: impl FnMut([&str; N], u64)) {
    for family in family.collect() {
        for series in family.get_metric() {
            let value = series.get_counter().get_value() + series.get_gauge().get_value();
            if value <= 0.0 {
                continue;
            }
            let mut values = [""; N];
            for (value, label) in values.iter_mut().zip(series.get_label()) {
                *value = label.value();
            }
            with(values, value as u64);
        }
    }
}

fn of<'a>(all: &'a mut HashMap<String, Numbers>, tenant: &str) -> &'a mut Numbers {
    if !all.contains_key(tenant) {
        all.insert(tenant.to_owned(), Numbers::default());
    }
    all.get_mut(tenant).expect("it was put there")
}

/// A connection from which nothing has come.
fn untouched(facts: &Facts) -> View {
    View {
        tenant: facts.tenant.clone(),
        label: facts.label.clone(),
        state: State::Unknown,
        since: 0.0,
        risk: 0.0,
        reason: None,
        components: Vec::new(),
        eta_s: None,
        failing: 0,
        failing_references: 0,
        succeeded: 0,
        budget: 1.0,
        period_s: None,
        last_request: None,
        last_success: None,
        next_attempt: None,
        disable: None,
        culprits: Vec::new(),
        history: Vec::new(),
    }
}

fn named(name: &str) -> Result<State, String> {
    let known = || State::ALL.map(State::as_str).join(", ");
    State::ALL
        .into_iter()
        .find(|state| state.as_str() == name)
        .ok_or_else(|| format!("there is no state {name:?}; known here: {}", known()))
}

fn json(what: &impl Serialize) -> Answer {
    match serde_json::to_vec(what) {
        Ok(json) => typed(StatusCode::OK, JSON, json),
        Err(error) => failed(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}

pub(super) fn bad(error: &str) -> Answer {
    failed(StatusCode::BAD_REQUEST, error)
}

fn unknown(tenant: &str) -> Answer {
    failed(StatusCode::NOT_FOUND, &format!("there is no tenant {tenant:?}; /api/status lists all"))
}

fn failed(status: StatusCode, error: &str) -> Answer {
    typed(status, JSON, json!({ "error": error }).to_string())
}
