//! The standard, RFC 7643 and RFC 7644: schemas, attribute paths, filters, messages. Pure; knows no IdP.

pub mod filter;
pub mod name;
pub mod patch;
pub mod path;
pub mod registry;
pub mod schema;
pub mod types;
pub mod urn;

pub use filter::{Filter, Syntax};
pub use name::NameTable;
pub use path::{AttrPath, Path, SyntaxError};
pub use registry::{KnownUrn, Registry, ResourceType, SchemaError};
pub use schema::{Attr, Attrs, Plurality};
pub use types::Type;
