//! A soak: 50 tenants of Entra and Okta at a steady rate before an app that is restarted and killed, with reloads, feeds
//! that change and a Redis that comes and goes. At the end everything that was told is held against what the app has.
//!
//! A minute and a half by default; `cargo test --test soak -- --minutes 30` is the long form, and with `UPDATE=1` writes
//! `docs/soak.md`. `SHIM_BINARY` names another build of the program, such as one of release.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::print_stdout)]

#[allow(dead_code)]
#[path = "../common/admin.rs"]
mod admin;
mod events;
mod idp;
#[allow(dead_code)]
#[path = "../common/line.rs"]
mod line;
#[allow(dead_code)]
#[path = "../it/harness/port.rs"]
mod port;
#[allow(dead_code)]
#[path = "../it/harness/process.rs"]
mod process;
#[allow(dead_code)]
#[path = "../common/app.rs"]
mod process_app;
#[path = "../common/redis.rs"]
mod redis;
mod report;
#[path = "../common/source.rs"]
mod source;
mod store;

use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    net::Ipv4Addr,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use data_encoding::HEXLOWER;
use libtest_mimic::{Arguments, Failed, Trial};
use sha2::{Digest as _, Sha256};

use admin::{Page, files, memory};
use events::{Happened, Surroundings};
use idp::{Book, Idp, Kind, Told};
use port::free_port;
use process::Process;
use process_app::App;
use store::Resources;

const TENANTS: usize = 50;

/// Between two requests of one tenant: 100 a second in all.
const PACE: Duration = Duration::from_millis(500);

/// Between two looks at memory and open files.
const LOOK: Duration = Duration::from_secs(1);

/// What memory may grow by over the whole of a run, after its first quarter, in KiB.
const GROWTH: f64 = 4096.0;

fn main() {
    let mut args: Vec<String> = env::args().collect();
    if args.get(1).is_some_and(|role| role == "app") {
        return store::main(&args[2..]);
    }
    let mut minutes = 1.5;
    if let Some(at) = args.iter().position(|arg| arg == "--minutes") {
        minutes = args.get(at + 1).and_then(|text| text.parse().ok()).expect("a number of minutes");
        args.drain(at..at + 2);
    }
    let trial = Trial::test("soak", move || {
        soak(Duration::from_secs_f64(minutes * 60.0));
        Ok::<_, Failed>(())
    });
    libtest_mimic::run(&Arguments::from_iter(args), vec![trial]).exit();
}

/// What the books came to.
#[derive(Debug, Default)]
struct Verdict {
    /// Told success, and not done, or not there at the end.
    lost: usize,
    /// Done more than once.
    duplicated: usize,
    /// Told that it was not done, and done.
    untrue: usize,
    /// Done for a tenant that did not ask.
    strangers: usize,
    /// Of unknown outcome, and done.
    late: usize,
    /// Answers that are not true, and what is there and should not be.
    wrong: Vec<String>,
}

/// Memory in KiB and open files, at a time after the start.
#[derive(Debug, Clone, Copy)]
struct Look {
    at: Duration,
    memory: u64,
    files: usize,
}

/// A run.
struct Soaked {
    took: Duration,
    books: BTreeMap<String, Book>,
    verdict: Verdict,
    happened: Happened,
    looks: Vec<Look>,
    /// Growth of memory after the first quarter, by the line of least squares, in KiB.
    growth: f64,
    files: [usize; 3],
    page: Page,
    first: Page,
}

fn tenants() -> impl Iterator<Item = (String, Kind)> {
    (0..TENANTS).map(|number| (format!("t{number:02}"), if number % 2 == 0 { Kind::Entra } else { Kind::Okta }))
}

