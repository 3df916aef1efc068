//! Every cell, in the order of the table.

use super::{app_side as app, client_side as client, scene::Outcome, system};

/// A fault, and what is to come of it.
pub(crate) struct Cell {
    pub(crate) name: &'static str,
    pub(crate) side: &'static str,
    /// What goes wrong.
    pub(crate) fault: &'static str,
    /// What is told, and what holds.
    pub(crate) expected: &'static str,
    /// Where it is seen.
    pub(crate) look: &'static str,
    pub(crate) play: fn(&str) -> Option<Outcome>,
}

const fn cell(
    name: &'static str,
    side: &'static str,
    fault: &'static str,
    expected: &'static str,
    look: &'static str,
    play: fn(&str) -> Option<Outcome>,
) -> Cell {
    Cell { name, side, fault, expected, look, play }
}

const APP: &str = "app";
const CLIENT: &str = "client";
const HOST: &str = "machine";

const CUT: &str = "502, says that the outcome is unknown; a GET is tried three times, a write once";
const CUT_LATE: &str = "502, says that the outcome is unknown; the app is asked once";
const LATE: &str = "504 at the deadline, says that the outcome is unknown; the app is asked once";
const UPSTREAM: &str = "`refusals_total{reason=\"upstream\"}`";
const DEADLINE: &str = "`refusals_total{reason=\"deadline\"}`";
const HOLD: &str = "`refusals_total{reason=\"hold\"}`, `held`";
const AS_SENT: &str = "the same bytes go on";
const UNREAD: &str = "`unread_total{direction=\"response\"}`";
const MALFORMED: &str = "`refusals_total{reason=\"malformed\"}`";
const SLOW: &str = "`refusals_total{reason=\"slow\"}`";

