//! The status page, in HTML that needs no JavaScript; the script only sorts, filters, keeps it fresh and shows the
//! journal.
//!
//! Every value goes through [`Text`], whoever made it: names are checked elsewhere, and here that is not relied on.

use std::{
    collections::BTreeMap,
    fmt::{self, Write as _},
    sync::{Arc, LazyLock},
};

use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sha2::{Digest as _, Sha256};

use super::{
    Answer, Desk,
    access::Refused,
    api::{Numbers, Row, Status, needs_attention},
    body, query, text, typed, words,
};
use crate::observe::ledger::{Component, Sample, State, View};

/// A file of the page.
pub(super) struct Asset {
    path: &'static str,
    kind: &'static str,
    bytes: &'static [u8],
}

const ASSETS: [Asset; 5] = [
    Asset { path: "/assets/page.css", kind: "text/css; charset=utf-8", bytes: include_bytes!("assets/page.css") },
    Asset { path: "/assets/page.js", kind: "text/javascript; charset=utf-8", bytes: include_bytes!("assets/page.js") },
    Asset {
        path: "/assets/journal.js",
        kind: "text/javascript; charset=utf-8",
        bytes: include_bytes!("assets/journal.js"),
    },
    Asset {
        path: "/assets/theme.js",
        kind: "text/javascript; charset=utf-8",
        bytes: include_bytes!("assets/theme.js"),
    },
    Asset { path: "/favicon.svg", kind: "image/svg+xml", bytes: include_bytes!("assets/favicon.svg") },
];

/// Of each asset, so that a browser asks for it again and is mostly told that it has it.
static TAGS: LazyLock<[String; ASSETS.len()]> = LazyLock::new(|| {
    std::array::from_fn(|at| {
        let hash = Sha256::digest(ASSETS[at].bytes);
        format!("\"{}\"", data_encoding::HEXLOWER.encode(&hash[..12]))
    })
});

/// The file at this path. Everybody gets them, for the login page needs them and they are in every copy of scimshim.
pub(super) fn asset(path: &str) -> Option<&'static Asset> {
    let path = if path == "/favicon.ico" { "/favicon.svg" } else { path };
    ASSETS.iter().find(|asset| asset.path == path)
}

impl Asset {
    pub(super) fn answer<B>(&self, request: &Request<B>) -> Answer {
        let at = ASSETS.iter().position(|asset| asset.path == self.path).unwrap_or_default();
        let tag = HeaderValue::from_str(&TAGS[at]).ok();
        let mut answer = if has(request.headers(), &TAGS[at]) {
            let mut answer = Response::new(body::whole(<_>::default()));
            *answer.status_mut() = StatusCode::NOT_MODIFIED;
            answer
        } else {
            typed(StatusCode::OK, self.kind, self.bytes)
        };
        let headers = answer.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        headers.extend(tag.map(|tag| (header::ETAG, tag)));
        answer
    }
}

/// Whether the caller says that it has what bears this tag: compared weakly, in a list, or `*` (RFC 9110, 13.1.2). Ours
/// holds no comma, so that a comma within a foreign tag cannot make one that looks like it.
fn has(headers: &HeaderMap, tag: &str) -> bool {
    let lines = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|line| line.to_str().ok());
    let mut asked = lines.flat_map(|line| line.split(',')).map(str::trim);
    asked.any(|one| one == "*" || one.strip_prefix("W/").unwrap_or(one) == tag)
}

/// Text in HTML, also within the quotes of an attribute.
struct Text<'a>(&'a str);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in self.0.split_inclusive(['&', '<', '>', '"', '\'']) {
            let escaped = match part.as_bytes().last() {
                Some(b'&') => "&amp;",
                Some(b'<') => "&lt;",
                Some(b'>') => "&gt;",
                Some(b'"') => "&quot;",
                Some(b'\'') => "&#39;",
                _ => {
                    f.write_str(part)?;
                    continue;
                }
            };
            f.write_str(&part[..part.len() - 1])?;
            f.write_str(escaped)?;
        }
        Ok(())
    }
}

/// A sentence with `code` in backticks, as the pages of quirks are written.
struct Prose<'a>(&'a str);

impl fmt::Display for Prose<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<_> = self.0.split('`').collect();
        for (at, part) in parts.iter().enumerate() {
            match (at % 2 == 1, at + 1 < parts.len()) {
                (true, true) => write!(f, "<code>{}</code>", Text(part))?,
                (true, false) => write!(f, "`{}", Text(part))?,
                (false, _) => write!(f, "{}", Text(part))?,
            }
        }
        Ok(())
    }
}

/// What stands unescaped in a path: RFC 3986, 2.3.
const PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

fn path_of(tenant: &str) -> String {
    format!("/tenants/{}", utf8_percent_encode(tenant, PATH))
}

/// A page that grows. Writing to a `String` cannot fail.
#[derive(Default)]
struct Html(String);

impl Html {
    fn put(&mut self, args: fmt::Arguments<'_>) {
        let _ = self.0.write_fmt(args);
    }
}

macro_rules! put {
    ($html:expr, $($args:tt)*) => { $html.put(format_args!($($args)*)) };
}

