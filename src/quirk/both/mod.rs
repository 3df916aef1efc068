//! Deviations that stand in requests and in answers.

pub mod attr_case;
pub mod bool_string;
pub mod content_type;
pub mod schemas_missing;
pub mod startindex_zero_based;
