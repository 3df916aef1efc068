//! What is kept of a feed: the last good copy, what a new document changes in it, and what may be concluded from it.
//!
//! What a document adds counts at once; what it drops stays for the grace, because publishers take addresses out of a
//! list before the last caller has left them, and some come back. Grace is counted per address and not per entry: when
//! `192.0.2.0/24` becomes `192.0.2.0/25`, the other half leaves, and only that.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use http::HeaderValue;
use ipnet::IpNet;
use serde::Serialize;

use super::{clock::Time, ranges::Ranges, set::AddressSet};

/// How far a feed, or a part of it, can be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// The newest document is in force, and a fetch has succeeded within `stale_after`.
    Fresh,
    /// The newest document was refused; the last good copy is within `stale_after`.
    Rejected,
    /// The last good copy is older than `stale_after`.
    Stale,
    /// There is no good copy.
    NeverLoaded,
}

impl State {
    /// All, from good to bad.
    pub const ALL: [Self; 4] = [Self::Fresh, Self::Rejected, Self::Stale, Self::NeverLoaded];

    /// The metric label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fresh => "fresh",
            Self::NeverLoaded => "never_loaded",
            Self::Rejected => "rejected",
            Self::Stale => "stale",
        }
    }
}

/// What may be told to a caller whose address is in none of the lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readiness {
    /// This feed cannot say who may not call: 503.
    NotReady,
    /// It can: 403.
    Ready,
}

/// One part of a feed, as the gate asks it. Cheap to ask, replaced as a whole when a document is applied.
#[derive(Debug)]
pub struct Part {
    set: ArcSwap<AddressSet>,
    loaded: AtomicBool,
    /// Counted when the set was made: that sorts it, which is no work for a tick.
    addresses: AtomicU64,
    standing: Arc<Standing>,
}

/// What all parts of a feed share: when a fetch last succeeded, and for how long that counts. Milliseconds of [`Time`].
#[derive(Debug, Default)]
pub(super) struct Standing {
    checked: AtomicU64,
    stale_after: AtomicU64,
    rejected: AtomicBool,
}

impl Part {
    pub(super) fn new(standing: Arc<Standing>) -> Self {
        Self { set: ArcSwap::default(), loaded: AtomicBool::new(false), addresses: AtomicU64::new(0), standing }
    }

    /// The entry that holds `address`, what is kept by the grace included. A listed address passes in every state.
    pub fn find(&self, address: std::net::IpAddr) -> Option<IpNet> {
        self.set.load().find(address)
    }

    /// Whether an address that is not found may be refused.
    pub fn readiness(&self, now: Time) -> Readiness {
        match self.state(now) {
            State::Fresh | State::Rejected => Readiness::Ready,
            State::NeverLoaded | State::Stale => Readiness::NotReady,
        }
    }

    /// How far this part can be trusted.
    pub fn state(&self, now: Time) -> State {
        if self.loaded.load(Ordering::Acquire) { self.standing.state(now) } else { State::NeverLoaded }
    }

    /// The entries in force.
    pub fn entries(&self) -> usize {
        self.set.load().len()
    }

    /// Addresses in force, IPv6 by networks of 64 bits.
    pub fn addresses(&self) -> u64 {
        self.addresses.load(Ordering::Relaxed)
    }

    pub(super) fn publish(&self, set: AddressSet, addresses: u64) {
        self.set.store(Arc::new(set));
        self.addresses.store(addresses, Ordering::Relaxed);
        self.loaded.store(true, Ordering::Release);
    }
}

