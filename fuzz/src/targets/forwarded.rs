//! Who is calling, by `x-forwarded-for` and `forwarded`: what a stranger writes to the left decides nothing.

use std::net::IpAddr;

use http::{HeaderMap, HeaderName, HeaderValue};
use scimshim::{
    config::settings::{AddressFrom, ClientAddress},
    gate::address::caller,
};

use super::PARSER;
use crate::{
    seeds,
    target::{Shape, Target},
};

pub static TARGET: Target = Target {
    name: "forwarded",
    about: "x-forwarded-for and forwarded: what a stranger adds to the left decides nothing",
    run,
    seeds: || {
        seeds::bytes(&[
            "192.0.2.1, 10.0.0.1",
            "2001:db8::1, [2001:db8::2]:443, 10.1.1.1:80",
            "for=192.0.2.1;proto=https, for=10.0.0.1;by=_x",
            "for=\"[2001:db8::1]:443\";host=\"a,b;c\\\"d\", for=unknown, for=_hidden",
            "::ffff:192.0.2.1,10.0.0.1",
            "fe80::1%eth0, 10.0.0.1\n10.0.0.2",
        ])
    },
    words: &[
        "for=",
        "For=\"",
        "proto=https",
        "[2001:db8::1]",
        "::ffff:",
        "10.0.0.1",
        "unknown",
        "\\\"",
        ", ",
        ";",
        "%25",
        "\n",
    ],
    shape: Shape::Bytes,
    longest: 1024,
    cost: PARSER,
};

fn run(data: &[u8]) {
    let nets = ["10.0.0.0/8", "2001:db8:1::/48"].map(|net| net.parse().expect("a range"));
    for (from, name) in [(AddressFrom::XForwardedFor, "x-forwarded-for"), (AddressFrom::Forwarded, "forwarded")] {
        let rules = ClientAddress { from, trusted_proxies: nets.to_vec() };
        let trusts = |address: IpAddr| nets.iter().any(|net: &ipnet::IpNet| net.contains(&address));
        let name = HeaderName::from_static(name);
        let lines: Option<Vec<_>> =
            data.split(|byte| *byte == b'\n').map(|line| HeaderValue::from_bytes(line).ok()).collect();
        let Some(lines) = lines else { return };
        let headers = |first: &[&str]| {
            let mut headers = HeaderMap::new();
            let invented = first.iter().filter_map(|line| HeaderValue::from_str(line).ok());
            invented.chain(lines.iter().cloned()).for_each(|line| {
                headers.append(&name, line);
            });
            headers
        };
        let peer: IpAddr = "10.9.9.9".parse().expect("an address");
        let found = caller(&rules, Some(peer), false, &headers(&[]));
        assert!(found.by_proxy);
        if let Some(address) = found.address {
            assert!(!trusts(address), "a proxy is no caller");
            assert_eq!(address, address.to_canonical());
            for invented in ["192.0.2.77", "for=192.0.2.77", "10.0.0.7", "nonsense \" , ;"] {
                let lied = caller(&rules, Some(peer), false, &headers(&[invented])).address;
                // A line that cannot be read may hide where the next begins; then nobody is known.
                assert!(lied == Some(address) || lied.is_none(), "{invented} made {lied:?} of {address}");
            }
        }
        // A stranger's own header is not looked at.
        let stranger: IpAddr = "203.0.113.9".parse().expect("an address");
        assert_eq!(caller(&rules, Some(stranger), false, &headers(&[])).address, Some(stranger));
        assert_eq!(caller(&rules, None, false, &headers(&[])).address, None);
    }
}
