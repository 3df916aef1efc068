//! The configuration, changed while it runs: all of it or nothing, and what is remembered stays.

use std::{
    fs,
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicU32, Ordering},
};

use crate::harness::{App, Client, Shim, ask, eventually};

/// A folder that goes when it is dropped.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("scimshim-reload-{}-{number}", process::id()));
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, text).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn yaml(app: &App, tenants: &str) -> String {
    format!(
        "upstream: {{ url: 'http://{}/scim/v2' }}\ntenants:\n  resolve: [{{ path: '/{{tenant}}' }}]\n  {tenants}\n",
        app.addr
    )
}

async fn status(shim: &Shim, tenant: &str) -> u16 {
    ask(shim.data, "GET", &format!("/{tenant}/scim/v2/Users/1"), &[], "").await.status
}

async fn becomes(shim: &Shim, tenant: &str, wanted: u16) {
    eventually(&format!("{tenant} gets {wanted}"), || async { status(shim, tenant).await == wanted }).await;
}

#[tokio::test]
async fn a_changed_file_is_in_force_without_a_restart() {
    let (app, folder) = (App::json("{}").await, Folder::new());
    let path = folder.write("config.yaml", &yaml(&app, "list: { acme: {} }"));
    let shim = Shim::following(&path).await;
    let mut kept = Client::connect(shim.data).await;
    kept.request("GET", "/acme/scim/v2/Users/1", &[], b"").await;
    assert_eq!(kept.answer().await.status, 200);
    assert_eq!(status(&shim, "globex").await, 404);
    let before = shim.metric("scimshim_config_last_reload_timestamp_seconds", &[]).await;
    folder.write("config.yaml", &yaml(&app, "list: { globex: {} }"));
    becomes(&shim, "globex", 200).await;
    assert_eq!(status(&shim, "acme").await, 404);
    // The connection is the same, the settings are not.
    kept.request("GET", "/globex/scim/v2/Users/1", &[], b"").await;
    assert_eq!(kept.answer().await.status, 200);
    assert_eq!(shim.metric("scimshim_config_reload_success", &[]).await, 1.0);
    assert!(shim.metric("scimshim_config_last_reload_timestamp_seconds", &[]).await >= before);
}

#[tokio::test]
async fn a_wrong_tenant_keeps_all_tenants_as_they_were() {
    let (app, folder) = (App::json("{}").await, Folder::new());
    let path = folder.write("config.yaml", &yaml(&app, "list: { acme: {}, globex: {} }"));
    let shim = Shim::following(&path).await;
    for wrong in [
        "list: { acme: { idp: azure }, initech: {} }",
        "list: { initech: { tokens: [{ sha256: hunter2 }] } }",
        "list: { initech: {}, Bad: {} }",
        "list: [",
    ] {
        folder.write("config.yaml", &yaml(&app, wrong));
        shim.counts("scimshim_config_reload_success", &[], 0.0).await;
        for (tenant, wanted) in [("acme", 200), ("globex", 200), ("initech", 404)] {
            assert_eq!(status(&shim, tenant).await, wanted, "{wrong} {tenant}");
        }
        folder.write("config.yaml", &yaml(&app, "list: { acme: {}, globex: {} }"));
        shim.counts("scimshim_config_reload_success", &[], 1.0).await;
    }
    fs::remove_file(&path).unwrap();
    shim.counts("scimshim_config_reload_success", &[], 0.0).await;
    assert_eq!(status(&shim, "acme").await, 200);
}

#[tokio::test]
async fn buckets_and_requests_in_flight_survive() {
    let (app, folder) = (App::json("{}").await, Folder::new());
    let limits = "defaults: { rate_limit: { reads: { per_second: 0.001, burst: 3 }, wait: 0s } }";
    let path = folder.write("config.yaml", &yaml(&app, &format!("list: {{ acme: {{}} }}\n  {limits}")));
    let shim = Shim::following(&path).await;
    assert_eq!((status(&shim, "acme").await, status(&shim, "acme").await), (200, 200));
    folder.write("config.yaml", &yaml(&app, &format!("list: {{ acme: {{ idp: entra }}, globex: {{}} }}\n  {limits}")));
    becomes(&shim, "globex", 200).await;
    assert_eq!((status(&shim, "acme").await, status(&shim, "acme").await), (200, 429), "the bucket was filled anew");
    shim.counts("scimshim_in_flight", &[], 0.0).await;
}

