//! All that is recorded of an exchange.
use std::sync::Arc;

use super::{Metrics, account::Account};

/// Writes down what happened.
#[derive(Debug)]
pub struct Recorder {
    metrics: Arc<Metrics>,
}

impl Recorder {
    /// New.
    pub fn new(metrics: Arc<Metrics>) -> Self {
        Self { metrics }
    }
    /// Metrics.
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }
    /// Record.
    pub fn record(&self, account: &Account<'_>) {
        let _ = account;
    }
}
