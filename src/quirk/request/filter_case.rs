//! The letter case of names and operators in filters.

use std::borrow::Cow;

use super::filter::{Known, Place};
use crate::{
    quirk::{Cx, Id, quirk},
    scim::AttrPath,
};

quirk! {
    /// A filter spells an attribute in another letter case than the schema: `DisplayName`.
    ///
    /// The names come from an administrator's mapping table. They are legal so, but servers that look them up by
    /// their exact spelling answer 400 `invalidFilter`, or find nobody.
    ///
    /// Known attributes and sub-attributes (core, enterprise and declared schemas, by the endpoint) get the schema's
    /// spelling, and so do known schema URNs in front of them. Unknown names stay as sent, and so does every value
    /// compared with. Names in the path of a PATCH operation are the matter of `attr-case`.
    ///
    /// RFC 7643 section 2.1: attribute names are case-insensitive. RFC 7644 section 3.4.2.2: in filters too.
    ///
    /// ```scim
    /// GET /Users?filter=Name.FamilyName%20eq%20%22Lovelace%22
    /// ```
    /// ```scim
    /// GET /Users?filter=name.familyName%20eq%20%22Lovelace%22
    /// ```
    /// ```scim
    /// GET /Users?filter=Emails%5BType%20eq%20%22Work%22%5D
    /// ```
    /// ```scim
    /// GET /Users?filter=emails%5Btype%20eq%20%22Work%22%5D
    /// ```
    pub static FILTER_ATTR_CASE = {
        id: "filter-attr-case",
        direction: Request,
        risk: Safe,
        rfc: "RFC 7643 2.1, RFC 7644 3.4.2.2",
        seen_in: &[Entra],
        spelling: true,
        sources: "learn.microsoft.com use-scim-to-provision-users-and-groups, MicrosoftDocs/azure-docs#69245",
    };

    /// A filter spells an operator with capitals: `Eq`, `AND`.
    ///
    /// Operators are case-insensitive, but many parsers know only the spelling in the RFC and answer 400.
    ///
    /// `eq`, `ne`, `co`, `sw`, `ew`, `gt`, `ge`, `lt`, `le`, `pr`, `and`, `or` and `not` become lower-case, in
    /// queries and in the paths of PATCH operations. A filter that is none is left as sent.
    ///
    /// RFC 7644 section 3.4.2.2: attribute names and operators used in filters are case-insensitive.
    ///
    /// ```scim
    /// GET /Groups?filter=displayName%20Eq%20%22Engineering%22%20AND%20members%20PR
    /// ```
    /// ```scim
    /// GET /Groups?filter=displayName%20eq%20%22Engineering%22%20and%20members%20pr
    /// ```
    pub static FILTER_OP_CASE = {
        id: "filter-op-case",
        direction: Request,
        risk: Safe,
        rfc: "RFC 7644 3.4.2.2",
        spelling: true,
        sources: "wso2/product-is#21904",
    };
}

/// A name with the known parts in their canonical spelling, where it has another; `quirk` is the one that this is
/// counted under.
pub(crate) fn name(
    path: &AttrPath<'_>,
    known: &Known<'_>,
    quirk: Id,
    cx: &mut Cx<'_>,
    at: Place<'_>,
) -> Option<String> {
    let spelled = AttrPath {
        urn: known.urn.or(path.urn.as_deref()).map(Cow::Borrowed),
        attr: Cow::Borrowed(known.attr.map_or(&*path.attr, |attr| &*attr.canonical)),
        sub: path.sub.as_deref().map(|sub| Cow::Borrowed(known.sub.map_or(sub, |sub| &*sub.canonical))),
    };
    (spelled != *path && cx.may(quirk, at)).then(|| spelled.to_string())
}

/// An operator in the spelling of the RFC, where it has another.
pub(crate) fn operator(word: &str, cx: &mut Cx<'_>, at: Place<'_>) -> Option<String> {
    let wrong = word.bytes().any(|byte| byte.is_ascii_uppercase());
    (wrong && cx.may(Id::FilterOpCase, at)).then(|| word.to_ascii_lowercase())
}
