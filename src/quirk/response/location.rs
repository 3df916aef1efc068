//! Where a resource is said to be.

use std::borrow::Cow;

use http::HeaderValue;

use crate::{
    json::{Doc, Kind, Node},
    quirk::{Cx, Id, Mode, Switch, quirk},
    scim::{ResourceType, name},
};

quirk! {
    /// A created resource without Location, or without `meta.location`.
    ///
    /// A 201 must carry both (RFC 7644 3.3). Some clients use `meta.location` for every later call.
    ///
    /// Each fills the other, unless it is a relative reference. Where both are missing, the URI is base URL, endpoint and `id` as one percent-encoded
    /// segment. Only on a 201; a `meta` that is not there at all is a matter of `meta-missing`. The header is filled
    /// also when the request limits the attributes, `meta` is not.
    ///
    /// ```scim
    /// 201 to POST /Groups
    /// content-type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"id":"a/7","displayName":"Staff",
    ///  "meta":{"resourceType":"Group"}}
    /// ```
    /// ```scim
    /// 201 to POST /Groups
    /// content-type: application/scim+json
    /// location: https://scim.example.com/scim/v2/Groups/a%2F7
    ///
    /// {"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"id":"a/7","displayName":"Staff",
    ///  "meta":{"resourceType":"Group","location":"https://scim.example.com/scim/v2/Groups/a%2F7"}}
    /// ```
    pub static LOCATION_MISSING = {
        id: "location-missing",
        direction: Response,
        risk: Safe,
        rfc: "RFC 7644 3.3",
        sources: "https://learn.microsoft.com/en-us/entra/identity/app-provisioning/use-scim-to-provision-users-and-groups",
    };

    /// A relative reference in Location or `meta.location`.
    ///
    /// `Users/2819` means nothing to a client that calls whatever `meta.location` says; it is an absolute URI (RFC 7643
    /// 3.1).
    ///
    /// What begins with `/` is resolved against the origin of the base URL, anything else against the base URL. A
    /// relative `$ref` is legal (RFC 7643 2.3.7) and stays, so does the Location of a redirect.
    ///
    /// ```scim
    /// 200 to GET /Users/2819
    /// content-type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"id":"2819",
    ///  "userName":"ada@example.com","meta":{"resourceType":"User","location":"Users/2819"}}
    /// ```
    /// ```scim
    /// 200 to GET /Users/2819
    /// content-type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"id":"2819",
    ///  "userName":"ada@example.com","meta":{"resourceType":"User",
    ///   "location":"https://scim.example.com/scim/v2/Users/2819"}}
    /// ```
    pub static LOCATION_RELATIVE = {
        id: "location-relative",
        direction: Response,
        risk: Safe,
        rfc: "RFC 7643 3.1",
        sources: "elimity-com/scim#172",
    };

    /// The app's own address in Location, `meta.location` or `$ref`.
    ///
    /// An app behind a proxy builds its URIs from the address it listens on. Clients that follow them end nowhere, and
    /// the address tells how the network is built.
    ///
    /// The upstream URL as configured becomes the base URL, where it ends or goes on with `/` or `?`. Other hosts and
    /// other paths of the same host are left, and so are other attributes: a `profileUrl` is the app's business. RFC
    /// 7643 2.3.7.
    ///
    /// ```scim
    /// 200 to GET /Groups/7
    /// content-type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"id":"7","displayName":"Staff",
    ///  "members":[{"value":"1","$ref":"http://127.0.0.1:8080/scim/v2/Users/1"}],
    ///  "meta":{"resourceType":"Group","location":"http://127.0.0.1:8080/scim/v2/Groups/7"}}
    /// ```
    /// ```scim
    /// 200 to GET /Groups/7
    /// content-type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"id":"7","displayName":"Staff",
    ///  "members":[{"value":"1","$ref":"https://scim.example.com/scim/v2/Users/1"}],
    ///  "meta":{"resourceType":"Group","location":"https://scim.example.com/scim/v2/Groups/7"}}
    /// ```
    pub static LOCATION_INTERNAL_HOST = {
        id: "location-internal-host",
        direction: Response,
        risk: Safe,
        rfc: "RFC 7643 2.3.7",
        sources: "wso2/product-is#7317",
    };

    /// Location and `meta.location` differ.
    ///
    /// They name the same resource (RFC 7643 3.1), and scim-sanity compares them.
    ///
    /// The one below the base URL wins. If both are, the one that ends in endpoint and `id` does; if that tells
    /// nothing, both are left. If neither is, both are left too, unless the switch `location-rebuild` is on: then both
    /// are made from base URL, endpoint and `id`, also where they agree. Opt-in, because the resource may really live
    /// elsewhere.
    ///
    /// ```scim
    /// 201 to POST /Groups
    /// content-type: application/scim+json
    /// location: https://scim.example.com/scim/v2/Groups/7
    ///
    /// {"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"id":"7","displayName":"Staff",
    ///  "meta":{"resourceType":"Group","location":"https://app.example.org/Groups/7"}}
    /// ```
    /// ```scim
    /// 201 to POST /Groups
    /// content-type: application/scim+json
    /// location: https://scim.example.com/scim/v2/Groups/7
    ///
    /// {"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"id":"7","displayName":"Staff",
    ///  "meta":{"resourceType":"Group","location":"https://scim.example.com/scim/v2/Groups/7"}}
    /// ```
    ///
    /// ```scim
    /// # enable: location-rebuild
    /// 201 to POST /Groups
    /// content-type: application/scim+json
    /// location: https://app.example.org/Groups/7
    ///
    /// {"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"id":"7","displayName":"Staff",
    ///  "meta":{"resourceType":"Group","location":"https://app.example.org/Groups/7"}}
    /// ```
    /// ```scim
    /// 201 to POST /Groups
    /// content-type: application/scim+json
    /// location: https://scim.example.com/scim/v2/Groups/7
    ///
    /// {"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"id":"7","displayName":"Staff",
    ///  "meta":{"resourceType":"Group","location":"https://scim.example.com/scim/v2/Groups/7"}}
    /// ```
    pub static LOCATION_MISMATCH = {
        id: "location-mismatch",
        direction: Response,
        risk: Safe,
        rfc: "RFC 7643 3.1",
        sources: "wso2/product-is#7317, simpleidserver/SimpleIdServer#825, wso2/charon#127",
    };
}

