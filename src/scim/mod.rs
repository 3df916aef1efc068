//! The standard, RFC 7643 and RFC 7644: schemas, attribute paths, filters, messages. Pure; knows no IdP.

pub mod registry;
pub mod types;

pub use registry::{Registry, SchemaError};
pub use types::Type;