impl Desk {
    pub(super) fn page(self: &Arc<Self>, query: &str) -> Answer {
        if let Err(error) = query::parse(query, []) {
            return text(StatusCode::BAD_REQUEST, format!("{error}\n"));
        }
        let status = self.status();
        let mut html = opened("Connections", Some(&status), false);
        summary(&mut html, &status);
        tenants(&mut html, &status);
        feeds(&mut html, &status);
        config(&mut html, &status);
        closed(html, StatusCode::OK)
    }

    pub(super) fn tenant_page(self: &Arc<Self>, tenant: &str) -> Answer {
        let Some(status) = self.status_of(tenant) else {
            let mut html = opened("No such connection", None, false);
            put!(
                html,
                "<h1>No such connection</h1><p><code>{}</code> is neither listed nor remembered. ",
                Text(tenant)
            );
            put!(html, "<a href=\"/\">All connections</a></p>");
            return closed(html, StatusCode::NOT_FOUND);
        };
        let Some(row) = status.tenants.first() else { return super::missing() };
        let mut html = opened(&row.facts.tenant, Some(&status), true);
        tenant_head(&mut html, row, status.now);
        facts(&mut html, row, status.now);
        culprits(&mut html, row);
        components(&mut html, &row.view);
        chart(&mut html, &row.view);
        fixes(&mut html, row);
        allowlist(&mut html, row, status.now);
        put!(
            html,
            "<section id=\"journal\" data-tenant=\"{}\" data-reasons=\"{}\" aria-labelledby=\"journal-title\"><h2 id=\"journal-title\">\
             Journal</h2><noscript><p>The journal is shown with JavaScript; <a href=\"/api/journal?tenant={}\">as \
             JSON</a> it needs none.</p></noscript></section>",
            Text(&row.facts.tenant),
            Text(&serde_json::json!(BTreeMap::from(words::REFUSALS)).to_string()),
            utf8_percent_encode(&row.facts.tenant, PATH),
        );
        closed(html, StatusCode::OK)
    }

    pub(super) fn quirks_page(self: &Arc<Self>) -> Answer {
        let status = self.status();
        let mut html = opened("Quirks", Some(&status), false);
        let mut all = self.quirks();
        all.sort_by_key(|quirk| std::cmp::Reverse(quirk.counts.fix + quirk.counts.observe));
        let found = all.iter().filter(|quirk| !quirk.tenants.is_empty()).count();
        put!(
            html,
            "<div data-live=\"quirks\"><h1>Quirks</h1><p>{found} of {} known deviations have been found ",
            all.len()
        );
        put!(html, "since the start; <code>scimshim quirk ID</code> explains one.</p>");
        put!(html, "<div class=\"wide\"><table class=\"list\"><thead><tr><th scope=\"col\">Quirk</th>");
        put!(html, "<th scope=\"col\">What is wrong</th><th scope=\"col\">Direction</th><th scope=\"col\">Risk</th>");
        put!(html, "<th scope=\"col\" class=\"number\">Fixed</th><th scope=\"col\" class=\"number\">Observed</th>");
        put!(html, "<th scope=\"col\">Where</th></tr></thead><tbody>");
        for quirk in all {
            let super::api::Counts { fix, observe } = quirk.counts;
            put!(html, "<tr id=\"{0}\"><th scope=\"row\"><code>{0}</code></th>", quirk.id);
            put!(html, "<td data-label=\"What is wrong\"><span>{}</span></td>", Prose(quirk.summary));
            put!(
                html,
                "<td data-label=\"Direction\">{}</td><td data-label=\"Risk\">{}</td>",
                quirk.direction,
                quirk.risk
            );
            put!(html, "<td data-label=\"Fixed\" class=\"number\">{fix}</td>");
            put!(html, "<td data-label=\"Observed\" class=\"number\">{observe}</td><td data-label=\"Where\"><span>");
            for place in quirk.tenants.iter().take(MOST) {
                put!(html, "<a href=\"{}\">{}</a> {} ", path_of(&place.tenant), Text(&place.tenant), place.count);
            }
            put!(html, "{}</span></td></tr>", if quirk.tenants.len() > MOST { "…" } else { "" });
        }
        put!(html, "</tbody></table></div></div>");
        closed(html, StatusCode::OK)
    }
}

/// The page that asks for the token.
pub(super) fn login(status: StatusCode, refused: Option<Refused>) -> Answer {
    let mut html = opened("Log in", None, false);
    put!(html, "<section class=\"login\"><h1>Log in</h1>");
    if let Some(refused) = refused {
        let class = if refused.is_failure() { "role=\"alert\"" } else { "class=\"quiet\"" };
        put!(html, "<p {class}>{}.</p>", Prose(&words::sentence(&refused.to_string())));
    }
    put!(
        html,
        "<form method=\"post\" action=\"/login\"><label for=\"token\">The token of <code>admin.token</code></label>\
         <input id=\"token\" name=\"token\" type=\"password\" autocomplete=\"current-password\" required autofocus>\
         <button type=\"submit\">Log in</button></form><p class=\"quiet\">Or <code>kubectl port-forward</code> to this \
         port and open <code>http://localhost</code>: from within the pod no token is asked, unless \
         <code>admin.loopback</code> is false.</p></section>"
    );
    closed(html, status)
}

