//! Customer accounts, organizations without profiles, and customers of the second kind.

use super::*;
use crate::sandbox::site::item::CustomerKind;
use crate::sandbox::site::{Item, ids};

#[test]
fn bulk_accounts_are_created_renamed_and_moved_to_another_address() {
    let mut site = site();
    let send = |site: &mut Site, verb: &str, payload: &Value| {
        let item = json!({ "operationType": verb, "payload": payload });
        let body = json!({ "customerAccounts": [item] });
        run(site, Bulk::CustomerAccounts, &body)
    };
    let none: [&str; 0] = [];
    let ana = json!({ "email": "ana@example.com", "displayName": "Ana" });
    assert_eq!(send(&mut site, "CREATE", &ana), none);
    let id = ids::record(CLOUD, Entity::Customer, 0);
    let tail = id.rsplit(':').next().unwrap();
    assert_eq!(
        send(&mut site, "CREATE", &ana),
        [format!(
            "CREATE CUSTOMER_ACCOUNT {tail} [] Customer already exists"
        )]
    );
    let moved = json!({ "customerId": id, "email": "a@example.com" });
    assert_eq!(send(&mut site, "UPDATE", &moved), none);
    assert_eq!(
        send(&mut site, "UPDATE", &ana),
        ["UPDATE CUSTOMER_ACCOUNT ana@example.com [] Customer not found"]
    );
    assert_eq!(
        site.account(&id).unwrap(),
        json!({ "customerId": id, "email": "a@example.com", "displayName": "Ana" })
    );
}

#[test]
fn bulk_organizations_carry_a_name_alone() {
    let mut site = site();
    let body = json!({ "organizations": [
        { "operationType": "UPSERT", "payload": { "name": "Beta" } },
        { "operationType": "UPDATE", "payload": { "id": "1", "name": "Acme Inc" } },
        { "operationType": "UPDATE", "payload": { "id": "9", "name": "Gone" } },
    ] });
    assert_eq!(
        run(&mut site, Bulk::Organizations, &body),
        ["UPDATE ORGANIZATION 9 [] Organization not found"]
    );
    let name = |id: &str| site.organization(id).unwrap()["name"].clone();
    assert_eq!((name("1"), name("2")), (json!("Acme Inc"), json!("Beta")));
    let details = json!({ "organizations": [{ "operationType": "UPSERT",
        "payload": { "name": "Beta", "details": [] } }] });
    let refused = submit_to(
        &mut site,
        &quick(),
        0,
        Bulk::Organizations,
        "details",
        &details,
    );
    assert!(refused.unwrap_err().message.contains("unknown key"));
}

#[test]
fn single_accounts_are_created_renamed_and_refused() {
    let mut site = site();
    let id = customer(&mut site, "ana@example.com");
    site.name_account(1, &id, "Ana".into()).unwrap();
    assert_eq!(site.account(&id).unwrap()["displayName"], "Ana");
    let blank = site.name_account(1, &id, " ".into()).unwrap_err();
    assert_eq!(blank, Refusal::bad_request("Invalid display name"));
    let twice = site.put(1, Entity::Customer, &Item::create("ANA@example.com".into()));
    assert_eq!(
        twice.unwrap_err(),
        Refusal::bad_request("Customer already exists")
    );
}

#[test]
fn an_atlassian_account_is_named_by_its_id_alone_and_keeps_its_names() {
    let mut site = site();
    let mut item = Item::create("eve@example.com".into());
    item.kind = Some(CustomerKind::Atlassian);
    item.display_name = Some("Eve".into());
    let id = site.write(0, Entity::Customer, &item).unwrap();
    assert!(!id.starts_with("qm:"));
    assert!(site.has_record(Entity::Customer, &item));

    // its address is free for a Customer Account, which is another customer
    let own = customer(&mut site, "eve@example.com");
    assert_ne!(own, id);
    assert_eq!(site.counts()["customers"], 2);

    // the account calls do not know it
    let not_found = Refusal::not_found("Customer not found");
    assert_eq!(site.account(&id).unwrap_err(), not_found);
    let named = site.name_account(0, &id, "E".into());
    assert_eq!(named.unwrap_err(), not_found);
    assert_eq!(site.delete_account(0, &id).unwrap_err(), not_found);
    let account =
        json!({ "operationType": "UPDATE", "payload": { "customerId": id, "displayName": "E" } });
    let tail = id.rsplit(':').next().unwrap();
    assert_eq!(
        run(
            &mut site,
            Bulk::CustomerAccounts,
            &json!({ "customerAccounts": [account] })
        ),
        [format!(
            "UPDATE CUSTOMER_ACCOUNT {tail} [] Customer not found"
        )]
    );

    // profiles and details do
    let profile = json!({ "customerId": id, "displayName": "Eve",
        "details": [{ "name": "Region", "values": ["EMEA"] }],
        "associateOrganizations": { "organizationIds": ["1"] } });
    assert!(load(&mut site, Entity::Customer, "UPSERT", &profile).is_empty());
    let renamed = json!({ "customerId": id, "displayName": "E", "email": "e@example.com" });
    assert_eq!(
        load(&mut site, Entity::Customer, "UPDATE", &renamed),
        [
            format!(
                "UPDATE CUSTOMER_ACCOUNT {tail} [] The email of an Atlassian account cannot be changed"
            ),
            format!(
                "UPDATE CUSTOMER_ACCOUNT {tail} [] The display name of an Atlassian account cannot be changed"
            ),
        ]
    );
    let shown = site.customer_profile(&Contract::default(), &id).unwrap();
    assert_eq!(
        (&shown["displayName"], &shown["organizations"][0]["id"]),
        (&json!("Eve"), &json!("1"))
    );
}
