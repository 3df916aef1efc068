//! `RateLimit` and `RateLimit-Policy`, by draft-ietf-httpapi-ratelimit-headers-10 (the form since -08: a list of
//! quoted policy names with parameters).
//!
//! The draft thinks in windows, GCRA has none. The mapping, so that a client that obeys it is never refused:
//!
//! | parameter | draft | here |
//! |---|---|---|
//! | `q` | quota of a window | the burst |
//! | `w` | length of the window | seconds in which a spent burst comes back, rounded up |
//! | `r` | quota left now | requests that would pass at once |
//! | `t` | seconds until the quota is reset | admitted: until the burst is whole again; refused: until there is a turn |
//!
//! Only the policy that the request counted under is named. `Retry-After`, where it stands beside, takes precedence
//! for a client, and has a floor that `t` has not: the draft wants both to mean the same moment, so an answer with
//! `Retry-After` says it with [`Standing::again_after`].

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::{bucket::Pace, class::Class};

const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
/// RFC 9651 3.3.1: an Integer has at most 15 digits.
const MOST: u64 = 999_999_999_999_999;

/// How a quota stood when a request was admitted or refused under it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    class: Class,
    pace: Pace,
    left: u32,
    until: Duration,
}

impl Standing {
    pub(super) fn admitted(class: Class, pace: Pace, left: u32) -> Self {
        let left = left.min(pace.burst.get());
        Self { class, pace, left, until: pace.refill(pace.burst.get() - left) }
    }

    pub(super) fn refused(class: Class, pace: Pace, wait: Duration) -> Self {
        Self { class, pace, left: 0, until: wait }
    }

    /// Which quota.
    pub fn class(&self) -> Class {
        self.class
    }

    /// Requests that would pass at once.
    pub fn left(&self) -> u32 {
        self.left
    }

    /// The same beside a `Retry-After`, whose bounds are others: both mean one moment.
    #[must_use]
    pub fn again_after(self, retry_after: Duration) -> Self {
        Self { until: retry_after, ..self }
    }

    /// Writes both fields. Those of the app are replaced: two answers to one question help nobody.
    pub fn write(&self, headers: &mut HeaderMap) {
        let window = self.pace.refill(self.pace.burst.get());
        headers.insert(RATE_LIMIT, item(self.class, ["r", "t"], [u64::from(self.left), seconds(self.until)]));
        let quota = u64::from(self.pace.burst.get());
        headers.insert(RATE_LIMIT_POLICY, item(self.class, ["q", "w"], [quota, seconds(window)]));
    }
}

/// `"writes";r=19;t=1`
fn item(class: Class, names: [&str; 2], values: [u64; 2]) -> HeaderValue {
    let mut text = Vec::with_capacity(48);
    text.push(b'"');
    text.extend_from_slice(class.policy().as_bytes());
    text.push(b'"');
    for (name, value) in names.into_iter().zip(values) {
        text.push(b';');
        text.extend_from_slice(name.as_bytes());
        text.push(b'=');
        push_number(&mut text, value);
    }
    HeaderValue::from_maybe_shared(Bytes::from(text)).expect("words and numbers of our own")
}

/// Without the machinery of `format!`: two of these go out with every answer.
fn push_number(text: &mut Vec<u8>, number: u64) {
    if number > 9 {
        push_number(text, number / 10);
    }
    text.push(b'0' + (number % 10) as u8);
}

fn seconds(time: Duration) -> u64 {
    (time.as_secs() + u64::from(time.subsec_nanos() > 0)).min(MOST)
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;
    use crate::gate::rate::Quota;

    fn pace(per_second: f64, burst: u32) -> Pace {
        Pace::of(Quota { per_second, burst: NonZeroU32::new(burst).unwrap() })
    }

    fn written(standing: Standing) -> [String; 2] {
        let mut headers = HeaderMap::new();
        headers.insert("ratelimit", HeaderValue::from_static("from the app"));
        standing.write(&mut headers);
        assert_eq!(headers.len(), 2);
        ["ratelimit", "ratelimit-policy"].map(|name| headers[name].to_str().unwrap().to_owned())
    }

    #[test]
    fn an_admitted_request_is_told_what_is_left() {
        let standing = Standing::admitted(Class::Write, pace(20.0, 20), 19);
        assert_eq!(written(standing), [r#""writes";r=19;t=1"#, r#""writes";q=20;w=1"#]);
        let standing = Standing::admitted(Class::Lookup, pace(0.1, 5), 2);
        assert_eq!(written(standing), [r#""lookups";r=2;t=30"#, r#""lookups";q=5;w=50"#]);
    }

    #[test]
    fn a_refused_request_is_told_when_its_turn_would_be() {
        let standing = Standing::refused(Class::Read, pace(2.0, 25), Duration::from_millis(7400));
        assert_eq!(written(standing), [r#""reads";r=0;t=8"#, r#""reads";q=25;w=13"#]);
        assert_eq!(written(standing.again_after(Duration::from_secs(30)))[0], r#""reads";r=0;t=30"#);
        assert_eq!(written(standing.again_after(Duration::from_secs(1)))[0], r#""reads";r=0;t=1"#);
    }

    #[test]
    fn extremes_stay_legal_integers() {
        for (per_second, burst) in [(f64::MIN_POSITIVE, u32::MAX), (1e6, u32::MAX), (1e6, 1)] {
            for text in written(Standing::admitted(Class::Read, pace(per_second, burst), 0)) {
                let numbers = text.split(['=', ';']).filter_map(|part| part.parse::<u64>().ok());
                assert!(numbers.inspect(|number| assert!(*number <= MOST)).count() == 2, "{text}");
            }
        }
    }
}
