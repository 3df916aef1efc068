//! Tests through the door, and laws.
#![allow(clippy::unwrap_used)]

mod door;
mod harness;
mod hostile;
mod laws;
