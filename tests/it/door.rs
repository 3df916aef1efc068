//! What goes through, what is held, what is answered instead.

use std::{io::Write, time::Duration};

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use http::{HeaderValue, Request, Response, Version};
use scimshim::{
    config::settings::{Outside, Readiness},
    quirk::{Idp, Mode, TenantMode},
};
use tokio::net::TcpListener;

use crate::harness::{Act, App, Client, Raw, Seen, Shim, ask, closed_port, eventually, http2, settings};

const USERS: &str = "/scim/v2/Users";
const JSON: (&str, &str) = ("content-type", "application/scim+json");

/// Numbers, escapes, order and whitespace that a parse and a print would lose.
const ODD: &str = "{ \"schemas\" : [\"urn:ietf:params:scim:schemas:core:2.0:User\"],\r\n\t\"userName\":\"a\\u00e9\",\n \
                   \"x\": 1.10, \"id\": \"1\", \"big\": 9007199254740993 }\n";

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
        let app = App::json(ODD).await;
        let shim = Shim::before(app.addr).await;
        for method in ["POST", "PUT", "PATCH", "DELETE"] {
            let target = "/scim/v2/Users/2819?attributes=userName&filter=userName%20eq%20%22a%2Fb%22";
            let said = ask(shim.data, method, target, &[JSON], ODD).await;
            assert_eq!((said.status, said.text().as_str()), (200, ODD));
            assert_eq!(said.header("content-length"), ODD.len().to_string());
            let seen = app.seen().pop().unwrap();
            assert_eq!((seen.method.as_str(), seen.target.as_str()), (method, target));
            assert_eq!(seen.body, ODD);
            assert_eq!(seen.header("content-length"), ODD.len().to_string());
            assert_eq!(seen.header("content-type"), JSON.1);
        }
        shim.counts("scimshim_requests_total", &[("resource", "Users"), ("code", "200")], 4.0).await;
        shim.counts("scimshim_fixes_total", &[], 0.0).await;
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
        let app = App::json(ODD).await;
        let mut settings = settings(app.addr);
        settings.upstream.http2 = true;
        let shim = Shim::start(settings).await;
        let request =
            Request::post(format!("http://scim.example.com{USERS}")).header(JSON.0, JSON.1).body(ODD).unwrap();
        let said = http2(shim.data, request).await;
        assert_eq!((said.status().as_u16(), said.body()), (200, &Bytes::from(ODD)));
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
        let packed = gzip(ODD.as_bytes());
        let body = Bytes::from(packed.clone());
        let app = App::start(move |_| answer(200, &[("content-encoding", "gzip")], body.clone())).await;
        let shim = Shim::before(app.addr).await;
        let said = ask(shim.data, "POST", USERS, &[JSON, ("content-encoding", "gzip")], &packed).await;
        assert_eq!((said.status, said.header("content-encoding")), (200, "gzip"));
        assert_eq!(said.body, packed);
        let seen = app.only();
        assert_eq!((seen.header("content-encoding"), &seen.body[..]), ("gzip", &packed[..]));
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
        settings.tenant.plan.mode = TenantMode::Observe;
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
    async fn a_large_body_goes_another_way_to_the_same_end() {
        let body = format!("{{\"schemas\":[],\"x\":\"{}\"}}", "x".repeat(600 << 10));
        let app = App::start(|seen| answer(200, &[], seen.body.clone())).await;
        let shim = Shim::before(app.addr).await;
        let said = ask(shim.data, "POST", USERS, &[JSON], &body).await;
        assert!(said.text() == body);
        assert!(app.only().body == body);
    }

    #[tokio::test]
    async fn mode_off_streams_and_still_bounds() {
        let app = App::json(ODD).await;
        let mut settings = settings(app.addr);
        settings.tenant.plan.mode = TenantMode::Off;
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
