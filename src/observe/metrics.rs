//! Every metric, in one table. Dashboards, alert rules and docs may use only names that stand here.
//!
//! Labels come from the configuration or from our own tables, never from a request: a stranger cannot make series.
//! Handles are looked up by label values without building strings; what is known beforehand is exported as zero, so
//! that a rate over a fault that has not happened yet is 0 and not absent.

use std::{thread, time::SystemTime};

use prometheus::{
    GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
    TextEncoder,
};

/// One metric: what dashboards may ask for.
#[derive(Debug)]
pub struct Metric {
    /// The full name.
    pub name: &'static str,
    /// `counter`, `gauge` or `histogram`.
    pub kind: &'static str,
    /// Label names, in the order in which values are given.
    pub labels: &'static [&'static str],
    /// What it counts, for people.
    pub help: &'static str,
}

const fn metric(name: &'static str, kind: &'static str, labels: &'static [&'static str], help: &'static str) -> Metric {
    Metric { name, kind, labels, help }
}

const REQUESTS: Metric = metric(
    "scimshim_requests_total",
    "counter",
    &["tenant", "idp", "method", "resource", "code"],
    "Requests answered, by what the IdP was told; code 499 is a client that left before its answer, \
     000 one that was cut off when the drain time was over.",
);
const REQUEST_DURATION: Metric =
    metric("scimshim_request_duration_seconds", "histogram", &[], "From the request head to the end of the answer.");
const UPSTREAM_DURATION: Metric = metric(
    "scimshim_upstream_request_duration_seconds",
    "histogram",
    &[],
    "Time spent waiting for the app, holds and retries included.",
);
const OVERHEAD: Metric = metric(
    "scimshim_overhead_seconds",
    "histogram",
    &[],
    "Time spent in scimshim itself: neither waiting for the client's body nor for the app.",
);
const FIXES: Metric = metric(
    "scimshim_fixes_total",
    "counter",
    &["tenant", "quirk", "direction", "mode"],
    "Deviations found; mode fix was rewritten, observe was only counted.",
);
const REFUSALS: Metric = metric(
    "scimshim_refusals_total",
    "counter",
    &["tenant", "reason"],
    "Answers that scimshim made itself; tenant _none was refused before a tenant was known.",
);
const UNREAD: Metric = metric(
    "scimshim_unread_total",
    "counter",
    &["tenant", "direction", "reason"],
    "Bodies that went on as sent because they could not be read: no JSON (body), a content coding that is not \
     supported or broken (encoding), over the limit (too_large).",
);
const IN_FLIGHT: Metric =
    metric("scimshim_in_flight", "gauge", &["tenant"], "Requests that have been admitted and not yet answered.");
const HELD: Metric =
    metric("scimshim_held", "gauge", &["tenant"], "Requests that wait for an app that refuses connections.");
const RETRIES: Metric = metric(
    "scimshim_retries_total",
    "counter",
    &[],
    "Reads sent to the app again after the connection failed before an answer.",
);
const UPSTREAM_CONNECTIONS: Metric =
    metric("scimshim_upstream_connections", "gauge", &[], "Open connections to the app.");
const CLIENTS_LEFT: Metric = metric(
    "scimshim_clients_left_total",
    "counter",
    &["tenant", "when"],
    "Clients that closed before the end: waiting (no answer yet) or answer (in the middle of it).",
);
const IDP_DETECTED: Metric = metric(
    "scimshim_idp_detected",
    "gauge",
    &["tenant", "idp"],
    "1 for the profile that `idp: auto` took from the User-Agent.",
);
const IDP_SUGGESTED: Metric = metric(
    "scimshim_idp_suggested",
    "gauge",
    &["tenant", "idp"],
    "1 for the profile that the traffic of a tenant with `idp: auto` looks like; nothing is rewritten because of it.",
);
const BUILD_INFO: Metric = metric("scimshim_build_info", "gauge", &["version"], "1, with the version that runs.");

