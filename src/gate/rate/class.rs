//! What a request is to the limiter: a lookup, a read or a write.
//!
//! A lookup is what a credential check and the matching of one object send. It has its own quota because a check that
//! meets a 429 is a failed check, and a failed check quarantines a connection at any size. Only requests that read can be
//! lookups: whatever its path says, a write is a write, so nobody gets another quota for it by spelling.
//!
//! Names are compared without case and as the app will read them, percent-decoded: a request whose `filter` hides
//! behind `%66` is a lookup to the app too. Nothing is allocated; an app may still read an odd target in its own way,
//! and then the worst is that a read counts under the quota of lookups.

use http::Method;

/// Which of a tenant's quotas a request counts under.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// A GET with `filter`, a search, a page of at most two, or discovery.
    Lookup,
    /// Any other GET, HEAD or OPTIONS.
    Read,
    /// Everything else.
    Write,
}

impl Class {
    /// All of them; the index is the discriminant.
    pub const ALL: [Self; 3] = [Self::Lookup, Self::Read, Self::Write];

    /// The name of its policy in `RateLimit` headers, of its key in the configuration, and in a shared store.
    pub const fn policy(self) -> &'static str {
        match self {
            Self::Lookup => "lookups",
            Self::Read => "reads",
            Self::Write => "writes",
        }
    }

    pub(super) const fn index(self) -> usize {
        self as usize
    }
}

/// The class of a request; `target` is what follows the SCIM base, such as `/Users?filter=...`.
pub fn class(method: &Method, target: &str) -> Class {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let lookup = match *method {
        Method::GET | Method::HEAD => is_search(path) || is_discovery(path) || asks_for_few(query),
        Method::POST => is_search(path),
        Method::OPTIONS => return Class::Read,
        _ => return Class::Write,
    };
    match (lookup, method) {
        (true, _) => Class::Lookup,
        (false, &Method::POST) => Class::Write,
        (false, _) => Class::Read,
    }
}

/// RFC 7644 3.4.3: `/.search` or `/Users/.search`.
fn is_search(path: &str) -> bool {
    segments(path).next_back().is_some_and(|last| reads(last, ".search"))
}

/// RFC 7644 4.
fn is_discovery(path: &str) -> bool {
    let first = segments(path).next().unwrap_or_default();
    ["ServiceProviderConfig", "Schemas", "ResourceTypes"].iter().any(|name| reads(first, name))
}

fn segments(path: &str) -> impl DoubleEndedIterator<Item = &str> {
    path.split('/').filter(|segment| !segment.is_empty())
}

/// A `filter`, or a `count` that every reading of the query takes for two at most.
fn asks_for_few(query: &str) -> bool {
    let (mut counts, mut few) = (0, 0);
    for (name, value) in query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, ""))) {
        if reads(name, "filter") {
            return true;
        }
        if reads(name, "count") {
            counts += 1;
            few += u32::from(is_few(value));
        }
    }
    counts > 0 && counts == few
}

/// A number up to two. RFC 7644 3.4.2.4: a negative one is to be read as 0.
fn is_few(value: &str) -> bool {
    let mut bytes = decoded(value).filter(|byte| !matches!(byte, b'+' | b' ' | b'"')).peekable();
    let negative = bytes.next_if_eq(&b'-').is_some();
    let mut number = None;
    for byte in bytes {
        if !byte.is_ascii_digit() {
            return false;
        }
        number = Some(number.unwrap_or(0_u32).saturating_mul(10).saturating_add(u32::from(byte - b'0')));
    }
    number.is_some_and(|number| negative || number <= 2)
}

/// Whether `text` says `word` once it is percent-decoded, in any case.
fn reads(text: &str, word: &str) -> bool {
    text.eq_ignore_ascii_case(word)
        || text.len() > word.len()
            && text.contains('%')
            && decoded(text)
                .map(|byte| byte.to_ascii_lowercase())
                .eq(word.bytes().map(|byte| byte.to_ascii_lowercase()))
}

fn decoded(text: &str) -> impl Iterator<Item = u8> {
    percent_encoding::percent_decode_str(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(request: &str) -> Class {
        let (method, target) = request.split_once(' ').unwrap();
        class(&method.parse().unwrap(), target)
    }

    #[test]
    fn a_credential_check_is_a_lookup() {
        for request in [
            "GET /Users?filter=userName%20eq%20%22x%22",
            "GET /Users?FILTER=x",
            "GET /Users?startIndex=1&filter=x",
            "GET /Users?%66ilter=x",
            "GET /Users?f%69lte%72=x",
            "HEAD /Users?filter=x",
            "GET /Users?count=2",
            "GET /Users?startIndex=1&count=1",
            "GET /Users?Count=0",
            "GET /Users?count=-1",
            "GET /Users?count=+2",
            "GET /Users?count=%32",
            "GET /Users?%63ount=2",
            "GET /Users?count=002",
            "GET /ServiceProviderConfig",
            "GET /serviceproviderconfig/",
            "GET //Schemas",
            "GET /Schemas/urn:ietf:params:scim:schemas:core:2.0:User",
            "GET /RESOURCETYPES/User",
            "GET /%53chemas",
            "POST /.search",
            "POST /Users/.search",
            "POST /Users/.SEARCH/",
            "POST /Users/%2Esearch",
            "GET /Users/.search",
        ] {
            assert_eq!(of(request), Class::Lookup, "{request}");
        }
    }

    #[test]
    fn other_reads_are_reads() {
        for request in [
            "GET /Users",
            "GET /",
            "GET ",
            "GET /Users/1",
            "GET /Users/1?attributes=filter",
            "GET /Users?count=3",
            "GET /Users?count=20",
            "GET /Users?count=",
            "GET /Users?count=two",
            "GET /Users?count=1.5",
            "GET /Users?count=99999999999999999999",
            "GET /Users?count=1&count=500",
            "GET /Users?filters=x",
            "GET /Users?filte%72%00=x",
            "GET /Users?%6=x",
            "GET /Users/Schemas",
            "GET /UsersSchemas",
            "HEAD /Users",
            "OPTIONS /Users",
            "OPTIONS /Users?filter=x",
        ] {
            assert_eq!(of(request), Class::Read, "{request}");
        }
    }

    #[test]
    fn a_write_is_a_write_whatever_its_target_says() {
        for request in [
            "POST /Users",
            "POST /Users?filter=x",
            "POST /Users?count=1",
            "POST /Schemas",
            "POST /Users/.search/1",
            "PUT /Users/.search",
            "PATCH /Users/1?filter=x",
            "DELETE /Users/1?count=1",
            "DELETE /Schemas/1",
            "TRACE /Users",
            "BREW /Users?filter=x",
        ] {
            assert_eq!(of(request), Class::Write, "{request}");
        }
    }

    proptest! {
        #[test]
        fn spelling_does_not_matter(name in "filter|count", encode in proptest::collection::vec(any::<(bool, bool)>(), 6)) {
            let spelt: String = name.bytes().zip(&encode).map(|(byte, (hex, upper))| {
                let byte = if *upper { byte.to_ascii_uppercase() } else { byte };
                if *hex { format!("%{byte:02x}") } else { char::from(byte).to_string() }
            }).collect();
            prop_assert_eq!(class(&Method::GET, &format!("/Users?a=b&{spelt}=1")), Class::Lookup);
        }

        #[test]
        fn any_text_has_a_class(target in ".*") {
            prop_assert_ne!(class(&Method::GET, &target), Class::Write);
            prop_assert_eq!(class(&Method::DELETE, &target), Class::Write);
        }
    }
}
