//! The quirk `redirect`: an app that answers with another address of its own.
//!
//! IdPs do not follow redirects of writes, and some follow none. Followed here only within the app's own origin, for
//! reads, and for writes only where the status says that method and body stay (RFC 9110 15.4.8, 15.4.9): the app has
//! then not done what it was asked, so that the second request is not a write sent twice.

use std::time::Instant;

use http::{Method, Response, StatusCode, Uri, header};
use hyper::body::Incoming;

use super::{
    exchange::Exchange,
    refusal::Refusal,
    route,
    upstream::{App, Outgoing},
};
use crate::quirk::{Direction, Findings, Id, Mode, Plan};

/// Hops before it is taken for a loop; one for the scheme and one for a slash at the end are seen in practice.
const HOPS: u32 = 3;

/// Goes where the app points, as far as the plan allows.
pub(crate) async fn follow(
    app: &App,
    plan: &Plan,
    mut outgoing: Outgoing,
    mut answer: Response<Incoming>,
    deadline: Instant,
    exchange: &mut Exchange,
) -> Result<Response<Incoming>, Refusal> {
    let mode = plan.mode(Direction::Response, Id::Redirect);
    let mut findings = Findings::default();
    let mut hops = 0;
    while mode != Mode::Off && is_redirect(answer.status()) {
        let next = (mode == Mode::Fix && hops < HOPS).then(|| target(&outgoing, &answer)).flatten();
        findings.note(Id::Redirect, next.is_some(), || "status".to_owned());
        let Some(next) = next else { break };
        hops += 1;
        outgoing.uri = next;
        answer = match app.send(&outgoing, deadline, exchange).await {
            Ok(answer) => answer,
            Err(refusal) => {
                exchange.found(Direction::Response, findings);
                return Err(refusal);
            }
        };
    }
    exchange.found(Direction::Response, findings);
    Ok(answer)
}

/// Whether an answer points elsewhere.
pub(crate) fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 307 | 308)
}

fn target(outgoing: &Outgoing, answer: &Response<Incoming>) -> Option<Uri> {
    let keeps_method = matches!(answer.status().as_u16(), 307 | 308);
    let read = matches!(outgoing.method, Method::GET | Method::HEAD);
    if !(keeps_method || read) || !outgoing.payload.is_untouched() {
        return None;
    }
    let next = resolve(&outgoing.uri, answer.headers().get(header::LOCATION)?.to_str().ok()?)?;
    let place = &outgoing.tenant.place;
    // What the app decodes could lead out of the tenant's own place again.
    (place.holds(&next) && (!place.own || route::is_plain(next.path()))).then_some(next)
}

/// RFC 3986 5.2 without dot segments, which nobody needs here; `None` for another origin.
fn resolve(from: &Uri, location: &str) -> Option<Uri> {
    let location = location.split('#').next().filter(|location| !location.is_empty())?;
    let (scheme, authority) = (from.scheme_str()?, from.authority()?.as_str());
    let absolute = if location.contains("://") {
        location.to_owned()
    } else if location.starts_with("//") {
        format!("{scheme}:{location}")
    } else if location.starts_with('/') {
        format!("{scheme}://{authority}{location}")
    } else if location.starts_with('?') {
        format!("{scheme}://{authority}{}{location}", from.path())
    } else {
        let folder = from.path().rsplit_once('/').map_or("", |(folder, _)| folder);
        format!("{scheme}://{authority}{folder}/{location}")
    };
    let next: Uri = absolute.parse().ok()?;
    let port = |uri: &Uri| uri.port_u16().unwrap_or(if uri.scheme_str() == Some("https") { 443 } else { 80 });
    let same = next.scheme() == from.scheme()
        && next.host()?.eq_ignore_ascii_case(from.host()?)
        && port(&next) == port(from)
        && !next.authority()?.as_str().contains('@');
    (same && !route::has_dot_segment(next.path()) && next != *from).then_some(next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_stays_in_the_origin() {
        let from = Uri::from_static("http://app:8080/scim/v2/Users?a=1");
        let resolved = |location| resolve(&from, location).map(|uri| uri.to_string());
        for (location, want) in [
            ("/scim/v2/Users/", "http://app:8080/scim/v2/Users/"),
            ("http://APP:8080/x", "http://app:8080/x"),
            ("//app:8080/x", "http://app:8080/x"),
            ("Users/", "http://app:8080/scim/v2/Users/"),
            ("?b=2", "http://app:8080/scim/v2/Users?b=2"),
        ] {
            assert_eq!(resolved(location).map(|uri| uri.to_ascii_lowercase()), Some(want.to_ascii_lowercase()));
        }
        for location in [
            "https://app:8080/x",
            "http://app/x",
            "http://evil/x",
            "http://app@evil:8080/x",
            "//evil/x",
            "../x",
            "/scim/%2e%2e/x",
            "/scim/.%2E/x",
            "/scim/..%2fx",
            "/scim/..%5cx",
            "/scim/..;/x",
            "/scim/v2/Users?a=1",
            "",
        ] {
            assert_eq!(resolved(location), None, "{location}");
        }
    }
}
