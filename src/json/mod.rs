//! JSON text in, spans out, edits back to text: strict, bounded, faithful. Pure; knows no SCIM.
//!
//! [`Doc::parse`] reads a text once into a flat tape of cells that point into it. Fixes are edits of cells; writing
//! copies every run of untouched text as it stands, so numbers, escapes, order and white space survive a fix elsewhere,
//! and a document without edits is never written at all. The choice and what was not taken:
//! `docs/decisions/0001-json.md`.

mod doc;
mod parse;
mod text;

#[cfg(fuzzing)]
pub use doc::apart;
pub use doc::{Children, Doc, Kind, Node, Pointer};
pub use parse::{Before, Duplicates, Error, MAX_DEPTH, Names, NoNames};
pub use text::{decode, encode, is_number, push_encoded};
