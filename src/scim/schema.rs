//! Attributes and their characteristics (RFC 7643 2.2), and the tables of section 8.7.

use super::{NameTable, Type, name, urn};

/// An attribute definition, as far as messages are judged by it.
#[derive(Debug, Clone)]
pub struct Attr {
    /// Its name as a number of the registry's table.
    pub name: u16,
    /// Its canonical spelling; for an extension the schema URN.
    pub canonical: Box<str>,
    /// Its data type.
    pub kind: Type,
    /// Whether its value is a list.
    pub plurality: Plurality,
    /// Whether compare values keep their letter case.
    pub case_exact: bool,
    /// Sub-attributes of a complex attribute; attributes of an extension.
    pub sub: Attrs,
    /// Whether this is a schema extension (RFC 7643 3.3), which is a JSON object under its URN.
    pub extension: bool,
    /// Whether it stands in RFC 7643; what the operator declared is not more than its type.
    pub standard: bool,
    /// Whether its spelling differs from the one its name number stands for: an operator's `Division` beside the
    /// standard's `division`. Then a key that is exact by number has to be compared as text.
    pub respelled: bool,
}

/// Whether an attribute has one value or a list of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plurality {
    /// One value.
    Single,
    /// A list.
    Multi,
    /// Not told: the attribute is known only from a declared sub-attribute of it.
    Unknown,
}

impl From<bool> for Plurality {
    fn from(multi_valued: bool) -> Self {
        if multi_valued { Self::Multi } else { Self::Single }
    }
}

impl Attr {
    /// Whether it is known to have one value.
    pub fn is_single(&self) -> bool {
        self.plurality == Plurality::Single
    }

    /// Whether it is known to have a list of values.
    pub fn is_multi(&self) -> bool {
        self.plurality == Plurality::Multi
    }

    /// Whether a value is one object.
    pub fn is_single_complex(&self) -> bool {
        self.is_single() && self.kind == Type::Complex
    }

    /// Whether a value is a list of objects.
    pub fn is_multi_complex(&self) -> bool {
        self.is_multi() && self.kind == Type::Complex
    }

    /// The type a compare value has: of a multi-valued complex attribute that of its `value` (RFC 7643 2.4).
    pub fn compare_type(&self) -> Type {
        match self.kind {
            Type::Complex => self.sub.get(name::VALUE).map_or(Type::Complex, |value| value.kind),
            kind => kind,
        }
    }
}

/// A set of attributes.
#[derive(Debug, Clone, Default)]
pub struct Attrs {
    list: Vec<Attr>,
    /// By name number, the place in `list` plus one.
    index: Vec<u16>,
}

impl Attrs {
    /// The attribute of that name number.
    #[inline]
    pub fn get(&self, name: u16) -> Option<&Attr> {
        if name == 0 {
            return None;
        }
        let place = *self.index.get(usize::from(name))?;
        self.list.get(usize::from(place).checked_sub(1)?)
    }

    /// The attribute of that name, in any ASCII letter case.
    pub fn find(&self, name: &str) -> Option<&Attr> {
        self.list.iter().find(|attr| attr.canonical.eq_ignore_ascii_case(name))
    }

