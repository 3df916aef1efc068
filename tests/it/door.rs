//! What goes through, what is held, what is answered instead.

use std::{
    io::Write,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use http::{HeaderValue, Request, Response, Version};
use scimshim::{
    config::settings::{Outside, Readiness},
    quirk::{Idp, Mode, TenantMode},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use crate::harness::{
    Act, App, Client, Frame, Raw, RawH2, Seen, Shim, ask, closed_port, defaults, eventually, http2, plan, settings,
};

const USERS: &str = "/scim/v2/Users";
const JSON: (&str, &str) = ("content-type", "application/scim+json");

/// A compliant user, with numbers, escapes, order and whitespace that a parse and a print would lose.
const ODD: &str = "{ \"schemas\" : [\"urn:ietf:params:scim:schemas:core:2.0:User\"],\r\n\t\"userName\":\"a\\u00e9\",\n \
                   \"x\": 1.10, \"big\": 9007199254740993 }";

/// The same as the app has it.
const KEPT: &str = "{ \"schemas\" : [\"urn:ietf:params:scim:schemas:core:2.0:User\"],\r\n\t\"userName\":\"a\\u00e9\",\n \
                    \"x\": 1.10, \"big\": 9007199254740993, \"id\" : \"2819\", \"active\":true, \"meta\": {\
                    \"resourceType\":\"User\",\"created\":\"2020-01-01T00:00:00Z\",\"lastModified\":\"2020-01-01T00:00:00Z\",\
                    \"location\":\"http://scim.example.com/scim/v2/Users/2819\"} }";

/// A compliant PATCH of the same kind.
const PATCH: &str = "{\"schemas\": [\"urn:ietf:params:scim:api:messages:2.0:PatchOp\"],\n\"Operations\":[ {\
                     \"op\":\"replace\", \"path\":\"x\",\t\"value\": 1.10} ]}";

const USER: &str = "/scim/v2/Users/2819";

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

fn answer(status: u16, headers: &[(&'static str, &'static str)], body: impl Into<Bytes>) -> Response<Bytes> {
    let mut answer = Response::builder().status(status);
    for (name, value) in headers {
        answer = answer.header(*name, *value);
    }
    answer.body(body.into()).unwrap()
}

fn is_closed(said: &[u8]) -> bool {
    said.is_empty()
}

mod through {
    use super::*;

    #[tokio::test]
    async fn bytes_are_the_same_both_ways() {
        let app = App::start(|seen| {
            let place = ("location", "http://scim.example.com/scim/v2/Users/2819");
            let status = if seen.method == "POST" { 201 } else { 200 };
            answer(status, &[JSON, place], KEPT)
        })
        .await;
        let shim = Shim::before(app.addr).await;
        for (method, target, sent) in [
            ("POST", USERS, ODD),
            ("PUT", USER, ODD),
            ("PATCH", "/scim/v2/Users/2819?attributes=x&y=%20eq%20%22a%2Fb%22", PATCH),
            ("GET", USER, ""),
        ] {
            let said = ask(shim.data, method, target, &[JSON], sent).await;
            assert_eq!(said.text(), KEPT, "{method}");
            assert_eq!(said.status, if method == "POST" { 201 } else { 200 });
            assert_eq!(said.header("content-length"), KEPT.len().to_string());
            let seen = app.seen().pop().unwrap();
            assert_eq!((seen.method.as_str(), seen.target.as_str()), (method, target));
            assert_eq!(seen.body, sent);
            assert_eq!(seen.header("content-type"), JSON.1);
        }
        shim.counts("scimshim_requests_total", &[("resource", "Users"), ("code", "200")], 3.0).await;
        shim.counts("scimshim_fixes_total", &[("mode", "fix")], 0.0).await;
        shim.counts("scimshim_in_flight", &[], 0.0).await;
        assert_eq!(shim.metric("scimshim_upstream_request_duration_seconds_count", &[]).await, 4.0);
    }

    #[tokio::test]
    async fn the_head_says_who_called() {
        let app = App::json("{}").await;
        let shim = Shim::before(app.addr).await;
        let sent = [
            ("authorization", "Bearer secret"),
            ("connection", "keep-alive, x-private"),
            ("x-private", "1"),
            ("te", "trailers"),
            ("accept-encoding", "gzip, br"),
            ("x-forwarded-for", "6.6.6.6"),
            ("forwarded", "for=6.6.6.6"),
            ("x-request-id", "abc-1"),
            ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
            ("user-agent", ""),
            ("x-kept", "a"),
            ("x-kept", "b"),
        ];
        let said = ask(shim.data, "GET", USERS, &sent, "").await;
        assert_eq!(said.header("x-request-id"), "abc-1");
        let seen = app.only();
        assert_eq!(seen.header("host"), app.addr.to_string());
        assert_eq!(seen.header("authorization"), "Bearer secret");
        assert_eq!(seen.header("x-forwarded-for"), "127.0.0.1");
        assert_eq!(seen.header("x-forwarded-proto"), "http");
        assert_eq!(seen.header("x-forwarded-host"), "scim.example.com");
        assert_eq!(seen.header("forwarded"), "for=127.0.0.1;proto=http;host=\"scim.example.com\"");
        assert_eq!(seen.header("x-request-id"), "abc-1");
        assert_eq!(seen.header("traceparent"), sent[8].1);
        assert_eq!(seen.header("user-agent"), concat!("scimshim/", env!("CARGO_PKG_VERSION")));
        assert_eq!(seen.headers.get_all("x-kept").iter().collect::<Vec<_>>(), ["a", "b"]);
        for gone in ["connection", "x-private", "te", "accept-encoding", "content-length", "transfer-encoding"] {
            assert!(!seen.headers.contains_key(gone), "{gone}: {:?}", seen.headers);
        }
    }

    #[tokio::test]
    async fn what_contradicts_the_head_ends_here() {
        let app = App::json("{}").await;
        let shim = Shim::before(app.addr).await;
        let sent = [
            ("x_forwarded_for", "6.6.6.6"),
            ("x_forwarded_proto", "https"),
            ("x-real-ip", "6.6.6.6"),
            ("x-forwarded-port", "443"),
            ("x-forwarded-prefix", "/admin"),
            ("x_kept", "1"),
        ];
        assert_eq!(ask(shim.data, "GET", USERS, &sent, "").await.status, 200);
        let seen = app.only();
        assert_eq!((seen.header("x-forwarded-for"), seen.header("x_kept")), ("127.0.0.1", "1"));
        for (gone, _) in &sent[..5] {
            assert!(!seen.headers.contains_key(*gone), "{gone}: {:?}", seen.headers);
        }
    }

    #[tokio::test]
    async fn cookies_of_http2_are_one_field_for_the_app() {
        let app = App::json("{}").await;
        let shim = Shim::before(app.addr).await;
        let request = Request::get(format!("http://a{USERS}")).header("cookie", "a=1").header("cookie", "b=2");
        assert_eq!(http2(shim.data, request.body("").unwrap()).await.status(), 200);
        assert_eq!(app.only().headers.get_all("cookie").iter().collect::<Vec<_>>(), ["a=1; b=2"]);
    }

    #[tokio::test]
    async fn a_request_without_an_id_gets_one() {
        let app = App::json("{}").await;
        let shim = Shim::before(app.addr).await;
        let said = ask(shim.data, "GET", USERS, &[("x-request-id", "two words"), ("user-agent", "me/1")], "").await;
        let id = said.header("x-request-id");
        assert_eq!(id.len(), 32);
        assert_eq!(app.only().header("x-request-id"), id);
        assert_eq!(app.only().header("user-agent"), "me/1");
    }

    #[tokio::test]
    async fn hop_by_hop_fields_of_the_answer_end_here() {
        let head = &[("connection", "x-hop"), ("x-hop", "1"), ("keep-alive", "timeout=1"), ("etag", "W/\"1\"")];
        let app = App::start(move |_| answer(200, head, "{}")).await;
        let shim = Shim::before(app.addr).await;
        let said = shim.get(USERS).await;
        assert_eq!(said.header("etag"), "W/\"1\"");
        assert_eq!((said.header("x-hop"), said.header("keep-alive"), said.header("connection")), ("", "", ""));
    }

    #[tokio::test]
    async fn answers_without_a_body_have_none() {
        let app = App::start(|seen| match seen.method.as_str() {
            "HEAD" => answer(200, &[("content-length", "1234")], ""),
            "DELETE" => answer(204, &[], ""),
            _ => answer(304, &[("etag", "\"1\"")], ""),
        })
        .await;
        let shim = Shim::before(app.addr).await;
        let mut client = Client::connect(shim.data).await;
        for (method, status, length) in [("HEAD", 200, "1234"), ("DELETE", 204, ""), ("GET", 304, "")] {
            client.request(method, USERS, &[], b"").await;
            let said = client.answer_to(method).await;
            assert_eq!((said.status, said.header("content-length")), (status, length), "{method}");
        }
        shim.counts("scimshim_requests_total", &[], 3.0).await;
        shim.counts("scimshim_clients_left_total", &[], 0.0).await;
    }

    #[tokio::test]
    async fn http2_on_both_sides() {
        let app = App::json(KEPT).await;
        let mut settings = settings(app.addr);
        settings.upstream.http2 = true;
        let shim = Shim::start(settings).await;
        let request = Request::put(format!("http://scim.example.com{USER}")).header(JSON.0, JSON.1).body(ODD).unwrap();
        let said = http2(shim.data, request).await;
        assert_eq!((said.status().as_u16(), said.body()), (200, &Bytes::from(KEPT)));
        let seen = app.only();
        assert_eq!((seen.version, seen.body), (Version::HTTP_2, Bytes::from(ODD)));
        assert_eq!(seen.headers["x-forwarded-host"], "scim.example.com");
        let said = ask(shim.data, "PUT", "/scim/v2/Users/1", &[JSON], ODD).await;
        assert_eq!(said.status, 200);
    }

    #[tokio::test]
    async fn an_absolute_target_is_a_target() {
        let app = App::json("{}").await;
        let shim = Shim::before(app.addr).await;
        let said = ask(shim.data, "GET", "http://other.example/scim/v2/Users?x=1", &[], "").await;
        assert_eq!(said.status, 200);
        assert_eq!(app.only().target, "/scim/v2/Users?x=1");
        assert_eq!(app.only().header("x-forwarded-host"), "other.example");
    }

    #[tokio::test]
    async fn the_base_paths_may_differ_and_be_the_root() {
        let app = App::json("{}").await;
        let mut settings = settings(app.addr);
        settings.listen.base_path = String::new();
        let shim = Shim::start(settings).await;
        assert_eq!(shim.get("/Users/1?x").await.status, 200);
        assert_eq!(app.only().target, "/scim/v2/Users/1?x");
    }

    #[tokio::test]
    async fn a_connection_is_kept_and_pipelined_requests_are_answered_in_order() {
        let app = App::start(|seen| answer(200, &[], seen.target.clone())).await;
        let shim = Shim::before(app.addr).await;
        let mut client = Client::connect(shim.data).await;
        for path in ["/scim/v2/Users/1", "/scim/v2/Users/2", "/scim/v2/Users/3"] {
            client.request("GET", path, &[], b"").await;
        }
        for path in ["/scim/v2/Users/1", "/scim/v2/Users/2", "/scim/v2/Users/3"] {
            assert_eq!(client.answer().await.text(), path);
        }
        assert_eq!(shim.metric("scimshim_upstream_connections", &[]).await, 1.0);
    }

    #[tokio::test]
    async fn the_content_type_for_the_app_is_applied_to_bodies_only() {
        let app = App::json("{}").await;
        let mut settings = settings(app.addr);
        settings.upstream.content_type = Some(HeaderValue::from_static("application/json"));
        let shim = Shim::start(settings).await;
        ask(shim.data, "POST", USERS, &[JSON], "{}").await;
        shim.get(USERS).await;
        let seen = app.seen();
        assert_eq!(seen[0].header("content-type"), "application/json");
        assert_eq!(seen[1].header("content-type"), "");
    }

    #[tokio::test]
    async fn gzip_goes_on_as_it_came() {
        let (asked, kept) = (gzip(ODD.as_bytes()), gzip(KEPT.as_bytes()));
        let body = Bytes::from(kept.clone());
        let app = App::start(move |_| answer(200, &[JSON, ("content-encoding", "gzip")], body.clone())).await;
        let shim = Shim::before(app.addr).await;
        let said = ask(shim.data, "PUT", USER, &[JSON, ("content-encoding", "gzip")], &asked).await;
        assert_eq!((said.status, said.header("content-encoding")), (200, "gzip"));
        assert_eq!(said.body, kept);
        let seen = app.only();
        assert_eq!((seen.header("content-encoding"), &seen.body[..]), ("gzip", &asked[..]));
        shim.counts("scimshim_unread_total", &[], 0.0).await;
    }

    #[tokio::test]
    async fn codings_that_cannot_be_read_are_refused_or_in_observe_counted() {
        let app = App::json("{}").await;
        let shim = Shim::before(app.addr).await;
        let foreign = [JSON, ("content-encoding", "br")];
        let said = ask(shim.data, "POST", USERS, &foreign, "xx").await;
        shim.refused("encoding", &said, 415).await;
        let said = ask(shim.data, "POST", USERS, &[JSON, ("content-encoding", "gzip")], "xx").await;
        shim.refused("malformed", &said, 400).await;
        let bomb = gzip(&[b' '; 2 << 20]);
        let said = ask(shim.data, "POST", USERS, &[JSON, ("content-encoding", "gzip")], &bomb).await;
        shim.refused("too_large", &said, 413).await;
        assert!(app.seen().is_empty());

        let mut settings = settings(app.addr);
        plan(&mut settings).mode = TenantMode::Observe;
        let shim = Shim::start(settings).await;
        assert_eq!(ask(shim.data, "POST", USERS, &foreign, "xx").await.status, 200);
        assert_eq!(app.only().body, "xx");
        shim.counts("scimshim_unread_total", &[("direction", "request"), ("reason", "encoding")], 1.0).await;
    }

    #[tokio::test]
    async fn an_answer_that_cannot_be_unpacked_goes_on_and_is_counted() {
        let app = App::start(|_| answer(200, &[("content-encoding", "br")], "xx")).await;
        let shim = Shim::before(app.addr).await;
        let said = shim.get(USERS).await;
        assert_eq!((said.header("content-encoding"), said.text().as_str()), ("br", "xx"));
        shim.counts("scimshim_unread_total", &[("direction", "response"), ("reason", "encoding")], 1.0).await;
    }

    #[tokio::test]
    async fn an_answer_over_32_mib_is_streamed_and_counted() {
        const SIZE: usize = (32 << 20) + 1;
        let app = App::start(|_| answer(200, &[], vec![b'x'; SIZE])).await;
        let shim = Shim::before(app.addr).await;
        let said = shim.get(USERS).await;
        assert_eq!((said.status, said.body.len()), (200, SIZE));
        shim.counts("scimshim_unread_total", &[("direction", "response"), ("reason", "too_large")], 1.0).await;
        shim.counts("scimshim_clients_left_total", &[], 0.0).await;
    }

    #[tokio::test]
    async fn large_bodies_go_another_way_to_the_same_end() {
        let padding = " ".repeat(600 << 10);
        let large = |body: &str| body.replacen(' ', &padding, 1);
        let (sent, kept) = (large(ODD), large(KEPT));
        let body = Bytes::from(kept.clone());
        let app = App::start(move |_| answer(200, &[JSON], body.clone())).await;
        let shim = Shim::before(app.addr).await;
        let said = ask(shim.data, "PUT", USER, &[JSON], &sent).await;
        assert!(said.text() == kept);
        assert!(app.only().body == sent);
    }

    #[tokio::test]
    async fn mode_off_streams_and_still_bounds() {
        let app = App::json(ODD).await;
        let mut settings = settings(app.addr);
        plan(&mut settings).mode = TenantMode::Off;
        let shim = Shim::start(settings).await;
        let sent = [JSON, ("content-encoding", "br"), ("transfer-encoding", "chunked")];
        let mut client = Client::connect(shim.data).await;
        client.request("POST", USERS, &sent, b"").await;
        client.say("3\r\n{\"a\r\n2\r\n\":\r\n0\r\n\r\n").await;
        assert_eq!(client.answer().await.text(), ODD);
        let seen = app.seen().pop().unwrap();
        assert_eq!((seen.body.as_ref(), seen.header("transfer-encoding")), (&b"{\"a\":"[..], "chunked"));
        let said = ask(shim.data, "POST", USERS, &[], vec![b'x'; (1 << 20) + 1]).await;
        shim.refused("too_large", &said, 413).await;
    }
}

mod app_away {
    use super::*;

    fn quick(app: std::net::SocketAddr) -> scimshim::config::Settings {
        let mut settings = settings(app);
        settings.upstream.hold = Duration::from_millis(300);
        settings
    }

    #[tokio::test]
    async fn requests_wait_for_an_app_that_starts_late() {
        let addr = closed_port();
        let shim = Shim::before(addr).await;
        let data = shim.data;
        let post = tokio::spawn(async move { ask(data, "POST", USERS, &[JSON], ODD).await });
        let get = tokio::spawn(async move { ask(data, "GET", USERS, &[], "").await });
        shim.counts("scimshim_held", &[("tenant", "default")], 2.0).await;
        let listener = TcpListener::bind(addr).await.unwrap();
        let app = App::on(listener, |_| (Duration::ZERO, answer(201, &[], "{}")));
        assert_eq!((post.await.unwrap().status, get.await.unwrap().status), (201, 201));
        let seen = app.seen();
        assert_eq!(seen.len(), 2, "{seen:?}");
        assert!(seen.iter().any(|seen| seen.body == ODD));
        shim.counts("scimshim_held", &[], 0.0).await;
        assert_eq!(shim.metric("scimshim_retries_total", &[]).await, 0.0);
    }

    #[tokio::test]
    async fn a_streamed_body_is_held_too() {
        let addr = closed_port();
        let mut settings = settings(addr);
        plan(&mut settings).mode = TenantMode::Off;
        let shim = Shim::start(settings).await;
        let data = shim.data;
        let post = tokio::spawn(async move { ask(data, "POST", USERS, &[JSON], ODD).await });
        shim.counts("scimshim_held", &[], 1.0).await;
        let app = App::on(TcpListener::bind(addr).await.unwrap(), |_| (Duration::ZERO, answer(201, &[], "{}")));
        assert_eq!(post.await.unwrap().status, 201);
        assert_eq!(app.only().body, ODD);
    }

    #[tokio::test]
    async fn a_hold_that_the_deadline_ends_is_a_hold() {
        for (hold, deadline) in [(20, 1), (1, 1)] {
            let mut settings = settings(closed_port());
            settings.upstream.hold = Duration::from_secs(hold);
            settings.listen.limits.deadline = Duration::from_secs(deadline);
            let shim = Shim::start(settings).await;
            let said = ask(shim.data, "POST", USERS, &[JSON], ODD).await;
            shim.refused("hold", &said, 503).await;
            assert!(said.text().contains("nothing of this request was given to it"), "{}", said.text());
        }
    }

    #[tokio::test]
    async fn when_the_hold_ends_the_idp_is_told_when_to_come_again() {
        let shim = Shim::start(quick(closed_port())).await;
        let said = ask(shim.data, "POST", USERS, &[JSON], "{}").await;
        let wait: u64 = said.header("retry-after").parse().unwrap();
        assert!((30..=600).contains(&wait));
        shim.refused("hold", &said, 503).await;
        shim.counts("scimshim_held", &[], 0.0).await;
    }

    #[tokio::test]
    async fn over_max_held_nobody_waits() {
        let mut settings = settings(closed_port());
        settings.upstream.max_held = 1;
        let shim = Shim::start(settings).await;
        let mut first = Client::connect(shim.data).await;
        first.request("GET", USERS, &[], b"").await;
        shim.counts("scimshim_held", &[], 1.0).await;
        let said = shim.get(USERS).await;
        assert!(!said.header("retry-after").is_empty());
        shim.refused("hold", &said, 503).await;
    }

    #[tokio::test]
    async fn a_write_is_not_sent_twice() {
        for act in [&[Act::SayAndClose(b"")], &[Act::Reset], &[Act::SayAndClose(b"HTTP/1.1 20")]] {
            let app = Raw::start(act).await;
            let shim = Shim::before(app.addr).await;
            for method in ["POST", "PUT", "PATCH", "DELETE"] {
                let said = ask(shim.data, method, "/scim/v2/Users/1", &[JSON], "{}").await;
                assert_eq!(said.status, 502, "{method}: {}", said.text());
            }
            assert_eq!(app.heads().len(), 4, "{:?}", app.heads());
            shim.counts("scimshim_refusals_total", &[("reason", "upstream")], 4.0).await;
            assert_eq!(shim.metric("scimshim_retries_total", &[]).await, 0.0);
        }
    }

    #[tokio::test]
    async fn a_write_on_a_connection_that_dies_under_it_is_not_sent_twice() {
        const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";
        let app = Raw::start(&[Act::Say(OK), Act::Reset, Act::Say(OK)]).await;
        let shim = Shim::before(app.addr).await;
        assert_eq!(shim.get(USERS).await.status, 200);
        assert_eq!(ask(shim.data, "POST", USERS, &[JSON], "{}").await.status, 502);
        assert_eq!(app.heads().len(), 2);
    }

    #[tokio::test]
    async fn a_read_is_sent_again() {
        let app = Raw::start(&[
            Act::SayAndClose(b""),
            Act::Reset,
            Act::SayAndClose(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"),
        ])
        .await;
        let shim = Shim::before(app.addr).await;
        assert_eq!(shim.get(USERS).await.status, 200);
        assert_eq!(app.heads().len(), 3);
        shim.counts("scimshim_retries_total", &[], 2.0).await;
    }

    #[tokio::test]
    async fn retries_end() {
        let app = Raw::start(&[Act::SayAndClose(b"")]).await;
        let shim = Shim::before(app.addr).await;
        let said = shim.get(USERS).await;
        shim.refused("upstream", &said, 502).await;
        assert_eq!(app.heads().len(), 3);
    }

    #[tokio::test]
    async fn an_app_that_does_not_answer_meets_the_deadline() {
        let app = Raw::start(&[Act::Hang]).await;
        let mut settings = settings(app.addr);
        settings.listen.limits.deadline = Duration::from_millis(300);
        let shim = Shim::start(settings).await;
        let said = ask(shim.data, "POST", USERS, &[JSON], "{}").await;
        assert!(said.text().contains("unknown"), "{}", said.text());
        shim.refused("deadline", &said, 504).await;
        assert_eq!(app.heads().len(), 1);
    }

    #[tokio::test]
    async fn an_answer_that_stops_meets_the_deadline_too() {
        let app = Raw::start(&[Act::Say(b"HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\n{")]).await;
        let mut settings = settings(app.addr);
        settings.listen.limits.deadline = Duration::from_millis(300);
        let shim = Shim::start(settings).await;
        let said = shim.get(USERS).await;
        shim.refused("deadline", &said, 504).await;
        let own = shim.metric("scimshim_overhead_seconds_sum", &[]).await;
        assert!(own < 0.25, "the app's time is not ours: {own}");
    }

    #[tokio::test]
    async fn a_broken_answer_is_an_answer() {
        for said in [
            &b"HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\n{"[..],
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n",
            b"SMTP ready\r\n\r\n",
            b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n",
        ] {
            let app = Raw::start(vec![Act::SayAndClose(said)].leak()).await;
            let shim = Shim::before(app.addr).await;
            let said = ask(shim.data, "POST", USERS, &[JSON], "{}").await;
            shim.refused("upstream", &said, 502).await;
            assert_eq!(app.heads().len(), 1);
        }
    }

    #[tokio::test]
    async fn an_answer_that_breaks_after_it_began_to_go_out_is_not_made_whole() {
        let app = Raw::start(&[Act::SayAndClose(b"HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\n{")]).await;
        let mut settings = settings(app.addr);
        plan(&mut settings).mode = TenantMode::Off;
        let shim = Shim::start(settings).await;
        let mut client = Client::connect(shim.data).await;
        client.request("GET", USERS, &[], b"").await;
        let said = String::from_utf8(client.closed().await).unwrap();
        assert!(said.contains("content-length: 20\r\n") && said.ends_with("\r\n\r\n{"), "{said}");
        shim.counts("scimshim_in_flight", &[], 0.0).await;
    }

    #[tokio::test]
    async fn a_streamed_answer_that_stops_is_broken_by_the_app() {
        let app = Raw::start(&[Act::Say(b"HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\n{")]).await;
        let mut settings = settings(app.addr);
        plan(&mut settings).mode = TenantMode::Off;
        settings.listen.limits.deadline = Duration::from_millis(300);
        let shim = Shim::start(settings).await;
        let mut client = Client::connect(shim.data).await;
        client.request("GET", USERS, &[], b"").await;
        assert!(client.closed().await.ends_with(b"\r\n\r\n{"));
        shim.counts("scimshim_in_flight", &[], 0.0).await;
        shim.counts("scimshim_requests_total", &[], 1.0).await;
        assert_eq!(shim.metric("scimshim_clients_left_total", &[]).await, 0.0);
    }
}

mod unprocessed {
    use super::*;

    /// The frames of HTTP/2 that decide here, and what they say of the only request on their connection.
    const RST_STREAM: u8 = 3;
    const GOAWAY: u8 = 7;

    async fn asked(acts: &'static [Frame]) -> (RawH2, Shim, crate::harness::Answer) {
        let app = RawH2::start(acts).await;
        let mut settings = settings(app.addr);
        settings.upstream.http2 = true;
        let shim = Shim::start(settings).await;
        let said = ask(shim.data, "POST", USERS, &[JSON], ODD).await;
        (app, shim, said)
    }

    #[tokio::test]
    async fn a_write_that_was_not_processed_is_sent_again() {
        // REFUSED_STREAM, and GOAWAY with last stream 0.
        for frame in
            [Frame(RST_STREAM, &[0, 0, 0, 7]), Frame(GOAWAY, &[0; 8]), Frame(GOAWAY, &[0, 0, 0, 0, 0, 0, 0, 2])]
        {
            let (app, shim, said) = asked(vec![frame, RawH2::OK].leak()).await;
            assert_eq!((said.status, app.requests()), (200, 2), "{frame:?}: {}", said.text());
            shim.counts("scimshim_held", &[], 0.0).await;
        }
    }

    #[tokio::test]
    async fn a_write_that_may_have_been_is_not() {
        // CANCEL, and GOAWAY with this stream as the last.
        for frame in [Frame(RST_STREAM, &[0, 0, 0, 8]), Frame(GOAWAY, &[0, 0, 0, 1, 0, 0, 0, 0])] {
            let (app, shim, said) = asked(vec![frame, RawH2::OK].leak()).await;
            assert_eq!(app.requests(), 1, "{frame:?}");
            shim.refused("upstream", &said, 502).await;
        }
    }
}

mod early {
    use super::*;

    /// An app that answers when it has the head, and closes on the body.
    async fn hasty(said: &'static str) -> std::net::SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut head = [0; 64];
                stream.read_exact(&mut head).await.unwrap();
                stream.write_all(said.as_bytes()).await.unwrap();
            }
        });
        addr
    }

    #[tokio::test]
    async fn an_answer_to_half_a_body_is_the_answer() {
        let body = PATCH.replacen(' ', &" ".repeat(900 << 10), 1);
        for mode in [TenantMode::Rewrite, TenantMode::Off] {
            let app = hasty("HTTP/1.1 401 Unauthorized\r\nwww-authenticate: Bearer\r\ncontent-length: 0\r\n\r\n").await;
            let mut settings = settings(app);
            plan(&mut settings).mode = mode;
            let shim = Shim::start(settings).await;
            for _ in 0..20 {
                let said = ask(shim.data, "PATCH", USER, &[JSON], &body).await;
                assert_eq!((said.status, said.header("www-authenticate")), (401, "Bearer"), "{}", said.text());
            }
        }
    }
}

