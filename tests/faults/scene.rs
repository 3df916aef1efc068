//! What every cell has: a shim as a process, an app, a bystander, and a book of what was sent and told, which is held
//! against what the shim has counted.

use std::{
    collections::BTreeMap,
    env, fs,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    thread,
    time::{Duration, Instant},
};

use super::{
    admin::{Page, ask, files, memory},
    app::App,
    client::{Bystander, Served},
    line::{Answer, Line, request},
    port::free_port,
    process::Process,
};

/// How long a shim may take to be at rest after a fault. Idle connections to the app are kept for 4 s.
const REST: Duration = Duration::from_secs(20);

/// What a cell changes of the usual stage.
#[derive(Debug, Clone)]
pub(crate) struct Stage {
    /// `{port}` is the app's.
    pub(crate) upstream: String,
    pub(crate) limits: String,
    /// Settings of the victim, beside its profile.
    pub(crate) victim: String,
    /// Settings of the bystander, beside its profile.
    pub(crate) bystander: String,
    /// More of the configuration.
    pub(crate) more: String,
    /// More of `listen`.
    pub(crate) listen: String,
    /// Names of bystander and victim.
    pub(crate) names: [&'static str; 2],
    /// What the shim is started below.
    pub(crate) above: Vec<String>,
    pub(crate) variables: Vec<(&'static str, String)>,
}

impl Default for Stage {
    fn default() -> Self {
        Self {
            upstream: "url: 'http://127.0.0.1:{port}/{tenant}/scim/v2', hold: 1s".to_owned(),
            limits: "header_timeout: 1s, body_timeout: 2s, idle_timeout: 3s, deadline: 3s, drain: 5s, body: 1MiB"
                .to_owned(),
            victim: String::new(),
            bystander: String::new(),
            more: String::new(),
            listen: String::new(),
            names: ["bystander", "victim"],
            above: Vec::new(),
            variables: Vec::new(),
        }
    }
}

impl Stage {
    /// The configuration, before an app on `port`.
    pub(crate) fn yaml(&self, port: u16) -> String {
        let Self { limits, victim, bystander, more, listen, names: [a, b], .. } = self;
        let upstream = self.upstream.replace("{port}", &port.to_string());
        let pace = "{ per_second: 100000, burst: 100000 }";
        let rate = format!("rate_limit: {{ reads: {pace}, writes: {pace}, lookups: {pace} }}");
        format!(
            "upstream: {{ {upstream} }}\n\
             listen: {{ base_path: /scim/v2, limits: {{ {limits} }}{listen} }}\n\
             tenants:\n  resolve: [{{ path: '/t/{{tenant}}' }}]\n  list:\n    '{a}': {{ idp: entra, {rate}{bystander} }}\n    \
             '{b}': {{ idp: entra{victim} }}\n{more}\n"
        )
    }
}

/// A cell while it is played.
pub(crate) struct Scene {
    pub(crate) shim: Process,
    pub(crate) app: App,
    pub(crate) folder: PathBuf,
    pub(crate) config: PathBuf,
    stage: Stage,
    bystander: Option<Bystander>,
    pub(crate) page: Page,
    rest: Rest,
    book: Book,
}

/// Memory in KiB and open files.
#[derive(Debug, Clone, Copy)]
struct Rest {
    memory: u64,
    files: usize,
}

/// What was sent and told.
#[derive(Debug, Default)]
struct Book {
    told: BTreeMap<String, usize>,
    refused: BTreeMap<&'static str, usize>,
    left: usize,
    unread: usize,
}

/// What a cell came to.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) got: String,
    pub(crate) counted: String,
    pub(crate) bystander: usize,
    pub(crate) median: Duration,
    pub(crate) longest: Duration,
    /// Of all requests of the cell, by the shim's own metrics.
    pub(crate) own: Duration,
    pub(crate) queued: Duration,
    pub(crate) memory: [u64; 4],
    pub(crate) files: [usize; 2],
}

impl Scene {
    pub(crate) fn open(name: &str, stage: Stage) -> Self {
        let app = App::start();
        let port = app.address.port();
        Self::at(name, stage, app, port)
    }

