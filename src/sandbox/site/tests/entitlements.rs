//! Entitlements: made by profiles and single calls, inherited, described and deleted.

use super::super::Page;
use super::*;

#[test]
fn a_profile_entitles_once_and_a_single_call_every_time() {
    let mut site = site();
    let contract = Contract::default();
    let product = product_id(&site);
    let profile =
        json!({ "email": "a@b", "associateProducts": { "productIds": [product, product] } });
    for _ in 0..2 {
        assert!(load(&mut site, Entity::Customer, "UPSERT", &profile).is_empty());
    }
    assert_eq!(site.counts()["entitlements"], 1);
    let id = super::super::ids::record(CLOUD, Entity::Customer, 0);
    let given = site
        .give(9, &contract, Entity::Customer, &id, &product)
        .unwrap();
    assert_eq!(site.counts()["entitlements"], 2);
    assert_eq!(
        given,
        json!({
            "id": given["id"],
            "product": { "id": product, "name": "Router" },
            "entity": { "type": "CUSTOMER", "id": id },
            "details": [],
        })
    );
    let again = site.entitlement(&contract, given["id"].as_str().unwrap());
    assert_eq!(again.unwrap(), given);
    let unknown = site.give(9, &contract, Entity::Customer, &id, "none");
    assert_eq!(
        unknown.unwrap_err(),
        Refusal::bad_request("Product not found")
    );
}

#[test]
fn customers_inherit_in_one_list_and_not_in_the_other() {
    let mut site = site();
    let contract = Contract::default();
    let router = product_id(&site);
    let switch = site.create_product(0, "Switch").unwrap();
    let member = json!({ "email": "a@b", "associateOrganizations": { "organizationIds": ["1"] } });
    assert!(load(&mut site, Entity::Customer, "UPSERT", &member).is_empty());
    let id = super::super::ids::record(CLOUD, Entity::Customer, 0);
    site.give(0, &contract, Entity::Organization, "1", &router)
        .unwrap();
    site.give(0, &contract, Entity::Customer, &id, &switch)
        .unwrap();
    let told = |list: Value| -> Vec<String> {
        let list = list["results"].as_array().unwrap().iter();
        list.map(|e| {
            let word = |value: &Value| value.as_str().unwrap().to_owned();
            format!(
                "{} {}",
                word(&e["entity"]["type"]),
                word(&e["product"]["name"])
            )
        })
        .collect()
    };
    let list =
        |product: Option<&str>| told(site.customer_entitlements(&contract, &id, product).unwrap());
    assert_eq!(list(None), ["CUSTOMER Switch", "ORGANIZATION Router"]);
    assert_eq!(list(Some(&router)), ["ORGANIZATION Router"]);
    assert_eq!(list(Some("none")), [""; 0]);
    let of = site.organization_entitlements(&contract, "1", Some(&switch));
    assert_eq!(told(of.unwrap()), [""; 0]);
    let own = |word: Option<&str>, id: Option<&str>| {
        site.entitlements(&contract, (word, id), None, Page::default())
    };
    assert_eq!(
        told(own(Some("CUSTOMER"), Some(&id)).unwrap()),
        ["CUSTOMER Switch"]
    );
    assert_eq!(
        told(own(Some("ORGANIZATION"), Some("1")).unwrap()),
        ["ORGANIZATION Router"]
    );
    assert_eq!(own(None, Some("1")).unwrap_err().status, 400);
    assert_eq!(own(Some("PRODUCT"), Some("1")).unwrap_err().status, 400);
    assert_eq!(
        own(Some("ORGANIZATION"), Some("9")).unwrap_err().status,
        404
    );
}

#[test]
fn entitlements_come_in_pages_of_25_at_most() {
    let mut site = site();
    let contract = Contract::default();
    let product = product_id(&site);
    for _ in 0..30 {
        site.give(0, &contract, Entity::Organization, "1", &product)
            .unwrap();
    }
    let page = |start, limit| {
        let owner = (Some("ORGANIZATION"), Some("1"));
        let page = site.entitlements(&contract, owner, None, Page { start, limit });
        page.unwrap()["results"].as_array().unwrap().len()
    };
    for (start, limit, expected) in [
        (None, None, 25),
        (Some(25), None, 5),
        (Some(0), Some(10), 10),
        (Some(0), Some(50), 25),
        (Some(0), Some(0), 1),
        (Some(30), None, 0),
    ] {
        assert_eq!(page(start, limit), expected, "{start:?} {limit:?}");
    }
}

#[test]
fn an_entitlement_has_details_until_it_is_deleted() {
    let mut site = site();
    let contract = Contract::default();
    let since = Field {
        name: "Since".into(),
        kind: FieldKind::Date,
        options: Vec::new(),
    };
    site.define(0, Entity::Entitlement, since).unwrap();
    let product = product_id(&site);
    let given = site.give(0, &contract, Entity::Organization, "1", &product);
    let id = given.unwrap()["id"].as_str().unwrap().to_owned();
    let mut set = |value: &str| {
        site.set_detail(1, Entity::Entitlement, &id, "since", vec![value.into()])
            .map_err(|refusal| refusal.message)
    };
    assert_eq!(set("tomorrow").unwrap_err(), "Invalid detail field value");
    set("2026-02-28").unwrap();
    let shown = site.entitlement(&contract, &id).unwrap();
    assert_eq!(shown["details"][0]["values"], json!(["2026-02-28"]));
    let listed = site.list(Entity::Entitlement, None, 10);
    assert_eq!(listed["results"][0]["key"], "acme ltd/router");
    site.delete(2, Entity::Entitlement, &id).unwrap();
    let gone = site.delete(2, Entity::Entitlement, &id).unwrap_err();
    assert_eq!(gone, Refusal::not_found("Entitlement not found"));
    assert_eq!(
        site.organization_profile(&contract, "1").unwrap()["entitlements"],
        json!([])
    );
    let next = site.give(3, &contract, Entity::Organization, "1", &product);
    assert_ne!(next.unwrap()["id"], id);
}
