//! The path of a PATCH operation: which attribute it names, and its spelling.

use super::{filter, urn_alias};
use crate::{
    json::{Doc, Names, Node},
    quirk::{Cx, Id},
    scim::{Attr, Attrs, Registry, ResourceType, filter::Syntax, name, path::Path, urn},
};

/// What a path names.
#[derive(Debug, Clone)]
pub(super) struct Place<'r> {
    /// The attribute or sub-attribute, where its schema is known.
    pub(super) leaf: Option<&'r Attr>,
    /// Whether a filter selects elements.
    pub(super) filtered: bool,
    /// Whether the path ends in a sub-attribute.
    pub(super) sub: bool,
    /// Whether the path may name several values of a list: a part of it without a filter.
    pub(super) spread: bool,
    /// Whether the attribute is called `active`, known or not.
    pub(super) active: bool,
}

impl Place<'_> {
    /// Whether the path names the attribute as a whole.
    pub(super) fn is_whole(&self) -> bool {
        !self.filtered || self.sub
    }

    /// Whether it names the whole list of a group's members.
    pub(super) fn is_members(&self) -> bool {
        !self.filtered && !self.sub && self.leaf.is_some_and(|leaf| leaf.name == name::MEMBERS && leaf.is_multi())
    }

    /// Whether it is known to name one value: a single-valued attribute, or a sub-attribute of one or of selected elements.
    pub(super) fn is_single(&self) -> bool {
        self.is_whole() && !self.spread && self.leaf.is_some_and(Attr::is_single)
    }

    /// Whether a removal of it needs no value: it names one value, or a sub-attribute of one or of selected elements.
    pub(super) fn needs_no_value(&self) -> bool {
        self.is_single() || self.sub && !self.spread && self.leaf.is_none_or(Attr::is_single)
    }
}

/// Reads and settles the path in `node`; `None` where it is no path.
pub(super) fn settle<'r>(
    doc: &mut Doc<'_>,
    cx: &mut Cx<'r>,
    node: Node,
    resource: Option<&'r ResourceType>,
) -> Option<Place<'r>> {
    let (place, new) = read(doc, cx, node, resource)?;
    if let Some(new) = new {
        doc.set_string(node, &new);
    }
    Some(place)
}

