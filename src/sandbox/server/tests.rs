//! The site over real sockets. The client is a few lines of its own, so that it can also send what no library would.

mod endpoints;

use crate::model::clock::{Clock, SystemClock, UnixMillis};
use crate::sandbox::{Policy, Running, SandboxConfig, SandboxError, seed_only, start};
use insta::assert_snapshot;
use serde_json::{Value, json};
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

const SEED: &str = r#"
[[customer_detail]]
name = "Region"
type = "SELECT"
options = ["EMEA", "APAC"]
[[customer_detail]]
name = "External ID"
type = "TEXT"
[[organization_detail]]
name = "Industry"
type = "TEXT"
[[organization]]
name = "Acme Ltd"
details = { Industry = ["Retail"] }
[[product]]
name = "Router"
"#;

/// A clock that stands still until it is set.
struct Hands(AtomicI64);

impl Clock for Hands {
    fn instant(&self) -> Instant {
        Instant::now()
    }

    fn unix_millis(&self) -> UnixMillis {
        self.0.load(Ordering::Relaxed)
    }
}

/// A served site and what is needed to serve it again.
struct World {
    runtime: Runtime,
    running: Option<Running>,
    policy: Policy,
    clock: Arc<dyn Clock>,
    folder: TempDir,
}

struct Answer {
    status: u16,
    body: Value,
}

