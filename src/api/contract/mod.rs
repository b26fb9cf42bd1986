//! Every path, key and limit of the CSM API: the one place. Each name carries its grade, since part of the
//! API is known by guess only; `[contract]` in a job file says those otherwise.
//!
//! A leaf of its own: `mapping` and `sandbox` may see it.

mod cap;
mod endpoint;
mod name;
pub mod oauth;

pub use cap::Cap;
pub use endpoint::{Base, Endpoint, Kind, Method};
pub use name::{Contract, IdForm, Name};

use crate::model::entity::{Entity, Family, Owner, Verb};

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

impl Grade {
    /// In a word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Documented => "documented",
            Self::Seen => "seen",
            Self::Guess => "guess",
        }
    }
}

/// Bytes a request body may hold. No limit is documented; small bodies pass every gateway.
pub const MAX_BODY_BYTES: usize = 4 * 1024 * 1024;
/// Detail fields an entity may have.
pub const MAX_DETAIL_FIELDS: usize = 50;
/// The types of detail fields. Documented.
pub const DETAIL_TYPES: [&str; 9] = [
    "TEXT",
    "EMAIL",
    "URL",
    "DATE",
    "NUMBER",
    "BOOLEAN",
    "PHONE",
    "SELECT",
    "MULTISELECT",
];
/// Those of [`DETAIL_TYPES`] whose values are options.
pub const TYPES_WITH_OPTIONS: [&str; 2] = ["SELECT", "MULTISELECT"];
/// Names an `organization/fetch` may ask for.
pub const MAX_FETCH_ORGANIZATIONS: usize = 50;
/// Ids a `customer/profile/fetch` may ask for.
pub const MAX_FETCH_CUSTOMERS: usize = 25;
/// Ids an `organization/profile/fetch` may ask for.
pub const MAX_FETCH_ORGANIZATION_PROFILES: usize = 25;
/// Entitlements a page of `GET /entitlements` may hold; the page's prose also says 50.
pub const MAX_ENTITLEMENT_PAGE: usize = 25;
/// Organizations a page of the service desk API may hold.
pub const MAX_ORGANIZATION_PAGE: usize = 50;
/// Options a detail field may have; older help says 50.
pub const MAX_OPTIONS: usize = 2_000;
/// Products a page of `GET /product` may hold.
pub const MAX_PRODUCT_PAGE: usize = 100;
/// Non-terminal tasks a site allows; one page says 5, another 10.
pub const MAX_TASKS: usize = 5;
/// Points of the platform's hourly quota, that of an app over all its sites. Documented for apps with OAuth; requests with API
/// tokens are documented not to count. Whether those of this API do is not documented.
pub const POINTS_AN_HOUR: u32 = 65_000;

/// One bulk endpoint and its limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BulkEndpoint {
    /// Where requests go.
    pub endpoint: Endpoint,
    /// The key of the request's array.
    pub list: ListKey,
    /// Items a request may hold.
    pub max_items: usize,
    /// Detail operations a request may hold over all its items; `None` where they are not counted.
    pub max_operations: Option<usize>,
}

/// The key of a bulk request's array.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListKey {
    /// Documented.
    Fixed(&'static str),
    /// Open to `[contract]`.
    Open(Name),
}

impl ListKey {
    /// The key itself.
    #[must_use]
    pub fn in_contract(self, contract: &Contract) -> &str {
        match self {
            Self::Fixed(key) => key,
            Self::Open(name) => contract.name(name),
        }
    }
}

/// Bulk customer accounts. Key seen, cap documented.
pub const CUSTOMER_ACCOUNT_BULK: BulkEndpoint = BulkEndpoint {
    endpoint: Endpoint::BulkCustomerAccounts,
    list: ListKey::Open(Name::CustomerAccounts),
    max_items: 50,
    max_operations: None,
};

/// Bulk customer profiles. Key seen, cap documented.
pub const CUSTOMER_PROFILE_BULK: BulkEndpoint = BulkEndpoint {
    endpoint: Endpoint::BulkCustomerProfiles,
    list: ListKey::Open(Name::CustomerProfiles),
    max_items: 100,
    max_operations: None,
};

