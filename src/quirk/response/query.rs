//! What the request asked for, as far as its answer is judged by it: read once from the target.

use std::borrow::Cow;

use crate::scim::{
    Registry, ResourceType,
    filter::{Filter, Syntax},
    path::AttrPath,
    urn,
};

/// The end of a target, as far as answers differ by it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Place<'r> {
    /// The base URI: a query over all types.
    Root,
    /// `.search` at the base or at an endpoint; what it asks stands in the request's body.
    Search(Option<&'r ResourceType>),
    /// `/Users`
    Collection(&'r ResourceType),
    /// `/Users/1`
    Resource(&'r ResourceType),
    /// `/Schemas`
    Schemas,
    /// `/Schemas/urn:...`
    Schema,
    /// `/ResourceTypes`
    ResourceTypes,
    /// `/ResourceTypes/User`
    ResourceType,
    /// `/ServiceProviderConfig`
    ServiceProviderConfig,
    /// `/Bulk`
    Bulk,
    /// One segment that no known type has.
    OtherCollection,
    /// Anything else.
    Other,
}

impl<'r> Place<'r> {
    fn of(path: &str, registry: &'r Registry) -> Self {
        let path = path.trim_matches('/');
        let (first, rest) = path.split_once('/').unwrap_or((path, ""));
        let kind = registry.resource_type(first).or_else(|| {
            ["Users", "Groups"].iter().find(|e| e.eq_ignore_ascii_case(first)).and_then(|e| registry.resource_type(e))
        });
        let is = |name: &str| first.eq_ignore_ascii_case(name);
        match (kind, rest) {
            _ if path.is_empty() => Self::Root,
            _ if is(".search") => {
                if rest.is_empty() {
                    Self::Search(None)
                } else {
                    Self::Other
                }
            }
            (Some(kind), "") => Self::Collection(kind),
            (Some(kind), ".search") => Self::Search(Some(kind)),
            (Some(kind), id) if !id.contains('/') => Self::Resource(kind),
            (Some(_), _) => Self::Other,
            (None, "") if is("Schemas") => Self::Schemas,
            (None, id) if is("Schemas") && !id.contains('/') => Self::Schema,
            (None, "") if is("ResourceTypes") => Self::ResourceTypes,
            (None, id) if is("ResourceTypes") && !id.contains('/') => Self::ResourceType,
            (None, "") if is("ServiceProviderConfig") => Self::ServiceProviderConfig,
            (None, "") if is("Bulk") => Self::Bulk,
            (None, "") if !is("Me") => Self::OtherCollection,
            _ => Self::Other,
        }
    }

    /// Whether what stands here describes the service.
    pub(crate) fn is_discovery(self) -> bool {
        matches!(
            self,
            Self::Schemas | Self::Schema | Self::ResourceTypes | Self::ResourceType | Self::ServiceProviderConfig
        )
    }

    /// The resource type that everything here has.
    pub(crate) fn kind(self) -> Option<&'r ResourceType> {
        match self {
            Self::Collection(kind) | Self::Resource(kind) => Some(kind),
            Self::Search(kind) => kind,
            _ => None,
        }
    }
}

/// The facts of a target.
#[derive(Debug)]
pub(crate) struct Ask<'r> {
    /// Where it leads.
    pub(crate) place: Place<'r>,
    /// `filter`, decoded.
    pub(crate) filter: Option<String>,
    /// `count`; a negative one is 0 (RFC 7644 3.4.2.4).
    pub(crate) count: Option<u64>,
    /// `startIndex`
    start: Option<u64>,
    /// Whether the request pages by cursor (RFC 9865).
    pub(crate) cursor: bool,
    /// Whether paging cannot be known: `.search`, a number that is none, a parameter twice.
    pub(crate) unclear: bool,
    /// `attributes`
    pub(crate) attributes: Vec<Selected>,
    /// `excludedAttributes`
    pub(crate) excluded: Vec<Selected>,
}

impl<'r> Ask<'r> {
    /// Reads a target.
    pub(crate) fn of(target: &str, registry: &'r Registry) -> Self {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let place = Place::of(path, registry);
        let mut ask = Self {
            place,
            filter: None,
            count: None,
            start: None,
            cursor: false,
            unclear: matches!(place, Place::Search(_)),
            attributes: Vec::new(),
            excluded: Vec::new(),
        };
        let mut seen = [false; 2];
        for pair in query.split('&') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (name, value) = (unescape(name), unescape(value));
            let is = |known: &str| name.eq_ignore_ascii_case(known);
            if is("filter") {
                ask.filter = Some(value.into_owned()).filter(|filter| !filter.trim().is_empty());
            } else if is("count") {
                ask.count = ask.number(&value, &mut seen[0]);
            } else if is("startIndex") {
                ask.start = ask.number(&value, &mut seen[1]);
            } else if is("cursor") {
                ask.cursor = true;
            } else if is("attributes") {
                ask.attributes.extend(Selected::list(&value));
            } else if is("excludedAttributes") {
                ask.excluded.extend(Selected::list(&value));
            }
        }
        ask
    }

    fn number(&mut self, value: &str, seen: &mut bool) -> Option<u64> {
        let number = value.trim().parse::<i64>();
        self.unclear |= std::mem::replace(seen, true) || number.is_err();
        number.ok().map(|n| u64::try_from(n).unwrap_or(0))
    }

    /// The index of the first resource asked for, from 1.
    pub(crate) fn first(&self) -> u64 {
        self.start.unwrap_or(1).max(1)
    }

    /// Whether the filter is a lookup: one `eq`.
    pub(crate) fn is_lookup(&self) -> bool {
        let filter = self.filter.as_deref().and_then(|text| Filter::parse(text, Syntax::Lenient).ok());
        filter.is_some_and(|filter| filter.single_eq().is_some())
    }

    /// Whether an answer without anything in it says that nothing matches, and not just that this page is empty.
    pub(crate) fn is_from_the_start(&self) -> bool {
        !self.unclear && !self.cursor && self.first() == 1 && self.count != Some(0)
    }

    /// Whether the client limits the attributes so that `name` is not to be added.
    pub(crate) fn keeps_out(&self, name: &str) -> bool {
        !self.attributes.is_empty() || self.excluded.iter().any(|selected| selected.names(name))
    }

    /// Whether the client limits attributes at all.
    pub(crate) fn is_limited(&self) -> bool {
        !self.attributes.is_empty() || !self.excluded.is_empty()
    }
}

