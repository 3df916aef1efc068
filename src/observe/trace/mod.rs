//! Traces: one span for an exchange, one for each of its steps, and the trace that the caller began.
//!
//! `traceparent` and `tracestate` are those of W3C Trace Context. What the app gets:
//!
//! - A valid `traceparent` goes on, and `tracestate` with it. Where the exchange is recorded (OTLP, and the caller's flag
//!   says so) its parent id becomes that of our span around the app; else it stays as it came, for a span that nobody
//!   keeps would be a hole in the trace. Versions above 00 are read as 00, as the specification asks; recorded, they go
//!   on as 00.
//! - One that is not valid, or stands there twice, is removed together with `tracestate`: what a trace continues must be
//!   beyond doubt. Where exchanges are recorded a new trace begins; else none does. A `traceparent` of our own would
//!   decide about sampling for an app that we know nothing of.
//!
//! Spans hold names of ours, the tenant and the request id: no target, no object, no value. They are at `debug`, and
//! OTLP takes them whatever the log's level is. Where neither listens, each costs the look at a flag that the callsite
//! keeps, and no allocation.

#[cfg(feature = "otlp")]
pub mod otlp;

use std::fmt;

use http::{HeaderMap, HeaderName, HeaderValue};
use tracing::{Span, field};

/// The target of all spans, to be named in `log.level`.
pub const TARGET: &str = "scimshim::trace";

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// A span for one step of an exchange, below the one that is current.
macro_rules! step {
    ($name:literal $(, $($field:tt)*)?) => {
        tracing::debug_span!(target: $crate::observe::trace::TARGET, $name $(, $($field)*)?)
    };
}
pub(crate) use step;

/// The trace that a caller continues.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parent {
    trace: u128,
    span: u64,
    flags: u8,
}

impl Parent {
    /// What `headers` say, if it is said once and as the specification has it (W3C Trace Context 3.2.2).
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        let mut lines = headers.get_all(&TRACEPARENT).iter();
        let (line, None) = (lines.next()?, lines.next()) else { return None };
        Self::parse(line.as_bytes())
    }

    fn parse(text: &[u8]) -> Option<Self> {
        const LENGTH: usize = 55;
        let (head, tail) = text.split_at_checked(LENGTH)?;
        let version = hex(&head[..2])?;
        let apart = [2, 35, 52].iter().all(|&at| head[at] == b'-');
        // What a later version appends begins with a dash; this one appends nothing.
        let sound = version != 0xff && (tail.is_empty() || (version > 0 && tail[0] == b'-'));
        if !apart || !sound {
            return None;
        }
        let trace = hex(&head[3..35]).filter(|&trace| trace != 0)?;
        let span = hex(&head[36..52]).filter(|&span| span != 0)?;
        Some(Self { trace, span: u64::try_from(span).ok()?, flags: u8::try_from(hex(&head[53..])?).ok()? })
    }
}

/// Lower case only, as the specification has it.
fn hex(digits: &[u8]) -> Option<u128> {
    let is_hex = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    let text = std::str::from_utf8(digits).ok().filter(|_| digits.iter().all(is_hex))?;
    u128::from_str_radix(text, 16).ok()
}

/// Removes what continues no trace.
pub fn forget_broken(headers: &mut HeaderMap) {
    if Parent::of(headers).is_none() {
        headers.remove(&TRACEPARENT);
        headers.remove(&TRACESTATE);
    }
}

/// Says in `headers` that what follows happens in `span`, if that is recorded.
pub fn continue_in(span: &Span, headers: &mut HeaderMap) {
    if let Some(here) = recorded(span).and_then(|here| HeaderValue::from_str(&here.to_string()).ok()) {
        headers.insert(TRACEPARENT, here);
    }
}

/// The header's value in version 00.
impl fmt::Display for Parent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{:032x}-{:016x}-{:02x}", self.trace, self.span, self.flags)
    }
}

/// An exchange as a span, the root of its steps.
#[derive(Debug)]
pub struct Root {
    span: Span,
    parent: Option<Parent>,
}

impl Root {
    /// Begins when the head has been read.
    pub fn new(id: &HeaderValue, method: &'static str, headers: &HeaderMap) -> Self {
        let span = step!(
            "exchange",
            otel.kind = "server",
            otel.status_code = field::Empty,
            id = id.to_str().unwrap_or_default(),
            method,
            tenant = field::Empty,
            resource = field::Empty,
            status = field::Empty,
            refused = field::Empty,
            fixed = field::Empty,
        );
        let parent = Parent::of(headers);
        adopt(&span, parent);
        Self { span, parent }
    }

