//! What the identity providers of the demo send, and how they judge what comes back.

use std::collections::HashMap;

use serde_json::Value;

use super::legacy::Store;

/// Ids that earlier steps have learnt, by the name that later steps use in angle brackets.
pub(super) type Ids = HashMap<&'static str, String>;

/// One request of a session.
pub(super) struct Step {
    /// Who sends it.
    pub(super) idp: &'static str,
    pub(super) title: &'static str,
    pub(super) method: &'static str,
    /// With names of ids in angle brackets, as the body.
    pub(super) target: &'static str,
    pub(super) content_type: Option<&'static str>,
    pub(super) body: &'static str,
    /// The name under which the id in the answer is remembered.
    pub(super) learn: Option<&'static str>,
    /// What the identity provider makes of the answer, and what its admin finds in the app.
    pub(super) judge: fn(&Reply, &Store, &Ids) -> Verdict,
}

/// Passed, with what is true now; or failed, with what went wrong.
pub(super) type Verdict = Result<String, String>;

/// An answer as the identity provider gets it.
#[derive(Debug, Clone, Default)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) content_type: Option<String>,
    /// `scimshim-fixes`.
    pub(super) fixes: Option<String>,
    pub(super) body: Vec<u8>,
}

impl Step {
    /// Target and body with the ids in place; the name of the first that is not known.
    pub(super) fn filled(&self, ids: &Ids) -> Result<(String, String), &'static str> {
        let (mut target, mut body) = (self.target.to_owned(), self.body.to_owned());
        for name in NAMES {
            let mark = format!("<{name}>");
            if target.contains(&mark) || body.contains(&mark) {
                let id = ids.get(name).ok_or(*name)?;
                (target, body) = (target.replace(&mark, id), body.replace(&mark, id));
            }
        }
        Ok((target, body))
    }

    /// The User-Agent, where the identity provider is known by one.
    pub(super) fn user_agent(&self) -> Option<&'static str> {
        match self.idp {
            "Okta" => Some("Okta SCIM Client 1.0.0"),
            "authentik" => Some("authentik@2025.8.1"),
            _ => None,
        }
    }
}

impl Reply {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The id of the resource, or of the first in a list, in whatever type it comes.
    pub(super) fn id(&self) -> Option<String> {
        let body = self.json();
        let id = body.get("id").or_else(|| body.pointer("/Resources/0/id"))?;
        Some(id.as_str().map_or_else(|| id.to_string(), str::to_owned))
    }

    fn status(&self, wanted: &[u16]) -> Result<(), String> {
        if wanted.contains(&self.status) {
            return Ok(());
        }
        match self.status {
            400.. => Err(format!("refused with {}", self.status)),
            status => Err(format!("answered {status}, not {}", wanted[0])),
        }
    }

    fn scim(&self) -> Result<(), String> {
        let kind = self.content_type.as_deref().unwrap_or("nothing");
        if kind.starts_with("application/scim+json") { Ok(()) } else { Err(format!("labelled {kind}")) }
    }

    fn names(&self, schema: &str) -> Result<Value, String> {
        let body = self.json();
        let named = body["schemas"].as_array().is_some_and(|list| list.iter().any(|urn| urn == schema));
        if named { Ok(body) } else { Err("without schemas".to_owned()) }
    }

    /// A ListResponse with so many hits.
    fn list(&self, hits: u64) -> Result<(), String> {
        self.status(&[200])?;
        let body = self.names("urn:ietf:params:scim:api:messages:2.0:ListResponse")?;
        match body["totalResults"].as_u64() {
            Some(total) if total == hits => {}
            Some(total) => return Err(format!("{total} hits, not {hits}")),
            None => return Err("totalResults is no number".to_owned()),
        }
        let ids = body["Resources"].as_array().into_iter().flatten();
        if ids.clone().count() as u64 != body["itemsPerPage"].as_u64().unwrap_or(u64::MAX) {
            return Err("itemsPerPage is not what came".to_owned());
        }
        if ids.clone().all(|resource| resource["id"].is_string()) {
            Ok(())
        } else {
            Err("the id is no string".to_owned())
        }
    }