mod bounds {
    use super::*;

    #[tokio::test]
    async fn outside_is_refused() {
        let app = App::json("{}").await;
        let shim = Shim::before(app.addr).await;
        let said = shim.get("/healthz").await;
        assert!(said.text().contains("/scim/v2/"));
        shim.refused("outside", &said, 404).await;
        assert!(app.seen().is_empty());
    }

    #[tokio::test]
    async fn outside_passes_where_it_may() {
        let app = App::start(|seen| answer(200, &[], seen.body.clone())).await;
        let mut settings = settings(app.addr);
        settings.listen.outside = Outside::Pass;
        let shim = Shim::start(settings.clone()).await;
        let said = ask(shim.data, "POST", "/login?x=1", &[("accept-encoding", "br")], "a=b").await;
        assert_eq!((said.status, said.text().as_str()), (200, "a=b"));
        let seen = app.only();
        assert_eq!((seen.target.as_str(), seen.header("accept-encoding")), ("/login?x=1", "br"));
        for path in ["/scim;x/v2/Users", "/scim/v2;x/Users"] {
            assert_eq!(shim.get(path).await.status, 404, "{path}");
        }
        assert_eq!(app.seen().len(), 1);
        let shim = Shim::start(settings).await;
        let said = shim.get("/x/../scim/v2/Users").await;
        shim.refused("outside", &said, 404).await;
    }