    /// Every attribute.
    pub fn iter(&self) -> impl Iterator<Item = &Attr> {
        self.list.iter()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The attribute of that name, to be changed while a registry is built.
    pub(super) fn get_mut(&mut self, name: u16) -> Option<&mut Attr> {
        self.list.iter_mut().find(|attr| attr.name == name)
    }

    /// Adds an attribute; one of that name that is there stays.
    pub(super) fn add(&mut self, attr: Attr) {
        if self.list.iter().any(|known| known.name == attr.name) {
            return;
        }
        let name = usize::from(attr.name);
        self.list.push(attr);
        if self.index.len() <= name {
            self.index.resize(name + 1, 0);
        }
        self.index[name] = u16::try_from(self.list.len()).unwrap_or(0);
    }

    /// The attributes of a table.
    pub(super) fn of(defs: &[Def], names: &mut NameTable) -> Self {
        let mut attrs = Self::default();
        for def in defs {
            attrs.add(def.attr(names));
        }
        attrs
    }
}

/// A row of a table.
#[derive(Debug, Clone, Copy)]
pub(super) struct Def {
    name: &'static str,
    kind: Type,
    multi_valued: bool,
    case_exact: bool,
    sub: &'static [Self],
    extension: bool,
}

impl Def {
    fn attr(&self, names: &mut NameTable) -> Attr {
        Attr {
            name: names.intern(self.name),
            canonical: self.name.into(),
            kind: self.kind,
            plurality: self.multi_valued.into(),
            case_exact: self.case_exact,
            sub: Attrs::of(self.sub, names),
            extension: self.extension,
            standard: true,
            respelled: false,
        }
    }
}

const fn simple(name: &'static str, kind: Type) -> Def {
    Def { name, kind, multi_valued: false, case_exact: false, sub: &[], extension: false }
}

const fn text(name: &'static str) -> Def {
    simple(name, Type::String)
}

const fn exact(name: &'static str) -> Def {
    Def { case_exact: true, ..text(name) }
}

const fn texts(name: &'static str) -> Def {
    Def { multi_valued: true, ..text(name) }
}

const fn complex(name: &'static str, sub: &'static [Def]) -> Def {
    Def { sub, ..simple(name, Type::Complex) }
}

const fn list(name: &'static str, sub: &'static [Def]) -> Def {
    Def { multi_valued: true, ..complex(name, sub) }
}

const fn reference(name: &'static str) -> Def {
    Def { case_exact: true, ..simple(name, Type::Reference) }
}

/// The sub-attributes that RFC 7643 2.4 gives to every multi-valued complex attribute.
const PLURAL: &[Def] =
    &[text("value"), text("display"), text("type"), simple("primary", Type::Boolean), reference("$ref")];

const META: Def = complex(
    "meta",
    &[
        exact("resourceType"),
        simple("created", Type::DateTime),
        simple("lastModified", Type::DateTime),
        reference("location"),
        exact("version"),
    ],
);

/// RFC 7643 3.1, and `schemas`.
pub(super) const COMMON: &[Def] =
    &[Def { multi_valued: true, ..reference("schemas") }, exact("id"), exact("externalId"), META];

/// RFC 7643 4.1, 8.7.1
pub(super) const USER: &[Def] = &[
    text("userName"),
    complex(
        "name",
        &[
            text("formatted"),
            text("familyName"),
            text("givenName"),
            text("middleName"),
            text("honorificPrefix"),
            text("honorificSuffix"),
        ],
    ),
    text("displayName"),
    text("nickName"),
    reference("profileUrl"),
    text("title"),
    text("userType"),
    text("preferredLanguage"),
    text("locale"),
    text("timezone"),
    simple("active", Type::Boolean),
    text("password"),
    list("emails", PLURAL),
    list("phoneNumbers", PLURAL),
    list("ims", PLURAL),
    list(
        "photos",
        &[reference("value"), text("display"), text("type"), simple("primary", Type::Boolean), reference("$ref")],
    ),
    list(
        "addresses",
        &[
            text("formatted"),
            text("streetAddress"),
            text("locality"),
            text("region"),
            text("postalCode"),
            text("country"),
            text("type"),
            simple("primary", Type::Boolean),
            text("display"),
            text("value"),
            reference("$ref"),
        ],
    ),
    list("groups", PLURAL),
    list("entitlements", PLURAL),
    list("roles", PLURAL),
    list(
        "x509Certificates",
        &[
            simple("value", Type::Binary),
            text("display"),
            text("type"),
            simple("primary", Type::Boolean),
            reference("$ref"),
        ],
    ),
];

/// RFC 7643 4.2
pub(super) const GROUP: &[Def] = &[text("displayName"), list("members", PLURAL)];

/// RFC 7643 4.3
pub(super) const ENTERPRISE_USER: Def = Def {
    extension: true,
    ..complex(
        urn::ENTERPRISE_USER,
        &[
            text("employeeNumber"),
            text("costCenter"),
            text("organization"),
            text("division"),
            text("department"),
            complex("manager", &[text("value"), reference("$ref"), text("displayName")]),
        ],
    )
};

/// RFC 7644 3.4.2
pub(super) const LIST_RESPONSE: &[Def] = &[
    Def { multi_valued: true, ..reference("schemas") },
    simple("totalResults", Type::Integer),
    simple("startIndex", Type::Integer),
    simple("itemsPerPage", Type::Integer),
    list("Resources", &[]),
];

/// RFC 7644 3.4.3
pub(super) const SEARCH_REQUEST: &[Def] = &[
    Def { multi_valued: true, ..reference("schemas") },
    texts("attributes"),
    texts("excludedAttributes"),
    text("filter"),
    text("sortBy"),
    text("sortOrder"),
    simple("startIndex", Type::Integer),
    simple("count", Type::Integer),
];

/// RFC 7644 3.5.2
pub(super) const PATCH_OP: &[Def] = &[
    Def { multi_valued: true, ..reference("schemas") },
    list("Operations", &[text("op"), text("path"), complex("value", &[])]),
];

/// RFC 7644 3.7
pub(super) const BULK: &[Def] = &[
    Def { multi_valued: true, ..reference("schemas") },
    simple("failOnErrors", Type::Integer),
    list(
        "Operations",
        &[
            text("method"),
            text("bulkId"),
            text("version"),
            text("path"),
            complex("data", &[]),
            reference("location"),
            complex("response", &[]),
            text("status"),
        ],
    ),
];

/// RFC 7644 3.12
pub(super) const ERROR: &[Def] =
    &[Def { multi_valued: true, ..reference("schemas") }, text("status"), text("scimType"), text("detail")];

/// RFC 7643 5
pub(super) const SERVICE_PROVIDER_CONFIG: &[Def] = &[
    reference("documentationUri"),
    complex("patch", SUPPORTED),
    complex(
        "bulk",
        &[
            simple("supported", Type::Boolean),
            simple("maxOperations", Type::Integer),
            simple("maxPayloadSize", Type::Integer),
        ],
    ),
    complex("filter", &[simple("supported", Type::Boolean), simple("maxResults", Type::Integer)]),
    complex("changePassword", SUPPORTED),
    complex("sort", SUPPORTED),
    complex("etag", SUPPORTED),
    list(
        "authenticationSchemes",
        &[
            text("type"),
            text("name"),
            text("description"),
            reference("specUri"),
            reference("documentationUri"),
            simple("primary", Type::Boolean),
        ],
    ),
];

const SUPPORTED: &[Def] = &[simple("supported", Type::Boolean)];

/// RFC 7643 6
pub(super) const RESOURCE_TYPE: &[Def] = &[
    text("name"),
    text("description"),
    reference("endpoint"),
    reference("schema"),
    list("schemaExtensions", &[reference("schema"), simple("required", Type::Boolean)]),
];

const ATTRIBUTE: &[Def] = &[
    text("name"),
    text("type"),
    text("description"),
    texts("referenceTypes"),
    texts("canonicalValues"),
    simple("multiValued", Type::Boolean),
    simple("required", Type::Boolean),
    simple("caseExact", Type::Boolean),
    text("mutability"),
    text("returned"),
    text("uniqueness"),
    list("subAttributes", &[]),
];

/// RFC 7643 7; sub-attributes are attributes again.
pub(super) const SCHEMA: &[Def] = &[text("name"), text("description"), list("attributes", ATTRIBUTE)];
