//! What a stranger can say.

use std::time::Duration;

use scimshim::quirk::TenantMode;

use crate::harness::{Act, App, Client, Raw, Shim, ask, eventually, greedy, http2, plan, settings};

const USERS: &str = "/scim/v2/Users";
const POST: &str = "POST /scim/v2/Users HTTP/1.1\r\nhost: a\r\n";

/// The answer to raw bytes on a connection of their own.
async fn raw(shim: &Shim, bytes: impl AsRef<[u8]>) -> crate::harness::Answer {
    let mut client = Client::connect(shim.data).await;
    client.say(bytes).await;
    client.answer().await
}

async fn app_and_shim() -> (App, Shim) {
    let app = App::json("{}").await;
    let shim = Shim::before(app.addr).await;
    (app, shim)
}

mod framing {
    use super::*;

    #[tokio::test]
    async fn length_against_chunks_is_refused() {
        for lines in [
            "content-length: 6\r\ntransfer-encoding: chunked\r\n",
            "transfer-encoding: chunked\r\ncontent-length: 6\r\n",
            "Transfer-Encoding : chunked\r\ncontent-length: 6\r\n",
            "transfer-encoding: chunked\r\nContent-Length: 0\r\n",
        ] {
            let (app, shim) = app_and_shim().await;
            let mut client = Client::connect(shim.data).await;
            client.say(format!("{POST}{lines}\r\n0\r\n\r\nGET /scim/v2/Groups HTTP/1.1\r\nhost: a\r\n\r\n")).await;
            let said = client.answer().await;
            shim.refused("malformed", &said, 400).await;
            assert!(client.closed().await.is_empty(), "what follows an ambiguous body is no request");
            assert!(app.seen().is_empty(), "{lines:?}");
        }
    }

    #[tokio::test]
    async fn a_second_head_in_the_same_bytes_is_looked_at_too() {
        let (app, shim) = app_and_shim().await;
        let first = format!("{POST}transfer-encoding: chunked\r\n\r\n2\r\n{{}}\r\n0\r\n\r\n");
        let second = format!("{POST}transfer-encoding: chunked\r\ncontent-length: 6\r\n\r\n0\r\n\r\n");
        let mut client = Client::connect(shim.data).await;
        client.say(format!("{first}{second}GET /scim/v2/Groups HTTP/1.1\r\nhost: a\r\n\r\n")).await;
        client.closed().await;
        assert!(app.seen().len() <= 1, "{:?}", app.seen());
    }

    #[tokio::test]
    async fn what_only_begins_like_http2_is_looked_at() {
        let (app, shim) = app_and_shim().await;
        let mut client = Client::connect(shim.data).await;
        client.say("PRI /scim/v2/Users HTTP/1.1\r\nhost: a\r\n\r\n").await;
        assert_eq!(client.answer().await.status, 200);
        client.say(format!("{POST}content-length: 6\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n")).await;
        assert_eq!(client.answer().await.status, 400);
        assert_eq!(app.only().method, "PRI");
    }

