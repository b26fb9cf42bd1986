//! Both routes in whole runs: which one rows take of themselves, and what a kill leaves of a load that takes both.

use crate::support::place::Place;
use crate::support::sandbox::Sandbox;
use crate::support::scripted::CREDENTIALS;
use crate::support::table::Table;
use crate::support::wait_for;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

const SITE: &str = "[[customer_detail]]\nname = \"External ID\"\ntype = \"TEXT\"\n[[organization]]\nname = \"Acme\"\n";
/// So many that the first few of them are risked on a bulk request.
const ROWS: usize = 600;

/// Customers whose key the site holds too.
fn mapping(more: &str) -> String {
    format!(
        "entity = \"customer\"\nkey = \"id\"\n{more}[fields]\nemail = \"email\"\ndisplay_name = \"name\"\n"
    )
}

fn place(mapping: &str, rows: usize) -> Place {
    let place = Place::new();
    place.write("site.toml", SITE);
    place.write("people.toml", mapping);
    let mut lines = "id,email,name,firm\n".to_owned();
    for row in 1..=rows {
        let _ = writeln!(lines, "k{row},p{row}@example.com,Person {row},Acme");
    }
    place.write("people.csv", lines);
    place
}

fn routes(results: &Table) -> BTreeMap<String, usize> {
    let mut routes = BTreeMap::new();
    for route in results.column("route") {
        *routes.entry(route.to_owned()).or_default() += 1;
    }
    routes
}

/// The routes of a dozen rows, by themselves.
fn of_a_dozen(mapping: &str) -> String {
    let place = place(mapping, 12);
    let planned = planned(&place, "");
    place
        .load_people("people.csv --sandbox-seed site.toml")
        .expect(0);
    let taken = routes(&place.results("out.csv"));
    // the plan knew
    let expected = match taken.keys().next().map(String::as_str) {
        Some("single") => "bulk, single, auto: 12 rows by single calls",
        _ => "bulk",
    };
    assert_eq!(planned, expected);
    format!("{taken:?}")
}

/// The ways of which a plan says what they take.
fn planned(place: &Place, flags: &str) -> String {
    let said = place.run(&format!(
        "plan --quiet --target sandbox --mapping people.toml --input people.csv {flags}"
    ));
    let said = said.expect(0).stdout;
    let ways = said.lines().filter_map(|line| {
        let (way, cost) = line.trim().split_once(": about ")?;
        let way = match way {
            "by bulk requests" => "bulk",
            "by single calls" => "single",
            "with route = \"auto\"" => "auto",
            other => panic!("{other}"),
        };
        let mut parts = cost.split(", ");
        let rows = parts.find(|part| part.ends_with(" by single calls"));
        Some(rows.map_or_else(|| way.to_owned(), |rows| format!("{way}: {rows}")))
    });
    ways.collect::<Vec<_>>().join(", ")
}

#[test]
fn a_plan_names_no_way_that_the_job_rules_out() {
    let place = place(&mapping("operation = \"create\"\n"), 12);
    assert_eq!(planned(&place, "--route bulk"), "bulk");
    assert_eq!(planned(&place, "--route single"), "single");
    // what is assumed is about these alone
    for (route, unsaid) in [("bulk", "single call"), ("single", "task")] {
        let plan = format!(
            "plan --quiet --target sandbox --mapping people.toml --input people.csv --route {route}"
        );
        let said = place.run(&plan).expect(0).stdout;
        assert!(!said.contains(unsaid) && !said.contains("auto"), "{said}");
    }
}

#[test]
fn few_rows_go_by_calls_unless_these_cannot_do_what_a_bulk_request_does() {
    let found = "key_detail = \"External ID\"\n";
    let created = "operation = \"create\"\n";
    let joined = "[organizations]\nnames = \"firm\"\n";
    let single = r#"{"single": 12}"#;
    let bulk = r#"{"bulk": 12}"#;
    assert_eq!(of_a_dozen(&mapping(created)), single);
    assert_eq!(of_a_dozen(&mapping(found)), single);
    // nobody could tell whether the site has them already
    assert_eq!(of_a_dozen(&mapping("")), bulk);
    // no call makes an existing customer a member of an organization
    assert_eq!(of_a_dozen(&format!("{}{joined}", mapping(found))), bulk);
    assert_eq!(of_a_dozen(&format!("{}{joined}", mapping(created))), single);
}

#[test]
fn a_load_that_takes_both_routes_and_is_killed_again_and_again_says_what_the_site_holds() {
    let place = place(
        &mapping("operation = \"create\"\nkey_detail = \"External ID\"\n"),
        ROWS,
    );
    let site = Sandbox::serve(
        &place,
        "--seed site.toml --state-dir site --policy live-2026 --time-scale 20 --set failed_applied=0",
    );
    let job = format!(
        "{}[auth]\nmethod = \"basic\"\n[state]\ndir = \"state\"\n[limits]\nrequests_per_second = 1000\n\
         [contract]\nread_patience = \"1s\"\n[[stage]]\n\
         mapping = \"people.toml\"\ninput = \"people.csv\"\nresults = \"out.csv\"\n",
        site.site_table()
    );
    place.write("job.toml", job);
    // the first kill meets a bulk request under way: its three rows take most of a second
    for writes in [1, 150, 300] {
        let mut loader = place.start_with("load job.toml --quiet", &CREDENTIALS);
        wait_for("writes", || {
            assert!(loader.runs(), "it ended before it was killed");
            (site.count("writes") >= writes).then_some(())
        });
        loader.kill();
    }
    let said = place
        .run_with("load job.toml --quiet", &CREDENTIALS)
        .expect(0)
        .stdout;

    let results = place.results("out.csv");
    results.expect_rows(ROWS);
    assert_eq!(results.counts(), [("loaded".to_owned(), ROWS)].into());
    let counts = routes(&results);
    assert_eq!(counts.keys().collect::<Vec<_>>(), ["bulk", "single"]);
    let line = format!(
        "  {} rows by bulk requests, {} by single calls\n",
        counts["bulk"], counts["single"]
    );
    assert!(said.contains(&line), "{line}{said}");

    // each was created once, and on the route that its result tells
    let created = site.audit().into_iter().filter(|write| {
        write.entity == "customer" && write.operation.eq_ignore_ascii_case("create")
    });
    let created: Vec<_> = created.collect();
    let keys: BTreeSet<_> = created.iter().map(|write| write.key.as_str()).collect();
    assert_eq!((created.len(), keys.len()), (ROWS, ROWS));
    let by_bulk: BTreeSet<_> = created
        .iter()
        .filter(|write| write.request.is_some())
        .map(|write| write.key.clone())
        .collect();
    let told: BTreeSet<_> = results
        .column("key")
        .into_iter()
        .zip(results.column("route"))
        .filter(|(_, route)| *route == "bulk")
        .map(|(key, _)| format!("p{}@example.com", &key[1..]))
        .collect();
    assert_eq!(told, by_bulk);
}
