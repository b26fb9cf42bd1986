//! Against the sandbox: what it wrote is found and holds, what it did not is named.

use super::{prepared, target, wanted};
use crate::api::auth::Auth;
use crate::api::client::{Client, ClientConfig, Gate};
use crate::api::contract::{Contract, Endpoint};
use crate::api::site::Site;
use crate::engine::context::{Audience, Context};
use crate::engine::limits::TaskSlots;
use crate::engine::outcome::content_of;
use crate::engine::seen::{Seen, Target, Wanted};
use crate::engine::stop::Stop;
use crate::engine::verify::{read_back, remembered};
use crate::ledger::record::{Record, RowHashes, RunHeader, SentRow, SentRows, Shape, StageHeader};
use crate::ledger::{Ledger, StateFolder};
use crate::model::clock::SystemClock;
use crate::model::entity::{Asked, Entity, Family, Operation, Verb};
use crate::model::outcome::{BatchSeq, Route, RowOutcome, Status};
use crate::model::reply::{ApiError, TaskView};
use crate::model::row::Reason;
use crate::report::progress::Reporters;
use crate::sandbox::{Policy, Running, SandboxConfig, Share, start};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;
use uuid::Uuid;

const SEED: &str = r#"
[[customer_detail]]
name = "External ID"
type = "TEXT"
[[customer_detail]]
name = "Tags"
type = "MULTISELECT"
options = ["a", "b", "c"]
[[customer_detail]]
name = "Seats"
type = "NUMBER"
[[organization_detail]]
name = "Industry"
type = "TEXT"
[[organization]]
name = "Acme"
[[organization]]
name = "Globex"
[[product]]
name = "Router"
[[customer]]
email = "owner@example.com"
display_name = "Owner"
kind = "atlassian"
details = { "External ID" = ["owner"] }
"#;

/// No read lags longer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Lets every request leave at once.
#[derive(Debug)]
struct AtOnce;

impl Gate for AtOnce {
    fn ready(&self, _: Endpoint) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async {})
    }

    fn refused(&self, _: Endpoint, _: &ApiError) {}
}

struct World {
    context: Context,
    running: Running,
    _folder: TempDir,
}

impl World {
    async fn new(policy: Policy, contract: Contract) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let seed = folder.path().join("site.toml");
        std::fs::write(&seed, SEED).unwrap();
        let config = SandboxConfig {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            state: None,
            seed: Some(seed),
            policy: Policy {
                task_micros: 1_000,
                item_micros: 0,
                ..policy
            },
            contract: Arc::default(),
            tokens: None,
            traffic: None,
        };
        let running = start(config, Arc::new(SystemClock)).await.unwrap();
        let client = Client::new(ClientConfig {
            site: Site::cloud(&running.base_url(), running.cloud_id()).unwrap(),
            auth: Auth::Basic {
                email: "ana@example.com".to_owned(),
                token: "token".into(),
            },
            timeout: Duration::from_mins(1),
            user_agent: "jira-csm-loader-int/0".to_owned(),
            contract: Arc::new(contract),
            gate: Arc::new(AtOnce),
        });
        let ledger = Ledger::open(StateFolder::open(folder.path()).unwrap()).unwrap();
        let header = RunHeader {
            id: "r1".into(),
            nonce: Uuid::nil().to_string(),
            site: "sandbox".into(),
            job: "job".into(),
            retry_of: None,
            invocation: None,
            started_at: 1,
        };
        let context = Context {
            client: client.unwrap(),
            clock: Arc::new(SystemClock),
            ledger: ledger.begin(&header).unwrap(),
            audience: Audience::new(Box::new(Reporters::default())),
            stop: Stop::default(),
            run: "r1".to_owned(),
            nonce: Uuid::nil(),
            slots: TaskSlots::default(),
            route: crate::engine::route::Wish::Bulk,
            requests_per_second: 50.0,
            single_in_flight: std::num::NonZeroUsize::MIN,
            verify: crate::engine::limits::Verify::Failed,
            polls_per_second: 50.0,
            budget: Mutex::default(),
            max_errors: None,
            full: false,
            refresh_after: None,
            spool: folder.path().to_owned(),
        };
        Self {
            context,
            running,
            _folder: folder,
        }
    }

    /// A bulk request, to the end of its task; gives the number of failures.
    async fn bulk(&self, endpoint: Endpoint, list: &str, items: Value) -> usize {
        let client = &self.context.client;
        let body = json!({ list: items }).to_string().into_bytes();
        let key = Uuid::new_v4().to_string();
        let accepted = client.submit(endpoint, body.into(), &key).await.unwrap();
        loop {
            match client.task(&accepted.task).await.unwrap() {
                TaskView::Running => tokio::time::sleep(Duration::from_millis(2)).await,
                TaskView::Finished(failures) => return failures.len(),
                other => panic!("{other:?}"),
            }
        }
    }

    async fn write(&self, rows: &[Wanted]) -> usize {
        let items: Vec<Value> = rows
            .iter()
            .map(|row| serde_json::from_slice(&row.row.item).unwrap())
            .collect();
        self.bulk(
            Endpoint::BulkCustomerProfiles,
            "customerProfiles",
            items.into(),
        )
        .await
    }

    async fn read(&self, target: &Target, rows: &[Wanted]) -> Vec<Seen> {
        read_back(&self.context, target, rows, PATIENCE).await
    }
}

