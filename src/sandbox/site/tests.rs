//! The site's rules, without sockets and files.

mod accounts;
mod contract;
mod definitions;
mod deletions;
mod details;
mod entitlements;
mod jira;

use super::entity::Entity;
use super::{Bulk, Change, Contract, Field, FieldKind, Refusal, Site, Submission};
use crate::api::contract::{KEY_REUSED_MESSAGE, TASK_LIMIT_MESSAGE};
use crate::model::clock::UnixMillis;
use crate::sandbox::policy::Policy;
use proptest::prelude::*;
use serde_json::{Value, json};
use uuid::Uuid;

const CLOUD: Uuid = Uuid::from_u128(0xc10d);

/// A site with two customer fields, one organization field, one organization (id 1) and one product.
fn site() -> Site {
    let mut site = Site::new(CLOUD);
    let field = |name: &str, kind, options: &[&str]| Field {
        name: name.to_owned(),
        kind,
        options: options.iter().map(|option| (*option).to_owned()).collect(),
    };
    let region = field("Region", FieldKind::Select, &["EMEA", "APAC"]);
    assert!(site.add_field(Entity::Customer, region));
    assert!(site.add_field(Entity::Customer, field("Phone", FieldKind::Phone, &[])));
    assert!(site.add_field(
        Entity::Organization,
        field("Industry", FieldKind::Text, &[])
    ));
    let acme = super::Item::create("Acme Ltd".to_owned());
    assert_eq!(site.write(0, Entity::Organization, &acme).unwrap(), "1");
    site.create_product(0, "Router").unwrap();
    site
}

fn product_id(site: &Site) -> String {
    let page = site.products(None, None).unwrap();
    page["results"][0]["id"].as_str().unwrap().to_owned()
}

/// Creates a customer with this address, gives its id.
fn customer(site: &mut Site, email: &str) -> String {
    let item = super::Item::create(email.to_owned());
    site.write(0, Entity::Customer, &item).unwrap()
}

/// The values of one field of a customer.
fn values(site: &Site, id: &str, field: &str) -> Value {
    let customer = site.customer(id).unwrap();
    let mut details = customer["details"].as_array().unwrap().iter();
    let found = details.find(|detail| detail["name"] == field);
    found.map_or_else(|| json!([]), |detail| detail["values"].clone())
}

/// Sends one bulk request and gives the failures of its task as [`load`] does.
fn run(site: &mut Site, bulk: Bulk, body: &Value) -> Vec<String> {
    let now = i64::from(site.tasks.next()) * 10_000;
    let key = format!("run {}", site.tasks.next());
    let id = submit_to(site, &quick(), now, bulk, &key, body).unwrap();
    site.advance(&quick(), now + 5000);
    failures(&site.task(now + 5000, &id).unwrap())
}

fn quick() -> Policy {
    Policy {
        task_micros: 10_000,
        item_micros: 1000,
        ..Policy::default()
    }
}

fn submit(
    site: &mut Site,
    policy: &Policy,
    now: UnixMillis,
    entity: Entity,
    key: &str,
    items: &Value,
) -> Result<String, Refusal> {
    let (list, bulk) = if entity == Entity::Customer {
        ("customerProfiles", Bulk::CustomerProfiles)
    } else {
        ("organizationProfiles", Bulk::OrganizationProfiles)
    };
    let body = json!({ list: items });
    submit_to(site, policy, now, bulk, key, &body)
}

fn submit_to(
    site: &mut Site,
    policy: &Policy,
    now: UnixMillis,
    bulk: Bulk,
    key: &str,
    body: &Value,
) -> Result<String, Refusal> {
    submit_by(&Contract::default(), site, policy, now, bulk, key, body)
}

