//! What the request asked for, as far as its answer is judged by it: read once from the target.

use std::{borrow::Cow, collections::HashMap};

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
    pub(crate) attributes: Selection,
    /// `excludedAttributes`
    pub(crate) excluded: Selection,
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
            attributes: Selection::default(),
            excluded: Selection::default(),
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
                ask.attributes.add(&value);
            } else if is("excludedAttributes") {
                ask.excluded.add(&value);
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

    /// Whether the client limits the attributes so that `name`, in lower case, is not to be added to a resource with
    /// this core schema.
    pub(crate) fn keeps_out(&self, core: &str, name: &str) -> bool {
        !self.attributes.is_empty() || self.excluded.of(core).inner.contains_key(name)
    }

    /// Whether the client limits attributes at all.
    pub(crate) fn is_limited(&self) -> bool {
        !self.attributes.is_empty() || !self.excluded.is_empty()
    }
}

/// What `attributes` or `excludedAttributes` names, for users and for groups: an entry behind the core URN of the one
/// is not about the other.
#[derive(Debug, Default)]
pub(crate) struct Selection {
    user: Pick,
    group: Pick,
    any: bool,
}

/// Part of a selection: what is named in an object. Keys are looked up, since neither entries nor members are few.
#[derive(Debug, Default)]
pub(crate) struct Pick {
    /// Whether all of it is named.
    pub(crate) whole: bool,
    /// Its members that are named, or named in part, in lower case.
    pub(crate) inner: HashMap<String, Pick>,
    /// Whether an entry could not be read, so that there may be more to it.
    pub(crate) unclear: bool,
}

impl Selection {
    fn add(&mut self, value: &str) {
        for entry in value.split(',').map(str::trim).filter(|entry| !entry.is_empty()) {
            self.any = true;
            self.user.add(entry, urn::USER);
            self.group.add(entry, urn::GROUP);
        }
    }

    /// Whether nothing was asked.
    pub(crate) fn is_empty(&self) -> bool {
        !self.any
    }

    /// What is named in a resource with this core schema.
    pub(crate) fn of(&self, core: &str) -> &Pick {
        if core == urn::GROUP { &self.group } else { &self.user }
    }
}

impl Pick {
    fn add(&mut self, entry: &str, core: &str) {
        let is_core = |text: &str| [urn::USER, urn::GROUP].iter().any(|core| core.eq_ignore_ascii_case(text));
        let path = AttrPath::parse(entry).ok().filter(|_| !is_core(entry));
        let Some(AttrPath { urn, attr, sub }) = path else {
            self.unclear = true;
            return;
        };
        match urn.as_deref() {
            Some(urn) if is_core(urn) && !urn.eq_ignore_ascii_case(core) => self.unclear = true,
            // A URN alone and a URN with an attribute read alike, so both readings are kept and the keys decide.
            Some(urn) if !is_core(urn) => {
                self.at(entry).whole = true;
                self.at(urn).at(&attr).mark(sub.as_deref());
            }
            Some(_) => {
                self.at(entry).whole = true;
                self.at(&attr).mark(sub.as_deref());
            }
            None => self.at(&attr).mark(sub.as_deref()),
        }
    }

    fn at(&mut self, name: &str) -> &mut Self {
        self.inner.entry(name.to_ascii_lowercase()).or_default()
    }

    fn mark(&mut self, sub: Option<&str>) {
        match sub {
            Some(sub) => self.at(sub).whole = true,
            None => self.whole = true,
        }
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
        assert_eq!(ask.attributes.of(urn::USER).inner.len(), 2);
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
        let registry = Registry::rfc();
        let excluded = |entry: &str| Ask::of(&format!("/Users?excludedAttributes={entry}"), &registry);
        let core = "urn:ietf:params:scim:schemas:core:2.0";
        for (entry, keeps_out) in [
            ("meta".to_owned(), true),
            (format!("{core}:user:META.location"), true),
            (format!("{core}:Group:meta"), false),
            ("urn:a:b:meta".to_owned(), false),
            (format!("{core}:User"), false),
        ] {
            assert_eq!(excluded(&entry).keeps_out(urn::USER, "meta"), keeps_out, "{entry}");
        }
        assert!(excluded("emails[type eq \"work\"].value").excluded.of(urn::USER).unclear);
        let manager = excluded("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value");
        let extension =
            &manager.excluded.of(urn::USER).inner["urn:ietf:params:scim:schemas:extension:enterprise:2.0:user"];
        assert!(!extension.whole && extension.inner["manager"].inner["value"].whole);
    }
}