/// Detail operations that a bulk request may hold over all its items. Documented.
pub const MAX_DETAIL_OPERATIONS: usize = 1000;
/// Items of a bulk request of detail values: each holds an operation, so that the newer text of the documentation
/// bounds them by the operations alone. An older text says 100 customers.
pub const MAX_DETAIL_ITEMS: usize = MAX_DETAIL_OPERATIONS;

/// The list of a bulk request for customers' detail values. Documented.
pub const CUSTOMERS: &str = "customers";

/// Bulk detail values of customers. Key and cap documented.
pub const CUSTOMER_DETAILS_BULK: BulkEndpoint = BulkEndpoint {
    endpoint: Endpoint::BulkCustomerDetails,
    list: ListKey::Fixed(CUSTOMERS),
    max_items: MAX_DETAIL_ITEMS,
    max_operations: Some(MAX_DETAIL_OPERATIONS),
};

/// Bulk organizations: name and id alone. Key a guess, cap documented.
pub const ORGANIZATION_BULK: BulkEndpoint = BulkEndpoint {
    endpoint: Endpoint::BulkOrganizations,
    list: ListKey::Open(Name::Organizations),
    max_items: 50,
    max_operations: None,
};

/// The list of a bulk request for organization profiles. Documented.
pub const ORGANIZATION_PROFILES: &str = "organizationProfiles";

/// Bulk organization profiles.
pub const ORGANIZATION_PROFILE_BULK: BulkEndpoint = BulkEndpoint {
    endpoint: Endpoint::BulkOrganizationProfiles,
    list: ListKey::Fixed(ORGANIZATION_PROFILES),
    max_items: 100,
    max_operations: None,
};

/// Bulk detail values of organizations. Key a guess, cap documented.
pub const ORGANIZATION_DETAILS_BULK: BulkEndpoint = BulkEndpoint {
    endpoint: Endpoint::BulkOrganizationDetails,
    list: ListKey::Open(Name::OrganizationDetails),
    max_items: MAX_DETAIL_ITEMS,
    max_operations: Some(MAX_DETAIL_OPERATIONS),
};

/// Bulk definitions of customers' detail fields. Documented.
pub const CUSTOMER_DEFINITIONS_BULK: BulkEndpoint = BulkEndpoint {
    endpoint: Endpoint::BulkCustomerDetailDefinitions,
    list: ListKey::Fixed(keys::DETAIL_FIELDS),
    max_items: 50,
    max_operations: None,
};

/// Bulk definitions of organizations' detail fields. Documented.
pub const ORGANIZATION_DEFINITIONS_BULK: BulkEndpoint = BulkEndpoint {
    endpoint: Endpoint::BulkOrganizationDetailDefinitions,
    list: ListKey::Fixed(keys::DETAIL_FIELDS),
    max_items: 50,
    max_operations: None,
};

/// The bulk endpoint that takes an entity's rows. Products and entitlements have none; definitions have one for each kind of record, see
/// [`definitions_bulk`].
#[must_use]
pub const fn bulk_endpoint(entity: Entity, family: Family) -> Option<BulkEndpoint> {
    match (entity, family) {
        (Entity::Customer, Family::Profile) => Some(CUSTOMER_PROFILE_BULK),
        (Entity::Customer, Family::Account) => Some(CUSTOMER_ACCOUNT_BULK),
        (Entity::Customer, Family::Details) => Some(CUSTOMER_DETAILS_BULK),
        (Entity::Organization, Family::Profile) => Some(ORGANIZATION_PROFILE_BULK),
        (Entity::Organization, Family::Account) => Some(ORGANIZATION_BULK),
        (Entity::Organization, Family::Details) => Some(ORGANIZATION_DETAILS_BULK),
        (Entity::Product | Entity::DetailField | Entity::Entitlement, _) => None,
    }
}

/// The bulk endpoint that takes definitions of detail fields; those of entitlements are created one by one.
#[must_use]
pub const fn definitions_bulk(owner: Owner) -> Option<BulkEndpoint> {
    match owner {
        Owner::Customer => Some(CUSTOMER_DEFINITIONS_BULK),
        Owner::Organization => Some(ORGANIZATION_DEFINITIONS_BULK),
        Owner::Entitlement => None,
    }
}

