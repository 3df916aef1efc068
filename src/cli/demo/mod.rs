//! demo
use super::paint::Paint;
use std::io::Write;
/// What `scimshim demo` takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Exit after the sessions instead of serving on
    #[arg(long, env = "SCIMSHIM_ONCE")]
    once: bool,
}
pub(super) fn run(args: &Args, _paint: Paint, _out: &mut dyn Write) -> anyhow::Result<u8> {
    anyhow::bail!("not wired {}", args.once)
}
