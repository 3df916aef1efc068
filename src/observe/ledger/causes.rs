//! Why objects fail: a table of reasons per tenant, so that an entry holds six bits and no text.
//!
//! A place that nobody fails for any more is given to the next reason; with 62 of them in use at once the rest is
//! counted as one.

use super::{Cause, Culprit, objects::Failing};

/// Places of the table, the first and the last included.
pub(super) const CAUSES: usize = 64;
/// No reason is known: told by nobody, or before a restart.
pub(super) const UNKNOWN: u8 = 0;
const OTHER: u8 = CAUSES as u8 - 1;
/// As many culprits as a person reads.
pub(super) const SHOWN: usize = 10;

/// The reasons of one tenant.
#[derive(Debug, Clone, Default)]
pub(super) struct Causes(Vec<Cause>);

impl Causes {
    /// The place of `cause`; `failing` and `references` say which places are in use.
    pub(super) fn place(&mut self, cause: Option<&Cause>, failing: &Failing, references: &Failing) -> u8 {
        let Some(cause) = cause else { return UNKNOWN };
        if let Some(at) = self.0.iter().position(|have| have == cause) {
            return at as u8 + 1;
        }
        if self.0.len() + 2 < CAUSES {
            self.0.push(cause.clone());
            return self.0.len() as u8;
        }
        let free = (1..OTHER).find(|at| count(failing, *at) + count(references, *at) == 0);
        let Some(at) = free else { return OTHER };
        self.0[usize::from(at) - 1] = cause.clone();
        at
    }

    /// The greatest share first; `references` where they have a part in what is asked.
    pub(super) fn culprits(&self, failing: &Failing, references: Option<&Failing>) -> Vec<Culprit> {
        let all = failing.len() + references.map_or(0, Failing::len);
        let counts = (0..=OTHER).map(|at| (at, count(failing, at) + references.map_or(0, |set| count(set, at))));
        let mut counts: Vec<_> = counts.filter(|(_, objects)| *objects > 0).collect();
        counts.sort_by_key(|(at, objects)| (std::cmp::Reverse(*objects), *at));
        counts.truncate(SHOWN);
        counts.into_iter().map(|(at, objects)| self.culprit(at, objects, all)).collect()
    }

    fn culprit(&self, at: u8, objects: u64, all: u64) -> Culprit {
        let share = objects as f64 / all as f64;
        let percent = (share * 100.0).round();
        let cause = at.checked_sub(1).and_then(|at| self.0.get(usize::from(at)));
        let text = match cause {
            Some(cause) => format!("{objects} {}, {percent} % of failures", words(cause, objects)),
            None => {
                let why = if at == UNKNOWN { "reason not known" } else { "other reasons" };
                format!("{objects} {}, {why}, {percent} % of failures", noun("", objects))
            }
        };
        let none = if at == UNKNOWN { Cause { resource: "unknown", ..others(0) } } else { others(0) };
        Culprit { cause: cause.cloned().unwrap_or(none), objects, share, text }
    }
}

/// Of nothing in particular.
pub(super) fn others(status: u16) -> Cause {
    Cause { resource: "other", status, scim_type: None, attribute: None, quirk: None, refusal: None }
}

fn count(failing: &Failing, at: u8) -> u64 {
    failing.causes().get(usize::from(at)).copied().unwrap_or(0).into()
}

/// What is counted: resources of RFC 7644 that are many have a name in the plural, which is also that of one but for its
/// last letter.
pub(super) fn noun(resource: &'static str, count: u64) -> &'static str {
    match resource {
        "Groups" | "ResourceTypes" | "Schemas" | "Users" if count == 1 => &resource[..resource.len() - 1],
        "Groups" | "ResourceTypes" | "Schemas" | "Users" => resource,
        _ if count == 1 => "object",
        _ => "objects",
    }
}

/// Such as `Users, 400 invalidValue, emails.type`.
fn words(cause: &Cause, count: u64) -> String {
    let status = if cause.status == 0 { "no answer".to_owned() } else { cause.status.to_string() };
    let mut text = format!("{}, {status}", noun(cause.resource, count));
    if let Some(scim_type) = cause.scim_type {
        text.push(' ');
        text.push_str(scim_type);
    }
    let quirk = cause.quirk.map(|quirk| quirk.as_str());
    let refusal = cause.refusal.map(|refusal| format!("refused by scimshim ({refusal})"));
    for more in [cause.attribute.as_deref(), quirk, refusal.as_deref()].into_iter().flatten() {
        text.push_str(", ");
        text.push_str(more);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::ledger::{Moment, objects::Sort};

    fn cause(status: u16) -> Cause {
        let attribute = Some("emails.type".to_owned());
        Cause { resource: "Users", status, scim_type: Some("invalidValue"), attribute, quirk: None, refusal: None }
    }

    #[test]
    fn the_greatest_share_comes_first() {
        let (mut causes, mut failing, references) = (Causes::default(), Failing::default(), Failing::default());
        for (object, cause) in
            [(1, Some(cause(409))), (2, Some(cause(400))), (3, Some(cause(400))), (4, None)].iter().enumerate()
        {
            let place = causes.place(cause.1.as_ref(), &failing, &references);
            failing.fail(object as u64, Moment(1), Sort::Write, false, place);
        }
        let culprits = causes.culprits(&failing, Some(&references));
        assert_eq!(culprits[0].text, "2 Users, 400 invalidValue, emails.type, 50 % of failures");
        assert_eq!((culprits.len(), culprits[0].share), (3, 0.5));
        assert_eq!(culprits[1].text, "1 object, reason not known, 25 % of failures");
        assert_eq!(culprits[2].text, "1 User, 409 invalidValue, emails.type, 25 % of failures");
        assert_eq!(
            [noun("Groups", 1), noun("Groups", 2), noun("other", 1), noun("Me", 2)],
            ["Group", "Groups", "object", "objects"]
        );
    }

    #[test]
    fn there_are_never_more_than_64_reasons() {
        let (mut causes, mut failing, references) = (Causes::default(), Failing::default(), Failing::default());
        for status in 0..200 {
            let place = causes.place(Some(&cause(status)), &failing, &references);
            failing.fail(status.into(), Moment(1), Sort::Write, false, place);
        }
        assert_eq!((causes.0.len(), failing.causes()[usize::from(OTHER)]), (62, 138));
        let text = &causes.culprits(&failing, Some(&references))[0].text;
        assert_eq!(text, "138 objects, other reasons, 69 % of failures");
        // What nobody fails for any more makes room.
        failing.succeed(7, Sort::Write, false);
        let place = causes.place(Some(&cause(999)), &failing, &references);
        assert_eq!(causes.0[usize::from(place) - 1], cause(999));
    }
}
