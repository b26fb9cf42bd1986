//! Faults over real sockets. The client is a few lines of its own: it has to hear what no library would let it.

use crate::model::clock::{Clock, UnixMillis};
use crate::sandbox::policy::{Policy, PolicyChoice, Preset, Share, ThrottleStyle};
use crate::sandbox::{Running, SandboxConfig, start};
use insta::assert_snapshot;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, Runtime};

const BULK: &str = "/customer/profile/bulk";

/// A clock that moves when it is told to.
struct Hands {
    zero: Instant,
    millis: AtomicU64,
}

impl Clock for Hands {
    fn instant(&self) -> Instant {
        self.zero + Duration::from_millis(self.millis.load(Ordering::Relaxed))
    }

    fn unix_millis(&self) -> UnixMillis {
        i64::try_from(self.millis.load(Ordering::Relaxed)).unwrap()
    }
}

/// A served site, in memory.
struct World {
    runtime: Runtime,
    running: Option<Running>,
    hands: Arc<Hands>,
}

/// What came back, if anything did.
#[derive(Debug, PartialEq, Eq)]
struct Answer {
    status: u16,
    headers: BTreeMap<String, String>,
    body: String,
}

impl World {
    fn new(policy: Policy) -> Self {
        let hands = Arc::new(Hands {
            zero: Instant::now(),
            millis: AtomicU64::new(1_774_540_770_250),
        });
        let mut builder = Builder::new_multi_thread();
        let runtime = builder.worker_threads(1).enable_all().build().unwrap();
        let config = SandboxConfig {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            state: None,
            seed: None,
            policy,
            contract: Arc::default(),
            tokens: None,
            traffic: None,
        };
        let clock: Arc<dyn Clock> = hands.clone();
        let running = runtime.block_on(start(config, clock)).unwrap();
        Self {
            runtime,
            running: Some(running),
            hands,
        }
    }

    /// A documented site but for some knobs.
    fn with(set: &[&str]) -> Self {
        let mut choice = PolicyChoice::default();
        for text in set {
            choice.set_text(text).unwrap();
        }
        Self::new(choice.resolve().unwrap())
    }

    fn pass(&self, millis: u64) {
        self.hands.millis.fetch_add(millis, Ordering::Relaxed);
    }

    fn running(&self) -> &Running {
        self.running.as_ref().unwrap()
    }

    /// Asks once on a connection of its own; nothing when it ends without an answer.
    fn ask(&self, method: &str, path: &str, key: &str, body: &Value) -> Option<Answer> {
        let path = if path.starts_with("/admin") {
            path.to_owned()
        } else if path.starts_with("/rest") {
            format!("/ex/jira/{}{path}", self.running().cloud_id())
        } else {
            format!(
                "/jsm/csm/cloudid/{}/api/v1{path}",
                self.running().cloud_id()
            )
        };
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer x\r\n\
             Content-Type: application/json\r\nContent-Length: {length}\r\nIdempotency-Key: {key}\r\n\r\n{body}"
        );
        let mut stream = TcpStream::connect(self.running().address()).unwrap();
        let limit = Some(Duration::from_secs(10));
        stream.set_read_timeout(limit).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let answer = String::from_utf8(answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n")?;
        let mut lines = head.lines();
        let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
        let headers = lines.filter_map(|line| line.split_once(": "));
        Some(Answer {
            status,
            headers: headers
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
            body: body.to_owned(),
        })
    }

    fn get(&self, path: &str) -> Option<Answer> {
        self.ask("GET", path, "", &Value::Null)
    }

    fn json(&self, path: &str) -> Value {
        serde_json::from_str(&self.get(path).unwrap().body).unwrap()
    }

    fn create(&self, name: &str) -> Option<Answer> {
        self.ask("POST", "/product", "", &json!({ "name": name }))
    }

    fn submit(&self, key: &str, emails: &[String]) -> Option<Answer> {
        let item = |email| json!({ "operationType": "UPSERT", "payload": { "email": email } });
        let items: Vec<_> = emails.iter().map(item).collect();
        self.ask("POST", BULK, key, &json!({ "customerProfiles": items }))
    }

