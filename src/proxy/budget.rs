//! Memory for bodies: how much all of them may take at once, and who waits for it.
//!
//! A body is held whole while it is read, walked and given on, so that many large ones at once are what can end a
//! process, for every tenant. Before one is read it takes a share of what there is. Who finds none waits, in order, for
//! half of the deadline at most: what is refused then has not been given to anybody. One tenant has at most half, so that
//! nobody else waits because of it alone.
//!
//! What IdPs send as a rule is below [`FREE`] and waits for nothing; `listen.limits.in_flight` bounds how many of those
//! there are.
//!
//! The choice not taken: to count bytes as they come. Bodies that are half there and wait for the rest of their memory can
//! hold all of it, and wait for each other.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Instant,
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time,
};

use crate::observe::memory;

/// A body of up to so many bytes takes no share.
pub(crate) const FREE: usize = 16 << 10;

/// What a body costs at most while it is walked: itself, its tape, and the text that goes on (`tests/memory.rs`).
const TIMES: usize = 3;

/// What shares are counted in, in bytes.
const UNIT: usize = 1 << 10;

/// What there is, half of it for each direction: an exchange holds what was asked while it waits for room for the answer,
/// so those who hold the one must not be who takes the other.
#[derive(Debug)]
pub(crate) struct Budgets {
    pub(crate) requests: Budget,
    pub(crate) answers: Budget,
}

impl Budgets {
    /// What this process may have for bodies.
    pub(crate) fn of_process() -> Self {
        let bytes = memory::limit().map_or(u64::MAX, memory::for_bodies) / 2;
        Self { requests: Budget::new(bytes), answers: Budget::new(bytes) }
    }
}

/// Of one direction.
#[derive(Debug)]
pub(crate) struct Budget {
    all: Arc<Semaphore>,
    /// What one tenant may have, in units.
    most: usize,
    tenants: Mutex<HashMap<Arc<str>, Weak<Semaphore>>>,
}

/// Memory that a body has, until it is dropped.
#[derive(Debug)]
pub(crate) struct Share {
    _all: OwnedSemaphorePermit,
    _own: OwnedSemaphorePermit,
}

impl Budget {
    /// So many bytes.
    fn new(bytes: u64) -> Self {
        let units = usize::try_from(bytes / UNIT as u64).unwrap_or(usize::MAX);
        // Permits are asked for in a `u32`.
        let units = units.clamp(2, Semaphore::MAX_PERMITS.min(u32::MAX as usize));
        Self { all: Arc::new(Semaphore::new(units)), most: units / 2, tenants: Mutex::default() }
    }

    /// Memory for a body of `bytes`, at once or when there is some; `None` if there is none until `until`. What is larger
    /// than all that its tenant may have gets all of that.
    pub(crate) async fn share(&self, tenant: &Arc<str>, bytes: usize, until: Instant) -> Option<Share> {
        let units = bytes.saturating_mul(TIMES).div_ceil(UNIT).min(self.most);
        let units = u32::try_from(units).unwrap_or(u32::MAX);
        let own = self.own(tenant);
        let take = async {
            // The tenant's first: who waits for its own others must not stand before somebody else.
            let own = own.acquire_many_owned(units).await.ok()?;
            let all = Arc::clone(&self.all).acquire_many_owned(units).await.ok()?;
            Some(Share { _all: all, _own: own })
        };
        time::timeout_at(until.into(), take).await.ok()?
    }

    /// What is counted of a tenant, as long as anything is.
    fn own(&self, tenant: &Arc<str>) -> Arc<Semaphore> {
        let mut tenants = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = tenants.get(tenant).and_then(Weak::upgrade) {
            return own;
        }
        tenants.retain(|_, own| own.strong_count() > 0);
        let own = Arc::new(Semaphore::new(self.most));
        tenants.insert(Arc::clone(tenant), Arc::downgrade(&own));
        own
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// In 600 KiB one tenant has 300, which is one body of 100.
    const BUDGET: u64 = 600 << 10;
    const BODY: usize = 100 << 10;

    fn tenant(name: &str) -> Arc<str> {
        Arc::from(name)
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_millis(20)
    }

    #[tokio::test]
    async fn a_tenant_has_half_and_another_has_the_rest() {
        let budget = Budget::new(BUDGET);
        let (acme, globex) = (tenant("acme"), tenant("globex"));
        let first = budget.share(&acme, BODY, soon()).await;
        assert!(first.is_some());
        assert!(budget.share(&acme, 1, soon()).await.is_none(), "its half is taken");
        assert!(budget.share(&globex, BODY, soon()).await.is_some());
        drop(first);
        assert!(budget.share(&acme, BODY, soon()).await.is_some(), "it is given back");
    }

    #[tokio::test]
    async fn one_that_is_larger_than_everything_goes_alone() {
        let budget = Budget::new(BUDGET);
        let acme = tenant("acme");
        let large = budget.share(&acme, 1 << 30, soon()).await;
        assert!(large.is_some());
        assert!(budget.share(&acme, 1, soon()).await.is_none());
    }

    #[tokio::test]
    async fn nobody_waits_longer_than_told_and_nothing_is_kept_of_them() {
        let budget = Budget::new(BUDGET);
        let (acme, globex, initech) = (tenant("acme"), tenant("globex"), tenant("initech"));
        let shares = [budget.share(&acme, BODY, soon()).await, budget.share(&globex, BODY, soon()).await];
        assert!(budget.share(&initech, BODY, soon()).await.is_none(), "all of it is taken");
        drop(shares);
        assert!(budget.share(&initech, BODY, soon()).await.is_some());
        assert_eq!(budget.all.available_permits(), (BUDGET as usize) / UNIT);
        assert!(budget.tenants.lock().unwrap().len() <= 3);
    }

    #[tokio::test]
    async fn who_waits_is_next() {
        let budget = Arc::new(Budget::new(BUDGET));
        let acme = tenant("acme");
        let first = budget.share(&acme, BODY, soon()).await;
        let (waits, who) = (Arc::clone(&budget), Arc::clone(&acme));
        let until = Instant::now() + Duration::from_secs(30);
        let waiting = tokio::spawn(async move { waits.share(&who, BODY, until).await.is_some() });
        tokio::task::yield_now().await;
        drop(first);
        assert!(waiting.await.unwrap());
    }
}