    #[tokio::test]
    async fn over_the_requests_in_flight_the_shim_sheds() {
        let app = Raw::start(&[Act::Hang]).await;
        let mut settings = settings(app.addr);
        settings.listen.limits.in_flight = 1;
        let shim = Shim::start(settings).await;
        let mut first = Client::connect(shim.data).await;
        first.request("GET", USERS, &[], b"").await;
        shim.counts("scimshim_in_flight", &[], 1.0).await;
        let said = shim.get(USERS).await;
        assert_eq!(said.header("retry-after"), "30");
        shim.refused("overload", &said, 503).await;
        drop(first);
        shim.counts("scimshim_in_flight", &[], 0.0).await;
    }

    #[tokio::test]
    async fn over_the_connections_the_next_waits_for_one_that_ends() {
        let app = App::json("{}").await;
        let mut settings = settings(app.addr);
        settings.listen.limits.connections = 1;
        let shim = Shim::start(settings).await;
        let mut first = Client::connect(shim.data).await;
        first.request("GET", USERS, &[], b"").await;
        assert_eq!(first.answer().await.status, 200);
        let mut second = Client::connect(shim.data).await;
        second.request("GET", USERS, &[], b"").await;
        assert_eq!(app.seen().len(), 1);
        drop(first);
        assert_eq!(second.answer().await.status, 200);
    }

