//! Doors for the fuzz targets.

pub use super::{explain::fuzzing::pasted, inject::fuzzing::Injector};