const ALLOWLIST_DECISIONS: Metric = metric(
    "scimshim_allowlist_decisions_total",
    "counter",
    &["tenant", "decision"],
    "Addresses judged: listed; refused; would_refuse (mode observe); feed_not_ready (503); address_unknown; and, beside these, unlisted_valid_token: a caller with a valid token whose address is not listed.",
);
const CACHE_WRITABLE: Metric = metric(
    "scimshim_cache_writable",
    "gauge",
    &[],
    "0 while the copy of a feed cannot be written to feeds.cache_dir; 1 otherwise, also where none is configured.",
);
const CLIENT_CONNECTIONS: Metric = metric(
    "scimshim_client_connections",
    "gauge",
    &[],
    "Open connections to the data port, those before their PROXY header or TLS handshake included.",
);
const CONFIG_LAST_RELOAD: Metric = metric(
    "scimshim_config_last_reload_timestamp_seconds",
    "gauge",
    &[],
    "When the settings in force were read, Unix time.",
);
const CONFIG_RELOAD_SUCCESS: Metric = metric(
    "scimshim_config_reload_success",
    "gauge",
    &[],
    "1 if the last reading of the configuration succeeded; 0 while an older one stays in force.",
);
const CONNECTIONS_REFUSED: Metric = metric(
    "scimshim_connections_refused_total",
    "counter",
    &["reason"],
    "Connections that ended before a request: no TLS handshake (tls) or none in time (tls_slow), no PROXY header where it is required (proxy_protocol) or none in time (proxy_protocol_slow).",
);
const DYNAMIC_TENANTS: Metric =
    metric("scimshim_dynamic_tenants", "gauge", &[], "Tenants that are remembered without being listed.");
const FEED_ADDRESSES: Metric = metric(
    "scimshim_feed_addresses",
    "gauge",
    &["feed", "part"],
    "Addresses in force, ranges counted by their size, those kept by removal_grace included; IPv6 ranges count as one per /64.",
);
const FEED_CHANGES: Metric = metric(
    "scimshim_feed_changes_total",
    "counter",
    &["feed", "change"],
    "Addresses that a document added or removed.",
);
const FEED_DOCUMENT: Metric = metric(
    "scimshim_feed_document_timestamp_seconds",
    "gauge",
    &["feed"],
    "What the document in force says of its own date (Last-Modified), Unix time; 0 if it says nothing.",
);
const FEED_FAILURES: Metric =
    metric("scimshim_feed_fetch_failures_total", "counter", &["feed"], "Fetches that brought no document.");
const FEED_INFO: Metric = metric("scimshim_feed_info", "gauge", &["feed", "kind"], "1 for each configured feed.");
const FEED_LAST_SUCCESS: Metric = metric(
    "scimshim_feed_last_success_timestamp_seconds",
    "gauge",
    &["feed"],
    "When a document was last accepted or found unchanged, Unix time; 0 if never.",
);
const FEED_REJECTED: Metric =
    metric("scimshim_feed_rejected_total", "counter", &["feed", "reason"], "Documents that the guards refused.");
const FEED_STATE: Metric = metric(
    "scimshim_feed_state",
    "gauge",
    &["feed", "state"],
    "1 for the state that a feed is in: fresh, stale, rejected or never_loaded.",
);
const RATE_LIMIT_WAIT: Metric = metric(
    "scimshim_rate_limit_wait_seconds",
    "histogram",
    &[],
    "Time that a request waited for its turn under rate or concurrency, those that were refused included; 0 where it did not wait.",
);
const RATE_LIMIT_WAITING: Metric =
    metric("scimshim_rate_limit_waiting", "gauge", &["tenant"], "Requests that wait for their turn.");
const STORE_AVAILABLE: Metric = metric(
    "scimshim_rate_limit_store_available",
    "gauge",
    &[],
    "1 while the shared store of rate limits answers, or where limits are local by configuration.",
);
const STORE_FALLBACKS: Metric = metric(
    "scimshim_rate_limit_store_fallbacks_total",
    "counter",
    &[],
    "Times that the shared store went away and limits were counted locally until it came back.",
);
const TENANT_OVERFLOW: Metric = metric(
    "scimshim_tenant_series_overflow_total",
    "counter",
    &[],
    "Dynamic tenants that got the label _other because metrics.max_tenants was reached.",
);
const TLS_RELOAD_SUCCESS: Metric = metric(
    "scimshim_tls_reload_success",
    "gauge",
    &["side"],
    "1 if the last reading of the certificates and keys of `listen.tls` (listen) or `upstream.tls` (upstream) succeeded; 0 while older ones stay in force; absent where no TLS is configured.",
);
const TOKEN_EXPIRY: Metric = metric(
    "scimshim_token_expiry_timestamp_seconds",
    "gauge",
    &["tenant", "token"],
    "When a token expires, Unix time; only tokens that do.",
);
const TOKEN_LAST_USED: Metric = metric(
    "scimshim_token_last_used_timestamp_seconds",
    "gauge",
    &["tenant", "token"],
    "When a token was last accepted, Unix time; 0 if not since the start.",
);

