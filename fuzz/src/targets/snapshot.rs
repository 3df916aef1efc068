//! The ledger's snapshot. Its checksum is put right before it is read, so that what is behind it is reached.

use std::sync::{Arc, OnceLock};

use scimshim::{
    observe::{
        Metrics,
        key::Key,
        ledger::{Kind, Ledger, Moment, Observation, Who},
    },
    quirk::Idp,
};
use sha2::{Digest, Sha256};

use crate::{
    cost::Cost,
    target::{Shape, Target},
};

pub static TARGET: Target = Target {
    name: "snapshot",
    about: "the snapshot of the ledger: read is written is read",
    run,
    seeds: || {
        let ledger = Ledger::new(500, 10, metrics());
        let mut seeds = vec![unsealed(ledger.snapshot(&key(), NOW))];
        for at in 0..60 {
            let idp = if at % 3 == 0 { Idp::Okta } else { Idp::Entra };
            let who = Who { tenant: if at % 3 == 0 { "acme" } else { "b" }, label: "acme", idp, listed: false };
            ledger.record(&who, Moment(NOW.0 - 600_000 * (60 - at)), &observation(at));
            if at % 12 == 0 {
                seeds.push(unsealed(ledger.snapshot(&key(), NOW)));
            }
        }
        seeds.push(unsealed(ledger.snapshot(&key(), NOW)));
        seeds
    },
    words: &["scimshim ledger\n", "acme"],
    shape: Shape::Bytes,
    longest: 16_384,
    cost: Cost { steps: 20_000_000, steps_per_byte: 100_000, room: 20_000_000, room_per_byte: 10_000 },
};

const NOW: Moment = Moment(1_700_000_000_000);

fn key() -> Key {
    Key::from_bytes([7; 32])
}

fn metrics() -> Arc<Metrics> {
    static METRICS: OnceLock<Arc<Metrics>> = OnceLock::new();
    Arc::clone(METRICS.get_or_init(|| Arc::new(Metrics::new().expect("names are unique"))))
}

fn observation(at: u64) -> Observation {
    Observation {
        kind: [Kind::Write, Kind::Filter, Kind::Probe, Kind::Get][(at % 4) as usize],
        guid: at % 7 == 0,
        matches: (at % 4 == 1).then_some(1),
        delete: at % 11 == 0,
        object: Some(at / 2),
        also: None,
        status: if at % 5 == 0 { 500 } else { 200 },
        scim: true,
        reference: at % 13 == 0,
        deprovision: at % 11 == 0,
        cause: None,
    }
}

fn unsealed(mut snapshot: Vec<u8>) -> Vec<u8> {
    snapshot.truncate(snapshot.len() - 32);
    snapshot
}

fn run(data: &[u8]) {
    let sealed = [data, &Sha256::digest(data)].concat();
    let ledger = Ledger::new(500, 10, metrics());
    let Ok(key) = ledger.restore(&sealed, NOW) else { return };
    let written = ledger.snapshot(&key, NOW);
    let second = Ledger::new(500, 10, metrics());
    let again = second.restore(&written, NOW).expect("what was written is read");
    assert!(again == key);
    for tenant in ["acme", "b"] {
        let views = [&ledger, &second].map(|ledger| ledger.view(tenant, NOW).map(|view| format!("{view:?}")));
        assert_eq!(views[0], views[1], "what was written is what was there");
    }
    let who = Who { tenant: "acme", label: "acme", idp: Idp::Entra, listed: false };
    for at in 0..4 {
        ledger.record(&who, Moment(NOW.0 + 1_000_000 * at), &observation(at));
    }
}
