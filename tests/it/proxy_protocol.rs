//! The PROXY protocol: who must say it, who may not, and what is believed.

use std::{net::SocketAddr, time::Duration};

use rustls::version::TLS13;
use scimshim::config::Settings;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
};

use crate::harness::{App, Authority, Client, Folder, Kept, NAME, Shim, configured, upgrade};

const USERS: &str = "/scim/v2/Users";
const GET: &str = "GET /scim/v2/Users HTTP/1.1\r\nhost: scim.example.com\r\n\r\n";
const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
const REFUSED: &str = "scimshim_connections_refused_total";

/// Loopback 127.0.0.1 is a trusted proxy, the other addresses of loopback are strangers.
fn trusting(app: SocketAddr, more: &str) -> Settings {
    configured(
        app,
        &format!("listen: {{ proxy_protocol: true, client_address: {{ trusted_proxies: [127.0.0.1/32] }}{more} }}"),
    )
}

async fn started() -> (App, Shim) {
    let app = App::json("{}").await;
    let shim = Shim::start(trusting(app.addr, "")).await;
    (app, shim)
}

/// Version 2 with this command, family and protocol.
fn v2(command: u8, family: u8, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len()).unwrap().to_be_bytes();
    [SIGNATURE, &[0x20 | command, family], &length, payload].concat()
}

fn v4(address: [u8; 4]) -> Vec<u8> {
    [&address[..], &[192, 0, 2, 99, 0x1f, 0x90, 0, 80]].concat()
}

/// A connection from an address that is not trusted.
async fn stranger(shim: &Shim) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.2:0".parse().unwrap()).unwrap();
    socket.connect(shim.data).await.unwrap()
}

/// What the other side says before it closes, and whether it closed in order.
async fn rest(stream: &mut TcpStream) -> (Vec<u8>, bool) {
    let mut said = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(30), stream.read_to_end(&mut said)).await;
    (said, read.expect("the connection closes").is_ok())
}

#[tokio::test]
async fn the_app_hears_whom_the_proxy_names() {
    let (app, shim) = started().await;
    let v6 = [&[0x20, 1, 0xd, 0xb8][..], &[0; 11], &[7], &[0; 16], &[0, 9, 0, 80]].concat();
    let mapped = [&[0; 10][..], &[0xff, 0xff, 198, 51, 100, 3], &[0; 16], &[0, 9, 0, 80]].concat();
    // PP2_TYPE_UNIQUE_ID, PP2_TYPE_NOOP, and one of nobody's.
    let tlvs = [&v4([198, 51, 100, 4])[..], &[5, 0, 2, 1, 2], &[4, 0, 0], &[0xee, 0, 1, 9]].concat();
    let cases: [(Vec<u8>, &str); 10] = [
        (b"PROXY TCP4 198.51.100.1 192.0.2.99 5 80\r\n".to_vec(), "198.51.100.1"),
        (b"PROXY TCP6 2001:db8::5 2001:db8::6 5 80\r\n".to_vec(), "2001:db8::5"),
        (b"PROXY UNKNOWN\r\n".to_vec(), ""),
        (v2(1, 0x11, &v4([198, 51, 100, 2])), "198.51.100.2"),
        (v2(1, 0x11, &tlvs), "198.51.100.4"),
        (v2(1, 0x21, &v6), "2001:db8::7"),
        (v2(1, 0x21, &mapped), "198.51.100.3"),
        (v2(1, 0x00, b""), ""),
        (v2(1, 0x31, &[b'/'; 216]), ""),
        (v2(0, 0x11, &v4([198, 51, 100, 9])), "127.0.0.1"),
    ];
    for (header, caller) in cases {
        let mut client = Client::connect(shim.data).await;
        // In one packet with the request.
        client.say([&header, GET.as_bytes()].concat()).await;
        assert_eq!(client.answer().await.status, 200, "{header:?}");
        let seen = app.seen().pop().unwrap();
        assert_eq!(seen.header("x-forwarded-for"), caller, "{header:?}");
        let node = match caller {
            "" => "for=unknown;".to_owned(),
            v6 if v6.contains(':') => format!("for=\"[{v6}]\";"),
            v4 => format!("for={v4};"),
        };
        assert!(seen.header("forwarded").starts_with(&node), "{}", seen.header("forwarded"));
        // The connection goes on as any other, and is of the same caller.
        client.say(GET).await;
        assert_eq!(client.answer().await.status, 200);
        assert_eq!(app.seen().pop().unwrap().header("x-forwarded-for"), caller);
    }
    assert_eq!(app.seen().len(), 20);
    shim.counts(REFUSED, &[], 0.0).await;
}

