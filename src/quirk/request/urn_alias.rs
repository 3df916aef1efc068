//! Schema URNs as they are sent: in another letter case, with a missing colon, in their form before the RFC.

use crate::{
    quirk::Id,
    scim::{Registry, ResourceType, urn},
};

/// The enterprise URN without its last colon, as a documented sample of Entra has it.
const MISSING_COLON: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0User";
/// The core URNs of SCIM 1.1 and of the drafts: User or Group by endpoint.
const LEGACY_CORE: [&str; 2] = ["urn:scim:schemas:core:1.0", "urn:scim:schemas:core:2.0"];
/// The enterprise URN of the drafts.
const LEGACY_ENTERPRISE: &str = "urn:scim:schemas:extension:enterprise:2.0";

/// A known schema at the start of a key or path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Alias<'r, 't> {
    /// The canonical URN.
    pub(super) urn: &'r str,
    /// What is wrong with its spelling.
    pub(super) quirk: Option<Id>,
    /// Whether a dot stands where the colon belongs.
    pub(super) dot: bool,
    /// The attribute behind it.
    pub(super) rest: &'t str,
}

/// Reads the known schema URN at the start of `text`.
pub(super) fn split<'r, 't>(
    registry: &'r Registry,
    resource: Option<&'r ResourceType>,
    text: &'t str,
) -> Option<Alias<'r, 't>> {
    if let Some(known) = registry.known_urn(text) {
        let quirk = (known.sent != known.urn).then_some(Id::SchemasMalformedUrn);
        return Some(Alias { urn: known.urn, quirk, dot: known.separator == Some('.'), rest: known.rest });
    }
    let core = resource.map(|resource| &*resource.urn);
    let aliases = [
        (MISSING_COLON, Some(urn::ENTERPRISE_USER), Id::SchemasMalformedUrn),
        (LEGACY_ENTERPRISE, Some(urn::ENTERPRISE_USER), Id::ExtLegacyKey),
        (LEGACY_CORE[0], core, Id::ExtLegacyKey),
        (LEGACY_CORE[1], core, Id::ExtLegacyKey),
    ];
    aliases.into_iter().find_map(|(sent, urn, quirk)| {
        let start = text.get(..sent.len())?;
        let behind = &text[sent.len()..];
        if !start.eq_ignore_ascii_case(sent) || !(behind.is_empty() || behind.starts_with([':', '.'])) {
            return None;
        }
        let rest = behind.get(1..).unwrap_or_default();
        Some(Alias { urn: urn?, quirk: Some(quirk), dot: behind.starts_with('.'), rest })
    })
}

/// What a URI listed in `schemas` should be: its canonical form and what is wrong with it.
pub(super) fn listed<'r>(registry: &'r Registry, core: Option<&'r str>, uri: &str) -> Option<(&'r str, Id)> {
    if let Some(canonical) = urn::canonical(uri) {
        return (canonical != uri).then_some((canonical, Id::SchemasMalformedUrn));
    }
    if let Some(known) = registry.known_urn(uri).filter(|known| known.rest.is_empty() && known.separator.is_none()) {
        return (known.urn != uri).then_some((known.urn, Id::SchemasMalformedUrn));
    }
    if uri.eq_ignore_ascii_case(MISSING_COLON) {
        return Some((urn::ENTERPRISE_USER, Id::SchemasMalformedUrn));
    }
    if uri.eq_ignore_ascii_case(LEGACY_ENTERPRISE) {
        return Some((urn::ENTERPRISE_USER, Id::SchemasLegacyUrn));
    }
    if LEGACY_CORE.iter().any(|legacy| uri.eq_ignore_ascii_case(legacy)) {
        return core.map(|core| (core, Id::SchemasLegacyUrn));
    }
    None
}
