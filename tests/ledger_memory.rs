//! What the ledger holds at most, counted by the allocator. Alone in its binary: the count is the process's.

use std::sync::Arc;

use peak_alloc::PeakAlloc;
use scimshim::{
    observe::{
        Metrics,
        ledger::{Kind, Ledger, Moment, Observation, Who},
    },
    quirk::Idp,
};

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

const START: u64 = 1_800_000_000_000;
const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;

/// Objects are named as the proxy names them: spread over 64 bits.
fn write(object: u64, status: u16) -> Observation {
    Observation::new(Kind::Write, Some(object.wrapping_mul(0x9e37_79b9_7f4a_7c15)), status)
}

fn ledger() -> Ledger {
    Ledger::new(500, 10_000, Arc::new(Metrics::new().expect("a table without doubles")))
}

fn who(tenant: &str) -> Who<'_> {
    Who { tenant, label: "_other", idp: Idp::Entra, listed: false }
}

/// Runs as one test, since the allocator counts for all threads.
#[test]
fn memory_is_bounded() {
    sixty_thousand_failing_objects_take_two_mebibytes_a_set();
    a_million_objects_take_no_more();
    a_usual_tenant_takes_some_kibibytes();
    a_year_of_cycles_shows_no_growth();
}

fn sixty_thousand_failing_objects_take_two_mebibytes_a_set() {
    let ledger = ledger();
    ledger.record(&who("acme"), Moment(START), &write(0, 200));
    let before = MEMORY.current_usage();
    for object in 0..60_000 {
        ledger.record(&who("acme"), Moment(START + object), &write(object, 400));
    }
    let one = MEMORY.current_usage() - before;
    assert!((MIB..MIB * 5 / 2).contains(&one), "{one} bytes for F");
    for object in 0..60_000 {
        let failed = Observation { reference: true, ..write(object, 400) };
        ledger.record(&who("acme"), Moment(START + 60_000 + object), &failed);
    }
    let both = MEMORY.current_usage() - before;
    assert!(both < MIB * 5, "{both} bytes for F and R");
    assert_eq!(ledger.views(Moment(START + 120_000))[0].failing, 60_000);
}

fn a_million_objects_take_no_more() {
    let ledger = ledger();
    let before = MEMORY.current_usage();
    for object in 0..1_000_000 {
        let id = Some(u64::MAX - object);
        let status = if object % 2 == 0 { 400 } else { 201 };
        let seen = Observation { also: id, ..write(object, status) };
        ledger.record(&who("acme"), Moment(START + object), &seen);
    }
    let all = MEMORY.current_usage() - before;
    assert!(all < 6 * MIB, "{all} bytes");
}

fn a_usual_tenant_takes_some_kibibytes() {
    let ledger = ledger();
    let tenants: Vec<String> = (0..200).map(|n| format!("customer-{n}")).collect();
    let before = MEMORY.current_usage();
    for tenant in &tenants {
        for object in 0..200 {
            ledger.record(&who(tenant), Moment(START + object * 200), &write(object, 200));
        }
    }
    let each = (MEMORY.current_usage() - before) / tenants.len();
    assert!(each < 16 * KIB, "{each} bytes for each tenant");
}

fn a_year_of_cycles_shows_no_growth() {
    let ledger = ledger();
    let mut month = 0;
    // A cycle in 40 minutes; one object in ten fails, and another each time.
    for cycle in 0..13_140_u64 {
        let at = START + cycle * 2_400_000;
        for object in 0..20 {
            let number = (cycle * 7 + object) % 2000;
            ledger.record(&who("acme"), Moment(at + object * 200), &write(number, if object < 2 { 400 } else { 200 }));
        }
        ledger.tick(Moment(at + 400_000));
        if cycle == 1095 {
            month = MEMORY.current_usage();
        }
    }
    let year = MEMORY.current_usage();
    assert!(year < month + 16 * KIB, "{month} bytes after a month, {year} after a year");
}
