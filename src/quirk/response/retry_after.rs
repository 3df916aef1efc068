//! Retry-After that is not in whole seconds.

use std::time::SystemTime;

use http::{
    HeaderMap, HeaderValue,
    header::{DATE, RETRY_AFTER},
};

use crate::quirk::{Cx, Id, quirk};

quirk! {
    /// Retry-After as a date.
    ///
    /// It is legal (RFC 9110 10.2.3), but Okta reads whole seconds only: on a date it waits five minutes, then doubles
    /// that.
    ///
    /// The date becomes whole seconds from the Date of the same answer, or from the clock of the sidecar, rounded up
    /// and at least 1. The figure is the app's: it is not moved to the floor and ceiling of scimshim's own refusals.
    /// What is neither number nor date is left and counted.
    ///
    /// ```scim
    /// 429 to GET /Users
    /// content-type: application/scim+json
    /// date: Wed, 11 Mar 2026 23:27:00 GMT
    /// retry-after: Wed, 11 Mar 2026 23:29:00 GMT
    ///
    /// {"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"429","detail":"slow down"}
    /// ```
    /// ```scim
    /// 429 to GET /Users
    /// content-type: application/scim+json
    /// retry-after: 120
    ///
    /// {"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"429","detail":"slow down"}
    /// ```
    pub static RETRY_AFTER_DATE = {
        id: "retry-after-date",
        direction: Response,
        risk: Safe,
        rfc: "RFC 9110 10.2.3",
        seen_in: &[Okta],
        sources: "https://developer.okta.com/docs/concepts/scim/",
    };

    /// Retry-After as a fraction of seconds.
    ///
    /// It is a whole number (RFC 9110 10.2.3). Okta ignores any other and waits five minutes.
    ///
    /// The figure is rounded up, to 1 at least.
    ///
    /// ```scim
    /// 429 to GET /Users
    /// content-type: application/scim+json
    /// retry-after: 1.5
    ///
    /// {"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"429","detail":"slow down"}
    /// ```
    /// ```scim
    /// 429 to GET /Users
    /// content-type: application/scim+json
    /// retry-after: 2
    ///
    /// {"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"429","detail":"slow down"}
    /// ```
    pub static RETRY_AFTER_FRACTION = {
        id: "retry-after-fraction",
        direction: Response,
        risk: Safe,
        rfc: "RFC 9110 10.2.3",
        seen_in: &[Okta],
        sources: "https://developer.okta.com/docs/concepts/scim/",
    };
}

/// The whole seconds that a Retry-After header means, where it says them in another form.
pub(crate) fn fix(cx: &mut Cx<'_>, headers: &HeaderMap, now: SystemTime) -> Option<HeaderValue> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if text.is_empty() || text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (quirk, seconds) = match fraction(text) {
        Some(seconds) => (Id::RetryAfterFraction, seconds),
        None => {
            let Ok(until) = httpdate::parse_http_date(text) else {
                cx.report(Id::RetryAfterDate, || RETRY_AFTER.to_string());
                return None;
            };
            let stated = headers.get(DATE).and_then(|date| httpdate::parse_http_date(date.to_str().ok()?).ok());
            let wait = until.duration_since(stated.unwrap_or(now)).unwrap_or_default();
            (Id::RetryAfterDate, wait.as_secs() + u64::from(wait.subsec_nanos() > 0))
        }
    };
    cx.may(quirk, || RETRY_AFTER.to_string()).then(|| HeaderValue::from(seconds.max(1)))
}

/// A decimal fraction, rounded up.
fn fraction(text: &str) -> Option<u64> {
    let (whole, behind) = text.split_once('.')?;
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_digits(whole) || !is_digits(behind) || whole.len() + behind.len() == 0 {
        return None;
    }
    let seconds = if whole.is_empty() { 0 } else { whole.parse().unwrap_or(u64::MAX) };
    Some(seconds.saturating_add(u64::from(behind.bytes().any(|byte| byte != b'0'))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fractions_are_rounded_up() {
        for (text, seconds) in [
            ("1.5", Some(2)),
            ("2.0", Some(2)),
            ("0.001", Some(1)),
            (".5", Some(1)),
            ("7.", Some(7)),
            (".", None),
            ("-1.5", None),
            ("1e3", None),
            ("1", None),
        ] {
            assert_eq!(fraction(text), seconds, "{text}");
        }
    }
}