    #[tokio::test]
    async fn an_idle_connection_is_closed_without_a_word() {
        let app = App::json("{}").await;
        let mut settings = settings(app.addr);
        settings.listen.limits.idle_timeout = Duration::from_millis(200);
        let shim = Shim::start(settings).await;
        let mut client = Client::connect(shim.data).await;
        client.request("GET", USERS, &[], b"").await;
        assert_eq!(client.answer().await.status, 200);
        client.request("GET", USERS, &[], b"").await;
        assert_eq!(client.answer().await.status, 200);
        assert!(is_closed(&client.closed().await));
        shim.counts("scimshim_refusals_total", &[], 0.0).await;
    }

    #[tokio::test]
    async fn a_slow_app_does_not_make_a_connection_idle() {
        let app = App::slow(Duration::from_millis(600)).await;
        let mut settings = settings(app.addr);
        settings.listen.limits.idle_timeout = Duration::from_millis(100);
        settings.listen.limits.header_timeout = Duration::from_millis(100);
        let shim = Shim::start(settings).await;
        assert_eq!(shim.get(USERS).await.status, 200);
    }

    #[tokio::test]
    async fn a_client_that_leaves_is_counted() {
        let app = Raw::start(&[Act::Hang]).await;
        let shim = Shim::before(app.addr).await;
        let mut client = Client::connect(shim.data).await;
        client.request("PATCH", "/scim/v2/Users/1", &[JSON], b"{}").await;
        shim.counts("scimshim_in_flight", &[], 1.0).await;
        drop(client);
        shim.counts("scimshim_clients_left_total", &[("when", "waiting")], 1.0).await;
        shim.counts("scimshim_requests_total", &[("code", "499"), ("method", "PATCH")], 1.0).await;
        shim.counts("scimshim_in_flight", &[], 0.0).await;
    }

