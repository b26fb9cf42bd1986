//! A site that takes the guessed names and forms otherwise.

use super::*;
use crate::api::contract::{IdForm, Name};

/// A contract with every guessed name said otherwise.
fn otherwise() -> Contract {
    Name::ALL
        .iter()
        .fold(Contract::default(), |contract, name| {
            contract.with(*name, format!("x-{}", name.key()))
        })
}

#[test]
fn guessed_keys_follow_the_contract_and_their_defaults_are_unknown_then() {
    let contract = otherwise();
    let product = json!({ "x-associate_products": { "x-product_ids": ["none"] } });
    let upsert = |payload: Value| json!([{ "operationType": "UPSERT", "payload": payload }]);
    let mut payload =
        json!({ "email": "a@b", "x-associate_organizations": { "organizationIds": ["1"] } });
    payload["x-associate_products"] = product["x-associate_products"].clone();
    let account = upsert(json!({ "email": "a@b" }));
    let operations = json!([{ "operationType": "DELETE", "payload": { "name": "Industry" } }]);
    let good = [
        (
            Bulk::CustomerAccounts,
            json!({ "x-customer_accounts": account }),
        ),
        (
            Bulk::CustomerProfiles,
            json!({ "x-customer_profiles": upsert(payload) }),
        ),
        (
            Bulk::Organizations,
            json!({ "x-organizations": upsert(json!({ "name": "Beta" })) }),
        ),
        (
            Bulk::OrganizationDetails,
            json!({ "x-organization_details": [{ "x-organization_details_id": "1", "operations": operations }] }),
        ),
    ];
    for (bulk, body) in good {
        let mut site = site();
        let accepted = submit_by(&contract, &mut site, &quick(), 0, bulk, "k", &body);
        assert!(accepted.is_ok(), "{bulk:?}: {accepted:?}");
        let refused = submit_to(&mut site, &quick(), 0, bulk, "l", &body).unwrap_err();
        assert!(refused.message.contains("unknown key \"x-"), "{refused:?}");
        // what was accepted is done whatever the names are by then
        let mut again = Site::new(CLOUD);
        for change in site.take_changes() {
            again.repeat(change).unwrap();
        }
        again.ready().unwrap();
        again.advance(&quick(), 1000);
        assert_eq!(again.counts()["unfinishedTasks"], 0);
    }
}

#[test]
fn answers_follow_the_contract() {
    let site = site();
    let contract = &otherwise();
    let by_id = super::super::request::single::FetchOrganizations {
        ids: Some(vec!["1".into()]),
        names: None,
    };
    let fetched = site.fetch_organizations(contract, by_id).unwrap();
    assert_eq!(
        fetched,
        json!({ "x-fetched_organizations": [{ "id": "1", "name": "Acme Ltd" }] })
    );
    let by_id = super::super::request::single::FetchOrganizationProfiles {
        ids: Some(vec!["1".into(), "9".into()]),
    };
    let fetched = site.fetch_organization_profiles(contract, by_id).unwrap();
    let profiles = &fetched["x-fetched_organization_profiles"];
    assert_eq!(profiles.as_array().unwrap().len(), 1);
    let owner = (Some("x-entitlement_organization"), Some("1"));
    let listed = site.entitlements(contract, owner, None, super::super::Page::default());
    assert_eq!(listed.unwrap(), json!({ "results": [] }));
}

#[test]
fn only_ids_of_the_form_that_works_put_customers_into_organizations() {
    for (form, ids, works) in [
        (IdForm::String, json!(["1"]), true),
        (IdForm::String, json!([1]), false),
        (IdForm::Number, json!([1]), true),
        (IdForm::Number, json!(["1"]), false),
    ] {
        let mut site = site();
        let mut contract = Contract::default();
        contract.organization_ids = form;
        let member =
            json!({ "email": "a@b", "associateOrganizations": { "organizationIds": ids } });
        let items = json!([{ "operationType": "UPSERT", "payload": member }]);
        let body = json!({ "customerProfiles": items });
        let bulk = Bulk::CustomerProfiles;
        submit_by(&contract, &mut site, &quick(), 0, bulk, "k", &body).unwrap();
        site.advance(&quick(), 1000);
        let listed = site.list(Entity::Customer, None, 1);
        let organizations = listed["results"][0]["organizations"].as_array().unwrap();
        assert_eq!(!organizations.is_empty(), works, "{form:?} {ids}");
    }
}