    /// A resource that was made.
    fn created(&self) -> Result<(), String> {
        self.status(&[201])?;
        self.resource()
    }

    fn resource(&self) -> Result<(), String> {
        let body = self.json();
        match (&body["id"], body.get("password")) {
            (_, Some(_)) => Err("the password came back".to_owned()),
            (Value::String(_), None) => Ok(()),
            (Value::Null, None) => Err("no id came back".to_owned()),
            _ => Err("the id is no string".to_owned()),
        }
    }
}

const ENTRA: Option<&str> = Some("application/scim+json; charset=utf-8");
const OKTA: Option<&str> = Some("application/scim+json; charset=utf-8");
const AUTHENTIK: Option<&str> = Some("application/json");
const NAMES: &[&str] = &["alice", "bob", "carol", "dana", "engineers", "sales"];
const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

/// The sessions, in order. What they send follows the cases in `tests/corpus`.
pub(super) const STEPS: &[Step] = &[
    Step {
        idp: "Entra",
        title: "look up a random GUID (test)",
        method: "GET",
        target: "/Users?filter=userName+eq+%2248f4e1b0-5a7b-4d3c-9f25-1b7c2d8a6e90%22",
        content_type: None,
        body: "",
        learn: None,
        judge: |reply, _, _| reply.list(0).and_then(|()| reply.scim()).map(|()| "an empty list".to_owned()),
    },
    Step {
        idp: "Entra",
        title: "look up Bob",
        method: "GET",
        target: "/Users?filter=userName+eq+%22bob%40example.com%22",
        content_type: None,
        body: "",
        learn: Some("bob"),
        judge: |reply, _, _| reply.list(1).and_then(|()| reply.scim()).map(|()| "Bob is linked".to_owned()),
    },
    Step {
        idp: "Entra",
        title: "look up Carol",
        method: "GET",
        target: "/Users?filter=userName+eq+%22carol%40example.com%22",
        content_type: None,
        body: "",
        learn: Some("carol"),
        judge: |reply, _, _| reply.list(1).and_then(|()| reply.scim()).map(|()| "Carol is linked".to_owned()),
    },
    Step {
        idp: "Entra",
        title: "create Alice, managed by Bob",
        method: "POST",
        target: "/Users",
        content_type: ENTRA,
        body: r#"{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],"userName":"alice@example.com","active":"True","name":{"givenName":"Alice","familyName":"Ames"},"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"R&D","manager":"<bob>"}}"#,
        learn: Some("alice"),
        judge: |reply, store, ids| {
            reply.created().and_then(|()| reply.scim())?;
            let manager = user(store, ids, "alice")?.get(ENTERPRISE).map(|extension| &extension["manager"]["value"]);
            if manager.and_then(Value::as_str) == ids.get("bob").map(String::as_str) {
                Ok("Alice is there, her manager is Bob".to_owned())
            } else {
                Err("the manager is lost".to_owned())
            }
        },
    },
    Step {
        idp: "Entra",
        title: "disable Bob",
        method: "PATCH",
        target: "/Users/<bob>",
        content_type: ENTRA,
        body: r#"{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"Replace","path":"active","value":"False"}]}"#,
        learn: None,
        judge: |reply, store, ids| disabled(reply, store, ids, "bob", "Bob"),
    },
    Step {
        idp: "Entra",
        title: "change Bob (aadOptscim062020)",
        method: "PATCH",
        target: "/Users/<bob>?aadOptscim062020",
        content_type: ENTRA,
        body: r#"{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"replace","value":{"name.givenName":"Rob","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department":"Sales"}}]}"#,
        learn: None,
        judge: |reply, store, ids| {
            let bob = user(store, ids, "bob")?;
            let is =
                |pointer: &str| Value::from(bob.clone()).pointer(pointer).and_then(Value::as_str).map(str::to_owned);
            if is("/name/givenName").as_deref() != Some("Rob") {
                return Err(format!(
                    "answered {}, the name is still {}",
                    reply.status,
                    is("/name/givenName").unwrap_or_default()
                ));
            }
            if is(&format!("/{ENTERPRISE}/department")).as_deref() != Some("Sales") {
                return Err("the department did not change".to_owned());
            }
            reply.status(&[200, 204]).map(|()| "name and department changed".to_owned())
        },
    },
    Step {
        idp: "Entra",
        title: "create the group Engineers",
        method: "POST",
        target: "/Groups",
        content_type: ENTRA,
        body: r#"{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group","http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group"],"externalId":"8aa1a0c0","displayName":"Engineers","meta":{"resourceType":"Group"}}"#,
        learn: Some("engineers"),
        judge: |reply, _, _| reply.created().and_then(|()| reply.scim()).map(|()| "the group is there".to_owned()),
    },
    Step {
        idp: "Entra",
        title: "add Carol and Bob to Engineers",
        method: "PATCH",
        target: "/Groups/<engineers>",
        content_type: ENTRA,
        body: r#"{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"Add","path":"members","value":[{"$ref":null,"value":"<carol>"},{"$ref":null,"value":"<bob>"}]}]}"#,
        learn: None,
        judge: |reply, store, ids| members(reply, store, ids, "engineers", &["carol", "bob"], 0),
    },
    Step {
        idp: "Entra",
        title: "remove Bob from Engineers",
        method: "PATCH",
        target: "/Groups/<engineers>",
        content_type: ENTRA,
        body: r#"{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"Remove","path":"members","value":[{"$ref":null,"value":"<bob>"}]}]}"#,
        learn: None,
        judge: |reply, store, ids| members(reply, store, ids, "engineers", &["carol"], 2),
    },
    Step {
        idp: "Entra",
        title: "disable Alice",
        method: "PATCH",
        target: "/Users/<alice>",
        content_type: ENTRA,
        body: r#"{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"Replace","value":{"active":"False"}}]}"#,
        learn: None,
        judge: |reply, store, ids| disabled(reply, store, ids, "alice", "Alice"),
    },
    Step {
        idp: "Entra",
        title: "delete Alice",
        method: "DELETE",
        target: "/Users/<alice>",
        content_type: None,
        body: "",
        learn: None,
        judge: |reply, store, ids| match user(store, ids, "alice") {
            Ok(_) => Err("Alice is still there".to_owned()),
            Err(_) => reply.status(&[204]).map(|()| "Alice is gone".to_owned()),
        },
    },
    Step {
        idp: "Entra",
        title: "look for Alice again",
        method: "GET",
        target: "/Users/<alice>",
        content_type: None,
        body: "",
        learn: None,
        judge: |reply, _, _| {
            reply.status(&[404])?;
            reply.names("urn:ietf:params:scim:api:messages:2.0:Error")?;
            reply.scim().map(|()| "404, with a SCIM Error".to_owned())
        },
    },
    Step {
        idp: "Okta",
        title: "test the connector",
        method: "GET",
        target: "/Users?startIndex=1&count=2",
        content_type: None,
        body: "",
        learn: None,
        judge: |reply, store, _| reply.list(store.count()).map(|()| "a page of users".to_owned()),
    },
    Step {
        idp: "Okta",
        title: "look up Dana",
        method: "GET",
        target: "/Users?filter=userName%20eq%20%22dana%40example.com%22&startIndex=1&count=100",
        content_type: None,
        body: "",
        learn: None,
        judge: |reply, _, _| reply.list(0).map(|()| "an empty list".to_owned()),
    },
    Step {
        idp: "Okta",
        title: "create Dana with a password",
        method: "POST",
        target: "/Users",
        content_type: OKTA,
        body: r#"{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"dana@example.com","name":{"givenName":"Dana","familyName":"Diaz"},"emails":[{"primary":true,"value":"dana@example.com","type":"work"}],"password":"1mz050nq","active":true,"groups":[]}"#,
        learn: Some("dana"),
        judge: |reply, store, ids| {
            reply.created()?;
            user(store, ids, "dana").map(|_| "Dana is there, the password stays in the app".to_owned())
        },
    },
    Step {
        idp: "Okta",
        title: "deactivate Dana",
        method: "PATCH",
        target: "/Users/<dana>",
        content_type: OKTA,
        body: r#"{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"replace","value":{"active":false}}]}"#,
        learn: None,
        judge: |reply, store, ids| {
            let done = disabled(reply, store, ids, "dana", "Dana")?;
            if reply.status == 200 { reply.resource().map(|()| done) } else { Ok(done) }
        },
    },
    Step {
        idp: "Okta",
        title: "push the group Sales with Dana",
        method: "POST",
        target: "/Groups",
        content_type: OKTA,
        body: r#"{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"Sales","members":[{"value":"<dana>","display":"dana@example.com"}]}"#,
        learn: Some("sales"),
        judge: |reply, _, _| reply.created().map(|()| "the group is there".to_owned()),
    },
    Step {
        idp: "Okta",
        title: "rename the group",
        method: "PATCH",
        target: "/Groups/<sales>",
        content_type: OKTA,
        body: r#"{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"replace","value":{"id":"<sales>","displayName":"Field Sales"}}]}"#,
        learn: None,
        judge: |reply, store, ids| {
            let name = ids.get("sales").and_then(|id| store.group_name(id)).unwrap_or("gone");
            if name != "Field Sales" {
                return Err(format!("refused with {}: still called {name}", reply.status));
            }
            reply.status(&[200, 204]).map(|()| "it is called Field Sales".to_owned())
        },
    },
    Step {
        idp: "Okta",
        title: "replace the members by Bob and Dana",
        method: "PATCH",
        target: "/Groups/<sales>",
        content_type: OKTA,
        body: r#"{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"replace","path":"members","value":[{"value":"<bob>","display":null},{"value":"<dana>","display":"dana@example.com"}]}]}"#,
        learn: None,
        judge: |reply, store, ids| members(reply, store, ids, "sales", &["bob", "dana"], 1),
    },
    Step {
        idp: "authentik",
        title: "remove Bob from the group",
        method: "PATCH",
        target: "/Groups/<sales>",
        content_type: AUTHENTIK,
        body: r#"{"Operations":[{"op":"remove","path":"members","value":[{"value":"<bob>"}]}]}"#,
        learn: None,
        judge: |reply, store, ids| members(reply, store, ids, "sales", &["dana"], 2),
    },
];

