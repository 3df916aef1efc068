//! Whether a document that could be read may also be believed.
//!
//! A feed decides who may call, and what is published is sometimes wrong: an error page, half a list, somebody else's
//! list, the whole Internet. So a document is compared with the last good copy, and what no real change of these feeds
//! ever looked like is refused as a whole; the copy stays in force. The envelopes were measured over 25 daily Okta
//! documents of 2026 and 346 weekly Azure documents of 2019 to 2025. Sets of addresses are compared, never text.
//!
//! The choice not taken is to apply the plausible part of a document: half a list refuses callers that were let in
//! before, and nobody is told.

use std::{
    sync::{Arc, LazyLock},
    time::Duration,
};

use ipnet::IpNet;

use super::{
    Kind,
    parse::{Document, ParseError, WHOLE},
    ranges::{Family, Ranges},
};

const DAY: Duration = Duration::from_secs(86_400);

/// What is believed of one kind of feed.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes of the document.
    pub body: usize,
    /// How much may vanish.
    pub shrink: Shrink,
    /// How many times as many addresses there may be at once.
    pub growth: u32,
    /// Shortest prefix, IPv4.
    pub widest_v4: u8,
    /// Shortest prefix, IPv6.
    pub widest_v6: u8,
    /// Addresses of one part, also of the first document and of a short list.
    pub most_v4: u128,
    /// The same for IPv6.
    pub most_v6: u128,
    /// Up to so many entries, before and after, shrinking and growing are not judged.
    pub small: usize,
}

/// Entries with which a family may begin, beside as many as the part had: Entra's tag of 80 got 12 for IPv6 at once.
const BEGINNING: usize = 64;

/// A network of 32 bits, which is what a provider gets; single IPv6 addresses are no measure.
const V6_NETWORK: u128 = 1 << 96;

/// Percent of the last good addresses that may vanish at once, by the time in which no document could be read: `base` up
/// to `from`, then in a straight line up to `most` at `until`, and never more. Time in which documents came and were
/// refused does not count, or each of them would be believed in the end.
#[derive(Debug, Clone, Copy)]
pub struct Shrink {
    base: u32,
    most: u32,
    from: Duration,
    until: Duration,
}

impl Shrink {
    /// `base + (most - base) * clamp((blind - from) / (until - from), 0, 1)`
    pub fn allowed(&self, blind: Duration) -> f64 {
        let span = self.until.saturating_sub(self.from).as_secs_f64().max(1.0);
        let way = (blind.saturating_sub(self.from).as_secs_f64() / span).clamp(0.0, 1.0);
        f64::from(self.base) + f64::from(self.most - self.base) * way
    }
}

/// The envelope of a kind.
pub fn limits(kind: Kind) -> Limits {
    match kind {
        // The file has 4.2 MB. Entra's tag lost 16 % once, 6 % since; 37 % more was the most. Its widest ranges are two
        // /18 and some /48, 57,000 addresses in all; the tag of the whole cloud has 48 million and no /32. It changes
        // about four times a year: after half a year more may be new, but half of it stays.
        Kind::AzureServiceTags => Limits {
            body: 32 << 20,
            shrink: Shrink { base: 20, most: 50, from: 7 * DAY, until: 180 * DAY },
            growth: 2,
            widest_v4: 16,
            widest_v6: 32,
            most_v4: 1 << 27,
            most_v6: 256 * V6_NETWORK,
            small: 0,
        },
        // Whoever writes a list by hand may move two offices in one day, so short lists are not judged by numbers. Longer
        // ones are generated; of their publishers nothing is known but that a list does not halve, and what is known
        // does not change with the age of our copy. The widest: the largest blocks that one holder ever got from a
        // registry (goog.json has a /10 and a /28). It has 22 million addresses and 26 networks of 32 bits; a sixteenth of
        // IPv4 and the one /16 that a single holder has are more than anybody's. 4 MiB are 200,000 lines.
        Kind::List => Limits {
            body: 4 << 20,
            shrink: Shrink { base: 50, most: 50, from: DAY, until: DAY },
            growth: 4,
            widest_v4: 8,
            widest_v6: 16,
            most_v4: 1 << 28,
            most_v6: 65_536 * V6_NETWORK,
            small: 16,
        },
        // The file has 91 kB. The worst day kept 78 % of a cell, a normal one 88 %, and no cell grew by more than 14 %;
        // within two weeks two thirds of a small cell were replaced. The widest ranges seen are /26, and the largest cell
        // had 848 addresses, none of IPv6.
        Kind::Okta => Limits {
            body: 4 << 20,
            shrink: Shrink { base: 40, most: 80, from: DAY, until: 14 * DAY },
            growth: 2,
            widest_v4: 20,
            widest_v6: 32,
            most_v4: 1 << 16,
            most_v6: 16 * V6_NETWORK,
            small: 0,
        },
    }
}

