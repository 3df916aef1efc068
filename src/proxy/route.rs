//! Path to SCIM target.
//!
//! Nothing is resolved: a path that two parsers could read differently is refused, because what the app reads might be
//! another resource than what was judged here. Dot segments are refused everywhere, encoded slashes and double
//! encodings in the part before the target. In the target `%2F` may stand: ids are opaque (RFC 7643 3.1).

use http::uri::PathAndQuery;

use super::refusal::Refusal;
use crate::{
    config::{
        settings::{Listen, Outside, Resolve},
        types::TENANT,
    },
    gate::resolve::{Prefix, Resolver},
};

/// Where a request goes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Way<'a> {
    /// Outside the base path and allowed to be: the app's origin, untouched.
    Pass,
    /// SCIM.
    Scim {
        /// The prefix that names a tenant, where there is one.
        prefix: Option<Prefix<'a>>,
        /// What follows the base path, query included; empty for the base itself.
        target: &'a str,
    },
}

/// Paths that must not be passed to the app untouched, each as its segments; `None` is any segment.
#[derive(Debug)]
pub(crate) struct Guarded(Vec<Vec<Option<Vec<u8>>>>);

impl Guarded {
    /// SCIM as IdPs call it, with and without the prefix of a tenant, and as the app has it.
    pub(crate) fn new(listen: &Listen, ways: &[Resolve], upstream: &str) -> Self {
        let prefixed = ways.iter().filter_map(|way| match way {
            Resolve::Path(template) => Some(format!("{template}{}", listen.base_path)),
            Resolve::Header(_) | Resolve::Host(_) | Resolve::Token => None,
        });
        let pattern = |path: &str| {
            // One that holds a name is as good as any: where it ends in the segment is for the app to say.
            let named = |segment: &[u8]| segment.windows(TENANT.len()).any(|part| part == TENANT.as_bytes());
            let segment = |segment: &Vec<u8>| (!named(segment)).then(|| segment.clone());
            segments(&decode(path.as_bytes())).iter().map(segment).collect()
        };
        let paths = prefixed.chain([listen.base_path.clone(), upstream.to_owned()]);
        Self(paths.map(|path| pattern(&path)).collect())
    }

    /// Whether an app that decodes, merges slashes, ignores case or takes path parameters (`;x`, as servlet containers
    /// do) out of segments would take `path` for one of these or one below: such a request would get round everything
    /// that is done for SCIM.
    fn holds(&self, path: &str) -> bool {
        let have = segments(&decode(path.as_bytes()));
        let same = |(want, have): (&Option<Vec<u8>>, &Vec<u8>)| want.as_ref().is_none_or(|want| want == have);
        self.0.iter().any(|want| want.len() <= have.len() && want.iter().zip(&have).all(same))
    }
}

/// Finds the way of a request, or refuses it.
pub(crate) fn find<'a>(
    listen: &Listen,
    resolver: &Resolver,
    guarded: &Guarded,
    uri: Option<&'a PathAndQuery>,
) -> Result<Way<'a>, Refusal> {
    let outside = || Refusal::Outside { base: listen.base_path.clone() };
    let uri = uri.map_or("/", PathAndQuery::as_str);
    let path = uri.split('?').next().unwrap_or_default();
    if !path.starts_with('/') || has_dot_segment(path) {
        return Err(outside());
    }
    for prefix in resolver.prefixes(uri) {
        if let Some(target) = below(&listen.base_path, &uri[prefix.text.len()..]) {
            return Ok(Way::Scim { prefix: Some(prefix), target });
        }
    }
    if let Some(target) = below(&listen.base_path, uri) {
        return Ok(Way::Scim { prefix: None, target });
    }
    match listen.outside {
        Outside::Pass if is_plain(path) && !guarded.holds(path) => Ok(Way::Pass),
        Outside::Pass | Outside::Refuse => Err(outside()),
    }
}

/// What follows `base` in `uri`, if `base` ends there at a segment.
fn below<'a>(base: &str, uri: &'a str) -> Option<&'a str> {
    uri.strip_prefix(base).filter(|rest| rest.is_empty() || rest.starts_with(['/', '?']))
}

