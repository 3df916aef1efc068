//! Rate limits that replicas share, against a real redis-server on a port of its own.
//!
//! Without the program (`SCIMSHIM_REDIS_SERVER`, else `redis-server`) the tests are skipped and say so;
//! `SCIMSHIM_REQUIRE=all` makes the skip a failure.

use std::{
    env,
    io::{self, Read as _, Write as _},
    net::TcpStream,
    num::NonZeroU32,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use scimshim::{
    gate::rate::{Class, Limiter, Limits, Quota, Refused, Store, Turn},
    observe::Metrics,
};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep, timeout},
};

use crate::harness::{Log, eventually, free_port};

const SECOND: Duration = Duration::from_secs(1);
/// Comes back once in a quarter of an hour: not in a test.
const TINY: f64 = 0.001;

#[tokio::test(flavor = "multi_thread")]
async fn two_shims_admit_exactly_the_quota() {
    let Some(server) = Server::start("two_shims_admit_exactly_the_quota", &[]) else { return };
    let (one, two) = (Replica::start(&server.url()).await, Replica::start(&server.url()).await);
    let limits = Limits { writes: quota(TINY, 50), max_waiting: 1000, ..limits() };
    let limiters = [one.limiter("acme", &limits), two.limiter("acme", &limits)];
    let mut tasks = JoinSet::new();
    for i in 0..400 {
        let limiter = Arc::clone(&limiters[i % 2]);
        tasks.spawn(async move { limiter.enter(Class::Write, deadline()).await });
    }
    let (admitted, refused): (Vec<_>, Vec<_>) = tasks.join_all().await.into_iter().partition(Result::is_ok);
    assert_eq!(admitted.len(), 50);
    let mut left: Vec<_> = admitted.into_iter().map(|turn| turn.unwrap().standing().unwrap().left()).collect();
    left.sort_unstable();
    assert_eq!(left, (0..50).collect::<Vec<_>>());
    for refused in refused {
        let wait = refused.unwrap_err().wait();
        assert!(wait > 900 * SECOND, "{wait:?}");
    }
    for replica in [&one, &two] {
        assert_eq!((replica.metrics.store_available.get(), replica.metrics.store_fallbacks.get()), (1, 0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tenants_classes_and_quotas_count_apart() {
    let Some(server) = Server::start("tenants_classes_and_quotas_count_apart", &[]) else { return };
    let replica = Replica::start(&server.url()).await;
    let limits = Limits { writes: quota(TINY, 1), lookups: quota(TINY, 1), ..limits() };
    let (acme, globex) = (replica.limiter("acme", &limits), replica.limiter("globex", &limits));
    for (limiter, class) in [(&acme, Class::Write), (&acme, Class::Lookup), (&globex, Class::Write)] {
        assert!(limiter.enter(class, deadline()).await.is_ok());
        assert!(limiter.enter(class, deadline()).await.is_err());
    }
    assert!(acme.enter(Class::Read, deadline()).await.unwrap().standing().is_none());
    acme.reconfigure(Some(&Limits { writes: quota(TINY, 2), ..limits }));
    assert!(acme.enter(Class::Write, deadline()).await.is_ok());
    assert!(acme.enter(Class::Lookup, deadline()).await.is_err());
    let mut keys = server.ask("KEYS *{*");
    keys.retain(|key| key.starts_with("test:"));
    keys.sort_unstable();
    let names = ["{acme}:lookups:1x", "{acme}:writes:1x", "{acme}:writes:2x", "{globex}:writes:1x"];
    assert_eq!(keys, names.map(|name| format!("test:{name}1000000000000ns")));
    for key in keys {
        let ttl: u64 = server.ask(&format!("PTTL {key}"))[0].trim_start_matches(':').parse().unwrap();
        assert!((900_000..=1_000_001).contains(&ttl), "{key} stays for {ttl} ms");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_turn_in_redis_is_waited_for_in_order() {
    let Some(server) = Server::start("a_turn_in_redis_is_waited_for_in_order", &[]) else { return };
    let replica = Replica::start(&server.url()).await;
    let limiter = replica.limiter("acme", &Limits { writes: quota(50.0, 1), wait: 60 * SECOND, ..limits() });
    let began = Instant::now();
    let (mut tasks, order) = (JoinSet::new(), Arc::new(Mutex::new(Vec::new())));
    drop(limiter.enter(Class::Write, deadline()).await.unwrap());
    for name in 0..10 {
        let (limiter, came) = (Arc::clone(&limiter), Arc::clone(&order));
        tasks.spawn(async move {
            let turn = limiter.enter(Class::Write, deadline()).await.unwrap();
            came.lock().unwrap().push(name);
            turn.waited()
        });
        eventually("it waits", || async {
            replica.metrics.rate_limit_waiting.with_label_values(&["acme"]).get() + order.lock().unwrap().len() as i64
                > name
        })
        .await;
    }
    tasks.join_all().await;
    assert!(order.lock().unwrap().is_sorted(), "{order:?}");
    assert!(began.elapsed() >= Duration::from_millis(10 * 20), "{:?}", began.elapsed());
    assert_eq!(replica.metrics.store_fallbacks.get(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_killed_in_mid_load_costs_no_request_and_is_shared_again() {
    let name = "redis_killed_in_mid_load_costs_no_request_and_is_shared_again";
    let Some(mut server) = Server::start(name, &[]) else { return };
    let replicas = [Replica::start(&server.url()).await, Replica::start(&server.url()).await];
    let load = Load::start(&replicas);
    load.goes_on(200).await;
    assert_eq!(replicas.each_ref().map(|replica| replica.metrics.store_fallbacks.get()), [0, 0]);
    for outage in 1..=2 {
        server.kill();
        eventually("the outage is seen", || async { replicas.iter().all(|replica| !replica.store.is_shared()) }).await;
        load.goes_on(200).await;
        for Replica { metrics, .. } in &replicas {
            assert_eq!((metrics.store_available.get(), metrics.store_fallbacks.get()), (0, outage));
        }
        server.restart();
        eventually("shared again", || async { replicas.iter().all(|replica| replica.store.is_shared()) }).await;
        load.goes_on(200).await;
        for Replica { metrics, .. } in &replicas {
            assert_eq!((metrics.store_available.get(), metrics.store_fallbacks.get()), (1, outage));
        }
    }
    load.ends_well().await;
    // And they count together again.
    let limits = Limits { reads: quota(TINY, 3), ..limits() };
    let limiters = replicas.each_ref().map(|replica| replica.limiter("later", &limits));
    let mut admitted = 0;
    for i in 0..8 {
        admitted += u32::from(limiters[i % 2].enter(Class::Read, deadline()).await.is_ok());
    }
    assert_eq!(admitted, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn flushed_keys_and_scripts_are_survived() {
    let Some(server) = Server::start("flushed_keys_and_scripts_are_survived", &[]) else { return };
    let replicas = [Replica::start(&server.url()).await];
    let load = Load::start(&replicas);
    for command in ["SCRIPT FLUSH", "FLUSHALL", "SCRIPT FLUSH"] {
        load.goes_on(100).await;
        assert_eq!(server.ask(command), ["+OK"]);
    }
    load.goes_on(100).await;
    load.ends_well().await;
    assert_eq!(replicas[0].metrics.store_fallbacks.get(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_hangs_delays_nobody_for_long() {
    let Some(server) = Server::start("a_server_that_hangs_delays_nobody_for_long", &[]) else { return };
    let replica = Replica::start(&server.url()).await;
    let limiter = replica.limiter("acme", &Limits { writes: quota(1000.0, 1000), ..limits() });
    server.signal("STOP");
    let mut tasks = JoinSet::new();
    for _ in 0..50 {
        let limiter = Arc::clone(&limiter);
        tasks.spawn(async move { limiter.enter(Class::Write, deadline()).await.is_ok() });
    }
    let all = timeout(30 * SECOND, tasks.join_all()).await.expect("a bounded delay");
    assert!(all.into_iter().all(|admitted| admitted));
    // Asked no more, so decided here and now.
    assert!(!replica.store.is_shared() && limiter.try_enter(Class::Write).is_some());
    assert_eq!(replica.metrics.store_fallbacks.get(), 1);
    server.signal("CONT");
    eventually("shared again", || async { replica.store.is_shared() }).await;
    assert_eq!(replica.metrics.store_fallbacks.get(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_starts_without_redis_and_comes_over() {
    let Some(mut server) = Server::start("it_starts_without_redis_and_comes_over", &[]) else { return };
    server.kill();
    let replica = Replica::start(&server.url()).await;
    let limiter = replica.limiter("acme", &Limits { writes: quota(TINY, 2), ..limits() });
    assert_eq!((replica.metrics.store_available.get(), replica.metrics.store_fallbacks.get()), (0, 1));
    assert!(limiter.try_enter(Class::Write).is_some());
    assert!(limiter.enter(Class::Write, deadline()).await.is_ok());
    assert!(matches!(limiter.enter(Class::Write, deadline()).await, Err(Refused::Rate { .. })));
    server.restart();
    eventually("it comes over", || async { replica.store.is_shared() }).await;
    assert!(limiter.try_enter(Class::Write).is_none(), "not without asking");
    assert!(limiter.enter(Class::Write, deadline()).await.is_ok());
    assert_eq!((replica.metrics.store_available.get(), replica.metrics.store_fallbacks.get()), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_refuses_the_script_is_away() {
    let name = "a_server_that_refuses_the_script_is_away";
    let Some(server) = Server::start(name, &["--requirepass", "right", "--maxmemory-policy", "noeviction"]) else {
        return;
    };
    let wrong = Replica::start(&format!("redis://:wrong@127.0.0.1:{}", server.port)).await;
    let replica = Replica::start(&format!("redis://:right@127.0.0.1:{}", server.port)).await;
    assert!(!wrong.store.is_shared() && replica.store.is_shared());
    let limiter = replica.limiter("acme", &Limits { writes: quota(1000.0, 1000), ..limits() });
    let troubles =
        [("CONFIG SET maxmemory 1", "CONFIG SET maxmemory 0"), ("REPLICAOF 127.0.0.1 1", "REPLICAOF NO ONE")];
    for (trouble, cure) in troubles {
        let before = replica.metrics.store_fallbacks.get();
        assert_eq!(server.ask(&format!("AUTH right\r\n{trouble}")), ["+OK", "+OK"]);
        for _ in 0..20 {
            assert!(limiter.enter(Class::Write, deadline()).await.is_ok());
            // Time for some attempts to connect, which succeed: it is the script that does not run.
            sleep(Duration::from_millis(20)).await;
        }
        assert!(!replica.store.is_shared(), "{trouble}");
        assert_eq!(replica.metrics.store_fallbacks.get(), before + 1, "{trouble}");
        assert_eq!(server.ask(&format!("AUTH right\r\n{cure}")), ["+OK", "+OK"]);
        eventually("shared again", || async { replica.store.is_shared() }).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_elses_value_under_our_key_is_replaced() {
    let Some(server) = Server::start("somebody_elses_value_under_our_key_is_replaced", &[]) else { return };
    let replica = Replica::start(&server.url()).await;
    let limiter = replica.limiter("acme", &Limits { writes: quota(TINY, 1), ..limits() });
    for command in ["LPUSH", "SET"] {
        let answer = server.ask(&format!("{command} test:{{acme}}:writes:1x1000000000000ns nonsense"));
        assert_eq!(answer.len(), 1);
        assert!(limiter.enter(Class::Write, deadline()).await.is_ok());
        assert!(limiter.enter(Class::Write, deadline()).await.is_err());
    }
    assert_eq!(replica.metrics.store_fallbacks.get(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_script_counts_the_extremes_exactly() {
    let Some(server) = Server::start("the_script_counts_the_extremes_exactly", &[]) else { return };
    let replica = Replica::start(&server.url()).await;
    let extremes = [(1e6, u32::MAX), (1e6, 1), (TINY, u32::MAX), (0.1, 7), (1e-9, 2), (1e-300, u32::MAX)];
    for (per_second, burst) in extremes {
        let limiter = replica.limiter("acme", &Limits { writes: quota(per_second, burst), ..limits() });
        let local = Limiter::new(
            &Arc::new(Store::local(Arc::clone(&replica.metrics))),
            &"acme".into(),
            &"acme".into(),
            Some(&Limits { writes: quota(per_second, burst), ..limits() }),
        );
        for _ in 0..2 {
            let (shared, local) = (limiter.enter(Class::Write, deadline()), local.enter(Class::Write, deadline()));
            let (shared, local) = (shared.await, local.await);
            let [shared, local] = [shared, local].map(|turn| turn.ok().map(|turn| left(&turn)));
            assert_eq!(shared, local, "{burst} at once, {per_second} a second");
        }
    }
    assert_eq!(replica.metrics.store_fallbacks.get(), 0);
}

/// Trust in a private CA comes with the environment, so the client is this test in a process of its own.
#[tokio::test(flavor = "multi_thread")]
async fn rediss_trusts_what_the_platform_trusts() {
    let name = "rediss_trusts_what_the_platform_trusts";
    if let Ok(url) = env::var("SCIMSHIM_TEST_REDISS") {
        let replica = Replica::start(&url).await;
        let limiter = replica.limiter("acme", &Limits { writes: quota(TINY, 1), ..limits() });
        let turn = limiter.enter(Class::Write, deadline()).await;
        assert!(replica.store.is_shared() && turn.is_ok());
        return;
    }
    let Some(server) = Server::start_tls(name) else { return };
    for (ca, trusted) in [("ca.pem", true), ("none.pem", false)] {
        let status = Command::new(env::current_exe().unwrap())
            .args(["--exact", &format!("redis::{name}")])
            .env("SCIMSHIM_TEST_REDISS", format!("rediss://127.0.0.1:{}/0", server.port))
            .env("SSL_CERT_FILE", server.folder.join(ca))
            .env_remove("SSL_CERT_DIR")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .unwrap();
        assert_eq!(status.success(), trusted, "{ca}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_may_name_another_redis_or_none() {
    let name = "a_reload_may_name_another_redis_or_none";
    let Some(server) = Server::start(name, &["--requirepass", "new"]) else { return };
    let (right, wrong) = ["new", "old"].map(|word| format!("redis://:{word}@127.0.0.1:{}", server.port)).into();
    let Replica { metrics, store } = Replica::start(&wrong).await;
    assert_eq!((store.is_shared(), metrics.store_available.get(), metrics.store_fallbacks.get()), (false, 0, 1));
    store.use_redis(&right, "test:").unwrap();
    store.settled().await;
    assert_eq!((store.is_shared(), metrics.store_available.get()), (true, 1));
    store.use_redis(&right, "test:").unwrap();
    assert!(store.is_shared(), "the same one stays");
    assert!(store.use_redis("redis://127.0.0.1/no-number", "test:").is_err());
    assert!(store.is_shared(), "and with an unusable one too");
    store.use_local();
    assert_eq!((store.is_shared(), metrics.store_available.get(), metrics.store_fallbacks.get()), (false, 1, 1));
    assert!(!format!("{store:?}").contains("new@"));
}

/// On one thread, which is where the log is caught.
#[tokio::test]
async fn an_outage_is_logged_once_and_so_is_its_end() {
    let Some(mut server) = Server::start("an_outage_is_logged_once_and_so_is_its_end", &["--requirepass", "hunter2"])
    else {
        return;
    };
    let log = Log::catch();
    let replicas = [Replica::start(&format!("redis://:hunter2@127.0.0.1:{}", server.port)).await];
    let load = Load::start(&replicas);
    load.goes_on(50).await;
    server.kill();
    eventually("the outage is seen", || async { !replicas[0].store.is_shared() }).await;
    load.goes_on(200).await;
    server.restart();
    eventually("shared again", || async { replicas[0].store.is_shared() }).await;
    load.goes_on(50).await;
    load.ends_well().await;
    let text = log.text();
    let lines: Vec<_> = text.lines().filter(|line| line.contains("scimshim::gate::rate")).collect();
    let levels: Vec<_> = lines.iter().map(|line| line.contains("\"WARN\"")).collect();
    assert_eq!(levels, [false, true, false], "{text}");
    assert!(
        lines[1].contains("is away") && lines[2].contains("is back") && lines[2].contains("\"seconds\":"),
        "{text}"
    );
    assert!(!text.contains("hunter2"));
}

#[test]
fn a_url_that_cannot_be_called_is_an_error_without_the_url() {
    let metrics = Arc::new(Metrics::new().unwrap());
    let error = Store::redis("redis://:hunter2@127.0.0.1:6379/database", "test:", metrics).unwrap_err().to_string();
    assert!(error.starts_with("rate_limit_store.url is not") && !error.contains("hunter2"), "{error}");
}

fn quota(per_second: f64, burst: u32) -> Option<Quota> {
    Some(Quota { per_second, burst: NonZeroU32::new(burst).unwrap() })
}

fn limits() -> Limits {
    Limits { wait: SECOND, max_waiting: 100, ..Limits::default() }
}

fn deadline() -> Instant {
    Instant::now() + 50 * SECOND
}

fn left(turn: &Turn) -> u32 {
    turn.standing().expect("a quota").left()
}

/// One shim, as far as its limits go.
struct Replica {
    metrics: Arc<Metrics>,
    store: Arc<Store>,
}

impl Replica {
    /// With the first attempt to connect behind it.
    async fn start(url: &str) -> Self {
        let metrics = Arc::new(Metrics::new().unwrap());
        let store = Arc::new(Store::redis(url, "test:", Arc::clone(&metrics)).unwrap());
        store.settled().await;
        Self { metrics, store }
    }

    fn limiter(&self, tenant: &str, limits: &Limits) -> Arc<Limiter> {
        Arc::new(Limiter::new(&self.store, &tenant.into(), &tenant.into(), Some(limits)))
    }
}

/// Requests of one tenant that come all the time, on every replica, within a generous quota.
struct Load {
    tasks: JoinSet<()>,
    admitted: Arc<AtomicUsize>,
}

impl Load {
    fn start(replicas: &[Replica]) -> Self {
        let (mut tasks, admitted) = (JoinSet::new(), Arc::new(AtomicUsize::new(0)));
        for replica in replicas {
            let limiter = replica.limiter("loaded", &Limits { writes: quota(1e5, 100_000), ..limits() });
            for _ in 0..8 {
                let (limiter, admitted) = (Arc::clone(&limiter), Arc::clone(&admitted));
                tasks.spawn(async move {
                    loop {
                        drop(limiter.enter(Class::Write, deadline()).await.expect("a request within its quota"));
                        admitted.fetch_add(1, Ordering::Relaxed);
                        sleep(Duration::from_millis(1)).await;
                    }
                });
            }
        }
        Self { tasks, admitted }
    }

    async fn goes_on(&self, requests: usize) {
        let before = self.admitted.load(Ordering::Relaxed);
        eventually("requests are admitted", || async { self.admitted.load(Ordering::Relaxed) >= before + requests })
            .await;
    }

    /// No request has been refused: a task that met a refusal has ended.
    async fn ends_well(mut self) {
        assert!(self.tasks.try_join_next().is_none());
        self.tasks.shutdown().await;
    }
}

/// A fresh redis-server; killed when dropped.
pub(crate) struct Server {
    child: Child,
    port: u16,
    folder: PathBuf,
    flags: Vec<String>,
}

impl Server {
    pub(crate) fn start(test: &str, flags: &[&str]) -> Option<Self> {
        let port = installed(test)?;
        let number = port.to_string();
        Some(Self::start_at(port, folder(port), &[&["--port", &number], flags].concat()))
    }

    /// With a certificate of a CA of its own, `ca.pem` in its folder; `none.pem` there is a stranger's.
    fn start_tls(test: &str) -> Option<Self> {
        let port = installed(test)?;
        let folder = folder(port);
        let authority = || {
            let mut params = rcgen::CertificateParams::default();
            params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
            let key = rcgen::KeyPair::generate().unwrap();
            (params.self_signed(&key).unwrap(), rcgen::Issuer::new(params, key))
        };
        let (ca, issuer) = authority();
        let key = rcgen::KeyPair::generate().unwrap();
        let leaf = rcgen::CertificateParams::new(["127.0.0.1".to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
        let files = [("ca.pem", ca.pem()), ("none.pem", authority().0.pem()), ("leaf.pem", leaf.pem())];
        for (name, text) in files.into_iter().chain([("key.pem", key.serialize_pem())]) {
            std::fs::write(folder.join(name), text).unwrap();
        }
        let [ca, leaf, key] = ["ca.pem", "leaf.pem", "key.pem"].map(|name| folder.join(name).display().to_string());
        let number = port.to_string();
        let flags = [
            "--port",
            "0",
            "--tls-port",
            &number,
            "--tls-auth-clients",
            "no",
            "--tls-ca-cert-file",
            &ca,
            "--tls-cert-file",
            &leaf,
            "--tls-key-file",
            &key,
        ];
        Some(Self::start_at(port, folder, &flags))
    }

    fn start_at(port: u16, folder: PathBuf, flags: &[&str]) -> Self {
        let flags: Vec<_> = flags.iter().map(|flag| (*flag).to_owned()).collect();
        Self { child: launch(port, &folder, &flags), port, folder, flags }
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    /// As the kernel kills: nothing is said to anyone.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("a child of ours");
        self.child.wait().expect("a child of ours");
    }

    pub(crate) fn restart(&mut self) {
        self.child = launch(self.port, &self.folder, &self.flags);
    }

    fn signal(&self, signal: &str) {
        let done = Command::new("kill").args([&format!("-{signal}"), &self.child.id().to_string()]).status();
        assert!(done.expect("kill runs").success());
    }

    /// What the server answers to inline commands, one line each; the elements of an array without its frame.
    fn ask(&self, commands: &str) -> Vec<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("the server listens");
        write!(stream, "{commands}\r\nQUIT\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let mut lines: Vec<_> =
            answer.lines().filter(|line| !line.starts_with(['*', '$'])).map(str::to_owned).collect();
        assert_eq!(lines.pop().as_deref(), Some("+OK"), "the answer to QUIT");
        lines
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// A free port, if there is a server to start on it.
fn installed(test: &str) -> Option<u16> {
    let program = program();
    if let Err(error) = Command::new(&program).arg("--version").stdout(Stdio::null()).status() {
        let message = format!("{program}: {error}; install redis-server, or name it in SCIMSHIM_REDIS_SERVER");
        assert!(env::var("SCIMSHIM_REQUIRE").as_deref() != Ok("all"), "{test} must run, but {message}");
        // Not eprintln, which the test harness swallows when a test passes.
        let _ = writeln!(io::stderr(), "SKIPPED {test}: {message}");
        return None;
    }
    Some(free_port())
}

fn program() -> String {
    env::var("SCIMSHIM_REDIS_SERVER").unwrap_or_else(|_| "redis-server".to_owned())
}

fn folder(port: u16) -> PathBuf {
    let folder = env::temp_dir().join(format!("scimshim-redis-{port}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder for the server");
    folder
}

fn launch(port: u16, folder: &Path, flags: &[String]) -> Child {
    let mut child = Command::new(program())
        .args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir"])
        .arg(folder)
        .args(flags)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("redis-server starts");
    let started = std::time::Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        let ended = child.try_wait().expect("a child of ours");
        assert!(ended.is_none() && started.elapsed() < 30 * SECOND, "redis-server does not listen");
        std::thread::sleep(Duration::from_millis(20));
    }
    child
}
