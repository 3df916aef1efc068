//! TLS on both sides, and files that change under it.

use std::{
    env,
    io::{self, Write as _},
    net::SocketAddr,
    path::Path,
    process::{Command, Output},
    sync::Arc,
    time::Duration,
};

use http::Version;
use rustls::{
    ClientConfig, ProtocolVersion,
    version::{TLS12, TLS13},
};
use scimshim::{config::Settings, quirk::TenantMode};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpSocket, TcpStream},
};

use crate::harness::{
    App, Authority, Client, Folder, Identity, Kept, NAME, SecureApp, Shim, ask, closed_port, eventually, plan, read,
    secure, upgrade,
};

const USERS: &str = "/scim/v2/Users";
const GET: &str = "GET /scim/v2/Users HTTP/1.1\r\nhost: scim.example.com\r\n\r\n";
const REFUSED: &str = "scimshim_connections_refused_total";
const RELOAD: &str = "scimshim_tls_reload_success";

/// A CA, its leaf for the shim, and where both are.
struct Port {
    folder: Folder,
    authority: Authority,
    identity: Identity,
}

impl Port {
    fn new() -> Self {
        let (folder, authority) = (Folder::new(), Authority::new());
        let identity = authority.leaf(NAME);
        folder.identity("", &identity);
        Self { folder, authority, identity }
    }

    fn settings(&self, app: SocketAddr, more: &str) -> Settings {
        let files = self.folder.as_ref().display();
        let tls = format!("certificate: {files}/tls.crt, private_key: {files}/tls.key{more}");
        read(&format!("upstream: {{ url: 'http://{app}/scim/v2' }}\nlisten: {{ tls: {{ {tls} }} }}\n")).unwrap()
    }

    fn client(&self, alpn: &[&str]) -> Arc<ClientConfig> {
        self.authority.client(&[&TLS13, &TLS12], alpn, None)
    }

    /// A connection that can be kept.
    async fn connect(&self, shim: &Shim) -> Kept {
        Kept::new(secure(shim.data, &self.client(&[])).await.unwrap()).await.unwrap()
    }

    async fn presents(&self, shim: &Shim, identity: &Identity) -> bool {
        let Ok(stream) = secure(shim.data, &self.client(&[])).await else { return false };
        stream.get_ref().1.peer_certificates().unwrap()[0] == identity.leaf()
    }
}

/// What the other side says before it closes, and whether it closed in order.
async fn rest(stream: &mut (impl tokio::io::AsyncRead + Unpin)) -> (Vec<u8>, io::Result<usize>) {
    let mut said = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(30), stream.read_to_end(&mut said)).await;
    (said, read.expect("the connection closes"))
}

/// Waits until the other side has closed, in whatever way.
async fn ended(stream: &mut TcpStream) {
    let _ = rest(stream).await;
}

/// Runs a program of the system; `None`, loudly, where it is missing or cannot do it.
fn outside(test: &str, program: &str, probe: &[&str], wanted: &str, args: &[&str]) -> Option<Output> {
    let can = Command::new(program).args(probe).output();
    let can = can.is_ok_and(|said| String::from_utf8_lossy(&[said.stdout, said.stderr].concat()).contains(wanted));
    if can {
        return Some(Command::new(program).args(args).stdin(std::process::Stdio::null()).output().unwrap());
    }
    let message = format!("{program} is missing or has no {wanted}");
    assert!(env::var("SCIMSHIM_REQUIRE").as_deref() != Ok("all"), "{test} must run, but {message}");
    let _ = writeln!(io::stderr(), "SKIPPED {test}: {message}");
    None
}

/// A connection that takes little before it is read from.
async fn narrow(addr: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    socket.connect(addr).await.unwrap()
}

/// How much can be written to such a connection.
async fn capacity() -> usize {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (_client, server) = tokio::join!(narrow(listener.local_addr().unwrap()), listener.accept());
    let (server, mut fits) = (server.unwrap().0, 0);
    server.writable().await.unwrap();
    while let Ok(written) = server.try_write(&[0; 16 << 10]) {
        fits += written;
    }
    fits
}

mod listen {
    use super::*;

