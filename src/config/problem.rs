//! What is wrong in a configuration: where, what, and what to write instead. All of them at once.

use std::{
    fmt,
    path::{Path, PathBuf},
};

/// One thing to tell the operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file, as it was named; a flag or its variable for what came from there.
    pub file: PathBuf,
    /// Line, from 1; 0 where there is none.
    pub line: u64,
    /// Column in characters, from 1; 0 where there is none.
    pub column: u64,
    /// Dotted path of the key; empty for the document as a whole.
    pub key: String,
    /// What is wrong: never a secret, never the value of a variable.
    pub what: String,
    /// The cure, as an order: "write `20s`".
    pub instead: String,
    /// Whether it stops anything.
    pub severity: Severity,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if self.line > 0 {
            write!(f, ":{}:{}", self.line, self.column)?;
        }
        f.write_str(": ")?;
        if self.severity == Severity::Warning {
            f.write_str("warning: ")?;
        }
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.what)?;
        if !self.instead.is_empty() {
            write!(f, "; {}", self.instead)?;
        }
        Ok(())
    }
}

/// Whether a problem stops anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The configuration is not used.
    Problem,
    /// It is used, and the operator should know.
    Warning,
}

/// What the configuration is read for, which decides how much of the machine must be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// `check`: files and variables may live elsewhere.
    Check,
    /// `check --strict`: they must be here.
    Strict,
    /// `serve`: what runs now.
    Serve,
}

/// How bad a finding is, before it is known what the configuration is read for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Grade {
    /// A feed's file is away: the feed has a state for that, so it stops only a strict check.
    Absent,
    /// A file or variable is away without which the configuration means something else.
    Missing,
    /// Good to know.
    Note,
    /// Wrong everywhere.
    Wrong,
}

impl Grade {
    fn severity(self, purpose: Purpose) -> Severity {
        match (self, purpose) {
            (Self::Wrong, _) | (Self::Absent, Purpose::Strict) | (Self::Missing, Purpose::Strict | Purpose::Serve) => {
                Severity::Problem
            }
            _ => Severity::Warning,
        }
    }
}

/// Where something was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Place {
    /// Line and column of the file.
    File(u64, u64),
    /// A flag or its environment variable.
    Flag(&'static str),
    /// Nowhere: it should have been.
    #[default]
    Nowhere,
}

/// Collects problems while a configuration is read.
#[derive(Debug)]
pub(crate) struct Problems {
    file: PathBuf,
    purpose: Purpose,
    list: Vec<Problem>,
}

impl Problems {
    pub(crate) fn new(file: &Path, purpose: Purpose) -> Self {
        Self { file: file.to_path_buf(), purpose, list: Vec::new() }
    }

    pub(crate) fn add(
        &mut self,
        grade: Grade,
        place: Place,
        key: &str,
        what: impl Into<String>,
        instead: impl Into<String>,
    ) {
        let (file, line, column) = match place {
            Place::File(line, column) => (self.file.clone(), line, column),
            Place::Flag(name) => (PathBuf::from(name), 0, 0),
            Place::Nowhere => (self.file.clone(), 0, 0),
        };
        self.list.push(Problem {
            file,
            line,
            column,
            key: key.to_owned(),
            what: what.into(),
            instead: instead.into(),
            severity: grade.severity(self.purpose),
        });
    }

    pub(crate) fn wrong(&mut self, place: Place, key: &str, what: impl Into<String>, instead: impl Into<String>) {
        self.add(Grade::Wrong, place, key, what, instead);
    }

    pub(crate) fn note(&mut self, place: Place, key: &str, what: impl Into<String>, instead: impl Into<String>) {
        self.add(Grade::Note, place, key, what, instead);
    }

    /// [`nearest`], for as long as guessing is worth its time: a file with a thousand problems is no slip of the finger.
    pub(crate) fn guess<'n>(&self, name: &str, known: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
        if self.list.len() < 1000 { nearest(name, known) } else { None }
    }

    /// A key whose feature is not done; `serve` says these by themselves.
    pub(crate) fn not_in_force(&mut self, place: Place, key: &str, what: &str) {
        if self.purpose != Purpose::Serve {
            self.note(place, key, format!("not yet in force: {what}"), "");
        }
    }

    /// Everything found, in the order of the file.
    pub(crate) fn into_list(mut self) -> Vec<Problem> {
        self.list.sort_by_key(|p| (p.line, p.column));
        self.list.dedup();
        self.list
    }
}

/// The known name that was probably meant: at most one edit in three characters away.
pub(crate) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // A name longer than any key of ours is no slip of the finger, and the distance is quadratic.
    if name.len() > 64 {
        return None;
    }
    known
        .into_iter()
        .map(|k| (distance(&name.to_ascii_lowercase(), &k.to_ascii_lowercase()), k))
        .filter(|&(d, k)| d <= (k.len() / 3).max(1))
        .min_by_key(|&(d, _)| d)
        .map(|(_, k)| k)
}

/// Edits between two words; two letters that changed places are one (`evn` for `env`).
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut table = vec![vec![0; b.len() + 1]; a.len() + 1];
    for i in 0..=a.len() {
        for j in 0..=b.len() {
            table[i][j] = if i == 0 || j == 0 {
                i + j
            } else {
                let changed = table[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
                let best = changed.min(table[i - 1][j] + 1).min(table[i][j - 1] + 1);
                if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                    best.min(table[i - 2][j - 2] + 1)
                } else {
                    best
                }
            };
        }
    }
    table[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_finds_its_name_and_a_stranger_none() {
        assert_eq!(nearest("lisen", ["listen", "admin"]), Some("listen"));
        assert_eq!(nearest("patch-op-cas", ["patch-op-case", "path-case"]), Some("patch-op-case"));
        assert_eq!(nearest("zebra", ["listen", "admin"]), None);
        assert_eq!(nearest("evn", ["file", "env"]), Some("env"));
        assert_eq!(distance("kitten", "sitting"), 3);
    }
}