/// Never believed, whoever publishes it: addresses that anybody can have or pretend to have on the way to us. A range
/// that holds some of them, as `0.0.0.0/0` does, is refused too. Private ranges belong into `allow.cidrs`.
const FORBIDDEN: [(&str, &str); 12] = [
    ("10.0.0.0/8", "private, RFC 1918"),
    ("172.16.0.0/12", "private, RFC 1918"),
    ("192.168.0.0/16", "private, RFC 1918"),
    ("127.0.0.0/8", "loopback"),
    ("169.254.0.0/16", "link-local"),
    ("224.0.0.0/4", "multicast"),
    ("0.0.0.0/32", "unspecified"),
    ("::/127", "unspecified or loopback"),
    ("fe80::/10", "link-local"),
    ("fc00::/7", "unique local"),
    ("ff00::/8", "multicast"),
    ("::ffff:0:0/96", "IPv4-mapped; write IPv4 as IPv4"),
];

/// Why a document is not believed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Rejection {
    /// Many entries of a family that had none.
    #[error("{part}: {entries} {family} ranges where there were none; at most {limit} are believed at once")]
    Begun {
        /// Where.
        part: PartName,
        /// IPv4 or IPv6.
        family: &'static str,
        /// Entries of this document.
        entries: usize,
        /// The limit.
        limit: usize,
    },
    /// Addresses that no feed may list.
    #[error("{part}: {entry} holds addresses that no feed may list ({why}); write such ranges in `allow.cidrs`")]
    Forbidden {
        /// Where.
        part: PartName,
        /// The entry.
        entry: IpNet,
        /// What is wrong with it.
        why: &'static str,
    },
    /// Many more addresses at once.
    #[error("{part}: {after} {family} addresses instead of {before}; at most {limit} times as many are believed")]
    Grown {
        /// Where.
        part: PartName,
        /// IPv4 or IPv6.
        family: &'static str,
        /// Addresses of the last good copy.
        before: u128,
        /// Addresses of this document.
        after: u128,
        /// The limit.
        limit: u32,
    },
    /// A part with a last good copy has no entries any more.
    #[error("{0} has no entries; expected one at least")]
    PartEmpty(PartName),
    /// A part with a last good copy is not in it.
    #[error(
        "{part} is not in it any more; if it is gone for good, take it out of `allow.feeds`; it has {}",
        Names(names)
    )]
    PartMissing {
        /// What is missing.
        part: PartName,
        /// What is there.
        names: Vec<Arc<str>>,
    },
    /// Many addresses less at once.
    #[error("{part}: {percent:.1} % of the {family} addresses are gone at once; at most {allowed:.0} % are believed")]
    Shrunk {
        /// Where.
        part: PartName,
        /// IPv4 or IPv6.
        family: &'static str,
        /// How many are gone.
        percent: f64,
        /// How many may go, by the time without a document.
        allowed: f64,
    },
    /// More bytes than such a document can have.
    #[error("it has more than {0} bytes")]
    TooLarge(usize),
    /// More addresses than such a part can have.
    #[error("{part}: its {family} ranges are together wider than {limit}, the most that is believed of one part")]
    TooMany {
        /// Where.
        part: PartName,
        /// IPv4 or IPv6.
        family: &'static str,
        /// The limit.
        limit: Width,
    },
    /// A range that is too wide for this kind of feed.
    #[error("{part}: {entry} is wider than /{limit}, the widest range that is believed")]
    TooWide {
        /// Where.
        part: PartName,
        /// The entry.
        entry: IpNet,
        /// The limit.
        limit: u8,
    },
    /// Not a document of this kind.
    #[error(transparent)]
    Unreadable(#[from] ParseError),
}

