//! Which tenant a request names: by path, host, header or token, in the order that the operator wrote.
//!
//! Nothing is decoded or folded, except that hosts have no case: a name that two readers could spell differently names
//! nobody. The first way that names a tenant decides; where another way names another tenant, the request is of neither,
//! since the app may read the one that did not decide. A token that is another tenant's is refused as a token.

use std::borrow::Cow;

use http::{HeaderMap, HeaderName};

use crate::config::{
    settings::Resolve,
    types::{TENANT, is_tenant_id},
};

/// The ways, ready to be tried.
#[derive(Debug, Default)]
pub struct Resolver(Vec<Way>);

#[derive(Debug)]
enum Way {
    Header(HeaderName),
    Host(Template),
    Path(Template),
    Token,
}

/// What stands before and behind `{tenant}`.
#[derive(Debug)]
struct Template {
    before: String,
    behind: String,
}

/// A path prefix that names a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prefix<'a> {
    /// As it stands in the path, without a slash at the end.
    pub text: &'a str,
    /// What stands for the tenant, legal or not.
    pub name: &'a str,
}

/// What a request says of its tenant.
#[derive(Debug)]
pub struct Evidence<'a> {
    /// Of the target's path.
    pub prefix: Option<Prefix<'a>>,
    /// Host without a port, of the authority or the Host field.
    pub host: Option<&'a str>,
    /// As they came.
    pub headers: &'a HeaderMap,
    /// Whether headers of the other end of the connection are believed.
    pub by_proxy: bool,
}

/// What came of it.
#[derive(Debug, PartialEq, Eq)]
pub enum Named<'a> {
    /// There is one tenant, `default`.
    Default,
    /// Nothing names one, or two things name two, or what names it is no name.
    Nobody,
    /// A legal name.
    Tenant(Cow<'a, str>),
    /// Nothing names one, and the token should have.
    Tokenless,
}

impl Resolver {
    /// The ways as configured.
    pub fn new(ways: &[Resolve]) -> Self {
        let way = |way: &Resolve| match way {
            Resolve::Header(name) => Way::Header(name.clone()),
            Resolve::Host(template) => Way::Host(Template::new(template)),
            Resolve::Path(template) => Way::Path(Template::new(template)),
            Resolve::Token => Way::Token,
        };
        Self(ways.iter().map(way).collect())
    }

    /// The prefixes of `path` (query included) that fit a template, in order. More than one can: the caller takes the
    /// one behind which SCIM begins.
    pub fn prefixes<'a>(&self, path: &'a str) -> impl Iterator<Item = Prefix<'a>> {
        self.0.iter().filter_map(move |way| match way {
            Way::Path(template) => template.prefix(path),
            Way::Header(_) | Way::Host(_) | Way::Token => None,
        })
    }

    /// Whether the token may name the tenant.
    pub fn by_token(&self) -> bool {
        self.0.iter().any(|way| matches!(way, Way::Token))
    }

    /// Headers that name a tenant. What a stranger writes into them must not reach the app.
    pub fn headers(&self) -> impl Iterator<Item = &HeaderName> {
        self.0.iter().filter_map(|way| match way {
            Way::Header(name) => Some(name),
            Way::Host(_) | Way::Path(_) | Way::Token => None,
        })
    }

    /// Tries the ways in order; `by_token` says whose token was presented, and is asked only if it matters. `is_known`
    /// says whether a legal name is a tenant's: the label of a host need not be one.
    pub fn resolve<'a>(
        &self,
        evidence: &Evidence<'a>,
        by_token: impl Fn() -> Option<&'a str>,
        is_known: impl Fn(&str) -> bool,
    ) -> Named<'a> {
        if self.0.is_empty() {
            return Named::Default;
        }
        let said = |way: &Way| match way {
            Way::Header(name) if evidence.by_proxy => one(evidence.headers, name),
            Way::Header(_) | Way::Token => None,
            Way::Host(template) => template.host(evidence.host?),
            Way::Path(_) => evidence.prefix.map(|prefix| prefix.name.into()),
        };
        let named = self.0.iter().find_map(|way| match way {
            Way::Token => by_token().map(Cow::from),
            way => said(way),
        });
        let Some(name) = named else { return if self.by_token() { Named::Tokenless } else { Named::Nobody } };
        let contradicts = |other: Cow<'_, str>| other != name && is_known(&other);
        let prefixed = evidence.prefix.is_some_and(|prefix| prefix.name != name);
        if prefixed || !is_tenant_id(&name) || self.0.iter().filter_map(said).any(contradicts) {
            return Named::Nobody;
        }
        Named::Tenant(name)
    }
}

