//! Doors for the fuzz targets.

use clap::{Args as _, FromArgMatches};

use super::{
    options::{Args, Wish},
    passes::transform,
};

/// `scimshim inject` with some flags.
#[derive(Debug)]
pub struct Injector(Wish);

impl Injector {
    /// With these flags; `None` where they do not fit. What the environment says is not asked.
    pub fn new(flags: &[&str]) -> Option<Self> {
        let mut command = Args::augment_args(clap::Command::new("inject"));
        for arg in command.clone().get_arguments() {
            command = command.mut_arg(arg.get_id().clone(), |arg| arg.env(None));
        }
        let matches = command.try_get_matches_from([&["inject"], flags].concat()).ok()?;
        Args::from_arg_matches(&matches).ok()?.wish().ok().map(Self)
    }

    /// The manifests with what was wished in them; `None` where they are refused.
    pub fn transform(&self, text: &str) -> Option<String> {
        transform(&self.0, text).ok().map(|report| report.text)
    }
}
