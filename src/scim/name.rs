//! Attribute names as numbers, so that a walk compares no text.
//!
//! Names fold case (RFC 7643 2.1); the table keeps the canonical spelling. The standard's names have constants here,
//! an operator's names get the numbers behind them.

use std::sync::atomic::{AtomicU16, Ordering};

use crate::json::{Before, Names};

macro_rules! names {
    ($($constant:ident = $text:literal,)+) => {
        names!(@number 1u16; $($constant)+);
        const STANDARD: &[&str] = &[$($text),+];
    };
    (@number $n:expr; $constant:ident $($rest:ident)*) => {
        #[allow(missing_docs)] // each is the attribute of that name
        pub const $constant: u16 = $n;
        names!(@number $n + 1u16; $($rest)*);
    };
    (@number $n:expr;) => {};
}

names! {
    SCHEMAS = "schemas",
    ID = "id",
    EXTERNAL_ID = "externalId",
    META = "meta",
    RESOURCE_TYPE = "resourceType",
    CREATED = "created",
    LAST_MODIFIED = "lastModified",
    LOCATION = "location",
    VERSION = "version",
    OPERATIONS = "Operations",
    OP = "op",
    PATH = "path",
    VALUE = "value",
    REF = "$ref",
    TYPE = "type",
    DISPLAY = "display",
    PRIMARY = "primary",
    USER_NAME = "userName",
    NAME = "name",
    FORMATTED = "formatted",
    FAMILY_NAME = "familyName",
    GIVEN_NAME = "givenName",
    MIDDLE_NAME = "middleName",
    HONORIFIC_PREFIX = "honorificPrefix",
    HONORIFIC_SUFFIX = "honorificSuffix",
    DISPLAY_NAME = "displayName",
    NICK_NAME = "nickName",
    PROFILE_URL = "profileUrl",
    TITLE = "title",
    USER_TYPE = "userType",
    PREFERRED_LANGUAGE = "preferredLanguage",
    LOCALE = "locale",
    TIMEZONE = "timezone",
    ACTIVE = "active",
    PASSWORD = "password",
    EMAILS = "emails",
    PHONE_NUMBERS = "phoneNumbers",
    IMS = "ims",
    PHOTOS = "photos",
    ADDRESSES = "addresses",
    STREET_ADDRESS = "streetAddress",
    LOCALITY = "locality",
    REGION = "region",
    POSTAL_CODE = "postalCode",
    COUNTRY = "country",
    GROUPS = "groups",
    ENTITLEMENTS = "entitlements",
    ROLES = "roles",
    X509_CERTIFICATES = "x509Certificates",
    MEMBERS = "members",
    EMPLOYEE_NUMBER = "employeeNumber",
    COST_CENTER = "costCenter",
    ORGANIZATION = "organization",
    DIVISION = "division",
    DEPARTMENT = "department",
    MANAGER = "manager",
    MANAGER_ID = "managerId",
    TOTAL_RESULTS = "totalResults",
    ITEMS_PER_PAGE = "itemsPerPage",
    START_INDEX = "startIndex",
    RESOURCES = "Resources",
    NEXT_CURSOR = "nextCursor",
    PREVIOUS_CURSOR = "previousCursor",
    STATUS = "status",
    SCIM_TYPE = "scimType",
    DETAIL = "detail",
    SCHEMA = "schema",
    ERRORS = "Errors",
    METHOD = "method",
    BULK_ID = "bulkId",
    DATA = "data",
    RESPONSE = "response",
    FAIL_ON_ERRORS = "failOnErrors",
    ATTRIBUTES = "attributes",
    EXCLUDED_ATTRIBUTES = "excludedAttributes",
    FILTER = "filter",
    SORT_BY = "sortBy",
    SORT_ORDER = "sortOrder",
    COUNT = "count",
    DESCRIPTION = "description",
    SUB_ATTRIBUTES = "subAttributes",
    MULTI_VALUED = "multiValued",
    REQUIRED = "required",
    CANONICAL_VALUES = "canonicalValues",
    CASE_EXACT = "caseExact",
    MUTABILITY = "mutability",
    RETURNED = "returned",
    UNIQUENESS = "uniqueness",
    REFERENCE_TYPES = "referenceTypes",
    ENDPOINT = "endpoint",
    SCHEMA_EXTENSIONS = "schemaExtensions",
    DOCUMENTATION_URI = "documentationUri",
    PATCH = "patch",
    BULK = "bulk",
    CHANGE_PASSWORD = "changePassword",
    SORT = "sort",
    ETAG = "etag",
    AUTHENTICATION_SCHEMES = "authenticationSchemes",
    SUPPORTED = "supported",
    MAX_OPERATIONS = "maxOperations",
    MAX_PAYLOAD_SIZE = "maxPayloadSize",
    MAX_RESULTS = "maxResults",
    SPEC_URI = "specUri",
    ENTERPRISE_USER = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User",
    CORE_USER = "urn:ietf:params:scim:schemas:core:2.0:User",
    CORE_GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group",
}

