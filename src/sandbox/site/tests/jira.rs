//! The calls of the Jira API.

use super::super::Page;
use super::*;
use crate::sandbox::site::Item;
use crate::sandbox::site::item::CustomerKind;

#[test]
fn a_new_customer_is_found_by_address_only_after_the_lag_and_by_name_as_well() {
    const LAG: i64 = 60_000;
    let mut site = site();
    let mut ana = Item::create("Ana@example.com".into());
    ana.display_name = Some("Ana Ito".into());
    let id = site.write(1000, Entity::Customer, &ana).unwrap();
    let find = |now, query: &str| site.search_users(LAG, now, query).unwrap();
    assert_eq!(find(60_999, "ana@example.com"), json!([]));
    let found = find(61_000, " ana@EXAMPLE.com");
    assert_eq!(
        found,
        json!([{ "accountId": id, "accountType": "customer", "displayName": "Ana Ito",
            "active": true, "emailAddress": "Ana@example.com" }])
    );
    for (query, count) in [("ito", 1), ("ana", 1), ("an", 1), ("na", 0), ("a@b", 0)] {
        let found = find(61_000, query);
        assert_eq!(found.as_array().unwrap().len(), count, "{query}");
    }
    // a change of the customer does not hide it again
    site.name_account(62_000, &id, "Ana I.".into()).unwrap();
    let found = site.search_users(LAG, 62_000, "ana@example.com");
    assert_eq!(found.unwrap()[0]["displayName"], "Ana I.");
    let nothing = site.search_users(LAG, 0, " ").unwrap_err();
    assert_eq!(nothing.status, 400);
}

#[test]
fn an_atlassian_account_hides_its_address() {
    let mut site = site();
    let mut eve = Item::create("eve@example.com".into());
    eve.kind = Some(CustomerKind::Atlassian);
    let id = site.write(0, Entity::Customer, &eve).unwrap();
    let found = site.search_users(0, 0, "eve@example.com").unwrap();
    assert_eq!(found[0]["accountId"], id);
    assert!(found[0].get("emailAddress").is_none());
}

#[test]
fn organizations_are_listed_fifty_a_page() {
    let mut site = site();
    for n in 0..60 {
        let item = Item::create(format!("Organization {n}"));
        site.put(0, Entity::Organization, &item).unwrap();
    }
    let page = |start, limit| site.service_desk_organizations(Page { start, limit });
    let first = page(None, None);
    let told = |page: &Value| {
        let values = page["values"].as_array().unwrap().len();
        assert_eq!(page["size"], values);
        (values, page["isLastPage"].as_bool().unwrap())
    };
    assert_eq!(first["values"][0], json!({ "id": "1", "name": "Acme Ltd" }));
    assert_eq!(told(&first), (50, false));
    assert_eq!(told(&page(Some(50), Some(100))), (11, true));
    assert_eq!(told(&page(Some(51), Some(10))), (10, true));
    assert_eq!(told(&page(Some(70), None)), (0, true));
}

#[test]
fn users_are_put_into_an_organization_all_or_none() {
    let mut site = site();
    let (ana, bo) = (customer(&mut site, "a@b"), customer(&mut site, "c@d"));
    let organizations = |site: &Site, id: &str| {
        site.customer(id).unwrap()["organizations"]
            .as_array()
            .unwrap()
            .len()
    };
    let some = site.add_users(1, "1", &[ana.clone(), "none".into()]);
    assert_eq!(some.unwrap_err().status, 400);
    assert_eq!(organizations(&site, &ana), 0);
    site.add_users(1, "1", &[ana.clone(), bo.clone()]).unwrap();
    assert_eq!(
        (organizations(&site, &ana), organizations(&site, &bo)),
        (1, 1)
    );
    assert_eq!(site.add_users(1, "9", &[]).unwrap_err().status, 404);
    let audit = site.audit(0, 100);
    let last = audit["entries"].as_array().unwrap().last().unwrap();
    assert_eq!(last["content"], json!({ "customers": [ana, bo] }));
}
