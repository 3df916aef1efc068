//! `scimshim quirk`: the catalogue for people (text), programs (json) and the docs folder (md).

use std::{
    fmt::Write as _,
    io::{self, Write},
};

use serde_json::{Value, json};

use super::paint::Paint;
use crate::quirk::{ALL, Direction, Id, Idp, Mode, Quirk, Risk};

/// What `scimshim quirk` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  scimshim quirk                              what is known, and what is done about it by default
  scimshim quirk bool-string                  the page of one quirk, with a message before and after
  scimshim quirk --format json | jq '.[].id'")]
pub struct Args {
    /// Show the page of this quirk
    id: Option<String>,
    /// Form of the output
    #[arg(long, value_enum, default_value_t = Format::Text, env = "SCIMSHIM_FORMAT")]
    format: Format,
}

/// Forms of the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// For people
    Text,
    /// For programs
    Json,
    /// Markdown, as in docs/quirks
    Md,
}

/// Prints the catalogue or one page.
pub(super) fn run(args: &Args, paint: Paint, out: &mut dyn Write) -> anyhow::Result<u8> {
    let Some(name) = &args.id else {
        match args.format {
            Format::Text => list(paint, out)?,
            Format::Json => writeln!(out, "{:#}", Value::from_iter(ALL.iter().map(|quirk| entry(quirk))))?,
            Format::Md => write!(out, "{}", index_md())?,
        }
        return Ok(0);
    };
    let quirk = find(name)?;
    match args.format {
        Format::Text => page(quirk, paint, out)?,
        Format::Json => {
            let mut entry = entry(quirk);
            entry["page"] = text(quirk).into();
            writeln!(out, "{entry:#}")?;
        }
        Format::Md => write!(out, "{}", page_md(quirk))?,
    }
    Ok(0)
}

/// The quirk of that name, or an error that says which names come near.
pub(super) fn find(name: &str) -> anyhow::Result<&'static Quirk> {
    if let Some(id) = Id::from_name(name) {
        return Ok(id.quirk());
    }
    let name = name.to_ascii_lowercase();
    let alike =
        |like: fn(&str, &str) -> bool| ALL.iter().map(|q| q.id).filter(|id| like(id, &name)).collect::<Vec<_>>();
    let part = alike(|id, name| name.len() > 2 && id.contains(name));
    match if part.is_empty() { alike(shares_words) } else { part }[..] {
        [] => anyhow::bail!("no quirk is called {name:?}; scimshim quirk lists them all"),
        ref near => anyhow::bail!("no quirk is called {name:?}; near it: {}", near.join(", ")),
    }
}

/// Whether a mistyped name has all but one of the words of `id`.
fn shares_words(id: &str, name: &str) -> bool {
    let known: Vec<_> = id.split('-').collect();
    let shared = known.iter().filter(|word| name.split(['-', '_', ' ']).any(|given| given == **word)).count();
    known.len() > 1 && shared + 1 >= known.len()
}

fn list(paint: Paint, out: &mut dyn Write) -> io::Result<()> {
    let column = |width: fn(&Quirk) -> usize| ALL.iter().map(|quirk| width(quirk)).max().unwrap_or(0);
    let (id, default) = (column(|quirk| quirk.id.len()), column(|quirk| default(quirk).len()));
    for (title, quirks) in groups() {
        writeln!(out, "{} ({})", paint.bold(title), quirks.len())?;
        for quirk in quirks {
            let risk = colour(paint, quirk.risk, &format!("{:8}", quirk.risk.as_str()));
            writeln!(out, "  {:id$}  {risk}  {:default$}  {}", quirk.id, self::default(quirk), quirk.summary())?;
        }
        writeln!(out)?;
    }
    writeln!(
        out,
        "scimshim quirk ID shows the page of one. What is done by default can be set per quirk: fix, observe, off."
    )
}

fn colour(paint: Paint, risk: Risk, text: &str) -> String {
    match risk {
        Risk::Safe => paint.green(text),
        Risk::Inferred | Risk::OptIn => paint.yellow(text),
        Risk::Report => paint.dim(text),
    }
}

fn page(quirk: &Quirk, paint: Paint, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{}\n", paint.bold(quirk.id))?;
    for line in text(quirk).lines() {
        writeln!(out, "{}", if line.starts_with("```") { paint.dim(line) } else { line.to_owned() })?;
    }
    writeln!(out)?;
    let facts = facts(quirk);
    let width = facts.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    for (name, value) in facts {
        writeln!(out, "{}  {value}", paint.dim(format_args!("{name:width$}")))?;
    }
    Ok(())
}

fn entry(quirk: &Quirk) -> Value {
    let names = |idps: &[Idp]| idps.iter().map(|idp| idp.as_str()).collect::<Vec<_>>();
    json!({
        "id": quirk.id,
        "summary": quirk.summary(),
        "direction": quirk.direction.as_str(),
        "risk": quirk.risk.as_str(),
        "default": default(quirk),
        "rfc": quirk.rfc,
        "seen_in": names(quirk.seen_in),
        "not_for": names(quirk.not_for),
        "spelling": quirk.spelling,
        "sources": quirk.sources,
    })
}

