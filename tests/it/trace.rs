//! A request's trace: what the app sees of it, what the log names, and what a collector gets.

use http::Response;

use crate::harness::{App, Shim, ask};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

#[tokio::test]
async fn without_a_collector_a_valid_trace_goes_on_and_a_broken_one_ends() {
    let app = App::json("{}").await;
    let shim = Shim::before(app.addr).await;
    let (good, state) = (("traceparent", PARENT), ("tracestate", "a=1,b=2"));
    let upper = PARENT.to_uppercase();
    for headers in [&[good, state][..], &[good, good, state], &[("traceparent", &upper), state], &[state]] {
        assert_eq!(ask(shim.data, "GET", "/scim/v2/Users", headers, "").await.status, 200);
    }
    let seen: Vec<_> =
        app.seen().iter().map(|s| (s.header("traceparent").to_owned(), s.header("tracestate").to_owned())).collect();
    let none = || (String::new(), String::new());
    assert_eq!(seen, [(PARENT.to_owned(), "a=1,b=2".to_owned()), none(), none(), none()]);
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn the_access_line_is_at_debug_and_names_the_trace() {
    use crate::harness::{Folder, Process};
    let app = App::start(|_| Response::builder().status(500).body("{}".into()).unwrap()).await;
    let folder = Folder::new();
    for (level, lines) in [("info", 0), ("debug", 1)] {
        let config =
            format!("upstream: {{ url: 'http://{}/scim/v2' }}\nlog: {{ level: {level}, format: json }}\n", app.addr);
        let process = Process::start(&folder.write("config.yaml", &config), &[]);
        ask(process.data, "DELETE", "/scim/v2/Users/1", &[("traceparent", PARENT), ("x-request-id", "r-1")], "").await;
        let (log, _) = process.stopped();
        let access: Vec<_> = log.lines().filter(|line| line.contains("scimshim::access")).collect();
        assert_eq!(access.len(), lines, "{log}");
        for line in access {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            assert_eq!((&line["level"], &line["trace"], &line["id"]), (&"DEBUG".into(), &TRACE.into(), &"r-1".into()));
            assert_eq!((&line["tenant"], &line["status"]), (&"default".into(), &500.into()));
        }
    }
}

#[cfg(all(unix, feature = "otlp"))]
mod collector {
    use std::{
        collections::BTreeMap,
        time::{Duration, Instant},
    };

    use bytes::Bytes;
    use http::Response;

    use super::{PARENT, TRACE};
    use crate::harness::{App, Authority, Folder, NAME, Process, SecureApp, Seen, ask, closed_port, eventually};

    /// A span as it went over the wire.
    #[derive(Debug, Clone)]
    struct Span {
        trace: String,
        id: String,
        parent: String,
        name: String,
        kind: u64,
        attributes: BTreeMap<String, String>,
        failed: bool,
    }

    /// A field of a protobuf message: a number, or bytes that may be a text or a message.
    #[derive(Debug, Clone)]
    enum Value<'a> {
        Number(u64),
        Bytes(&'a [u8]),
    }

    impl<'a> Value<'a> {
        fn bytes(self) -> &'a [u8] {
            match self {
                Self::Bytes(bytes) => bytes,
                Self::Number(number) => panic!("{number} is no text"),
            }
        }

        fn text(self) -> String {
            String::from_utf8(self.bytes().to_vec()).unwrap()
        }

        fn hex(self) -> String {
            self.bytes().iter().map(|byte| format!("{byte:02x}")).collect()
        }
    }

    /// The fields of a message, by their numbers. Not the library that wrote it: this reads what the specification says.
    fn fields(mut message: &[u8]) -> Vec<(u64, Value<'_>)> {
        fn varint(bytes: &mut &[u8]) -> u64 {
            let mut number = 0;
            for shift in (0..64).step_by(7) {
                let byte = bytes[0];
                *bytes = &bytes[1..];
                number |= u64::from(byte & 0x7f) << shift;
                if byte < 0x80 {
                    return number;
                }
            }
            panic!("a number without an end");
        }
        fn take<'a>(bytes: &mut &'a [u8], count: usize) -> &'a [u8] {
            let (head, tail) = bytes.split_at(count);
            *bytes = tail;
            head
        }
        let mut fields = Vec::new();
        while !message.is_empty() {
            let tag = varint(&mut message);
            let value = match tag & 7 {
                0 => Value::Number(varint(&mut message)),
                1 => Value::Number(u64::from_le_bytes(take(&mut message, 8).try_into().unwrap())),
                2 => {
                    let length = varint(&mut message) as usize;
                    Value::Bytes(take(&mut message, length))
                }
                5 => Value::Number(u32::from_le_bytes(take(&mut message, 4).try_into().unwrap()).into()),
                other => panic!("wire type {other}"),
            };
            fields.push((tag >> 3, value));
        }
        fields
    }

    fn all(message: &[u8], number: u64) -> Vec<Value<'_>> {
        fields(message).into_iter().filter(|(have, _)| *have == number).map(|(_, value)| value).collect()
    }

    fn one(message: &[u8], number: u64) -> Option<Value<'_>> {
        all(message, number).pop()
    }

    /// `KeyValue`s, of which ours are texts and whole numbers.
    fn attributes(message: &[u8], number: u64) -> BTreeMap<String, String> {
        let pair = |pair: Value<'_>| {
            let pair = pair.bytes();
            let value = fields(one(pair, 2).unwrap().bytes()).into_iter().next().map(|(_, value)| match value {
                Value::Number(number) => number.to_string(),
                Value::Bytes(text) => String::from_utf8(text.to_vec()).unwrap(),
            });
            (one(pair, 1).unwrap().text(), value.unwrap_or_default())
        };
        all(message, number).into_iter().map(pair).collect()
    }

    /// A collector that keeps what it is sent.
    struct Collector(App);

    impl Collector {
        async fn start() -> Self {
            Self(App::start(|_| Response::builder().status(200).body(Bytes::new()).unwrap()).await)
        }

        /// The resource, and the spans of `ExportTraceServiceRequest`s.
        fn got(&self) -> (BTreeMap<String, String>, Vec<Span>) {
            let (mut resource, mut spans) = (BTreeMap::new(), Vec::new());
            for sent in self.0.seen() {
                assert_eq!((&*sent.target, sent.header("content-type")), ("/v1/traces", "application/x-protobuf"));
                for resource_spans in all(&sent.body, 1) {
                    let resource_spans = resource_spans.bytes();
                    resource = attributes(one(resource_spans, 1).unwrap().bytes(), 1);
                    for scope_spans in all(resource_spans, 2) {
                        spans.extend(all(scope_spans.bytes(), 2).into_iter().map(|span| span_of(span.bytes())));
                    }
                }
            }
            (resource, spans)
        }

        fn raw(&self) -> Vec<u8> {
            self.0.seen().iter().flat_map(|sent| sent.body.to_vec()).collect()
        }
    }

    fn span_of(span: &[u8]) -> Span {
        Span {
            trace: one(span, 1).unwrap().hex(),
            id: one(span, 2).unwrap().hex(),
            parent: one(span, 4).map(Value::hex).unwrap_or_default(),
            name: one(span, 5).unwrap().text(),
            kind: one(span, 6).map_or(0, |kind| if let Value::Number(kind) = kind { kind } else { 0 }),
            attributes: attributes(span, 9),
            failed: one(span, 15).is_some_and(|status| matches!(one(status.bytes(), 3), Some(Value::Number(2)))),
        }
    }

    fn start(app: &App, endpoint: &str) -> (Folder, Process) {
        let folder = Folder::new();
        let config = format!(
            "upstream: {{ url: 'http://{}/scim/v2' }}\ntelemetry: {{ otlp_endpoint: '{endpoint}' }}\n",
            app.addr
        );
        let process = Process::start(&folder.write("config.yaml", &config), &[]);
        (folder, process)
    }

    const PATCH: &str = r#"{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
