//! `scimshim schema`: the JSON Schema of the configuration, for editors.

use std::io::{self, Write};

use crate::config;

/// Writes the schema; always 0.
///
/// # Errors
/// When `out` cannot be written.
pub fn run(out: &mut dyn Write) -> io::Result<u8> {
    writeln!(out, "{:#}", config::schema())?;
    Ok(0)
}