fn soak(time: Duration) {
    let folder = env::temp_dir().join(format!("scimshim-soak-{}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    let mut app = App::new((Ipv4Addr::LOCALHOST, free_port()).into(), &folder);
    app.started();
    let mut around = Surroundings::start(&folder);
    let config = folder.join("config.yaml");
    let settings = settings(&app, &folder);
    fs::write(&config, around.config(&settings)).unwrap();
    let mut shim = Process::start(&config, &[]);
    around.settled(&shim);
    let first = Page::read(shim.admin);
    let files_before = files(shim.id());

    let stop = Arc::<AtomicBool>::default();
    let began = Instant::now();
    let idps: Vec<_> = tenants()
        .map(|(tenant, kind)| {
            let idp = Idp::new(shim.data, tenant.clone(), kind, PACE, Arc::clone(&stop));
            (tenant, thread::spawn(move || idp.run()))
        })
        .collect();
    let looks = {
        let (stop, process) = (Arc::clone(&stop), shim.id());
        thread::spawn(move || {
            let mut looks = Vec::new();
            while !stop.load(Ordering::Relaxed) {
                looks.push(Look { at: began.elapsed(), memory: memory(process, "VmRSS"), files: files(process) });
                thread::sleep(LOOK);
            }
            looks
        })
    };
    let happened = around.play(&mut app, &shim, &config, &settings, began + time);
    stop.store(true, Ordering::Relaxed);
    let books: BTreeMap<String, Book> = idps.into_iter().map(|(tenant, idp)| (tenant, idp.join().unwrap())).collect();
    let took = began.elapsed();
    let looks = looks.join().unwrap();
    let page = Page::read(shim.admin);
    // Idle connections to the app are kept for 4 s.
    let rest = Instant::now();
    while files(shim.id()) > files_before && rest.elapsed() < Duration::from_secs(20) {
        thread::sleep(Duration::from_millis(100));
    }
    let files = [files_before, looks.iter().map(|look| look.files).max().unwrap_or(0), files(shim.id())];
    let verdict = judge(&books, &app.book);
    let soaked = Soaked { took, growth: growth(&looks), books, verdict, happened, looks, files, page, first };
    println!("\n{}", report::table(&soaked));
    shim.signal("TERM");
    assert!(shim.ended().success(), "{}", shim.log());
    assert!(!shim.log().contains("panicked"), "{}", shim.log());
    app.stop("TERM");
    // Whatever it came to: a page that shows only what held would be none.
    if env::var_os("UPDATE").is_some() {
        report::write(&soaked);
    }
    soaked.holds();
    let _ = fs::remove_dir_all(&folder);
}

/// What does not change while it runs.
fn settings(app: &App, folder: &Path) -> String {
    let pace = |per_second: f64, burst: usize| format!("{{ per_second: {per_second}, burst: {burst} }}");
    let mut yaml = format!(
        "upstream: {{ url: 'http://{}/{{tenant}}/scim/v2' }}\n\
         listen: {{ base_path: /scim/v2, client_address: {{ from: x-forwarded-for, trusted_proxies: [127.0.0.1/32] }} }}\n\
         retry_after: {{ floor: 1s }}\njournal: {{ entries: 100 }}\nquarantine: {{ snapshot: 5s }}\naudit: {{ target: '{}' }}\n\
         tenants:\n  resolve: [token]\n  defaults:\n    allow: {{ mode: enforce, feeds: [office] }}\n    \
         rate_limit: {{ reads: {}, writes: {}, lookups: {} }}\n  list:\n",
        app.address,
        folder.join("audit.jsonl").display(),
        pace(20.0, 20),
        pace(20.0, 20),
        pace(20.0, 20),
    );
    for (number, (tenant, kind)) in tenants().enumerate() {
        let hash = HEXLOWER.encode(&Sha256::digest(format!("idp-{tenant}")));
        let idp = if kind == Kind::Entra { "entra" } else { "okta" };
        // Two of them, one of each kind, are over their rate now and then.
        let few =
            if number < 2 { format!(", rate_limit: {{ writes: {}, wait: 0s }}", pace(0.5, 1)) } else { String::new() };
        yaml.push_str(&format!(
            "    {tenant}: {{ idp: {idp}, tokens: [{{ sha256: '{hash}', name: only }}], upstream_authorization: '{}'{few} }}\n",
            store::token(&tenant),
        ));
    }
    yaml
}

/// Holds what was told against what the app has done, and has.
fn judge(books: &BTreeMap<String, Book>, file: &Path) -> Verdict {
    let (done, there) = store::read(file);
    let mut verdict = Verdict::default();
    let mut times = BTreeMap::<(&str, &str), usize>::new();
    for done in &done {
        *times.entry((&done.tenant, &done.mark)).or_default() += 1;
        if !books.get(&done.tenant).is_some_and(|book| book.writes.contains_key(&done.mark)) {
            verdict.strangers += 1;
            verdict.wrong.push(format!("nobody asked for {done:?}"));
        }
    }
    let none = Resources::new();
    for (tenant, book) in books {
        for (mark, told) in &book.writes {
            let times = times.get(&(&**tenant, &**mark)).copied().unwrap_or_default();
            verdict.duplicated += usize::from(times > 1);
            match told {
                Told::Success if times == 0 => {
                    verdict.lost += 1;
                    verdict.wrong.push(format!("told success, and not done: {mark}"));
                }
                Told::Refused if times > 0 => {
                    verdict.untrue += 1;
                    verdict.wrong.push(format!("told that it is not done, and done: {mark}"));
                }
                Told::Unknown => verdict.late += usize::from(times > 0),
                Told::Success | Told::Refused => {}
            }
        }
        let there = there.get(tenant).unwrap_or(&none);
        let keys: BTreeSet<_> = there.keys().chain(book.there.keys()).collect();
        for key in keys {
            let is_so = match (there.get(key), book.there.get(key)) {
                (Some(there), Some(told)) if key.0 == "Users" => {
                    ["userName", "displayName", "name", "active"].iter().all(|name| there[*name] == told[*name])
                }
                (Some(there), Some(told)) => {
                    let mut has: Vec<&str> = there["members"]
                        .as_array()
                        .into_iter()
                        .flatten()
                        .filter_map(|member| member["value"].as_str())
                        .collect();
                    let mut told: Vec<&str> =
                        told["members"].as_array().into_iter().flatten().filter_map(|member| member.as_str()).collect();
                    has.sort_unstable();
                    told.sort_unstable();
                    has == told
                }
                _ => false,
            };
            if !is_so {
                verdict.lost += 1;
                verdict.wrong.push(format!("{tenant} {key:?}: {:?}, told {:?}", there.get(key), book.there.get(key)));
            }
        }
        verdict.wrong.extend(book.wrong.iter().map(|wrong| format!("{tenant}: {wrong}")));
    }
    verdict
}

/// How much memory grows from the first quarter to the end.
fn growth(looks: &[Look]) -> f64 {
    let looks = &looks[looks.len() / 4..];
    let count = looks.len().max(1) as f64;
    let at = |look: &Look| look.at.as_secs_f64();
    let mean_at = looks.iter().map(at).sum::<f64>() / count;
    let mean = looks.iter().map(|look| look.memory as f64).sum::<f64>() / count;
    let over: f64 = looks.iter().map(|look| (at(look) - mean_at) * (look.memory as f64 - mean)).sum();
    let under: f64 = looks.iter().map(|look| (at(look) - mean_at).powi(2)).sum();
    let span = looks.last().map_or(0.0, at) - looks.first().map_or(0.0, at);
    if under > 0.0 { over / under * span } else { 0.0 }
}

impl Soaked {
    /// What must be so.
    fn holds(&self) {
        let Verdict { lost, duplicated, untrue, strangers, wrong, .. } = &self.verdict;
        let some = &wrong[..wrong.len().min(20)];
        assert_eq!((*lost, *duplicated, *untrue, *strangers, wrong.len()), (0, 0, 0, 0, 0), "{some:#?}");
        let answers = |status: u16| -> usize { self.books.values().filter_map(|book| book.answers.get(&status)).sum() };
        assert_eq!(answers(0), 0, "each request has an answer");
        assert!(answers(200) > 0 && answers(201) > 0 && answers(204) > 0 && answers(429) > 0);
        for status in self.books.values().flat_map(|book| book.answers.keys()) {
            let code = format!("code=\"{status}\"");
            let pick = |labels: &str| labels.contains(&code);
            let counted =
                self.page.sum("scimshim_requests_total", pick) - self.first.sum("scimshim_requests_total", pick);
            assert_eq!(counted as usize, answers(*status), "answers {status}, counted and got");
        }
        assert!(self.growth < GROWTH, "memory grew by {} KiB", self.growth);
        assert!(self.files[2] <= self.files[0], "{:?} open files before, at most, after", self.files);
    }
}