impl Standing {
    pub(super) fn set_stale_after(&self, stale_after: Duration) {
        self.stale_after.store(u64::try_from(stale_after.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    pub(super) fn accepted(&self, at: Time) {
        self.checked.store(at.millis(), Ordering::Release);
        self.rejected.store(false, Ordering::Release);
    }

    pub(super) fn rejected(&self) {
        self.rejected.store(true, Ordering::Release);
    }

    /// The state of what is loaded.
    pub(super) fn state(&self, now: Time) -> State {
        let checked = Time::from_millis(self.checked.load(Ordering::Acquire));
        if now.since(checked).as_millis() > u128::from(self.stale_after.load(Ordering::Relaxed)) {
            State::Stale
        } else if self.rejected.load(Ordering::Acquire) {
            State::Rejected
        } else {
            State::Fresh
        }
    }
}

/// The last good copy of a feed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Held {
    /// Of the document; none where its parts came of several.
    pub(super) sha256: Option<[u8; 32]>,
    /// Of the document in force before it.
    pub(super) before: Option<[u8; 32]>,
    /// When it last came as a whole, and was not only said to be unchanged.
    pub(super) fetched: Time,
    /// When it was last accepted or found unchanged.
    pub(super) checked: Time,
    /// When there last was a document that could be read, believed or not.
    pub(super) read: Time,
    /// The longest time without one between `checked` and `read`.
    pub(super) blind: Duration,
    /// To ask for it only if it has changed.
    pub(super) validators: Validators,
    /// What it says of its own date, Unix time.
    pub(super) dated: Option<u64>,
    /// Azure's count of publications.
    pub(super) change_number: Option<u64>,
    /// Its parts.
    pub(super) parts: BTreeMap<Arc<str>, Kept>,
}

impl Held {
    /// For how long no document could be read since this copy was last found good.
    pub(super) fn blind(&self, now: Time) -> Duration {
        self.blind.max(now.since(self.read))
    }

    /// The copy after a document that could be read and is not believed.
    pub(super) fn doubted(&self, now: Time) -> Self {
        Self { blind: self.blind(now), read: now, ..self.clone() }
    }

    /// The copy after it was found unchanged.
    pub(super) fn confirmed(&self, now: Time) -> Self {
        Self { checked: now, read: now, blind: Duration::ZERO, ..self.clone() }
    }

    /// Whether [`Held::expire`] would change anything.
    pub(super) fn expires(&self, now: Time, grace: Duration) -> bool {
        let kept = now..=now.plus(grace);
        let mut ends = self.parts.values().flat_map(|kept| &kept.leaving).map(|(_, until)| until);
        ends.any(|until| *until == now || !kept.contains(until))
    }

    /// Drops what the grace no longer keeps; the parts in which there was any. A grace that was shortened holds for what
    /// leaves already.
    pub(super) fn expire(&mut self, now: Time, grace: Duration) -> Vec<Arc<str>> {
        let parts = self.parts.iter_mut();
        parts.filter_map(|(name, kept)| kept.expire(now, grace).then(|| Arc::clone(name))).collect()
    }
}

/// What the server said about the version of a document.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Validators {
    /// SHA-256 of the URL that they belong to.
    pub(super) url: [u8; 32],
    pub(super) etag: Option<String>,
    pub(super) last_modified: Option<String>,
}

/// An ETag is a hash or a date; what is longer is not sent back.
const LONGEST: usize = 512;

impl Validators {
    /// Those that can be sent: a disk and a server may hold anything.
    pub(super) fn usable(self) -> Self {
        let fits = |text: &String| text.len() <= LONGEST && HeaderValue::from_str(text).is_ok();
        Self { etag: self.etag.filter(fits), last_modified: self.last_modified.filter(fits), ..self }
    }
}

/// One part of the last good copy.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Kept {
    /// As published, sorted, each once.
    pub(super) current: Vec<IpNet>,
    /// Not published any more, and until when allowed; nothing of it is in `current`.
    pub(super) leaving: Vec<(IpNet, Time)>,
}

/// What a document did to one part. Addresses, IPv6 by networks of 64 bits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// The part; empty for a list.
    pub part: String,
    /// Not in the document before.
    pub added: u64,
    /// In the document before and not in this one.
    pub removed: u64,
    /// Not in this document, and still allowed by the grace.
    pub kept: u64,
    /// In the document.
    pub published: u64,
    /// Allowed: published and kept.
    pub total: u64,
}

impl Kept {
    /// The part after a document that says `nets`.
    pub(super) fn next(
        old: Option<&Self>,
        part: &Arc<str>,
        nets: &[IpNet],
        now: Time,
        grace: Duration,
    ) -> (Self, Change) {
        let mut current = nets.to_vec();
        current.sort_unstable();
        current.dedup();
        let published = Ranges::of(&current);
        let before = old.map(|old| Ranges::of(&old.current)).unwrap_or_default();
        let removed = before.minus(&published);
        let end = now.plus(grace);
        let mut leaving: Vec<(IpNet, Time)> = old.map_or(&[][..], |old| &old.leaving).to_vec();
        leaving.extend(removed.nets().into_iter().map(|net| (net, end)));
        // What has come back has no end any more; a grace that was shortened holds for what leaves already.
        let mut by_end: BTreeMap<Time, Vec<IpNet>> = BTreeMap::new();
        for (net, until) in leaving {
            by_end.entry(until.min(end)).or_default().push(net);
        }
        let leaving = by_end
            .into_iter()
            .filter(|(until, _)| *until > now)
            .flat_map(|(until, nets)| {
                Ranges::of(&nets).minus(&published).nets().into_iter().map(move |net| (net, until))
            })
            .collect();
        let leaving = newest(leaving);
        let added = published.minus(&before).count();
        let kept = Self { current, leaving };
        let change = Change {
            part: part.to_string(),
            added,
            removed: removed.count(),
            kept: Ranges::of(kept.leaving.iter().map(|(net, _)| net)).count(),
            published: published.count(),
            total: kept.count(),
        };
        (kept, change)
    }