/// The key in the answer of [`Endpoint::TenantInfo`].
pub const TENANT_CLOUD_ID: &str = "cloudId";
/// Below the gateway's origin, before `/api/v1`: see [`Base::Csm`].
pub const CLOUD_PREFIX: &str = "/jsm/csm/cloudid/{cloudId}";
/// Below the gateway's origin: see [`Base::Jira`].
pub const JIRA_PREFIX: &str = "/ex/jira/{cloudId}";
/// The gateway's origin.
pub const ORIGIN: &str = "https://api.atlassian.com";
/// The origin of [`Base::Login`].
pub const LOGIN_ORIGIN: &str = "https://auth.atlassian.com";
/// Header that names a bulk request: same key and body give the same task.
pub const IDEMPOTENCY_KEY: &str = "Idempotency-Key";
/// Header that opts in to experimental methods; always sent.
pub const EXPERIMENTAL_API: &str = "X-ExperimentalApi";
/// The value of [`EXPERIMENTAL_API`].
pub const EXPERIMENTAL_OPT_IN: &str = "opt-in";
/// The message of the 400 that means back-pressure.
pub const TASK_LIMIT_MESSAGE: &str = "Maximum number of tasks reached";

/// Part of the 400 that refuses a known idempotency key with another body. Seen.
pub const KEY_REUSED_MESSAGE: &str = "can only be retried with the same request data";

/// What the ids of Customer Accounts begin with; those of Atlassian accounts do not. Seen.
pub const CUSTOMER_ACCOUNT_ID: &str = "qm:";

/// Keys inside payloads.
pub mod keys {
    /// `operationType` of a bulk item.
    pub const OPERATION: &str = "operationType";
    /// `payload` of a bulk item.
    pub const PAYLOAD: &str = "payload";
    /// The operations of an item of a bulk request of detail values, each [`OPERATION`] and [`PAYLOAD`].
    pub const OPERATIONS: &str = "operations";
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
    pub const ASSOCIATE_ORGANIZATIONS: &str = super::Name::AssociateOrganizations.default();
    /// Ids inside [`ASSOCIATE_ORGANIZATIONS`], as strings.
    pub const ORGANIZATION_IDS: &str = "organizationIds";
    /// Ids asked for in `organization/fetch`. A guess.
    pub const FETCH_ORGANIZATION_IDS: &str = super::Name::FetchOrganizationIds.default();
    /// Names asked for in `organization/fetch`. A guess.
    pub const FETCH_ORGANIZATION_NAMES: &str = super::Name::FetchOrganizationNames.default();
    /// The list in the answer of `organization/fetch`, each `{id, name}`. A guess.
    pub const FETCHED_ORGANIZATIONS: &str = super::Name::FetchedOrganizations.default();
    /// Customers of an organization; holds [`CUSTOMER_IDS`].
    pub const ASSOCIATE_CUSTOMERS: &str = "associateCustomers";
    /// Ids inside [`ASSOCIATE_CUSTOMERS`], and asked for in `customer/profile/fetch`.
    pub const CUSTOMER_IDS: &str = "customerIds";
    /// The definitions of a bulk request, each `{name, type}`; the criteria of `customer/search-by-detail-field`,
    /// each `{name, value}`.
    pub const DETAIL_FIELDS: &str = "detailFields";
    /// The value a criterion asks for.
    pub const VALUE: &str = "value";
    /// Products of a customer or organization; holds [`PRODUCT_IDS`]. A guess.
    pub const ASSOCIATE_PRODUCTS: &str = super::Name::AssociateProducts.default();
    /// Ids inside [`ASSOCIATE_PRODUCTS`]. A guess.
    pub const PRODUCT_IDS: &str = super::Name::ProductIds.default();
}

