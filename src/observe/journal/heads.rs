//! Values of headers: of each only what it should look like is kept. A stranger can write anything into any of them.

use http::{HeaderName, header};

use super::{
    address,
    redact::{Redactor, is_credential, is_secret, typed},
};
use crate::{observe::facts::head, quirk::Idp};

/// Bytes of a value.
const LONGEST: usize = 200;

/// What is kept of a value.
pub(super) fn value(redactor: &Redactor<'_>, name: &HeaderName, value: &str) -> String {
    let known = match *name {
        header::LOCATION => return address::url(redactor, value),
        _ if redactor.shows(value) => true,
        header::ETAG | header::IF_MATCH => return tag(value),
        // Which identity provider speaks; what strangers call themselves is their affair.
        header::USER_AGENT => Idp::from_user_agent(value).is_some() && !is_secret(value) && !is_credential(value),
        header::ACCEPT | header::CONTENT_TYPE => value.split(',').all(is_media_type),
        header::CONTENT_ENCODING => value.split(',').all(|coding| is_one_of(coding.trim(), &CODINGS)),
        header::RETRY_AFTER => is_seconds(value) || httpdate::parse_http_date(value).is_ok(),
        _ => false,
    };
    if known { head(value, LONGEST).to_owned() } else { typed(value) }
}

/// What SCIM is sent in, and what gateways and frameworks answer with instead.
const MEDIA: [&str; 18] = [
    "*/*",
    "application/*",
    "application/json",
    "application/jwt",
    "application/octet-stream",
    "application/problem+json",
    "application/problem+xml",
    "application/scim",
    "application/scim+json",
    "application/x-www-form-urlencoded",
    "application/xhtml+xml",
    "application/xml",
    "multipart/form-data",
    "text/*",
    "text/html",
    "text/json",
    "text/plain",
    "text/xml",
];

const CHARSETS: [&str; 7] = ["iso-8859-1", "us-ascii", "utf-16", "utf-16be", "utf-16le", "utf-8", "windows-1252"];

/// The registry of RFC 9110 8.4.1, and the two that came later.
const CODINGS: [&str; 8] = ["br", "compress", "deflate", "gzip", "identity", "x-compress", "x-gzip", "zstd"];

fn is_one_of(text: &str, known: &[&str]) -> bool {
    known.iter().any(|known| known.eq_ignore_ascii_case(text))
}

/// A known one, with no other parameters than a character set and a weight.
fn is_media_type(text: &str) -> bool {
    let mut parts = text.split(';').map(str::trim);
    parts.next().is_some_and(|media| is_one_of(media, &MEDIA))
        && parts.all(|parameter| match parameter.split_once('=') {
            Some((name, charset)) if name.eq_ignore_ascii_case("charset") => {
                is_one_of(charset.trim_matches('"'), &CHARSETS)
            }
            Some((name, weight)) => name.eq_ignore_ascii_case("q") && weight.len() <= 5 && is_decimal(weight),
            None => parameter.is_empty(),
        })
}

/// `120`, and `1.5` as some write it; no telephone number is that short.
fn is_seconds(text: &str) -> bool {
    text.len() <= 6 && is_decimal(text)
}

fn is_decimal(text: &str) -> bool {
    let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
    [whole, part].iter().all(|digits| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()))
}

/// An entity tag keeps its strength.
fn tag(value: &str) -> String {
    let strong = value.strip_prefix("W/").unwrap_or(value);
    let weak = if strong.len() < value.len() { "W/" } else { "" };
    match strong {
        "*" => value.to_owned(),
        _ if strong.starts_with('"') => format!("{weak}\"{}\"", typed(strong.trim_matches('"'))),
        _ => format!("{weak}{}", typed(strong)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::key::Key;

    fn kept(name: &HeaderName, text: &str, reveal: bool) -> String {
        value(&Redactor { key: &Key::from_bytes([7; 32]), tenant: "acme", resource: "Users", reveal }, name, text)
    }

    #[test]
    fn tags_keep_their_strength() {
        assert_eq!(tag(r#"W/"abc""#), r#"W/"string(3)""#);
        assert_eq!(tag(r#""abc""#), r#""string(3)""#);
        assert_eq!(tag("*"), "*");
        assert_eq!(tag("abc"), "string(3)");
    }

    #[test]
    fn known_shapes_stay_and_nothing_else() {
        let (accept, kind) = (header::ACCEPT, header::CONTENT_TYPE);
        let (coding, again, agent) = (header::CONTENT_ENCODING, header::RETRY_AFTER, header::USER_AGENT);
        for (name, text) in [
            (&kind, "application/scim+json; charset=UTF-8"),
            (&kind, "Text/HTML;charset=\"utf-8\""),
            (&accept, "application/scim+json, application/json;q=0.9, */*; q=0.125"),
            (&coding, "gzip, BR"),
            (&again, "120"),
            (&again, "1.5"),
            (&again, "Wed, 11 Mar 2026 23:29:00 GMT"),
            (&agent, "Okta SCIM Client 1.0.0"),
        ] {
            assert_eq!(kept(name, text, false), text);
        }
        for (name, text) in [
            (&kind, "application/ada"),
            (&kind, "application/json; charset=ada"),
            (&kind, "application/json; name=ada"),
            (&kind, "application/json; ada"),
            (&kind, "multipart/form-data; boundary=ada"),
            (&accept, "application/json, ada"),
            (&accept, "application/json;q=04912345678"),
            (&accept, ""),
            (&coding, "gzip, ada"),
            (&again, "04912345678"),
            (&again, "1."),
            (&again, "-1"),
            (&again, "tomorrow, says Ada"),
            (&agent, "ada/1.0"),
            (&agent, "Okta SCIM Client 1.0.0 Bearer swordfish"),
        ] {
            assert_eq!(kept(name, text, false), typed(text), "{name}: {text}");
        }
    }

    #[test]
    fn what_is_revealed_is_no_credential() {
        assert_eq!(kept(&header::USER_AGENT, "ada/1.0", true), "ada/1.0");
        assert_eq!(kept(&header::ETAG, r#"W/"ada""#, true), r#"W/"ada""#);
        for name in [header::ACCEPT, header::CONTENT_TYPE, header::USER_AGENT, header::RETRY_AFTER, header::ETAG] {
            for text in ["a Bearer swordfish", "basic c3dvcmRmaXNo", "x; access_token=swordfish", "eyJswordfish"] {
                assert_eq!(kept(&name, text, true), typed(text), "{name}: {text}");
            }
        }
    }
}