    fn expire(&mut self, now: Time, grace: Duration) -> bool {
        let (before, end) = (self.leaving.len(), now.plus(grace));
        self.leaving.iter_mut().for_each(|(_, until)| *until = end.min(*until));
        self.leaving.retain(|(_, until)| *until > now);
        self.leaving.len() < before
    }

    /// Everything that is allowed.
    pub(super) fn nets(&self) -> impl Iterator<Item = &IpNet> {
        self.current.iter().chain(self.leaving.iter().map(|(net, _)| net))
    }

    /// Addresses that are allowed.
    pub(super) fn count(&self) -> u64 {
        Ranges::of(self.nets()).count()
    }

    /// Until when an entry is kept by the grace.
    pub(super) fn until(&self, entry: &IpNet) -> Option<Time> {
        if self.current.binary_search(entry).is_ok() {
            return None;
        }
        self.leaving.iter().find(|(net, _)| net == entry).map(|(_, until)| *until)
    }
}

/// A publisher that replaces its whole list with each document must not fill our memory with what has left; of more than
/// this, what would go first goes now. No feed that is known has 3,000 entries that leave within a week.
const MOST_LEAVING: usize = 100_000;

/// `leaving`, sorted by its end, without the first of too many.
fn newest(mut leaving: Vec<(IpNet, Time)>) -> Vec<(IpNet, Time)> {
    leaving.drain(..leaving.len().saturating_sub(MOST_LEAVING));
    leaving
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use proptest::prelude::*;

    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);
    const WEEK: Duration = Duration::from_secs(7 * 86_400);

    fn day(day: u64) -> Time {
        Time::from_secs(1_000_000_000 + day * 86_400)
    }

    fn nets(text: &str) -> Vec<IpNet> {
        text.split_whitespace().map(|net| net.parse().unwrap()).collect()
    }

    fn next(old: Option<&Kept>, text: &str, at: u64) -> (Kept, Change) {
        Kept::next(old, &"a".into(), &nets(text), day(at), WEEK)
    }

    fn allows(kept: &Kept, address: &str) -> bool {
        AddressSet::new(kept.nets()).find(address.parse().unwrap()).is_some()
    }

    #[test]
    fn additions_count_at_once_and_removals_after_the_grace() {
        let (first, change) = next(None, "192.0.2.0/31", 0);
        assert_eq!((change.added, change.removed, change.total), (2, 0, 2));
        let (mut second, change) = next(Some(&first), "192.0.2.0/32 198.51.100.0/32", 1);
        assert_eq!((change.added, change.removed, change.kept, change.published, change.total), (1, 1, 1, 2, 3));
        assert!(allows(&second, "192.0.2.1") && allows(&second, "198.51.100.0"));
        assert!(!second.expire(day(7), WEEK) && allows(&second, "192.0.2.1"));
        assert!(second.expire(day(8), WEEK) && !allows(&second, "192.0.2.1"));
    }

    #[test]
    fn what_returns_is_kept_without_end() {
        let (first, _) = next(None, "192.0.2.0/32 192.0.2.1/32", 0);
        let (second, _) = next(Some(&first), "192.0.2.0/32", 1);
        let (mut third, change) = next(Some(&second), "192.0.2.0/31", 2);
        assert_eq!((change.added, change.kept), (1, 0));
        assert!(!third.expire(day(100), WEEK) && allows(&third, "192.0.2.1"));
    }

    #[test]
    fn aggregation_removes_nothing() {
        let (first, _) = next(None, "192.0.2.0/25 192.0.2.128/25", 0);
        let (second, change) = next(Some(&first), "192.0.2.0/24", 1);
        assert_eq!((change.added, change.removed, change.kept), (0, 0, 0));
        assert!(second.leaving.is_empty());
    }

    #[test]
    fn only_the_addresses_that_left_are_kept_and_not_longer() {
        let (first, _) = next(None, "192.0.2.0/24", 0);
        let (second, _) = next(Some(&first), "192.0.2.0/25", 1);
        assert_eq!(second.leaving, [("192.0.2.128/25".parse().unwrap(), day(8))]);
        // A later document does not prolong it, and takes back what it needs.
        let (mut third, _) = next(Some(&second), "192.0.2.0/25 192.0.2.128/26", 5);
        assert_eq!(third.leaving, [("192.0.2.192/26".parse().unwrap(), day(8))]);
        third.expire(day(8), WEEK);
        assert!(allows(&third, "192.0.2.129") && !allows(&third, "192.0.2.193"));
    }

    #[test]
    fn a_shorter_grace_holds_for_what_leaves_already() {
        let (first, _) = next(None, "192.0.2.0/31", 0);
        let (second, _) = next(Some(&first), "192.0.2.0/32", 1);
        let (third, _) = Kept::next(Some(&second), &"a".into(), &nets("192.0.2.0/32"), day(2), DAY);
        assert_eq!(third.leaving[0].1, day(3));
        let (none, _) = Kept::next(Some(&second), &"a".into(), &nets("192.0.2.0/32"), day(2), Duration::ZERO);
        assert!(none.leaving.is_empty());
    }

    #[test]
    fn what_leaves_is_bounded_by_the_grace_of_now() {
        let leaving = vec![("192.0.2.1/32".parse().unwrap(), day(100)), ("192.0.2.2/32".parse().unwrap(), day(3))];
        let kept = Kept { current: nets("192.0.2.0/32"), leaving };
        let mut held = Held { parts: BTreeMap::from([("a".into(), kept)]), ..Held::default() };
        assert!(held.expires(day(1), WEEK) && held.expire(day(1), WEEK).is_empty());
        assert_eq!(held.parts["a"].leaving.iter().map(|(_, until)| *until).collect::<Vec<_>>(), [day(8), day(3)]);
        assert!(!held.expires(day(2), WEEK) && held.expires(day(3), WEEK));
        assert_eq!(held.expire(day(2), Duration::ZERO), [Arc::<str>::from("a")]);
        assert!(held.parts["a"].leaving.is_empty());
    }

    #[test]
    fn only_time_without_a_document_makes_a_copy_blind() {
        let mut held = Held { checked: day(0), read: day(0), ..Held::default() };
        for at in 1..=30 {
            assert_eq!(held.blind(day(at)), DAY);
            held = held.doubted(day(at));
        }
        // A document that is refused after an outage does not undo what the outage allows.
        assert_eq!(held.blind(day(40)), 10 * DAY);
        held = held.doubted(day(40));
        assert_eq!(held.blind(day(41)), 10 * DAY);
        assert_eq!(held.confirmed(day(41)).blind(day(42)), DAY);
    }

    proptest! {
        /// By address: allowed is what a document lists, and what left less than the grace ago; nothing else.
        #[test]
        fn grace_is_that_of_each_address(days in proptest::collection::vec(document(), 1..24)) {
            let (mut kept, mut left) = (None::<Kept>, [None::<u64>; 256]);
            let mut before = [false; 256];
            for (at, nets) in (0_u64..).zip(&days) {
                let (next, change) = Kept::next(kept.as_ref(), &"a".into(), nets, day(at), WEEK);
                let set = AddressSet::new(next.nets());
                let (mut total, mut removed) = (0, 0);
                for host in 0..=255_u8 {
                    let (address, index) = (IpAddr::from([192, 0, 2, host]), usize::from(host));
                    let listed = nets.iter().any(|net| net.contains(&address));
                    if before[index] && !listed {
                        left[index] = Some(at);
                        removed += 1;
                    }
                    before[index] = listed;
                    let in_grace = left[index].is_some_and(|left| at < left + 7);
                    prop_assert_eq!(set.find(address).is_some(), listed || in_grace, "{} on day {}", address, at);
                    total += u64::from(listed || in_grace);
                }
                prop_assert_eq!((change.total, change.removed), (total, removed));
                kept = Some(next);
            }
        }
    }

    fn document() -> impl Strategy<Value = Vec<IpNet>> {
        let net = (0_u8..=255, 26_u8..=32)
            .prop_map(|(host, len)| IpNet::new(IpAddr::from([192, 0, 2, host]), len).unwrap().trunc());
        proptest::collection::vec(net, 1..6)
    }

    #[test]
    fn what_leaves_is_bounded() {
        let net = |n: u32| IpNet::from(IpAddr::from(std::net::Ipv4Addr::from_bits(n)));
        let leaving: Vec<_> = (0..150_000).map(|n| (net(n), day(n.into()))).collect();
        let left = newest(leaving);
        assert_eq!((left.len(), left[0]), (100_000, (net(50_000), day(50_000))));
    }

    #[test]
    fn an_unlisted_address_is_refused_only_by_what_is_fresh_enough() {
        let standing = Arc::<Standing>::default();
        standing.set_stale_after(3 * DAY);
        let part = Part::new(Arc::clone(&standing));
        standing.accepted(day(0));
        assert_eq!((part.state(day(0)), part.readiness(day(0))), (State::NeverLoaded, Readiness::NotReady));
        part.publish(AddressSet::new(&nets("192.0.2.0/24")), 256);
        assert_eq!((part.state(day(3)), part.readiness(day(3))), (State::Fresh, Readiness::Ready));
        standing.rejected();
        assert_eq!((part.state(day(3)), part.readiness(day(3))), (State::Rejected, Readiness::Ready));
        assert_eq!((part.state(day(4)), part.readiness(day(4))), (State::Stale, Readiness::NotReady));
        assert!(part.find("192.0.2.7".parse().unwrap()).is_some());
        standing.accepted(day(4));
        assert_eq!(part.state(day(4)), State::Fresh);
    }
}
