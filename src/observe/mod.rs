//! What operators see: metrics, logs, the admin port; and what the system lets us open.
//!
//! Nothing in here decides anything about a request; the proxy notes facts on its exchange and that feeds these once.

pub mod admin;
pub mod files;
pub mod log;
pub mod metrics;

pub use metrics::Metrics;