    #[tokio::test]
    async fn both_versions_and_both_protocols_are_spoken() {
        let app = App::start(|seen| {
            let location = format!("http://{}/scim/v2/Users/1", seen.header("host"));
            let user = serde_json::json!({
                "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "id": "1", "userName": "a",
                "meta": { "resourceType": "User", "location": location },
            });
            let answer = http::Response::builder().header("content-type", "application/scim+json");
            answer.body(user.to_string().into()).unwrap()
        })
        .await;
        let port = Port::new();
        let shim = Shim::start(port.settings(app.addr, "")).await;
        for version in [&TLS12, &TLS13] {
            for (alpn, spoken) in
                [(&["h2", "http/1.1"][..], Some(&b"h2"[..])), (&["http/1.1"], Some(b"http/1.1")), (&[], None)]
            {
                let config = port.authority.client(&[version], alpn, None);
                let stream = secure(shim.data, &config).await.unwrap();
                let session = stream.get_ref().1;
                assert_eq!(session.alpn_protocol(), spoken);
                assert_eq!(session.protocol_version(), Some(version.version));
                let answer = Kept::new(stream).await.unwrap().get("/scim/v2/Users/1").await.unwrap();
                assert_eq!(answer.status(), 200);
                let body = String::from_utf8(answer.body().to_vec()).unwrap();
                assert!(body.contains(r#""https://scim.example.com/scim/v2/Users/1""#), "{body}");
                let seen = app.seen().pop().unwrap();
                assert_eq!(seen.header("x-forwarded-proto"), "https");
                assert_eq!(seen.header("forwarded"), r#"for=127.0.0.1;proto=https;host="scim.example.com""#);
            }
        }
        assert_eq!(app.seen().len(), 6);
        shim.counts(REFUSED, &[], 0.0).await;
    }

    #[tokio::test]
    async fn a_protocol_of_nobodys_is_refused() {
        let app = App::json("{}").await;
        let port = Port::new();
        let shim = Shim::start(port.settings(app.addr, "")).await;
        assert!(secure(shim.data, &port.client(&["smtp"])).await.is_err());
        shim.counts(REFUSED, &[("reason", "tls")], 1.0).await;
    }

    #[tokio::test]
    async fn the_lowest_version_is_kept() {
        let app = App::json("{}").await;
        let port = Port::new();
        let shim = Shim::start(port.settings(app.addr, ", min_version: '1.3'")).await;
        assert!(secure(shim.data, &port.authority.client(&[&TLS12], &[], None)).await.is_err());
        shim.counts(REFUSED, &[("reason", "tls")], 1.0).await;
        let stream = secure(shim.data, &port.client(&[])).await.unwrap();
        assert_eq!(stream.get_ref().1.protocol_version(), Some(ProtocolVersion::TLSv1_3));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn tls_1_1_is_not_offered() {
        let app = App::json("{}").await;
        let port = Port::new();
        let shim = Shim::start(port.settings(app.addr, "")).await;
        let at = shim.data.to_string();
        let name = "tls_1_1_is_not_offered";
        for (version, works) in [("-tls1_1", false), ("-tls1_2", true)] {
            let args = ["s_client", "-connect", &at, version, "-cipher", "ALL:@SECLEVEL=0"];
            let Some(said) = outside(name, "openssl", &["s_client", "-help"], "-tls1_1", &args) else { return };
            assert_eq!(said.status.success(), works, "{version}: {}", String::from_utf8_lossy(&said.stderr));
        }
        shim.counts(REFUSED, &[("reason", "tls")], 1.0).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn curl_is_content() {
        let app = App::json("{}").await;
        let port = Port::new();
        let ca = port.folder.write("ca.pem", &port.authority.pem()).display().to_string();
        let shim = Shim::start(port.settings(app.addr, "")).await;
        let url = format!("https://{NAME}:{}{USERS}", shim.data.port());
        let to = format!("{NAME}:{}:127.0.0.1", shim.data.port());
        for (version, wanted) in [("--http2", "2"), ("--http1.1", "1.1")] {
            let form = "%{http_version} %{http_code}";
            let args = ["-sS", version, "--cacert", &ca, "--resolve", &to, "-o", "/dev/null", "-w", form, &url];
            let Some(said) = outside("curl_is_content", "curl", &["--version"], "HTTP2", &args) else { return };
            let text = String::from_utf8_lossy(&said.stdout);
            assert_eq!(text, format!("{wanted} 200"), "{}", String::from_utf8_lossy(&said.stderr));
        }
        shim.counts(REFUSED, &[], 0.0).await;
    }

    #[tokio::test]
    async fn plain_http_is_told_in_order() {
        let app = App::json("{}").await;
        let port = Port::new();
        let shim = Shim::start(port.settings(app.addr, "")).await;
        for padding in [0, 20_000] {
            let mut stream = TcpStream::connect(shim.data).await.unwrap();
            let head = GET.replace("\r\n\r\n", &format!("\r\nx-a: {}\r\n\r\n", "a".repeat(padding)));
            stream.write_all(head.as_bytes()).await.unwrap();
            let (said, end) = rest(&mut stream).await;
            assert_eq!(said[..1], [21], "an alert: {said:?}");
            assert!(end.is_ok(), "a reset: {end:?}");
        }
        shim.counts(REFUSED, &[("reason", "tls")], 2.0).await;
        assert!(app.seen().is_empty());
    }

    #[tokio::test]
    async fn who_only_connects_is_not_counted() {
        let app = App::json("{}").await;
        let port = Port::new();
        let shim = Shim::start(port.settings(app.addr, "")).await;
        let mut stream = TcpStream::connect(shim.data).await.unwrap();
        stream.shutdown().await.unwrap();
        ended(&mut stream).await;
        let mut begun = TcpStream::connect(shim.data).await.unwrap();
        begun.write_all(&[22, 3, 1]).await.unwrap();
        begun.shutdown().await.unwrap();
        ended(&mut begun).await;
        shim.counts(REFUSED, &[("reason", "tls")], 1.0).await;
        shim.counts(REFUSED, &[], 1.0).await;
    }

    #[tokio::test]
    async fn with_a_client_ca_only_its_clients_come_in() {
        let app = App::json("{}").await;
        let (port, clients) = (Port::new(), Authority::new());
        let ca = port.folder.write("clients.pem", &clients.pem());
        let shim = Shim::start(port.settings(app.addr, &format!(", client_ca: {}", ca.display()))).await;
        let (ours, theirs) = (clients.leaf("idp"), port.authority.leaf("stranger"));
        let mut refused = 0.0;
        for version in [&TLS12, &TLS13] {
            for (identity, welcome) in [(Some(&ours), true), (Some(&theirs), false), (None, false)] {
                let config = port.authority.client(&[version], &[], identity);
                // In TLS 1.3 the client hears of it when it reads.
                let answered = async {
                    let mut kept = Kept::new(secure(shim.data, &config).await.ok()?).await.ok()?;
                    kept.get(USERS).await.ok()
                };
                assert_eq!(answered.await.is_some(), welcome);
                refused += f64::from(u8::from(!welcome));
                shim.counts(REFUSED, &[("reason", "tls")], refused).await;
            }
        }
        assert_eq!(app.seen().len(), 2);
    }

    #[tokio::test]
    async fn refusals_go_out_inside_tls() {
        let app = App::json("{}").await;
        let port = Port::new();
        let mut settings = port.settings(app.addr, "");
        settings.listen.limits.header_timeout = Duration::from_millis(300);
        let shim = Shim::start(settings).await;
        let smuggled = GET.replace("\r\n\r\n", "\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n");
        for (bytes, status) in [("GET / HTTP/1.1\r\nho", "408"), (&*smuggled, "400"), ("no http at all\r\n\r\n", "400")]
        {
            let mut stream = secure(shim.data, &port.client(&["http/1.1"])).await.unwrap();
            stream.write_all(bytes.as_bytes()).await.unwrap();
            let (said, end) = rest(&mut stream).await;
            let said = String::from_utf8(said).unwrap();
            assert!(said.starts_with(&format!("HTTP/1.1 {status}")), "{bytes}: {said}");
            assert!(said.contains("urn:ietf:params:scim:api:messages:2.0:Error"), "{said}");
            // rustls calls it an error when close_notify is missing.
            end.unwrap();
        }
        shim.counts("scimshim_refusals_total", &[("reason", "slow")], 1.0).await;
        shim.counts("scimshim_refusals_total", &[("reason", "malformed")], 2.0).await;
        shim.counts(REFUSED, &[], 0.0).await;
    }

    #[tokio::test]
    async fn an_idle_connection_is_ended_in_order() {
        let app = App::json("{}").await;
        let port = Port::new();
        let mut settings = port.settings(app.addr, "");
        settings.listen.limits.idle_timeout = Duration::from_millis(200);
        let shim = Shim::start(settings).await;
        let mut stream = secure(shim.data, &port.client(&[])).await.unwrap();
        stream.write_all(GET.as_bytes()).await.unwrap();
        let (said, end) = rest(&mut stream).await;
        assert!(said.starts_with(b"HTTP/1.1 200"));
        end.unwrap();
    }

    #[tokio::test]
    async fn a_large_body_comes_whole() {
        let app = App::start(|_| http::Response::new(vec![b'x'; 5 << 20].into())).await;
        let port = Port::new();
        let shim = Shim::start(port.settings(app.addr, "")).await;
        for alpn in ["http/1.1", "h2"] {
            let mut kept = Kept::new(secure(shim.data, &port.client(&[alpn])).await.unwrap()).await.unwrap();
            assert_eq!(kept.get(USERS).await.unwrap().body().len(), 5 << 20);
        }
    }

    #[tokio::test]
    async fn a_client_that_reads_nothing_is_let_go() {
        let app = App::start(|_| http::Response::new(vec![b'x'; 30 << 20].into())).await;
        let port = Port::new();
        let mut settings = port.settings(app.addr, "");
        settings.listen.limits.idle_timeout = Duration::from_millis(200);
        settings.listen.limits.connections = 1;
        let shim = Shim::start(settings).await;
        let mut stream = secure(shim.data, &port.client(&[])).await.unwrap();
        stream.write_all(GET.as_bytes()).await.unwrap();
        shim.counts("scimshim_clients_left_total", &[("when", "answer")], 1.0).await;
        shim.counts("scimshim_in_flight", &[], 0.0).await;
        // Its slot is free.
        assert!(secure(shim.data, &port.client(&[])).await.is_ok());
    }

    #[tokio::test]
    async fn an_answer_of_any_size_that_nobody_takes_gives_its_slot_back() {
        // Some fit into the sockets, some end in the 64 KiB that TLS keeps, some do not fit at all.
        const SIZES: usize = 64;
        let fits = capacity().await;
        let app = App::start(move |seen| {
            let number: usize = seen.target.rsplit('/').next().unwrap().parse().unwrap();
            http::Response::new(vec![b'x'; (fits + number * (16 << 10)).saturating_sub(512 << 10)].into())
        })
        .await;
        let port = Port::new();
        let mut settings = port.settings(app.addr, "");
        settings.listen.limits.idle_timeout = Duration::from_millis(300);
        settings.listen.limits.connections = SIZES;
        let shim = Shim::start(settings).await;
        let mut silent = Vec::new();
        for number in 0..SIZES {
            let mut stream = upgrade(narrow(shim.data).await, &port.client(&[])).await.unwrap();
            stream.write_all(GET.replace("/Users ", &format!("/Users/{number} ")).as_bytes()).await.unwrap();
            silent.push(stream);
        }
        shim.counts("scimshim_requests_total", &[], SIZES as f64).await;
        let mut next = Vec::new();
        for _ in 0..SIZES {
            next.push(secure(shim.data, &port.client(&[])).await.unwrap());
        }
        shim.counts("scimshim_in_flight", &[], 0.0).await;
    }

    #[tokio::test]
    async fn who_is_slow_in_the_handshake_gives_the_slot_back() {
        let app = App::json("{}").await;
        let port = Port::new();
        let mut settings = port.settings(app.addr, "");
        settings.listen.limits.connections = 1;
        settings.listen.limits.header_timeout = Duration::from_millis(300);
        let shim = Shim::start(settings).await;
        for begun in [&b""[..], &[22], &[22, 3, 1, 2, 0, 1, 0, 1, 0xfc]] {
            let mut stream = TcpStream::connect(shim.data).await.unwrap();
            stream.write_all(begun).await.unwrap();
            // Waits in the kernel until the first has gone.
            assert_eq!(port.connect(&shim).await.get(USERS).await.unwrap().status(), 200);
            ended(&mut stream).await;
        }
        shim.counts(REFUSED, &[("reason", "tls_slow")], 3.0).await;
        shim.counts(REFUSED, &[], 3.0).await;
    }

    #[tokio::test]
    async fn drops_that_come_in_time_do_not_make_a_handshake_fast() {
        let app = App::json("{}").await;
        let port = Port::new();
        let mut settings = port.settings(app.addr, "");
        settings.listen.limits.header_timeout = Duration::from_millis(300);
        let shim = Shim::start(settings).await;
        let mut stream = TcpStream::connect(shim.data).await.unwrap();
        stream.write_all(&[22, 3, 1, 2, 0, 1, 0, 1, 0xfc]).await.unwrap();
        let mut drops = 0;
        while drops < 400 && stream.write_all(&[0]).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
            drops += 1;
        }
        assert!(drops < 400, "it is still read");
        shim.counts(REFUSED, &[("reason", "tls_slow")], 1.0).await;
    }

    #[tokio::test]
    async fn many_at_once_are_served() {
        let app = App::json("{}").await;
        let port = Port::new();
        let shim = Shim::start(port.settings(app.addr, "")).await;
        let (data, config) = (shim.data, port.client(&["h2", "http/1.1"]));
        let mut callers = tokio::task::JoinSet::new();
        for _ in 0..64 {
            let config = Arc::clone(&config);
            callers.spawn(async move {
                let mut kept = Kept::new(secure(data, &config).await.unwrap()).await.unwrap();
                for _ in 0..3 {
                    assert_eq!(kept.get(USERS).await.unwrap().status(), 200);
                }
            });
        }
        while let Some(done) = callers.join_next().await {
            done.unwrap();
        }
        assert_eq!(app.seen().len(), 192);
        shim.counts(REFUSED, &[], 0.0).await;
    }
}

mod reload {
    use super::*;

    #[tokio::test]
    async fn new_files_are_for_new_connections() {
        let app = App::json("{}").await;
        let port = Port::new();
        let shim = Shim::start(port.settings(app.addr, "")).await;
        shim.counts(RELOAD, &[("side", "listen")], 1.0).await;
        let mut old = port.connect(&shim).await;
        assert_eq!(old.get(USERS).await.unwrap().status(), 200);
        assert!(port.presents(&shim, &port.identity).await);
        let next = port.authority.leaf(NAME);
        port.folder.identity("", &next);
        eventually("the new certificate", || port.presents(&shim, &next)).await;
        assert_eq!(old.get(USERS).await.unwrap().status(), 200);
        shim.counts(RELOAD, &[], 1.0).await;
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_mounted_secret_is_followed() {
        use std::os::unix::fs::symlink;
        let app = App::json("{}").await;
        let port = Port::new();
        let at = |name: &str| port.folder.path(name);
        let exchange = |version: &str| {
            symlink(version, at("..tmp")).unwrap();
            std::fs::rename(at("..tmp"), at("..data")).unwrap();
        };
        port.folder.identity("..1/", &port.identity);
        exchange("..1");
        for name in ["tls.crt", "tls.key"] {
            std::fs::remove_file(at(name)).unwrap();
            symlink(Path::new("..data").join(name), at(name)).unwrap();
        }
        let shim = Shim::start(port.settings(app.addr, "")).await;
        let mut old = port.connect(&shim).await;
        assert_eq!(old.get(USERS).await.unwrap().status(), 200);
        // Twice: the folder of the first is gone when the second comes.
        for version in ["..2", "..3"] {
            let next = port.authority.leaf(NAME);
            port.folder.identity(&format!("{version}/"), &next);
            let before = std::fs::read_link(at("..data")).unwrap();
            exchange(version);
            std::fs::remove_dir_all(at(before.to_str().unwrap())).unwrap();
            eventually("the new certificate", || port.presents(&shim, &next)).await;
        }
        assert_eq!(old.get(USERS).await.unwrap().status(), 200);
    }

    #[tokio::test]
    async fn bad_files_leave_the_old_in_force() {
        let app = App::json("{}").await;
        let port = Port::new();
        let shim = Shim::start(port.settings(app.addr, "")).await;
        let next = port.authority.leaf(NAME);
        for (name, text) in [("tls.crt", "no certificate"), ("tls.key", "no key"), ("tls.crt", &next.chain)] {
            port.folder.identity("", &port.identity);
            shim.counts(RELOAD, &[], 1.0).await;
            port.folder.write(name, text);
            shim.counts(RELOAD, &[], 0.0).await;
            assert!(port.presents(&shim, &port.identity).await);
        }
        std::fs::remove_file(port.folder.path("tls.key")).unwrap();
        assert!(port.presents(&shim, &port.identity).await);
        port.folder.identity("", &next);
        eventually("the new certificate", || port.presents(&shim, &next)).await;
        shim.counts(RELOAD, &[], 1.0).await;
    }

    #[tokio::test]
    async fn who_has_lost_its_ca_does_not_resume_either() {
        let app = App::json("{}").await;
        let (port, before, after) = (Port::new(), Authority::new(), Authority::new());
        let ca = port.folder.write("clients.pem", &before.pem());
        let shim = Shim::start(port.settings(app.addr, &format!(", client_ca: {}", ca.display()))).await;
        let config = |clients: &Authority| port.authority.client(&[&TLS13, &TLS12], &[], Some(&clients.leaf("idp")));
        let (lost, gained) = (config(&before), config(&after));
        let welcome = |config: Arc<ClientConfig>| async {
            let config = config;
            let mut kept = Kept::new(secure(shim.data, &config).await.ok()?).await.ok()?;
            kept.get(USERS).await.ok()
        };
        assert!(welcome(Arc::clone(&lost)).await.is_some());
        assert!(welcome(Arc::clone(&gained)).await.is_none());
        port.folder.write("clients.pem", &after.pem());
        eventually("the new CA", || async { welcome(Arc::clone(&gained)).await.is_some() }).await;
        // With the tickets of the first time.
        assert!(welcome(lost).await.is_none());
    }
}

mod stop {
    use super::*;

    #[tokio::test]
    async fn what_is_in_flight_is_answered_and_what_is_idle_is_closed() {
        for alpn in ["http/1.1", "h2"] {
            let app = App::slow(Duration::from_millis(700)).await;
            let port = Port::new();
            let mut shim = Shim::start(port.settings(app.addr, "")).await;
            let connect = async || Kept::new(secure(shim.data, &port.client(&[alpn])).await.unwrap()).await.unwrap();
            let (mut busy, mut idle) = (connect().await, connect().await);
            assert_eq!(idle.get(USERS).await.unwrap().status(), 200);
            let flying = tokio::spawn(async move {
                let answer = busy.get(USERS).await.unwrap();
                (answer, busy)
            });
            shim.counts("scimshim_in_flight", &[], 1.0).await;
            shim.stop();
            let (answer, busy) = flying.await.unwrap();
            assert_eq!(answer.status(), 200);
            if alpn == "http/1.1" {
                assert_eq!(answer.headers()["connection"], "close");
            }
            busy.closed().await;
            idle.closed().await;
            tokio::time::timeout(Duration::from_secs(10), shim.stopped()).await.expect("long before the drain ends");
        }
    }

    #[tokio::test]
    async fn a_connection_that_was_made_is_served() {
        let app = App::json("{}").await;
        let port = Port::new();
        let mut shim = Shim::start(port.settings(app.addr, "")).await;
        let tcp = TcpStream::connect(shim.data).await.unwrap();
        shim.stop();
        eventually("unready", || async { ask(shim.admin, "GET", "/readyz", &[], "").await.status == 503 }).await;
        let stream = upgrade(tcp, &port.client(&[])).await.unwrap();
        let answer = Kept::new(stream).await.unwrap().get(USERS).await.unwrap();
        assert_eq!((answer.status().as_u16(), &answer.headers()["connection"]), (200, &"close".parse().unwrap()));
        shim.stopped().await;
    }

    #[tokio::test]
    async fn a_handshake_that_stands_still_is_ended() {
        let app = App::json("{}").await;
        let port = Port::new();
        let mut shim = Shim::start(port.settings(app.addr, "")).await;
        let mut silent = TcpStream::connect(shim.data).await.unwrap();
        let mut begun = TcpStream::connect(shim.data).await.unwrap();
        begun.write_all(&[22, 3, 1]).await.unwrap();
        shim.stop();
        tokio::time::timeout(Duration::from_secs(12), shim.stopped()).await.expect("long before header_timeout");
        ended(&mut silent).await;
        ended(&mut begun).await;
    }
}

mod upstream {
    use super::*;

    /// Settings for an app that is called by TLS.
    fn to(app: SocketAddr, tls: &str, more: &str) -> Settings {
        let url = format!("https://{NAME}:{}/scim/v2", app.port());
        read(&format!("upstream: {{ url: '{url}', tls: {{ {tls} }}{more} }}\n")).unwrap()
    }

    struct Trust {
        folder: Folder,
        authority: Authority,
        ca: String,
    }

    impl Trust {
        fn new() -> Self {
            let (folder, authority) = (Folder::new(), Authority::new());
            let ca = format!("ca: {}", folder.write("ca.pem", &authority.pem()).display());
            Self { folder, authority, ca }
        }

        async fn app(&self, alpn: &[&str], mutual: bool) -> SecureApp {
            SecureApp::start(self.authority.server(&self.authority.leaf(NAME), alpn, mutual)).await
        }
    }

    #[tokio::test]
    async fn an_app_with_a_private_ca_is_called_by_its_name() {
        let trust = Trust::new();
        let app = trust.app(&[], false).await;
        let shim = Shim::start(to(app.addr, &trust.ca, "")).await;
        assert_eq!(shim.get(USERS).await.status, 200);
        assert_eq!(shim.get(USERS).await.status, 200);
        let seen = app.seen();
        assert_eq!((seen.len(), seen[0].version), (2, Version::HTTP_11));
        assert_eq!(seen[0].server_name.as_deref(), Some(NAME));
        assert!(seen[0].client.is_none());
        // One connection for both.
        shim.counts("scimshim_upstream_connections", &[], 1.0).await;
        shim.counts(RELOAD, &[("side", "upstream")], 1.0).await;
        let ready = ask(shim.admin, "GET", "/readyz?verbose", &[], "").await;
        assert!(ready.text().contains("[+] app"), "{}", ready.text());
    }

    #[tokio::test]
    async fn http2_is_spoken_where_both_want_it() {
        let trust = Trust::new();
        for (theirs, ours, spoken) in [
            (&["h2", "http/1.1"][..], true, Version::HTTP_2),
            (&["http/1.1"], true, Version::HTTP_11),
            (&[], true, Version::HTTP_11),
            (&["h2", "http/1.1"], false, Version::HTTP_11),
        ] {
            let app = trust.app(theirs, false).await;
            let shim = Shim::start(to(app.addr, &trust.ca, &format!(", http2: {ours}"))).await;
            for _ in 0..2 {
                let answer = ask(shim.data, "POST", USERS, &[("content-type", "application/scim+json")], "{}").await;
                assert_eq!(answer.status, 200, "{}", answer.text());
            }
            assert!(app.seen().iter().all(|asked| asked.version == spoken), "{theirs:?} {ours}");
            assert_eq!(app.seen().len(), 2);
        }
    }

    /// A refusal that no waiting mends.
    async fn refused_at_once(shim: &Shim, says: &str) {
        let answer = ask(shim.data, "POST", USERS, &[("content-type", "application/scim+json")], "{}").await;
        shim.refused("upstream", &answer, 502).await;
        assert!(answer.text().contains(says), "{}", answer.text());
        shim.counts("scimshim_upstream_connections", &[], 0.0).await;
        assert_eq!(shim.metric("scimshim_requests_total", &[("code", "502")]).await, 1.0);
    }

    #[tokio::test]
    async fn a_certificate_of_another_name_is_not_accepted() {
        let trust = Trust::new();
        let app = SecureApp::start(trust.authority.server(&trust.authority.leaf("other.example"), &[], false)).await;
        let shim = Shim::start(to(app.addr, &trust.ca, "")).await;
        refused_at_once(&shim, "certificate was not accepted").await;
        assert!(app.seen().is_empty());
    }

    #[tokio::test]
    async fn a_certificate_of_another_ca_is_not_accepted() {
        let (trust, other) = (Trust::new(), Trust::new());
        let app = other.app(&[], false).await;
        let shim = Shim::start(to(app.addr, &trust.ca, "")).await;
        refused_at_once(&shim, "certificate was not accepted").await;
        assert!(app.seen().is_empty());
    }

    #[tokio::test]
    async fn an_app_without_tls_is_said_to_be_one() {
        let trust = Trust::new();
        let app = App::json("{}").await;
        let shim = Shim::start(to(app.addr, &trust.ca, "")).await;
        refused_at_once(&shim, "does not speak TLS").await;
        assert!(app.seen().is_empty());
    }

    #[tokio::test]
    async fn an_app_that_wants_a_certificate_gets_it() {
        let trust = Trust::new();
        let app = trust.app(&[], true).await;
        let shim = Shim::start(to(app.addr, &trust.ca, "")).await;
        let answer = ask(shim.data, "POST", USERS, &[("content-type", "application/scim+json")], "{}").await;
        shim.refused("upstream", &answer, 502).await;
        assert!(answer.text().contains("did not accept the TLS certificate"), "{}", answer.text());
        assert!(app.seen().is_empty());

        let identity = trust.authority.leaf("scimshim");
        trust.folder.identity("", &identity);
        let files = trust.folder.as_ref().display();
        let own = format!("{}, client_certificate: {files}/tls.crt, client_private_key: {files}/tls.key", trust.ca);
        let shim = Shim::start(to(app.addr, &own, "")).await;
        assert_eq!(shim.get(USERS).await.status, 200);
        assert_eq!(app.seen()[0].client, Some(identity.leaf()));
    }

    #[tokio::test]
    async fn an_app_that_restarts_is_waited_for() {
        let trust = Trust::new();
        let config = trust.authority.server(&trust.authority.leaf(NAME), &[], false);
        let addr = closed_port();
        let shim = Shim::start(to(addr, &trust.ca, "")).await;
        let data = shim.data;
        let held =
            tokio::spawn(
                async move { ask(data, "POST", USERS, &[("content-type", "application/scim+json")], "{}").await },
            );
        shim.counts("scimshim_held", &[], 1.0).await;
        // At first it loses connections in their handshake.
        let app = SecureApp::on(TcpListener::bind(addr).await.unwrap(), config, 3);
        assert_eq!(held.await.unwrap().status, 200);
        assert_eq!(app.seen().len(), 1);
        shim.counts("scimshim_held", &[], 0.0).await;
    }

    #[tokio::test]
    async fn an_app_that_hangs_in_the_handshake_is_given_up() {
        let trust = Trust::new();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut settings = to(listener.local_addr().unwrap(), &trust.ca, "");
        settings.upstream.connect_timeout = Duration::from_millis(100);
        settings.upstream.hold = Duration::from_millis(500);
        let shim = Shim::start(settings).await;
        let answer = ask(shim.data, "POST", USERS, &[("content-type", "application/scim+json")], "{}").await;
        shim.refused("hold", &answer, 503).await;
        assert!(!answer.header("retry-after").is_empty());
    }

    #[tokio::test]
    async fn an_answer_to_half_a_body_is_the_answer() {
        const SAID: &[u8] = b"HTTP/1.1 401 Unauthorized\r\nwww-authenticate: Bearer\r\ncontent-length: 0\r\n\r\n";
        let trust = Trust::new();
        let config = trust.authority.server(&trust.authority.leaf(NAME), &[], false);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        tokio::spawn(async move {
            loop {
                let (tcp, _) = listener.accept().await.unwrap();
                // Or the answer waits behind the session tickets, and the reset overtakes it.
                tcp.set_nodelay(true).unwrap();
                let mut stream = tokio_rustls::TlsAcceptor::from(Arc::clone(&config)).accept(tcp).await.unwrap();
                stream.read_exact(&mut [0; 64]).await.unwrap();
                stream.write_all(SAID).await.unwrap();
                stream.flush().await.unwrap();
            }
        });
        let body = format!("{{\"x\":\"{}\"}}", "y".repeat(900 << 10));
        for mode in [TenantMode::Rewrite, TenantMode::Off] {
            let mut settings = to(addr, &trust.ca, "");
            plan(&mut settings).mode = mode;
            let shim = Shim::start(settings).await;
            for _ in 0..20 {
                let said = ask(shim.data, "POST", USERS, &[("content-type", "application/scim+json")], &body).await;
                assert_eq!((said.status, said.header("www-authenticate")), (401, "Bearer"), "{}", said.text());
            }
        }
    }

    #[tokio::test]
    async fn a_new_ca_is_for_new_connections() {
        let (trust, next) = (Trust::new(), Authority::new());
        let app = SecureApp::start(next.server(&next.leaf(NAME), &[], false)).await;
        let shim = Shim::start(to(app.addr, &trust.ca, "")).await;
        assert_eq!(shim.get(USERS).await.status, 502);
        trust.folder.write("ca.pem", "nothing");
        shim.counts(RELOAD, &[("side", "upstream")], 0.0).await;
        trust.folder.write("ca.pem", &next.pem());
        eventually("the new CA", || async { shim.get(USERS).await.status == 200 }).await;
        shim.counts(RELOAD, &[("side", "upstream")], 1.0).await;
    }

    #[tokio::test]
    async fn both_sides_may_be_tls() {
        let (port, trust) = (Port::new(), Trust::new());
        let app = trust.app(&["h2"], false).await;
        let mut settings = to(app.addr, &trust.ca, ", http2: true");
        settings.listen.tls = port.settings(app.addr, "").listen.tls;
        let shim = Shim::start(settings).await;
        let config = port.client(&["h2"]);
        let mut kept = Kept::new(secure(shim.data, &config).await.unwrap()).await.unwrap();
        assert_eq!(kept.ask("POST", USERS, "{}").await.unwrap().status(), 200);
        assert_eq!(app.seen()[0].version, Version::HTTP_2);
        // Plain HTTP on the port for TLS is none.
        let mut plain = Client::connect(shim.data).await;
        plain.say(GET).await;
        assert_eq!(plain.closed().await.first(), Some(&21));
    }
}

/// The program itself, which has no provider of cryptography but its own.
#[cfg(unix)]
mod process {
    use std::process::{Child, Stdio};

    use super::*;

    struct Served(Child);

    impl Drop for Served {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    fn serve(config: &Path, data: SocketAddr, roots: &Path) -> Served {
        let child = Command::new(env!("CARGO_BIN_EXE_scimshim"))
            .arg("serve")
            .arg(config)
            .args(["--listen", &data.to_string(), "--admin", "127.0.0.1:0"])
            .env("SSL_CERT_FILE", roots)
            .env_remove("SSL_CERT_DIR")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn();
        Served(child.unwrap())
    }

    #[tokio::test]
    async fn the_roots_of_the_platform_are_believed_and_sigterm_ends_it_in_order() {
        let (port, theirs) = (Port::new(), Authority::new());
        let app = SecureApp::start(theirs.server(&theirs.leaf(NAME), &[], false)).await;
        let roots = port.folder.write("roots.pem", &theirs.pem());
        let config = port.folder.write(
            "config.yaml",
            &format!(
                "upstream: {{ url: 'https://{NAME}:{}/scim/v2' }}\n\
                 listen: {{ tls: {{ certificate: tls.crt, private_key: tls.key }} }}\n",
                app.addr.port()
            ),
        );
        let data = closed_port();
        let mut served = serve(&config, data, &roots);
        eventually("it listens", || async { TcpStream::connect(data).await.is_ok() }).await;
        let mut kept = Vec::new();
        for alpn in ["http/1.1", "h2"] {
            let mut one = Kept::new(secure(data, &port.client(&[alpn])).await.unwrap()).await.unwrap();
            assert_eq!(one.get(USERS).await.unwrap().status(), 200);
            kept.push(one);
        }
        let silent = TcpStream::connect(data).await.unwrap();
        let kill = Command::new("kill").args(["-TERM", &served.0.id().to_string()]).status().unwrap();
        assert!(kill.success());
        for one in kept {
            one.closed().await;
        }
        let ended = tokio::task::spawn_blocking(move || served.0.wait().unwrap());
        assert_eq!(ended.await.unwrap().code(), Some(0));
        drop(silent);
    }

    #[tokio::test]
    async fn without_roots_it_does_not_start_and_says_what_to_do() {
        let port = Port::new();
        let config = port.folder.write("config.yaml", "upstream: { url: 'https://localhost:1/scim/v2' }\n");
        let roots = port.folder.write("roots.pem", "");
        let mut served = serve(&config, closed_port(), &roots);
        let mut stderr = served.0.stderr.take().unwrap();
        let said = tokio::task::spawn_blocking(move || {
            let mut said = String::new();
            io::Read::read_to_string(&mut stderr, &mut said).map(|_| said).unwrap()
        });
        let said = said.await.unwrap();
        assert!(said.contains("no root certificates") && said.contains("install ca-certificates"), "{said}");
        assert!(!served.0.wait().unwrap().success());
    }
}