#[cfg(unix)]
#[test]
fn a_hangup_without_a_file_ends_nothing() {
    use std::{net::TcpStream, process::Command, thread::sleep, time::Duration};
    let [data, admin] = [(); 2].map(|()| crate::harness::free_port());
    let mut shim = Command::new(env!("CARGO_BIN_EXE_scimshim"))
        .args(["serve", "--upstream", "http://127.0.0.1:1/scim/v2"])
        .args(["--listen", &format!("127.0.0.1:{data}"), "--admin", &format!("127.0.0.1:{admin}")])
        .stderr(process::Stdio::null())
        .spawn()
        .unwrap();
    let listens = || {
        (0..500).any(|_| {
            TcpStream::connect(("127.0.0.1", data)).is_ok() || {
                sleep(Duration::from_millis(20));
                false
            }
        })
    };
    let started = listens();
    let hung_up =
        Command::new("kill").args(["-HUP", &shim.id().to_string()]).status().is_ok_and(|status| status.success());
    sleep(Duration::from_millis(300));
    let ended = shim.try_wait().unwrap();
    let _ = shim.kill();
    let _ = shim.wait();
    assert!(started && hung_up && ended.is_none(), "{started} {hung_up} {ended:?}");
}

#[tokio::test]
async fn a_secret_in_a_file_is_read_again() {
    let (app, folder) = (App::json("{}").await, Folder::new());
    let secret = folder.write("app", "Bearer one\n");
    let hash = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"; // of `test`
    let tenants = format!(
        "list: {{ acme: {{ tokens: [{{ sha256: '{hash}' }}], upstream_authorization: {{ file: '{}' }} }} }}",
        secret.display()
    );
    let path = folder.write("config.yaml", &yaml(&app, &tenants));
    let shim = Shim::following(&path).await;
    let asked = async || {
        ask(shim.data, "GET", "/acme/scim/v2/Users", &[("authorization", "Bearer test")], "").await;
        app.seen().pop().unwrap().header("authorization").to_owned()
    };
    assert_eq!(asked().await, "Bearer one");
    folder.write("app", "Bearer two\n");
    eventually("the new secret is used", || async { asked().await == "Bearer two" }).await;
}

#[tokio::test]
async fn metrics_show_the_tokens_that_are_in_force() {
    let (app, folder) = (App::json("{}").await, Folder::new());
    let test = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"; // of `test`
    let other = "1".repeat(64);
    let path = folder.write(
        "config.yaml",
        &yaml(
            &app,
            &format!(
                "list: {{ acme: {{ tokens: [{{ sha256: '{other}', name: old, expires: 2020-01-01T00:00:00Z }}, \
                 {{ sha256: '{test}', name: now }}] }} }}"
            ),
        ),
    );
    let shim = Shim::following(&path).await;
    let headers = [("authorization", "Bearer test")];
    assert_eq!(ask(shim.data, "GET", "/acme/scim/v2/Users", &headers, "").await.status, 200);
    let (expiry, used) = ("scimshim_token_expiry_timestamp_seconds", "scimshim_token_last_used_timestamp_seconds");
    assert_eq!(shim.metric(expiry, &[("token", "old")]).await, 1_577_836_800.0);
    let last = shim.metric(used, &[("token", "now")]).await;
    assert!(last > 1e9);
    // `old` goes, `now` becomes another token, and the one that was `now` has another name.
    folder.write(
        "config.yaml",
        &yaml(
            &app,
            &format!("list: {{ acme: {{ tokens: [{{ sha256: '{other}', name: now }}, {{ sha256: '{test}', name: next }}] }}, b: {{}} }}"),
        ),
    );
    becomes(&shim, "b", 200).await;
    assert_eq!(shim.metric(used, &[("token", "next")]).await, last);
    assert_eq!(shim.metric(used, &[("token", "now")]).await, 0.0);
    let page = ask(shim.admin, "GET", "/metrics", &[], "").await.text();
    assert!(!page.contains("token=\"old\"") && !page.contains(&format!("{expiry}{{")), "{page}");
}

/// What the kubelet does with a ConfigMap.
#[cfg(unix)]
#[tokio::test]
async fn a_config_map_that_is_exchanged_is_seen() {
    use std::os::unix::fs::symlink;
    let (app, folder) = (App::json("{}").await, Folder::new());
    let version = |name: &str, tenant: &str| {
        fs::create_dir(folder.0.join(name)).unwrap();
        folder.write(&format!("{name}/config.yaml"), &yaml(&app, &format!("list: {{ {tenant}: {{}} }}")));
    };
    version("..1", "acme");
    symlink("..1", folder.0.join("..data")).unwrap();
    symlink(Path::new("..data/config.yaml"), folder.0.join("config.yaml")).unwrap();
    let shim = Shim::following(&folder.0.join("config.yaml")).await;
    assert_eq!(status(&shim, "acme").await, 200);
    version("..2", "globex");
    symlink("..2", folder.0.join("..data_tmp")).unwrap();
    fs::rename(folder.0.join("..data_tmp"), folder.0.join("..data")).unwrap();
    becomes(&shim, "globex", 200).await;
    assert_eq!(status(&shim, "acme").await, 404);
}
