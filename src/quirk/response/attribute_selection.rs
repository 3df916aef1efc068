//! `attributes` and `excludedAttributes` without effect.

use super::{
    query::{Ask, Pick},
    scim11_translate,
};
use crate::{
    json::{Doc, Kind, Node},
    quirk::{Cx, Id, quirk},
    scim::{name, path::is_attr_name, urn},
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
    /// mended by it. An entry that cannot be read, or that carries the core URN of another type, takes nothing out. RFC
    /// 7644 3.9.
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
    /// the object, `emails.value` only that of each item. Where an entry cannot be
    /// read (a value filter, the core URN alone, the core URN of another type) all is kept. Opt-in, because it drops what a client may have come to rely
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

/// Applies both parameters to a resource with this core schema.
pub(crate) fn fix(cx: &mut Cx<'_>, doc: &mut Doc<'_>, resource: Node, ask: &Ask<'_>, core: &str) {
    if !ask.excluded.is_empty() {
        exclude(cx, doc, resource, ask.excluded.of(core), Some(core));
    }
    let asked = ask.attributes.of(core);
    // An entry that cannot be read may ask for anything.
    if !ask.attributes.is_empty() && !asked.unclear {
        keep(cx, doc, resource, asked, true);
    }
}

/// `core` is the core schema at the top of a resource.
fn exclude(cx: &mut Cx<'_>, doc: &mut Doc<'_>, value: Node, excluded: &Pick, core: Option<&str>) {
    for member in members(doc, value) {
        if core.is_some() && is_always_returned(doc, member) {
            continue;
        }
        let pick = find(doc, member, excluded).or_else(|| find_flat(doc, member, excluded, core?));
        let Some(pick) = pick else { continue };
        if !pick.whole {
            exclude(cx, doc, member, pick, None); // a path has three parts at most
        } else if cx.may(Id::ExcludedAttributesIgnored, || doc.pointer(member)) {
            doc.remove(member);
        }
    }
}

fn keep(cx: &mut Cx<'_>, doc: &mut Doc<'_>, value: Node, asked: &Pick, at_top: bool) {
    for member in members(doc, value) {
        if at_top && is_always_returned(doc, member) {
            continue;
        }
        match find(doc, member, asked) {
            None => {
                if cx.may(Id::AttributesIgnored, || doc.pointer(member)) {
                    doc.remove(member);
                }
            }
            Some(pick) if pick.whole => {}
            Some(pick) => keep(cx, doc, member, pick, false), // a path has three parts at most
        }
    }
}

fn find<'p>(doc: &Doc<'_>, member: Node, pick: &'p Pick) -> Option<&'p Pick> {
    let key = doc.key(member);
    if key.bytes().any(|byte| byte.is_ascii_uppercase()) {
        pick.inner.get(&key.to_ascii_lowercase())
    } else {
        pick.inner.get(&*key)
    }
}

/// What is picked of the attribute that a flat key or an old URN names. One that had to stay, since its attribute was there,
/// would take its place when that is left out (`ext-flat-key`, `scim11-translate`).
fn find_flat<'p>(doc: &Doc<'_>, member: Node, pick: &'p Pick, core: &str) -> Option<&'p Pick> {
    let key = doc.key(member);
    if doc.name(member) != 0 || !urn::is_urn(&key) {
        return None;
    }
    if key.eq_ignore_ascii_case(scim11_translate::ENTERPRISE) {
        return pick.inner.get(&urn::ENTERPRISE_USER.to_ascii_lowercase());
    }
    let key = key.to_ascii_lowercase();
    let (schema, attr) = key.rsplit_once(':').filter(|(_, attr)| is_attr_name(attr))?;
    if schema.eq_ignore_ascii_case(core) {
        return pick.inner.get(attr).filter(|_| !matches!(attr, "id" | "schemas"));
    }
    let extension = pick.inner.get(schema)?;
    if extension.whole { Some(extension) } else { extension.inner.get(attr) }
}

/// `id` and `schemas` (RFC 7643 2.2, RFC 7644 3.9).
fn is_always_returned(doc: &Doc<'_>, member: Node) -> bool {
    matches!(doc.name(member), name::ID | name::SCHEMAS)
}

/// The members of an object, or of every object in a list.
fn members(doc: &Doc<'_>, value: Node) -> Vec<Node> {
    match doc.kind(value) {
        Kind::Object => doc.children(value).collect(),
        Kind::Array => {
            let items = doc.children(value).filter(|&item| doc.kind(item) == Kind::Object);
            items.flat_map(|item| doc.children(item)).collect()
        }
        _ => Vec::new(),
    }
}
