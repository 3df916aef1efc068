//! Headers that strangers send: credentials, the trace that goes on, who is calling by a tenant's header, User-Agent.

use std::str::FromStr as _;

use http::{HeaderMap, HeaderName, HeaderValue};
use scimshim::{gate::token::Presented, observe::trace::Parent, quirk::Idp};

use super::PARSER;
use crate::{
    seeds,
    target::{Shape, Target},
};

pub static TARGET: Target = Target {
    name: "head",
    about: "bearer tokens, traceparent, User-Agent",
    run,
    seeds: || {
        seeds::bytes(&[
            "authorization: Bearer abc\ntraceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\n",
            "authorization: bearer Bearer a\nuser-agent: Okta SCIM Client 1.0.0\n",
            "authorization: abc\nauthorization: Bearer abc\n",
            "traceparent: 01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-x\nuser-agent: Google-Auto-Provisioning\n",
        ])
    },
    words: &[
        "authorization: ",
        "Bearer ",
        "bearer ",
        "traceparent: 00-",
        "user-agent: ",
        "okta scim",
        "authentik@",
        "-00",
        "\n",
    ],
    shape: Shape::Bytes,
    longest: 1024,
    cost: PARSER,
};

/// Header lines as a map; what is no line is left out.
pub fn map(data: &[u8]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in data.split(|byte| *byte == b'\n') {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        let name = HeaderName::from_bytes(line[..colon].trim_ascii());
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(line[colon + 1..].trim_ascii())) {
            headers.append(name, value);
        }
    }
    headers
}

fn run(data: &[u8]) {
    let headers = map(data);
    // A token without a scheme is taken only where that is allowed, and then it is the same.
    if let Some(strict) = Presented::of(&headers, false) {
        assert_eq!(Presented::of(&headers, true), Some(strict));
        let line = headers.get("authorization").expect("it was read").as_bytes();
        let token = line.rsplit(|byte| matches!(byte, b' ' | b'\t')).find(|word| !word.is_empty()).expect("a word");
        assert_eq!(Presented::hash(token), strict, "the token is the last word");
        assert_eq!(headers.get_all("authorization").iter().count(), 1, "two headers are two callers");
    }
    if let Some(parent) = Parent::of(&headers) {
        let text = parent.to_string();
        let again = HeaderMap::from_iter([(
            HeaderName::from_static("traceparent"),
            HeaderValue::from_str(&text).expect("text"),
        )]);
        assert_eq!(Parent::of(&again), Some(parent), "what is said again is read again");
        assert_eq!(text.len(), 55);
    }
    if let Some(agent) = headers.get("user-agent").and_then(|value| value.to_str().ok()) {
        let told = Idp::from_user_agent(agent);
        assert!(told.is_none_or(|idp| Idp::from_str(idp.as_str()) == Ok(idp)));
    }
}