    #[tokio::test]
    async fn a_client_that_leaves_in_the_middle_of_its_answer_is_counted() {
        let app = App::start(|_| answer(200, &[], vec![b'x'; 40 << 20])).await;
        let shim = Shim::before(app.addr).await;
        let mut client = Client::connect(shim.data).await;
        client.request("GET", USERS, &[], b"").await;
        client.until("\r\n\r\n").await;
        drop(client);
        shim.counts("scimshim_clients_left_total", &[("when", "answer")], 1.0).await;
    }
}

mod life {
    use super::*;

    #[tokio::test]
    async fn a_drain_answers_what_is_in_flight_and_accepts_no_more() {
        let app = App::slow(Duration::from_millis(700)).await;
        let mut shim = Shim::before(app.addr).await;
        let (data, admin) = (shim.data, shim.admin);
        assert_eq!(ask(admin, "GET", "/readyz", &[], "").await.status, 200);
        let mut fresh = Client::connect(data).await;
        let mut kept = Client::connect(data).await;
        kept.request("GET", USERS, &[], b"").await;
        assert_eq!(kept.answer().await.header("connection"), "");
        let mut idle = Client::connect(data).await;
        let flying = tokio::spawn(async move { ask(data, "POST", USERS, &[JSON], "{}").await });
        shim.counts("scimshim_in_flight", &[], 1.0).await;
        shim.stop();
        eventually("unready", || async { ask(admin, "GET", "/readyz?verbose", &[], "").await.status == 503 }).await;
        let mut late = Client::connect(data).await;
        for client in [&mut fresh, &mut kept, &mut late] {
            client.request("GET", USERS, &[], b"").await;
        }
        for client in [&mut fresh, &mut kept, &mut late] {
            let said = client.answer().await;
            assert_eq!((said.status, said.header("connection")), (200, "close"));
            assert!(is_closed(&client.closed().await));
        }
        eventually("no more", || async { tokio::net::TcpStream::connect(data).await.is_err() }).await;
        assert_eq!(ask(admin, "GET", "/livez", &[], "").await.status, 200);
        assert_eq!(flying.await.unwrap().status, 200);
        assert!(is_closed(&idle.closed().await));
        shim.stopped().await;
    }

