//! `scimshim risk`: what the model of quarantine says of traffic that was written down. The model is the proxy's.

use std::{
    fs::File,
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use anyhow::Context;
use serde_json::Value;

use crate::observe::ledger::replay::{Journal, Scenario, scenarios};

/// What `scimshim risk` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A model: only the identity provider knows whether it has a connection in quarantine.

FILE is told apart by what is in it. Of a timeline with expectations there is one line for each of
them: id, tenant, at_s, state, risk, ttq_s (seconds to quarantine, null for none in sight). An index
that names `files` stands for the files beside it. Of a journal there is one line for each change of
state up to its last exchange: tenant, at, at_s, state, risk, ttq_s, reason.

Examples:
  scimshim risk timelines.json
  scimshim risk --check timelines.json                 fail where the model says something else
  curl -s 'http://127.0.0.1:7644/api/journal?format=jsonl' | scimshim risk -
  scimshim risk journal.jsonl | jq 'select(.state == \"likely_quarantined\")'

Exit codes: 0 done; 1 the file or a line of it cannot be read, or --check found a difference; 2 the
command line is wrong.")]
pub(super) struct Args {
    /// A timeline, an index of timelines, or an exported journal; `-` is standard input
    file: PathBuf,
    /// Fail where an expectation does not hold, and name each
    #[arg(long, env = "SCIMSHIM_CHECK")]
    check: bool,
}

/// More than a journal or a timeline has.
const LARGEST: u64 = 256 << 20;
/// Files that an index names.
const MOST_FILES: usize = 1000;
/// Broken lines that are named one by one.
const NAMED: usize = 20;

/// Runs the model over a file.
pub(super) fn run(args: &Args, out: &mut dyn Write) -> anyhow::Result<u8> {
    let name = args.file.display().to_string();
    let text = read(&args.file)?;
    anyhow::ensure!(!text.trim().is_empty(), "{name} is empty; give a timeline or an exported journal");
    match serde_json::from_str::<Value>(&text) {
        Ok(document) if !is_entry(&document) => timelines(args, document, out),
        Ok(_) => journal(&text, out),
        Err(_) if text.lines().any(Journal::is_line) => journal(&text, out),
        Err(error) => {
            anyhow::bail!(
                "{name} is neither a timeline nor a journal ({error}); give JSON as in `scimshim risk --help`"
            )
        }
    }
}

/// A journal of one line is a document too.
fn is_entry(document: &Value) -> bool {
    let has = |name| document.get(name).is_some();
    (has("event") || has("request")) && !has("events") && !has("scenarios")
}

fn read(path: &Path) -> anyhow::Result<String> {
    let name = if path == Path::new("-") { "standard input".to_owned() } else { path.display().to_string() };
    let mut bytes = Vec::new();
    let read = if path == Path::new("-") {
        io::stdin().lock().take(LARGEST + 1).read_to_end(&mut bytes)
    } else {
        File::open(path).and_then(|file| file.take(LARGEST + 1).read_to_end(&mut bytes))
    };
    read.with_context(|| format!("{name} cannot be read; name a file, or - for standard input"))?;
    anyhow::ensure!(bytes.len() as u64 <= LARGEST, "{name} holds over {LARGEST} bytes; split it");
    String::from_utf8(bytes).ok().with_context(|| format!("{name} is not UTF-8; give JSON"))
}

fn timelines(args: &Args, document: Value, out: &mut dyn Write) -> anyhow::Result<u8> {
    let mut found = Found::default();
    match named(&document) {
        Some(names) => {
            anyhow::ensure!(names.len() <= MOST_FILES, "the index names over {MOST_FILES} files; split it");
            let folder = args.file.parent().unwrap_or(Path::new(""));
            for name in names {
                let path = folder.join(beside(name)?);
                let text = read(&path)?;
                let path = path.display();
                let document = serde_json::from_str(&text).with_context(|| format!("{path} is no JSON; mend it"))?;
                let scenarios = scenarios(document).with_context(|| path.to_string())?;
                found.run(&scenarios, out)?;
            }
        }
        None => found.run(&scenarios(document).with_context(|| args.file.display().to_string())?, out)?,
    }
    Ok(found.tell(args.check))
}

/// The files of an index.
fn named(document: &Value) -> Option<Vec<&Value>> {
    Some(document.get("files")?.as_array()?.iter().collect())
}

/// A name and no path: an index speaks of its own folder.
fn beside(entry: &Value) -> anyhow::Result<&str> {
    let name = entry.get("file").unwrap_or(entry).as_str().unwrap_or_default();
    let plain = Path::new(name).file_name().is_some_and(|plain| plain == name);
    anyhow::ensure!(plain, "an index names files beside it, such as {{\"file\": \"timelines.json\"}}; not {entry}");
    Ok(name)
}

/// How expectations fared.
#[derive(Default)]
struct Found {
    held: usize,
    wrong: Vec<String>,
}

impl Found {
    fn run(&mut self, scenarios: &[Scenario], out: &mut dyn Write) -> anyhow::Result<()> {
        for scenario in scenarios {
            for judged in scenario.run()? {
                serde_json::to_writer(&mut *out, &judged).map_err(io::Error::from)?;
                writeln!(out)?;
                match judged.wrong {
                    None => self.held += 1,
                    Some(wrong) => {
                        let at = format!("{} of {} at {} s", judged.tenant, judged.id, judged.at_s);
                        self.wrong.push(format!("{at}: {wrong}"));
                    }
                }
            }
        }
        Ok(())
    }

    fn tell(self, check: bool) -> u8 {
        let all = self.held + self.wrong.len();
        if check {
            for wrong in &self.wrong {
                say(wrong);
            }
        }
        say(&match self.wrong.len() {
            0 => format!("{all} expectations hold"),
            wrong if check => format!("{wrong} of {all} expectations do not hold"),
            wrong => format!("{wrong} of {all} expectations do not hold; --check names them"),
        });
        u8::from(check && !self.wrong.is_empty())
    }
}

fn journal(text: &str, out: &mut dyn Write) -> anyhow::Result<u8> {
    say("note: a journal that holds failures only, or the latest exchanges only, overstates the risk: what succeeded \
         is missing");
    let mut journal = Journal::default();
    let (mut events, mut broken) = (0_usize, 0_usize);
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        match journal.read(line) {
            Ok(is_event) => events += usize::from(is_event),
            Err(error) => {
                broken += 1;
                if broken <= NAMED {
                    say(&format!("line {}: {error}", number + 1));
                }
            }
        }
    }
    for line in journal.run() {
        serde_json::to_writer(&mut *out, &line).map_err(io::Error::from)?;
        writeln!(out)?;
    }
    say(&format!("{events} events read, {broken} lines broken"));
    Ok(u8::from(broken > 0))
}

fn say(text: &str) {
    // stderr may be closed; there is nobody left to tell.
    let _ = writeln!(io::stderr(), "{text}");
}