/// The same for a site of another contract.
fn submit_by(
    contract: &Contract,
    site: &mut Site,
    policy: &Policy,
    now: UnixMillis,
    bulk: Bulk,
    key: &str,
    body: &Value,
) -> Result<String, Refusal> {
    let body = body.to_string().into_bytes();
    let submission = Submission::read(contract, bulk, key.to_owned(), &body);
    let answer = site.submit(policy, now, submission)?;
    let id = answer["id"].as_str().unwrap().to_owned();
    assert_eq!(answer["statusUrl"], format!("/api/v1/tasks/{id}"));
    Ok(id)
}

/// Loads one item and gives its task's failures as `operation operatedOn entityId [ids] error`.
fn load(site: &mut Site, entity: Entity, verb: &str, payload: &Value) -> Vec<String> {
    let items = json!([{ "operationType": verb, "payload": payload }]);
    let now = i64::try_from(site.audit.len()).unwrap() * 1000 + i64::from(site.tasks.next());
    let key = site.tasks.next().to_string();
    let id = submit(site, &quick(), now, entity, &key, &items).unwrap();
    site.advance(&quick(), now + 1000);
    failures(&site.task(now + 1000, &id).unwrap())
}

fn failures(task: &Value) -> Vec<String> {
    assert_eq!(task["status"], "FINISHED");
    let failures = task["failures"].as_array().unwrap().iter();
    let word = |failure: &Value, key: &str| failure[key].as_str().unwrap().to_owned();
    failures
        .map(|failure| {
            format!(
                "{} {} {} {} {}",
                word(failure, "operation"),
                word(failure, "operatedOn"),
                word(failure, "entityId").rsplit(':').next().unwrap(),
                failure["operatedOnIds"],
                word(failure, "error")
            )
        })
        .collect()
}

#[test]
fn verbs_create_update_and_refuse_customers_by_folded_email_or_id() {
    let mut site = site();
    let customer =
        |site: &mut Site, verb: &str, payload: Value| load(site, Entity::Customer, verb, &payload);
    let none: [&str; 0] = [];
    assert_eq!(
        customer(&mut site, "UPDATE", json!({ "email": "ana@example.com" })),
        ["UPDATE CUSTOMER_ACCOUNT ana@example.com [] Customer not found"]
    );
    assert_eq!(
        customer(
            &mut site,
            "CREATE",
            json!({ "email": "Ana@Example.com", "displayName": "Ana" })
        ),
        none
    );
    let found = site.list(Entity::Customer, None, 10)["results"][0].clone();
    assert_eq!(
        (&found["email"], &found["key"]),
        (&json!("Ana@Example.com"), &json!("ana@example.com"))
    );
    let id = found["customerId"].as_str().unwrap().to_owned();
    assert!(id.starts_with(&format!("qm:{CLOUD}:")));
    let tail = id.rsplit(':').next().unwrap().to_owned();
    assert_eq!(
        customer(&mut site, "CREATE", json!({ "email": " ana@example.COM" })),
        [format!(
            "CREATE CUSTOMER_ACCOUNT {tail} [] Customer already exists"
        )]
    );
    assert_eq!(
        customer(
            &mut site,
            "UPSERT",
            json!({ "email": "ANA@example.com", "displayName": "A" })
        ),
        none
    );
    assert_eq!(
        customer(
            &mut site,
            "UPDATE",
            json!({ "customerId": id, "displayName": "B" })
        ),
        none
    );
    assert_eq!(
        customer(
            &mut site,
            "UPSERT",
            json!({ "customerId": "qm:x", "email": "new@example.com" })
        ),
        ["UPDATE CUSTOMER_ACCOUNT x [] Customer not found"]
    );
    assert_eq!(
        customer(
            &mut site,
            "UPSERT",
            json!({ "email": "no address", "displayName": " " })
        ),
        [
            "CREATE CUSTOMER_ACCOUNT no address [] Invalid email",
            "CREATE CUSTOMER_ACCOUNT no address [] Invalid display name"
        ]
    );
    let after = site.customer_profile(&Contract::default(), &id).unwrap();
    assert_eq!(
        (&after["displayName"], &after["email"]),
        (&json!("B"), &json!("Ana@Example.com"))
    );
    assert_eq!(site.counts()["customers"], 1);
}

