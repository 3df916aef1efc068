//! Where turns are counted: in this process, or in a Redis that all replicas share.
//!
//! The shared count is one script, run whole by the server on its own clock, one key for each quota that expires when
//! its bucket is full again. Everything else is here: queues, waits and concurrency stay with each replica, and so does
//! the order of those who wait; between replicas, who asks first once there is a turn has it.
//!
//! Redis is never in the way. A request that gets no answer in [`ANSWER`] or a bad one is decided by this process at
//! once, and so is every one after it: who asks a server that is away pays for it with a wait, so only a task in the
//! background asks, until the script has run again. An outage is counted and logged once, and so is its end.
//!
//! Not `redis::aio::ConnectionManager`: while that one connects again, commands wait for it.

use std::{
    fmt,
    num::NonZeroU32,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwapOption;
use redis::{AsyncConnectionConfig, Client, Script, aio::MultiplexedConnection};
use tokio::{
    sync::{Notify, watch},
    time::{Instant, sleep, timeout},
};
use tokio_util::task::AbortOnDropHandle;

use super::{
    bucket::{Bucket, Pace},
    class::Class,
};
use crate::observe::Metrics;

/// How long a request waits for Redis. The answer takes a millisecond; a process that gets no processor for some tens
/// of them should not take that for an outage, and nobody notices a quarter of a second once.
const ANSWER: Duration = Duration::from_millis(250);
/// How long one attempt to connect may take, handshake and log-in included.
const CONNECT: Duration = Duration::from_secs(2);
/// Between attempts, doubled up to the second.
const BACK_OFF: [Duration; 2] = [Duration::from_millis(100), Duration::from_secs(5)];
/// Commands on their way at once before the next ones queue here; the crate's 50 is for fewer tenants.
const PIPELINE: usize = 1024;

/// Where turns are counted; one for the life of a shim.
#[derive(Debug)]
pub struct Store {
    metrics: Arc<Metrics>,
    shared: ArcSwapOption<Kept>,
    /// Those who wait, of all tenants, and how many may.
    waiting: AtomicUsize,
    most_waiting: AtomicUsize,
}

/// `rate_limit_store.url` is not one that can be called.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("rate_limit_store.url is not a Redis URL such as redis://:password@127.0.0.1:6379/0: {0}")]
pub struct BadUrl(String);

impl Store {
    /// Counts in this process, so per replica.
    pub fn local(metrics: Arc<Metrics>) -> Self {
        metrics.store_available.set(1);
        Self {
            metrics,
            shared: ArcSwapOption::empty(),
            waiting: AtomicUsize::new(0),
            most_waiting: AtomicUsize::new(usize::MAX),
        }
    }

    /// Bounds how many requests of all tenants together may wait for a turn or for room; each costs some kilobytes. One
    /// more is refused as if its wait were over.
    pub fn bound_waiting(&self, most: usize) {
        self.most_waiting.store(most, Ordering::Relaxed);
    }

    /// One more that waits, if it may.
    pub(super) fn waits(&self) -> bool {
        let most = self.most_waiting.load(Ordering::Relaxed);
        let more = |waiting| (waiting < most).then_some(waiting + 1);
        self.waiting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok()
    }

    /// It waits no longer.
    pub(super) fn has_waited(&self) {
        self.waiting.fetch_sub(1, Ordering::Relaxed);
    }

    /// Counts in the Redis or Valkey at `url` under keys that begin with `prefix`, while it answers. Needs the runtime:
    /// the connection is made in the background, and until there is one this process counts.
    ///
    /// # Errors
    /// `url` cannot be called whatever the network does. The text holds nothing of it.
    pub fn redis(url: &str, prefix: &str, metrics: Arc<Metrics>) -> Result<Self, BadUrl> {
        let store = Self::local(metrics);
        store.use_redis(url, prefix)?;
        Ok(store)
    }

    /// Counts in this process from here on.
    pub fn use_local(&self) {
        self.replace(None);
        self.metrics.store_available.set(1);
    }

    /// Counts in that Redis from here on; the same one as before keeps its connection.
    ///
    /// # Errors
    /// As for [`Self::redis`]; then nothing has changed.
    pub fn use_redis(&self, url: &str, prefix: &str) -> Result<(), BadUrl> {
        if self.shared.load().as_ref().is_some_and(|kept| kept.url == url && kept.shared.prefix == prefix) {
            return Ok(());
        }
        if url.starts_with("rediss:") {
            // The client takes the provider of the process; one that is there already is as good.
            let _ = rustls::crypto::ring::default_provider().install_default();
        }
        let client = Client::open(url).map_err(|error| BadUrl(error.category().to_owned()))?;
        let shared = Arc::new(Shared::new(client, prefix, &self.metrics));
        self.metrics.store_available.set(0);
        let keeper = AbortOnDropHandle::new(tokio::spawn(Arc::clone(&shared).keep()));
        self.replace(Some(Kept { url: url.to_owned(), shared, _keeper: keeper }));
        Ok(())
    }

    /// Whether turns are counted in Redis now.
    #[inline]
    pub fn is_shared(&self) -> bool {
        self.shared.load().as_ref().is_some_and(|kept| kept.shared.link.load().is_some())
    }

    /// Waits until it is known whether Redis can be reached: the end of the first attempt, some seconds at most.
    pub async fn settled(&self) {
        if let Some(kept) = self.shared.load_full() {
            // Fails only without a sender, which `kept` holds.
            let _ = kept.shared.tried.subscribe().wait_for(|tried| *tried).await;
        }
    }

    pub(super) fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    fn replace(&self, kept: Option<Kept>) {
        if let Some(before) = self.shared.swap(kept.map(Arc::new)) {
            // Whoever still asks it and gets no answer reports no outage.
            before.shared.link.store(None);
        }
    }
}

/// A Redis in use, and the task that keeps the connection to it.
struct Kept {
    url: String,
    shared: Arc<Shared>,
    _keeper: AbortOnDropHandle<()>,
}

impl fmt::Debug for Kept {
    /// Without the URL, which may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kept").field("prefix", &self.shared.prefix).finish_non_exhaustive()
    }
}

