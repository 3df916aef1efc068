//! What went over the wire in one exchange, for those who record it. Bytes are shared, not copied, and go when the
//! exchange does.

use bytes::Bytes;
use http::{HeaderMap, StatusCode};

use super::{body::Payload, reply::Flow, upstream::Outgoing};
use crate::observe::{
    account::{Body, Got, Kept, Sent},
    facts,
};

/// The four messages of an exchange, as far as there were any.
#[derive(Debug, Default)]
pub(crate) struct Captured {
    /// None where it is not for SCIM.
    pub(crate) received: Option<Sent>,
    pub(crate) forwarded: Option<Sent>,
    pub(crate) app: Option<Got>,
    pub(crate) told: Option<Got>,
    /// What the request says that goes to the app.
    asks: Option<Box<facts::Request>>,
    /// What the answer says that goes to the IdP.
    says: Option<Box<facts::Answer>>,
}

impl Captured {
    /// The head of a request for SCIM; whether there is a body is not known yet.
    pub(crate) fn receives(&mut self, target: &str, headers: &HeaderMap, bodiless: bool) {
        let body = if bodiless { Body::Empty } else { Body::Unknown };
        self.received = Some(Sent::new(target.into(), Kept::of(headers), body));
    }

    /// The engine has read the request.
    pub(crate) fn asks(&mut self, facts: Option<Box<facts::Request>>) {
        self.asks = facts;
    }

    /// The engine has read the answer.
    pub(crate) fn says(&mut self, facts: Option<Box<facts::Answer>>) {
        self.says = facts;
    }

    /// The whole body of the request.
    pub(crate) fn received_body(&mut self, body: &Bytes) {
        if let Some(received) = &mut self.received {
            received.body = Body::of(body);
        }
    }

    /// The request as it goes to the app, which is asked for `target`.
    pub(crate) fn forwards(&mut self, target: &str, outgoing: &Outgoing) {
        let body = match &outgoing.payload {
            Payload::Whole(None) => Body::Empty,
            Payload::Whole(Some(bytes)) => Body::of(bytes),
            Payload::Stream(_) => Body::Unknown,
        };
        let facts = self.asks.take();
        self.forwarded = Some(Sent { target: target.into(), headers: Kept::of(&outgoing.headers), body, facts });
    }

    /// The body goes by another media type than was said before.
    pub(crate) fn relabels(&mut self, headers: &HeaderMap) {
        if let Some(forwarded) = &mut self.forwarded {
            forwarded.headers = Kept::of(headers);
        }
    }

    /// The head of the app's answer.
    pub(crate) fn app_answers(&mut self, status: StatusCode, headers: &HeaderMap) {
        self.app = Some(Got::new(status.as_u16(), Kept::of(headers), Body::Unknown));
    }

    /// The whole body of the app's answer.
    pub(crate) fn app_body(&mut self, body: &Bytes) {
        if let Some(app) = &mut self.app {
            app.body = Body::of(body);
        }
    }

    /// What the IdP is told.
    pub(crate) fn tells(&mut self, status: StatusCode, headers: &HeaderMap, flow: &Flow) {
        let body = match flow {
            Flow::Whole(bytes) => Body::of(bytes),
            Flow::App { .. } => Body::Unknown,
        };
        let facts = self.says.take();
        self.told = Some(Got { status: status.as_u16(), headers: Kept::of(headers), body, facts });
    }
}
