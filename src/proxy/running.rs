//! What one set of settings makes: an exchange takes it once, at its start, and keeps it to its end. So no request sees
//! two configurations, however often they change meanwhile.

use std::sync::Arc;

use anyhow::Context;

use super::{
    budget::Budgets,
    refusal::REASONS,
    route::Guarded,
    upstream::{App, Connector},
};
use crate::{
    config::{Settings, settings::Listen},
    feed::Feeds,
    gate::{Gate, rate, tenants::DEFAULT},
    observe::Metrics,
};

/// The settings in force, and what was made of them.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) settings: Settings,
    pub(crate) gate: Gate,
    pub(crate) guarded: Guarded,
    /// With its connections, which stay as long as nothing about the app changes.
    pub(crate) app: Arc<App>,
    /// One for the life of the process, whose memory it counts.
    pub(crate) bodies: Arc<Budgets>,
}

impl Running {
    /// Zeros for what `settings` make known. Of the listed tenants so many have them from the beginning as unlisted ones
    /// may have labels; the series of the others come with their first event.
    pub(crate) fn zeros(settings: &Settings, metrics: &Metrics) {
        let listed = settings.tenants.list.keys().map(|id| &**id).filter(|id| *id != DEFAULT);
        metrics.zeros(listed.take(settings.max_labels).chain([DEFAULT]), &REASONS);
    }

    /// The app of `settings`; that of `before`, if nothing about it is different.
    ///
    /// # Errors
    /// The files of `upstream.tls` cannot be used.
    pub(crate) fn app(settings: &Settings, metrics: &Arc<Metrics>, before: Option<&Self>) -> anyhow::Result<Arc<App>> {
        if let Some(before) = before.filter(|before| before.settings.upstream == settings.upstream) {
            return Ok(Arc::clone(&before.app));
        }
        let connector = Connector::new(&settings.upstream, metrics).context("upstream.tls")?;
        Ok(Arc::new(App::new(&settings.upstream, connector)))
    }

    /// Everything that `settings` need. What `before` counts, remembers and holds open goes on.
    pub(crate) fn new(
        settings: Settings,
        app: Arc<App>,
        feeds: &Arc<Feeds>,
        store: &Arc<rate::Store>,
        metrics: &Arc<Metrics>,
        before: Option<&Self>,
    ) -> Self {
        store.bound_waiting(settings.listen.limits.in_flight);
        let gate = Gate::new(&settings, feeds, store, metrics, before.map(|before| &before.gate));
        let guarded = Guarded::new(&settings.listen, &settings.tenants.resolve, settings.upstream.url.path());
        let bodies = before.map_or_else(|| Arc::new(Budgets::of_process()), |before| Arc::clone(&before.bodies));
        Self { settings, gate, guarded, app, bodies }
    }

    /// Keeps in `settings` what cannot change while this runs; the keys that wanted to.
    pub(crate) fn keep(&self, settings: &mut Settings) -> Vec<&'static str> {
        let mut kept = Vec::new();
        let now = &self.settings;
        // Port 0 is whatever the system chose at the start.
        for (old, new) in
            [(now.listen.address, &mut settings.listen.address), (now.admin.address, &mut settings.admin.address)]
        {
            if new.port() == 0 {
                new.set_port(old.port());
            }
        }
        fn keep<T: Clone + PartialEq>(key: &'static str, old: &T, new: &mut T, kept: &mut Vec<&'static str>) {
            if old != new {
                new.clone_from(old);
                kept.push(key);
            }
        }
        let Listen { address, tls, limits, .. } = &mut settings.listen;
        keep("listen.address", &now.listen.address, address, &mut kept);
        keep("listen.tls", &now.listen.tls, tls, &mut kept);
        keep("listen.limits.connections", &now.listen.limits.connections, &mut limits.connections, &mut kept);
        keep("listen.limits.header", &now.listen.limits.header, &mut limits.header, &mut kept);
        keep("admin.address", &now.admin.address, &mut settings.admin.address, &mut kept);
        keep("admin.readiness", &now.admin.readiness, &mut settings.admin.readiness, &mut kept);
        keep("feeds.cache_dir", &now.feeds.cache_dir, &mut settings.feeds.cache_dir, &mut kept);
        keep("log", &now.log, &mut settings.log, &mut kept);
        keep("telemetry", &now.otlp, &mut settings.otlp, &mut kept);
        keep("threads", &now.threads, &mut settings.threads, &mut kept);
        kept
    }
}
