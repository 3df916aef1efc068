//! What the machine, the network around it and its neighbours can do.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket},
    path::Path,
    process::Command,
    sync::{Arc, Mutex},
    thread::{self, sleep},
    time::{Duration, Instant, SystemTime},
};

use data_encoding::HEXLOWER;
use sha2::{Digest as _, Sha256};

use super::{
    admin::{Page, ask},
    app::{App, Step, good},
    disk::SmallDisk,
    line::{Line, request},
    once,
    port::free_port,
    process::Process,
    redis::Redis,
    scene::{NEW, Outcome, Scene, Stage},
    skip,
    source::{Source, document, list},
};

const MILLI: fn(u64) -> Duration = Duration::from_millis;

/// So few open files that the limits on connections are lowered to 16 each.
pub(crate) fn few_files(name: &str) -> Option<Outcome> {
    let above = ["prlimit", "--nofile=160:160"].map(str::to_owned).to_vec();
    once(name, Stage { above, ..Stage::default() }, |scene| {
        assert!(scene.shim.log().contains("may open too few files"), "{}", scene.log());
        let mut lines: Vec<Line> = (0..30).map(|_| Line::open(scene.shim.data)).collect();
        // For each that waits for a place an idle one is closed.
        for line in &mut lines {
            line.say(request("GET", &scene.target("/Users/1"), "", b""));
            let answer = line.answer();
            scene.told(answer.as_ref());
            assert_eq!(answer.map(|answer| answer.status), Some(200));
        }
    })
}

/// The limit is lowered to what is in use while it runs.
pub(crate) fn no_files(name: &str) -> Option<Outcome> {
    let limits = "header_timeout: 10s, idle_timeout: 20s, deadline: 8s, drain: 5s".to_owned();
    let upstream = "url: 'http://127.0.0.1:{port}/{tenant}/scim/v2', hold: 5s".to_owned();
    once(name, Stage { limits, upstream, ..Stage::default() }, |scene| {
        let process = scene.shim.id().to_string();
        let limit = |files: String| {
            let set = Command::new("prlimit").args(["--pid", &process, &format!("--nofile={files}")]).status().unwrap();
            assert!(set.success());
        };
        scene.app.does(&[Step::Wait(MILLI(100)), good()]);
        let mut inside: Vec<Line> = (0..6).map(|_| Line::open(scene.shim.data)).collect();
        scene.eventually("all are in", |scene| {
            Page::read(scene.shim.admin).sum("scimshim_client_connections", |_| true) >= 7.0
        });
        let open = super::admin::files(scene.shim.id());
        limit(format!("{open}:20000"));
        // They are in, and there is no file for a connection to the app but those that are there.
        let body = NEW.as_bytes();
        let target = scene.target("/Users");
        inside.iter_mut().for_each(|line| assert!(line.say(request("POST", &target, "", body))));
        let mut outside: Vec<Line> = (0..20).map(|_| Line::open(scene.shim.data)).collect();
        outside.iter_mut().for_each(|line| assert!(line.say(request("POST", &target, "", body))));
        let mut overload = 0;
        for line in &mut inside {
            let answer = line.answer().unwrap();
            scene.told(Some(&answer));
            assert!(matches!(answer.status, 200 | 201 | 503), "{answer:?}");
            if answer.status == 503 {
                assert!(
                    answer.header("retry-after").is_some() && answer.text().contains("no file descriptor"),
                    "{answer:?}"
                );
                overload += 1;
            }
        }
        scene.refused("overload", overload);
        assert!(scene.app.seen().len() <= 6 + 3 - overload, "what was refused has not reached the app");
        limit("20000:20000".to_owned());
        let mut served = 0;
        for line in &mut outside {
            let answer = line.answer();
            scene.told(answer.as_ref());
            // One or two had a file that was free for a moment, and none to go on with.
            match answer.as_ref().map(|answer| answer.status) {
                Some(200 | 201) => served += 1,
                Some(503) => scene.refused("overload", 1),
                _ => panic!("{answer:?}\n{}", scene.log()),
            }
        }
        assert!(served >= outside.len() - 5, "{served} of those who waited outside were served");
        assert!(scene.shim.log().contains("out of open files"), "{}", scene.log());
    })
}