"Operations":[{"op":"Replace","path":"userName","value":"pLanTed@example.com"}]}"#;

    #[tokio::test(flavor = "multi_thread")]
    async fn a_collector_gets_the_steps_below_the_callers_span_and_the_app_continues_in_ours() {
        let app = App::json(r#"{"userName":"pLanTed"}"#).await;
        let collector = Collector::start().await;
        let (_folder, process) = start(&app, &format!("http://{}", collector.0.addr));
        let headers = [
            ("traceparent", PARENT),
            ("tracestate", "vendor=pLanTed"),
            ("x-request-id", "r-1"),
            ("authorization", "Bearer pLanTed"),
            ("user-agent", "pLanTed/1"),
            ("content-type", "application/scim+json"),
        ];
        let answer = ask(process.data, "PATCH", "/scim/v2/Users/pLanTed?x=pLanTed", &headers, PATCH).await;
        assert_eq!(answer.status, 200);
        eventually("all steps came", || async { collector.got().1.len() >= 7 }).await;
        process.stopped();

        let (resource, spans) = collector.got();
        assert_eq!(resource["service.name"], "scimshim");
        assert_eq!(resource["service.version"], env!("CARGO_PKG_VERSION"));
        let by_name: BTreeMap<_, _> = spans.iter().map(|span| (&*span.name, span)).collect();
        let names: Vec<_> = by_name.keys().copied().collect();
        assert_eq!(names, ["admit", "exchange", "normalize", "read", "read_answer", "repair", "upstream"]);
        assert_eq!(spans.len(), names.len());
        let root = by_name["exchange"];
        assert_eq!((&*root.parent, root.kind), ("b7ad6b7169203331", 2));
        for (name, span) in &by_name {
            assert_eq!(span.trace, TRACE, "{name}");
            assert!(*name == "exchange" || span.parent == root.id, "{name}: {span:?}");
        }
        for (name, value) in [
            ("id", "r-1"),
            ("tenant", "default"),
            ("method", "PATCH"),
            ("resource", "Users"),
            ("status", "200"),
            ("fixed", "patch-op-case"),
        ] {
            assert!(root.attributes[name].contains(value), "{name}: {root:?}");
        }
        let upstream = by_name["upstream"];
        assert_eq!(upstream.kind, 3);
        let seen = app.only();
        assert_eq!(seen.header("traceparent"), format!("00-{TRACE}-{}-01", upstream.id));
        assert_eq!(seen.header("tracestate"), "vendor=pLanTed");
        let planted = |window: &[u8]| window.eq_ignore_ascii_case(b"planted");
        assert!(!collector.raw().windows(7).any(planted), "{spans:?}");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_trace_begins_here_where_none_came_and_is_not_recorded_where_the_caller_says_so() {
        let app = App::start(|seen: &Seen| {
            let status = if seen.target.ends_with("/none") { 503 } else { 200 };
            Response::builder().status(status).body("{}".into()).unwrap()
        })
        .await;
        let collector = Collector::start().await;
        let (_folder, process) = start(&app, &format!("http://{}/v1/traces", collector.0.addr));
        let unsampled = PARENT.replace("-01", "-00");
        ask(process.data, "GET", "/scim/v2/Users/none", &[("tracestate", "left=over")], "").await;
        ask(process.data, "GET", "/scim/v2/Users/twice", &[("traceparent", PARENT), ("traceparent", PARENT)], "").await;
        ask(process.data, "GET", "/scim/v2/Users/unsampled", &[("traceparent", &unsampled)], "").await;
        let roots = || {
            let (_, mut spans) = collector.got();
            spans.retain(|span| span.name == "exchange");
            spans
        };
        eventually("two exchanges came", || async { roots().len() >= 2 }).await;
        process.stopped();
        let roots = roots();
        assert_eq!(roots.len(), 2, "{roots:#?}");
        assert_eq!(roots.iter().map(|root| root.failed).collect::<Vec<_>>(), [true, false]);
        assert!(roots.iter().all(|root| root.parent.is_empty() && root.trace != TRACE), "{roots:#?}");
        let seen = app.seen();
        for (seen, root) in seen.iter().zip(&roots) {
            assert!(seen.header("traceparent").starts_with(&format!("00-{}-", root.trace)), "{seen:?}");
            assert_eq!(seen.header("tracestate"), "");
        }
        assert_eq!(seen[2].header("traceparent"), unsampled);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_collector_is_called_by_tls_with_the_roots_of_the_platform() {
        let (app, authority, folder) = (App::json("{}").await, Authority::new(), Folder::new());
        let collector = SecureApp::start(authority.server(&authority.leaf(NAME), &[], false)).await;
        let roots = folder.write("roots.pem", &authority.pem());
        let config = format!(
            "upstream: {{ url: 'http://{}/scim/v2' }}\ntelemetry: {{ otlp_endpoint: 'https://{NAME}:{}' }}\n",
            app.addr,
            collector.addr.port()
        );
        let variables = [("SSL_CERT_FILE", roots.to_str().unwrap())];
        let process = Process::start(&folder.write("config.yaml", &config), &variables);
        assert_eq!(ask(process.data, "GET", "/scim/v2/Users/1", &[], "").await.status, 200);
        eventually("it is called", || async { collector.seen().len() == 1 }).await;
        drop(process);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_collector_that_is_away_is_told_once_and_one_that_hangs_does_not_keep_the_process() {
        let app = App::json("{}").await;
        let away = closed_port();
        let (_folder, process) = start(&app, &format!("http://{away}"));
        let lost = || process.log().matches("spans are lost until").count();
        for _ in 0..2 {
            assert_eq!(ask(process.data, "GET", "/scim/v2/Users/1", &[], "").await.status, 200);
            eventually("it is told", || async { lost() == 1 }).await;
        }
        let (log, _) = process.stopped();
        assert_eq!(log.matches("spans are lost until").count(), 1, "{log}");

        let hangs = App::slow(Duration::from_secs(600)).await;
        let (_folder, process) = start(&app, &format!("http://{}", hangs.addr));
        assert_eq!(ask(process.data, "GET", "/scim/v2/Users/1", &[], "").await.status, 200);
        let began = Instant::now();
        process.stopped();
        assert!(began.elapsed() < Duration::from_secs(10));
    }
}
