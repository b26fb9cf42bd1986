//! What is guessed, and can be said otherwise in a job file's `[contract]`.
//!
//! Names stand in a table with their defaults; numbers and switches are fields of [`Contract`].

use super::Grade;
use std::borrow::Cow;
use std::time::Duration;

/// Declares the names once: variant, key in `[contract]`, default, grade, where it stands.
macro_rules! names {
    ($($(#[doc = $doc:literal])+ $name:ident = $key:literal, $default:literal, $grade:ident, $place:literal;)+) => {
        /// A name of the API that is not documented.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Name {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Name {
            /// Every name, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// Its key in `[contract]`.
            #[must_use]
            pub const fn key(self) -> &'static str {
                match self { $(Self::$name => $key),+ }
            }

            /// What it is taken for when nobody says otherwise.
            #[must_use]
            pub const fn default(self) -> &'static str {
                match self { $(Self::$name => $default),+ }
            }

            /// How the default is known.
            #[must_use]
            pub const fn grade(self) -> Grade {
                match self { $(Self::$name => Grade::$grade),+ }
            }

            /// Where it stands.
            #[must_use]
            pub const fn place(self) -> &'static str {
                match self { $(Self::$name => $place),+ }
            }
        }
    };
}

names! {
    /// The list of a bulk request for customer accounts.
    CustomerAccounts = "customer_accounts", "customerAccounts", Seen, "POST customer/bulk: the list";
    /// The list of a bulk request for customer profiles.
    CustomerProfiles = "customer_profiles", "customerProfiles", Seen, "POST customer/profile/bulk: the list";
    /// The list of a bulk request for organizations.
    Organizations = "organizations", "organizations", Guess, "POST organization/bulk: the list";
    /// The list of a bulk request for organizations' detail values.
    OrganizationDetails = "organization_details", "organizations", Guess, "POST organization/details/bulk: the list";
    /// The organization's id in the same.
    OrganizationDetailsId = "organization_details_id", "organizationId", Guess,
        "POST organization/details/bulk: the id of an item";
    /// The object of a customer's organizations.
    AssociateOrganizations = "associate_organizations", "associateOrganizations", Seen,
        "customer profiles: the object that names organizations";
    /// The object of a record's products.
    AssociateProducts = "associate_products", "associateProducts", Guess,
        "customer and organization profiles: the object that names products";
    /// The list inside it.
    ProductIds = "product_ids", "productIds", Guess, "customer and organization profiles: the list of product ids";
    /// The ids asked for in `organization/fetch`.
    FetchOrganizationIds = "fetch_organization_ids", "organizationIds", Guess, "POST organization/fetch: ids asked for";
    /// The names asked for in the same.
    FetchOrganizationNames = "fetch_organization_names", "organizationNames", Guess,
        "POST organization/fetch: names asked for";
    /// The list of the answer.
    FetchedOrganizations = "fetched_organizations", "organizations", Guess, "POST organization/fetch: the answer's list";
    /// The ids asked for in `organization/profile/fetch`.
    FetchOrganizationProfileIds = "fetch_organization_profile_ids", "organizationIds", Guess,
        "POST organization/profile/fetch: ids asked for";
    /// The list of the answer.
    FetchedOrganizationProfiles = "fetched_organization_profiles", "profiles", Guess,
        "POST organization/profile/fetch: the answer's list";
    /// The list of customers that a search found.
    FoundCustomers = "found_customers", "results", Guess, "POST customer/search-by-detail-field: the answer's list";
    /// The product of a new entitlement.
    EntitlementProduct = "entitlement_product", "productId", Guess, "POST …/entitlement: the product's id";
    /// How `GET /entitlements` calls a customer.
    EntitlementCustomer = "entitlement_customer", "CUSTOMER", Guess, "GET entitlements: entityType of a customer";
    /// How `GET /entitlements` calls an organization.
    EntitlementOrganization = "entitlement_organization", "ORGANIZATION", Guess,
        "GET entitlements: entityType of an organization";
}

/// How an organization's id is written where a profile names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum IdForm {
    /// `"123"`: what the documented sibling for customers shows.
    #[default]
    String,
    /// `123`: what was seen, and had no effect.
    Number,
}

/// What of the API a job may say otherwise, with all it does not say at its default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contract {
    names: Vec<Cow<'static, str>>,
    /// Unfinished tasks that a site allows. One page says 5, another 10.
    pub task_limit: usize,
    /// How organization ids are written in profiles.
    pub organization_ids: IdForm,
    /// How long a site remembers an idempotency key. A guess.
    pub key_lifetime: Duration,
    /// How long reads may lag behind writes: what is not seen is looked for again until then. A guess.
    pub read_patience: Duration,
    /// Whether a customer may be looked up by e-mail through the Jira API, where the CSM API offers nothing.
    pub user_search: bool,
    /// Whether organizations may be listed through the service desk API, where `organization/fetch` does not answer.
    pub organization_list: bool,
    /// Whether memberships may be made through the service desk API, where a profile's did not arrive.
    pub membership: bool,
}

impl Default for Contract {
    fn default() -> Self {
        let names = Name::ALL.iter().map(|name| Cow::Borrowed(name.default()));
        Self {
            names: names.collect(),
            task_limit: super::MAX_TASKS,
            organization_ids: IdForm::default(),
            key_lifetime: Duration::from_hours(24),
            read_patience: Duration::from_secs(90),
            user_search: false,
            organization_list: false,
            membership: false,
        }
    }
}

impl Contract {
    /// What a name is taken for.
    #[must_use]
    pub fn name(&self, name: Name) -> &str {
        &self.names[name as usize]
    }

    /// Says a name otherwise.
    #[must_use]
    pub fn with(mut self, name: Name, value: impl Into<String>) -> Self {
        self.names[name as usize] = Cow::Owned(value.into());
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_its_default_until_it_is_said_otherwise() {
        let contract = Contract::default();
        for name in Name::ALL {
            assert_eq!(contract.name(*name), name.default());
        }
        let contract = contract.with(Name::ProductIds, "products");
        assert_eq!(contract.name(Name::ProductIds), "products");
        assert_eq!(contract.name(Name::AssociateProducts), "associateProducts");
    }
}
