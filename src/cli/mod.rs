//! Command line: one file per command. A command writes to the writer it is handed and returns its exit code, so that
//! tests can call it, and so that `scimshim quirk | head` ends quietly when the reader has gone.

pub mod check;
pub mod demo;
pub mod explain;
pub mod feed;
pub mod quirk;
pub mod schema;

mod beside;
mod diff;
mod drain;
#[cfg(fuzzing)]
pub(crate) mod fuzzing;
mod generate;
mod inject;
mod json;
mod paint;
mod risk;
mod serve;
mod token;
mod wait;

use std::{
    io::{self, IsTerminal, Write},
    path::PathBuf,
    process::ExitCode,
};

use clap::{CommandFactory, Parser, Subcommand, error::ErrorKind};

use paint::Paint;

/// The commit and the platform of this build, as `--version` prints them.
const VERSION: &str =
    concat!(env!("CARGO_PKG_VERSION"), " (", env!("SCIMSHIM_BUILD_COMMIT"), ", ", env!("SCIMSHIM_BUILD_TARGET"), ")");

const AFTER_HELP: &str = "\
Examples:
  scimshim demo                                              see it work; needs nothing
  scimshim serve --upstream http://127.0.0.1:8080/scim/v2    put it in front of an endpoint
  scimshim explain --idp entra body.json                     what would become of this body?
  scimshim quirk patch-op-case                               the page of one quirk

Exit codes:
  0  done
  1  it failed, or problems were found
  2  the command line is wrong

Every flag is also an environment variable, SCIMSHIM_ and its name: SCIMSHIM_UPSTREAM, SCIMSHIM_IDP.
A flag wins over the environment, and that over the configuration file. Colour is used on a terminal
only, and never with NO_COLOR.";

const CHECK_HELP: &str = "\
Examples:
  scimshim check config.yaml
  scimshim check --strict /etc/scimshim/config.yaml    in the pod, where secrets are mounted

Prints FILE:LINE:COLUMN: KEY: what is wrong; what to write instead. What is not in force is a
warning.

Exit codes: 0 it can be used; 1 it cannot; 2 the command line is wrong.";

/// A reverse-proxy sidecar that makes what identity providers send SCIM 2.0, and repairs what old handlers answer.
#[derive(Debug, Parser)]
#[command(name = "scimshim", version = VERSION, after_help = AFTER_HELP, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the sidecar
    Serve(serve::Args),
    /// See it work: a legacy endpoint with bad manners, the shim before it, an Entra and an Okta session
    Demo(demo::Args),
    /// Name every problem of a configuration, with its line and the cure
    #[command(after_help = CHECK_HELP)]
    Check {
        /// The configuration, YAML
        config: PathBuf,
        /// Files and variables that the configuration names must be here; without it they are warnings
        #[arg(long, env = "SCIMSHIM_STRICT")]
        strict: bool,
    },
    /// Say what becomes of a request or an answer, without a network
    Explain(explain::Args),
    /// The catalogue of quirks, and the page of each
    Quirk(quirk::Args),
    /// What is in the feeds of addresses, and why an address is (not) allowed
    Feed(feed::Args),
    /// What the model of quarantine says of recorded traffic
    Risk(risk::Args),
    /// Make a tenant's token, or hash one
    Token(token::Args),
    /// Tell the shim of this pod to drain: for preStop hooks in images without a shell
    Drain(drain::Args),
    /// Wait until the shim of this pod is ready: for start-up hooks
    Wait(wait::Args),
    /// Add the sidecar to Kubernetes manifests, or take it out again
    Inject(inject::Args),
    /// Print the JSON Schema of the configuration
    #[command(
        after_help = "Example:\n  scimshim schema > scimshim.schema.json    for editors that complete YAML by a schema"
    )]
    Schema,
    /// Print shell completions
    #[command(after_help = "Example:\n  scimshim completions bash > /etc/bash_completion.d/scimshim")]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page
    #[command(after_help = "Example:\n  scimshim man | man -l -")]
    Man,
}