fn opened(title: &str, status: Option<&Status>, has_journal: bool) -> Html {
    let mut html = Html::default();
    put!(
        html,
        "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{} · scimshim</title>\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <meta name=\"color-scheme\" content=\"light dark\"><link rel=\"icon\" href=\"/favicon.svg\">\
         <link rel=\"stylesheet\" href=\"/assets/page.css\"><script src=\"/assets/theme.js\"></script>",
        Text(title)
    );
    if status.is_some() {
        put!(html, "<script type=\"module\" src=\"/assets/page.js\"></script>");
    }
    if has_journal {
        put!(html, "<script type=\"module\" src=\"/assets/journal.js\"></script>");
    }
    put!(html, "</head><body><a class=\"skip\" href=\"#main\">Skip to content</a><header>");
    put!(html, "<a class=\"brand\" href=\"/\">scimshim</a>");
    if let Some(status) = status {
        put!(html, "<nav aria-label=\"Pages\"><a href=\"/\">Connections</a><a href=\"/quirks\">Quirks</a></nav>");
        chips(&mut html, status);
    }
    put!(html, "<div id=\"tools\"></div></header><main id=\"main\" tabindex=\"-1\">");
    html
}

fn closed(mut html: Html, status: StatusCode) -> Answer {
    put!(
        html,
        "</main><footer><p>States and risks are the guesses of a model that sees what the identity provider was told; \
         only the identity provider knows.</p></footer></body></html>"
    );
    typed(status, "text/html; charset=utf-8", html.0)
}

/// The shim itself, in the header of each page.
fn chips(html: &mut Html, status: &Status) {
    put!(html, "<ul class=\"chips\" data-live=\"chips\" aria-label=\"This shim\"><li>{}</li>", Text(status.version));
    put!(html, "<li>up {}</li>", words::span(status.now - status.started));
    let (class, word) = match (status.draining, status.ready) {
        (true, _) => ("warn", "▲ draining"),
        (_, true) => ("good", "● ready"),
        (_, false) => ("bad", "■ not ready"),
    };
    put!(html, "<li class=\"{class}\">{word}</li>");
    let (class, word) = match status.app.reachable {
        Some(true) => ("good", "● app reachable"),
        Some(false) => ("bad", "■ app unreachable"),
        None => ("", "○ app not tried yet"),
    };
    put!(html, "<li class=\"{class}\" title=\"{}\">{word}</li>", Text(&status.app.origin));
    if !status.config.reload_success {
        put!(html, "<li class=\"bad\"><a href=\"#config\">■ config refused</a></li>");
    }
    if !status.store_available {
        put!(html, "<li class=\"warn\">▲ rate limit store away</li>");
    }
    put!(html, "</ul>");
}

/// What is wrong, in one line.
fn summary(html: &mut Html, status: &Status) {
    let rows = &status.tenants;
    let (all, bad) = (rows.len(), rows.iter().filter(|row| row.needs_attention()).count());
    let noun = if all == 1 { "connection" } else { "connections" };
    put!(html, "<div data-live=\"summary\" class=\"summary {}\"><h1>", border(rows));
    match bad {
        _ if all == 0 => put!(html, "No connection is configured, and none has come"),
        0 => put!(html, "None of {all} {noun} needs attention"),
        1 => put!(html, "1 of {all} {noun} needs attention"),
        _ => put!(html, "{bad} of {all} {noun} need attention"),
    }
    put!(html, "</h1><ul class=\"tally\">");
    // By severity, so that those who are shut out stand where their rows do.
    let mut tally = BTreeMap::new();
    for row in rows {
        tally.entry(row.severity()).or_insert((row, 0)).1 += 1;
    }
    for (row, count) in tally.values() {
        let look = Look::of(row);
        put!(html, "<li><span class=\"state {}\" title=\"{}\">", look.class, Text(look.long));
        put!(html, "<span aria-hidden=\"true\">{}</span> {count} {}</span></li>", look.shape, look.short);
    }
    put!(html, "</ul></div>");
}

/// How the worst of these is framed.
fn border(rows: &[Row]) -> &'static str {
    if rows.iter().any(|row| needs_attention(row.view.state)) {
        "attention"
    } else if rows.iter().any(Row::is_shut_out) {
        "warning"
    } else {
        "calm"
    }
}

/// How the state of a connection is shown.
struct Look {
    class: &'static str,
    shape: &'static str,
    short: &'static str,
    long: &'static str,
}

impl Look {
    fn of(row: &Row) -> Self {
        if row.is_shut_out() {
            return Self {
                class: "shut_out",
                shape: "◭",
                short: "only refusals so far",
                long: "Requests came, and scimshim refused every one; the model has nothing to judge.",
            };
        }
        let words = words::state(row.view.state);
        Self { class: row.view.state.as_str(), shape: words.shape, short: words.short, long: words.long }
    }
}

/// Why none of the requests of a connection came to anything.
struct ShutOut<'a>(&'a Numbers);

impl fmt::Display for ShutOut<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// With these the request was let in, and the app did not answer it.
        const LATER: [&str; 4] = ["deadline", "hold", "internal", "upstream"];
        let let_in = self.0.refusals.keys().any(|reason| LATER.contains(&&**reason));
        f.write_str(if let_in { "nothing succeeded so far; " } else { "nothing was let in so far; " })?;
        f.write_str("refused here:")?;
        for (at, (reason, count)) in self.0.refusals.iter().enumerate() {
            write!(f, "{} {} {count}", if at == 0 { "" } else { "," }, Text(&reason.replace('_', " ")))?;
        }
        Ok(())
    }
}

