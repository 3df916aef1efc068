//! All tenants: those listed, and those that came by a name and get the defaults.

use std::{
    collections::{HashMap, HashSet},
    num::NonZeroUsize,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU64},
    },
};

use http::HeaderValue;
use lru::LruCache;
use tokio::time::Instant;

use super::{
    allow::Allowlist,
    rate::{Limiter, Limits, Store},
    tenant::{Memory, Place, Plans, Rules, Tenant},
    token::Token,
};
use crate::{
    config::{
        Settings,
        settings::{self, UnknownTenant},
        types::{HttpUrl, is_tenant_id},
    },
    feed::Feeds,
    observe::Metrics,
    quirk::PlanSettings,
};

/// The tenant of every request where nothing names one.
pub const DEFAULT: &str = "default";

/// The label of dynamic tenants beyond `metrics.max_tenants`.
pub const OTHER: &str = "_other";

/// How many of those used least are looked at for one that can be forgotten. All of them may be busy; then the last goes.
const LOOKED_AT: usize = 16;

/// The tenants of one set of settings.
#[derive(Debug)]
pub struct Tenants {
    default: Arc<Tenant>,
    listed: HashMap<Arc<str>, Arc<Tenant>>,
    /// Whose token it is, by its hash.
    owners: HashMap<[u8; 32], Arc<str>>,
    unknown: UnknownTenant,
    maker: Maker,
    crowd: Arc<Crowd>,
    /// What is remembered of all who are not welcome together.
    stranger: Tenant,
}

/// Dynamic tenants, which outlive the settings under which they came.
#[derive(Debug)]
pub struct Crowd(Mutex<Members>);

#[derive(Debug)]
struct Members {
    known: LruCache<Arc<str>, Arc<Tenant>>,
    /// Names that have a label of their own. A label that was given stays: its series cannot be taken back.
    labelled: HashSet<Arc<str>>,
}

/// What a tenant is made of.
#[derive(Debug)]
struct Maker {
    url: HttpUrl,
    /// The one place of all tenants, where the URL does not name them.
    place: Option<Arc<Place>>,
    max_held: usize,
    max_labels: usize,
    store: Arc<Store>,
    metrics: Arc<Metrics>,
    defaults: Arc<Rules>,
    limits: Option<Limits>,
}

impl Tenants {
    /// The tenants of `settings`; what `before` remembers of them is kept.
    pub fn new(
        settings: &Settings,
        feeds: &Feeds,
        store: &Arc<Store>,
        metrics: &Arc<Metrics>,
        before: Option<&Self>,
    ) -> Self {
        let tenants = &settings.tenants;
        let mut plans = SharedPlans::default();
        let url = settings.upstream.url.clone();
        let maker = Maker {
            place: if url.has_tenant() { None } else { Place::of(&url, DEFAULT).map(Arc::new) },
            url,
            max_held: settings.upstream.max_held,
            max_labels: settings.max_labels,
            store: Arc::clone(store),
            metrics: Arc::clone(metrics),
            defaults: Arc::new(rules(&tenants.defaults, feeds, &mut plans, None)),
            limits: tenants.defaults.limits,
        };
        let mut listed = HashMap::with_capacity(tenants.list.len());
        let mut owners = HashMap::new();
        for (id, settings) in &tenants.list {
            let old = before.and_then(|before| before.known(id));
            let rules = rules(settings, feeds, &mut plans, old.as_deref());
            owners.extend(rules.tokens.iter().map(|token| (*token.sha256(), Arc::clone(id))));
            if let Some(tenant) = maker.make(id, id, Arc::new(rules), settings.limits.as_ref(), old.as_deref()) {
                listed.insert(Arc::clone(id), Arc::new(tenant));
            }
        }
        let default = listed.get(DEFAULT).cloned().unwrap_or_else(|| {
            let id: Arc<str> = DEFAULT.into();
            let old = before.map(|before| &*before.default);
            let made = maker.make(&id, &id, Arc::clone(&maker.defaults), maker.limits.as_ref(), old);
            Arc::new(made.unwrap_or_else(|| maker.nowhere(&id, old)))
        });
        let size = NonZeroUsize::new(tenants.max_dynamic).unwrap_or(NonZeroUsize::MIN);
        let crowd = before.map_or_else(|| Arc::new(Crowd::new(size)), |before| Arc::clone(&before.crowd));
        crowd.resize(size);
        let stranger = maker.nowhere(&OTHER.into(), before.map(|before| &before.stranger));
        Self { default, listed, owners, unknown: tenants.unknown, maker, crowd, stranger }
    }

