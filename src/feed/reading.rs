//! A document against the last good copy: what it would change, if it is believed.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use ipnet::IpNet;
use sha2::{Digest, Sha256};

use super::{
    Kind, Spec,
    clock::Time,
    fetch::{self, Answer, Fetched, Patience},
    guard::{Case, Rejection},
    parse::{self, Document, WHOLE, Wanted},
    set::AddressSet,
    state::{Change, Held, Kept, Validators},
};

/// A document that is believed, ready to be put in force.
pub(super) struct Reading {
    pub(super) held: Held,
    pub(super) changes: Vec<Change>,
    /// With the addresses in them.
    pub(super) sets: Vec<(Arc<str>, AddressSet, u64)>,
    /// Named by a tenant and not there.
    pub(super) absent: Vec<Arc<str>>,
    pub(super) names: Vec<Arc<str>>,
    /// The change number before and now, if it went down.
    pub(super) lower: Option<(u64, u64)>,
}

impl Reading {
    /// Judges a document beside the last good copy; else why not, and its hash.
    pub(super) fn of(
        spec: &Spec,
        last: Option<&Held>,
        fetched: Fetched,
        now: Time,
    ) -> Result<Self, (Rejection, [u8; 32])> {
        let sha256: [u8; 32] = Sha256::digest(&fetched.bytes).into();
        let parts = wanted(spec);
        let document = parse::document(spec.kind, spec.pointer.as_deref(), Wanted::Named(&parts), &fetched.bytes)
            .map_err(|error| (error.into(), sha256))?;
        let case = Case {
            kind: spec.kind,
            document: &document,
            wanted: &parts,
            last: |part: &str| last.and_then(|held| held.parts.get(part)).map(|kept| &kept.current[..]),
            blind: last.map_or(Duration::ZERO, |held| held.blind(now)),
            accepted: spec.accept == Some(sha256),
            same: last.is_some_and(|held| held.sha256 == Some(sha256)),
            returns: last.is_some_and(|held| held.before == Some(sha256)),
        };
        case.judge().map_err(|rejection| (rejection, sha256))?;
        Ok(Self::apply(spec, last, document, sha256, (fetched.validators, fetched.dated), now))
    }

    fn apply(
        spec: &Spec,
        last: Option<&Held>,
        document: Document,
        sha256: [u8; 32],
        (validators, dated): (Validators, Option<u64>),
        now: Time,
    ) -> Self {
        let before = last.and_then(|held| if held.sha256 == Some(sha256) { held.before } else { held.sha256 });
        let mut held = Held {
            sha256: Some(sha256),
            before,
            fetched: now,
            checked: now,
            read: now,
            blind: Duration::ZERO,
            validators,
            dated,
            change_number: document.change_number,
            parts: BTreeMap::new(),
        };
        let (mut changes, mut sets) = (Vec::new(), Vec::new());
        for (name, nets) in document.parts.iter().filter(|(_, nets)| !nets.is_empty()) {
            let old = last.and_then(|held| held.parts.get(name));
            let (kept, change) = Kept::next(old, name, nets, now, spec.removal_grace);
            sets.push((Arc::clone(name), AddressSet::new(kept.nets()), change.total));
            changes.push(change);
            held.parts.insert(Arc::clone(name), kept);
        }
        let absent = wanted(spec).into_iter().filter(|part| !held.parts.contains_key(part)).collect();
        let before = last.and_then(|held| held.change_number);
        let lower = before.zip(document.change_number).filter(|(before, now)| now < before);
        Self { held, changes, sets, absent, names: document.names, lower }
    }
}

/// The parts that are looked for.
pub(super) fn wanted(spec: &Spec) -> Vec<Arc<str>> {
    match spec.kind {
        Kind::List => vec![WHOLE.into()],
        Kind::AzureServiceTags | Kind::Okta => spec.parts.clone(),
    }
}

/// The parts of a document, for people who look: entries by name.
pub(super) async fn look(spec: &Spec, patience: Patience) -> Result<BTreeMap<Arc<str>, Vec<IpNet>>, String> {
    let fetched = match fetch::fetch(spec, None, patience).await.map_err(|error| error.to_string())? {
        Answer::Document(fetched) => fetched,
        Answer::Unchanged => return Err("the source says that nothing has changed, and was not asked".into()),
    };
    let document = parse::document(spec.kind, spec.pointer.as_deref(), Wanted::All, &fetched.bytes);
    document.map(|document| document.parts).map_err(|error| error.to_string())
}
