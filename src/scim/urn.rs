//! The URIs that RFC 7643 section 10.3 and RFC 7644 register.

/// RFC 7643 4.1
pub const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
/// RFC 7643 4.2
pub const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
/// RFC 7643 4.3
pub const ENTERPRISE_USER: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
/// RFC 7643 5
pub const SERVICE_PROVIDER_CONFIG: &str = "urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig";
/// RFC 7643 6
pub const RESOURCE_TYPE: &str = "urn:ietf:params:scim:schemas:core:2.0:ResourceType";
/// RFC 7643 7
pub const SCHEMA: &str = "urn:ietf:params:scim:schemas:core:2.0:Schema";
/// RFC 7644 3.4.2
pub const LIST_RESPONSE: &str = "urn:ietf:params:scim:api:messages:2.0:ListResponse";
/// RFC 7644 3.4.3
pub const SEARCH_REQUEST: &str = "urn:ietf:params:scim:api:messages:2.0:SearchRequest";
/// RFC 7644 3.5.2
pub const PATCH_OP: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";
/// RFC 7644 3.7
pub const BULK_REQUEST: &str = "urn:ietf:params:scim:api:messages:2.0:BulkRequest";
/// RFC 7644 3.7
pub const BULK_RESPONSE: &str = "urn:ietf:params:scim:api:messages:2.0:BulkResponse";
/// RFC 7644 3.12
pub const ERROR: &str = "urn:ietf:params:scim:api:messages:2.0:Error";

/// Every registered URI.
pub const ALL: [&str; 12] = [
    USER,
    GROUP,
    ENTERPRISE_USER,
    SERVICE_PROVIDER_CONFIG,
    RESOURCE_TYPE,
    SCHEMA,
    LIST_RESPONSE,
    SEARCH_REQUEST,
    PATCH_OP,
    BULK_REQUEST,
    BULK_RESPONSE,
    ERROR,
];

/// The registered URI that a text spells, in any letter case (RFC 7644 3.10: no facet of a URN is case-sensitive).
pub fn canonical(text: &str) -> Option<&'static str> {
    ALL.into_iter().find(|urn| urn.eq_ignore_ascii_case(text))
}

/// Whether a key or path begins like a URN.
pub fn is_urn(text: &str) -> bool {
    text.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("urn:"))
}