/// Connections on the list: more than a person reads, and few enough that a browser lays them out at once.
const SHOWN: usize = 500;

/// Fixes and places that fit in a cell.
const MOST: usize = 3;

fn tenants(html: &mut Html, status: &Status) {
    put!(
        html,
        "<section aria-labelledby=\"tenants-title\"><h2 id=\"tenants-title\" class=\"hidden\">Connections</h2>\
         <div id=\"filter\"></div><div class=\"wide\"><table id=\"tenants\" class=\"list\"><caption class=\"hidden\">\
         Connections, the worst first</caption><thead><tr>"
    );
    for (name, class) in [
        ("Connection", ""),
        ("State", ""),
        ("Risk", ""),
        ("Time to quarantine", ""),
        ("Failing", "number"),
        ("Last success", ""),
        ("Waiting / refused", "number"),
        ("Allowlist", ""),
        ("Fixes", ""),
    ] {
        put!(html, "<th scope=\"col\" class=\"{class}\">{name}</th>");
    }
    put!(html, "</tr></thead><tbody>");
    for (at, row) in status.tenants.iter().take(SHOWN).enumerate() {
        tenant(html, at, row, status.now);
    }
    put!(html, "</tbody></table></div>");
    rest(html, status.tenants.get(SHOWN..).unwrap_or_default());
    put!(html, "</section>");
}

/// What the list leaves out.
fn rest(html: &mut Html, hidden: &[Row]) {
    put!(html, "<p id=\"rest\" data-live=\"rest\" class=\"quiet\">");
    let bad = hidden.iter().filter(|row| row.needs_attention()).count();
    match (hidden.len(), bad) {
        (0, _) => {}
        (all, 0) => put!(html, "{all} more, calm ones, are not shown"),
        (all, bad) => put!(html, "{all} more are not shown, {bad} of which need attention"),
    }
    if !hidden.is_empty() {
        put!(html, "; filter all by <a href=\"/api/status?state=healthy\">/api/status?state=…</a>, or open ");
        put!(html, "<code>/tenants/NAME</code>.");
    }
    put!(html, "</p>");
}

fn tenant(html: &mut Html, at: usize, row: &Row, now: f64) {
    let Row { facts, view, numbers } = row;
    let look = Look::of(row);
    let id = Text(&facts.tenant);
    put!(html, "<tr data-key=\"{id}\" data-at=\"{at}\" data-state=\"{}\">", view.state.as_str());
    put!(html, "<th scope=\"row\" data-sort=\"{id}\"><a href=\"{}\">{id}</a>", path_of(&facts.tenant));
    put!(html, "<span class=\"quiet\">{}{}</span></th>", Text(facts.idp), mode(facts.mode));
    put!(
        html,
        "<td data-label=\"State\" data-sort=\"{}\"><span><span class=\"state {}\" title=\"{}\">",
        row.severity(),
        look.class,
        Text(look.long)
    );
    put!(html, "<span aria-hidden=\"true\">{}</span> {}</span>", look.shape, look.short);
    if let Some(reason) = row.reason() {
        put!(html, "<span class=\"quiet\">{}</span>", words::component(reason).phrase(view.risk));
    }
    if let (true, Some(numbers)) = (row.is_shut_out(), numbers) {
        put!(html, "<span class=\"quiet\">{}</span>", ShutOut(numbers));
    }
    put!(html, "</span></td><td data-label=\"Risk\" data-sort=\"{:.4}\">{}</td>", view.risk, Bar(view.risk));
    put!(html, "<td data-label=\"Time to quarantine\" data-sort=\"{}\"><span>", view.eta_s.unwrap_or(1e12));
    outlook(html, view, now);
    put!(html, "</span></td><td data-label=\"Failing\" class=\"number\" data-sort=\"{0}\"><span>{0}", view.failing);
    if view.failing > 0 {
        put!(html, "<span class=\"quiet\">of {}</span>", view.failing + view.succeeded);
    }
    put!(html, "</span></td><td data-label=\"Last success\" data-sort=\"{}\">", view.last_success.unwrap_or(0.0));
    put!(html, "{}</td>", When(view.last_success, now));
    match numbers {
        None => put!(
            html,
            "<td data-label=\"Waiting / refused\" class=\"number\" data-sort=\"0\"><span class=\"quiet\" title=\"It has \
             no label of its own: `metrics.max_tenants`\">in _other</span></td>"
        ),
        Some(Numbers { rate, .. }) => put!(
            html,
            "<td data-label=\"Waiting / refused\" class=\"number\" data-sort=\"{}\">{} / {}</td>",
            rate.waiting + rate.refused,
            rate.waiting,
            rate.refused
        ),
    }
    put!(html, "<td data-label=\"Allowlist\" data-sort=\"{}\"><span>{}", facts.allow, facts.allow);
    let unlisted = facts.unlisted.len();
    if unlisted > 0 {
        put!(html, "<span class=\"quiet\">{unlisted} unlisted</span>");
    }
    let fixes = numbers.as_ref().map(|numbers| &*numbers.fixes).unwrap_or_default();
    put!(
        html,
        "</span></td><td data-label=\"Fixes\" data-sort=\"{}\"><span class=\"fixes\">",
        fixes.iter().map(|fix| fix.count).sum::<u64>()
    );
    for fix in fixes.iter().take(MOST) {
        put!(
            html,
            "<span><a href=\"/quirks#{0}\">{0}</a> {1}{2}</span>",
            Text(&fix.quirk),
            fix.count,
            observed(&fix.mode)
        );
    }
    match fixes.len() {
        0 => put!(html, "<span class=\"quiet\">none</span>"),
        all if all > MOST => put!(html, "<span class=\"quiet\">and {} more</span>", all - MOST),
        _ => {}
    }
    put!(html, "</span></td></tr>");
}