const APP_RESPONSES: Metric = metric(
    "scimshim_app_responses_total",
    "counter",
    &["code"],
    "Answers of the app as they came, by class (2xx, 3xx, 4xx, 5xx; none where it gave none); beside scimshim_idp_responses_total it shows what repairs changed.",
);
const AUDIT_LINES: Metric = metric("scimshim_audit_lines_total", "counter", &[], "Lines written to audit.target.");
const AUDIT_LOST: Metric = metric(
    "scimshim_audit_lost_total",
    "counter",
    &[],
    "Lines that audit.target did not take: a full disk, a closed pipe, or more than could be written.",
);
const AUDIT_WRITABLE: Metric = metric(
    "scimshim_audit_writable",
    "gauge",
    &[],
    "0 while audit.target takes nothing; 1 otherwise, also where none is configured.",
);
const AUTH_FAILURES: Metric = metric(
    "scimshim_auth_failures_total",
    "counter",
    &["tenant"],
    "Answers that told the IdP that its credentials are not good: 401, and 403 where nothing had succeeded.",
);
const DEPROVISIONED: Metric = metric(
    "scimshim_deprovisioned_objects_total",
    "counter",
    &["tenant"],
    "Deactivations and deletions that succeeded, each object once per cycle.",
);
const ESCROW_BUDGET: Metric = metric(
    "scimshim_escrow_budget_remaining_ratio",
    "gauge",
    &["tenant"],
    "How much is left until the nearest published threshold of failing objects: 1 is everything, 0 nothing.",
);
const FAILING_OBJECTS: Metric = metric(
    "scimshim_failing_objects",
    "gauge",
    &["tenant", "reference"],
    "Objects whose last outcome is a failure; reference true: the update of a reference (group member, manager).",
);
const IDP_CYCLES: Metric = metric(
    "scimshim_idp_cycles_total",
    "counter",
    &["tenant", "result"],
    "Provisioning cycles that closed: good, partial, dead (nothing answered as it should), auth (ended with rejected credentials).",
);
const IDP_CYCLE_PERIOD: Metric = metric(
    "scimshim_idp_cycle_period_seconds",
    "gauge",
    &["tenant"],
    "Learned time from the start of one cycle to the next; 0 while none is known.",
);
const IDP_LAST_REQUEST: Metric = metric(
    "scimshim_idp_last_request_timestamp_seconds",
    "gauge",
    &["tenant"],
    "When the IdP last called, Unix time; 0 if never.",
);
const IDP_LAST_SUCCESS: Metric = metric(
    "scimshim_idp_last_success_timestamp_seconds",
    "gauge",
    &["tenant"],
    "When the IdP was last told success, Unix time; 0 if never.",
);
const IDP_RESPONSES: Metric = metric(
    "scimshim_idp_responses_total",
    "counter",
    &["code"],
    "Answers that the IdP was given, by class (2xx, 3xx, 4xx, 5xx; none where the client left or was cut off).",
);
const JOURNAL_ENTRIES: Metric = metric("scimshim_journal_entries", "gauge", &[], "Exchanges in the journal.");
const LEDGER_SNAPSHOT: Metric = metric(
    "scimshim_ledger_snapshot_timestamp_seconds",
    "gauge",
    &[],
    "When the ledger was last written to feeds.cache_dir, Unix time; 0 if never.",
);
const LEDGER_WRITABLE: Metric = metric(
    "scimshim_ledger_writable",
    "gauge",
    &[],
    "0 while the ledger cannot be written to feeds.cache_dir; 1 otherwise, also where none is configured.",
);
const OUTCOMES: Metric = metric(
    "scimshim_outcomes_total",
    "counter",
    &["tenant", "class"],
    "Exchanges as the IdP is taken to judge them: ok, neutral, object, reference, throttle, auth, connection.",
);
const OUTCOMES_CHANGED: Metric = metric(
    "scimshim_outcomes_changed_total",
    "counter",
    &["repair", "from", "to"],
    "Answers whose class (success or failure) scimshim changed, by the quirk or step that did; none is success that is not true in the app.",
);
const QUARANTINE_DISABLE: Metric = metric(
    "scimshim_quarantine_disable_timestamp_seconds",
    "gauge",
    &["tenant"],
    "When the IdP is expected to switch the job off, Unix time; 0 where the model does not suspect quarantine. An estimate.",
);
const QUARANTINE_ETA: Metric = metric(
    "scimshim_quarantine_eta_seconds",
    "gauge",
    &["tenant"],
    "Estimated time until quarantine at the present growth of failures; +Inf for none.",
);
const QUARANTINE_NEXT: Metric = metric(
    "scimshim_quarantine_next_attempt_timestamp_seconds",
    "gauge",
    &["tenant"],
    "When the IdP is expected to knock again, Unix time; 0 where the model does not suspect quarantine. An estimate.",
);
const QUARANTINE_COMPONENT: Metric = metric(
    "scimshim_quarantine_risk_component_ratio",
    "gauge",
    &["tenant", "component"],
    "The parts of the risk; the greatest is the risk.",
);
const QUARANTINE_RISK: Metric = metric(
    "scimshim_quarantine_risk_ratio",
    "gauge",
    &["tenant"],
    "How near the model takes the connection to quarantine, 0 to 1. A model: only the IdP knows.",
);
const QUARANTINE_STATE: Metric = metric(
    "scimshim_quarantine_state",
    "gauge",
    &["tenant", "state"],
    "1 for the state that the model takes the connection to be in; for tenant _other the number of connections in it.",
);
const SUCCEEDED_OBJECTS: Metric =
    metric("scimshim_succeeded_objects", "gauge", &["tenant"], "Distinct objects whose last outcome is success.");