impl Rejection {
    /// Every metric label there is.
    pub const REASONS: [&'static str; 15] = [
        "duplicate_part",
        "empty",
        "entry",
        "forbidden",
        "grown",
        "host_bits",
        "html",
        "malformed",
        "part_empty",
        "part_missing",
        "shrunk",
        "too_large",
        "too_many",
        "too_wide",
        "xml",
    ];

    /// The metric label.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Forbidden { .. } => "forbidden",
            Self::Begun { .. } | Self::Grown { .. } => "grown",
            Self::PartEmpty(_) => "part_empty",
            Self::PartMissing { .. } => "part_missing",
            Self::Shrunk { .. } => "shrunk",
            Self::TooLarge(_) => "too_large",
            Self::TooMany { .. } => "too_many",
            Self::TooWide { .. } => "too_wide",
            Self::Unreadable(error) => error.reason(),
        }
    }

    /// Whether the operator's `accept` would let this document in.
    pub fn is_acceptable(&self) -> bool {
        matches!(
            self,
            Self::Begun { .. } | Self::Grown { .. } | Self::Shrunk { .. } | Self::TooMany { .. } | Self::TooWide { .. }
        )
    }

    /// Whether there was a document that could be read.
    pub fn was_read(&self) -> bool {
        !matches!(self, Self::TooLarge(_) | Self::Unreadable(_))
    }
}

/// A part as messages name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartName(pub Arc<str>);

impl std::fmt::Display for PartName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if *self.0 == *WHOLE { f.write_str("the list") } else { write!(f, "`{}`", self.0) }
    }
}

/// So many addresses, as people write them: a prefix of that size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Width {
    addresses: u128,
    bits: u32,
}

impl std::fmt::Display for Width {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "one /{}", self.bits - self.addresses.ilog2())
    }
}

/// Names for people: a few, and how many more.
#[derive(Debug)]
pub struct Names<'a>(pub &'a [Arc<str>]);

impl std::fmt::Display for Names<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        const ENOUGH: usize = 40;
        const LONGEST: usize = 80;
        for (index, name) in self.0.iter().take(ENOUGH).enumerate() {
            let name: String = name.chars().take(LONGEST).collect();
            write!(f, "{}{}", if index > 0 { ", " } else { "" }, name.escape_debug())?;
        }
        match self.0.len().saturating_sub(ENOUGH) {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

/// A document, and what it is compared with.
#[derive(Debug)]
pub struct Case<'a, L> {
    /// The kind of feed.
    pub kind: Kind,
    /// What came.
    pub document: &'a Document,
    /// The parts that tenants name.
    pub wanted: &'a [Arc<str>],
    /// The entries of the last good copy, by part.
    pub last: L,
    /// For how long, since that copy, no document could be read: what could not be seen may have changed in steps.
    pub blind: Duration,
    /// A person has read this very document and takes it.
    pub accepted: bool,
    /// It is the very document that is in force: what it says of a part with a last good copy has been judged, perhaps by
    /// an `accept` that has gone from the settings since.
    pub same: bool,
    /// It is the document that was in force before: what the one between them added may go again.
    pub returns: bool,
}

