//! The same rows in every input format give the same results, and results hold the same rows in every format.

use crate::support::place::Place;
use crate::support::repository;
use crate::support::table::{Table, read_csv};

/// Loads a sample, into a fresh site, with results in the file named.
fn load(place: &Place, state: &str, entity: &str, format: &str, flags: &str) {
    place
        .run(&format!(
            "load --quiet --route bulk --entity {entity} --mapping mappings/{entity}s.toml --input samples/{entity}s.{format} \
             --target sandbox --sandbox-seed samples/site.toml --state-dir {state} {flags}"
        ))
        .expect(4);
}

fn three_formats_agree(entity: &str) {
    let place = Place::new();
    let of = |format: &str| {
        let state = format!("state-{format}");
        load(
            &place,
            &state,
            entity,
            format,
            &format!("--results {format}.csv"),
        );
        place.results(&format!("{format}.csv"))
    };
    let [csv, parquet, arrow] = ["csv", "parquet", "arrow"].map(of);
    assert!(csv.counts()["loaded"] > 0 && csv.counts()["rejected"] > 0);
    let lines: Vec<u64> = csv
        .column("line")
        .iter()
        .map(|line| line.parse().unwrap())
        .collect();
    assert!(lines.is_sorted_by(|a, b| a < b), "lines ascend");
    for other in [&parquet, &arrow] {
        assert!(other.column("line").iter().all(|line| line.is_empty()));
        let (csv, other) = (csv.steady(), other.steady());
        for (csv, other) in csv.rows.iter().zip(&other.rows) {
            assert_eq!(csv, other);
        }
        assert_eq!(csv, other);
    }
}

#[test]
fn customers_have_the_same_results_from_csv_parquet_and_arrow() {
    three_formats_agree("customer");
}

#[test]
fn organizations_have_the_same_results_from_csv_parquet_and_arrow() {
    three_formats_agree("organization");
}

#[test]
fn products_have_the_same_results_from_csv_parquet_and_arrow() {
    three_formats_agree("product");
}

#[test]
fn results_hold_the_same_rows_as_csv_parquet_arrow_and_json_lines() {
    let place = Place::new();
    let of = |ending: &str| {
        let name = format!("out.{ending}");
        load(
            &place,
            &format!("state-{ending}"),
            "organization",
            "csv",
            &format!("--with-source --results {name}"),
        );
        place.results(&name)
    };
    let csv = of("csv");
    csv.expect_rows(150);
    let mut compared = csv.steady().columns;
    compared.extend(["source".to_owned(), "line".to_owned()]);
    let compared: Vec<_> = compared.iter().map(String::as_str).collect();
    for ending in ["parquet", "arrow", "jsonl"] {
        let other = of(ending);
        let mut columns = (other.columns.clone(), csv.columns.clone());
        columns.0.sort();
        columns.1.sort();
        assert_eq!(columns.0, columns.1, "{ending}");
        assert_eq!(other.select(&compared), csv.select(&compared), "{ending}");
        assert!(
            other
                .column("finished_at")
                .iter()
                .all(|time| time.len() == 24 && time.ends_with('Z')),
            "{ending}"
        );
    }
}

/// The source's own cells, as another reader of CSV sees them.
fn source_of(file: &str, delimiter: u8) -> Table {
    let path = repository(file);
    let reader = csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .from_path(path);
    let mut table = read_csv(reader.expect("the sample"));
    if let Some(first) = table.columns.first_mut() {
        *first = first.trim_start_matches('\u{feff}').to_owned();
    }
    for column in &mut table.columns {
        *column = format!("src.{column}");
    }
    table
}

#[test]
fn with_source_repeats_every_cell_as_it_stands_in_the_file() {
    let place = Place::new();
    for (entity, delimiter) in [
        ("customer", b','),
        ("organization", b','),
        ("product", b';'),
    ] {
        let out = format!("{entity}.csv");
        load(
            &place,
            &format!("state-{entity}"),
            entity,
            "csv",
            &format!("--with-source --results {out}"),
        );
        let source = source_of(&format!("samples/{entity}s.csv"), delimiter);
        let columns: Vec<_> = source.columns.iter().map(String::as_str).collect();
        let found = place.results(&out).select(&columns);
        for (found, wanted) in found.rows.iter().zip(&source.rows) {
            assert_eq!(found, wanted, "{entity}");
        }
        assert_eq!(found.rows.len(), source.rows.len());
    }
    let customers = source_of("samples/customers.csv", b',');
    let holds = |what: &str| {
        customers
            .rows
            .iter()
            .flatten()
            .any(|cell| cell.contains(what))
    };
    assert!(
        ["\n", "\r\n", "\"", ";", "\t"].into_iter().all(holds),
        "the sample shows what it should"
    );
}

#[test]
fn with_source_renders_typed_columns_and_lists_as_a_csv_file_would_hold_them() {
    let place = Place::new();
    let source = source_of("samples/customers.csv", b',');
    for format in ["parquet", "arrow"] {
        let out = format!("{format}.csv");
        load(
            &place,
            &format!("state-{format}"),
            "customer",
            format,
            &format!("--with-source --results {out}"),
        );
        let results = place.results(&out);
        for column in [
            "src.crm_id",
            "src.contact_email",
            "src.phone",
            "src.notes",
            "src.account_name",
            "src.signed_at",
        ] {
            assert_eq!(
                results.column(column),
                source.column(column),
                "{format} {column}"
            );
        }
        let channels = results.column("src.channels");
        assert!(
            channels
                .iter()
                .any(|cell| cell.contains("Mail") && cell.contains("Chat")),
            "{format}"
        );
        assert_eq!(channels.len(), source.rows.len());
    }
}
