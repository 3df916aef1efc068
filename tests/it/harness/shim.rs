use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};

use scimshim::{
    config::{self, Overrides, Settings, World, settings::Tenant},
    observe::{Metrics, ledger::Clock},
    proxy::{self, Origin},
    quirk::PlanSettings,
};
use tokio::{sync::oneshot, task::JoinHandle};

use super::{Answer, ask, eventually};

/// Defaults with short times, in front of `app`.
pub(crate) fn settings(app: SocketAddr) -> Settings {
    configured(app, "")
}

/// The same, with what `yaml` says beside the app's URL.
pub(crate) fn configured(app: SocketAddr, yaml: &str) -> Settings {
    let yaml = format!("upstream: {{ url: 'http://{app}/scim/v2' }}\n{yaml}");
    read(&yaml).unwrap_or_else(|problems| panic!("{problems}\n{yaml}"))
}

/// A whole configuration, on ports that the system chooses and with short times.
pub(crate) fn read(yaml: &str) -> Result<Settings, String> {
    let loaded = config::read(yaml, Path::new(""), &World::real());
    let mut settings = loaded.map_err(|all| all.iter().map(|p| format!("{p}\n")).collect::<String>())?.settings;
    settings.listen.address = ([127, 0, 0, 1], 0).into();
    settings.admin.address = ([127, 0, 0, 1], 0).into();
    let seconds = Duration::from_secs;
    let limits = &mut settings.listen.limits;
    limits.body = 1 << 20;
    (limits.connections, limits.in_flight) = (1000, 1000);
    (limits.header_timeout, limits.body_timeout) = (seconds(20), seconds(20));
    (limits.idle_timeout, limits.deadline, limits.drain) = (seconds(20), seconds(20), seconds(20));
    (settings.upstream.hold, settings.upstream.max_held) = (seconds(10), 100);
    Ok(settings)
}

/// What `tenants.defaults` became.
pub(crate) fn defaults(settings: &mut Settings) -> &mut Tenant {
    Arc::make_mut(&mut settings.tenants.defaults)
}

/// What is rewritten, for a test to change.
pub(crate) fn plan(settings: &mut Settings) -> &mut PlanSettings {
    Arc::make_mut(&mut defaults(settings).plan)
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
        Self::run(proxy::bind(settings).await.unwrap())
    }

    /// With a clock of its own for the quarantine model.
    pub(crate) async fn start_at(settings: Settings, clock: Clock) -> Self {
        Self::run(proxy::bind_at(settings, clock).await.unwrap())
    }

    fn run(shim: proxy::Shim) -> Self {
        let (data, admin, metrics) = (shim.data_addr(), shim.admin_addr(), shim.metrics());
        let (stop, stopped) = oneshot::channel();
        let running = tokio::spawn(async move {
            let stopped = async { drop(stopped.await) };
            shim.run(stopped).await.unwrap();
        });
        Self { data, admin, metrics, stop: Some(stop), running }
    }

    /// With the configuration in a file, which it follows.
    pub(crate) async fn following(path: &Path) -> Self {
        let any = || Some("127.0.0.1:0".to_owned());
        let overrides = Overrides { listen: any(), admin: any(), ..Overrides::default() };
        let settings = config::load(path, &overrides, &World::real()).unwrap().settings;
        let shim = proxy::bind(settings).await.unwrap();
        Self::run(shim.following(Origin { path: path.to_owned(), overrides }))
    }

    /// With the defaults.
    pub(crate) async fn before(app: SocketAddr) -> Self {
        Self::start(settings(app)).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        ask(self.data, "GET", path, &[], "").await
    }

    /// What an operator tells it, from within the pod.
    pub(crate) async fn order(&self, path: &str) -> Answer {
        ask(self.admin, "POST", path, &[("host", "localhost")], "").await
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
