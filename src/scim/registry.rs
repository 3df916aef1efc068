//! The schemas one tenant knows: RFC 7643's, and what the operator declared.

use serde_json::Value;

use super::{
    Attr, Attrs, NameTable, Plurality, Type,
    path::is_attr_name,
    schema::{self, Def},
    urn,
};

/// The most attributes an operator may declare; enough for any product, and a bound on what a file can make us hold.
const MAX_DECLARED: usize = 20_000;

/// A resource type with a known schema (RFC 7643 6).
#[derive(Debug, Clone)]
pub struct ResourceType {
    /// `User`
    pub name: Box<str>,
    /// `Users`
    pub endpoint: Box<str>,
    /// The core schema.
    pub urn: Box<str>,
    /// Common attributes, core attributes, and each extension as an attribute named by its URN.
    pub attrs: Attrs,
}

/// Known schemas, resource types and names. Built once, shared by all requests.
#[derive(Debug, Clone)]
pub struct Registry {
    names: NameTable,
    user: ResourceType,
    group: ResourceType,
    /// URNs that can begin a key or a path, with their names' numbers.
    urns: Vec<(Box<str>, u16)>,
    messages: Messages,
    declared: usize,
}

/// The attributes of the messages and discovery documents.
#[derive(Debug, Clone)]
pub struct Messages {
    /// RFC 7644 3.4.2
    pub list_response: Attrs,
    /// RFC 7644 3.4.3
    pub search_request: Attrs,
    /// RFC 7644 3.5.2
    pub patch_op: Attrs,
    /// RFC 7644 3.7, request and response
    pub bulk: Attrs,
    /// RFC 7644 3.12
    pub error: Attrs,
    /// RFC 7643 5
    pub service_provider_config: Attrs,
    /// RFC 7643 6
    pub resource_type: Attrs,
    /// RFC 7643 7
    pub schema: Attrs,
}

/// Why a declared schema is refused.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum SchemaError {
    /// Not `[URN:]name[.sub]`.
    #[error("`{0}` is no attribute path; write `name`, `name.sub` or `urn:...:Schema:name`")]
    Path(String),
    /// Not a schema document.
    #[error("no schema document: {0}")]
    Document(String),
    /// More than fits.
    #[error("more than {MAX_DECLARED} declared attributes")]
    TooMany,
}

/// A known schema URN at the start of a key or path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KnownUrn<'r, 't> {
    /// Canonical spelling.
    pub urn: &'r str,
    /// Its number as a name.
    pub name: u16,
    /// As it was sent.
    pub sent: &'t str,
    /// What stands behind it: `:`, `.` or nothing.
    pub separator: Option<char>,
    /// The text behind the separator.
    pub rest: &'t str,
}

impl Default for Registry {
    fn default() -> Self {
        Self::rfc()
    }
}

impl Registry {
    /// The schemas of RFC 7643.
    pub fn rfc() -> Self {
        let mut names = NameTable::standard();
        let mut of = |defs: &[&[Def]]| {
            let mut attrs = Attrs::default();
            for def in Attrs::of(&defs.concat(), &mut names).iter() {
                attrs.add(def.clone());
            }
            attrs
        };
        let user = of(&[schema::COMMON, schema::USER, &[schema::ENTERPRISE_USER]]);
        let group = of(&[schema::COMMON, schema::GROUP]);
        let messages = Messages {
            list_response: of(&[schema::LIST_RESPONSE]),
            search_request: of(&[schema::SEARCH_REQUEST]),
            patch_op: of(&[schema::PATCH_OP]),
            bulk: of(&[schema::BULK]),
            error: of(&[schema::ERROR]),
            service_provider_config: of(&[schema::COMMON, schema::SERVICE_PROVIDER_CONFIG]),
            resource_type: of(&[schema::COMMON, schema::RESOURCE_TYPE]),
            schema: of(&[schema::COMMON, schema::SCHEMA]),
        };
        let urns = [urn::USER, urn::GROUP, urn::ENTERPRISE_USER];
        let urns = urns.into_iter().map(|urn| (urn.into(), names.intern(urn))).collect();
        let resource = |name: &str, endpoint: &str, urn: &str, attrs| ResourceType {
            name: name.into(),
            endpoint: endpoint.into(),
            urn: urn.into(),
            attrs,
        };
        Self {
            user: resource("User", "Users", urn::USER, user),
            group: resource("Group", "Groups", urn::GROUP, group),
            names,
            urns,
            messages,
            declared: 0,
        }
    }

