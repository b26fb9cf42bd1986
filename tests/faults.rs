//! A site that misbehaves, over real sockets: what the loader does, and what each row's result says.

use crate::support::place::Place;
use crate::support::process::Ended;
use crate::support::scripted::{
    ACCOUNT, Answer, CREDENTIALS, ENCODED, Request, Scripted, TOKEN, Willing,
};
use insta::assert_snapshot;
use serde_json::json;
use std::collections::BTreeMap;
use std::time::Duration;

/// Loads `people.csv` into the site; neither what was said nor what was written holds the secret.
fn load(place: &Place, site: &Scripted, flags: &str) -> Ended {
    place.write("job.toml", site.job(""));
    let ended = place.run_with(&format!("load job.toml {flags}"), &CREDENTIALS);
    for secret in [TOKEN, ENCODED] {
        assert!(!ended.said().contains(secret));
        for file in ["out.csv", "state/ledger.sqlite", "job.toml"] {
            let bytes = std::fs::read(place.path(file)).unwrap();
            let found = bytes
                .windows(secret.len())
                .any(|window| window == secret.as_bytes());
            assert!(!found, "{file} holds the secret");
        }
    }
    assert!(!ended.said().contains(ACCOUNT));
    ended
}

/// A script that answers the first bulk write like this, and everything else willingly.
fn first_bulk(mut fault: impl FnMut() -> Answer + Send + 'static) -> Scripted {
    let (mut willing, mut done) = (Willing::default(), false);
    Scripted::serve(move |request| {
        if request.is_bulk() && !done {
            done = true;
            return fault();
        }
        willing.answer(request)
    })
}

/// A script for tasks: accepts everything, and says this of every task.
fn each_task(mut view: impl FnMut(&str) -> Answer + Send + 'static) -> Scripted {
    let mut willing = Willing::default();
    Scripted::serve(move |request| match request.task() {
        Some(task) => view(task),
        None => willing.answer(request),
    })
}

#[test]
fn every_request_carries_what_the_contract_asks_for() {
    let place = Place::with_crowd(250);
    let site = first_bulk(|| Answer::error(503, "starting"));
    load(&place, &site, "").expect(0);
    let seen = site.seen();
    let authorization = format!("Basic {ENCODED}");
    for request in &seen {
        assert_eq!(request.headers["authorization"], authorization);
        assert_eq!(request.headers["x-experimentalapi"], "opt-in");
        assert!(request.headers["user-agent"].starts_with("jira-csm-loader-int/"));
    }
    // batches are full but for the last, and each has its own key
    let bulks: BTreeMap<_, _> = site
        .bulks()
        .iter()
        .map(|bulk| (bulk.key().to_owned(), bulk.emails().len()))
        .collect();
    let mut sizes: Vec<_> = bulks.into_values().collect();
    sizes.sort_unstable();
    assert_eq!(sizes, [50, 100, 100]);
}

#[test]
fn a_request_whose_answer_is_lost_is_sent_again_with_the_same_key_and_bytes() {
    let place = Place::with_crowd(3);
    let site = first_bulk(|| Answer::Drop);
    load(&place, &site, "").expect(0);
    let bulks = site.bulks();
    assert_eq!(bulks.len(), 2);
    assert_eq!(
        (bulks[0].key(), &bulks[0].body),
        (bulks[1].key(), &bulks[1].body)
    );
    let results = place.results("out.csv");
    assert_eq!(results.column("status"), ["loaded"; 3]);
    assert_eq!(results.column("attempts"), ["2"; 3]);
    assert_eq!(results.column("task_id"), ["task-1"; 3]);
}

#[test]
fn nothing_is_asked_of_the_site_before_the_wait_it_named_is_over() {
    let place = Place::with_crowd(250);
    let site =
        first_bulk(|| Answer::Send(429, vec![("Retry-After", "1".to_owned())], String::new()));
    load(&place, &site, "--task-slots 1").expect(0);
    let seen = site.seen();
    let throttled = seen.iter().position(Request::is_bulk).unwrap();
    let next = &seen[throttled + 1];
    assert!(next.at.duration_since(seen[throttled].at) >= Duration::from_secs(1));
    assert_eq!(
        (next.key(), &next.body),
        (seen[throttled].key(), &seen[throttled].body)
    );
    assert_eq!(
        place.results("out.csv").counts(),
        [("loaded".to_owned(), 250)].into()
    );
}

