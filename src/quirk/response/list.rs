//! A list: its envelope, the filter that was asked, and each resource in it.

use super::{
    discovery, discovery_schemas, endpoint_absolute, filter_ignored, list_bare, list_counts, list_key_case,
    list_schemas_missing,
    lookup::{Lookup, Verdict},
    query::Place,
    scim11_translate,
    walk::{self, Env},
};
use crate::{
    json::{Doc, Kind, Node},
    quirk::{Cx, Direction, Id, Mode},
    scim::{ResourceType, name, urn},
};

/// Whether an object that answers a query is a list.
pub(crate) fn is_list(doc: &Doc<'_>, object: Node, place: Place<'_>) -> bool {
    let has = |member| doc.get(object, member).is_some_and(|node| doc.kind(node) != Kind::Null);
    has(name::RESOURCES)
        || has(name::TOTAL_RESULTS)
        || list_schemas_missing::names(doc, object, name::SCHEMAS, urn::LIST_RESPONSE)
        || discovery::items(doc, object, place).is_some()
}

/// Repairs a list with an envelope.
pub(crate) fn enveloped(cx: &mut Cx<'_>, doc: &mut Doc<'_>, list: Node, mut env: Env<'_>) {
    let place = env.ask.place;
    list_key_case::fix(cx, doc, list);
    discovery::fix_key(cx, doc, list, place);
    env.old_list = scim11_translate::is_old(doc, list);
    if env.old_list && cx.plan.mode(Direction::Response, Id::Scim11Translate) != Mode::Off {
        scim11_translate::schemas(cx, doc, list, urn::LIST_RESPONSE);
    }
    list_schemas_missing::fix(cx, doc, list);
    list_counts::fix(cx, doc, list, env.ask);
    let Some(resources) = doc.get(list, name::RESOURCES).filter(|&resources| doc.kind(resources) == Kind::Array) else {
        return;
    };
    if let Some(lookup) = lookup(cx, env)
        && list_counts::states_to_be_whole(doc, list, env.ask)
        && filter_ignored::fix(cx, doc, resources, &lookup)
    {
        list_counts::recount(doc, list);
    }
    items(cx, doc, resources, env);
}

/// Repairs a bare array where a list was asked for.
pub(crate) fn bare_array(cx: &mut Cx<'_>, doc: &mut Doc<'_>, array: Node, env: Env<'_>) {
    let quirk = match env.ask.place {
        Place::Schemas | Place::ResourceTypes => Id::DiscoveryArray,
        _ => Id::ListArrayBare,
    };
    let resources: Vec<Node> = doc.children(array).collect();
    let is_sound = list_bare::is_whole(env.ask, resources.len())
        && resources.iter().all(|&item| doc.kind(item) == Kind::Object)
        && !contradicts(cx, doc, &resources, env, true);
    if !is_sound {
        cx.report(quirk, || doc.pointer(array));
    } else if cx.may(quirk, || doc.pointer(array)) {
        if let Some(lookup) = lookup(cx, env) {
            filter_ignored::fix(cx, doc, array, &lookup);
        }
        finish(cx, doc, array, env);
    }
}

/// Repairs a bare resource where a filter was asked.
pub(crate) fn bare_object(cx: &mut Cx<'_>, doc: &mut Doc<'_>, resource: Node, env: Env<'_>) {
    let is_sound = env.ask.is_from_the_start() && !contradicts(cx, doc, &[resource], env, false);
    if !is_sound {
        cx.report(Id::ListSingleObject, || doc.pointer(resource));
    } else if cx.may(Id::ListSingleObject, || doc.pointer(resource)) {
        let array = doc.wrap_in_array(resource);
        finish(cx, doc, array, env);
    }
}

fn finish(cx: &mut Cx<'_>, doc: &mut Doc<'_>, array: Node, env: Env<'_>) {
    items(cx, doc, array, env);
    list_bare::wrap(doc, array);
}

fn items(cx: &mut Cx<'_>, doc: &mut Doc<'_>, resources: Node, env: Env<'_>) {
    let place = env.ask.place;
    if !matches!(place, Place::Schemas | Place::ResourceTypes | Place::OtherCollection) {
        return walk::in_list(cx, doc, resources, place.kind(), env);
    }
    let mut next = doc.first(resources);
    while let Some(item) = next {
        next = doc.next(item);
        match place {
            Place::Schemas => discovery_schemas::fix(cx, doc, item, env.bases),
            Place::ResourceTypes => {
                endpoint_absolute::fix(cx, doc, item, env.bases);
                discovery_schemas::meta_location(cx, doc, item, env.bases);
            }
            _ => {}
        }
    }
}

/// The filter that was asked, if its outcome can be told. At the base the attribute of either type is meant.
fn lookup(cx: &Cx<'_>, env: Env<'_>) -> Option<Lookup> {
    let filter = env.ask.filter.as_deref()?;
    let core = |kind: &ResourceType| if *kind.urn == *urn::GROUP { urn::GROUP } else { urn::USER };
    let of = |endpoint: &str| {
        let kind = cx.plan.registry().resource_type(endpoint)?;
        Lookup::of(filter, &kind.attrs, &[urn::USER, urn::GROUP])
    };
    match env.ask.place {
        Place::Collection(kind) => Lookup::of(filter, &kind.attrs, &[core(kind)]),
        Place::Root => of("Users").or_else(|| of("Groups")),
        _ => None,
    }
}

/// Whether bare resources are not to be put into a list, since the app has ignored the filter, or may have.
fn contradicts(cx: &mut Cx<'_>, doc: &Doc<'_>, resources: &[Node], env: Env<'_>, is_array: bool) -> bool {
    let Some(lookup) = lookup(cx, env) else { return false };
    let said: Vec<Verdict> = resources.iter().map(|&resource| lookup.judge(doc, resource)).collect();
    let other = said.iter().position(|said| *said == Verdict::Other).map(|at| resources[at]);
    let is_unclear = said.contains(&Verdict::Unclear);
    // An array can lose what was not asked for; an object is the app's only answer.
    let drops = cx.fixes(Id::FilterIgnored) && !is_unclear && is_array;
    if let Some(resource) = other.filter(|_| !drops) {
        cx.report(Id::FilterIgnored, || doc.pointer(resource));
    }
    is_unclear || other.is_some() && !drops
}