fn user<'a>(store: &'a Store, ids: &Ids, name: &str) -> Result<&'a serde_json::Map<String, Value>, String> {
    ids.get(name).and_then(|id| store.user(id)).ok_or_else(|| "there is no such user".to_owned())
}

fn disabled(reply: &Reply, store: &Store, ids: &Ids, name: &str, called: &str) -> Verdict {
    if user(store, ids, name)?.get("active") != Some(&Value::Bool(false)) {
        return Err(format!("answered {}: {called} is still active", reply.status));
    }
    reply.status(&[200, 204]).map(|()| format!("{called} is inactive in the app"))
}

fn members(reply: &Reply, store: &Store, ids: &Ids, group: &str, wanted: &[&str], before: usize) -> Verdict {
    let got = ids.get(group).and_then(|id| store.members(id)).ok_or("there is no such group")?;
    // By name where the session knows one.
    let named = |id: String| {
        ids.iter().find(|(_, known)| **known == id).map_or_else(|| id.clone(), |(name, _)| (*name).to_owned())
    };
    let got: Vec<_> = got.into_iter().map(named).collect();
    let said = if got.is_empty() { "no members".to_owned() } else { format!("the members {}", got.join(", ")) };
    if got.is_empty() && before > 0 && reply.status < 300 {
        return Err(format!("group emptied: 0 of {before} members left"));
    }
    if got != wanted {
        return Err(format!("answered {}: it has {said}", reply.status));
    }
    reply.status(&[200, 204]).map(|()| format!("it has {said}"))
}