/// Every metric, sorted by name. Process metrics (`process_*`) come with them.
pub static TABLE: &[Metric] = &[
    ALLOWLIST_DECISIONS,
    APP_RESPONSES,
    AUDIT_LINES,
    AUDIT_LOST,
    AUDIT_WRITABLE,
    AUTH_FAILURES,
    BUILD_INFO,
    CACHE_WRITABLE,
    CLIENT_CONNECTIONS,
    CLIENTS_LEFT,
    CONFIG_LAST_RELOAD,
    CONFIG_RELOAD_SUCCESS,
    CONNECTIONS_REFUSED,
    DEPROVISIONED,
    DYNAMIC_TENANTS,
    ESCROW_BUDGET,
    FAILING_OBJECTS,
    FEED_ADDRESSES,
    FEED_CHANGES,
    FEED_DOCUMENT,
    FEED_FAILURES,
    FEED_INFO,
    FEED_LAST_SUCCESS,
    FEED_REJECTED,
    FEED_STATE,
    FIXES,
    HELD,
    IDP_CYCLE_PERIOD,
    IDP_CYCLES,
    IDP_DETECTED,
    IDP_LAST_REQUEST,
    IDP_LAST_SUCCESS,
    IDP_RESPONSES,
    IDP_SUGGESTED,
    IN_FLIGHT,
    JOURNAL_ENTRIES,
    LEDGER_SNAPSHOT,
    LEDGER_WRITABLE,
    OUTCOMES,
    OUTCOMES_CHANGED,
    OVERHEAD,
    QUARANTINE_DISABLE,
    QUARANTINE_ETA,
    QUARANTINE_NEXT,
    QUARANTINE_COMPONENT,
    QUARANTINE_RISK,
    QUARANTINE_STATE,
    STORE_AVAILABLE,
    STORE_FALLBACKS,
    RATE_LIMIT_WAIT,
    RATE_LIMIT_WAITING,
    REFUSALS,
    REQUEST_DURATION,
    REQUESTS,
    RETRIES,
    SUCCEEDED_OBJECTS,
    TENANT_OVERFLOW,
    TLS_RELOAD_SUCCESS,
    TOKEN_EXPIRY,
    TOKEN_LAST_USED,
    UNREAD,
    UPSTREAM_CONNECTIONS,
    UPSTREAM_DURATION,
];

/// The tenant label of what was refused before a tenant was known.
pub const NO_TENANT: &str = "_none";

/// Classes of status codes, and no answer at all.
const CODES: [&str; 5] = ["2xx", "3xx", "4xx", "5xx", "none"];

/// The class of a status code, for labels; `None` is no answer at all.
pub fn code_class(status: Option<u16>) -> &'static str {
    match status {
        Some(200..=299) => "2xx",
        Some(300..=399) => "3xx",
        Some(400..=499) => "4xx",
        Some(500..) => "5xx",
        Some(_) | None => "none",
    }
}

/// What is decided about addresses.
const DECISIONS: [&str; 6] =
    ["address_unknown", "feed_not_ready", "listed", "refused", "unlisted_valid_token", "would_refuse"];

/// From a fast read to the 60 s after which Entra and Okta give up; 50 s is the default deadline.
const DURATION: &[f64] =
    &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 50.0, 60.0];

/// The shim itself: tens of microseconds are usual, a body of 10 MiB takes tenths of a second.
const SHORT: &[f64] =
    &[0.000_025, 0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 1.0];

/// From no wait, through the 10 s of the default, to the deadline.
const WAITS: &[f64] = &[0.001, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 50.0];

