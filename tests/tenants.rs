//! What limits cost a tenant, counted by the allocator. Alone in its binary: the count is the process's.

use std::{num::NonZeroU32, sync::Arc, time::Duration};

use peak_alloc::PeakAlloc;
use scimshim::{
    gate::rate::{Class, Limiter, Limits, Quota, Store},
    observe::Metrics,
};

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

const TENANTS: usize = 100_000;
/// For each tenant that has used all three of its quotas; an unlimited one is below the second.
const BYTES: [usize; 2] = [768, 128];

#[test]
fn a_hundred_thousand_tenants_stay_below_three_quarters_of_a_kibibyte_each() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let _runtime = runtime.enter();
    let metrics = Arc::new(Metrics::new().expect("a table without doubles"));
    let store = Arc::new(Store::local(metrics));
    let quota = Some(Quota { per_second: 25.0, burst: NonZeroU32::MIN.saturating_add(49) });
    let limits = Limits {
        reads: quota,
        writes: quota,
        lookups: quota,
        wait: Duration::from_secs(10),
        max_waiting: 100,
        concurrency: NonZeroU32::new(32),
    };
    let label: Arc<str> = "_other".into();
    for (limits, bytes) in [Some(&limits), None].into_iter().zip(BYTES) {
        let before = MEMORY.current_usage();
        let limiters: Vec<Limiter> = (0..TENANTS)
            .map(|i| Limiter::new(&store, &format!("customer-{i:06}").into(), &label, limits))
            .inspect(|limiter| assert!(Class::ALL.iter().all(|class| limiter.try_enter(*class).is_some())))
            .collect();
        let each = (MEMORY.current_usage() - before) / limiters.len();
        assert!(each < bytes, "{each} bytes for each tenant");

        // And a request costs none that it does not give back, nor any while it comes in.
        MEMORY.reset_peak_usage();
        let before = MEMORY.current_usage();
        for limiter in &limiters {
            assert!(Class::ALL.iter().all(|class| limiter.try_enter(*class).is_some()));
        }
        assert_eq!(MEMORY.peak_usage(), before);
    }
}