/// What the tenant's base is called outside and inside.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bases<'a> {
    base: &'a str,
    upstream: &'a str,
}

impl<'a> Bases<'a> {
    /// Both without a slash at the end.
    pub(crate) fn new(base: &'a str, upstream: &'a str) -> Self {
        Self { base: base.trim_end_matches('/'), upstream: upstream.trim_end_matches('/') }
    }

    /// The URI of a resource.
    fn of(&self, kind: &ResourceType, id: &str) -> String {
        format!("{}/{}/{}", self.base, kind.endpoint, segment(id))
    }

    /// What follows either base, or the path of one, in a URI or path that goes on below it.
    pub(crate) fn below<'t>(&self, uri: &'t str) -> Option<&'t str> {
        let path = |base: &'a str| {
            let authority = base.find("://").map_or(0, |at| at + 3);
            base[authority..].find('/').map_or("", |at| &base[authority + at..])
        };
        [self.upstream, self.base, path(self.upstream), path(self.base)]
            .into_iter()
            .filter(|base| !base.is_empty())
            .find_map(|base| uri.strip_prefix(base).filter(|rest| rest.len() > 1 && rest.starts_with('/')))
    }

    /// Whether a URI is below the public base.
    fn holds(&self, uri: &str) -> bool {
        uri.strip_prefix(self.base).is_some_and(|rest| rest.starts_with('/'))
    }

    /// The public form of a URI that begins with the app's own base.
    fn public(&self, uri: &str) -> Option<String> {
        let rest = uri.strip_prefix(self.upstream)?;
        let ends = rest.is_empty() || rest.starts_with(['/', '?']);
        (ends && !self.upstream.is_empty() && uri != self.base && !self.holds(uri))
            .then(|| format!("{}{rest}", self.base))
    }

    /// The absolute form of a relative reference (RFC 3986 5.2, path only).
    fn absolute(&self, reference: &str) -> Option<String> {
        if !is_relative(reference) {
            return None;
        }
        let authority = self.base.find("://").map_or(0, |at| at + 3);
        let origin = self.base[authority..].find('/').map_or(self.base.len(), |at| authority + at);
        let (path, tail) = reference.split_at(reference.find(['?', '#']).unwrap_or(reference.len()));
        let path = if path.starts_with('/') {
            without_dots(path)
        } else {
            without_dots(&format!("{}/{path}", &self.base[origin..]))
        };
        Some(format!("{}{path}{tail}", &self.base[..origin]))
    }
}

