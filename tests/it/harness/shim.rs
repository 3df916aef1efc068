use std::{net::SocketAddr, sync::Arc, time::Duration};

use scimshim::{
    config::{
        Settings,
        settings::{Admin, Limits, Listen, Log, Outside, Readiness, RetryAfter, Tenant, Upstream},
    },
    observe::Metrics,
    proxy,
    quirk::{Idp, PlanSettings},
};
use tokio::{sync::oneshot, task::JoinHandle};

use super::{Answer, ask, eventually};

/// Defaults with short times, in front of `app`.
pub(crate) fn settings(app: SocketAddr) -> Settings {
    let any = ([127, 0, 0, 1], 0).into();
    let seconds = Duration::from_secs;
    Settings {
        listen: Listen {
            address: any,
            base_url: None,
            base_path: "/scim/v2".into(),
            outside: Outside::Refuse,
            limits: Limits {
                body: 1 << 20,
                header: 64 << 10,
                connections: 1000,
                in_flight: 1000,
                header_timeout: seconds(20),
                body_timeout: seconds(20),
                idle_timeout: seconds(20),
                deadline: seconds(20),
                drain: seconds(20),
            },
        },
        admin: Admin { address: any, readiness: Readiness::Shim },
        upstream: Upstream {
            url: format!("http://{app}/scim/v2").parse().unwrap(),
            connect_timeout: seconds(2),
            hold: seconds(10),
            max_held: 100,
            retries: 2,
            pool: 8,
            http2: false,
            content_type: None,
        },
        tenant: Tenant { id: "default".into(), idp: Idp::Auto, plan: PlanSettings::default() },
        debug_headers: false,
        retry_after: RetryAfter { floor: seconds(30), ceiling: seconds(600) },
        threads: 1,
        log: Log { format: None, level: "info".into() },
        not_in_force: Vec::new(),
    }
}

/// A running shim.
pub(crate) struct Shim {
    pub(crate) data: SocketAddr,
    pub(crate) admin: SocketAddr,
    pub(crate) metrics: Arc<Metrics>,
    stop: Option<oneshot::Sender<()>>,
    running: JoinHandle<()>,
}

impl Shim {
    pub(crate) async fn start(settings: Settings) -> Self {
        let shim = proxy::bind(settings).await.unwrap();
        let (data, admin, metrics) = (shim.data_addr(), shim.admin_addr(), shim.metrics());
        let (stop, stopped) = oneshot::channel();
        let running = tokio::spawn(async move {
            let stopped = async { drop(stopped.await) };
            shim.run(stopped).await.unwrap();
        });
        Self { data, admin, metrics, stop: Some(stop), running }
    }

    /// With the defaults.
    pub(crate) async fn before(app: SocketAddr) -> Self {
        Self::start(settings(app)).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        ask(self.data, "GET", path, &[], "").await
    }

    /// What SIGTERM does.
    pub(crate) fn stop(&mut self) {
        self.stop.take();
    }

    pub(crate) async fn stopped(self) {
        self.running.await.unwrap();
    }

    /// The sum of all series of `name` whose labels contain `labels`.
    pub(crate) async fn metric(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let page = ask(self.admin, "GET", "/metrics", &[], "").await.text();
        let wanted: Vec<_> = labels.iter().map(|(key, value)| format!("{key}=\"{value}\"")).collect();
        page.lines()
            .filter(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' '])))
            .filter(|line| wanted.iter().all(|label| line.contains(label)))
            .map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap())
            .sum()
    }

    /// Waits until a metric has a value; exchanges count when they end, a little after the client has its answer.
    pub(crate) async fn counts(&self, name: &str, labels: &[(&str, &str)], value: f64) {
        eventually(&format!("{name}{labels:?} = {value}"), || async { self.metric(name, labels).await == value }).await;
    }

    /// One refusal of that kind, answered with that status.
    pub(crate) async fn refused(&self, reason: &str, answer: &Answer, status: u16) {
        let text = answer.text();
        assert_eq!(answer.status, status, "{text}");
        assert_eq!(answer.header("content-type"), "application/scim+json");
        let body: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(body["schemas"][0], "urn:ietf:params:scim:api:messages:2.0:Error");
        assert_eq!(body["status"], status.to_string());
        assert!(body["detail"].as_str().is_some_and(|detail| !detail.is_empty()));
        assert!(!answer.header("x-request-id").is_empty());
        self.counts("scimshim_refusals_total", &[("reason", reason)], 1.0).await;
    }
}