    /// The same before another app, at `port`.
    pub(crate) fn at(name: &str, stage: Stage, app: App, port: u16) -> Self {
        let folder = env::temp_dir().join(format!("scimshim-faults-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        let config = folder.join("config.yaml");
        let yaml = stage.yaml(port).replace("{folder}", folder.to_str().unwrap());
        fs::write(&config, yaml).unwrap();
        let above: Vec<String> =
            stage.above.iter().map(|word| word.replace("{folder}", folder.to_str().unwrap())).collect();
        let above: Vec<&str> = above.iter().map(String::as_str).collect();
        let variables: Vec<(&str, String)> = stage
            .variables
            .iter()
            .map(|(name, value)| (*name, value.replace("{folder}", folder.to_str().unwrap())))
            .collect();
        let variables: Vec<(&str, &str)> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let [data, admin] = [free_port(), free_port()].map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
        let shim = Process::start_below(&above, data, admin, &config, &variables);
        let ready = || ask(shim.admin, "GET", "/readyz").starts_with("HTTP/1.1 200");
        let began = Instant::now();
        while !ready() {
            assert!(began.elapsed() < REST, "it does not become ready: {}", shim.log());
            thread::sleep(Duration::from_millis(20));
        }
        let bystander = Bystander::start(shim.data, &format!("/t/{}/scim/v2", stage.names[0]));
        // Until everything that is made once has been made.
        thread::sleep(Duration::from_millis(500));
        let rest = Rest { memory: memory(shim.id(), "VmRSS"), files: files(shim.id()) };
        let page = Page::read(shim.admin);
        Self { shim, app, folder, config, stage, bystander: Some(bystander), page, rest, book: Book::default() }
    }

    /// Where the victim calls.
    pub(crate) fn target(&self, rest: &str) -> String {
        format!("/t/{}/scim/v2{rest}", self.stage.names[1])
    }

    /// A request of the victim on a connection of its own, and what it is told.
    pub(crate) fn ask(&mut self, method: &str, fields: &str, body: &[u8]) -> Option<Answer> {
        let mut line = Line::open(self.shim.data);
        let rest = if method == "POST" { "/Users" } else { "/Users/1" };
        line.say(request(method, &self.target(rest), fields, body));
        let answer = line.answer();
        self.told(answer.as_ref());
        answer
    }

    /// The same many times at once: so many GETs and POSTs.
    pub(crate) fn ask_at_once(&mut self, each: usize) -> Vec<(&'static str, Option<Answer>)> {
        let askers: Vec<_> = (0..2 * each)
            .map(|number| {
                let method = if number % 2 == 0 { "GET" } else { "POST" };
                let body = if method == "POST" { NEW.as_bytes() } else { b"" };
                let rest = if method == "POST" { "/Users" } else { "/Users/1" };
                let (shim, request) = (self.shim.data, request(method, &self.target(rest), "", body));
                thread::spawn(move || {
                    let mut line = Line::open(shim);
                    line.say(request);
                    (method, line.answer())
                })
            })
            .collect();
        let answers: Vec<_> = askers.into_iter().map(|asker| asker.join().unwrap()).collect();
        answers.iter().for_each(|(_, answer)| self.told(answer.as_ref()));
        answers
    }

    /// Notes what one request was told.
    pub(crate) fn told(&mut self, answer: Option<&Answer>) {
        let what = match answer {
            None => "closed".to_owned(),
            Some(answer) if answer.whole => answer.status.to_string(),
            Some(answer) => format!("{}, cut", answer.status),
        };
        *self.book.told.entry(what).or_default() += 1;
    }

    /// Notes what happened to `count` that are no requests with an answer.
    pub(crate) fn happened(&mut self, what: &str, count: usize) {
        *self.book.told.entry(what.to_owned()).or_default() += count;
    }

    /// So many were refused for this reason.
    pub(crate) fn refused(&mut self, reason: &'static str, count: usize) {
        *self.book.refused.entry(reason).or_default() += count;
    }

    /// So many clients left before their answer.
    pub(crate) fn left(&mut self, count: usize) {
        self.book.left += count;
    }

    /// So many bodies went on as sent because they could not be read.
    pub(crate) fn unread(&mut self, count: usize) {
        self.book.unread += count;
    }

    /// The sum of a metric since the cell began, over the series whose labels `pick` takes.
    pub(crate) fn since(&self, name: &str, pick: impl Fn(&str) -> bool) -> f64 {
        Page::read(self.shim.admin).sum(name, &pick) - self.page.sum(name, &pick)
    }

    /// Waits until it is so.
    pub(crate) fn eventually(&self, what: &str, check: impl Fn(&Self) -> bool) {
        let began = Instant::now();
        while !check(self) {
            assert!(began.elapsed() < REST, "never came true: {what}\n{}", self.log());
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// What it held at the start, in KiB.
    pub(crate) fn before(&self) -> u64 {
        self.rest.memory
    }

    /// The most that it has held, in KiB.
    pub(crate) fn most(&self) -> u64 {
        memory(self.shim.id(), "VmHWM")
    }

    /// The end of the log.
    pub(crate) fn log(&self) -> String {
        let log = self.shim.log();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }

    /// Changes the configuration while it runs.
    pub(crate) fn reconfigure(&self, change: impl FnOnce(String) -> String) {
        let yaml = change(fs::read_to_string(&self.config).unwrap());
        // The whole file at once: half of one would be read as an error.
        let next = self.folder.join("next.yaml");
        fs::write(&next, yaml).unwrap();
        fs::rename(next, &self.config).unwrap();
        let said = ask(self.shim.admin, "POST", "/reload");
        assert!(said.starts_with("HTTP/1.1 200"), "{said}");
    }

    /// The fault is over, and nothing of it is left: nobody is in flight but the bystander.
    pub(crate) fn quiet(&self) -> u64 {
        let victim = format!("tenant=\"{}\"", self.stage.names[1]);
        self.eventually("nothing of the victim is in flight", |scene| {
            let page = Page::read(scene.shim.admin);
            page.sum("scimshim_in_flight", |labels| labels.contains(&victim)) == 0.0
                && page.sum("scimshim_client_connections", |_| true) <= 2.0
        });
        memory(self.shim.id(), "VmRSS")
    }

    /// The end: everybody has gone, and the books are compared.
    ///
    /// `first` is the memory after the first run.
    pub(crate) fn close(mut self, first: u64) -> Outcome {
        let mut served: Served = self.bystander.take().expect("until the end").stop();
        let failed = served.failed.len();
        assert_eq!(failed, 0, "the bystander was hurt, {} sent: {:#?}\n{}", served.sent, served.failed, self.log());
        let began = Instant::now();
        while files(self.shim.id()) > self.rest.files {
            let now = files(self.shim.id());
            assert!(began.elapsed() < REST, "{now} files are open, {} before", self.rest.files);
            thread::sleep(Duration::from_millis(50));
        }
        let after = Rest { memory: memory(self.shim.id(), "VmRSS"), files: files(self.shim.id()) };
        let page = Page::read(self.shim.admin);
        assert_eq!(page.sum("scimshim_in_flight", |_| true), 0.0, "nobody is there");
        assert_eq!(page.sum("scimshim_held", |_| true), 0.0, "nobody waits for the app");
        let counted = self.compare(&page, served.sent);
        let (median, longest) = served.times();
        let seconds = |seconds: f64| Duration::from_secs_f64(seconds);
        let outcome = Outcome {
            got: self.book.told.iter().map(|(what, count)| format!("{what}: {count}")).collect::<Vec<_>>().join("; "),
            counted,
            bystander: served.sent,
            median,
            longest,
            own: seconds(page.median_since(&self.page, "scimshim_overhead_seconds")),
            queued: seconds(page.mean_since(&self.page, "scimshim_rate_limit_wait_seconds")),
            memory: [self.rest.memory, first, after.memory, memory(self.shim.id(), "VmHWM")],
            files: [self.rest.files, after.files],
        };
        self.shim.signal("TERM");
        let status = self.shim.ended();
        let log = self.shim.log();
        assert!(status.success(), "{status}\n{log}");
        assert!(!log.contains("panicked"), "{log}");
        outcome
    }

    /// Holds what was told against what the shim has counted.
    fn compare(&self, page: &Page, served: usize) -> String {
        let [bystander, victim] = self.stage.names;
        let theirs = format!("tenant=\"{bystander}\"");
        let since =
            |name: &str, pick: &dyn Fn(&str) -> bool| (page.sum(name, pick) - self.page.sum(name, pick)) as usize;
        // What the bystander had sent when the first page was read is on it.
        let all = page.sum("scimshim_requests_total", |labels| labels.contains(&theirs)) as usize;
        assert_eq!(all, served, "requests of the bystander");
        for code in ["4", "5"] {
            let failed = |labels: &str| labels.contains(&theirs) && labels.contains(&format!("code=\"{code}"));
            assert_eq!(since("scimshim_requests_total", &failed), 0, "failures of the bystander");
        }
        let mut codes = BTreeMap::<String, usize>::new();
        for (what, count) in &self.book.told {
            if let Some(code) = what.get(..3).filter(|code| code.parse::<u16>().is_ok()) {
                *codes.entry(code.to_owned()).or_default() += count;
            }
        }
        if self.book.left > 0 {
            codes.insert("499".to_owned(), self.book.left);
        }
        let mut counted = BTreeMap::<String, usize>::new();
        let before: BTreeMap<&str, f64> = self.page.series("scimshim_requests_total").collect();
        for (labels, now) in page.series("scimshim_requests_total").filter(|(labels, _)| !labels.contains(&theirs)) {
            let more = (now - before.get(labels).copied().unwrap_or_default()) as usize;
            let code = labels.split("code=\"").nth(1).unwrap_or_default()[..3].to_owned();
            if more > 0 {
                *counted.entry(code).or_default() += more;
            }
        }
        assert_eq!(counted, codes, "answers by code as counted, and as the victim {victim:?} got them\n{}", self.log());
        let mut refused = BTreeMap::<String, usize>::new();
        for (labels, now) in page.series("scimshim_refusals_total") {
            let before = self.page.sum("scimshim_refusals_total", |other| other == labels);
            let reason = labels.split("reason=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap_or_default();
            if now > before {
                *refused.entry(reason.to_owned()).or_default() += (now - before) as usize;
            }
        }
        let expected: BTreeMap<String, usize> = self
            .book
            .refused
            .iter()
            .filter(|(_, count)| **count > 0)
            .map(|(reason, count)| ((*reason).to_owned(), *count))
            .collect();
        assert_eq!(refused, expected, "refusals as counted, and as the answers said");
        let unread = since("scimshim_unread_total", &|_| true);
        assert_eq!(unread, self.book.unread, "bodies that went on unread");
        let parts = [
            counted.iter().map(|(code, count)| format!("{code} {count}")).collect::<Vec<_>>(),
            refused.iter().map(|(reason, count)| format!("refused `{reason}` {count}")).collect(),
            (unread > 0).then(|| format!("unread {unread}")).into_iter().collect(),
        ];
        parts.concat().join(", ")
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// A user that may be created.
pub(crate) const NEW: &str = "{\"schemas\":[\"urn:ietf:params:scim:schemas:core:2.0:User\"],\"userName\":\"victim\"}";
