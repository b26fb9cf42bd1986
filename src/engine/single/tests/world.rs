//! A served site, a line to it that fails when told to, and what a row needs to travel.

use super::super::{Caller, Looking, join};
use super::line::{Fault, Line};
use crate::api::auth::Auth;
use crate::api::client::{Client, ClientConfig, Gate};
use crate::api::contract::{Contract, Endpoint};
use crate::api::fold;
use crate::api::site::Site;
use crate::engine::context::{Audience, Context};
use crate::engine::limits::TaskSlots;
use crate::engine::seen::{Called, Lacks, Target, Wanted};
use crate::engine::stop::Stop;
use crate::ledger::record::RunHeader;
use crate::ledger::{Ledger, StateFolder};
use crate::model::clock::SystemClock;
use crate::model::entity::{Asked, Entity, Family, Operation, Verb};
use crate::model::event::RunEvent;
use crate::model::reply::ApiError;
use crate::model::row::{FileId, PreparedRow, RowId, RowRef};
use crate::model::slice::Slice;
use crate::report::progress::Reporter;
use crate::sandbox::{Policy, Running, SandboxConfig, start};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::num::NonZeroU32;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;
use uuid::Uuid;

const SEED: &str = r#"
[[customer_detail]]
name = "Region"
type = "SELECT"
options = ["EMEA", "APAC"]
[[customer_detail]]
name = "Type"
type = "MULTISELECT"
options = ["A", "B", "C"]
[[customer_detail]]
name = "External ID"
type = "TEXT"
[[organization_detail]]
name = "Industry"
type = "TEXT"
[[organization]]
name = "Acme Ltd"
details = { Industry = ["Retail"] }
[[organization]]
name = "Globex"
[[product]]
name = "Router"
[[customer]]
email = "old@example.com"
display_name = "Old"
details = { "External ID" = ["E-1"], Type = ["A"] }
[[customer]]
email = "person@example.com"
display_name = "Person"
kind = "atlassian"
"#;

#[derive(Debug)]
struct AtOnce;

impl Gate for AtOnce {
    fn ready(&self, _: Endpoint) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async {})
    }

    fn refused(&self, _: Endpoint, _: &ApiError) {}
}

struct Nobody;

impl Reporter for Nobody {
    fn event(&mut self, _: &RunEvent) {}
    fn finish(&mut self) {}
}

/// What the site and the contract are like.
#[derive(Default)]
pub(super) struct Setting {
    pub(super) policy: Policy,
    pub(super) contract: Contract,
    pub(super) faults: Vec<Fault>,
    pub(super) patience: Duration,
}

impl Setting {
    pub(super) fn faults(faults: Vec<Fault>) -> Self {
        Self {
            faults,
            ..Self::default()
        }
    }

    /// Memberships and the search by e-mail are allowed.
    pub(super) fn allowing(mut self) -> Self {
        self.contract.membership = true;
        self.contract.user_search = true;
        self
    }
}

pub(super) struct World {
    running: Running,
    pub(super) line: Line,
    pub(super) context: Context,
    patience: Duration,
    seeded: usize,
    _folder: TempDir,
}

/// A write of the site: `customer ana@example.com CREATE {…}`.
pub(super) type Audit = Vec<String>;

impl World {
    pub(super) async fn new(setting: Setting) -> Self {
        let folder = TempDir::new().unwrap();
        let seed = folder.path().join("site.toml");
        std::fs::write(&seed, SEED).unwrap();
        let contract = Arc::new(setting.contract);
        let config = SandboxConfig {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            state: None,
            seed: Some(seed),
            policy: setting.policy,
            contract: Arc::clone(&contract),
            tokens: None,
            traffic: None,
        };
        let running = start(config, Arc::new(SystemClock)).await.unwrap();
        let line = Line::to(running.address(), setting.faults);
        let client = Client::new(ClientConfig {
            site: Site::cloud(&line.origin, running.cloud_id()).unwrap(),
            auth: Auth::Bearer {
                token: "secret".into(),
            },
            timeout: Duration::from_secs(20),
            user_agent: "test".to_owned(),
            contract,
            gate: Arc::new(AtOnce),
        });
        let ledger = StateFolder::open(&folder.path().join("state")).unwrap();
        let ledger = Ledger::open(ledger).unwrap().begin(&RunHeader {
            id: "run".into(),
            nonce: Uuid::nil().to_string(),
            site: "sandbox".into(),
            job: "job".into(),
            retry_of: None,
            invocation: None,
            started_at: 0,
        });
        let context = Context {
            client: client.unwrap(),
            clock: Arc::new(SystemClock),
            ledger: ledger.unwrap(),
            audience: Audience::new(Box::new(Nobody)),
            stop: Stop::default(),
            run: "run".into(),
            nonce: Uuid::nil(),
            slots: TaskSlots::Auto,
            route: crate::engine::route::Wish::Single,
            requests_per_second: 50.0,
            single_in_flight: std::num::NonZeroUsize::MIN,
            verify: crate::engine::limits::Verify::Failed,
            polls_per_second: f64::from(NonZeroU32::MIN.get()),
            budget: Mutex::default(),
            max_errors: None,
            full: false,
            refresh_after: None,
            spool: folder.path().to_owned(),
        };
        let mut world = Self {
            running,
            line,
            context,
            patience: setting.patience,
            seeded: 0,
            _folder: folder,
        };
        world.seeded = world.entries().await.len();
        world
    }

