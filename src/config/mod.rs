//! What the operator wrote becomes what runs.
//!
//! YAML is read without types into a tree that knows its lines (`document`), the tree into [`file::File`] without
//! stopping at the first error (`read`), and that into [`Settings`] (`build`), or into a list of every problem. The
//! choice not taken is `serde::Deserialize`: it reports one error, and the operator deploys five times.

pub mod file;
pub mod settings;
pub mod types;

mod build;
mod document;
mod force;
mod problem;
mod read;
mod reference;

use std::{net::SocketAddr, path::Path, time::SystemTime};

pub use problem::{Problem, Severity};
pub use reference::{reference, schema};
pub use settings::Settings;

use document::{MAX_BYTES, Node};
use file::File;
use problem::{Place, Problems, Purpose};
use read::Read as _;
use types::SecretText;

use crate::watch::Seen;

/// What a configuration depends on outside itself. Given, so that tests choose it.
pub struct World<'a> {
    /// Environment variables.
    pub env: &'a dyn Fn(&str) -> Option<String>,
    /// Wall time, for the expiry of tokens.
    pub now: SystemTime,
}

impl World<'static> {
    /// This process's environment, and the time.
    pub fn real() -> Self {
        Self { env: &|name| std::env::var(name).ok(), now: SystemTime::now() }
    }
}

/// What flags and variables say; it wins over the file. All as text: it is checked where the file's values are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Overrides {
    /// `--upstream`, `SCIMSHIM_UPSTREAM`.
    pub upstream: Option<String>,
    /// `--listen`, `SCIMSHIM_LISTEN`.
    pub listen: Option<String>,
    /// `--admin`, `SCIMSHIM_ADMIN`.
    pub admin: Option<String>,
    /// `--threads`, `SCIMSHIM_THREADS`.
    pub threads: Option<String>,
}

impl Overrides {
    /// What the environment says.
    pub fn from_env(env: &dyn Fn(&str) -> Option<String>) -> Self {
        // An empty variable is how manifests unset one.
        let get = |name| env(name).filter(|text| !text.is_empty());
        Self {
            upstream: get("SCIMSHIM_UPSTREAM"),
            listen: get("SCIMSHIM_LISTEN"),
            admin: get("SCIMSHIM_ADMIN"),
            threads: get("SCIMSHIM_THREADS"),
        }
    }

    /// These, and `lower` where they are silent: flags over the environment.
    #[must_use]
    pub fn over(self, lower: Self) -> Self {
        Self {
            upstream: self.upstream.or(lower.upstream),
            listen: self.listen.or(lower.listen),
            admin: self.admin.or(lower.admin),
            threads: self.threads.or(lower.threads),
        }
    }

    fn apply(&self, doc: &mut Node) {
        for (text, path, flag) in [
            (&self.upstream, &["upstream", "url"][..], "--upstream"),
            (&self.listen, &["listen", "address"], "--listen"),
            (&self.admin, &["admin", "address"], "--admin"),
            (&self.threads, &["threads"], "--threads"),
        ] {
            if let Some(text) = text {
                doc.put(path, flag, text);
            }
        }
    }
}

/// A configuration that can run.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// What runs.
    pub settings: Settings,
    /// What the operator should know; `settings.not_in_force` is not repeated here.
    pub warnings: Vec<Problem>,
}

/// Reads a configuration in order to run it.
///
/// # Errors
/// Every problem of the file at once, warnings among them.
pub fn load(path: &Path, overrides: &Overrides, world: &World<'_>) -> Result<Loaded, Vec<Problem>> {
    load_for(Purpose::Serve, path, overrides, world)
}

/// Reads a configuration in order to look at it: secrets and files that are not on this machine are warnings.
///
/// # Errors
/// Every problem of the file at once, warnings among them.
pub fn peek(path: &Path, overrides: &Overrides, world: &World<'_>) -> Result<Loaded, Vec<Problem>> {
    load_for(Purpose::Check, path, overrides, world)
}

fn load_for(purpose: Purpose, path: &Path, overrides: &Overrides, world: &World<'_>) -> Result<Loaded, Vec<Problem>> {
    let mut problems = Problems::new(path, purpose);
    // Before it is read, so that no change is missed.
    let seen = Seen::of(path.to_owned());
    let settings = read_file(path, world, &mut problems).and_then(|mut doc| {
        overrides.apply(&mut doc);
        settings_of(&doc, folder(path), world, &mut problems)
    });
    let settings = settings.map(|mut settings| {
        settings.files.push(seen);
        settings
    });
    loaded(settings, problems)
}

