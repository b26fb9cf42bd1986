//! Credentials of every kind against the sandbox's own login server: they load, are renewed, are revoked, lack
//! scopes, and are shared; nothing is lost and no secret is shown.

use crate::support::http::request;
use crate::support::place::Place;
use crate::support::process::{Ended, Process};
use crate::support::sandbox::Sandbox;
use crate::support::scripted::{Answer, Request, Scripted, Willing};
use insta::assert_snapshot;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

const SECRET: &str = "app-s3cret-4711";
/// The app, as its owner sets it.
const APP: [(&str, &str); 2] = [
    ("CSM_LOADER_CLIENT_ID", "app"),
    ("CSM_LOADER_CLIENT_SECRET", SECRET),
];
/// What the sandbox lets in.
const POLICY: &str = "\
    [[client]]\nid = \"app\"\nsecret = \"app-s3cret-4711\"\n\
    [[basic]]\nemail = \"ana@corp.example\"\ntoken = \"api-t0ken\"\n";
const STAGE: &str =
    "[[stage]]\nmapping = \"people.toml\"\ninput = \"people.csv\"\nresults = \"out.csv\"\n";

/// A sandbox that checks tokens, and a folder with people to load.
struct World {
    place: Place,
    sandbox: Sandbox,
}

impl World {
    fn new(rows: usize, policy: &str) -> Self {
        let place = Place::with_crowd(rows);
        place.write("auth.toml", format!("{policy}\n{POLICY}"));
        let sandbox = Sandbox::serve(&place, "--state-dir site --auth auth.toml");
        Self { place, sandbox }
    }

    /// Writes `job.toml`, which names the site by its address.
    fn job(&self, method: &str, more: &str) {
        let url = &self.sandbox.base_url;
        let job = format!(
            "[site]\nsite = \"{url}\"\nbase_url = \"{url}\"\n[state]\ndir = \"state\"\n[limits]\ntask_slots = 1\n\
             [auth]\nmethod = \"{method}\"\nlogin_url = \"{url}\"\n{more}\n{STAGE}"
        );
        self.place.write("job.toml", job);
    }

    fn load(&self, env: &[(&str, &str)]) -> Ended {
        let ended = self.place.run_with("load job.toml --quiet", env);
        let said = ended.said();
        assert!(!said.contains(SECRET), "{said}");
        ended
    }

    /// Logs in, with the test as the browser; `change` may lead it astray.
    fn login(&self, flags: &str, change: impl FnOnce(String) -> String) -> Ended {
        let args = format!("auth login job.toml --port 0 {flags}");
        let process = self.place.start_with(&args, &APP);
        browse(&process, change);
        process.end()
    }

    fn tokens(&self, file: &str) -> Value {
        let content: Value = serde_json::from_str(&self.place.read(file)).unwrap();
        content["tokens"][0].clone()
    }

    fn refresh_token(&self) -> String {
        let tokens = self.tokens("state/tokens.json");
        tokens["refresh_token"].as_str().unwrap().to_owned()
    }

    fn admin(&self, what: &str) {
        let page = request(
            "POST",
            &format!("{}/admin/tokens/{what}", self.sandbox.base_url),
        );
        assert_eq!(page.status, 200, "{page:?}");
    }

    /// How often the login server gave tokens.
    fn granted(&self) -> u64 {
        let page = request("GET", &format!("{}/admin/tokens", self.sandbox.base_url));
        let counts: Value = serde_json::from_str(&page.body).unwrap();
        counts["granted"].as_u64().unwrap()
    }

    /// Every row is loaded, and was written once.
    fn all_loaded_once(&self, rows: usize) {
        let results = self.place.results("out.csv");
        results.expect_rows(rows);
        assert_eq!(results.counts(), [("loaded".to_owned(), rows)].into());
        let audit = self.sandbox.audit();
        let keys: BTreeSet<_> = audit.iter().map(|write| &write.key).collect();
        assert_eq!((audit.len(), keys.len()), (rows, rows));
    }

