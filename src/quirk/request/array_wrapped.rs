//! A list of one where a single value belongs.

use crate::{
    json::{Doc, Kind, Node},
    quirk::{Cx, Id, quirk},
    scim::{Attr, Attrs, Type, name},
};

quirk! {
    /// A simple single-valued attribute sent as a list of one.
    ///
    /// Clients built on a library whose operation value is always a list send `["de"]` for `preferredLanguage`, or
    /// `[{"value":"de"}]`. Handlers store the list or answer 400.
    ///
    /// Exactly one element is unwrapped, for attributes known to be single-valued. An element `{"value":x}` gives x if
    /// its other members are null. Two elements stay: picking one would be a guess. RFC 7643 2.4, RFC 7644 3.5.2.
    ///
    /// ```scim
    /// PATCH /Users/2819
    /// Content-Type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[
    ///  {"op":"replace","path":"preferredLanguage","value":["de"]},
    ///  {"op":"replace","path":"displayName","value":[{"value":"Erna","$ref":null}]},
    ///  {"op":"replace","path":"title","value":["A","B"]}]}
    /// ```
    /// ```scim
    /// PATCH /Users/2819
    /// Content-Type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[
    ///  {"op":"replace","path":"preferredLanguage","value":"de"},
    ///  {"op":"replace","path":"displayName","value":"Erna"},
    ///  {"op":"replace","path":"title","value":["A","B"]}]}
    /// ```
    pub static ARRAY_WRAPPED_SCALAR = {
        id: "array-wrapped-scalar",
        direction: Request,
        risk: Safe,
        rfc: "RFC 7643 2.4, RFC 7644 3.5.2",
        sources: "Captain-P-Goldfish/SCIM-SDK#968",
    };

    /// A complex single-valued attribute sent as a list of one object.
    ///
    /// An older sample of Entra's tutorial sends `manager` as `[{"$ref":"...","value":"..."}]`. Handlers that expect an
    /// object answer 400 or drop the manager.
    ///
    /// Exactly one element is unwrapped, for attributes known to be single-valued. RFC 7643 2.4, 4.3.
    ///
    /// ```scim
    /// PATCH /Users/2819
    /// Content-Type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[
    ///  {"op":"add","path":"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager","value":[{"value":"26118915"}]}]}
    /// ```
    /// ```scim
    /// PATCH /Users/2819
    /// Content-Type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[
    ///  {"op":"add","path":"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager","value":{"value":"26118915"}}]}
    /// ```
    pub static ARRAY_WRAPPED_COMPLEX = {
        id: "array-wrapped-complex",
        direction: Request,
        risk: Safe,
        rfc: "RFC 7643 2.4, RFC 7644 3.5.2",
        seen_in: &[Entra],
        sources: "learn.microsoft.com use-scim-to-provision-users-and-groups, example 5; Captain-P-Goldfish/SCIM-SDK#47",
    };
}

/// Takes the only element out of a list.
pub(super) fn unwrap(doc: &mut Doc<'_>, cx: &mut Cx<'_>, list: Node, attr: &Attr) -> Option<Node> {
    let element = doc.only(list)?;
    let (quirk, inner) = match (attr.kind, doc.kind(element)) {
        (Type::Complex, Kind::Object) => (Id::ArrayWrappedComplex, element),
        (Type::Complex, Kind::String) if attr.name == name::MANAGER && attr.standard && doc.raw(element) != "\"\"" => {
            (Id::ArrayWrappedComplex, element)
        }
        (Type::Complex, _) => return None,
        (_, Kind::Object) => (Id::ArrayWrappedScalar, lone_value(doc, element)?),
        (_, Kind::Array | Kind::Null) => return None,
        _ => (Id::ArrayWrappedScalar, element),
    };
    cx.may(quirk, || doc.pointer(list)).then(|| doc.unwrap_to(list, inner))
}

/// Takes the only element out of the lists that stand for known single-valued members, before anything looks into them.
pub(crate) fn unwrap_members(doc: &mut Doc<'_>, cx: &mut Cx<'_>, object: Node, attrs: &Attrs) {
    let mut next = doc.first(object);
    while let Some(member) = next {
        next = doc.next(member);
        if doc.kind(member) == Kind::Array
            && let Some(attr) = attrs.get(doc.name(member)).filter(|attr| attr.is_single())
        {
            unwrap(doc, cx, member, attr);
        }
    }
}

/// The `value` of an object whose other members are null.
fn lone_value(doc: &Doc<'_>, object: Node) -> Option<Node> {
    let value = doc.get(object, name::VALUE)?;
    let simple = !doc.kind(value).is_container() && doc.kind(value) != Kind::Null;
    let alone = doc.children(object).all(|member| member == value || doc.kind(member) == Kind::Null);
    (simple && alone).then_some(value)
}