#[test]
fn a_full_queue_of_tasks_is_waited_for_and_no_row_fails() {
    let place = Place::with_crowd(3);
    let site = first_bulk(|| Answer::error(400, "Maximum number of tasks reached"));
    load(&place, &site, "").expect(0);
    let bulks = site.bulks();
    assert_eq!(bulks.len(), 2);
    assert_eq!(
        (bulks[0].key(), &bulks[0].body),
        (bulks[1].key(), &bulks[1].body)
    );
    assert_eq!(place.results("out.csv").column("status"), ["loaded"; 3]);
}

#[test]
fn a_refused_request_fails_its_one_bad_row_with_the_sites_words_and_the_rest_loads() {
    let place = Place::with_crowd(150);
    let mut willing = Willing::default();
    let site = Scripted::serve(move |request| {
        let refused = request.is_bulk() && request.emails().contains(&"p1@example.com".to_owned());
        if refused {
            return Answer::error(400, "Invalid payload");
        }
        willing.answer(request)
    });
    load(&place, &site, "").expect(4);
    let results = place.results("out.csv");
    results.expect_rows(150);
    let wanted = [("failed".to_owned(), 1), ("loaded".to_owned(), 149)];
    assert_eq!(results.counts(), wanted.into());
    let first = results.told().lines().next().unwrap().to_owned();
    assert_snapshot!(first, @"1 | 2 | p1@example.com | failed | REQUEST_REJECTED |  | Invalid payload");
    // two batches, and of the first its halves, down to the row: 50 and 50, 25 and 25, 13 and 12 …
    assert_eq!(site.bulks().len(), 2 + 14);
}