impl<'a, L: Fn(&str) -> Option<&'a [IpNet]>> Case<'a, L> {
    /// Judges the parts that are wanted. One that never was in a document stops nothing: it may be a slip of the pen in
    /// one tenant's settings, and the others need their addresses.
    ///
    /// # Errors
    /// The first reason not to believe it.
    pub fn judge(&self) -> Result<(), Rejection> {
        for part in self.wanted {
            let name = || PartName(Arc::clone(part));
            let last = (self.last)(part);
            match self.document.parts.get(part) {
                Some(nets) if !nets.is_empty() => {
                    forbidden(&name(), nets)?;
                    if !(self.accepted || self.same && last.is_some()) {
                        self.plausible(&name(), nets, last)?;
                    }
                }
                // A list is its only part: nothing else in it could be applied.
                Some(_) if last.is_some() || self.kind == Kind::List => return Err(Rejection::PartEmpty(name())),
                None if last.is_some() => {
                    return Err(Rejection::PartMissing { part: name(), names: self.document.names.clone() });
                }
                Some(_) | None => {}
            }
        }
        Ok(())
    }

    fn plausible(&self, part: &PartName, nets: &[IpNet], last: Option<&[IpNet]>) -> Result<(), Rejection> {
        let limits = limits(self.kind);
        for entry in nets {
            let limit = if entry.addr().is_ipv4() { limits.widest_v4 } else { limits.widest_v6 };
            if entry.prefix_len() < limit {
                return Err(Rejection::TooWide { part: part.clone(), entry: *entry, limit });
            }
        }
        let after = Ranges::of(nets);
        for (family, count, limit) in
            [("IPv4", after.v4.count(), limits.most_v4), ("IPv6", after.v6.count(), limits.most_v6)]
        {
            if count > limit {
                let limit = Width { addresses: limit, bits: if family == "IPv4" { 32 } else { 128 } };
                return Err(Rejection::TooMany { part: part.clone(), family, limit });
            }
        }
        match last.filter(|last| last.len() > limits.small || nets.len() > limits.small) {
            Some(last) => self.plausible_after(part, last, nets, &after),
            None => Ok(()),
        }
    }

    fn plausible_after(
        &self,
        part: &PartName,
        last: &[IpNet],
        nets: &[IpNet],
        after: &Ranges,
    ) -> Result<(), Rejection> {
        let limits = limits(self.kind);
        let before = Ranges::of(last);
        let gone = before.minus(after);
        let v4 = [&before.v4, &after.v4, &gone.v4].map(Family::count);
        let v6 = [&before.v6, &after.v6, &gone.v6].map(Family::count);
        for (family, [before, after, gone]) in [("IPv4", v4), ("IPv6", v6)] {
            let part = || part.clone();
            // Nothing was doubled where nothing was, so what counts is how much of a list it is.
            if before == 0 {
                let entries = nets.iter().filter(|net| net.addr().is_ipv4() == (family == "IPv4")).count();
                let limit = last.len() + BEGINNING;
                if entries > limit {
                    return Err(Rejection::Begun { part: part(), family, entries, limit });
                }
                continue;
            }
            let allowed = limits.shrink.allowed(self.blind);
            let percent = gone as f64 * 100.0 / before as f64;
            if percent > allowed && !self.returns {
                return Err(Rejection::Shrunk { part: part(), family, percent, allowed });
            }
            if after > before.saturating_mul(limits.growth.into()) {
                return Err(Rejection::Grown { part: part(), family, before, after, limit: limits.growth });
            }
        }
        Ok(())
    }
}

fn forbidden(part: &PartName, nets: &[IpNet]) -> Result<(), Rejection> {
    match nets.iter().find_map(|entry| is_forbidden(entry).map(|why| (*entry, why))) {
        Some((entry, why)) => Err(Rejection::Forbidden { part: part.clone(), entry, why }),
        None => Ok(()),
    }
}