/// The configuration of `serve --upstream URL` without a file.
///
/// # Errors
/// What is wrong with the flags.
pub fn without_file(overrides: &Overrides, world: &World<'_>) -> Result<Loaded, Vec<Problem>> {
    let mut problems = Problems::new(Path::new("scimshim"), Purpose::Serve);
    let mut doc = Node::empty();
    overrides.apply(&mut doc);
    let settings = settings_of(&doc, Path::new(""), world, &mut problems);
    loaded(settings, problems)
}

/// The defaults, for an app at `url`.
///
/// # Errors
/// What is wrong with the URL.
pub fn from_upstream(url: &str) -> Result<Loaded, Vec<Problem>> {
    without_file(&Overrides { upstream: Some(url.to_owned()), ..Overrides::default() }, &World::real())
}

/// Reads a configuration from its text; relative paths start at `base`.
///
/// # Errors
/// Every problem at once, warnings among them.
pub fn read(text: &str, base: &Path, world: &World<'_>) -> Result<Loaded, Vec<Problem>> {
    let mut problems = Problems::new(Path::new("configuration"), Purpose::Serve);
    let settings =
        document::parse(text, world.env, &mut problems).and_then(|doc| settings_of(&doc, base, world, &mut problems));
    loaded(settings, problems)
}

/// Where a configuration puts the admin port, and what opens it, for a command that runs beside the shim. Nothing else of
/// the file has to be usable: what was wrong at a reload must not keep a pod from draining.
#[derive(Debug)]
pub struct Operators {
    /// `admin.address`.
    pub address: SocketAddr,
    /// `admin.token`, where there is one and it is here to be read.
    pub token: Option<SecretText>,
    /// What is wrong with `admin`; where it is, the default stands.
    pub problems: Vec<String>,
}

/// Reads that from a file.
///
/// # Errors
/// What is wrong, where nothing can be read at all.
pub fn operators(path: &Path, overrides: &Overrides, world: &World<'_>) -> Result<Operators, Vec<Problem>> {
    let mut problems = Problems::new(path, Purpose::Check);
    let file = read_file(path, world, &mut problems).and_then(|mut doc| {
        overrides.apply(&mut doc);
        File::read(&doc, "", &mut problems)
    });
    let Some(file) = file else { return Err(problems.into_list()) };
    let token = file.admin.token.as_ref().map(|secret| secret.read(folder(path), world.env)).transpose();
    let all = problems.into_list();
    let ours = all.iter().filter(|problem| problem.key == "admin" || problem.key.starts_with("admin."));
    let ours = ours.filter(|problem| problem.severity == Severity::Problem).map(Problem::to_string);
    let missing = token.as_ref().err().map(|error| format!("admin.token: {error}"));
    let problems = ours.chain(missing).collect();
    Ok(Operators { address: file.admin.address.0, token: token.unwrap_or_default(), problems })
}

/// Everything there is to say about a file; `strict` wants the files and variables that it names to be here.
pub fn inspect(path: &Path, strict: bool, world: &World<'_>) -> Vec<Problem> {
    let mut problems = Problems::new(path, if strict { Purpose::Strict } else { Purpose::Check });
    if let Some(doc) = read_file(path, world, &mut problems) {
        settings_of(&doc, folder(path), world, &mut problems);
    }
    problems.into_list()
}

fn loaded(settings: Option<Settings>, problems: Problems) -> Result<Loaded, Vec<Problem>> {
    let warnings = problems.into_list();
    match settings {
        Some(settings) if warnings.iter().all(|p| p.severity == Severity::Warning) => Ok(Loaded { settings, warnings }),
        _ => Err(warnings),
    }
}

/// Where relative paths of a file start.
fn folder(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new(""))
}

fn read_file(path: &Path, world: &World<'_>, problems: &mut Problems) -> Option<Node> {
    match types::read_text(path, MAX_BYTES as u64) {
        Ok(text) => document::parse(&text, world.env, problems),
        Err(why) => {
            problems.wrong(Place::Nowhere, "", format!("cannot be read: {why}"), "name a YAML file of 32MiB at most");
            None
        }
    }
}

fn settings_of(doc: &Node, base: &Path, world: &World<'_>, problems: &mut Problems) -> Option<Settings> {
    let file = File::read(doc, "", problems)?;
    build::build(&file, doc, base, world, problems)
}

#[cfg(test)]
mod tests;
