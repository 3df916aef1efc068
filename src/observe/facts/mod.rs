//! From an account to what the ledger judges: what was asked about which object, how it went, and why it failed.
//!
//! Objects become keyed hashes here and causes become words of the schemas; behind this nobody can learn who was meant.
//! What a stranger sends is not the identity provider's affair and gives no observation, so that nobody can make a
//! connection look ill from outside.

mod body;
#[cfg(any(test, fuzzing))]
pub(crate) mod sample;
mod target;
mod words;

use std::borrow::Cow;

use bytes::Bytes;
use http::header;

use self::target::Lookup;
pub(crate) use self::{
    body::{Answer, Request},
    target::{ENDPOINTS, Target, decoded, endpoint},
    words::{head, named, registry, split},
};
use super::{
    account::{Account, Body, Got, Kept, Sent},
    key::Key,
    ledger::{Cause, Kind, Observation},
    metrics::NO_TENANT,
};
use crate::quirk::{Direction, Id};

/// Bodies above it are not read: the engine has spent its time on them before, and an exchange may end on the thread
/// that serves the next.
const LARGEST: usize = 16 << 20;

/// What the ledger is told of an exchange; `None` where it is not the identity provider's affair.
pub fn observation(account: &Account<'_>, key: &Key) -> Option<Observation> {
    if is_strangers(account) || !METHODS.contains(&account.method) {
        return None;
    }
    let sent = sent(account);
    let target = Target::read(&sent.target);
    let resource = target.resource(account.resource);
    let name = |value: &str| key.name(account.tenant, resource, value);
    // What is looked up is no id: where one user's number is another's id, they are two.
    let matched = |value: &str| key.name(account.tenant, values(resource), value);

    let request = match &sent.facts {
        Some(known) => Cow::Borrowed(&**known),
        None => Cow::Owned(readable(&sent.headers, &sent.body).map(|bytes| Request::read(bytes)).unwrap_or_default()),
    };
    let kind = kind(account.method, &target);
    let lookup = match kind {
        Kind::Filter => target.filter.as_deref().or(request.filter.as_deref()),
        Kind::Get | Kind::Probe | Kind::Write => None,
    };
    let lookup = lookup.and_then(Lookup::of);
    let object = match kind {
        Kind::Filter => lookup.as_ref().map(|lookup| match &*lookup.path {
            "id" => name(&lookup.value),
            _ => matched(&lookup.value),
        }),
        Kind::Get | Kind::Probe | Kind::Write if target.is_discovery() => None,
        Kind::Get | Kind::Probe | Kind::Write => match &target.id {
            Some(id) => Some(name(id)),
            None if is_create(account.method, &target) => request.matched(resource).map(matched),
            None => None,
        },
    };

    let status = account.told.map_or(0, |told| told.status);
    let success = (200..300).contains(&status);
    let known = account.told.and_then(|told| told.facts.as_deref());
    let answered = account.told.filter(|_| known.is_none()).and_then(|told| readable(&told.headers, &told.body));
    let answer = match known {
        Some(known) => Some(Cow::Borrowed(known)),
        None => answered.map(|bytes| Cow::Owned(Answer::read(bytes))),
    };
    let scim = !success || account.told.is_none_or(|told| is_scim(account.method, told, answer.as_deref()));
    let answer = answer.unwrap_or_default();
    let matches = if kind == Kind::Filter && success { answer.matches() } else { None };
    let also = match kind {
        Kind::Filter if lookup.is_some() && matches == Some(1) => answer.first_id.as_deref(),
        Kind::Write if success && is_create(account.method, &target) => answer.id.as_deref(),
        _ => None,
    };

    let writes = matches!(account.method, "PATCH" | "PUT");
    let failed = !success && status != 304 || !scim || lookup.is_some() && matches.is_some_and(|found| found > 1);
    Some(Observation {
        kind,
        guid: lookup.as_ref().is_some_and(|lookup| target::is_guid(&lookup.value)),
        matches,
        delete: account.method == "DELETE",
        object,
        also: also.map(name),
        status,
        scim,
        reference: account.method == "PATCH" && request.is_reference(),
        deprovision: account.method == "DELETE" || writes && request.deactivates,
        cause: failed.then(|| Box::new(cause(account, resource, status, &request, lookup.as_ref(), &answer))),
    })
}

