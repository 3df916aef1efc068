//! Attribute names as numbers, so that a walk compares no text.
//!
//! Names fold case (RFC 7643 2.1); the table keeps the canonical spelling. The standard's names have constants here,
//! an operator's names get the numbers behind them.

use crate::json::Names;

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
#[derive(Debug, Clone)]
pub struct NameTable {
    names: Vec<Box<str>>,
    slots: Box<[u16]>,
}

impl NameTable {
    /// The standard's names.
    pub fn standard() -> Self {
        let mut table = Self { names: vec!["".into()], slots: vec![0; 1024].into() };
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
        if self.names.len() * 2 > self.slots.len() {
            self.slots = vec![0; self.slots.len() * 2].into();
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
        let mut slot = hash(self.names[usize::from(number)].as_bytes()) & mask;
        while self.slots[slot] != 0 {
            slot = (slot + 1) & mask;
        }
        self.slots[slot] = number;
    }
}

impl Names for NameTable {
    #[inline]
    fn find(&self, key: &str) -> (u16, bool) {
        if key.is_empty() {
            return (0, false);
        }
        let mask = self.slots.len() - 1;
        let mut slot = hash(key.as_bytes()) & mask;
        loop {
            let number = self.slots[slot];
            if number == 0 {
                return (0, false);
            }
            let name = &*self.names[usize::from(number)];
            if name.len() == key.len() {
                if name == key {
                    return (number, true);
                }
                if name.eq_ignore_ascii_case(key) {
                    return (number, false);
                }
            }
            slot = (slot + 1) & mask;
        }
    }
}

/// Length, first, last and middle byte without their case bit: names are short, and a miss costs one comparison.
#[inline]
fn hash(name: &[u8]) -> usize {
    let ([first, ..], [.., last]) = (name, name) else { return 0 };
    let (first, last, middle) = (*first | 0x20, *last | 0x20, name[name.len() / 2] | 0x20);
    let packed = u32::from_le_bytes([first, last, middle, name.len() as u8]);
    (packed.wrapping_mul(0x9e37_79b1) >> 16) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn many_names_are_found_again() {
        let mut table = NameTable::standard();
        let numbers: Vec<u16> = (0..5000).map(|i| table.intern(&format!("custom{i}"))).collect();
        for (i, number) in numbers.iter().enumerate() {
            assert_eq!(table.find(&format!("CUSTOM{i}")), (*number, false));
        }
    }
}
