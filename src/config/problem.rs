//! What is wrong in a configuration: where, what, and what to write instead. All of them at once.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use crate::near::nearest;

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

    /// A key that needs a feature which this build lacks; `serve` says these by themselves.
    pub(crate) fn not_in_force(&mut self, place: Place, key: &str, what: &str) {
        if self.purpose != Purpose::Serve {
            self.note(place, key, format!("not in force: {what}"), "");
        }
    }

    /// Everything found, in the order of the file.
    pub(crate) fn into_list(mut self) -> Vec<Problem> {
        self.list.sort_by_key(|p| (p.line, p.column));
        self.list.dedup();
        self.list
    }
}