/// Names and their numbers: open addressing over a table of at most half load.
#[derive(Debug)]
pub struct NameTable {
    names: Vec<Box<str>>,
    slots: Box<[Slot]>,
    /// By what came before, the name that came last then: two for each name, [`place`].
    followers: Vec<AtomicU16>,
}

impl Clone for NameTable {
    fn clone(&self) -> Self {
        let (names, slots) = (self.names.clone(), self.slots.clone());
        let followers = self.followers.iter().map(|name| name.load(Ordering::Relaxed).into()).collect();
        Self { names, slots, followers }
    }
}

/// Where the follower is kept.
fn place(before: Before) -> usize {
    match before {
        Before::Opening(name) => usize::from(name) * 2,
        Before::Member(name) => usize::from(name) * 2 + 1,
    }
}

/// Where a name may be; number 0 is none.
#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    /// Another part of the hash, so that few names are looked at that are not the one.
    tag: u16,
    number: u16,
}

impl NameTable {
    /// The standard's names.
    pub fn standard() -> Self {
        let slots = vec![Slot::default(); 1024].into();
        let mut table = Self { names: vec!["".into()], slots, followers: vec![0.into(), 0.into()] };
        for name in STANDARD {
            table.intern(name);
        }
        table
    }

    /// The number of a name, in any letter case; a new one if there is none. 0 when 65,535 names are there.
    pub fn intern(&mut self, name: &str) -> u16 {
        let (known, _) = self.find(name);
        if known != 0 {
            return known;
        }
        let Ok(number) = u16::try_from(self.names.len()) else { return 0 };
        self.names.push(name.into());
        self.followers.extend([0.into(), 0.into()]);
        if self.names.len() * 2 > self.slots.len() {
            self.slots = vec![Slot::default(); self.slots.len() * 2].into();
            for number in 1..=number {
                self.place(number);
            }
        } else {
            self.place(number);
        }
        number
    }

    /// The canonical spelling; empty for a number that is no name.
    pub fn text(&self, number: u16) -> &str {
        self.names.get(usize::from(number)).map_or("", |name| name)
    }

    fn place(&mut self, number: u16) {
        let mask = self.slots.len() - 1;
        let (hash, tag) = hash(self.names[usize::from(number)].as_bytes());
        let mut slot = hash & mask;
        while self.slots[slot].number != 0 {
            slot = (slot + 1) & mask;
        }
        self.slots[slot] = Slot { tag, number };
    }
}

impl Names for NameTable {
    #[inline]
    fn expected(&self, before: Before) -> Option<(u16, &str)> {
        let name = self.followers.get(place(before))?.load(Ordering::Relaxed);
        if name == 0 {
            return None;
        }
        Some((name, self.names.get(usize::from(name))?))
    }

    #[inline]
    fn found(&self, before: Before, name: u16) {
        let plain = |byte: u8| byte >= b' ' && byte != b'"' && byte != b'\\';
        if let Some(follower) = self.followers.get(place(before))
            && self.text(name).bytes().all(plain)
        {
            follower.store(name, Ordering::Relaxed);
        }
    }

    #[inline]
    fn find(&self, key: &str) -> (u16, bool) {
        if key.is_empty() {
            return (0, false);
        }
        let mask = self.slots.len() - 1;
        let (hash, tag) = hash(key.as_bytes());
        let mut slot = hash & mask;
        loop {
            let Slot { tag: there, number } = self.slots[slot & mask];
            if number == 0 {
                return (0, false);
            }
            if there == tag {
                let name = &*self.names[usize::from(number)];
                if name.len() == key.len() {
                    if same(name.as_bytes(), key.as_bytes()) {
                        return (number, true);
                    }
                    if name.eq_ignore_ascii_case(key) {
                        return (number, false);
                    }
                }
            }
            slot += 1;
        }
    }
}