/// Why an entry may stand in no feed.
pub fn is_forbidden(entry: &IpNet) -> Option<&'static str> {
    static PARSED: LazyLock<Vec<(IpNet, &str)>> = LazyLock::new(|| {
        FORBIDDEN.iter().map(|(range, why)| (range.parse().expect("a range of our own table"), *why)).collect()
    });
    let meets = |range: &IpNet| range.contains(entry) || entry.contains(range);
    PARSED.iter().find(|(range, _)| meets(range)).map(|(_, why)| *why)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn nets(text: &str) -> Vec<IpNet> {
        text.split_whitespace().map(|net| net.parse().unwrap()).collect()
    }

    fn hosts(range: std::ops::Range<u16>) -> String {
        range.map(|n| format!("198.51.{}.{}/32 ", 100 + n / 256, n % 256)).collect()
    }

    fn case(kind: Kind, last: Option<&str>, now: &str, blind: Duration, accepted: bool) -> Result<(), Rejection> {
        let part: Arc<str> = if kind == Kind::List { WHOLE } else { "us_cell_1" }.into();
        let last = last.map(nets);
        let document = Document {
            parts: BTreeMap::from([(Arc::clone(&part), nets(now))]),
            names: vec![Arc::clone(&part)],
            change_number: None,
        };
        let (last, wanted, same) = (|_: &str| last.as_deref(), &[part], false);
        Case { kind, document: &document, wanted, last, blind, accepted, same, returns: false }.judge()
    }

    fn reason(result: Result<(), Rejection>) -> &'static str {
        result.map_or_else(|rejection| rejection.reason(), |()| "believed")
    }

    #[test]
    fn what_vanishes_is_bounded_by_addresses_not_by_text() {
        let okta = |now: &str| reason(case(Kind::Okta, Some(&hosts(0..100)), now, DAY, false));
        assert_eq!(okta(&hosts(0..60)), "believed");
        assert_eq!(okta(&hosts(0..59)), "shrunk");
        assert_eq!(okta(&hosts(40..140)), "believed");
        assert_eq!(okta(&hosts(41..141)), "shrunk");
        let azure = |now: &str| reason(case(Kind::AzureServiceTags, Some(&hosts(0..100)), now, DAY, false));
        assert_eq!((azure(&hosts(0..80)), azure(&hosts(0..79))), ("believed", "shrunk"));
        let aggregated = Ranges::of(&nets(&hosts(0..100))).nets().iter().map(|n| format!("{n} ")).collect::<String>();
        assert_eq!(okta(&aggregated), "believed");
    }

    #[test]
    fn after_an_outage_more_may_have_changed_but_not_everything() {
        let okta = |keep, blind| reason(case(Kind::Okta, Some(&hosts(0..100)), &hosts(0..keep), blind, false));
        assert_eq!(okta(33, DAY), "shrunk");
        assert_eq!(okta(33, 14 * DAY), "believed");
        assert_eq!(okta(19, 1000 * DAY), "shrunk");
        let shrink = limits(Kind::Okta).shrink;
        assert_eq!(shrink.allowed(Duration::ZERO), 40.0);
        assert_eq!(shrink.allowed(DAY + (14 * DAY - DAY) / 2), 60.0);
        assert_eq!(shrink.allowed(100 * DAY), 80.0);
        assert_eq!(limits(Kind::List).shrink.allowed(1000 * DAY), 50.0);
    }

    #[test]
    fn growth_is_bounded_but_a_new_family_is_none() {
        let okta = |now: &str| reason(case(Kind::Okta, Some(&hosts(0..10)), now, DAY, false));
        assert_eq!((okta(&hosts(0..20)), okta(&hosts(0..21))), ("believed", "grown"));
        let v6 = |count| (0..count).map(|n| format!("2001:{n:x}::/48 ")).collect::<String>();
        assert_eq!(okta(&format!("{} {}", hosts(0..10), v6(74))), "believed");
        assert_eq!(okta(&format!("{} {}", hosts(0..10), v6(75))), "grown");
        assert_eq!(
            reason(case(Kind::Okta, Some(&v6(10)), &format!("{} {}", v6(10), hosts(0..75)), DAY, false)),
            "grown"
        );
    }

    #[test]
    fn a_part_has_a_size_that_no_publisher_exceeds() {
        let all = |kind, from: u32, to: u32, net: fn(u32) -> String| {
            let now: String = (from..to).map(|n| net(n) + " ").collect();
            let result = case(kind, None, &now, DAY, false);
            assert!(result.as_ref().err().is_none_or(Rejection::is_acceptable));
            assert_eq!(case(kind, None, &now, DAY, true), Ok(()));
            reason(result)
        };
        let eight = |n: u32| format!("{n}.0.0.0/8");
        assert_eq!(all(Kind::List, 11, 27, eight), "believed");
        assert_eq!(all(Kind::List, 11, 28, eight), "too_many");
        let sixteen = |n: u32| format!("{}.{}.0.0/16", n / 256, n % 256);
        assert_eq!(all(Kind::AzureServiceTags, 11 << 8, 19 << 8, sixteen), "believed");
        assert_eq!(all(Kind::AzureServiceTags, 11 << 8, (19 << 8) + 1, sixteen), "too_many");
        let twenty = |n: u32| format!("198.{}.{}.0/20", n / 16, n % 16 * 16);
        assert_eq!((all(Kind::Okta, 320, 336, twenty), all(Kind::Okta, 320, 337, twenty)), ("believed", "too_many"));
        let v6 = |n: u32| format!("{:x}:{:x}::/32", 0x2000 + n / 65_536, n % 65_536);
        for (kind, most) in [(Kind::Okta, 16), (Kind::AzureServiceTags, 256), (Kind::List, 65_536)] {
            assert_eq!((all(kind, 0, most, v6), all(kind, 0, most + 1, v6)), ("believed", "too_many"), "{kind:?}");
        }
        let why = case(Kind::Okta, None, "198.51.0.0/20 2001:db0::/27 2001:dc0::/32", DAY, false).unwrap_err();
        assert_eq!(why.reason(), "too_wide");
        let why = case(Kind::List, None, "2001::/16 2002::/128", DAY, false).unwrap_err().to_string();
        assert_eq!(
            why,
            "the list: its IPv6 ranges are together wider than one /16, the most that is believed of one part"
        );
    }

    #[test]
    fn one_family_cannot_hide_the_loss_of_the_other() {
        let before = format!("{} 2001:db8::/48", hosts(0..10));
        assert_eq!(reason(case(Kind::Okta, Some(&before), "2001:db8::/48", DAY, false)), "shrunk");
        assert_eq!(reason(case(Kind::Okta, Some(&before), &hosts(0..10), DAY, false)), "shrunk");
    }

    #[test]
    fn wide_ranges_are_refused_by_kind() {
        let first = |kind, now| reason(case(kind, None, now, DAY, false));
        assert_eq!(first(Kind::Okta, "198.51.96.0/20"), "believed");
        assert_eq!(first(Kind::Okta, "198.51.96.0/19"), "too_wide");
        assert_eq!(first(Kind::AzureServiceTags, "198.51.0.0/16 2001:db8::/32"), "believed");
        assert_eq!(first(Kind::AzureServiceTags, "198.50.0.0/15"), "too_wide");
        assert_eq!(first(Kind::AzureServiceTags, "2001:db8::/31"), "too_wide");
        assert_eq!(first(Kind::List, "34.64.0.0/10"), "believed");
        assert_eq!(first(Kind::List, "34.0.0.0/7"), "too_wide");
    }

    #[test]
    fn forbidden_ranges_stay_forbidden_also_when_accepted() {
        for entry in [
            "0.0.0.0/0",
            "::/0",
            "10.1.0.0/16",
            "172.16.0.0/12",
            "172.0.0.0/8",
            "192.168.1.1/32",
            "127.0.0.1/32",
            "169.254.169.254/32",
            "fe80::/64",
            "fd00::/8",
            "224.0.0.1/32",
            "ff02::1/128",
            "::1/128",
            "::ffff:192.0.2.0/120",
            "::/96",
        ] {
            for kind in [Kind::Okta, Kind::AzureServiceTags, Kind::List] {
                assert_eq!(reason(case(kind, None, entry, DAY, true)), "forbidden", "{entry}");
            }
        }
        for entry in ["192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32", "172.32.0.0/16", "::2/128"]
        {
            assert_eq!(reason(case(Kind::List, None, entry, DAY, false)), "believed", "{entry}");
        }
    }

    #[test]
    fn an_accepted_document_may_shrink_grow_and_be_wide() {
        for now in [hosts(0..1), hosts(0..300), "198.48.0.0/12".to_owned()] {
            assert_ne!(reason(case(Kind::Okta, Some(&hosts(0..100)), &now, DAY, false)), "believed");
            assert_eq!(reason(case(Kind::Okta, Some(&hosts(0..100)), &now, DAY, true)), "believed");
        }
        assert_eq!(reason(case(Kind::Okta, Some(&hosts(0..100)), "", DAY, true)), "part_empty");
    }

    #[test]
    fn a_short_list_may_be_rewritten() {
        let list = |last: &str, now: &str| reason(case(Kind::List, Some(last), now, DAY, false));
        assert_eq!(list("192.0.2.1/32", "203.0.113.0/24"), "believed");
        assert_eq!(list("198.51.100.1/32", &hosts(0..300)), "grown");
        assert_eq!(list(&hosts(0..300), "192.0.2.1/32"), "shrunk");
        assert_eq!(list("192.0.2.1/32", ""), "part_empty");
        assert_eq!(reason(case(Kind::List, None, "", DAY, false)), "part_empty");
    }

    #[test]
    fn a_part_that_vanishes_refuses_the_document_and_one_that_never_was_does_not() {
        let (known, never): (Arc<str>, Arc<str>) = ("us_cell_1".into(), "us_cel_2".into());
        let document = Document {
            parts: BTreeMap::from([("eu".into(), nets("192.0.2.0/24"))]),
            names: vec!["eu".into()],
            change_number: None,
        };
        let last = nets("192.0.2.0/24");
        let judge = |wanted: Arc<str>| {
            let last = |part: &str| (part == "us_cell_1").then_some(&last[..]);
            Case {
                kind: Kind::Okta,
                document: &document,
                wanted: &[wanted],
                last,
                blind: DAY,
                accepted: true,
                same: false,
                returns: false,
            }
            .judge()
        };
        assert_eq!(judge(never), Ok(()));
        assert_eq!(
            judge(known).unwrap_err().to_string(),
            "`us_cell_1` is not in it any more; if it is gone for good, take it out of `allow.feeds`; it has eu"
        );
    }

    #[test]
    fn the_document_in_force_is_judged_again_only_for_new_parts() {
        let (old, new): (Arc<str>, Arc<str>) = ("old".into(), "new".into());
        let wide = nets("198.48.0.0/12");
        let parts = BTreeMap::from([(Arc::clone(&old), wide.clone()), (Arc::clone(&new), wide.clone())]);
        let document = Document { parts, names: vec![Arc::clone(&old), Arc::clone(&new)], change_number: None };
        let judge = |wanted: Arc<str>| {
            let last = |part: &str| (part == "old").then_some(&wide[..]);
            let (kind, blind, accepted, same, returns) = (Kind::Okta, DAY, false, true, false);
            let wanted = &[wanted];
            reason(Case { kind, document: &document, wanted, last, blind, accepted, same, returns }.judge())
        };
        assert_eq!((judge(old), judge(new)), ("believed", "too_wide"));
    }

    #[test]
    fn names_in_messages_are_bounded() {
        let names: Vec<Arc<str>> = (0..3041).map(|n| format!("tag{n}{}", "\n".repeat(1000)).into()).collect();
        let text = Names(&names).to_string();
        assert!(text.len() < 10_000 && text.ends_with(" and 3001 more") && !text.contains('\n'));
    }

    #[test]
    fn reasons_are_sorted() {
        assert!(Rejection::REASONS.is_sorted());
    }
}