/// The live metrics of one shim; passed to whoever counts.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    /// About half of the series of a shim with many tenants, so that a page is written in two halves at once.
    wide: Registry,
    /// Requests by outcome.
    pub requests: IntCounterVec,
    /// The whole exchange.
    pub request_duration: Histogram,
    /// The app's part.
    pub upstream_duration: Histogram,
    /// Our part.
    pub overhead: Histogram,
    /// Deviations.
    pub fixes: IntCounterVec,
    /// Our own answers.
    pub refusals: IntCounterVec,
    /// Bodies that could not be read.
    pub unread: IntCounterVec,
    /// Admitted and not yet answered.
    pub in_flight: IntGaugeVec,
    /// Waiting for the app to come back.
    pub held: IntGaugeVec,
    /// Reads sent again.
    pub retries: IntCounter,
    /// Sockets to the app.
    pub upstream_connections: IntGauge,
    /// Clients that did not wait.
    pub clients_left: IntCounterVec,
    /// What `idp: auto` found.
    pub idp_detected: IntGaugeVec,
    /// What a tenant looks like.
    pub idp_suggested: IntGaugeVec,
    /// Addresses judged.
    pub allowlist_decisions: IntCounterVec,
    /// 0 while the copy of a feed cannot be written.
    pub cache_writable: IntGauge,
    /// Connections of clients.
    pub client_connections: IntGauge,
    /// When the settings in force were read, Unix time.
    pub config_last_reload: IntGauge,
    /// 1 if the last reading of the configuration succeeded.
    pub config_reload_success: IntGauge,
    /// Connections that ended before a request.
    pub connections_refused: IntCounterVec,
    /// Tenants that are remembered without being listed.
    pub dynamic_tenants: IntGauge,
    /// Addresses in force, ranges counted by their size, those kept by removal_grace included.
    pub feed_addresses: IntGaugeVec,
    /// Addresses that a document added or removed.
    pub feed_changes: IntCounterVec,
    /// What the document in force says of its own date (Last-Modified), Unix time.
    pub feed_document: IntGaugeVec,
    /// Fetches that brought no document.
    pub feed_failures: IntCounterVec,
    /// 1 for each configured feed.
    pub feed_info: IntGaugeVec,
    /// When a document was last accepted or found unchanged, Unix time.
    pub feed_last_success: IntGaugeVec,
    /// Documents that the guards refused.
    pub feed_rejected: IntCounterVec,
    /// 1 for the state that a feed is in.
    pub feed_state: IntGaugeVec,
    /// Time that a request waited for its turn under rate or concurrency, those that were refused included.
    pub rate_limit_wait: Histogram,
    /// Requests that wait for their turn.
    pub rate_limit_waiting: IntGaugeVec,
    /// 1 while the shared store of rate limits answers, or where limits are local by configuration.
    pub store_available: IntGauge,
    /// Times that the shared store went away and limits were counted locally until it came back.
    pub store_fallbacks: IntCounter,
    /// Dynamic tenants that got the label _other because metrics.
    pub tenant_overflow: IntCounter,
    /// 1 if the last reading of certificates and keys succeeded.
    pub tls_reload_success: IntGaugeVec,
    /// When a token expires, Unix time.
    pub token_expiry: IntGaugeVec,
    /// When a token was last accepted, Unix time.
    pub token_last_used: IntGaugeVec,
    /// Answers of the app as they came, by class (2xx, 3xx, 4xx, 5xx; none where it gave none); beside scimshim_idp_responses_total it shows what repairs changed.
    pub app_responses: IntCounterVec,
    /// Lines written to audit.target.
    pub audit_lines: IntCounter,
    /// Lines that audit.target did not take: a full disk, a closed pipe, or more than could be written.
    pub audit_lost: IntCounter,
    /// 0 while audit.target takes nothing; 1 otherwise, also where none is configured.
    pub audit_writable: IntGauge,
    /// Answers that told the IdP that its credentials are not good: 401, and 403 where nothing had succeeded.
    pub auth_failures: IntCounterVec,
    /// Deactivations and deletions that succeeded, each object once per cycle.
    pub deprovisioned: IntCounterVec,
    /// How much is left until the nearest published threshold of failing objects: 1 is everything, 0 nothing.
    pub escrow_budget: GaugeVec,
    /// Objects whose last outcome is a failure; reference true: the update of a reference (group member, manager).
    pub failing_objects: IntGaugeVec,
    /// Provisioning cycles that closed: good, partial, dead (nothing answered as it should), auth (ended with rejected credentials).
    pub idp_cycles: IntCounterVec,
    /// Learned time from the start of one cycle to the next; 0 while none is known.
    pub idp_cycle_period: GaugeVec,
    /// When the IdP last called, Unix time; 0 if never.
    pub idp_last_request: GaugeVec,
    /// When the IdP was last told success, Unix time; 0 if never.
    pub idp_last_success: GaugeVec,
    /// Answers that the IdP was given, by class (2xx, 3xx, 4xx, 5xx; none where the client left or was cut off).
    pub idp_responses: IntCounterVec,
    /// Exchanges in the journal.
    pub journal_entries: IntGauge,
    /// When the ledger was last written to feeds.cache_dir, Unix time; 0 if never.
    pub ledger_snapshot: IntGauge,
    /// 0 while the ledger cannot be written to feeds.cache_dir; 1 otherwise, also where none is configured.
    pub ledger_writable: IntGauge,
    /// Exchanges as the IdP is taken to judge them: ok, neutral, object, reference, throttle, auth, connection.
    pub outcomes: IntCounterVec,
    /// Answers whose class (success or failure) scimshim changed, by the quirk or step that did; none is success that is not true in the app.
    pub outcomes_changed: IntCounterVec,
    /// When the IdP is expected to switch the job off, Unix time; 0 where the model does not suspect quarantine. An estimate.
    pub quarantine_disable: GaugeVec,
    /// Estimated time until quarantine at the present growth of failures; +Inf for none.
    pub quarantine_eta: GaugeVec,
    /// When the IdP is expected to knock again, Unix time; 0 where the model does not suspect quarantine. An estimate.
    pub quarantine_next: GaugeVec,
    /// The parts of the risk; the greatest is the risk.
    pub quarantine_component: GaugeVec,
    /// How near the model takes the connection to quarantine, 0 to 1. A model: only the IdP knows.
    pub quarantine_risk: GaugeVec,
    /// 1 for the state that the model takes the connection to be in; for tenant _other the number of connections in it.
    pub quarantine_state: IntGaugeVec,
    /// Distinct objects whose last outcome is success.
    pub succeeded_objects: IntGaugeVec,
}

