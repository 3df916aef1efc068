//! The standard, RFC 7643 and RFC 7644: schemas, attribute paths, filters, messages. Pure; knows no IdP.

pub mod filter;
pub mod path;
pub mod registry;
pub mod types;

pub use filter::{Filter, Syntax};
pub use path::{AttrPath, Path, SyntaxError};
pub use registry::{Registry, SchemaError};
pub use types::Type;
