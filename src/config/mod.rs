//! What the operator wrote becomes what runs.

pub mod settings;

pub use settings::Settings;