    /// Names and their numbers.
    pub fn names(&self) -> &NameTable {
        &self.names
    }

    /// Attributes of messages and discovery documents.
    pub fn messages(&self) -> &Messages {
        &self.messages
    }

    /// The resource type served at an endpoint (`Users`), spelled exactly.
    pub fn resource_type(&self, endpoint: &str) -> Option<&ResourceType> {
        [&self.user, &self.group].into_iter().find(|kind| &*kind.endpoint == endpoint)
    }

    /// The resource type of that name (`User`), as `meta.resourceType` gives it.
    pub fn resource_type_named(&self, name: &str) -> Option<&ResourceType> {
        [&self.user, &self.group].into_iter().find(|kind| &*kind.name == name)
    }

    /// The known schema URN at the start of `text` in any letter case, followed by the end, `:` or `.`.
    pub fn known_urn<'t>(&self, text: &'t str) -> Option<KnownUrn<'_, 't>> {
        if !urn::is_urn(text) {
            return None;
        }
        self.urns
            .iter()
            .filter_map(|(urn, name)| {
                let sent = text.get(..urn.len())?;
                if !sent.eq_ignore_ascii_case(urn) {
                    return None;
                }
                let behind = &text[urn.len()..];
                let separator = behind.chars().next();
                match separator {
                    None => Some(KnownUrn { urn, name: *name, sent, separator, rest: "" }),
                    Some(':' | '.') => Some(KnownUrn { urn, name: *name, sent, separator, rest: &behind[1..] }),
                    Some(_) => None,
                }
            })
            .max_by_key(|known| known.urn.len())
    }

    /// Declares the type of one attribute: `name`, `name.sub`, `urn:...:Schema:name`.
    ///
    /// Types of RFC 7643 stay as they are. A name without a URN is an attribute of every resource type.
    ///
    /// # Errors
    /// A path that is none, or too many declarations.
    pub fn declare(&mut self, path: &str, kind: Type, multi_valued: bool) -> Result<(), SchemaError> {
        let wrong = || SchemaError::Path(path.to_owned());
        let (urn, rest) = if urn::is_urn(path) {
            match self.known_urn(path) {
                Some(known) if !known.rest.is_empty() => (Some(known.urn.to_owned()), known.rest),
                _ => match path.rsplit_once(':') {
                    Some((urn, rest)) if urn::is_urn(urn) => (Some(urn.to_owned()), rest),
                    _ => return Err(wrong()),
                },
            }
        } else {
            (None, path)
        };
        let (name, sub) = match rest.split_once('.') {
            Some((name, sub)) => (name, Some(sub)),
            None => (rest, None),
        };
        if !is_attr_name(name) || sub.is_some_and(|sub| !is_attr_name(sub)) {
            return Err(wrong());
        }
        let leaf = |names: &mut NameTable, name: &str| declared(names, name, kind, multi_valued.into());
        let attr = match sub {
            None => leaf(&mut self.names, name),
            Some(sub) => {
                let inner = leaf(&mut self.names, sub);
                let mut parent = declared(&mut self.names, name, Type::Complex, Plurality::Unknown);
                parent.sub.add(inner);
                parent
            }
        };
        self.add(urn.as_deref(), attr)
    }

    /// Declares everything in a document as an app's `/Schemas` answers it: a ListResponse, an array or one schema.
    ///
    /// Returns how many schemas it held.
    ///
    /// # Errors
    /// Not JSON, no schema in it, or too many attributes.
    pub fn load(&mut self, document: &str) -> Result<usize, SchemaError> {
        let wrong = |what: &str| SchemaError::Document(what.to_owned());
        let value: Value = serde_json::from_str(document).map_err(|error| wrong(&error.to_string()))?;
        let schemas: Vec<&Value> = match &value {
            Value::Array(list) => list.iter().collect(),
            Value::Object(object) => match object.get("Resources").or_else(|| object.get("resources")) {
                Some(Value::Array(list)) => list.iter().collect(),
                _ => vec![&value],
            },
            _ => return Err(wrong("an object or an array was expected")),
        };
        let mut count = 0;
        for schema in schemas {
            let Some(urn) = schema.get("id").and_then(Value::as_str).filter(|id| urn::is_urn(id)) else {
                return Err(wrong("a schema without an `id` that is a URN"));
            };
            let Some(attributes) = schema.get("attributes").and_then(Value::as_array) else {
                return Err(wrong("a schema without `attributes`"));
            };
            let urn = self.known_urn(urn).map_or_else(|| urn.to_owned(), |known| known.urn.to_owned());
            if urn::canonical(&urn).is_some_and(|urn| ![urn::USER, urn::GROUP, urn::ENTERPRISE_USER].contains(&urn)) {
                continue; // schemas of discovery documents, not of resources
            }
            for attribute in attributes {
                let attr = self.document_attr(attribute)?;
                self.add(Some(&urn), attr)?;
            }
            count += 1;
        }
        Ok(count)
    }

    fn document_attr(&mut self, value: &Value) -> Result<Attr, SchemaError> {
        let wrong = |what: &str| SchemaError::Document(what.to_owned());
        let Some(canonical) = value.get("name").and_then(Value::as_str).filter(|name| is_attr_name(name)) else {
            return Err(wrong("an attribute without a legal `name`"));
        };
        let kind = value.get("type").and_then(Value::as_str).unwrap_or("string");
        let kind = kind.parse().map_err(|()| wrong("an attribute of an unknown `type`"))?;
        let flag = |name: &str| value.get(name).and_then(Value::as_bool).unwrap_or(false);
        let mut sub = Attrs::default();
        for inner in value.get("subAttributes").and_then(Value::as_array).into_iter().flatten() {
            // serde_json has bounded the depth
            sub.add(self.document_attr(inner)?);
        }
        let plurality = flag("multiValued").into();
        Ok(Attr { case_exact: flag("caseExact"), sub, ..declared(&mut self.names, canonical, kind, plurality) })
    }

    /// Adds an attribute where its schema belongs.
    fn add(&mut self, urn: Option<&str>, attr: Attr) -> Result<(), SchemaError> {
        self.declared += 1;
        if self.declared > MAX_DECLARED {
            return Err(SchemaError::TooMany);
        }
        match urn {
            None => {
                merge(&mut self.user.attrs, attr.clone());
                merge(&mut self.group.attrs, attr);
            }
            Some(urn::USER) => merge(&mut self.user.attrs, attr),
            Some(urn::GROUP) => merge(&mut self.group.attrs, attr),
            Some(urn) => {
                let name = self.names.intern(urn);
                if !self.urns.iter().any(|(known, _)| &**known == urn) {
                    self.urns.push((urn.into(), name));
                }
                let extension =
                    Attr { extension: true, ..declared(&mut self.names, urn, Type::Complex, Plurality::Single) };
                for kind in [&mut self.user, &mut self.group] {
                    kind.attrs.add(extension.clone());
                    if let Some(known) = kind.attrs.get_mut(name) {
                        merge(&mut known.sub, attr.clone());
                    }
                }
            }
        }
        Ok(())
    }
}