/// Bodies at the limit, more of them at once than fit into the memory that the process may have.
pub(crate) fn little_memory(name: &str) -> Option<Outcome> {
    const LIMIT: u64 = 192 << 20;
    const BODY: usize = 10 << 20;
    let above = ["prlimit".to_owned(), format!("--data={LIMIT}:{LIMIT}")].to_vec();
    let limits = "body_timeout: 20s, deadline: 20s, idle_timeout: 20s, drain: 5s".to_owned();
    once(name, Stage { above, limits, ..Stage::default() }, |scene| {
        assert!(scene.shim.log().contains("lowered to what fits into the memory"), "{}", scene.log());
        let open = "{\"schemas\":[\"urn:ietf:params:scim:schemas:core:2.0:User\"],\"userName\":\"victim\",\"x\":[";
        let mut body = open.as_bytes().to_vec();
        body.resize(BODY - 16, b' ');
        body.extend_from_slice(b"]}");
        let body = Arc::new(body);
        let senders: Vec<_> = (0..40)
            .map(|_| {
                let (shim, target, body) = (scene.shim.data, scene.target("/Users/1"), Arc::clone(&body));
                thread::spawn(move || {
                    let mut line = Line::open(shim);
                    line.say(request("PUT", &target, "", &body));
                    line.answer()
                })
            })
            .collect();
        let mut overload = 0;
        for sender in senders {
            let answer = sender.join().unwrap();
            scene.told(answer.as_ref());
            let answer = answer.unwrap_or_else(|| panic!("no answer\n{}", scene.log()));
            assert!(matches!(answer.status, 200 | 503), "{} {}", answer.status, answer.text());
            overload += usize::from(answer.status == 503);
        }
        scene.refused("overload", overload);
    })
}

/// Snapshot, audit stream and the copy of a feed on a disk that is full, and has room again.
pub(crate) fn full_disk(name: &str) -> Option<Outcome> {
    let folder = std::env::temp_dir().join(format!("scimshim-faults-{}-disk", std::process::id()));
    let disk = SmallDisk::mount(&folder, "128k")?;
    let source = Source::start();
    source.says(list(1));
    let more = format!(
        "feeds: {{ cache_dir: '{0}', office: {{ kind: list, url: '{1}/1' }} }}\naudit: {{ target: '{0}/audit.jsonl' }}\n\
         quarantine: {{ snapshot: 1s }}",
        folder.display(),
        source.url(),
    );
    let outcome = once(name, Stage { more, ..Stage::default() }, |scene| {
        let gauge = |scene: &Scene, name: &str| Page::read(scene.shim.admin).sum(name, |_| true);
        let began = Instant::now();
        while gauge(scene, "scimshim_audit_writable") == 1.0 {
            assert!(began.elapsed() < Duration::from_secs(30), "the disk does not fill");
            for _ in 0..50 {
                let answer = scene.ask("POST", "", NEW.as_bytes());
                assert!(answer.as_ref().is_some_and(|answer| answer.status < 300), "{answer:?}");
            }
        }
        // A larger document than there is room for.
        source.says(list(3000));
        scene.reconfigure(|yaml| yaml.replace("/1' }", "/2' }"));
        for name in ["scimshim_ledger_writable", "scimshim_cache_writable"] {
            scene.eventually(name, |scene| gauge(scene, name) == 0.0);
        }
        for _ in 0..50 {
            let answer = scene.ask("POST", "", NEW.as_bytes());
            assert!(answer.as_ref().is_some_and(|answer| answer.status < 300), "{answer:?}");
        }
        disk.grow();
        for name in ["scimshim_ledger_writable", "scimshim_audit_writable"] {
            scene.eventually(name, |scene| gauge(scene, name) == 1.0);
        }
        source.says(list(3001));
        scene.reconfigure(|yaml| yaml.replace("/2' }", "/3' }"));
        scene.eventually("the copy is written", |scene| gauge(scene, "scimshim_cache_writable") == 1.0);
    });
    drop(disk);
    let _ = fs::remove_dir_all(&folder);
    outcome
}

