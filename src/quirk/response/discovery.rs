//! PAGE

use super::query::Place;
use crate::{
    json::{Doc, Kind, Node},
    quirk::{Cx, Id, quirk},
    scim::name,
};

quirk! {
    /// PAGE
    pub static DISCOVERY_ARRAY = {
        id: "discovery-array",
        direction: Response,
        risk: Safe,
        rfc: "RFC 7644 4",
    };

    /// PAGE
    pub static DISCOVERY_KEY = {
        id: "discovery-key",
        direction: Response,
        risk: Safe,
        rfc: "RFC 7644 3.4.2",
    };
}

/// Renames the member that holds the items of a discovery list.
pub(crate) fn fix_key(cx: &mut Cx<'_>, doc: &mut Doc<'_>, list: Node, place: Place<'_>) {
    if let Some(items) = items(doc, list, place)
        && cx.may(Id::DiscoveryKey, || doc.pointer(items))
    {
        doc.rename(items, "Resources", name::RESOURCES);
    }
}

/// The array of objects under a name of its own, where `Resources` is missing.
pub(crate) fn items(doc: &Doc<'_>, list: Node, place: Place<'_>) -> Option<Node> {
    if doc.find(list, "Resources").is_some() {
        return None;
    }
    let is_items = |member: &Node| {
        let key: String = doc.key(*member).chars().filter(|c| *c != '_').map(|c| c.to_ascii_lowercase()).collect();
        let named = match place {
            Place::ResourceTypes => key == "resourcetypes",
            // `schemas` is taken by the envelope, unless it holds objects.
            Place::Schemas => key == "schemas" && !doc.is_empty(*member),
            _ => false,
        };
        named && doc.kind(*member) == Kind::Array && doc.children(*member).all(|item| doc.kind(item) == Kind::Object)
    };
    doc.children(list).find(is_items)
}
