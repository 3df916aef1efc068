//! The customers' connections: what holds for each, laid over what holds for all.

use std::{collections::BTreeMap, num::NonZeroU32, path::PathBuf, sync::Arc, time::Duration};

use super::{
    super::{
        file::{self, Allow, Attribute, Quota, RateLimit, TenantNormalize},
        problem::Grade,
        settings::{self, AllowMode, Outside, Resolve, UnknownTenant},
        types::{TENANT, read_text},
    },
    Build, DEFAULT_TENANT, ranges,
};
use crate::{
    feed::Kind as FeedKind,
    gate::rate,
    quirk::{Mode, PlanSettings},
    scim::Registry,
    watch::Seen,
};

/// A `/Schemas` document of a large product has some 200 KiB.
const MAX_SCHEMA_BYTES: u64 = 8 << 20;

/// Where schemas are named, and the two lists.
type Layer<'a> = (&'a [&'a str], Option<&'a Vec<PathBuf>>, Option<&'a Vec<Attribute>>);

impl Build<'_> {
    pub(super) fn tenants(&mut self) -> settings::Tenants {
        const DEFAULTS: &[&str] = &["tenants", "defaults"];
        let tenants = &self.file.tenants;
        self.ways();
        let over = &tenants.defaults;
        self.allow(DEFAULTS, &over.allow, &over.allow);
        self.rates(DEFAULTS, over.rate_limit.as_ref(), None);
        let authorization =
            self.header(&[DEFAULTS, &["upstream_authorization"]].concat(), over.upstream_authorization.as_ref());
        let plan = self.default_plan();
        let defaults = settings::Tenant {
            idp: over.idp,
            plan: Arc::new(plan),
            tokens: Vec::new(),
            bare_token: over.bare_token,
            upstream_authorization: authorization,
            limits: limits_of(None, over.rate_limit.as_ref()),
            allow: allow_of(&Allow::default(), &over.allow),
        };

        let mut owners = BTreeMap::new();
        let mut list = BTreeMap::new();
        for (id, tenant) in &tenants.list {
            let at = ["tenants", "list", id.0.as_str()];
            self.resolvable(&at, tenant);
            self.allow(&at, &tenant.allow, &over.allow);
            self.rates(&at, tenant.rate_limit.as_ref(), over.rate_limit.as_ref());
            let authorization =
                self.header(&[&at[..], &["upstream_authorization"]].concat(), tenant.upstream_authorization.as_ref());
            let own = settings::Tenant {
                idp: tenant.idp.unwrap_or(over.idp),
                plan: self.own_plan(&at, &tenant.normalize, &defaults.plan),
                tokens: self.tokens(&at, &id.0, &tenant.tokens, &mut owners),
                bare_token: tenant.bare_token.unwrap_or(over.bare_token),
                upstream_authorization: authorization.or_else(|| defaults.upstream_authorization.clone()),
                limits: limits_of(tenant.rate_limit.as_ref(), over.rate_limit.as_ref()),
                allow: allow_of(&tenant.allow, &over.allow),
            };
            if tenant.upstream_authorization.is_some() && own.tokens.is_empty() {
                self.unproven(&[&at[..], &["upstream_authorization"]].concat());
            }
            list.insert(id.0.as_str().into(), Arc::new(own));
        }
        let proven = |tenant: &Arc<settings::Tenant>| !tenant.tokens.is_empty();
        let dynamic = !tenants.resolve.is_empty() && tenants.unknown == UnknownTenant::Defaults;
        let implicit = tenants.resolve.is_empty() && !list.contains_key(DEFAULT_TENANT);
        if over.upstream_authorization.is_some() && (dynamic || implicit || !list.values().all(proven)) {
            self.unproven(&[DEFAULTS, &["upstream_authorization"]].concat());
        }
        settings::Tenants {
            resolve: tenants.resolve.clone(),
            unknown: tenants.unknown,
            max_dynamic: tenants.max_dynamic.get(),
            defaults: Arc::new(defaults),
            list,
        }
    }

    /// The ways to find a tenant, and what each needs.
    fn ways(&mut self) {
        let tenants = &self.file.tenants;
        let untrusted = self.file.listen.client_address.trusted_proxies.is_empty();
        for (i, way) in tenants.resolve.iter().enumerate() {
            if matches!(way, Resolve::Header(_)) && untrusted {
                let what = "no proxy is trusted, so the header is never believed";
                self.note(
                    &["tenants", "resolve", &i.to_string()],
                    what,
                    "write `listen.client_address.trusted_proxies`",
                );
            }
        }
        let Some(url) = &self.file.upstream.url else { return };
        if tenants.resolve.is_empty() || tenants.unknown == UnknownTenant::Reject {
            return;
        }
        let host = url.as_str().split("://").nth(1).and_then(|rest| rest.split('/').next()).unwrap_or_default();
        if host.contains(TENANT) {
            self.wrong(
                &["upstream", "url"],
                "with `tenants.unknown: defaults` whoever calls would choose the host that is called",
                "list the tenants and write `unknown: reject`, or put `{tenant}` into the path",
            );
        }
    }

    /// A tenant that no request can be of is a slip.
    fn resolvable(&mut self, at: &[&str], tenant: &file::Tenant) {
        let tenants = &self.file.tenants;
        let id = at[at.len() - 1];
        let can = |way: &Resolve| match way {
            Resolve::Token => !tenant.tokens.is_empty(),
            // A label of a host has no dots.
            Resolve::Host(_) => !id.contains('.'),
            Resolve::Path(_) | Resolve::Header(_) => true,
        };
        let is_default =
            id == DEFAULT_TENANT && (tenants.resolve.is_empty() || self.file.listen.outside == Outside::Pass);
        if is_default || tenants.resolve.iter().any(can) {
            return;
        }
        let (what, instead) = if tenants.resolve.is_empty() {
            (
                "nothing can resolve this tenant",
                "write `tenants.resolve`, such as `resolve: [{ path: \"/tenants/{tenant}\" }]`",
            )
        } else {
            (
                "nothing in `tenants.resolve` can resolve this tenant",
                "give it `tokens`, or add a way to `tenants.resolve`",
            )
        };
        self.wrong(at, what, instead);
    }

    fn tokens<'t>(
        &mut self,
        at: &[&str],
        id: &'t str,
        tokens: &[file::Token],
        owners: &mut BTreeMap<[u8; 32], &'t str>,
    ) -> Vec<settings::Token> {
        let mut read: Vec<settings::Token> = Vec::new();
        for (i, token) in tokens.iter().enumerate() {
            let i = i.to_string();
            let at = [at, &["tokens", &i]].concat();
            self.need(token.sha256.is_some(), &at, "sha256", "write the hash that `scimshim token new` prints");
            if token.expires.is_some_and(|at| at.is_past(self.world.now)) {
                self.note(&[&at[..], &["expires"]].concat(), "the token has expired", "remove it, or issue a new one");
            }
            let Some(hash) = token.sha256 else { continue };
            if let Some(other) = owners.insert(hash.0, id) {
                let whose = if other == id {
                    "this tenant has it already".into()
                } else {
                    format!("tenant {other} has it too")
                };
                self.wrong(
                    &[&at[..], &["sha256"]].concat(),
                    format!("a token belongs to one tenant, once: {whose}"),
                    "issue another token",
                );
            }
            let name = token.name.clone().unwrap_or_else(|| hash.to_string().trim_end_matches('…').to_owned());
            if read.iter().any(|before| *before.name == *name) {
                self.wrong(
                    &[&at[..], &["name"]].concat(),
                    "another token of this tenant has this name, and metrics tell them apart by it",
                    "write another name",
                );
            }
            read.push(settings::Token { sha256: hash.0, name: name.into(), expires: token.expires });
        }
        read
    }

    /// Who has shown no token of ours would be given the app's own.
    fn unproven(&mut self, path: &[&str]) {
        self.note(
            path,
            "it is not used for a tenant without `tokens`: anybody who calls would be let in with it",
            "give the tenant `tokens`",
        );
    }

    /// `allow` below `at`, laid over the defaults.
    fn allow(&mut self, at: &[&str], allow: &Allow, defaults: &Allow) {
        let at = [at, &["allow"]].concat();
        for (i, named) in allow.feeds.iter().flatten().enumerate() {
            let i = i.to_string();
            let path = [&at[..], &["feeds", &i]].concat();
            let known = self.file.feeds.named.iter().find(|(name, _)| name.0 == named.feed);
            let Some((_, feed)) = known else {
                // A feed that is there but could not be read has been said.
                if !self.doc.has(&["feeds", &named.feed]) || named.feed == "cache_dir" {
                    let names = self.file.feeds.named.keys().map(|name| name.0.as_str());
                    let instead = match self.problems.guess(&named.feed, names) {
                        Some(name) => format!("did you mean `{name}`?"),
                        None => "name a feed of `feeds`".to_owned(),
                    };
                    self.wrong(&path, format!("there is no feed `{}`", named.feed), instead);
                }
                continue;
            };
            match (feed.kind, &named.part) {
                (Some(FeedKind::Okta), None) => self.wrong(
                    &path,
                    "the whole list is every Okta customer's",
                    format!("name the cell: `{}:us_cell_1`", named.feed),
                ),
                (Some(FeedKind::AzureServiceTags), None) => {
                    self.wrong(
                        &path,
                        "the whole list is all of Azure",
                        format!("name the tag: `{}:AzureActiveDirectory`", named.feed),
                    );
                }
                (Some(FeedKind::List), Some(_)) => {
                    self.wrong(&path, "a list has no parts", format!("write `{}`", named.feed));
                }
                _ => {}
            }
        }
        let cidrs = allow.cidrs.as_deref().unwrap_or_default();
        self.whole_world(&[&at[..], &["cidrs"]].concat(), cidrs, "nothing is kept out");
        let feeds = allow.feeds.as_ref().or(defaults.feeds.as_ref()).is_some_and(|f| !f.is_empty());
        let ranges = allow.cidrs.as_ref().or(defaults.cidrs.as_ref()).is_some_and(|c| !c.is_empty());
        // A list that could not be read has been said.
        let doc = self.doc;
        let unread = || ["feeds", "cidrs"].iter().any(|key| doc.has(&[&at[..], &[key, "0"]].concat()));
        if allow.mode.or(defaults.mode) == Some(AllowMode::Enforce) && !feeds && !ranges && !unread() {
            self.wrong(
                &at,
                "`enforce` without feeds and CIDRs refuses everyone",
                "name feeds or CIDRs, or write `mode: observe`",
            );
        }
    }

    /// `rate_limit` below `at`, laid over the defaults.
    fn rates(&mut self, at: &[&str], own: Option<&RateLimit>, defaults: Option<&RateLimit>) {
        let Some(own) = own else { return };
        let at = [at, &["rate_limit"]].concat();
        let inherited = |of: fn(&RateLimit) -> &Option<Quota>| defaults.and_then(|d| of(d).as_ref());
        for (key, quota, below) in [
            ("reads", &own.reads, inherited(|r| &r.reads)),
            ("writes", &own.writes, inherited(|r| &r.writes)),
            ("lookups", &own.lookups, inherited(|r| &r.lookups)),
        ] {
            if let Some(quota) = quota {
                let given = quota.per_second.or(below.and_then(|q| q.per_second)).is_some();
                self.need(given, &[&at[..], &[key]].concat(), "per_second", "write a rate: `per_second: 25`");
            }
        }
        let deadline = self.file.listen.limits.deadline;
        if own.wait.is_some_and(|wait| wait > deadline) {
            self.note(
                &[&at[..], &["wait"]].concat(),
                format!("it is cut short by listen.limits.deadline ({deadline})"),
                "write less",
            );
        }
    }

    /// What is rewritten for a tenant without settings of its own.
    fn default_plan(&mut self) -> PlanSettings {
        let (top, over) = (&self.file.normalize, &self.file.tenants.defaults.normalize);
        let mut quirks: BTreeMap<String, Mode> = top.quirks.0.clone();
        quirks.extend(over.quirks.0.clone());
        let registry = self.registry(&[
            (&["normalize"], Some(&top.schemas.files), Some(&top.schemas.attributes)),
            (&["tenants", "defaults", "normalize"], over.schemas.files.as_ref(), over.schemas.attributes.as_ref()),
        ]);
        PlanSettings { mode: over.mode.unwrap_or(top.mode), quirks, registry: Arc::new(registry) }
    }

    /// What is rewritten for one tenant; shared where it says nothing.
    fn own_plan(&mut self, at: &[&str], own: &TenantNormalize, defaults: &Arc<PlanSettings>) -> Arc<PlanSettings> {
        if *own == TenantNormalize::default() {
            return Arc::clone(defaults);
        }
        let mut plan = PlanSettings::clone(defaults);
        plan.mode = own.mode.unwrap_or(plan.mode);
        plan.quirks.extend(own.quirks.0.clone());
        if own.schemas.files.is_some() || own.schemas.attributes.is_some() {
            let (top, over) = (&self.file.normalize.schemas, &self.file.tenants.defaults.normalize.schemas);
            // What was said about these before is not said again.
            let quiet: (&[&str], _, _) = (&[], Some(&top.files), Some(&top.attributes));
            let middle: (&[&str], _, _) = (&[], over.files.as_ref(), over.attributes.as_ref());
            let below = [at, &["normalize"]].concat();
            let registry =
                self.registry(&[quiet, middle, (&below, own.schemas.files.as_ref(), own.schemas.attributes.as_ref())]);
            plan.registry = Arc::new(registry);
        }
        Arc::new(plan)
    }

    /// The schemas of the last layer that names any, files and attributes each.
    fn registry(&mut self, layers: &[Layer<'_>]) -> Registry {
        let mut registry = Registry::rfc();
        if let Some((at, files)) = layers.iter().rev().find_map(|(at, files, _)| files.map(|files| (at, files))) {
            self.schema_files(at, files, &mut registry);
        }
        if let Some((at, list)) = layers.iter().rev().find_map(|(at, _, list)| list.map(|list| (at, list))) {
            self.attributes(at, list, &mut registry);
        }
        registry
    }

    fn schema_files(&mut self, at: &[&str], files: &[PathBuf], registry: &mut Registry) {
        for (i, file) in files.iter().enumerate() {
            let i = i.to_string();
            let at = [at, &["schemas", "files", &i]].concat();
            let file = self.base.join(file);
            self.files.push(Seen::of(file.clone()));
            match read_text(&file, MAX_SCHEMA_BYTES) {
                Err(why) => self.add(
                    Grade::Missing,
                    &at,
                    format!("{} cannot be read: {why}", file.display()),
                    "put the file there, or mend the path",
                ),
                Ok(document) => match registry.load(&document) {
                    Err(why) => {
                        self.wrong(
                            &at,
                            format!("{}: {why}", file.display()),
                            "save what the app answers at `/Schemas`",
                        );
                    }
                    Ok(0) => self.note(
                        &at,
                        format!("{} holds no schema", file.display()),
                        "save what the app answers at `/Schemas`",
                    ),
                    Ok(_) => {}
                },
            }
        }
    }

    fn attributes(&mut self, at: &[&str], attributes: &[Attribute], registry: &mut Registry) {
        for (i, attribute) in attributes.iter().enumerate() {
            let i = i.to_string();
            let at = [at, &["schemas", "attributes", &i]].concat();
            self.need(attribute.path.is_some(), &at, "path", "write `path: urn:...:User:name`");
            self.need(
                attribute.r#type.is_some(),
                &at,
                "type",
                "write `type: boolean`, or another type of RFC 7643 2.3",
            );
            if let (Some(path), Some(kind)) = (&attribute.path, attribute.r#type)
                && let Err(why) = registry.declare(path, kind, attribute.multi_valued)
            {
                self.wrong(&[&at[..], &["path"]].concat(), why.to_string(), "write `urn:...:User:name`");
            }
        }
    }
}

/// A tenant's rates, laid over the defaults key by key. Without any rate nothing is limited.
fn limits_of(own: Option<&RateLimit>, defaults: Option<&RateLimit>) -> Option<rate::Limits> {
    let (none, given) = (RateLimit::default(), own.is_some() || defaults.is_some());
    let (own, below) = (own.unwrap_or(&none), defaults.unwrap_or(&none));
    let quota = |own: &Option<Quota>, below: &Option<Quota>| {
        let (own, below) = (own.as_ref(), below.as_ref());
        let per_second = own.and_then(|q| q.per_second).or(below.and_then(|q| q.per_second))?.0;
        // A rate of one's own with the burst of another would be neither.
        let inherited = own.is_none_or(|q| q.per_second.is_none());
        let burst = own.and_then(|q| q.burst).or(below.filter(|_| inherited).and_then(|q| q.burst));
        let ceiling = NonZeroU32::new(per_second.ceil() as u32).unwrap_or(NonZeroU32::MIN);
        Some(rate::Quota { per_second, burst: burst.unwrap_or(ceiling) })
    };
    given.then(|| rate::Limits {
        reads: quota(&own.reads, &below.reads),
        writes: quota(&own.writes, &below.writes),
        lookups: quota(&own.lookups, &below.lookups),
        wait: own.wait.or(below.wait).map_or(WAIT, |wait| wait.0),
        max_waiting: own.max_waiting.or(below.max_waiting).unwrap_or(MAX_WAITING),
        concurrency: own.concurrency.or(below.concurrency),
    })
}

/// Entra counts a 429 as a failing object; 10 s are a fifth of the deadline.
const WAIT: Duration = Duration::from_secs(10);
/// In each class; they wait in memory without their bodies.
const MAX_WAITING: u32 = 100;

/// A tenant's allowlist, laid over the defaults; lists replace.
fn allow_of(own: &Allow, below: &Allow) -> settings::Allow {
    let feeds = own.feeds.as_ref().or(below.feeds.as_ref()).cloned().unwrap_or_default();
    let cidrs = ranges(own.cidrs.as_ref().or(below.cidrs.as_ref()).map_or(&[][..], Vec::as_slice));
    let usual = if feeds.is_empty() && cidrs.is_empty() { AllowMode::Off } else { AllowMode::Observe };
    settings::Allow { mode: own.mode.or(below.mode).unwrap_or(usual), feeds, cidrs }
}
