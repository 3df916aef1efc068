//! A real Prometheus with the rules that are shipped scrapes a shim under a mix of tenants, and every query of every
//! dashboard finds something: an empty answer is a wrong metric, label or matching.
//!
//! Without the program (`SCIMSHIM_PROMETHEUS`, else `prometheus`) the test is skipped and says so;
//! `SCIMSHIM_REQUIRE=all` makes the skip a failure.

use std::{
    fs::File,
    io::Write as _,
    net::SocketAddr,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use http::Response;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use tokio::{task::JoinSet, time::Instant};
use tokio_util::task::AbortOnDropHandle;

use crate::{
    harness::{App, Folder, Seen, Shim, ask, configured, eventually, free_port},
    monitoring::{Panel, panels, program, promtool},
};

/// What may be empty here, by the beginning of a panel's title or by a metric, and why.
const MAY_BE_EMPTY: [(&str, &str); 7] = [
    ("Certificates taken", "there is no TLS"),
    ("Connections that ended before a request", "none does, and nothing is zeroed without TLS and PROXY protocol"),
    ("Firing alerts", "empty is good"),
    ("Looks like", "a tenant that is not recognised has to call for a while"),
    (
        "scimshim_quarantine_disable_timestamp_seconds",
        "quarantine is suspected after five idle minutes at the earliest",
    ),
    ("scimshim_quarantine_eta_seconds", "infinite is not shown, and these few failures lead nowhere"),
    ("scimshim_quarantine_next_attempt_timestamp_seconds", "as for the end of the job"),
];
/// A rate over a second has two samples from the third second on; more is for a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(45);
/// The secret that is known for its hash: the sum of `test`.
const TOKEN: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

#[tokio::test(flavor = "multi_thread")]
async fn every_panel_finds_its_data() {
    let test = "every_panel_finds_its_data";
    let Some(program) = program(test, "SCIMSHIM_PROMETHEUS", "prometheus") else { return };
    let Some(promtool) = promtool(test) else { return };
    let folder = Folder::new();
    let app = App::start(answer).await;
    let shim = Shim::start(configured(app.addr, &config(&folder, app.addr))).await;
    let _traffic = AbortOnDropHandle::new(tokio::spawn(traffic(shim.data)));
    let prometheus = Prometheus::start(&program, &folder, shim.admin, 1).await;

    let started = Instant::now();
    let mut empty = panels();
    while !empty.is_empty() && started.elapsed() < PATIENCE {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let mut still = Vec::new();
        for panel in empty {
            if !prometheus.finds(&panel).await {
                still.push(panel);
            }
        }
        empty = still;
        if empty.iter().all(may_be_empty) {
            break;
        }
    }
    lint(&promtool, &ask(shim.admin, "GET", "/metrics", &[], "").await.text());
    empty.retain(|panel| !may_be_empty(panel));
    let empty: Vec<_> = empty.iter().map(|p| format!("{}, {}: {}", p.dashboard, p.title, p.expr)).collect();
    assert!(empty.is_empty(), "{} queries find nothing:\n{}", empty.len(), empty.join("\n"));
}

#[test]
fn every_panel_that_may_be_empty_exists() {
    for (what, why) in MAY_BE_EMPTY {
        assert!(panels().iter().any(|panel| means(what, panel)), "{what} ({why})");
    }
}

fn may_be_empty(panel: &Panel) -> bool {
    MAY_BE_EMPTY.iter().any(|(what, _)| means(what, panel))
}

fn means(what: &str, panel: &Panel) -> bool {
    panel.title.starts_with(what) || panel.expr.contains(what)
}

/// What promtool says of names, types and help texts.
fn lint(promtool: &str, page: &str) {
    let mut child = Command::new(promtool)
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool starts");
    child.stdin.take().expect("a pipe").write_all(page.as_bytes()).expect("promtool reads");
    let output = child.wait_with_output().expect("promtool ends");
    let said = String::from_utf8_lossy(&[output.stderr, output.stdout].concat()).into_owned();
    assert!(output.status.success() && said.is_empty(), "{said}");
}

/// One tenant for each thing that can happen to one.
fn config(folder: &Folder, app: SocketAddr) -> String {
    let (cache, audit) = (folder.path("cache"), folder.path("audit.jsonl"));
    std::fs::create_dir_all(&cache).unwrap();
    format!(
        "\
normalize: {{ quirks: {{ list-404-empty: fix }} }}
tenants:
  resolve: [{{ path: '/{{tenant}}' }}]
  list:
    acme: {{ idp: entra, allow: {{ mode: observe, feeds: [office] }} }}
    globex: {{ idp: okta }}
    recognised: {{ idp: auto }}
    failing: {{ idp: entra }}
    fenced: {{ idp: entra, allow: {{ mode: enforce, cidrs: [192.0.2.0/24] }} }}
    limited: {{ idp: okta, rate_limit: {{ writes: {{ per_second: 2, burst: 1 }}, wait: 1s, max_waiting: 1 }} }}
    vault: {{ idp: okta, tokens: [{{ sha256: {TOKEN}, name: '2026-11', expires: 2099-01-01T00:00:00Z }}] }}
feeds:
  cache_dir: '{}'
  office: {{ kind: list, url: 'http://{app}/office.txt' }}
quarantine: {{ snapshot: 1s }}
journal: {{ failures_only: false }}
audit: {{ target: '{}' }}
",
        cache.display(),
        audit.display()
    )
}

/// The app: what is called bad is refused, who looks for nobody gets 404 in place of an empty list.
fn answer(seen: &Seen) -> Response<Bytes> {
    const USER: &str =
        r#"{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"id":"1","userName":"a","active":"true"}"#;
    const ERROR: &str =
        r#"{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"400","scimType":"invalidValue"}"#;
    const NOBODY: &str = r#"{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"404"}"#;
    let (status, kind, body) = match &*seen.target {
        "/office.txt" => (200, "text/plain", "198.51.100.0/24\n203.0.113.0/24\n"),
        target if target.contains("bad") => (400, "application/scim+json", ERROR),
        target if target.contains("nobody") => (404, "application/scim+json", NOBODY),
        _ => (200, "application/scim+json", USER),
    };
    let answer = Response::builder().status(status).header("content-type", kind);
    answer.header("last-modified", "Sun, 01 Nov 2026 00:00:00 GMT").body(Bytes::from_static(body.as_bytes())).unwrap()
}

/// Rounds of calls, until it is dropped. Answers are of no interest: the meters are.
async fn traffic(data: SocketAddr) {
    const PATCH: &str = r#"{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"Replace","path":"active","value":"False"}]}"#;
    const CREATE: &str =
        r#"{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"a","externalId":"1"}"#;
    const LOOKUP: &str = "Users?filter=userName%20eq%20%22nobody%22";
    const CALLS: [(&str, &str, &str, &str); 12] = [
        ("acme", "GET", "Users?filter=userName%20eq%20%22a%22", ""),
        ("acme", "GET", LOOKUP, ""),
        ("acme", "PATCH", "Users/1", PATCH),
        ("acme", "POST", "Users", "{"),
        ("globex", "POST", "Users", CREATE),
        ("globex", "PATCH", "Users/bad", PATCH),
        ("recognised", "GET", "Users/1", ""),
        ("failing", "PATCH", "Users/bad", PATCH),
        ("fenced", "GET", "Users/1", ""),
        ("limited", "POST", "Users", CREATE),
        ("vault", "GET", "Users/1", ""),
        ("nobody", "GET", "Users/1", ""),
    ];
    let headers = Arc::new([
        ("content-type", "application/scim+json"),
        ("authorization", "Bearer test"),
        ("user-agent", "Okta SCIM Client 1.0.0"),
    ]);
    loop {
        let mut round = JoinSet::new();
        for (tenant, method, target, body) in CALLS {
            let headers = Arc::clone(&headers);
            round.spawn(async move {
                ask(data, method, &format!("/{tenant}/scim/v2/{target}"), &headers[..], body).await;
            });
        }
        // One that is refused for its token.
        round.spawn(async move {
            ask(data, "GET", "/vault/scim/v2/Users/1", &[("authorization", "Bearer wrong")], "").await;
        });
        round.join_all().await;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// A Prometheus with the rules that are shipped, for which time runs faster; killed when dropped.
pub(crate) struct Prometheus {
    child: Child,
    pub(crate) addr: SocketAddr,
}

impl Prometheus {
    /// Scrapes `target` and judges each second, or more often where an hour lasts only the `speed`th part of one.
    pub(crate) async fn start(program: &str, folder: &Folder, target: SocketAddr, speed: u32) -> Self {
        for name in ["rules.yaml", "alerts.yaml"] {
            let shipped = format!("{}/config/prometheus/{name}", env!("CARGO_MANIFEST_DIR"));
            let text = std::fs::read_to_string(shipped).unwrap();
            let text = text.replace("interval: 1m", "interval: 1s").replace("interval: 2m", "interval: 1s");
            folder.write(name, &faster(&text, speed));
        }
        let pace = if speed > 1 { "250ms" } else { "1s" };
        let config = format!(
            "\
global: {{ scrape_interval: {pace}, evaluation_interval: {pace} }}
rule_files: [rules.yaml, alerts.yaml]
scrape_configs: [{{ job_name: scimshim, static_configs: [{{ targets: ['{target}'] }}] }}]
"
        );
        let config = folder.write("prometheus.yaml", &config);
        let addr = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let log = folder.path("prometheus.log");
        let child = Command::new(program)
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", folder.path("data").display()))
            .arg(format!("--web.listen-address={addr}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&log).unwrap())
            .spawn()
            .expect("prometheus starts");
        let mut prometheus = Self { child, addr };
        let started = Instant::now();
        while tokio::net::TcpStream::connect(addr).await.is_err() {
            let ended = prometheus.child.try_wait().expect("a child of ours");
            let late = started.elapsed() > Duration::from_secs(30);
            assert!(ended.is_none() && !late, "{}", std::fs::read_to_string(&log).unwrap());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        eventually("prometheus is ready", || async { ask(addr, "GET", "/-/ready", &[], "").await.status == 200 }).await;
        prometheus
    }

    /// Whether a panel has something to show, with all that its variables can name.
    async fn finds(&self, panel: &Panel) -> bool {
        let mut query = panel.expr.replace("$__rate_interval", "5s");
        for variable in ["$feed", "$instance", "$job", "$tenant"] {
            query = query.replace(variable, ".*");
        }
        assert!(!query.contains('$'), "{}: a variable that is not known: {query}", panel.title);
        self.has(&query).await
    }

    /// Whether a query has an answer. NaN is none.
    pub(crate) async fn has(&self, query: &str) -> bool {
        let target = format!("/api/v1/query?query={}", utf8_percent_encode(query, NON_ALPHANUMERIC));
        let answer = ask(self.addr, "GET", &target, &[], "").await;
        assert_eq!(answer.status, 200, "{query}\n{}", answer.text());
        let answer: Value = serde_json::from_str(&answer.text()).unwrap();
        let series = answer["data"]["result"].as_array().unwrap();
        series.iter().any(|series| series["value"][1] != "NaN")
    }
}

/// Rules in which `for:` and ranges last the `speed`th part.
fn faster(rules: &str, speed: u32) -> String {
    if speed == 1 {
        return rules.to_owned();
    }
    let shorter = |time: &str| {
        let (number, unit) = time.split_at(time.len() - 1);
        let seconds = match unit {
            "s" => 1,
            "m" => 60,
            "h" => 3600,
            "d" => 86_400,
            _ => panic!("{time} is no time"),
        };
        format!("{}ms", number.parse::<u64>().unwrap() * seconds * 1000 / u64::from(speed))
    };
    let mut text = String::new();
    for line in rules.lines() {
        let mut line = line.to_owned();
        if let Some((before, time)) = line.split_once(" for: ") {
            line = format!("{before} for: {}", shorter(time));
        }
        let ranges = line.split('[').skip(1).filter_map(|rest| rest.split_once(']')).map(|(time, _)| time.to_owned());
        for range in ranges.filter(|range| range.starts_with(|c: char| c.is_ascii_digit())).collect::<Vec<_>>() {
            line = line.replace(&format!("[{range}]"), &format!("[{}]", shorter(&range)));
        }
        text.push_str(&line);
        text.push('\n');
    }
    text
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
