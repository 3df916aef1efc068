//! No token and nothing about a person is logged, counted, kept or shown: traffic full of planted words, then a search
//! for them in everything that scimshim writes or says itself. What the app answers may hold them; that goes to the IdP.

use bytes::Bytes;
use http::{Request, Response};

use crate::harness::{Answer, App, Client, Folder, Process, Seen, ask, closed_port, eventually, http2};

/// What operators can ask for; nothing of it may hold a planted word.
const SHOWN: &[&str] = &[
    "/",
    "/api/journal",
    "/api/journal/export",
    "/api/journal?failed=false",
    "/api/quirks",
    "/api/status",
    "/api/status?tenant=acme",
    "/livez",
    "/metrics",
    "/quirks",
    "/readyz",
    "/readyz?verbose",
    "/tenants/acme",
];

/// Every planted word has this in it, and nothing else has.
const MARK: &str = "pLanTed";

/// As a token says it: with the mark in it.
const TENANT_TOKEN: &str = "tenant-token-pLanTed-4f1c";
const ADMIN_TOKEN: &str = "admin-token-pLanTed-77aa";
const APP_AUTHORIZATION: &str = "Bearer app-token-pLanTed-90ee";

const USER: &str = r#"{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"id":"id-pLanTed-1","externalId":"ext-pLanTed-1",
"userName":"name.pLanTed@example.com","password":"pw-pLanTed","name":{"familyName":"pLanTedson","givenName":"Given-pLanTed"},
"emails":[{"value":"mail.pLanTed@example.com","primary":"True"}],"phoneNumbers":[{"value":"tel-pLanTed-555"}],
"active":"True","x509Certificates":[{"value":"cert-pLanTed"}]}"#;

const PATCH: &str = r#"{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"Replace",
"path":"emails[type eq \"work-pLanTed\"].value","value":"new.pLanTed@example.com"},{"op":"Add","value":{"userName":"pLanTed2"}}]}"#;

