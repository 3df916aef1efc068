//! The configuration, read again: when a file of it changes, on SIGHUP, and when the admin port is asked to.
//!
//! All or nothing. What cannot be used is said problem by problem, a gauge falls to 0, and what runs stays.

use std::{path::PathBuf, sync::Arc, time::Duration};

use anyhow::Context;
use tokio::{
    sync::{mpsc, oneshot},
    task,
    time::sleep,
};

use super::{Proxy, running::Running};
use crate::{
    config::{
        self, Loaded, Overrides, Problem, Settings, Severity, World,
        settings::{NotInForce, Store},
    },
    observe::{
        files,
        house::{House as _, NotReloaded},
        memory,
    },
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

/// Between tries while what was read cannot be used: what it lacks may come without a change of what is watched, such as
/// the Secret of a ConfigMap that was faster.
const AGAIN: Duration = Duration::from_secs(30);

/// Reads the settings again whenever there is a reason, until it is dropped. Without an origin there is nothing to read.
pub(crate) async fn follow(proxy: Arc<Proxy>, origin: Option<Origin>, mut hangups: Hangups, mut asked: Asked) {
    let Some(origin) = origin else {
        loop {
            tokio::select! {
                () = hangups.next() => tracing::info!("SIGHUP: there is no configuration file to read again"),
                ask = asked.next() => ask.answer(Err(NotReloaded::NoFile)),
            }
        }
    };
    let mut seen = proxy.running.load().settings.files.clone();
    let mut failed = None;
    loop {
        let mut changes = watch::since(seen.clone());
        let mut who = None;
        tokio::select! {
            () = changes.changed() => {}
            () = hangups.next() => {
                tracing::info!("SIGHUP: reading the configuration again");
                failed = None;
            }
            ask = asked.next() => {
                tracing::info!("asked at the admin port: reading the configuration again");
                failed = None;
                who = Some(ask);
            }
            () = sleep(AGAIN), if failed.is_some() => {}
        }
        // As they are before the reading: what changes during it is a reason to read again.
        seen = seen.iter().map(Seen::again).collect();
        let said = match once(&proxy, &origin).await {
            Ok(warnings) => {
                tell(&warnings);
                tracing::info!("configuration read again and in force");
                seen.clone_from(&proxy.running.load().settings.files);
                failed = None;
                Ok(warnings.iter().map(Problem::to_string).chain(proxy.notes()).collect())
            }
            Err(unusable) => {
                proxy.metrics.config_reload_success.set(0);
                // Said once, however often it is tried.
                if failed.as_ref() != Some(&unusable) {
                    tell(&unusable.problems);
                    tracing::error!("{}; what ran before stays in force", unusable.why);
                }
                let said = unusable.lines();
                failed = Some(unusable);
                Err(NotReloaded::Problems(said))
            }
        };
        if let Some(who) = who {
            who.answer(said);
        }
    }
}

/// What is told to who asked: warnings, or why not.
type Said = Result<Vec<String>, NotReloaded>;

/// Where to ask for a reload.
#[derive(Debug)]
pub(crate) struct Reloads(mpsc::Sender<Ask>);

/// Who has asked for one.
#[derive(Debug)]
pub(crate) struct Asked(mpsc::Receiver<Ask>);

/// One who asked.
#[derive(Debug)]
struct Ask(oneshot::Sender<Said>);

impl Reloads {
    /// Who asks waits for the reading before; more than a few do not.
    const WAITING: usize = 8;

    pub(crate) fn new() -> (Self, Asked) {
        let (asks, asked) = mpsc::channel(Self::WAITING);
        (Self(asks), Asked(asked))
    }

    /// Asks; the answer comes when the settings have been read. An error where nobody reads any more.
    pub(crate) fn ask(&self) -> impl Future<Output = Result<Said, oneshot::error::RecvError>> + Send + use<> {
        let asks = self.0.clone();
        async move {
            let (tell, told) = oneshot::channel();
            // Where it fails, nobody answers, and `told` says so.
            let _ = asks.send(Ask(tell)).await;
            told.await
        }
    }
}

impl Asked {
    async fn next(&mut self) -> Ask {
        while let Some(ask) = self.0.recv().await {
            // Who has left wants nothing any more.
            if !ask.0.is_closed() {
                return ask;
            }
        }
        std::future::pending().await
    }
}

impl Ask {
    fn answer(self, said: Said) {
        // Who asked may have left.
        let _ = self.0.send(said);
    }
}

/// Why a configuration did not come into force.
#[derive(Debug, PartialEq, Eq)]
struct Unusable {
    problems: Vec<Problem>,
    why: String,
}

impl Unusable {
    fn lines(&self) -> Vec<String> {
        let why = self.problems.is_empty().then(|| self.why.clone());
        self.problems.iter().map(Problem::to_string).chain(why).collect()
    }
}

/// Reads once, and puts what was read in force.
async fn once(proxy: &Arc<Proxy>, origin: &Origin) -> Result<Vec<Problem>, Unusable> {
    let origin = origin.clone();
    let read = task::spawn_blocking(move || config::load(&origin.path, &origin.overrides, &World::real())).await;
    let unusable = |problems, why| Unusable { problems, why };
    let Loaded { settings, warnings } = read
        .map_err(|error| unusable(Vec::new(), error.to_string()))?
        .map_err(|problems| unusable(problems, "the configuration cannot be used".to_owned()))?;
    proxy.apply(settings).map_err(|error| unusable(Vec::new(), format!("{error:#}")))?;
    Ok(warnings)
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
    pub(crate) fn apply(&self, mut settings: Settings) -> anyhow::Result<()> {
        let before = self.running.load_full();
        let limits = &mut settings.listen.limits;
        if let Some(files) = files::raise_limit() {
            (limits.connections, limits.in_flight) = files::fit(files, limits.connections, limits.in_flight);
        }
        if let Some(memory) = memory::limit() {
            limits.connections = memory::fit(memory, limits.connections);
        }
        for key in before.keep(&mut settings) {
            tracing::warn!(key, "this changes only with a restart; the old value stays in force");
            let what = "changed, and in force only after a restart".to_owned();
            settings.not_in_force.push(NotInForce { key: key.to_owned(), what });
        }
        // What can fail comes first, and the store changes nothing where it fails.
        let app = Running::app(&settings, &self.metrics, Some(&before))?;
        let recording = self.recorder.prepare(&settings).context("audit.target")?;
        match &settings.store {
            Store::Local => self.store.use_local(),
            Store::Redis { url, key_prefix } => self.store.use_redis(url.expose(), key_prefix)?,
        }
        self.recorder.reconfigure(&settings, recording);
        self.feeds.reconfigure(settings.feeds.specs.clone());
        Running::zeros(&settings, &self.metrics);
        let running = Arc::new(Running::new(settings, app, &self.feeds, &self.store, &self.metrics, Some(&before)));
        self.running.store(Arc::clone(&running));
        running.gate.takes_over(Some(&before.gate));
        self.metrics.reloaded();
        Ok(())
    }
}

/// SIGHUP, where there is one. It is heard from the moment this is made; without it the system ends the process.
#[cfg(unix)]
#[derive(Debug, Default)]
pub struct Hangups(Option<tokio::signal::unix::Signal>);

#[cfg(unix)]
impl Hangups {
    /// Makes SIGHUP end nothing from now on, before there is a runtime. What comes until [`Hangups::hear`] may be heard
    /// then.
    pub fn heed() {
        if let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_io().build() {
            let _inside = runtime.enter();
            // Installed once for the process, and never taken out.
            drop(Self::hear());
        }
    }

    /// Hears it from now on. It must be called inside a tokio runtime.
    pub fn hear() -> Self {
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
#[derive(Debug, Default)]
pub struct Hangups;

#[cfg(not(unix))]
impl Hangups {
    /// There is none.
    pub fn heed() {}

    /// There is none.
    pub fn hear() -> Self {
        Self
    }

    async fn next(&mut self) {
        std::future::pending().await
    }
}
