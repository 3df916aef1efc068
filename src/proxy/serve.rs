//! A shim from its settings to its end: bind both ports, run, drain.

use std::{
    future::{Future, poll_fn},
    net::SocketAddr,
    pin::pin,
    sync::Arc,
    task::Poll,
    time::Instant,
};

use anyhow::Context;
use arc_swap::ArcSwap;
use rustls::ServerConfig;
use tokio::{net::TcpListener, runtime, task};
use tokio_util::task::AbortOnDropHandle;

use super::{
    Proxy, accept,
    headers::Ids,
    life::Life,
    reload::{self, Asked, Hangups, Origin, Reloads},
    running::Running,
};
use crate::{
    config::{
        Settings,
        settings::{self, Readiness},
    },
    feed::Feeds,
    gate::rate::Store,
    observe::{
        Metrics, Recorder,
        admin::{self, Records},
        files,
        house::House,
        ledger::Clock,
        log, memory,
    },
    tls::Live,
};

/// A sidecar whose ports are bound and which does not serve yet.
#[derive(Debug)]
pub struct Shim {
    proxy: Arc<Proxy>,
    data: TcpListener,
    tls: Option<Live<ServerConfig>>,
    admin: TcpListener,
    origin: Option<Origin>,
    hangups: Hangups,
    asked: Asked,
}

/// Binds both ports, so that a port in use is an error before anything else happens.
///
/// # Errors
/// A port cannot be bound, or a file for TLS cannot be used.
pub async fn bind(settings: Settings) -> anyhow::Result<Shim> {
    bind_at(settings, Clock::new()).await
}

/// The same with a clock for the quarantine model, which thinks in hours and days: a test has seconds.
///
/// # Errors
/// As [`bind`].
pub async fn bind_at(mut settings: Settings, clock: Clock) -> anyhow::Result<Shim> {
    let data = listen(settings.listen.address).await?;
    let admin = listen(settings.admin.address).await?;
    settings.listen.address = data.local_addr()?;
    settings.admin.address = admin.local_addr()?;
    let metrics = Arc::new(Metrics::new()?);
    Running::zeros(&settings, &metrics);
    let tls = match settings.listen.tls.clone() {
        None => None,
        Some(tls) => {
            let good = metrics.tls_reload_success.with_label_values(&["listen"]);
            Some(Live::new("listen.tls", tls.files(), good, move || tls.load()).context("listen.tls")?)
        }
    };
    let feeds = Feeds::new(settings.feeds.specs.clone(), settings.feeds.cache_dir.clone(), Arc::clone(&metrics));
    let store = Arc::new(match &settings.store {
        settings::Store::Local => Store::local(Arc::clone(&metrics)),
        settings::Store::Redis { url, key_prefix } => Store::redis(url.expose(), key_prefix, Arc::clone(&metrics))?,
    });
    let app = Running::app(&settings, &metrics, None)?;
    let recorder = Arc::new(Recorder::open(&settings, clock, &metrics)?);
    let running = Running::new(settings, app, &feeds, &store, &metrics, None);
    running.gate.takes_over(None);
    let running = ArcSwap::from_pointee(running);
    metrics.reloaded();
    let (ids, life) = (Ids::default(), Arc::<Life>::default());
    let (reloads, asked) = Reloads::new();
    let proxy = Arc::new(Proxy { running, feeds, store, metrics, recorder, ids, life, reloads });
    Ok(Shim { proxy, data, tls, admin, origin: None, hangups: Hangups::default(), asked })
}

impl Shim {
    /// Where identity providers call; the port that the system chose, if it was asked to.
    pub fn data_addr(&self) -> SocketAddr {
        self.proxy.running.load().settings.listen.address
    }

    /// Where operators look.
    pub fn admin_addr(&self) -> SocketAddr {
        self.proxy.running.load().settings.admin.address
    }

    /// What is counted; it can still be read when the admin port has gone.
    pub fn metrics(&self) -> Arc<Metrics> {
        Arc::clone(&self.proxy.metrics)
    }

    /// Reads the configuration again when its files change, while it runs.
    #[must_use]
    pub fn following(self, origin: Origin) -> Self {
        Self { origin: Some(origin), ..self }
    }

    /// Reads it again on SIGHUP too.
    #[must_use]
    pub fn hearing(self, hangups: Hangups) -> Self {
        Self { hangups, ..self }
    }

    /// Serves until `shutdown`; then says that it is not ready, accepts for a short while what still comes, and returns
    /// when everything has been answered, or after `limits.drain`.
    ///
    /// # Errors
    /// None today; what cannot be served any more would be one.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> anyhow::Result<()> {
        let Self { proxy, data, tls, admin, origin, hangups, asked } = self;
        let running = proxy.running.load_full();
        announce(&running.settings);
        proxy.feeds.run();
        let _reloads = AbortOnDropHandle::new(task::spawn(reload::follow(Arc::clone(&proxy), origin, hangups, asked)));
        let _records = AbortOnDropHandle::new(task::spawn(Arc::clone(&proxy.recorder).keep()));
        let operators = admin::Admin {
            metrics: Arc::clone(&proxy.metrics),
            draining: proxy.life.follow_draining(),
            feeds: Arc::clone(&proxy.feeds),
            since: Instant::now(),
            house: Arc::clone(&proxy) as Arc<dyn House>,
            records: Arc::clone(&proxy.recorder) as Arc<dyn Records>,
            app_required: running.settings.admin.readiness == Readiness::App,
        };
        drop(running);
        // It stays to the end: who waits for the drain wants to see it.
        let operators = task::spawn(admin::serve(admin, operators));
        let life = Arc::clone(&proxy.life);
        let shutdown = async move {
            shutdown.await;
            life.leave();
        };
        accept::serve(data, Arc::clone(&proxy), tls, shutdown).await;
        operators.abort();
        let recorder = Arc::clone(&proxy.recorder);
        // A panic in it is told by its thread.
        let _ = task::spawn_blocking(move || recorder.close()).await;
        tracing::info!("stopped");
        Ok(())
    }
}

