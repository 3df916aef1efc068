//! Fully qualified names as keys.

use std::borrow::Cow;

use super::{
    password_echo,
    schemas_extension_missing::{self, MOST},
};
use crate::{
    json::{Doc, Kind, Node},
    quirk::{Cx, Id, quirk},
    scim::{ResourceType, name, path::is_attr_name, urn},
};

quirk! {
    /// Fully qualified attribute names as keys at the top of a resource.
    ///
    /// `"urn:...:User:department": "Sales"` is how a path names the attribute; in JSON it is a member of the object
    /// under the extension's URN (RFC 7643 3.3). Clients do not find it.
    ///
    /// The member moves there; behind the core URN it moves to the top. A key is split only behind a known URN:
    /// enterprise, a declared schema, one listed in the body's `schemas`, or that of an extension that is there (unless the
    /// member is an object, and so perhaps an extension itself). If the target is there already, the member is left and
    /// counted.
    ///
    /// ```scim
    /// 200 to GET /Users/2819
    /// content-type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:schemas:core:2.0:User",
    ///   "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],"id":"2819","userName":"ada@example.com",
    ///  "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department":"Sales",
    ///  "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:division":"North","meta":{"resourceType":"User"}}
    /// ```
    /// ```scim
    /// 200 to GET /Users/2819
    /// content-type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:schemas:core:2.0:User",
    ///   "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],"id":"2819","userName":"ada@example.com",
    ///  "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"Sales","division":"North"},
    ///  "meta":{"resourceType":"User"}}
    /// ```
    pub static EXT_FLAT_KEY = {
        id: "ext-flat-key",
        direction: Response,
        risk: Safe,
        rfc: "RFC 7643 3.3",
        sources: "RFC 7643 3.3; the twin of a request that Entra sends",
    };
}

/// Moves the members of a resource whose keys are fully qualified names to where they belong.
#[cold]
pub(crate) fn fix(cx: &mut Cx<'_>, doc: &mut Doc<'_>, resource: Node, kind: &ResourceType) {
    let listed = listed_urns(doc, resource);
    let used = schemas_extension_missing::extensions(doc, resource);
    let mut next = doc.first(resource);
    while let Some(member) = next {
        next = doc.next(member);
        let key = doc.key(member).into_owned();
        if doc.name(member) != 0
            || doc.collides(member)
            || !urn::is_urn(&key)
            || password_echo::is_password(doc, member)
        {
            continue;
        }
        // An object may be an extension of its own.
        let used = if doc.kind(member) == Kind::Object { &[][..] } else { &used };
        let Some((schema, attr)) = cut(cx, &listed, used, &key) else { continue };
        if !is_attr_name(attr) {
            continue;
        }
        let target = Target::of(doc, resource, kind, &schema);
        let taken = match target {
            Target::Resource => doc.find(resource, attr).is_some(),
            Target::Extension(at) => doc.find(at, attr).is_some(),
            Target::New => false,
            Target::Unusable => true,
        };
        if taken {
            cx.report(Id::ExtFlatKey, || doc.pointer(member));
        } else if cx.may(Id::ExtFlatKey, || doc.pointer(member)) {
            place(cx, doc, member, target, kind, &schema, attr);
        }
    }
}

fn place(cx: &Cx<'_>, doc: &mut Doc<'_>, member: Node, target: Target, kind: &ResourceType, schema: &str, attr: &str) {
    let attrs = match target {
        Target::Resource => Some(&kind.attrs),
        _ => kind.attrs.find(schema).map(|extension| &extension.sub),
    };
    let (name, spelling) = match attrs.and_then(|attrs| attrs.find(attr)) {
        Some(known) => (known.name, &*known.canonical),
        None => (0, attr),
    };
    match target {
        Target::Extension(at) => {
            let value = doc.take(member);
            let value = doc.keyed(value, spelling, name);
            doc.push(at, value);
        }
        Target::New => {
            let known = cx.plan.registry().known_urn(schema).filter(|known| known.rest.is_empty());
            let (key, number) = known.map_or((schema, 0), |known| (known.urn, known.name));
            let extension = doc.object();
            let extension = doc.keyed(extension, key, number);
            doc.insert_after(member, extension);
            let value = doc.take(member);
            let value = doc.keyed(value, spelling, name);
            doc.push(extension, value);
        }
        Target::Resource | Target::Unusable => doc.rename(member, spelling, name),
    }
}

/// Where a flat member goes.
#[derive(Clone, Copy)]
enum Target {
    Resource,
    Extension(Node),
    New,
    /// Something that is no object stands there, or it is the core schema of another type.
    Unusable,
}

impl Target {
    fn of(doc: &Doc<'_>, resource: Node, kind: &ResourceType, schema: &str) -> Self {
        if schema.eq_ignore_ascii_case(&kind.urn) {
            return Self::Resource;
        }
        match doc.find(resource, schema) {
            _ if [urn::USER, urn::GROUP].contains(&schema) => Self::Unusable,
            Some(at) if doc.kind(at) == Kind::Object => Self::Extension(at),
            Some(_) => Self::Unusable,
            None => Self::New,
        }
    }
}

/// The schema and the attribute of a flat key; `None` when it is no such key, or a schema's own.
/// A schema is known by the registry, by `schemas`, or by its extension, which `schemas-extension-missing` is to list.
fn cut<'k>(cx: &Cx<'_>, listed: &[String], used: &[String], key: &'k str) -> Option<(String, &'k str)> {
    if listed.iter().any(|urn| urn.eq_ignore_ascii_case(key)) {
        return None;
    }
    let known = cx.plan.registry().known_urn(key).filter(|known| known.separator == Some(':'));
    let known = known.map(|known| (known.urn.to_owned(), known.rest));
    let listed = listed.iter().chain(used).filter_map(|urn| {
        let rest = key.get(urn.len()..)?.strip_prefix(':')?;
        key[..urn.len()].eq_ignore_ascii_case(urn).then(|| (urn.clone(), rest))
    });
    known.into_iter().chain(listed).max_by_key(|(urn, _)| urn.len()).filter(|(_, rest)| !rest.is_empty())
}

fn listed_urns(doc: &Doc<'_>, resource: Node) -> Vec<String> {
    let Some(schemas) = doc.get(resource, name::SCHEMAS) else { return Vec::new() };
    let texts = doc.children(schemas).chain([schemas]).filter_map(|node| doc.string(node).map(Cow::into_owned));
    texts.filter(|text| urn::is_urn(text)).take(MOST).collect()
}
