//! A site that misbehaves in every way it knows: each row's result is held against what the site really wrote.
//!
//! `CSM_LOADER_TEST_ROWS=20000 cargo test --test main -- hostile --nocapture` loads more, and prints the shares.

use crate::support::place::Place;
use crate::support::sandbox::{Sandbox, Write};
use crate::support::scripted::CREDENTIALS;
use crate::support::wait_for;
use serde_json::json;
use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;

/// Rows of a load, where no other number is asked for.
const ROWS: usize = 2_000;

const MAPPING: &str = "\
entity = \"customer\"\nkey = \"email\"\n[fields]\nemail = \"email\"\ndisplay_name = \"name\"\n\
[details]\n\"Region\" = \"region\"\n\"Tier\" = \"tier\"\n";

const SITE: &str = "\
[[customer_detail]]\nname = \"Region\"\ntype = \"TEXT\"\n\
[[customer_detail]]\nname = \"Tier\"\ntype = \"SELECT\"\noptions = [\"Free\", \"Premium\"]\n";

fn rows() -> usize {
    let asked = std::env::var("CSM_LOADER_TEST_ROWS").ok();
    asked.map_or(ROWS, |rows| rows.parse().expect("a number of rows"))
}

/// What a row sets: its name, and the details it has a value for. Some have none, and few a value of theirs that the
/// site does not know: failures that name nothing but a field then fit several rows, or one.
fn cells(row: usize) -> [String; 3] {
    let region = if row.is_multiple_of(3) { "EMEA" } else { "" };
    let tier = match row {
        row if row.is_multiple_of(97) => "Gold",
        row if row.is_multiple_of(70) => "Premium",
        _ => "",
    };
    [format!("Person {row}"), region.to_owned(), tier.to_owned()]
}

fn place(rows: usize) -> Place {
    let place = Place::new();
    let mut lines = "email,name,region,tier\n".to_owned();
    for row in 1..=rows {
        let _ = writeln!(lines, "p{row}@example.com,{}", cells(row).join(","));
    }
    place.write("people.csv", lines);
    place.write("people.toml", MAPPING);
    place.write("site.toml", SITE);
    place
}

/// What the site wrote, by key; it is asked once no task goes on.
fn written(site: &Sandbox) -> HashMap<String, Vec<Write>> {
    wait_for("the end of all tasks", || {
        (site.count("unfinishedTasks") == 0).then_some(())
    });
    let mut written: HashMap<_, Vec<_>> = HashMap::new();
    for write in site.audit() {
        if write.entity == "customer" {
            written.entry(write.key.clone()).or_default().push(write);
        }
    }
    written
}

/// Loads so many rows into a hostile site of this seed; what was found.
fn load(seed: u32, rows: usize) -> String {
    let place = place(rows);
    let site = Sandbox::serve(
        &place,
        &format!("--policy hostile --random-seed {seed} --seed site.toml --state-dir site"),
    );
    place.write(
        "job.toml",
        format!(
            "{}[auth]\nmethod = \"basic\"\n[state]\ndir = \"state\"\n[[stage]]\nmapping = \"people.toml\"\n\
             input = \"people.csv\"\nresults = \"out.csv\"\n",
            site.site_table()
        ),
    );
    place
        .run_with("load job.toml --quiet", &CREDENTIALS)
        .expect(4);

    let results = place.results("out.csv");
    results.expect_rows(rows);
    let written = written(&site);
    let mut shares: BTreeMap<(String, String), [usize; 2]> = BTreeMap::new();
    let columns = ["row", "key", "status", "code"].map(|name| results.column(name));
    for at in 0..rows {
        let [row, key, status, code] = columns.each_ref().map(|column| column[at]);
        let writes = written.get(key).map_or(&[][..], Vec::as_slice);
        assert!(writes.len() < 2, "seed {seed}: {key} was written twice");
        let share = shares.entry((status.to_owned(), code.to_owned()));
        share.or_default()[usize::from(!writes.is_empty())] += 1;
        match status {
            "loaded" => {
                let write = writes.first();
                let write = write.unwrap_or_else(|| panic!("seed {seed}: {key} is not there"));
                expect_content(&write.content, row.parse().expect("a row"), key);
            }
            "failed" => assert!(writes.is_empty(), "seed {seed}: {key} is there: {code}"),
            "unconfirmed" => {}
            other => panic!("seed {seed}: {key} is {other}: {code}"),
        }
    }
    assert!(written.keys().all(|key| columns[1].contains(&&**key)));
    let loader = site.violations();
    for never in [
        "insideSiteWait",
        "insideEndpointWait",
        "keysInTwoTasks",
        "repeatedWrites",
    ] {
        assert_eq!(loader[never], 0, "seed {seed}: {never} in {loader}");
    }
    let most = loader["mostUnfinishedTasks"].as_u64().expect("a number");
    assert!(most <= 5, "seed {seed}: {loader}");

    let mut told = format!("seed {seed}, {rows} rows\n");
    for ((status, code), [lacking, there]) in &shares {
        let share = 1_000 * (lacking + there) / rows;
        let _ = writeln!(
            told,
            "  {status} {code}: {share} ‰ ({there} there, {lacking} not)"
        );
    }
    let _ = writeln!(told, "  {loader}");
    told
}

/// That a write set what the row says, and nothing else.
fn expect_content(content: &serde_json::Value, row: usize, key: &str) {
    let [name, region, tier] = cells(row);
    let details = [("Region", region), ("Tier", tier)];
    let details: Vec<_> = details
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| json!({ "name": name, "values": [value] }))
        .collect();
    let mut expected = json!({ "email": key, "displayName": name });
    if !details.is_empty() {
        expected["details"] = details.into();
    }
    assert_eq!(*content, expected);
}

#[test]
fn no_result_says_more_than_the_site_holds_however_it_misbehaves() {
    for seed in [11, 23, 47] {
        println!("{}", load(seed, rows()));
    }
}