#[test]
fn organizations_obey_the_same_verbs_by_name_or_id() {
    let mut site = site();
    let none: [&str; 0] = [];
    assert_eq!(
        load(
            &mut site,
            Entity::Organization,
            "CREATE",
            &json!({ "name": "ACME ltd" })
        ),
        ["CREATE ORGANIZATION 1 [] Organization already exists"]
    );
    assert_eq!(
        load(
            &mut site,
            Entity::Organization,
            "UPSERT",
            &json!({ "id": "2", "name": "Beta" })
        ),
        ["UPDATE ORGANIZATION 2 [] Organization not found"]
    );
    assert_eq!(
        load(
            &mut site,
            Entity::Organization,
            "UPSERT",
            &json!({ "name": "  " })
        ),
        ["CREATE ORGANIZATION    [] Invalid name"]
    );
    assert_eq!(
        load(
            &mut site,
            Entity::Organization,
            "UPSERT",
            &json!({ "name": "Beta" })
        ),
        none
    );
    assert_eq!(site.organization("2").unwrap()["name"], "Beta");
}

#[test]
fn a_record_named_by_its_id_takes_another_name_unless_it_is_taken() {
    let mut site = site();
    let beta = json!({ "name": "Beta" });
    assert!(load(&mut site, Entity::Organization, "CREATE", &beta).is_empty());
    assert_eq!(
        load(
            &mut site,
            Entity::Organization,
            "UPDATE",
            &json!({ "id": "2", "name": "acme LTD" })
        ),
        ["UPDATE ORGANIZATION 2 [] Organization already exists"]
    );
    let gamma = json!({ "id": "2", "name": "Gamma" });
    assert!(load(&mut site, Entity::Organization, "UPDATE", &gamma).is_empty());
    assert!(site.table(Entity::Organization).by_name("GAMMA").is_some());
    assert!(site.table(Entity::Organization).by_name("Beta").is_none());
}