    #[tokio::test]
    async fn a_stop_loses_no_connection_that_was_made() {
        let app = App::slow(Duration::from_millis(20)).await;
        let mut settings = settings(app.addr);
        settings.listen.limits.connections = 4;
        settings.listen.limits.drain = Duration::from_secs(2);
        let mut shim = Shim::start(settings).await;
        let data = shim.data;
        let callers: Vec<_> = (0..8)
            .map(|_| {
                tokio::spawn(async move {
                    let mut answered = 0;
                    while let Ok(mut client) = Client::try_connect(data).await {
                        client.request("GET", USERS, &[("connection", "close")], b"").await;
                        assert_eq!(client.answer().await.status, 200);
                        answered += 1;
                    }
                    answered
                })
            })
            .collect();
        eventually("traffic", || async { app.seen().len() > 20 }).await;
        shim.stop();
        shim.stopped().await;
        let mut answered = 0;
        for caller in callers {
            answered += caller.await.unwrap();
        }
        assert_eq!(app.seen().len(), answered);
    }

    #[tokio::test]
    async fn a_stop_lets_http2_finish() {
        let app = App::slow(Duration::from_millis(300)).await;
        let mut shim = Shim::before(app.addr).await;
        let data = shim.data;
        let request = Request::get(format!("http://a{USERS}")).body("").unwrap();
        let flying = tokio::spawn(async move { http2(data, request).await });
        shim.counts("scimshim_in_flight", &[], 1.0).await;
        shim.stop();
        assert_eq!(flying.await.unwrap().status(), 200);
        shim.stopped().await;
    }

    #[tokio::test]
    async fn with_nothing_to_do_a_stop_is_quick() {
        let app = App::json("{}").await;
        let mut shim = Shim::before(app.addr).await;
        assert_eq!(shim.get(USERS).await.status, 200);
        shim.stop();
        tokio::time::timeout(Duration::from_secs(2), shim.stopped()).await.expect("stopped long before the grace ends");
    }