/// Where the values of a resource have their names.
fn values(resource: &str) -> &'static str {
    match resource {
        "Users" => "Users=",
        "Groups" => "Groups=",
        _ => "=",
    }
}

/// Methods of RFC 7644 that ask or tell something; HEAD and OPTIONS are what tools send.
const METHODS: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];

/// Whether the exchange says nothing of a connection: no tenant, or somebody who is not its identity provider.
pub(crate) fn is_strangers(account: &Account<'_>) -> bool {
    account.tenant.is_empty() || account.label == NO_TENANT || !account.credible
}

/// The request as the app got it, for it is the cleaner one; as it came where it did not get there or was streamed.
fn sent<'a>(account: &Account<'a>) -> &'a Sent {
    match account.forwarded {
        Some(forwarded) if !matches!(forwarded.body, Body::Unknown) => forwarded,
        _ => account.received,
    }
}

/// The body, if it is there and in no content coding.
fn readable<'a>(headers: &Kept, body: &'a Body) -> Option<&'a Bytes> {
    body.bytes().filter(|bytes| bytes.len() <= LARGEST && !is_coded(headers))
}

/// Whether a body has to be decoded before it can be read.
pub(crate) fn is_coded(headers: &Kept) -> bool {
    headers.get(&header::CONTENT_ENCODING).is_some_and(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity"))
}

fn kind(method: &str, target: &Target<'_>) -> Kind {
    match method {
        "POST" if target.search => Kind::Filter,
        "GET" if target.id.is_none() && target.filter.is_some() && !target.is_discovery() => Kind::Filter,
        "GET" => Kind::Get,
        _ => Kind::Write,
    }
}

fn is_create(method: &str, target: &Target<'_>) -> bool {
    method == "POST" && target.id.is_none() && !target.search && !matches!(target.endpoint, Some("Bulk" | "Me"))
}

/// Whether an answer that says success can be read as SCIM. What was streamed or is coded is taken to be.
fn is_scim(method: &str, told: &Got, answer: Option<&Answer>) -> bool {
    match (&told.body, answer) {
        (Body::Empty, _) => !matches!(method, "GET" | "POST"),
        (_, Some(answer)) => answer.object,
        (Body::Unknown | Body::Whole(_), None) => true,
    }
}

fn cause(
    account: &Account<'_>,
    resource: &'static str,
    status: u16,
    request: &Request,
    lookup: Option<&Lookup>,
    answer: &Answer,
) -> Cause {
    let touched = match lookup {
        Some(lookup) => Some(split(&lookup.path)),
        None => request.touched().filter(|_| account.method == "PATCH"),
    };
    let said = answer.scim_type.as_deref();
    let texts = [answer.detail.as_deref(), said];
    let named = texts.into_iter().flatten().find_map(|text| named(text, resource, touched));
    Cause {
        resource,
        status,
        scim_type: said.and_then(scim_type),
        attribute: named.or_else(|| touched.and_then(|(attr, sub)| words::spelled(resource, attr, sub))),
        quirk: unfixed(account),
        refusal: account.refusal.map(|(reason, _)| reason),
    }
}

/// RFC 7644 table 9 and the cursors of RFC 9865, in their spelling.
pub(crate) fn scim_type(text: &str) -> Option<&'static str> {
    const KNOWN: [&str; 13] = [
        "invalidFilter",
        "tooMany",
        "uniqueness",
        "mutability",
        "invalidSyntax",
        "invalidPath",
        "noTarget",
        "invalidValue",
        "invalidVers",
        "sensitive",
        "invalidCursor",
        "expiredCursor",
        "invalidCount",
    ];
    KNOWN.into_iter().find(|known| known.eq_ignore_ascii_case(text.trim()))
}