    /// This site and folder as they are not, so that texts can be compared.
    fn tidy(&self, text: &str) -> String {
        let lines: Vec<_> = text
            .lines()
            .map(|line| line.split("; ends on").next().unwrap())
            .collect();
        lines
            .join("\n")
            .replace(&self.sandbox.base_url, "http://SITE")
            .replace(&self.sandbox.cloud_id, "CLOUD-ID")
    }
}

/// Goes where the program sends the browser, and where the consent page sends it on.
fn browse(process: &Process, change: impl FnOnce(String) -> String) {
    let consent = request("GET", &process.line("http://"));
    let back = change(consent.location.expect("the way back"));
    request("GET", &back.replace("localhost", "127.0.0.1"));
}

fn as_it_is(address: String) -> String {
    address
}

#[test]
fn e_mail_with_api_token_loads() {
    let world = World::new(3, "");
    world.job("basic", "email = \"ana@corp.example\"");
    let wrong = world.load(&[("CSM_LOADER_API_TOKEN", "other")]).expect(3);
    assert!(
        wrong
            .stdout
            .contains("the token was rejected or revoked; create a new one"),
        "{}",
        wrong.said()
    );
    world
        .load(&[("CSM_LOADER_API_TOKEN", "api-t0ken")])
        .expect(0);
    world.all_loaded_once(3);
}

#[test]
fn a_bearer_token_loads_and_a_wrong_one_says_so() {
    let world = World::new(3, "");
    world.job("bearer", "");
    let wrong = world
        .load(&[("CSM_LOADER_ACCESS_TOKEN", "other")])
        .expect(3);
    assert!(
        wrong.stdout.contains("the token may have expired"),
        "{}",
        wrong.said()
    );
    world
        .load(&[("CSM_LOADER_ACCESS_TOKEN", "api-t0ken")])
        .expect(0);
    world.all_loaded_once(3);
}

#[test]
fn a_service_account_loads_and_its_tokens_are_renewed_in_mid_run() {
    // one slot and 40 tasks of at least 40 ms: the run outlives its tokens
    let world = World::new(4_000, "access_seconds = 1");
    world.job("client-credentials", "");
    world.load(&APP).expect(0);
    world.all_loaded_once(4_000);
    assert!(world.granted() > 1, "{} tokens", world.granted());
    assert!(!world.place.has("state/tokens.json"));
}

#[test]
fn a_wrong_client_secret_is_final() {
    let world = World::new(1, "");
    world.job("client-credentials", "");
    let env = [APP[0], ("CSM_LOADER_CLIENT_SECRET", "wrong")];
    let ended = world.load(&env).expect(3);
    assert!(
        ended.stdout.contains(
            "POST /oauth/token was answered 401: access_denied: Unauthorized; check the client id and its secret"
        ),
        "{}",
        ended.said()
    );
}