/// The document is replaced by everything that it is not; who is listed passes, and who is not does not.
pub(crate) fn feed(name: &str) -> Option<Outcome> {
    let source = Source::start();
    source.says(list(40));
    let allow = ", allow: { mode: enforce, feeds: [office] }".to_owned();
    let stage = Stage {
        victim: allow.clone(),
        bystander: allow,
        listen: ", client_address: { from: x-forwarded-for, trusted_proxies: [127.0.0.1/32] }".to_owned(),
        more: format!("feeds: {{ office: {{ kind: list, url: '{}/0' }} }}", source.url()),
        variables: Vec::new(),
        ..Stage::default()
    };
    once(name, stage, |scene| {
        let pages: [(&str, Vec<u8>); 8] = [
            ("500", document("500 Internal Server Error", "text/plain", "no")),
            ("HTML", document("200 OK", "text/html", "<!doctype html><title>Sign in</title>")),
            ("empty", document("200 OK", "text/plain", "")),
            ("shrunk", document("200 OK", "text/plain", "203.0.113.0/24\n")),
            ("overbroad", document("200 OK", "text/plain", "0.0.0.0/0\n")),
            ("cut", list(40)[..200].to_vec()),
            ("silent", Vec::new()),
            ("good", list(41)),
        ];
        for round in 0..2 {
            for (number, (what, page)) in pages.iter().enumerate() {
                let fetched = |scene: &Scene| {
                    let page = Page::read(scene.shim.admin);
                    let sum = |name: &str| page.sum(name, |_| true);
                    sum("scimshim_feed_rejected_total") + sum("scimshim_feed_fetch_failures_total")
                };
                let before = fetched(scene);
                source.says(page.clone());
                let turn = 10 * round + number + 1;
                scene.reconfigure(|yaml| {
                    let (head, tail) = yaml.split_once(&source.url()).unwrap();
                    let rest = tail.split_once('\'').unwrap().1;
                    format!("{head}{}/{turn}'{rest}", source.url())
                });
                match *what {
                    "good" => scene.eventually("it is fresh", |scene| {
                        let page = Page::read(scene.shim.admin);
                        page.sum("scimshim_feed_state", |labels| labels.contains("fresh")) == 1.0
                    }),
                    // It is waited for; what stands stays.
                    "silent" => sleep(MILLI(300)),
                    _ => scene.eventually(what, |scene| fetched(scene) > before),
                }
                let listed = scene.ask("GET", "x-forwarded-for: 198.51.100.9\r\n", b"");
                assert_eq!(
                    listed.map(|answer| answer.status),
                    Some(200),
                    "{what}: one that is listed\n{}",
                    scene.log()
                );
                let other = scene.ask("GET", "x-forwarded-for: 192.0.2.9\r\n", b"");
                assert_eq!(other.map(|answer| answer.status), Some(403), "{what}: one that is not\n{}", scene.log());
                scene.refused("address", 1);
            }
        }
    })
}

/// Redis stands still, dies and comes back, several times; limits hold in this process meanwhile.
pub(crate) fn redis(name: &str) -> Option<Outcome> {
    let mut redis = Redis::new((Ipv4Addr::LOCALHOST, free_port()).into(), &std::env::temp_dir())?;
    let stage = Stage {
        victim: ", rate_limit: { reads: { per_second: 20, burst: 10 }, wait: 0s }".to_owned(),
        more: format!("rate_limit_store: {{ kind: redis, url: '{}' }}", redis.url()),
        ..Stage::default()
    };
    once(name, stage, |scene| {
        let shared = |scene: &Scene, value: f64| {
            scene.eventually("the store's state is seen", |scene| {
                Page::read(scene.shim.admin).sum("scimshim_rate_limit_store_available", |_| true) == value
            });
        };
        shared(scene, 1.0);
        let burst = |scene: &mut Scene| {
            sleep(MILLI(700));
            let mut over = 0;
            for _ in 0..60 {
                let answer = scene.ask("GET", "", b"").unwrap();
                assert!(matches!(answer.status, 200 | 429), "{answer:?}");
                over += usize::from(answer.status == 429);
            }
            assert!(over > 0, "nobody was over the rate");
            scene.refused("rate", over);
        };
        burst(scene);
        for round in 1..=3 {
            if round % 2 == 1 {
                redis.signal("STOP");
                shared(scene, 0.0);
                burst(scene);
                redis.signal("CONT");
            } else {
                redis.stop();
                shared(scene, 0.0);
                burst(scene);
                redis.run();
            }
            shared(scene, 1.0);
            burst(scene);
            assert_eq!(scene.since("scimshim_rate_limit_store_fallbacks_total", |_| true), f64::from(round));
        }
    })
}

