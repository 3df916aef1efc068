//! Command line.

pub mod check;
pub mod schema;