    #[tokio::test]
    async fn an_ambiguous_head_in_pieces_is_refused_too() {
        let (app, shim) = app_and_shim().await;
        let mut client = Client::connect(shim.data).await;
        for piece in [POST, "transfer-enc", "oding: chunked\r", "\ncontent-len", "gth: 6\r\n\r", "\n0\r\n\r\n"] {
            client.say(piece).await;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let said = client.answer().await;
        shim.refused("malformed", &said, 400).await;
        assert!(app.seen().is_empty());
    }

    #[tokio::test]
    async fn padding_does_not_hide_a_length_or_a_chunk_size() {
        let pad = |what: &str| what.repeat(70);
        for text in [
            format!("content-length: {}2\r\n\r\n{{}}", pad("0")),
            format!("content-length:{}2\r\n\r\n{{}}", pad(" ")),
            format!("transfer-encoding:{}chunked\r\n\r\n0\r\n\r\n", pad(" ")),
            format!("transfer-encoding: chunked\r\n\r\n{}2\r\n{{}}\r\n0\r\n\r\n", pad("0")),
        ] {
            let (app, shim) = app_and_shim().await;
            let said = raw(&shim, format!("{POST}{text}")).await;
            shim.refused("malformed", &said, 400).await;
            assert!(app.seen().is_empty(), "{text:?}");
        }
    }

    #[tokio::test]
    async fn codings_below_chunks_are_refused() {
        for coding in ["gzip, chunked", "chunked, chunked", "gzip\r\ntransfer-encoding: chunked"] {
            let (app, shim) = app_and_shim().await;
            let said = raw(&shim, format!("{POST}transfer-encoding: {coding}\r\n\r\n2\r\n{{}}\r\n0\r\n\r\n")).await;
            shim.refused("unsupported", &said, 501).await;
            assert!(app.seen().is_empty(), "{coding}");
        }
    }

    #[tokio::test]
    async fn two_lengths_are_refused() {
        let (app, shim) = app_and_shim().await;
        let said = raw(&shim, format!("{POST}content-length: 2\r\ncontent-length: 3\r\n\r\n{{}}")).await;
        shim.refused("malformed", &said, 400).await;
        assert!(app.seen().is_empty());
    }

    #[tokio::test]
    async fn heads_that_are_not_http_are_refused() {
        for head in [
            format!("{POST}content-length: +2\r\n\r\n{{}}"),
            format!("{POST}content-length: 2, 3\r\n\r\n{{}}"),
            format!("{POST}transfer-encoding: gzip, x\r\n\r\n{{}}"),
            "POST /scim/v2/Users HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n".to_owned(),
            "GET /scim/v2/Users HTTP/1.1\r\nhost: a\r\nx-a: b\r\n folded\r\n\r\n".to_owned(),
            "GET /scim/v2/Users HTTP/1.1\r\nhost: a\r\nx-a: b\0c\r\n\r\n".to_owned(),
            "GET /scim/v2/Users HTTP/1.1\r\nhost: a\r\nx-a : b\r\n\r\n".to_owned(),
            "GET /scim/v2/Users HTTP/1.1\r\nhost: a\r\n: b\r\n\r\n".to_owned(),
            "GET /scim/v2/Users HTTP/7.7\r\nhost: a\r\n\r\n".to_owned(),
            "GET /scim/v2/\0 HTTP/1.1\r\nhost: a\r\n\r\n".to_owned(),
            "nonsense\r\n\r\n".to_owned(),
        ] {
            let (app, shim) = app_and_shim().await;
            let said = raw(&shim, &head).await;
            assert_eq!(said.status, 400, "{head:?}");
            shim.refused("malformed", &said, 400).await;
            assert!(app.seen().is_empty(), "{head:?}");
        }
    }

    #[tokio::test]
    async fn a_request_has_one_host() {
        for fields in ["", "host: a\r\nhost: b\r\n", "host: a b\r\n", "host: a/b\r\n"] {
            let (app, shim) = app_and_shim().await;
            let said = raw(&shim, format!("GET /scim/v2/Users HTTP/1.1\r\n{fields}\r\n")).await;
            shim.refused("malformed", &said, 400).await;
            assert!(app.seen().is_empty(), "{fields:?}");
        }
        let (_app, shim) = app_and_shim().await;
        assert_eq!(raw(&shim, "GET /scim/v2/Users HTTP/1.0\r\n\r\n").await.status, 200);
    }

    #[tokio::test]
    async fn http2_names_one_host() {
        let (app, shim) = app_and_shim().await;
        for (host, status) in [("A", 200), ("b", 400)] {
            let request = http::Request::get(format!("http://a{USERS}")).header("host", host);
            assert_eq!(http2(shim.data, request.body("").unwrap()).await.status(), status, "{host}");
        }
        assert_eq!(app.seen().len(), 1);
    }

    #[tokio::test]
    async fn chunks_that_are_none_are_refused() {
        for body in ["zz\r\n{}\r\n0\r\n\r\n", "2\r\n{}x\r\n0\r\n\r\n", "fffffffffffffffff\r\n"] {
            let (app, shim) = app_and_shim().await;
            let said = raw(&shim, format!("{POST}transfer-encoding: chunked\r\n\r\n{body}")).await;
            shim.refused("malformed", &said, 400).await;
            assert!(app.seen().is_empty());
        }
    }

    #[tokio::test]
    async fn a_field_that_splits_is_one_field() {
        let (app, shim) = app_and_shim().await;
        let said = ask(shim.data, "GET", USERS, &[("x-a", "b%0d%0ax-admin: 1"), ("x-request-id", "a,b")], "").await;
        assert_eq!(said.status, 200);
        assert!(!app.only().headers.contains_key("x-admin"));
    }

    #[tokio::test]
    async fn trailers_that_carry_data_are_refused() {
        let (app, shim) = app_and_shim().await;
        let head = format!("{POST}transfer-encoding: chunked\r\ntrailer: x-user\r\n\r\n");
        let said = raw(&shim, format!("{head}2\r\n{{}}\r\n0\r\nx-user: 1\r\n\r\n")).await;
        shim.refused("unsupported", &said, 501).await;
        assert!(app.seen().is_empty());
        let said = raw(&shim, format!("{head}2\r\n{{}}\r\n0\r\n\r\n")).await;
        assert_eq!(said.status, 200, "a trailer section without fields carries nothing");
    }

    #[tokio::test]
    async fn trailers_of_a_streamed_body_are_refused() {
        let app = App::json("{}").await;
        let mut settings = settings(app.addr);
        plan(&mut settings).mode = TenantMode::Off;
        let shim = Shim::start(settings).await;
        let body = "transfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nx-user: 1\r\n\r\n";
        let said = raw(&shim, format!("{POST}{body}")).await;
        shim.refused("unsupported", &said, 501).await;
        assert!(app.seen().is_empty());
    }
}

mod size {
    use super::*;