impl Metrics {
    /// A fresh registry with everything in [`TABLE`].
    ///
    /// # Errors
    /// A name stands twice in the table.
    pub fn new() -> prometheus::Result<Self> {
        let (registry, wide) = (Registry::new(), Registry::new());
        let metrics = Self {
            requests: counters(&wide, &REQUESTS)?,
            request_duration: histogram(&registry, &REQUEST_DURATION, DURATION)?,
            upstream_duration: histogram(&registry, &UPSTREAM_DURATION, DURATION)?,
            overhead: histogram(&registry, &OVERHEAD, SHORT)?,
            fixes: counters(&wide, &FIXES)?,
            refusals: counters(&registry, &REFUSALS)?,
            unread: counters(&wide, &UNREAD)?,
            in_flight: gauges(&registry, &IN_FLIGHT)?,
            held: gauges(&registry, &HELD)?,
            retries: counters(&registry, &RETRIES)?.with_label_values(&[] as &[&str]),
            upstream_connections: gauges(&registry, &UPSTREAM_CONNECTIONS)?.with_label_values(&[] as &[&str]),
            clients_left: counters(&registry, &CLIENTS_LEFT)?,
            idp_detected: gauges(&registry, &IDP_DETECTED)?,
            idp_suggested: gauges(&registry, &IDP_SUGGESTED)?,
            allowlist_decisions: counters(&registry, &ALLOWLIST_DECISIONS)?,
            cache_writable: gauges(&registry, &CACHE_WRITABLE)?.with_label_values(&[] as &[&str]),
            client_connections: gauges(&registry, &CLIENT_CONNECTIONS)?.with_label_values(&[] as &[&str]),
            config_last_reload: gauges(&registry, &CONFIG_LAST_RELOAD)?.with_label_values(&[] as &[&str]),
            config_reload_success: gauges(&registry, &CONFIG_RELOAD_SUCCESS)?.with_label_values(&[] as &[&str]),
            connections_refused: counters(&registry, &CONNECTIONS_REFUSED)?,
            dynamic_tenants: gauges(&registry, &DYNAMIC_TENANTS)?.with_label_values(&[] as &[&str]),
            feed_addresses: gauges(&registry, &FEED_ADDRESSES)?,
            feed_changes: counters(&registry, &FEED_CHANGES)?,
            feed_document: gauges(&registry, &FEED_DOCUMENT)?,
            feed_failures: counters(&registry, &FEED_FAILURES)?,
            feed_info: gauges(&registry, &FEED_INFO)?,
            feed_last_success: gauges(&registry, &FEED_LAST_SUCCESS)?,
            feed_rejected: counters(&registry, &FEED_REJECTED)?,
            feed_state: gauges(&registry, &FEED_STATE)?,
            rate_limit_wait: histogram(&registry, &RATE_LIMIT_WAIT, WAITS)?,
            rate_limit_waiting: gauges(&registry, &RATE_LIMIT_WAITING)?,
            store_available: gauges(&registry, &STORE_AVAILABLE)?.with_label_values(&[] as &[&str]),
            store_fallbacks: counters(&registry, &STORE_FALLBACKS)?.with_label_values(&[] as &[&str]),
            tenant_overflow: counters(&registry, &TENANT_OVERFLOW)?.with_label_values(&[] as &[&str]),
            tls_reload_success: gauges(&registry, &TLS_RELOAD_SUCCESS)?,
            token_expiry: gauges(&registry, &TOKEN_EXPIRY)?,
            token_last_used: gauges(&registry, &TOKEN_LAST_USED)?,
            app_responses: counters(&registry, &APP_RESPONSES)?,
            audit_lines: counters(&registry, &AUDIT_LINES)?.with_label_values(&[] as &[&str]),
            audit_lost: counters(&registry, &AUDIT_LOST)?.with_label_values(&[] as &[&str]),
            audit_writable: gauges(&registry, &AUDIT_WRITABLE)?.with_label_values(&[] as &[&str]),
            auth_failures: counters(&registry, &AUTH_FAILURES)?,
            deprovisioned: counters(&registry, &DEPROVISIONED)?,
            escrow_budget: ratios(&registry, &ESCROW_BUDGET)?,
            failing_objects: gauges(&registry, &FAILING_OBJECTS)?,
            idp_cycles: counters(&registry, &IDP_CYCLES)?,
            idp_cycle_period: ratios(&registry, &IDP_CYCLE_PERIOD)?,
            idp_last_request: ratios(&registry, &IDP_LAST_REQUEST)?,
            idp_last_success: ratios(&registry, &IDP_LAST_SUCCESS)?,
            idp_responses: counters(&registry, &IDP_RESPONSES)?,
            journal_entries: gauges(&registry, &JOURNAL_ENTRIES)?.with_label_values(&[] as &[&str]),
            ledger_snapshot: gauges(&registry, &LEDGER_SNAPSHOT)?.with_label_values(&[] as &[&str]),
            ledger_writable: gauges(&registry, &LEDGER_WRITABLE)?.with_label_values(&[] as &[&str]),
            outcomes: counters(&registry, &OUTCOMES)?,
            outcomes_changed: counters(&registry, &OUTCOMES_CHANGED)?,
            quarantine_disable: ratios(&registry, &QUARANTINE_DISABLE)?,
            quarantine_eta: ratios(&registry, &QUARANTINE_ETA)?,
            quarantine_next: ratios(&registry, &QUARANTINE_NEXT)?,
            quarantine_component: ratios(&registry, &QUARANTINE_COMPONENT)?,
            quarantine_risk: ratios(&registry, &QUARANTINE_RISK)?,
            quarantine_state: gauges(&registry, &QUARANTINE_STATE)?,
            succeeded_objects: gauges(&registry, &SUCCEEDED_OBJECTS)?,
            registry,
            wide,
        };
        metrics.ledger_writable.set(1);
        metrics.audit_writable.set(1);
        gauges(&metrics.registry, &BUILD_INFO)?.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        #[cfg(target_os = "linux")]
        metrics.registry.register(Box::new(prometheus::process_collector::ProcessCollector::for_self()))?;
        Ok(metrics)
    }

