//! Tests through the door: what the client saw, what the app saw, what `/metrics` says.
#![allow(clippy::unwrap_used)]

mod door;
mod harness;
mod hostile;
