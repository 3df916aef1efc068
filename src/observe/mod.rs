//! What operators see: metrics, logs, the admin port; and what the system lets us open.
//!
//! Nothing in here decides anything about a request; the proxy notes facts on its exchange and that feeds these once.

pub mod account;
pub mod admin;
pub mod audit;
pub mod facts;
pub mod files;
#[cfg(fuzzing)]
pub(crate) mod fuzzing;
pub mod house;
pub mod journal;
pub mod key;
pub mod ledger;
pub mod log;
pub mod memory;
pub mod metrics;
pub mod pace;
pub mod recorder;
pub mod trace;

pub use metrics::Metrics;
pub use recorder::Recorder;