fn mode(mode: &str) -> String {
    if mode == "rewrite" { String::new() } else { format!(" · mode {}", Text(mode)) }
}

fn observed(mode: &str) -> &'static str {
    if mode == "fix" { "" } else { " seen" }
}

/// A trend of hours says nothing of what comes after a week.
const FAR: f64 = 7.0 * 86_400.0;

/// What comes next, as the model expects it.
fn outlook(html: &mut Html, view: &View, now: f64) {
    match (view.state, view.next_attempt, view.disable, view.eta_s) {
        (State::LikelyQuarantined | State::DisabledSuspected, next, disable, _) => {
            if let Some(next) = next {
                put!(html, "next try {}", Expected(next, now));
            }
            if let Some(disable) = disable {
                put!(html, "<span class=\"quiet\">switch-off {}</span>", Expected(disable, now));
            }
            if next.is_none() && disable.is_none() {
                put!(html, "likely past");
            }
        }
        (_, _, _, Some(eta)) if eta <= FAR => put!(html, "about {}", words::span(eta)),
        (_, _, _, Some(eta)) if eta.is_finite() => put!(
            html,
            "<span class=\"quiet\" title=\"about {}, as the model extrapolates\">none in sight</span>",
            words::span(eta)
        ),
        _ => put!(html, "<span class=\"quiet\">none in sight</span>"),
    }
}

/// A number from 0 to 1, drawn and written.
struct Bar(f64);

impl fmt::Display for Bar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.0.clamp(0.0, 1.0);
        let class = match value {
            v if v >= 0.5 => "high",
            v if v >= 0.25 => "middle",
            _ => "low",
        };
        write!(
            f,
            "<span class=\"bar\"><svg class=\"{class}\" viewBox=\"0 0 60 8\" width=\"48\" height=\"8\" \
             aria-hidden=\"true\"><rect class=\"back\" width=\"60\" height=\"8\" rx=\"2\"/><rect class=\"front\" \
             width=\"{:.1}\" height=\"8\" rx=\"2\"/></svg> {value:.2}</span>",
            value * 60.0
        )
    }
}

/// A moment, relative to now and with its date.
struct When(Option<f64>, f64);

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(at, now) = self;
        let Some(at) = at.filter(|at| *at > 0.0) else { return f.write_str("<span class=\"quiet\">never</span>") };
        let date = words::moment(at);
        write!(f, "<time datetime=\"{date}\" title=\"{date}\">")?;
        if at > *now {
            write!(f, "in {}", words::span(at - now))?;
        } else {
            write!(f, "{} ago", words::span(now - at))?;
        }
        f.write_str("</time>")
    }
}

/// A moment that the model expects.
struct Expected(f64, f64);

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(at, now) = *self;
        let date = words::moment(at);
        write!(f, "<time datetime=\"{date}\" title=\"{date}, as the model expects it\">")?;
        if at > now {
            write!(f, "in about {}", words::span(at - now))?;
        } else {
            f.write_str("is due")?;
        }
        f.write_str("</time>")
    }
}

fn feeds(html: &mut Html, status: &Status) {
    put!(html, "<section data-live=\"feeds\" aria-labelledby=\"feeds-title\"><h2 id=\"feeds-title\">Feeds</h2>");
    if status.feeds.is_empty() {
        put!(html, "<p class=\"quiet\">No feed of addresses is configured.</p></section>");
        return;
    }
    put!(
        html,
        "<div class=\"wide\"><table class=\"list\"><thead><tr><th scope=\"col\">Feed</th><th scope=\"col\">State</th>"
    );
    put!(
        html,
        "<th scope=\"col\">Last success</th><th scope=\"col\">Next try</th><th scope=\"col\" class=\"number\">Addresses</th>"
    );
    put!(html, "<th scope=\"col\">Source</th></tr></thead><tbody>");
    for feed in &status.feeds {
        let (word, shape) = words::feed(feed.state);
        let time = |at: Option<u64>| When(at.map(|at| at as f64), status.now);
        put!(html, "<tr><th scope=\"row\">{}<span class=\"quiet\">{}</span></th>", Text(&feed.name), feed.kind);
        put!(html, "<td data-label=\"State\"><span><span class=\"state feed-{}\">", feed.state.as_str());
        put!(html, "<span aria-hidden=\"true\">{shape}</span> {word}</span>");
        for error in [&feed.last_error, &feed.cache_error].into_iter().flatten() {
            put!(html, "<span class=\"quiet\">{}</span>", Text(error));
        }
        put!(html, "</span></td><td data-label=\"Last success\">{}</td>", time(feed.last_success));
        put!(html, "<td data-label=\"Next try\">{}</td>", time(feed.next_try));
        put!(html, "<td data-label=\"Addresses\" class=\"number\"><span>{}", feed.addresses);
        put!(html, "<span class=\"quiet\">{} entries</span></span></td>", feed.entries);
        put!(html, "<td data-label=\"Source\" class=\"source\"><span>{}</span></td></tr>", Text(&feed.source));
    }
    put!(html, "</tbody></table></div></section>");
}