#[tokio::test]
async fn a_header_may_come_byte_by_byte() {
    let (app, shim) = started().await;
    for header in [b"PROXY TCP4 198.51.100.1 192.0.2.99 5 80\r\n".to_vec(), v2(1, 0x11, &v4([198, 51, 100, 1]))] {
        let mut stream = TcpStream::connect(shim.data).await.unwrap();
        stream.set_nodelay(true).unwrap();
        for byte in &header {
            stream.write_all(&[*byte]).await.unwrap();
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        stream.write_all(GET.replace("\r\n\r\n", "\r\nconnection: close\r\n\r\n").as_bytes()).await.unwrap();
        let (said, _) = rest(&mut stream).await;
        assert!(said.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&said));
        assert_eq!(app.seen().pop().unwrap().header("x-forwarded-for"), "198.51.100.1");
    }
    shim.counts(REFUSED, &[], 0.0).await;
}

#[tokio::test]
async fn a_trusted_proxy_that_says_nothing_of_it_is_refused() {
    let (app, shim) = started().await;
    let long = [&b"PROXY UNKNOWN "[..], &[b'a'; 200]].concat();
    let huge = [SIGNATURE, &[0x21, 0x11, 0xff, 0xff]].concat();
    let short = v2(1, 0x11, &v4([1, 2, 3, 4])[..11]);
    let cases: [&[u8]; 9] = [
        GET.as_bytes(),
        b"\x16\x03\x01\x02\x00\x01",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"PROXY TCP4 300.0.0.1 192.0.2.99 5 80\r\n",
        b"PROXY TCP4 198.51.100.1 192.0.2.99 5 80\n",
        b"proxy UNKNOWN\r\n",
        &long,
        &huge,
        &short,
    ];
    for (number, bytes) in cases.into_iter().enumerate() {
        let mut stream = TcpStream::connect(shim.data).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        assert!(rest(&mut stream).await.0.is_empty(), "{bytes:?}");
        shim.counts(REFUSED, &[("reason", "proxy_protocol")], (number + 1) as f64).await;
    }
    // It ends in the middle.
    let mut stream = TcpStream::connect(shim.data).await.unwrap();
    stream.write_all(b"PROXY TCP4 ").await.unwrap();
    stream.shutdown().await.unwrap();
    assert!(rest(&mut stream).await.0.is_empty());
    shim.counts(REFUSED, &[("reason", "proxy_protocol")], (cases.len() + 1) as f64).await;
    shim.counts(REFUSED, &[], (cases.len() + 1) as f64).await;
    assert!(app.seen().is_empty());
}

#[tokio::test]
async fn who_only_connects_is_not_counted() {
    let (_app, shim) = started().await;
    for _ in 0..3 {
        let mut stream = TcpStream::connect(shim.data).await.unwrap();
        stream.shutdown().await.unwrap();
        assert!(rest(&mut stream).await.0.is_empty());
    }
    shim.counts(REFUSED, &[], 0.0).await;
}

#[tokio::test]
async fn a_stranger_speaks_for_itself_and_for_nobody_else() {
    let (app, shim) = started().await;
    let mut stream = stranger(&shim).await;
    let close = GET.replace("\r\n\r\n", "\r\nconnection: close\r\n\r\n");
    stream.write_all(close.as_bytes()).await.unwrap();
    assert!(rest(&mut stream).await.0.starts_with(b"HTTP/1.1 200"));
    assert_eq!(app.only().header("x-forwarded-for"), "127.0.0.2");
    for header in [b"PROXY TCP4 198.51.100.1 192.0.2.99 5 80\r\n".to_vec(), v2(1, 0x11, &v4([198, 51, 100, 1]))] {
        let mut stream = stranger(&shim).await;
        stream.write_all(&[&header, GET.as_bytes()].concat()).await.unwrap();
        let (said, _) = rest(&mut stream).await;
        assert!(said.starts_with(b"HTTP/1.1 400"), "{}", String::from_utf8_lossy(&said));
    }
    app.only();
    shim.counts(REFUSED, &[], 0.0).await;
    shim.counts("scimshim_refusals_total", &[("reason", "malformed")], 2.0).await;
}

#[tokio::test]
async fn without_the_setting_nobody_is_asked() {
    let app = App::json("{}").await;
    let yaml = "listen: { client_address: { trusted_proxies: [127.0.0.1/32] } }";
    let shim = Shim::start(configured(app.addr, yaml)).await;
    assert_eq!(shim.get(USERS).await.status, 200);
    let mut client = Client::connect(shim.data).await;
    client.say(format!("PROXY TCP4 198.51.100.1 192.0.2.99 5 80\r\n{GET}")).await;
    assert_eq!(client.answer().await.status, 400);
    app.only();
}

