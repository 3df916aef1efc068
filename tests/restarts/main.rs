//! Restarts, as processes: the app, the shim and both, under load. Prints for each what was sent, answered, lost and
//! duplicated. Lost: told success and not in the app, or no answer at all.
//!
//! Its own program and not part of `it`, because it plays the app too: the same file, started with `app`.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::print_stdout)]

#[allow(dead_code)]
#[path = "../common/admin.rs"]
mod admin;
mod app;
mod balancer;
#[path = "../common/disk.rs"]
mod disk;
mod load;
#[allow(dead_code)]
#[path = "../it/harness/port.rs"]
mod port;
#[allow(dead_code)]
#[path = "../it/harness/process.rs"]
mod process;
#[path = "../common/app.rs"]
mod process_app;

use std::{
    env, fs,
    net::{Ipv4Addr, SocketAddr},
    os::unix::fs::symlink,
    path::PathBuf,
    process::Command,
    sync::{Arc, Mutex},
    thread::{self, sleep},
    time::{Duration, Instant},
};

use libtest_mimic::{Arguments, Failed, Trial};

use admin::{ask, metric};
use balancer::{Pod, balance};
use disk::SmallDisk;
use load::{Load, Tally};
use port::free_port;
use process::Process;
use process_app::App;

const MILLI: fn(u64) -> Duration = Duration::from_millis;

type Rows = Arc<Mutex<Vec<String>>>;
type Scenario = fn() -> Option<Tally>;

/// What is played, and under which name it stands in the table.
const SCENARIOS: [(&str, &str, Scenario); 10] = [
    ("app_restarts", "the app restarts 50 times (SIGTERM, SIGKILL in turn)", app_restarts),
    ("app_starts_late", "the app comes up 3 s after the shim", app_starts_late),
    ("app_stopped", "the app stands still for 2 s, 3 times (SIGSTOP)", app_stopped),
    ("rollout", "two shims behind a balancer, replaced 6 times, with the preStop hook", rollout),
    ("rollout_without_hook", "the same without the hook (SIGTERM alone)", rollout_without_hook),
    ("pod_ends", "the pod ends: hook and app at once, then the shim", pod_ends),
    ("shim_killed", "the shim is killed 10 times (SIGKILL)", shim_killed),
    ("both_restart", "app and shim restart at once, 5 times", both_restart),
    ("reloads", "60 reloads: file, exchanged link, SIGHUP, POST", reloads),
    ("disk_full", "the disk of cache, ledger and audit is full", disk_full),
];

fn main() {
    let args: Vec<String> = env::args().collect();
    if args.get(1).is_some_and(|role| role == "app") {
        return app::main(&args[2..]);
    }
    let rows = Rows::default();
    let trials = SCENARIOS.map(|(name, title, play)| {
        let rows = Arc::clone(&rows);
        Trial::test(name, move || {
            let tally = play().map(|tally| tally.row(title));
            rows.lock().unwrap().extend(tally);
            Ok::<_, Failed>(())
        })
    });
    // One after the other: each measures how long answers took.
    let arguments = Arguments { test_threads: Some(1), ..Arguments::from_args() };
    let conclusion = libtest_mimic::run(&arguments, trials.into());
    let rows = rows.lock().unwrap();
    if !rows.is_empty() {
        println!(
            "\n| what happens | sent | answered | refused, 503 | cut off, 502 or 504 | no answer | lost | duplicated | longest |"
        );
        println!("|---|---|---|---|---|---|---|---|---|\n{}\n", rows.join("\n"));
    }
    drop(rows);
    conclusion.exit();
}

/// A folder, an app and a configuration; everything goes when it is dropped.
struct Stage {
    folder: PathBuf,
    app: App,
}

