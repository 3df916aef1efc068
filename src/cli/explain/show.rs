//! An outcome for people: what differs, which quirks, what is only counted, why it is refused.

use std::io::{self, Write};

use super::{
    Exchange, Outcome, Place,
    case::{Message, Start},
};
use crate::cli::{
    diff::{self, Line},
    json,
    paint::Paint,
};

/// Columns for bodies; four more are taken by the marks.
const WIDTH: usize = 96;
/// Messages of so many lines are shown whole.
const WHOLE: usize = 60;
/// Equal lines shown around a difference in longer ones.
const CONTEXT: usize = 3;

pub(super) fn show(
    exchange: &Exchange,
    outcome: &Outcome,
    taken: &str,
    paint: Paint,
    out: &mut dyn Write,
) -> io::Result<()> {
    writeln!(out, "{}", paint.dim(format_args!("taken as {taken}, profile {}", exchange.plan.idp())))?;
    if let Some(refused) = &outcome.refused {
        let kind = refused.scim_type.map_or(String::new(), |kind| format!(" {kind}"));
        writeln!(out, "\n{} with {}{kind}: {}", paint.red("refused"), refused.status, refused.detail)?;
        writeln!(out, "The app does not see this request; the identity provider gets a SCIM Error with that text.")?;
    } else if let Some(after) = outcome.message.as_ref().filter(|_| !outcome.unchanged) {
        writeln!(out)?;
        let (old, new) = (lines(&exchange.before()), lines(after));
        let lines = diff::compare(&old, &new);
        if lines.iter().all(|line| matches!(line, Line::Both(_))) {
            writeln!(out, "the same value in other bytes")?;
        }
        diff::write(out, paint, &lines, if lines.len() > WHOLE { CONTEXT } else { WHOLE })?;
    } else {
        writeln!(out, "\n{}: goes on as sent, byte for byte", paint.green("unchanged"))?;
    }
    if let Some(why) = &outcome.unread {
        writeln!(out, "\nthe body could not be read and goes on as sent: {why}")?;
    }
    places(out, &paint.bold("fixed"), &outcome.fixes)?;
    places(out, &paint.yellow("observed, not changed"), &outcome.observed)?;
    if let Some(place) = outcome.fixes.iter().chain(&outcome.observed).next() {
        writeln!(out, "\n{}", paint.dim(format_args!("scimshim quirk {} says more", place.quirk.as_str())))?;
    }
    Ok(())
}

fn places(out: &mut dyn Write, title: &str, places: &[Place]) -> io::Result<()> {
    if places.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{title}")?;
    let width = places.iter().map(|place| place.quirk.as_str().len()).max().unwrap_or(0);
    for place in places {
        let at = if place.at.is_empty() { "the whole body" } else { &place.at };
        writeln!(out, "  {:width$}  {at}", place.quirk.as_str())?;
    }
    Ok(())
}

fn lines(message: &Message) -> Vec<String> {
    let mut lines = vec![match &message.start {
        Start::Request { method, target } => format!("{method} {target}"),
        Start::Response(status) => format!("HTTP {status}"),
    }];
    for (name, value) in &message.headers {
        lines.push(format!("{name}: {}", String::from_utf8_lossy(value.as_bytes())));
    }
    if message.body.is_empty() {
        return lines;
    }
    lines.push(String::new());
    match json::text(&message.body) {
        Some(text) => lines.extend(json::lines(text, WIDTH)),
        None => lines.extend(String::from_utf8_lossy(&message.body).lines().map(str::to_owned)),
    }
    lines
}