/// Whether a reference is a path: no scheme, no host, not just a query or fragment.
fn is_relative(reference: &str) -> bool {
    let start = reference.split(['/', '?', '#']).next().unwrap_or_default();
    !reference.is_empty() && !reference.starts_with("//") && !reference.starts_with(['?', '#']) && !start.contains(':')
}

/// Whether a reference begins with a scheme (RFC 3986 3.1); others mean nothing in another place.
pub(crate) fn is_absolute(reference: &str) -> bool {
    let scheme = reference.split_once(':').map_or("", |(scheme, _)| scheme);
    scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
}

/// RFC 3986 5.2.4
fn without_dots(path: &str) -> String {
    let mut out: Vec<&str> = Vec::new();
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let last = segments.peek().is_none();
        match segment {
            "." | ".." => {
                if segment == ".." {
                    out.pop();
                }
                if last {
                    out.push("");
                }
            }
            other => out.push(other),
        }
    }
    format!("/{}", out.join("/"))
}

/// An id as one path segment (RFC 3986 3.3).
fn segment(id: &str) -> String {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let mut out = String::with_capacity(id.len());
    for byte in id.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.extend(['%', char::from(HEX[usize::from(byte >> 4)]), char::from(HEX[usize::from(byte & 15)])]);
        }
    }
    out
}

/// Mends `$ref`, or `meta.location`, where a relative reference is wrong as well.
#[inline]
pub(crate) fn fix_value(cx: &mut Cx<'_>, doc: &mut Doc<'_>, value: Node, bases: Bases<'_>, relative_is_right: bool) {
    let Some(text) = doc.string(value) else { return };
    if bases.holds(&text) {
        return;
    }
    let (quirk, new) = match bases.public(&text) {
        Some(new) => (Id::LocationInternalHost, new),
        None if relative_is_right => return,
        None => match bases.absolute(&text) {
            Some(new) => (Id::LocationRelative, new),
            None => return,
        },
    };
    if cx.may(quirk, || doc.pointer(value)) {
        doc.set_string(value, &new);
    }
}

/// The new text of a Location header; a relative one is legal in a redirect (RFC 9110 10.2.2).
pub(crate) fn fix_header(cx: &mut Cx<'_>, text: &str, bases: Bases<'_>, redirect: bool) -> Option<String> {
    if bases.holds(text) {
        return None;
    }
    let (quirk, new) = match bases.public(text) {
        Some(new) => (Id::LocationInternalHost, new),
        None if redirect => return None,
        None => (Id::LocationRelative, bases.absolute(text)?),
    };
    HeaderValue::from_str(&new).is_ok().then_some(())?;
    cx.may(quirk, header).then_some(new)
}

/// Readers of HTTP take 8 KiB in one line and often not more; without a Location the answer can still be read.
const LONGEST: usize = 8 << 10;

/// What the two locations of one resource are told by.
pub(crate) struct Subject<'a> {
    /// The resource.
    pub(crate) resource: Node,
    /// Its type.
    pub(crate) kind: &'a ResourceType,
    /// The two bases.
    pub(crate) bases: Bases<'a>,
    /// Whether it was just created (201).
    pub(crate) created: bool,
    /// Whether `meta` may be given members.
    pub(crate) fills_meta: bool,
}

