//! A request on its way in: target, head and body, made RFC 7643/7644 by the tenant's plan.

use std::borrow::Cow;

use http::{HeaderMap, HeaderName, HeaderValue, Method, header::CONTENT_TYPE};

use super::{
    Cx, Direction, Findings, Id, Plan, TenantMode,
    both::content_type::{self, Label},
    request::{
        array_wrapped, attr_unknown, empty_attr, keys, null_attr,
        patch::{self, Subject},
        path, readonly_attr, schemas, target, username_missing,
        walk::{self, Form},
    },
};
use crate::{
    json::{Doc, Duplicates, Kind},
    scim::{ResourceType, name},
};

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

/// Why scimshim answers itself. The proxy turns it into a refusal.
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
/// A body that this parser and another could read differently is refused in tenant modes `rewrite` and `reject`; the
/// latter refuses every deviation that the RFC does not allow.
pub fn normalize(plan: &Plan, sent: &Sent<'_>) -> Result<Normalized, Box<RefusedBody>> {
    normalize_seen(plan, sent, &mut |_| ())
}

/// The same; `look` is shown a body that could be read, with its edits, so that nobody has to read it again.
///
/// # Errors
/// As [`normalize`].
pub fn normalize_seen(
    plan: &Plan,
    sent: &Sent<'_>,
    look: &mut dyn FnMut(&Doc<'_>),
) -> Result<Normalized, Box<RefusedBody>> {
    if plan.tenant_mode() == TenantMode::Off {
        return Ok(Normalized::default());
    }
    let mut cx = Cx::new(plan, Direction::Request);
    let mut normalized = Normalized { target: target::normalize(sent.target, &mut cx), ..Normalized::default() };
    let target = normalized.target.as_deref().unwrap_or(sent.target);
    let label = sent.headers.get(CONTENT_TYPE).map(|value| value.to_str());
    let label = match label {
        Some(Err(_)) => Label::Kept,
        Some(Ok(text)) => content_type::label(Some(text)),
        None => content_type::label(None),
    };
    let mut relabel = false;
    if has_message(sent.method) && !sent.body.is_empty() {
        match body(&mut cx, sent, target, look) {
            Ok(new) => {
                normalized.body = new;
                relabel = content_type::mends(&mut cx, label);
            }
            Err(Problem::NotJson(detail) | Problem::Unfit(detail)) if plan.tenant_mode() == TenantMode::Observe => {
                normalized.unread = Some(detail);
            }
            Err(problem) => {
                let (why, detail) = match (problem, label) {
                    (Problem::NotJson(_), Label::Other) => (
                        Why::Encoding,
                        "the body is not JSON, and its Content-Type says so; send application/scim+json".to_owned(),
                    ),
                    (Problem::NotJson(detail) | Problem::Unfit(detail), _) => (Why::Malformed, detail),
                    (Problem::Refused(detail), _) => (Why::Quirk, detail.to_owned()),
                };
                return Err(Box::new(RefusedBody { why, detail, findings: cx.findings }));
            }
        }
    } else if label != Label::Slip(Id::ContentTypeMissing) && is_unlabelled_json(&cx, sent) {
        relabel = content_type::mends(&mut cx, label);
    }
    if relabel {
        normalized.headers.push((CONTENT_TYPE, Some(HeaderValue::from_static("application/scim+json"))));
    }
    if plan.tenant_mode() == TenantMode::Reject {
        refuse_deviations(&mut cx)?;
    }
    normalized.findings = cx.findings;
    Ok(normalized)
}

/// Methods whose body is a SCIM message.
fn has_message(method: &Method) -> bool {
    [Method::POST, Method::PUT, Method::PATCH].contains(method)
}

/// Whether a request whose body is no SCIM message carries JSON all the same, or is a GET with the header and no body.
fn is_unlabelled_json(cx: &Cx<'_>, sent: &Sent<'_>) -> bool {
    if sent.body.is_empty() {
        return sent.method == Method::GET;
    }
    let text = std::str::from_utf8(sent.body);
    text.is_ok_and(|text| Doc::parse(text, cx.plan.registry().names(), Duplicates::CaseKept).is_ok())
}

/// Why a body is not forwarded.
enum Problem {
    NotJson(String),
    Unfit(String),
    /// A quirk that is mended by a refusal.
    Refused(&'static str),
}

fn body(
    cx: &mut Cx<'_>,
    sent: &Sent<'_>,
    target: &str,
    look: &mut dyn FnMut(&Doc<'_>),
) -> Result<Option<Vec<u8>>, Problem> {
    const BOM: &[u8] = b"\xef\xbb\xbf";
    let (bytes, mark) = match sent.body.strip_prefix(BOM) {
        Some(rest) => (rest, true),
        None => (sent.body, false),
    };
    let text = std::str::from_utf8(bytes)
        .map_err(|error| Problem::NotJson(format!("the body is not UTF-8 at byte {}", error.valid_up_to())))?;
    let mut doc = Doc::parse(text, cx.plan.registry().names(), Duplicates::Refuse)
        .map_err(|error| Problem::NotJson(format!("the body is not the JSON that SCIM asks for: {error}")))?;
    if doc.kind(doc.root()) != Kind::Object {
        return Err(Problem::Unfit("the body is JSON, but not an object".to_owned()));
    }
    let strip = mark && cx.may(Id::BodyBom, || "body".to_owned());
    if text.starts_with(char::is_whitespace) || text.ends_with(char::is_whitespace) {
        cx.report(Id::BodyWhitespace, || "body".to_owned());
    }
    message(cx, &mut doc, sent.method, target)?;
    look(&doc);
    Ok(match (doc.is_changed(), strip) {
        (true, _) => Some(doc.write()),
        (false, true) => Some(bytes.to_vec()),
        (false, false) => None,
    })
}

fn message(cx: &mut Cx<'_>, doc: &mut Doc<'_>, method: &Method, target: &str) -> Result<(), Problem> {
    let at = Target::read(target);
    let resource = at.endpoint.and_then(|endpoint| cx.plan.registry().resource_type(endpoint));
    if method == Method::PATCH {
        return patch::message(doc, cx, Subject { resource, id: at.id.as_deref() })
            .map_err(|_| Problem::Unfit("more than 10000 operations in one PATCH; send them in several".to_owned()));
    }
    let form = match (method == Method::POST, at.id.is_some(), at.deeper) {
        (true, false, false) => Form::Post,
        (false, true, false) => Form::Put,
        _ => return Ok(()), // `.search`, `/Bulk`, something below a resource: no resource is written there
    };
    let Some(resource) = resource else { return Ok(()) };
    self::resource(doc, cx, resource, form);
    if username_missing::refuses(doc, cx, doc.root(), resource) {
        return Err(Problem::Refused("userName is required, and the user has none"));
    }
    Ok(())
}

/// A resource to create or to replace.
fn resource(doc: &mut Doc<'_>, cx: &mut Cx<'_>, kind: &ResourceType, form: Form) {
    let root = doc.root();
    if let Some(schemas) = doc.get(root, name::SCHEMAS).filter(|&member| !doc.is_exact(member))
        && let Some(attr) = kind.attrs.get(name::SCHEMAS)
    {
        super::both::attr_case::key(doc, cx, schemas, attr);
    }
    // Before the keys are settled, because a null may stand where a key wants to go; and after, for what was moved.
    if form == Form::Post {
        null_attr::drop(doc, cx, root, &kind.attrs);
    }
    array_wrapped::unwrap_members(doc, cx, root, &kind.attrs);
    keys::settle(doc, cx, root, Some(kind), form, &|_| false, &mut |doc, cx, _| {
        // Again for a list whose key nobody knew before; where lists are only observed, each is noted once.
        if doc.is_changed() && cx.fixes(Id::ArrayWrappedComplex) && cx.fixes(Id::ArrayWrappedScalar) {
            array_wrapped::unwrap_members(doc, cx, root, &kind.attrs);
        }
        readonly_attr::drop(doc, cx, root, kind);
        if form == Form::Post {
            empty_attr::drop(doc, cx, root, kind);
        }
        attr_unknown::drop(doc, cx, root, kind);
        schemas::of_resource(doc, cx, root, kind);
        walk::object(doc, cx, root, &kind.attrs, form);
        if form == Form::Post && doc.is_changed() && cx.fixes(Id::NullAttr) {
            null_attr::drop(doc, cx, root, &kind.attrs);
        }
    });
}

/// The parts of a normalized target that say what a body is.
struct Target<'t> {
    endpoint: Option<&'t str>,
    id: Option<Cow<'t, str>>,
    deeper: bool,
}

impl<'t> Target<'t> {
    fn read(target: &'t str) -> Self {
        let path = target.split('?').next().unwrap_or_default();
        let endpoint = path::endpoint(path);
        let mut segments = path.trim_start_matches('/').split('/').skip(1).filter(|segment| !segment.is_empty());
        let id = segments.next().filter(|segment| !segment.eq_ignore_ascii_case(".search"));
        let search = path.rsplit('/').next().is_some_and(|last| last.eq_ignore_ascii_case(".search"));
        let id = id.map(percent_decoded);
        Self { endpoint, id, deeper: search || segments.next().is_some() }
    }
}

/// A path segment without its percent-escapes; as it stands where they are no UTF-8.
fn percent_decoded(segment: &str) -> Cow<'_, str> {
    if !segment.contains('%') {
        return Cow::Borrowed(segment);
    }
    percent_encoding::percent_decode_str(segment).decode_utf8().unwrap_or(Cow::Borrowed(segment))
}

/// Tenant mode `reject`: every deviation that would be fixed is refused, save spellings that the RFC allows.
fn refuse_deviations(cx: &mut Cx<'_>) -> Result<(), Box<RefusedBody>> {
    let mut found: Vec<String> = Vec::new();
    for fix in cx.findings.fixes().filter(|fix| !fix.quirk.quirk().spelling) {
        let text = format!("{} at {}", fix.quirk.as_str(), fix.at);
        if found.len() < 10 && !found.contains(&text) {
            found.push(text);
        }
    }
    if found.is_empty() {
        return Ok(());
    }
    let detail = format!("this tenant refuses what is not RFC 7643/7644: {}", found.join(", "));
    let findings = std::mem::take(&mut cx.findings);
    Err(Box::new(RefusedBody { why: Why::Quirk, detail, findings }))
}