/// Builds the runtime, installs signals and serves until SIGTERM or SIGINT; a second one exits at once.
///
/// # Errors
/// A port cannot be bound, or the system gives no threads or signals.
pub fn serve_blocking(mut settings: Settings, origin: Option<Origin>) -> anyhow::Result<()> {
    let _telling = log::init(&settings.log, settings.otlp.as_ref())?;
    fit_into_files(&mut settings);
    fit_into_memory(&mut settings);
    let mut builder = match settings.threads {
        0 | 1 => runtime::Builder::new_current_thread(),
        threads => {
            let mut builder = runtime::Builder::new_multi_thread();
            builder.worker_threads(threads);
            builder
        }
    };
    let runtime = builder.max_blocking_threads(BLOCKING).enable_all().build().context("no async runtime")?;
    let outcome = runtime.block_on(async {
        let mut stop = signals()?;
        let hangups = Hangups::hear();
        let shim = bind(settings).await?.hearing(hangups);
        let shim = match origin {
            Some(origin) => shim.following(origin),
            None => shim,
        };
        let first = async {
            let signal = next(&mut stop).await;
            tracing::info!(signal, "stopping; a second signal exits at once");
            task::spawn(async move {
                next(&mut stop).await;
                std::process::exit(EXIT_BY_SIGNAL);
            });
        };
        shim.run(first).await
    });
    // What hangs beyond the drain, such as a name lookup, does not keep the process.
    runtime.shutdown_background();
    outcome
}

/// Threads for large bodies and name lookups. Each may hold some hundred megabytes of a body and its parse for a
/// while; more than there are cores gain nothing.
pub(crate) const BLOCKING: usize = 16;

/// 128 + SIGTERM, as shells report it.
const EXIT_BY_SIGNAL: i32 = 143;

async fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))
}

/// Keeps the limits on connections below the one on open files.
fn fit_into_files(settings: &mut Settings) {
    let Some(files) = files::raise_limit() else { return };
    let limits = &mut settings.listen.limits;
    let (connections, in_flight) = files::fit(files, limits.connections, limits.in_flight);
    if (connections, in_flight) != (limits.connections, limits.in_flight) {
        tracing::warn!(
            files,
            connections,
            in_flight,
            "this process may open too few files for `listen.limits.connections` {} and `listen.limits.in_flight` {}; \
             both are lowered to what fits; raise the limit (ulimit -n, LimitNOFILE) to have them",
            limits.connections,
            limits.in_flight,
        );
        (limits.connections, limits.in_flight) = (connections, in_flight);
    }
}

/// Keeps the limit on connections below what this process may have of memory.
fn fit_into_memory(settings: &mut Settings) {
    let Some(limit) = memory::limit() else { return };
    let asked = settings.listen.limits.connections;
    let connections = memory::fit(limit, asked);
    if connections != asked {
        // Not a warning: it is so in every pod that asks for the default.
        tracing::info!(
            memory = limit,
            connections,
            "`listen.limits.connections` {asked} is lowered to what fits into the memory that this process may have; give it \
             more (resources.limits.memory) to have them"
        );
        settings.listen.limits.connections = connections;
    }
}

/// What an operator should know at start, once.
fn announce(settings: &Settings) {
    let Settings { listen, admin, upstream, tenants, .. } = settings;
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        listen = %listen.address,
        tls = listen.tls.is_some(),
        base_path = listen.base_path,
        admin = %admin.address,
        upstream = %upstream.url,
        tenants = tenants.list.len(),
        idp = %tenants.defaults.idp,
        "serving"
    );
    if settings.store == settings::Store::Local && tenants.list.values().chain([&tenants.defaults]).any(is_limited) {
        tracing::info!("rates are counted by this replica alone; `rate_limit_store: {{ kind: redis }}` shares them");
    }
    for missing in &settings.not_in_force {
        tracing::warn!(key = missing.key, "not in force: {}", missing.what);
    }
}

fn is_limited(tenant: &Arc<settings::Tenant>) -> bool {
    tenant.limits.is_some()
}

#[cfg(unix)]
type Stop = [tokio::signal::unix::Signal; 2];

#[cfg(unix)]
fn signals() -> anyhow::Result<Stop> {
    use tokio::signal::unix::{SignalKind, signal};
    let one = |kind| signal(kind).context("cannot listen to signals");
    Ok([one(SignalKind::terminate())?, one(SignalKind::interrupt())?])
}

#[cfg(unix)]
async fn next([terminate, interrupt]: &mut Stop) -> &'static str {
    let (mut terminate, mut interrupt) = (pin!(terminate.recv()), pin!(interrupt.recv()));
    poll_fn(|cx| {
        if terminate.as_mut().poll(cx).is_ready() {
            Poll::Ready("SIGTERM")
        } else {
            interrupt.as_mut().poll(cx).map(|_| "SIGINT")
        }
    })
    .await
}

#[cfg(not(unix))]
type Stop = ();

#[cfg(not(unix))]
fn signals() -> anyhow::Result<Stop> {
    Ok(())
}

#[cfg(not(unix))]
async fn next(_: &mut Stop) -> &'static str {
    let _ = tokio::signal::ctrl_c().await;
    "Ctrl-C"
}
