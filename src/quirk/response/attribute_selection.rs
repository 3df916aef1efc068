//! `attributes` and `excludedAttributes` without effect.

use std::collections::HashSet;

use super::query::{Ask, Selected};
use crate::{
    json::{Doc, Kind, Node},
    quirk::{Cx, Id, quirk},
    scim::name,
};

quirk! {
    /// `excludedAttributes` has no effect.
    ///
    /// Entra reads every group with `excludedAttributes=members`. Where the app sends the members all the same, large
    /// groups take so long that the request times out, and the group is retried for ever.
    ///
    /// What was excluded is taken out of the answer: names in any letter case, with or without their URN;
    /// `name.givenName` takes the sub-attribute out of the object, `members.display` out of every item. `id` and
    /// `schemas` are always returned and stay. The app still does its work, so a time-out in the app itself is not
    /// mended by it. RFC 7644 3.9.
    ///
    /// ```scim
    /// 200 to GET /Groups/7?excludedAttributes=members
    /// content-type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"id":"7","displayName":"Staff",
    ///  "members":[{"value":"2819"}],"meta":{"resourceType":"Group"}}
    /// ```
    /// ```scim
    /// 200 to GET /Groups/7?excludedAttributes=members
    /// content-type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"id":"7","displayName":"Staff",
    ///  "meta":{"resourceType":"Group"}}
    /// ```
    pub static EXCLUDED_ATTRIBUTES_IGNORED = {
        id: "excluded-attributes-ignored",
        direction: Response,
        risk: Safe,
        rfc: "RFC 7644 3.9",
        seen_in: &[Entra],
        sources: "cloudfoundry/uaa#824, wso2/product-is#8498",
    };

    /// `attributes` has no effect.
    ///
    /// A client that asked for `userName` gets everything. Identity providers put up with it; the test suites
    /// scimverify and scim2-tester do not.
    ///
    /// With the switch on, what was asked for is kept beside `id` and `schemas`, and the rest is taken out, members
    /// unknown to the standard included. Names fold case and may carry their URN; `name.givenName` keeps only that of
    /// the object, `emails.value` only that of each item. Opt-in, because it drops what a client may have come to rely
    /// on. RFC 7644 3.9.
    ///
    /// ```scim
    /// # enable: attributes-ignored
    /// 200 to GET /Groups/7?attributes=displayName
    /// content-type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"id":"7","displayName":"Staff",
    ///  "members":[{"value":"2819"}],"meta":{"resourceType":"Group"}}
    /// ```
    /// ```scim
    /// 200 to GET /Groups/7?attributes=displayName
    /// content-type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"id":"7","displayName":"Staff"}
    /// ```
    pub static ATTRIBUTES_IGNORED = {
        id: "attributes-ignored",
        direction: Response,
        risk: OptIn,
        rfc: "RFC 7644 3.9",
        sources: "https://github.com/limosa-io/scimverify",
    };
}

/// Applies both parameters to a resource.
pub(crate) fn fix(cx: &mut Cx<'_>, doc: &mut Doc<'_>, resource: Node, ask: &Ask<'_>) {
    if !ask.excluded.is_empty() {
        exclude(cx, doc, resource, &ask.excluded);
    }
    if !ask.attributes.is_empty() {
        keep(cx, doc, resource, &ask.attributes);
    }
}

fn exclude(cx: &mut Cx<'_>, doc: &mut Doc<'_>, resource: Node, excluded: &[Selected]) {
    let take = |cx: &mut Cx<'_>, doc: &mut Doc<'_>, member: Node| {
        if cx.may(Id::ExcludedAttributesIgnored, || doc.pointer(member)) {
            doc.remove(member);
        }
    };
    for member in members(doc, resource) {
        if is_always_returned(doc, member) {
            continue;
        }
        let mut inner = Vec::new();
        let mut gone = false;
        for selected in excluded {
            match part(doc, member, selected) {
                Part::None => {}
                Part::Whole => gone = true,
                Part::Sub(sub) => inner.extend(subs(doc, member, |d, m| d.key(m).eq_ignore_ascii_case(sub))),
                Part::Attr(attr, sub) => {
                    for attribute in members(doc, member) {
                        match sub {
                            _ if !doc.key(attribute).eq_ignore_ascii_case(attr) => {}
                            None => inner.push(attribute),
                            Some(sub) => inner.extend(subs(doc, attribute, |d, m| d.key(m).eq_ignore_ascii_case(sub))),
                        }
                    }
                }
            }
        }
        if gone {
            take(cx, doc, member);
        } else {
            let mut done = HashSet::new();
            for node in inner {
                if done.insert(node) {
                    take(cx, doc, node);
                }
            }
        }
    }
}

