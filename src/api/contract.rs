//! Every path, key and limit of the CSM API: the one place. Each name carries its grade, since part of the
//! API is known by guess only; `[contract]` in a job file will override those.
//!
//! A leaf of its own: `mapping` and `sandbox` may see it.

use crate::model::entity::Entity;

/// How a name is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grade {
    /// Read on a page of the vendor's.
    Documented,
    /// Seen in public code that ran against a live site.
    Seen,
    /// Our guess.
    Guess,
}

/// The limits of one bulk endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BulkEndpoint {
    /// Path below the API's base, from `/api/v1`.
    pub path: &'static str,
    /// The key of the request's array.
    pub list_key: &'static str,
    /// Items a request may hold.
    pub max_items: usize,
    /// How path and key are known.
    pub grade: Grade,
}

/// Bytes a request body may hold. No limit is documented; small bodies pass every gateway.
pub const MAX_BODY_BYTES: usize = 4 * 1024 * 1024;
/// Detail fields an entity may have.
pub const MAX_DETAIL_FIELDS: usize = 50;
/// Names an `organization/fetch` may ask for.
pub const MAX_FETCH_ORGANIZATIONS: usize = 50;
/// Products a page of `GET /product` may hold.
pub const MAX_PRODUCT_PAGE: usize = 100;
/// Non-terminal tasks a site allows; one page says 5, another 10.
pub const MAX_TASKS: usize = 5;

/// Bulk customer profiles. Key seen, cap documented.
pub const CUSTOMER_PROFILE_BULK: BulkEndpoint = BulkEndpoint {
    path: "/api/v1/customer/profile/bulk",
    list_key: "customerProfiles",
    max_items: 100,
    grade: Grade::Seen,
};

/// Bulk organization profiles.
pub const ORGANIZATION_PROFILE_BULK: BulkEndpoint = BulkEndpoint {
    path: "/api/v1/organization/profile/bulk",
    list_key: "organizationProfiles",
    max_items: 100,
    grade: Grade::Documented,
};

/// The bulk endpoint that takes an entity's profiles; products have none.
#[must_use]
pub const fn bulk_endpoint(entity: Entity) -> Option<BulkEndpoint> {
    match entity {
        Entity::Customer => Some(CUSTOMER_PROFILE_BULK),
        Entity::Organization => Some(ORGANIZATION_PROFILE_BULK),
        Entity::Product => None,
    }
}

/// Keys inside payloads.
pub mod keys {
    /// `operationType` of a bulk item.
    pub const OPERATION: &str = "operationType";
    /// `payload` of a bulk item.
    pub const PAYLOAD: &str = "payload";
    /// A customer's id.
    pub const CUSTOMER_ID: &str = "customerId";
    /// A customer's e-mail.
    pub const EMAIL: &str = "email";
    /// A customer's name.
    pub const DISPLAY_NAME: &str = "displayName";
    /// An organization's id.
    pub const ORGANIZATION_ID: &str = "id";
    /// An organization's or product's name.
    pub const NAME: &str = "name";
    /// The list of detail values, each `{name, values}`.
    pub const DETAILS: &str = "details";
    /// The values of a detail field.
    pub const VALUES: &str = "values";
    /// Organizations of a customer; holds [`ORGANIZATION_IDS`].
    pub const ASSOCIATE_ORGANIZATIONS: &str = "associateOrganizations";
    /// Ids inside [`ASSOCIATE_ORGANIZATIONS`], as strings.
    pub const ORGANIZATION_IDS: &str = "organizationIds";
    /// Products of a customer or organization; holds [`PRODUCT_IDS`]. A guess.
    pub const ASSOCIATE_PRODUCTS: &str = "associateProducts";
    /// Ids inside [`ASSOCIATE_PRODUCTS`]. A guess.
    pub const PRODUCT_IDS: &str = "productIds";
}

/// The verb of a bulk item.
#[must_use]
pub const fn operation_word(operation: crate::model::entity::Operation) -> &'static str {
    use crate::model::entity::Operation;
    match operation {
        Operation::Create => "CREATE",
        Operation::Update => "UPDATE",
        Operation::Upsert => "UPSERT",
    }
}