/// The wall clock jumps by days and years, both ways; `libfaketime` tells the shim so.
pub(crate) fn clock(name: &str) -> Option<Outcome> {
    const DAY: i64 = 86_400;
    let library = ["x86_64", "aarch64"].map(|cpu| format!("/usr/lib/{cpu}-linux-gnu/faketime/libfaketimeMT.so.1"));
    let Some(library) = library.iter().find(|path| Path::new(path).exists()) else {
        return skip(name, "there is no libfaketime; apt-get install faketime");
    };
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs() as i64;
    let expires = humantime(now + DAY);
    let hash = HEXLOWER.encode(&Sha256::digest("secret"));
    let folder = std::env::temp_dir().join(format!("scimshim-faults-{}-time", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let file = folder.join("offset");
    // The file is replaced whole: half a number is another time.
    let jump = |seconds: i64| {
        fs::write(folder.join("next"), format!("{seconds:+}\n")).unwrap();
        fs::rename(folder.join("next"), &file).unwrap();
        sleep(MILLI(1200));
    };
    jump(0);
    let variables = vec![
        ("LD_PRELOAD", library.clone()),
        ("FAKETIME_TIMESTAMP_FILE", file.display().to_string()),
        ("FAKETIME_NO_CACHE", "1".to_owned()),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
    ];
    let stage = Stage {
        victim: format!(
            ", tokens: [{{ sha256: '{hash}', name: only, expires: '{expires}' }}], \
             rate_limit: {{ reads: {{ per_second: 1, burst: 3 }}, wait: 0s }}"
        ),
        more: "feeds: { cache_dir: '{folder}' }\nquarantine: { snapshot: 1s }".to_owned(),
        variables,
        ..Stage::default()
    };
    let outcome = once(name, stage, |scene| {
        const TOKEN: &str = "authorization: Bearer secret\r\n";
        let told = |scene: &mut Scene, status: u16, what: &str| {
            let answer = scene.ask("GET", TOKEN, b"");
            assert_eq!(answer.map(|answer| answer.status), Some(status), "{what}\n{}", scene.log());
            match status {
                401 => scene.refused("token", 1),
                429 => scene.refused("rate", 1),
                _ => {}
            }
        };
        for _ in 0..3 {
            told(scene, 200, "a burst");
        }
        // A year ahead would fill any bucket that counts by the wall clock; the token is good until tomorrow.
        jump(-366 * DAY);
        told(scene, 200, "one second later there is one turn");
        told(scene, 429, "and no second one");
        jump(2 * DAY);
        told(scene, 401, "the token has expired");
        jump(366 * DAY);
        told(scene, 401, "it has expired long ago");
        jump(0);
        sleep(MILLI(3000));
        for _ in 0..3 {
            told(scene, 200, "the clock is right again");
        }
        told(scene, 429, "the burst is what it was");
        jump(-20 * 366 * DAY);
        scene.eventually("the ledger is written", |scene| {
            Page::read(scene.shim.admin).sum("scimshim_ledger_writable", |_| true) == 1.0
        });
        // Another process finds a snapshot from its future.
        jump(366 * DAY);
        sleep(MILLI(1500));
        let other = Process::start(&scene.config, &[]);
        assert!(ask(other.admin, "GET", "/readyz").starts_with("HTTP/1.1 200"), "{}", other.log());
        assert!(ask(other.admin, "GET", "/api/status").starts_with("HTTP/1.1 200"), "{}", other.log());
        let (log, _) = other.stopped();
        assert!(!log.contains("panicked"), "{log}");
    });
    let _ = fs::remove_dir_all(&folder);
    outcome
}

/// A day as RFC 3339 has it, by `date`.
fn humantime(seconds: i64) -> String {
    let date = Command::new("date").args(["-u", "-d", &format!("@{seconds}"), "+%Y-%m-%dT%H:%M:%SZ"]).output().unwrap();
    String::from_utf8(date.stdout).unwrap().trim().to_owned()
}

/// What the name server says of the victim's app.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Says {
    Address,
    /// It does not exist.
    Nothing,
    /// The server failed.
    Failure,
    /// No answer at all.
    Silence,
}

/// A name server (RFC 1035) for `bystander.apps.test` and `victim.apps.test`.
fn name_server(address: SocketAddr) -> Option<Arc<Mutex<Says>>> {
    let socket = UdpSocket::bind(address).ok()?;
    let says = Arc::new(Mutex::new(Says::Address));
    let words = Arc::clone(&says);
    thread::spawn(move || {
        let mut query = [0; 512];
        while let Ok((length, from)) = socket.recv_from(&mut query) {
            let query = &query[..length];
            let says =
                if query.windows(6).any(|six| six == b"victim") { *words.lock().unwrap() } else { Says::Address };
            // The name, then type and class.
            let Some(end) = query[12..].iter().position(|byte| *byte == 0).map(|end| 12 + end + 5) else { continue };
            let is_v4 = query[end - 4..end - 2] == [0, 1];
            let (code, has) = match says {
                Says::Silence => continue,
                Says::Failure => (2, false),
                Says::Nothing => (3, false),
                Says::Address => (0, is_v4),
            };
            let mut answer = [&query[..2], &[0x84, code, 0, 1, 0, u8::from(has), 0, 0, 0, 0], &query[12..end]].concat();
            if has {
                // A pointer to the name, type and class, 0 s to live, the address.
                answer.extend_from_slice(&[0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, 127, 0, 0, 1]);
            }
            let _ = socket.send_to(&answer, from);
        }
    });
    Some(says)
}

/// The name of the victim's app fails in each way, and comes back; the bystander's is always there.
pub(crate) fn names(name: &str) -> Option<Outcome> {
    // Port 53 is not to be chosen, but the address is.
    let process = std::process::id();
    let address = Ipv4Addr::new(127, 53, (process >> 8) as u8, process as u8);
    let Some(says) = name_server((address, 53).into()) else {
        return skip(name, "port 53 cannot be bound; run it as root");
    };
    let folder = std::env::temp_dir().join(format!("scimshim-faults-{process}-names"));
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("resolv.conf"), format!("nameserver {address}\noptions timeout:2 attempts:1\n")).unwrap();
    // In a mount namespace of its own it has a resolv.conf of its own.
    let mount = format!("mount --bind {}/resolv.conf /etc/resolv.conf && exec \"$0\" \"$@\"", folder.display());
    let probe = Command::new("unshare").args(["-m", "sh", "-c", &mount, "true"]).output();
    if !probe.is_ok_and(|probe| probe.status.success()) {
        return skip(name, "there can be no mount namespace; run it as root");
    }
    let stage = Stage {
        upstream: "url: 'http://{tenant}.apps.test:{port}/{tenant}/scim/v2', hold: 1s".to_owned(),
        above: ["unshare", "-m", "sh", "-c", &mount].map(str::to_owned).to_vec(),
        limits: "idle_timeout: 20s, deadline: 6s, body_timeout: 5s, drain: 8s".to_owned(),
        ..Stage::default()
    };
    let outcome = once(name, stage, |scene| {
        let good = |scene: &mut Scene| {
            let answer = scene.ask("GET", "", b"");
            assert_eq!(answer.map(|answer| answer.status), Some(200), "{}", scene.log());
        };
        good(scene);
        for failing in [Says::Nothing, Says::Failure, Says::Silence] {
            // The connections that are there must be gone, or nobody asks for the name.
            sleep(MILLI(4500));
            *says.lock().unwrap() = failing;
            let answers = scene.ask_at_once(20);
            for (method, answer) in &answers {
                let answer = answer.as_ref().unwrap();
                assert_eq!(answer.status, 503, "{failing:?}, {method}: {answer:?}\n{}", scene.log());
                assert!(answer.header("retry-after").is_some() && answer.text().contains("nothing of this request"));
            }
            scene.refused("hold", answers.len());
            *says.lock().unwrap() = Says::Address;
            good(scene);
        }
    });
    let _ = fs::remove_dir_all(&folder);
    outcome
}