    #[tokio::test]
    async fn what_the_drain_cuts_off_is_not_the_clients_doing() {
        let app = Raw::start(&[Act::Hang]).await;
        let mut settings = settings(app.addr);
        settings.listen.limits.drain = Duration::from_millis(100);
        let mut shim = Shim::start(settings).await;
        let metrics = Arc::clone(&shim.metrics);
        let mut client = Client::connect(shim.data).await;
        client.request("GET", USERS, &[], b"").await;
        shim.counts("scimshim_in_flight", &[], 1.0).await;
        shim.stop();
        shim.stopped().await;
        let page = metrics.text().unwrap();
        assert!(page.contains(r#"code="000""#), "{page}");
        assert!(!page.lines().any(|line| line.starts_with("scimshim_clients_left_total") && !line.ends_with(" 0")));
    }

    #[tokio::test]
    async fn a_drain_ends_in_time() {
        let app = Raw::start(&[Act::Hang]).await;
        let mut settings = settings(app.addr);
        settings.listen.limits.drain = Duration::from_millis(100);
        let mut shim = Shim::start(settings).await;
        let mut client = Client::connect(shim.data).await;
        client.request("GET", USERS, &[], b"").await;
        shim.counts("scimshim_in_flight", &[], 1.0).await;
        shim.stop();
        shim.stopped().await;
    }

    #[tokio::test]
    async fn the_admin_port_says_what_it_is_for() {
        let app = App::json("{}").await;
        let shim = Shim::before(app.addr).await;
        let said = ask(shim.admin, "GET", "/nothing", &[("host", "localhost")], "").await;
        assert_eq!(said.status, 404);
        assert!(said.text().contains("/metrics"));
        assert_eq!(ask(shim.admin, "GET", "/", &[], "").await.status, 403, "its host is no loopback name");
        let page = ask(shim.admin, "GET", "/", &[("host", "localhost")], "").await;
        assert!(page.text().contains("None of 1 connection needs attention"), "{}", page.text());
        let status = ask(shim.admin, "GET", "/api/status", &[("host", "localhost")], "").await;
        assert!(
            status.text().contains(r#""tenant":"default","label":"default","listed":false,"idp":"auto""#),
            "{}",
            status.text()
        );
        let said = ask(shim.admin, "POST", "/metrics", &[], "").await;
        assert_eq!((said.status, said.header("allow")), (405, "GET, HEAD"));
        let said = ask(shim.admin, "GET", "/readyz?verbose", &[], "").await;
        assert!(said.text().contains("[+] app"), "{}", said.text());
        assert!(ask(shim.admin, "GET", "/metrics", &[], "").await.text().contains("scimshim_build_info{"));
    }

    #[tokio::test]
    async fn readiness_may_ask_for_the_app() {
        let mut with_app = settings(closed_port());
        let shim = Shim::start(with_app.clone()).await;
        let said = ask(shim.admin, "GET", "/readyz?verbose", &[], "").await;
        assert_eq!(said.status, 200, "{}", said.text());
        with_app.admin.readiness = Readiness::App;
        let shim = Shim::start(with_app).await;
        assert_eq!(ask(shim.admin, "GET", "/readyz", &[], "").await.status, 503);
    }

    #[tokio::test]
    async fn what_looks_like_entra_is_suggested_and_changes_nothing() {
        let app = App::json("{}").await;
        let shim = Shim::before(app.addr).await;
        let capital = PATCH.replace("replace", "Replace");
        ask(shim.data, "PATCH", USER, &[JSON, ("user-agent", "curl/8")], &capital).await;
        ask(shim.data, "PATCH", USER, &[JSON], PATCH).await;
        shim.counts("scimshim_requests_total", &[], 2.0).await;
        assert_eq!(shim.metric("scimshim_idp_suggested", &[]).await, 0.0);
        ask(shim.data, "PATCH", USER, &[JSON], &capital).await;
        shim.counts("scimshim_idp_suggested", &[("tenant", "default"), ("idp", "entra")], 1.0).await;
        shim.counts("scimshim_requests_total", &[("idp", "generic")], 3.0).await;
    }

    #[tokio::test]
    async fn the_profile_is_found_once_and_kept() {
        let app = App::json("{}").await;
        let shim = Shim::before(app.addr).await;
        shim.get(USERS).await;
        ask(shim.data, "GET", USERS, &[("user-agent", "Okta SCIM Client 1.0.0")], "").await;
        ask(shim.data, "GET", USERS, &[("user-agent", "Google-Auto-Provisioning")], "").await;
        shim.counts("scimshim_requests_total", &[("idp", "generic")], 1.0).await;
        shim.counts("scimshim_requests_total", &[("idp", "okta")], 2.0).await;
        shim.counts("scimshim_idp_detected", &[("idp", "okta")], 1.0).await;
        shim.counts("scimshim_idp_detected", &[], 1.0).await;
        let mut settings = settings(app.addr);
        defaults(&mut settings).idp = Idp::Entra;
        let shim = Shim::start(settings).await;
        ask(shim.data, "GET", USERS, &[("user-agent", "Okta SCIM Client 1.0.0")], "").await;
        shim.counts("scimshim_requests_total", &[("idp", "entra")], 1.0).await;
    }
}

mod redirects {
    use super::*;

    fn moved(status: u16, seen: &Seen) -> Response<Bytes> {
        match seen.target.as_str() {
            "/scim/v2/Users" => answer(status, &[("location", "/scim/v2/Users/")], ""),
            "/scim/v2/loop" => answer(status, &[("location", "/scim/v2/loop?")], ""),
            "/scim/v2/away" => answer(status, &[("location", "http://other.example/scim/v2/Users")], ""),
            _ => answer(200, &[], seen.method.as_str().to_owned()),
        }
    }

    async fn shim(app: &App, mode: Mode) -> Shim {
        let mut settings = settings(app.addr);
        plan(&mut settings).quirks.insert("redirect".into(), mode);
        settings.debug_headers = true;
        Shim::start(settings).await
    }

    #[tokio::test]
    async fn followed_inside_the_app_when_told_to() {
        let app = App::start(|seen| moved(307, seen)).await;
        let shim = shim(&app, Mode::Fix).await;
        let said = ask(shim.data, "PUT", USERS, &[JSON], ODD).await;
        assert_eq!((said.status, said.text().as_str()), (200, "PUT"));
        assert!(said.header("scimshim-fixes").contains("redirect"));
        assert_eq!(app.seen()[1].body, ODD);
        assert_eq!(shim.get("/scim/v2/away").await.status, 307);
        let labels = [("quirk", "redirect"), ("direction", "response"), ("mode", "fix")];
        shim.counts("scimshim_fixes_total", &labels, 1.0).await;
        shim.counts("scimshim_fixes_total", &[("quirk", "redirect"), ("mode", "observe")], 1.0).await;
    }

    #[tokio::test]
    async fn a_write_is_not_turned_into_a_read() {
        let app = App::start(|seen| moved(302, seen)).await;
        let shim = shim(&app, Mode::Fix).await;
        assert_eq!(ask(shim.data, "POST", USERS, &[JSON], ODD).await.status, 302);
        assert_eq!(app.seen().len(), 1);
        assert_eq!(shim.get(USERS).await.text(), "GET");
    }

    #[tokio::test]
    async fn counted_and_passed_on_otherwise() {
        let app = App::start(|seen| moved(308, seen)).await;
        let shim = shim(&app, Mode::Observe).await;
        let said = shim.get(USERS).await;
        assert_eq!((said.status, said.header("location")), (308, "/scim/v2/Users/"));
        shim.counts("scimshim_fixes_total", &[("quirk", "redirect"), ("mode", "observe")], 1.0).await;
    }
}

mod media_types {
    use super::*;

    /// An app that reads one media type.
    fn reads(one: &'static str, seen: &Seen) -> Response<Bytes> {
        match (seen.body.is_empty(), seen.header("content-type") == one) {
            (true, _) => answer(200, &[], "{}"),
            (false, true) => answer(201, &[JSON], r#"{"id":"1"}"#),
            (false, false) => answer(415, &[("content-type", "text/plain")], "unsupported media type"),
        }
    }

    async fn shim(app: &App, mode: Mode) -> Shim {
        let mut settings = settings(app.addr);
        plan(&mut settings).quirks.insert("media-type-refused".into(), mode);
        settings.debug_headers = true;
        Shim::start(settings).await
    }

    fn labels(app: &App) -> Vec<String> {
        app.seen().iter().map(|seen| seen.header("content-type").to_owned()).collect()
    }

    const USER: &str = r#"{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"a"}"#;
    const SCIM: (&str, &str) = ("content-type", "application/scim+json");

    #[tokio::test]
    async fn what_the_app_reads_is_found_out_once() {
        let app = App::start(|seen| reads("application/json", seen)).await;
        let shim = shim(&app, Mode::Fix).await;
        // Whatever the identity provider calls it, a second body goes at once by the name that the app knows.
        for (sent, label) in [("application/json", "what arrives"), ("application/scim+json", "what arrives")] {
            let said = ask(shim.data, "POST", USERS, &[("content-type", sent)], USER).await;
            assert_eq!(said.status, 201, "{label} as {sent}");
            assert!(said.header("scimshim-fixes").contains("media-type-refused"));
        }
        assert_eq!(labels(&app), ["application/scim+json", "application/json", "application/json"]);
        assert!(app.seen().iter().all(|seen| seen.body == USER));
        shim.counts("scimshim_fixes_total", &[("quirk", "media-type-refused"), ("mode", "fix")], 2.0).await;
    }

    #[tokio::test]
    async fn an_app_that_has_changed_its_mind_is_found_out_again() {
        let strict = Arc::new(AtomicBool::new(false));
        let now = Arc::clone(&strict);
        let app = App::start(move |seen| {
            reads(if now.load(Ordering::SeqCst) { "application/scim+json" } else { "application/json" }, seen)
        })
        .await;
        let shim = shim(&app, Mode::Fix).await;
        assert_eq!(ask(shim.data, "POST", USERS, &[SCIM], USER).await.status, 201);
        strict.store(true, Ordering::SeqCst);
        assert_eq!(ask(shim.data, "POST", USERS, &[SCIM], USER).await.status, 201);
        assert_eq!(ask(shim.data, "POST", USERS, &[SCIM], USER).await.status, 201);
        let (scim, json) = ("application/scim+json", "application/json");
        assert_eq!(labels(&app), [scim, json, json, scim, scim]);
    }

    #[tokio::test]
    async fn a_415_for_another_reason_is_passed_on_and_teaches_nothing() {
        let app = App::start(|_| answer(415, &[], "")).await;
        let shim = shim(&app, Mode::Fix).await;
        for _ in 0..2 {
            assert_eq!(ask(shim.data, "POST", USERS, &[SCIM], USER).await.status, 415);
        }
        let (scim, json) = ("application/scim+json", "application/json");
        assert_eq!(labels(&app), [scim, json, scim, json]);
    }

    #[tokio::test]
    async fn counted_only_where_the_operator_says_so() {
        let app = App::start(|seen| reads("application/json", seen)).await;
        let shim = shim(&app, Mode::Observe).await;
        assert_eq!(ask(shim.data, "POST", USERS, &[SCIM], USER).await.status, 415);
        assert_eq!(app.seen().len(), 1);
        shim.counts("scimshim_fixes_total", &[("quirk", "media-type-refused"), ("mode", "observe")], 1.0).await;
    }

    #[tokio::test]
    async fn the_operators_own_media_type_is_the_last_word() {
        let app = App::start(|seen| reads("application/json", seen)).await;
        let mut settings = settings(app.addr);
        settings.upstream.content_type = Some(HeaderValue::from_static("application/vnd.app+json"));
        let shim = Shim::start(settings).await;
        assert_eq!(ask(shim.data, "POST", USERS, &[SCIM], USER).await.status, 415);
        assert_eq!(labels(&app), ["application/vnd.app+json"]);
    }

    #[tokio::test]
    async fn what_has_no_body_is_asked_once() {
        let app = App::start(|_| answer(415, &[], "")).await;
        let shim = shim(&app, Mode::Fix).await;
        assert_eq!(ask(shim.data, "GET", USERS, &[SCIM], "").await.status, 415);
        assert_eq!(app.seen().len(), 1);
    }
}

mod users_without_a_name {
    use super::*;

    #[tokio::test]
    async fn are_refused_where_the_operator_says_so() {
        let app = App::start(|_| answer(201, &[JSON], r#"{"id":"1"}"#)).await;
        let mut settings = settings(app.addr);
        plan(&mut settings).quirks.insert("username-missing".into(), Mode::Fix);
        let shim = Shim::start(settings).await;
        for (method, target, name) in [
            ("POST", USERS, ""),
            ("POST", USERS, r#""userName":null,"#),
            ("PUT", "/scim/v2/Users/7", r#""userName":" ","#),
        ] {
            let body = format!(r#"{{{name}"displayName":"Jo"}}"#);
            let said = ask(shim.data, method, target, &[JSON], &body).await;
            assert_eq!(said.status, 400, "{body}");
            assert!(said.text().contains("userName is required"), "{}", said.text());
        }
        assert!(app.seen().is_empty());
        for (method, target, body) in [
            ("POST", USERS, r#"{"USERNAME":"jo"}"#),
            ("POST", "/scim/v2/Groups", r#"{"displayName":"Ops"}"#),
            ("PATCH", "/scim/v2/Users/7", r#"{"Operations":[{"op":"replace","path":"title","value":"x"}]}"#),
        ] {
            assert_eq!(ask(shim.data, method, target, &[JSON], body).await.status, 201, "{body}");
        }
        assert_eq!(app.seen().len(), 3);
    }
}

mod apps_that_count_from_zero {
    use super::*;

    #[tokio::test]
    async fn are_asked_for_one_less_and_their_answer_is_put_right() {
        let page = r#"{"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],"totalResults":9,"startIndex":4,
                      "itemsPerPage":0,"Resources":[]}"#;
        let app = App::json(page).await;
        let mut settings = settings(app.addr);
        plan(&mut settings).quirks.insert("startindex-zero-based".into(), Mode::Fix);
        let shim = Shim::start(settings).await;
        let said = shim.get("/scim/v2/Users?startIndex=5&count=2").await;
        assert_eq!(app.seen()[0].target, "/scim/v2/Users?startIndex=4&count=2");
        assert!(said.text().contains(r#""startIndex":5"#), "{}", said.text());
        shim.get("/scim/v2/Users?count=2").await;
        assert_eq!(app.seen()[1].target, "/scim/v2/Users?count=2");
        shim.counts("scimshim_fixes_total", &[("quirk", "startindex-zero-based"), ("direction", "request")], 1.0).await;
    }

    #[tokio::test]
    async fn are_not_guessed() {
        let app = App::json("{}").await;
        let shim = Shim::start(settings(app.addr)).await;
        shim.get("/scim/v2/Users?startIndex=5&count=2").await;
        assert_eq!(app.seen()[0].target, "/scim/v2/Users?startIndex=5&count=2");
    }
}
