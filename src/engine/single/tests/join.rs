//! Associations alone.

use super::world::{Setting, World, shown};
use crate::engine::seen::Lacks;
use crate::model::entity::{Entity, Operation};

fn organizations(ids: &[&str]) -> Lacks {
    Lacks {
        organizations: ids.iter().map(|id| (*id).to_owned()).collect(),
        ..Lacks::default()
    }
}

fn products(ids: &[&str]) -> Lacks {
    Lacks {
        products: ids.iter().map(|id| (*id).to_owned()).collect(),
        ..Lacks::default()
    }
}

#[tokio::test]
async fn memberships_alone_are_made_where_the_contract_allows_it() {
    let target = World::target(Entity::Customer, Operation::Upsert);
    let world = World::new(Setting::default().allowing()).await;
    let id = world.id("customers", "old@example.com").await;
    let organization = world.id("organizations", "globex").await;
    let called = world
        .join(&target, &id, &organizations(&[&organization]))
        .await;
    assert_eq!(shown(&called), "loaded by 1");
    let record = world.record("customers", "old@example.com").await;
    assert!(record["organizations"].to_string().contains(&organization));
    let called = world
        .join(&target, &id, &organizations(&[&organization, "9"]))
        .await;
    let told = shown(&called);
    assert!(
        told.starts_with(
            "ASSOCIATION_MISSING organizations: the customer could not be put into organization 9: "
        ) && told.contains("PARTLY_APPLIED"),
        "{told}"
    );

    let world = World::new(Setting::default()).await;
    let called = world.join(&target, &id, &organizations(&["7"])).await;
    insta::assert_snapshot!(shown(&called), @"ASSOCIATION_MISSING organizations: the customer does not belong to organization 7, and a membership of an existing customer takes the service desk call that [contract] membership = true allows");
    assert_eq!(world.line.asked().len(), 0);
}

#[tokio::test]
async fn products_alone_are_given_once() {
    for (entity, kind, key) in [
        (Entity::Customer, "customers", "old@example.com"),
        (Entity::Organization, "organizations", "globex"),
    ] {
        let world = World::new(Setting::default()).await;
        let target = World::target(entity, Operation::Upsert);
        let id = world.id(kind, key).await;
        let product = world.id("products", "router").await;
        let called = world.join(&target, &id, &products(&[&product])).await;
        assert_eq!(shown(&called), "loaded by 1");
        // one that came before the repair, or by one that was cut short, is not given twice
        let called = world.join(&target, &id, &products(&[&product])).await;
        assert_eq!(shown(&called), "loaded by 0");
        assert_eq!(world.audit().await.len(), 1);
        let record = world.record(kind, key).await;
        assert!(record.to_string().contains(&product), "{record}");
    }
}

#[tokio::test]
async fn what_cannot_be_repaired_is_named_and_the_rest_is_made() {
    let world = World::new(Setting::default()).await;
    let target = World::target(Entity::Customer, Operation::Upsert);
    let id = world.id("customers", "old@example.com").await;
    let product = world.id("products", "router").await;
    let lacks = Lacks {
        organizations: vec!["7".to_owned()],
        ..products(&["unknown", &product])
    };
    let called = world.join(&target, &id, &lacks).await;
    let told = shown(&called).replace(&product, "ROUTER");
    insta::assert_snapshot!(told, @"
    ASSOCIATION_MISSING organizations: the customer does not belong to organization 7, and a membership of an existing customer takes the service desk call that [contract] membership = true allows
    ASSOCIATION_MISSING products: the customer could not be given product unknown: Product not found
    PARTLY_APPLIED -: written all the same: the product ROUTER
    ");
}
