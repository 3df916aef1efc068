//! `scimshim wait`: returns when the shim of this pod is ready. For start-up hooks in images without a shell.

use std::{
    io::Write,
    time::{Duration, Instant},
};

use http::{Method, StatusCode};
use tokio::time;

use super::beside::{self, Beside, Which, say};

/// What `scimshim wait` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Ready is what /readyz calls ready. With `admin.readiness: app` that needs the app, so in the
postStart hook of a pod whose app starts later it would wait for ever.

Examples:
  scimshim wait /etc/scimshim/config.yaml
  scimshim wait --admin 127.0.0.1:7644 --timeout 30s

Exit codes: 0 it is ready; 1 it was not in time, and why; 2 the command line is wrong.")]
pub(super) struct Args {
    #[command(flatten)]
    which: Which,
    /// How long to wait at most
    #[arg(long, env = "SCIMSHIM_TIMEOUT", value_name = "DURATION", value_parser = beside::period, default_value = "60s")]
    timeout: Duration,
}

/// Between questions: a shim is ready some milliseconds after its start.
const PAUSE: Duration = Duration::from_millis(50);

/// Who waits long wants to know for what.
const TELL: Duration = Duration::from_secs(5);

/// Waits.
pub(super) fn run(args: &Args, out: &mut dyn Write) -> anyhow::Result<u8> {
    let beside = args.which.find();
    let began = Instant::now();
    beside::runtime()?.block_on(async {
        let mut told = began;
        loop {
            let left = args.timeout.saturating_sub(began.elapsed());
            let Some(why) = lacks(&beside, left.max(PAUSE)).await else {
                writeln!(out, "ready after {:.1} s", began.elapsed().as_secs_f64())?;
                return Ok(0);
            };
            anyhow::ensure!(began.elapsed() < args.timeout, "not ready after {:?}: {why}", args.timeout);
            if told.elapsed() >= TELL {
                told = Instant::now();
                say(&format!("still waiting: {why}"));
            }
            time::sleep(PAUSE.min(args.timeout.saturating_sub(began.elapsed()))).await;
        }
    })
}

/// Why it is not ready; `None` when it is.
async fn lacks(beside: &Beside, patience: Duration) -> Option<String> {
    match beside.ask(Method::GET, "/readyz", patience).await {
        Ok(said) if said.status == StatusCode::OK => return None,
        Ok(_) => {}
        Err(error) => return Some(format!("{error:#}")),
    }
    let said = match beside.ask(Method::GET, "/readyz?verbose", patience).await {
        Ok(said) => said,
        Err(error) => return Some(format!("{error:#}")),
    };
    let lines: Vec<_> = said.text.lines().filter_map(|line| line.strip_prefix("[-] ")).collect();
    Some(if lines.is_empty() { format!("it answers {}", said.status) } else { lines.join("; ") })
}