impl Subject<'_> {
    fn id(&self, doc: &Doc<'_>) -> Option<String> {
        let id = doc.get(self.resource, name::ID)?;
        let text = match doc.kind(id) {
            Kind::String => doc.string(id)?.into_owned(),
            Kind::Number => doc.raw(id).to_owned(),
            _ => return None,
        };
        (!text.is_empty()).then_some(text)
    }

    /// The URI that the resource has.
    pub(crate) fn uri(&self, doc: &Doc<'_>) -> Option<String> {
        self.id(doc).map(|id| self.bases.of(self.kind, &id))
    }

    /// Fills and settles header and `meta.location`; the header's new text.
    pub(crate) fn settle(&self, cx: &mut Cx<'_>, doc: &mut Doc<'_>, header_text: Option<&str>) -> Option<String> {
        let meta = doc.get(self.resource, name::META).filter(|&meta| doc.kind(meta) == Kind::Object);
        let place = meta.and_then(|meta| doc.get(meta, name::LOCATION));
        let stated = place.and_then(|place| doc.string(place).map(Cow::into_owned)).filter(|text| !text.is_empty());
        match (header_text, stated) {
            (Some(header), Some(stated)) => self.agree(cx, doc, header, &stated, place),
            (header, stated) if self.created => {
                let new = self.fill(cx, doc, header, stated.as_deref(), meta);
                // What was filled from a foreign address is rebuilt like any other.
                let place = meta.and_then(|meta| doc.get(meta, name::LOCATION));
                let stated = place.and_then(|place| doc.string(place).map(Cow::into_owned));
                let header = new.as_deref().or(header);
                match (header, stated.filter(|text| !text.is_empty())) {
                    (Some(header), Some(stated)) => self.agree(cx, doc, header, &stated, place).or(new),
                    _ => new,
                }
            }
            _ => None,
        }
    }

    fn fill(
        &self,
        cx: &mut Cx<'_>,
        doc: &mut Doc<'_>,
        header_text: Option<&str>,
        stated: Option<&str>,
        meta: Option<Node>,
    ) -> Option<String> {
        let uri = match (header_text, &stated) {
            (Some(text), _) => text.to_owned(),
            (None, Some(text)) => (*text).to_owned(),
            (None, None) => self.uri(doc)?,
        };
        if !is_absolute(&uri) {
            cx.report(Id::LocationMissing, header);
            return None;
        }
        let usable = uri.len() <= LONGEST && HeaderValue::from_str(&uri).is_ok();
        let new = (header_text.is_none() && usable && cx.may(Id::LocationMissing, header)).then(|| uri.clone());
        let Some(meta) = meta.filter(|_| stated.is_none() && self.fills_meta) else { return new };
        match doc.get(meta, name::LOCATION) {
            Some(null) if !matches!(doc.kind(null), Kind::Null | Kind::String) => {}
            Some(null) => {
                if cx.may(Id::LocationMissing, || doc.pointer(null)) {
                    doc.set_string(null, &uri);
                }
            }
            None if doc.find(meta, "location").is_some() => {}
            None => {
                if cx.may(Id::LocationMissing, || format!("{}/location", doc.pointer(meta))) {
                    let location = doc.text(&uri);
                    let location = doc.keyed(location, "location", name::LOCATION);
                    doc.push(meta, location);
                }
            }
        }
        new
    }

    /// Both are there: the one below the base wins, then the one that ends in endpoint and id.
    fn agree(
        &self,
        cx: &mut Cx<'_>,
        doc: &mut Doc<'_>,
        header_text: &str,
        stated: &str,
        place: Option<Node>,
    ) -> Option<String> {
        let differ = header_text != stated;
        let winner = match (self.bases.holds(header_text), self.bases.holds(stated)) {
            _ if !differ && self.bases.holds(stated) => return None,
            (true, false) => Some(header_text.to_owned()),
            (false, true) => Some(stated.to_owned()),
            (true, true) => {
                let tail = self.id(doc).map(|id| format!("/{}/{}", self.kind.endpoint, segment(&id)));
                let fits = |uri: &str| tail.as_deref().is_some_and(|tail| uri.ends_with(tail));
                match (fits(header_text), fits(stated)) {
                    (true, false) => Some(header_text.to_owned()),
                    (false, true) => Some(stated.to_owned()),
                    _ => None,
                }
            }
            (false, false) => return self.rebuild(cx, doc, differ, place),
        };
        match winner {
            Some(winner) if cx.may(Id::LocationMismatch, header) => Self::set(doc, place, winner),
            Some(_) => None,
            None => {
                cx.report(Id::LocationMismatch, header);
                None
            }
        }
    }

    /// Neither is below the base.
    fn rebuild(&self, cx: &mut Cx<'_>, doc: &mut Doc<'_>, differ: bool, place: Option<Node>) -> Option<String> {
        match (cx.plan.switch(Switch::LocationRebuild), self.uri(doc)) {
            (Mode::Fix, Some(uri)) => {
                cx.findings.note(Id::LocationMismatch, true, header);
                Self::set(doc, place, uri)
            }
            _ if !differ => None,
            _ => {
                cx.report(Id::LocationMismatch, header);
                None
            }
        }
    }

    fn set(doc: &mut Doc<'_>, place: Option<Node>, uri: String) -> Option<String> {
        if let Some(place) = place {
            doc.set_string(place, &uri);
        }
        HeaderValue::from_str(&uri).is_ok().then_some(uri)
    }
}

