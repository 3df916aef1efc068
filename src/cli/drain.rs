//! `scimshim drain`: tells the shim of this pod that the pod ends. For the preStop hook, which runs while requests still
//! come: it must not end the shim, and in an image without a shell there is nothing else that could send a POST.

use std::{io::Write, time::Duration};

use http::{Method, StatusCode};
use tokio::time;

use super::beside::{self, Which};

/// What `scimshim drain` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
From then on /readyz says 503 and each connection ends with its answer; requests that come are still
answered. SIGTERM ends the shim, as ever. There is no way back but a restart.

SIGTERM comes when this has returned (to a native sidecar: and the app has ended), while the endpoints
may lead here for some seconds more: --linger keeps the hook until they are gone.

Where `admin.address` is neither loopback nor every address, the shim takes it for a stranger's call and
wants `admin.token`.

Examples:
  scimshim drain --linger 5s /etc/scimshim/config.yaml   as the preStop hook
  scimshim drain --admin 127.0.0.1:9901

Exit codes: 0 it drains; 1 it could not be told, and why; 2 the command line is wrong.")]
pub(super) struct Args {
    #[command(flatten)]
    which: Which,
    /// How long to wait before returning, while the shim serves on
    #[arg(long, env = "SCIMSHIM_LINGER", value_name = "DURATION", value_parser = beside::period, default_value = "0s")]
    linger: Duration,
}

/// Drains.
pub(super) fn run(args: &Args, out: &mut dyn Write) -> anyhow::Result<u8> {
    let beside = args.which.find();
    beside::runtime()?.block_on(async {
        let said = beside.ask(Method::POST, "/drain", beside::PATIENCE).await?;
        anyhow::ensure!(said.status == StatusCode::OK, "it does not drain ({}): {}", said.status, said.text.trim_end());
        out.write_all(said.text.as_bytes())?;
        out.flush()?;
        time::sleep(args.linger).await;
        Ok(0)
    })
}
