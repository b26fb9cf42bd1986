//! Whole requests that are refused for one bad row.

use crate::support::place::Place;
use crate::support::sandbox::Sandbox;
use crate::support::scripted::CREDENTIALS;
use std::collections::BTreeSet;

/// Rows of the load, where no other number is asked for.
const ROWS: usize = 2_000;
/// Rows of one request.
const BATCH: usize = 100;
/// Requests that finding one bad row may cost: 2·log2(100) + 2, rounded down.
const MOST_FOR_ONE: usize = 15;

#[test]
fn one_bad_row_costs_few_requests_and_no_good_row() {
    let asked = std::env::var("CSM_LOADER_TEST_ROWS").ok();
    let rows = asked.map_or(ROWS, |rows| rows.parse().expect("a number of rows"));
    let place = Place::with_crowd(rows);
    let site = Sandbox::serve(
        &place,
        "--state-dir site --random-seed 7 --set poison=0.01 --set one_bad_item=refuses-request \
         --set task_micros=1000",
    );
    place.write(
        "job.toml",
        format!(
            "{}[auth]\nmethod = \"basic\"\n[state]\ndir = \"state\"\n[limits]\nroute = \"bulk\"\nrequests_per_second = 1000\nplatform_limits = false\n\
             [[stage]]\nmapping = \"people.toml\"\ninput = \"people.csv\"\nresults = \"out.csv\"\n",
            site.site_table()
        ),
    );
    place
        .run_with("load job.toml --quiet", &CREDENTIALS)
        .expect(4);
    let results = place.results("out.csv");
    results.expect_rows(rows);
    let written: BTreeSet<_> = site.audit().into_iter().map(|write| write.key).collect();
    let columns = ["key", "status", "code", "message"].map(|name| results.column(name));
    let mut bad = 0;
    for at in 0..rows {
        let [key, status, code, message] = columns.each_ref().map(|column| column[at]);
        match status {
            "loaded" => assert!(written.contains(key), "{key} is not there"),
            "failed" => {
                bad += 1;
                assert!(!written.contains(key), "{key} is there");
                assert!(
                    message.contains("Invalid detail field value"),
                    "{code}: {message}"
                );
            }
            other => panic!("{key} is {other}: {code}"),
        }
    }
    assert!((rows / 200..rows / 50).contains(&bad), "{bad} bad rows");
    let exchanges = place.exchanges();
    let writes = exchanges.iter().filter(|exchange| {
        let bulk = exchange.path.ends_with("/bulk");
        exchange.method == "POST" && (bulk || exchange.path.ends_with("/customer/profile"))
    });
    let (sent, least) = (writes.count(), rows.div_ceil(BATCH));
    println!(
        "{rows} rows, {bad} bad: {sent} requests, {} more than {least}",
        sent - least
    );
    assert!(
        sent <= least + bad * MOST_FOR_ONE,
        "{sent} requests for {bad} bad rows"
    );
}
