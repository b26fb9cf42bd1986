//! What the committed samples promise: they are what the generator writes, the formats agree with each other, and
//! expected results, mappings and README agree with what was planted.

use super::*;
use crate::customers::faults;
use crate::expected::{Answer, Planted};
use crate::tables::{Table, Values};
use arrow::array::{Array, AsArray};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use arrow::ipc::reader::{FileReader, StreamReader};
use arrow::record_batch::RecordBatch;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::io::Cursor;

/// Name, table, and what was planted, of each dataset.
fn datasets() -> [(&'static str, Table, Vec<Planted>); 3] {
    let organizations = Organizations::new(SEED);
    let customers = Block::new(SEED, 0, &organizations.directory());
    let products = Products::new();
    [
        ("products", products.table(), products.planted),
        (
            "organizations",
            organizations.table(),
            organizations.planted,
        ),
        ("customers", customers.table(), customers.planted),
    ]
}

/// Entitlements, which are CSV alone.
fn entitlements() -> Entitlements {
    let organizations = Organizations::new(SEED);
    let directory = organizations.directory();
    let customers = Block::new(SEED, 0, &directory);
    Entitlements::new(SEED, &customers, &directory)
}

/// The repository's folder of this name.
fn repository(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// A committed sample.
fn sample(name: &str) -> Vec<u8> {
    fs::read(repository("samples").join(name)).unwrap()
}

/// A committed file of text.
fn text(name: &str) -> String {
    fs::read_to_string(repository(name)).unwrap()
}

/// The records of a committed CSV file, header first.
fn csv_records(name: &str, delimiter: u8) -> Vec<Vec<String>> {
    let bytes = sample(name);
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&bytes);
    csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .has_headers(false)
        .from_reader(bytes)
        .records()
        .map(|record| record.unwrap().iter().map(str::to_owned).collect())
        .collect()
}

/// Header and rows of record batches, each cell as the CSV file should show it.
fn batch_records(batches: &[RecordBatch]) -> Vec<Vec<String>> {
    let header = batches[0]
        .schema()
        .fields()
        .iter()
        .map(|field| field.name().clone())
        .collect();
    let mut records = vec![header];
    for batch in batches {
        for row in 0..batch.num_rows() {
            records.push(
                batch
                    .columns()
                    .iter()
                    .map(|column| cell(column, row))
                    .collect(),
            );
        }
    }
    records
}

/// One cell of an Arrow array as text, read by Arrow's own casts.
fn cell(column: &dyn Array, row: usize) -> String {
    if column.is_null(row) {
        return String::new();
    }
    if let Some(list) = column.as_list_opt::<i32>() {
        let parts = list.value(row);
        let parts = parts
            .as_string::<i32>()
            .iter()
            .flatten()
            .collect::<Vec<_>>();
        return parts.join(";");
    }
    let one = match column.data_type() {
        // without a database of time zones Arrow shows offsets only
        DataType::Timestamp(unit, Some(zone)) if &**zone == "UTC" => {
            let offset = DataType::Timestamp(*unit, Some("+00:00".into()));
            cast(&column.slice(row, 1), &offset).unwrap()
        }
        _ => column.slice(row, 1),
    };
    let shown = cast(&one, &DataType::Utf8).unwrap();
    let shown = shown.as_string::<i32>().value(0).to_owned();
    match column.data_type() {
        DataType::Decimal128(..) => shown.trim_end_matches('0').trim_end_matches('.').to_owned(),
        _ => shown,
    }
}

/// The batches of a committed Parquet file.
fn parquet_batches(name: &str) -> Vec<RecordBatch> {
    let file = File::open(repository("samples").join(name)).unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(file)
        .unwrap()
        .build()
        .unwrap();
    reader.map(Result::unwrap).collect()
}

/// The batches of a committed Arrow file or stream.
fn arrow_batches(name: &str) -> Vec<RecordBatch> {
    let bytes = sample(name);
    if bytes.starts_with(b"ARROW1") {
        FileReader::try_new(Cursor::new(bytes), None)
            .unwrap()
            .map(Result::unwrap)
            .collect()
    } else {
        StreamReader::try_new(Cursor::new(bytes), None)
            .unwrap()
            .map(Result::unwrap)
            .collect()
    }
}

/// How many rows end in each status and carry each code.
fn counts(answers: &[Answer]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for answer in answers {
        *counts.entry(answer.status.to_owned()).or_default() += 1;
        for code in answer.code.split("; ").filter(|code| !code.is_empty()) {
            *counts.entry(code.to_owned()).or_default() += 1;
        }
    }
    counts
}

#[test]
fn the_committed_files_are_what_the_generator_writes() {
    let directory = tempfile::tempdir().unwrap();
    let arguments = parse([directory.path().display().to_string()].into_iter()).unwrap();
    run(&arguments).unwrap();
    for (name, _) in samples(SEED).unwrap() {
        let made = fs::read(directory.path().join(name)).unwrap();
        assert!(
            made == sample(name),
            "{name} differs; run the generator again"
        );
    }
}

#[test]
fn the_three_formats_hold_the_same_rows_in_the_same_order() {
    for (name, delimiter) in [
        ("products", b';'),
        ("organizations", b','),
        ("customers", b','),
    ] {
        let rows = csv_records(&format!("{name}.csv"), delimiter);
        assert_eq!(
            rows,
            batch_records(&parquet_batches(&format!("{name}.parquet"))),
            "{name}"
        );
        assert_eq!(
            rows,
            batch_records(&arrow_batches(&format!("{name}.arrow"))),
            "{name}"
        );
    }
}

#[test]
fn the_files_have_the_features_that_readers_must_cope_with() {
    let file = File::open(repository("samples/customers.parquet")).unwrap();
    let metadata = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
    assert!(metadata.metadata().num_row_groups() > 3);
    assert_eq!(
        metadata.metadata().file_metadata().created_by(),
        Some("csm-loader samples")
    );
    assert!(arrow_batches("customers.arrow").len() > 2);
    assert!(sample("customers.arrow").starts_with(b"ARROW1"));
    assert!(
        !sample("organizations.arrow").starts_with(b"ARROW1"),
        "a stream"
    );
    assert!(sample("organizations.csv").starts_with("\u{feff}".as_bytes()));
    let customers = String::from_utf8(sample("customers.csv")).unwrap();
    for feature in [
        "\r\n\"\"please",
        "👩🏽‍💻",
        "e\u{301}",
        "\u{200f}",
        "\"Smith, Jr.\"",
        "\n00",
    ] {
        assert!(customers.contains(feature), "{feature:?}");
    }
    let batch = &parquet_batches("customers.parquet")[0];
    let types: BTreeSet<String> = batch
        .schema()
        .fields()
        .iter()
        .map(|field| field.data_type().to_string())
        .collect();
    assert!(types.len() >= 7, "{types:?}");
}

#[test]
fn expected_results_have_one_row_for_each_row_of_the_source() {
    let entitlements = entitlements();
    let entitlements = ("entitlements", entitlements.table(), entitlements.planted);
    for (name, table, planted) in datasets().into_iter().chain([entitlements]) {
        let records = csv_records(&format!("expected/{name}.csv"), b',');
        assert_eq!(records.len(), table.rows() + 1);
        let Values::Text(keys) = &table.columns[0].1 else {
            panic!("the first column holds the key")
        };
        for (index, (record, key)) in records[1..].iter().zip(keys).enumerate() {
            assert_eq!(record[0], (index + 1).to_string());
            assert_eq!(record[1], key.clone().unwrap_or_default());
            assert_eq!(record[1], planted[index].key);
        }
    }
}

#[test]
fn every_kind_of_fault_is_planted_and_the_readme_counts_them() {
    let readme = text("samples/README.md");
    let mut codes = BTreeSet::new();
    let planted = datasets().map(|(name, _, planted)| (name, planted));
    let entitlements = ("entitlements", entitlements().planted);
    for (name, planted) in planted.into_iter().chain([entitlements]) {
        for (code, count) in counts(&settle(&planted)) {
            let line = format!("| {name} | `{code}` | {count} |");
            assert!(readme.contains(&line), "README.md lacks: {line}");
            codes.insert(code);
        }
    }
    for code in [
        "ALREADY_PRESENT",
        "BOOLEAN_INVALID",
        "CAST_INVALID",
        "CONTRACT_ENDED",
        "CUSTOMER_NOT_FOUND",
        "DATE_INVALID",
        "DUPLICATE_KEY",
        "EMAIL_INVALID",
        "NUMBER_INVALID",
        "OPTION_UNKNOWN",
        "ORGANIZATION_NOT_FOUND",
        "OWNER_AMBIGUOUS",
        "PARTLY_APPLIED",
        "PHONE_INVALID",
        "PRODUCT_NOT_FOUND",
        "REQUIRED_MISSING",
        "SEATS_NEGATIVE",
        "SITE_REJECTED",
        "TEST_ACCOUNT",
        "TOO_LONG",
        "TOO_SHORT",
        "URL_INVALID",
        "VALUE_UNMAPPED",
    ] {
        assert!(codes.contains(code), "{code} is planted nowhere");
    }
}

#[test]
fn expected_results_of_the_exports_have_one_row_for_each_of_theirs() {
    for name in ["hubspot-contacts", "salesforce-accounts", "zendesk-users"] {
        let rows = csv_records(&format!("exports/{name}.csv"), b',');
        let expected = csv_records(&format!("expected/{name}.csv"), b',');
        assert_eq!(expected[0], csv_records("expected/customers.csv", b',')[0]);
        assert_eq!(rows.len(), expected.len());
        for (number, (row, answer)) in rows.iter().zip(&expected).enumerate().skip(1) {
            assert_eq!(
                (&answer[0], &answer[1]),
                (&number.to_string(), &row[0]),
                "{name}"
            );
        }
    }
}

#[test]
fn the_options_of_the_mapping_are_those_that_the_generator_draws_from() {
    let mapping: toml::Table = text("mappings/customers.toml").parse().unwrap();
    for (detail, words) in [
        ("Preferred Language", customers::LANGUAGES),
        ("Channels", customers::CHANNELS),
    ] {
        let options = mapping["details"][detail]["options"].as_array().unwrap();
        let options: Vec<&str> = options
            .iter()
            .map(|option| option.as_str().unwrap())
            .collect();
        assert_eq!(options, words, "{detail}");
    }
}

#[test]
fn only_planted_rows_share_a_natural_key() {
    for (name, table, planted) in datasets() {
        let column = ["name", "account_name", "contact_email"];
        let keys = table
            .columns
            .iter()
            .find(|(name, _)| column.contains(name))
            .unwrap();
        let Values::Text(keys) = &keys.1 else {
            panic!("natural keys are text")
        };
        let mut seen = HashSet::new();
        for (key, planted) in keys.iter().zip(planted) {
            let folded = key.as_deref().unwrap_or_default().trim().to_lowercase();
            if planted.shared_key.is_none() && planted.reasons.is_empty() {
                assert!(
                    !folded.is_empty() && seen.insert(folded.clone()),
                    "{name}: {folded}"
                );
            }
        }
    }
}

#[test]
fn customers_that_load_name_organizations_and_products_that_the_site_will_have() {
    let site = text("samples/site.toml").to_lowercase();
    let mut known: HashSet<String> = HashSet::new();
    for (name, column) in [("organizations", 1), ("products", 1)] {
        let delimiter = if name == "products" { b';' } else { b',' };
        let rows = csv_records(&format!("{name}.csv"), delimiter);
        let expected = csv_records(&format!("expected/{name}.csv"), b',');
        for (row, answer) in rows.iter().zip(&expected) {
            if answer[2] == "loaded" {
                known.insert(row[column].trim().to_lowercase());
            }
        }
    }
    let rows = csv_records("customers.csv", b',');
    let expected = csv_records("expected/customers.csv", b',');
    for (row, answer) in rows.iter().zip(&expected).skip(1) {
        let names = row[9].split(';').chain([row[10].as_str()]);
        let missing: Vec<&str> = names
            .map(str::trim)
            .filter(|name| !name.is_empty())
            .filter(|name| {
                let name = name.to_lowercase();
                let quoted = format!("name = \"{}\"", name.replace('"', "\\\""));
                !known.contains(&name) && !site.contains(&quoted)
            })
            .collect();
        assert_eq!(
            missing.len(),
            answer[4].matches("_NOT_FOUND").count(),
            "row {}: {missing:?}",
            answer[0]
        );
    }
}

#[test]
fn reasons_stand_in_the_order_of_the_mapping_files_and_quote_their_rules() {
    for (name, _, planted) in datasets() {
        let mapping = text(&format!("mappings/{name}.toml"));
        let reasons = planted.iter().flat_map(|planted| &planted.reasons);
        let mut places = BTreeMap::new();
        for reason in reasons {
            let key = match (reason.code, reason.field) {
                (rule, "") => format!("\n{rule}"),
                (_, "organizations" | "products") => format!("\n[{}]", reason.field),
                ("CAST_INVALID", column) => format!("\n{column}"),
                (_, field) if reason.place < 20 => format!("\n{field}"),
                (_, detail) => format!("\n\"{detail}\""),
            };
            let at = mapping
                .find(&key)
                .unwrap_or_else(|| panic!("{name} lacks {key}"));
            assert_eq!(*places.entry(reason.place).or_insert(at), at, "{key}");
            if let Some(rule) = reason.message.strip_prefix("breaks the rule: ") {
                assert!(mapping.contains(&format!("{} = \"{rule}\"", reason.code)));
            }
        }
        assert!(places.values().is_sorted(), "{name}: {places:?}");
    }
}

#[test]
fn mappings_name_columns_of_their_files_and_fields_of_the_site() {
    let site: toml::Table = text("samples/site.toml").parse().unwrap();
    for (mapping, header, delimiter) in [
        ("customers", "customers.csv", b','),
        ("organizations", "organizations.csv", b','),
        ("products", "products.csv", b';'),
        ("entitlements", "entitlements.csv", b','),
        ("hubspot-contacts", "exports/hubspot-contacts.csv", b','),
        (
            "salesforce-accounts",
            "exports/salesforce-accounts.csv",
            b',',
        ),
        ("zendesk-users", "exports/zendesk-users.csv", b','),
    ] {
        let records = csv_records(header, delimiter);
        assert!(
            records
                .iter()
                .all(|record| record.len() == records[0].len()),
            "{header}"
        );
        let file: toml::Table = text(&format!("mappings/{mapping}.toml")).parse().unwrap();
        let columns: HashSet<&str> = records[0].iter().map(String::as_str).collect();
        for column in columns_of(&file) {
            assert!(
                columns.contains(column.as_str()),
                "{mapping}: no column {column}"
            );
        }
        let kind = format!("{}_detail", file["entity"].as_str().unwrap());
        let defined: HashSet<&str> = site
            .get(&kind)
            .and_then(toml::Value::as_array)
            .into_iter()
            .flatten()
            .map(|field| field["name"].as_str().unwrap())
            .collect();
        let written = file
            .get("details")
            .and_then(toml::Value::as_table)
            .into_iter()
            .flatten();
        let key_detail = file.get("key_detail").and_then(toml::Value::as_str);
        for detail in written.map(|(name, _)| name.as_str()).chain(key_detail) {
            assert!(
                defined.contains(detail),
                "{mapping}: the site lacks {detail}"
            );
        }
    }
}

/// The columns that a mapping names outside of SQL.
fn columns_of(mapping: &toml::Table) -> Vec<String> {
    let mut columns = vec![mapping["key"].as_str().unwrap().to_owned()];
    let section = |name: &str| {
        mapping
            .get(name)
            .and_then(toml::Value::as_table)
            .cloned()
            .unwrap_or_default()
    };
    columns.extend(section("columns").keys().cloned());
    let mut values: Vec<toml::Value> = Vec::new();
    for name in ["fields", "details"] {
        values.extend(section(name).into_iter().map(|(_, value)| value));
    }
    for name in ["organizations", "products"] {
        values.extend(section(name).remove("names"));
    }
    for value in values {
        let column = value.get("column").unwrap_or(&value);
        columns.extend(column.as_str().map(str::to_owned));
    }
    columns
}

#[test]
fn a_large_file_starts_with_the_committed_rows_and_repeats_the_faults() {
    let directory = tempfile::tempdir().unwrap();
    let words = ["--rows", "4100", "--only", "customers-csv"].map(str::to_owned);
    let path = directory.path().display().to_string();
    run(&parse([path].into_iter().chain(words)).unwrap()).unwrap();
    let large = fs::read(directory.path().join("customers.csv")).unwrap();
    assert!(large.starts_with(&sample("customers.csv")));
    let rows = csv::Reader::from_reader(large.as_slice()).into_records();
    assert_eq!(rows.map(Result::unwrap).count(), 4_100);
    let known = Organizations::new(SEED).directory();
    let (first, second) = (Block::new(SEED, 0, &known), Block::new(SEED, 1, &known));
    assert_eq!(
        counts(&settle(&first.planted)),
        counts(&settle(&second.planted))
    );
    let singles = faults::SINGLES
        .iter()
        .map(|(count, _)| count)
        .sum::<usize>();
    let grouped = faults::GROUPS
        .iter()
        .map(|group| group.count * group.size)
        .sum::<usize>();
    assert!(singles + grouped < BLOCK);
}

#[test]
fn arguments_that_make_no_sense_are_refused() {
    for words in [
        &["--rows", "5"][..],
        &["--only", "customers-csv"],
        &["--only", "products"],
        &["--rows", "many", "--only", "customers-csv"],
        &["--seed"],
        &["a", "b"],
        &["--what"],
    ] {
        assert!(
            parse(words.iter().map(ToString::to_string)).is_err(),
            "{words:?}"
        );
    }
    assert_eq!(
        parse(["out", "--seed", "7"].map(str::to_owned).into_iter()).unwrap(),
        Arguments {
            directory: "out".into(),
            seed: 7,
            rows: None
        }
    );
}
