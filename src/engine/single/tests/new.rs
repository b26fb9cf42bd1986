//! Records that the site does not have.

use super::world::{Setting, World, item_wanted, shown};
use crate::engine::seen::{Called, Target};
use crate::model::entity::{Entity, Family, Operation};
use crate::sandbox::{Policy, Share};
use serde_json::json;

#[tokio::test]
async fn a_customer_is_created_by_one_call_with_all_it_has() {
    let world = World::new(Setting::default()).await;
    let organization = world.id("organizations", "acme ltd").await;
    let product = world.id("products", "router").await;
    let payload = json!({
        "email": "Ana@Example.com", "displayName": "Ana",
        "details": [{ "name": "Region", "values": ["EMEA"] }],
        "associateOrganizations": { "organizationIds": [organization] },
        "associateProducts": { "productIds": [product] },
    });
    let target = World::target(Entity::Customer, Operation::Upsert);
    let called = world.load(&target, &payload).await;
    assert_eq!(shown(&called), "loaded by 1");
    let Called::Loaded { remote_id, .. } = called else {
        panic!("{called:?}");
    };
    let id = world.id("customers", "ana@example.com").await;
    assert_eq!(remote_id, Some(id));
    assert_eq!(world.line.asked(), ["POST /api/v1/customer/profile"]);
    let audit = world.audit().await;
    assert_eq!(audit.len(), 1, "{audit:?}");
    for part in [
        "ana@example.com create",
        "\"Ana\"",
        "EMEA",
        &organization,
        &product,
    ] {
        assert!(audit[0].contains(part), "{part} in {audit:?}");
    }
}

#[tokio::test]
async fn an_organization_is_looked_for_and_then_created() {
    let world = World::new(Setting::default()).await;
    let payload =
        json!({ "name": "Initech", "details": [{ "name": "Industry", "values": ["Software"] }] });
    let target = World::target(Entity::Organization, Operation::Create);
    assert_eq!(shown(&world.load(&target, &payload).await), "loaded by 1");
    assert_eq!(
        world.line.asked(),
        [
            "POST /api/v1/organization/fetch",
            "POST /api/v1/organization/profile"
        ]
    );
    assert_eq!(world.audit().await.len(), 1);
    let called = world.load(&target, &payload).await;
    insta::assert_snapshot!(shown(&called), @r#"ALREADY_EXISTS -: operation = "create", and the site already has this organization"#);
    assert_eq!(world.audit().await.len(), 1);
}

#[tokio::test]
async fn accounts_and_bare_organizations_are_created_by_their_own_calls() {
    let world = World::new(Setting::default()).await;
    let account = |entity| Target {
        family: Family::Account,
        ..World::target(entity, Operation::Upsert)
    };
    let payload = json!({ "email": "bo@example.com", "displayName": "Bo" });
    let called = world.load(&account(Entity::Customer), &payload).await;
    assert_eq!(shown(&called), "loaded by 1");
    let payload = json!({ "name": "Hooli" });
    let called = world.load(&account(Entity::Organization), &payload).await;
    assert_eq!(shown(&called), "loaded by 1");
    assert_eq!(
        world.line.asked(),
        [
            "POST /api/v1/customer",
            "POST /api/v1/organization/fetch",
            "POST /api/v1/organization",
        ]
    );
    insta::assert_snapshot!(world.audit().await.join("\n"), @r#"
    customer bo@example.com create {"displayName":"Bo","email":"bo@example.com"}
    organization hooli create {"name":"Hooli"}
    "#);
}

#[tokio::test]
async fn an_update_creates_nothing_and_an_unknown_id_neither() {
    let world = World::new(Setting::default().allowing()).await;
    let update = |entity| World::target(entity, Operation::Update);
    let called = world
        .load(
            &update(Entity::Customer),
            &json!({ "email": "no@example.com" }),
        )
        .await;
    insta::assert_snapshot!(shown(&called), @r#"NOT_FOUND -: operation = "update", and the site has no such customer"#);
    let called = world
        .load(&update(Entity::Organization), &json!({ "name": "Nowhere" }))
        .await;
    insta::assert_snapshot!(shown(&called), @r#"NOT_FOUND -: operation = "update", and the site has no such organization"#);
    let upsert = World::target(Entity::Organization, Operation::Upsert);
    let called = world
        .load(&upsert, &json!({ "id": "987654", "name": "Nowhere" }))
        .await;
    insta::assert_snapshot!(shown(&called), @"NOT_FOUND -: the site has no organization with the id 987654");
    assert_eq!(world.audit().await.len(), 0);
}

#[tokio::test]
async fn what_the_site_refuses_is_told_in_its_words() {
    let policy = Policy {
        poison: Share::ALL,
        ..Policy::default()
    };
    let world = World::new(Setting {
        policy,
        ..Setting::default()
    })
    .await;
    let target = World::target(Entity::Customer, Operation::Upsert);
    let called = world
        .load(&target, &json!({ "email": "ana@example.com" }))
        .await;
    insta::assert_snapshot!(shown(&called), @"SITE_REJECTED -: Invalid detail field value");
    assert_eq!(world.audit().await.len(), 0);
}

#[tokio::test]
async fn organizations_that_did_not_arrive_are_joined_or_told() {
    let ignoring = || Policy {
        ignored_associations: Share::ALL,
        ..Policy::default()
    };
    let target = World::target(Entity::Customer, Operation::Upsert);
    for allowed in [false, true] {
        let mut setting = Setting {
            policy: ignoring(),
            ..Setting::default()
        };
        setting.contract.membership = allowed;
        let world = World::new(setting).await;
        let organization = world.id("organizations", "acme ltd").await;
        let payload = json!({
            "email": "ana@example.com",
            "associateOrganizations": { "organizationIds": [organization] },
        });
        let called = world.load(&target, &payload).await;
        let told = shown(&called).replace(&organization, "123");
        let customer = world.record("customers", "ana@example.com").await;
        let joined = customer["organizations"]
            .to_string()
            .contains(&organization);
        assert_eq!(joined, allowed, "{customer}");
        if allowed {
            assert_eq!(told, "loaded by 2");
        } else {
            insta::assert_snapshot!(told, @r"
            ASSOCIATION_MISSING organizations: the customer does not belong to organization 123, and a membership of an existing customer takes the service desk call that [contract] membership = true allows
            PARTLY_APPLIED -: written all the same: the customer
            ");
        }
    }
}

#[tokio::test]
async fn an_item_that_is_none_is_a_defect_and_not_sent() {
    let world = World::new(Setting::default()).await;
    let target = World::target(Entity::Customer, Operation::Upsert);
    let called = world
        .send(&target, &item_wanted(&json!({ "x": 1 })), false)
        .await;
    insta::assert_snapshot!(shown(&called), @"not sent: the row's item cannot be read, which is a defect");
}
