//! The path: letter case and slashes.

use std::borrow::Cow;

use crate::quirk::{Cx, Id, quirk};

quirk! {
    /// An endpoint is spelled in another letter case: `/users`.
    ///
    /// Paths are case-sensitive, and routers answer 404, which some identity providers read as "the user is gone".
    ///
    /// The first segment is given its canonical spelling if it is `Users`, `Groups`, `Me`, `Bulk`, `Schemas`,
    /// `ResourceTypes` or `ServiceProviderConfig` in any letter case, and so is `.search`. All other segments, ids
    /// above all, keep their bytes.
    ///
    /// RFC 7644 section 3.2 names the endpoints; RFC 3986 section 6.2.2.1 makes paths case-sensitive.
    ///
    /// ```scim
    /// GET /users/26Ab
    /// ```
    /// ```scim
    /// GET /Users/26Ab
    /// ```
    pub static PATH_CASE = {
        id: "path-case",
        direction: Request,
        risk: Safe,
        rfc: "RFC 7644 3.2",
        seen_in: &[Okta],
        sources: "okta/okta-developer-docs#800",
    };

    /// The path ends in a slash: `/Users/`.
    ///
    /// To a router `/Users/` and `/Users` are two resources; the one with the slash is answered 404, or with a
    /// redirect that loses the body.
    ///
    /// Slashes at the end of the path are dropped, except the one of the path `/`.
    ///
    /// RFC 7644 section 3.2 names the endpoints without it; RFC 3986 section 3.3 tells the two apart.
    ///
    /// ```scim
    /// DELETE /Users/26/
    /// ```
    /// ```scim
    /// DELETE /Users/26
    /// ```
    pub static PATH_TRAILING_SLASH = {
        id: "path-trailing-slash",
        direction: Request,
        risk: Safe,
        rfc: "RFC 7644 3.2, RFC 3986 3.3",
        sources: "AzureAD/SCIMReferenceCode PostmanCollection.json",
    };

    /// Slashes are doubled: `//Users`, `/Users//26`.
    ///
    /// Left behind where a base URL with a slash at its end is joined with a path. Routers see an empty segment and
    /// answer 404.
    ///
    /// A run of slashes in the path becomes one. Slashes in the query, and `%2F` in an id, keep their bytes.
    ///
    /// RFC 7644 section 3.2 names the endpoints; RFC 3986 section 3.3 makes an empty segment a segment.
    ///
    /// ```scim
    /// GET //Users?count=1
    /// ```
    /// ```scim
    /// GET /Users?count=1
    /// ```
    pub static PATH_DOUBLE_SLASH = {
        id: "path-double-slash",
        direction: Request,
        risk: Safe,
        rfc: "RFC 7644 3.2, RFC 3986 3.3",
        sources: "learn.microsoft.com use-scim-to-provision-users-and-groups (Tenant URL examples)",
    };
}

/// The segments whose spelling is known (RFC 7644 3.2) and that can stand first.
const ENDPOINTS: [&str; 7] = ["Users", "Groups", "Me", "Bulk", "Schemas", "ResourceTypes", "ServiceProviderConfig"];

/// RFC 7644 3.4.3
const SEARCH: &str = ".search";

/// The endpoint that a path leads to, in canonical spelling.
pub(crate) fn endpoint(path: &str) -> Option<&'static str> {
    let first = path.split('/').find(|segment| !segment.is_empty())?;
    if let Some(exact) = ENDPOINTS.into_iter().find(|endpoint| *endpoint == first) {
        return Some(exact);
    }
    ENDPOINTS.into_iter().find(|endpoint| endpoint.eq_ignore_ascii_case(first))
}

/// A path in its canonical form.
pub(crate) fn fix<'t>(path: &'t str, cx: &mut Cx<'_>) -> Cow<'t, str> {
    if is_plain(path) {
        return Cow::Borrowed(path);
    }
    let mut fixed = Cow::Borrowed(path);
    if path.contains("//") && may(Id::PathDoubleSlash, cx) {
        fixed = Cow::Owned(collapse(path));
    }
    let trimmed = fixed.trim_end_matches('/').len();
    if 0 < trimmed && trimmed < fixed.len() && may(Id::PathTrailingSlash, cx) {
        fixed = Cow::Owned(fixed[..trimmed].to_owned());
    }
    match case(&fixed, cx) {
        Some(spelled) => Cow::Owned(spelled),
        None => fixed,
    }
}

/// Whether a path is a collection or a resource as the RFC spells it, which most are.
fn is_plain(path: &str) -> bool {
    let Some(rest) = path.strip_prefix("/Users").or_else(|| path.strip_prefix("/Groups")) else { return false };
    match rest.strip_prefix('/') {
        Some(id) => !id.is_empty() && !id.starts_with('.') && !id.contains('/'),
        None => rest.is_empty(),
    }
}

fn may(quirk: Id, cx: &mut Cx<'_>) -> bool {
    cx.may(quirk, || "path".to_owned())
}

fn collapse(path: &str) -> String {
    let mut after_slash = false;
    path.chars().filter(|c| !(std::mem::replace(&mut after_slash, *c == '/') && *c == '/')).collect()
}

fn case(path: &str, cx: &mut Cx<'_>) -> Option<String> {
    let mut spelled: Option<String> = None;
    let mut first = true;
    let mut start = 0;
    for segment in path.split('/') {
        let endpoint = if first { endpoint(segment) } else { None };
        let canonical = endpoint.or_else(|| segment.eq_ignore_ascii_case(SEARCH).then_some(SEARCH));
        if let Some(canonical) = canonical.filter(|canonical| *canonical != segment)
            && may(Id::PathCase, cx)
        {
            spelled.get_or_insert_with(|| path.to_owned()).replace_range(start..start + segment.len(), canonical);
        }
        first &= segment.is_empty();
        start += segment.len() + 1;
    }
    spelled
}
