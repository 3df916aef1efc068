//! Logs: JSON lines for collectors, text for people; and traces, where they are asked for.
//!
//! A level without a target speaks of scimshim. The libraries below it stay at `info` at most unless a directive names
//! them, as `log.level: debug,h2=debug` does: h2 writes about every frame, and no library promises that what it says at
//! `debug` holds no header, URL or address. Today's versions hold none, which a test looks at; the next one may.

use std::io::IsTerminal;

use tracing_subscriber::{
    EnvFilter, Layer, Registry, filter::LevelFilter, fmt, layer::SubscriberExt, registry, util::SubscriberInitExt,
};

#[cfg(feature = "otlp")]
use super::trace::otlp;
use crate::config::{
    settings::{Log, LogFormat},
    types::HttpUrl,
};

/// What has to be held while logs and traces are written; dropping it sends the last spans, for two seconds at most.
#[must_use]
#[derive(Debug, Default)]
pub struct Telling {
    #[cfg(feature = "otlp")]
    _traces: Option<otlp::Sending>,
}

type Lines = Box<dyn Layer<Registry> + Send + Sync>;

/// Sends events to stderr as `log` says, and spans to the collector at `otlp`. What stderr does not take is lost without
/// a word: the subscriber would complain on stderr with `eprintln!`, which panics where stderr is full or closed, in the
/// middle of an exchange. Only the first call in a process counts: subscribers are global by design of `tracing`, and a
/// test that already has one keeps it.
///
/// # Errors
/// No client can be made for the collector.
pub fn init(log: &Log, otlp: Option<&HttpUrl>) -> anyhow::Result<Telling> {
    let lines = registry().with(lines(log));
    let (done, telling) = with_traces(lines, otlp)?;
    if done.is_err() {
        tracing::debug!("logging was set up before");
    }
    Ok(telling)
}

type Done = Result<(), tracing_subscriber::util::TryInitError>;

#[cfg(feature = "otlp")]
fn with_traces<S>(lines: S, otlp: Option<&HttpUrl>) -> anyhow::Result<(Done, Telling)>
where
    S: tracing::Subscriber + for<'span> registry::LookupSpan<'span> + Send + Sync,
{
    use anyhow::Context;
    let Some(endpoint) = otlp else { return Ok((lines.try_init(), Telling::default())) };
    let (layer, sending) = otlp::start(endpoint).context("telemetry.otlp_endpoint")?;
    Ok((lines.with(layer).try_init(), Telling { _traces: Some(sending) }))
}

/// That the key is not in force has been said.
#[cfg(not(feature = "otlp"))]
fn with_traces<S>(lines: S, _: Option<&HttpUrl>) -> anyhow::Result<(Done, Telling)>
where
    S: tracing::Subscriber + for<'span> registry::LookupSpan<'span> + Send + Sync,
{
    Ok((lines.try_init(), Telling::default()))
}

fn lines(log: &Log) -> Lines {
    let terminal = std::io::stderr().is_terminal();
    let format = log.format.unwrap_or(if terminal { LogFormat::Text } else { LogFormat::Json });
    // Not `parse_lossy`, which complains with `eprintln!` too. The configuration has parsed the level before.
    let filter = EnvFilter::builder().parse(bounded(&log.level)).unwrap_or_else(|_| EnvFilter::new("info"));
    let layer = fmt::layer().with_writer(std::io::stderr).log_internal_errors(false);
    match format {
        // The list of spans holds the request id; the innermost alone would not.
        LogFormat::Json => layer.json().flatten_event(true).with_current_span(false).with_filter(filter).boxed(),
        LogFormat::Text => {
            layer.with_ansi(terminal && std::env::var_os("NO_COLOR").is_none()).with_filter(filter).boxed()
        }
    }
}

/// The directives with what names no target spoken of scimshim, and everything else at `info` at most.
fn bounded(level: &str) -> String {
    level.split(',').map(|directive| bounded_one(directive.trim())).collect::<Vec<_>>().join(",")
}

fn bounded_one(directive: &str) -> String {
    match directive.parse::<LevelFilter>() {
        Ok(level) if level > LevelFilter::INFO => format!("info,scimshim={level}"),
        Ok(level) => level.to_string(),
        // The name of a span: whatever happens in it would be of any target.
        Err(_) if directive.starts_with('[') => format!("scimshim{directive}"),
        Err(_) => directive.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_speaks_of_scimshim_and_others_have_to_be_named() {
        for (said, means) in [
            ("info", "info"),
            ("warn", "warn"),
            ("off", "off"),
            ("debug", "info,scimshim=debug"),
            ("TRACE", "info,scimshim=trace"),
            ("5", "info,scimshim=trace"),
            ("scimshim=debug,info", "scimshim=debug,info"),
            ("debug,h2=debug", "info,scimshim=debug,h2=debug"),
            ("[exchange]=trace", "scimshim[exchange]=trace"),
        ] {
            assert_eq!(bounded(said), means, "{said}");
            assert!(EnvFilter::builder().parse(bounded(said)).is_ok(), "{said}");
        }
    }
}

#[cfg(test)]
#[path = "../../tests/it/harness/log.rs"]
pub(crate) mod caught;
