//! Dotted keys in a PATCH value.

use super::urn_alias;
use crate::{
    json::{Doc, Node},
    quirk::{Cx, Id, quirk},
    scim::{Attr, ResourceType, path::is_attr_name, urn},
};

quirk! {
    /// Keys such as `name.givenName` in a PATCH value.
    ///
    /// With its `aadOptscim062020` flag Entra merges several changes into one operation without path, whose keys are paths.
    /// A member of a resource cannot be called `name.givenName`; handlers store it under that very name, or answer 400.
    ///
    /// The member moves into its parent: `{"name":{"givenName":"Foo"}}`. Of a list (`emails.value`) it becomes an operation
    /// of its own with that path, if it is the only one for that list and the list is no key itself: the app decides which
    /// element is meant. Unknown parents stay. Where a key names a place that another member names too, the value keeps its
    /// keys. RFC 7644 3.10.
    ///
    /// ```scim
    /// PATCH /Users/2819
    /// Content-Type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[
    ///  {"op":"replace","value":{"name.givenName":"Foo","name.familyName":"Bar","emails.value":"foo@example.com"}}]}
    /// ```
    /// ```scim
    /// PATCH /Users/2819
    /// Content-Type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[
    ///  {"op":"replace","value":{"name":{"givenName":"Foo","familyName":"Bar"}}},
    ///  {"op":"replace","path":"emails.value","value":"foo@example.com"}]}
    /// ```
    pub static PATCH_DOTTED_KEYS = {
        id: "patch-dotted-keys",
        direction: Request,
        risk: Safe,
        rfc: "RFC 7644 3.5.2.1, 3.5.2.3, 3.10",
        seen_in: &[Entra],
        sources: "learn.microsoft.com application-provisioning-config-problem-scim-compatibility, RIPAGlobal/scimitar \
                  CHANGELOG, Captain-P-Goldfish/scim-for-keycloak#26",
    };
}

/// The lists that keys of a value name, whole or by a dotted key, with how many keys do: counted once, so that no value
/// costs quadratic time.
#[derive(Debug, Default)]
pub(super) struct Lists<'r>(Vec<(&'r Attr, u32)>);

impl<'r> Lists<'r> {
    /// Counts the keys of a value.
    pub(super) fn of(doc: &Doc<'_>, cx: &Cx<'_>, value: Node, resource: Option<&'r ResourceType>) -> Self {
        let mut lists = Self::default();
        let Some(resource) = resource else { return lists };
        let dotted = |member| doc.name(member) == 0 && doc.key(member).contains('.');
        if !doc.children(value).any(dotted) {
            return lists;
        }
        for member in doc.children(value) {
            let whole = resource.attrs.get(doc.name(member)).filter(|attr| attr.is_multi_complex());
            if let Some(list) = whole.or_else(|| list_of(doc, cx, member, resource)) {
                match lists.0.iter_mut().find(|(known, _)| std::ptr::eq(*known, list)) {
                    Some((_, count)) => *count += 1,
                    None => lists.0.push((list, 1)),
                }
            }
        }
        lists
    }

    /// Whether a key names a list, or a part of one, that another key names too: then they stay together.
    pub(super) fn is_contested(
        &self,
        doc: &Doc<'_>,
        cx: &Cx<'_>,
        member: Node,
        resource: Option<&ResourceType>,
    ) -> bool {
        let Some(resource) = resource.filter(|_| !self.0.is_empty()) else { return false };
        let list = resource.attrs.get(doc.name(member)).or_else(|| list_of(doc, cx, member, resource));
        list.is_some_and(|list| self.0.iter().any(|(known, count)| std::ptr::eq(*known, list) && *count > 1))
    }

    /// Whether a key is the only dotted one of a list that is no key itself.
    pub(super) fn is_only_part(
        &self,
        doc: &Doc<'_>,
        cx: &mut Cx<'_>,
        member: Node,
        resource: Option<&ResourceType>,
    ) -> bool {
        if self.0.is_empty() || doc.name(member) != 0 {
            return false;
        }
        let Some(list) = resource.and_then(|resource| list_of(doc, cx, member, resource)) else { return false };
        self.0.iter().any(|(known, count)| std::ptr::eq(*known, list) && *count == 1)
            && cx.may(Id::PatchDottedKeys, || doc.pointer(member))
    }
}

/// The multi-valued complex attribute that a dotted key names a part of.
fn list_of<'r>(doc: &Doc<'_>, cx: &Cx<'_>, member: Node, resource: &'r ResourceType) -> Option<&'r Attr> {
    let key = doc.key(member);
    let (attrs, rest) = if urn::is_urn(&key) {
        let alias = urn_alias::split(cx.plan.registry(), Some(resource), &key).filter(|alias| alias.quirk.is_none())?;
        let extension = resource.attrs.find(alias.urn).map(|extension| &extension.sub);
        let core = *resource.urn == *alias.urn;
        (if core { &resource.attrs } else { extension? }, alias.rest.to_owned())
    } else {
        (&resource.attrs, key.into_owned())
    };
    let (parent, sub) = rest.split_once('.')?;
    attrs.find(parent).filter(|attr| attr.is_multi_complex() && is_attr_name(sub))
}
