//! Doors for the fuzz targets.

use super::{access, query};

/// Reads the query of a page or the form of a log-in; what it says, and the query without that parameter.
pub fn asked(text: &str, name: &str) -> (Result<[Option<String>; 2], String>, Option<String>, String) {
    (query::parse(text, [name, "tenant"]), query::field(text, name), query::without(text, name))
}

/// Whether a `Host` names this machine to itself.
pub fn is_loopback(host: &str) -> bool {
    access::is_loopback(host)
}