    /// The settings in force were read just now.
    pub fn reloaded(&self) {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        self.config_last_reload.set(i64::try_from(now.as_secs()).unwrap_or(i64::MAX));
        self.config_reload_success.set(1);
    }

    /// The page that Prometheus reads.
    ///
    /// # Errors
    /// Two collectors contradict each other.
    pub fn text(&self) -> prometheus::Result<String> {
        let encode = |registry: &Registry| TextEncoder::new().encode_to_string(&registry.gather());
        thread::scope(|scope| {
            let half = thread::Builder::new().spawn_scoped(scope, || encode(&self.wide));
            let mut page = encode(&self.registry)?;
            // Where the system gives no thread it takes longer.
            let half = half.ok().and_then(|half| half.join().ok()).unwrap_or_else(|| encode(&self.wide));
            page.push_str(&half?);
            Ok(page)
        })
    }

    /// Zeros for what is known of `tenants`, and for each of `reasons`. What the ledger knows it exports itself.
    pub fn zeros<'a>(&self, tenants: impl Iterator<Item = &'a str>, reasons: &[&str]) {
        for tenant in tenants {
            self.in_flight.with_label_values(&[tenant]);
            self.held.with_label_values(&[tenant]);
            self.rate_limit_waiting.with_label_values(&[tenant]);
            for decision in DECISIONS {
                self.allowlist_decisions.with_label_values(&[tenant, decision]);
            }
            for when in ["answer", "waiting"] {
                self.clients_left.with_label_values(&[tenant, when]);
            }
            for direction in ["request", "response"] {
                for reason in ["body", "encoding", "too_large"] {
                    self.unread.with_label_values(&[tenant, direction, reason]);
                }
            }
            for reason in reasons {
                self.refusals.with_label_values(&[tenant, reason]);
            }
        }
        for reason in reasons {
            self.refusals.with_label_values(&[NO_TENANT, reason]);
        }
        for code in CODES {
            self.app_responses.with_label_values(&[code]);
            self.idp_responses.with_label_values(&[code]);
        }
    }
}