fn config(html: &mut Html, status: &Status) {
    put!(html, "<section id=\"config\" data-live=\"config\" aria-labelledby=\"config-title\"><h2 id=\"config-title\">");
    put!(html, "Configuration</h2><p>");
    if status.config.reload_success {
        put!(html, "<span class=\"state good\"><span aria-hidden=\"true\">●</span> in force</span> ");
    } else {
        put!(html, "<span class=\"state bad\"><span aria-hidden=\"true\">■</span> the newest was refused</span> ");
        put!(html, "What ran before stays in force; the log names each problem. ");
    }
    put!(
        html,
        "Read {}. App: <code>{}</code></p>",
        When(Some(status.config.last_reload as f64), status.now),
        Text(&status.app.origin)
    );
    if !status.config.notes.is_empty() {
        put!(html, "<ul class=\"notes\">");
        for note in &status.config.notes {
            put!(html, "<li>{}</li>", Text(note));
        }
        put!(html, "</ul>");
    }
    put!(html, "</section>");
}

fn tenant_head(html: &mut Html, row: &Row, now: f64) {
    let Row { facts, view, numbers } = row;
    let look = Look::of(row);
    let class = border(std::slice::from_ref(row));
    put!(html, "<div data-live=\"head\" class=\"summary {class}\"><h1>{}</h1>", Text(&facts.tenant));
    put!(html, "<p><span class=\"state {}\"><span aria-hidden=\"true\">{}</span> ", look.class, look.shape);
    put!(html, "{}</span>", look.short);
    if view.since > 0.0 {
        put!(html, " <span class=\"quiet inline\">since {}</span>", When(Some(view.since), now));
    }
    put!(html, "</p><p>{}", look.long);
    if let (true, Some(numbers)) = (row.is_shut_out(), numbers) {
        put!(html, " {}.", words::sentence(&ShutOut(numbers).to_string()));
    }
    if let Some(runbook) = words::state(view.state).runbook {
        put!(html, " <span class=\"quiet inline\">Runbook: <code>{runbook}</code></span>");
    }
    put!(html, "</p></div>");
}

fn facts(html: &mut Html, row: &Row, now: f64) {
    let Row { facts, view, numbers } = row;
    put!(html, "<dl class=\"facts\" data-live=\"facts\">");
    put!(html, "<div><dt>Risk</dt><dd>{}</dd></div>", Bar(view.risk));
    put!(html, "<div><dt>Time to quarantine</dt><dd>");
    outlook(html, view, now);
    put!(html, "</dd></div><div><dt>Failing objects</dt><dd>{}", view.failing);
    if view.failing_references > 0 {
        put!(html, " and {} references", view.failing_references);
    }
    put!(html, "</dd></div><div><dt>Succeeded objects</dt><dd>{}</dd></div>", view.succeeded);
    put!(
        html,
        "<div><dt>Room to the nearest threshold</dt><dd>{:.0} %</dd></div>",
        view.budget.clamp(0.0, 1.0) * 100.0
    );
    put!(html, "<div><dt>Last success</dt><dd>{}</dd></div>", When(view.last_success, now));
    put!(html, "<div><dt>Last request</dt><dd>{}</dd></div>", When(view.last_request, now));
    put!(html, "<div><dt>Rhythm</dt><dd>");
    match view.period_s {
        Some(period) => put!(html, "a cycle each {}", words::span(period)),
        None => put!(html, "<span class=\"quiet\">none known</span>"),
    }
    put!(html, "</dd></div><div><dt>Identity provider</dt><dd>{}, mode {}</dd></div>", Text(facts.idp), facts.mode);
    if let Some(Numbers { rate, in_flight, held, refusals, .. }) = numbers {
        put!(html, "<div><dt>Now</dt><dd>{in_flight} in flight, {} waiting, {held} held</dd></div>", rate.waiting);
        put!(html, "<div><dt>Refused here</dt><dd>");
        if refusals.is_empty() {
            put!(html, "<span class=\"quiet\">none</span>");
        }
        for (reason, count) in refusals {
            let meaning = words::refusal(reason);
            put!(html, "<span class=\"pair\" title=\"{}\">{} {count}</span> ", Text(meaning), Text(reason));
        }
        put!(html, "</dd></div>");
    }
    put!(html, "</dl>");
}

fn culprits(html: &mut Html, row: &Row) {
    let view = &row.view;
    put!(html, "<section data-live=\"culprits\" aria-labelledby=\"why\"><h2 id=\"why\">Why it fails</h2>");
    if view.culprits.is_empty() {
        let is_calm = !row.needs_attention() && view.failing == 0 && view.failing_references == 0;
        let text = match (is_calm, row.is_shut_out()) {
            (true, _) => "No object fails.",
            (false, true) => "Every request was refused here; what each reason means is said in the journal below.",
            (false, false) => "No reason is known here; the journal below shows what was asked and answered.",
        };
        put!(html, "<p class=\"quiet\">{text}</p></section>");
        return;
    }
    put!(html, "<ol class=\"culprits\">");
    for culprit in &view.culprits {
        put!(html, "<li>{} <span>{}", Bar(culprit.share), Text(&culprit.text));
        if let Some(quirk) = culprit.cause.quirk {
            put!(html, " <a href=\"/quirks#{0}\">{0}</a>", quirk.as_str());
        }
        put!(html, "</span></li>");
    }
    put!(html, "</ol></section>");
}

