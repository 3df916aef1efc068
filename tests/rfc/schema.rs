//! The attributes of RFC 7643 4.1, 4.2 and 4.3, as far as they are asked for: names, and which are booleans.

use std::sync::OnceLock;

use super::grammar;

/// What a resource is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Group,
    User,
}

/// Attributes of one level.
#[derive(Debug, Default)]
pub(crate) struct Schema {
    attributes: Vec<Attribute>,
    extension: Option<(&'static str, Box<Schema>)>,
}

/// One attribute.
#[derive(Debug)]
pub(crate) struct Attribute {
    pub(crate) name: &'static str,
    pub(crate) boolean: bool,
    /// It has many values.
    pub(crate) multi: bool,
    /// Of a complex one.
    pub(crate) sub: Schema,
}

/// Behind a name, `?` is a boolean and `*` has many values; in braces are sub-attributes.
const COMMON: &str = "schemas* id externalId meta { resourceType created lastModified location version } ";
const USER: &str = "userName name { formatted familyName givenName middleName honorificPrefix honorificSuffix } \
    displayName nickName profileUrl title userType preferredLanguage locale timezone active? password \
    emails* { value display type primary? } phoneNumbers* { value display type primary? } \
    ims* { value display type primary? } photos* { value display type primary? } \
    addresses* { formatted streetAddress locality region postalCode country type primary? } \
    groups* { value $ref display type } entitlements* { value display type primary? } \
    roles* { value display type primary? } x509Certificates* { value display type primary? } ";
const GROUP: &str = "displayName members* { value $ref type display } ";
const ENTERPRISE: &str =
    "employeeNumber costCenter organization division department manager { value $ref displayName } ";

const USER_URN: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const GROUP_URN: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
const ENTERPRISE_URN: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

impl Kind {
    pub(crate) fn schema(self) -> &'static Schema {
        static USERS: OnceLock<Schema> = OnceLock::new();
        static GROUPS: OnceLock<Schema> = OnceLock::new();
        match self {
            Self::Group => GROUPS.get_or_init(|| Schema::read([COMMON, GROUP])),
            Self::User => USERS.get_or_init(|| {
                let extension = Some((ENTERPRISE_URN, Box::new(Schema::read([ENTERPRISE, ""]))));
                Schema { extension, ..Schema::read([COMMON, USER]) }
            }),
        }
    }
}

impl Schema {
    fn read(texts: [&'static str; 2]) -> Self {
        let mut words = texts.into_iter().flat_map(str::split_ascii_whitespace).peekable();
        Self { attributes: level(&mut words), extension: None }
    }

    pub(crate) fn attributes(&self) -> &[Attribute] {
        &self.attributes
    }

    pub(crate) fn extension(&self) -> Option<(&'static str, &Self)> {
        self.extension.as_ref().map(|(urn, schema)| (*urn, &**schema))
    }

    /// What a path of a PATCH operation names.
    pub(crate) fn at(&self, path: &str) -> Option<&Attribute> {
        let path = grammar::path(path)?;
        let schema = match (path.urn, &self.extension) {
            (None | Some(USER_URN | GROUP_URN), _) => self,
            (Some(urn), Some((known, extension))) if urn == *known => extension,
            _ => return None,
        };
        let attribute = schema.named(path.attribute)?;
        match path.sub {
            None => Some(attribute),
            Some(sub) => attribute.sub.named(sub),
        }
    }

    fn named(&self, name: &str) -> Option<&Attribute> {
        self.attributes.iter().find(|attribute| attribute.name.eq_ignore_ascii_case(name))
    }
}

fn level(words: &mut std::iter::Peekable<impl Iterator<Item = &'static str>>) -> Vec<Attribute> {
    let mut attributes = Vec::new();
    while let Some(word) = words.next().filter(|word| *word != "}") {
        let sub = if words.next_if_eq(&"{").is_some() { level(words) } else { Vec::new() };
        attributes.push(Attribute {
            name: word.trim_end_matches(['?', '*']),
            boolean: word.ends_with('?'),
            multi: word.ends_with('*'),
            sub: Schema { attributes: sub, extension: None },
        });
    }
    attributes
}