fn keep(cx: &mut Cx<'_>, doc: &mut Doc<'_>, resource: Node, asked: &[Selected]) {
    for member in members(doc, resource) {
        if is_always_returned(doc, member) || asked.iter().any(|s| matches!(part(doc, member, s), Part::Whole)) {
            continue;
        }
        let parts: Vec<Part<'_>> = asked.iter().map(|selected| part(doc, member, selected)).collect();
        let mut unasked = Vec::new();
        if parts.iter().all(|part| matches!(part, Part::None)) {
            unasked.push(member);
        } else if parts.iter().any(|part| matches!(part, Part::Attr(..))) {
            for attribute in members(doc, member) {
                let wanted: Vec<Option<&str>> = parts
                    .iter()
                    .filter_map(|part| match part {
                        Part::Attr(attr, sub) if doc.key(attribute).eq_ignore_ascii_case(attr) => Some(*sub),
                        _ => None,
                    })
                    .collect();
                if wanted.is_empty() {
                    unasked.push(attribute);
                } else if !wanted.contains(&None) {
                    unasked.extend(subs(doc, attribute, |d, m| {
                        !wanted.iter().flatten().any(|sub| d.key(m).eq_ignore_ascii_case(sub))
                    }));
                }
            }
        } else {
            unasked.extend(subs(doc, member, |d, m| {
                !parts.iter().any(|part| matches!(part, Part::Sub(sub) if d.key(m).eq_ignore_ascii_case(sub)))
            }));
        }
        for node in unasked {
            if cx.may(Id::AttributesIgnored, || doc.pointer(node)) {
                doc.remove(node);
            }
        }
    }
}

/// What of a top-level member an entry names.
enum Part<'s> {
    None,
    Whole,
    /// A sub-attribute.
    Sub(&'s str),
    /// An attribute of an extension, or a sub-attribute of it.
    Attr(&'s str, Option<&'s str>),
}

fn part<'s>(doc: &Doc<'_>, member: Node, selected: &'s Selected) -> Part<'s> {
    let key = doc.key(member);
    if key.eq_ignore_ascii_case(&selected.whole) {
        return Part::Whole;
    }
    let holder = selected.extension.as_deref().unwrap_or(&selected.attr);
    match (&selected.extension, selected.sub.as_deref()) {
        _ if !key.eq_ignore_ascii_case(holder) => Part::None,
        (Some(_), sub) => Part::Attr(&selected.attr, sub),
        (None, Some(sub)) => Part::Sub(sub),
        (None, None) => Part::Whole,
    }
}

/// `id` and `schemas` (RFC 7643 2.2, RFC 7644 3.9).
fn is_always_returned(doc: &Doc<'_>, member: Node) -> bool {
    matches!(doc.name(member), name::ID | name::SCHEMAS)
}

fn members(doc: &Doc<'_>, object: Node) -> Vec<Node> {
    if doc.kind(object) == Kind::Object { doc.children(object).collect() } else { Vec::new() }
}

/// The sub-attributes of a value, or of every item of a list, for which `wanted` holds.
fn subs(doc: &Doc<'_>, value: Node, wanted: impl Fn(&Doc<'_>, Node) -> bool) -> Vec<Node> {
    let holders: Vec<Node> = match doc.kind(value) {
        Kind::Array => doc.children(value).filter(|&item| doc.kind(item) == Kind::Object).collect(),
        Kind::Object => vec![value],
        _ => Vec::new(),
    };
    holders
        .into_iter()
        .flat_map(|holder| doc.children(holder).filter(|&m| wanted(doc, m)).collect::<Vec<_>>())
        .collect()
}