/// The first deviation that was found and not mended, those of the request before those of the answer.
fn unfixed(account: &Account<'_>) -> Option<Id> {
    let of = |way: Direction| {
        let findings = account
            .findings
            .iter()
            .filter(move |(direction, _)| (*direction == Direction::Response) == (way == Direction::Response));
        findings.flat_map(|(_, findings)| findings.counts()).find(|(_, fixed, _)| !fixed).map(|(id, ..)| id)
    };
    of(Direction::Request).or_else(|| of(Direction::Response))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{
        sample::{Sample, kept, whole},
        *,
    };
    use crate::quirk::Findings;

    const PATCH: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";
    const GUID: &str = "2819c223-7f76-453a-919d-413861904646";

    fn key() -> Key {
        Key::from_bytes([7; 32])
    }

    fn name(resource: &str, value: &str) -> Option<u64> {
        Some(key().name("acme", resource, value))
    }

    fn value(resource: &str, value: &str) -> Option<u64> {
        Some(key().name("acme", values(resource), value))
    }

    fn maybe(sample: &Sample) -> Option<Observation> {
        sample.account(|account| observation(account, &key()))
    }

    #[track_caller]
    fn seen(method: &'static str, target: &str, body: &str, status: u16, answer: &str) -> Observation {
        maybe(&Sample::new(method, target, body, status, answer)).expect("an observation")
    }

    fn patch(operations: &str) -> String {
        format!(r#"{{"schemas":["{PATCH}"],"Operations":[{operations}]}}"#)
    }

    fn error(status: u16, detail: &str) -> String {
        format!(r#"{{"schemas":[],"status":"{status}","scimType":"InvalidValue","detail":"{detail}"}}"#)
    }

    #[test]
    fn a_lookup_a_create_and_a_write_are_of_one_object() {
        let found = r#"{"totalResults":1,"Resources":[{"schemas":[],"id":"26","userName":"Ada"}]}"#;
        let lookup = seen("GET", "/Users?filter=userName+eq+%22Ada%22", "", 200, found);
        assert_eq!(
            (lookup.kind, lookup.object, lookup.also),
            (Kind::Filter, value("Users", "ada"), name("Users", "26"))
        );
        assert_eq!((lookup.matches, lookup.guid, lookup.scim), (Some(1), false, true));
        assert!(lookup.cause.is_none());

        let create = seen("POST", "/Users", r#"{"externalId":"e","USERNAME":"ada"}"#, 201, r#"{"id":26}"#);
        assert_eq!((create.kind, create.object, create.also), (Kind::Write, lookup.object, lookup.also));
        let write = seen("PATCH", "/Users/26?x=/Groups", &patch(r#"{"op":"add","path":"title","value":"x"}"#), 204, "");
        assert_eq!((write.kind, write.object, write.also), (Kind::Write, lookup.also, None));
        assert!(write.scim && !write.reference && !write.deprovision && !write.delete);
        assert_eq!(seen("GET", "/users/%32%36", "", 200, "{}").object, lookup.also);
    }

    #[test]
    fn creates_are_known_by_what_they_are_looked_up_by() {
        let object = |target: &str, body: &str| seen("POST", target, body, 201, "{}").object;
        assert_eq!(object("/Users", r#"{"externalId":"e","displayName":"d"}"#), value("Users", "e"));
        assert_eq!(
            object("/Users", r#"{"emails":[{"type":"work","value":"a@b"},{"value":"c"}]}"#),
            value("Users", "a@b")
        );
        assert_eq!(object("/Users", r#"{"emails":{"value":"a@b"}}"#), value("Users", "a@b"));
        assert_eq!(object("/Users", r#"{"emails":["a@b"]}"#), value("Users", "a@b"));
        assert_eq!(object("/Users", r#"{"userName":"\u0061da"}"#), value("Users", "ada"));
        assert_eq!(object("/Users", r#"{"userName":7}"#), value("Users", "7"));
        assert_eq!(object("/Users", r#"{"userName":"","displayName":"d"}"#), None);
        assert_eq!(object("/Groups", r#"{"externalId":"e","displayName":"d"}"#), value("Groups", "d"));
        assert_eq!(object("/Groups", r#"{"externalId":"e"}"#), value("Groups", "e"));
        assert_eq!(object("/Bulk", r#"{"userName":"a","Operations":[]}"#), None);
        assert_eq!(object("/Users", r#"{"userName":"a""#), value("Users", "a"), "as far as it was read");
    }

    #[test]
    fn kinds_follow_method_and_target() {
        for (method, target, kind) in [
            ("GET", "/Users?filter=userName%20eq%20%22a%22", Kind::Filter),
            ("GET", "/Users?startIndex=1", Kind::Get),
            ("GET", "/Users?filter=", Kind::Get),
            ("GET", "/Users/1?filter=a%20pr", Kind::Get),
            ("GET", "/ServiceProviderConfig", Kind::Get),
            ("GET", "/Me", Kind::Get),
            ("POST", "/Users/.search", Kind::Filter),
            ("POST", "/Users", Kind::Write),
            ("PUT", "/Users/1", Kind::Write),
            ("DELETE", "/Users/1", Kind::Write),
        ] {
            assert_eq!(seen(method, target, "{}", 200, "{}").kind, kind, "{method} {target}");
        }
        assert_eq!(seen("GET", "/Schemas/urn:x", "", 200, "{}").object, None);
        assert_eq!(seen("GET", "/Users?filter=a%20eq%20%22b%22%20or%20a%20eq%20%22c%22", "", 200, "{}").object, None);
        for method in ["HEAD", "OPTIONS", "other"] {
            assert!(maybe(&Sample::new(method, "/Users", "", 200, "")).is_none(), "{method}");
        }
    }

    #[test]
    fn searches_are_lookups_of_the_resource_in_their_path() {
        let search = Sample::new("POST", "/Users/.search", r#"{"filter":"userName eq \"ada\""}"#, 200, "{}")
            .with(|sample| sample.resource = "search");
        let seen = maybe(&search).expect("an observation");
        assert_eq!((seen.kind, seen.object), (Kind::Filter, value("Users", "ada")));
    }

    #[test]
    fn a_lookup_of_a_bare_guid_may_be_a_check() {
        let target = |value: &str| format!("/Users?filter=externalId%20eq%20%22{value}%22");
        assert!(seen("GET", &target(GUID), "", 200, "{}").guid);
        assert!(!seen("GET", &target("ada"), "", 200, "{}").guid);
        assert!(!seen("GET", &format!("/Users/{GUID}"), "", 200, "{}").guid);
    }

    #[test]
    fn several_hits_are_a_failure_with_a_cause() {
        let list = r#"{"totalResults":1,"Resources":[{"id":"1"},{"id":"2"}]}"#;
        let lookup = seen("GET", "/Users?filter=externalId%20eq%20%22a%22", "", 200, list);
        assert_eq!((lookup.matches, lookup.also), (Some(2), None));
        assert_eq!(lookup.cause.expect("a cause").attribute.as_deref(), Some("externalId"));
        let all = seen("GET", "/Users?filter=active%20eq%20true", "", 200, list);
        assert!(all.cause.is_none(), "a query for many is no lookup");
        let one = r#"{"totalResults":1,"Resources":[{"id":"1"}]}"#;
        assert_eq!(seen("GET", "/Users?filter=active%20eq%20true", "", 200, one).also, None, "nobody was looked up");
    }

    #[test]
    fn updates_of_references_are_told_from_others() {
        let enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
        for operations in [
            r#"{"op":"Add","path":"members","value":[{"value":"1"}]}"#.to_owned(),
            r#"{"op":"remove","path":"Members[value eq \"1\"]"},{"op":"add","path":"members","value":[]}"#.to_owned(),
            r#"{"op":"add","value":{"members":[{"value":"1"}]}}"#.to_owned(),
            r#"{"op":"add","value":{"id":"5","schemas":[],"members":[]}}"#.to_owned(),
            r#"{"op":"replace","path":"manager","value":"7"}"#.to_owned(),
            r#"{"op":"replace","path":"manager.value","value":"7"}"#.to_owned(),
            format!(r#"{{"op":"replace","path":"{enterprise}:manager","value":"7"}}"#),
            format!(r#"{{"op":"replace","path":"{enterprise}.manager.value","value":"7"}}"#),
            format!(r#"{{"op":"replace","value":{{"{enterprise}:manager.value":"7"}}}}"#),
            format!(r#"{{"op":"replace","value":{{"{enterprise}":{{"manager":{{"value":"7"}}}}}}}}"#),
            format!(r#"{{"op":"replace","path":"{enterprise}","value":{{"manager":{{"value":"7"}}}}}}"#),
        ] {
            assert!(seen("PATCH", "/Groups/1", &patch(&operations), 204, "").reference, "{operations}");
        }
        for operations in [
            r#"{"op":"add","path":"members","value":[]},{"op":"replace","path":"displayName","value":"x"}"#,
            r#"{"op":"add","value":{"members":[],"displayName":"x"}}"#,
            r#"{"op":"add","value":{"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"manager":"1","department":"x"}}}"#,
            r#"{"op":"add","value":{"name":{"manager":"x"}}}"#,
            r#"{"op":"add","value":{}}"#,
            "",
        ] {
            assert!(!seen("PATCH", "/Groups/1", &patch(operations), 204, "").reference, "{operations}");
        }
        assert!(!seen("PUT", "/Groups/1", r#"{"members":[]}"#, 200, "{}").reference);
    }

    #[test]
    fn deactivations_are_seen_in_every_form() {
        for value in [r#""False""#, "false", r#"[false]"#, r#"[{"$ref":null,"value":"False"}]"#, r#"" FALSE ""#] {
            for operation in [
                format!(r#"{{"op":"Replace","path":"active","value":{value}}}"#),
                format!(r#"{{"op":"replace","value":{{"Active":{value}}}}}"#),
                format!(
                    r#"{{"op":"replace","path":"urn:ietf:params:scim:schemas:core:2.0:User:active","value":{value}}}"#
                ),
            ] {
                assert!(seen("PATCH", "/Users/1", &patch(&operation), 204, "").deprovision, "{operation}");
            }
            assert!(seen("PUT", "/Users/1", &format!(r#"{{"active":{value}}}"#), 200, "{}").deprovision, "{value}");
            assert!(!seen("POST", "/Users", &format!(r#"{{"active":{value}}}"#), 201, "{}").deprovision, "{value}");
        }
        let deleted = seen("DELETE", "/Users/1", "", 404, "{}");
        assert!(deleted.deprovision && deleted.delete);
        for operation in [
            r#"{"op":"replace","path":"active","value":true}"#,
            r#"{"op":"remove","path":"active","value":false}"#,
            r#"{"op":"replace","path":"title","value":"false"}"#,
            r#"{"op":"replace","path":"active","value":null}"#,
        ] {
            assert!(!seen("PATCH", "/Users/1", &patch(operation), 204, "").deprovision, "{operation}");
        }
    }

    #[test]
    fn success_without_scim_is_none() {
        let scim = |method, status, answer| seen(method, "/Users", "{}", status, answer).scim;
        assert!(!scim("GET", 200, "<html>"));
        assert!(!scim("GET", 200, ""));
        assert!(!scim("GET", 200, "[]"));
        assert!(!scim("GET", 200, "7"));
        assert!(!scim("GET", 200, r#"{"a":1"#));
        assert!(!scim("POST", 201, ""));
        assert!(scim("GET", 200, "\u{feff} {}"));
        assert!(scim("PATCH", 204, "") && scim("PUT", 200, "") && scim("DELETE", 204, ""));
        assert!(scim("GET", 500, "<html>"), "a failure needs no other name");
        let page = seen("GET", "/Users/1", "", 200, "<html>");
        assert_eq!(page.cause.expect("a cause").status, 200);

        let told = |body: Body, headers: &[(&str, &str)]| {
            let told = Got::new(200, kept(headers), body);
            maybe(&Sample::new("GET", "/Users/1", "", 200, "").with(|sample| sample.told = Some(told))).unwrap().scim
        };
        assert!(told(Body::Unknown, &[]));
        assert!(told(whole(b"\x1f\x8b"), &[("content-encoding", "gzip")]), "what is coded is not judged");
        assert!(!told(whole(b"\x1f\x8b"), &[]));
    }

    #[test]
    fn strangers_are_not_the_identity_provider() {
        let ours = |change: fn(&mut Sample)| maybe(&Sample::new("GET", "/Users", "", 401, "{}").with(change)).is_some();
        assert!(ours(|_| ()));
        assert!(!ours(|sample| sample.credible = false));
        assert!(!ours(|sample| sample.tenant = NO_TENANT.to_owned()));
    }

    #[test]
    fn what_is_looked_up_is_no_id() {
        let lookup = seen("GET", "/Users?filter=externalId+eq+%2226%22", "", 200, "{}").object;
        let id = seen("PATCH", "/Users/26", "{}", 204, "").object;
        assert_ne!(lookup, id);
        assert_eq!(seen("GET", "/Users?filter=id+eq+%2226%22", "", 200, "{}").object, id);
    }

    #[test]
    fn causes_are_made_of_known_words() {
        let cause = |method, target: &str, body: &str, status, answer: &str| {
            *seen(method, target, body, status, answer).cause.expect("a cause")
        };
        let told = cause("POST", "/Users", "{}", 400, &error(400, "ada: emails[type eq \\\"work\\\"].value is wrong"));
        assert_eq!(
            told,
            Cause {
                resource: "Users",
                status: 400,
                scim_type: Some("invalidValue"),
                attribute: Some("emails.value".to_owned()),
                quirk: None,
                refusal: None
            }
        );
        let touched =
            |operations: &str| cause("PATCH", "/Users/1", &patch(operations), 400, &error(400, "no")).attribute;
        assert_eq!(touched(r#"{"path":"EMAILS[type eq \"work\"].value"}"#).as_deref(), Some("emails.value"));
        assert_eq!(touched(r#"{"path":"name.givenName"},{"path":"name.familyName"}"#).as_deref(), Some("name"));
        assert_eq!(touched(r#"{"path":"title"},{"path":"active"}"#), None);
        assert_eq!(touched(r#"{"value":{"Title":"x"}}"#).as_deref(), Some("title"));
        assert_eq!(touched(r#"{"path":"ada.lovelace"}"#), None);
        assert_eq!(
            touched(r#"{"path":"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department"}"#).as_deref(),
            Some("department")
        );
        let filter = cause("GET", "/Users?filter=externalid%20eq%20%22a%22", "", 404, "");
        assert_eq!(filter.attribute.as_deref(), Some("externalId"));
        let silent = Sample::new("PUT", "/Users/1", "{}", 200, "{}").with(|sample| sample.told = None);
        let silent = maybe(&silent).expect("an observation");
        assert_eq!((silent.status, silent.cause.expect("a cause").status), (0, 0));
        assert!(seen("GET", "/Users/1", "", 304, "").cause.is_none());
    }

    #[test]
    fn the_first_unmended_deviation_of_the_request_comes_first() {
        let note = |id, fixed| {
            let mut findings = Findings::default();
            findings.note(id, fixed, || "path");
            findings
        };
        let sample = Sample::new("PATCH", "/Users/1", "{}", 400, "{}").with(|sample| {
            sample.refusal = Some(("quirk", String::new()));
            sample.findings = vec![
                (Direction::Response, note(Id::DateNoZone, false)),
                (Direction::Request, note(Id::PatchOpCase, true)),
                (Direction::Request, note(Id::PatchNullClear, false)),
            ];
        });
        let cause = maybe(&sample).expect("an observation").cause.expect("a cause");
        assert_eq!((cause.quirk, cause.refusal), (Some(Id::PatchNullClear), Some("quirk")));
    }

    #[test]
    fn what_went_to_the_app_is_read_unless_it_was_streamed() {
        let sample = Sample::new("POST", "/Users", r#"{"userName":"a"}"#, 201, "{}");
        let other = sample.clone().with(|s| s.forwarded.as_mut().unwrap().body = whole(br#"{"userName":"b"}"#));
        assert_eq!(maybe(&other).unwrap().object, value("Users", "b"));
        let streamed = sample.with(|s| s.forwarded.as_mut().unwrap().body = Body::Unknown);
        assert_eq!(maybe(&streamed).unwrap().object, value("Users", "a"));
    }

    proptest! {
        #[test]
        fn nothing_panics(
            target in "\\PC{0,60}|/(Users|groups|x)(/[^/]{0,9})?(\\?filter=[a-zA-Z \"%+\\[\\]()]{0,40})?",
            body in proptest::collection::vec(any::<u8>(), 0..80),
            answer in "[{}\\[\\]\",:a-zA-Z0-9 ]{0,80}",
            status in 0..600_u16,
        ) {
            for method in METHODS {
                let sample = Sample::new(method, &target, &answer, status, &answer)
                    .with(|sample| sample.received.body = whole(&body));
                let _ = maybe(&sample);
                let _ = maybe(&sample.with(|sample| sample.forwarded = None));
            }
        }
    }
}
