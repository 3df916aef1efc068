//! What only some builds do. One table for the log, `check` and the reference page, which is the same for every build.

use super::file::File;

/// A key that needs a cargo feature.
pub(crate) struct Optional {
    /// Dotted; what is below it needs the feature too.
    key: &'static str,
    /// The feature.
    pub(crate) feature: &'static str,
    /// This build has it.
    built: bool,
    /// What is not done without it, in one sentence.
    what: &'static str,
}

const OPTIONAL: &[Optional] = &[Optional {
    key: "telemetry",
    feature: "otlp",
    built: cfg!(feature = "otlp"),
    what: "this build sends no traces: it was made without the feature `otlp`",
}];

/// The line for `key`, or for what it is below of.
pub(crate) fn optional(key: &[&str]) -> Option<&'static Optional> {
    OPTIONAL.iter().find(|line| line.key.split('.').eq(key.iter().take(line.key.split('.').count()).copied()))
}

/// A key that was written, means something, and is not done.
pub(crate) struct Unmet {
    /// Its path.
    pub(crate) path: Vec<String>,
    /// What is not done.
    pub(crate) what: String,
}

/// Everything that `file` asks for and that this build does not do.
pub(crate) fn unmet(file: &File) -> Vec<Unmet> {
    let asked: [(bool, &[&str]); 1] = [(file.telemetry.otlp_endpoint.is_some(), &["telemetry", "otlp_endpoint"])];
    let unmet = |(asked, path): (bool, &[&str])| {
        let line = optional(path).filter(|line| asked && !line.built)?;
        Some(Unmet { path: path.iter().map(|&part| part.to_owned()).collect(), what: line.what.to_owned() })
    };
    asked.into_iter().filter_map(unmet).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_asks_for_nothing_that_is_not_built() {
        assert!(unmet(&File::default()).is_empty());
    }

    #[test]
    fn what_is_below_a_key_needs_its_feature() {
        assert!(optional(&["telemetry", "otlp_endpoint"]).is_some_and(|line| line.feature == "otlp"));
        assert!(optional(&["telemetry"]).is_some());
        assert!(optional(&["telemetries"]).is_none());
        assert!(optional(&["tenants", "telemetry"]).is_none());
    }
}
