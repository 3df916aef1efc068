//! PAGE

use super::{query::Ask, schemas_missing::put};
use crate::{
    json::{Doc, Node},
    quirk::quirk,
    scim::{name, urn},
};

quirk! {
    /// PAGE
    pub static LIST_ARRAY_BARE = {
        id: "list-array-bare",
        direction: Response,
        risk: Safe,
        rfc: "RFC 7644 3.4.2",
        seen_in: &[Entra],
    };

    /// PAGE
    pub static LIST_SINGLE_OBJECT = {
        id: "list-single-object",
        direction: Response,
        risk: Safe,
        rfc: "RFC 7644 3.4.2",
        seen_in: &[Entra],
    };
}

/// Puts bare resources into a list of all there are; they stand in an array by now.
pub(crate) fn wrap(doc: &mut Doc<'_>, resources: Node) {
    let total = doc.len(resources).to_string();
    let list = doc.wrap_in_object(resources, "Resources", name::RESOURCES);
    for (number, key, count) in [
        (name::ITEMS_PER_PAGE, "itemsPerPage", total.as_str()),
        (name::START_INDEX, "startIndex", "1"),
        (name::TOTAL_RESULTS, "totalResults", total.as_str()),
    ] {
        let node = doc.scalar(count);
        let node = doc.keyed(node, key, number);
        doc.insert_first(list, node);
    }
    put(doc, list, &[urn::LIST_RESPONSE]);
}

/// Whether bare resources are all that was asked for: an array knows no pages.
pub(crate) fn is_whole(ask: &Ask<'_>, returned: usize) -> bool {
    let returned = u64::try_from(returned).unwrap_or(u64::MAX);
    !ask.unclear && !ask.cursor && ask.first() == 1 && ask.count.is_none_or(|count| returned < count)
}