/// One entry of `attributes` or `excludedAttributes`.
///
/// A URN alone and a URN with an attribute read alike, so both readings are kept and the resource's keys decide.
#[derive(Debug)]
pub(crate) struct Selected {
    /// The whole entry: an attribute, or the key of an extension.
    pub(crate) whole: String,
    /// The schema before the last colon, unless it is a core schema.
    pub(crate) extension: Option<String>,
    /// The attribute.
    pub(crate) attr: String,
    /// The sub-attribute.
    pub(crate) sub: Option<String>,
}

impl Selected {
    fn list(value: &str) -> impl Iterator<Item = Self> {
        value.split(',').map(str::trim).filter(|entry| !entry.is_empty()).map(Self::of)
    }

    fn of(entry: &str) -> Self {
        let Ok(AttrPath { urn, attr, sub }) = AttrPath::parse(entry) else {
            return Self { whole: entry.to_owned(), extension: None, attr: entry.to_owned(), sub: None };
        };
        let core = |urn: &str| [urn::USER, urn::GROUP].iter().any(|core| core.eq_ignore_ascii_case(urn));
        Self {
            whole: entry.to_owned(),
            extension: urn.filter(|urn| !core(urn)).map(Cow::into_owned),
            attr: attr.into_owned(),
            sub: sub.map(Cow::into_owned),
        }
    }

    /// Whether it is about the core attribute `name`, or a part of it.
    fn names(&self, name: &str) -> bool {
        self.extension.is_none() && self.attr.eq_ignore_ascii_case(name)
    }
}

/// A query's text: `+` is a space, `%XX` a byte.
fn unescape(text: &str) -> Cow<'_, str> {
    if !text.contains(['+', '%']) {
        return Cow::Borrowed(text);
    }
    let bytes: Vec<u8> = text.bytes().map(|byte| if byte == b'+' { b' ' } else { byte }).collect();
    Cow::Owned(String::from_utf8_lossy(&percent_decode(&bytes)).into_owned())
}

/// The bytes that `%XX` stand for; a broken escape stays as it is.
pub(crate) fn percent_decode(text: &[u8]) -> Vec<u8> {
    let hex =
        |byte: Option<&u8>| byte.and_then(|byte| char::from(*byte).to_digit(16)).and_then(|d| u8::try_from(d).ok());
    let mut out = Vec::with_capacity(text.len());
    let mut i = 0;
    while let Some(&byte) = text.get(i) {
        match (byte, hex(text.get(i + 1)), hex(text.get(i + 2))) {
            (b'%', Some(high), Some(low)) => {
                out.push(high << 4 | low);
                i += 3;
            }
            _ => {
                out.push(byte);
                i += 1;
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_are_read_from_the_target() {
        let registry = Registry::rfc();
        let ask =
            Ask::of("/Users?filter=userName%20eq+%22a%2Bb%22&count=2&startIndex=-1&attributes=id,,meta", &registry);
        assert_eq!(ask.filter.as_deref(), Some("userName eq \"a+b\""));
        assert_eq!((ask.count, ask.first(), ask.unclear, ask.is_lookup()), (Some(2), 1, false, true));
        assert_eq!(ask.attributes.len(), 2);
        assert!(Ask::of("/Users?count=x", &registry).unclear);
        assert!(Ask::of("/Users?count=1&count=2", &registry).unclear);
        assert!(Ask::of("/Users/.search", &registry).unclear);
    }

    #[test]
    fn places_are_told_apart() {
        let registry = Registry::rfc();
        let place = |target| Ask::of(target, &registry).place;
        assert!(matches!(place("/"), Place::Root));
        assert!(matches!(place("/users"), Place::Collection(_)));
        assert!(matches!(place("/Users/1?x"), Place::Resource(_)));
        assert!(matches!(place("/Users/1/x"), Place::Other));
        assert!(matches!(place("/Schemas/urn:a:b"), Place::Schema));
        assert!(matches!(place("/Me"), Place::Other));
        assert!(matches!(place("/Devices"), Place::OtherCollection));
    }

    #[test]
    fn selections_know_their_schema() {
        let of = Selected::of;
        assert!(of("urn:ietf:params:scim:schemas:core:2.0:user:META.location").names("meta"));
        assert!(!of("urn:a:b:meta").names("meta"));
        let manager = of("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value");
        assert_eq!(manager.sub.as_deref(), Some("value"));
    }
}