impl Template {
    fn new(template: &str) -> Self {
        let (before, behind) = template.split_once(TENANT).unwrap_or((template, ""));
        Self { before: before.to_owned(), behind: behind.to_owned() }
    }

    /// The prefix of a path, which ends where a segment does.
    fn prefix<'a>(&self, path: &'a str) -> Option<Prefix<'a>> {
        let rest = path.strip_prefix(self.before.as_str())?;
        let name = &rest[..rest.find(['/', '?']).unwrap_or(rest.len())];
        let end = rest[name.len()..].strip_prefix(self.behind.as_str())?;
        let whole = end.is_empty() || end.starts_with(['/', '?']);
        (whole && !name.is_empty()).then(|| Prefix { text: &path[..path.len() - end.len()], name })
    }

    /// The label of a host, in lower case. The root's dot at the end names the same host.
    fn host<'a>(&self, host: &'a str) -> Option<Cow<'a, str>> {
        let host = host.strip_suffix('.').unwrap_or(host);
        let starts = host.get(..self.before.len())?.eq_ignore_ascii_case(&self.before);
        let end = host.len().checked_sub(self.behind.len())?;
        let ends = host.get(end..)?.eq_ignore_ascii_case(&self.behind);
        let label = host.get(self.before.len()..end).filter(|label| starts && ends && !label.is_empty())?;
        if label.contains('.') {
            return None;
        }
        Some(if label.bytes().any(|byte| byte.is_ascii_uppercase()) {
            label.to_ascii_lowercase().into()
        } else {
            label.into()
        })
    }
}