/// What the path names, and its new text where that differs.
fn read<'r>(
    doc: &Doc<'_>,
    cx: &mut Cx<'r>,
    node: Node,
    resource: Option<&'r ResourceType>,
) -> Option<(Place<'r>, Option<String>)> {
    let sent = doc.string(node)?;
    let registry = cx.plan.registry();
    let attrs = resource.map(|resource| &resource.attrs);
    let at = || doc.pointer(node);
    let mut changed = false;

    // Most paths are the name of a core attribute and nothing else.
    if let Some(leaf) = attrs.and_then(|attrs| known(registry, attrs, &sent))
        && *leaf.canonical == *sent
        && !leaf.extension
    {
        let active = leaf.name == name::ACTIVE;
        return Some((Place { leaf: Some(leaf), filtered: false, sub: false, spread: false, active }, None));
    }

    if sent.ends_with([':', '.']) {
        return None;
    }
    let alias = if urn::is_urn(&sent) { urn_alias::split(registry, resource, &sent) } else { None };
    let (mut prefix, text) = match &alias {
        // A legacy URN in a path is not in the list of what is known to be sent.
        Some(alias) if alias.quirk == Some(Id::ExtLegacyKey) => (None, &*sent),
        Some(alias) => {
            let dotted = alias.dot && !alias.rest.is_empty();
            let quirks = [alias.quirk, dotted.then_some(Id::UrnDotSeparator)];
            if quirks.iter().any(Option::is_some) {
                // What cannot be read behind the URN is left with it.
                if !alias.rest.is_empty() {
                    Path::parse(alias.rest, Syntax::Lenient).ok()?;
                }
                let fixed = quirks.iter().flatten().all(|&quirk| cx.fixes(quirk));
                for quirk in quirks.into_iter().flatten() {
                    if fixed {
                        cx.may(quirk, at);
                    } else {
                        cx.report(quirk, at);
                    }
                }
                if !fixed {
                    return Path::parse(&sent, Syntax::Lenient).ok().map(|path| (opaque(&path), None));
                }
            }
            changed = alias.quirk.is_some() || dotted;
            (Some(alias.urn), alias.rest)
        }
        None => (None, &*sent),
    };
    if let (Some(urn), "") = (prefix, text) {
        let leaf = attrs.and_then(|attrs| attrs.find(urn)).filter(|attr| attr.extension);
        let place = Place { leaf, filtered: false, sub: false, spread: false, active: false };
        return Some((place, changed.then(|| urn.to_owned())));
    }
    let mut path = Path::parse(text, Syntax::Lenient).ok()?;
    if prefix.is_none() && path.urn.is_some() {
        return Some((opaque(&path), None));
    }

    let is_core = |urn: &str| resource.is_some_and(|resource| &*resource.urn == urn);
    let scope = match prefix {
        None => attrs,
        Some(urn) if is_core(urn) => attrs,
        Some(urn) => attrs.and_then(|attrs| attrs.find(urn)).map(|extension| &extension.sub),
    };
    let mut attr = scope.and_then(|scope| known(registry, scope, &path.attr)).filter(|attr| !attr.extension);
    if attr.is_none() && prefix.is_none() && is_core(urn::USER) {
        let enterprise = attrs.and_then(|attrs| attrs.get(name::ENTERPRISE_USER));
        attr = enterprise.and_then(|enterprise| known(registry, &enterprise.sub, &path.attr));
        if attr.is_some() {
            if !cx.may(Id::PathMissingUrn, at) {
                return Some((opaque(&path), None));
            }
            prefix = Some(urn::ENTERPRISE_USER);
            changed = true;
        }
    }
    let mut leaf = attr;
    if let Some(attr) = attr {
        if *path.attr != *attr.canonical && cx.may(Id::AttrCase, at) {
            path.attr = (&*attr.canonical).into();
            changed = true;
        }
        if let Some(sub) = &path.sub {
            leaf = known(registry, &attr.sub, sub);
            if let Some(known) = leaf.filter(|known| **sub != *known.canonical)
                && cx.may(Id::AttrCase, at)
            {
                path.sub = Some((&*known.canonical).into());
                changed = true;
            }
        }
    }
    let mended = filter::fix_path_filter(text, &path, attr, cx, &|| at().to_string());
    changed |= mended.is_some();
    let (filtered, sub) = (path.filter.is_some(), path.sub.is_some());
    let spread = sub && !filtered && !attr.is_some_and(Attr::is_single);
    let active = is_active(&path);
    let brackets = mended.as_deref().or_else(|| path.filter.as_ref().map(|filter| &text[filter.outer.clone()]));
    let new = changed.then(|| {
        let urns = [prefix, path.urn.as_deref()].into_iter().flatten().flat_map(|urn| [urn, ":"]);
        let sub = path.sub.as_deref().into_iter().flat_map(|sub| [".", sub]);
        urns.chain([&*path.attr, brackets.unwrap_or_default()]).chain(sub).collect()
    });
    Some((Place { leaf, filtered, sub, spread, active }, new))
}

/// The attribute of that name in a set.
fn known<'r>(registry: &Registry, attrs: &'r Attrs, name: &str) -> Option<&'r Attr> {
    attrs.get(registry.names().find(name).0)
}

/// A path whose attribute is not known.
fn opaque<'r>(path: &Path<'_>) -> Place<'r> {
    let (filtered, sub) = (path.filter.is_some(), path.sub.is_some());
    Place { leaf: None, filtered, sub, spread: sub && !filtered, active: is_active(path) }
}

