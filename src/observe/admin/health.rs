//! Alive, ready, and what is counted: for probes and scrapers.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use http::{HeaderValue, Request, StatusCode, Uri, header, uri::Scheme};
use tokio::{net::TcpStream, time};

use super::{Admin, Answer, Desk, text};

/// How long the first tries of feeds may keep the shim unready: a mirror that hangs must not keep a pod from serving,
/// and what is asked before a list is there is answered 503 where it is enforced.
const FEEDS: Duration = Duration::from_secs(10);

/// A probe that hangs must not hang the kubelet, whose default patience is one second.
const KNOCK: Duration = Duration::from_millis(500);

/// The page shows an app that went away as soon as a person would see it.
const STALE: Duration = Duration::from_secs(5);

impl Desk {
    pub(super) async fn health<B>(self: &Arc<Self>, request: &Request<B>) -> Answer {
        let verbose = request.uri().query().is_some_and(|query| query.contains("verbose"));
        match request.uri().path() {
            "/metrics" => self.aside(|desk| desk.admin.metrics()).await,
            "/readyz" => self.admin.ready(verbose).await,
            _ => text(StatusCode::OK, "ok\n"),
        }
    }

    /// Whether the app answered when it was last knocked at; knocks again, for the next to ask, where that is long ago.
    pub(super) fn reachable(&self) -> Option<bool> {
        let mut known = self.knocker.lock();
        let is_due = !known.busy && known.last.is_none_or(|(at, _)| at.elapsed() >= STALE);
        if let (true, Ok(runtime)) = (is_due, tokio::runtime::Handle::try_current()) {
            known.busy = true;
            let (knocker, app) = (Arc::clone(&self.knocker), self.admin.house.app());
            runtime.spawn(async move {
                let answered = knock(&app).await;
                *knocker.lock() = Known { last: Some((Instant::now(), answered)), busy: false };
            });
        }
        known.last.map(|(_, answered)| answered)
    }
}

/// What is known of the app.
#[derive(Default)]
pub(super) struct Knocker(Mutex<Known>);

#[derive(Default)]
struct Known {
    last: Option<(Instant, bool)>,
    busy: bool,
}

impl Knocker {
    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Admin {
    fn metrics(&self) -> Answer {
        self.records.export();
        match self.metrics.text() {
            Ok(page) => {
                let mut answer = text(StatusCode::OK, page);
                let kind = HeaderValue::from_static(prometheus::TEXT_FORMAT);
                answer.headers_mut().insert(header::CONTENT_TYPE, kind);
                answer
            }
            Err(error) => text(StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")),
        }
    }

    /// What can be said without the app: draining, all feeds tried, and whether they are waited for no longer.
    fn standing(&self) -> (bool, bool, bool) {
        let all_tried = self.feeds.all_tried();
        (*self.draining.borrow(), all_tried, all_tried || self.since.elapsed() >= FEEDS)
    }

    /// Whether requests should come here, as far as `app` is known.
    pub(super) fn is_ready(&self, app: Option<bool>) -> bool {
        let (draining, _, tried) = self.standing();
        !draining && tried && (!self.app_required || app == Some(true))
    }

    async fn ready(&self, verbose: bool) -> Answer {
        let app = if verbose || self.app_required { Some(knock(&self.house.app()).await) } else { None };
        let ready = self.is_ready(app);
        let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        let mut page = String::new();
        if verbose {
            let (draining, all_tried, tried) = self.standing();
            page.push_str(if draining { "[-] drain: stopping\n" } else { "[+] drain: not draining\n" });
            page.push_str(match (all_tried, tried) {
                (true, _) => "[+] feeds: each has been tried\n",
                (false, true) => "[!] feeds: first tries are still under way, and are waited for no longer\n",
                (false, false) => "[-] feeds: first tries are under way\n",
            });
            page.push_str(match (app, self.app_required) {
                (Some(true), _) => "[+] app: accepts connections\n",
                (_, true) => "[-] app: accepts no connections\n",
                (_, false) => "[!] app: accepts no connections (reported, not required)\n",
            });
        }
        page.push_str(if ready { "ok\n" } else { "not ready\n" });
        text(status, page)
    }
}

async fn knock(app: &Uri) -> bool {
    let Some(host) = app.host() else { return false };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let usual = if app.scheme() == Some(&Scheme::HTTPS) { 443 } else { 80 };
    let port = app.port_u16().unwrap_or(usual);
    matches!(time::timeout(KNOCK, TcpStream::connect((host, port))).await, Ok(Ok(_)))
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;
    use tokio::sync::watch;

    use super::*;
    use crate::{
        feed::{Feeds, Kind, Source, Spec},
        observe::{
            Metrics,
            admin::{Lines, Records},
            house::{Access, Facts, House, NotReloaded, Reloading},
            ledger::View,
        },
    };

    struct Nobody;

    impl House for Nobody {
        fn app(&self) -> Uri {
            Uri::from_static("http://127.0.0.1:1")
        }

        fn tenants(&self) -> Vec<Facts> {
            Vec::new()
        }

        fn tenant(&self, _: &str) -> Option<Facts> {
            None
        }

        fn access(&self) -> Access {
            Access { token: None, loopback: false }
        }

        fn notes(&self) -> Vec<String> {
            Vec::new()
        }

        fn drain(&self) {}

        fn reload(&self) -> Reloading {
            Box::pin(async { Err(NotReloaded::NoFile) })
        }
    }

    impl Records for Nobody {
        fn views(&self) -> Vec<View> {
            Vec::new()
        }

        fn view(&self, _: &str) -> Option<View> {
            None
        }

        fn changes(&self) -> u64 {
            0
        }

        fn export(&self) {}

        fn journal(&self, _: &str) -> Result<String, String> {
            Err(String::new())
        }

        fn journal_export(&self, _: &str) -> Result<Lines, String> {
            Err(String::new())
        }
    }

    #[tokio::test]
    async fn a_feed_that_hangs_is_waited_for_and_then_not_called_tried() {
        let hour = Duration::from_secs(3600);
        let spec = Spec {
            name: "office".into(),
            kind: Kind::List,
            source: Source::File("/nowhere".into()),
            refresh: hour,
            removal_grace: hour,
            stale_after: hour,
            ca: None,
            accept: None,
            pointer: None,
            parts: Vec::new(),
        };
        let metrics = Arc::new(Metrics::new().unwrap());
        let feeds = Feeds::new(vec![spec], None, Arc::clone(&metrics));
        let (_keep, draining) = watch::channel(false);
        let (house, records, since) = (Arc::new(Nobody), Arc::new(Nobody), Instant::now());
        let mut admin = Admin { metrics, draining, feeds, since, house, records, app_required: false };
        for (tried, waited, code, line) in [
            (false, Duration::ZERO, 503, "[-] feeds: first tries are under way\n"),
            (false, FEEDS, 200, "[!] feeds: first tries are still under way, and are waited for no longer\n"),
            (true, Duration::ZERO, 200, "[+] feeds: each has been tried\n"),
        ] {
            if tried {
                admin.feeds.refresh("office").await;
            }
            admin.since = Instant::now().checked_sub(waited).unwrap();
            let answer = admin.ready(true).await;
            assert_eq!(answer.status(), code);
            let page = answer.into_body().collect().await.unwrap().to_bytes();
            let page = std::str::from_utf8(&page).unwrap();
            assert!(page.contains(line), "{page}");
        }
    }
}