/// Whether two texts of one length are the same: most names fit into two words that overlap.
#[inline]
fn same(one: &[u8], other: &[u8]) -> bool {
    if one.len() > 16 {
        return one == other;
    }
    match (one.first_chunk::<8>(), one.last_chunk::<8>()) {
        (Some(first), Some(last)) => other.first_chunk() == Some(first) && other.last_chunk() == Some(last),
        _ => match (one.first_chunk::<4>(), one.last_chunk::<4>()) {
            (Some(first), Some(last)) => other.first_chunk() == Some(first) && other.last_chunk() == Some(last),
            _ => one == other,
        },
    }
}

/// Where to look, and a tag, by length, first, last and middle byte without their case bit: names are short, and a miss
/// costs one comparison.
#[inline]
fn hash(name: &[u8]) -> (usize, u16) {
    let ([first, ..], [.., last]) = (name, name) else { return (0, 0) };
    let (first, last, middle) = (*first | 0x20, *last | 0x20, name[name.len() / 2] | 0x20);
    let packed = u32::from_le_bytes([first, last, middle, name.len() as u8]);
    let mixed = u64::from(packed).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    ((mixed >> 44) as usize, (mixed >> 28) as u16)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::{Doc, Duplicates};

    #[test]
    fn constants_are_the_numbers_of_their_names() {
        let table = NameTable::standard();
        assert_eq!(table.find("schemas"), (SCHEMAS, true));
        assert_eq!(table.find("DISPLAYNAME"), (DISPLAY_NAME, false));
        assert_eq!(table.find("urn:ietf:params:scim:schemas:core:2.0:Group"), (CORE_GROUP, true));
        assert_eq!(table.text(CORE_GROUP), "urn:ietf:params:scim:schemas:core:2.0:Group");
        assert_eq!(table.find("nope"), (0, false));
        assert_eq!(table.names.len(), STANDARD.len() + 1, "two names differ in letter case alone");
    }

    #[test]
    fn what_was_read_before_changes_nothing() {
        let texts = [
            r#"{"schemas":[],"id":"1","userName":"a","name":{"givenName":"b","familyName":"c"}}"#,
            r#"{"schemas":[],"id":"1","username":"a","name":{"familyName":"c","givenName":"b"}}"#,
            r#"{"schemas":[],"id":"1","id":"2"}"#,
            r#"{"schemas" : [],"id"	:"1","ID":"2","userName":true}"#,
            r#"{"id":"1","idx":"1","i":1,"emails":[{"value":"a","type":"b"},{"value":"c","display":"d"}]}"#,
            r#"{"emails":[[{"value":"a","value":"b"}]]}"#,
            r#"{"emails":[{"value":"a","Value":"b"}],"userName""#,
            r#"{"u\u0073erName":"a","userName":"b"}"#,
            r#"{"schemas":[],"quoted\"name":1,"id":2}"#,
            r#"{"schemas":[],"externalId":2,"meta":{"resourceType":"User","created":null},"userName":"#,
        ];
        let read = |text: &str, table: &NameTable| {
            let doc = Doc::parse(text, table, Duplicates::CaseKept)?;
            let mut seen = Vec::new();
            let mut left = vec![doc.root()];
            while let Some(node) = left.pop() {
                seen.push((doc.key(node).into_owned(), doc.name(node), doc.is_exact(node), doc.collides(node)));
                left.extend(doc.children(node));
            }
            let had: Vec<bool> = (0..200).map(|name| doc.had_name(name)).collect();
            Ok::<_, crate::json::Error>((seen, had, doc.had_null()))
        };
        let mut table = NameTable::standard();
        table.intern("quoted\"name");
        let fresh: Vec<_> = texts.iter().map(|text| read(text, &table.clone())).collect();
        for _ in 0..3 {
            for (text, fresh) in texts.iter().zip(&fresh) {
                assert_eq!(read(text, &table), *fresh, "{text}");
                assert_eq!(read(text, &table), *fresh, "{text}");
            }
        }
        assert!(table.expected(Before::Opening(0)).is_some());
    }

    #[test]
    fn many_names_are_found_again() {
        let mut table = NameTable::standard();
        let numbers: Vec<u16> = (0..5000).map(|i| table.intern(&format!("custom{i}"))).collect();
        for (i, number) in numbers.iter().enumerate() {
            assert_eq!(table.find(&format!("CUSTOM{i}")), (*number, false));
        }
    }
}