    fn writes(&self) -> usize {
        let state = self.json("/admin/state");
        usize::try_from(state["writes"].as_u64().unwrap()).unwrap()
    }

    /// The counts that are not zero.
    fn violations(&self) -> String {
        let Value::Object(counts) = self.json("/admin/violations") else {
            panic!("not an object")
        };
        let some = counts.iter().filter(|(_, count)| **count != json!(0));
        let some: Vec<_> = some
            .map(|(name, count)| format!("{name} {count}"))
            .collect();
        some.join("\n")
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            self.runtime.block_on(running.stop()).unwrap();
        }
    }
}

fn emails(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("c{n}@x.example")).collect()
}

fn id_of(answer: &Answer) -> String {
    let body: Value = serde_json::from_str(&answer.body).unwrap();
    body["id"].as_str().unwrap().to_owned()
}

/// What creating a product meets under some knobs, and what the site has written then.
fn met(set: &[&str]) -> String {
    let world = World::with(set);
    let told = match world.create("Router") {
        None => "no answer".to_owned(),
        Some(answer) => {
            let kind = answer.headers.get("content-type");
            let retry = answer.headers.get("retry-after");
            let whole = serde_json::from_str::<Value>(&answer.body).is_ok();
            format!(
                "{} {}{}{}",
                answer.status,
                kind.map_or("-", |kind| kind.split(';').next().unwrap()),
                if whole { "" } else { ", no JSON" },
                retry.map_or(String::new(), |wait| format!(", retry after {wait}")),
            )
        }
    };
    let faults = &world.json("/admin/violations")["faults"];
    format!("{told}; {} written; {faults}", world.writes())
}

