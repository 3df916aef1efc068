//! Doors for the fuzz targets.

use http::{HeaderMap, uri::PathAndQuery};

use super::{
    announce,
    body::{self, Decoded},
    framing::Framing,
    route::{self, Guarded, Way},
};
use crate::{config::Settings, gate::resolve::Resolver};

/// What a PROXY header says when it comes in pieces of `step` bytes, as text, and how much is left behind it.
pub fn proxy_header(bytes: &[u8], step: usize) -> (String, usize) {
    let (said, rest) = announce::fed(bytes, step);
    (format!("{said:?}"), rest.len())
}

/// Follows the framing of a connection whose bytes come in pieces of `step`.
///
/// # Errors
/// Why it is refused, as text.
pub fn framing(bytes: &[u8], step: usize) -> Result<(), String> {
    let mut framing = Framing::default();
    bytes.chunks(step).try_for_each(|piece| framing.follow(piece)).map_err(|why| format!("{why:?}"))
}

/// A body out of its content coding; `None` where there was none, it is garbled, or over `limit`.
pub fn decoded(headers: &HeaderMap, body: &[u8], limit: usize) -> Option<Vec<u8>> {
    match body::decode(headers, body, limit) {
        Decoded::Whole(whole) => Some(whole),
        Decoded::Foreign(_) | Decoded::Garbled | Decoded::Plain | Decoded::TooLarge => None,
    }
}

/// The tenant's name in a path and the SCIM target behind it; `Some(None)` for what is passed, `None` for what is refused.
pub fn way(settings: &Settings, uri: &PathAndQuery) -> Option<Option<(Option<String>, String)>> {
    let (listen, ways) = (&settings.listen, &settings.tenants.resolve);
    let guarded = Guarded::new(listen, ways, settings.upstream.url.path());
    match route::find(listen, &Resolver::new(ways), &guarded, Some(uri)).ok()? {
        Way::Pass => Some(None),
        Way::Scim { prefix, target } => Some(Some((prefix.map(|prefix| prefix.name.to_owned()), target.to_owned()))),
    }
}

/// Whether a path has a segment that leads elsewhere.
pub fn has_dot_segment(path: &str) -> bool {
    route::has_dot_segment(path)
}
