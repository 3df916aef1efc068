//! Lists that are none.

use crate::{
    json::{Doc, Kind, Node},
    quirk::{Cx, Id, quirk},
    scim::{Attr, name},
};

quirk! {
    /// A list of strings where objects belong.
    ///
    /// `"emails": ["ada@example.com"]`: Okta's SPEC test reads `emails[0].value`, and finds nothing.
    ///
    /// Each string becomes `{"value": ...}`, in every known list of objects that has a `value` (RFC 7643 2.4).
    /// Addresses have none, so theirs are left; so are numbers.
    ///
    /// ```scim
    /// 200 to GET /Users/2819
    /// content-type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"id":"2819",
    ///  "userName":"ada@example.com","emails":["ada@example.com"],"meta":{"resourceType":"User"}}
    /// ```
    /// ```scim
    /// 200 to GET /Users/2819
    /// content-type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"id":"2819",
    ///  "userName":"ada@example.com","emails":[{"value":"ada@example.com"}],"meta":{"resourceType":"User"}}
    /// ```
    pub static MULTIVALUE_STRINGS = {
        id: "multivalue-strings",
        direction: Response,
        risk: Safe,
        rfc: "RFC 7643 2.4, 4.1.2, 4.2",
        seen_in: &[Okta],
        sources: "wso2/product-is#5328, wso2/product-is#7320",
    };

    /// One object where a list belongs.
    ///
    /// `"emails": {"value": ...}` comes from serializers that drop the brackets around a single element (XML mapped to
    /// JSON does). Okta and every typed SDK expect the array (RFC 7643 2.4).
    ///
    /// The object becomes the only element of an array, for every known list of objects. A bare string is left.
    ///
    /// ```scim
    /// 200 to GET /Users/2819
    /// content-type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"id":"2819",
    ///  "userName":"ada@example.com","emails":{"value":"ada@example.com"},"meta":{"resourceType":"User"}}
    /// ```
    /// ```scim
    /// 200 to GET /Users/2819
    /// content-type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"id":"2819",
    ///  "userName":"ada@example.com","emails":[{"value":"ada@example.com"}],"meta":{"resourceType":"User"}}
    /// ```
    pub static MULTIVALUE_OBJECT = {
        id: "multivalue-object",
        direction: Response,
        risk: Safe,
        rfc: "RFC 7643 2.4",
        seen_in: &[Okta],
        sources: "https://developer.okta.com/docs/concepts/scim/faqs/",
    };

    /// An empty array as an element of a list.
    ///
    /// `"addresses": [[]]` is what an empty list becomes in some languages when it is wrapped once too often. Clients
    /// expect objects in it (RFC 7643 2.4) and fail.
    ///
    /// The empty array is dropped. One with content is left and counted: which level is meant cannot be known.
    ///
    /// ```scim
    /// 200 to GET /Users/2819
    /// content-type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"id":"2819",
    ///  "userName":"ada@example.com","addresses":[[]],"meta":{"resourceType":"User"}}
    /// ```
    /// ```scim
    /// 200 to GET /Users/2819
    /// content-type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"id":"2819",
    ///  "userName":"ada@example.com","addresses":[],"meta":{"resourceType":"User"}}
    /// ```
    pub static MULTIVALUE_NESTED_ARRAY = {
        id: "multivalue-nested-array",
        direction: Response,
        risk: Safe,
        rfc: "RFC 7643 2.4",
        sources: "grokability/snipe-it#19300",
    };
}

/// Puts an object that stands for a whole list into one; the list.
#[cold]
pub(crate) fn wrap(cx: &mut Cx<'_>, doc: &mut Doc<'_>, value: Node) -> Option<Node> {
    cx.may(Id::MultivalueObject, || doc.pointer(value)).then(|| doc.wrap_in_array(value))
}

/// Mends an element of a list of objects that is none.
#[cold]
pub(crate) fn item(cx: &mut Cx<'_>, doc: &mut Doc<'_>, item: Node, attr: &Attr) {
    match doc.kind(item) {
        // An address has no `value` (RFC 7643 4.1.2); a declared attribute may have none.
        Kind::String if attr.name != name::ADDRESSES && attr.sub.get(name::VALUE).is_some() => {
            if cx.may(Id::MultivalueStrings, || doc.pointer(item)) {
                doc.wrap_in_object(item, "value", name::VALUE);
            }
        }
        Kind::Array if doc.is_empty(item) => {
            if cx.may(Id::MultivalueNestedArray, || doc.pointer(item)) {
                doc.remove(item);
            }
        }
        Kind::Array => cx.report(Id::MultivalueNestedArray, || doc.pointer(item)),
        _ => {}
    }
}