/// The app is away in between, as [`App`] cannot be: a port that nobody listens on.
pub(crate) fn no_app(name: &str) -> Option<Outcome> {
    let upstream = "url: 'http://127.0.0.{tenant}:{port}/bystander/scim/v2', hold: 1s".to_owned();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    // The bystander's app is at 127.0.0.1 alone.
    let app = App::start();
    relay(listener, app.address);
    let scene = Scene::at(name, Stage { upstream, names: ["1", "2"], ..Stage::default() }, app, port);
    let play = |scene: &mut Scene| {
        let answers = scene.ask_at_once(20);
        for (method, answer) in &answers {
            let answer = answer.as_ref().unwrap();
            assert_eq!(answer.status, 503, "{method}: {answer:?}");
            assert!(answer.header("retry-after").is_some());
        }
        scene.refused("hold", answers.len());
    };
    super::run(scene, play)
}

/// Hands connections on.
fn relay(listener: TcpListener, to: SocketAddr) {
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (Ok(near), Ok(far)) = (stream, std::net::TcpStream::connect(to)) else { continue };
            let (mut read, mut write) = (near.try_clone().unwrap(), far.try_clone().unwrap());
            thread::spawn(move || {
                let _ = std::io::copy(&mut read, &mut write);
                let _ = write.shutdown(std::net::Shutdown::Write);
            });
            let (mut read, mut write) = (far, near);
            thread::spawn(move || {
                let _ = std::io::copy(&mut read, &mut write);
                let _ = write.shutdown(std::net::Shutdown::Write);
            });
        }
    });
}