fn components(html: &mut Html, view: &View) {
    put!(
        html,
        "<section data-live=\"components\" aria-labelledby=\"parts\"><h2 id=\"parts\">What the risk is made of</h2>"
    );
    if view.components.is_empty() {
        put!(html, "<p class=\"quiet\">Nothing has been judged yet.</p></section>");
        return;
    }
    put!(
        html,
        "<p class=\"quiet\">The greatest is the risk; it counts as high from 0.25 on.</p><ul class=\"components\">"
    );
    for (at, (component, value)) in view.components.iter().enumerate() {
        let part = words::component(*component);
        let (name, meaning) = (part.name, if *value > 0.0 { part.phrase(*value) } else { "no part of the risk" });
        put!(
            html,
            "<li title=\"{meaning}\"><svg class=\"key\" viewBox=\"0 0 24 6\" width=\"24\" height=\"6\" aria-hidden=\"true\">"
        );
        put!(html, "<path class=\"line line-{at}\" d=\"M0 3H24\"/></svg><span>{name}</span>{}</li>", Bar(*value));
    }
    put!(html, "</ul></section>");
}

/// Of the curves, in units of their own: they are drawn out over whatever width there is.
const WIDTH: f64 = 1000.0;
/// Of the curves in pixels, as `page.css` has it for the whole.
const HEIGHT: f64 = 180.0;
const BAND: f64 = 10.0;

/// The components over time, as lines that differ in colour and dashes, above a band of states. Only the curves are
/// drawn out with the screen; letters keep their size, so that they can be read on a phone.
fn chart(html: &mut Html, view: &View) {
    put!(html, "<section data-live=\"chart\" aria-labelledby=\"over-time\"><h2 id=\"over-time\">Over time</h2>");
    let samples = &view.history;
    let (Some(first), Some(last)) = (samples.first(), samples.last()) else {
        put!(html, "<p class=\"quiet\">There is no history yet.</p></section>");
        return;
    };
    let length = (last.at - first.at).max(1.0);
    let x = |at: f64| (at - first.at) / length * WIDTH;
    let y = |value: f64| HEIGHT - value.clamp(0.0, 1.0) * (HEIGHT - 6.0);
    put!(html, "<figure class=\"chart\"><svg class=\"plot\" role=\"img\" aria-labelledby=\"chart-text\">");
    for value in [0.0, 0.25, 0.5, 1.0] {
        put!(html, "<text x=\"-5\" y=\"{:.1}\" text-anchor=\"end\">{value}</text>", y(value) + 4.0);
    }
    put!(html, "<svg class=\"curves\" width=\"100%\" height=\"{0}\" viewBox=\"0 0 {WIDTH} {0}\" ", HEIGHT + 15.0);
    put!(html, "preserveAspectRatio=\"none\">");
    for value in [0.0, 0.25, 0.5, 1.0] {
        let class = if value == 0.25 { "grid limit" } else { "grid" };
        put!(html, "<path class=\"{class}\" d=\"M0 {:.1}H{WIDTH}\"/>", y(value));
    }
    for at in 0..view.components.len() {
        put!(html, "<path class=\"line line-{at}\" d=\"");
        for (index, sample) in samples.iter().enumerate() {
            let value = f64::from(sample.components.get(at).copied().unwrap_or(0.0));
            put!(html, "{}{:.1} {:.1}", if index == 0 { 'M' } else { 'L' }, x(sample.at), y(value));
        }
        put!(html, "\"/>");
    }
    for stretch in samples.chunk_by(|one, two| one.state == two.state) {
        let (from, state) = (stretch[0].at, stretch[0].state);
        let to =
            samples.iter().map(|sample| sample.at).find(|at| *at > stretch[stretch.len() - 1].at).unwrap_or(last.at);
        put!(html, "<rect class=\"band {}\" x=\"{:.1}\" y=\"{}\" ", state.as_str(), x(from), HEIGHT + 5.0);
        put!(
            html,
            "width=\"{:.1}\" height=\"{BAND}\"><title>{}</title></rect>",
            (x(to) - x(from)).max(2.0),
            words::state(state).short
        );
    }
    // To the minute, so that both ends fit beside each other.
    let minute = |at: f64| words::moment(at).get(..16).map_or_else(String::new, |minute| format!("{minute}Z"));
    put!(html, "</svg><text x=\"0\" y=\"{0}\">{1}</text>", HEIGHT + 29.0, minute(first.at));
    put!(html, "<text x=\"100%\" y=\"{0}\" text-anchor=\"end\">{1}</text></svg>", HEIGHT + 29.0, minute(last.at));
    put!(
        html,
        "<figcaption id=\"chart-text\">{}</figcaption></figure></section>",
        Text(&in_words(view, samples, length))
    );
}

