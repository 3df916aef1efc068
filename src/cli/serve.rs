//! `scimshim serve`: the sidecar.

use std::{net::SocketAddr, num::NonZeroUsize, path::PathBuf};

use super::Usage;
use crate::config::Settings;

/// What `scimshim serve` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
With --upstream no file is needed. What a flag says wins over the file.

Examples:
  scimshim serve --upstream http://127.0.0.1:8080/scim/v2
  scimshim serve /etc/scimshim/config.yaml
  SCIMSHIM_UPSTREAM=http://127.0.0.1:8080/scim/v2 scimshim serve --listen 127.0.0.1:7643

Exit codes: 0 after a clean stop (SIGTERM or Ctrl-C, requests in flight are finished); 1 it could
not start, and why; 2 the command line is wrong.")]
pub(super) struct Args {
    /// The configuration, YAML
    #[arg(env = "SCIMSHIM_CONFIG")]
    config: Option<PathBuf>,
    /// The app's SCIM base
    #[arg(long, env = "SCIMSHIM_UPSTREAM", value_name = "URL")]
    upstream: Option<String>,
    /// Where identity providers call [default: 0.0.0.0:7643]
    #[arg(long, env = "SCIMSHIM_LISTEN", value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// Health, metrics and status [default: 0.0.0.0:7644]
    #[arg(long, env = "SCIMSHIM_ADMIN", value_name = "ADDR")]
    admin: Option<SocketAddr>,
    /// Worker threads; one is fastest for one app [default: 1]
    #[arg(long, env = "SCIMSHIM_THREADS", value_name = "N")]
    threads: Option<NonZeroUsize>,
}

/// Runs until it is told to stop.
pub(super) fn run(args: &Args) -> anyhow::Result<u8> {
    if args.config.is_none() && args.upstream.is_none() {
        return Err(Usage("nothing to stand in front of: give a configuration, or --upstream URL".to_owned()).into());
    }
    let _ = (&args.listen, &args.admin, &args.threads);
    anyhow::bail!("not wired")
}

/// Runs the proxy beside what the caller does; where its two ports are.
pub(super) async fn spawn(_settings: Settings) -> anyhow::Result<(SocketAddr, SocketAddr)> {
    anyhow::bail!("not wired")
}
