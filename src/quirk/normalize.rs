//! A request on its way in: target, head and body, made RFC 7643/7644 by the tenant's plan.

use http::{HeaderMap, HeaderName, HeaderValue, Method};

use super::{Findings, Plan};

/// A request as it came, below the tenant's SCIM base.
#[derive(Debug, Clone, Copy)]
pub struct Sent<'a> {
    /// The method.
    pub method: &'a Method,
    /// Path and query relative to the SCIM base: `/Users/1?attributes=id`.
    pub target: &'a str,
    /// The header block; only `content-type` is read.
    pub headers: &'a HeaderMap,
    /// The body, decoded from any content coding; empty when there is none.
    pub body: &'a [u8],
}

/// A header to set, or to remove (`None`).
pub type HeaderEdit = (HeaderName, Option<HeaderValue>);

/// What becomes of a request. `None` and empty mean: as it came, byte for byte.
#[derive(Debug, Default)]
pub struct Normalized {
    /// The new target.
    pub target: Option<String>,
    /// Headers to change.
    pub headers: Vec<HeaderEdit>,
    /// The new body.
    pub body: Option<Vec<u8>>,
    /// What was found.
    pub findings: Findings,
    /// Tenant modes `observe` and `off` forward what cannot be read; this says why it could not.
    pub unread: Option<String>,
}

/// Why scimshim answers itself. The proxy turns it into a refusal of DESIGN section 7.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// Not JSON, not an object, duplicate keys, too deep, too many operations: 400 invalidSyntax.
    Malformed,
    /// Tenant mode `reject`: 400 invalidSyntax.
    Quirk,
    /// A body that is no JSON and says so (XML, forms): 415.
    Encoding,
}

/// A request that must not reach the app.
#[derive(Debug)]
pub struct RefusedBody {
    /// The kind.
    pub why: Why,
    /// What and where, for an admin who sees only this text; never a value from the body.
    pub detail: String,
    /// What had been found before.
    pub findings: Findings,
}

/// Makes a request compliant.
///
/// # Errors
/// A body that this parser and another could read differently is refused in tenant modes `rewrite` and `reject`.
pub fn normalize(_plan: &Plan, _sent: &Sent<'_>) -> Result<Normalized, Box<RefusedBody>> {
    Ok(Normalized::default())
}