#[test]
fn a_person_lets_the_app_in_and_the_rotated_token_is_kept() {
    let world = World::new(3, "");
    world.job("oauth", "");
    let before = world.load(&APP).expect(3);
    assert_snapshot!(before.stderr, @"error: there are no tokens for this app and site in state/tokens.json; run: csm-loader auth login");
    for flags in ["", "--pkce"] {
        let login = world.login(flags, as_it_is).expect(0);
        let end = login.stdout.split("…\n").nth(1).unwrap();
        let end = end.split(" on 2").next().unwrap();
        insta::allow_duplicates! {
            assert_snapshot!(world.tidy(end), @"
            logged in to http://SITE (cloud id CLOUD-ID); the tokens are in state/tokens.json
            the consent ends
            ");
        }
    }
    let first = world.refresh_token();
    world.admin("expire");
    world.load(&APP).expect(0);
    world.all_loaded_once(3);
    let second = world.refresh_token();
    assert_ne!(first, second);
    assert!(!world.place.read("state/tokens.json").contains(&first));
    let file = fs::metadata(world.place.path("state/tokens.json")).unwrap();
    assert_eq!(file.permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_consent_with_short_lived_tokens_loads_every_row_once() {
    let world = World::new(4_000, "access_seconds = 1");
    world.job("oauth", "");
    world.login("", as_it_is).expect(0);
    let first = world.refresh_token();
    world.load(&APP).expect(0);
    world.all_loaded_once(4_000);
    assert!(world.granted() > 2, "{} tokens", world.granted());
    assert_ne!(world.refresh_token(), first);
}

#[test]
fn a_consent_that_is_about_to_end_is_announced() {
    let world = World::new(1, "");
    world.job("oauth", "");
    world.login("", as_it_is).expect(0);
    let mut content: Value = serde_json::from_str(&world.place.read("state/tokens.json")).unwrap();
    let consented_at = &mut content["tokens"][0]["consented_at"];
    let days = 340 * 24 * 60 * 60 * 1000;
    *consented_at = (consented_at.as_i64().unwrap() - days).into();
    world.place.write("state/tokens.json", content.to_string());
    let ended = world
        .place
        .run_with("load job.toml --log lines", &APP)
        .expect(0);
    assert!(
        ended.stderr.contains("the consent to this app ends on ")
            && ended.stderr.contains("run: csm-loader auth login"),
        "{}",
        ended.stderr
    );
}

#[test]
fn what_the_consent_page_refuses_is_said_and_nothing_is_kept() {
    let world = World::new(1, "");
    world.job("oauth", "");
    let denied = world.login("", |back| {
        let (start, state) = back.split_once('?').unwrap();
        let state = state.split('&').next().unwrap();
        format!("{start}?error=access_denied&error_description=User+did+not+authorize&{state}")
    });
    assert_snapshot!(denied.expect(3).stderr, @"error: the consent page answered: access_denied: User did not authorize");
    let forged = world.login("", |back| back.replace("state=", "state=0"));
    assert_snapshot!(forged.expect(3).stderr, @"error: an answer came that belongs to another login; nothing was exchanged. Start again, and use only the address that is shown then");
    let wrong = world.login("", |back| back.replace("code=", "code=0"));
    assert_snapshot!(wrong.expect(3).stderr, @"error: POST /oauth/token was answered 403: invalid_grant: Unknown or invalid refresh token");
    assert!(!world.place.has("state/tokens.json"));
    let basic = world.place.run("auth login job.toml --method basic");
    assert_snapshot!(basic.expect(3).stderr, @r#"error: only method = "oauth" knows a login, and [auth] names another; change it, or say --method oauth"#);
}

#[test]
fn a_lacking_scope_is_named_and_nothing_is_sent() {
    let world = World::new(3, "scopes = [\"read:task:jira-service-management\"]");
    world.job("client-credentials", "");
    let ended = world.load(&APP).expect(3);
    let stopped = ended
        .stdout
        .lines()
        .find(|line| line.starts_with("stopped early"));
    assert_snapshot!(stopped.unwrap(), @"stopped early: POST /api/v1/customer/profile/bulk was answered 401: Unauthorized; scope does not match (the token lacks a scope, most likely write:customer.profile:jira-service-management); scopes are fixed when a credential is made: make a new one that has it; no request of this kind can succeed until that is mended: then load again");
    let results = world.place.results("out.csv");
    assert_eq!(results.counts(), [("not_sent".to_owned(), 3)].into());
    // a scope is no reason to ask for another token
    assert_eq!(world.granted(), 1);
}

#[test]
fn status_says_who_where_and_what_is_missing() {
    let world = World::new(1, "");
    world.job("oauth", "");
    world
        .login(
            "--scope read:product:jira-service-management write:product:jira-service-management",
            as_it_is,
        )
        .expect(0);
    let status = world.place.run_with("auth status job.toml", &APP).expect(0);
    let shown = world.tidy(&status.stdout);
    let times = ["consent: given on ", "access token: good for "];
    let lines = shown.lines().map(|line| {
        let time = times.iter().find(|time| line.starts_with(**time));
        time.map_or(line, |time| time.trim_end())
    });
    assert_snapshot!(lines.collect::<Vec<_>>().join("\n"), @"
    site: http://SITE (cloud id CLOUD-ID)
    as: the app app, by a person's consent
    consent: given on
    access token: good for
    scopes: missing
      for customer profiles: read:customer.detail-field:jira-service-management, read:customer.profile:jira-service-management (its name is a guess), read:organization.detail:jira-service-management, read:organization:jira-service-management, read:task:jira-service-management, write:customer.profile:jira-service-management
      for customer accounts: read:task:jira-service-management, write:customer:jira-service-management
      for customer details: read:customer.detail:jira-service-management, read:customer:jira-service-management, read:task:jira-service-management, write:customer.detail:jira-service-management
      for organization profiles: read:organization.detail-field:jira-service-management, read:organization:jira-service-management, read:task:jira-service-management, write:organization.profile:jira-service-management, write:organization:jira-service-management (its name is a guess)
      for organization details: read:task:jira-service-management, write:organization.detail:jira-service-management (its name is a guess)
      for detail fields: read:customer.detail-field:jira-service-management, read:organization.detail-field:jira-service-management, read:task:jira-service-management, write:customer.detail-field:jira-service-management, write:organization.detail-field:jira-service-management
    probe: GET /api/v1/product works
    probe: GET /api/v1/customer/details was answered 401: Unauthorized; scope does not match (the token lacks a scope, most likely read:customer.detail-field:jira-service-management); add it to the app's permissions, then run: csm-loader auth login
    ");
    world.job("basic", "email = \"ana@corp.example\"");
    let env = [("CSM_LOADER_API_TOKEN", "api-t0ken")];
    let status = world.place.run_with("auth status job.toml", &env).expect(0);
    assert_snapshot!(world.tidy(&status.stdout), @"
    site: http://SITE (cloud id CLOUD-ID)
    as: ana@corp.example, with an API token
    scopes: a token of this kind cannot be asked for them
    probe: GET /api/v1/product works
    probe: GET /api/v1/customer/details works
    ");
    let env = [("CSM_LOADER_API_TOKEN", "other")];
    let status = world.place.run_with("auth status job.toml", &env).expect(3);
    assert_snapshot!(world.tidy(&status.stdout), @"
    site: http://SITE (cloud id CLOUD-ID)
    as: ana@corp.example, with an API token
    scopes: a token of this kind cannot be asked for them
    probe: GET /api/v1/product was answered 401: Unauthorized (the token was rejected or revoked; create a new one)
    probe: GET /api/v1/customer/details was answered 401: Unauthorized (the token was rejected or revoked; create a new one)
    ");
}

#[test]
fn the_sites_that_a_consent_is_for_are_named() {
    let world = World::new(1, "");
    world.job("oauth", "");
    world.login("", as_it_is).expect(0);
    let job = world.place.read("job.toml");
    let elsewhere = job.replacen(&world.sandbox.base_url, "gamma.example", 1);
    world.place.write("job.toml", elsewhere);
    let ended = world.login("", as_it_is).expect(3);
    assert_snapshot!(world.tidy(&ended.stderr), @"error: the token may not use gamma.example; it may use http://SITE. Name one of them, or consent for the other: csm-loader auth login");
}

#[test]
fn two_processes_share_one_consent() {
    let world = World::new(300, "");
    world.job("oauth", "tokens_file = \"shared/tokens.json\"");
    world.login("", as_it_is).expect(0);
    assert_eq!(world.granted(), 1);
    world.admin("expire");
    let mut job = world.place.read("job.toml");
    job = job
        .replace("\"state\"", "\"state-2\"")
        .replace("out.csv", "out-2.csv");
    world.place.write("job-2.toml", job);
    // neither knows that the token in the file has expired, but from the site
    let other = world.place.start_with("load job-2.toml --quiet", &APP);
    world.load(&APP).expect(0);
    other.end().expect(0);
    for results in ["out.csv", "out-2.csv"] {
        let counts = world.place.results(results).counts();
        assert_eq!(counts, [("loaded".to_owned(), 300)].into());
    }
    // one of them renewed, and the other took what it found
    assert_eq!(world.granted(), 2);
}

/// A site with a login server whose tokens end when the test says so.
struct Revocable {
    site: Scripted,
    /// Access tokens end with the bulk write of this number, and refresh tokens too if `revoked`.
    revoked: Arc<AtomicBool>,
    refreshes: Arc<Mutex<Vec<String>>>,
}

impl Revocable {
    fn serve(revoked: bool) -> Self {
        let revoked = Arc::new(AtomicBool::new(revoked));
        let refreshes = Arc::new(Mutex::new(Vec::new()));
        let (ends, asked) = (Arc::clone(&revoked), Arc::clone(&refreshes));
        let (mut willing, mut bulks, made) = (Willing::default(), 0, AtomicU64::new(0));
        let mut valid = String::new();
        let unauthorized = || Answer::json(401, &json!({ "code": 401, "message": "Unauthorized" }));
        let site = Scripted::serve(move |request: &Request| {
            if request.path == "/oauth/token" {
                let body: Value = serde_json::from_slice(&request.body).unwrap();
                let refresh = body["refresh_token"].as_str().unwrap().to_owned();
                let known = refresh != "revoked" && !(ends.load(Ordering::Relaxed) && bulks > 1);
                asked.lock().unwrap().push(refresh);
                if !known {
                    let body = json!({ "error": "invalid_grant",
                        "error_description": "Unknown or invalid refresh token." });
                    return Answer::json(403, &body);
                }
                let number = made.fetch_add(1, Ordering::Relaxed);
                valid = format!("Bearer access-{number}");
                return Answer::json(
                    200,
                    &json!({ "access_token": format!("access-{number}"), "expires_in": 3600,
                        "refresh_token": format!("refresh-{number}") }),
                );
            }
            if request.is_bulk() {
                bulks += 1;
                if bulks == 2 {
                    valid.clear();
                }
            }
            if request.headers.get("authorization") != Some(&valid) {
                return unauthorized();
            }
            willing.answer(request)
        });
        Self {
            site,
            revoked,
            refreshes,
        }
    }

    fn job(&self, place: &Place) {
        let table = format!(
            "[limits]\ntask_slots = 1\n[auth]\nmethod = \"oauth\"\nlogin_url = \"http://{}\"",
            self.site.address
        );
        place.write("job.toml", self.site.job(&table));
    }
}

#[test]
fn a_token_that_ends_in_mid_run_is_renewed_and_the_same_request_goes_out_again() {
    let place = Place::with_crowd(300);
    let site = Revocable::serve(false);
    site.job(&place);
    let env = [APP[0], APP[1], ("CSM_LOADER_REFRESH_TOKEN", "given")];
    place.run_with("load job.toml --quiet", &env).expect(0);
    let results = place.results("out.csv");
    assert_eq!(results.counts(), [("loaded".to_owned(), 300)].into());
    assert_eq!(*site.refreshes.lock().unwrap(), ["given", "refresh-0"]);
    let bulks = site.site.bulks();
    assert_eq!(bulks.len(), 4);
    assert_eq!(bulks[1].key(), bulks[2].key());
    assert_eq!(bulks[1].body, bulks[2].body);
}

#[test]
fn a_consent_that_is_revoked_in_mid_run_stops_it_and_a_new_one_goes_on() {
    let place = Place::with_crowd(300);
    let site = Revocable::serve(true);
    site.job(&place);
    let env = [APP[0], APP[1], ("CSM_LOADER_REFRESH_TOKEN", "given")];
    let ended = place.run_with("load job.toml --quiet", &env).expect(5);
    let stopped = ended
        .stdout
        .lines()
        .find(|line| line.starts_with("stopped early"));
    assert_snapshot!(stopped.unwrap(), @"stopped early: POST /oauth/token was answered 403: invalid_grant: Unknown or invalid refresh token; the refresh token has ended, was revoked, or was used elsewhere; run: csm-loader auth login; no request of this kind can succeed until that is mended: then load again");
    let results = place.results("out.csv");
    results.expect_rows(300);
    assert_eq!(
        results.counts(),
        [("loaded".to_owned(), 100), ("not_sent".to_owned(), 200)].into()
    );
    // once, and never again
    assert_eq!(*site.refreshes.lock().unwrap(), ["given", "refresh-0"]);
    assert!(!ended.said().contains("refresh-0") && !ended.said().contains(SECRET));

    site.revoked.store(false, Ordering::Relaxed);
    let env = [
        APP[0],
        APP[1],
        ("CSM_LOADER_REFRESH_TOKEN", "consented-again"),
    ];
    place.run_with("load job.toml --quiet", &env).expect(0);
    let results = place.results("out.csv");
    assert_eq!(results.counts(), [("loaded".to_owned(), 300)].into());
}