/// The value of a header that must stand there once; twice is no name.
fn one<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<Cow<'a, str>> {
    let mut lines = headers.get_all(name).iter();
    match (lines.next(), lines.next()) {
        (None, _) => None,
        (Some(line), None) => Some(line.to_str().unwrap_or_default().into()),
        (Some(_), Some(_)) => Some("".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolver() -> Resolver {
        Resolver::new(&[
            Resolve::Path("/tenants/{tenant}".into()),
            Resolve::Host("{tenant}.scim.example.com".into()),
            Resolve::Header("x-tenant-id".parse().unwrap()),
            Resolve::Token,
        ])
    }

    fn tenant(name: &str) -> Named<'_> {
        Named::Tenant(name.into())
    }

    #[test]
    fn a_prefix_ends_with_a_segment_and_is_not_decoded() {
        let resolver = resolver();
        let of = |path| resolver.prefixes(path).next().map(|prefix| (prefix.text, prefix.name));
        assert_eq!(of("/tenants/acme/scim/v2/Users"), Some(("/tenants/acme", "acme")));
        assert_eq!(of("/tenants/acme"), Some(("/tenants/acme", "acme")));
        assert_eq!(of("/tenants/acme?x=/tenants/b/"), Some(("/tenants/acme", "acme")));
        assert_eq!(of("/tenants/ac%6de/scim"), Some(("/tenants/ac%6de", "ac%6de")));
        for path in ["/tenants", "/tenants/", "/tenants//scim", "/Tenants/acme/x", "/%74enants/acme/x", "/x/tenants/a"]
        {
            assert_eq!(of(path), None, "{path}");
        }
        let deep = Resolver::new(&[Resolve::Path("/{tenant}/api".into())]);
        let of = |path| deep.prefixes(path).next().map(|prefix| (prefix.text, prefix.name));
        assert_eq!(of("/acme/api/Users"), Some(("/acme/api", "acme")));
        assert_eq!(of("/acme/apis/Users"), None);
        assert_eq!(of("/a/b/api/Users"), None);
    }

    #[test]
    fn the_first_way_that_names_one_decides() {
        let headers = [("x-tenant-id", "by-header")]
            .into_iter()
            .map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.parse().unwrap()))
            .collect::<HeaderMap>();
        let none = HeaderMap::new();
        let prefix = Some(Prefix { text: "/tenants/by-path", name: "by-path" });
        let host = Some("BY-host.SCIM.example.COM.");
        let ask = |prefix, host, headers, by_proxy, token: Option<&'static str>| {
            let evidence = Evidence { prefix, host, headers, by_proxy };
            format!("{:?}", resolver().resolve(&evidence, || token, |_| false))
        };
        let is = |name: &str| format!("{:?}", tenant(name));
        assert_eq!(ask(prefix, host, &headers, true, Some("t")), is("by-path"));
        assert_eq!(ask(None, host, &headers, true, Some("t")), is("by-host"));
        assert_eq!(ask(None, None, &headers, true, Some("t")), is("by-header"));
        assert_eq!(ask(None, None, &headers, false, Some("t")), is("t"));
        assert_eq!(ask(None, None, &none, true, None), "Tokenless");
        assert_eq!(
            format!(
                "{:?}",
                Resolver::default().resolve(
                    &Evidence { prefix, host, headers: &headers, by_proxy: true },
                    || None,
                    |_| true
                )
            ),
            "Default"
        );
    }

    #[test]
    fn two_names_are_no_name() {
        let headers = HeaderMap::new();
        let ways = [Resolve::Host("{tenant}.example.com".into()), Resolve::Path("/t/{tenant}".into())];
        let resolver = Resolver::new(&ways);
        let ask = |host, name| {
            let prefix = Some(Prefix { text: "/t/x", name });
            let evidence = Evidence { prefix, host: Some(host), headers: &headers, by_proxy: true };
            format!("{:?}", resolver.resolve(&evidence, || None, |name| name == "b"))
        };
        assert_eq!(ask("a.example.com", "b"), "Nobody");
        assert_eq!(ask("a.example.com", "a"), format!("{:?}", tenant("a")));
        assert_eq!(ask("a.example.com", "c"), "Nobody", "a prefix is taken off, so it has to agree");
        let ways = [Resolve::Path("/t/{tenant}".into()), Resolve::Host("{tenant}.example.com".into())];
        let ask = |host, known: &'static str| {
            let evidence = Evidence {
                prefix: Some(Prefix { text: "/t/a", name: "a" }),
                host: Some(host),
                headers: &headers,
                by_proxy: true,
            };
            format!("{:?}", Resolver::new(&ways).resolve(&evidence, || None, |name| name == known))
        };
        assert_eq!(ask("b.example.com", "b"), "Nobody");
        assert_eq!(ask("gateway.example.com", "b"), format!("{:?}", tenant("a")), "a host that is no tenant's");
        let mut twice = HeaderMap::new();
        twice.append("x-tenant-id", "a".parse().unwrap());
        twice.append("x-tenant-id", "a".parse().unwrap());
        let by_header = Resolver::new(&[Resolve::Header("x-tenant-id".parse().unwrap())]);
        let evidence = Evidence { prefix: None, host: None, headers: &twice, by_proxy: true };
        assert_eq!(by_header.resolve(&evidence, || None, |_| true), Named::Nobody);
    }

    #[test]
    fn what_is_no_name_is_nobody() {
        let headers = HeaderMap::new();
        for name in ["ACME", "ac%6de", "-a", ".", "..", "a;b", "_other", "é", &"a".repeat(64)] {
            let evidence = Evidence {
                prefix: Some(Prefix { text: "/tenants/x", name }),
                host: None,
                headers: &headers,
                by_proxy: true,
            };
            assert_eq!(resolver().resolve(&evidence, || Some("t"), |_| true), Named::Nobody, "{name}");
        }
    }

    #[test]
    fn a_host_has_one_label_for_the_tenant() {
        let template = Template::new("{tenant}.scim.example.com");
        for host in
            ["scim.example.com", ".scim.example.com", "a.b.scim.example.com", "a.scim.example.com.evil", "a", ""]
        {
            assert_eq!(template.host(host), None, "{host}");
        }
        assert_eq!(template.host("ACME.scim.example.com").as_deref(), Some("acme"));
        assert_eq!(Template::new("scim-{tenant}").host("é"), None);
    }
}