/// An app that repeats everything it gets, in every kind of answer.
fn parrot(seen: &Seen) -> Response<Bytes> {
    let told = |status: u16, content_type: &str, body: String| {
        Response::builder()
            .status(status)
            .header("content-type", content_type)
            .header("set-cookie", "sid=cookie-pLanTed")
            .header("x-debug", "header-pLanTed")
            .body(Bytes::from(body))
            .unwrap()
    };
    let body = String::from_utf8_lossy(&seen.body);
    match seen.target.rsplit('/').next().unwrap_or_default() {
        "html" => {
            told(500, "text/html", format!("<html><pre>java.lang.Error: pLanTed at Users.java:1\n{body}</pre></html>"))
        }
        "conflict" => told(409, "application/json", r#"{"detail":"name.pLanTed@example.com exists"}"#.to_owned()),
        "cut" => told(200, "application/scim+json", r#"{"userName":"pLanTed","#.to_owned()),
        "twice" => told(200, "application/scim+json", r#"{"userName":"pLanTed","username":"pLanTed2"}"#.to_owned()),
        "moved" => {
            let mut moved = told(307, "text/plain", "pLanTed".to_owned());
            let location = "http://user-pLanTed:pw-pLanTed@elsewhere.example/scim/v2/Users/pLanTed";
            moved.headers_mut().insert("location", location.parse().unwrap());
            moved
        }
        _ if seen.method == "GET" => told(200, "application/json", format!("[{USER}]")),
        _ => told(201, "application/json", USER.to_owned()),
    }
}

struct Traffic {
    process: Process,
    /// Everything that scimshim answered by itself.
    own: Vec<Answer>,
}

impl Traffic {
    const HEADERS: [(&'static str, &'static str); 9] = [
        ("authorization", "Bearer tenant-token-pLanTed-4f1c"),
        ("content-type", "application/scim+json"),
        ("cookie", "sid=cookie-pLanTed; other=pLanTed"),
        ("x-custom", "custom-pLanTed"),
        ("user-agent", "agent-pLanTed/1.0"),
        ("if-match", "\"etag-pLanTed\""),
        ("tracestate", "vendor=pLanTed"),
        ("accept", "application/scim+json, application/pLanTed"),
        ("x-request-id", "id.pLanTed@example.com"),
    ];

    /// What the app answers.
    async fn passes(&self, method: &str, target: &str, body: &str) {
        let path = format!("/t/acme/scim/v2{target}");
        let answer = ask(self.process.data, method, &path, &Self::HEADERS, body).await;
        assert!(![401, 404].contains(&answer.status), "{method} {target}: {}", answer.status);
        let mut request = Request::builder().method(method).uri(format!("http://scim.example.com{path}"));
        for (name, value) in Self::HEADERS {
            request = request.header(name, value);
        }
        let body: &'static str = body.to_owned().leak();
        http2(self.process.data, request.body(body).unwrap()).await;
    }

    /// What scimshim refuses, with that status.
    async fn refused(&mut self, status: u16, method: &str, target: &str, headers: &[(&str, &str)], body: &str) {
        let answer = ask(self.process.data, method, target, headers, body).await;
        assert_eq!(answer.status, status, "{method} {target}: {}", answer.text());
        self.own.push(answer);
    }

    async fn all(&mut self) {
        for target in [
            "/Users?filter=userName%20eq%20%22name.pLanTed@example.com%22",
            "/Users?filter=pLanTed%20eq",
            "/Users?attributes=pLanTed&x=pLanTed",
            "/Users/id-pLanTed-1",
            "/Users/cut",
            "/Users/twice",
            "/Users/html",
            "/Users/moved",
            "/pLanTed/Users",
        ] {
            self.passes("GET", target, "").await;
        }
        for target in ["/Users", "/Users/html", "/Users/conflict", "/Users/cut", "/Users/moved", "/Users/.search"] {
            self.passes("POST", target, USER).await;
        }
        for target in ["/Users/id-pLanTed-1", "/Users/html", "/Groups/group-pLanTed"] {
            self.passes("PATCH", target, PATCH).await;
            self.passes("DELETE", target, "").await;
        }
        let good = Self::HEADERS;
        let with = |changed: &[(&'static str, &'static str)]| {
            let mut headers: Vec<(&str, &str)> =
                good.into_iter().filter(|(name, _)| !changed.iter().any(|(other, _)| name == other)).collect();
            headers.extend_from_slice(changed);
            headers
        };
        let users = "/t/acme/scim/v2/Users";
        for broken in [
            r#"{"userName":"pLanTed","#,
            r#"{"userName":"pLanTed"} pLanTed"#,
            r#"["pLanTed"]"#,
            r#""pLanTed""#,
            r#"{"userName":"pLanTed","USERNAME":"pLanTed2"}"#,
            r#"{"key-pLanTed":1,"KEY-pLanTed":2}"#,
            "{\"userName\":\"pLanTed\u{1}\"}",
        ] {
            self.refused(400, "POST", users, &good, broken).await;
        }
        let wrong = [("authorization", "Bearer wrong-pLanTed")];
        self.refused(401, "POST", users, &with(&wrong), USER).await;
        self.refused(401, "POST", users, &with(&[("authorization", "Basic cExhblRlZA==pLanTed")]), USER).await;
        self.refused(401, "POST", users, &[("x-custom", "pLanTed")], USER).await;
        self.refused(403, "POST", "/t/closed/scim/v2/Users/pLanTed", &good, USER).await;
        self.refused(404, "POST", "/t/tenant-planted/scim/v2/Users/pLanTed", &good, USER).await;
        self.refused(404, "GET", "/else/pLanTed?token=pLanTed", &good, "").await;
        self.refused(404, "GET", "/t/acme/scim/v2/%2e%2e/pLanTed", &good, "").await;
        self.refused(415, "POST", users, &with(&[("content-encoding", "br")]), USER).await;
        self.refused(415, "POST", users, &with(&[("content-type", "application/xml")]), "<user>pLanTed</user>").await;
        self.refused(400, "POST", users, &with(&[("content-encoding", "gzip")]), USER).await;
        self.refused(413, "POST", users, &good, &format!("{{\"userName\":\"{}\"}}", "pLanTed".repeat(20_000))).await;
        let long = "pLanTed".repeat(3000);
        self.refused(431, "GET", users, &[("authorization", "Bearer pLanTed"), ("x-long", &long)], "").await;
        self.refused(501, "GET", users, &with(&[("connection", "upgrade"), ("upgrade", "pLanTed")]), "").await;
        self.refused(400, "GET", users, &with(&[("host", "user-pLanTed:pw-pLanTed@scim.example.com")]), "").await;
        for rude in [
            "GET http://user-pLanTed:pw-pLanTed@scim.example.com/scim/v2/Users HTTP/1.1\r\nhost: a\r\n\r\n",
            "pLanTed nonsense\r\n\r\n",
            "GET / HTTP/1.1\r\nhost: a\r\npLanTed header without a colon\r\n\r\n",
            "POST /scim/v2/Users HTTP/1.1\r\nhost: a\r\ncontent-length: pLanTed\r\n\r\n",
        ] {
            let mut client = Client::connect(self.process.data).await;
            client.say(rude).await;
            self.own.extend(client.try_answer().await);
        }
        // What leaves in the middle.
        let mut client = Client::connect(self.process.data).await;
        client.say(format!("POST {users} HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {TENANT_TOKEN}\r\n")).await;
        client.say("content-length: 1000\r\n\r\n{\"userName\":\"pLanTed").await;
    }
}

/// The lines of `text` that hold a planted word.
#[track_caller]
fn clean(what: &str, text: &str) {
    let found: Vec<_> = text.lines().filter(|line| line.to_lowercase().contains(&MARK.to_lowercase())).collect();
    assert!(found.is_empty(), "{what} holds what it must not:\n{}", found.join("\n"));
}

async fn nothing_gets_out(level: &str, http2: bool) {
    let app = App::start(parrot).await;
    let folder = Folder::new();
    let redis = closed_port();
    let hash = "0".repeat(64);
    let config = folder.write(
        "config.yaml",
        &format!(
            "
upstream: {{ url: 'http://{}/scim/v2', http2: {http2}, hold: 1s }}
listen: {{ limits: {{ body: 64KiB, header: 16KiB }} }}
admin: {{ token: {{ env: ADMIN_TOKEN }} }}
log: {{ format: json, level: '{level}' }}
audit: {{ target: audit.jsonl }}
feeds: {{ cache_dir: . }}
journal: {{ failures_only: false }}
rate_limit_store: {{ kind: redis, url: 'redis://user:redis-pLanTed@{redis}' }}
tenants:
  resolve: [ {{ path: '/t/{{tenant}}' }} ]
  defaults: {{ rate_limit: {{ writes: {{ per_second: 1000, burst: 1000 }} }} }}
  list:
    acme: {{ tokens: [ {{ name: one, sha256: '{}' }} ], upstream_authorization: {{ env: APP_AUTHORIZATION }} }}
    closed: {{ tokens: [ {{ name: two, sha256: '{hash}' }} ], allow: {{ mode: enforce, cidrs: ['192.0.2.0/24'] }} }}
",
            app.addr,
            sha256(TENANT_TOKEN)
        ),
    );
    let variables = [("ADMIN_TOKEN", ADMIN_TOKEN), ("APP_AUTHORIZATION", APP_AUTHORIZATION)];
    let process = Process::start(&config, &variables);
    let mut traffic = Traffic { process, own: Vec::new() };
    traffic.all().await;
    let Traffic { process, own } = traffic;
    assert!(own.len() > 20);
    for answer in own {
        clean("an answer of scimshim", &format!("{:#?}\n{}", answer.headers, answer.text()));
    }
    let operator = [("authorization", format!("Bearer {ADMIN_TOKEN}"))];
    let operator = operator.each_ref().map(|(name, value)| (*name, value.as_str()));
    for path in SHOWN {
        for headers in [&operator[..], &[]] {
            let answer = ask(process.admin, "GET", path, headers, "").await;
            assert!(headers.is_empty() || answer.status == 200, "{path}: {}", answer.text());
            clean(path, &format!("{:#?}\n{}", answer.headers, answer.text()));
        }
    }
    let journal = ask(process.admin, "GET", "/api/journal?tenant=acme&method=POST", &operator, "").await.text();
    assert!(journal.contains("\"userName\":\"string("), "nothing was searched: {journal}");
    // Else the search is in nothing: the app got the words, and the log speaks of the requests.
    assert!(app.seen().iter().any(|seen| seen.header("authorization") == APP_AUTHORIZATION));
    assert!(app.seen().iter().any(|seen| seen.body.windows(MARK.len()).any(|window| window == MARK.as_bytes())));
    let broke_off = "the request body broke off";
    eventually("the client that left is logged", || async { process.log().contains(broke_off) }).await;
    let (log, out) = process.stopped();
    assert!(log.contains("\"message\":\"request\"") && log.contains("\"level\":\"DEBUG\""), "{log}");
    clean("the log", &log);
    clean("standard output", &out);
    assert!(std::fs::metadata(folder.path("audit.jsonl")).unwrap().len() > 1000, "nothing was written");
    assert!(std::fs::metadata(folder.path("ledger.snapshot")).is_ok(), "nothing was written");
    for file in std::fs::read_dir(&folder).unwrap() {
        let path = file.unwrap().path();
        if path != config {
            clean(&path.display().to_string(), &String::from_utf8_lossy(&std::fs::read(&path).unwrap()));
        }
    }
}

fn sha256(text: &str) -> String {
    use sha2::Digest;
    sha2::Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn at_debug_nothing_planted_gets_out() {
    nothing_gets_out("debug", false).await;
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn at_debug_of_our_own_nothing_planted_gets_out_with_an_app_on_http_2() {
    nothing_gets_out("scimshim=debug,info", true).await;
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn at_a_bare_trace_libraries_say_nothing_planted_either() {
    nothing_gets_out("trace", true).await;
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn libraries_that_are_asked_by_name_say_nothing_planted() {
    let named =
        ["h2", "hyper", "hyper_util", "redis", "reqwest", "rustls", "tower"].map(|name| format!("{name}=trace"));
    nothing_gets_out(&format!("debug,{}", named.join(",")), true).await;
}

#[test]
#[should_panic(expected = "the log holds what it must not")]
fn a_planted_word_is_found_whatever_its_case() {
    clean("the log", "one line\nand PLANTED in another");
}