    /// The tenant of requests that nothing names.
    pub fn default(&self) -> &Arc<Tenant> {
        &self.default
    }

    /// Whose token has this hash.
    pub fn owner(&self, sha256: &[u8; 32]) -> Option<&str> {
        self.owners.get(sha256).map(|id| &**id)
    }

    /// Shows the tokens, now that these tenants are in force, and nothing more of those `before` that have gone.
    pub fn show_tokens(&self, before: Option<&Self>) {
        let Maker { metrics, .. } = &self.maker;
        let labelled = |tenants: &Self| -> Vec<(Arc<str>, Arc<str>)> {
            let of = |tenant: &Arc<Tenant>| {
                tenant
                    .rules
                    .tokens
                    .iter()
                    .map(|token| (Arc::clone(&tenant.id), Arc::clone(&token.name)))
                    .collect::<Vec<_>>()
            };
            tenants.all().flat_map(of).collect()
        };
        let now: HashSet<_> = labelled(self).into_iter().collect();
        for (tenant, token) in before.map(labelled).unwrap_or_default() {
            // That a series was not there is no fault.
            let _ = metrics.token_expiry.remove_label_values(&[&*tenant, &*token]);
            if !now.contains(&(Arc::clone(&tenant), Arc::clone(&token))) {
                let _ = metrics.token_last_used.remove_label_values(&[&*tenant, &*token]);
            }
        }
        for tenant in self.all() {
            for token in &tenant.rules.tokens {
                let labels = [&*tenant.id, &*token.name];
                if let Some(expires) = token.expires() {
                    metrics.token_expiry.with_label_values(&labels).set(expires.unix);
                }
                token.show(metrics.token_last_used.with_label_values(&labels));
            }
        }
    }

    /// Every listed tenant and `default`.
    pub fn all(&self) -> impl Iterator<Item = &Arc<Tenant>> {
        let default = (!self.listed.contains_key(DEFAULT)).then_some(&self.default);
        self.listed.values().chain(default)
    }

    /// Tenants that are remembered without being listed, so many, those used last.
    pub fn remembered(&self, most: usize) -> Vec<Arc<Tenant>> {
        let is_listed = |id: &Arc<str>| self.listed.contains_key(id);
        let crowd = self.crowd.lock();
        crowd.known.iter().filter(|(id, _)| !is_listed(id)).take(most).map(|(_, tenant)| Arc::clone(tenant)).collect()
    }

    /// One of them; to be asked is no use.
    pub fn recall(&self, id: &str) -> Option<Arc<Tenant>> {
        self.crowd.lock().known.peek(id).cloned()
    }

    /// Whether a legal name is a tenant's.
    pub fn is_known(&self, id: &str) -> bool {
        self.listed.contains_key(id) || (self.unknown == UnknownTenant::Defaults && is_tenant_id(id))
    }

    /// The tenant of a legal name; one that is not listed is remembered, where the settings want that and the caller is
    /// welcome by the addresses that the defaults allow. Who is not takes no label and no place from others.
    pub fn find(&self, id: &str, is_welcome: impl FnOnce(&Allowlist) -> bool) -> Option<Arc<Tenant>> {
        if let Some(tenant) = self.listed.get(id) {
            return Some(Arc::clone(tenant));
        }
        match self.unknown {
            UnknownTenant::Defaults => self.dynamic(id, is_welcome),
            UnknownTenant::Reject => None,
        }
    }

    fn known(&self, id: &str) -> Option<Arc<Tenant>> {
        let default = || (id == DEFAULT).then(|| Arc::clone(&self.default));
        self.listed.get(id).cloned().or_else(|| self.crowd.lock().known.peek(id).cloned()).or_else(default)
    }

    fn dynamic(&self, id: &str, is_welcome: impl FnOnce(&Allowlist) -> bool) -> Option<Arc<Tenant>> {
        let unlisted = |tenant| Arc::new(Tenant { listed: false, ..tenant });
        let mut members = self.crowd.lock();
        let old = members.known.get(id).cloned();
        if let Some(old) = &old {
            old.memory.came(Instant::now());
        }
        if let Some(tenant) = old.as_ref().filter(|old| Arc::ptr_eq(&old.rules, &self.maker.defaults)) {
            return Some(Arc::clone(tenant));
        }
        let name: Arc<str> = old.as_ref().map_or_else(|| id.into(), |old| Arc::clone(&old.id));
        let rules = Arc::clone(&self.maker.defaults);
        if old.is_none() && !is_welcome(&rules.allow) {
            let (label, limits) = (&self.stranger.label, self.maker.limits.as_ref());
            return self.maker.make(&name, label, rules, limits, Some(&self.stranger)).map(unlisted);
        }
        let label = members.label(&name, &self.maker);
        let tenant = self.maker.make(&name, &label, rules, self.maker.limits.as_ref(), old.as_deref())?;
        let tenant = unlisted(tenant);
        members.make_room();
        members.known.push(name, Arc::clone(&tenant));
        self.maker.metrics.dynamic_tenants.set(i64::try_from(members.known.len()).unwrap_or(i64::MAX));
        Some(tenant)
    }
}

