//! No quadratic blow-up: a part of a text is repeated, and what twice as many of it cost is counted.
//!
//! The input: the name of a parser on its own line, then what stands before, a line `~`, the part, a line `~`, what
//! stands behind. In the part `#` is its number, so that keys can differ.

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use scimshim::{
    config::{
        self, World,
        settings::{AddressFrom, ClientAddress},
    },
    feed::{
        Kind,
        parse::{Wanted, document},
    },
    fuzzing,
    gate::address::caller,
    observe::ledger::replay::Journal,
    quirk::Idp,
    scim::{Filter, Path, Registry, Syntax},
};

use crate::{
    cost::{self, Cost, Spent},
    input::{self, Message},
    seeds,
    target::{Shape, Target},
    words::KEYS,
};

pub static TARGET: Target = Target {
    name: "growth",
    about: "no quadratic blow-up: twice as many parts cost about twice as much, counted in steps and bytes",
    run,
    seeds: || seeds::bytes(SEEDS),
    words: KEYS,
    shape: Shape::Bytes,
    longest: 400,
    // What is asked is in `run`.
    cost: Cost { steps: u64::MAX / 4, steps_per_byte: 0, room: u64::MAX / 4, room_per_byte: 0 },
};

const SEEDS: &[&str] = &[
    "PATCH\n{\"Operations\":[\n~\n{\"op\":\"Add\",\"path\":\"members\",\"value\":[{\"value\":\"#\",\"$ref\":null}]},\n~\n{}]}",
    "PATCH\n{\"Operations\":[{\"op\":\"Remove\",\"path\":\"members\",\"value\":[\n~\n{\"value\":\"#\"},\n~\n{\"value\":\"z\"}]}]}",
    "PATCH\n{\"Operations\":[{\"op\":\"replace\",\"value\":{\n~\n\"a#.b\":\"x\",\n~\n\"z\":1}}]}",
    "PATCH\n{\"Operations\":[{\"op\":\"replace\",\"value\":{\n~\n\"emails[type eq \\\"t#\\\"].value\":\"x\",\n~\n\"z\":1}}]}",
    "POST\n{\"emails\":[\n~\n{\"primary\":\"True\",\"value\":\"#\"},\n~\n{}]}",
    "POST\n{\n~\n\"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:k#\":\"x\",\n~\n\"userName\":\"x\"}",
    "GET\n{\"Resources\":[\n~\n{\"id\":#,\"active\":\"True\",\"groups\":{}},\n~\n{}]}",
    "GET\n{\"Resources\":[{\"id\":1,\"members\":[\n~\n{\"value\":#},\n~\n{}]}]}",
    "filter\n\n~\na eq \"#\" and \n~\nb pr",
    "filter\n\n~\na[b eq # or c pr] or \n~\nb pr",
    "target\n/Users?\n~\na#=b+c%20d&\n~\nfilter=a eq b",
    "target\n/Users?filter=\n~\nuserName+eq+%22a#%22+and+\n~\ntitle+pr",
    "forwarded\n\n~\nfor=\"[2001:db8:1::#]:1\";proto=http, \n~\nfor=192.0.2.1",
    "x-forwarded-for\n\n~\n10.0.0.1:#, \n~\n10.0.0.1",
    "yaml\nupstream: { url: http://a }\nnormalize: { quirks: {\n~\nq#: fix,\n~\nx: off } }",
    "yaml\ntenants: { list: [\n~\n{ id: t#, tokens: [] },\n~\n{ id: x } ] }",
    "manifests\n\n~\n---\nkind: Deployment\nmetadata: {name: a#}\nspec: {template: {spec: {containers: [{name: a}]}}}\n\n~\n",
    "okta\n{\n~\n\"cell_#\":{\"ip_ranges\":[\"192.0.2.0/24\"]},\n~\n\"z\":{\"ip_ranges\":[]}}",
    "azure\n{\"values\":[\n~\n{\"name\":\"T#\",\"properties\":{\"addressPrefixes\":[\"192.0.2.0/24\"]}},\n~\n{\"name\":\"z\",\"properties\":{\"addressPrefixes\":[]}}]}",
    "list\n\n~\n192.0.2.0/24 # #\n\n~\n",
    "page\n\n~\n\"https://download.microsoft.com/ServiceTags_Public_2026072#.json\" \n~\n",
    "schemas\n[{\"id\":\"urn:a:b\",\"attributes\":[\n~\n{\"name\":\"a#\",\"type\":\"string\"},\n~\n{\"name\":\"z\"}]}]",
    "journal\n\n~\n{\"event\":{\"t_s\":#,\"tenant\":\"a\",\"method\":\"PATCH\",\"object_id\":\"#\",\"status\":500}}\n\n~\n",
    "facts\n{\"Operations\":[\n~\n{\"op\":\"add\",\"path\":\"members\",\"value\":[{\"value\":\"#\"}]},\n~\n{}]}",
    "query\n\n~\na#=b&\n~\ntoken=x",
    "path\nemails[\n~\na eq # or \n~\nb pr].value",
];

fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Some((parser, text)) = text.split_once('\n') else { return };
    let mut parts = text.split("\n~\n");
    let (Some(before), Some(part), Some(behind)) = (parts.next(), parts.next(), parts.next()) else { return };
    let at = |count: usize| {
        let mut whole = before.to_owned();
        (0..count).for_each(|index| whole.push_str(&part.replace('#', &index.to_string())));
        whole + behind
    };
    let texts = [32, 64, 128, 256].map(at);
    // What is made once is made before it counts.
    parse(parser, &texts[0]);
    let [a, b, c, d] = texts.map(|text| cost::of(|| parse(parser, &text)));
    for (what, of) in [("steps", (|spent| spent.steps) as fn(&Spent) -> u64), ("bytes", |spent| spent.room)] {
        let [a, b, c, d] = [&a, &b, &c, &d].map(of);
        let [first, second, third] = [b.saturating_sub(a), c.saturating_sub(b), d.saturating_sub(c)];
        // Twice for what is linear, four times for what is quadratic. Twice in a row, for a table may grow in between.
        let bends = |small: u64, large: u64| large > 3 * small + small / 4;
        let grows = bends(first, second) && bends(second, third) && third > 200_000;
        assert!(!grows, "{what} for 32, 64, 128 and 256 parts: {a}, {b}, {c}, {d}");
    }
}

fn parse(parser: &str, text: &str) {
    let message = |method: Method, target: &'static str| Message {
        plan: input::plan(Idp::Entra, true),
        everything: true,
        method,
        target,
        status: http::StatusCode::OK,
        headers: HeaderMap::new(),
        body: text.as_bytes(),
    };
    match parser {
        "PATCH" => drop(message(Method::PATCH, "/Groups/1").normalize()),
        "POST" => drop(message(Method::POST, "/Users").normalize()),
        "GET" => {
            let asked = message(Method::GET, "/Users");
            drop(asked.repair("/Users", asked.status, &asked.headers, asked.body));
        }
        "filter" => {
            let _ = (Filter::parse(text, Syntax::Strict), Filter::parse(text, Syntax::Lenient));
        }
        "path" => drop(Path::parse(text, Syntax::Lenient)),
        "target" => drop(message(Method::GET, "/").normalize_with(input::plan(Idp::Entra, true), text, b"")),
        "forwarded" | "x-forwarded-for" => {
            let from = if parser == "forwarded" { AddressFrom::Forwarded } else { AddressFrom::XForwardedFor };
            let nets = ["10.0.0.0/8", "2001:db8:1::/48"].map(|net| net.parse().expect("a range")).to_vec();
            let rules = ClientAddress { from, trusted_proxies: nets };
            if let (Ok(name), Ok(value)) = (parser.parse::<HeaderName>(), HeaderValue::from_str(text)) {
                caller(&rules, "10.0.0.1".parse().ok(), false, &HeaderMap::from_iter([(name, value)]));
            }
        }
        "yaml" => {
            let world = World { env: &|_| None, now: std::time::SystemTime::UNIX_EPOCH };
            drop(config::read(text, std::path::Path::new("/nonexistent/fuzz"), &world));
        }
        "manifests" => {
            static INJECTOR: std::sync::OnceLock<fuzzing::Injector> = std::sync::OnceLock::new();
            let injector = INJECTOR.get_or_init(|| {
                fuzzing::Injector::new(&["--upstream", "http://127.0.0.1:8080/"]).expect("flags that fit")
            });
            drop(injector.transform(text));
        }
        "okta" => drop(document(Kind::Okta, None, Wanted::All, text.as_bytes())),
        "azure" => drop(document(Kind::AzureServiceTags, None, Wanted::All, text.as_bytes())),
        "list" => drop(document(Kind::List, None, Wanted::All, text.as_bytes())),
        "page" => drop(fuzzing::link(text, "https://www.microsoft.com/en-us/download/details.aspx?id=56519")),
        "schemas" => drop(Registry::rfc().load(text)),
        "journal" => {
            let mut journal = Journal::default();
            text.lines().for_each(|line| drop(journal.read(line)));
            drop(journal.run());
        }
        "facts" => {
            static METRICS: std::sync::OnceLock<std::sync::Arc<scimshim::observe::Metrics>> =
                std::sync::OnceLock::new();
            let metrics = METRICS
                .get_or_init(|| std::sync::Arc::new(scimshim::observe::Metrics::new().expect("names are unique")));
            drop(fuzzing::recorded(metrics, "PATCH", "/Groups/1", text, 500, text));
        }
        "query" => drop(fuzzing::asked(text, "token")),
        _ => {}
    }
}
