//! Entra's app roles.

use crate::{
    json::{Doc, Duplicates, Kind, Node, encode},
    quirk::{Cx, Id, quirk},
    scim::name,
};

quirk! {
    /// An app role as JSON text in `value`.
    ///
    /// With the mapping AppRoleAssignmentsComplex Entra patches roles whose `value` is a JSON text:
    /// `"{\"id\":\"06b0\",\"value\":\"Admin\",\"displayName\":\"Admin\"}"`.
    ///
    /// Opt-in, because the role's id is lost: the element becomes `{"value":"Admin","display":"Admin"}`. Only a text that is
    /// an object with a string `value` and nothing but `id`, `value` and `displayName`. RFC 7643 4.1.2.
    ///
    /// ```scim
    /// # enable: roles-json-string
    /// PATCH /Users/2819
    /// Content-Type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[
    ///  {"op":"add","path":"roles","value":[{"value":"{\"id\":\"06b0\",\"value\":\"Admin\",\"displayName\":\"Administrator\"}"}]}]}
    /// ```
    /// ```scim
    /// PATCH /Users/2819
    /// Content-Type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[
    ///  {"op":"add","path":"roles","value":[{"value":"Admin","display":"Administrator"}]}]}
    /// ```
    pub static ROLES_JSON_STRING = {
        id: "roles-json-string",
        direction: Request,
        risk: OptIn,
        rfc: "RFC 7643 4.1.2",
        seen_in: &[Entra],
        sources: "Captain-P-Goldfish/SCIM-SDK#516, MicrosoftDocs/entra-docs#215",
    };

    /// `displayName` inside a role, where the standard says `display`.
    ///
    /// Entra creates users with roles of the form `{"value":"Admin","displayName":"Admin"}`. Handlers that know the schema
    /// answer 400 to the unknown sub-attribute.
    ///
    /// The member is renamed to `display`; only in `roles`, and only where there is no `display`. On in the Entra profile.
    /// RFC 7643 4.1.2.
    ///
    /// ```scim
    /// # idp: entra
    /// POST /Users
    /// Content-Type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"r@example.com",
    ///  "roles":[{"displayName":"Admin","value":"Admin"}]}
    /// ```
    /// ```scim
    /// POST /Users
    /// Content-Type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"r@example.com",
    ///  "roles":[{"display":"Admin","value":"Admin"}]}
    /// ```
    pub static ROLES_DISPLAYNAME = {
        id: "roles-displayname",
        direction: Request,
        risk: Inferred,
        rfc: "RFC 7643 4.1.2",
        seen_in: &[Entra],
        sources: "MicrosoftDocs/entra-docs#215",
    };
}

/// Renames `displayName` to `display`.
pub(super) fn display_name(doc: &mut Doc<'_>, cx: &mut Cx<'_>, role: Node) {
    let Some(member) = doc.get(role, name::DISPLAY_NAME) else { return };
    if doc.get(role, name::DISPLAY).is_none() && cx.may(Id::RolesDisplayname, || doc.pointer(member)) {
        doc.rename(member, "display", name::DISPLAY);
    }
}

/// Reads the JSON text in `value`.
pub(super) fn json_string(doc: &mut Doc<'_>, cx: &mut Cx<'_>, role: Node) {
    let Some(value) = doc.get(role, name::VALUE) else { return };
    let Some((id, display)) = doc.string(value).as_deref().and_then(|text| role_text(text, cx)) else { return };
    if !cx.may(Id::RolesJsonString, || doc.pointer(value)) {
        return;
    }
    doc.set_string(value, &id);
    if let Some(display) = display.filter(|_| doc.get(role, name::DISPLAY).is_none()) {
        let member = doc.scalar(&encode(&display));
        let member = doc.keyed(member, "display", name::DISPLAY);
        doc.insert_after(value, member);
    }
}

/// `value` and `displayName` of a role's JSON text.
fn role_text(text: &str, cx: &Cx<'_>) -> Option<(String, Option<String>)> {
    if !text.trim_start().starts_with('{') {
        return None;
    }
    let inner = Doc::parse(text, cx.plan.registry().names(), Duplicates::Refuse).ok()?;
    let root = inner.root();
    let known = |member| matches!(&*inner.key(member), "id" | "value" | "displayName");
    if inner.kind(root) != Kind::Object || !inner.children(root).all(known) {
        return None;
    }
    let text = |key: &str| inner.find(root, key).and_then(|member| inner.string(member)).map(String::from);
    // One in another is nothing that Entra sends; to read the outer would leave the inner to whoever reads next. Each needs
    // twice the escapes of the one around it, so there are few.
    let value = text("value").filter(|value| role_text(value, cx).is_none())?;
    Some((value, text("displayName")))
}
