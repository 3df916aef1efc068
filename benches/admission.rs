//! What it costs to let a request in: tenant by path, address on an allowlist of 2,066 prefixes, token, rate.
//!
//! Beside it, in the same run, the SHA-256 of the token alone: the work that no admission by token can do without.

#![allow(missing_docs)]

use std::{hint::black_box, net::IpAddr, path::Path, sync::Arc};

use criterion::{Criterion, criterion_group, criterion_main};
use http::{HeaderMap, HeaderValue, Method, header};
use scimshim::{
    config::{self, Settings, World},
    feed::{AddressSet, Feeds},
    gate::{
        Gate, rate,
        resolve::Evidence,
        token::{Authorization, Presented},
    },
    observe::Metrics,
};

/// As many as Okta's cells and the tag AzureActiveDirectory had together in 2026, of their lengths: a tenth /24, the
/// rest single addresses.
const PREFIXES: u32 = 2066;

fn prefixes() -> Vec<String> {
    let address = |n: u32| std::net::Ipv4Addr::from(n.wrapping_mul(2_654_435_761) | 0x0100_0000);
    (0..PREFIXES)
        .map(|n| match n % 10 {
            0 => format!("{}/24", std::net::Ipv4Addr::from(u32::from(address(n)) & 0xffff_ff00)),
            _ => format!("{}/32", address(n)),
        })
        .collect()
}

fn settings(tenants: usize) -> Settings {
    let hash = |token: &str| Presented::hash(token.as_bytes()).0.iter().map(|b| format!("{b:02x}")).collect::<String>();
    let list: String = (0..tenants)
        .map(|n| {
            format!(
                "    t{n}: {{ tokens: [{{ sha256: '{}' }}, {{ sha256: '{}' }}] }}\n",
                hash(&format!("a{n}")),
                hash(&format!("b{n}"))
            )
        })
        .collect();
    let yaml = format!(
        "upstream: {{ url: 'http://127.0.0.1:1/scim/v2' }}
tenants:
  resolve: [{{ path: '/tenants/{{tenant}}' }}]
  defaults:
    rate_limit: {{ reads: {{ per_second: 1000000, burst: 4000000000 }}, writes: {{ per_second: 1000000, burst: 4000000000 }} }}
    allow: {{ mode: enforce, cidrs: [{}] }}
  list:
{list}",
        prefixes().join(", ")
    );
    config::read(&yaml, Path::new(""), &World::real()).expect("a configuration").settings
}

fn gate(settings: &Settings) -> Gate {
    let metrics = Arc::new(Metrics::new().expect("a registry"));
    let feeds = Feeds::new(Vec::new(), None, Arc::clone(&metrics));
    Gate::new(settings, &feeds, &Arc::new(rate::Store::local(Arc::clone(&metrics))), &metrics, None)
}

/// All of it, as the proxy does it.
fn admit(gate: &Gate, peer: IpAddr, method: &Method, path: &str, headers: &HeaderMap) -> rate::Turn {
    let caller = gate.caller(Some(peer), false, headers);
    let prefix = gate.resolver().prefixes(path).next();
    let evidence = Evidence { prefix, host: Some("scim.example.com"), headers, by_proxy: caller.by_proxy };
    let authorization = Authorization::of(headers);
    let tenant = gate.tenant(&evidence, &caller, &authorization).expect("a listed tenant");
    let _room = gate.room().expect("room");
    gate.admit(&tenant, &caller, &authorization).outcome.expect("a listed address and a token");
    tenant.limiter().try_enter(rate::class(method, &path[prefix.map_or(0, |p| p.text.len())..])).expect("a turn")
}

fn benches(c: &mut Criterion) {
    let gate = gate(&settings(10));
    let mut headers = HeaderMap::new();
    headers.insert(header::AUTHORIZATION, HeaderValue::from_static("Bearer b7"));
    headers.insert(header::USER_AGENT, HeaderValue::from_static("Okta SCIM Client 1.0.0"));
    let listed: IpAddr = prefixes()[1003].split('/').next().and_then(|text| text.parse().ok()).expect("an address");
    let path = "/tenants/t7/scim/v2/Users/2819c223-7f76-453a-919d-413861904646?attributes=userName";
    c.bench_function("admission/whole", |b| {
        b.iter(|| admit(&gate, black_box(listed), &Method::GET, black_box(path), &headers));
    });
    c.bench_function("admission/sha256 of a token", |b| b.iter(|| Presented::hash(black_box(&[b'x'; 48]))));

    let nets: Vec<ipnet::IpNet> = prefixes().iter().map(|text| text.parse().expect("a prefix")).collect();
    let set = AddressSet::new(&nets);
    let asked: Vec<IpAddr> = (0..1024u32)
        .map(|n| {
            if n % 2 == 0 {
                nets[n as usize * 2 % nets.len()].addr()
            } else {
                IpAddr::from((n * 77_777_777).to_be_bytes())
            }
        })
        .collect();
    let mut at = 0;
    c.bench_function("admission/allowlist lookup", |b| {
        b.iter(|| {
            at = (at + 1) % asked.len();
            set.find(black_box(asked[at]))
        });
    });
}

criterion_group!(admission, benches);
criterion_main!(admission);
