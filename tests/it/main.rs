//! Tests through the door, and laws.

mod laws;