    #[tokio::test]
    async fn a_head_over_the_limit_is_refused() {
        let (app, shim) = app_and_shim().await;
        let long = "a".repeat(1 << 20);
        let said = ask(shim.data, "GET", USERS, &[("x-long", &long)], "").await;
        shim.refused("header", &said, 431).await;
        assert!(app.seen().is_empty());
    }

    #[tokio::test]
    async fn a_target_over_the_limit_is_refused() {
        let (app, shim) = app_and_shim().await;
        let said = shim.get(&format!("{USERS}?filter={}", "a".repeat(1 << 20))).await;
        shim.refused("header", &said, 431).await;
        assert!(app.seen().is_empty());
    }

    #[tokio::test]
    async fn too_many_fields_are_refused() {
        let (_app, shim) = app_and_shim().await;
        let said = ask(shim.data, "GET", USERS, &vec![("x-a", "b"); 5000], "").await;
        shim.refused("header", &said, 431).await;
    }

    #[tokio::test]
    async fn a_body_over_the_limit_is_refused_before_it_is_read() {
        let (app, shim) = app_and_shim().await;
        let mut client = Client::connect(shim.data).await;
        client.say(format!("{POST}content-length: 99999999999\r\n\r\n")).await;
        let said = client.answer().await;
        shim.refused("too_large", &said, 413).await;
        assert!(app.seen().is_empty());
    }

    #[tokio::test]
    async fn a_client_that_sends_all_of_it_reads_the_answer() {
        let (app, shim) = app_and_shim().await;
        let said = ask(shim.data, "POST", USERS, &[], vec![b' '; 8 << 20]).await;
        shim.refused("too_large", &said, 413).await;
        let body = vec![b' '; 3 << 20];
        let mut client = Client::connect(shim.data).await;
        client.say(format!("{POST}transfer-encoding: chunked\r\n\r\n{:x}\r\n", body.len())).await;
        client.say(body).await;
        client.say("\r\n0\r\n\r\n").await;
        assert_eq!(client.answer().await.status, 413);
        assert!(app.seen().is_empty());
    }

    #[tokio::test]
    async fn a_body_at_the_limit_goes_on() {
        let (app, shim) = app_and_shim().await;
        let user = r#"{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"a"}"#;
        let body = user.replacen(':', &format!(":{}", " ".repeat((1 << 20) - user.len())), 1);
        assert_eq!(ask(shim.data, "PUT", "/scim/v2/Users/1", &[], &body).await.status, 200);
        assert!(app.only().body == body);
    }

    #[tokio::test]
    async fn http2_heads_are_bounded_too() {
        let (app, shim) = app_and_shim().await;
        let request = http::Request::get(format!("http://a{USERS}")).header("x-long", "a".repeat(70 << 10));
        let said = http2(shim.data, request.body("").unwrap()).await;
        assert_eq!(said.status(), 431);
        assert_eq!(said.headers()["content-type"], "application/scim+json");
        shim.counts("scimshim_refusals_total", &[("reason", "header")], 1.0).await;
        assert!(app.seen().is_empty());
    }