    /// To run the steps in.
    pub fn span(&self) -> &Span {
        &self.span
    }

    /// It is known whose connection this is.
    pub fn of(&self, tenant: &str) {
        self.span.record("tenant", tenant);
    }

    /// What is known at the end.
    pub fn ends(
        &self,
        resource: &'static str,
        status: Option<u16>,
        refused: Option<&'static str>,
        fixed: impl FnOnce() -> Option<String>,
    ) {
        if self.span.is_disabled() {
            return;
        }
        self.span.record("resource", resource);
        self.span.record("status", status);
        self.span.record("refused", refused);
        self.span.record("fixed", fixed());
        if status.is_some_and(|status| status >= 500) {
            self.span.record("otel.status_code", "error");
        }
    }

    /// The trace that this belongs to, as backends write it.
    pub fn trace(&self) -> Option<String> {
        recorded(&self.span).or(self.parent).map(|here| format!("{:032x}", here.trace))
    }
}

#[cfg(not(feature = "otlp"))]
fn adopt(_: &Span, _: Option<Parent>) {}

#[cfg(not(feature = "otlp"))]
fn recorded(_: &Span) -> Option<Parent> {
    None
}

#[cfg(feature = "otlp")]
use otlp::{adopt, recorded};

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const GOOD: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn headers(lines: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::from_iter([(TRACESTATE, HeaderValue::from_static("vendor=1"))]);
        for line in lines {
            headers.append(TRACEPARENT, line.parse().unwrap());
        }
        headers
    }

    #[test]
    fn a_valid_parent_comes_out_as_it_came_in() {
        assert_eq!(Parent::of(&headers(&[GOOD])).unwrap().to_string(), GOOD);
        let later = "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-what-is-new";
        assert_eq!(Parent::of(&headers(&[later])).unwrap().to_string(), GOOD);
        assert!(Parent::of(&headers(&[&later[..55]])).is_some());
    }

    #[test]
    fn what_is_not_valid_goes_and_the_state_with_it() {
        let zeros = "0".repeat(32);
        for lines in [
            &[][..],
            &[""],
            &["00"],
            &[GOOD, GOOD],
            &[&format!("{GOOD}, {GOOD}")],
            &[&format!("{GOOD}-more")],
            &[&GOOD.to_ascii_uppercase()],
            &[&GOOD.replacen("00", "ff", 1)],
            &[&GOOD.replacen("00", "0x", 1)],
            &[&GOOD.replace("0af7651916cd43dd8448eb211c80319c", &zeros)],
            &[&GOOD.replace("b7ad6b7169203331", &zeros[..16])],
            &[&GOOD.replace('-', "_")],
            &[&GOOD.replace("-01", "-+1")],
            &["cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01.what"],
        ] {
            let mut headers = headers(lines);
            assert_eq!(Parent::of(&headers), None, "{lines:?}");
            forget_broken(&mut headers);
            assert!(headers.is_empty(), "{lines:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_taken_for_valid_is_written_as_it_is_read(text in "[0f][0-9a-f]-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}-?") {
            if let Some(parent) = Parent::parse(text.as_bytes()) {
                prop_assert_eq!(&parent.to_string()[2..], &text[2..55]);
                prop_assert_eq!(Parent::parse(parent.to_string().as_bytes()), Some(parent));
            }
        }

        #[test]
        fn anything_may_be_sent(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            prop_assert!(Parent::parse(&bytes).is_none_or(|parent| parent.trace != 0 && parent.span != 0));
        }
    }

    #[test]
    fn a_valid_parent_stays_as_it_is_with_its_state() {
        let mut headers = headers(&[GOOD]);
        let before = headers.clone();
        forget_broken(&mut headers);
        continue_in(&Span::none(), &mut headers);
        assert_eq!(headers, before);
    }

    #[test]
    fn without_a_listener_the_trace_is_that_of_the_caller() {
        let id = HeaderValue::from_static("1");
        assert_eq!(Root::new(&id, "GET", &headers(&[])).trace(), None);
        let root = Root::new(&id, "GET", &headers(&[GOOD]));
        assert_eq!(root.trace().as_deref(), Some("0af7651916cd43dd8448eb211c80319c"));
    }
}
