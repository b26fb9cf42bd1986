//! `plan` and `--max-changes`, as whole runs.

use crate::support::place::Place;
use crate::support::process::Ended;
use insta::assert_snapshot;

const LOAD: &str = "--mapping people.toml --input people.csv --target sandbox --quiet";

fn plan(place: &Place, code: i32) -> Ended {
    place.run(&format!("plan {LOAD}")).expect(code)
}

/// What becomes of the rows, without what depends on how fast this machine is.
fn shares(said: &str) -> Vec<&str> {
    let lines = said.lines().filter(|line| !line.contains(':'));
    lines.map(str::trim).collect()
}

#[test]
fn a_plan_says_what_would_be_sent_what_it_would_take_and_what_that_assumes() {
    let place = Place::with_people("ana@example.com,Ana\nbo,Bo\nana@example.com,Ana Ito\n");
    let said = plan(&place, 4);
    assert_snapshot!(said.stdout, @r#"
    customer: 3 rows read; nothing was sent
      create or update  1
      update            0
      leave alone       0
      reject            1
      duplicate         1
      by bulk requests: about 1.1 s, 1 task, 6 requests, 11 quota points
      assumed: a task of 100 rows takes 9.0 s and as many are worked at once as there are slots: no earlier load tells; one site was seen to take 4.8 s a row, one task at a time
      assumed: route = "auto" writes these rows by bulk requests alone: their records cannot be found again
      assumed: a write costs 1 quota point and a poll 2, of 65000 an hour; only OAuth apps have this quota
      warning: a customer cannot be looked up by its e-mail: where a request does not tell what became of it, a new customer's row ends unconfirmed; set key_detail in the mapping to a detail field that holds the key, or user_search = true in [contract]
    "#);
    assert_eq!(said.stderr, "");
    // nothing was made: neither a ledger nor a site nor results
    assert!(!place.has(".csm-loader/ledger.sqlite") && !place.has(".csm-loader/sandbox"));
    assert!(!place.has("people-results.csv"));
}

#[test]
fn what_was_loaded_before_is_left_alone_or_updated() {
    let place = Place::with_crowd(250);
    place.run(&format!("load {LOAD}")).expect(0);
    assert_eq!(
        shares(&plan(&place, 0).stdout),
        [
            "create or update    0",
            "update              0",
            "leave alone       250",
            "reject              0",
            "duplicate           0"
        ]
    );
    let changed =
        place.read("people.csv").replace("Person 7\n", "Seven\n") + "new@example.com,New\n";
    place.write("people.csv", changed);
    let said = plan(&place, 0).stdout;
    assert_eq!(
        shares(&said),
        [
            "create or update    1",
            "update              1",
            "leave alone       249",
            "reject              0",
            "duplicate           0"
        ]
    );
    // three batches were seen to end
    assert!(
        said.contains("assumed: tasks take as long as the last 3 here did"),
        "{said}"
    );
    let full = place.run(&format!("plan {LOAD} --full")).expect(0);
    assert_eq!(
        shares(&full.stdout)[1..3],
        ["update            250", "leave alone         0"]
    );
    // a plan changes nothing: the load finds what the plan found
    let loaded = place.run(&format!("load {LOAD}")).expect(0);
    assert!(
        loaded.stdout.contains("2 loaded, 249 unchanged"),
        "{}",
        loaded.stdout
    );
}

#[test]
fn a_load_that_would_change_more_than_it_may_sends_nothing() {
    let place = Place::with_crowd(10);
    let refused = place.run(&format!("load {LOAD} --max-changes 9")).expect(3);
    assert_snapshot!(refused.stderr, @"error: 10 of 10 rows would create or change a record, more than --max-changes 9 allows; nothing was sent");
    assert!(place.exchanges().is_empty() && !place.has("people-results.csv"));
    assert_eq!(refused.stdout, "");
    place
        .run(&format!("plan {LOAD} --max-changes 90%"))
        .expect(3);
    place
        .run(&format!("load {LOAD} --max-changes 100%"))
        .expect(0);
    // what has not changed does not count
    place.write(
        "job.toml",
        "[site]\ntarget = \"sandbox\"\n[limits]\nmax_changes = 0\n\
         [[stage]]\nmapping = \"people.toml\"\ninput = \"people.csv\"\n",
    );
    place.run("load job.toml --quiet").expect(0);
    place.run("load job.toml --quiet --full").expect(3);
    place
        .run("load job.toml --quiet --full --max-changes 10")
        .expect(0);
}

#[test]
fn rows_that_name_organizations_count_as_changes_and_the_plan_says_why() {
    let place = Place::with_people("");
    place.write("site.toml", "[[organization]]\nname = \"Acme\"\n");
    place.write(
        "people.toml",
        "entity = \"customer\"\n[fields]\nemail = \"email\"\n[organizations]\nnames = \"name\"\n",
    );
    place.write("people.csv", "email,name\nana@example.com,Acme\n");
    place
        .run(&format!("load {LOAD} --sandbox-seed site.toml"))
        .expect(0);
    let said = plan(&place, 0).stdout;
    assert_eq!(shares(&said)[1], "update            1");
    assert!(
        said.contains("assumed: rows that name organizations or products have changed"),
        "{said}"
    );
}

const SITE: &str = "\
[[customer_detail]]\nname = \"Key\"\ntype = \"TEXT\"\n[[organization]]\nname = \"Acme\"\n\
[[customer]]\nemail = \"ana@example.com\"\ndisplay_name = \"Ana\"\ndetails = { Key = [\"ana@example.com\"] }\n\
[[customer]]\nemail = \"bo@example.com\"\ndisplay_name = \"Bo\"\ndetails = { Key = [\"bo@example.com\"] }\n";

/// People who can be found on the site of [`SITE`].
fn findable(lines: &str) -> Place {
    let place = Place::with_people(lines);
    place.write("site.toml", SITE);
    place.write(
        "people.toml",
        format!("key_detail = \"Key\"\n{}", place.read("people.toml")),
    );
    place
}

/// What was asked of the site, each way once.
fn asked(place: &Place) -> Vec<String> {
    let ways = place.exchanges().into_iter().map(|exchange| {
        let (_, path) = exchange.path.split_once("/v1/").expect("a path of the API");
        format!("{} {path}", exchange.method)
    });
    let mut ways: Vec<_> = ways.collect();
    ways.sort();
    ways.dedup();
    ways
}

#[test]
fn a_site_that_is_asked_tells_which_records_it_has() {
    let place = findable("ana@example.com,Ana\nbo@example.com,Bo Ito\ncy@example.com,Cy\nd,D\n");
    let said = place.run(
        "plan --mapping people.toml --input people.csv --target sandbox --sandbox-seed site.toml --remote",
    );
    let said = said.expect(4);
    assert_eq!(
        shares(&said.stdout),
        [
            "create          1",
            "update          1",
            "as on the site  1",
            "not told        0",
            "leave alone     0",
            "reject          1",
            "duplicate       0"
        ]
    );
    assert!(
        said.stdout
            .contains("assumed: rows that are as on the site are sent all the same"),
        "{}",
        said.stdout
    );
    assert!(
        said.stderr
            .contains("customer: asking the site about 3 rows, by about 4 requests"),
        "{}",
        said.stderr
    );
    assert_snapshot!(asked(&place).join("\n"), @"
    POST customer/profile/fetch
    POST customer/search-by-detail-field
    ");
    assert!(!place.has(".csm-loader/ledger.sqlite") && !place.has("people-results.csv"));
    // one row is asked about, and of the others that is said
    let said = place
        .run(&format!("plan {LOAD} --sandbox-seed site.toml --remote=1"))
        .expect(4);
    assert_eq!(
        shares(&said.stdout)[2..4],
        ["as on the site  1", "not told        2"]
    );
    assert!(
        said.stdout
            .contains("assumed: of 2 rows nothing can be told: only 1 rows are asked about"),
        "{}",
        said.stdout
    );
}

#[test]
fn what_a_site_cannot_tell_is_counted_with_its_reason() {
    let place = Place::with_people("ana@example.com,Ana\nbo@example.com,Bo\n");
    let said = place.run(&format!("plan {LOAD} --remote")).expect(0);
    assert_eq!(
        shares(&said.stdout)[..4],
        [
            "create          0",
            "update          0",
            "as on the site  0",
            "not told        2"
        ]
    );
    let why = said
        .stdout
        .lines()
        .find(|line| line.contains("nothing can be told"));
    assert_snapshot!(why.unwrap_or_default(), @"  assumed: of 2 rows nothing can be told: the site's id of the record is not known; the mapping has no key_detail; [contract] user_search is off");
    assert!(place.exchanges().is_empty());
}

#[test]
fn rows_that_name_organizations_are_compared_where_the_site_is_asked() {
    let place = findable("ana@example.com,Acme\nbo@example.com,Acme\n");
    place.write(
        "people.toml",
        "entity = \"customer\"\nkey = \"email\"\nkey_detail = \"Key\"\n[fields]\nemail = \"email\"\n[organizations]\nnames = \"name\"\n",
    );
    place
        .run(&format!("load {LOAD} --sandbox-seed site.toml"))
        .expect(0);
    place.write(
        "people.csv",
        "email,name\nana@example.com,Acme\nbo@example.com,Nowhere\ncy@example.com,Acme\n",
    );
    let said = place.run(&format!("plan {LOAD} --remote")).expect(4);
    assert_eq!(
        shares(&said.stdout),
        [
            "create          1",
            "update          0",
            "as on the site  0",
            "not told        0",
            "leave alone     1",
            "reject          1",
            "duplicate       0"
        ]
    );
}

#[test]
fn a_person_may_say_how_long_tasks_and_calls_take() {
    let place = findable("");
    let rows = (1..=1_000).map(|row| format!("p{row}@example.com,P\n"));
    place.write(
        "people.csv",
        format!("email,name\n{}", rows.collect::<String>()),
    );
    place.write(
        "job.toml",
        "[site]\ntarget = \"sandbox\"\n[contract]\ntask_limit = 10\n\
         [limits]\ntask_slots = 10\nexpect_task = \"8s\"\nexpect_call = \"500ms\"\n\
         [[stage]]\nmapping = \"people.toml\"\ninput = \"people.csv\"\n",
    );
    let said = place.run("plan job.toml --quiet").expect(0).stdout;
    let times: Vec<_> = said
        .lines()
        .filter(|line| line.contains("about") || line.contains("takes"))
        .collect();
    assert_snapshot!(times.join("\n"), @r#"
      by bulk requests: about 8.0 s, 10 tasks, 80 requests, 150 quota points
      by single calls: about 1 m 03 s, 1,000 requests, 1,000 quota points
      with route = "auto": about 8.0 s, 10 tasks, 80 requests, 150 quota points
      assumed: a task takes 8.0 s, as expect_task in [limits] says, and as many are worked at once as there are slots
      assumed: a single call takes 500 ms, 8 are in flight, and a row takes 1.0 of them
    "#);
}

#[test]
fn what_the_loader_chooses_for_few_rows_is_told_though_tasks_are_quick() {
    let place = findable("ana@example.com,Ana\nbo@example.com,Bo\ncy@example.com,Cy\n");
    place.write(
        "job.toml",
        "[site]\ntarget = \"sandbox\"\n[limits]\nexpect_task = \"50ms\"\nexpect_call = \"500ms\"\n\
         [[stage]]\nmapping = \"people.toml\"\ninput = \"people.csv\"\n",
    );
    let said = place.run("plan job.toml --quiet").expect(0).stdout;
    let ways: Vec<_> = said
        .lines()
        .filter(|line| line.contains("about") || line.contains("route"))
        .collect();
    assert_snapshot!(ways.join("\n"), @r#"
      by bulk requests: about 0.1 s, 1 task, 4 requests, 7 quota points
      by single calls: about 0.5 s, 3 requests, 3 quota points
      with route = "auto": about 0.5 s, 3 rows by single calls, 3 requests, 3 quota points
      assumed: route = "auto" begins with single calls, which write so few rows before a bulk request would be worth its risk
    "#);
    // one that bulk requests alone can write, and that is told as well
    place.write(
        "people.toml",
        format!(
            "{}[organizations]\nnames = \"name\"\n",
            place.read("people.toml")
        ),
    );
    let said = place.run("plan job.toml --quiet").expect(0).stdout;
    let why = said.lines().find(|line| line.contains("route"));
    assert_snapshot!(why.unwrap_or_default(), @r#"  assumed: route = "auto" writes these rows by bulk requests alone: they name organizations, and no call makes a customer a member that may be on the site already (unless [contract] says membership = true)"#);
    assert!(!said.contains("by single calls"), "{said}");
}

#[test]
fn an_interrupted_run_that_a_load_would_go_on_with_is_named() {
    let place = Place::with_crowd(90);
    place.write(
        "firms.toml",
        "entity = \"organization\"\nkey = \"name\"\n[fields]\nname = \"name\"\n",
    );
    place.write("firms.csv", "name\nAcme\nBolt\n");
    place.write(
        "job.toml",
        "[site]\ntarget = \"sandbox\"\n[limits]\nroute = \"bulk\"\n\
         [[stage]]\nmapping = \"firms.toml\"\ninput = \"firms.csv\"\n\
         [[stage]]\nmapping = \"people.toml\"\ninput = \"people.csv\"\n",
    );
    let first = |flags: &str| {
        let said = place.run(&format!("plan job.toml --quiet {flags}"));
        let said = said.expect(0).stdout;
        let line = said.lines().next().unwrap_or_default();
        let id = line
            .strip_prefix("run ")
            .and_then(|rest| rest.split_once(' '));
        id.map_or_else(|| line.to_owned(), |(id, _)| line.replace(id, "ID"))
    };
    assert_snapshot!(first(""), @"organization: 2 rows read; nothing was sent");
    let killed = place.run_with(
        "load job.toml --quiet",
        &[("CSM_LOADER_KILL_AT", "submit.after:2")],
    );
    assert_eq!(killed.code, None, "{}", killed.said());
    assert_snapshot!(first(""), @"run ID of this job was interrupted, and `load` goes on with it: 2 rows decided and not sent again, 90 under way; what follows is what `load --new` would do");
    assert_snapshot!(first("--new"), @"run ID of this job was interrupted, and `load` does not go on with it: --new was given; it first settles what that has under way, 90 rows, and then does what follows");
    let people = place.read("people.csv");
    place.write("people.csv", people.replace("Person 7\n", "Seven\n"));
    assert_snapshot!(first(""), @"run ID of this job was interrupted, and `load` does not go on with it: the input people.csv has changed; it first settles what that has under way, 90 rows, and then does what follows");
    // a plan has ended nothing: the load goes on
    place.write("people.csv", people);
    let load = place.run("load job.toml").expect(0);
    let going_on = "was interrupted: going on where it stopped";
    assert!(load.stderr.contains(going_on), "{}", load.stderr);
    assert_snapshot!(first(""), @"organization: 2 rows read; nothing was sent");
}
