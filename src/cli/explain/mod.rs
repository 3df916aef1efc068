//! `scimshim explain`: what becomes of a request or an answer, without a network. The engine is the proxy's.
//!
//! A program writes one case per line and reads one line per case (`--jsonl`); a person pastes a body and reads what
//! differs. Both go through [`case`], and so does the corpus of tests.

mod case;
#[cfg(fuzzing)]
pub(super) mod fuzzing;
mod guess;
mod show;

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read, Write},
    path::PathBuf,
};

use anyhow::Context;

use super::{Usage, paint::Paint};

pub use case::{Broken, Exchange, Message, Outcome, Place, Refused, case};

/// What `scimshim explain` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Without --jsonl the input is one body, one case, or one HTTP message (start line, headers, blank
line, body). A body is taken as PATCH if it has Operations, as an answer if it is a list, an Error or
has meta, else as POST by its schemas; --method and --target override.

Examples:
  scimshim explain body.json
  pbpaste | scimshim explain --idp entra
  scimshim explain --method PUT --target /Users/42 body.json
  echo '{\"schemas\":[\"urn:ietf:params:scim:api:messages:2.0:PatchOp\"],
        \"Operations\":[{\"op\":\"Replace\",\"path\":\"active\",\"value\":\"False\"}]}' | scimshim explain

With --jsonl each line is a case:
  {\"id\":\"1\",\"idp\":\"entra\",\"enable\":[\"null-attr\"],
   \"schema_hints\":[{\"path\":\"urn:example:User:level\",\"type\":\"integer\"}],
   \"request\":{\"method\":\"POST\",\"target\":\"/Users\",\"headers\":{},\"body\":{}}}
body_raw holds a request body as text. In a case with a response (status, headers, body or
body_text) it is the answer that is repaired, for the addresses in base_url and upstream_url.

Exit codes: 0 done, also when the shim would refuse; 1 a line or the input could not be read;
2 the command line is wrong.")]
pub struct Args {
    /// A body, a case, an HTTP message, or with --jsonl a file of cases; standard input if absent or -
    file: Option<PathBuf>,
    /// Profile of quirks: entra, okta, onelogin, google, jumpcloud, ping, authentik; others count as generic
    #[arg(long, env = "SCIMSHIM_IDP")]
    idp: Option<String>,
    /// One case per line in, one JSON line out, in order
    #[arg(long, env = "SCIMSHIM_JSONL", conflicts_with_all = ["method", "target"])]
    jsonl: bool,
    /// Take the body as that of a request with this method (GET and DELETE: as the answer to one)
    #[arg(long, env = "SCIMSHIM_METHOD")]
    method: Option<String>,
    /// Path and query below the SCIM base: /Users/42
    #[arg(long, env = "SCIMSHIM_TARGET")]
    target: Option<String>,
    /// Quirks or switches set to fix
    #[arg(long, env = "SCIMSHIM_ENABLE", value_delimiter = ',', value_name = "ID")]
    enable: Vec<String>,
}

/// What flags say about every case.
#[derive(Debug, Default)]
pub(super) struct Defaults<'a> {
    /// For cases that name no profile.
    idp: Option<&'a str>,
    /// In addition to what a case enables.
    enable: &'a [String],
}

/// Reads cases or one message and says what becomes of them.
pub(super) fn run(args: &Args, paint: Paint, out: &mut dyn Write) -> anyhow::Result<u8> {
    let defaults = Defaults { idp: args.idp.as_deref(), enable: &args.enable };
    case::check_enabled(&args.enable).map_err(|error| Usage(format!("--{error:#}")))?;
    let input = open(args)?;
    if args.jsonl {
        return Ok(u8::from(!lines(input, &defaults, out)?));
    }
    let mut text = Vec::new();
    BufReader::new(input).read_to_end(&mut text).context("cannot read the input")?;
    let (exchange, taken) = guess::exchange(&text, args.method.as_deref(), args.target.as_deref(), &defaults)?;
    show::show(&exchange, &exchange.explain(), &taken, paint, out)?;
    Ok(0)
}

fn open(args: &Args) -> anyhow::Result<Box<dyn Read>> {
    match &args.file {
        Some(path) if path.as_os_str() != "-" => {
            let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
            Ok(Box::new(file))
        }
        _ => Ok(Box::new(io::stdin())),
    }
}

/// One line out per case; false when one of them could not be read.
fn lines(input: impl Read, defaults: &Defaults<'_>, out: &mut dyn Write) -> anyhow::Result<bool> {
    let mut input = BufReader::with_capacity(1 << 16, input);
    let (mut line, mut good) = (Vec::new(), true);
    loop {
        line.clear();
        if input.read_until(b'\n', &mut line).context("cannot read the input")? == 0 {
            return Ok(good);
        }
        if line.trim_ascii().is_empty() {
            continue;
        }
        let outcome = match std::str::from_utf8(&line) {
            Ok(line) => case::with_defaults(line.trim_ascii(), defaults),
            Err(_) => Err(Broken::new("not UTF-8")),
        };
        match outcome {
            Ok(outcome) => serde_json::to_writer(&mut *out, &outcome).map_err(io::Error::from)?,
            Err(broken) => {
                good = false;
                serde_json::to_writer(&mut *out, &broken).map_err(io::Error::from)?;
            }
        }
        out.write_all(b"\n")?;
        if input.buffer().is_empty() {
            out.flush()?; // a program that waits for each answer gets it
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_line_does_not_stop_the_rest() {
        let input = concat!(
            r#"{"id":"a","request":{"method":"GET","target":"/Users/1"}}"#,
            "\n\nnot json\n",
            r#"{"id":7,"request":{"method":"GET","target":"/Users/1"},"enable":["no-such"]}"#,
            "\n",
            r#"{"id":"c","request":{"method":"GET","target":"/Users/1"}}"#,
        );
        let mut out = Vec::new();
        let good = lines(input.as_bytes(), &Defaults::default(), &mut out).expect("memory");
        let out = String::from_utf8(out).expect("text");
        let out: Vec<_> = out.lines().collect();
        assert!(!good);
        assert_eq!(out.len(), 4);
        assert!(out[0].starts_with(r#"{"id":"a","unchanged":true,"request":{"method":"GET","target":"/Users/1","#));
        assert!(out[1].starts_with(r#"{"id":null,"error":"#), "{}", out[1]);
        assert!(out[2].starts_with(r#"{"id":7,"error":"#), "{}", out[2]);
        assert!(out[3].starts_with(r#"{"id":"c","#));
    }
}
