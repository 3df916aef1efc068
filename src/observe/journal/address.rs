//! Targets and URLs: endpoints and what SCIM asks stay, ids become names, everything else type and length.

use super::redact::{Redactor, is_name, is_plain_path, is_secret_parameter, named, nines, typed};
use crate::{
    observe::facts::{decoded, endpoint, head},
    quirk::request::{
        attributes_valuepath,
        filter_plus::{self, Plus},
    },
};

/// A target with more of these is cut: the rest says nothing new.
const PAIRS: usize = 32;

/// Bytes of a redacted target.
const LONGEST: usize = 2048;

/// What follows the SCIM base.
pub(super) fn target(redactor: &Redactor<'_>, target: &str) -> String {
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (target, None),
    };
    let mut out = self::path(redactor, path);
    if let Some(query) = query {
        out.push('?');
        let pairs: Vec<String> = query.split('&').take(PAIRS).map(|pair| self::pair(redactor, pair)).collect();
        out.push_str(&pairs.join("&"));
    }
    cut(out)
}

/// A Location, `$ref` or `meta.location`: the host is nobody, and quirks look at it.
pub(super) fn url(redactor: &Redactor<'_>, url: &str) -> String {
    let origin = match url.find("://") {
        Some(scheme) => url[scheme + 3..].find(['/', '?', '#']).map_or(url.len(), |end| scheme + 3 + end),
        None => 0,
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || "-.:/[]".contains(c);
    if redactor.shows(url) {
        return cut(url.to_owned());
    }
    if origin > 160 || !url[..origin].chars().all(plain) {
        return typed(url);
    }
    // The base ends where an endpoint begins, for the last time.
    let path = url[origin..].split(['?', '#']).next().unwrap_or_default();
    let base = segments(path).filter(|(_, segment)| endpoint(segment).is_some()).last().map(|(at, _)| at);
    match base {
        Some(base) => {
            let (before, rest) = url[origin..].split_at(base.saturating_sub(1));
            let before: Vec<String> = before.split('/').map(|segment| name(segment, false)).collect();
            cut(format!("{}{}{}", &url[..origin], before.join("/"), target(redactor, rest)))
        }
        None => cut(format!("{}{}", &url[..origin], target(redactor, &url[origin..]))),
    }
}

fn segments(path: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut at = 0;
    path.split('/').map(move |segment| {
        let start = at;
        at += segment.len() + 1;
        (start, segment)
    })
}

/// Names of the standard; words such as `scim` and `v2`, of which bases are made.
fn name(segment: &str, standard: bool) -> String {
    const BASE: [&str; 6] = ["scim", "scim2", "v1", "v2", "api", "tenants"];
    let known = endpoint(segment).is_some() || segment.eq_ignore_ascii_case(".search");
    let base = !standard && BASE.iter().any(|known| known.eq_ignore_ascii_case(segment));
    if segment.is_empty() || known || base { segment.to_owned() } else { named(segment) }
}

fn path(redactor: &Redactor<'_>, path: &str) -> String {
    let mut first: Option<&str> = None;
    let mut depth = 0;
    // What stands behind two slashes may be a host, and before its `@` a name and a password.
    let hosted = path.contains("//");
    let parts: Vec<String> = path
        .split('/')
        .take(PAIRS)
        .map(|segment| {
            if segment.is_empty() {
                return String::new();
            }
            depth += 1;
            match (depth, first.and_then(endpoint)) {
                _ if redactor.reveal && hosted && decoded(segment).contains('@') => named(segment),
                _ if redactor.shows(segment) => segment.to_owned(),
                (1, _) => {
                    first = Some(segment);
                    name(segment, false)
                }
                (2, _) if segment.eq_ignore_ascii_case(".search") => segment.to_owned(),
                (2, Some("Schemas" | "ResourceTypes")) if is_plain_path(&decoded(segment)) => segment.to_owned(),
                (2, Some(resource)) => redactor.id(resource, &decoded(segment)),
                (2, None) => redactor.id(redactor.resource, &decoded(segment)),
                _ => name(segment, true),
            }
        })
        .collect();
    parts.join("/")
}

fn pair(redactor: &Redactor<'_>, pair: &str) -> String {
    let (key, value) = match pair.split_once('=') {
        Some((key, value)) => (key, Some(value)),
        None => (pair, None),
    };
    let name = decoded(key);
    let is = |known: &str| name.eq_ignore_ascii_case(known);
    const KNOWN: [&str; 9] = [
        "filter",
        "attributes",
        "excludedAttributes",
        "sortBy",
        "sortOrder",
        "startIndex",
        "count",
        "cursor",
        "aadOptscim062020",
    ];
    let reveal = redactor.shows(pair) && !is_secret_parameter(&name);
    let known = KNOWN.iter().any(|known| is(known));
    let mut out = if key.is_empty() || known || reveal { key.to_owned() } else { named(&name) };
    let Some(value) = value else { return out };
    out.push('=');
    let plain = decoded(value);
    // Longer ones may be somebody's.
    let digits = plain.strip_prefix('-').unwrap_or(&plain);
    let integer = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let names = || plain.split(',').all(|name| is_plain_path(name.trim()) || name.trim().is_empty());
    if value.is_empty() || reveal {
        out.push_str(value);
    } else if is("filter") {
        out.push_str(&filter(redactor, value));
    } else if (is("startIndex") || is("count")) && integer && digits.len() > 6 {
        out.push_str(&nines(head(&plain, 32)));
    } else if (is("startIndex") || is("count")) && integer
        || (is("attributes") || is("excludedAttributes") || is("sortBy")) && names()
        || is("sortOrder") && is_name(&plain)
    {
        out.push_str(value);
    } else if is("attributes") && plain.contains('[') {
        out.push_str(&selection(redactor, &plain.replace('+', " ")));
    } else {
        out.push_str(&typed(&plain));
    }
    out
}

/// The value of `attributes` where it holds filters: `attributes-valuepath` looks for them.
fn selection(redactor: &Redactor<'_>, plain: &str) -> String {
    let names = attributes_valuepath::names(plain).into_iter().map(|name| redactor.path(name.trim()));
    encoded(&names.collect::<Vec<_>>().join(","), Plus::Absent)
}

/// The value of `filter`, its blanks and pluses written as they were sent.
fn filter(redactor: &Redactor<'_>, raw: &str) -> String {
    let Some((text, plus)) = filter_plus::read(raw) else { return typed(&decoded(raw)) };
    encoded(&redactor.filter(&text), plus)
}

/// A text of the query; blanks and pluses as `plus` says that they are written.
fn encoded(text: &str, plus: Plus) -> String {
    let mut out = String::with_capacity(text.len() * 2);
    for byte in text.bytes() {
        match byte {
            b' ' if plus == Plus::Blank => out.push('+'),
            b'+' if plus == Plus::Sign => out.push('+'),
            b'(' | b')' | b'-' | b'.' | b'_' | b'~' | b':' | b'/' | b'@' | b'$' => out.push(char::from(byte)),
            _ if byte.is_ascii_alphanumeric() => out.push(char::from(byte)),
            _ => {
                const HEX: &[u8; 16] = b"0123456789ABCDEF";
                out.push('%');
                out.push(char::from(HEX[usize::from(byte >> 4)]));
                out.push(char::from(HEX[usize::from(byte & 15)]));
            }
        }
    }
    out
}

/// Bounded: in clear a target can be as long as a header block.
fn cut(text: String) -> String {
    if text.len() <= LONGEST { text } else { format!("{}…", head(&text, LONGEST)) }
}
