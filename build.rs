//! Puts the commit and the target into `scimshim --version`. Asks the local git only; a source tree without one
//! (a package, an image build) may name the commit in `SCIMSHIM_COMMIT`, else it says "unknown".

use std::{env, path::Path, process::Command};

fn main() {
    println!("cargo::rerun-if-env-changed=SCIMSHIM_COMMIT");
    println!("cargo::rerun-if-changed=build.rs");
    let commit = env::var("SCIMSHIM_COMMIT").ok().filter(|commit| !commit.is_empty()).or_else(commit);
    // Not called like a flag: cargo hands these on to what `cargo run` and `cargo test` start.
    println!("cargo::rustc-env=SCIMSHIM_BUILD_COMMIT={}", commit.as_deref().unwrap_or("unknown"));
    println!("cargo::rustc-env=SCIMSHIM_BUILD_TARGET={}", env::var("TARGET").as_deref().unwrap_or("unknown"));
}

/// The commit of this repository, and of no other that the sources happen to lie in.
fn commit() -> Option<String> {
    let here = Path::new(&env::var_os("CARGO_MANIFEST_DIR")?).canonicalize().ok()?;
    if Path::new(&git(&["rev-parse", "--show-toplevel"])?).canonicalize().ok()? != here {
        return None;
    }
    // The log of HEAD grows with every commit and every switch of branch.
    if let Some(log) = git(&["rev-parse", "--git-path", "logs/HEAD"]).filter(|log| Path::new(log).exists()) {
        println!("cargo::rerun-if-changed={log}");
    }
    git(&["rev-parse", "--short=12", "HEAD"])
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}