fn header() -> String {
    "location".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scim::Registry;

    const BASES: Bases<'_> =
        Bases { base: "https://scim.example.com/scim/v2", upstream: "http://127.0.0.1:8080/scim/v2" };

    #[test]
    fn an_id_becomes_one_segment() {
        let registry = Registry::rfc();
        let kind = registry.resource_type("Users").expect("User");
        for (id, uri) in [
            ("a-1._~", "a-1._~"),
            ("a@b.example:1;x=y,z!$&'()*+", "a@b.example:1;x=y,z!$&'()*+"),
            ("a/b c?d#e%f", "a%2Fb%20c%3Fd%23e%25f"),
            ("é\"", "%C3%A9%22"),
        ] {
            assert_eq!(BASES.of(kind, id), format!("https://scim.example.com/scim/v2/Users/{uri}"));
        }
    }

    #[test]
    fn relative_references_are_resolved() {
        for (reference, uri) in [
            ("Users/1", Some("https://scim.example.com/scim/v2/Users/1")),
            ("/scim/v2/Users/1", Some("https://scim.example.com/scim/v2/Users/1")),
            ("/Users/1?x", Some("https://scim.example.com/Users/1?x")),
            ("./Users/1", Some("https://scim.example.com/scim/v2/Users/1")),
            ("../v2/Users/1", Some("https://scim.example.com/scim/v2/Users/1")),
            ("Users/urn:a", Some("https://scim.example.com/scim/v2/Users/urn:a")),
            ("../../../x", Some("https://scim.example.com/x")),
            ("//other.example.org/Users/1", None),
            ("https://other.example.org/Users/1", None),
            ("urn:a:b", None),
            ("?x", None),
            ("", None),
        ] {
            assert_eq!(BASES.absolute(reference).as_deref(), uri, "{reference}");
        }
    }

    #[test]
    fn only_the_exact_upstream_prefix_is_replaced() {
        for (uri, public) in [
            ("http://127.0.0.1:8080/scim/v2/Users/1", Some("https://scim.example.com/scim/v2/Users/1")),
            ("http://127.0.0.1:8080/scim/v2?a", Some("https://scim.example.com/scim/v2?a")),
            ("http://127.0.0.1:8080/scim/v2", Some("https://scim.example.com/scim/v2")),
            ("http://127.0.0.1:8080/scim/v22/Users/1", None),
            ("http://127.0.0.1:8080/people/1", None),
        ] {
            assert_eq!(BASES.public(uri).as_deref(), public, "{uri}");
        }
        let nested = Bases { base: "http://a/scim/v2", upstream: "http://a/scim" };
        assert_eq!(nested.public("http://a/scim/v2/Users/1"), None);
        assert_eq!(nested.public("http://a/scim/Users/1").as_deref(), Some("http://a/scim/v2/Users/1"));
    }
}