/// An attribute of the operator's.
fn declared(names: &mut NameTable, canonical: &str, kind: Type, plurality: Plurality) -> Attr {
    let name = names.intern(canonical);
    Attr {
        name,
        canonical: canonical.into(),
        kind,
        plurality,
        case_exact: false,
        sub: Attrs::default(),
        extension: false,
        standard: false,
        respelled: names.text(name) != canonical,
    }
}

/// Adds an attribute, or its sub-attributes to the one that is there. What was only known from a sub-attribute takes
/// the definition; the standard's own stay as they are.
fn merge(attrs: &mut Attrs, attr: Attr) {
    match attrs.get_mut(attr.name) {
        Some(known) => {
            if known.plurality == Plurality::Unknown && attr.plurality != Plurality::Unknown {
                known.plurality = attr.plurality;
                known.kind = attr.kind;
            }
            for sub in attr.sub.iter() {
                merge(&mut known.sub, sub.clone());
            }
        }
        None => attrs.add(attr),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{json::Names, scim::name};

    #[test]
    fn the_rfc_is_there() {
        let registry = Registry::rfc();
        let user = registry.resource_type("Users").expect("User");
        let manager = user.attrs.get(name::ENTERPRISE_USER).and_then(|e| e.sub.get(name::MANAGER)).expect("manager");
        assert!(manager.is_single_complex());
        assert_eq!(user.attrs.get(name::ACTIVE).map(|a| a.kind), Some(Type::Boolean));
        assert!(user.attrs.get(name::MEMBERS).is_none());
        let group = registry.resource_type("Groups").expect("Group");
        assert!(group.attrs.get(name::MEMBERS).is_some_and(Attr::is_multi_complex));
        assert!(registry.resource_type("users").is_none());
    }

    #[test]
    fn urns_are_known_in_any_case_and_longest_first() {
        let mut registry = Registry::rfc();
        let known =
            registry.known_urn("URN:IETF:params:scim:schemas:extension:enterprise:2.0:user.manager").expect("known");
        assert_eq!((known.urn, known.separator, known.rest), (urn::ENTERPRISE_USER, Some('.'), "manager"));
        assert!(registry.known_urn("urn:ietf:params:scim:schemas:core:2.0:Users").is_none());
        registry
            .declare("urn:ietf:params:scim:schemas:core:2.0:User:Extra:flag", Type::Boolean, false)
            .expect_err("a name with a colon");
        registry.declare("urn:acme:1.0:User:flag", Type::Boolean, false).expect("legal");
        let known = registry.known_urn("urn:acme:1.0:User:flag").expect("known");
        assert_eq!((known.urn, known.rest), ("urn:acme:1.0:User", "flag"));
    }

    #[test]
    fn declarations_do_not_change_the_standard() {
        let mut registry = Registry::rfc();
        registry.declare("active", Type::String, false).expect("legal");
        registry.declare("contractor", Type::Boolean, false).expect("legal");
        registry
            .declare("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:level", Type::Integer, false)
            .expect("legal");
        let user = registry.resource_type("Users").expect("User");
        assert_eq!(user.attrs.get(name::ACTIVE).map(|a| a.kind), Some(Type::Boolean));
        let (contractor, _) = registry.names().find("contractor");
        assert!(user.attrs.get(contractor).is_some());
        let enterprise = user.attrs.get(name::ENTERPRISE_USER).expect("enterprise");
        assert!(enterprise.sub.find("LEVEL").is_some());
        for path in ["", "a b", "urn:x", "a.b.c", "urn:acme:"] {
            assert!(registry.declare(path, Type::String, false).is_err(), "{path}");
        }
    }

    #[test]
    fn schema_documents_are_read() {
        let mut registry = Registry::rfc();
        let count = registry.load(
            r#"{"Resources":[{"id":"urn:acme:2.0:User","attributes":[{"name":"Badge","type":"complex","multiValued":true,
            "subAttributes":[{"name":"level","type":"integer"}]}]}]}"#,
        );
        assert_eq!(count, Ok(1));
        let user = registry.resource_type("Users").expect("User");
        let extension = user.attrs.find("urn:acme:2.0:User").expect("extension");
        assert!(extension.sub.find("badge").is_some_and(Attr::is_multi_complex));
        for bad in
            ["", "7", "{}", r#"[{"id":"x","attributes":[]}]"#, r#"{"id":"urn:a:b","attributes":[{"name":"a b"}]}"#]
        {
            assert!(registry.load(bad).is_err(), "{bad}");
        }
    }
}
