//! Deviations in what apps answer.

pub mod attribute_selection;
pub mod bool_number;
pub mod bulk_status_number;
pub mod conflict;
pub mod content_type_per_idp;
pub mod create_200;
pub mod dates;
pub mod delete_200_body;
pub mod discovery;
pub mod discovery_schemas;
pub mod endpoint_absolute;
pub mod error_200;
pub mod error_detail_missing;
pub mod error_foreign;
pub mod error_schemas;
pub mod error_status;
pub mod ext_flat_key;
pub mod filter_ignored;
pub mod id_from_location;
pub mod id_number;
pub mod list_bare;
pub mod list_counts;
pub mod list_empty;
pub mod list_key_case;
pub mod list_resource_schemas_missing;
pub mod list_resources_null;
pub mod list_schemas_missing;
pub mod location;
pub mod manager_string;
pub mod meta_missing;
pub mod multivalue;
pub mod password_echo;
pub mod patch_answer;
pub mod primary_duplicate;
pub mod redirect;
pub mod reports;
pub mod resource_null;
pub mod retry_after;
pub mod schemas_entra_unsupported;
pub mod schemas_extension_missing;
pub mod schemas_string;
pub mod scim11_translate;
pub mod spc_bulk_limits;
pub mod version_number;

mod alike;
pub(crate) mod attr_case;
pub(crate) mod bool_string;
pub(crate) mod content_type;
pub(crate) mod list;
pub(crate) mod lookup;
pub(crate) mod query;
pub(crate) mod schemas_missing;
pub(crate) mod walk;

#[cfg(test)]
mod tests;
