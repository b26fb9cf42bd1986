//! What deleting takes away, and that no id comes back.

use super::*;

#[test]
fn a_deleted_customer_is_gone_from_every_answer_and_its_address_is_free() {
    let mut site = site();
    let id = customer(&mut site, "ana@example.com");
    let product = product_id(&site);
    let contract = Contract::default();
    site.give(0, &contract, Entity::Customer, &id, &product)
        .unwrap();
    site.set_detail(0, Entity::Customer, &id, "Region", vec!["EMEA".into()])
        .unwrap();
    site.delete_account(1, &id).unwrap();
    let not_found = Refusal::not_found("Customer not found");
    assert_eq!(site.delete_account(1, &id).unwrap_err(), not_found);
    assert_eq!(site.customer(&id).unwrap_err(), not_found);
    let count = |site: &Site, of: &str| site.counts()[of].clone();
    assert_eq!(
        (count(&site, "customers"), count(&site, "entitlements")),
        (json!(0), json!(0))
    );
    assert_eq!(site.list(Entity::Customer, None, 10)["results"], json!([]));
    let update = json!({ "customerId": id, "displayName": "Ana" });
    let tail = id.rsplit(':').next().unwrap();
    assert_eq!(
        load(&mut site, Entity::Customer, "UPDATE", &update),
        [format!(
            "UPDATE CUSTOMER_ACCOUNT {tail} [] Customer not found"
        )]
    );
    let again = customer(&mut site, "ana@example.com");
    assert_ne!(again, id);
    let audit = site.audit(0, 100);
    let told: Vec<_> = audit["entries"].as_array().unwrap()[2..]
        .iter()
        .map(|entry| {
            format!(
                "{} {} {}",
                entry["entity"], entry["operation"], entry["key"]
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            r#""customer" "create" "ana@example.com""#,
            r#""entitlement" "create" "ana@example.com/router""#,
            r#""customer" "update" "ana@example.com""#,
            r#""customer" "delete" "ana@example.com""#,
            r#""customer" "create" "ana@example.com""#,
        ]
    );
}

#[test]
fn a_deleted_organization_leaves_its_members_and_its_number_is_not_given_again() {
    let mut site = site();
    let member = json!({ "email": "a@b", "associateOrganizations": { "organizationIds": ["1"] } });
    assert!(load(&mut site, Entity::Customer, "UPSERT", &member).is_empty());
    let customers = |site: &Site| site.list(Entity::Customer, None, 10)["results"].clone();
    assert_eq!(customers(&site)[0]["organizations"][0]["id"], "1");
    site.delete(1, Entity::Organization, "1").unwrap();
    assert_eq!(customers(&site)[0]["organizations"], json!([]));
    assert_eq!(
        site.organization("1").unwrap_err(),
        Refusal::not_found("Organization not found")
    );
    let acme = crate::sandbox::site::Item::create("Acme Ltd".into());
    assert_eq!(site.put(2, Entity::Organization, &acme).unwrap(), "2");
    assert_eq!(customers(&site)[0]["organizations"], json!([]));
    let page = site.service_desk_organizations(super::super::Page::default());
    assert_eq!(page["values"], json!([{ "id": "2", "name": "Acme Ltd" }]));
}

#[test]
fn a_deleted_product_takes_its_entitlements_along_and_pages_go_on() {
    let mut site = site();
    let contract = Contract::default();
    let id = customer(&mut site, "a@b");
    site.add_users(0, "1", std::slice::from_ref(&id)).unwrap();
    let router = product_id(&site);
    let switch = site.create_product(0, "Switch").unwrap();
    for (owner, owner_id) in [(Entity::Customer, &*id), (Entity::Organization, "1")] {
        for product in [&router, &switch] {
            site.give(0, &contract, owner, owner_id, product).unwrap();
        }
    }
    let first = site.products(Some(1), None).unwrap();
    site.delete(1, Entity::Product, &switch).unwrap();
    assert_eq!(
        site.product(&switch).unwrap_err(),
        Refusal::not_found("Product not found")
    );
    assert_eq!(site.counts()["entitlements"], 2);
    let rest = site.products(Some(1), first["nextPageCursor"].as_str());
    assert_eq!(rest.unwrap(), json!({ "results": [] }));
    let left = site.customer_entitlements(&contract, &id, None).unwrap();
    let left = left["results"].as_array().unwrap();
    assert_eq!(left.len(), 2, "its own and its organization's: {left:?}");
    assert!(left.iter().all(|e| e["product"]["name"] == "Router"));
}