/// Who decides for one class of one tenant.
#[derive(Debug, Clone, Copy)]
pub(super) struct Counter<'a> {
    pub(super) store: &'a Store,
    pub(super) tenant: &'a str,
    pub(super) class: Class,
}

impl Counter<'_> {
    /// Takes a turn and says how many are left, or how long until there is one.
    pub(super) async fn take(self, bucket: &Bucket) -> Result<u32, Duration> {
        let Some(kept) = self.store.shared.load_full() else { return bucket.take() };
        let shared = &kept.shared;
        let Some(link) = shared.link.load_full() else { return bucket.take() };
        let key = shared.key(self.tenant, self.class, bucket.pace);
        match shared.ask(&link, &key, bucket.pace).await {
            Ok(turn) => turn,
            Err(why) => {
                shared.lose(&link, &why);
                bucket.take()
            }
        }
    }
}

struct Shared {
    client: Client,
    prefix: String,
    script: Script,
    /// The connection while it is good.
    link: ArcSwapOption<MultiplexedConnection>,
    /// The link has gone.
    lost: Notify,
    /// Since when it has been away; `None` also before the first attempt has failed.
    outage: Mutex<Option<Instant>>,
    tried: watch::Sender<bool>,
    metrics: Arc<Metrics>,
}

impl Shared {
    fn new(client: Client, prefix: &str, metrics: &Arc<Metrics>) -> Self {
        Self {
            client,
            prefix: prefix.to_owned(),
            script: Script::new(include_str!("gcra.lua")),
            link: ArcSwapOption::empty(),
            lost: Notify::new(),
            outage: Mutex::new(None),
            tried: watch::Sender::new(false),
            metrics: Arc::clone(metrics),
        }
    }

    /// Keeps the link: connects, waits until somebody has lost it, connects again.
    async fn keep(self: Arc<Self>) {
        loop {
            let mut pause = BACK_OFF[0];
            while let Err(why) = self.connect().await {
                self.away(&why);
                self.tried.send_replace(true);
                sleep(pause).await;
                pause = (pause * 2).min(BACK_OFF[1]);
            }
            self.tried.send_replace(true);
            self.lost.notified().await;
        }
    }

