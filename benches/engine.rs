//! The engine over five bodies, each beside serde_json reading and writing the same body in the same run.
//!
//! `cargo bench --bench engine` prints both figures of a body one below the other: their ratio is the result, the
//! nanoseconds belong to the machine. Every quirk has its default mode, duplicate keys are looked for.

#![allow(missing_docs, clippy::print_stdout)]

use std::{hint::black_box, time::SystemTime};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use http::{HeaderMap, Method, StatusCode, header::CONTENT_TYPE};
use scimshim::quirk::{self, Answer, Asked, Idp, Plan, PlanSettings, Sent};

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
                if body.answer {
                    let asked = Asked {
                        method: &method,
                        target: body.target,
                        base_url: "https://app.example/scim/v2",
                        upstream_url: "http://127.0.0.1:8080/scim/v2",
                        now: SystemTime::UNIX_EPOCH,
                        collection_seen: true,
                    };
                    b.iter(|| {
                        let answer = Answer { status: StatusCode::OK, headers: &headers, body: black_box(bytes) };
                        black_box(quirk::repair(&plan, &asked, &answer))
                    });
                } else {
                    b.iter(|| {
                        let sent =
                            Sent { method: &method, target: body.target, headers: &headers, body: black_box(bytes) };
                        black_box(quirk::normalize(&plan, &sent).expect("legal JSON"))
                    });
                }
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
