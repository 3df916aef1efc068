//! Every answer that scimshim makes itself, in one table.
//!
//! Never 401 or 403 for a fault of our own: an IdP takes either for lost credentials and stops. The text is for an
//! admin who sees only this text, so it says what was expected, what came, and what to do.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use tracing::Level;

use crate::{
    config::settings::RetryAfter,
    gate::{self, rate, token},
    quirk::{RefusedBody, Why},
};

/// Why scimshim answers instead of the app.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error(
        "the application did not answer in time; whether it did what was asked is unknown, read the resource before \
         sending this again"
    )]
    Deadline,
    #[error("the application turned the request away before it processed it; send it again after the wait")]
    Declined,
    #[error("{0}")]
    Encoding(String),
    #[error(
        "the provisioning gateway has no file descriptor or port left to call the application with; nothing of this \
         request was given to it, send it again after the wait"
    )]
    Exhausted,
    #[error(transparent)]
    Gate(#[from] gate::Refused),
    #[error("the request line and headers are larger than this gateway reads ({limit} bytes, 100 fields)")]
    Header { limit: usize },
    #[error(
        "the application is not reachable, or takes no more requests yet; nothing of this request was given to it, send it \
         again after the wait"
    )]
    Hold,
    #[error("the provisioning gateway failed on this request; this is a fault of scimshim, not of the request")]
    Internal,
    #[error("{0}")]
    Malformed(String),
    #[error(
        "the provisioning gateway holds as many large bodies as its memory allows; nothing of this request was given to the \
         application, send it again after the wait"
    )]
    Memory,
    #[error("nothing is served at this path: SCIM begins at {base}/")]
    Outside { base: String },
    #[error("{0}")]
    Quirk(String),
    #[error("the request {0} did not arrive in time")]
    Slow(&'static str),
    #[error("the request body is larger than this gateway reads ({limit} bytes)")]
    TooLarge { limit: usize },
    #[error("{0}; nothing of this request was given to the application")]
    Untrusted(&'static str),
    #[error("{0} not supported on a SCIM endpoint")]
    Unsupported(&'static str),
    #[error("{0}; whether it did what was asked is unknown, read the resource before sending this again")]
    Upstream(&'static str),
}

/// A line of the table.
pub(crate) struct Told {
    /// HTTP status.
    pub(crate) status: StatusCode,
    /// RFC 7644 3.12, table 9, where it has one.
    pub(crate) scim_type: Option<&'static str>,
    /// Whether the IdP is told when to come again, and how long it has to wait at least.
    pub(crate) retry_after: Option<Duration>,
    /// The metric label.
    pub(crate) reason: &'static str,
    /// What it is in the log: an error is ours or the app's, a warning the client's or the load's.
    pub(crate) level: Level,
}

/// Every reason label, so that all are exported as zero.
pub(crate) const REASONS: [&str; 20] = [
    "address",
    "address_unknown",
    "concurrency",
    "deadline",
    "encoding",
    "feed",
    "header",
    "hold",
    "internal",
    "malformed",
    "outside",
    "overload",
    "quirk",
    "rate",
    "slow",
    "tenant",
    "token",
    "too_large",
    "unsupported",
    "upstream",
];

impl Refusal {
    /// The table.
    pub(crate) fn told(&self) -> Told {
        let told = |status, reason, level| Told { status, scim_type: None, retry_after: None, reason, level };
        let syntax =
            |reason| Told { scim_type: Some("invalidSyntax"), ..told(StatusCode::BAD_REQUEST, reason, Level::WARN) };
        let wait = |reason, level| Told {
            retry_after: Some(Duration::ZERO),
            ..told(StatusCode::SERVICE_UNAVAILABLE, reason, level)
        };
        let limit =
            |reason, wait| Told { retry_after: Some(wait), ..told(StatusCode::TOO_MANY_REQUESTS, reason, Level::WARN) };
        match self {
            Self::Deadline => told(StatusCode::GATEWAY_TIMEOUT, "deadline", Level::ERROR),
            Self::Declined | Self::Hold => wait("hold", Level::ERROR),
            Self::Encoding(_) => told(StatusCode::UNSUPPORTED_MEDIA_TYPE, "encoding", Level::WARN),
            Self::Exhausted => wait("overload", Level::ERROR),
            Self::Gate(refused) => match refused {
                gate::Refused::Address(_) => told(StatusCode::FORBIDDEN, "address", Level::WARN),
                gate::Refused::AddressUnknown => wait("address_unknown", Level::ERROR),
                gate::Refused::Feed => wait("feed", Level::ERROR),
                gate::Refused::Overload => wait("overload", Level::WARN),
                gate::Refused::Rate(rate::Refused::Rate { wait, .. }) => limit("rate", *wait),
                gate::Refused::Rate(rate::Refused::Concurrency { wait, .. }) => limit("concurrency", *wait),
                gate::Refused::Tenant => told(StatusCode::NOT_FOUND, "tenant", Level::WARN),
                gate::Refused::Token(_) => told(StatusCode::UNAUTHORIZED, "token", Level::WARN),
            },
            Self::Header { .. } => told(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "header", Level::WARN),
            Self::Internal => told(StatusCode::INTERNAL_SERVER_ERROR, "internal", Level::ERROR),
            Self::Malformed(_) => syntax("malformed"),
            Self::Memory => wait("overload", Level::WARN),
            Self::Outside { .. } => told(StatusCode::NOT_FOUND, "outside", Level::INFO),
            Self::Quirk(_) => syntax("quirk"),
            Self::Slow(_) => told(StatusCode::REQUEST_TIMEOUT, "slow", Level::WARN),
            Self::TooLarge { .. } => told(StatusCode::PAYLOAD_TOO_LARGE, "too_large", Level::WARN),
            Self::Unsupported(_) => told(StatusCode::NOT_IMPLEMENTED, "unsupported", Level::WARN),
            Self::Untrusted(_) | Self::Upstream(_) => told(StatusCode::BAD_GATEWAY, "upstream", Level::ERROR),
        }
    }

    /// The SCIM Error of RFC 7644 3.12.
    pub(crate) fn answer(&self, retry_after: RetryAfter) -> Response<Bytes> {
        let told = self.told();
        let mut error = serde_json::json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"],
            "status": told.status.as_str(),
        });
        if let Some(scim_type) = told.scim_type {
            error["scimType"] = scim_type.into();
        }
        error["detail"] = self.to_string().into();
        let mut answer = Response::new(Bytes::from(error.to_string()));
        *answer.status_mut() = told.status;
        let headers = answer.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/scim+json"));
        if let Some(wait) = told.retry_after {
            headers.insert(header::RETRY_AFTER, retry_after.seconds(wait).into());
        }
        if let Self::Gate(gate::Refused::Token(why)) = self {
            headers.insert(header::WWW_AUTHENTICATE, challenge(*why));
        }
        answer
    }
}

/// RFC 6750 3: a caller that sent no token is not told of an error.
fn challenge(why: token::Refused) -> HeaderValue {
    HeaderValue::from_static(match why {
        token::Refused::Missing => "Bearer realm=\"scim\"",
        token::Refused::Unknown => "Bearer realm=\"scim\", error=\"invalid_token\"",
        token::Refused::Expired(_) => {
            "Bearer realm=\"scim\", error=\"invalid_token\", error_description=\"the token has expired\""
        }
    })
}

impl From<Box<RefusedBody>> for Refusal {
    fn from(body: Box<RefusedBody>) -> Self {
        match body.why {
            Why::Encoding => Self::Encoding(body.detail),
            Why::Malformed => Self::Malformed(body.detail),
            Why::Quirk => Self::Quirk(body.detail),
        }
    }
}

impl RetryAfter {
    /// A wait as the whole number of seconds that goes out: rounded up, and kept within the bounds.
    pub(crate) fn seconds(self, wait: Duration) -> u64 {
        let up = |time: Duration| time.as_secs() + u64::from(time.subsec_nanos() > 0);
        up(wait).max(up(self.floor)).min(self.ceiling.as_secs().max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: RetryAfter = RetryAfter { floor: Duration::from_secs(30), ceiling: Duration::from_secs(600) };

    fn all() -> Vec<Refusal> {
        vec![
            Refusal::Deadline,
            Refusal::Declined,
            Refusal::Encoding("no".into()),
            Refusal::Exhausted,
            Refusal::Gate(gate::Refused::Address([192, 0, 2, 1].into())),
            Refusal::Gate(gate::Refused::AddressUnknown),
            Refusal::Gate(gate::Refused::Feed),
            Refusal::Gate(gate::Refused::Overload),
            Refusal::Gate(rate::Refused::over(rate::Class::Write, Duration::from_secs(45)).into()),
            Refusal::Gate(rate::Refused::Concurrency { wait: Duration::ZERO, standing: None }.into()),
            Refusal::Gate(gate::Refused::Tenant),
            Refusal::Gate(token::Refused::Missing.into()),
            Refusal::Gate(token::Refused::Unknown.into()),
            Refusal::Header { limit: 1 },
            Refusal::Hold,
            Refusal::Internal,
            Refusal::Malformed("no".into()),
            Refusal::Memory,
            Refusal::Outside { base: "/scim/v2".into() },
            Refusal::Quirk("no".into()),
            Refusal::Slow("body"),
            Refusal::TooLarge { limit: 1 },
            Refusal::Unsupported("upgrades are"),
            Refusal::Untrusted("the certificate of the application was not accepted"),
            Refusal::Upstream("the application closed the connection"),
        ]
    }

    #[test]
    fn every_reason_is_known_beforehand() {
        let mut reasons: Vec<_> = all().iter().map(|refusal| refusal.told().reason).collect();
        reasons.sort_unstable();
        reasons.dedup();
        assert_eq!(reasons, REASONS);
    }

    #[test]
    fn every_answer_is_a_scim_error() {
        for refusal in all() {
            let answer = refusal.answer(BOUNDS);
            let body: serde_json::Value = serde_json::from_slice(answer.body()).unwrap();
            assert_eq!(body["status"], answer.status().as_str());
            assert_eq!(body["schemas"][0], "urn:ietf:params:scim:api:messages:2.0:Error");
            assert!(!body["detail"].as_str().unwrap().is_empty());
            assert_eq!(answer.headers()["content-type"], "application/scim+json");
            assert_eq!(
                answer.headers().contains_key("retry-after"),
                matches!(answer.status().as_u16(), 429 | 503),
                "{refusal}"
            );
        }
    }

    #[test]
    fn a_wait_is_whole_seconds_within_the_bounds() {
        assert_eq!(BOUNDS.seconds(Duration::ZERO), 30);
        assert_eq!(BOUNDS.seconds(Duration::from_millis(40_001)), 41);
        assert_eq!(BOUNDS.seconds(Duration::from_secs(6000)), 600);
    }
}
