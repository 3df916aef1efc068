//! What is shipped for Prometheus and Grafana: only metrics that exist, a page and a test for each alert, and what
//! promtool and Grafana's own SDK say of it.
//!
//! promtool is `SCIMSHIM_PROMTOOL`, else `promtool`; the SDK is in `tests/outside/requirements.txt`, for the Python that
//! `SCIMSHIM_PYTHON` names. Without them those tests are skipped and say so; `SCIMSHIM_REQUIRE=all` makes that a failure.

use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::{Command, Output},
};

use scimshim::observe::metrics::{Metric, TABLE};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::harness::Folder;

/// Of Prometheus itself and of every process; the table has the rest.
const BUILT_IN: [&str; 7] = [
    "ALERTS",
    "process_cpu_seconds_total",
    "process_max_fds",
    "process_open_fds",
    "process_resident_memory_bytes",
    "process_start_time_seconds",
    "up",
];
/// Labels of the target, which Prometheus adds.
const TARGET: [&str; 3] = ["instance", "job", "pod"];

#[test]
fn rules_and_dashboards_use_only_metrics_and_labels_that_exist() {
    let recorded: BTreeSet<_> = rules().into_iter().filter_map(|rule| rule.record).collect();
    let rules = rules().into_iter().map(|rule| (rule.name(), rule.expr));
    let panels = panels().into_iter().map(|panel| (format!("{}, {}", panel.dashboard, panel.title), panel.expr));
    let mut problems = Vec::new();
    for (place, expr) in rules.chain(panels).chain(advised()) {
        for selector in selectors(&expr) {
            if recorded.contains(&selector.name) || BUILT_IN.contains(&&*selector.name) {
                continue;
            }
            let Some(metric) = metric(&selector.name) else {
                problems.push(format!("{place}: {} is no metric", selector.name));
                continue;
            };
            for label in &selector.labels {
                let known = metric.labels.contains(&&**label) || TARGET.contains(&&**label);
                let bucket = label == "le" && metric.kind == "histogram";
                if !known && !bucket {
                    problems.push(format!("{place}: {} has no label {label}", metric.name));
                }
            }
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn every_alert_says_what_to_do_and_is_tested() {
    let tests: String =
        files("config/prometheus/tests", "yaml").iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    let mut problems = Vec::new();
    for rule in alerts() {
        let alert = rule.name();
        let mut demand = |what: &str, holds: bool| {
            if !holds {
                problems.push(format!("{alert}: {what}"));
            }
        };
        let annotation = |name: &str| rule.annotations.get(name).map_or("", String::as_str);
        demand("is called Scimshim...", alert.starts_with("Scimshim"));
        let severity = rule.labels.get("severity").map_or("", String::as_str);
        demand("has a severity", ["critical", "warning", "info"].contains(&severity));
        demand("has a summary", annotation("summary").len() > 10);
        demand("has a description", annotation("description").len() > 40);
        let url = format!("https://scimshim.example/runbooks/{alert}");
        demand("links its page", annotation("runbook_url") == url);
        let page = read(&format!("docs/runbooks/{alert}.md"));
        demand("has a page", page.starts_with(&format!("# {alert}\n")));
        for part in ["## What it means", "## Confirm", "## What to do", "## How it ends"] {
            demand(&format!("its page says {part}"), page.contains(part));
        }
        let wait = rule.r#for.as_deref();
        let told = wait.map_or_else(|| "at once".to_owned(), |wait| format!("after {wait}"));
        demand("its page says how severe and when", page.contains(&format!("\nSeverity {severity}, {told}.\n")));
        let row = format!("| [{alert}]({alert}.md) | {severity} | {} |\n", wait.unwrap_or("at once"));
        demand("stands in the index as it is", read("docs/runbooks/README.md").contains(&row));
        demand("fires in a test", tests.contains(&format!("ALERTS{{alertname=\"{alert}\"")));
        demand("a test reads its text", tests.contains(&format!("alertname: {alert}\n")));
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn no_page_is_left_without_its_alert() {
    let known: BTreeSet<_> = alerts().iter().map(Rule::name).chain(["README".to_owned()]).collect();
    for page in files("docs/runbooks", "md") {
        let name = page.file_stem().unwrap().to_str().unwrap();
        assert!(known.contains(name), "docs/runbooks/{name}.md: no alert of that name");
    }
}

#[test]
fn pages_name_only_metrics_that_exist() {
    let recorded: BTreeSet<_> = rules().into_iter().filter_map(|rule| rule.record).collect();
    let mut problems = Vec::new();
    for page in files("docs/runbooks", "md") {
        for name in words(&fs::read_to_string(&page).unwrap()) {
            if name.starts_with("scimshim_") && metric(name).is_none() && !recorded.contains(name) {
                problems.push(format!("{}: {name} is no metric", page.display()));
            }
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn no_rule_averages_over_replicas() {
    let rules = rules().into_iter().map(|rule| (rule.name(), rule.expr));
    for (place, expr) in rules.chain(panels().into_iter().map(|panel| (panel.title, panel.expr))) {
        for word in ["avg", "avg_over_time", "quantile"] {
            assert!(!words(&expr).any(|found| found == word), "{place}: {word}");
        }
    }
}

#[test]
fn dashboards_keep_to_the_conventions() {
    let (mut uids, mut problems) = (BTreeSet::new(), Vec::new());
    for (file, dashboard) in dashboards() {
        let mut demand = |what: &str, holds: bool| {
            if !holds {
                problems.push(format!("{file}: {what}"));
            }
        };
        let uid = dashboard["uid"].as_str().unwrap_or_default();
        demand("a uid of its own", uid.starts_with("scimshim-") && uids.insert(uid.to_owned()));
        demand("schemaVersion 39 to 41", dashboard["schemaVersion"].as_u64().is_some_and(|v| (39..=41).contains(&v)));
        let variables = dashboard["templating"]["list"].as_array().unwrap();
        demand(
            "a data source to choose",
            variables.iter().any(|v| v["name"] == "datasource" && v["type"] == "datasource"),
        );
        demand("several tenants", variables.iter().all(|v| v["name"] != "tenant" || v["multi"] == true));
        let mut ids = BTreeSet::new();
        for panel in dashboard["panels"].as_array().unwrap() {
            let title = panel["title"].as_str().unwrap_or_default();
            demand(&format!("{title}: an id of its own"), panel["id"].as_u64().is_some_and(|id| ids.insert(id)));
            if panel["type"] == "row" {
                continue;
            }
            demand(&format!("{title}: a description"), !panel["description"].as_str().unwrap_or_default().is_empty());
            let none = &panel["fieldConfig"]["defaults"]["noValue"];
            demand(&format!("{title}: a word for no data"), !none.as_str().unwrap_or_default().is_empty());
            for target in panel["targets"].as_array().unwrap() {
                let chosen = |value: &Value| value["datasource"]["uid"] == "${datasource}";
                demand(&format!("{title}: the data source chosen"), chosen(panel) && chosen(target));
                let expr = target["expr"].as_str().unwrap_or_default();
                let bare = expr.split("rate(").skip(1).any(|rest| !rest.contains("[$__rate_interval]"));
                demand(&format!("{title}: $__rate_interval in {expr}"), !bare);
            }
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn promtool_finds_no_fault_in_the_rules() {
    let Some(promtool) = promtool("promtool_finds_no_fault_in_the_rules") else { return };
    let folder = path("config/prometheus");
    let paths = |names: &[&str]| names.iter().map(|name| folder.join(name)).collect::<Vec<_>>();
    // Without lint a rule that stands twice is only a warning.
    let run = |words: &[&str], files: Vec<PathBuf>| {
        succeed(&Command::new(&promtool).args(words).args(files).output().expect("promtool starts"));
    };
    run(&["check", "rules", "--lint=all", "--lint-fatal"], paths(&["rules.yaml", "alerts.yaml"]));
    run(&["check", "config"], paths(&["scrape.yaml"]));
    run(&["test", "rules"], files("config/prometheus/tests", "yaml"));
    // The queries of the pages can be read too.
    let pages = Folder::new();
    let rules: Vec<_> = advised()
        .iter()
        .enumerate()
        .map(|(i, (_, expr))| json!({ "record": format!("page:{i}"), "expr": expr }))
        .collect();
    let rules = json!({ "groups": [{ "name": "pages", "rules": rules }] }).to_string();
    run(&["check", "rules"], vec![pages.write("pages.yaml", &rules)]);
}

#[test]
fn dashboards_lose_nothing_on_the_way_through_the_sdk() {
    let python = env::var("SCIMSHIM_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let probe = Command::new(&python).args(["-c", "import grafana_foundation_sdk"]).output();
    if let Some(why) = failure(probe) {
        let cure = "pip install -r tests/outside/requirements.txt, and name it in SCIMSHIM_PYTHON";
        return skip("dashboards_lose_nothing_on_the_way_through_the_sdk", &format!("{python}: {why}; {cure}"));
    }
    let mut command = Command::new(python);
    command.arg(path("tests/config/monitoring.py")).args(files("config/grafana", "json"));
    succeed(&command.output().expect("python starts"));
}

/// A query of a dashboard.
pub(crate) struct Panel {
    pub(crate) dashboard: String,
    pub(crate) title: String,
    pub(crate) expr: String,
}

/// Every query of every dashboard.
pub(crate) fn panels() -> Vec<Panel> {
    let mut panels = Vec::new();
    for (dashboard, json) in dashboards() {
        for panel in json["panels"].as_array().unwrap() {
            for target in panel["targets"].as_array().into_iter().flatten() {
                panels.push(Panel {
                    dashboard: dashboard.clone(),
                    title: panel["title"].as_str().unwrap().to_owned(),
                    expr: target["expr"].as_str().unwrap().to_owned(),
                });
            }
        }
    }
    assert!(panels.len() > 100, "only {} queries", panels.len());
    panels
}

/// The queries of the pages, a line each, with the page.
fn advised() -> Vec<(String, String)> {
    let mut queries = Vec::new();
    for page in files("docs/runbooks", "md") {
        for block in fs::read_to_string(&page).unwrap().split("```promql\n").skip(1) {
            let block = block.split("```").next().unwrap_or_default();
            queries.extend(block.lines().map(|query| (page.display().to_string(), query.to_owned())));
        }
    }
    assert!(queries.len() > 40, "only {} queries", queries.len());
    queries
}

/// promtool, or `None` after having said so.
pub(crate) fn promtool(test: &str) -> Option<String> {
    program(test, "SCIMSHIM_PROMTOOL", "promtool")
}

/// A program of Prometheus, or `None` after having said so.
pub(crate) fn program(test: &str, variable: &str, usual: &str) -> Option<String> {
    let program = env::var(variable).unwrap_or_else(|_| usual.to_owned());
    let Some(why) = failure(Command::new(&program).arg("--version").output()) else { return Some(program) };
    skip(test, &format!("{program}: {why}; install prometheus, or name it in {variable}"));
    None
}

fn failure(probe: io::Result<Output>) -> Option<String> {
    match probe {
        Ok(output) if output.status.success() => None,
        Ok(output) => Some(String::from_utf8_lossy(&output.stderr).lines().last().unwrap_or_default().to_owned()),
        Err(error) => Some(error.to_string()),
    }
}

fn skip(test: &str, message: &str) {
    assert!(env::var("SCIMSHIM_REQUIRE").as_deref() != Ok("all"), "{test} must run, but {message}");
    // Not eprintln, which the test harness swallows when a test passes.
    let _ = writeln!(io::stderr(), "SKIPPED {test}: {message}");
}

fn succeed(output: &Output) {
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}\n{}", said(&output.stdout), said(&output.stderr));
}

#[derive(Deserialize)]
struct Rules {
    groups: Vec<Group>,
}

#[derive(Deserialize)]
struct Group {
    rules: Vec<Rule>,
}

#[derive(Deserialize)]
struct Rule {
    record: Option<String>,
    alert: Option<String>,
    expr: String,
    r#for: Option<String>,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

impl Rule {
    fn name(&self) -> String {
        self.alert.clone().or_else(|| self.record.clone()).expect("a rule records or alerts")
    }
}

fn rules() -> Vec<Rule> {
    let groups = ["rules.yaml", "alerts.yaml"].map(|name| {
        let text = read(&format!("config/prometheus/{name}"));
        serde_saphyr::from_str::<Rules>(&text).unwrap_or_else(|error| panic!("{name}: {error}")).groups
    });
    groups.into_iter().flatten().flat_map(|group| group.rules).collect()
}

fn alerts() -> Vec<Rule> {
    let mut rules = rules();
    rules.retain(|rule| rule.alert.is_some());
    assert!(rules.len() > 20, "only {} alerts", rules.len());
    rules
}

fn dashboards() -> Vec<(String, Value)> {
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    let json = |path: &Path| serde_json::from_str(&fs::read_to_string(path).unwrap()).expect("a dashboard is JSON");
    files("config/grafana", "json").iter().map(|path| (name(path), json(path))).collect()
}

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// A text of the repository; empty where there is none, so that the test says what is missing.
fn read(name: &str) -> String {
    fs::read_to_string(path(name)).unwrap_or_default()
}

fn files(folder: &str, extension: &str) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(path(folder)).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|found| found == extension));
    files.sort();
    assert!(!files.is_empty(), "{folder} is empty");
    files
}

/// The metric that a series belongs to; a histogram has three kinds of them.
fn metric(series: &str) -> Option<&'static Metric> {
    let parts = ["_bucket", "_count", "_sum"];
    TABLE.iter().find(|metric| {
        let part = series.strip_prefix(metric.name);
        part.is_some_and(|part| part.is_empty() || metric.kind == "histogram" && parts.contains(&part))
    })
}

/// A series in a query, with the labels that are asked of it.
#[derive(Debug, PartialEq)]
struct Selector {
    name: String,
    labels: Vec<String>,
}

/// The series of a query: names that are followed by matchers, or that begin as ours do.
fn selectors(expr: &str) -> Vec<Selector> {
    let expr = without_strings(expr);
    let mut found = Vec::new();
    let mut rest = &*expr;
    while let Some(start) = rest.find(is_name) {
        rest = &rest[start..];
        let end = rest.find(|c| !is_name(c)).unwrap_or(rest.len());
        let name = &rest[..end];
        rest = &rest[end..];
        let matchers = rest.strip_prefix('{').and_then(|inside| inside.split_once('}'));
        if let Some((matchers, after)) = matchers {
            let label = |matcher: &str| matcher.trim().split(|c| !is_name(c)).next().unwrap_or_default().to_owned();
            let labels = matchers.split(',').map(label).filter(|label| !label.is_empty()).collect();
            found.push(Selector { name: name.to_owned(), labels });
            rest = after;
        } else if name.starts_with("scimshim_") || name.contains(':') {
            found.push(Selector { name: name.to_owned(), labels: Vec::new() });
        }
    }
    found
}

/// What stands in quotes may look like anything.
fn without_strings(expr: &str) -> String {
    expr.split('"').step_by(2).collect()
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c| !is_name(c)).filter(|word| !word.is_empty())
}

fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == ':'
}

#[test]
fn series_are_found_in_a_query() {
    let selector = |name: &str, labels: &[&str]| Selector {
        name: name.to_owned(),
        labels: labels.iter().map(|label| (*label).to_owned()).collect(),
    };
    let query = r#"max by (tenant) (a{job=~"$job", x!="}{"} - scimshim_held) or level:scimshim_b:rate6h > 2 and up{}"#;
    let expected =
        [selector("a", &["job", "x"]), selector("scimshim_held", &[]), selector("level:scimshim_b:rate6h", &[])];
    assert_eq!(selectors(query)[..3], expected);
    assert_eq!(selectors(query)[3], selector("up", &[]));
    assert!(metric("scimshim_overhead_seconds_bucket").is_some());
    assert!(metric("scimshim_held_bucket").is_none());
}