/// Whether a path names an attribute `active`, of whatever schema: a null there is never read as a removal.
fn is_active(path: &Path<'_>) -> bool {
    path.sub.as_deref().unwrap_or(&path.attr).eq_ignore_ascii_case("active")
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue, Method, header::CONTENT_TYPE};
    use serde_json::{Value, json};

    use crate::quirk::{Idp, Mode, Normalized, Plan, PlanSettings, Sent, normalize};

    fn run(path: &str, settings: &PlanSettings) -> (Normalized, String) {
        let schema = "urn:ietf:params:scim:api:messages:2.0:PatchOp";
        let op = json!({"op": "replace", "path": path, "value": "x"});
        let body = json!({"schemas": [schema], "Operations": [op]}).to_string();
        let plan = Plan::new(settings, Idp::Generic);
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/scim+json"));
        let sent = Sent { method: &Method::PATCH, target: "/Users/26", headers: &headers, body: body.as_bytes() };
        (normalize(&plan, &sent).unwrap(), body)
    }

    fn settled(path: &str) -> String {
        let (normalized, body) = run(path, &PlanSettings::default());
        let body = normalized.body.unwrap_or(body.into_bytes());
        let body: Value = serde_json::from_slice(&body).unwrap();
        body["Operations"][0]["path"].as_str().unwrap().to_owned()
    }

    fn fixes(path: &str, settings: &PlanSettings) -> Vec<String> {
        let (normalized, _) = run(path, settings);
        assert_eq!(normalized.body.is_some(), normalized.findings.fixes().next().is_some(), "{path}");
        normalized.findings.fixes().map(|fix| fix.quirk.as_str().to_owned()).collect()
    }

    #[test]
    fn a_path_that_cannot_be_read_is_not_told_as_mended() {
        for path in [
            "urn:ietf:params:scim:schemas:core:2.0:USER:urn:ietf:params:scim:schemas:extension:enterprise:2.0User",
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0User:a b",
            "urn:ietf:params:scim:schemas:core:2.0:User.7",
        ] {
            assert_eq!(fixes(path, &PlanSettings::default()), Vec::<String>::new(), "{path}");
            assert_eq!(settled(path), path);
        }
        let dotted = "urn:ietf:params:scim:schemas:core:2.0:USER.title";
        assert_eq!(fixes(dotted, &PlanSettings::default()), ["schemas-malformed-urn", "urn-dot-separator"]);
        let observed = [("urn-dot-separator".to_owned(), Mode::Observe)].into_iter().collect();
        let settings = PlanSettings { quirks: observed, ..PlanSettings::default() };
        assert_eq!(fixes(dotted, &settings), Vec::<String>::new(), "both or none");
    }

    #[test]
    fn the_parts_of_a_path_that_are_right_keep_their_bytes() {
        for (path, expected) in [
            ("emails[(type eq work)].value", "emails[(type eq \"work\")].value"),
            ("emails[ Type eq \"work\" ]", "emails[ type eq \"work\" ]"),
            ("Emails[ ( type  eq \"work\")].Value", "emails[ ( type  eq \"work\")].value"),
            ("emails[not(primary eq \"True\")].Value", "emails[not(primary eq true)].value"),
            (
                "urn:ietf:params:scim:schemas:core:2.0:user:Emails[ (Type eq work) ].value",
                "urn:ietf:params:scim:schemas:core:2.0:User:emails[ (type eq \"work\") ].value",
            ),
            ("emails[ (type eq work and type eq) ].value", "emails[ (type eq work and type eq) ].value"),
            ("Emails[ ( type eq 'work' ) ]", "Emails[ ( type eq 'work' ) ]"),
            ("shoe$Size[ a eq b ].c$", "shoe$Size[ a eq \"b\" ].c$"),
        ] {
            assert_eq!(settled(path), expected, "{path}");
            assert_eq!(settled(expected), expected, "settled: {expected}");
        }
    }
}
