//! Answers that are lost: nothing is written twice, and nothing is claimed that is not known.

use super::line::{What, on};
use super::world::{Setting, World, shown, wanted};
use crate::engine::seen::Target;
use crate::model::entity::{Entity, Operation};
use crate::sandbox::Share;
use serde_json::json;
use std::time::Duration;

const PROFILE: &str = "POST /api/v1/customer/profile";
const ORGANIZATION: &str = "POST /api/v1/organization/profile";

fn ana() -> serde_json::Value {
    json!({ "email": "ana@example.com", "displayName": "Ana" })
}

fn initech() -> serde_json::Value {
    json!({ "name": "Initech", "details": [{ "name": "Industry", "values": ["Software"] }] })
}

async fn created(world: &World) -> usize {
    let audit = world.audit().await;
    audit
        .iter()
        .filter(|line| line.contains(" create "))
        .count()
}

#[tokio::test]
async fn a_creation_that_was_applied_is_found_and_not_repeated() {
    for what in [What::Applied(503), What::AppliedAndDropped] {
        for operation in [Operation::Create, Operation::Upsert] {
            let setting = Setting::faults(vec![on(1, ORGANIZATION, what)]);
            let world = World::new(setting).await;
            let target = World::target(Entity::Organization, operation);
            let called = world.load(&target, &initech()).await;
            assert!(shown(&called).starts_with("loaded"), "{called:?}");
            assert_eq!(created(&world).await, 1);

            let setting = Setting::faults(vec![on(1, PROFILE, what)]).allowing();
            let world = World::new(setting).await;
            let target = World::target(Entity::Customer, operation);
            let called = world.load(&target, &ana()).await;
            assert!(shown(&called).starts_with("loaded"), "{called:?}");
            assert_eq!(created(&world).await, 1);
        }
    }
}

#[tokio::test]
async fn a_creation_that_was_not_applied_is_repeated() {
    for what in [
        What::Answered(500),
        What::Answered(503),
        What::Answered(429),
    ] {
        for (entity, path, payload) in [
            (Entity::Organization, ORGANIZATION, initech()),
            (Entity::Customer, PROFILE, ana()),
        ] {
            let world = World::new(Setting::faults(vec![on(1, path, what)])).await;
            let target = World::target(entity, Operation::Create);
            let called = world.load(&target, &payload).await;
            assert_eq!(shown(&called), "loaded by 2", "{what:?}");
            assert_eq!(created(&world).await, 1);
        }
    }
}

#[tokio::test]
async fn what_reads_do_not_show_yet_is_waited_for() {
    for (entity, path) in [
        (Entity::Organization, ORGANIZATION),
        (Entity::Customer, PROFILE),
    ] {
        let mut setting = Setting::faults(vec![on(1, path, What::Applied(503))]);
        setting.policy.read_lag_ms = 200;
        setting.contract.user_search = true;
        setting.patience = Duration::from_mins(1);
        let world = World::new(setting).await;
        let mut payload = initech();
        if entity == Entity::Customer {
            let organization = world.id("organizations", "globex").await;
            payload = ana();
            payload["associateOrganizations"] = json!({ "organizationIds": [organization] });
        }
        let target = World::target(entity, Operation::Upsert);
        let called = world.load(&target, &payload).await;
        assert!(shown(&called).starts_with("loaded"), "{called:?}");
        assert_eq!(created(&world).await, 1);
    }
}

/// What became of an organization whose creation met this, on a site whose reads lag, and what was asked for it.
async fn created_while_reads_lag(
    what: What,
    operation: Operation,
    lag: i64,
    patience: Duration,
) -> (String, usize, Vec<String>) {
    let mut setting = Setting::faults(vec![on(1, ORGANIZATION, what)]);
    setting.policy.read_lag_ms = lag;
    setting.patience = patience;
    let world = World::new(setting).await;
    let target = World::target(Entity::Organization, operation);
    let called = world.load(&target, &initech()).await;
    let mut asked = world.line.asked();
    // an upsert looks before its first creation as well
    let first = asked.iter().position(|asked| asked == ORGANIZATION);
    asked.drain(..first.expect("a creation"));
    (shown(&called), created(&world).await, asked)
}