/// The chart for who does not see it.
fn in_words(view: &View, samples: &[Sample], length: f64) -> String {
    let greatest =
        |at: usize| samples.iter().filter_map(|sample| sample.components.get(at)).copied().fold(0.0_f32, f32::max);
    let named = |(at, (component, _)): (usize, &(Component, f64))| (words::component(*component).name, greatest(at));
    let raised: Vec<_> = view.components.iter().enumerate().map(named).filter(|(_, value)| *value >= 0.005).collect();
    let mut text = format!("Within {}: ", words::span(length));
    if raised.is_empty() {
        text.push_str("no part of the risk rose.");
    } else {
        let raised: Vec<_> = raised.iter().map(|(name, value)| format!("{name} rose to {value:.2}")).collect();
        let _ = write!(text, "{}.", raised.join(", "));
    }
    let states: Vec<_> = samples
        .chunk_by(|one, two| one.state == two.state)
        .map(|stretch| words::state(stretch[0].state).short)
        .collect();
    let shown = states.len().saturating_sub(6);
    let _ = write!(text, " States: {}.", states[shown..].join(", then "));
    text
}

fn fixes(html: &mut Html, row: &Row) {
    put!(
        html,
        "<section data-live=\"fixes\" aria-labelledby=\"fixes-title\"><h2 id=\"fixes-title\">Fixes by quirk</h2>"
    );
    let fixes = row.numbers.as_ref().map(|numbers| &*numbers.fixes).unwrap_or_default();
    if fixes.is_empty() {
        put!(html, "<p class=\"quiet\">No deviation has been found since the start.</p></section>");
        return;
    }
    put!(
        html,
        "<div class=\"wide\"><table class=\"list\"><thead><tr><th scope=\"col\">Quirk</th><th scope=\"col\">What is wrong</th>"
    );
    put!(
        html,
        "<th scope=\"col\">Direction</th><th scope=\"col\">Mode</th><th scope=\"col\" class=\"number\">Count</th></tr></thead><tbody>"
    );
    for fix in fixes {
        let summary = crate::quirk::Id::from_name(&fix.quirk).map_or("", |id| id.quirk().summary());
        put!(html, "<tr><th scope=\"row\"><a href=\"/quirks#{0}\"><code>{0}</code></a></th>", Text(&fix.quirk));
        put!(html, "<td data-label=\"What is wrong\"><span>{}</span></td>", Prose(summary));
        put!(
            html,
            "<td data-label=\"Direction\">{}</td><td data-label=\"Mode\">{}</td>",
            Text(&fix.direction),
            Text(&fix.mode)
        );
        put!(html, "<td data-label=\"Count\" class=\"number\">{}</td></tr>", fix.count);
    }
    put!(html, "</tbody></table></div></section>");
}

fn allowlist(html: &mut Html, row: &Row, now: f64) {
    let facts = &row.facts;
    put!(
        html,
        "<section data-live=\"allowlist\" aria-labelledby=\"allow-title\"><h2 id=\"allow-title\">Allowlist</h2><p>"
    );
    put!(
        html,
        "{}",
        match facts.allow {
            "enforce" => "Addresses that are on no list are refused.",
            "observe" => "Addresses that are on no list are counted, and let in.",
            _ => "Addresses are not looked at.",
        }
    );
    if let Some(Numbers { decisions, .. }) = &row.numbers {
        for (decision, count) in decisions {
            put!(html, " <span class=\"pair\">{} {count}</span>", Text(&decision.replace('_', " ")));
        }
    }
    put!(html, "</p>");
    let compares = row.numbers.as_ref().is_some_and(|numbers| numbers.compares_tokens);
    if !facts.unlisted.is_empty() {
        put!(html, "<div class=\"wide\"><table class=\"list\"><thead><tr><th scope=\"col\">Unlisted address</th>");
        put!(
            html,
            "<th scope=\"col\" class=\"number\">Requests</th><th scope=\"col\">Token</th><th scope=\"col\">Last</th></tr></thead><tbody>"
        );
        for seen in &facts.unlisted {
            put!(html, "<tr><th scope=\"row\"><code>{}</code></th>", seen.address);
            put!(html, "<td data-label=\"Requests\" class=\"number\">{}</td><td data-label=\"Token\">", seen.requests);
            put!(
                html,
                "{}</td>",
                match (seen.valid_token, compares) {
                    (true, _) => "valid: most likely the identity provider",
                    (false, true) => "no good token shown",
                    (false, false) => "<span class=\"quiet\">not known</span>",
                }
            );
            put!(html, "<td data-label=\"Last\">{}</td></tr>", When(Some(super::api::unix(seen.last)), now));
        }
        put!(html, "</tbody></table></div>");
    }
    put!(html, "</section>");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_never_becomes_markup() {
        let hostile = "<img src=x onerror=\"alert('1')\">&amp;";
        assert_eq!(Text(hostile).to_string(), "&lt;img src=x onerror=&quot;alert(&#39;1&#39;)&quot;&gt;&amp;amp;");
        assert_eq!(path_of("a/b?<\"é"), "/tenants/a%2Fb%3F%3C%22%C3%A9");
        assert_eq!(Text("plain é").to_string(), "plain é");
        assert_eq!(Prose("`<a>` & b `c").to_string(), "<code>&lt;a&gt;</code> &amp; b `c");
    }

    #[test]
    fn nothing_in_the_assets_asks_another_host() {
        for asset in &ASSETS {
            let text = std::str::from_utf8(asset.bytes).unwrap().replace("http://www.w3.org/2000/svg", "");
            assert!(!text.contains("://") && !text.contains("@import"), "{}", asset.path);
            assert!(!text.contains("innerHTML") && !text.contains("eval("), "{}", asset.path);
        }
    }
}