impl World {
    fn new(policy: Policy, clock: Arc<dyn Clock>) -> Self {
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join("site.toml"), SEED).unwrap();
        let mut builder = Builder::new_multi_thread();
        let mut world = Self {
            runtime: builder.worker_threads(1).enable_all().build().unwrap(),
            running: None,
            policy,
            clock,
            folder,
        };
        world.start();
        world
    }

    /// A site that works as fast as it can.
    fn quick() -> Self {
        let policy = Policy {
            task_micros: 1000,
            item_micros: 0,
            ..Policy::default()
        };
        Self::new(policy, Arc::new(SystemClock))
    }

    fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    fn start(&mut self) {
        let config = SandboxConfig {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            state: Some(self.state()),
            seed: Some(self.folder.path().join("site.toml")),
            policy: self.policy.clone(),
            contract: Arc::default(),
            tokens: None,
            traffic: None,
        };
        let started = start(config, Arc::clone(&self.clock));
        self.running = Some(self.runtime.block_on(started).unwrap());
    }

    fn stop(&mut self) {
        let running = self.running.take().unwrap();
        self.runtime.block_on(running.stop()).unwrap();
    }

    fn running(&self) -> &Running {
        self.running.as_ref().unwrap()
    }

    fn prefix(&self) -> String {
        format!("/jsm/csm/cloudid/{}", self.running().cloud_id())
    }

    fn raw(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let mut stream = TcpStream::connect(self.running().address()).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(10)))
            .unwrap();
        let length = body.len();
        let mut head = format!(
            "{method} {path} HTTP/1.1\r\nHost: sandbox\r\nConnection: close\r\nContent-Length: {length}\r\n"
        );
        for (name, value) in headers {
            head.extend([name, ": ", value, "\r\n"]);
        }
        head.push_str("\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(body).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        Answer {
            status: head.split(' ').nth(1).unwrap().parse().unwrap(),
            body: if body.is_empty() {
                Value::Null
            } else {
                serde_json::from_str(body).unwrap()
            },
        }
    }

    /// An API call with credentials.
    fn call(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
        let mut all = vec![
            ("Authorization", "Bearer x"),
            ("Content-Type", "application/json"),
        ];
        all.extend(headers);
        let path = format!("{}/api/v1{path}", self.prefix());
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        self.raw(method, &path, &all, body.as_bytes())
    }

    fn get(&self, path: &str) -> Value {
        let answer = self.call("GET", path, &[], &Value::Null);
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        answer.body
    }

    fn post(&self, path: &str, body: &Value) -> Value {
        let answer = self.call("POST", path, &[], body);
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        answer.body
    }

    fn admin(&self, path: &str) -> Value {
        self.raw("GET", &format!("/admin/{path}"), &[], b"").body
    }

    fn submit(&self, path: &str, key: &str, body: &Value) -> Answer {
        self.call("POST", path, &[("Idempotency-Key", key)], body)
    }

    /// Loads customers and waits for the end of their task.
    fn load(&self, key: &str, payloads: &[Value]) -> Value {
        let accepted = self.submit("/customer/profile/bulk", key, &customers(payloads));
        assert_eq!(accepted.status, 202, "{}", accepted.body);
        self.ended(&accepted.body)
    }

    /// Waits for the end of a task.
    fn ended(&self, accepted: &Value) -> Value {
        let path = format!("/tasks/{}", accepted["id"].as_str().unwrap());
        for _ in 0..500 {
            let task = self.get(&path);
            if task["status"] == "FINISHED" {
                return task;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        panic!("the task never ended");
    }
}

fn customers(payloads: &[Value]) -> Value {
    let item = |payload| json!({ "operationType": "UPSERT", "payload": payload });
    json!({ "customerProfiles": payloads.iter().map(item).collect::<Vec<_>>() })
}

#[test]
fn every_endpoint_gives_its_main_answer() {
    let world = World::quick();
    let tenant = world.raw("GET", "/_edge/tenant_info", &[], b"").body;
    assert_eq!(tenant, json!({ "cloudId": world.running().cloud_id() }));

    let fields = world.get("/customer/details");
    assert_eq!(
        fields["results"][0],
        json!({ "name": "Region", "type": { "name": "SELECT", "options": ["EMEA", "APAC"] },
            "configuration": { "position": 0 } })
    );
    let fields = world.get("/organization/details");
    assert_eq!(fields["results"][0]["type"], json!({ "name": "TEXT" }));

    let product = world.get("/product?limit=1")["results"][0].clone();
    assert_eq!(product["name"], "Router");
    let id = product["id"].as_str().unwrap();
    assert_eq!(world.get(&format!("/product/{id}")), product);
    let second = world.post("/product", &json!({ "name": "Switch" }));
    let page = world.get("/product?limit=1");
    let cursor = page["nextPageCursor"].as_str().unwrap();
    let page = world.get(&format!("/product?limit=1&cursor={cursor}"));
    assert_eq!(page, json!({ "results": [second] }));

    let fetched = world.post(
        "/organization/fetch",
        &json!({ "organizationNames": ["ACME ltd", "none"], "organizationIds": ["1", "7"] }),
    );
    let acme = json!({ "id": "1", "name": "Acme Ltd" });
    assert_eq!(fetched, json!({ "organizations": [acme] }));
    let beta = world.post("/organization", &json!({ "name": "Beta" }));
    assert_eq!((&beta["id"], &beta["name"]), (&json!("2"), &json!("Beta")));
    let organization = world.get("/organization/1");
    assert_eq!(organization["details"][0]["values"], json!(["Retail"]));
    let profile = world.get("/organization/profile/1");
    assert_eq!(
        profile["details"],
        json!([{ "name": "Industry", "values": ["Retail"] }])
    );

    let ana = json!({ "email": "ana@example.com", "displayName": "Ana",
        "details": [{ "name": "External ID", "values": ["007"] }],
        "associateOrganizations": { "organizationIds": ["1"] },
        "associateProducts": { "productIds": [id] } });
    let task = world.load(
        "k",
        &[
            ana,
            json!({ "email": "bo@example.com", "displayName": "Bo",
        "details": [{ "name": "Region", "values": ["Mars"] }] }),
        ],
    );
    assert_eq!(task["type"], "BULK_CUSTOMER_PROFILE_CREATE_UPDATE");
    assert_eq!(
        task["failures"],
        json!([{ "entity": "CUSTOMER", "entityId": "bo@example.com", "operation": "CREATE",
            "operatedOn": "CUSTOMER_DETAIL", "operatedOnIds": ["Region"],
            "error": "Invalid detail field value" }])
    );
    for key in ["createdAt", "updatedAt"] {
        assert!(task[key].as_str().unwrap().ends_with('Z'));
    }
    let search = json!({ "detailFields": [{ "name": "external id", "value": "007" }] });
    let found = world.post(
        "/customer/search-by-detail-field?page=0&maxResults=5",
        &search,
    );
    assert_eq!(found["results"][0]["email"], "ana@example.com");
    let next = world.post("/customer/search-by-detail-field?page=1", &search);
    assert_eq!(next["results"], json!([]));
    let id = found["results"][0]["id"].as_str().unwrap();
    let profile = world.get(&format!("/customer/profile/{}", id.replace(':', "%3A")));
    assert_eq!(profile["displayName"], "Ana");
    assert_eq!(profile["organizations"], json!([acme]));
    assert_eq!(profile["entitlements"][0]["product"], product);
    let fetched = world.post(
        "/customer/profile/fetch",
        &json!({ "customerIds": [id, "qm:none"] }),
    );
    assert_eq!(fetched, json!({ "profiles": [profile] }));

    let organizations = json!({ "organizationProfiles": [
        { "operationType": "UPSERT", "payload": { "name": "Gamma", "associateCustomers": { "customerIds": [id] } } }
    ] });
    let accepted = world.submit("/organization/profile/bulk", "o", &organizations);
    assert_eq!(accepted.status, 202);
}

#[test]
fn the_inspection_shows_every_write_and_every_record() {
    let world = World::quick();
    world.load(
        "key 1",
        &[
            json!({ "email": "B@x.example" }),
            json!({ "email": "a@x.example" }),
        ],
    );
    let state = world.admin("state");
    assert_eq!(
        (&state["customers"], &state["writes"], &state["tasks"]),
        (&json!(2), &json!(4), &json!(1))
    );
    let audit = world.admin("audit?after=2");
    assert_eq!(audit["last"], 4);
    let entries = audit["entries"].as_array().unwrap();
    assert_eq!(entries.len(), 2);
    let mut entry = entries[0].clone();
    for key in ["time", "id", "task"] {
        assert!(entry[key].take().is_string(), "{key}");
    }
    assert_eq!(
        entry,
        json!({ "sequence": 3, "time": null, "entity": "customer", "key": "b@x.example", "operation": "create",
            "id": null, "task": null, "idempotencyKey": "key 1", "content": { "email": "B@x.example" } })
    );
    assert_eq!(
        world.admin("audit?limit=1")["entries"][0]["task"],
        Value::Null
    );
    let page = world.admin("customers?limit=1");
    assert_eq!(
        (&page["results"][0]["key"], &page["next"]),
        (&json!("a@x.example"), &json!("a@x.example"))
    );
    let page = world.admin("customers?limit=1&after=a@x.example");
    assert_eq!(
        (&page["results"][0]["email"], &page["next"]),
        (&json!("B@x.example"), &Value::Null)
    );
    assert_eq!(
        world.admin("organizations")["results"][0]["details"][0]["values"],
        json!(["Retail"])
    );
    assert_eq!(world.admin("products")["results"][0]["key"], "router");
}

#[test]
fn what_the_transport_refuses_is_refused_in_the_contracts_words() {
    let world = World::quick();
    let refused = |answer: Answer| {
        assert_eq!(answer.body["statusCode"], answer.status, "{}", answer.body);
        let reason = answer.body["errors"][0].as_str().unwrap().to_owned();
        format!(
            "{} {reason}: {}",
            answer.status,
            answer.body["errorMessage"].as_str().unwrap()
        )
    };
    let bulk = "/customer/profile/bulk";
    let body = customers(&[json!({ "email": "a@b" })]);

    let path = format!("{}/api/v1/product", world.prefix());
    for headers in [
        &[][..],
        &[("Authorization", "x")],
        &[("Authorization", "Basic ")],
    ] {
        let answer = world.raw("GET", &path, headers, b"");
        assert_eq!(
            (answer.status, answer.body),
            (401, json!({ "code": 401, "message": "Unauthorized" }))
        );
    }
    let auth = ("Authorization", "basic eDp5");
    assert_eq!(world.raw("GET", &path, &[auth], b"").status, 200);

    let elsewhere = "/jsm/csm/cloudid/0000/api/v1/product";
    assert_snapshot!(refused(world.raw("GET", elsewhere, &[auth], b"")), @"404 NOT_FOUND: There is no site with this cloud id");
    assert_snapshot!(refused(world.raw("GET", "/api/v1/product", &[auth], b"")), @"404 NOT_FOUND: There is no such resource");
    assert_snapshot!(refused(world.call("GET", "/entitlements", &[], &Value::Null)), @"412 PRECONDITION_FAILED: The experimental opt-in header was not set");
    assert_snapshot!(refused(world.call("PUT", "/product", &[], &Value::Null)), @"405 METHOD_NOT_ALLOWED: The resource has no such method");
    assert_snapshot!(refused(world.call("GET", "/tasks/none", &[], &Value::Null)), @"404 NOT_FOUND: Task not found");
    assert_snapshot!(refused(world.call("GET", "/product/none", &[], &Value::Null)), @"404 NOT_FOUND: Product not found");
    assert_snapshot!(refused(world.call("POST", bulk, &[], &body)), @"400 BAD_REQUEST: Idempotency-Key header is required");
    assert_snapshot!(refused(world.submit(bulk, " ", &body)), @"400 BAD_REQUEST: Idempotency-Key header is required");
    let path = format!("{}/api/v1{bulk}", world.prefix());
    let text = [
        auth,
        ("Idempotency-Key", "k"),
        ("Content-Type", "text/plain"),
    ];
    assert_snapshot!(refused(world.raw("POST", &path, &text, b"{}")), @"415 UNSUPPORTED_MEDIA_TYPE: Content-Type must be application/json");
    let large = vec![b' '; super::receive::MAX_BODY + 1];
    assert_snapshot!(refused(world.raw("POST", &path, &text, &large)), @"413 PAYLOAD_TOO_LARGE: The request body is larger than 8388608 bytes");
    let many: Vec<_> = (0..101)
        .map(|n| json!({ "email": format!("{n}@b") }))
        .collect();
    assert_snapshot!(refused(world.submit(bulk, "k", &customers(&many))), @"400 BAD_REQUEST: customerProfiles must hold between 1 and 100 items, not 101");
    let ids: Vec<_> = (0..26).map(|n| n.to_string()).collect();
    let fetch = world.call(
        "POST",
        "/customer/profile/fetch",
        &[],
        &json!({ "customerIds": ids }),
    );
    assert_snapshot!(refused(fetch), @"400 BAD_REQUEST: Between 1 and 25 profiles can be fetched");
    let ids: Vec<_> = (0..51).map(|n| n.to_string()).collect();
    let fetch = world.call(
        "POST",
        "/organization/fetch",
        &[],
        &json!({ "organizationNames": ids }),
    );
    assert_snapshot!(refused(fetch), @"400 BAD_REQUEST: Between 1 and 50 organizations can be fetched");
    assert_snapshot!(refused(world.call("POST", "/organization", &[], &json!({ "name": "acme ltd" }))), @"400 BAD_REQUEST: Organization already exists");
    assert_snapshot!(refused(world.call("POST", "/product", &[], &json!({}))), @"400 BAD_REQUEST: Invalid request body: name is required");
    let search = json!({ "detailFields": [{ "name": "Colour", "value": "red" }] });
    assert_snapshot!(refused(world.call("POST", "/customer/search-by-detail-field", &[], &search)), @"400 BAD_REQUEST: Invalid detail field");
    // nothing of all this left a trace
    assert_eq!(world.admin("state")["tasks"], 0);
}

#[test]
fn a_policy_may_ask_for_a_token_and_the_opt_in_and_answer_200() {
    let policy = Policy {
        authorization: Some("Bearer secret".to_owned()),
        require_experimental: true,
        submit_status: 200,
        ..Policy::default()
    };
    let world = World::new(policy, Arc::new(SystemClock));
    let path = format!("{}/api/v1/customer/profile/bulk", world.prefix());
    let body = customers(&[json!({ "email": "a@b" })]).to_string();
    let send = |token, experimental| {
        let headers = [
            ("Authorization", token),
            ("X-ExperimentalApi", experimental),
            ("Content-Type", "application/json; charset=utf-8"),
            ("Idempotency-Key", "k"),
        ];
        world.raw("POST", &path, &headers, body.as_bytes()).status
    };
    assert_eq!(send("Bearer x", "opt-in"), 401);
    assert_eq!(send("Bearer secret", ""), 412);
    assert_eq!(send("Bearer secret", "opt-in"), 200);
}

#[test]
fn a_restart_keeps_records_tasks_keys_and_the_work_under_way() {
    let hands = Arc::new(Hands(AtomicI64::new(1_000_000)));
    let clock: Arc<dyn Clock> = hands.clone();
    let policy = Policy {
        max_tasks: 2,
        ..Policy::default()
    };
    let mut world = World::new(policy, clock);
    let bulk = "/customer/profile/bulk";
    let (one, two) = (
        customers(&[json!({ "email": "a@b" })]),
        customers(&[json!({ "email": "c@d" })]),
    );
    let first = world.submit(bulk, "k1", &one).body;
    hands.0.fetch_add(1000, Ordering::Relaxed);
    let second = world.submit(bulk, "k2", &two).body;
    let path = |task: &Value| format!("/tasks/{}", task["id"].as_str().unwrap());
    let before = (
        world.admin("audit"),
        world.get(&path(&first)),
        world.get(&path(&second)),
    );
    assert_eq!(
        (&before.1["status"], &before.2["status"]),
        (&json!("FINISHED"), &json!("IN_PROGRESS"))
    );

    world.stop();
    world.start();
    let after = (
        world.admin("audit"),
        world.get(&path(&first)),
        world.get(&path(&second)),
    );
    assert_eq!(after, before);
    let third = world.submit(bulk, "k3", &one);
    assert_eq!(third.status, 202);
    let full = world.submit(bulk, "k4", &one);
    assert_eq!(
        (full.status, &full.body["errorMessage"]),
        (400, &json!("Maximum number of tasks reached"))
    );
    assert_eq!(world.submit(bulk, "k1", &one).body, first);
    assert_eq!(world.submit(bulk, "k2", &one).status, 400);
    hands.0.fetch_add(1000, Ordering::Relaxed);
    assert_eq!(world.get(&path(&second))["status"], "FINISHED");
    assert_eq!(world.admin("state")["customers"], 2);
    assert_eq!(
        world.admin("state")["organizations"],
        1,
        "seeding again creates nothing"
    );
}

#[test]
fn tasks_end_without_anyone_asking() {
    let world = World::quick();
    let accepted = world.submit(
        "/customer/profile/bulk",
        "k",
        &customers(&[json!({ "email": "a@b" })]),
    );
    assert_eq!(accepted.status, 202);
    let journal = world.state().join("site.jsonl");
    for _ in 0..500 {
        if fs::read_to_string(&journal)
            .unwrap()
            .contains("\"finished\"")
        {
            return;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    panic!("the task was never finished");
}

#[test]
fn the_site_stops_although_a_client_holds_its_connection_open() {
    let mut world = World::quick();
    let mut idle = TcpStream::connect(world.running().address()).unwrap();
    idle.write_all(b"GET /admin/state HTTP/1.1\r\nHost: x\r\n\r\n")
        .unwrap();
    let mut answer = [0; 12];
    idle.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200");
    world.stop();
    let folder = world.state();
    let seed = world.folder.path().join("site.toml");
    // and its folder is free again
    let report = seed_only(&folder, &seed, &SystemClock).unwrap();
    assert_eq!(
        (report.organizations.created, report.organizations.kept),
        (0, 1)
    );
}

#[test]
fn a_sandbox_that_cannot_start_says_why() {
    let world = World::quick();
    let fail = |listen: SocketAddr, state: Option<&Path>, seed: Option<&Path>| {
        let config = SandboxConfig {
            listen,
            state: state.map(Path::to_owned),
            seed: seed.map(Path::to_owned),
            policy: Policy::default(),
            contract: Arc::default(),
            tokens: None,
            traffic: None,
        };
        let error: SandboxError = world
            .runtime
            .block_on(start(config, Arc::new(SystemClock)))
            .err()
            .unwrap();
        error
            .to_string()
            .replace(&*world.folder.path().to_string_lossy(), "FOLDER")
    };
    let here = SocketAddr::from(([127, 0, 0, 1], 0));
    let taken = fail(world.running().address(), None, None);
    let port = world.running().address().port().to_string();
    assert_snapshot!(taken.replace(&port, "PORT"), @"failed to listen on 127.0.0.1:PORT; choose another port, or 0 for a free one");
    assert_snapshot!(fail(SocketAddr::from(([0, 0, 0, 0], 80)), None, None), @"the sandbox listens on this machine alone, and 0.0.0.0:80 can be reached from others; use 127.0.0.1:80");
    assert_snapshot!(fail(here, Some(&world.state()), None), @"another process uses the sandbox in FOLDER/state; stop it, or choose another folder");
    let file = world.folder.path().join("site.toml");
    assert_snapshot!(fail(here, Some(&file), None), @"failed to create the folder FOLDER/site.toml");
    assert_snapshot!(fail(here, None, Some(&world.folder.path().join("none"))), @"failed to read the seed FOLDER/none");
    let other = world.folder.path().join("other.toml");
    fs::write(
        &other,
        "cloud_id = \"00000000-0000-0000-0000-00000000000a\"",
    )
    .unwrap();
    let spare = world.folder.path().join("spare");
    seed_only(&spare, &file, &SystemClock).unwrap();
    assert_snapshot!(fail(here, Some(&spare), Some(&other)), @"the seed is for cloud id 00000000-0000-0000-0000-00000000000a, and FOLDER/spare/site.jsonl holds the site 5a4db0c5-0000-4000-8000-000000000001; choose another folder");
}
