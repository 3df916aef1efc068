//! The engine over five bodies, each beside serde_json reading and writing the same body in the same run.
//!
//! `cargo bench --bench engine` prints both figures of a body one below the other: their ratio is the result, the
//! nanoseconds belong to the machine. Every quirk has its default mode, duplicate keys are looked for.

#![allow(missing_docs, clippy::print_stdout)]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use http::{HeaderMap, Method, header::CONTENT_TYPE};
use scimshim::quirk::{Idp, Plan, PlanSettings};

mod bodies;

fn engine(c: &mut Criterion) {
    let plan = Plan::new(&PlanSettings::default(), Idp::Entra);
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, "application/scim+json".parse().expect("a header value"));
    for body in bodies::all() {
        let mut group = c.benchmark_group(body.name);
        let method: Method = body.method.parse().expect("a method");
        for (kind, bytes) in [("dirty", &body.dirty), ("clean", &body.clean)] {
            group.throughput(Throughput::Bytes(bytes.len() as u64));
            group.bench_with_input(BenchmarkId::new("engine", kind), bytes, |b, bytes| {
                b.iter(|| body.walk(&plan, &method, &headers, bytes));
            });
        }
        group.bench_with_input(BenchmarkId::new("serde_json", "parse + write"), &body.dirty, |b, bytes| {
            b.iter(|| {
                let value: serde_json::Value = serde_json::from_slice(black_box(bytes)).expect("legal JSON");
                black_box(serde_json::to_vec(&value).expect("writes"))
            });
        });
        group.finish();
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20).warm_up_time(std::time::Duration::from_millis(500))
        .measurement_time(std::time::Duration::from_secs(2));
    targets = engine
}
criterion_main!(benches);