/// One of what a gauge counts, until it is dropped.
#[derive(Debug)]
pub struct Counted(IntGauge);

impl Counted {
    /// One more.
    pub fn new(gauge: IntGauge) -> Self {
        gauge.inc();
        Self(gauge)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.dec();
    }
}

fn counters(registry: &Registry, metric: &Metric) -> prometheus::Result<IntCounterVec> {
    let made = IntCounterVec::new(Opts::new(metric.name, metric.help), metric.labels)?;
    registry.register(Box::new(made.clone()))?;
    Ok(made)
}

fn gauges(registry: &Registry, metric: &Metric) -> prometheus::Result<IntGaugeVec> {
    let made = IntGaugeVec::new(Opts::new(metric.name, metric.help), metric.labels)?;
    registry.register(Box::new(made.clone()))?;
    Ok(made)
}

fn ratios(registry: &Registry, metric: &Metric) -> prometheus::Result<GaugeVec> {
    let made = GaugeVec::new(Opts::new(metric.name, metric.help), metric.labels)?;
    registry.register(Box::new(made.clone()))?;
    Ok(made)
}

fn histogram(registry: &Registry, metric: &Metric, buckets: &[f64]) -> prometheus::Result<Histogram> {
    let opts = HistogramOpts::new(metric.name, metric.help).buckets(buckets.to_vec());
    let made = HistogramVec::new(opts, metric.labels)?;
    registry.register(Box::new(made.clone()))?;
    Ok(made.with_label_values(&[] as &[&str]))
}

/// The page `docs/metrics.md`.
pub fn page() -> String {
    let mut page = String::from(
        "# Metrics\n\nGenerated from the table in `src/observe/metrics.rs`; `UPDATE=1 cargo test` rewrites it. \
         Process metrics (`process_*`) are exported too.\n\n| name | kind | labels | meaning |\n|---|---|---|---|\n",
    );
    for Metric { name, kind, labels, help } in TABLE {
        let labels = labels.iter().map(|label| format!("`{label}`")).collect::<Vec<_>>().join(", ");
        page.push_str(&format!("| `{name}` | {kind} | {labels} | {help} |\n"));
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zeroed() -> String {
        let metrics = Metrics::new().unwrap();
        metrics.zeros(["default"].into_iter(), &["outside"]);
        metrics.text().unwrap()
    }

    #[test]
    fn the_table_is_sorted_unique_and_explained() {
        let names: Vec<_> = TABLE.iter().map(|metric| metric.name.trim_end_matches("_total")).collect();
        assert!(names.windows(2).all(|pair| pair[0] < pair[1]), "{names:?}");
        for metric in TABLE {
            assert!(metric.name.starts_with("scimshim_"), "{}", metric.name);
            assert_eq!(metric.kind == "counter", metric.name.ends_with("_total"), "{}", metric.name);
            assert!(metric.help.ends_with('.'), "{}", metric.name);
        }
    }

    #[test]
    fn nothing_is_exported_that_is_not_in_the_table() {
        let text = zeroed();
        for line in text.lines().filter(|line| line.starts_with("# TYPE ") && !line.contains(" process_")) {
            let mut words = line.split(' ').skip(2);
            let (name, kind) = (words.next().unwrap(), words.next().unwrap());
            assert!(TABLE.iter().any(|metric| metric.name == name && metric.kind == kind), "{line}");
        }
    }

    #[test]
    fn what_is_known_is_exported_as_zero() {
        let text = zeroed();
        for line in [
            r#"scimshim_refusals_total{reason="outside",tenant="default"} 0"#,
            r#"scimshim_refusals_total{reason="outside",tenant="_none"} 0"#,
            r#"scimshim_held{tenant="default"} 0"#,
            "scimshim_retries_total 0",
            "scimshim_upstream_connections 0",
        ] {
            assert!(text.lines().any(|have| have == line), "{line} is missing in\n{text}");
        }
    }

    #[test]
    fn the_page_is_fresh() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/metrics.md");
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(path, page()).unwrap();
        }
        assert_eq!(std::fs::read_to_string(path).unwrap_or_default(), page(), "run UPDATE=1 cargo test");
    }
}
