//! What is made from the command line itself: completions and the manual page.

use std::io::{self, Write};

use clap_complete::Shell;
use clap_mangen::Man;

/// Completions for one shell.
pub(super) fn completions(mut command: clap::Command, shell: Shell, out: &mut dyn Write) -> anyhow::Result<u8> {
    // Into memory first: the generator panics when its writer fails.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, "scimshim", &mut script);
    out.write_all(&script)?;
    Ok(0)
}

/// One page for all commands: each has a section, with what would be the sections of a page of its own below it.
pub(super) fn man(mut command: clap::Command, out: &mut dyn Write) -> anyhow::Result<u8> {
    command.build();
    let page = Man::new(command.clone());
    page.render_title(out)?;
    page.render_name_section(out)?;
    page.render_synopsis_section(out)?;
    page.render_description_section(out)?;
    page.render_options_section(out)?;
    for sub in command.get_subcommands().filter(|sub| sub.get_name() != "help") {
        writeln!(out, ".SH {}", sub.get_name().to_uppercase())?;
        out.write_all(below(sub)?.as_bytes())?;
    }
    page.render_extra_section(out)?;
    page.render_version_section(out)?;
    Ok(0)
}

/// The sections of a command, one level down.
fn below(command: &clap::Command) -> io::Result<String> {
    let man = Man::new(command.clone());
    let mut page = Vec::new();
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    if command.get_after_help().is_some() {
        man.render_extra_section(&mut page)?;
    }
    let page = String::from_utf8_lossy(&page);
    Ok(page
        .lines()
        .map(|line| line.strip_prefix(".SH ").map_or(format!("{line}\n"), |h| format!(".SS {h}\n")))
        .collect())
}