#[test]
fn faults_before_the_site_apply_nothing() {
    assert_snapshot!(met(&["json_500=1"]), @r#"500 application/json; 0 written; {"json_500":1}"#);
    assert_snapshot!(met(&["html_502=1"]), @r#"502 text/html, no JSON; 0 written; {"html_502":1}"#);
    assert_snapshot!(met(&["html_400=1"]), @r#"400 text/html, no JSON; 0 written; {"html_400":1}"#);
    assert_snapshot!(met(&["login_page=1"]), @r#"200 text/html, no JSON; 0 written; {"login_page":1}"#);
    assert_snapshot!(met(&["unavailable_503=1"]), @r#"503 application/json, retry after 1; 0 written; {"unavailable_503":1}"#);
    assert_snapshot!(met(&["burst_429=1"]), @r#"429 application/json, retry after 1; 0 written; {"burst_429":1}"#);
    assert_snapshot!(met(&["quota_429=1"]), @r#"429 application/json, retry after 60; 0 written; {"quota_429":1}"#);
    assert_snapshot!(met(&["quota_429=1", "throttle_style=gateway"]), @r#"429 application/json; 0 written; {"quota_429":1}"#);
    assert_snapshot!(met(&["dropped_before=1"]), @r#"no answer; 0 written; {"dropped_before":1}"#);
}

#[test]
fn faults_behind_the_site_leave_what_was_applied_in_the_audit() {
    assert_snapshot!(met(&["applied_504=1"]), @r#"504 text/html, no JSON; 1 written; {"applied_504":1}"#);
    assert_snapshot!(met(&["dropped_after=1"]), @r#"no answer; 1 written; {"dropped_after":1}"#);
    assert_snapshot!(met(&["truncated_json=1"]), @r#"200 application/json, no JSON; 1 written; {"truncated_json":1}"#);
    let begun = Instant::now();
    assert_snapshot!(met(&["slow_answers=1", "slow_answer_ms=30"]), @r#"200 application/json; 1 written; {"slow_answers":1}"#);
    assert!(begun.elapsed() >= Duration::from_millis(30));
    let begun = Instant::now();
    assert_snapshot!(met(&["slow_bodies=1", "slow_body_ms=40"]), @r#"200 application/json; 1 written; {"slow_bodies":1}"#);
    assert!(begun.elapsed() >= Duration::from_millis(40));
    let begun = Instant::now();
    assert_snapshot!(met(&["single_call_ms=30"]), @"200 application/json; 1 written; {}");
    assert!(begun.elapsed() >= Duration::from_millis(30));
}

#[test]
fn faults_of_bulk_requests_and_tasks_meet_nothing_else() {
    let message = |answer: Option<Answer>| {
        let answer = answer.unwrap();
        let body: Value = serde_json::from_str(&answer.body).unwrap();
        let message = body["errorMessage"].as_str().unwrap_or("-");
        format!("{} {message}", answer.status)
    };
    let world = World::with(&["precondition_412=1"]);
    assert_snapshot!(message(world.submit("k", &emails(1))), @"412 The experimental opt-in header was not set");
    assert_eq!(world.create("Router").unwrap().status, 200);

    let world = World::with(&["key_conflicts=1", "key_conflict_status=409"]);
    let first = world.submit("k", &emails(1)).unwrap();
    assert_eq!(first.status, 202);
    assert_snapshot!(message(world.submit("k", &emails(1))), @"409 An idempotency key can only be retried with the same request data");
    assert_eq!(world.json("/admin/state")["tasks"], 1);

    let world = World::with(&["vanished_polls=1"]);
    let task = world.submit("k", &emails(1)).unwrap();
    assert_snapshot!(message(world.get(&format!("/tasks/{}", id_of(&task)))), @"404 Task not found");

    // a real one, whatever the policy
    let world = World::with(&["key_conflict_status=422"]);
    assert_eq!(world.submit("k", &emails(1)).unwrap().status, 202);
    assert_snapshot!(message(world.submit("k", &emails(2))), @"422 An idempotency key can only be retried with the same request data");
}

#[test]
fn a_site_that_answers_two_a_second_says_so_and_counts_who_does_not_wait() {
    let world = World::with(&["requests_per_second=2"]);
    let first = world.get("/product").unwrap();
    assert_eq!(
        first.headers["ratelimit-policy"],
        "\"jira-burst-based\";q=2;w=1"
    );
    assert_eq!(first.headers["ratelimit"], "\"jira-burst-based\";r=1;t=1");
    assert_eq!(world.get("/product").unwrap().status, 200);
    let refused = world.get("/product").unwrap();
    assert_eq!(
        (refused.status, &*refused.headers["retry-after"]),
        (429, "1")
    );
    world.pass(500);
    assert_eq!(
        world.create("Router").unwrap().status,
        200,
        "another endpoint"
    );
    assert_eq!(world.get("/product").unwrap().status, 429);
    world.pass(1000);
    assert_eq!(world.get("/product").unwrap().status, 200);
    assert_snapshot!(world.violations(), @r#"
    faults {"throttled":2}
    insideEndpointWait 1
    mostRequestsInASecond 5
    requests 6
    "#);
}

#[test]
fn a_quota_stops_every_endpoint_for_whole_seconds_of_the_caller() {
    let policy = Policy {
        quota_429: Share::per_mille(500),
        time_scale: 600,
        throttle_style: ThrottleStyle::ResetPast,
        ..Policy::default()
    };
    let world = World::new(policy);
    let refused = (0..100)
        .find_map(|n| {
            world
                .create(&format!("p{n}"))
                .filter(|answer| answer.status == 429)
        })
        .unwrap();
    // a minute of the site is a tenth of a second, which no header can say
    assert_eq!(refused.headers["retry-after"], "1");
    world.pass(999);
    assert_eq!(world.get("/product").unwrap().status, 429);
    world.pass(1000);
    let after = world.get("/product").unwrap();
    assert!(after.status == 200 || after.headers["retry-after"] == "1");
    let seen = world.json("/admin/violations");
    assert_eq!(seen["insideSiteWait"], 1);
}

#[test]
fn a_site_of_2026_works_600_times_as_fast_and_no_faster() {
    let policy = Policy {
        time_scale: 600,
        failed_applied: Share::NONE,
        ..Preset::Live2026.policy()
    };
    let world = World::new(policy);
    let tasks: Vec<_> = ["1", "2"]
        .map(|key| id_of(&world.submit(key, &emails(100)).unwrap()))
        .into();
    let status = |task: &str| {
        let task = world.json(&format!("/tasks/{task}"));
        task["status"].as_str().unwrap().to_owned()
    };
    // 100 items of 4.8 s take 8 minutes, one task after the other
    world.pass(799);
    assert_eq!(
        [&tasks[0], &tasks[1]].map(|t| status(t)),
        ["IN_PROGRESS", "NOT_STARTED"]
    );
    world.pass(1);
    assert_eq!(
        [&tasks[0], &tasks[1]].map(|t| status(t)),
        ["FINISHED", "IN_PROGRESS"]
    );
    world.pass(800);
    assert_eq!(status(&tasks[1]), "FINISHED");
    let seen = world.json("/admin/violations");
    assert_eq!(seen["mostUnfinishedTasks"], 2);
    assert_eq!(seen["keysInTwoTasks"], 100);
    assert_eq!(world.json("/admin/state")["customers"], 100);
}

#[test]
fn what_was_written_is_read_only_after_the_lag_and_is_in_the_audit_at_once() {
    let world = World::with(&["read_lag_ms=1000"]);
    let router = format!("/product/{}", id_of(&world.create("Router").unwrap()));
    world.pass(999);
    assert_eq!(world.get(&router).unwrap().status, 404);
    assert_eq!(world.json("/product")["results"], json!([]));
    assert_eq!(world.writes(), 1);
    world.pass(1);
    assert_eq!(world.get(&router).unwrap().status, 200);
    assert_eq!(world.json("/product")["results"][0]["name"], "Router");
    assert!(world.submit("k", &emails(3)).is_some());
    world.pass(500);
    assert_eq!(world.writes(), 4);
    let fetch = json!({ "organizationNames": ["none"] });
    assert_eq!(
        world
            .ask("POST", "/organization/fetch", "", &fetch)
            .unwrap()
            .status,
        200
    );
}

#[test]
fn the_calls_of_the_jira_api_meet_faults_and_find_new_accounts_late() {
    let search = "/rest/api/3/user/search?query=ana@x.example";
    let faulty = World::with(&["json_500=1.0"]);
    assert_eq!(faulty.get(search).unwrap().status, 500);
    let world = World::with(&["read_lag_ms=1000", "user_search_lag_ms=3000"]);
    let ana = json!({ "email": "ana@x.example" });
    let made = world.ask("POST", "/customer", "", &ana).unwrap();
    assert_eq!(made.status, 200, "{made:?}");
    let found = || world.get(search).unwrap().body;
    world.pass(2999);
    assert_eq!(found(), "[]");
    world.pass(1);
    assert!(found().contains("ana@x.example"));
}

#[test]
fn a_single_write_that_is_repeated_although_it_was_applied_is_counted() {
    let world = World::with(&[]);
    for name in ["Router", "Switch", "Router"] {
        assert_eq!(world.create(name).unwrap().status, 200);
    }
    // refused ones may be sent again
    for _ in 0..2 {
        assert_eq!(world.create(" ").unwrap().status, 400);
    }
    assert_eq!(world.json("/admin/violations")["repeatedWrites"], 1);
}

#[test]
fn the_same_seed_gives_the_same_faults_whatever_the_keys() {
    let fates = |seed: u32, key: &str| -> Vec<Option<u16>> {
        let policy = Policy {
            random_seed: seed,
            max_tasks: 1000,
            burst_429: Share::NONE,
            quota_429: Share::NONE,
            unavailable_503: Share::NONE,
            slow_answers: Share::NONE,
            slow_bodies: Share::NONE,
            requests_per_second: 0,
            ..Preset::Hostile.policy()
        };
        let world = World::new(policy);
        let fate = |n: usize| world.submit(&format!("{key}{n}"), &emails(n + 1)[n..]);
        (0..60)
            .map(|n| fate(n).map(|answer| answer.status))
            .collect()
    };
    let first = fates(3, "a");
    assert_eq!(first, fates(3, "b"));
    assert_ne!(first, fates(4, "a"));
    assert!(first.contains(&Some(202)) && first.iter().any(|fate| *fate != Some(202)));
}
