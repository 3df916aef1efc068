//! `scimshim check`: every problem of a configuration at once.

use std::{
    io::{self, Write},
    path::Path,
};

use crate::config::{self, Severity, World};

/// Writes a line for each problem and one that sums up; 0 when the file can be used, else 1.
///
/// # Errors
/// When `out` cannot be written.
pub fn run(path: &Path, strict: bool, out: &mut dyn Write) -> io::Result<u8> {
    report(path, strict, &World::real(), out)
}

fn report(path: &Path, strict: bool, world: &World<'_>, out: &mut dyn Write) -> io::Result<u8> {
    let problems = config::inspect(path, strict, world);
    for problem in &problems {
        writeln!(out, "{problem}")?;
    }
    let wrong = problems.iter().filter(|p| p.severity == Severity::Problem).count();
    let warnings = problems.len() - wrong;
    let verdict = if wrong == 0 { "ok" } else { "not usable" };
    writeln!(out, "{}: {verdict}, {}, {}", path.display(), many(wrong, "problem"), many(warnings, "warning"))?;
    Ok(u8::from(wrong > 0))
}

fn many(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, strict: bool) -> (u8, String) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/config").join(name);
        let world = World { env: &|_| None, now: std::time::SystemTime::UNIX_EPOCH };
        let mut out = Vec::new();
        let code = report(&path, strict, &world, &mut out).expect("a vector takes everything");
        (code, String::from_utf8(out).expect("text"))
    }

    #[test]
    fn the_least_configuration_is_ok() {
        let (code, said) = check("minimal.yaml", true);
        assert_eq!(code, 0, "{said}");
        assert!(said.ends_with("minimal.yaml: ok, 0 problems, 0 warnings\n"), "{said}");
    }

    #[test]
    fn what_is_missing_here_counts_only_when_strict() {
        let (code, said) = check("full.yaml", false);
        assert_eq!(code, 0, "{said}");
        assert!(said.contains("ACME_UPSTREAM_AUTHORIZATION"), "{said}");
        let (code, said) = check("full.yaml", true);
        assert_eq!(code, 1);
        assert!(said.contains("full.yaml:8:18: listen.tls.certificate: "), "{said}");
    }

    #[test]
    fn a_file_that_is_not_there_is_a_problem() {
        let (code, said) = check("none.yaml", false);
        assert_eq!(code, 1);
        assert!(said.contains("no such file"), "{said}");
    }
}
