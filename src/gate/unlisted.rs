//! Addresses that called and are on no list: what an operator needs to see before `enforce`.
//!
//! Bounded on both sides: a tenant remembers the last few, and the log tells of new ones at a pace that a person can
//! read, however many a scanner has.

use std::{
    net::IpAddr,
    sync::{Mutex, PoisonError},
    time::SystemTime,
};

use serde::Serialize;

/// As many as a person reads through; an IdP calls from a handful.
const KEPT: usize = 32;

/// What is remembered of one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Sighting {
    /// The address.
    pub address: IpAddr,
    /// Requests from it.
    pub requests: u64,
    /// Whether one of them came with a valid token: then it is most likely the IdP, and missing on the list.
    pub valid_token: bool,
    /// When it was seen last.
    pub last: SystemTime,
}

/// The addresses of one tenant, the one seen last at the end.
#[derive(Debug, Default)]
pub struct Unlisted(Mutex<Vec<Sighting>>);

impl Unlisted {
    /// Notes a request; true if something new is known: the address, or that it has a valid token.
    pub fn note(&self, address: IpAddr, valid_token: bool, now: SystemTime) -> bool {
        let mut list = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = list.iter().position(|seen| seen.address == address).map(|at| list.remove(at));
        let news = before.is_none_or(|before| valid_token && !before.valid_token);
        if list.len() == KEPT {
            // Who has shown a token is worth more than who has not.
            let at = list.iter().position(|seen| !seen.valid_token).unwrap_or(0);
            list.remove(at);
        }
        list.push(Sighting {
            address,
            requests: before.map_or(0, |before| before.requests) + 1,
            valid_token: valid_token || before.is_some_and(|before| before.valid_token),
            last: now,
        });
        news
    }

    /// All of them, the one seen last first.
    pub fn list(&self) -> Vec<Sighting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().rev().copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_bounded_and_keeps_who_had_a_token() {
        let (list, now) = (Unlisted::default(), SystemTime::UNIX_EPOCH);
        let address = |n: u32| IpAddr::from(n.to_be_bytes());
        assert!(list.note(address(1), true, now));
        assert!(!list.note(address(1), false, now));
        assert!(list.note(address(2), false, now) && list.note(address(2), true, now));
        for n in 10..1000 {
            assert!(list.note(address(n), false, now));
        }
        let kept = list.list();
        assert_eq!(kept.len(), KEPT);
        assert_eq!(kept[0].address, address(999));
        let tokens: Vec<_> =
            kept.iter().filter(|seen| seen.valid_token).map(|seen| (seen.address, seen.requests)).collect();
        assert_eq!(tokens, [(address(2), 2), (address(1), 2)]);
    }
}