    /// The stage of customers' or organizations' profiles.
    pub(super) fn target(entity: Entity, operation: Operation) -> Target {
        Target {
            stage: 0,
            entity,
            family: Family::Profile,
            asked: Asked::Record(operation),
            key_detail: None,
        }
    }

    pub(super) fn details(entity: Entity) -> Target {
        Target {
            family: Family::Details,
            asked: Asked::Details(Verb::Update),
            ..Self::target(entity, Operation::Update)
        }
    }

    /// Loads a payload.
    pub(super) async fn load(&self, target: &Target, payload: &Value) -> Called {
        self.send(target, &wanted(payload), false).await
    }

    pub(super) async fn send(&self, target: &Target, wanted: &Wanted, look_first: bool) -> Called {
        let finder = Looking::new(&self.context, target);
        let caller = Caller::new(&self.context, target, finder).with_patience(self.patience);
        caller.call(wanted, look_first).await
    }

    pub(super) async fn join(&self, target: &Target, record: &str, lacks: &Lacks) -> Called {
        join(&self.context, target, record, lacks).await
    }

    /// What was written since the beginning.
    pub(super) async fn audit(&self) -> Audit {
        let entries = self.entries().await;
        let shown = entries[self.seeded..].iter().map(|entry| {
            let text = |key: &str| entry[key].as_str().unwrap_or_default().to_owned();
            format!(
                "{} {} {} {}",
                text("entity"),
                text("key"),
                text("operation"),
                entry["content"]
            )
        });
        shown.collect()
    }

    async fn entries(&self) -> Vec<Value> {
        let page = self.inspect("/admin/audit?after=0").await;
        page["entries"].as_array().unwrap().clone()
    }

    /// The id of a record: `customers`, `organizations` or `products`.
    pub(super) async fn id(&self, kind: &str, key: &str) -> String {
        let record = self.record(kind, key).await;
        let id = record.get("customerId").or_else(|| record.get("id"));
        id.and_then(Value::as_str).unwrap().to_owned()
    }

    pub(super) async fn record(&self, kind: &str, key: &str) -> Value {
        let page = self.inspect(&format!("/admin/{kind}")).await;
        let mut results = page["results"].as_array().unwrap().iter();
        let record = results.find(|record| record["key"] == key);
        record.unwrap_or_else(|| panic!("no {key}: {page}")).clone()
    }

    async fn inspect(&self, path: &str) -> Value {
        let address = self.running.address();
        let path = path.to_owned();
        let read = move || {
            let mut stream = TcpStream::connect(address).unwrap();
            write!(stream, "GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n").unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            let (_, body) = answer.split_once("\r\n\r\n").unwrap();
            serde_json::from_str(body).unwrap()
        };
        tokio::task::spawn_blocking(read).await.unwrap()
    }
}

/// A row with this payload.
pub(super) fn wanted(payload: &Value) -> Wanted {
    let item = json!({ "operationType": "UPSERT", "payload": payload });
    item_wanted(&item)
}

/// A row with this item.
pub(super) fn item_wanted(item: &Value) -> Wanted {
    Wanted {
        row: PreparedRow {
            row: RowRef {
                id: RowId(1),
                file: FileId(0),
                line: Some(2),
                key: Slice::owned("key"),
            },
            hash: fold::hash(Entity::Customer, "key"),
            identity: Slice::owned("key"),
            item: Slice::owned(item.to_string()),
            details: 0,
            parent: None,
        },
        remote_id: None,
    }
}

/// How a row ended, in one line; ids are left out.
pub(super) fn shown(called: &Called) -> String {
    match called {
        Called::Loaded { remote_id, calls } => {
            assert!(remote_id.is_some(), "loaded without an id");
            format!("loaded by {calls}")
        }
        Called::Refused { reasons, .. } => {
            let reasons = reasons.iter().map(|reason| {
                let field = reason.field.as_deref().unwrap_or("-");
                format!("{} {field}: {}", reason.code, reason.message)
            });
            reasons.collect::<Vec<_>>().join("\n")
        }
        Called::Lost { error, tried } => format!("lost: {}; {tried}", error.message),
        Called::NotSent { error } => format!("not sent: {error}"),
    }
}