/// Forms of output where there are two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// For people
    Text,
    /// For programs
    Json,
}

/// A command line that clap takes and the command does not.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Usage(String);

/// Reads the arguments, runs the command, says in one line what went wrong.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    let stdout = io::stdout();
    let paint = Paint::when(stdout.is_terminal());
    let mut out = io::BufWriter::new(stdout.lock());
    let result = run(cli.command, paint, &mut out).and_then(|code| Ok(out.flush().map(|()| code)?));
    match result {
        Ok(code) => ExitCode::from(code),
        Err(error) if reader_left(&error) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&format!("{error:#}"));
            ExitCode::from(if error.is::<Usage>() { 2 } else { 1 })
        }
    }
}

fn run(command: Command, paint: Paint, out: &mut dyn Write) -> anyhow::Result<u8> {
    match command {
        Command::Serve(args) => serve::run(&args),
        Command::Demo(args) => demo::run(&args, paint, out),
        Command::Check { config, strict } => Ok(check::run(&config, strict, out)?),
        Command::Explain(args) => explain::run(&args, paint, out),
        Command::Quirk(args) => quirk::run(&args, paint, out),
        Command::Feed(args) => feed::run(&args, paint, out),
        Command::Risk(args) => risk::run(&args, out),
        Command::Token(args) => token::run(&args, out),
        Command::Drain(args) => drain::run(&args, out),
        Command::Wait(args) => wait::run(&args, out),
        Command::Inject(args) => inject::run(&args, out),
        Command::Schema => Ok(schema::run(out)?),
        Command::Completions { shell } => generate::completions(Cli::command(), shell, out),
        Command::Man => generate::man(Cli::command(), out),
    }
}

/// Clap's message on one line; help and version are no errors.
fn usage(error: &clap::Error) -> ExitCode {
    if matches!(
        error.kind(),
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
    ) {
        // A reader that has gone is no reason to complain.
        let _ = error.print();
        return ExitCode::from(if error.use_stderr() { 2 } else { 0 });
    }
    complain(&one_line(&error.render().to_string()));
    ExitCode::from(2)
}

/// The first paragraph and the tip, without the usage text.
fn one_line(message: &str) -> String {
    let join = |lines: &mut dyn Iterator<Item = &str>| lines.map(str::trim).collect::<Vec<_>>().join(" ");
    let what = join(&mut message.lines().take_while(|line| !line.is_empty()));
    let what = what.strip_prefix("error: ").unwrap_or(&what);
    match message.lines().find_map(|line| line.trim().strip_prefix("tip: ")) {
        Some(tip) => format!("{what}; {tip}"),
        None => format!("{what}; see --help"),
    }
}

fn complain(message: &str) {
    // stderr may be closed; there is nobody left to tell.
    let _ = writeln!(io::stderr(), "error: {message}");
}

fn reader_left(error: &anyhow::Error) -> bool {
    error
        .chain()
        .any(|cause| cause.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_flag_is_an_environment_variable() {
        let cli = Cli::command();
        let commands = cli.get_subcommands().flat_map(|command| command.get_subcommands().chain([command]));
        for command in commands {
            for flag in command.get_arguments().filter(|arg| arg.get_long().is_some()) {
                let name = format!("SCIMSHIM_{}", flag.get_id().as_str().to_uppercase());
                assert_eq!(flag.get_env().and_then(|env| env.to_str()), Some(name.as_str()), "{}", command.get_name());
            }
        }
    }

    #[test]
    fn a_usage_error_is_one_line_with_its_cure() {
        let say = |args: &[&str]| one_line(&Cli::try_parse_from(args).expect_err("wrong usage").render().to_string());
        assert_eq!(
            say(&["scimshim", "serve", "--upstraem", "x"]),
            "unexpected argument '--upstraem' found; a similar argument exists: '--upstream'"
        );
        assert_eq!(say(&["scimshim", "quirk", "--format", "xml"]).lines().count(), 1);
    }
}
