//! Logs: JSON lines for collectors, text for people.

use std::io::IsTerminal;

use tracing_subscriber::{EnvFilter, fmt, util::SubscriberInitExt};

use crate::config::settings::{Log, LogFormat};

/// Sends events to stderr as `log` says. What stderr does not take is lost without a word: the subscriber would complain
/// on stderr with `eprintln!`, which panics where stderr is full or closed, in the middle of an exchange. Only the first call in a process counts: subscribers are global by design of
/// `tracing`, and a test that already has one keeps it.
pub fn init(log: &Log) {
    let terminal = std::io::stderr().is_terminal();
    let format = log.format.unwrap_or(if terminal { LogFormat::Text } else { LogFormat::Json });
    // Not `parse_lossy`, which complains with `eprintln!` too. The configuration has parsed the level before.
    let filter = EnvFilter::builder().parse(&log.level).unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = fmt().with_env_filter(filter).with_writer(std::io::stderr).log_internal_errors(false);
    let done = match format {
        LogFormat::Json => builder.json().flatten_event(true).finish().try_init(),
        LogFormat::Text => builder.with_ansi(terminal && std::env::var_os("NO_COLOR").is_none()).finish().try_init(),
    };
    if done.is_err() {
        tracing::debug!("logging was set up before");
    }
}

#[cfg(test)]
#[path = "../../tests/it/harness/log.rs"]
pub(crate) mod caught;
