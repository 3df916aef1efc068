//! What happens around the shim while it is used.

use std::{
    fs,
    net::Ipv4Addr,
    path::{Path, PathBuf},
    thread::sleep,
    time::{Duration, Instant},
};

use super::{
    admin::metric,
    port::free_port,
    process::Process,
    process_app::App,
    redis::Redis,
    source::{Source, document, list},
};

const MILLI: fn(u64) -> Duration = Duration::from_millis;

/// Between two of a kind.
const APP: Duration = Duration::from_secs(15);
const RELOAD: Duration = Duration::from_secs(5);
const FEED: Duration = Duration::from_secs(7);
const REDIS: Duration = Duration::from_secs(20);

/// How often each was.
#[derive(Debug, Default)]
pub(crate) struct Happened {
    pub(crate) app_stopped: usize,
    pub(crate) app_killed: usize,
    pub(crate) reloads: usize,
    pub(crate) bad_reloads: usize,
    pub(crate) feeds: usize,
    pub(crate) redis_away: usize,
}

/// What the shim depends on beside the app.
pub(crate) struct Surroundings {
    folder: PathBuf,
    source: Source,
    redis: Option<Redis>,
    turn: usize,
}

impl Surroundings {
    pub(crate) fn start(folder: &Path) -> Self {
        let source = Source::start();
        source.says(list(40));
        // Where there is none, limits are counted by the shim.
        let redis = Redis::new((Ipv4Addr::LOCALHOST, free_port()).into(), folder);
        Self { folder: folder.to_owned(), source, redis, turn: 0 }
    }

    /// The configuration of this moment.
    pub(crate) fn config(&self, settings: &str) -> String {
        let store = self.redis.as_ref().map_or_else(
            || "rate_limit_store: { kind: local }".to_owned(),
            |redis| format!("rate_limit_store: {{ kind: redis, url: '{}' }}", redis.url()),
        );
        let debug = self.turn % 2 == 1;
        // Another source is fetched at once.
        format!(
            "{settings}{store}\nfeeds: {{ cache_dir: '{}', office: {{ kind: list, url: '{}/{}', refresh: 60s }} }}\n\
             normalize: {{ debug_headers: {debug} }}\n",
            self.folder.display(),
            self.source.url(),
            self.turn / 2,
        )
    }

    /// Waits until the shim has everything that it depends on.
    pub(crate) fn settled(&self, shim: &Process) {
        let began = Instant::now();
        let is_there = || {
            let page = super::admin::Page::read(shim.admin);
            page.sum("scimshim_rate_limit_store_available", |_| true) == 1.0
                && page.sum("scimshim_feed_state", |labels| labels.contains("fresh")) == 1.0
        };
        while !is_there() {
            assert!(began.elapsed() < Duration::from_secs(20), "{}", shim.log());
            sleep(MILLI(50));
        }
    }

    /// Lets everything happen until `end`; then all is well again.
    pub(crate) fn play(
        &mut self,
        app: &mut App,
        shim: &Process,
        config: &Path,
        settings: &str,
        end: Instant,
    ) -> Happened {
        let mut happened = Happened::default();
        let start = Instant::now();
        let [mut next_app, mut next_reload, mut next_feed, mut next_redis] =
            [APP, RELOAD, FEED, REDIS].map(|pause| start + pause / 2);
        while Instant::now() < end {
            let now = Instant::now();
            if now >= next_app {
                next_app = now + APP;
                let count = happened.app_stopped + happened.app_killed;
                if count.is_multiple_of(2) {
                    app.stop("TERM");
                    happened.app_stopped += 1;
                } else {
                    app.stop("KILL");
                    happened.app_killed += 1;
                }
                sleep(MILLI([100, 700, 1500, 300][count % 4]));
                app.start();
            }
            if now >= next_reload {
                next_reload = now + RELOAD;
                self.turn += 1;
                let bad = self.turn.is_multiple_of(5);
                let yaml = self.config(settings) + if bad { "upstraem: 1\n" } else { "" };
                let next = self.folder.join("next.yaml");
                fs::write(&next, yaml).unwrap();
                fs::rename(next, config).unwrap();
                // Every other time it must see the file by itself.
                if self.turn.is_multiple_of(2) {
                    shim.signal("HUP");
                }
                *(if bad { &mut happened.bad_reloads } else { &mut happened.reloads }) += 1;
            }
            if now >= next_feed {
                next_feed = now + FEED;
                happened.feeds += 1;
                self.source.says(match happened.feeds % 4 {
                    0 => document("200 OK", "text/html", "<!doctype html><title>Sign in</title>"),
                    1 => document("500 Internal Server Error", "text/plain", "no"),
                    more => list(40 + more),
                });
            }
            if now >= next_redis
                && let Some(redis) = &mut self.redis
            {
                next_redis = now + REDIS;
                happened.redis_away += 1;
                if happened.redis_away.is_multiple_of(2) {
                    redis.stop();
                    sleep(MILLI(800));
                    redis.run();
                } else {
                    redis.signal("STOP");
                    sleep(MILLI(800));
                    redis.signal("CONT");
                }
            }
            sleep(MILLI(50));
        }
        assert!(metric(shim.admin, "scimshim_config_last_reload_timestamp_seconds") > 0.0);
        happened
    }
}