/// Keys inside answers that are not those of payloads.
pub mod answer {
    /// The id of a task, organization, product or entitlement.
    pub const ID: &str = "id";
    /// A task's path, relative and without the cloud prefix.
    pub const STATUS_URL: &str = "statusUrl";
    /// What a task does; a detail field's or owner's type.
    pub const TYPE: &str = "type";
    /// A task's state.
    pub const STATUS: &str = "status";
    /// A task's failed operations.
    pub const FAILURES: &str = "failures";
    /// When a task was accepted.
    pub const CREATED_AT: &str = "createdAt";
    /// When a task's state last changed.
    pub const UPDATED_AT: &str = "updatedAt";
    /// The kind of record of a failure; the owner of an entitlement.
    pub const ENTITY: &str = "entity";
    /// The record of a failure. Its content for failed creates is unknown.
    pub const ENTITY_ID: &str = "entityId";
    /// The verb of a failure.
    pub const OPERATION: &str = "operation";
    /// The part of the record a failure concerns.
    pub const OPERATED_ON: &str = "operatedOn";
    /// Names or ids of the parts a failure concerns.
    pub const OPERATED_ON_IDS: &str = "operatedOnIds";
    /// The reason of a failure.
    pub const ERROR: &str = "error";
    /// A page of products, the detail fields of a site, the customers a search found (the last a guess).
    pub const RESULTS: &str = "results";
    /// Where the next page of products starts; absent on the last.
    pub const NEXT_PAGE_CURSOR: &str = "nextPageCursor";
    /// The list in the answer of `customer/profile/fetch`. Seen.
    pub const PROFILES: &str = "profiles";
    /// The organizations of a customer profile.
    pub const ORGANIZATIONS: &str = "organizations";
    /// The entitlements of a profile. A guess.
    pub const ENTITLEMENTS: &str = "entitlements";
    /// The product of an entitlement. A guess.
    pub const PRODUCT: &str = "product";
    /// The options of a detail field's type.
    pub const OPTIONS: &str = "options";
    /// A detail field's configuration; holds [`POSITION`].
    pub const CONFIGURATION: &str = "configuration";
    /// A detail field's place among its siblings.
    pub const POSITION: &str = "position";
    /// The reason in an error body. Seen.
    pub const ERROR_MESSAGE: &str = "errorMessage";
    /// The reason codes in an error body. Seen.
    pub const ERRORS: &str = "errors";
    /// The HTTP status, repeated in an error body. Seen.
    pub const STATUS_CODE: &str = "statusCode";
}

/// Keys of query strings.
pub mod query {
    /// Products of a page.
    pub const LIMIT: &str = "limit";
    /// Where a page starts.
    pub const CURSOR: &str = "cursor";
    /// Where a page starts, as a number from 0.
    pub const START: &str = "start";
    /// Which page of a search, from 0.
    pub const PAGE: &str = "page";
    /// Customers of a search's page.
    pub const MAX_RESULTS: &str = "maxResults";
    /// The detail field whose values are set.
    pub const FIELD_NAME: &str = "fieldName";
    /// The product whose entitlements are listed.
    pub const PRODUCT: &str = "product";
    /// The kind of holder whose entitlements are paged.
    pub const ENTITY_TYPE: &str = "entityType";
    /// The holder whose entitlements are paged.
    pub const ENTITY_ID: &str = "entityId";
    /// What users are searched by.
    pub const QUERY: &str = "query";
}

/// Keys of the fall-back calls outside the CSM API.
pub mod fallback {
    /// A user's id. Seen.
    pub const ACCOUNT_ID: &str = "accountId";
    /// A user's e-mail, which may be hidden. Seen.
    pub const EMAIL_ADDRESS: &str = "emailAddress";
    /// The customers to put into an organization. Documented.
    pub const ACCOUNT_IDS: &str = "accountIds";
    /// The organizations of a page. Documented.
    pub const VALUES: &str = "values";
    /// Whether no page follows. Documented.
    pub const IS_LAST_PAGE: &str = "isLastPage";
}

/// Values of a task's `status`.
pub mod task_status {
    /// Queued; takes a slot.
    pub const NOT_STARTED: &str = "NOT_STARTED";
    /// Running; takes a slot.
    pub const IN_PROGRESS: &str = "IN_PROGRESS";
    /// Ended; its failures tell full from partial success.
    pub const FINISHED: &str = "FINISHED";
    /// Failed or timed out. Rows may have been written all the same.
    pub const FAILED: &str = "FAILED";
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

/// The verb of an operation on a detail value. Documented; what each does is a guess.
#[must_use]
pub const fn verb_word(verb: Verb) -> &'static str {
    match verb {
        Verb::Update => "UPDATE",
        Verb::Patch => "PATCH",
        Verb::Delete => "DELETE",
    }
}