#[tokio::test]
async fn who_is_slow_gives_the_slot_back() {
    let app = App::json("{}").await;
    let mut settings = trusting(app.addr, "");
    settings.listen.limits.connections = 1;
    settings.listen.limits.header_timeout = Duration::from_millis(200);
    let shim = Shim::start(settings).await;
    for begun in [&b""[..], b"PROXY TC", &SIGNATURE[..5]] {
        let mut stream = TcpStream::connect(shim.data).await.unwrap();
        stream.write_all(begun).await.unwrap();
        // Waits in the kernel until the first has gone.
        let mut next = Client::connect(shim.data).await;
        next.say(format!("PROXY UNKNOWN\r\n{GET}")).await;
        assert_eq!(next.answer().await.status, 200);
        assert!(rest(&mut stream).await.0.is_empty());
    }
    shim.counts(REFUSED, &[("reason", "proxy_protocol_slow")], 3.0).await;
    shim.counts(REFUSED, &[], 3.0).await;
}

#[tokio::test]
async fn tls_begins_behind_the_header() {
    let (folder, authority) = (Folder::new(), Authority::new());
    folder.identity("", &authority.leaf(NAME));
    let app = App::json("{}").await;
    let files = folder.as_ref().display();
    let tls = format!(", tls: {{ certificate: {files}/tls.crt, private_key: {files}/tls.key }}");
    let shim = Shim::start(trusting(app.addr, &tls)).await;
    let config = authority.client(&[&TLS13], &["h2"], None);
    for header in [b"PROXY TCP4 198.51.100.1 192.0.2.99 5 80\r\n".to_vec(), v2(1, 0x11, &v4([198, 51, 100, 1]))] {
        let mut tcp = TcpStream::connect(shim.data).await.unwrap();
        tcp.write_all(&header).await.unwrap();
        let mut client = Kept::new(upgrade(tcp, &config).await.unwrap()).await.unwrap();
        assert_eq!(client.get(USERS).await.unwrap().status(), 200);
        let seen = app.seen().pop().unwrap();
        assert_eq!((seen.header("x-forwarded-for"), seen.header("x-forwarded-proto")), ("198.51.100.1", "https"));
    }
    // TLS without the header, and the header inside TLS.
    let tcp = TcpStream::connect(shim.data).await.unwrap();
    assert!(upgrade(tcp, &config).await.is_err());
    shim.counts(REFUSED, &[("reason", "proxy_protocol")], 1.0).await;
    shim.counts(REFUSED, &[], 1.0).await;
    assert_eq!(app.seen().len(), 2);
}

#[tokio::test]
async fn many_callers_are_not_mixed_up() {
    let app = App::start(|seen| {
        let body = format!("{{\"caller\":\"{}\"}}", seen.header("x-forwarded-for"));
        http::Response::builder().header("content-type", "application/json").body(body.into()).unwrap()
    })
    .await;
    let shim = Shim::start(trusting(app.addr, "")).await;
    let data = shim.data;
    let mut callers = tokio::task::JoinSet::new();
    for number in 0..=255 {
        callers.spawn(async move {
            let mut client = Client::connect(data).await;
            let header = match number % 2 {
                0 => v2(1, 0x11, &v4([203, 0, 113, number])),
                _ => format!("PROXY TCP4 203.0.113.{number} 192.0.2.99 5 80\r\n").into_bytes(),
            };
            let half = header.len() / 2;
            client.say(&header[..half]).await;
            tokio::task::yield_now().await;
            client.say([&header[half..], GET.as_bytes()].concat()).await;
            let text = client.answer().await.text();
            assert!(text.contains(&format!("\"203.0.113.{number}\"")), "{number}: {text}");
        });
    }
    while let Some(done) = callers.join_next().await {
        done.unwrap();
    }
    shim.counts(REFUSED, &[], 0.0).await;
}

#[tokio::test]
async fn a_stop_ends_a_connection_without_its_header() {
    let (_app, mut shim) = started().await;
    let mut stream = TcpStream::connect(shim.data).await.unwrap();
    stream.write_all(b"PROXY ").await.unwrap();
    shim.stop();
    tokio::time::timeout(Duration::from_secs(10), shim.stopped()).await.expect("long before header_timeout");
    assert!(rest(&mut stream).await.0.is_empty());
}