    #[tokio::test]
    async fn heads_on_a_kept_connection_are_bounded_alike() {
        let (app, shim) = app_and_shim().await;
        let mut client = Client::connect(shim.data).await;
        let get = "GET /scim/v2/Users HTTP/1.1\r\nhost: a\r\n";
        client.say(format!("{get}\r\n{get}x-long: {}\r\n\r\n", "a".repeat(100 << 10))).await;
        assert_eq!(client.answer().await.status, 200);
        let said = client.answer().await;
        shim.refused("header", &said, 431).await;
        assert_eq!(app.seen().len(), 1);
    }

    #[tokio::test]
    async fn many_short_fields_are_no_large_head() {
        let app = Raw::start(&[Act::Say(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")]).await;
        let shim = Shim::before(app.addr).await;
        assert_eq!(ask(shim.data, "GET", USERS, &vec![("x-a", "b"); 90], "").await.status, 200);
        let refused = ask(shim.data, "GET", USERS, &vec![("x-a", "b"); 110], "").await;
        assert_eq!(refused.status, 431);
        shim.counts("scimshim_refusals_total", &[("reason", "header")], 1.0).await;
    }

    #[tokio::test]
    async fn a_body_that_nobody_wants_is_listened_to_until_the_answer_is_read() {
        for (path, field, status) in [("/outside", "x-a: b", 404), (USERS, "upgrade: websocket", 501)] {
            let (app, shim) = app_and_shim().await;
            let mut client = Client::connect(shim.data).await;
            let length = 8 << 20;
            client.say(format!("POST {path} HTTP/1.1\r\nhost: a\r\n{field}\r\ncontent-length: {length}\r\n\r\n")).await;
            client.say(vec![b' '; length]).await;
            let said = client.answer().await;
            assert_eq!((said.status, said.header("connection")), (status, "close"));
            assert!(app.seen().is_empty());
        }
    }

    #[tokio::test]
    async fn a_refusal_says_whether_the_connection_ends() {
        let (_app, shim) = app_and_shim().await;
        for head in ["content-length: 99999999", "expect: 100-continue\r\ncontent-length: 99999999"] {
            assert_eq!(raw(&shim, format!("{POST}{head}\r\n\r\n")).await.header("connection"), "close", "{head}");
        }
        let mut client = Client::connect(shim.data).await;
        client.request("GET", "/outside", &[], b"").await;
        let said = client.answer().await;
        assert_eq!((said.status, said.header("connection")), (404, ""));
        client.request("POST", USERS, &[], b"{").await;
        let said = client.answer().await;
        assert_eq!((said.status, said.header("connection")), (400, ""));
        client.request("GET", USERS, &[], b"").await;
        assert_eq!(client.answer().await.status, 200);
    }

    #[tokio::test]
    async fn what_says_that_it_is_too_large_reaches_no_app_and_is_not_invited() {
        let app = App::json("{}").await;
        let mut settings = settings(app.addr);
        plan(&mut settings).mode = TenantMode::Off;
        let shim = Shim::start(settings).await;
        let mut client = Client::connect(shim.data).await;
        client.say(format!("{POST}content-length: 99999999\r\nexpect: 100-continue\r\n\r\n")).await;
        let said = client.answer().await;
        shim.refused("too_large", &said, 413).await;
        assert_eq!(said.header("connection"), "close");
        assert!(app.seen().is_empty());
        assert_eq!(shim.metric("scimshim_upstream_connections", &[]).await, 0.0);
    }

    #[tokio::test]
    async fn a_large_body_is_decoded_too() {
        let app = App::json("{}").await;
        let shim = Shim::before(app.addr).await;
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        let user = r#"{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"a"}"#;
        let body = user.replacen(':', &format!(":{}", " ".repeat(900 << 10)), 1);
        std::io::Write::write_all(&mut encoder, body.as_bytes()).unwrap();
        let coded = encoder.finish().unwrap();
        let said = ask(shim.data, "PUT", "/scim/v2/Users/1", &[("content-encoding", "gzip")], &coded).await;
        assert_eq!(said.status, 200, "{}", said.text());
        assert!(app.only().body == coded);
    }
}

mod pace {
    use super::*;

    #[tokio::test]
    async fn for_one_that_comes_one_goes() {
        let app = App::json("{}").await;
        let mut settings = settings(app.addr);
        settings.listen.limits.connections = 6;
        settings.listen.limits.idle_timeout = Duration::from_secs(300);
        let shim = Shim::start(settings).await;
        let mut idle = Vec::new();
        for _ in 0..6 {
            let mut client = Client::connect(shim.data).await;
            client.request("GET", USERS, &[], b"").await;
            assert_eq!(client.answer().await.header("connection"), "");
            idle.push(client);
        }
        let mut guest = Client::connect(shim.data).await;
        guest.request("GET", USERS, &[], b"").await;
        assert_eq!(guest.answer().await.status, 200);
        shim.counts("scimshim_client_connections", &[], 6.0).await;
        let mut served = 0;
        for client in &mut idle {
            client.request("GET", USERS, &[], b"").await;
            served += usize::from(client.try_answer().await.is_some_and(|answer| answer.status == 200));
        }
        // One, or one more for each second that a slow machine takes; not all that could.
        assert!((3..=5).contains(&served), "{served} of 6 are left");
    }

    #[tokio::test]
    async fn idle_clients_keep_nobody_out() {
        let app = App::json("{}").await;
        let mut settings = settings(app.addr);
        settings.listen.limits.connections = 2;
        settings.listen.limits.idle_timeout = Duration::from_secs(300);
        let shim = Shim::start(settings).await;
        let mut idle = Vec::new();
        for _ in 0..2 {
            let mut client = Client::connect(shim.data).await;
            client.request("GET", "/none", &[], b"").await;
            assert_eq!(client.answer().await.status, 404);
            idle.push(client);
        }
        shim.counts("scimshim_client_connections", &[], 2.0).await;
        // Each answer of the test's client comes within 30 s, or it fails.
        for _ in 0..3 {
            assert_eq!(shim.get(USERS).await.status, 200);
        }
        let mut kept = 0;
        for client in &mut idle {
            client.request("GET", USERS, &[], b"").await;
            kept += usize::from(client.try_answer().await.is_some());
        }
        assert!(kept < 2, "one of the two has made room");
    }

    async fn hasty() -> (App, Shim) {
        let app = App::json("{}").await;
        let mut settings = settings(app.addr);
        settings.listen.limits.header_timeout = Duration::from_millis(200);
        settings.listen.limits.body_timeout = Duration::from_millis(200);
        let shim = Shim::start(settings).await;
        (app, shim)
    }

    #[tokio::test]
    async fn a_slow_head_is_refused() {
        let (app, shim) = hasty().await;
        let mut client = Client::connect(shim.data).await;
        client.say("GET /scim/v2/Users HTTP/1.1\r\nho").await;
        let said = client.answer().await;
        shim.refused("slow", &said, 408).await;
        assert!(client.closed().await.is_empty());
        assert!(app.seen().is_empty());
    }

    #[tokio::test]
    async fn a_slow_head_on_a_kept_connection_is_refused() {
        let (_app, shim) = hasty().await;
        let mut client = Client::connect(shim.data).await;
        client.request("GET", USERS, &[], b"").await;
        assert_eq!(client.answer().await.status, 200);
        client.say("G").await;
        let said = client.answer().await;
        shim.refused("slow", &said, 408).await;
    }

    #[tokio::test]
    async fn drops_that_come_in_time_do_not_make_a_head_fast() {
        let (_app, shim) = hasty().await;
        let mut client = Client::connect(shim.data).await;
        client.say("GET /scim/v2/Users HTTP/1.1\r\n").await;
        for _ in 0..20 {
            client.say("x-a: b\r\n").await;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(client.answer().await.status, 408);
    }

    #[tokio::test]
    async fn silence_is_closed_without_a_word() {
        let (_app, shim) = hasty().await;
        let mut client = Client::connect(shim.data).await;
        assert!(client.closed().await.is_empty());
        shim.counts("scimshim_refusals_total", &[], 0.0).await;
    }

    #[tokio::test]
    async fn a_slow_body_is_refused() {
        let (app, shim) = hasty().await;
        let said = raw(&shim, format!("{POST}content-length: 10\r\n\r\n{{")).await;
        shim.refused("slow", &said, 408).await;
        assert!(app.seen().is_empty());
    }

    #[tokio::test]
    async fn a_slow_streamed_body_is_refused() {
        let app = App::json("{}").await;
        let mut settings = settings(app.addr);
        plan(&mut settings).mode = TenantMode::Off;
        settings.listen.limits.body_timeout = Duration::from_millis(200);
        let shim = Shim::start(settings).await;
        let said = raw(&shim, format!("{POST}content-length: 10\r\n\r\n{{")).await;
        shim.refused("slow", &said, 408).await;
        assert!(app.seen().is_empty());
    }

    #[tokio::test]
    async fn a_client_that_reads_nothing_is_let_go() {
        let app = App::start(|_| http::Response::new(vec![b'x'; 40 << 20].into())).await;
        let mut settings = settings(app.addr);
        settings.listen.limits.idle_timeout = Duration::from_millis(200);
        let shim = Shim::start(settings).await;
        let mut client = Client::connect(shim.data).await;
        client.request("GET", USERS, &[], b"").await;
        shim.counts("scimshim_clients_left_total", &[("when", "answer")], 1.0).await;
        shim.counts("scimshim_in_flight", &[], 0.0).await;
    }

    #[tokio::test]
    async fn answers_that_nobody_takes_keep_nobody_out() {
        let app = App::json("{}").await;
        let mut settings = settings(app.addr);
        settings.listen.limits.in_flight = 10;
        settings.listen.limits.idle_timeout = Duration::from_millis(300);
        let shim = Shim::start(settings).await;
        let greedy = greedy(shim.data, "/scim/v2/Users/1", 20).await;
        eventually("answered", || async { app.seen().len() >= 10 }).await;
        shim.counts("scimshim_in_flight", &[], 0.0).await;
        assert_eq!(shim.get(USERS).await.status, 200);
        assert_eq!(shim.metric("scimshim_clients_left_total", &[]).await, 0.0);
        eventually("closed", || async { greedy.is_finished() }).await;
    }

    #[tokio::test]
    async fn large_answers_that_nobody_takes_are_let_go() {
        for mode in [TenantMode::Rewrite, TenantMode::Off] {
            let app = App::start(|_| http::Response::new(vec![b'x'; 1 << 20].into())).await;
            let mut settings = settings(app.addr);
            plan(&mut settings).mode = mode;
            settings.listen.limits.idle_timeout = Duration::from_secs(1);
            settings.listen.limits.in_flight = 10;
            let shim = Shim::start(settings).await;
            let greedy = greedy(shim.data, USERS, 20).await;
            shim.counts("scimshim_in_flight", &[], 10.0).await;
            shim.counts("scimshim_in_flight", &[], 0.0).await;
            shim.counts("scimshim_clients_left_total", &[("when", "answer")], 10.0).await;
            eventually("closed", || async { greedy.is_finished() }).await;
        }
    }

    #[tokio::test]
    async fn who_fills_the_admin_port_does_not_keep_the_probes_out() {
        let (_app, shim) = app_and_shim().await;
        let mut idle = Vec::new();
        for _ in 0..70 {
            let mut client = Client::connect(shim.admin).await;
            client.say("GET /metrics HTTP/1.1\r\nhost: a\r\n").await;
            idle.push(client);
        }
        assert_eq!(ask(shim.admin, "GET", "/livez", &[], "").await.status, 200);
        idle[0].closed().await;
    }

    #[tokio::test]
    async fn a_client_that_leaves_in_its_body_reaches_nobody() {
        let (app, shim) = app_and_shim().await;
        let mut client = Client::connect(shim.data).await;
        client.say(format!("{POST}content-length: 10\r\n\r\n{{")).await;
        shim.counts("scimshim_in_flight", &[], 1.0).await;
        drop(client);
        shim.counts("scimshim_in_flight", &[], 0.0).await;
        shim.counts("scimshim_requests_total", &[], 1.0).await;
        assert!(app.seen().is_empty());
    }

    #[tokio::test]
    async fn many_that_leave_at_once_leave_nothing() {
        let app = Raw::start(&[Act::Hang]).await;
        let shim = Shim::before(app.addr).await;
        for cut in (0..POST.len()).step_by(3) {
            Client::connect(shim.data).await.say(&POST.as_bytes()[..cut]).await;
        }
        for _ in 0..20 {
            Client::connect(shim.data).await.say(format!("{POST}content-length: 2\r\n\r\n{{}}")).await;
        }
        shim.counts("scimshim_in_flight", &[], 0.0).await;
    }
}

mod expectations {
    use super::*;

    #[tokio::test]
    async fn a_client_that_waits_for_100_is_told_to_go_on() {
        let (app, shim) = app_and_shim().await;
        let mut client = Client::connect(shim.data).await;
        client.say(format!("{POST}content-length: 2\r\nexpect: 100-continue\r\n\r\n")).await;
        assert_eq!(client.until("\r\n\r\n").await, "HTTP/1.1 100 Continue\r\n\r\n");
        client.say("{}").await;
        assert_eq!(client.answer().await.status, 200);
        assert_eq!(app.only().header("expect"), "");
    }

    #[tokio::test]
    async fn who_waits_for_100_with_too_much_is_told_at_once() {
        let (_app, shim) = app_and_shim().await;
        let said = raw(&shim, format!("{POST}content-length: 99999999\r\nexpect: 100-continue\r\n\r\n")).await;
        shim.refused("too_large", &said, 413).await;
    }

    #[tokio::test]
    async fn connect_is_refused() {
        let (app, shim) = app_and_shim().await;
        let said = raw(&shim, "CONNECT evil.example:443 HTTP/1.1\r\nhost: evil.example:443\r\n\r\n").await;
        shim.refused("unsupported", &said, 501).await;
        assert!(app.seen().is_empty());
    }

    #[tokio::test]
    async fn upgrades_are_refused() {
        let (app, shim) = app_and_shim().await;
        let sent = [("connection", "upgrade"), ("upgrade", "websocket")];
        let said = ask(shim.data, "GET", USERS, &sent, "").await;
        shim.refused("unsupported", &said, 501).await;
        assert!(app.seen().is_empty());
    }

    #[tokio::test]
    async fn an_offer_of_h2c_is_ignored() {
        let (app, shim) = app_and_shim().await;
        let sent = [("connection", "Upgrade, HTTP2-Settings"), ("upgrade", "h2c"), ("http2-settings", "AAMAAABk")];
        assert_eq!(ask(shim.data, "GET", USERS, &sent, "").await.status, 200);
        assert_eq!((app.only().header("upgrade"), app.only().header("http2-settings")), ("", ""));
    }
}

mod paths {
    use super::*;

    #[tokio::test]
    async fn what_two_parsers_could_read_differently_is_outside() {
        for path in [
            "/scim/v2/../../admin",
            "/scim/v2/%2e%2e/%2E%2e/admin",
            "/scim/v2/Users/..",
            "/scim/v2/./Users",
            "/x/../scim/v2/Users",
            "/scim%2fv2/Users",
            "/scim%5cv2/Users",
            "/scim%252fv2/Users",
            "/scim/v2%2fUsers",
            "/%73cim/v2/Users",
            "//scim/v2/Users",
            "http://a/scim/v2/../admin",
            "*",
        ] {
            let (app, shim) = app_and_shim().await;
            let said = shim.get(path).await;
            assert_eq!(said.status, 404, "{path}");
            shim.refused("outside", &said, 404).await;
            assert!(app.seen().is_empty(), "{path}");
        }
    }

    #[tokio::test]
    async fn an_id_may_hold_anything_encoded() {
        let (app, shim) = app_and_shim().await;
        let path = "/scim/v2/Users/a%2Fb%5C%25%00%C3%A9;x=1";
        assert_eq!(shim.get(path).await.status, 200);
        assert_eq!(app.only().target, path);
    }

    #[tokio::test]
    async fn a_method_of_nobodys_is_counted_as_other() {
        let (app, shim) = app_and_shim().await;
        assert_eq!(ask(shim.data, "BREW", USERS, &[], "").await.status, 200);
        assert_eq!(app.only().method, "BREW");
        shim.counts("scimshim_requests_total", &[("method", "other")], 1.0).await;
    }
}

#[tokio::test]
async fn a_giant_id_makes_no_giant_header() {
    let user = |id: &str| {
        format!(r#"{{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"id":"{id}","userName":"a"}}"#)
    };
    for (length, has_location) in [(36, true), (100_000, false)] {
        let body = user(&"7".repeat(length));
        let app = App::start(move |_| {
            let answer = http::Response::builder().status(201).header("content-type", "application/scim+json");
            answer.body(body.clone().into()).unwrap()
        })
        .await;
        let shim = Shim::before(app.addr).await;
        let headers = [("content-type", "application/scim+json")];
        let answer = ask(shim.data, "POST", "/scim/v2/Users", &headers, &user("1").replace(r#""id":"1","#, "")).await;
        assert_eq!((answer.status, !answer.header("location").is_empty()), (201, has_location), "{length}");
    }
}
