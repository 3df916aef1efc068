//! scimshim: keep your SCIM handler, put this in front.
//!
//! The way of a request, which is also the map of modules (imports point inward only):
//!
//! ```text
//! cli -> proxy -> { gate, quirk, observe, config } -> scim -> json
//!
//! proxy::accept      TLS and connections               gate     may this caller come in, and now
//! proxy::normalize   the request, made RFC 7643/7644   quirk    one file per deviation, and the walk
//! proxy::upstream    the app: hold, retry, deadline    scim     the standard: schema, paths, filters
//! proxy::repair      the answer, the same engine       json     text in, spans out, edits back to text
//! proxy::exchange    what happened, said once          observe  metrics, logs, admin endpoints
//! ```
//!
//! `json`, `scim` and `quirk` are pure: bytes and settings in, bytes and fixes out. The proxy, `scimshim explain`
//! and the tests run the same code.

pub mod cli;
pub mod config;
pub mod feed;
pub mod gate;
pub mod json;
pub mod observe;
pub mod proxy;
pub mod quirk;
pub mod scim;
pub mod tls;
pub mod watch;
