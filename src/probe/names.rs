//! Which names are tried for what is not documented.

use crate::api::contract::{Contract, Name};

/// What else a name could be, the likeliest first: by its siblings in the documentation.
const fn alternatives(name: Name) -> &'static [&'static str] {
    match name {
        Name::CustomerAccounts => &["accounts", "customers"],
        Name::CustomerProfiles => &["profiles", "customers"],
        Name::Organizations => &["organizationAccounts", "organizationOperations"],
        Name::OrganizationDetails => &["organizationDetails", "details"],
        Name::OrganizationDetailsId => &["id"],
        Name::AssociateOrganizations => &["organizations", "associatedOrganizations"],
        Name::AssociateProducts => &["products", "associatedProducts"],
        Name::ProductIds => &["ids", "products"],
        Name::FetchOrganizationIds | Name::FetchOrganizationProfileIds => &["ids"],
        Name::FetchOrganizationNames => &["names", "organizationName"],
        Name::EntitlementProduct => &["product", "id"],
        Name::EntitlementCustomer => &["customer", "CUSTOMER_ACCOUNT"],
        Name::EntitlementOrganization => &["organization"],
        // the answer itself shows them
        Name::FetchedOrganizations | Name::FetchedOrganizationProfiles | Name::FoundCustomers => {
            &[]
        }
    }
}

/// What to try for a name: what it is taken for, then its default, then the rest.
pub(super) fn candidates(contract: &Contract, name: Name) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    let known = [contract.name(name), name.default()];
    for candidate in known.iter().chain(alternatives(name)) {
        if !all.iter().any(|tried| tried == candidate) {
            all.push((*candidate).to_owned());
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_believed_is_tried_first_and_nothing_twice() {
        let contract = Contract::default();
        assert_eq!(
            candidates(&contract, Name::ProductIds),
            ["productIds", "ids", "products"]
        );
        let contract = contract.with(Name::ProductIds, "products");
        assert_eq!(
            candidates(&contract, Name::ProductIds),
            ["products", "productIds", "ids"]
        );
    }

    #[test]
    fn every_name_of_a_request_has_an_alternative() {
        for name in Name::ALL {
            let in_answer = name.place().contains("the answer's list");
            assert_eq!(alternatives(*name).is_empty(), in_answer, "{}", name.key());
        }
    }
}
