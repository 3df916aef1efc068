//! One customer's connection: what holds for it, and what is remembered about it.
//!
//! What holds ([`Rules`]) is made anew when the settings change; what is remembered ([`Memory`]) stays. Dynamic tenants
//! share one set of rules, so that one of them costs little more than its memory.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime},
};

use http::{HeaderMap, HeaderValue, Uri, header};
use tokio::time::Instant;

use super::{
    Caller, Judged, Refused, Room,
    allow::{Allowlist, Verdict},
    known::Known,
    rate::Limiter,
    token::{self, Authorization, Token},
    unlisted::{Sighting, Unlisted},
};
use crate::{
    config::settings::AllowMode,
    feed::Feeds,
    observe::Metrics,
    quirk::{Idp, Plan, PlanSettings},
};

/// A tenant as a request meets it.
#[derive(Debug)]
pub struct Tenant {
    /// Its name.
    pub id: Arc<str>,
    /// The metric label: the name, or `_other`.
    pub label: Arc<str>,
    /// It stands in the configuration, or is `default`.
    pub listed: bool,
    /// Where the app is for it.
    pub place: Arc<Place>,
    pub(super) rules: Arc<Rules>,
    pub(super) max_held: usize,
    pub(super) memory: Arc<Memory>,
}

/// What the settings say of a tenant.
#[derive(Debug)]
pub struct Rules {
    pub(super) idp: Idp,
    pub(super) plans: Arc<Plans>,
    pub(super) tokens: Vec<Token>,
    pub(super) bare_token: bool,
    pub(super) authorization: Option<HeaderValue>,
    pub(super) allow: Allowlist,
}

/// What is remembered of a tenant, also through a reload.
#[derive(Debug)]
pub struct Memory {
    /// The profile that a User-Agent told; kept, so that it does not flip.
    pub(super) found: OnceLock<Idp>,
    /// Whether the operator has been told what the traffic looks like.
    pub(super) suggested: AtomicBool,
    /// Collections that have answered 200.
    pub(super) seen: Mutex<BTreeSet<&'static str>>,
    /// The one media type of bodies that the app reads, where it has refused the other.
    pub(super) media_type: Mutex<Option<&'static str>>,
    pub(super) limiter: Limiter,
    pub(super) unlisted: Unlisted,
    pub(super) known: Known,
    /// Those that wait for an app that is away.
    pub(super) held: Arc<AtomicUsize>,
    pub(super) made: Instant,
    /// When it last came, in seconds after that.
    pub(super) last: AtomicU64,
}

impl Memory {
    /// An IdP that has not called for so long begins with full buckets anyway: Entra comes every 40 minutes, others more
    /// often, and one in quarantine once a day.
    const AWAY: Duration = Duration::from_secs(86_400);

    pub(super) fn came(&self, now: Instant) {
        self.last.store(now.saturating_duration_since(self.made).as_secs(), Ordering::Relaxed);
    }

    pub(super) fn is_away(&self, now: Instant) -> bool {
        let last = Duration::from_secs(self.last.load(Ordering::Relaxed));
        now.saturating_duration_since(self.made).saturating_sub(last) > Self::AWAY
    }
}

/// Where the app is: `upstream.url`, for one tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Scheme, host and port, and the path of the SCIM base.
    pub origin: Uri,
    /// The path of the SCIM base, without a slash at the end.
    pub base: String,
    /// The app's idea of its own base.
    pub url: String,
    /// Whether it is this tenant's alone.
    pub own: bool,
    /// What the app's Host field says; `None` where the origin cannot be one.
    pub host: Option<HeaderValue>,
}

impl Place {
    /// Where a SCIM target is in the app.
    pub fn scim(&self, target: &str) -> Option<Uri> {
        self.at(&[&self.base, target].concat())
    }

