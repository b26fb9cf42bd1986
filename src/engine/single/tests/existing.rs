//! Records that the site has.

use super::world::{Setting, World, item_wanted, shown, wanted};
use crate::engine::seen::{Called, Target};
use crate::model::entity::{Entity, Family, Operation};
use serde_json::json;

fn upsert(entity: Entity) -> Target {
    World::target(entity, Operation::Upsert)
}

#[tokio::test]
async fn a_customer_is_changed_part_by_part() {
    let world = World::new(Setting::default().allowing()).await;
    let id = world.id("customers", "old@example.com").await;
    let organization = world.id("organizations", "globex").await;
    let product = world.id("products", "router").await;
    let mut row = wanted(&json!({
        "email": "OLD@example.com", "displayName": "New",
        "details": [{ "name": "Region", "values": ["APAC"] }, { "name": "External ID", "values": [] }],
        "associateOrganizations": { "organizationIds": [organization] },
        "associateProducts": { "productIds": [product] },
    }));
    row.remote_id = Some(id.clone());
    let called = world.send(&upsert(Entity::Customer), &row, false).await;
    assert_eq!(shown(&called), "loaded by 5");
    let told: Vec<_> = world.line.asked();
    let told = told.join("\n").replace(&id.replace(':', "%3A"), "ID");
    insta::assert_snapshot!(told.replace(&organization, "ORG"), @r"
    GET /api/v1/customer/profile/ID
    GET /api/v1/customer/ID/entitlement
    PUT /api/v1/customer/account/ID
    PUT /api/v1/customer/ID/details
    PUT /api/v1/customer/ID/details
    POST /rest/servicedeskapi/organization/ORG/user
    POST /api/v1/customer/ID/entitlement
    ");
    let record = world
        .record("customers", "old@example.com")
        .await
        .to_string();
    for part in ["New", "APAC", &organization, &product] {
        assert!(record.contains(part), "{part} in {record}");
    }
    assert!(!record.contains("E-1"), "{record}");

    // once more: what is given is not given again
    let writes = world.audit().await.len();
    let called = world.send(&upsert(Entity::Customer), &row, false).await;
    assert_eq!(shown(&called), "loaded by 2");
    assert_eq!(world.audit().await.len(), writes + 2);
}

#[tokio::test]
async fn a_customer_without_a_known_id_is_found_once_the_site_says_it_exists() {
    let world = World::new(Setting::default().allowing()).await;
    let payload = json!({ "email": "old@example.com", "displayName": "New" });
    let called = world
        .send(&upsert(Entity::Customer), &wanted(&payload), true)
        .await;
    assert_eq!(shown(&called), "loaded by 1", "found by its e-mail");

    let world = World::new(Setting::default()).await;
    let mut target = upsert(Entity::Customer);
    target.key_detail = Some("External ID".into());
    let payload = json!({
        "email": "old@example.com",
        "details": [{ "name": "External ID", "values": ["E-1"] }],
    });
    let called = world.load(&target, &payload).await;
    assert_eq!(shown(&called), "loaded by 2", "found by its key_detail");
    assert_eq!(world.audit().await.len(), 1);
}

#[tokio::test]
async fn a_customer_whose_id_cannot_be_found_takes_the_bulk_route() {
    let world = World::new(Setting::default()).await;
    let payload = json!({ "email": "old@example.com", "displayName": "New" });
    let called = world.load(&upsert(Entity::Customer), &payload).await;
    insta::assert_snapshot!(shown(&called), @"BULK_ONLY -: single calls write an existing customer by its id, which cannot be found: [contract] user_search does not allow a search by e-mail");
    let create = World::target(Entity::Customer, Operation::Create);
    let called = world.load(&create, &payload).await;
    insta::assert_snapshot!(shown(&called), @"ALREADY_EXISTS -: Customer already exists");
    let update = World::target(Entity::Customer, Operation::Update);
    let called = world.load(&update, &payload).await;
    insta::assert_snapshot!(shown(&called), @"BULK_ONLY -: single calls write an existing customer by its id, which cannot be found: [contract] user_search does not allow a search by e-mail");
    assert_eq!(world.audit().await.len(), 0);
}

#[tokio::test]
async fn what_was_written_before_a_refusal_is_named() {
    let world = World::new(Setting::default()).await;
    let id = world.id("customers", "old@example.com").await;
    let payload = json!({
        "customerId": id, "displayName": "New",
        "details": [
            { "name": "External ID", "values": ["E-2"] },
            { "name": "Region", "values": ["Mars"] },
            { "name": "Type", "values": ["B"] },
        ],
    });
    let called = world.load(&upsert(Entity::Customer), &payload).await;
    insta::assert_snapshot!(shown(&called), @r#"
    SITE_REJECTED Region: Invalid detail field value
    PARTLY_APPLIED -: written all the same: the display name, the detail field "External ID"
    "#);
    let Called::Refused { remote_id, .. } = called else {
        panic!("{called:?}");
    };
    assert_eq!(remote_id, Some(id));
    insta::assert_snapshot!(world.audit().await.join("\n"), @r#"
    customer old@example.com update {"displayName":"New"}
    customer old@example.com update {"details":[{"name":"External ID","values":["E-2"]}]}
    "#);
}

#[tokio::test]
async fn a_membership_that_no_call_may_make_is_told_before_anything_is_written() {
    let world = World::new(Setting::default()).await;
    let id = world.id("customers", "old@example.com").await;
    let payload = json!({
        "customerId": id, "displayName": "New",
        "associateOrganizations": { "organizationIds": [41, "42"] },
    });
    let called = world.load(&upsert(Entity::Customer), &payload).await;
    insta::assert_snapshot!(shown(&called), @"ASSOCIATION_MISSING organizations: the customer does not belong to organizations 41, 42, and a membership of an existing customer takes the service desk call that [contract] membership = true allows");
    assert_eq!(world.audit().await.len(), 0);
}

#[tokio::test]
async fn atlassian_accounts_keep_their_names() {
    let world = World::new(Setting::default()).await;
    let id = world.id("customers", "person@example.com").await;
    let rename = json!({ "customerId": id, "displayName": "Other" });
    let called = world.load(&upsert(Entity::Customer), &rename).await;
    insta::assert_snapshot!(shown(&called), @"ATLASSIAN_ACCOUNT display_name: the display name belongs to the person's Atlassian account: Customer not found");
    let details = json!({
        "customerId": id, "displayName": "Person",
        "details": [{ "name": "Region", "values": ["EMEA"] }],
    });
    let called = world.load(&upsert(Entity::Customer), &details).await;
    assert_eq!(shown(&called), "loaded by 1");
}

#[tokio::test]
async fn an_email_is_changed_by_no_single_call() {
    let world = World::new(Setting::default()).await;
    let id = world.id("customers", "old@example.com").await;
    let payload = json!({ "customerId": id, "email": "new@example.com", "displayName": "New" });
    let called = world.load(&upsert(Entity::Customer), &payload).await;
    insta::assert_snapshot!(shown(&called), @"BULK_ONLY email: the customer has another e-mail, which no single call changes");
    assert_eq!(world.audit().await.len(), 0);
}

#[tokio::test]
async fn an_organization_is_found_by_name_and_renamed_by_id() {
    let world = World::new(Setting::default()).await;
    let id = world.id("organizations", "acme ltd").await;
    let industry = json!([{ "name": "Industry", "values": ["Food"] }]);
    let called = world
        .load(
            &upsert(Entity::Organization),
            &json!({ "name": "ACME Ltd", "details": industry }),
        )
        .await;
    assert_eq!(shown(&called), "loaded by 1");
    let account = Target {
        family: Family::Account,
        ..upsert(Entity::Organization)
    };
    let renamed = json!({ "id": id, "name": "Acme Inc" });
    assert_eq!(shown(&world.load(&account, &renamed).await), "loaded by 1");
    let called = world.load(&account, &renamed).await;
    assert_eq!(shown(&called), "loaded by 0", "it has this name");
    insta::assert_snapshot!(world.audit().await.join("\n"), @r#"
    organization acme inc update {"details":[{"name":"Industry","values":["Food"]}]}
    organization acme inc update {"name":"Acme Inc"}
    "#);
}

#[tokio::test]
async fn detail_values_are_set_joined_and_taken_away() {
    let world = World::new(Setting::default()).await;
    let id = world.id("customers", "old@example.com").await;
    let operation = |verb: &str, name: &str, values: &[&str]| json!({ "operationType": verb, "payload": { "name": name, "values": values } });
    let item = json!({ "customerId": id, "operations": [
        operation("PATCH", "Type", &["B", "A"]),
        operation("PATCH", "External ID", &["E-2"]),
        operation("UPDATE", "Region", &["EMEA"]),
    ]});
    let target = World::details(Entity::Customer);
    let called = world.send(&target, &item_wanted(&item), false).await;
    assert_eq!(shown(&called), "loaded by 3");
    let item = json!({ "customerId": id, "operations": [
        operation("DELETE", "Type", &["A"]),
        operation("DELETE", "Type", &["C"]),
        { "operationType": "DELETE", "payload": { "name": "Region" } },
    ]});
    let called = world.send(&target, &item_wanted(&item), false).await;
    assert_eq!(shown(&called), "loaded by 2");
    insta::assert_snapshot!(world.audit().await.join("\n"), @r#"
    customer old@example.com update {"details":[{"name":"Type","values":["A","B"]}]}
    customer old@example.com update {"details":[{"name":"External ID","values":["E-2"]}]}
    customer old@example.com update {"details":[{"name":"Region","values":["EMEA"]}]}
    customer old@example.com update {"details":[{"name":"Type","values":["B"]}]}
    customer old@example.com update {"details":[{"name":"Region","values":[]}]}
    "#);

    let item =
        json!({ "customerId": "qm:no", "operations": [operation("UPDATE", "Region", &["EMEA"])] });
    let called = world.send(&target, &item_wanted(&item), false).await;
    insta::assert_snapshot!(shown(&called), @"NOT_FOUND -: Customer not found");
    let item = json!({ "customerId": "qm:no", "operations": [operation("PATCH", "Type", &["A"])] });
    let called = world.send(&target, &item_wanted(&item), false).await;
    insta::assert_snapshot!(shown(&called), @"NOT_FOUND -: the site has no customer with the id qm:no");
}