impl Crowd {
    fn new(size: NonZeroUsize) -> Self {
        // Not with its capacity: ten thousand are a bound, and few have so many.
        let mut known = LruCache::unbounded();
        known.resize(size);
        Self(Mutex::new(Members { known, labelled: HashSet::new() }))
    }

    fn resize(&self, size: NonZeroUsize) {
        self.lock().known.resize(size);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Members> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Members {
    /// Forgets who has been away for long, and where it is full who can be forgotten without giving anybody a turn too
    /// many, if there is one among the last.
    fn make_room(&mut self) {
        let now = Instant::now();
        // Nobody else holds it, so none of its requests is under way.
        let idle = |tenant: &Arc<Tenant>| Arc::strong_count(tenant) == 1 && tenant.memory.limiter.is_idle(now);
        while let Some((_, last)) = self.known.peek_lru()
            && last.memory.is_away(now)
            && idle(last)
        {
            self.known.pop_lru();
        }
        if self.known.len() == self.known.cap().get() {
            let victim = self.known.iter().rev().take(LOOKED_AT).find(|(_, tenant)| idle(tenant));
            if let Some(name) = victim.map(|(name, _)| Arc::clone(name)) {
                self.known.pop(&name);
            }
        }
    }

    fn label(&mut self, name: &Arc<str>, maker: &Maker) -> Arc<str> {
        if self.labelled.contains(name) {
            return Arc::clone(name);
        }
        if self.labelled.len() < maker.max_labels {
            self.labelled.insert(Arc::clone(name));
            return Arc::clone(name);
        }
        maker.metrics.tenant_overflow.inc();
        OTHER.into()
    }
}

impl Maker {
    /// `None` where the URL of the app becomes none with this name.
    fn make(
        &self,
        id: &Arc<str>,
        label: &Arc<str>,
        rules: Arc<Rules>,
        limits: Option<&Limits>,
        old: Option<&Tenant>,
    ) -> Option<Tenant> {
        let place = match &self.place {
            Some(place) => Arc::clone(place),
            None => Arc::new(Place::of(&self.url, id)?),
        };
        Some(self.at(place, id, label, rules, limits, old))
    }

    /// A tenant whose app is nowhere; nothing is sent for it.
    fn nowhere(&self, id: &Arc<str>, old: Option<&Tenant>) -> Tenant {
        let place =
            Place { origin: http::Uri::default(), base: String::new(), url: String::new(), own: false, host: None };
        self.at(Arc::new(place), id, id, Arc::clone(&self.defaults), self.limits.as_ref(), old)
    }

    fn at(
        &self,
        place: Arc<Place>,
        id: &Arc<str>,
        label: &Arc<str>,
        rules: Arc<Rules>,
        limits: Option<&Limits>,
        old: Option<&Tenant>,
    ) -> Tenant {
        let memory = if let Some(old) = old {
            old.memory.limiter.reconfigure(limits);
            Arc::clone(&old.memory)
        } else {
            Arc::new(Memory {
                found: OnceLock::new(),
                suggested: AtomicBool::new(false),
                seen: Mutex::default(),
                media_type: Mutex::default(),
                limiter: Limiter::new(&self.store, id, label, limits),
                unlisted: <_>::default(),
                known: <_>::default(),
                held: Arc::default(),
                made: Instant::now(),
                last: AtomicU64::new(0),
            })
        };
        Tenant {
            id: Arc::clone(id),
            label: Arc::clone(label),
            place,
            rules,
            listed: true,
            max_held: self.max_held,
            memory,
        }
    }
}

impl Place {
    fn of(url: &HttpUrl, tenant: &str) -> Option<Self> {
        let origin: http::Uri = url.for_tenant(tenant).parse().ok()?;
        let base = origin.path().trim_end_matches('/').to_owned();
        let own = url.has_tenant();
        let url = format!("{}://{}{base}", origin.scheme_str()?, origin.authority()?);
        let host = host(&origin);
        Some(Self { origin, base, url, own, host })
    }
}

/// The Host field for an origin (RFC 9110 7.2): without who calls, and without the port that its scheme has anyway.
fn host(origin: &http::Uri) -> Option<HeaderValue> {
    let host = origin.host()?;
    let port = origin.port_u16().filter(|port| match origin.scheme_str() {
        Some("https") => *port != 443,
        _ => *port != 80,
    });
    let text = port.map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    HeaderValue::from_str(&text).ok()
}

/// Plans by the settings that they are made of: tenants with equal settings share them.
#[derive(Debug, Default)]
struct SharedPlans(HashMap<usize, Arc<Plans>>);

impl SharedPlans {
    fn of(&mut self, settings: &Arc<PlanSettings>) -> Arc<Plans> {
        let plans = self.0.entry(Arc::as_ptr(settings).addr());
        Arc::clone(plans.or_insert_with(|| Arc::new(Plans::new(Arc::clone(settings)))))
    }
}

fn rules(settings: &settings::Tenant, feeds: &Feeds, plans: &mut SharedPlans, old: Option<&Tenant>) -> Rules {
    let tokens = settings.tokens.iter().map(|token| {
        let before = old.and_then(|old| old.rules.tokens.iter().find(|old| *old.sha256() == token.sha256));
        Token::new(token, before)
    });
    Rules {
        idp: settings.idp,
        plans: plans.of(&settings.plan),
        tokens: tokens.collect(),
        bare_token: settings.bare_token,
        authorization: settings.upstream_authorization.clone(),
        allow: Allowlist::new(&settings.allow, feeds),
    }
}

#[cfg(test)]
mod tests {
    use std::{path::Path, time::Duration};

    use tokio::time;

    use super::*;
    use crate::{
        config::{self, World},
        gate::rate::Class,
    };

    fn tenants(more: &str) -> Tenants {
        let yaml = format!("upstream: {{ url: 'http://app/{{tenant}}/s' }}\nlisten: {{ base_path: /s }}\n{more}");
        let settings = config::read(&yaml, Path::new(""), &World::real()).unwrap().settings;
        let metrics = Arc::new(Metrics::new().unwrap());
        let feeds = Feeds::new(Vec::new(), None, Arc::clone(&metrics));
        Tenants::new(&settings, &feeds, &Arc::new(Store::local(Arc::clone(&metrics))), &metrics, None)
    }

    const TWO: &str = "tenants: { resolve: [{ path: '/{tenant}' }], unknown: defaults, max_dynamic: 2, \
                       defaults: { rate_limit: { writes: { per_second: 0.001, burst: 1 } } } }";

    #[tokio::test(start_paused = true)]
    async fn who_has_spent_a_quota_is_not_forgotten_for_one_that_has_not() {
        let tenants = tenants(TWO);
        let spent = |name| tenants.find(name, |_| true).unwrap().limiter().try_enter(Class::Write).is_none();
        assert!(!spent("busy"));
        tenants.find("idle", |_| true).unwrap();
        tenants.find("idle", |_| true).unwrap();
        for n in 0..10 {
            tenants.find(&format!("new-{n}"), |_| true).unwrap();
            assert!(spent("busy"), "a forgotten bucket is a full one");
        }
        assert_eq!(tenants.crowd.lock().known.len(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn who_has_been_away_for_a_day_makes_room() {
        let tenants = tenants(&TWO.replace("max_dynamic: 2", "max_dynamic: 100"));
        for n in 0..50 {
            tenants.find(&format!("t{n}"), |_| true).unwrap();
        }
        time::advance(Duration::from_secs(86_000)).await;
        tenants.find("t7", |_| true).unwrap();
        time::advance(Duration::from_secs(1000)).await;
        tenants.find("new", |_| true).unwrap();
        let members = tenants.crowd.lock();
        let mut left: Vec<&str> = members.known.iter().map(|(name, _)| &**name).collect();
        left.sort_unstable();
        assert_eq!(left, ["new", "t7"]);
    }

    #[tokio::test]
    async fn each_has_its_place() {
        let tenants = tenants(TWO);
        let place = |name| tenants.find(name, |_| true).map(|tenant| tenant.place.scim("/Users").unwrap().to_string());
        assert_eq!(place("acme").as_deref(), Some("http://app/acme/s/Users"));
        assert_eq!(place("a..b").as_deref(), Some("http://app/a..b/s/Users"));
        let place = &tenants.find("acme", |_| true).unwrap().place;
        for (uri, holds) in
            [("/acme/s", true), ("/acme/s/Users/", true), ("/acme/sx", false), ("/globex/s/Users", false)]
        {
            assert_eq!(place.holds(&uri.parse().unwrap()), holds, "{uri}");
        }
    }
}