/// Whether a segment is `.` or `..` for any reader: plain, percent-encoded, between encoded slashes or backslashes, or
/// before path parameters (`..;x`).
pub(crate) fn has_dot_segment(path: &str) -> bool {
    if !path.contains('.') && !path.contains('%') {
        return false;
    }
    let decoded = decode(path.as_bytes());
    decoded.split(|byte| matches!(byte, b'/' | b'\\')).any(|segment| {
        let name = segment.split(|byte| *byte == b';').next().unwrap_or_default();
        matches!(name, b"." | b"..")
    })
}

/// No encoded slash, no backslash, no encoded percent sign.
pub(crate) fn is_plain(path: &str) -> bool {
    let path = path.to_ascii_lowercase();
    !["%2f", "%5c", "%25", "\\"].iter().any(|hidden| path.contains(hidden))
}

/// The segments that are not empty, without path parameters and in lower case.
fn segments(path: &[u8]) -> Vec<Vec<u8>> {
    path.split(|byte| *byte == b'/')
        .map(|segment| segment.split(|byte| *byte == b';').next().unwrap_or_default())
        .filter(|segment| !segment.is_empty())
        .map(<[u8]>::to_ascii_lowercase)
        .collect()
}

/// Percent-decodes once; what is no encoding stays.
fn decode(path: &[u8]) -> Vec<u8> {
    let hex = |byte: Option<&u8>| byte.and_then(|byte| char::from(*byte).to_digit(16));
    let mut decoded = Vec::with_capacity(path.len());
    let mut at = 0;
    while let Some(byte) = path.get(at) {
        match (byte, hex(path.get(at + 1)), hex(path.get(at + 2))) {
            (b'%', Some(high), Some(low)) => {
                decoded.push((high * 16 + low) as u8);
                at += 3;
            }
            _ => {
                decoded.push(*byte);
                at += 1;
            }
        }
    }
    decoded
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listen(base: &str, outside: Outside) -> Listen {
        let mut listen = crate::config::from_upstream("http://app/").unwrap().settings.listen;
        (listen.base_path, listen.outside) = (base.into(), outside);
        listen
    }

    fn scim(target: &str) -> Way<'_> {
        Way::Scim { prefix: None, target }
    }

    fn found<'a>(listen: &Listen, ways: &[Resolve], upstream: &str, uri: &'a PathAndQuery) -> Option<Way<'a>> {
        find(listen, &Resolver::new(ways), &Guarded::new(listen, ways, upstream), Some(uri)).ok()
    }

    #[track_caller]
    fn way(base: &str, outside: Outside, uri: &str, want: Option<&Way<'_>>) {
        let uri: PathAndQuery = uri.parse().unwrap();
        assert_eq!(found(&listen(base, outside), &[], base, &uri).as_ref(), want, "{uri}");
    }

    #[test]
    fn the_target_is_what_follows_the_base_path() {
        for (uri, target) in [
            ("/scim/v2/Users/1?attributes=id", "/Users/1?attributes=id"),
            ("/scim/v2", ""),
            ("/scim/v2/", "/"),
            ("/scim/v2?x", "?x"),
            ("/scim/v2/Users/a%2Fb", "/Users/a%2Fb"),
            ("/scim/v2/Users/100%25", "/Users/100%25"),
            ("/scim/v2/Users/a.b", "/Users/a.b"),
            ("/scim/v2/Users?filter=userName%20eq%20%22../x%22", "/Users?filter=userName%20eq%20%22../x%22"),
        ] {
            way("/scim/v2", Outside::Refuse, uri, Some(&scim(target)));
        }
        way("", Outside::Refuse, "/Users", Some(&scim("/Users")));
    }

    #[test]
    fn a_segment_is_not_cut_in_two() {
        way("/scim/v2", Outside::Refuse, "/scim/v2x/Users", None);
        way("/scim/v2", Outside::Pass, "/scim/v2x/Users", Some(&Way::Pass));
    }

    #[test]
    fn what_the_app_could_resolve_is_refused() {
        for uri in [
            "/scim/v2/../admin",
            "/scim/v2/%2e%2E/admin",
            "/scim/v2/Users/..",
            "/scim/v2/./Users",
            "/scim/v2/Users/..%2f..%2fadmin",
            "/scim/v2/Users/..%5cadmin",
            "/scim/v2/Users/..;/admin",
            "/scim/x/../v2/Users",
            "/scim%2fv2/Users",
            "/scim%5Cv2/Users",
            "/scim%252fv2/Users",
            "/%73cim/v2/Users",
            "//scim/v2/Users",
            "/scim//v2/Users",
            "/SCIM/v2/Users",
            "/scim;x/v2/Users",
            "/scim/v2;x/Users",
            "/scim/v2;",
            "/scim;/v2;a=1;b=2/Users",
            "/;x/scim/v2/Users",
            "/scim/;x/v2/Users",
            "/scim%3Bx/v2/Users",
            "/Scim;x/%76%32%3b/Users",
        ] {
            way("/scim/v2", Outside::Refuse, uri, None);
            way("/scim/v2", Outside::Pass, uri, None);
        }
    }

    #[test]
    fn the_rest_passes_only_where_it_may() {
        way("/scim/v2", Outside::Pass, "/healthz?x=1", Some(&Way::Pass));
        way("/scim/v2", Outside::Refuse, "/healthz", None);
        way("/scim/v2", Outside::Pass, "/files/a%2fb", None);
        way("/scim/v2", Outside::Pass, "/healthz;x", Some(&Way::Pass));
        way("/scim;a=1", Outside::Pass, "/scim;a=1/Users", Some(&scim("/Users")));
        way("/scim;a=1", Outside::Pass, "/scim;a=2/Users", None);
    }

    #[test]
    fn a_name_that_is_part_of_a_segment_guards_the_whole_segment() {
        for upstream in ["/t-{tenant}/scim", "/{tenant}.d/scim", "/x{tenant}y/scim", "/{tenant}-{tenant}/scim"] {
            let listen = listen("/scim/v2", Outside::Pass);
            for uri in ["/t-acme/scim/Users", "/T-acme/Scim", "/acme.d/scim/Users/1", "/any/scim"] {
                assert_eq!(found(&listen, &[], upstream, &uri.parse().unwrap()), None, "{upstream} {uri}");
            }
            assert_eq!(found(&listen, &[], upstream, &"/t-acme/other".parse().unwrap()), Some(Way::Pass));
        }
    }

    #[test]
    fn a_prefix_is_taken_off_where_scim_begins_behind_it() {
        let ways = [Resolve::Path("/tenants/{tenant}".into()), Resolve::Path("/{tenant}".into())];
        let listen = listen("/scim/v2", Outside::Pass);
        let of = |uri: &str| {
            let uri: PathAndQuery = uri.parse().unwrap();
            match found(&listen, &ways, "/t/{tenant}/scim", &uri) {
                Some(Way::Scim { prefix, target }) => {
                    let prefix = prefix.map_or("none", |prefix| prefix.text);
                    format!("{prefix} {target}")
                }
                Some(Way::Pass) => "pass".to_owned(),
                None => "refused".to_owned(),
            }
        };
        for (uri, want) in [
            ("/tenants/acme/scim/v2/Users?x=/tenants/b/scim/v2", "/tenants/acme /Users?x=/tenants/b/scim/v2"),
            ("/tenants/acme/scim/v2", "/tenants/acme "),
            ("/acme/scim/v2/Me", "/acme /Me"),
            ("/scim/v2/Users", "none /Users"),
            // The app would take these for its own SCIM, of a tenant that nobody has asked for.
            ("/t/acme/scim/Users", "refused"),
            ("/t/acme/scim", "refused"),
            ("/T/acme/Scim/Users", "refused"),
            ("/t/x;y/scim/Users", "refused"),
            ("/t//acme/scim/Users", "refused"),
            ("/t/acme/SCIM;a=b/Users", "refused"),
            ("/Tenants/acme/scim/v2/Users", "refused"),
            ("/tenants/acme/scim%2fv2/Users", "refused"),
            ("/tenants/acme%2fscim/v2/Users", "refused"),
            ("/tenants/acme/../b/scim/v2/Users", "refused"),
            ("/tenants/%2e%2e/scim/v2/Users", "refused"),
            ("/tenants/acme%252f/scim/v2/Users", "/tenants/acme%252f /Users"),
            ("/t/acme/other", "pass"),
        ] {
            assert_eq!(of(uri), want, "{uri}");
        }
    }
}