#[test]
fn a_failed_task_leaves_its_rows_unconfirmed() {
    let place = Place::with_crowd(2);
    let site = each_task(|task| Answer::task(task, "FAILED", &json!([])));
    load(&place, &site, "").expect(4);
    assert_snapshot!(place.results("out.csv").told(), @"
    1 | 2 | p1@example.com | unconfirmed | TASK_FAILED |  | the task ended FAILED; the site may or may not have written the row; the site's id of the record is not known; the mapping has no key_detail; [contract] user_search is off
    2 | 3 | p2@example.com | unconfirmed | TASK_FAILED |  | the task ended FAILED; the site may or may not have written the row; the site's id of the record is not known; the mapping has no key_detail; [contract] user_search is off
    ");
}

#[test]
fn a_failed_task_that_gives_a_reason_passes_it_on() {
    let place = Place::with_crowd(1);
    let site =
        each_task(|task| Answer::task(task, "FAILED", &json!([{ "error": "Task timed out" }])));
    load(&place, &site, "").expect(4);
    assert_snapshot!(place.results("out.csv").told(), @"1 | 2 | p1@example.com | unconfirmed | TASK_FAILED |  | the task ended FAILED; the site may or may not have written the row; the site said: Task timed out; the site's id of the record is not known; the mapping has no key_detail; [contract] user_search is off");
}

#[test]
fn a_task_that_the_site_forgot_leaves_its_rows_unconfirmed() {
    let place = Place::with_crowd(2);
    let site = each_task(|_| Answer::error(404, "Task not found"));
    load(&place, &site, "").expect(4);
    assert_snapshot!(place.results("out.csv").told(), @"
    1 | 2 | p1@example.com | unconfirmed | TASK_GONE |  | the site no longer knows the task that held the row; the site's id of the record is not known; the mapping has no key_detail; [contract] user_search is off
    2 | 3 | p2@example.com | unconfirmed | TASK_GONE |  | the site no longer knows the task that held the row; the site's id of the record is not known; the mapping has no key_detail; [contract] user_search is off
    ");
}

#[test]
fn a_failure_that_names_its_row_is_that_rows_alone() {
    let place = Place::with_crowd(3);
    let failures = json!([{ "entity": "CUSTOMER", "entityId": "P2@Example.com", "operation": "UPSERT",
        "operatedOn": "CUSTOMER_ACCOUNT", "operatedOnIds": [], "error": "Invalid email" }]);
    let site = each_task(move |task| Answer::task(task, "FINISHED", &failures));
    load(&place, &site, "").expect(4);
    assert_snapshot!(place.results("out.csv").told(), @"
    1 | 2 | p1@example.com | loaded
    2 | 3 | p2@example.com | failed | SITE_REJECTED |  | Invalid email
    3 | 4 | p3@example.com | loaded
    ");
}

#[test]
fn a_failure_that_names_no_row_leaves_all_rows_of_its_batch_in_doubt() {
    let place = Place::with_crowd(3);
    let site =
        each_task(|task| Answer::task(task, "FINISHED", &json!([{ "error": "Invalid email" }])));
    load(&place, &site, "").expect(4);
    assert_snapshot!(place.results("out.csv").told(), @"
    1 | 2 | p1@example.com | unconfirmed | FAILURE_AMBIGUOUS |  | the task reports failures that do not say which of several rows they mean; the site said: Invalid email; the site's id of the record is not known; the mapping has no key_detail; [contract] user_search is off
    2 | 3 | p2@example.com | unconfirmed | FAILURE_AMBIGUOUS |  | the task reports failures that do not say which of several rows they mean; the site said: Invalid email; the site's id of the record is not known; the mapping has no key_detail; [contract] user_search is off
    3 | 4 | p3@example.com | unconfirmed | FAILURE_AMBIGUOUS |  | the task reports failures that do not say which of several rows they mean; the site said: Invalid email; the site's id of the record is not known; the mapping has no key_detail; [contract] user_search is off
    ");
}

#[test]
fn a_failure_that_names_no_row_of_a_batch_of_one_is_that_rows() {
    let place = Place::with_crowd(1);
    let site =
        each_task(|task| Answer::task(task, "FINISHED", &json!([{ "error": "Invalid email" }])));
    load(&place, &site, "").expect(4);
    assert_snapshot!(place.results("out.csv").told(), @"1 | 2 | p1@example.com | failed | SITE_REJECTED |  | Invalid email");
}

#[test]
fn credentials_that_fail_at_the_first_request_stop_the_run_and_nothing_counts_as_sent() {
    let place = Place::with_crowd(3);
    let site =
        Scripted::serve(|_| Answer::json(401, &json!({ "code": 401, "message": "Unauthorized" })));
    let ended = load(&place, &site, "--quiet").expect(3);
    assert_snapshot!(ended.steady(), @"
    customer: 3 rows in …, 1 write request
      loaded       0
      not_sent     3
      most frequent codes, each with an example:
        3  RUN_STOPPED  people.csv line 2: Unauthorized (check e-mail and token; the token may have expired)
      results: out.csv

    3 rows in …: 3 not_sent
    stopped early: POST /api/v1/customer/profile/bulk was answered 401: Unauthorized (check e-mail and token; the token may have expired); no request of this kind can succeed until that is mended: then load again
    what each code means and what to do: csm-loader codes
    ");
    assert_snapshot!(place.results("out.csv").told(), @"
    1 | 2 | p1@example.com | not_sent | RUN_STOPPED |  | Unauthorized (check e-mail and token; the token may have expired)
    2 | 3 | p2@example.com | not_sent | RUN_STOPPED |  | Unauthorized (check e-mail and token; the token may have expired)
    3 | 4 | p3@example.com | not_sent | RUN_STOPPED |  | Unauthorized (check e-mail and token; the token may have expired)
    ");
    assert_eq!(site.bulks().len(), 1);
}

#[test]
fn credentials_that_fail_in_the_middle_stop_the_run_with_every_row_accounted_for() {
    let place = Place::with_crowd(1_000);
    let mut willing = Willing::default();
    let mut accepted = 0;
    let site = Scripted::serve(move |request| {
        if request.is_bulk() {
            accepted += 1;
            if accepted > 3 {
                return Answer::error(401, "Unauthorized");
            }
        }
        willing.answer(request)
    });
    load(&place, &site, "--quiet").expect(5);
    let results = place.results("out.csv");
    results.expect_rows(1_000);
    let wanted = [("loaded".to_owned(), 300), ("not_sent".to_owned(), 700)];
    assert_eq!(results.counts(), wanted.into());
    let accepted: Vec<String> = site.bulks()[..3].iter().flat_map(Request::emails).collect();
    let statuses = results
        .column("key")
        .into_iter()
        .zip(results.column("status"));
    for (key, status) in statuses {
        assert_eq!(
            accepted.iter().any(|email| email == key),
            status == "loaded",
            "{key} {status}"
        );
    }
}

#[test]
fn a_gateways_page_is_not_a_verdict() {
    let place = Place::with_crowd(3);
    let page = || {
        let kind = ("Content-Type", "text/html".to_owned());
        Answer::Send(
            502,
            vec![kind],
            "<html><title>Bad Gateway</title><body>nginx</body></html>".to_owned(),
        )
    };
    let mut willing = Willing::default();
    let (mut bulks, mut polls) = (0, 0);
    let site = Scripted::serve(move |request| {
        let count = if request.is_bulk() {
            &mut bulks
        } else {
            &mut polls
        };
        *count += 1;
        if *count == 1 {
            return page();
        }
        willing.answer(request)
    });
    let ended = load(&place, &site, "--log lines").expect(0);
    assert!(ended.stderr.contains("502"), "{}", ended.stderr);
    assert!(!ended.stderr.contains("<html>"), "{}", ended.stderr);
    let bulks = site.bulks();
    assert_eq!(
        (bulks[0].key(), &bulks[0].body),
        (bulks[1].key(), &bulks[1].body)
    );
    assert_eq!(place.results("out.csv").column("status"), ["loaded"; 3]);
}

#[test]
fn an_acceptance_that_cannot_be_read_is_asked_for_again() {
    let place = Place::with_crowd(2);
    let site = first_bulk(|| Answer::json(202, &json!({ "accepted": true })));
    load(&place, &site, "").expect(0);
    let bulks = site.bulks();
    assert_eq!(
        (bulks[0].key(), &bulks[0].body),
        (bulks[1].key(), &bulks[1].body)
    );
    assert_eq!(place.results("out.csv").column("status"), ["loaded"; 2]);
}

#[test]
fn missing_credentials_are_named_before_anything_is_sent() {
    let place = Place::with_crowd(2);
    let site = Scripted::serve(|_| Answer::error(500, "no request is expected"));
    place.write("job.toml", site.job(""));
    let ended = place.run("load job.toml").expect(3);
    assert_snapshot!(ended.stderr, @"error: no credentials: set CSM_LOADER_EMAIL, or email in [auth], to the account's address");
    assert!(site.seen().is_empty() && !place.has("out.csv"));
}

#[test]
fn secrets_come_from_private_files_and_a_bearer_token_is_sent_as_one() {
    use std::os::unix::fs::PermissionsExt as _;
    let place = Place::with_crowd(2);
    let site = first_bulk(|| Answer::error(401, "Unauthorized"));
    place.write("token", format!("{TOKEN}\n"));
    place.write(
        "job.toml",
        site.job("[auth]\nmethod = \"bearer\"\naccess_token_file = \"token\""),
    );
    let mode = |mode| {
        let permissions = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(place.path("token"), permissions).unwrap();
    };
    mode(0o644);
    let open = place.run("load job.toml").expect(3);
    assert_snapshot!(open.stderr, @"error: token is open to other users (mode 644); run: chmod 600 token");
    assert!(site.seen().is_empty());
    mode(0o600);
    let ended = place.run("load job.toml --log json").expect(3);
    assert_eq!(
        site.seen()[0].headers["authorization"],
        format!("Bearer {TOKEN}")
    );
    assert!(!ended.said().contains(TOKEN));
}

/// A site with products, whose first creation is carried out and whose answer to it is lost.
fn products_with_a_lost_answer() -> Scripted {
    let mut products = vec!["Router X1".to_owned()];
    let mut created = 0;
    Scripted::serve(move |request| {
        let body: serde_json::Value = serde_json::from_slice(&request.body).unwrap_or_default();
        match (request.method.as_str(), request.path.as_str()) {
            ("GET", "/api/v1/product") => {
                let list: Vec<_> = products
                    .iter()
                    .map(|name| json!({ "id": format!("id of {name}"), "name": name }))
                    .collect();
                Answer::json(200, &json!({ "results": list }))
            }
            ("POST", "/api/v1/product") => {
                let name = body["name"].as_str().unwrap().to_owned();
                products.push(name.clone());
                created += 1;
                if created == 1 {
                    return Answer::Drop;
                }
                Answer::json(201, &json!({ "id": format!("id of {name}"), "name": name }))
            }
            _ => Answer::error(404, "There is no such resource"),
        }
    })
}

#[test]
fn a_product_whose_creation_was_not_answered_is_looked_up_and_not_created_again() {
    let place = Place::with_people("");
    place.write(
        "people.toml",
        "entity = \"product\"\nkey = \"name\"\n[fields]\nname = \"name\"\n",
    );
    place.write("people.csv", "name\nSwitch S2\nrouter x1\nCable\nCABLE \n");
    let site = products_with_a_lost_answer();
    load(&place, &site, "").expect(0);
    assert_snapshot!(place.results("out.csv").told(), @"
    1 | 2 | Switch S2 | loaded
    2 | 3 | router x1 | unchanged | ALREADY_PRESENT |  | a product of this name is already on the site
    3 | 4 | Cable | duplicate | DUPLICATE_KEY |  | row 4 has the same natural key and stands for it
    4 | 5 | CABLE  | loaded
    ");
    let created: Vec<_> = site
        .seen()
        .into_iter()
        .filter(|request| request.method == "POST")
        .collect();
    let names: Vec<_> = created
        .iter()
        .map(|request| String::from_utf8_lossy(&request.body).into_owned())
        .collect();
    assert_snapshot!(names.join(" "), @r#"{"name":"Switch S2"} {"name":"CABLE"}"#);
    let results = place.results("out.csv");
    assert_eq!(
        results.column("remote_id"),
        ["id of Switch S2", "id of Router X1", "", "id of CABLE"]
    );
}

#[test]
fn a_site_that_does_not_answer_the_look_up_of_names_gets_no_rows() {
    let place = Place::with_people("a@example.com,Acme\nb@example.com,Acme\n");
    place.write(
        "people.toml",
        "entity = \"customer\"\nkey = \"email\"\n[fields]\nemail = \"email\"\n[organizations]\nnames = \"name\"\n",
    );
    let site = Scripted::serve(|_| Answer::error(403, "Forbidden"));
    let ended = load(&place, &site, "--quiet").expect(3);
    assert_snapshot!(ended.steady(), @"
    customer: 2 rows in …
      loaded       0
      not_sent     2
      most frequent codes, each with an example:
        2  RUN_STOPPED  people.csv line 2: failed to look up the names that rows refer to: POST /api/v1/organization/fetch was answered 403: Forbidden (the account…
      results: out.csv

    2 rows in …: 2 not_sent
    stopped early: failed to look up the names that rows refer to: POST /api/v1/organization/fetch was answered 403: Forbidden (the account may lack a permission; this needs: CSM or JSM user)
    what each code means and what to do: csm-loader codes
    ");
    assert_eq!(place.results("out.csv").column("status"), ["not_sent"; 2]);
    assert!(site.bulks().is_empty());
}

#[test]
fn a_site_that_cannot_be_reached_is_not_written_to() {
    let place = Place::with_crowd(2);
    // a port that only root may listen on, and where nobody does
    let address = "127.0.0.1:1";
    place.write(
        "job.toml",
        format!(
            "[site]\nsite = \"http://{address}\"\n[[stage]]\nmapping = \"people.toml\"\ninput = \"people.csv\"\n"
        ),
    );
    let ended = place.run_with("load job.toml", &CREDENTIALS).expect(3);
    let said = ended.stderr.replace(address, "ADDRESS");
    assert_snapshot!(said, @"error: GET /_edge/tenant_info had no answer: no connection to ADDRESS: Connection refused (os error 111); check the site's address and the network: csm-loader doctor looks at each");
}
