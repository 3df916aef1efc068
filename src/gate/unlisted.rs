//! Addresses that called and are on no list: what an operator needs to see before `enforce`.
//!
//! Bounded on both sides: a tenant remembers the last few, and the log tells of new ones at a pace that a person can
//! read, however many a scanner has.

use std::{
    net::IpAddr,
    sync::{Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use serde::{Serialize, Serializer};

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
    /// When it was seen last; Unix seconds where it is shown.
    #[serde(serialize_with = "unix")]
    pub last: SystemTime,
}

fn unix<S: Serializer>(time: &SystemTime, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs())
}

/// Lines of the log in a minute about addresses without a token.
const PACE: u32 = 6;
const MINUTE: Duration = Duration::from_secs(60);

/// The addresses of one tenant, the one seen last at the end.
#[derive(Debug, Default)]
pub struct Unlisted(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    list: Vec<Sighting>,
    /// Since when lines are counted, how many there were, and how many were not written.
    minute: Option<SystemTime>,
    lines: u32,
    untold: u64,
}

impl Unlisted {
    /// Notes a request; `Some` if the log should tell of it: the address is new, or that it has a valid token. The number
    /// is of those that were not told meanwhile.
    pub fn note(&self, address: IpAddr, valid_token: bool, now: SystemTime) -> Option<u64> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = &mut *known;
        let list = &mut known.list;
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
        if !news {
            return None;
        }
        if !valid_token && !known.has_line(now) {
            known.untold += 1;
            return None;
        }
        Some(std::mem::take(&mut known.untold))
    }

    /// All of them, the one seen last first.
    pub fn list(&self) -> Vec<Sighting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).list.iter().rev().copied().collect()
    }
}

impl Known {
    fn has_line(&mut self, now: SystemTime) -> bool {
        // A clock that was set back begins a new minute too.
        let over = |since: SystemTime| now.duration_since(since).map_or(true, |age| age >= MINUTE);
        if self.minute.is_none_or(over) {
            (self.minute, self.lines) = (Some(now), 0);
        }
        self.lines += 1;
        self.lines <= PACE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_bounded_and_keeps_who_had_a_token() {
        let (list, now) = (Unlisted::default(), SystemTime::UNIX_EPOCH);
        let address = |n: u32| IpAddr::from(n.to_be_bytes());
        assert_eq!(list.note(address(1), true, now), Some(0));
        assert_eq!(list.note(address(1), false, now), None);
        assert_eq!((list.note(address(2), false, now), list.note(address(2), true, now)), (Some(0), Some(0)));
        let told = (10..1000).filter(|n| list.note(address(*n), false, now).is_some()).count();
        assert_eq!(told, PACE as usize - 1, "a scanner fills no log");
        assert_eq!(list.note(address(9999), false, now + MINUTE), Some(990 - told as u64));
        let kept = list.list();
        assert_eq!(kept.len(), KEPT);
        assert_eq!(kept[0].address, address(9999));
        let tokens: Vec<_> =
            kept.iter().filter(|seen| seen.valid_token).map(|seen| (seen.address, seen.requests)).collect();
        assert_eq!(tokens, [(address(2), 2), (address(1), 2)]);
    }
}