#[rustfmt::skip]
pub(crate) const CELLS: &[Cell] = &[
    cell("app_resets", APP, "resets before its answer", CUT, UPSTREAM, app::reset_before_head),
    cell("app_resets_in_head", APP, "resets in the head of its answer", CUT, UPSTREAM, app::reset_in_head),
    cell("app_resets_after_head", APP, "resets after the head", CUT_LATE, UPSTREAM, app::reset_after_head),
    cell("app_resets_in_body", APP, "resets in the body", CUT_LATE, UPSTREAM, app::reset_in_body),
    cell("app_closes_in_chunks", APP, "closes between two chunks", CUT_LATE, UPSTREAM, app::reset_in_chunks),
    cell("app_length_too_long", APP, "content-length is more than comes", CUT_LATE, UPSTREAM, app::length_too_long),
    cell("app_length_too_short", APP, "content-length is less than comes", "what the length covers goes on; the rest is nobody's answer", UNREAD, app::length_too_short),
    cell("app_second_answer", APP, "two answers to one request", "the first is told; the second is nobody's answer", "", app::second_answer),
    cell("app_late_second_answer", APP, "a second answer while the connection is idle", "the first is told; the second is nobody's answer", "", app::late_second_answer),
    cell("app_both_lengths", APP, "content-length and chunks at once", "the chunks count, and the length does not go on", "", app::both_lengths),
    cell("app_two_lengths", APP, "two lengths that differ", CUT, UPSTREAM, app::two_lengths),
    cell("app_slow_answer", APP, "1 byte of its answer per second", LATE, DEADLINE, app::slow_answer),
    cell("app_slow_head", APP, "its head byte by byte", LATE, DEADLINE, app::slow_head),
    cell("app_silent", APP, "takes the request and says nothing (half-open)", LATE, DEADLINE, app::silent),
    cell("app_half_closed", APP, "closes its side without an answer, keeps the other", CUT, UPSTREAM, app::half_closed),
    cell("app_interim_flood", APP, "interim answers (103) without end", LATE, DEADLINE, app::interim_flood),
    cell("app_switches", APP, "101 that nobody asked for", CUT_LATE, UPSTREAM, app::switches_protocols),
    cell("app_no_http", APP, "does not speak HTTP", CUT, UPSTREAM, app::no_http),
    cell("app_large_head", APP, "a header of 1 MB", CUT, UPSTREAM, app::large_head),
    cell("app_empty", APP, "200 with 0 bytes", AS_SENT, "", app::empty),
    cell("app_no_utf8", APP, "an answer that is not UTF-8", AS_SENT, UNREAD, app::no_utf8),
    cell("app_cut_gzip", APP, "gzip that ends too early", AS_SENT, UNREAD, app::cut_gzip),
    cell("app_large", APP, "an answer of 100 MB", "streamed without repair, at most 33 MiB of it held", UNREAD, app::large),
    cell("app_endless", APP, "chunks without end", "streamed until the client leaves, at most 33 MiB of it held", "`clients_left_total`", app::endless),
    cell("app_endless_slowly", APP, "tiny chunks without end", LATE, DEADLINE, app::endless_slowly),
    cell("app_h2_resets", APP, "HTTP/2: resets each stream", CUT, UPSTREAM, app::h2_resets),
    cell("app_h2_refuses", APP, "HTTP/2: refuses each stream (rapid reset)", "sent again until the hold is over, then 503: nothing was done", HOLD, app::h2_refuses),
    cell("app_h2_goes_away", APP, "HTTP/2: 1,000 GOAWAYs for each request", "sent again until the hold is over, then 503: nothing was done", HOLD, app::h2_goes_away),
    cell("app_h2_continuations", APP, "HTTP/2: CONTINUATION flood, 20 MB", CUT, UPSTREAM, app::h2_continuations),
    cell("app_h2_pings", APP, "HTTP/2: 20,000 PINGs instead of an answer", LATE, DEADLINE, app::h2_pings),
    cell("app_away", APP, "refuses connections for longer than the hold", "503 with Retry-After after the hold: nothing was done", HOLD, system::no_app),
    cell("names_fail", APP, "its name does not exist, the name server fails, is silent", "503 with Retry-After after the hold; served as soon as the name is back", HOLD, system::names),
    cell("client_slow_head", CLIENT, "50 heads byte by byte (slowloris)", "408 at `header_timeout`; the app hears nothing", SLOW, client::slow_head),
    cell("client_slow_body", CLIENT, "50 bodies byte by byte", "408 at `body_timeout`; the app hears nothing", SLOW, client::slow_body),
    cell("client_half_open", CLIENT, "150 connections that fall silent (half-open)", "408 in a head or body, else closed without a word", SLOW, client::half_open),
    cell("client_half_closed", CLIENT, "closes its side, and waits for the answer", "taken for one that has left", "`clients_left_total`", client::half_closed),
    cell("client_leaves", CLIENT, "50 clients leave in the middle of a body", "counted as 400, which nobody reads; the app hears nothing", MALFORMED, client::leaves),
    cell("client_reads_nothing", CLIENT, "reads nothing of a large answer", "let go after `idle_timeout`", "`clients_left_total`", client::reads_nothing),
    cell("client_idle_connections", CLIENT, "10,000 idle connections, the limit", "who comes is let in; for each an idle one is closed", "`client_connections`", client::idle_connections),
    cell("client_no_utf8", CLIENT, "a body that is not UTF-8", "400; the app hears nothing", MALFORMED, client::no_utf8),
    cell("client_large_head", CLIENT, "a header of 1 MB", "431; the app hears nothing", "`refusals_total{reason=\"header\"}`", client::large_head),
    cell("client_cut_gzip", CLIENT, "gzip that ends too early", "400; the app hears nothing", MALFORMED, client::cut_gzip),
    cell("client_gzip_bomb", CLIENT, "64 MB in 64 KB of gzip", "413; decoded no further than the limit", "`refusals_total{reason=\"too_large\"}`", client::gzip_bomb),
    cell("client_endless", CLIENT, "chunks without end", "413 at the limit; the app hears nothing", "`refusals_total{reason=\"too_large\"}`", client::endless),
    cell("client_smuggling", CLIENT, "a request hidden in another, 41 ways, HTTP/1.1 and 1.0", "refused, and the connection ends; the app hears nothing", "`refusals_total{tenant=\"_none\"}`", client::smuggling),
    cell("client_h2_rapid_reset", CLIENT, "HTTP/2: 5,000 streams, each reset at once", "GOAWAY", "`requests_total{code=\"499\"}`", client::h2_rapid_reset),
    cell("client_h2_continuations", CLIENT, "HTTP/2: CONTINUATION flood", "the connection ends", "", client::h2_continuations),
    cell("client_h2_empty_continuations", CLIENT, "HTTP/2: CONTINUATION flood, empty frames", "the connection ends", "", client::h2_empty_continuations),
    cell("client_h2_pings", CLIENT, "HTTP/2: PINGs without end, no answer read", "the connection ends after `idle_timeout`", "", client::h2_pings),
    cell("few_files", HOST, "160 open files for 30 connections", "limits are lowered at start, and everybody has a turn", "log: `may open too few files`", system::few_files),
    cell("no_files", HOST, "no open file is left while it runs", "connections that are there serve everybody in turn, else 503; who waits outside is served when there is a file again", "`refusals_total{reason=\"overload\"}`, log: `out of open files`", system::no_files),
    cell("little_memory", HOST, "40 bodies of 10 MB at once, 192 MiB of memory", "200, or 503 with Retry-After: nothing was done", "`refusals_total{reason=\"overload\"}`", system::little_memory),
    cell("full_disk", HOST, "no room for ledger, audit stream and feed copy", "goes on without; written again when there is room", "`ledger_writable`, `audit_writable`, `cache_writable`", system::full_disk),
    cell("feed_flaps", HOST, "a feed is 500, HTML, empty, shrunk, overbroad, cut, silent, twice", "the last good copy stays in force: 200 and 403 as before", "`feed_state`, `feed_rejected_total`", system::feed),
    cell("redis_flaps", HOST, "Redis stands still, dies, stands still", "limits hold per replica until it is back", "`rate_limit_store_available`", system::redis),
    cell("clock_jumps", HOST, "the wall clock jumps by days and years, both ways", "limits, hold and ledger go on; tokens expire by the wall clock", "", system::clock),
];
