//! Faults in any order: whatever meets a row, what is told of it is what the site holds.

use super::line::{Fault, What, on};
use super::world::{Setting, World, shown, wanted};
use crate::engine::seen::Called;
use crate::model::entity::{Entity, Operation};
use serde_json::json;

/// What the requests of a run meet, one after the other; the same for a seed.
fn faults(seed: u64) -> Vec<Fault> {
    let mut state = seed;
    let mut roll = move || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % 10
    };
    let what = |_| match roll() {
        0..=4 => What::None,
        5..=7 => What::Applied(503),
        8 => What::Answered(503),
        _ => What::Answered(429),
    };
    (0..1000).map(what).map(|what| on(1, "", what)).collect()
}

#[tokio::test]
async fn whatever_happens_no_row_is_written_twice_or_told_wrongly() {
    let operations = [Operation::Upsert, Operation::Create, Operation::Update];
    let mut told = [0; 2];
    for seed in 0..4 {
        let world = World::new(Setting::faults(faults(seed)).allowing()).await;
        let organization = world.id("organizations", "globex").await;
        let product = world.id("products", "router").await;
        for number in 0..12 {
            let operation = operations[number % operations.len()];
            // every third operation meets a record of the one before
            let email = format!("c{}@example.com", number / 2);
            let payload = json!({
                "email": email, "displayName": format!("Customer {number}"),
                "details": [{ "name": "Region", "values": ["EMEA"] }],
                "associateOrganizations": { "organizationIds": [organization] },
                "associateProducts": { "productIds": [product] },
            });
            let before = world.audit().await.len();
            let target = World::target(Entity::Customer, operation);
            let called = world
                .send(&target, &wanted(&payload), number % 4 == 3)
                .await;
            let place = format!("seed {seed}, row {number}, {operation}: {}", shown(&called));
            match called {
                Called::Loaded { .. } => {
                    told[0] += 1;
                    let record = world.record("customers", &email).await;
                    assert_eq!(record["displayName"], payload["displayName"], "{place}");
                    let text = record.to_string();
                    assert!(
                        text.contains(&organization) && text.contains("EMEA"),
                        "{place}: {text}"
                    );
                    let given = record["entitlements"].as_array().map(Vec::len);
                    assert_eq!(given, Some(1), "{place}: {text}");
                }
                // there it was, or not to be created: nothing was written
                Called::Refused { .. } | Called::Lost { .. } => {
                    told[1] += 1;
                    assert_eq!(world.audit().await.len(), before, "{place}");
                    assert_ne!(operation, Operation::Upsert, "{place}");
                }
                Called::NotSent { .. } => panic!("{place}"),
            }
        }
        let audit = world.audit().await;
        let mut keys: Vec<_> = audit
            .iter()
            .filter(|line| line.contains(" create "))
            .map(|line| line.split(' ').nth(1))
            .collect();
        let all = keys.len();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), all, "seed {seed}: {audit:?}");
    }
    assert!(told[0] > 20 && told[1] > 5, "{told:?}");
}