    /// A connection counts once the script has run on it: a server that loads, is full, or reads only is away too.
    async fn connect(&self) -> Result<(), Away> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT))
            .set_response_timeout(Some(CONNECT))
            .set_pipeline_buffer_size(PIPELINE);
        let connecting = self.client.get_multiplexed_async_connection_with_config(&config);
        let link = Arc::new(timeout(CONNECT, connecting).await.map_err(|_| Away::Slow(CONNECT))??);
        let pace = Pace { period: Duration::from_millis(1), burst: NonZeroU32::MAX };
        let _ = self.ask(&link, &format!("{}probe", self.prefix), pace).await?;
        self.back(link);
        Ok(())
    }

    /// Runs the script.
    async fn ask(&self, link: &MultiplexedConnection, key: &str, pace: Pace) -> Result<Result<u32, Duration>, Away> {
        let Amounts { period, burst, units } = Amounts::of(pace);
        let mut link = link.clone();
        let mut call = self.script.key(key);
        call.arg(period).arg(burst).arg(units);
        let asked = timeout(ANSWER, call.invoke_async::<(u8, u32, u64)>(&mut link)).await;
        let (admitted, left, wait) = asked.map_err(|_| Away::Slow(ANSWER))??;
        Ok(if admitted == 1 { Ok(left) } else { Err(Duration::from_micros(wait)) })
    }

    /// The tenant as hash tag: all its keys stand in one slot of a cluster. The quota in the name: another one starts anew.
    fn key(&self, tenant: &str, class: Class, pace: Pace) -> String {
        format!("{}{{{tenant}}}:{}:{}x{}ns", self.prefix, class.policy(), pace.burst, pace.period.as_nanos())
    }

    /// Somebody got no answer on `link`. Only the first one who says so of a link is heard.
    fn lose(&self, link: &Arc<MultiplexedConnection>, why: &Away) {
        let before = self.link.compare_and_swap(link, None);
        if before.as_ref().is_some_and(|before| Arc::ptr_eq(before, link)) {
            self.away(why);
            self.lost.notify_one();
        }
    }

    fn away(&self, why: &Away) {
        let mut outage = self.outage.lock().unwrap_or_else(PoisonError::into_inner);
        if outage.is_none() {
            *outage = Some(Instant::now());
            self.metrics.store_available.set(0);
            self.metrics.store_fallbacks.inc();
            tracing::warn!(%why, "the shared store of rate limits is away; this replica counts by itself until it is back");
        }
    }

    fn back(&self, link: Arc<MultiplexedConnection>) {
        let outage = self.outage.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.metrics.store_available.set(1);
        self.link.store(Some(link));
        match outage {
            Some(since) => tracing::info!(
                seconds = since.elapsed().as_secs_f64(),
                "the shared store of rate limits is back; limits count over all replicas again"
            ),
            None => tracing::info!("limits count over all replicas in the shared store"),
        }
    }
}

/// Why the store is away. What Redis says of an error holds no password.
#[derive(Debug, thiserror::Error)]
enum Away {
    #[error(transparent)]
    Redis(#[from] redis::RedisError),
    #[error("no answer within {0:?}")]
    Slow(Duration),
}

/// A pace as the script takes it.
#[derive(Debug, PartialEq, Eq)]
struct Amounts {
    period: u64,
    burst: u64,
    units: u64,
}

impl Amounts {
    /// Sums of two stay exact in a double.
    const MOST: u64 = 1 << 52;

    /// In nanoseconds where the burst fits (52 days of it), else in microseconds, rounded up to the stricter side;
    /// there the fifty years of any pace fit.
    fn of(pace: Pace) -> Self {
        let (period, turns) = (pace.period.as_nanos() as u64, u64::from(pace.burst.get()));
        match period.checked_mul(turns) {
            Some(burst) if burst <= Self::MOST => Self { period, burst, units: 1000 },
            _ => {
                let period = period.div_ceil(1000);
                Self { period, burst: period.saturating_mul(turns), units: 1 }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{super::Quota, *};

    proptest! {
        #[test]
        fn amounts_are_exact_in_doubles(per_second in prop_oneof![1e-12..1e6_f64, any::<f64>()], burst in 1..=u32::MAX) {
            let pace = Pace::of(Quota { per_second, burst: NonZeroU32::new(burst).unwrap() });
            let Amounts { period, burst, units } = Amounts::of(pace);
            prop_assert!(period > 0 && burst <= Amounts::MOST && period + burst < 1 << 53);
            prop_assert_eq!(burst, period * u64::from(pace.burst.get()));
            prop_assert!(u128::from(period) * 1000 / u128::from(units) >= pace.period.as_nanos());
        }
    }
}
