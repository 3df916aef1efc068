//! What one exchange was, handed once to everything that records: ledger, journal, audit.
//!
//! Bodies are the bytes that went over the wire, shared and not copied. Nothing of an account is kept as it stands: the
//! ledger keeps hashes, the journal types and lengths, the audit stream names and outcomes.

use std::{
    net::IpAddr,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::facts;
use crate::quirk::{Direction, Findings, Idp};

/// One exchange at its end.
#[derive(Debug)]
pub struct Account<'a> {
    /// When the head of the request had been read.
    pub at: SystemTime,
    /// The tenant.
    pub tenant: &'a str,
    /// Its metric label.
    pub label: &'a str,
    /// It stands in the configuration, or is `default`.
    pub listed: bool,
    /// The profile in force.
    pub idp: Idp,
    /// `x-request-id`.
    pub id: &'a str,
    /// HTTP method, `other` if it is none that SCIM knows.
    pub method: &'static str,
    /// The first segment of the target, as metrics call it.
    pub resource: &'static str,
    /// The request as it came.
    pub received: &'a Sent,
    /// The request as it went to the app; `None` if it did not.
    pub forwarded: Option<&'a Sent>,
    /// What the app answered; `None` if it did not.
    pub app: Option<&'a Got>,
    /// What the IdP was told; `None` if it left before, or was cut off.
    pub told: Option<&'a Got>,
    /// Where scimshim answered itself: the reason label and the text.
    pub refusal: Option<(&'static str, &'a str)>,
    /// What the engine found, by direction.
    pub findings: &'a [(Direction, Findings)],
    /// A body that should have been read and could not, by direction.
    pub unread: &'a [Direction],
    /// The address of the caller, where it is established.
    pub caller: Option<IpAddr>,
    /// The name of the tenant's token that was accepted.
    pub token: Option<&'a str>,
    /// The caller presented credentials of some kind.
    pub credentials: bool,
    /// The caller is taken to be the identity provider; what others are told is no matter of the connection.
    pub credible: bool,
    /// Where the time went.
    pub times: Times,
}

/// A request on one side of the shim.
#[derive(Debug, Clone, Default)]
pub struct Sent {
    /// What follows the base path.
    pub target: String,
    /// The headers that matter, see [`Kept`].
    pub headers: Kept,
    /// The body.
    pub body: Body,
    /// What it says, where the engine has read it.
    pub(crate) facts: Option<Box<facts::Request>>,
}

impl Sent {
    /// A request that the engine has not read.
    pub fn new(target: String, headers: Kept, body: Body) -> Self {
        Self { target, headers, body, facts: None }
    }
}

/// An answer on one side of the shim.
#[derive(Debug, Clone)]
pub struct Got {
    /// HTTP status.
    pub status: u16,
    /// The headers that matter.
    pub headers: Kept,
    /// The body.
    pub body: Body,
    /// What it says, where the engine has read it.
    pub(crate) facts: Option<Box<facts::Answer>>,
}

impl Got {
    /// An answer that the engine has not read.
    pub fn new(status: u16, headers: Kept, body: Body) -> Self {
        Self { status, headers, body, facts: None }
    }
}

/// A body, as far as it is at hand.
#[derive(Debug, Clone, Default)]
pub enum Body {
    /// There was none.
    #[default]
    Empty,
    /// It was streamed, refused or never read.
    Unknown,
    /// Whole, in its content coding.
    Whole(Bytes),
}

impl Body {
    /// From bytes that may be none.
    pub fn of(bytes: &Bytes) -> Self {
        if bytes.is_empty() { Self::Empty } else { Self::Whole(bytes.clone()) }
    }

    /// The bytes, if they are at hand.
    pub fn bytes(&self) -> Option<&Bytes> {
        match self {
            Self::Whole(bytes) => Some(bytes),
            Self::Empty | Self::Unknown => None,
        }
    }
}

/// The headers that say how a body is to be read and who speaks. Others are not kept: they hold credentials, cookies
/// and addresses, and no quirk looks at them.
#[derive(Debug, Clone, Default)]
pub struct Kept(Vec<(HeaderName, HeaderValue)>);

impl Kept {
    /// Of `headers`, those that matter.
    pub fn of(headers: &HeaderMap) -> Self {
        let matters = |name: &HeaderName| {
            matches!(
                name.as_str(),
                "accept"
                    | "content-encoding"
                    | "content-type"
                    | "etag"
                    | "if-match"
                    | "location"
                    | "retry-after"
                    | "user-agent"
            )
        };
        let kept = headers.iter().filter(|(name, _)| matters(name));
        let mut list = Vec::with_capacity(4);
        list.extend(kept.map(|(name, value)| (name.clone(), value.clone())));
        Self(list)
    }

    /// One of them.
    pub fn get(&self, name: &HeaderName) -> Option<&HeaderValue> {
        self.0.iter().find(|(have, _)| have == name).map(|(_, value)| value)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (&HeaderName, &HeaderValue)> {
        self.0.iter().map(|(name, value)| (name, value))
    }
}

/// Where the time of an exchange went.
#[derive(Debug, Clone, Copy, Default)]
pub struct Times {
    /// From the head to the end of the answer.
    pub total: Duration,
    /// Waiting for the client's body.
    pub body: Duration,
    /// Waiting for a turn under rate or concurrency.
    pub turn: Duration,
    /// Waiting for the app, holds and retries included.
    pub app: Duration,
}
