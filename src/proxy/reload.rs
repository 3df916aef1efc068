//! The configuration, read again: when a file of it changes, and on SIGHUP.
//!
//! All or nothing. What cannot be used is said problem by problem, a gauge falls to 0, and what runs stays.

use std::{path::PathBuf, sync::Arc};

use tokio::task;

use super::{Proxy, running::Running};
use crate::{
    config::{self, Loaded, Overrides, Problem, Severity, World, settings::Store},
    observe::files,
    watch::{self, Seen},
};

/// Where the settings came from.
#[derive(Debug, Clone)]
pub struct Origin {
    /// The file.
    pub path: PathBuf,
    /// The flags and variables that win over it.
    pub overrides: Overrides,
}

/// Reads the settings again whenever there is a reason, until it is dropped.
pub(crate) async fn follow(proxy: Arc<Proxy>, origin: Origin) {
    let mut asked = Asked::new();
    let mut seen = proxy.running.load().settings.files.clone();
    loop {
        let mut changes = watch::since(seen.clone());
        tokio::select! {
            () = changes.changed() => {}
            () = asked.next() => tracing::info!("SIGHUP: reading the configuration again"),
        }
        // As they are before the reading: what changes during it is a reason to read again.
        seen = seen.iter().map(Seen::again).collect();
        match once(&proxy, &origin).await {
            Ok(()) => {
                tracing::info!("configuration read again and in force");
                seen.clone_from(&proxy.running.load().settings.files);
            }
            Err(error) => {
                proxy.metrics.config_reload_success.set(0);
                tracing::error!("{error:#}; what ran before stays in force");
            }
        }
    }
}

/// Reads once, and puts what was read in force.
async fn once(proxy: &Arc<Proxy>, origin: &Origin) -> anyhow::Result<()> {
    let origin = origin.clone();
    let read = task::spawn_blocking(move || config::load(&origin.path, &origin.overrides, &World::real())).await?;
    let loaded = read.map_err(|problems| {
        tell(&problems);
        anyhow::anyhow!("the configuration cannot be used")
    })?;
    proxy.apply(loaded)
}

fn tell(problems: &[Problem]) {
    for problem in problems {
        match problem.severity {
            Severity::Problem => tracing::error!("{problem}"),
            Severity::Warning => tracing::warn!("{problem}"),
        }
    }
}

impl Proxy {
    /// Puts settings in force, all or none.
    ///
    /// # Errors
    /// Something that they need cannot be made.
    pub(crate) fn apply(&self, loaded: Loaded) -> anyhow::Result<()> {
        let Loaded { mut settings, warnings } = loaded;
        tell(&warnings);
        let before = self.running.load_full();
        let limits = &mut settings.listen.limits;
        if let Some(files) = files::raise_limit() {
            (limits.connections, limits.in_flight) = files::fit(files, limits.connections, limits.in_flight);
        }
        for key in before.keep(&mut settings) {
            tracing::warn!(key, "this changes only with a restart; the old value stays in force");
        }
        match &settings.store {
            Store::Local => self.store.use_local(),
            Store::Redis { url, key_prefix } => self.store.use_redis(url.expose(), key_prefix)?,
        }
        self.feeds.reconfigure(settings.feeds.specs.clone());
        let running = Running::new(settings, &self.feeds, &self.store, &self.metrics, Some(&before))?;
        let running = Arc::new(running);
        self.running.store(Arc::clone(&running));
        running.gate.takes_over(Some(&before.gate));
        self.metrics.reloaded();
        Ok(())
    }
}

/// SIGHUP, where there is one.
#[cfg(unix)]
struct Asked(Option<tokio::signal::unix::Signal>);

#[cfg(unix)]
impl Asked {
    fn new() -> Self {
        let signal = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup());
        Self(signal.inspect_err(|error| tracing::warn!(%error, "SIGHUP is not heard")).ok())
    }

    async fn next(&mut self) {
        if let Some(signal) = &mut self.0
            && signal.recv().await.is_some()
        {
            return;
        }
        std::future::pending::<()>().await;
    }
}

#[cfg(not(unix))]
struct Asked;

#[cfg(not(unix))]
impl Asked {
    fn new() -> Self {
        Self
    }

    async fn next(&mut self) {
        std::future::pending().await
    }
}
