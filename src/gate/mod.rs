//! May this caller come in, and now? Whose connection is it, from where, with which token, how fast.
//!
//! The order is that of the refusals: tenant, address, token, then rate and concurrency, all before a byte of the body
//! is read. Every decision is synchronous, with the time handed in; only waiting for one's turn under a rate is not.
//!
//! A tenant's plan, bucket, tokens and place in the app hang on one [`Tenant`], which is found once per request: there
//! is no second look-up by name that could find another.

pub mod address;
pub mod allow;
pub mod known;
pub mod rate;
pub mod resolve;
pub mod tenant;
pub mod tenants;
pub mod token;
pub mod unlisted;

use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicUsize, Ordering},
    },
    time::SystemTime,
};

use http::HeaderMap;

pub use self::{address::Caller, tenant::Tenant};
use self::{
    allow::{Allowlist, Verdict},
    resolve::{Evidence, Named, Resolver},
    tenants::Tenants,
    token::{Authorization, Presented},
};
use crate::{
    config::{
        Settings,
        settings::{AddressFrom, AllowMode, ClientAddress},
    },
    feed::Feeds,
    observe::Metrics,
};

/// Why a caller may not come in now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// `enforce`, and the address is on no list.
    #[error(
        "requests from {0} are not allowed for this connection; if this is the identity provider, its address has to be \
         added to the allowlist of the provisioning gateway"
    )]
    Address(IpAddr),
    /// `enforce`, and there is no address to be judged.
    #[error(
        "the provisioning gateway cannot tell from which address this request comes, because of how the proxies before \
         it are set up; send it again after the wait"
    )]
    AddressUnknown,
    /// `enforce`, and the lists are not good enough to refuse by.
    #[error(
        "the provisioning gateway has no current list of the identity provider's addresses; send this request again \
         after the wait"
    )]
    Feed,
    /// More requests in flight than `listen.limits.in_flight`.
    #[error("the provisioning gateway has too many requests in flight; send this one again after the wait")]
    Overload,
    /// Over the tenant's rate or concurrency after the allowed wait.
    #[error(transparent)]
    Rate(#[from] rate::Refused),
    /// No tenant of that name.
    #[error("there is no connection of this name here; check the URL in the identity provider's provisioning settings")]
    Tenant,
    /// The token.
    #[error(transparent)]
    Token(#[from] token::Refused),
}

/// What was decided about a caller.
#[derive(Debug)]
pub struct Judged {
    /// The token that was shown, if it is a good one; also where the address is refused: then it is most likely the IdP.
    pub token: Option<Arc<str>>,
    /// The address is on a list of the tenant.
    pub listed: bool,
    /// Whether the caller may come in.
    pub outcome: Result<(), Refused>,
}

/// Decides who comes in; one for each set of settings.
#[derive(Debug)]
pub struct Gate {
    resolver: Resolver,
    rules: ClientAddress,
    tenants: Tenants,
    feeds: Arc<Feeds>,
    metrics: Arc<Metrics>,
    limit: usize,
    shared: Arc<Shared>,
}

/// What is counted across settings.
#[derive(Debug, Default)]
struct Shared {
    in_flight: Arc<AtomicUsize>,
    /// Requests in a row from addresses that no caller from the internet has.
    private: AtomicU32,
}

/// Never warned again.
const SETTLED: u32 = u32::MAX;

/// A health check or an operator's curl may come first; after so many the proxy before us hides who calls.
const PRIVATE: u32 = 10;

impl Gate {
    /// The gate for `settings`. What `before` counts and remembers goes on.
    pub fn new(
        settings: &Settings,
        feeds: &Arc<Feeds>,
        store: &Arc<rate::Store>,
        metrics: &Arc<Metrics>,
        before: Option<&Self>,
    ) -> Self {
        let tenants = Tenants::new(settings, feeds, store, metrics, before.map(|before| &before.tenants));
        let shared: Arc<Shared> = before.map_or_else(<_>::default, |before| Arc::clone(&before.shared));
        let hidden = settings.listen.client_address.from == AddressFrom::Peer
            && settings.listen.client_address.trusted_proxies.is_empty()
            && (tenants.all().any(|tenant| tenant.looks_at_addresses()));
        shared.private.store(if hidden { 0 } else { SETTLED }, Ordering::Relaxed);
        Self {
            resolver: Resolver::new(&settings.tenants.resolve),
            rules: settings.listen.client_address.clone(),
            tenants,
            feeds: Arc::clone(feeds),
            metrics: Arc::clone(metrics),
            limit: settings.listen.limits.in_flight,
            shared,
        }
    }

    /// Who is calling. The headers must be as they came.
    pub fn caller(&self, peer: Option<IpAddr>, tls: bool, headers: &HeaderMap) -> Caller {
        let caller = address::caller(&self.rules, peer, tls, headers);
        self.watch(caller.address);
        caller
    }

    /// To be called once these settings are in force: metrics show their tokens and no others.
    pub fn takes_over(&self, before: Option<&Self>) {
        self.tenants.show_tokens(before.map(|before| &before.tenants));
    }

    /// How tenants are named.
    pub fn resolver(&self) -> &Resolver {
        &self.resolver
    }

    /// Every listed tenant and `default`.
    pub fn tenants(&self) -> impl Iterator<Item = &Arc<Tenant>> {
        self.tenants.all()
    }

    /// Tenants that are remembered without being listed, so many, those used last.
    pub fn remembered(&self, most: usize) -> Vec<Arc<Tenant>> {
        self.tenants.remembered(most)
    }

    /// One of them; to be asked is no use.
    pub fn recall(&self, id: &str) -> Option<Arc<Tenant>> {
        self.tenants.recall(id)
    }

    /// The tenant of requests outside SCIM, where they pass.
    pub fn outside(&self) -> &Arc<Tenant> {
        self.tenants.default()
    }

    /// An app of any tenant, to see whether it is there.
    pub fn anywhere(&self) -> &http::Uri {
        let first = self.tenants().min_by_key(|tenant| (&*tenant.id == tenants::DEFAULT, Arc::clone(&tenant.id)));
        &first.unwrap_or(self.tenants.default()).place.origin
    }

    /// Whose connection this is.
    ///
    /// # Errors
    /// No such tenant; or no token, where only that could have named one.
    pub fn tenant(
        &self,
        evidence: &Evidence<'_>,
        caller: &Caller,
        authorization: &Authorization<'_>,
    ) -> Result<Arc<Tenant>, Refused> {
        let is_welcome = |allow: &Allowlist| {
            allow.mode() != AllowMode::Enforce || allow.judge(caller.address, || self.feeds.now()) == Verdict::Listed
        };
        // Whether a token may stand without a scheme is a tenant's setting, and here no tenant is known yet.
        let presented = || authorization.presented(false).or_else(|| self.bare(authorization));
        let by_token = || self.tenants.owner(&presented()?.0);
        match self.resolver.resolve(evidence, by_token, |name| self.tenants.is_known(name)) {
            Named::Default => Ok(Arc::clone(self.tenants.default())),
            Named::Nobody => Err(Refused::Tenant),
            Named::Tenant(id) => self.tenants.find(&id, is_welcome).ok_or(Refused::Tenant),
            Named::Tokenless if presented().is_some() => Err(token::Refused::Unknown.into()),
            Named::Tokenless => Err(token::Refused::Missing.into()),
        }
    }

    /// A token without a scheme, if it is of a tenant that takes it so.
    fn bare(&self, authorization: &Authorization<'_>) -> Option<Presented> {
        let presented = authorization.presented(true)?;
        let owner = self.tenants.owner(&presented.0)?;
        self.tenants.find(owner, |_| true).filter(|tenant| tenant.rules.bare_token).map(|_| presented)
    }

    /// Lets a caller of `tenant` in by address and token, or says why not; and the name of the token, if it is good.
    pub fn admit(&self, tenant: &Tenant, caller: &Caller, authorization: &Authorization<'_>) -> Judged {
        tenant.admit(caller, authorization, &self.feeds, SystemTime::now(), &self.metrics)
    }

    /// Lets a caller in by address alone, as requests outside SCIM are.
    ///
    /// # Errors
    /// The address.
    pub fn admit_outside(&self, caller: &Caller) -> Result<(), Refused> {
        self.outside().judge(caller, &self.feeds, SystemTime::now(), false, &self.metrics).1
    }

    /// Room for one more request.
    ///
    /// # Errors
    /// Over `listen.limits.in_flight`.
    pub fn room(&self) -> Result<Room, Refused> {
        Room::take(&self.shared.in_flight, self.limit).ok_or(Refused::Overload)
    }

    /// Says once that the callers' addresses are hidden behind something that nobody has named.
    fn watch(&self, address: Option<IpAddr>) {
        let private = &self.shared.private;
        if private.load(Ordering::Relaxed) == SETTLED {
            return;
        }
        let Some(address) = address else { return };
        if !address::is_private(address) {
            private.store(SETTLED, Ordering::Relaxed);
        } else if private.fetch_add(1, Ordering::Relaxed) == PRIVATE - 1 {
            private.store(SETTLED, Ordering::Relaxed);
            tracing::warn!(
                %address,
                "every request so far came from a private address, so a proxy or SNAT hides the callers and allowlists \
                 see only that; name the proxy in `listen.client_address.trusted_proxies` and set `from: \
                 x-forwarded-for`, or use the PROXY protocol, or `externalTrafficPolicy: Local`"
            );
        }
    }
}

/// One of so many, such as the requests in flight, until it is dropped.
#[derive(Debug)]
pub struct Room(Arc<AtomicUsize>);

impl Room {
    pub(crate) fn take(in_flight: &Arc<AtomicUsize>, limit: usize) -> Option<Self> {
        let room = Self(Arc::clone(in_flight));
        (in_flight.fetch_add(1, Ordering::Relaxed) < limit).then_some(room)
    }

    /// Whatever the limit is.
    fn beyond(in_flight: &Arc<AtomicUsize>) -> Self {
        in_flight.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(in_flight))
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::{
        config::{self, World},
        observe::log::caught::Log,
    };

    fn gate(yaml: &str) -> Gate {
        let yaml = format!("upstream: {{ url: 'http://app/s' }}\n{yaml}");
        let settings = config::read(&yaml, Path::new(""), &World::real()).unwrap().settings;
        let metrics = Arc::new(Metrics::new().unwrap());
        let feeds = Feeds::new(Vec::new(), None, Arc::clone(&metrics));
        Gate::new(&settings, &feeds, &Arc::new(rate::Store::local(Arc::clone(&metrics))), &metrics, None)
    }

    /// How often it is said that callers are hidden, when these call.
    fn warned(yaml: &str, callers: &[&str]) -> usize {
        let (gate, log) = (gate(yaml), Log::catch());
        for caller in callers {
            gate.caller(Some(caller.parse().unwrap()), false, &HeaderMap::new());
        }
        log.text().matches("every request so far came from a private address").count()
    }

    #[test]
    fn hidden_callers_are_said_once() {
        const LOOKS: &str = "tenants: { defaults: { allow: { cidrs: [192.0.2.0/24] } } }";
        let private = ["10.0.0.7"; 50];
        assert_eq!(warned(LOOKS, &private), 1);
        assert_eq!(warned(LOOKS, &private[..9]), 0, "a probe or two say nothing");
        assert_eq!(warned(LOOKS, &[&["192.0.2.1"][..], &private].concat()), 0);
        assert_eq!(warned("", &private), 0, "nobody looks at addresses");
        let trusts = format!("{LOOKS}\nlisten: {{ client_address: {{ trusted_proxies: [10.0.0.0/8] }} }}");
        assert_eq!(warned(&trusts, &private), 0);
    }

    #[test]
    fn room_is_given_back() {
        let in_flight = Arc::default();
        let room = Room::take(&in_flight, 1);
        assert!(room.is_some() && Room::take(&in_flight, 1).is_none());
        drop(room);
        assert!(Room::take(&in_flight, 1).is_some());
    }
}