impl Stage {
    fn new(name: &str) -> Self {
        let folder = env::temp_dir().join(format!("scimshim-restarts-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        let app = App::new(address(), &folder);
        Self { folder, app }
    }

    fn with_app(name: &str) -> Self {
        let mut stage = Self::new(name);
        stage.app.started();
        stage
    }

    /// A configuration before the app, with what `yaml` says beside it.
    fn config(&self, yaml: &str) -> PathBuf {
        let path = self.folder.join("config.yaml");
        let url = format!("http://{}/scim/v2", self.app.address);
        fs::write(&path, format!("upstream: {{ url: '{url}' }}\ntenants: {{ defaults: {{ idp: entra }} }}\n{yaml}"))
            .unwrap();
        path
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn address() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, free_port()).into()
}

/// Runs a hook of the pod, as the kubelet does.
fn hook(args: &[&str]) {
    let hook = Command::new(env!("CARGO_BIN_EXE_scimshim")).args(args).output().unwrap();
    assert!(hook.status.success(), "{args:?}: {}", String::from_utf8_lossy(&hook.stderr));
}

/// What holds whatever happens.
fn honest(tally: &Tally) {
    assert_eq!((tally.lost, tally.duplicated, tally.untrue, tally.other), (0, 0, 0, 0), "{tally:?}");
    assert!(tally.answered > 100, "{tally:?}");
}

/// Nobody noticed.
fn unnoticed(tally: &Tally) {
    honest(tally);
    assert_eq!(tally.answered, tally.sent, "{tally:?}");
}

fn app_restarts() -> Option<Tally> {
    const SENDERS: usize = 6;
    let mut stage = Stage::with_app("app");
    let shim = Process::start(&stage.config(""), &[]);
    let load = Load::start(shim.data, SENDERS);
    for round in 0..50 {
        stage.app.stop(["TERM", "KILL"][round % 2]);
        sleep(MILLI(20 * (round as u64 % 10)));
        stage.app.start();
        sleep(MILLI(250));
    }
    let tally = load.stop(|| stage.app.done());
    honest(&tally);
    assert_eq!((tally.unanswered, tally.refused), (0, 0), "{tally:?}");
    // A kill meets at most what each sender has under way.
    assert!(tally.cut <= 50 * SENDERS, "{tally:?}");
    Some(tally)
}

fn app_starts_late() -> Option<Tally> {
    let mut stage = Stage::new("late");
    let shim = Process::start(&stage.config(""), &[]);
    let load = Load::start(shim.data, 40);
    sleep(MILLI(3000));
    stage.app.start();
    sleep(MILLI(1500));
    let tally = load.stop(|| stage.app.done());
    unnoticed(&tally);
    assert!(tally.longest >= MILLI(2500), "{tally:?}");
    Some(tally)
}

fn app_stopped() -> Option<Tally> {
    let stage = Stage::with_app("stopped");
    let shim = Process::start(&stage.config(""), &[]);
    let load = Load::start(shim.data, 6);
    for _ in 0..3 {
        sleep(MILLI(500));
        stage.app.signal("STOP");
        sleep(MILLI(2000));
        stage.app.signal("CONT");
    }
    sleep(MILLI(500));
    let tally = load.stop(|| stage.app.done());
    unnoticed(&tally);
    Some(tally)
}

fn rollout() -> Option<Tally> {
    roll("rollout", |admin| hook(&["drain", "--admin", &admin.to_string(), "--linger", "600ms"]))
}

fn rollout_without_hook() -> Option<Tally> {
    roll("rollout-without-hook", |_| {})
}

/// Replaces one pod after the other, as a rolling update does with `maxUnavailable: 0`: the new one first.
fn roll(name: &str, pre_stop: fn(SocketAddr)) -> Option<Tally> {
    let stage = Stage::with_app(name);
    let config = stage.config("");
    let pods: Vec<_> = (0..3).map(|_| Pod { data: address(), admin: address() }).collect();
    let start = |pod: Pod| {
        let shim = Process::start_at(pod.data, pod.admin, &config, &[]);
        hook(&["wait", "--admin", &pod.admin.to_string()]);
        shim
    };
    let balancer = balance(pods.clone());
    let mut running: Vec<_> = pods[..2].iter().map(|pod| start(*pod)).collect();
    let mut free = pods[2];
    let load = Load::start(balancer, 6);
    for _ in 0..6 {
        sleep(MILLI(300));
        running.push(start(free));
        // It is an endpoint before the old one ends.
        sleep(MILLI(500));
        let mut old = running.remove(0);
        free = Pod { data: old.data, admin: old.admin };
        pre_stop(old.admin);
        old.signal("TERM");
        assert!(old.ended().success(), "{}", old.log());
    }
    let tally = load.stop(|| stage.app.done());
    unnoticed(&tally);
    Some(tally)
}

fn pod_ends() -> Option<Tally> {
    const SENDERS: usize = 6;
    let mut stage = Stage::with_app("ends");
    let mut shim = Process::start(&stage.config(""), &[]);
    let load = Load::start(shim.data, SENDERS);
    sleep(MILLI(1000));
    // The hooks of a pod run at once; the app has none, and ends. SIGTERM comes when the hook has returned.
    let admin = shim.admin.to_string();
    let lingers = thread::spawn(move || hook(&["drain", "--admin", &admin, "--linger", "2s"]));
    eventually("it drains", &shim, || ask(shim.admin, "GET", "/readyz").starts_with("HTTP/1.1 503"));
    stage.app.stop("TERM");
    lingers.join().unwrap();
    let began = Instant::now();
    shim.signal("TERM");
    // Who still comes must not keep it.
    let tally = load.stop(|| stage.app.done());
    assert!(shim.ended().success());
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    honest(&tally);
    // The app finished what it had.
    assert!(tally.refused >= SENDERS && tally.cut <= SENDERS, "{tally:?}");
    assert_eq!(tally.unanswered, 0, "{tally:?}");
    Some(tally)
}

fn shim_killed() -> Option<Tally> {
    const SENDERS: usize = 6;
    let mut stage = Stage::with_app("killed");
    let cache = stage.folder.join("cache");
    let feed = format!("{{ kind: list, url: 'http://{}/ranges.txt' }}", stage.app.address);
    let allow = "allow: { mode: enforce, feeds: [office] }";
    let proxy = "{ from: x-forwarded-for, trusted_proxies: [127.0.0.1/32] }";
    let feeds = format!("feeds: {{ cache_dir: '{}', office: {feed} }}\n", cache.display());
    let config = stage.config(&format!("{feeds}listen: {{ client_address: {proxy} }}\n"));
    let text = fs::read_to_string(&config).unwrap().replace("idp: entra", &format!("idp: entra, {allow}"));
    fs::write(&config, text).unwrap();
    let mut shim = Process::start(&config, &[]);
    let (data, admin) = (shim.data, shim.admin);
    hook(&["wait", "--admin", &admin.to_string()]);
    let load = Load::start(data, SENDERS);
    for round in 0..10 {
        sleep(MILLI(300 + 10 * round));
        shim.signal("KILL");
        shim.ended();
        shim = Process::start_at(data, admin, &config, &[]);
    }
    sleep(MILLI(500));
    let tally = load.stop(|| stage.app.done());
    honest(&tally);
    // What was under way has no answer; nobody can give one. Nor has what a sender then wrote to a connection that was
    // dead and did not know it.
    assert!((1..=2 * 10 * SENDERS).contains(&tally.unanswered), "{tally:?}");
    // The last good copy of the feed is whole: with its source away it still lets us in.
    shim.signal("KILL");
    shim.ended();
    stage.app.stop("TERM");
    let shim = Process::start_at(data, admin, &config, &[]);
    hook(&["wait", "--admin", &shim.admin.to_string()]);
    stage.app.start();
    let load = Load::start(data, 2);
    sleep(MILLI(1000));
    let after = load.stop(|| stage.app.done());
    assert_eq!(after.answered, after.sent, "{after:?}");
    Some(tally)
}

fn both_restart() -> Option<Tally> {
    const SENDERS: usize = 6;
    let mut stage = Stage::with_app("both");
    let config = stage.config("");
    let mut shim = Process::start(&config, &[]);
    let (data, admin) = (shim.data, shim.admin);
    let load = Load::start(data, SENDERS);
    for _ in 0..5 {
        sleep(MILLI(500));
        shim.signal("TERM");
        stage.app.stop("TERM");
        assert!(shim.ended().success(), "{}", shim.log());
        shim = Process::start_at(data, admin, &config, &[]);
        sleep(MILLI(300));
        stage.app.start();
    }
    sleep(MILLI(500));
    let tally = load.stop(|| stage.app.done());
    honest(&tally);
    assert_eq!(tally.unanswered, 0, "{tally:?}");
    Some(tally)
}

fn reloads() -> Option<Tally> {
    let stage = Stage::with_app("reloads");
    let text = fs::read_to_string(stage.config("")).unwrap();
    // As the kubelet mounts a ConfigMap: the name is a link into a folder that is a link.
    let mount = stage.folder.join("mount");
    let write = |version: usize, text: &str| {
        let folder = mount.join(format!("..{version}"));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("config.yaml"), text).unwrap();
        let _ = fs::remove_file(mount.join("..tmp"));
        symlink(format!("..{version}"), mount.join("..tmp")).unwrap();
        fs::rename(mount.join("..tmp"), mount.join("..data")).unwrap();
    };
    write(0, &text);
    symlink("..data/config.yaml", mount.join("config.yaml")).unwrap();
    let config = mount.join("config.yaml");
    let shim = Process::start(&config, &[]);
    let load = Load::start(shim.data, 6);
    for round in 1..=20 {
        let debug = if round % 2 == 0 { "normalize: { debug_headers: true }\n" } else { "journal: { entries: 10 }\n" };
        write(round, &format!("{text}{debug}"));
        sleep(MILLI(100));
        shim.signal("HUP");
        sleep(MILLI(50));
        // One that cannot be used changes nothing.
        write(round + 100, &format!("{text}upstraem: 1\n"));
        let said = ask(shim.admin, "POST", "/reload");
        assert!(said.starts_with("HTTP/1.1 422"), "{said}");
        write(round + 200, &text);
        assert!(ask(shim.admin, "POST", "/reload").starts_with("HTTP/1.1 200"));
    }
    let tally = load.stop(|| stage.app.done());
    unnoticed(&tally);
    Some(tally)
}

fn disk_full() -> Option<Tally> {
    let mut stage = Stage::with_app("disk");
    let disk = SmallDisk::mount(&stage.folder.join("disk"), "128k")?;
    let audit = disk.0.join("audit.jsonl");
    let yaml = format!(
        "feeds: {{ cache_dir: '{}', office: {{ kind: list, url: 'http://{}/ranges.txt' }} }}\naudit: {{ target: '{}' }}\n\
         quarantine: {{ snapshot: 1s }}\n",
        disk.0.display(),
        stage.app.address,
        audit.display(),
    );
    let shim = Process::start(&stage.config(&yaml), &[]);
    let load = Load::start(shim.data, 6);
    // The audit log fills it.
    eventually("the disk is full", &shim, || metric(shim.admin, "scimshim_audit_writable") == 0.0);
    stage.app.stop("TERM");
    stage.app.start();
    sleep(MILLI(2000));
    assert_eq!(metric(shim.admin, "scimshim_ledger_writable"), 0.0, "{}", shim.log());
    let tally = load.stop(|| stage.app.done());
    honest(&tally);
    assert_eq!((tally.unanswered, tally.refused), (0, 0), "{tally:?}");
    // It goes on by itself when there is room again.
    disk.grow();
    for name in ["scimshim_ledger_writable", "scimshim_audit_writable"] {
        eventually(name, &shim, || metric(shim.admin, name) == 1.0);
    }
    shim.stopped();
    Some(tally)
}

fn eventually(what: &str, shim: &Process, check: impl Fn() -> bool) {
    let began = Instant::now();
    while !check() {
        assert!(began.elapsed() < Duration::from_secs(40), "never came true: {what}\n{}", shim.log());
        sleep(MILLI(100));
    }
}
