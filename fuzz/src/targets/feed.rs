//! Published address lists: Okta's, Azure's, and lists of nobody in particular. No entry is left out, and the same
//! document gives the same ranges whichever part is asked for.

use scimshim::feed::{
    Kind,
    parse::{Wanted, document},
};

use super::PARSER;
use crate::{
    cost::Cost,
    seeds,
    target::{Shape, Target},
};

pub static TARGET: Target = Target {
    name: "feed",
    about: "Okta ip_ranges, Azure Service Tags, lists in JSON and text: no entry is left out",
    run,
    seeds: || {
        let mut seeds = seeds::bytes(&[
            r#"{"us_cell_1":{"ip_ranges":["192.0.2.0/24","2001:db8::/32"]},"us_cell_2":{"ip_ranges":[]}}"#,
            r#"{"changeNumber":376,"cloud":"Public","values":[{"name":"AzureActiveDirectory","id":"AzureActiveDirectory",
                "properties":{"changeNumber":1,"addressPrefixes":["192.0.2.0/24","2001:db8::/32"]}}]}"#,
            "# ours\n192.0.2.0/24 # one\n2001:db8::1\n\n",
            r#"{"syncToken":"1","prefixes":[{"ipv4Prefix":"192.0.2.0/24"},{"ipv6Prefix":"2001:db8::/32"}]}"#,
            r#"{"prefixes":[{"ip_prefix":"192.0.2.0/24","region":"x"}],"ipv6_prefixes":[{"ipv6_prefix":"2001:db8::/32"}]}"#,
            r#"["192.0.2.1","::ffff:192.0.2.0/120"]"#,
            "<!DOCTYPE html><html><title>404</title></html>",
            "<?xml version=\"1.0\"?><Error/>",
        ]);
        seeds.extend(seeds::feeds(TARGET.longest));
        seeds
    },
    words: &[
        "\"ip_ranges\":",
        "\"values\":",
        "\"name\":",
        "\"properties\":",
        "\"addressPrefixes\":",
        "\"changeNumber\":",
        "\"prefixes\":",
        "\"ipv4Prefix\":",
        "192.0.2.0/24",
        "2001:db8::/32",
        "/33",
        "\n",
        "#",
        "<html",
        "\u{feff}",
    ],
    shape: Shape::Json { heads: &[] },
    longest: 16_384,
    cost: Cost { steps_per_byte: 8_000, room_per_byte: 4_000, ..PARSER },
};

fn run(data: &[u8]) {
    for kind in [Kind::Okta, Kind::AzureServiceTags, Kind::List] {
        let pointers: &[Option<&str>] =
            if kind == Kind::List { &[None, Some("/prefixes"), Some("/a/0")] } else { &[None] };
        for pointer in pointers {
            let Ok(all) = document(kind, *pointer, Wanted::All, data) else { continue };
            assert_eq!(all.parts.len(), all.names.len(), "every part is there once");
            for (name, ranges) in &all.parts {
                assert!(ranges.iter().all(|range| range.trunc() == *range), "a range has bits behind its prefix");
                let wanted = [name.clone()];
                let one = document(kind, *pointer, Wanted::Named(&wanted), data).expect("it was read before");
                assert_eq!(one.parts.get(name), Some(ranges), "a part is the same alone");
            }
        }
    }
    // A list of lines, read again the plain way.
    if let Ok(text) = std::str::from_utf8(data)
        && !text.trim_start().starts_with(['{', '[', '<', '\u{feff}'])
        && let Ok(list) = document(Kind::List, None, Wanted::All, data)
    {
        let lines = text.lines().filter(|line| !line.split('#').next().unwrap_or_default().trim().is_empty()).count();
        assert_eq!(list.parts.values().map(Vec::len).sum::<usize>(), lines, "each line is a range");
    }
}
