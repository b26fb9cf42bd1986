//! How much one request or one page may hold, endpoint by endpoint.

use super::{
    CUSTOMER_ACCOUNT_BULK, CUSTOMER_DEFINITIONS_BULK, CUSTOMER_PROFILE_BULK, Endpoint,
    MAX_DETAIL_OPERATIONS, MAX_ENTITLEMENT_PAGE, MAX_FETCH_CUSTOMERS,
    MAX_FETCH_ORGANIZATION_PROFILES, MAX_FETCH_ORGANIZATIONS, MAX_ORGANIZATION_PAGE,
    MAX_PRODUCT_PAGE, ORGANIZATION_BULK, ORGANIZATION_PROFILE_BULK,
};

/// The most of something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cap {
    /// How many.
    pub most: usize,
    /// Of what.
    pub of: &'static str,
}

impl Endpoint {
    /// What its requests or pages may hold; `None` where there is one record, or no limit is known.
    #[must_use]
    pub const fn cap(self) -> Option<Cap> {
        let (most, of) = match self {
            Self::BulkCustomerAccounts => (CUSTOMER_ACCOUNT_BULK.max_items, "accounts"),
            Self::BulkOrganizations => (ORGANIZATION_BULK.max_items, "organizations"),
            Self::BulkCustomerProfiles => (CUSTOMER_PROFILE_BULK.max_items, "profiles"),
            Self::BulkOrganizationProfiles => (ORGANIZATION_PROFILE_BULK.max_items, "profiles"),
            Self::BulkCustomerDetails | Self::BulkOrganizationDetails => {
                (MAX_DETAIL_OPERATIONS, "detail operations over all records")
            }
            Self::BulkCustomerDetailDefinitions | Self::BulkOrganizationDetailDefinitions => {
                (CUSTOMER_DEFINITIONS_BULK.max_items, "detail fields")
            }
            Self::FetchCustomerProfiles => (MAX_FETCH_CUSTOMERS, "ids"),
            Self::FetchOrganizations => (MAX_FETCH_ORGANIZATIONS, "ids or names"),
            Self::FetchOrganizationProfiles => (MAX_FETCH_ORGANIZATION_PROFILES, "ids"),
            Self::ListProducts => (MAX_PRODUCT_PAGE, "products a page"),
            Self::ListEntitlements => (MAX_ENTITLEMENT_PAGE, "entitlements a page"),
            Self::ListServiceDeskOrganizations => (MAX_ORGANIZATION_PAGE, "organizations a page"),
            _ => return None,
        };
        Some(Cap { most, of })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::contract::Kind;

    #[test]
    fn every_bulk_request_has_a_cap() {
        for endpoint in Endpoint::ALL {
            assert!(
                endpoint.kind() != Kind::Bulk || endpoint.cap().is_some(),
                "{}",
                endpoint.name()
            );
        }
    }
}
