//! Feeds through a server of our own: what may come instead of a list, and what stays in force then; the commands; and a
//! replay of real documents, where they are at hand.

use std::{
    fs,
    net::IpAddr,
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::Response;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use scimshim::{
    feed::{Clock, Feeds, Kind, Outcome, Patience, Readiness, Source, Spec, State, Status},
    observe::Metrics,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsAcceptor;

use crate::harness::{Act, App, Raw, Seen, closed_port, eventually};

mod replay;

const DAY: Duration = Duration::from_secs(86_400);

/// A list of `count` addresses for one cell.
fn cell(name: &str, count: u8) -> String {
    let ranges: Vec<_> = (0..count).map(|host| format!("\"192.0.2.{host}/32\"")).collect();
    format!("\"{name}\":{{\"ip_ranges\":[{}]}}", ranges.join(","))
}

fn okta(count: u8) -> String {
    format!("{{{},{}}}", cell("us_cell_1", count), cell("emea_cell_1", 1))
}

/// What the origin says until it is told otherwise.
#[derive(Clone, Default)]
struct Say {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Bytes,
    pause: Duration,
}

fn say(status: u16, body: impl Into<Bytes>) -> Say {
    Say { status, body: body.into(), ..Say::default() }
}

impl Say {
    fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    fn answer(&self) -> Response<Bytes> {
        let mut answer = Response::builder().status(self.status);
        for (name, value) in &self.headers {
            answer = answer.header(*name, value);
        }
        answer.body(self.body.clone()).unwrap()
    }
}

struct Origin {
    app: App,
    says: Arc<Mutex<Say>>,
}

impl Origin {
    async fn start(first: Say) -> Self {
        let says = Arc::new(Mutex::new(first));
        let own = Arc::clone(&says);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let app = App::on(listener, move |_: &Seen| {
            let say = own.lock().unwrap().clone();
            (say.pause, say.answer())
        });
        Self { app, says }
    }

    fn says(&self, say: Say) {
        *self.says.lock().unwrap() = say;
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.app.addr)
    }

    fn spec(&self) -> Spec {
        spec(Source::Url(self.url("/ip_ranges.json")))
    }

    fn last(&self) -> Seen {
        self.app.seen().pop().unwrap()
    }
}

fn spec(source: Source) -> Spec {
    Spec {
        name: "okta".into(),
        kind: Kind::Okta,
        source,
        refresh: Duration::from_secs(3600),
        removal_grace: 7 * DAY,
        stale_after: 3 * DAY,
        ca: None,
        accept: None,
        pointer: None,
        parts: vec!["us_cell_1".into()],
    }
}

/// Feeds by a clock that the test moves.
struct Bench {
    feeds: Arc<Feeds>,
    metrics: Arc<Metrics>,
    clock: Clock,
}

impl Bench {
    fn new(specs: Vec<Spec>) -> Self {
        Self::kept(specs, None)
    }

    fn kept(specs: Vec<Spec>, cache: Option<PathBuf>) -> Self {
        let metrics = Arc::new(Metrics::new().unwrap());
        let clock = Clock::new();
        let feeds = Feeds::timed(specs, cache, Arc::clone(&metrics), clock.clone(), Patience::default());
        Self { feeds, metrics, clock }
    }

    async fn refresh(&self) -> Outcome {
        self.feeds.refresh("okta").await.unwrap()
    }

    /// The reason for which the document that comes now is refused.
    async fn rejected(&self) -> &'static str {
        match self.refresh().await {
            Outcome::Rejected { rejection, .. } => rejection.reason(),
            other => panic!("not rejected: {other:?}"),
        }
    }

    async fn failed(&self) -> String {
        match self.refresh().await {
            Outcome::Failed(error) => error,
            other => panic!("not failed: {other:?}"),
        }
    }

    fn status(&self) -> Status {
        self.feeds.status().remove(0)
    }

    fn lets(&self, address: &str) -> bool {
        self.part("us_cell_1").find(ip(address)).is_some()
    }

    fn part(&self, part: &str) -> Arc<scimshim::feed::Part> {
        self.feeds.part("okta", Some(part)).unwrap()
    }

    fn readiness(&self) -> Readiness {
        self.part("us_cell_1").readiness(self.feeds.now())
    }

    fn metric(&self, series: &str) -> Option<u64> {
        let page = self.metrics.text().unwrap();
        page.lines().find_map(|line| line.strip_prefix(series)?.trim().parse().ok())
    }
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// A folder that goes when the test ends.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("scimshim-feeds-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        fs::write(self.0.join(name), text).unwrap();
        self.0.join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[tokio::test]
async fn what_the_server_says_of_a_version_is_sent_back_and_304_is_success() {
    const DATE: &str = "Wed, 01 Jul 2026 10:54:14 GMT";
    let origin = Origin::start(say(200, okta(9)).with("etag", "\"a1\"").with("last-modified", DATE)).await;
    let bench = Bench::new(vec![origin.spec()]);
    assert!(matches!(bench.refresh().await, Outcome::Accepted(_)));
    assert_eq!(origin.last().header("if-none-match"), "");
    assert_eq!(origin.last().header("user-agent"), concat!("scimshim/", env!("CARGO_PKG_VERSION")));
    assert_eq!(bench.metric(r#"scimshim_feed_document_timestamp_seconds{feed="okta"}"#), Some(1_782_903_254));
    bench.clock.advance(DAY / 2);
    origin.says(say(304, ""));
    assert!(matches!(bench.refresh().await, Outcome::Unchanged));
    assert_eq!((origin.last().header("if-none-match"), origin.last().header("if-modified-since")), ("\"a1\"", DATE));
    assert!(bench.status().age_seconds.unwrap() < 60);
    assert_eq!(bench.status().state, State::Fresh);
}

#[tokio::test]
async fn a_304_that_nobody_asked_for_is_a_failure() {
    let origin = Origin::start(say(304, "")).await;
    let bench = Bench::new(vec![origin.spec()]);
    assert!(bench.failed().await.contains("304"));
    assert_eq!((bench.status().state, bench.readiness()), (State::NeverLoaded, Readiness::NotReady));
}

#[tokio::test]
async fn whatever_comes_instead_of_a_list_the_last_good_copy_stays_in_force() {
    let origin = Origin::start(say(200, okta(10))).await;
    let bench = Bench::new(vec![origin.spec()]);
    bench.refresh().await;
    for (body, reason) in [
        ("<!DOCTYPE html><html><body>Sign in</body></html>".to_owned(), "html"),
        ("\u{feff}<?xml version=\"1.0\"?><Error/>".to_owned(), "xml"),
        (String::new(), "empty"),
        ("{}".to_owned(), "empty"),
        (okta(10)[..200].to_owned(), "malformed"),
        (okta(5), "shrunk"),
        (okta(21), "grown"),
        (okta(0), "part_empty"),
        (format!("{{{}}}", cell("us_cell_2", 9)), "part_missing"),
        (okta(10).replace("192.0.2.9/32", "192.0.2.9/24"), "host_bits"),
        (okta(10).replace("192.0.2.9/32", "192.0.2.9.9"), "entry"),
        (okta(10).replace("192.0.2.9/32", "10.0.0.1/32"), "forbidden"),
        (okta(10).replace("192.0.2.9/32", "198.48.0.0/12"), "too_wide"),
        (format!("{{{},{}}}", cell("us_cell_1", 9), cell("us_cell_1", 10)), "duplicate_part"),
    ] {
        origin.says(say(200, body).with("etag", "\"bad\""));
        assert_eq!(bench.rejected().await, reason);
        let series = format!("scimshim_feed_rejected_total{{feed=\"okta\",reason=\"{reason}\"}}");
        assert!(bench.metric(&series) > Some(0), "{series}");
        assert_eq!((bench.status().state, bench.readiness()), (State::Rejected, Readiness::Ready), "{reason}");
        assert!(bench.lets("192.0.2.9") && !bench.lets("192.0.2.15"), "{reason}");
    }
    assert_ne!(origin.last().header("if-none-match"), "\"bad\"");
    origin.says(say(200, okta(11)));
    assert!(bench.refresh().await.is_success());
    assert!(bench.lets("192.0.2.10"));
    assert_eq!((bench.status().state, bench.status().last_error), (State::Fresh, None));
}

#[tokio::test]
async fn a_source_that_is_away_changes_nothing_until_the_copy_is_too_old() {
    let origin = Origin::start(say(200, okta(10))).await;
    let bench = Bench::new(vec![origin.spec()]);
    bench.refresh().await;
    for status in [204, 206, 404, 500, 503] {
        origin.says(say(status, if status == 204 { String::new() } else { okta(1) }));
        assert!(bench.failed().await.contains(&status.to_string()));
    }
    assert_eq!(bench.metric(r#"scimshim_feed_fetch_failures_total{feed="okta"}"#), Some(5));
    assert_eq!((bench.status().state, bench.readiness()), (State::Fresh, Readiness::Ready));
    bench.clock.advance(3 * DAY + DAY / 24);
    bench.feeds.tend();
    assert_eq!((bench.status().state, bench.readiness()), (State::Stale, Readiness::NotReady));
    assert_eq!(bench.metric(r#"scimshim_feed_state{feed="okta",state="stale"}"#), Some(1));
    assert!(bench.lets("192.0.2.9"), "a listed address passes in every state");
}

#[tokio::test]
async fn a_body_that_ends_early_is_no_document() {
    const CUT: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{\"us_cell_1\":{\"ip_ranges\":[]}}";
    let raw = Raw::start(&[Act::SayAndClose(CUT)]).await;
    let bench = Bench::new(vec![spec(Source::Url(format!("http://{}/", raw.addr)))]);
    bench.failed().await;
    assert_eq!(bench.status().state, State::NeverLoaded);
}

#[tokio::test]
async fn a_slow_source_is_given_up() {
    let origin = Origin::start(Say { pause: Duration::from_secs(60), ..say(200, okta(1)) }).await;
    let metrics = Arc::new(Metrics::new().unwrap());
    let short = Duration::from_millis(200);
    let patience = Patience { connect: short, idle: short, total: short };
    let feeds = Feeds::timed(vec![origin.spec()], None, metrics, Clock::new(), patience);
    match feeds.refresh("okta").await.unwrap() {
        Outcome::Failed(error) => assert_eq!(error, "no answer in time"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_while_it_comes() {
    let origin = Origin::start(say(200, vec![b'#'; (4 << 20) + 1])).await;
    let bench = Bench::new(vec![Spec { kind: Kind::List, ..origin.spec() }]);
    assert_eq!(bench.rejected().await, "too_large");
    // Without a length it is not known beforehand; the server goes on until it is hung up on.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let _ = stream.read(&mut [0; 1024]).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
        let mut sent = 0_u64;
        while stream.write_all(&[b'#'; 65_536]).await.is_ok() {
            sent += 65_536;
        }
        sent
    });
    let bench = Bench::new(vec![Spec { kind: Kind::List, ..spec(Source::Url(format!("http://{addr}/"))) }]);
    assert_eq!(bench.rejected().await, "too_large");
    assert!(server.await.unwrap() < 64 << 20);
}

#[tokio::test]
async fn redirects_are_followed_and_bounded() {
    let origin = Origin::start(say(200, okta(1))).await;
    let door = Origin::start(say(302, "").with("location", origin.url("/there"))).await;
    let bench = Bench::new(vec![door.spec()]);
    assert!(bench.refresh().await.is_success());
    assert_eq!(origin.last().target, "/there");
    door.says(say(302, "").with("location", "/again"));
    let before = door.app.seen().len();
    assert!(bench.failed().await.contains("too many redirects"));
    assert!(door.app.seen().len() - before <= 7);
}

#[tokio::test]
async fn the_query_of_a_url_is_told_to_nobody() {
    let bench = Bench::new(vec![spec(Source::Url(format!("http://{}/a?sig=secret", closed_port())))]);
    assert!(!bench.failed().await.contains("secret"));
    assert!(!serde_json::to_string(&bench.feeds.status()).unwrap().contains("secret"));
}

#[tokio::test]
async fn retry_after_moves_the_next_try() {
    let origin = Origin::start(say(503, "").with("retry-after", "2000")).await;
    let bench = Bench::new(vec![origin.spec()]);
    assert!(!bench.feeds.all_tried());
    bench.feeds.run();
    eventually("the first try has ended", || async { bench.feeds.all_tried() }).await;
    eventually("the next is planned", || async { bench.status().next_try.is_some() }).await;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let next = bench.status().next_try.unwrap() - now;
    assert!((1900..=2201).contains(&next), "{next}");
}

#[tokio::test]
async fn a_document_that_a_person_has_read_is_taken() {
    let origin = Origin::start(say(200, okta(10))).await;
    let bench = Bench::new(vec![origin.spec()]);
    bench.refresh().await;
    origin.says(say(200, okta(1)));
    let Outcome::Rejected { sha256: Some(hash), .. } = bench.refresh().await else { panic!("shrunk") };
    assert!(bench.status().last_error.unwrap().contains(&format!("accept: {hash}")));
    let accept = data_encoding::HEXLOWER.decode(hash.as_bytes()).unwrap().try_into().unwrap();
    bench.feeds.reconfigure(vec![Spec { accept: Some(accept), ..origin.spec() }]);
    assert!(bench.refresh().await.is_success());
    assert!(bench.lets("192.0.2.9"), "the grace keeps what was removed");
    bench.clock.advance(7 * DAY + DAY);
    bench.feeds.tend();
    assert!(!bench.lets("192.0.2.9") && bench.lets("192.0.2.0"));
}

#[tokio::test]
async fn an_unknown_cell_is_a_state_and_the_others_apply() {
    let origin = Origin::start(say(200, okta(3)).with("etag", "\"a\"")).await;
    let parts = vec!["us_cel_1".into(), "us_cell_1".into()];
    let bench = Bench::new(vec![Spec { parts, ..origin.spec() }]);
    assert!(bench.refresh().await.is_success());
    assert!(bench.lets("192.0.2.2"));
    let states: Vec<_> = bench.status().parts.iter().map(|part| part.state).collect();
    assert_eq!((states, bench.status().state), (vec![State::NeverLoaded, State::Fresh], State::NeverLoaded));
    assert_eq!(bench.part("us_cel_1").readiness(bench.feeds.now()), Readiness::NotReady);
    assert_eq!(bench.metric(r#"scimshim_feed_addresses{feed="okta",part="us_cell_1"}"#), Some(3));
    assert_eq!(bench.metric(r#"scimshim_feed_addresses{feed="okta",part="us_cel_1"}"#), Some(0));
    bench.refresh().await;
    assert_eq!(origin.last().header("if-none-match"), "", "the cell may be there next time");
}

#[tokio::test]
async fn a_reload_keeps_what_is_loaded_and_fetches_what_is_newly_named() {
    let origin = Origin::start(say(200, okta(3)).with("etag", "\"a\"")).await;
    let bench = Bench::new(vec![origin.spec()]);
    bench.feeds.run();
    eventually("it is loaded", || async { bench.status().state == State::Fresh }).await;
    let (part, asked) = (bench.part("us_cell_1"), origin.app.seen().len());
    let more = Spec { parts: vec!["emea_cell_1".into(), "us_cell_1".into()], ..origin.spec() };
    bench.feeds.reconfigure(vec![more]);
    assert!(bench.lets("192.0.2.2") && Arc::ptr_eq(&part, &bench.part("us_cell_1")));
    eventually("the new cell is loaded", || async { bench.part("emea_cell_1").find(ip("192.0.2.0")).is_some() }).await;
    assert_eq!((origin.app.seen().len(), origin.last().header("if-none-match")), (asked + 1, ""));
    // Another kind is another feed; one that goes takes its series along.
    bench.feeds.reconfigure(vec![Spec { kind: Kind::AzureServiceTags, ..origin.spec() }]);
    assert!(!bench.lets("192.0.2.2"));
    bench.feeds.reconfigure(vec![]);
    assert!(bench.feeds.part("okta", Some("us_cell_1")).is_none() && bench.feeds.all_tried());
    assert!(!bench.metrics.text().unwrap().contains("feed=\"okta\""), "{}", bench.metrics.text().unwrap());
}

#[tokio::test]
async fn every_series_is_there_before_the_first_fetch() {
    let bench = Bench::new(vec![spec(Source::File("/nowhere".into()))]);
    let mut series = vec![
        (r#"scimshim_feed_info{feed="okta",kind="okta"}"#.to_owned(), 1),
        (r#"scimshim_feed_state{feed="okta",state="never_loaded"}"#.to_owned(), 1),
        (r#"scimshim_feed_last_success_timestamp_seconds{feed="okta"}"#.to_owned(), 0),
        (r#"scimshim_feed_document_timestamp_seconds{feed="okta"}"#.to_owned(), 0),
        (r#"scimshim_feed_fetch_failures_total{feed="okta"}"#.to_owned(), 0),
        (r#"scimshim_feed_addresses{feed="okta",part="us_cell_1"}"#.to_owned(), 0),
    ];
    series.extend(
        ["fresh", "rejected", "stale"].map(|s| (format!("scimshim_feed_state{{feed=\"okta\",state=\"{s}\"}}"), 0)),
    );
    series.extend(
        ["added", "removed"].map(|c| (format!("scimshim_feed_changes_total{{change=\"{c}\",feed=\"okta\"}}"), 0)),
    );
    let reasons = scimshim::feed::guard::Rejection::REASONS;
    series.extend(reasons.map(|r| (format!("scimshim_feed_rejected_total{{feed=\"okta\",reason=\"{r}\"}}"), 0)));
    for (series, value) in series {
        assert_eq!(bench.metric(&series), Some(value), "{series}");
    }
}

#[tokio::test]
async fn an_older_publication_is_no_reason_to_refuse() {
    let origin = Origin::start(say(200, TAGS)).await;
    let azure = Spec { kind: Kind::AzureServiceTags, parts: vec!["AzureActiveDirectory".into()], ..origin.spec() };
    let bench = Bench::new(vec![azure]);
    bench.refresh().await;
    origin.says(say(200, TAGS.replace("\"changeNumber\":7", "\"changeNumber\":6")));
    assert!(bench.refresh().await.is_success());
    assert_eq!(bench.status().change_number, Some(6));
}

#[tokio::test]
async fn a_restart_needs_no_network() {
    let (origin, folder) = (Origin::start(say(200, okta(3)).with("etag", "\"a\"")).await, Scratch::new());
    let cache = Some(folder.0.join("cache"));
    Bench::kept(vec![origin.spec()], cache.clone()).refresh().await;
    origin.says(say(500, ""));
    let bench = Bench::kept(vec![origin.spec()], cache.clone());
    assert!(bench.lets("192.0.2.2") && bench.readiness() == Readiness::Ready && !bench.feeds.all_tried());
    bench.failed().await;
    assert!(bench.lets("192.0.2.2") && bench.feeds.all_tried());
    assert_eq!(origin.last().header("if-none-match"), "\"a\"");
    // Of another source it is one too, without what the first said of its version; one that is broken is none.
    let other = Bench::kept(vec![spec(Source::Url(origin.url("/other")))], cache.clone());
    other.failed().await;
    assert!(other.lets("192.0.2.2") && origin.last().header("if-none-match").is_empty());
    fs::write(folder.0.join("cache/feed-okta.json"), "{\"version\":2").unwrap();
    let broken = Bench::kept(vec![origin.spec()], cache);
    assert!(!broken.lets("192.0.2.2"));
    assert!(broken.status().cache_error.unwrap().starts_with("the last good copy on disk is not used: "));
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_stops_nothing() {
    let (origin, folder) = (Origin::start(say(200, okta(3))).await, Scratch::new());
    let cache = folder.write("file", "").join("cache");
    let bench = Bench::kept(vec![origin.spec()], Some(cache));
    assert_eq!(bench.metric("scimshim_cache_writable"), Some(1));
    assert!(bench.refresh().await.is_success() && bench.lets("192.0.2.2"));
    assert_eq!(bench.metric("scimshim_cache_writable"), Some(0));
    assert!(bench.status().cache_error.unwrap().starts_with("the copy cannot be written: "));
    fs::remove_file(folder.0.join("file")).unwrap();
    bench.refresh().await;
    assert_eq!((bench.metric("scimshim_cache_writable"), bench.status().cache_error), (Some(1), None));
    let without = Bench::new(vec![origin.spec()]);
    without.refresh().await;
    assert_eq!(without.metric("scimshim_cache_writable"), Some(1));
}

#[tokio::test]
async fn one_feed_that_can_be_written_does_not_hide_another_that_cannot() {
    let (origin, folder) = (Origin::start(say(200, okta(3))).await, Scratch::new());
    fs::create_dir(folder.0.join("feed-okta.json")).unwrap();
    let specs = vec![origin.spec(), Spec { name: "other".into(), ..origin.spec() }];
    let bench = Bench::kept(specs, Some(folder.0.clone()));
    bench.refresh().await;
    assert!(bench.feeds.refresh("other").await.unwrap().is_success());
    assert_eq!(bench.metric("scimshim_cache_writable"), Some(0));
    bench.feeds.reconfigure(vec![Spec { name: "other".into(), ..origin.spec() }]);
    assert_eq!(bench.metric("scimshim_cache_writable"), Some(1));
}

#[tokio::test]
async fn a_source_that_moves_takes_nothing_out_of_force() {
    let (old, new) = (Origin::start(say(200, okta(10)).with("etag", "\"a\"")).await, Origin::start(say(404, "")).await);
    let bench = Bench::new(vec![old.spec()]);
    bench.refresh().await;
    bench.feeds.reconfigure(vec![new.spec()]);
    assert!(bench.lets("192.0.2.9") && bench.readiness() == Readiness::Ready);
    bench.failed().await;
    assert_eq!(new.last().header("if-none-match"), "", "what a server says of a version belongs to its URL");
    assert!(bench.lets("192.0.2.9"));
    // What the new source says is compared with what the old one said.
    new.says(say(200, okta(5)));
    assert_eq!(bench.rejected().await, "shrunk");
    new.says(say(200, okta(9)));
    assert!(bench.refresh().await.is_success() && bench.lets("192.0.2.8"));
}

#[tokio::test]
async fn a_shorter_grace_counts_at_once_and_after_a_restart() {
    let (origin, folder) = (Origin::start(say(200, okta(10)).with("etag", "\"a\"")).await, Scratch::new());
    let week = Bench::kept(vec![origin.spec()], Some(folder.0.clone()));
    week.refresh().await;
    origin.says(say(200, okta(9)).with("etag", "\"b\""));
    week.refresh().await;
    origin.says(say(304, ""));
    assert!(week.lets("192.0.2.9"));
    let short = |grace| vec![Spec { removal_grace: grace, ..origin.spec() }];
    assert!(!Bench::kept(short(Duration::ZERO), Some(folder.0.clone())).lets("192.0.2.9"), "after a restart");
    let hour = Bench::kept(short(DAY / 24), Some(folder.0.clone()));
    assert!(hour.lets("192.0.2.9") && matches!(hour.refresh().await, Outcome::Unchanged));
    hour.clock.advance(DAY / 12);
    hour.feeds.tend();
    assert!(!hour.lets("192.0.2.9"), "an hour is over");
    let copy = folder.0.join("feed-okta.json");
    let mut json: serde_json::Value = serde_json::from_slice(&fs::read(&copy).unwrap()).unwrap();
    json["parts"]["us_cell_1"]["leaving"] = serde_json::json!([{ "range": "192.0.2.9/32", "until": u64::MAX }]);
    fs::write(&copy, json.to_string()).unwrap();
    let forever = Bench::kept(vec![origin.spec()], Some(folder.0.clone()));
    assert!(forever.lets("192.0.2.9"));
    forever.clock.advance(8 * DAY);
    forever.feeds.tend();
    assert!(!forever.lets("192.0.2.9"), "no disk keeps it longer than the grace");
    week.feeds.reconfigure(short(Duration::ZERO));
    assert!(!week.lets("192.0.2.9") && week.lets("192.0.2.8"), "after a reload");
    assert_eq!(week.status().parts[0].kept, 0);
}

#[tokio::test]
async fn unchanged_is_not_believed_of_what_was_not_asked_or_for_ever() {
    let past = "Wed, 01 Jul 2026 10:54:14 GMT";
    let origin = Origin::start(say(200, okta(9))).await;
    let bench = Bench::new(vec![origin.spec()]);
    bench.refresh().await;
    origin.says(say(304, ""));
    assert!(bench.failed().await.contains("304"), "no version was asked for");
    // A document that says to be newer than the answer it came in.
    origin.says(say(200, okta(9)).with("last-modified", past).with("date", "Wed, 01 Jul 2026 10:54:13 GMT"));
    bench.refresh().await;
    origin.says(say(200, okta(10)).with("last-modified", past));
    bench.refresh().await;
    assert_eq!(origin.last().header("if-modified-since"), "");
    // Once a day the whole is asked for, however often it was said to be unchanged.
    origin.says(say(304, ""));
    for _ in 0..3 {
        bench.clock.advance(DAY / 4);
        assert!(matches!(bench.refresh().await, Outcome::Unchanged));
        assert_eq!(origin.last().header("if-modified-since"), past);
    }
    bench.clock.advance(DAY / 3);
    origin.says(say(200, okta(11)).with("last-modified", past));
    assert!(matches!(bench.refresh().await, Outcome::Accepted(_)) && bench.lets("192.0.2.10"));
    assert_eq!(origin.last().header("if-modified-since"), "");
}

#[tokio::test]
async fn a_refused_document_is_not_believed_because_it_keeps_coming() {
    let (origin, folder) = (Origin::start(say(200, okta(100))).await, Scratch::new());
    let bench = Bench::kept(vec![origin.spec()], Some(folder.0.clone()));
    bench.refresh().await;
    origin.says(say(200, okta(40)));
    for _ in 0..30 {
        bench.clock.advance(DAY / 2);
        assert_eq!(bench.rejected().await, "shrunk");
    }
    let status = bench.status();
    assert_eq!((status.state, bench.lets("192.0.2.99")), (State::Stale, true));
    // A restart does not begin to count from the last good copy.
    assert_eq!(Bench::kept(vec![origin.spec()], Some(folder.0.clone())).rejected().await, "shrunk");
    // Two weeks in which nothing could be read are another thing.
    origin.says(say(500, ""));
    bench.clock.advance(14 * DAY);
    bench.failed().await;
    origin.says(say(200, okta(40)));
    assert!(bench.refresh().await.is_success());
}

#[tokio::test]
async fn after_a_flood_the_good_document_may_return() {
    let list = |from: u32, to: u32| (from..to).map(|n| format!("198.51.{}.{}\n", n / 256, n % 256)).collect::<String>();
    let (good, flood) = (list(0, 100), list(0, 400));
    let (origin, folder) = (Origin::start(say(200, good.clone())).await, Scratch::new());
    let specs = || vec![Spec { kind: Kind::List, parts: vec![], ..origin.spec() }];
    let bench = Bench::kept(specs(), Some(folder.0.clone()));
    bench.refresh().await;
    let networks: String = (0..65_535).map(|n| format!("2001:{n:x}::/32\n")).collect();
    origin.says(say(200, format!("{good}{networks}")));
    assert_eq!(bench.rejected().await, "grown", "a family that was empty");
    origin.says(say(200, flood.clone()));
    assert!(bench.refresh().await.is_success() && bench.refresh().await.is_success());
    origin.says(say(200, list(0, 101)));
    assert_eq!(bench.rejected().await, "shrunk");
    let again = Bench::kept(specs(), Some(folder.0.clone()));
    origin.says(say(200, good));
    assert!(again.refresh().await.is_success(), "also after a restart");
    assert!(bench.refresh().await.is_success());
    assert_eq!(bench.status().parts[0].kept, 300);
}

#[tokio::test]
async fn a_redirect_does_not_carry_the_query_away() {
    let origin = Origin::start(say(200, okta(1))).await;
    let door = Origin::start(say(302, "").with("location", origin.url("/there"))).await;
    let bench = Bench::new(vec![spec(Source::Url(door.url("/a?sig=secret")))]);
    assert!(bench.refresh().await.is_success());
    assert!(door.last().target.contains("secret"));
    assert!(!format!("{:?}", origin.last()).contains("secret"), "{:?}", origin.last());
}

#[cfg(unix)]
#[tokio::test]
async fn a_file_that_was_exchanged_for_one_of_the_same_size_and_time_is_seen() {
    let folder = Scratch::new();
    let path = folder.write("office.txt", "192.0.2.1\n");
    let at = fs::metadata(&path).unwrap().modified().unwrap();
    let list = Spec { kind: Kind::List, parts: vec![], ..spec(Source::File(path.clone())) };
    let bench = Bench::new(vec![list]);
    bench.feeds.run();
    let lets = |address: &str| bench.feeds.part("okta", None).unwrap().find(ip(address)).is_some();
    eventually("the first text", || async { lets("192.0.2.1") }).await;
    let new = folder.write("new.txt", "192.0.2.2\n");
    fs::File::options().write(true).open(&new).unwrap().set_modified(at).unwrap();
    fs::rename(new, &path).unwrap();
    eventually("the second text", || async { lets("192.0.2.2") }).await;
}

#[tokio::test]
async fn a_file_is_read_again_when_it_changes() {
    let folder = Scratch::new();
    let path = folder.write("office.txt", "192.0.2.1\n");
    let list = Spec { kind: Kind::List, parts: vec![], ..spec(Source::File(path)) };
    let bench = Bench::new(vec![list]);
    bench.feeds.run();
    let lets = |address: &str| bench.feeds.part("okta", None).unwrap().find(ip(address)).is_some();
    eventually("the first text", || async { lets("192.0.2.1") }).await;
    folder.write("office.txt", "192.0.2.1\n198.51.100.0/24\n");
    eventually("the second text", || async { lets("198.51.100.9") }).await;
}

#[tokio::test]
async fn what_is_no_file_is_said_and_not_waited_for() {
    let folder = Scratch::new();
    for path in [folder.0.clone(), folder.0.join("none")] {
        let bench = Bench::new(vec![spec(Source::File(path))]);
        assert!(bench.failed().await.starts_with("cannot read "));
    }
}

const TAGS: &str = r#"{"changeNumber":7,"cloud":"Public","values":[{"name":"AzureActiveDirectory","id":"AzureActiveDirectory","properties":{"addressPrefixes":["192.0.2.0/24","2001:db8::/48"],"networkFeatures":null}}]}"#;

#[tokio::test]
async fn the_weekly_file_is_found_behind_its_page() {
    let app = App::start(|seen: &Seen| match seen.target.as_str() {
        "/page?id=56519" => {
            say(200, "<a class='x' href='/files/ServiceTags_Public_20251110.json'>Download</a>").answer()
        }
        "/files/ServiceTags_Public_20251110.json" if seen.header("if-none-match") == "\"t\"" => say(304, "").answer(),
        "/files/ServiceTags_Public_20251110.json" => say(200, TAGS).with("etag", "\"t\"").answer(),
        _ => say(200, "<a href='https://evil.example/ServiceTags_Public_20251110.json'>").answer(),
    })
    .await;
    let azure = |page: &str| Spec {
        kind: Kind::AzureServiceTags,
        parts: vec!["AzureActiveDirectory".into()],
        ..spec(Source::Discover(format!("http://{}{page}", app.addr)))
    };
    let bench = Bench::new(vec![azure("/page?id=56519")]);
    assert!(matches!(bench.refresh().await, Outcome::Accepted(_)));
    assert_eq!((bench.status().change_number, bench.status().addresses), (Some(7), 256 + 65_536));
    assert!(matches!(bench.refresh().await, Outcome::Unchanged));
    assert!(Bench::new(vec![azure("/evil")]).failed().await.contains("evil.example, which is not on microsoft.com"));
}

/// A CA, and an HTTPS server with a certificate of it that answers each request with `head` and `body`.
async fn https(answer: String) -> (String, std::net::SocketAddr) {
    let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let key = rcgen::KeyPair::generate().unwrap();
    let ca = params.self_signed(&key).unwrap();
    let issuer = rcgen::Issuer::new(params, key);
    let leaf_key = rcgen::KeyPair::generate().unwrap();
    let leaf = rcgen::CertificateParams::new(vec!["127.0.0.1".into()]).unwrap().signed_by(&leaf_key, &issuer).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(leaf_key.serialize_der()));
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![leaf.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            // A client that does not trust us leaves in the middle of the handshake.
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let _ = stream.read(&mut [0; 4096]).await;
            let _ = stream.write_all(answer.as_bytes()).await;
            let _ = stream.shutdown().await;
        }
    });
    (ca.pem(), addr)
}

#[tokio::test]
async fn a_mirror_may_have_a_private_ca() {
    let body = okta(3);
    let (ca, addr) = https(format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len())).await;
    let (other, _) = https(String::new()).await;
    let folder = Scratch::new();
    let url = || spec(Source::Url(format!("https://{addr}/")));
    let trusted = Bench::new(vec![Spec { ca: Some(folder.write("ca.pem", ca)), ..url() }]);
    assert!(trusted.refresh().await.is_success() && trusted.lets("192.0.2.2"));
    let foreign = Bench::new(vec![Spec { ca: Some(folder.write("other.pem", other)), ..url() }]);
    assert!(foreign.failed().await.to_lowercase().contains("certificate"));
    let absent = Bench::new(vec![Spec { ca: Some(folder.0.join("none.pem")), ..url() }]);
    assert!(absent.failed().await.contains("none.pem"));
}

#[tokio::test]
async fn https_does_not_lead_to_http() {
    let plain = Origin::start(say(200, okta(3))).await;
    let (ca, addr) =
        https(format!("HTTP/1.1 302 Found\r\nlocation: {}\r\ncontent-length: 0\r\n\r\n", plain.url("/"))).await;
    let folder = Scratch::new();
    let ca = Some(folder.write("ca.pem", ca));
    let bench = Bench::new(vec![Spec { ca, ..spec(Source::Url(format!("https://{addr}/"))) }]);
    assert!(bench.failed().await.contains("a redirect from https to http"));
    assert!(plain.app.seen().is_empty());
}

/// `scimshim feed` with these arguments; the environment holds no flags and no proxy but `env`.
async fn scimshim(args: &[&str], env: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_scimshim"));
    let own = |name: &str| name.starts_with("SCIMSHIM_") || name.to_lowercase().ends_with("_proxy");
    for (name, _) in std::env::vars_os().filter(|(name, _)| own(&name.to_string_lossy())) {
        command.env_remove(name);
    }
    command.arg("feed").args(args).envs(env.iter().copied());
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn config(folder: &Scratch, okta: &str) -> String {
    let yaml = format!(
        "upstream: {{ url: http://127.0.0.1:1/scim }}
tenants:
  resolve: [{{ path: \"/t/{{tenant}}\" }}]
  list:
    acme: {{ allow: {{ mode: observe, cidrs: [\"198.51.100.0/24\"] }} }}
    globex: {{ allow: {{ mode: enforce, feeds: [\"okta:us_cell_1\", office] }} }}
    initech: {{ allow: {{ mode: enforce, feeds: [\"okta:us_cel_9\"] }} }}
feeds:
  cache_dir: cache
  okta: {{ kind: okta, url: \"{okta}\" }}
  office: {{ kind: list, file: office.txt }}
"
    );
    folder.write("office.txt", "203.0.113.0/24  # the office\n");
    folder.write("config.yaml", yaml).display().to_string()
}

#[tokio::test]
async fn a_proxy_of_the_environment_is_used() {
    let (proxy, folder) = (Origin::start(say(200, okta(3))).await, Scratch::new());
    let config = config(&folder, "http://feeds.example/ip_ranges.json");
    let output = scimshim(&["fetch", &config], &[("HTTP_PROXY", &proxy.url("/"))]).await;
    assert!(text(&output.stdout).contains("okta: accepted"), "{output:?}");
    assert_eq!(proxy.last().header("host"), "feeds.example");
    let before = proxy.app.seen().len();
    let env = [("HTTP_PROXY", proxy.url("/")), ("NO_PROXY", "feeds.example".into())];
    scimshim(&["fetch", &config], &env.each_ref().map(|(name, value)| (*name, value.as_str()))).await;
    assert_eq!(proxy.app.seen().len(), before);
}

#[tokio::test]
async fn fetch_says_what_was_accepted_and_why_not() {
    let (origin, folder) = (Origin::start(say(200, okta(10))).await, Scratch::new());
    let config = config(&folder, &origin.url("/"));
    let output = scimshim(&["fetch", &config], &[]).await;
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "a cell that is named is not there");
    assert!(
        said.contains("okta: accepted\n  us_cell_1  10 added, 0 removed, 0 kept by grace, 10 addresses allowed"),
        "{said}"
    );
    assert!(said.contains("us_cel_9  not in the document"), "{said}");
    assert!(said.contains("office: accepted"), "{said}");
    assert!(folder.0.join("cache/feed-okta.json").exists());
    origin.says(say(200, okta(2)));
    let output = scimshim(&["fetch", &config], &[]).await;
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        said.contains("okta: rejected (shrunk): `us_cell_1`: 80.0 % of the IPv4 addresses are gone at once"),
        "{said}"
    );
    assert!(said.contains("accept: "), "{said}");
    let json: serde_json::Value =
        serde_json::from_slice(&scimshim(&["fetch", &config, "--format", "json"], &[]).await.stdout).unwrap();
    let okta = json.as_array().unwrap().iter().find(|feed| feed["name"] == "okta").unwrap();
    assert_eq!((&okta["outcome"], &okta["reason"]), (&"rejected".into(), &"shrunk".into()));
}

#[tokio::test]
async fn what_cannot_be_written_or_read_on_disk_is_said() {
    let (origin, folder) = (Origin::start(say(200, okta(10))).await, Scratch::new());
    let config = config(&folder, &origin.url("/"));
    let yaml = fs::read_to_string(&config).unwrap().replace("us_cel_9", "us_cell_1");
    fs::write(&config, yaml).unwrap();
    assert_eq!(scimshim(&["fetch", &config], &[]).await.status.code(), Some(0));
    let copy = folder.0.join("cache/feed-okta.json");
    fs::write(&copy, "half").unwrap();
    let said = text(&scimshim(&["show", &config, "--cached"], &[]).await.stdout);
    assert!(said.contains("  the last good copy on disk is not used: not a copy of a feed"), "{said}");
    fs::remove_file(&copy).unwrap();
    let said = text(&scimshim(&["show", &config, "--cached"], &[]).await.stdout);
    assert!(said.contains("  there is no copy on disk"), "{said}");
    fs::create_dir(&copy).unwrap();
    let output = scimshim(&["fetch", &config], &[]).await;
    let said = text(&output.stdout);
    assert!(said.contains("okta: accepted") && said.contains("  the copy cannot be written: "), "{said}");
    assert_eq!(output.status.code(), Some(1));
}

#[tokio::test]
async fn a_proxy_that_cannot_be_used_is_said_with_the_cure() {
    let (origin, folder) = (Origin::start(say(200, okta(10))).await, Scratch::new());
    let config = config(&folder, &origin.url("/"));
    let output = scimshim(&["fetch", &config], &[("HTTP_PROXY", "ftp://user:secret@proxy")]).await;
    let said = text(&output.stderr);
    assert!(said.contains("warning: HTTP_PROXY is not the URL of a proxy and is ignored"), "{output:?}");
    assert!(!said.contains("secret") && text(&output.stdout).contains("okta: accepted"), "{output:?}");
    let output = scimshim(&["fetch", &config], &[("ALL_PROXY", "socks5://127.0.0.1:1")]).await;
    let said = text(&output.stdout);
    assert!(
        said.contains("okta: failed") && said.contains("ALL_PROXY names a SOCKS proxy, which is not supported"),
        "{said}"
    );
}

#[tokio::test]
async fn show_lists_parts_with_their_counts() {
    let (origin, folder) = (Origin::start(say(200, okta(10))).await, Scratch::new());
    let config = config(&folder, &origin.url("/"));
    let said = text(&scimshim(&["show", &config], &[]).await.stdout);
    assert!(said.contains("us_cell_1  10 entries, 10 addresses"), "{said}");
    assert!(said.contains("us_cel_9  not in the document") && said.contains("1 more that no tenant names"), "{said}");
    assert!(said.contains("(list)  1 entry, 256 addresses"), "{said}");
    let said = text(&scimshim(&["show", &config, "--all"], &[]).await.stdout);
    assert!(said.contains("emea_cell_1  1 entry, 1 address"), "{said}");
    assert!(!folder.0.join("cache").exists(), "looking writes nothing");
    let said = text(&scimshim(&["show", "--cached"], &[("SCIMSHIM_CONFIG", &config)]).await.stdout);
    assert!(said.contains("us_cell_1  never_loaded"), "{said}");
    scimshim(&["fetch", &config], &[]).await;
    let asked = origin.app.seen().len();
    let said = text(&scimshim(&["show", &config, "--cached"], &[]).await.stdout);
    assert!(said.contains("us_cell_1  fresh, 10 entries, 10 addresses, 0 of them kept by grace"), "{said}");
    assert_eq!(origin.app.seen().len(), asked);
}

#[tokio::test]
async fn show_needs_no_configuration_for_a_document() {
    let (origin, folder) = (Origin::start(say(200, okta(10))).await, Scratch::new());
    let said = text(&scimshim(&["show", "--okta", &origin.url("/")], &[]).await.stdout);
    assert!(said.contains("us_cell_1  10 entries") && said.contains("emea_cell_1  1 entry"), "{said}");
    let file = folder.write("tags.json", TAGS).display().to_string();
    let said = text(&scimshim(&["show", "--azure", &file], &[]).await.stdout);
    assert!(said.contains("AzureActiveDirectory  2 entries"), "{said}");
    let output = scimshim(&["show", "--list", &file], &[]).await;
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert_eq!(scimshim(&["show", "--list", &file, "--okta", &file], &[]).await.status.code(), Some(2));
}

#[tokio::test]
async fn why_names_the_range_that_holds_an_address() {
    let wide = r#"{"us_cell_1":{"ip_ranges":["192.0.2.128/25"]}}"#;
    let (origin, folder) = (Origin::start(say(200, wide)).await, Scratch::new());
    let config = config(&folder, &origin.url("/"));
    let said = text(&scimshim(&["why", "::ffff:192.0.2.200", &config], &[]).await.stdout);
    assert_eq!(
        said.trim_end().lines().map(str::trim).collect::<Vec<_>>(),
        [
            "192.0.2.200",
            "default (off) passes: addresses are not looked at",
            "acme (observe) passes, and is counted as would_refuse: it is not listed",
            "globex (enforce) passes: it is listed",
            "192.0.2.128/25 in okta:us_cell_1",
            "initech (enforce) 503: it is not listed, and okta:us_cel_9 is not loaded or too old",
        ]
    );
    let output = scimshim(&["why", "198.51.100.7", "--config", &config, "--format", "json"], &[]).await;
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let tenant = |name: &str| json["tenants"].as_array().unwrap().iter().find(|t| t["tenant"] == name).unwrap();
    assert_eq!(tenant("acme")["matches"][0]["range"], "198.51.100.0/24");
    assert_eq!(tenant("globex")["answer"], "403");
}

#[tokio::test]
async fn a_wrong_address_and_no_configuration_are_usage_errors() {
    for args in [&["why", "okta", "config.yaml"][..], &["why", "192.0.2.1"], &["show"], &["fetch"], &[]] {
        let output = scimshim(args, &[]).await;
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{args:?}: {output:?}");
    }
    let output = scimshim(&["fetch", "none.yaml"], &[]).await;
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).starts_with("error: none.yaml"), "{output:?}");
}

/// Where the real documents are; `None`, said aloud, where they are not.
fn corpus(test: &str) -> Option<PathBuf> {
    use std::io::Write;
    let folder = std::env::var_os("SCIMSHIM_FEED_CORPUS").map(PathBuf::from);
    let why = match folder {
        Some(folder) if Path::new(&folder).is_dir() => return Some(folder),
        Some(folder) => format!("{} is no folder", folder.display()),
        None => "SCIMSHIM_FEED_CORPUS names no folder of real documents, which are not part of this repository".into(),
    };
    // Not eprintln, which the test harness swallows when a test passes.
    let _ = writeln!(std::io::stderr(), "SKIPPED {test}: {why}");
    None
}

/// A figure for people who run the replay with `--nocapture`.
#[allow(clippy::print_stdout)]
fn report(line: &str) {
    println!("{line}");
}
