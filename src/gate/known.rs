//! Whom a connection knows: with which credentials, and from where, its identity provider has called with success.
//!
//! Anybody who reaches the port can be told 401, and what a connection is told decides whether somebody is paged. So what
//! the quarantine model takes for the identity provider has to be more than a stranger can pretend: a token of ours, or
//! credentials or a network from which a call has succeeded before. A network and not an address, since identity
//! providers call from whole ranges.

use std::{
    collections::hash_map::RandomState,
    hash::BuildHasher,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::{LazyLock, Mutex, PoisonError},
};

use http::{HeaderMap, HeaderValue, header};

/// Tokens overlap while one is rotated; those of OAuth change by the hour.
const CREDENTIALS: usize = 8;
/// Entra calls from some dozens of networks.
const NETWORKS: usize = 64;

/// Credentials that nobody can read back. In memory only; another process gives other numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Credentials(u64);

impl Credentials {
    /// What stands in the Authorization header, if anything does.
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        static HASH: LazyLock<RandomState> = LazyLock::new(RandomState::new);
        let written = headers.get(header::AUTHORIZATION).map(HeaderValue::as_bytes)?.trim_ascii();
        (!written.is_empty()).then(|| Self(HASH.hash_one(written)))
    }
}

/// What is remembered; the latest first.
#[derive(Debug, Default)]
pub struct Known(Mutex<Memory>);

#[derive(Debug, Default)]
struct Memory {
    credentials: Vec<Credentials>,
    networks: Vec<IpAddr>,
}

impl Known {
    /// A call with these credentials has succeeded.
    pub fn note(&self, credentials: Credentials, address: Option<IpAddr>) {
        let mut memory = self.memory();
        first(&mut memory.credentials, credentials, CREDENTIALS);
        if let Some(address) = address {
            first(&mut memory.networks, network(address), NETWORKS);
        }
    }

    /// No call has succeeded yet.
    pub fn is_new(&self) -> bool {
        self.memory().credentials.is_empty()
    }

    /// A call with these credentials has succeeded before.
    pub fn has(&self, credentials: Credentials) -> bool {
        self.memory().credentials.contains(&credentials)
    }

    /// A call from the network of this address has.
    pub fn has_network_of(&self, address: IpAddr) -> bool {
        self.memory().networks.contains(&network(address))
    }

    fn memory(&self) -> std::sync::MutexGuard<'_, Memory> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Puts `item` first; the last goes where there are `most`.
fn first<T: PartialEq>(list: &mut Vec<T>, item: T, most: usize) {
    match list.iter().position(|have| *have == item) {
        Some(at) => list[..=at].rotate_right(1),
        None => {
            list.truncate(most - 1);
            list.insert(0, item);
        }
    }
}

/// The /24 or /64 around an address.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(v4) => Ipv4Addr::from_bits(v4.to_bits() & !0xff).into(),
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bearer(token: &str) -> Option<Credentials> {
        let value = HeaderValue::from_str(token).unwrap();
        Credentials::of(&[(header::AUTHORIZATION, value)].into_iter().collect())
    }

    #[test]
    fn who_has_called_with_success_is_known_by_either() {
        let known = Known::default();
        assert!(known.is_new() && bearer("  ").is_none() && Credentials::of(&HeaderMap::new()).is_none());
        known.note(bearer("Bearer a").unwrap(), "192.0.2.7".parse().ok());
        assert!(!known.is_new() && known.has(bearer("Bearer a").unwrap()) && !known.has(bearer("Bearer b").unwrap()));
        for (address, is_known) in [("192.0.2.200", true), ("192.0.3.7", false), ("2001:db8::1", false)] {
            assert_eq!(known.has_network_of(address.parse().unwrap()), is_known, "{address}");
        }
    }

    #[test]
    fn only_so_many_are_remembered_those_that_came_last() {
        let known = Known::default();
        let credentials = |n: u32| bearer(&format!("Bearer {n}")).unwrap();
        for n in 0..1000 {
            known.note(credentials(n), Some(Ipv4Addr::from_bits(n << 8).into()));
            known.note(credentials(0), Some(Ipv4Addr::from_bits(0).into()));
        }
        let memory = known.memory();
        assert_eq!((memory.credentials.len(), memory.networks.len()), (CREDENTIALS, NETWORKS));
        drop(memory);
        assert!(known.has(credentials(0)) && known.has(credentials(999)) && !known.has(credentials(900)));
    }
}
