//! What the demo prints: each step four times (sent, got, answered, received), the table at the end.

use std::{
    io::{self, Write},
    net::SocketAddr,
};

use super::{
    legacy::{BASE, Exchange, MANNERS},
    script::{Reply, STEPS, Step, Verdict},
};
use crate::cli::{
    diff::{self, Line},
    json,
    paint::Paint,
};

/// No line is wider, so that it reads the same in any window.
const COLUMNS: usize = 100;
/// Columns of a body before it is broken into lines: narrow, so that a difference stands on a line of its own.
const BODY: usize = 72;
/// Equal lines shown around a difference.
const CONTEXT: usize = 2;

/// The printer.
pub(super) struct Report<'a> {
    paint: Paint,
    out: &'a mut dyn Write,
}

impl<'a> Report<'a> {
    pub(super) fn new(paint: Paint, out: &'a mut dyn Write) -> Self {
        Self { paint, out }
    }

    /// Who plays.
    pub(super) fn opening(&mut self) -> io::Result<()> {
        writeln!(
            self.out,
            "{}",
            self.paint.bold("The app: a SCIM endpoint written years ago for one identity provider. It")
        )?;
        for manner in MANNERS {
            writeln!(self.out, "  - {manner}")?;
        }
        writeln!(self.out, "\n{}", self.paint.bold("The shim stands before it. What changes on the way is marked:"))?;
        writeln!(self.out, "  {} as it came   {} as it goes on", self.paint.red("-"), self.paint.green("+"))?;
        self.out.flush()
    }

    /// One exchange.
    pub(super) fn step(
        &mut self,
        number: usize,
        step: &Step,
        (target, body): (&str, &str),
        seen: &Exchange,
        reply: &Reply,
        verdict: &Verdict,
    ) -> io::Result<()> {
        let title = format!("{}/{}  {}: {}", number + 1, STEPS.len(), step.idp, step.title);
        let rule = "-".repeat(COLUMNS.saturating_sub(title.len() + 4));
        writeln!(self.out, "\n{} {}", self.paint.bold(format_args!("-- {title}")), self.paint.dim(rule))?;
        self.way(
            &format!("{} sends, the app gets", step.idp),
            &message(&format!("{} {target}", step.method), step.content_type, body.as_bytes()),
            &message(&format!("{} {}", seen.method, seen.target), seen.request_type.as_deref(), &seen.request),
        )?;
        self.way(
            &format!("the app answers, {} gets", step.idp),
            &message(&status(seen.status), seen.response_type.as_deref(), &seen.response),
            &message(&status(reply.status), reply.content_type.as_deref(), &reply.body),
        )?;
        if let Some(fixes) = &reply.fixes {
            self.wrapped("fixed", fixes)?;
        }
        match verdict {
            Ok(what) => writeln!(self.out, "  {} {what}", self.paint.green("passed:"))?,
            Err(what) => writeln!(self.out, "  {} {what}", self.paint.red("FAILED:"))?,
        }
        self.out.flush()
    }

    fn way(&mut self, title: &str, before: &[String], after: &[String]) -> io::Result<()> {
        let lines = diff::compare(before, after);
        if lines.iter().any(|line| !matches!(line, Line::Both(_))) {
            writeln!(self.out, "  {}:", self.paint.bold(title))?;
            return diff::write(self.out, self.paint, &lines, CONTEXT);
        }
        writeln!(self.out, "  {} the same:", self.paint.bold(title))?;
        after.iter().try_for_each(|line| writeln!(self.out, "    {line}"))
    }

    /// A list of names, broken at the edge.
    fn wrapped(&mut self, title: &str, names: &str) -> io::Result<()> {
        let mut line = format!("  {title}:");
        for name in names.split(',').map(str::trim) {
            if line.len() + name.len() + 2 > COLUMNS {
                writeln!(self.out, "{line}")?;
                line = " ".repeat(title.len() + 3);
            }
            line = format!("{line} {name}");
        }
        writeln!(self.out, "{line}")
    }

    /// The sessions side by side: through the shim, and straight to the app.
    pub(super) fn summary(&mut self, through: &[Verdict], lenient: &[Verdict], strict: &[Verdict]) -> io::Result<()> {
        let paint = self.paint;
        let width = STEPS.iter().map(|step| step.title.len()).max().unwrap_or(0);
        writeln!(self.out, "\n{}", paint.bold("The same sessions with the shim and without it"))?;
        writeln!(self.out, "{}", paint.dim(format_args!("  {:9}  {:width$}  with    without", "", "")))?;
        let mut failures = Vec::new();
        for ((step, with), without) in STEPS.iter().zip(through).zip(lenient) {
            let left = format!("  {:9}  {:width$}  ", step.idp, step.title);
            let with_mark = if with.is_ok() { paint.green("ok    ") } else { paint.red("FAILED") };
            let told = match without {
                Ok(_) => paint.green("ok"),
                Err(what) => paint.red(cut(what, COLUMNS.saturating_sub(left.len() + 8))),
            };
            writeln!(self.out, "{left}{with_mark}  {told}")?;
            failures.extend(with.as_ref().err().map(|what| (step.title, what)));
        }
        let passed = |verdicts: &[Verdict]| verdicts.iter().filter(|verdict| verdict.is_ok()).count();
        let all = STEPS.len();
        writeln!(
            self.out,
            "\n  With the shim {} of {all} steps pass, without it {}.",
            passed(through),
            passed(lenient)
        )?;
        writeln!(
            self.out,
            "  (For the run without it the app was made to read application/scim+json as well. As it is,\n  {} of {all} pass.)",
            passed(strict)
        )?;
        for (title, what) in failures {
            writeln!(self.out, "  {} {title}: {what}", paint.red("FAILED with the shim:"))?;
        }
        self.out.flush()
    }

    /// What to try while it serves on.
    pub(super) fn invitation(&mut self, data: SocketAddr, admin: SocketAddr, app: SocketAddr) -> io::Result<()> {
        let json = "-H 'content-type: application/scim+json'";
        writeln!(self.out, "\n{}", self.paint.bold("It serves on; Ctrl-C ends it. Try:"))?;
        writeln!(self.out, "  curl -i 'http://{data}{BASE}/Users?filter=userName+eq+%22carol@example.com%22'")?;
        writeln!(self.out, "  curl -i -X PATCH http://{data}{BASE}/Users/2 {json} \\")?;
        writeln!(
            self.out,
            "    -d '{{\"Operations\":[{{\"op\":\"Replace\",\"path\":\"active\",\"value\":\"False\"}}]}}'"
        )?;
        writeln!(self.out, "  curl -i http://{app}{BASE}/Users/2          # the app itself, without the shim")?;
        writeln!(self.out, "  curl -s http://{admin}/metrics | grep scimshim_fixes_total")?;
        self.out.flush()
    }
}

fn status(code: u16) -> String {
    format!("HTTP {code}")
}

/// A message as lines: what it starts with, its media type, its body.
fn message(start: &str, content_type: Option<&str>, body: &[u8]) -> Vec<String> {
    let mut lines = vec![start.to_owned()];
    lines.extend(content_type.map(|kind| format!("content-type: {kind}")));
    match json::text(body) {
        Some(text) => lines.extend(json::lines(text, BODY)),
        None => lines.extend(String::from_utf8_lossy(body).lines().map(str::to_owned)),
    }
    // Four columns are taken by the marks.
    lines.iter().map(|line| cut(line, COLUMNS - 4)).collect()
}

fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    text.chars().take(width.saturating_sub(3)).chain("...".chars()).collect()
}
