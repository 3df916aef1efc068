//! The admin port through its door: who may see page and API, and what they say of scripted records.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use http::Uri;
use scimshim::{
    feed::Feeds,
    gate::{token::Presented, unlisted::Sighting},
    observe::{
        Metrics,
        admin::{self, Admin, Lines, Records},
        house::{Access, Facts, House, NotReloaded, Reloading},
        ledger::{Cause, Component, Culprit, Sample, State, View},
    },
    quirk::Id,
};
use serde_json::{Value, json};
use tokio::{io::AsyncReadExt as _, net::TcpListener, sync::watch};
use tokio_util::task::AbortOnDropHandle;

use crate::harness::{Answer, Client, Shim, ask, closed_port, eventually, settings};

const LOCAL: (&str, &str) = ("host", "localhost");

/// What somebody would write who wants his script to run on an operator's screen.
pub(crate) const HOSTILE: &str = "<img src=x onerror=\"document.title='owned'\">";

/// House and records as a test sets them.
pub(crate) struct Stage {
    rows: Mutex<Vec<(Facts, View)>>,
    access: Mutex<Access>,
    journal: Mutex<Vec<Value>>,
    changes: AtomicU64,
    app: Uri,
    pub(crate) metrics: Arc<Metrics>,
}

impl Stage {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            rows: Mutex::default(),
            access: Mutex::new(Access { token: None, loopback: true }),
            journal: Mutex::default(),
            changes: AtomicU64::new(0),
            app: format!("http://user:pass@{}/scim", closed_port()).parse().unwrap(),
            metrics: Arc::new(Metrics::new().unwrap()),
        })
    }

    /// A connection in a state, at a risk.
    pub(crate) fn plant(&self, tenant: &str, state: State, risk: f64) {
        self.change(tenant, |view| {
            view.state = state;
            view.risk = risk;
        });
    }

    /// Changes what the model says of a connection; it need not be there yet.
    pub(crate) fn change(&self, tenant: &str, change: impl FnOnce(&mut View)) {
        let mut rows = self.rows.lock().unwrap();
        let at = rows.iter().position(|(facts, _)| facts.tenant == tenant).unwrap_or_else(|| {
            rows.push((facts(tenant), view(tenant)));
            rows.len() - 1
        });
        change(&mut rows[at].1);
        self.changes.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn change_facts(&self, tenant: &str, change: impl FnOnce(&mut Facts)) {
        let mut rows = self.rows.lock().unwrap();
        change(&mut rows.iter_mut().find(|(facts, _)| facts.tenant == tenant).unwrap().0);
    }

    pub(crate) fn remove(&self, tenant: &str) {
        self.rows.lock().unwrap().retain(|(facts, _)| facts.tenant != tenant);
        self.changes.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn record(&self, exchange: Value) {
        self.journal.lock().unwrap().push(exchange);
        self.changes.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn demand(&self, token: Option<&str>, loopback: bool) {
        let token = token.map(|token| Presented::hash(token.as_bytes()).0);
        *self.access.lock().unwrap() = Access { token, loopback };
    }

    /// Opens the admin port before it.
    pub(crate) async fn open(self: &Arc<Self>) -> Port {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let (drain, draining) = watch::channel(false);
        let metrics = Arc::clone(&self.metrics);
        metrics.reloaded();
        metrics.store_available.set(1);
        let admin = Admin {
            feeds: Feeds::new(Vec::new(), None, Arc::clone(&metrics)),
            metrics,
            draining,
            since: Instant::now(),
            house: Arc::clone(self) as Arc<dyn House>,
            records: Arc::clone(self) as Arc<dyn Records>,
            app_required: false,
        };
        let serving = AbortOnDropHandle::new(tokio::spawn(admin::serve(listener, admin)));
        Port { addr, drain, serving }
    }
}

impl House for Stage {
    fn app(&self) -> Uri {
        self.app.clone()
    }

    fn tenants(&self) -> Vec<Facts> {
        self.rows.lock().unwrap().iter().map(|(facts, _)| facts.clone()).collect()
    }

    fn tenant(&self, id: &str) -> Option<Facts> {
        self.tenants().into_iter().find(|facts| facts.tenant == id)
    }

    fn access(&self) -> Access {
        *self.access.lock().unwrap()
    }

    fn drain(&self) {}

    fn reload(&self) -> Reloading {
        Box::pin(async { Err(NotReloaded::NoFile) })
    }

    fn notes(&self) -> Vec<String> {
        vec!["listen.address: this changes only with a restart".to_owned()]
    }
}

impl Records for Stage {
    fn views(&self) -> Vec<View> {
        self.rows.lock().unwrap().iter().map(|(_, view)| view.clone()).collect()
    }

    fn view(&self, tenant: &str) -> Option<View> {
        self.views().into_iter().find(|view| view.tenant == tenant)
    }

    fn changes(&self) -> u64 {
        self.changes.load(Ordering::Relaxed)
    }

    fn export(&self) {
        self.metrics.journal_entries.set(self.journal.lock().unwrap().len() as i64);
    }

    fn journal(&self, query: &str) -> Result<String, String> {
        let of = |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
        if query.contains("wrong") {
            return Err("there is no parameter \"wrong\"; known here: tenant, limit, before".to_owned());
        }
        let limit = of("limit").map_or(50, |limit| limit.parse().unwrap());
        let before = of("before").map_or(u64::MAX, |before| before.parse().unwrap());
        let journal = self.journal.lock().unwrap();
        let is_asked = |entry: &&Value| {
            of("tenant").is_none_or(|tenant| entry["tenant"] == tenant) && entry["seq"].as_u64().unwrap() < before
        };
        let found: Vec<_> = journal.iter().rev().filter(is_asked).collect();
        let page = &found[..limit.min(found.len())];
        let next = page.last().filter(|_| found.len() > limit).map(|entry| &entry["seq"]);
        Ok(json!({ "entries": page, "next": next }).to_string())
    }

    fn journal_export(&self, query: &str) -> Result<Lines, String> {
        self.journal(query)?;
        let lines: Vec<_> = self.journal.lock().unwrap().iter().map(|entry| format!("{entry}\n").into()).collect();
        Ok(Box::new(lines.into_iter()))
    }
}

/// The port, until it is dropped.
pub(crate) struct Port {
    pub(crate) addr: SocketAddr,
    drain: watch::Sender<bool>,
    serving: AbortOnDropHandle<()>,
}

impl Port {
    /// The first signal has come.
    pub(crate) fn drain(&self) {
        self.drain.send_replace(true);
    }

    /// The process is gone.
    pub(crate) fn die(&self) {
        self.serving.abort();
    }

    async fn get(&self, path: &str) -> Answer {
        ask(self.addr, "GET", path, &[LOCAL], "").await
    }

    async fn json(&self, path: &str) -> Value {
        let answer = self.get(path).await;
        assert_eq!((answer.status, answer.header("content-type")), (200, "application/json"), "{}", answer.text());
        serde_json::from_slice(&answer.body).unwrap()
    }

    async fn stream(&self, path: &str) -> Client {
        let mut client = Client::connect(self.addr).await;
        client.request("GET", path, &[LOCAL], b"").await;
        client
    }
}

pub(crate) fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64()
}

fn facts(tenant: &str) -> Facts {
    let (idp, mode, allow) = ("entra", "rewrite", "observe");
    let (tenant, label) = (tenant.to_owned(), tenant.to_owned());
    Facts { tenant, label, listed: true, idp, mode, allow, limited: true, unlisted: Vec::new() }
}

fn view(tenant: &str) -> View {
    View {
        tenant: tenant.to_owned(),
        label: tenant.to_owned(),
        state: State::Healthy,
        since: now() - 7200.0,
        risk: 0.0,
        reason: None,
        components: Component::CYCLES.map(|component| (component, 0.0)).to_vec(),
        eta_s: None,
        failing: 0,
        failing_references: 0,
        succeeded: 1200,
        budget: 1.0,
        period_s: Some(2400.0),
        last_request: Some(now() - 60.0),
        last_success: Some(now() - 90.0),
        next_attempt: None,
        disable: None,
        culprits: Vec::new(),
        history: Vec::new(),
    }
}

/// A connection at which a person would look: history, culprits, numbers.
pub(crate) fn plant_trouble(stage: &Stage, tenant: &str) {
    let start = now() - 6.0 * 3600.0;
    stage.change(tenant, |view| {
        view.state = State::AtRisk;
        view.risk = 0.52;
        view.reason = Some(Component::EscrowProportion);
        view.components[0].1 = 0.52;
        view.components[3].1 = 0.2;
        view.eta_s = Some(2145.0);
        (view.failing, view.failing_references, view.succeeded, view.budget) = (2587, 12, 3162, 0.41);
        let cause = Cause {
            resource: "Users",
            status: 400,
            scim_type: Some("invalidValue"),
            attribute: Some("emails.type".to_owned()),
            quirk: Some(Id::BoolString),
            refusal: None,
        };
        let text = format!("2,354 Users, 400 invalidValue, emails.type, 91 % of failures {HOSTILE}");
        view.culprits = vec![Culprit { cause, objects: 2354, share: 0.91, text }];
        view.history = (0..72)
            .map(|at| {
                let risk = if at < 40 { 0.02 } else { 0.02 + (at - 40) as f32 * 0.016 };
                let state = if risk < 0.25 { State::Healthy } else { State::AtRisk };
                let connection = if (20..26).contains(&at) { 0.2 } else { 0.0 };
                let components = vec![risk, risk / 4.0, risk / 5.0, connection, 0.0, 0.0, 0.0];
                Sample { at: start + f64::from(at) * 300.0, state, components }
            })
            .collect();
    });
    let count = |quirk: &str, direction: &str, mode: &str, count| {
        stage.metrics.fixes.with_label_values(&[tenant, quirk, direction, mode]).inc_by(count);
    };
    count("patch-op-case", "request", "fix", 311);
    count("bool-string", "request", "fix", 42);
    count("bool-string", "response", "fix", 3);
    count("location-missing", "response", "observe", 7);
    stage.metrics.refusals.with_label_values(&[tenant, "rate"]).inc_by(5);
    stage.metrics.refusals.with_label_values(&[tenant, "concurrency"]).inc();
    stage.metrics.rate_limit_waiting.with_label_values(&[tenant]).set(2);
    stage.metrics.in_flight.with_label_values(&[tenant]).set(4);
    stage.metrics.allowlist_decisions.with_label_values(&[tenant, "would_refuse"]).inc_by(9);
    stage.change_facts(tenant, |facts| {
        let address = "192.0.2.7".parse().unwrap();
        facts.unlisted = vec![Sighting { address, requests: 9, valid_token: true, last: SystemTime::now() }];
    });
}

#[tokio::test]
async fn health_answers_everyone_and_page_and_api_do_not() {
    let stage = Stage::new();
    let port = stage.open().await;
    let stranger: &[(&str, &str)] = &[("host", "10.0.0.1:7644"), ("x-forwarded-for", "192.0.2.1")];
    for path in ["/livez", "/readyz", "/metrics", "/assets/page.css", "/favicon.ico"] {
        assert_eq!(ask(port.addr, "GET", path, stranger, "").await.status, 200, "{path}");
        assert_eq!(ask(port.addr, "POST", path, &[LOCAL], "").await.header("allow"), "GET, HEAD", "{path}");
    }
    let paths = [
        "/",
        "/quirks",
        "/tenants/a",
        "/api/status",
        "/api/quirks",
        "/api/journal",
        "/api/journal/export",
        "/api/events",
        "/x",
    ];
    for path in paths {
        let answer = ask(port.addr, "GET", path, stranger, "").await;
        assert_eq!(answer.status, 403, "{path}");
        assert!(answer.text().contains("kubectl port-forward"), "{}", answer.text());
        assert_eq!(ask(port.addr, "GET", path, &[("host", "evil.example")], "").await.status, 403, "{path}");
        if path != "/tenants/a" && path != "/x" {
            assert_eq!(ask(port.addr, "HEAD", path, &[LOCAL], "").await.status, 200, "{path}");
            let posted = ask(port.addr, "POST", path, &[LOCAL], "").await;
            assert_eq!((posted.status, posted.header("allow")), (405, "GET, HEAD"), "{path}");
        }
    }
    assert_eq!(port.get("/x").await.status, 404);
    assert_eq!(port.get("/tenants/a").await.status, 404);
}

#[tokio::test]
async fn the_token_of_the_newest_settings_opens() {
    let stage = Stage::new();
    let port = stage.open().await;
    let with = async |token: &str| {
        let line = format!("Bearer {token}");
        ask(port.addr, "GET", "/api/status", &[("host", "a"), ("authorization", &line)], "").await
    };
    assert_eq!(with("secret").await.status, 403);
    stage.demand(Some("secret"), false);
    assert_eq!(with("secret").await.status, 200);
    let refused = with("guess").await;
    assert_eq!((refused.status, refused.header("www-authenticate")), (401, "Bearer realm=\"scimshim\""));
    assert_eq!(port.get("/api/status").await.status, 401, "loopback is switched off");
    stage.demand(Some("next"), true);
    assert_eq!(with("secret").await.status, 401);
    assert_eq!(with("next").await.status, 200);
    assert_eq!(port.get("/api/status").await.status, 200);
}

#[tokio::test]
async fn a_browser_logs_in_and_holds_a_session_and_not_the_token() {
    let stage = Stage::new();
    let port = stage.open().await;
    assert_eq!(port.get("/login").await.status, 404);
    stage.demand(Some("s3 cret&"), false);
    let html = ("accept", "text/html,application/xhtml+xml");
    let asked = ask(port.addr, "GET", "/", &[("host", "shim:7644"), html], "").await;
    assert_eq!(asked.status, 401);
    assert!(asked.text().contains("<form method=\"post\" action=\"/login\">"), "{}", asked.text());
    assert!(!asked.text().contains("alert"), "a first visit is no failure: {}", asked.text());
    let login = async |form: &str| ask(port.addr, "POST", "/login", &[("host", "shim:7644"), html], form).await;
    let wrong = login("token=guess").await;
    assert_eq!((wrong.status, wrong.header("set-cookie")), (401, ""));
    assert!(wrong.text().contains("<p role=\"alert\">The token is not the one of <code>"), "{}", wrong.text());
    let right = login("token=s3+cret%26").await;
    assert_eq!((right.status, right.header("location")), (303, "/"));
    let cookie = right.header("set-cookie").to_owned();
    assert!(cookie.ends_with("; HttpOnly; SameSite=Strict; Path=/; Max-Age=43200"), "{cookie}");
    assert!(!cookie.contains("cret"), "{cookie}");
    let session = cookie.split(';').next().unwrap();
    let page = ask(port.addr, "GET", "/", &[("host", "shim:7644"), ("cookie", session)], "").await;
    assert_eq!(page.status, 200);
    assert_eq!(ask(port.addr, "GET", "/", &[("host", "a"), ("cookie", "scimshim_session=x")], "").await.status, 401);
    for _ in 0..9 {
        assert_eq!(login("token=guess").await.status, 401);
    }
    let limited = login("token=guess").await;
    assert_eq!((limited.status, limited.header("retry-after")), (429, "60"));
    assert!(limited.text().contains("<p role=\"alert\">Too many wrong tokens"), "{}", limited.text());
    assert_eq!(login("token=s3+cret%26").await.status, 303, "the right one is never locked out");
    assert_eq!(login(&"x".repeat(5000)).await.status, 400);
    let page = ask(port.addr, "GET", "/", &[("host", "shim:7644"), ("cookie", session)], "").await;
    assert_eq!(page.status, 200, "who is logged in stays so");
}

#[tokio::test]
async fn status_tells_all_and_the_worst_first() {
    let stage = Stage::new();
    for (tenant, state, risk) in [
        ("calm", State::Healthy, 0.1),
        ("new", State::Unknown, 0.0),
        ("gone", State::DisabledSuspected, 1.0),
        ("quiet", State::Silent, 0.0),
        ("likely", State::LikelyQuarantined, 1.0),
        ("risky-b", State::AtRisk, 0.3),
        ("risky-a", State::AtRisk, 0.3),
        ("better", State::Recovering, 0.2),
    ] {
        stage.plant(tenant, state, risk);
    }
    plant_trouble(&stage, "risky-c");
    let port = stage.open().await;
    let status = port.json("/api/status").await;
    let order: Vec<_> =
        status["tenants"].as_array().unwrap().iter().map(|row| row["tenant"].as_str().unwrap()).collect();
    assert_eq!(order, ["gone", "likely", "risky-c", "risky-a", "risky-b", "quiet", "better", "new", "calm"]);
    let row = &status["tenants"][2];
    assert_eq!((&row["idp"], &row["mode"], &row["allow"]), (&json!("entra"), &json!("rewrite"), &json!("observe")));
    assert_eq!((&row["state"], &row["reason"]), (&json!("at_risk"), &json!("escrow_proportion")));
    assert_eq!((&row["eta_s"], &row["failing"]), (&json!(2145.0), &json!(2587)));
    assert_eq!(row["rate"], json!({ "waiting": 2, "refused": 6 }));
    assert_eq!((&row["in_flight"], &row["held"]), (&json!(4), &json!(0)));
    assert_eq!(row["refusals"], json!({ "concurrency": 1, "rate": 5 }));
    assert_eq!(row["decisions"], json!({ "would_refuse": 9 }));
    assert_eq!(
        row["fixes"][0],
        json!({ "quirk": "patch-op-case", "direction": "request", "mode": "fix", "count": 311 })
    );
    assert_eq!(row["culprits"][0]["cause"]["quirk"], "bool-string");
    assert_eq!(row["history"], json!([]), "one tenant alone has it");
    assert_eq!((&status["draining"], &status["ready"]), (&json!(false), &json!(true)));
    assert_eq!(status["config"]["notes"][0], "listen.address: this changes only with a restart");
    assert!(status["started"].as_f64().unwrap() <= status["now"].as_f64().unwrap());
    let origin = status["app"]["origin"].as_str().unwrap();
    assert!(origin.starts_with("http://127.0.0.1:"), "without credentials: {origin}");
    eventually("the app was tried", || async { port.json("/api/status").await["app"]["reachable"] == false }).await;
}

#[tokio::test]
async fn one_tenant_has_its_history_and_questions_are_checked() {
    let stage = Stage::new();
    plant_trouble(&stage, "acme");
    stage.plant("other", State::Healthy, 0.0);
    let port = stage.open().await;
    let acme = port.json("/api/status?tenant=acme").await;
    assert_eq!(acme["tenants"].as_array().unwrap().len(), 1);
    assert_eq!(acme["tenants"][0]["history"].as_array().unwrap().len(), 72);
    assert_eq!(port.json("/api/status?state=healthy").await["tenants"][0]["tenant"], "other");
    for (path, status, words) in [
        ("/api/status?tenant=nobody", 404, "/api/status lists all"),
        ("/api/status?tenants=acme", 400, "known here: tenant, state"),
        ("/api/status?state=fine", 400, "known here: unknown, healthy"),
        ("/api/status?state=healthy&state=silent", 400, "stands twice"),
        ("/api/quirks?x", 400, "none is known here"),
        ("/api/events?data=all", 400, "data=none"),
        ("/?x=1", 400, "none is known here"),
    ] {
        let answer = port.get(path).await;
        assert_eq!(answer.status, status, "{path}");
        assert!(answer.text().contains(words), "{path}: {}", answer.text());
    }
}

#[tokio::test]
async fn a_tenant_without_a_label_of_its_own_shows_no_number_of_others() {
    let stage = Stage::new();
    stage.plant("small", State::Healthy, 0.0);
    stage.change_facts("small", |facts| facts.label = "_other".to_owned());
    stage.metrics.in_flight.with_label_values(&["_other"]).set(77);
    let port = stage.open().await;
    let status = port.json("/api/status").await;
    assert_eq!(status["tenants"][0].get("in_flight"), None);
    assert!(port.get("/").await.text().contains("in _other"));
}

#[tokio::test]
async fn quirks_are_all_there_with_where_they_were_found() {
    let stage = Stage::new();
    plant_trouble(&stage, "acme");
    let port = stage.open().await;
    let quirks = port.json("/api/quirks").await;
    let quirks = quirks["quirks"].as_array().unwrap();
    assert_eq!(quirks.len(), Id::ALL.len());
    let of = |id: &str| quirks.iter().find(|quirk| quirk["id"] == id).unwrap();
    assert_eq!(of("bool-string")["counts"], json!({ "fix": 45, "observe": 0 }));
    assert_eq!(of("bool-string")["tenants"], json!([{ "tenant": "acme", "mode": "fix", "count": 45 }]));
    assert_eq!(of("location-missing")["counts"], json!({ "fix": 0, "observe": 7 }));
    assert!(!of("attr-case")["summary"].as_str().unwrap().is_empty());
    assert_eq!(of("attr-case")["tenants"], json!([]));
}

#[tokio::test]
async fn the_journal_gets_the_query_as_it_came() {
    let stage = Stage::new();
    for seq in 1..=3 {
        stage.record(json!({ "seq": seq, "tenant": "acme" }));
    }
    let port = stage.open().await;
    let page = port.json("/api/journal?tenant=acme&limit=2").await;
    assert_eq!((&page["entries"][0]["seq"], &page["next"]), (&json!(3), &json!(2)));
    let wrong = port.get("/api/journal?wrong=1").await;
    assert_eq!(wrong.status, 400);
    assert!(serde_json::from_slice::<Value>(&wrong.body).unwrap()["error"].as_str().unwrap().contains("known here"));
    for path in ["/api/journal/export?tenant=acme", "/api/journal?format=jsonl"] {
        let export = port.get(path).await;
        assert_eq!((export.status, export.header("content-type")), (200, "application/x-ndjson"), "{path}");
        assert_eq!(export.header("content-disposition"), "attachment; filename=\"scimshim-journal.jsonl\"");
        assert_eq!(export.text().lines().count(), 3, "{}", export.text());
    }
    assert_eq!(port.get("/api/journal/export?wrong").await.status, 400);
    assert!(port.get("/metrics").await.text().contains("scimshim_journal_entries 3"), "records are exported before");
}

#[tokio::test]
async fn events_come_when_something_changes_and_end_with_the_drain() {
    let stage = Stage::new();
    stage.plant("acme", State::Healthy, 0.0);
    let port = stage.open().await;
    let mut stream = port.stream("/api/events").await;
    let head = stream.until("\r\n\r\n").await;
    assert!(head.contains("text/event-stream"), "{head}");
    stream.until("retry: 3000").await;
    let first = stream.until("\n\n\r\n").await + &stream.until("\n\n").await;
    assert!(first.contains("event: status\ndata: {\"version\""), "{first}");
    assert!(first.contains("\"state\":\"healthy\""), "{first}");
    let mut bare = port.stream("/api/events?data=none").await;
    bare.until("event: status\ndata: {}\n\n").await;
    stage.plant("acme", State::AtRisk, 0.3);
    stream.until("\"state\":\"at_risk\"").await;
    bare.until("event: status\ndata: {}\n\n").await;
    stage.metrics.in_flight.with_label_values(&["acme"]).set(1);
    stream.until("\"in_flight\":1").await;
    port.drain();
    stream.until("\"draining\":true").await;
    bare.until("event: status\ndata: {\"draining\":true}\n\n").await;
    stream.closed().await;
    bare.closed().await;
    let refused = port.get("/api/events").await;
    assert_eq!((refused.status, refused.header("retry-after")), (503, "10"));
    assert_eq!(port.json("/api/status").await["draining"], true);
}

#[tokio::test]
async fn streams_are_bounded_and_keep_nobody_else_out() {
    let stage = Stage::new();
    let port = stage.open().await;
    let mut streams = Vec::new();
    for _ in 0..16 {
        let mut stream = port.stream("/api/events").await;
        stream.until("retry: 3000").await;
        streams.push(stream);
    }
    let refused = port.get("/api/events").await;
    assert_eq!((refused.status, refused.header("retry-after")), (429, "10"));
    assert_eq!(port.get("/api/journal/export").await.status, 429);
    let mut idle = Vec::new();
    for _ in 0..300 {
        idle.push(Client::connect(port.addr).await);
    }
    assert_eq!(port.get("/livez").await.status, 200);
    stage.plant("acme", State::Healthy, 0.0);
    for stream in &mut streams {
        stream.until("acme").await;
    }
    streams.pop();
    eventually("there is room again", || async {
        let mut stream = port.stream("/api/events").await;
        stream.until("\r\n").await.contains("200")
    })
    .await;
}

#[tokio::test]
async fn a_stream_outlives_other_connections_and_ends_after_five_minutes() {
    let stage = Stage::new();
    let port = stage.open().await;
    let mut stream = tokio::net::TcpStream::connect(port.addr).await.unwrap();
    let request = b"GET /api/events HTTP/1.1\r\nhost: localhost\r\n\r\n";
    tokio::io::AsyncWriteExt::write_all(&mut stream, request).await.unwrap();
    let mut said = vec![0; 4096];
    let read = stream.read(&mut said).await.unwrap();
    said.truncate(read);
    // From here on time goes by whenever nothing else does.
    tokio::time::pause();
    let began = tokio::time::Instant::now();
    stream.read_to_end(&mut said).await.unwrap();
    let lasted = began.elapsed();
    assert!(lasted > Duration::from_secs(280) && lasted <= Duration::from_secs(310), "{lasted:?}");
    let heartbeats = String::from_utf8(said).unwrap().matches("event: heartbeat\ndata: {}\n\n").count();
    assert!((55..=62).contains(&heartbeats), "{heartbeats}");
}

#[tokio::test]
async fn the_page_is_whole_without_a_script_and_shows_markup_as_text() {
    let stage = Stage::new();
    plant_trouble(&stage, "acme");
    stage.plant(HOSTILE, State::Healthy, 0.0);
    stage.plant("likely", State::LikelyQuarantined, 1.0);
    let port = stage.open().await;
    let answer = port.get("/").await;
    assert_eq!(
        answer.header("content-security-policy"),
        "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"
    );
    for (name, value) in
        [("x-content-type-options", "nosniff"), ("referrer-policy", "no-referrer"), ("cache-control", "no-store")]
    {
        assert_eq!(answer.header(name), value);
    }
    let page = answer.text();
    assert!(page.contains("<h1>2 of 3 connections need attention</h1>"), "{page}");
    assert!(page.contains("likely quarantined (model)"), "{page}");
    assert!(page.find("/tenants/likely").unwrap() < page.find("/tenants/acme").unwrap(), "the worst first");
    let path = "/tenants/%3Cimg%20src%3Dx%20onerror%3D%22document.title%3D%27owned%27%22%3E";
    assert!(page.contains(path), "{page}");
    for page in
        [page, port.get("/tenants/acme").await.text(), port.get(path).await.text(), port.get("/quirks").await.text()]
    {
        assert!(!page.contains("<img") && !page.contains(" style=") && !page.contains(" onclick"), "{page}");
        assert!(page.contains("only the identity provider knows"), "{page}");
    }
    let acme = port.get("/tenants/acme").await.text();
    for words in [
        "emails.type, 91 % of failures",
        "failing share rose to 0.52",
        "docs/runbooks/ScimshimQuarantineRisk.md",
        "192.0.2.7",
    ] {
        assert!(acme.contains(words), "{words} in {acme}");
    }
    assert!(port.get("/tenants/nobody%3Cb%3E").await.text().contains("nobody&lt;b&gt;"));
}

#[tokio::test]
async fn assets_are_asked_for_again_and_not_sent_twice() {
    let port = Stage::new().open().await;
    let first = port.get("/assets/page.js").await;
    assert_eq!((first.status, first.header("cache-control")), (200, "no-cache"));
    assert_eq!(first.header("content-type"), "text/javascript; charset=utf-8");
    let again = ask(port.addr, "GET", "/assets/page.js", &[LOCAL, ("if-none-match", first.header("etag"))], "").await;
    assert_eq!((again.status, again.body.len()), (304, 0));
    let tag = first.header("etag");
    for (condition, status) in [
        ("*".to_owned(), 304),
        (format!("W/{tag}"), 304),
        (format!("\"other\", W/\"a,b\" ,{tag}"), 304),
        (format!("W/\"other\",W/{tag}"), 304),
        ("\"other\"".to_owned(), 200),
        (tag.replace('"', ""), 200),
        (format!("\"a,{},b\"", tag.replace('"', "")), 200),
        (format!("w/{tag}"), 200),
        (String::new(), 200),
    ] {
        let answer = ask(port.addr, "GET", "/assets/page.js", &[LOCAL, ("if-none-match", &condition)], "").await;
        assert_eq!((answer.status, answer.header("etag")), (status, tag), "{condition}");
    }
    assert_eq!(port.get("/assets/../Cargo.toml").await.status, 404);
}

#[tokio::test]
async fn two_hundred_connections_are_shown_at_once() {
    let stage = Stage::new();
    let names: Vec<_> = (0..200).map(|at| format!("tenant-{at:03}")).collect();
    let reasons: Vec<_> = (0..20).map(|at| format!("reason-{at:02}")).collect();
    stage.metrics.zeros(names.iter().map(|name| &**name), &reasons.iter().map(|reason| &**reason).collect::<Vec<_>>());
    for name in &names {
        plant_trouble(&stage, name);
        for id in Id::ALL.iter().take(20) {
            stage.metrics.fixes.with_label_values(&[name, id.as_str(), "request", "fix"]).inc();
        }
    }
    let port = stage.open().await;
    for (path, bytes) in [("/api/status", 100_000), ("/", 100_000), ("/api/quirks", 10_000)] {
        let began = Instant::now();
        let answer = port.get(path).await;
        let took = began.elapsed();
        assert!(answer.status == 200 && answer.body.len() > bytes, "{path}");
        // Far over what it takes, and far below what a look-up per tenant and series would.
        assert!(took < Duration::from_secs(2), "{path}: {took:?}");
    }
}

#[tokio::test]
async fn who_is_well_is_accused_of_nothing() {
    let stage = Stage::new();
    let port = stage.open().await;
    let accused = "deactivated or deleted in one cycle";
    for (state, risk, words) in [
        (State::Healthy, 0.001, None),
        (State::Recovering, 0.1, None),
        (State::Unknown, 0.1, None),
        (State::Silent, 0.1, None),
        (State::Healthy, 0.15, Some("some were deactivated or deleted in one cycle")),
        (State::Silent, 0.2, Some("some were deactivated or deleted in one cycle")),
        (State::AtRisk, 0.3, Some("unusually many were deactivated or deleted in one cycle")),
        (State::LikelyQuarantined, 0.01, Some("some were deactivated or deleted in one cycle")),
    ] {
        stage.plant("acme", state, risk);
        stage.change("acme", |view| view.reason = Some(Component::MassDelete));
        let page = port.get("/").await.text();
        match words {
            None => assert!(!page.contains(accused), "{state:?} {risk}: {page}"),
            Some(words) => assert!(page.contains(&format!(">{words}<")), "{state:?} {risk}: {page}"),
        }
    }
}

#[tokio::test]
async fn a_connection_of_which_all_was_refused_says_so_and_stands_above_the_calm() {
    let stage = Stage::new();
    let never = |view: &mut View| (view.last_success, view.last_request, view.since) = (None, None, 0.0);
    for tenant in ["shut", "new", "later"] {
        stage.plant(tenant, State::Unknown, 0.0);
        stage.change(tenant, never);
    }
    stage.plant("calm", State::Healthy, 0.0);
    stage.plant("better", State::Recovering, 0.1);
    stage.plant("quiet", State::Silent, 0.0);
    stage.metrics.refusals.with_label_values(&["shut", "address"]).inc_by(16);
    stage.metrics.refusals.with_label_values(&["later", "upstream"]).inc_by(2);
    stage.metrics.refusals.with_label_values(&["calm", "address"]).inc_by(9);
    let address = "192.0.2.7".parse().unwrap();
    let sighting = Sighting { address, requests: 16, valid_token: false, last: SystemTime::now() };
    stage.change_facts("shut", |facts| facts.unlisted = vec![sighting]);
    let port = stage.open().await;
    let status = port.json("/api/status").await;
    let order: Vec<_> = status["tenants"].as_array().unwrap().iter().map(|row| row["tenant"].clone()).collect();
    assert_eq!(order, ["quiet", "later", "shut", "better", "new", "calm"]);
    let page = port.get("/").await.text();
    assert!(page.contains("3 of 6 connections need attention"), "{page}");
    assert!(page.contains(">nothing was let in so far; refused here: address 16<"), "{page}");
    assert!(page.contains(">nothing succeeded so far; refused here: upstream 2<"), "{page}");
    assert!(!page.contains("refused here: address 9"), "{page}");
    let shut = port.get("/tenants/shut").await.text();
    assert!(shut.contains("class=\"summary warning\"") && !shut.contains("no traffic yet"), "{shut}");
    assert!(shut.contains("Nothing was let in so far; refused here: address 16."), "{shut}");
    assert!(!shut.contains("No object fails") && !shut.contains("none or wrong"), "{shut}");
    assert!(!shut.contains("no good token shown"), "there is none to compare with: {shut}");
    stage.metrics.token_last_used.with_label_values(&["shut", "main"]).set(0);
    assert!(port.get("/tenants/shut").await.text().contains("no good token shown"));
    stage.plant("shut", State::Healthy, 0.0);
    stage.change("shut", |view| view.last_success = Some(now()));
    let well = port.get("/tenants/shut").await.text();
    assert!(well.contains("class=\"summary calm\"") && well.contains("No object fails."), "{well}");
}

#[tokio::test]
async fn nothing_fails_only_where_that_is_known() {
    let stage = Stage::new();
    let port = stage.open().await;
    for (state, failing, references, calm) in [
        (State::Healthy, 0, 0, true),
        (State::Recovering, 0, 0, true),
        (State::Unknown, 0, 0, true),
        (State::Healthy, 1, 0, false),
        (State::Healthy, 0, 1, false),
        (State::AtRisk, 0, 0, false),
        (State::Silent, 0, 0, false),
    ] {
        stage.plant("acme", state, 0.0);
        stage.change("acme", |view| (view.failing, view.failing_references) = (failing, references));
        let page = port.get("/tenants/acme").await.text();
        assert!(page.contains("Why it fails"), "{page}");
        assert_eq!(page.contains("No object fails."), calm, "{state:?} {failing} {references}");
        assert_ne!(page.contains("No reason is known here"), calm, "{state:?} {failing} {references}");
    }
}

#[tokio::test]
async fn quarantine_beyond_a_week_is_none_in_sight() {
    let stage = Stage::new();
    let port = stage.open().await;
    let day = 86_400.0;
    for (eta, shown) in
        [(6.5 * day, ">about 6 d<"), (23.0 * day, "title=\"about 23 d, as the model extrapolates\">none in sight<")]
    {
        stage.change("acme", |view| view.eta_s = Some(eta));
        for path in ["/", "/tenants/acme"] {
            let page = port.get(path).await.text();
            assert!(page.contains(shown), "{path} {eta}: {page}");
        }
    }
}

#[tokio::test]
async fn of_very_many_connections_the_worst_are_shown() {
    let stage = Stage::new();
    for at in 0..2000 {
        let state = if at < 3 { State::AtRisk } else { State::Healthy };
        stage.plant(&format!("tenant-{at:04}"), state, if at < 3 { 0.3 } else { 0.0 });
    }
    let port = stage.open().await;
    let began = Instant::now();
    let page = port.get("/").await.text();
    let took = began.elapsed();
    assert!(took < Duration::from_secs(2), "{took:?}");
    assert!(page.contains("3 of 2000 connections need attention"));
    assert_eq!(page.matches("<tr data-key=").count(), 500);
    assert!(page.contains("tenant-0000") && !page.contains("tenant-1999"));
    assert!(page.contains("1500 more, calm ones, are not shown"), "{}", &page[page.len() - 3000..]);
    assert!(page.contains("/api/status?state="));
    assert_eq!(port.json("/api/status").await["tenants"].as_array().unwrap().len(), 2000);
    for at in 3..700 {
        stage.plant(&format!("tenant-{at:04}"), State::AtRisk, 0.3);
    }
    let page = port.get("/").await.text();
    assert!(page.contains("1500 more are not shown, 200 of which need attention"), "{}", &page[page.len() - 3000..]);
}

/// Each reason that a running shim counts, not a list of them that stands here.
#[tokio::test]
async fn every_reason_of_a_refusal_is_put_in_words() {
    let shim = Shim::start(settings(closed_port())).await;
    let page = ask(shim.admin, "GET", "/metrics", &[LOCAL], "").await.text();
    let of = |line: &str| Some(line.strip_prefix("scimshim_refusals_total{")?.split('"').nth(1)?.to_owned());
    let reasons: std::collections::BTreeSet<_> = page.lines().filter_map(of).collect();
    assert!(reasons.len() >= 20, "{reasons:?}");
    let stage = Stage::new();
    stage.plant("acme", State::Healthy, 0.0);
    let page = stage.open().await.get("/tenants/acme").await.text();
    let words = page.split("data-reasons=\"").nth(1).unwrap().split('"').next().unwrap();
    let words: Value = serde_json::from_str(&words.replace("&quot;", "\"").replace("&#39;", "'")).unwrap();
    let known: std::collections::BTreeSet<_> = words.as_object().unwrap().keys().cloned().collect();
    assert_eq!(known, reasons);
}

#[tokio::test]
async fn who_opens_connections_and_asks_nothing_ends_no_request() {
    let stage = Stage::new();
    stage.demand(Some("secret"), true);
    let port = stage.open().await;
    // The head has come, and its form has not: this one is under way.
    let mut probe = Client::connect(port.addr).await;
    probe.say("POST /login HTTP/1.1\r\nhost: localhost\r\ncontent-length: 12\r\n\r\n").await;
    let mut idle = Vec::new();
    for _ in 0..600 {
        let mut client = Client::connect(port.addr).await;
        client.say("G").await;
        idle.push(client);
    }
    assert_eq!(port.get("/livez").await.status, 200);
    probe.say("token=secret").await;
    assert_eq!(probe.answer_to("POST").await.status, 303);
    idle[0].closed().await;
}

#[tokio::test]
async fn who_asks_and_never_ends_is_pushed_out_by_others_who_ask() {
    let stage = Stage::new();
    stage.demand(Some("secret"), true);
    let port = stage.open().await;
    let mut slow = Vec::new();
    for _ in 0..80 {
        let mut client = Client::connect(port.addr).await;
        client.say("POST /login HTTP/1.1\r\nhost: localhost\r\ncontent-length: 12\r\n\r\n").await;
        slow.push(client);
    }
    eventually("there is an end to the first", || async { port.get("/livez").await.status == 200 }).await;
    slow[0].closed().await;
}
