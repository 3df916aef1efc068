//! What it costs to note one exchange: finding the tenant, judging the answer, the sets, the score, the counters.

#![allow(missing_docs, clippy::print_stdout)]

use std::{hint::black_box, sync::Arc};

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use scimshim::{
    observe::{
        Metrics,
        key::Key,
        ledger::{Kind, Ledger, Moment, Observation, Who},
    },
    quirk::Idp,
};

const START: u64 = 1_800_000_000_000;
const TENANTS: usize = 200;

/// Objects are named as the proxy names them: spread over 64 bits.
fn write(object: u64, status: u16) -> Observation {
    Observation::new(Kind::Write, Some(object.wrapping_mul(0x9e37_79b9_7f4a_7c15)), status)
}

/// Series as a busy shim has them: zeros, a dozen kinds of requests and twenty quirks for each tenant.
fn metrics(names: &[String]) -> Arc<Metrics> {
    let metrics = Metrics::new().expect("a registry");
    metrics.zeros(names.iter().map(|name| &**name), &["rate", "token", "hold", "upstream", "deadline", "malformed"]);
    for name in names {
        for method in ["GET", "PATCH", "POST"] {
            for code in ["200", "201", "400", "404"] {
                metrics.requests.with_label_values(&[&**name, "entra", method, "Users", code]).inc();
            }
        }
        for quirk in scimshim::quirk::ALL.iter().take(20) {
            metrics.fixes.with_label_values(&[&**name, quirk.id, "request", "fix"]).inc();
        }
    }
    Arc::new(metrics)
}

/// Each of the tenants has a few hundred objects.
fn ledger(names: &[String], metrics: &Arc<Metrics>) -> Ledger {
    let ledger = Ledger::new(500, 10_000, Arc::clone(metrics));
    let listed: Vec<_> = names.iter().map(|name| (&**name, &**name, Idp::Entra)).collect();
    ledger.reconfigure(500, 10_000, &listed);
    for name in names {
        for object in 0..300 {
            ledger.record(&who(name), Moment(START + object), &write(object, if object < 30 { 400 } else { 200 }));
        }
    }
    ledger
}

fn who(name: &str) -> Who<'_> {
    Who { tenant: name, label: name, idp: Idp::Entra, listed: true }
}

fn benches(c: &mut Criterion) {
    let names: Vec<String> = (0..TENANTS).map(|n| format!("customer-{n}")).collect();
    let metrics = metrics(&names);
    let ledger = ledger(&names, &metrics);
    for (name, status) in [("success", 200), ("failure", 400)] {
        let mut n = 0_u64;
        c.bench_function(&format!("ledger/record a {name}"), |b| {
            b.iter(|| {
                n += 1;
                let (tenant, object) = (&names[n as usize % TENANTS], n / TENANTS as u64 % 300);
                ledger.record(&who(tenant), Moment(START + 1000 + n / 1000), black_box(&write(object, status)));
            });
        });
    }
    let mut now = START + 100_000;
    c.bench_function("ledger/tick of 200 tenants", |b| {
        b.iter(|| {
            now += 1;
            ledger.tick(black_box(Moment(now)));
        });
    });
    c.bench_function("ledger/export of 200 tenants", |b| b.iter(|| ledger.export(black_box(Moment(now)))));
    c.bench_function("ledger/scrape of 200 tenants", |b| {
        b.iter(|| {
            ledger.export(black_box(Moment(now)));
            metrics.text().expect("a page")
        });
    });
    println!("a page of 200 tenants: {} kB", metrics.text().expect("a page").len() / 1000);
    let key = Key::from_bytes([7; 32]);
    c.bench_function("ledger/snapshot of 200 tenants", |b| {
        b.iter_batched(|| (), |()| ledger.snapshot(&key, Moment(now)), BatchSize::PerIteration);
    });
}

criterion_group!(ledger_benches, benches);
criterion_main!(ledger_benches);
