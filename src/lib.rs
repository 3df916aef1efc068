//! scimshim: keep your SCIM handler, put this in front.
//!
//! The way of a request, which is also the map of modules (imports point inward only):
//!
//! ```text
//! cli -> proxy -> { gate, quirk, observe, config } -> { feed, tls, watch, scim } -> json
//!
//! proxy::accept      connections: PROXY header, TLS    gate     may this caller come in, and now
//! proxy::normalize   the request, made RFC 7643/7644   quirk    one file per deviation, and the walk
//! proxy::upstream    the app: hold, retry, deadline    feed     published address ranges, kept good
//! proxy::repair      the answer, the same engine       scim     the standard: schema, paths, filters
//! proxy::exchange    what happened, said once          json     text in, spans out, edits back to text
//! proxy::reload      the configuration, read again     observe  metrics, logs, admin endpoints
//! ```
//!
//! `json`, `scim` and `quirk` are pure: bytes and settings in, bytes and fixes out. The proxy, `scimshim explain`
//! and the tests run the same code.

pub mod cli;
pub mod config;
pub mod feed;
#[cfg(fuzzing)]
pub mod fuzzing;
pub mod gate;
pub mod json;
mod near;
pub mod observe;
pub mod proxy;
pub mod quirk;
pub mod scim;
pub mod tls;
pub mod watch;
