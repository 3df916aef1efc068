//! `scimshim inject`: the sidecar into the manifests of an app, as text edits; and out of them again.
//!
//! ```text
//! passes    what is taken out of a stream and put into it, object by object
//! yaml      a stream as nodes with their places, and edits of nodes back into the text
//! objects   what is in the stream: workloads, Services, what goes through
//! sidecar   the container and its volumes
//! workload  what is put where in a pod, and when it is refused
//! service   which port of a Service is turned to the sidecar
//! marks     the annotations from which everything can be taken out again, to the byte
//! ```
//!
//! What was injected before is taken out first and then put in anew. So a second run gives what the first gave, also
//! with other options or of another version, and there is no second way through the code for an update.
//! `docs/decisions/0016-yaml-by-spans.md` has what was not chosen.

#[cfg(fuzzing)]
pub(super) mod fuzzing;
mod marks;
mod objects;
mod options;
mod passes;
mod service;
mod sidecar;
mod workload;
mod yaml;

use std::{
    fs::File,
    io::{self, Read, Write},
    path::Path,
};

use anyhow::Context;

pub(super) use options::Args;
use options::Wish;

use passes::{Report, transform};
use yaml::{Fault, Tree};

/// More than the manifests of a whole cluster take; nothing of it is streamed.
const LARGEST: u64 = 32 << 20;

/// Puts the sidecar into manifests, or takes it out. What cannot be edited is written as it came.
pub(super) fn run(args: &Args, out: &mut dyn Write) -> anyhow::Result<u8> {
    let wish = args.wish()?;
    let is_stdin = args.file == Path::new("-");
    let name = if is_stdin { "standard input".to_owned() } else { args.file.display().to_string() };
    let open = || -> io::Result<Box<dyn Read>> {
        Ok(if is_stdin { Box::new(io::stdin().lock()) } else { Box::new(File::open(&args.file)?) })
    };
    let unreadable = || format!("{name} cannot be read; name a file, or - for standard input");
    let mut input = open().with_context(unreadable)?;
    let mut bytes = Vec::new();
    input.by_ref().take(LARGEST + 1).read_to_end(&mut bytes).with_context(unreadable)?;
    match edited(&wish, &bytes) {
        Ok(report) => {
            out.write_all(report.text.as_bytes())?;
            // Before a word about it: who reads may apply it meanwhile.
            out.flush()?;
            report.lines.iter().for_each(|line| say(line));
            Ok(0)
        }
        Err(faults) => {
            out.write_all(&bytes)?;
            io::copy(&mut input, out)?;
            out.flush()?;
            let text = String::from_utf8_lossy(&bytes);
            for fault in &faults {
                let (line, column) = Tree::place(&text, fault.at);
                say(&format!("error: {name}:{line}:{column}: {}", fault.what));
            }
            say("note: the output is the input, unchanged");
            Ok(1)
        }
    }
}

fn edited(wish: &Wish, bytes: &[u8]) -> Result<Report, Vec<Fault>> {
    if bytes.len() as u64 > LARGEST {
        return Err(vec![Fault::new(0, format!("over {LARGEST} bytes; split it"))]);
    }
    let text = str::from_utf8(bytes)
        .map_err(|error| vec![Fault::new(error.valid_up_to(), "this is not UTF-8; give YAML or JSON in UTF-8")])?;
    transform(wish, text)
}

fn say(line: &str) {
    // stderr may be closed; there is nobody left to tell.
    let _ = writeln!(io::stderr(), "{line}");
}

#[cfg(test)]
mod tests;
