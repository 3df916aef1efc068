//! May this caller come in, and now?
//!
//! The seam where admission stands: address, token and rate will be asked here, before a byte of the body is read.
//! Today there is one tenant and one bound, the requests in flight. Decisions are synchronous; nothing waits here.

pub mod rate;

use std::{
    collections::BTreeSet,
    net::IpAddr,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use http::{header, request::Parts};

use crate::{
    config::{Settings, settings},
    quirk::{Idp, Plan},
};

/// Why a caller may not come in now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// More requests in flight than `listen.limits.in_flight`.
    #[error("the provisioning gateway has too many requests in flight; send this one again after the wait")]
    Overload,
}

/// Decides who comes in; one for the life of a shim.
#[derive(Debug)]
pub struct Gate {
    tenant: Arc<Tenant>,
    in_flight: Arc<AtomicUsize>,
    limit: usize,
}

/// A caller that came in. Dropping it makes room for the next.
#[derive(Debug)]
pub struct Admitted {
    /// Whose connection this is.
    pub tenant: Arc<Tenant>,
    /// What is fixed for it.
    pub plan: Arc<Plan>,
    /// Set once in the life of a tenant: the profile that `idp: auto` has just found.
    pub detected: Option<Idp>,
    room: Room,
}

/// One customer's connection, and what is remembered about it.
#[derive(Debug)]
pub struct Tenant {
    /// Its id, the metric label.
    pub id: Arc<str>,
    /// One plan per profile in the order of [`Idp::ALL`], made once.
    plans: Vec<Arc<Plan>>,
    /// The profile; for `auto` empty until a User-Agent tells, and then kept.
    idp: OnceLock<Idp>,
    /// Whether the operator has been told what the traffic looks like.
    suggested: AtomicBool,
    /// Collections that have answered 200.
    seen: Mutex<BTreeSet<&'static str>>,
}

impl Gate {
    /// The gate for `settings`.
    pub fn new(settings: &Settings) -> Self {
        Self {
            tenant: Arc::new(Tenant::new("default", &settings.tenants.defaults)),
            in_flight: Arc::default(),
            limit: settings.listen.limits.in_flight,
        }
    }

    /// Lets a request in, or says why not.
    ///
    /// # Errors
    /// Over `listen.limits.in_flight`.
    pub fn admit(&self, parts: &Parts, _peer: IpAddr) -> Result<Admitted, Refused> {
        let room = Room::take(&self.in_flight, self.limit).ok_or(Refused::Overload)?;
        let tenant = Arc::clone(&self.tenant);
        let detected = tenant.detect(parts);
        let plan = tenant.plan();
        Ok(Admitted { tenant, plan, detected, room })
    }
}

impl Admitted {
    /// What must live until the answer has gone out.
    pub fn into_room(self) -> Room {
        self.room
    }
}

impl Tenant {
    fn new(id: &str, settings: &settings::Tenant) -> Self {
        let idp = OnceLock::new();
        if settings.idp != Idp::Auto {
            let _ = idp.set(settings.idp);
        }
        Self {
            id: id.into(),
            plans: Idp::ALL.iter().map(|idp| Arc::new(Plan::new(&settings.plan, *idp))).collect(),
            idp,
            suggested: AtomicBool::new(false),
            seen: Mutex::default(),
        }
    }

    /// The profile in force; `Auto` while no User-Agent has told.
    pub fn idp(&self) -> Idp {
        self.idp.get().copied().unwrap_or(Idp::Auto)
    }

    /// True once in the life of a tenant whose profile is not known: the time to suggest one.
    pub fn suggests(&self) -> bool {
        self.idp() == Idp::Auto && !self.suggested.swap(true, Ordering::Relaxed)
    }

    /// Whether this collection has answered 200 before.
    pub fn has_seen(&self, collection: &'static str) -> bool {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).contains(collection)
    }

    /// Remembers that this collection answers 200.
    pub fn saw(&self, collection: &'static str) {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).insert(collection);
    }

    fn plan(&self) -> Arc<Plan> {
        let idp = self.idp();
        let index = Idp::ALL.iter().position(|known| *known == idp).unwrap_or_default();
        Arc::clone(&self.plans[index])
    }

    /// Takes the profile from the User-Agent, once; `Some` only for the request that settled it.
    fn detect(&self, parts: &Parts) -> Option<Idp> {
        if self.idp.get().is_some() {
            return None;
        }
        let agent = parts.headers.get(header::USER_AGENT)?.to_str().ok()?;
        let idp = Idp::from_user_agent(agent)?;
        self.idp.set(idp).ok().map(|()| idp)
    }
}

/// One of the requests in flight.
#[derive(Debug)]
pub struct Room(Arc<AtomicUsize>);

impl Room {
    fn take(in_flight: &Arc<AtomicUsize>, limit: usize) -> Option<Self> {
        let room = Self(Arc::clone(in_flight));
        (in_flight.fetch_add(1, Ordering::Relaxed) < limit).then_some(room)
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;

    fn tenant(idp: Idp) -> Tenant {
        let mut settings = config::from_upstream("http://app/").unwrap().settings.tenants.defaults;
        Arc::make_mut(&mut settings).idp = idp;
        Tenant::new("default", &settings)
    }

    fn agent(agent: &str) -> Parts {
        http::Request::builder().header(header::USER_AGENT, agent).body(()).unwrap().into_parts().0
    }

    #[test]
    fn a_profile_once_found_does_not_flip() {
        let tenant = tenant(Idp::Auto);
        assert_eq!(tenant.plan().idp(), Idp::Generic);
        assert_eq!(tenant.detect(&agent("curl/8")), None);
        assert_eq!(tenant.detect(&agent("Okta SCIM Client 1.0.0")), Some(Idp::Okta));
        assert_eq!(tenant.detect(&agent("Google-Auto-Provisioning")), None);
        assert_eq!(tenant.plan().idp(), Idp::Okta);
    }

    #[test]
    fn a_profile_is_suggested_once_and_only_where_none_is_known() {
        let unknown = tenant(Idp::Auto);
        assert!(unknown.suggests() && !unknown.suggests());
        assert!(!tenant(Idp::Generic).suggests());
    }

    #[test]
    fn a_configured_profile_is_not_looked_for() {
        let tenant = tenant(Idp::Entra);
        assert_eq!(tenant.detect(&agent("Okta SCIM Client 1.0.0")), None);
        assert_eq!(tenant.plan().idp(), Idp::Entra);
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