/// The page as Markdown: `docs/quirks/<id>.md`.
pub fn page_md(quirk: &Quirk) -> String {
    let mut page = format!("# {}\n\n{}\n\n| | |\n|---|---|\n", quirk.id, text(quirk));
    for (name, value) in facts(quirk) {
        let _ = writeln!(page, "| {name} | {} |", cell(&value));
    }
    page
}

/// The catalogue as Markdown: `docs/quirks/README.md`.
pub fn index_md() -> String {
    let mut page = format!(
        "# Quirks\n\n\
         {} known deviations from RFC 7643 and RFC 7644. Each has a name, a page and a switch; the name is the same in the\n\
         configuration, in `scimshim_fixes_total` and in `scimshim explain`. The risk says what is done without your word:\n\n\
         | risk | meaning | default |\n|---|---|---|\n\
         | safe | no reading of the message under which the rewrite changes its meaning, given the schema | fix |\n\
         | inferred | the meaning is known because that identity provider is known to mean it | fix in its profile, else observe |\n\
         | opt-in | may hide a fault or drop something | observe |\n\
         | report | cannot or must not be mended from one message | counted only |\n",
        ALL.len()
    );
    for (title, quirks) in groups() {
        let _ = write!(page, "\n## {title}\n\n| quirk | what | risk | default |\n|---|---|---|---|\n");
        for quirk in quirks {
            let (id, risk) = (quirk.id, quirk.risk.as_str());
            let _ = writeln!(page, "| [{id}]({id}.md) | {} | {risk} | {} |", cell(quirk.summary()), default(quirk));
        }
    }
    page
}

fn groups() -> [(&'static str, Vec<&'static Quirk>); 3] {
    [
        ("In requests", Direction::Request),
        ("In requests and answers", Direction::Both),
        ("In answers", Direction::Response),
    ]
    .map(|(title, way)| (title, ALL.iter().copied().filter(|quirk| quirk.direction == way).collect()))
}

fn facts(quirk: &Quirk) -> Vec<(&'static str, String)> {
    let names = |idps: &[Idp]| idps.iter().map(|idp| idp.as_str()).collect::<Vec<_>>().join(", ");
    let mut facts = vec![
        ("direction", quirk.direction.as_str().to_owned()),
        ("risk", quirk.risk.as_str().to_owned()),
        ("default", default(quirk)),
        ("rule", quirk.rfc.to_owned()),
        ("seen in", names(quirk.seen_in)),
        ("right as it is for", names(quirk.not_for)),
        ("sources", quirk.sources.to_owned()),
    ];
    if quirk.spelling {
        facts.push(("mode reject", "normalized, not refused: the RFC allows this spelling".to_owned()));
    }
    facts.retain(|(_, value)| !value.is_empty());
    facts
}

/// What is done without the operator's word.
fn default(quirk: &Quirk) -> String {
    let fixed: Vec<_> = Idp::ALL
        .into_iter()
        .filter(|idp| !matches!(idp, Idp::Auto | Idp::Generic))
        .filter(|idp| quirk.risk == Risk::Inferred && quirk.default_mode(*idp, Direction::Request) == Mode::Fix)
        .map(Idp::as_str)
        .collect();
    match quirk.risk {
        Risk::Safe => "fix".to_owned(),
        Risk::Inferred if !fixed.is_empty() => format!("fix for {}", fixed.join(", ")),
        Risk::Inferred | Risk::OptIn => "observe".to_owned(),
        Risk::Report => "count".to_owned(),
    }
}

/// The doc comment, without the blank that stands before each of its lines.
fn text(quirk: &Quirk) -> String {
    let lines: Vec<_> = quirk.docs.lines().map(|line| line.strip_prefix(' ').unwrap_or(line).trim_end()).collect();
    lines.join("\n").trim().to_owned()
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_name_is_answered_with_near_ones() {
        assert!(find("patch-op-case").is_ok());
        let error = |name| find(name).expect_err("unknown").to_string();
        assert_eq!(error("op-case"), "no quirk is called \"op-case\"; near it: filter-op-case, patch-op-case");
        assert_eq!(error("xyzzy"), "no quirk is called \"xyzzy\"; scimshim quirk lists them all");
    }

    #[test]
    fn every_quirk_is_in_the_list_once() {
        let mut out = Vec::new();
        list(Paint::never(), &mut out).expect("memory");
        let text = String::from_utf8(out).expect("text");
        for quirk in ALL {
            assert_eq!(
                text.lines().filter(|l| l.split_whitespace().next() == Some(quirk.id)).count(),
                1,
                "{}",
                quirk.id
            );
        }
    }
}