    /// A path of the app's origin.
    pub fn at(&self, path: &str) -> Option<Uri> {
        let mut parts = self.origin.clone().into_parts();
        parts.path_and_query =
            Some(if path.starts_with('/') { path.parse() } else { format!("/{path}").parse() }.ok()?);
        Uri::from_parts(parts).ok()
    }

    /// Whether `uri`, which is of the same origin, is within what is this tenant's.
    pub fn holds(&self, uri: &Uri) -> bool {
        !self.own || uri.path().strip_prefix(&*self.base).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

/// The plans of one set of quirk settings, each made when it is first needed.
#[derive(Debug)]
pub struct Plans {
    settings: Arc<PlanSettings>,
    made: [OnceLock<Arc<Plan>>; Idp::ALL.len()],
}

impl Tenant {
    /// The profile in force; `Auto` while no User-Agent has told.
    pub fn idp(&self) -> Idp {
        match self.rules.idp {
            Idp::Auto => self.memory.found.get().copied().unwrap_or(Idp::Auto),
            configured => configured,
        }
    }

    /// What is fixed for a request, and the profile that its User-Agent tells where none is known yet: it holds for
    /// this request, and for the tenant once [`Tenant::settle`] is told so.
    pub fn plan_for(&self, headers: &HeaderMap) -> (Arc<Plan>, Option<Idp>) {
        let agent = || headers.get(header::USER_AGENT)?.to_str().ok();
        let told = if self.idp() == Idp::Auto { agent().and_then(Idp::from_user_agent) } else { None };
        (self.rules.plans.of(told.unwrap_or_else(|| self.idp())), told)
    }

    /// Takes a profile for good, once; true for the first. To be called for a caller that the app has served: anybody
    /// can write a User-Agent.
    pub fn settle(&self, idp: Idp) -> bool {
        self.rules.idp == Idp::Auto && self.memory.found.set(idp).is_ok()
    }

    /// True once in the life of a tenant whose profile is not known: the time to suggest one.
    pub fn suggests(&self) -> bool {
        self.idp() == Idp::Auto && !self.memory.suggested.swap(true, Ordering::Relaxed)
    }

    /// Whether this collection has answered 200 before.
    pub fn has_seen(&self, collection: &'static str) -> bool {
        self.memory.seen.lock().unwrap_or_else(PoisonError::into_inner).contains(collection)
    }

    /// The media type of bodies that the app was found to read, having refused the other.
    pub fn media_type(&self) -> Option<&'static str> {
        *self.memory.media_type.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers that media type.
    pub fn reads(&self, media_type: &'static str) {
        *self.memory.media_type.lock().unwrap_or_else(PoisonError::into_inner) = Some(media_type);
    }

    /// Remembers that this collection answers 200.
    pub fn saw(&self, collection: &'static str) {
        self.memory.seen.lock().unwrap_or_else(PoisonError::into_inner).insert(collection);
    }

    /// Its rates and concurrency.
    pub fn limiter(&self) -> &Limiter {
        &self.memory.limiter
    }

    /// Its identity provider, as far as it is known.
    pub fn known(&self) -> &Known {
        &self.memory.known
    }

    /// Its callers show tokens of ours; else the app judges their credentials.
    pub fn has_tokens(&self) -> bool {
        !self.rules.tokens.is_empty()
    }

    /// Addresses on no list that called of late.
    pub fn unlisted(&self) -> Vec<Sighting> {
        self.memory.unlisted.list()
    }

    /// Room to wait for an app that is away, if there is any.
    pub fn hold(&self) -> Option<Room> {
        Room::take(&self.memory.held, self.max_held)
    }

    /// The same in the place of another request, which is about to leave it.
    pub fn hold_instead(&self) -> Room {
        Room::beyond(&self.memory.held)
    }

    /// What goes to the app in place of the IdP's Authorization header. Only where the caller has shown a token of
    /// ours: else the app's own credentials would be lent to anybody.
    pub fn authorization(&self) -> Option<&HeaderValue> {
        self.rules.authorization.as_ref().filter(|_| !self.rules.tokens.is_empty())
    }

    /// Whether any address is looked at.
    pub(super) fn looks_at_addresses(&self) -> bool {
        self.rules.allow.mode() != AllowMode::Off
    }

    /// Address, then token.
    pub(super) fn admit(
        &self,
        caller: &Caller,
        authorization: &Authorization<'_>,
        feeds: &Feeds,
        now: SystemTime,
        metrics: &Metrics,
    ) -> Judged {
        let rules = &self.rules;
        if rules.tokens.is_empty() {
            let (listed, outcome) = self.judge(caller, feeds, now, false, metrics);
            return Judged { token: None, listed, outcome };
        }
        // Looked at also where the address is refused, to count who would have been let in: most likely the IdP, from
        // an address that is missing on its list.
        let token = token::check(&rules.tokens, authorization.presented(rules.bare_token), now);
        let name = token.as_ref().ok().map(|token| Arc::clone(&token.name));
        let (listed, welcome) = self.judge(caller, feeds, now, token.is_ok(), metrics);
        let outcome = welcome.and_then(|()| {
            token?.used(now);
            Ok(())
        });
        Judged { token: name, listed, outcome }
    }

    /// The address alone: whether it is listed, and whether it may come in.
    pub(super) fn judge(
        &self,
        caller: &Caller,
        feeds: &Feeds,
        now: SystemTime,
        valid_token: bool,
        metrics: &Metrics,
    ) -> (bool, Result<(), Refused>) {
        let allow = &self.rules.allow;
        if allow.mode() == AllowMode::Off {
            return (false, Ok(()));
        }
        let enforced = allow.mode() == AllowMode::Enforce;
        let (decision, refused) = match (allow.judge(caller.address, || feeds.now()), caller.address) {
            (Verdict::Listed, _) => ("listed", None),
            (Verdict::Unknown, _) | (_, None) => ("address_unknown", Some(Refused::AddressUnknown)),
            (Verdict::NotReady, Some(_)) => ("feed_not_ready", Some(Refused::Feed)),
            (Verdict::Unlisted, Some(address)) if enforced => ("refused", Some(Refused::Address(address))),
            (Verdict::Unlisted, Some(_)) => ("would_refuse", None),
        };
        metrics.allowlist_decisions.with_label_values(&[&*self.label, decision]).inc();
        if decision != "listed" {
            self.note(caller, valid_token, enforced, now, metrics);
        }
        (decision == "listed", refused.filter(|_| enforced).map_or(Ok(()), Err))
    }

    /// An address that is on no list.
    fn note(&self, caller: &Caller, valid_token: bool, enforced: bool, now: SystemTime, metrics: &Metrics) {
        let Some(address) = caller.address else { return };
        if valid_token {
            metrics.allowlist_decisions.with_label_values(&[&*self.label, "unlisted_valid_token"]).inc();
        }
        if let Some(untold) = self.memory.unlisted.note(address, valid_token, now) {
            let tenant = &*self.id;
            let untold = (untold > 0).then_some(untold);
            if enforced {
                tracing::warn!(
                    tenant,
                    %address,
                    valid_token,
                    untold,
                    "address is on no list of this tenant, and is refused"
                );
            } else {
                tracing::warn!(
                    tenant,
                    %address,
                    valid_token,
                    untold,
                    "address is on no list of this tenant; `enforce` would refuse it"
                );
            }
        }
    }
}

impl Plans {
    /// None made yet.
    pub fn new(settings: Arc<PlanSettings>) -> Self {
        Self { settings, made: std::array::from_fn(|_| OnceLock::new()) }
    }

    fn of(&self, idp: Idp) -> Arc<Plan> {
        let index = Idp::ALL.iter().position(|known| *known == idp).unwrap_or_default();
        Arc::clone(self.made[index].get_or_init(|| Arc::new(Plan::new(&self.settings, idp))))
    }
}
