//! Targets: path and query as they come, through the engine, the limiter's classes, and the way to a tenant.

use std::sync::OnceLock;

use http::{Method, uri::PathAndQuery};
use scimshim::{
    config::{self, Settings, World},
    fuzzing,
    gate::rate,
    quirk::Idp,
};

use super::ENGINE;
use crate::{
    input::{self, Message},
    laws, seeds,
    target::{Shape, Target},
};

pub static TARGET: Target = Target {
    name: "target",
    about: "path and query: the engine, the limiter's classes, the way to a tenant",
    run,
    seeds: || {
        let more =
            ["/scim/v2/Users/..%2fx", "/t/acme/scim/v2/Users?filter=a+eq+%22b%22", "/x/%2e%2e/scim", "/scim/v2//Users"];
        seeds::targets().into_iter().map(String::into_bytes).chain(seeds::bytes(&more)).collect()
    },
    words: &[
        "/Users",
        "/Groups",
        "/.search",
        "?filter=",
        "&startIndex=",
        "&count=",
        "attributes=",
        "excludedAttributes=",
        "%20eq%20",
        "+eq+",
        "%22",
        "%2F",
        "%2e",
        "..;",
        "/scim/v2",
        "/t/acme",
        "aadOptscim062020",
        "sortBy=",
    ],
    shape: Shape::Bytes,
    longest: 1024,
    cost: ENGINE,
};

fn settings() -> &'static Settings {
    static SETTINGS: OnceLock<Settings> = OnceLock::new();
    SETTINGS.get_or_init(|| {
        let text = "upstream: { url: http://127.0.0.1:8080/scim/v2 }\nlisten: { outside: pass }\n\
            tenants: { resolve: [{ path: \"/t/{tenant}\" }], list: { acme: {} } }\n";
        let world = World { env: &|_| None, now: std::time::SystemTime::UNIX_EPOCH };
        config::read(text, std::path::Path::new("/"), &world).expect("legal").settings
    })
}

fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(uri) = text.parse::<PathAndQuery>() else { return };
    let text = uri.as_str();
    for (idp, everything) in [(Idp::Entra, true), (Idp::Okta, false)] {
        let message = Message {
            plan: input::plan(idp, everything),
            everything,
            method: Method::GET,
            target: text,
            status: http::StatusCode::OK,
            headers: http::HeaderMap::new(),
            body: b"",
        };
        laws::request(&message);
        if let Ok(done) = message.normalize()
            && let Some(target) = done.target
        {
            assert!(target.parse::<PathAndQuery>().is_ok(), "a new target is one that HTTP has: {target}");
        }
    }
    // A write is a write, whatever its path says.
    for method in [Method::PATCH, Method::PUT, Method::DELETE] {
        assert_eq!(rate::class(&method, text), rate::Class::Write);
    }
    assert_ne!(rate::class(&Method::GET, text), rate::Class::Write);
    way(&uri);
}

/// What two readers could take for two resources is refused; what is passed is not SCIM for anybody.
fn way(uri: &PathAndQuery) {
    let Some(way) = fuzzing::way(settings(), uri) else { return };
    let path = uri.path();
    assert!(!fuzzing::has_dot_segment(path), "a dot segment goes through");
    match way {
        Some((tenant, target)) => {
            assert!(uri.as_str().ends_with(&target));
            assert!(target.is_empty() || target.starts_with(['/', '?']), "a segment is cut in two");
            assert!(tenant.is_none_or(|name| path.starts_with(&format!("/t/{name}/scim/v2"))));
        }
        None => {
            let once = decoded(path.as_bytes());
            let plain: Vec<_> = once.split(|byte| *byte == b'/').filter(|part| !part.is_empty()).collect();
            let is_scim =
                plain.len() > 1 && plain[0].eq_ignore_ascii_case(b"scim") && plain[1].eq_ignore_ascii_case(b"v2");
            assert!(!is_scim, "SCIM is passed untouched");
        }
    }
}

fn decoded(path: &[u8]) -> Vec<u8> {
    let (mut out, mut at) = (Vec::new(), 0);
    while at < path.len() {
        let hex = path.get(at + 1..at + 3).and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        match (path[at], hex) {
            (b'%', Some(byte)) => {
                out.push(byte);
                at += 3;
            }
            (byte, _) => {
                out.push(byte);
                at += 1;
            }
        }
    }
    out
}