/// A row of a customer with its key, three details, an organization and a product.
fn row(n: usize, product: &str) -> Wanted {
    let tags = [&["a"][..], &["b", "a"], &[]][n % 3];
    wanted(
        None,
        &json!({
            "email": format!("C{n}@example.com"),
            "displayName": format!("Customer {n}"),
            "details": [
                { "name": "External ID", "values": [format!("x-{n}")] },
                { "name": "tags", "values": tags },
                { "name": "Seats", "values": [n.to_string()] },
            ],
            "associateOrganizations": { "organizationIds": ["1"] },
            "associateProducts": { "productIds": [product] },
        }),
    )
}

fn keyed() -> Target {
    target(Entity::Customer, Some("External ID"))
}

#[tokio::test]
async fn what_was_written_is_found_by_its_key_while_reads_lag_and_what_was_not_is_named() {
    let lagging = Policy {
        read_lag_ms: 40,
        ..Policy::default()
    };
    let world = World::new(lagging, Contract::default()).await;
    let product = world
        .context
        .client
        .products(None)
        .await
        .unwrap()
        .products
        .remove(0)
        .id;
    let mut rows: Vec<_> = (0..30).map(|n| row(n, &product)).collect();
    assert_eq!(world.write(&rows).await, 0);
    let seen = world.read(&keyed(), &rows).await;
    for seen in &seen {
        let Seen::Holds {
            remote_id: Some(id),
            notes,
        } = seen
        else {
            panic!("{seen:?}");
        };
        assert!(id.starts_with("qm:") && notes.is_empty(), "{seen:?}");
    }
    // each part of a row that was not written is told by its name
    let spoilt = |part: Value| {
        let mut item: Value = serde_json::from_slice(&rows[1].row.item).unwrap();
        for (key, value) in part.as_object().unwrap() {
            item["payload"][key] = value.clone();
        }
        wanted(None, &item["payload"])
    };
    let key = json!({ "name": "External ID", "values": ["x-1"] });
    let others = [
        spoilt(json!({ "displayName": "customer 1" })),
        spoilt(json!({ "details": [key, { "name": "Tags", "values": ["a"] }] })),
        spoilt(json!({ "details": [key, { "name": "Seats", "values": ["1.0"] }] })),
        spoilt(json!({ "associateOrganizations": { "organizationIds": ["1", "2"] } })),
        spoilt(json!({ "associateOrganizations": { "organizationIds": ["2"] } })),
        spoilt(json!({ "associateProducts": { "productIds": ["p"] } })),
        spoilt(json!({ "email": "other@example.com" })),
    ];
    let told = read_back(&world.context, &keyed(), &others, Duration::from_millis(60)).await;
    let told: Vec<_> = told.iter().map(shown).collect();
    insta::assert_snapshot!(told.join("\n"), @r"
    differs in display_name
    differs in Tags
    holds
    differs, not in 2
    differs, not in 2
    differs, without p
    absent
    ");
    rows.truncate(1);
    let Seen::Holds { remote_id, .. } = &seen[0] else {
        unreachable!()
    };
    rows[0].remote_id.clone_from(remote_id);
    let by_id = world.read(&target(Entity::Customer, None), &rows).await;
    assert_eq!(by_id[0], seen[0]);
    world.end().await;
}

fn shown(seen: &Seen) -> String {
    match seen {
        Seen::Holds { notes, .. } => {
            let notes = notes
                .iter()
                .map(|Reason { code, message, .. }| format!("; {code} {message}"));
            format!("holds{}", notes.collect::<String>())
        }
        Seen::Differs {
            fields,
            missing,
            products,
            why,
            ..
        } => {
            let fields = (!fields.is_empty()).then(|| format!(" in {}", fields.join(", ")));
            let missing = (!missing.is_empty()).then(|| format!(", not in {}", missing.join(", ")));
            let products =
                (!products.is_empty()).then(|| format!(", without {}", products.join(", ")));
            let why = why.iter().map(|why| format!("; {}", why.code));
            let parts = fields.into_iter().chain(missing).chain(products).chain(why);
            format!("differs{}", parts.collect::<String>())
        }
        Seen::Absent => "absent".to_owned(),
        Seen::Unknown { tried } => format!("unknown: {tried}"),
    }
}

impl World {
    async fn end(self) {
        // a connection that is held open would be waited for
        drop(self.context);
        self.running.stop().await.unwrap();
    }
}

#[tokio::test]
async fn dropped_associations_and_those_that_remain_are_told() {
    let dropping = Policy {
        ignored_associations: Share::ALL,
        ..Policy::default()
    };
    let world = World::new(dropping, Contract::default()).await;
    let rows = [wanted(
        None,
        &json!({
            "email": "ana@example.com",
            "details": [{ "name": "External ID", "values": ["1"] }],
            "associateOrganizations": { "organizationIds": ["2"] },
        }),
    )];
    assert_eq!(world.write(&rows).await, 0);
    let seen = read_back(&world.context, &keyed(), &rows, Duration::ZERO).await;
    assert_eq!(shown(&seen[0]), "differs, not in 2");
    let Seen::Differs {
        remote_id: Some(id),
        ..
    } = &seen[0]
    else {
        unreachable!()
    };
    for organization in ["1", "2"] {
        let client = &world.context.client;
        client
            .add_to_organization(organization, std::slice::from_ref(id))
            .await
            .unwrap();
    }
    let seen = world.read(&keyed(), &rows).await;
    insta::assert_snapshot!(shown(&seen[0]), @r#"holds; MEMBERSHIP_REMAINS the customer still belongs to "Acme", which the row does not name"#);
    world.end().await;
}

#[tokio::test]
async fn the_user_search_finds_whom_nothing_else_does() {
    let late = Policy {
        user_search_lag_ms: 60,
        ..Policy::default()
    };
    let mut contract = Contract::default();
    contract.user_search = true;
    let world = World::new(late, contract).await;
    let customers = target(Entity::Customer, None);
    let rows = [
        wanted(
            None,
            &json!({ "email": "ana@example.com", "displayName": "Ana" }),
        ),
        // an Atlassian account hides its e-mail from the search, and tells it in its profile
        wanted(
            None,
            &json!({ "email": "owner@example.com", "displayName": "Somebody" }),
        ),
    ];
    assert_eq!(world.write(&rows[..1]).await, 0);
    let seen = read_back(&world.context, &customers, &rows, Duration::from_millis(50)).await;
    let told: Vec<_> = seen.iter().map(shown).collect();
    assert_eq!(
        told,
        ["holds", "differs in display_name; ATLASSIAN_ACCOUNT"]
    );
    world.end().await;
}

#[tokio::test]
async fn detail_values_and_organizations_are_read_back_too() {
    let world = World::new(Policy::default(), Contract::default()).await;
    let organizations = json!([{ "operationType": "UPSERT", "payload": {
        "name": "ACME", "details": [{ "name": "Industry", "values": ["Retail"] }] } }]);
    let failures = world.bulk(
        Endpoint::BulkOrganizationProfiles,
        "organizationProfiles",
        organizations,
    );
    assert_eq!(failures.await, 0);
    let industry = |name: &str, industry: &str| {
        let details = json!([{ "name": "Industry", "values": [industry] }]);
        wanted(None, &json!({ "name": name, "details": details }))
    };
    let rows = [
        industry("Acme", "Retail"),
        industry("Acme", "Food"),
        industry("Initech", "Retail"),
        wanted(None, &json!({ "id": "2", "name": "Globex" })),
        wanted(None, &json!({ "id": "99" })),
    ];
    let seen = read_back(
        &world.context,
        &target(Entity::Organization, None),
        &rows,
        Duration::ZERO,
    )
    .await;
    let told: Vec<_> = seen.iter().map(shown).collect();
    assert_eq!(
        told,
        ["holds", "differs in Industry", "absent", "holds", "absent"]
    );

    assert_eq!(
        world.write(&[row(0, "none")]).await,
        1,
        "there is no such product"
    );
    let mut ana = row(1, "none");
    let mut item: Value = serde_json::from_slice(&ana.row.item).unwrap();
    item["payload"]
        .as_object_mut()
        .unwrap()
        .remove("associateProducts");
    ana.row = prepared(1, &item["payload"]);
    assert_eq!(world.write(std::slice::from_ref(&ana)).await, 0);
    let seen = world.read(&keyed(), &[ana]).await;
    let Seen::Holds {
        remote_id: Some(id),
        ..
    } = &seen[0]
    else {
        panic!("{seen:?}")
    };
    let operations = json!([
        { "operationType": "PATCH", "payload": { "name": "Tags", "values": ["c"] } },
        { "operationType": "DELETE", "payload": { "name": "Seats" } },
    ]);
    let item = json!({ "customerId": id, "operations": operations });
    let details = Target {
        family: Family::Details,
        asked: Asked::Details(Verb::Patch),
        ..target(Entity::Customer, None)
    };
    let mut rows = [wanted(None, &Value::Null)];
    rows[0].row.item = crate::model::slice::Slice::owned(item.to_string());
    let seen = read_back(&world.context, &details, &rows, Duration::ZERO).await;
    assert_eq!(shown(&seen[0]), "differs in Tags, Seats");
    assert_eq!(
        world
            .bulk(Endpoint::BulkCustomerDetails, "customers", json!([item]))
            .await,
        0
    );
    assert_eq!(shown(&world.read(&details, &rows).await[0]), "holds");
    world.end().await;
}

#[tokio::test]
async fn a_stop_leaves_what_is_not_there_unknown_and_products_are_not_looked_for() {
    let world = World::new(Policy::default(), Contract::default()).await;
    world.context.stop.set("interrupted");
    let seen = world.read(&keyed(), &[row(1, "none")]).await;
    insta::assert_snapshot!(shown(&seen[0]), @"unknown: the run stopped, and the one reading after that did not show the row");
    let product = wanted(None, &json!({ "name": "Router" }));
    let seen = world.read(&target(Entity::Product, None), &[product]).await;
    insta::assert_snapshot!(shown(&seen[0]), @"unknown: products, detail fields and entitlements are looked up by their own stages");
    world.end().await;
}

#[tokio::test]
async fn ids_are_remembered_by_natural_key() {
    let world = World::new(Policy::default(), Contract::default()).await;
    let rows: Vec<_> = [7, 8].map(|hash| prepared(hash << 100, &json!({}))).into();
    let sent = SentRow {
        row: rows[0].row.clone(),
        hashes: Some(RowHashes {
            key: rows[0].hash,
            content: content_of(&rows[0]),
        }),
    };
    let stage = StageHeader {
        stage: 0,
        entity: Entity::Customer,
        operation: Operation::Upsert.into(),
        mapping: 1,
        results: None,
        files: Vec::new(),
        settings: [].into(),
        shape: Some(Shape {
            mapping: 1,
            family: "profile".into(),
            fields: Vec::new(),
        }),
        retries: None,
        source: None,
        mapping_path: None,
    };
    let outcome = RowOutcome {
        row: rows[0].row.clone(),
        status: Status::Loaded,
        reasons: Vec::new(),
        remote_id: Some("qm:1".into()),
        route: Some(Route::Bulk),
        batch: Some(BatchSeq(1)),
        attempts: 1,
        finished_at: 3,
    };
    let records = vec![
        Record::StageStarted(stage),
        Record::Sending {
            stage: 0,
            batch: BatchSeq(1),
            key: "k".into(),
            body: b"{}".to_vec().into(),
            rows: SentRows::from_iter([sent]),
            at: 2,
        },
        Record::Settled {
            stage: 0,
            batch: BatchSeq(1),
            trace_id: None,
            outcomes: vec![outcome],
            at: 3,
        },
    ];
    world.context.ledger.write_now(records).unwrap();
    let wanted = remembered(&world.context, Entity::Customer, rows)
        .await
        .unwrap();
    let ids: Vec<_> = wanted.iter().map(|row| row.remote_id.as_deref()).collect();
    assert_eq!(ids, [Some("qm:1"), None]);
    world.end().await;
}

#[tokio::test]
async fn it_may_run_in_a_task_of_its_own() {
    let World {
        context,
        running,
        _folder,
    } = World::new(Policy::default(), Contract::default()).await;
    let context = Arc::new(context);
    let shared = Arc::clone(&context);
    let rows = [row(1, "none")];
    let reading = tokio::spawn(async move {
        let wanted = rows.iter().map(|row| row.row.clone()).collect();
        let wanted = remembered(&shared, Entity::Customer, wanted).await.unwrap();
        read_back(&shared, &keyed(), &wanted, Duration::ZERO).await
    });
    assert_eq!(reading.await.unwrap(), [Seen::Absent]);
    drop(context);
    running.stop().await.unwrap();
}