#[tokio::test]
async fn an_organization_that_was_created_is_not_created_again_while_reads_lag() {
    for what in [What::Applied(503), What::AppliedAndDropped] {
        for operation in [Operation::Create, Operation::Upsert] {
            let patience = Duration::from_mins(1);
            let (told, created, asked) =
                created_while_reads_lag(what, operation, 200, patience).await;
            assert!(told.starts_with("loaded"), "{what:?}: {told}");
            assert_eq!(created, 1, "{what:?}: {asked:?}");
            let creations = asked.iter().filter(|asked| *asked == ORGANIZATION);
            assert_eq!(creations.count(), 1, "{what:?}: {asked:?}");
        }
    }
}

#[tokio::test]
async fn an_organization_that_was_not_created_is_created_once_patience_has_ended() {
    let patience = Duration::from_millis(40);
    for what in [What::Answered(500), What::Answered(503)] {
        for operation in [Operation::Create, Operation::Upsert] {
            let (told, created, asked) =
                created_while_reads_lag(what, operation, 20, patience).await;
            assert!(told.starts_with("loaded"), "{what:?}: {told}");
            assert_eq!(created, 1, "{what:?}: {asked:?}");
            let creations: Vec<_> = asked
                .iter()
                .enumerate()
                .filter(|(_, asked)| *asked == ORGANIZATION)
                .map(|(at, _)| at)
                .collect();
            // a look at once, and one at the end of patience
            assert!(
                matches!(creations[..], [0, second] if second >= 3),
                "{what:?}: {asked:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_customer_that_nothing_can_find_stays_unclear_once_the_site_says_it_exists() {
    let setting = Setting::faults(vec![on(1, PROFILE, What::Applied(503))]);
    let world = World::new(setting).await;
    let target = World::target(Entity::Customer, Operation::Upsert);
    let called = world.load(&target, &ana()).await;
    insta::assert_snapshot!(shown(&called), @"lost: Customer already exists; [contract] user_search does not allow a search by e-mail");
    assert_eq!(created(&world).await, 1);
}

#[tokio::test]
async fn a_record_that_may_be_another_s_is_not_overwritten_by_a_creation() {
    let setting = Setting::faults(vec![on(1, PROFILE, What::Answered(503))]).allowing();
    let world = World::new(setting).await;
    let target = World::target(Entity::Customer, Operation::Create);
    let payload = json!({ "email": "old@example.com", "displayName": "New" });
    let called = world.load(&target, &payload).await;
    insta::assert_snapshot!(shown(&called), @"lost: JSON without a message; a record of this key is there and holds other content than the row's; whether this row's call created it cannot be told");
    assert_eq!(world.audit().await.len(), 0);
}

#[tokio::test]
async fn a_gateway_s_refusal_after_a_lost_answer_settles_nothing() {
    let faults = vec![
        on(1, PROFILE, What::Applied(503)),
        on(1, PROFILE, What::Filtered),
    ];
    let world = World::new(Setting::faults(faults.clone()).allowing()).await;
    let target = World::target(Entity::Customer, Operation::Upsert);
    let called = world.load(&target, &ana()).await;
    assert_eq!(shown(&called), "loaded by 1", "found by its e-mail");

    let world = World::new(Setting::faults(faults)).await;
    let called = world.load(&target, &ana()).await;
    assert!(shown(&called).starts_with("lost: "), "{called:?}");
    assert_eq!(created(&world).await, 1);
}

#[tokio::test]
async fn a_gateway_s_refusal_of_a_change_that_was_made_is_no_failure() {
    for (first, expected) in [
        (What::Applied(503), "loaded by "),
        (What::Answered(500), "SITE_REJECTED display_name: "),
    ] {
        let faults = vec![
            on(1, "PUT /api/v1/customer/account", first),
            on(1, "PUT /api/v1/customer/account", What::Filtered),
        ];
        let world = World::new(Setting::faults(faults).allowing()).await;
        let target = World::target(Entity::Customer, Operation::Upsert);
        let mut row = wanted(&json!({ "email": "old@example.com", "displayName": "New" }));
        row.remote_id = Some(world.id("customers", "old@example.com").await);
        let called = world.send(&target, &row, false).await;
        assert!(
            shown(&called).starts_with(expected),
            "{first:?}: {called:?}"
        );
    }
}

#[tokio::test]
async fn a_look_that_a_gateway_refuses_says_nothing_of_a_row() {
    let look = "GET /api/v1/customer/profile/";
    let world = World::new(Setting::faults(vec![on(2, look, What::Filtered)]).allowing()).await;
    let target = World::target(Entity::Customer, Operation::Upsert);
    let mut row = wanted(&json!({ "email": "old@example.com", "displayName": "New" }));
    row.remote_id = Some(world.id("customers", "old@example.com").await);
    let called = world.send(&target, &row, true).await;
    assert!(shown(&called).starts_with("loaded by "), "{called:?}");
    assert_eq!(
        world
            .line
            .asked()
            .iter()
            .filter(|line| line.starts_with(look))
            .count(),
        3
    );
}

#[tokio::test]
async fn a_gateway_s_refusal_after_a_lost_answer_stands_once_the_record_is_not_there() {
    let faults = vec![
        on(1, PROFILE, What::Answered(500)),
        on(1, PROFILE, What::Filtered),
    ];
    let world = World::new(Setting::faults(faults).allowing()).await;
    let target = World::target(Entity::Customer, Operation::Upsert);
    let called = world.load(&target, &ana()).await;
    assert!(
        shown(&called).starts_with("SITE_REJECTED -: "),
        "{called:?}"
    );
    assert_eq!(created(&world).await, 0);
}

#[tokio::test]
async fn what_an_interrupted_run_created_is_found_and_completed() {
    let setting = || Setting::default().allowing();
    for operation in [Operation::Create, Operation::Upsert] {
        for (entity, payload) in [(Entity::Customer, ana()), (Entity::Organization, initech())] {
            let world = World::new(setting()).await;
            let target = World::target(entity, operation);
            let row = wanted(&payload);
            let first = world.send(&target, &row, true).await;
            assert_eq!(shown(&first), "loaded by 1", "nothing was created before");
            let again = world.send(&target, &row, true).await;
            assert!(shown(&again).starts_with("loaded"), "{again:?}");
            assert_eq!(created(&world).await, 1);
        }
    }
}

#[tokio::test]
async fn changes_are_repeated_freely_and_gifts_are_not() {
    let faults = vec![
        on(1, "PUT /api/v1/customer/account", What::Applied(503)),
        on(1, "POST /api/v1/customer/", What::Applied(503)),
    ];
    let world = World::new(Setting::faults(faults)).await;
    let id = world.id("customers", "old@example.com").await;
    let product = world.id("products", "router").await;
    let payload = json!({
        "customerId": id, "displayName": "New",
        "associateProducts": { "productIds": [product] },
    });
    let target = World::target(Entity::Customer, Operation::Upsert);
    let called = world.load(&target, &payload).await;
    assert_eq!(shown(&called), "loaded by 3");
    let audit = world.audit().await;
    let given = audit.iter().filter(|line| line.starts_with("entitlement"));
    assert_eq!(given.count(), 1, "{audit:?}");
}

/// How often a product was given.
async fn gifts(world: &World) -> usize {
    let audit = world.audit().await;
    let given = audit.iter().filter(|line| line.starts_with("entitlement"));
    given.count()
}

#[tokio::test]
async fn a_gift_that_reads_do_not_show_yet_is_waited_for() {
    for what in [What::Applied(503), What::AppliedAndDropped] {
        let mut setting = Setting::faults(vec![on(1, "POST /api/v1/customer/", what)]);
        setting.policy.read_lag_ms = 200;
        setting.patience = Duration::from_mins(1);
        let world = World::new(setting).await;
        let id = world.id("customers", "old@example.com").await;
        let product = world.id("products", "router").await;
        let payload = json!({ "customerId": id, "associateProducts": { "productIds": [product] } });
        let target = World::target(Entity::Customer, Operation::Upsert);
        let called = world.load(&target, &payload).await;
        assert_eq!(shown(&called), "loaded by 1", "{what:?}");
        assert_eq!(gifts(&world).await, 1, "{what:?}");
        // who goes on with an interrupted run cannot see it at once
        let called = world.send(&target, &wanted(&payload), true).await;
        assert!(shown(&called).starts_with("loaded"), "{called:?}");
        assert_eq!(gifts(&world).await, 1, "{what:?}");
    }
}

#[tokio::test]
async fn a_gift_to_a_customer_that_reads_do_not_show_yet_is_neither_refused_nor_given_twice() {
    // of a customer by its id: not the creation
    let lost = on(1, "POST /api/v1/customer/qm", What::Applied(503));
    let mut setting = Setting::faults(vec![lost]);
    setting.policy.read_lag_ms = 200;
    setting.policy.ignored_associations = Share::ALL;
    setting.patience = Duration::from_mins(1);
    let world = World::new(setting).await;
    let product = world.id("products", "router").await;
    let mut payload = ana();
    payload["associateProducts"] = json!({ "productIds": [product] });
    let target = World::target(Entity::Customer, Operation::Upsert);
    let called = world.load(&target, &payload).await;
    assert_eq!(shown(&called), "loaded by 2");
    // the customer and what it was given
    assert_eq!((created(&world).await, gifts(&world).await), (2, 1));
}

#[tokio::test]
async fn a_customer_that_its_key_detail_does_not_show_yet_is_waited_for() {
    for what in [What::Applied(503), What::AppliedAndDropped] {
        let mut setting = Setting::faults(vec![on(1, PROFILE, what)]);
        setting.policy.read_lag_ms = 200;
        setting.patience = Duration::from_mins(1);
        let world = World::new(setting).await;
        let mut payload = ana();
        payload["details"] = json!([{ "name": "External ID", "values": ["E-7"] }]);
        let target = Target {
            key_detail: Some("External ID".to_owned()),
            ..World::target(Entity::Customer, Operation::Upsert)
        };
        let called = world.load(&target, &payload).await;
        assert!(shown(&called).starts_with("loaded"), "{called:?}");
        assert_eq!(created(&world).await, 1);
    }
}

#[tokio::test]
async fn credentials_that_end_stop_the_row_where_it_is() {
    let target = World::target(Entity::Customer, Operation::Upsert);
    let refused = on(1, PROFILE, What::Answered(403));
    let world = World::new(Setting::faults(vec![refused])).await;
    let called = world.load(&target, &ana()).await;
    assert!(shown(&called).starts_with("not sent: "), "{called:?}");

    let refused = on(1, "PUT /api/v1/customer/qm", What::Answered(403));
    let world = World::new(Setting::faults(vec![refused])).await;
    let id = world.id("customers", "old@example.com").await;
    let payload = json!({
        "customerId": id, "displayName": "New",
        "details": [{ "name": "Region", "values": ["EMEA"] }],
    });
    let called = world.load(&target, &payload).await;
    let told = shown(&called);
    assert!(
        told.starts_with("lost: ") && told.ends_with("written before: the display name"),
        "{told}"
    );
    assert_eq!(world.audit().await.len(), 1);
}

#[tokio::test]
async fn a_row_can_travel_on_any_thread() {
    fn is_send<T: Send>(_: &T) {}
    let world = World::new(Setting::default()).await;
    let target = World::target(Entity::Customer, Operation::Upsert);
    let row = wanted(&ana());
    let call = super::super::call(&world.context, &target, &row, false);
    is_send(&call);
    assert_eq!(shown(&call.await), "loaded by 1");
}
