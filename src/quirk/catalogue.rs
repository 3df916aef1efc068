//! Every quirk, in one slice. Adding one is a file, its line here, and a case in `tests/corpus`.

use super::{Quirk, both, request, response};

macro_rules! catalogue {
    ($($id:ident => $quirk:path,)+) => {
        /// A quirk, as a number: the index into [`ALL`].
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        #[allow(missing_docs)] // each stands for the quirk of that name, whose page is its documentation
        pub enum Id {
            $($id),+
        }

        /// The catalogue, sorted by id.
        pub static ALL: &[&Quirk] = &[$(&$quirk),+];

        impl Id {
            /// Every id, in the order of [`ALL`].
            pub const ALL: &[Self] = &[$(Self::$id),+];
        }
    };
}

impl Id {
    /// The entry of the catalogue.
    pub fn quirk(self) -> &'static Quirk {
        ALL[self as usize]
    }

    /// The name in configuration, metrics and docs.
    pub fn as_str(self) -> &'static str {
        self.quirk().id
    }

    /// The quirk of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|id| id.as_str() == name)
    }
}

catalogue! {
    ActiveMissing => response::reports::ACTIVE_MISSING,
    ArrayWrappedComplex => request::array_wrapped::ARRAY_WRAPPED_COMPLEX,
    ArrayWrappedScalar => request::array_wrapped::ARRAY_WRAPPED_SCALAR,
    AttrCase => both::attr_case::ATTR_CASE,
    AttrUnknown => request::attr_unknown::ATTR_UNKNOWN,
    AttributesIgnored => response::attribute_selection::ATTRIBUTES_IGNORED,
    AttributesValuepath => request::attributes_valuepath::ATTRIBUTES_VALUEPATH,
    AuthStatus => response::reports::AUTH_STATUS,
    BodyBom => request::body_bom::BODY_BOM,
    BodyWhitespace => request::body_bom::BODY_WHITESPACE,
    BoolNumber => response::bool_number::BOOL_NUMBER,
    BoolString => both::bool_string::BOOL_STRING,
    BulkStatusNumber => response::bulk_status_number::BULK_STATUS_NUMBER,
    ConflictScimtypeMissing => response::conflict::CONFLICT_SCIMTYPE_MISSING,
    ConflictStatus => response::conflict::CONFLICT_STATUS,
    ContentTypeCharset => request::content_type_charset::CONTENT_TYPE_CHARSET,
    ContentTypeJson => both::content_type::CONTENT_TYPE_JSON,
    ContentTypeMissing => both::content_type::CONTENT_TYPE_MISSING,
    ContentTypePerIdp => response::content_type_per_idp::CONTENT_TYPE_PER_IDP,
    ContentTypeWrong => both::content_type::CONTENT_TYPE_WRONG,
    Create200 => response::create_200::CREATE_200,
    DateEpoch => response::dates::DATE_EPOCH,
    DateNoZone => response::dates::DATE_NO_ZONE,
    DateSpace => response::dates::DATE_SPACE,
    Delete200Body => response::delete_200_body::DELETE_200_BODY,
    DiscoveryArray => response::discovery::DISCOVERY_ARRAY,
    DiscoveryKey => response::discovery::DISCOVERY_KEY,
    DuplicatePrimary => request::duplicate_primary::DUPLICATE_PRIMARY,
    EmptyAttr => request::empty_attr::EMPTY_ATTR,
    EndpointAbsolute => response::endpoint_absolute::ENDPOINT_ABSOLUTE,
    Error200 => response::error_200::ERROR_200,
    ErrorDetailMissing => response::error_detail_missing::ERROR_DETAIL_MISSING,
    ErrorEmptyBody => response::error_foreign::ERROR_EMPTY_BODY,
    ErrorEnvelopeMissing => response::error_foreign::ERROR_ENVELOPE_MISSING,
    ErrorHtml => response::error_foreign::ERROR_HTML,
    ErrorNested => response::error_foreign::ERROR_NESTED,
    ErrorPlainText => response::error_foreign::ERROR_PLAIN_TEXT,
    ErrorSchemaKey => response::error_schemas::ERROR_SCHEMA_KEY,
    ErrorSchemasMissing => response::error_schemas::ERROR_SCHEMAS_MISSING,
    ErrorStatusMismatch => response::error_status::ERROR_STATUS_MISMATCH,
    ErrorStatusMissing => response::error_status::ERROR_STATUS_MISSING,
    ErrorStatusNumber => response::error_status::ERROR_STATUS_NUMBER,
    ExcludedAttributesIgnored => response::attribute_selection::EXCLUDED_ATTRIBUTES_IGNORED,
    ExtFlatKey => response::ext_flat_key::EXT_FLAT_KEY,
    ExtLegacyKey => request::schemas_legacy_urn::EXT_LEGACY_KEY,
    FilterAttrCase => request::filter_case::FILTER_ATTR_CASE,
    FilterBoolString => request::filter_bool_string::FILTER_BOOL_STRING,
    FilterIgnored => response::filter_ignored::FILTER_IGNORED,
    FilterNonstdValuepath => request::filter_nonstd_valuepath::FILTER_NONSTD_VALUEPATH,
    FilterOpCase => request::filter_case::FILTER_OP_CASE,
    FilterPlusEncoding => request::filter_plus::FILTER_PLUS_ENCODING,
    FilterRawPlus => request::filter_plus::FILTER_RAW_PLUS,
    FilterUnquoted => request::filter_unquoted::FILTER_UNQUOTED,
    GroupPatch200To204 => response::patch_answer::GROUP_PATCH_200_TO_204,
    IdFromLocation => response::id_from_location::ID_FROM_LOCATION,
    IdNumber => response::id_number::ID_NUMBER,
    List204Empty => response::list_empty::LIST_204_EMPTY,
    List404Empty => response::list_empty::LIST_404_EMPTY,
    ListArrayBare => response::list_bare::LIST_ARRAY_BARE,
    ListCountsMissing => response::list_counts::LIST_COUNTS_MISSING,
    ListCountsString => response::list_counts::LIST_COUNTS_STRING,
    ListItemsperpageMismatch => response::list_counts::LIST_ITEMSPERPAGE_MISMATCH,
    ListKeyCase => response::list_key_case::LIST_KEY_CASE,
    ListResourceSchemasMissing => response::list_resource_schemas_missing::LIST_RESOURCE_SCHEMAS_MISSING,
    ListResourcesNull => response::list_resources_null::LIST_RESOURCES_NULL,
    ListSchemasMissing => response::list_schemas_missing::LIST_SCHEMAS_MISSING,
    ListSingleObject => response::list_bare::LIST_SINGLE_OBJECT,
    ListStartindexZero => response::list_counts::LIST_STARTINDEX_ZERO,
    ListTotalIsPage => response::list_counts::LIST_TOTAL_IS_PAGE,
    LocationInternalHost => response::location::LOCATION_INTERNAL_HOST,
    LocationMismatch => response::location::LOCATION_MISMATCH,
    LocationMissing => response::location::LOCATION_MISSING,
    LocationRelative => response::location::LOCATION_RELATIVE,
    ManagerBareString => request::manager_bare_string::MANAGER_BARE_STRING,
    ManagerString => response::manager_string::MANAGER_STRING,
    MediaTypeRefused => request::media_type_refused::MEDIA_TYPE_REFUSED,
    MembersDisplayname => request::members_displayname::MEMBERS_DISPLAYNAME,
    MetaMissing => response::meta_missing::META_MISSING,
    MultivalueNestedArray => response::multivalue::MULTIVALUE_NESTED_ARRAY,
    MultivalueObject => response::multivalue::MULTIVALUE_OBJECT,
    MultivalueStrings => response::multivalue::MULTIVALUE_STRINGS,
    NameMissing => response::reports::NAME_MISSING,
    NullAttr => request::null_attr::NULL_ATTR,
    NullSubattr => request::null_subattr::NULL_SUBATTR,
    NumericString => request::numeric_string::NUMERIC_STRING,
    ObjectForArray => request::object_for_array::OBJECT_FOR_ARRAY,
    PagingCountNegative => request::query::PAGING_COUNT_NEGATIVE,
    PagingStartindexZero => request::query::PAGING_STARTINDEX_ZERO,
    PasswordEcho => response::password_echo::PASSWORD_ECHO,
    Patch200EmptyBody => response::patch_answer::PATCH_200_EMPTY_BODY,
    Patch204Empty => response::reports::PATCH_204_EMPTY,
    PatchDeactivate404 => response::reports::PATCH_DEACTIVATE_404,
    PatchDottedKeys => request::patch_dotted_keys::PATCH_DOTTED_KEYS,
    PatchEmptyOperations => request::patch_message::PATCH_EMPTY_OPERATIONS,
    PatchEmptyStringClear => request::patch_empty_string_clear::PATCH_EMPTY_STRING_CLEAR,
    PatchExtraToplevel => request::patch_message::PATCH_EXTRA_TOPLEVEL,
    PatchFilterKeys => request::patch_filter_keys::PATCH_FILTER_KEYS,
    PatchMembersBareString => request::patch_members::PATCH_MEMBERS_BARE_STRING,
    PatchMembersSingleObject => request::patch_members::PATCH_MEMBERS_SINGLE_OBJECT,
    PatchNullClear => request::patch_null_clear::PATCH_NULL_CLEAR,
    PatchOpAlias => request::patch_op::PATCH_OP_ALIAS,
    PatchOpCase => request::patch_op::PATCH_OP_CASE,
    PatchOpExtraKey => request::patch_message::PATCH_OP_EXTRA_KEY,
    PatchOperationsKeyCase => request::patch_message::PATCH_OPERATIONS_KEY_CASE,
    PatchRemoveValueIgnored => request::patch_remove_value_ignored::PATCH_REMOVE_VALUE_IGNORED,
    PatchRemoveValueMembers => request::patch_remove_members::PATCH_REMOVE_VALUE_MEMBERS,
    PatchRemoveWrappedMembers => request::patch_remove_members::PATCH_REMOVE_WRAPPED_MEMBERS,
    PatchUrnKeys => request::urn_keys::PATCH_URN_KEYS,
    PathCase => request::path::PATH_CASE,
    PathDoubleSlash => request::path::PATH_DOUBLE_SLASH,
    PathMissingUrn => request::path_missing_urn::PATH_MISSING_URN,
    PathTrailingSlash => request::path::PATH_TRAILING_SLASH,
    PrimaryDuplicate => response::primary_duplicate::PRIMARY_DUPLICATE,
    QueryDanglingSeparator => request::query::QUERY_DANGLING_SEPARATOR,
    ReadonlyAttr => request::readonly_attr::READONLY_ATTR,
    ReadonlyIdInPatch => request::readonly_id_in_patch::READONLY_ID_IN_PATCH,
    Redirect => response::redirect::REDIRECT,
    ResourceUrnKeys => request::urn_keys::RESOURCE_URN_KEYS,
    ResourceNull => response::resource_null::RESOURCE_NULL,
    RetryAfterDate => response::retry_after::RETRY_AFTER_DATE,
    RetryAfterFraction => response::retry_after::RETRY_AFTER_FRACTION,
    RolesDisplayname => request::roles::ROLES_DISPLAYNAME,
    RolesJsonString => request::roles::ROLES_JSON_STRING,
    SchemasEmpty => request::schemas_empty::SCHEMAS_EMPTY,
    SchemasEntraUnsupported => response::schemas_entra_unsupported::SCHEMAS_ENTRA_UNSUPPORTED,
    SchemasEnumCase => response::discovery_schemas::SCHEMAS_ENUM_CASE,
    SchemasExtensionMissing => response::schemas_extension_missing::SCHEMAS_EXTENSION_MISSING,
    SchemasExtensionUnlisted => request::schemas_extension_unlisted::SCHEMAS_EXTENSION_UNLISTED,
    SchemasLegacyUrn => request::schemas_legacy_urn::SCHEMAS_LEGACY_URN,
    SchemasMalformedUrn => request::schemas_malformed_urn::SCHEMAS_MALFORMED_URN,
    SchemasMissing => both::schemas_missing::SCHEMAS_MISSING,
    SchemasNull => response::discovery_schemas::SCHEMAS_NULL,
    SchemasResourceSchemasMissing => response::discovery_schemas::SCHEMAS_RESOURCE_SCHEMAS_MISSING,
    SchemasString => response::schemas_string::SCHEMAS_STRING,
    SchemasTypeWrong => response::discovery_schemas::SCHEMAS_TYPE_WRONG,
    SchemasUnknownUri => request::schemas_unknown_uri::SCHEMAS_UNKNOWN_URI,
    Scim11Error => response::error_foreign::SCIM11_ERROR,
    Scim11Translate => response::scim11_translate::SCIM11_TRANSLATE,
    SpcBulkLimits => response::spc_bulk_limits::SPC_BULK_LIMITS,
    StartindexZeroBased => both::startindex_zero_based::STARTINDEX_ZERO_BASED,
    UrnDotSeparator => request::urn_dot_separator::URN_DOT_SEPARATOR,
    UserPatch200To204 => response::patch_answer::USER_PATCH_200_TO_204,
    UsernameMissing => request::username_missing::USERNAME_MISSING,
    VersionNumber => response::version_number::VERSION_NUMBER,
}