#[test]
fn an_item_with_any_failure_writes_nothing_and_names_every_one() {
    let mut site = site();
    let product = product_id(&site);
    let bad = json!({
        "email": "ana@example.com",
        "details": [
            { "name": "Region", "values": ["Mars"] },
            { "name": "region ", "values": ["EMEA", "APAC"] },
            { "name": "Colour", "values": [] },
            { "name": "Phone", "values": ["+4930123456"] },
        ],
        "associateOrganizations": { "organizationIds": ["1", "99"] },
        "associateProducts": { "productIds": [product, "none"] },
    });
    assert_eq!(
        load(&mut site, Entity::Customer, "UPSERT", &bad),
        [
            r#"CREATE CUSTOMER_DETAIL ana@example.com ["Region"] Invalid detail field value"#,
            r#"CREATE CUSTOMER_DETAIL ana@example.com ["region "] Invalid detail field value"#,
            r#"CREATE CUSTOMER_DETAIL ana@example.com ["Colour"] Invalid detail field"#,
            r#"CREATE CUSTOMER_ORGANIZATION ana@example.com ["99"] Organization not found"#,
            r#"CREATE CUSTOMER_PRODUCT ana@example.com ["none"] Product not found"#,
        ]
    );
    assert_eq!(site.counts()["customers"], 0);
    let bad = json!({ "name": "Acme Ltd", "associateCustomers": { "customerIds": ["x"] } });
    assert_eq!(
        load(&mut site, Entity::Organization, "UPSERT", &bad),
        [r#"UPDATE ORGANIZATION_CUSTOMER 1 ["x"] Customer not found"#]
    );
}

#[test]
fn details_are_set_left_alone_and_cleared_and_associations_add() {
    let mut site = site();
    let product = product_id(&site);
    for payload in [
        json!({ "email": "a@b", "details": [{ "name": "Region", "values": ["EMEA"] },
            { "name": "phone", "values": ["+4930123456"] }],
            "associateOrganizations": { "organizationIds": ["1", 1] } }),
        json!({ "email": "a@b", "details": [{ "name": "Region", "values": ["APAC"] }],
            "associateProducts": { "productIds": [product, product] } }),
        json!({ "email": "a@b", "details": [{ "name": "Phone", "values": [] }] }),
    ] {
        assert!(load(&mut site, Entity::Customer, "UPSERT", &payload).is_empty());
    }
    let customer = site.list(Entity::Customer, None, 10)["results"][0].clone();
    assert_eq!(
        customer["details"],
        json!([{ "name": "Region", "values": ["APAC"] }])
    );
    assert_eq!(
        customer["organizations"],
        json!([{ "id": "1", "name": "Acme Ltd" }])
    );
    assert_eq!(customer["entitlements"].as_array().unwrap().len(), 1);
    assert_eq!(customer["entitlements"][0]["product"]["name"], "Router");

    let member = json!({ "email": "c@d", "associateOrganizations": { "organizationIds": [1] } });
    assert!(load(&mut site, Entity::Customer, "UPSERT", &member).is_empty());
    let loner = site.list(Entity::Customer, Some("a@b"), 10)["results"][0].clone();
    assert_eq!(
        loner["organizations"],
        json!([]),
        "ids sent as numbers do nothing"
    );
    let acme = json!({ "id": "1", "associateCustomers": { "customerIds": [loner["customerId"]] } });
    assert!(load(&mut site, Entity::Organization, "UPDATE", &acme).is_empty());
    let loner = site.list(Entity::Customer, Some("a@b"), 10)["results"][0].clone();
    assert_eq!(loner["organizations"][0]["name"], "Acme Ltd");
}

fn one(email: &str) -> Value {
    json!([{ "operationType": "UPSERT", "payload": { "email": email } }])
}

#[test]
fn a_task_goes_through_its_states_and_is_forgotten_after_three_days() {
    let mut site = site();
    let policy = Policy {
        workers: 1,
        ..quick()
    };
    let customer = Entity::Customer;
    let first = submit(&mut site, &policy, 1000, customer, "k1", &one("a@b")).unwrap();
    let second = submit(&mut site, &policy, 1000, customer, "k2", &one("a@b")).unwrap();
    let status = |site: &mut Site, now, id: &str| {
        site.advance(&policy, now);
        let task = site.task(now, id).ok()?;
        Some((
            task["status"].as_str()?.to_owned(),
            task["updatedAt"].as_str()?.to_owned(),
        ))
    };
    let at = |status: &str, millis: &str| {
        Some((status.to_owned(), format!("1970-01-01T00:00:01.{millis}Z")))
    };
    // each takes 11 ms
    assert_eq!(status(&mut site, 1010, &first), at("IN_PROGRESS", "000"));
    assert_eq!(status(&mut site, 1010, &second), at("NOT_STARTED", "000"));
    assert_eq!(
        site.counts()["customers"],
        0,
        "nothing is written before the end"
    );
    assert_eq!(site.next_end(), Some(1011));
    assert_eq!(status(&mut site, 1011, &first), at("FINISHED", "011"));
    assert_eq!(status(&mut site, 1011, &second), at("IN_PROGRESS", "011"));
    assert_eq!(status(&mut site, 9000, &second), at("FINISHED", "022"));
    let three_days = 3 * 24 * 3600 * 1000;
    assert!(status(&mut site, 1010 + three_days, &first).is_some());
    assert_eq!(status(&mut site, 1011 + three_days, &first), None);
    assert_eq!(site.task(0, "no id").unwrap_err().status, 404);
    // its key is free again, and the audit still knows it
    let third = submit(
        &mut site,
        &policy,
        1011 + three_days,
        customer,
        "k1",
        &one("c@d"),
    )
    .unwrap();
    assert_ne!(third, first);
    assert_eq!(site.audit(2, 1)["entries"][0]["idempotencyKey"], "k1");
}

#[test]
fn a_known_key_gives_its_task_or_is_refused_and_full_slots_refuse_the_rest() {
    let mut site = site();
    let policy = Policy {
        max_tasks: 2,
        task_timeout_ms: 1000,
        task_micros: 10_000_000,
        ..quick()
    };
    let customer = Entity::Customer;
    let first = submit(&mut site, &policy, 0, customer, "k1", &one("a@b")).unwrap();
    submit(&mut site, &policy, 0, customer, "k2", &one("a@b")).unwrap();
    let refused = |result: Result<String, Refusal>| {
        let refusal = result.unwrap_err();
        assert_eq!(refusal.status, 400);
        refusal.message
    };
    let full = submit(&mut site, &policy, 0, customer, "k3", &one("a@b"));
    assert_eq!(refused(full), TASK_LIMIT_MESSAGE);
    let again = submit(&mut site, &policy, 0, customer, "k1", &one("a@b"));
    assert_eq!(again, Ok(first));
    let other = submit(&mut site, &policy, 0, customer, "k1", &one("c@d"));
    assert!(refused(other).contains(KEY_REUSED_MESSAGE));
    let elsewhere = submit(
        &mut site,
        &policy,
        0,
        Entity::Organization,
        "k1",
        &json!([]),
    );
    assert!(refused(elsewhere).contains(KEY_REUSED_MESSAGE));
    // tasks over their time give their slots back and end all the same
    submit(&mut site, &policy, 1000, customer, "k3", &one("a@b")).unwrap();
    site.advance(&policy, 60_000);
    assert_eq!(site.counts()["unfinishedTasks"], 0);
}

#[test]
fn products_come_in_pages_and_equal_names_make_two() {
    let mut site = site();
    for n in 1..=100 {
        site.create_product(0, &format!("p{n}")).unwrap();
    }
    site.create_product(0, "router").unwrap();
    assert_eq!(site.create_product(0, " ").unwrap_err().status, 400);
    let mut names = Vec::new();
    let mut cursor: Option<String> = None;
    for size in [40, 40, 22] {
        let page = site.products(Some(40), cursor.as_deref()).unwrap();
        let results = page["results"].as_array().unwrap();
        assert_eq!(results.len(), size);
        names.extend(results.iter().map(|product| product["name"].clone()));
        cursor = page["nextPageCursor"].as_str().map(str::to_owned);
    }
    assert_eq!(cursor, None);
    assert_eq!(
        (names.len(), &names[0], &names[101]),
        (102, &json!("Router"), &json!("router"))
    );
    for limit in [None, Some(0), Some(101)] {
        let page = site.products(limit, None).unwrap();
        assert_eq!(page["results"].as_array().unwrap().len(), 100);
    }
    assert_eq!(site.products(None, Some("x")).unwrap_err().status, 400);
}

/// What a test does to a site.
#[derive(Debug, Clone)]
enum Step {
    Submit {
        entity: Entity,
        key: u8,
        items: Vec<(u8, u8, u8)>,
    },
    Details {
        key: u8,
        operations: Vec<(u8, u8, u8)>,
    },
    Definitions {
        key: u8,
        names: Vec<u8>,
    },
    Product(u8),
    Give {
        owner: u8,
        product: u8,
    },
    Delete {
        entity: Entity,
        number: u8,
    },
    RemoveField(u8),
    Wait(i64),
}

fn step() -> impl Strategy<Value = Step> {
    let entity = prop_oneof![Just(Entity::Customer), Just(Entity::Organization)];
    let items = prop::collection::vec((0..3_u8, 0..6_u8, 0..4_u8), 1..6);
    prop_oneof![
        4 => (entity, 0..24_u8, items).prop_map(|(entity, key, items)| Step::Submit { entity, key, items }),
        1 => (0..24_u8, prop::collection::vec((0..4_u8, 0..3_u8, 0..3_u8), 1..4))
            .prop_map(|(key, operations)| Step::Details { key, operations }),
        1 => (0..24_u8, prop::collection::vec(0..6_u8, 1..3))
            .prop_map(|(key, names)| Step::Definitions { key, names }),
        1 => (0..3_u8).prop_map(Step::Product),
        1 => (0..4_u8, 0..4_u8).prop_map(|(owner, product)| Step::Give { owner, product }),
        1 => (prop::sample::select(&Entity::ALL[..]), 0..4_u8)
            .prop_map(|(entity, number)| Step::Delete { entity, number }),
        1 => (0..6_u8).prop_map(Step::RemoveField),
        3 => (0..30_i64).prop_map(Step::Wait),
    ]
}

/// An item: verb, one of six names, and plain, with a detail, with a wrong detail, or with an association.
fn item(entity: Entity, (verb, name, extra): (u8, u8, u8)) -> Value {
    let verb = ["CREATE", "UPDATE", "UPSERT"][usize::from(verb)];
    let mut payload = if entity == Entity::Customer {
        json!({ "email": format!("c{name}@example.com") })
    } else {
        json!({ "name": format!("Organization {name}") })
    };
    match (extra, entity) {
        (0, _) => {}
        (1, Entity::Customer) => {
            payload["details"] = json!([{ "name": "Region", "values": ["EMEA"] }]);
        }
        (1, _) => payload["details"] = json!([{ "name": "Industry", "values": ["x"] }]),
        (2, _) => payload["details"] = json!([{ "name": "Nothing", "values": [] }]),
        (_, Entity::Customer) => {
            let id = (1 + name % 2).to_string();
            payload["associateOrganizations"] = json!({ "organizationIds": [id] });
        }
        (_, _) => payload["associateProducts"] = json!({ "productIds": ["none"] }),
    }
    json!({ "operationType": verb, "payload": payload })
}

/// A bulk request of a step: where it goes, its key, its body and how many items it has.
fn request(site: &Site, step: &Step) -> Option<(Bulk, u8, Value, usize)> {
    let id = |number: u8| super::ids::record(CLOUD, Entity::Customer, number.into());
    match step {
        Step::Submit { entity, key, items } => {
            let list: Vec<_> = items.iter().map(|i| item(*entity, *i)).collect();
            let (bulk, body) = if *entity == Entity::Customer {
                (Bulk::CustomerProfiles, json!({ "customerProfiles": list }))
            } else {
                (
                    Bulk::OrganizationProfiles,
                    json!({ "organizationProfiles": list }),
                )
            };
            Some((bulk, *key, body, items.len()))
        }
        Step::Details { key, operations } => {
            let list: Vec<_> = operations
                .iter()
                .map(|(number, verb, value)| {
                    let verb = ["UPDATE", "PATCH", "DELETE"][usize::from(*verb)];
                    let value = ["EMEA", "APAC", "Mars"][usize::from(*value)];
                    let payload = json!({ "name": "Region", "values": [value] });
                    json!({ "customerId": id(*number),
                        "operations": [{ "operationType": verb, "payload": payload }] })
                })
                .collect();
            let body = json!({ "customers": list });
            Some((Bulk::CustomerDetails, *key, body, operations.len()))
        }
        Step::Definitions { key, names } => {
            let list: Vec<_> = names
                .iter()
                .map(|n| json!({ "name": format!("Field {n}"), "type": { "name": "TEXT" } }))
                .collect();
            let free = |name: &Value| !site.has_field(Entity::Customer, name.as_str().unwrap());
            let distinct: std::collections::BTreeSet<_> = names.iter().collect();
            let good = distinct.len() == names.len() && list.iter().all(|f| free(&f["name"]));
            let body = json!({ "detailFields": list });
            good.then_some((Bulk::CustomerFields, *key, body, names.len()))
        }
        _ => None,
    }
}

/// Everything the site shows.
fn everything(site: &Site) -> Vec<Value> {
    let mut all: Vec<_> = Entity::ALL
        .iter()
        .map(|entity| site.list(*entity, None, 1000))
        .collect();
    all.extend(Entity::ALL.map(|entity| site.detail_fields(entity)));
    all.extend([site.audit(0, 10_000), site.counts()]);
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn slots_hold_every_task_ends_the_audit_equals_the_state_and_changes_repeat(
        steps in prop::collection::vec(step(), 1..60)
    ) {
        let policy = Policy { max_tasks: 3, workers: 2, ..quick() };
        let mut site = site();
        let (mut now, mut accepted, mut items_sent) = (0, Vec::new(), 0);
        for step in steps {
            site.advance(&policy, now);
            if let Some((bulk, key, body, items)) = request(&site, &step) {
                let before = site.tasks.next();
                let full = site.tasks.unfinished() == policy.max_tasks;
                match submit_to(&mut site, &policy, now, bulk, &key.to_string(), &body) {
                    Ok(id) if site.tasks.next() > before => {
                        prop_assert!(!full);
                        items_sent += items;
                        accepted.push(id);
                    }
                    Ok(id) => prop_assert!(accepted.contains(&id)),
                    Err(refusal) => prop_assert!(
                        (full && refusal.message == TASK_LIMIT_MESSAGE)
                            || refusal.message.contains(KEY_REUSED_MESSAGE)
                    ),
                }
            }
            let contract = &Contract::default();
            let id = |entity, n: u8| super::ids::record(CLOUD, entity, n.into());
            let unknown = |refusal: Refusal| refusal.message.contains("not found");
            match step {
                Step::Product(n) => drop(site.create_product(now, &format!("p{n}")).unwrap()),
                Step::Give { owner, product } => {
                    let (owner, product) = (id(Entity::Customer, owner), id(Entity::Product, product));
                    let given = site.give(now, contract, Entity::Customer, &owner, &product);
                    prop_assert!(given.err().is_none_or(unknown));
                }
                Step::Delete { entity, number } => {
                    let deleted = site.delete(now, entity, &id(entity, number));
                    prop_assert!(deleted.err().is_none_or(unknown));
                }
                Step::RemoveField(n) => {
                    let removed = site.remove_field(now, Entity::Customer, &format!("Field {n}"));
                    prop_assert!(removed.err().is_none_or(unknown));
                }
                Step::Wait(millis) => now += millis,
                Step::Submit { .. } | Step::Details { .. } | Step::Definitions { .. } => {}
            }
            prop_assert!(site.tasks.unfinished() <= policy.max_tasks);
        }
        site.advance(&policy, now + 1000);
        let mut failed = 0;
        for id in &accepted {
            let task = site.task(now + 1000, id).unwrap();
            prop_assert_eq!(&task["status"], "FINISHED");
            // every item here has at most one failure
            failed += task["failures"].as_array().unwrap().len();
        }

        let audit = site.audit(0, 10_000);
        let entries = audit["entries"].as_array().unwrap();
        let by_task = entries.iter().filter(|entry| !entry["task"].is_null()).count();
        prop_assert_eq!(by_task + failed, items_sent);
        let mut there = std::collections::BTreeSet::new();
        for (place, entry) in entries.iter().enumerate() {
            prop_assert_eq!(&entry["sequence"], place + 1);
            if entry["entity"] == "entitlement" {
                // profiles make them as well, as part of their own writes
                continue;
            }
            let name = (entry["entity"].to_string(), entry["id"].to_string(), entry["key"].to_string());
            let fits = match entry["operation"].as_str().unwrap() {
                "create" => there.insert(name),
                "update" => there.contains(&name),
                _ => there.remove(&name),
            };
            prop_assert!(fits, "{}", entry);
        }
        let fields = site.fields[Entity::Customer as usize].count() - 2;
        let records = Entity::ALL.iter().map(|entity| site.table(*entity).count());
        prop_assert_eq!(there.len(), records.sum::<usize>() + fields);

        let mut again = Site::new(CLOUD);
        for change in site.take_changes() {
            let line = serde_json::to_string(&change).unwrap();
            again.repeat(serde_json::from_str::<Change>(&line).unwrap()).unwrap();
        }
        again.ready().unwrap();
        prop_assert_eq!(everything(&again), everything(&site));
        for id in &accepted {
            prop_assert_eq!(again.task(now, id), site.task(now, id));
        }
    }
}
