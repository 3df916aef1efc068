//! Sets of addresses as sorted, merged ranges: what documents are compared by.
//!
//! Publishers reorder lists and merge or split neighbours without meaning anything by it (Okta did within two hours), so
//! neither strings nor prefixes tell what changed. Both families are kept as 128-bit numbers, so one piece of arithmetic
//! serves both; a v4 and a v6 address never meet.

use std::net::{Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Subnets, Ipv6Subnets};

/// A set of addresses.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ranges {
    /// IPv4.
    pub v4: Family,
    /// IPv6.
    pub v6: Family,
}

/// The addresses of one family: first and last of each range, sorted, with a gap between any two.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Family(Vec<(u128, u128)>);

impl Ranges {
    /// Every address of `nets`.
    pub fn of<'a>(nets: impl IntoIterator<Item = &'a IpNet>) -> Self {
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for net in nets {
            match net {
                IpNet::V4(net) => v4.push((net.network().to_bits().into(), net.broadcast().to_bits().into())),
                IpNet::V6(net) => v6.push((net.network().to_bits(), net.broadcast().to_bits())),
            }
        }
        Self { v4: Family::merged(v4), v6: Family::merged(v6) }
    }

    /// What is here and not in `other`.
    #[must_use]
    pub fn minus(&self, other: &Self) -> Self {
        Self { v4: self.v4.minus(&other.v4), v6: self.v6.minus(&other.v6) }
    }

    /// The fewest prefixes that hold exactly these addresses.
    pub fn nets(&self) -> Vec<IpNet> {
        let v4 = self.v4.0.iter().flat_map(|&(first, last)| {
            // Both came from 32 bits.
            let (first, last) = (Ipv4Addr::from_bits(first as u32), Ipv4Addr::from_bits(last as u32));
            Ipv4Subnets::new(first, last, 0).map(IpNet::V4)
        });
        let v6 = self.v6.0.iter().flat_map(|&(first, last)| {
            Ipv6Subnets::new(Ipv6Addr::from_bits(first), Ipv6Addr::from_bits(last), 0).map(IpNet::V6)
        });
        v4.chain(v6).collect()
    }

    /// Their number for people and metrics: addresses in IPv4, networks of 64 bits in IPv6, where a customer has at
    /// least one such network and counting addresses says nothing.
    pub fn count(&self) -> u64 {
        let networks = Family::merged(self.v6.0.iter().map(|(first, last)| (first >> 64, last >> 64)).collect());
        u64::try_from(self.v4.count().saturating_add(networks.count())).unwrap_or(u64::MAX)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.v4.0.is_empty() && self.v6.0.is_empty()
    }
}

impl Family {
    fn merged(mut ranges: Vec<(u128, u128)>) -> Self {
        ranges.sort_unstable();
        let mut merged: Vec<(u128, u128)> = Vec::with_capacity(ranges.len());
        for (first, last) in ranges {
            match merged.last_mut() {
                Some((_, end)) if first <= end.saturating_add(1) => *end = last.max(*end),
                _ => merged.push((first, last)),
            }
        }
        Self(merged)
    }

    fn minus(&self, other: &Self) -> Self {
        let mut left = Vec::new();
        let mut cuts = other.0.iter().peekable();
        for &(first, last) in &self.0 {
            let mut start = Some(first);
            while let Some(from) = start {
                match cuts.peek() {
                    Some((_, end)) if *end < from => {
                        cuts.next();
                    }
                    Some(&&(cut, end)) if cut <= last => {
                        if from < cut {
                            left.push((from, cut - 1));
                        }
                        // A cut that goes on may also hit the next range, so it stays.
                        start = (end < last).then(|| end + 1);
                    }
                    _ => {
                        left.push((from, last));
                        start = None;
                    }
                }
            }
        }
        Self(left)
    }

    /// How many addresses; of the whole of IPv6 one too few, since the number does not fit.
    pub fn count(&self) -> u128 {
        self.0.iter().fold(0, |sum: u128, (first, last)| sum.saturating_add((last - first).saturating_add(1)))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn nets(text: &str) -> Vec<IpNet> {
        text.split_whitespace().map(|net| net.parse().unwrap()).collect()
    }

    fn ranges(text: &str) -> Ranges {
        Ranges::of(&nets(text))
    }

    #[test]
    fn neighbours_split_or_merged_are_the_same_addresses() {
        assert_eq!(ranges("192.0.2.0/25 192.0.2.128/25"), ranges("192.0.2.0/24"));
        assert_eq!(
            ranges("192.0.2.4/32 192.0.2.0/24 2001:db8::/33 2001:db8:8000::/33").nets(),
            nets("192.0.2.0/24 2001:db8::/32")
        );
    }

    #[test]
    fn what_is_left_is_exact() {
        assert_eq!(ranges("192.0.2.0/24").minus(&ranges("192.0.2.0/25")).nets(), nets("192.0.2.128/25"));
        assert_eq!(
            ranges("192.0.2.0/30").minus(&ranges("192.0.2.1/32 192.0.2.3/32")).nets(),
            nets("192.0.2.0/32 192.0.2.2/32")
        );
        assert!(ranges("192.0.2.0/24 198.51.100.0/24").minus(&ranges("128.0.0.0/1")).is_empty());
        assert!(ranges("::/0 0.0.0.0/0").minus(&ranges("::/0 0.0.0.0/0")).is_empty());
    }

    #[test]
    fn the_families_do_not_meet() {
        assert_eq!(ranges("0.0.0.0/0").minus(&ranges("::/0")), ranges("0.0.0.0/0"));
    }

    #[test]
    fn ipv6_counts_by_64() {
        assert_eq!(ranges("192.0.2.0/24 2001:db8::/48").count(), 256 + 65_536);
        assert_eq!(ranges("2001:db8::1/128 2001:db8::2/128 2001:db8:1::/128").count(), 2);
        assert!(ranges("::/0").count() > 1 << 60);
    }

    proptest! {
        #[test]
        fn arithmetic_is_that_of_sets(a in some(), b in some()) {
            let left = Ranges::of(&a).minus(&Ranges::of(&b));
            let expected: BTreeSet<u128> = addresses(&a).difference(&addresses(&b)).copied().collect();
            prop_assert_eq!(addresses(&left.nets()), expected.clone());
            prop_assert_eq!(left.v4.count(), expected.len() as u128);
        }
    }

    fn some() -> impl Strategy<Value = Vec<IpNet>> {
        let net = (0u8..=255, 24u8..=32)
            .prop_map(|(host, len)| IpNet::new(std::net::IpAddr::from([192, 0, 2, host]), len).unwrap().trunc());
        proptest::collection::vec(net, 0..6)
    }

    fn addresses(nets: &[IpNet]) -> BTreeSet<u128> {
        nets.iter()
            .flat_map(|net| match net {
                IpNet::V4(net) => u128::from(net.network().to_bits())..=net.broadcast().to_bits().into(),
                IpNet::V6(_) => unreachable!("only v4 is generated"),
            })
            .collect()
    }
}
