//! What operators see: metrics, logs, the admin port.
//!
//! Nothing in here decides anything about a request; the proxy notes facts on its exchange and that feeds these once.

pub mod admin;
pub mod log;
pub mod metrics;

pub use metrics::Metrics;
