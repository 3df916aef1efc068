//! What a pod asks of the shim: to drain, to read its configuration again, and whether it is ready.

use std::{
    fs,
    path::PathBuf,
    process,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use crate::{
    cli::{scimshim, stderr},
    harness::{App, Client, Process, Shim, ask, closed_port, configured, eventually},
};

const USERS: &str = "/scim/v2/Users";

/// A file that goes when it is dropped.
struct File(PathBuf);

impl File {
    fn new(text: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("scimshim-pod-{}-{number}.yaml", process::id()));
        fs::write(&path, text).unwrap();
        Self(path)
    }

    fn name(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[tokio::test]
async fn a_drain_makes_unready_and_goes_on_serving() {
    let app = App::json("{}").await;
    let mut shim = Shim::before(app.addr).await;
    let mut kept = Client::connect(shim.data).await;
    kept.request("GET", USERS, &[], b"").await;
    assert_eq!(kept.answer().await.header("connection"), "");
    for _ in 0..2 {
        assert_eq!(shim.order("/drain").await.status, 200);
    }
    let ready = ask(shim.admin, "GET", "/readyz?verbose", &[], "").await;
    assert_eq!((ready.status, ready.text().contains("[-] drain: stopping")), (503, true));
    assert_eq!(ask(shim.admin, "GET", "/livez", &[], "").await.status, 200);
    kept.request("GET", USERS, &[], b"").await;
    let said = kept.answer().await;
    assert_eq!((said.status, said.header("connection")), (200, "close"));
    assert!(kept.closed().await.is_empty());
    for _ in 0..3 {
        let said = shim.get(USERS).await;
        assert_eq!((said.status, said.header("connection")), (200, "close"));
    }
    shim.stop();
    shim.stopped().await;
}

#[tokio::test]
async fn orders_are_given_by_post_from_here_or_with_the_token() {
    let app = App::json("{}").await;
    let shim = Shim::start(configured(app.addr, "admin: { token: hunter2hunter2hunter2hunter2 }\n")).await;
    let drains = || async { ask(shim.admin, "GET", "/readyz", &[], "").await.status == 503 };
    let local = ("host", "localhost");
    // A page that somebody reads while a port is forwarded may hold a form for here; browsers say where it was.
    let form = ("sec-fetch-mode", "navigate");
    for (method, headers, status) in [
        ("GET", &[local][..], 405),
        ("PUT", &[local], 405),
        ("POST", &[local, ("origin", "https://evil.example")], 403),
        ("POST", &[local, ("origin", "null")], 403),
        ("POST", &[local, ("origin", "http://localhost.evil.example")], 403),
        ("POST", &[local, form, ("sec-fetch-site", "cross-site")], 403),
        ("POST", &[local, form, ("sec-fetch-site", "same-site")], 403),
        ("POST", &[local, ("sec-fetch-site", "cross-site")], 401),
        // A mesh proxy in the pod makes strangers look local.
        ("POST", &[local, ("x-forwarded-for", "203.0.113.1")], 401),
        ("POST", &[("host", "shim.example")], 401),
        ("POST", &[("host", "shim.example"), ("authorization", "Bearer another")], 401),
    ] {
        for path in ["/drain", "/reload"] {
            let said = ask(shim.admin, method, path, headers, "").await;
            assert_eq!(said.status, status, "{method} {path} {headers:?}: {}", said.text());
        }
    }
    assert!(!drains().await);
    // The case of a name says nothing.
    let page = [local, ("origin", "http://LOCALHOST")];
    assert_eq!(ask(shim.admin, "POST", "/reload", &page, "").await.status, 409);
    let elsewhere = [("x-forwarded-for", "203.0.113.1"), ("authorization", "Bearer hunter2hunter2hunter2hunter2")];
    assert_eq!(ask(shim.admin, "POST", "/drain", &elsewhere, "").await.status, 200);
    assert!(drains().await);
}

#[tokio::test]
async fn a_reload_that_is_asked_for_says_what_came_of_it() {
    let app = App::json("{}").await;
    let yaml = |more: &str| format!("upstream: {{ url: 'http://{}/scim/v2' }}\n{more}\n", app.addr);
    let file = File::new(&yaml(""));
    let shim = Shim::following(&file.0).await;
    let good = shim.order("/reload").await;
    assert_eq!((good.status, good.text().contains("is in force")), (200, true));
    fs::write(&file.0, yaml("journal: { entrys: 1 }\nlog: { level: loud }")).unwrap();
    let bad = shim.order("/reload").await;
    let text = bad.text();
    assert_eq!(bad.status, 422, "{text}");
    // Each with its line, and what is written instead.
    assert!(text.contains(":2:") && text.contains("entries") && text.contains(":3:"), "{text}");
    assert!(text.ends_with("what ran before stays in force\n"), "{text}");
    assert_eq!(shim.metric("scimshim_config_reload_success", &[]).await, 0.0);
    assert_eq!(shim.get(USERS).await.status, 200);
    fs::write(&file.0, yaml("normalize: { debug_headers: true }")).unwrap();
    assert_eq!(shim.order("/reload").await.status, 200);
    assert_eq!(shim.metric("scimshim_config_reload_success", &[]).await, 1.0);
    // What needs a restart is not called in force.
    fs::write(&file.0, yaml("threads: 3")).unwrap();
    let half = shim.order("/reload").await;
    assert!(half.text().contains("threads: changed, and in force only after a restart"), "{}", half.text());
    let none = Shim::before(app.addr).await;
    assert_eq!(none.order("/reload").await.status, 409);
}

#[test]
fn the_hooks_find_the_shim_by_its_configuration() {
    let token = "a-token-that-nobody-guesses-in-a-test";
    let secret = File::new(token);
    let config = |admin: u16, extra: &str| {
        format!(
            "upstream: {{ url: 'http://127.0.0.1:1/scim/v2' }}\nadmin: {{ address: '0.0.0.0:{admin}', loopback: false, \
             token: {{ file: '{}' }} }}\n{extra}",
            secret.name()
        )
    };
    let start = File::new(&config(1, ""));
    let shim = Process::start(&start.0, &[]);
    // What a bad reload left behind does not keep the pod from draining; nor does a port that waits for a restart.
    let moved = File::new(&config(1, ""));
    let here = shim.admin.to_string();
    let ready = scimshim(&["wait", moved.name(), "--admin", &here, "--timeout", "20s"], "");
    assert!(ready.status.success(), "{}", stderr(&ready));
    let file = File::new(&config(shim.admin.port(), "feeds: { office: { kind: nonsense } }\n"));
    let ready = scimshim(&["wait", file.name(), "--timeout", "20s"], "");
    assert!(ready.status.success(), "{}", stderr(&ready));
    let drained = scimshim(&["drain", file.name(), "--linger", "10ms"], "");
    assert!(drained.status.success(), "{}", stderr(&drained));
    let unready = scimshim(&["wait", file.name(), "--timeout", "100ms"], "");
    assert_eq!(unready.status.code(), Some(1));
    assert_eq!(stderr(&unready), "error: not ready after 100ms: drain: stopping\n");
    // Without the token it is nobody's business.
    let address = shim.admin.to_string();
    let refused = scimshim(&["drain", "--admin", &address], "");
    assert_eq!(refused.status.code(), Some(1));
    assert!(stderr(&refused).starts_with("error: it does not drain (401 Unauthorized)"), "{}", stderr(&refused));
    let (log, _) = shim.stopped();
    assert!(!log.contains(token));
}

#[test]
fn where_no_shim_is_the_hooks_say_so_and_how_to_name_it() {
    let nobody = closed_port().to_string();
    for args in [&["drain", "--admin", &nobody][..], &["wait", "--admin", &nobody, "--timeout", "50ms"]] {
        let output = scimshim(args, "");
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("no scimshim answers at") && said.contains("--admin"), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
    let odd =
        File::new("upstream: { url: 'http://127.0.0.1:1/s' }\nadmin: { adress: 1, token: { file: /nowhere/token } }\n");
    let said = stderr(&scimshim(&["drain", odd.name(), "--admin", &nobody], ""));
    assert!(said.contains("adress") && said.contains("admin.token: /nowhere/token"), "{said}");
    let missing = scimshim(&["drain", "/nowhere/config.yaml", "--admin", &nobody], "");
    assert!(stderr(&missing).contains("/nowhere/config.yaml"), "{}", stderr(&missing));
    for args in [&["drain", "--linger", "5"][..], &["wait", "--timeout", "soon"], &["drain", "--admin", "here"]] {
        assert_eq!(scimshim(args, "").status.code(), Some(2), "{args:?}");
    }
}

#[tokio::test]
async fn an_order_to_drain_before_the_signal_shortens_nothing() {
    let app = App::slow(Duration::from_millis(600)).await;
    let mut shim = Shim::before(app.addr).await;
    let data = shim.data;
    assert_eq!(shim.order("/drain").await.status, 200);
    let flying = tokio::spawn(async move { ask(data, "GET", USERS, &[], "").await });
    eventually("it is in the app", || async {
        !app.seen().is_empty() || shim.metric("scimshim_in_flight", &[]).await > 0.0
    })
    .await;
    shim.stop();
    assert_eq!(flying.await.unwrap().status, 200);
    shim.stopped().await;
}
