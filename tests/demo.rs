//! The job of `make demo`: all four datasets, in three formats, into the embedded sandbox, twice.

use crate::support::place::Place;
use crate::support::repository;
use crate::support::sandbox::{Sandbox, Write};
use crate::support::table::Table;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

const STAGES: [(&str, &str); 4] = [
    ("product", "products"),
    ("organization", "organizations"),
    ("customer", "customers"),
    ("entitlement", "entitlements"),
];

/// `samples/demo.toml`, moved to the place: state and results there, everything else in the repository.
fn job(place: &Place) {
    let text = fs::read_to_string(repository("samples/demo.toml")).expect("the job");
    let samples = format!("\"{}", repository("samples/"));
    let moved = text
        .replace("\"../target/demo/", "\"")
        .replace("\"../mappings/", &format!("\"{}", repository("mappings/")))
        .replace("\"site.toml", &format!("{samples}site.toml"))
        .replace("[\"", &format!("[{samples}"));
    assert!(!moved.contains("../"), "{moved}");
    place.write("demo.toml", moved);
}

/// What is expected of a dataset.
fn expected(name: &str) -> Table {
    Table::read(Path::new(&repository(&format!(
        "samples/expected/{name}.csv"
    ))))
}

/// Checks a results file cell by cell against the expected one of its name.
#[track_caller]
fn compare(results: &Table, name: &str) {
    let expected = expected(name);
    results.expect_rows(expected.rows.len());
    let columns: Vec<_> = expected.columns.iter().map(String::as_str).collect();
    let results = results.select(&columns);
    for (found, wanted) in results.rows.iter().zip(&expected.rows) {
        assert_eq!(found, wanted, "{name}");
    }
}

#[test]
fn the_demo_gives_the_expected_results_and_a_second_run_creates_nothing() {
    let place = Place::new();
    job(&place);
    let said = place.run("sandbox --state-dir state --seed samples/site.toml --seed-only");
    insta::assert_snapshot!(said.expect(0).stdout, @"detail fields: 49 made, 0 kept, organizations: 40 made, 0 kept, products: 4 made, 0 kept, customers: 0 made, 0 kept");
    let site = Sandbox::serve(&place, "--state-dir state");
    let seeded = site.audit().len();
    site.stop();

    place.run("load demo.toml").expect(4);
    for (_, name) in STAGES {
        compare(&place.results(&format!("{name}-results.csv")), name);
    }
    let site = Sandbox::serve(&place, "--state-dir state");
    let first: BTreeMap<_, _> = STAGES
        .map(|(_, name)| (name, site.records(name)))
        .into_iter()
        .collect();
    assert_eq!(site.count("customers"), 1_723);
    assert_eq!(site.count("products"), 12);
    let audit = site.audit();
    // entitlements have several writes a row, and profiles give products too
    for (entity, name) in STAGES
        .into_iter()
        .filter(|(entity, _)| *entity != "entitlement")
    {
        agrees(
            &audit[seeded..],
            &first[name],
            entity,
            &place.results(&format!("{name}-results.csv")),
        );
    }
    described(
        &first["entitlements"],
        &place.results("entitlements-results.csv"),
    );
    site.stop();

    place.run("load demo.toml").expect(4);
    for (_, name) in STAGES {
        let (first, again) = (
            expected(name),
            place.results(&format!("{name}-results.csv")),
        );
        let pairs = first
            .column("status")
            .into_iter()
            .zip(again.column("status"));
        for (first, again) in pairs {
            let unchanged = matches!(first, "loaded" | "unchanged");
            assert_eq!(again, if unchanged { "unchanged" } else { first }, "{name}");
        }
    }

    let site = Sandbox::serve(&place, "--state-dir state");
    for (_, name) in STAGES {
        assert!(
            site.records(name) == first[name],
            "{name} changed by a second run"
        );
    }
    assert_eq!(site.audit().len(), audit.len(), "nothing is written twice");
}

/// Checks that the site wrote the rows that the results call loaded, each once, and no other.
#[track_caller]
fn agrees(audit: &[Write], records: &BTreeMap<String, Value>, entity: &str, results: &Table) {
    let of_entity: Vec<_> = audit
        .iter()
        .filter(|write| write.entity == entity)
        .collect();
    let cells = results
        .column("key")
        .into_iter()
        .zip(results.column("status"));
    let loaded: Vec<_> = cells.filter(|(_, status)| *status == "loaded").collect();
    assert_eq!(of_entity.len(), loaded.len(), "{entity}");
    if entity == "product" {
        // products do not carry their key to the site
        return;
    }
    let mut written: Vec<_> = of_entity
        .iter()
        .map(|write| external_id(&records[&write.key]))
        .collect();
    let mut loaded: Vec<_> = loaded.into_iter().map(|(key, _)| key).collect();
    written.sort_unstable();
    loaded.sort_unstable();
    let apart = written
        .iter()
        .zip(&loaded)
        .find(|(written, loaded)| written != loaded);
    assert_eq!(apart, None, "{entity}");
}

/// Checks that each row that loaded has its entitlement, which the results name, and that no two rows have the same.
#[track_caller]
fn described(records: &BTreeMap<String, Value>, results: &Table) {
    let seats = |record: &Value| {
        let mut details = record["details"].as_array().expect("details").iter();
        details.any(|detail| detail["name"] == "Seats")
    };
    let described = records.values().filter(|record| seats(record));
    let mut described: Vec<_> = described
        .map(|record| record["id"].as_str().expect("an id"))
        .collect();
    // of a row that was refused in part the rest is there as well
    let mut named: Vec<_> = results.column("remote_id");
    named.retain(|id| !id.is_empty());
    described.sort_unstable();
    named.sort_unstable();
    assert_eq!(described, named);
}

/// The detail field that the mappings write the key to.
fn external_id(record: &Value) -> &str {
    let mut details = record["details"].as_array().expect("details").iter();
    let id = details.find(|detail| detail["name"] == "External ID");
    // a row may have no key
    id.and_then(|id| id["values"][0].as_str())
        .unwrap_or_default()
}
