//! Headers that strangers send: credentials, the trace that goes on, what names a tenant, Host, User-Agent.

use std::{net::IpAddr, str::FromStr as _};

use http::{HeaderMap, HeaderName, HeaderValue};
use scimshim::{
    config::settings::Resolve,
    fuzzing,
    gate::{
        resolve::{Evidence, Named, Resolver},
        token::Presented,
    },
    observe::trace::Parent,
    quirk::Idp,
};

use super::PARSER;
use crate::{
    seeds,
    target::{Shape, Target},
};

pub static TARGET: Target = Target {
    name: "head",
    about: "bearer tokens, traceparent, what names a tenant, Host, User-Agent",
    run,
    seeds: || {
        seeds::bytes(&[
            "authorization: Bearer abc\ntraceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\n",
            "authorization: bearer Bearer a\nuser-agent: Okta SCIM Client 1.0.0\n",
            "host: acme.scim.example.com:443\nx-tenant-id: acme\n",
            "host: LOCALHOST:7644\nx-tenant-id: Acme\nx-tenant-id: b\n",
            "host: [::ffff:127.0.0.1]:80\n",
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
    if let Some(host) = headers.get("host").and_then(|value| value.to_str().ok()) {
        host_and_tenant(host, &headers);
    }
}

fn host_and_tenant(host: &str, headers: &HeaderMap) {
    if fuzzing::is_loopback(host) {
        let name = host.trim_end_matches(|c: char| c.is_ascii_digit()).trim_end_matches(':');
        let bare = |text: &str| text.trim_start_matches('[').trim_end_matches(']').to_owned();
        let is_ours = [host, name].iter().any(|name| {
            let address = bare(name).parse::<IpAddr>();
            name.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.to_canonical().is_loopback())
        });
        assert!(is_ours, "{host} is taken for this machine");
    }
    let ways =
        [Resolve::Header(HeaderName::from_static("x-tenant-id")), Resolve::Host("{tenant}.scim.example.com".into())];
    let resolver = Resolver::new(&ways);
    for by_proxy in [false, true] {
        let evidence = Evidence { prefix: None, host: Some(host), headers, by_proxy };
        let Named::Tenant(name) = resolver.resolve(&evidence, || None, |_| true) else { continue };
        let first = name.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        let plain =
            name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'_' | b'-'));
        assert!(first && plain && name.len() <= 63, "{name:?} is no name of a tenant");
        let by_header = by_proxy && headers.get("x-tenant-id").is_some_and(|value| value.as_bytes() == name.as_bytes());
        let by_host = host.to_ascii_lowercase().starts_with(&format!("{name}.scim.example.com"));
        assert!(by_header || by_host, "{name:?} is named by nothing");
        // With both, they agree.
        let lower = host.to_ascii_lowercase();
        let label = lower.strip_suffix(".scim.example.com").filter(|label| !label.is_empty() && !label.contains('.'));
        if by_proxy && headers.contains_key("x-tenant-id") && label.is_some() {
            assert!(by_header && by_host, "two things name two tenants");
        }
    }
}
