//! `scimshim serve`: the sidecar.

use std::{
    io::{self, Write},
    net::SocketAddr,
    num::NonZeroUsize,
    path::PathBuf,
};

use super::Usage;
use crate::{
    config::{self, Overrides, Problem, Settings, Severity, World},
    proxy::{self, Hangups, Origin},
};

/// What `scimshim serve` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
With --upstream no file is needed. What a flag says wins over the file.

Examples:
  scimshim serve --upstream http://127.0.0.1:8080/scim/v2
  scimshim serve /etc/scimshim/config.yaml
  SCIMSHIM_UPSTREAM=http://127.0.0.1:8080/scim/v2 scimshim serve --listen 127.0.0.1:7643

Exit codes: 0 after a clean stop (SIGTERM or Ctrl-C, requests in flight are finished); 1 it could
not start, and why; 2 the command line is wrong; 143 a second signal ended it before the requests
in flight were finished.")]
pub(super) struct Args {
    /// The configuration, YAML
    #[arg(env = "SCIMSHIM_CONFIG", hide_env_values = true)]
    config: Option<PathBuf>,
    /// The app's SCIM base
    #[arg(long, env = "SCIMSHIM_UPSTREAM", value_name = "URL", hide_env_values = true)]
    upstream: Option<String>,
    /// Where identity providers call [default: 0.0.0.0:7643]
    #[arg(long, env = "SCIMSHIM_LISTEN", value_name = "ADDR", value_parser = address)]
    listen: Option<String>,
    /// Health, metrics and status [default: 0.0.0.0:7644]
    #[arg(long, env = "SCIMSHIM_ADMIN", value_name = "ADDR", value_parser = address)]
    admin: Option<String>,
    /// Worker threads; one is fastest for one app [default: 1]
    #[arg(long, env = "SCIMSHIM_THREADS", value_name = "N", value_parser = threads)]
    threads: Option<String>,
}

/// Runs until it is told to stop.
pub(super) fn run(args: &Args) -> anyhow::Result<u8> {
    // While a large configuration is read, too.
    Hangups::heed();
    // An empty variable is how manifests unset one.
    let said = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let overrides = Overrides {
        upstream: said(&args.upstream),
        listen: said(&args.listen),
        admin: said(&args.admin),
        threads: said(&args.threads),
    };
    let path = args.config.as_deref().filter(|path| !path.as_os_str().is_empty());
    let origin = path.map(|path| Origin { path: path.to_owned(), overrides: overrides.clone() });
    let loaded = match path {
        // A file that cannot be read is named, and a URL may hold a password.
        Some(path) if path.to_string_lossy().contains("://") => {
            return Err(Usage("the configuration is a file; give the app's URL with --upstream".into()).into());
        }
        Some(path) => config::load(path, &overrides, &World::real()),
        None if overrides.upstream.is_some() => config::without_file(&overrides, &World::real()),
        None => {
            return Err(Usage("nothing to stand in front of: give a configuration, or --upstream URL".into()).into());
        }
    };
    match loaded {
        Ok(loaded) => {
            loaded.warnings.iter().for_each(tell);
            proxy::serve_blocking(loaded.settings, origin)?;
            Ok(0)
        }
        Err(problems) => Err(unusable(&problems)),
    }
}

/// One problem is the error; several are told line by line before it. Warnings are told, and stop nothing.
pub(super) fn unusable(problems: &[Problem]) -> anyhow::Error {
    let (wrong, warnings): (Vec<_>, Vec<_>) = problems.iter().partition(|p| p.severity == Severity::Problem);
    if let [problem] = wrong[..] {
        warnings.into_iter().for_each(tell);
        return anyhow::anyhow!("{problem}");
    }
    problems.iter().for_each(tell);
    let but = if warnings.is_empty() { "" } else { " (warnings stop nothing)" };
    anyhow::anyhow!("the configuration cannot be used: mend the {} problems above{but}", wrong.len())
}

/// Runs the proxy beside what the caller does; where its two ports are.
pub(super) async fn spawn(settings: Settings) -> anyhow::Result<(SocketAddr, SocketAddr)> {
    let shim = proxy::bind(settings).await?;
    let ports = (shim.data_addr(), shim.admin_addr());
    tokio::spawn(shim.run(std::future::pending()));
    Ok(ports)
}

fn tell(problem: &Problem) {
    // stderr may be closed; there is nobody left to tell.
    let _ = writeln!(io::stderr(), "{problem}");
}

/// Kept as text: the configuration checks it again, beside what the file says.
pub(super) fn address(text: &str) -> Result<String, &'static str> {
    match text.parse::<SocketAddr>() {
        Ok(_) => Ok(text.to_owned()),
        Err(_) if text.is_empty() => Ok(String::new()),
        Err(_) => Err("write an address and a port, such as 127.0.0.1:7643"),
    }
}

fn threads(text: &str) -> Result<String, &'static str> {
    match text.parse::<NonZeroUsize>() {
        Ok(_) => Ok(text.to_owned()),
        Err(_) if text.is_empty() => Ok(String::new()),
        Err(_) => Err("write a number from 1"),
    }
}
