//! Malformed inputs: what each one says, how the run ends, and that nothing is sent or lost silently.

use crate::support::place::{PEOPLE, Place};
use crate::support::repository;
use crate::support::sandbox::Sandbox;
use flate2::Compression;
use flate2::write::GzEncoder;
use insta::assert_snapshot;
use std::fmt::Write as _;
use std::io::Write as _;

/// Loads an input that cannot be opened: the message; nothing was sent and no results were written.
fn refused(place: &Place, input_and_flags: &str) -> String {
    let ended = place.load_people(input_and_flags).expect(3);
    untouched(place);
    assert_eq!(ended.stdout, "");
    ended.stderr
}

#[track_caller]
fn untouched(place: &Place) {
    assert!(!place.has("out.csv"), "results of a run that never began");
    let site = Sandbox::serve(place, "--state-dir state");
    assert_eq!((site.count("writes"), site.count("tasks")), (0, 0));
    site.stop();
}

/// A place with the mapping and a file of these bytes.
fn with_file(name: &str, bytes: impl AsRef<[u8]>) -> Place {
    let place = Place::new();
    place.write("people.toml", PEOPLE);
    place.write(name, bytes);
    place
}

#[test]
fn malformed_records_are_rejected_with_their_line_and_the_rest_loads() {
    let mut bytes = b"email,name\r\n\
        a@example.com,\"two\r\nlines\"\r\n\
        short@example.com\r\n\
        \r\n\
        long@example.com,Long,one too many\r\n\
        bad@example.com,M\xfcller\r\n\
        b@example.com,Bob\r\n\
        quote@example.com,\"never closed\r\n\
        c@example.com,Carol\r\n"
        .to_vec();
    bytes.extend_from_slice("d@example.com,Żaneta".as_bytes());
    let place = with_file("people.csv", bytes);
    place.load_people("people.csv").expect(4);
    assert_snapshot!(place.results("out.csv").told(), @"
    1 | 2 | a@example.com | loaded
    2 | 4 |  | rejected | CSV_TOO_FEW_FIELDS |  | 1 fields; the header has 2
    3 | 6 |  | rejected | CSV_TOO_MANY_FIELDS |  | 3 fields; the header has 2
    4 | 7 |  | rejected | ENCODING_INVALID |  | not valid UTF-8 at byte 18 of the record
    5 | 8 | b@example.com | loaded
    6 | 9 |  | rejected | CSV_UNCLOSED_QUOTE |  | a quoted cell that starts in this record is never closed
    7 | 10 | c@example.com | loaded
    8 | 11 | d@example.com | loaded
    ");
    let site = Sandbox::serve(&place, "--state-dir state");
    let loaded: Vec<_> = site.records("customers").into_keys().collect();
    assert_eq!(
        loaded,
        [
            "a@example.com",
            "b@example.com",
            "c@example.com",
            "d@example.com"
        ]
    );
}

#[test]
fn check_tells_the_same_without_a_site() {
    let place = with_file(
        "people.csv",
        "email,name\na@example.com,Ana\nb@example.com\nc,\"C\n",
    );
    let ended = place
        .run("check --quiet --state-dir state --mapping people.toml --input people.csv")
        .expect(4);
    assert_snapshot!(place.results("people-rejected.csv").told(), @"
    2 | 3 |  | rejected | CSV_TOO_FEW_FIELDS |  | 1 fields; the header has 2
    3 | 4 |  | rejected | CSV_UNCLOSED_QUOTE |  | a quoted cell that starts in this record is never closed
    ");
    let told = ended.stdout.split_once(" in ").map(|(rows, _)| rows);
    assert_eq!(told, Some("customer: 3 rows checked"));
    assert!(!place.path("state/sandbox").exists());
}

#[test]
fn a_record_beyond_max_record_is_an_error_of_the_file() {
    let large = "x".repeat(3_000);
    let place = with_file(
        "people.csv",
        format!("email,name\na@example.com,Ana\nb@example.com,{large}\nc@example.com,Carol\n"),
    );
    let ended = place
        .load_people("people.csv --csv-max-record 2KiB")
        .expect(5);
    assert_snapshot!(ended.steady(), @"
    customer: 1 row in …
      loaded       0
      not_sent     1
      most frequent codes, each with an example:
        1  RUN_STOPPED  people.csv line 2: people.csv, line 3: the record that starts here is larger than max_record = 2KiB; close the quote if one is open on this…
      results: out.csv

    1 row in …: 1 not_sent
    stopped early: people.csv, line 3: the record that starts here is larger than max_record = 2KiB; close the quote if one is open on this line, or raise max_record
    what each code means and what to do: csm-loader codes
    ");
    assert_snapshot!(place.results("out.csv").told(), @"1 | 2 | a@example.com | not_sent | RUN_STOPPED |  | people.csv, line 3: the record that starts here is larger than max_record = 2KiB; close the quote if one is open on this line, or raise max_record");
    let site = Sandbox::serve(&place, "--state-dir state");
    assert_eq!(site.count("writes"), 0);
}

#[test]
fn the_search_for_a_closing_quote_ends_at_max_record() {
    let mut text = String::from("email,name\na@example.com,Ana\nquote@example.com,\"open\n");
    for row in 0..500 {
        let _ = writeln!(text, "p{row}@example.com,Person {row}");
    }
    let place = with_file("people.csv", text);
    let ended = place
        .load_people("people.csv --csv-max-record 2KiB")
        .expect(5);
    assert_snapshot!(ended.steady(), @"
    customer: 1 row in …
      loaded       0
      not_sent     1
      most frequent codes, each with an example:
        1  RUN_STOPPED  people.csv line 2: people.csv, line 3: the record that starts here is larger than max_record = 2KiB; close the quote if one is open on this…
      results: out.csv

    1 row in …: 1 not_sent
    stopped early: people.csv, line 3: the record that starts here is larger than max_record = 2KiB; close the quote if one is open on this line, or raise max_record
    what each code means and what to do: csm-loader codes
    ");
    let site = Sandbox::serve(&place, "--state-dir state");
    assert_eq!(site.count("writes"), 0);
    drop(site);
    // with room for the look-ahead the record is rejected and the rest loads
    place.load_people("people.csv").expect(4);
    assert_eq!(
        place.results("out.csv").counts(),
        [("loaded".to_owned(), 501), ("rejected".to_owned(), 1)].into()
    );
}

#[test]
fn a_truncated_parquet_file_is_refused() {
    let bytes = std::fs::read(repository("samples/customers.parquet")).unwrap();
    let place = with_file("people.parquet", &bytes[..bytes.len() / 2]);
    assert_snapshot!(refused(&place, "people.parquet"), @"error: people.parquet: the Parquet footer cannot be read; the file is truncated or damaged: copy or export it again (Parquet error: Invalid Parquet file. Corrupt footer)");
}

#[test]
fn what_is_not_parquet_or_arrow_is_refused() {
    let place = with_file("people.parquet", "email,name\na@example.com,Ana\n");
    assert_snapshot!(refused(&place, "people.parquet"), @"error: people.parquet: this is not a Parquet file: it does not begin like one; export it again, or name its format (--format)");
    let place = with_file("people.arrow", "email,name\na@example.com,Ana\n");
    assert_snapshot!(refused(&place, "people.arrow"), @"error: people.arrow: this is not an Arrow IPC file or stream: it does not begin like one; export it again, or name its format (--format)");
    let place = with_file("people.bin", "email,name\na@example.com,Ana\n");
    assert_snapshot!(refused(&place, "people.bin --format arrow"), @"error: people.bin: this is not an Arrow IPC file or stream: it does not begin like one; export it again, or name its format (--format)");
    assert_snapshot!(refused(&place, "people.bin --format parquet"), @"error: people.bin: this is not a Parquet file: it does not begin like one; export it again, or name its format (--format)");
}

#[test]
fn a_truncated_arrow_file_is_refused() {
    let bytes = std::fs::read(repository("samples/customers.arrow")).unwrap();
    let place = with_file("people.arrow", &bytes[..bytes.len() / 2]);
    assert_snapshot!(refused(&place, "people.arrow"), @"error: people.arrow: the Arrow IPC footer cannot be read; the file is truncated or damaged: copy or export it again (Parser error: Arrow file does not contain correct footer)");
}

#[test]
fn a_column_that_the_input_lacks_is_named_by_the_mapping() {
    let place = with_file("people.csv", "e-mail,name\na@example.com,Ana\n");
    assert_snapshot!(refused(&place, "people.csv"), @r#"
    error: unknown column "email"
     --> people.toml:2:7
      |
    2 | key = "email"
      |       ^^^^^^^
      |
      = help: did you mean "e-mail"?

    error: unknown column "email"
     --> people.toml:4:9
      |
    4 | email = "email"
      |         ^^^^^^^
      |
      = help: did you mean "e-mail"?

    note: the columns are those of people.csv
    "#);
}

#[test]
fn headers_that_cannot_be_used_are_refused() {
    let place = with_file("people.csv", "email,name,email\na@example.com,Ana,b\n");
    assert_snapshot!(refused(&place, "people.csv"), @r#"error: people.csv, line 1: the header names "email" twice: columns 1 and 3; rename or remove all but one"#);
    let place = with_file("people.csv", "email,,name\na@example.com,x,Ana\n");
    assert_snapshot!(refused(&place, "people.csv"), @"error: people.csv, line 1: the header has no name for column 2; name every column, or remove the surplus delimiters");
    let place = with_file("people.csv", "");
    assert_snapshot!(refused(&place, "people.csv"), @"error: people.csv: the file is empty: it has no header; export it again, take it out of the inputs, or give the columns' names (--csv-columns)");
    let place = with_file("people.csv", b"email,n\xe4me\na@example.com,Ana\n");
    assert_snapshot!(refused(&place, "people.csv"), @r#"error: people.csv, line 1: the header is not valid UTF-8 at byte 8 of the record; save the file as UTF-8, or name its encoding (--csv-encoding, or encoding = "windows-1252")"#);
}

#[test]
fn files_that_disagree_are_refused() {
    let place = with_file("a.csv", "email,name\na@example.com,Ana\n");
    place.write("b.csv", "email,title\nb@example.com,Dr\n");
    assert_snapshot!(refused(&place, "a.csv b.csv"), @r#"
    error: b.csv: column "name" is missing; a.csv has it; export both with the same columns, or load them apart
    error: b.csv: column "title" is surplus; a.csv does not have it; export both with the same columns, or load them apart
    "#);
}

#[test]
fn an_input_that_is_not_there_is_named() {
    let place = with_file("a.csv", "email,name\n");
    assert_snapshot!(refused(&place, "people-*.csv"), @"error: people-*.csv: no file matches; check the pattern and the folder that it starts from");
    assert_snapshot!(refused(&place, "peple.csv"), @"error: peple.csv: there is no such file; check its name and the folder that it starts from");
    std::fs::create_dir(place.path("empty")).unwrap();
    assert_snapshot!(refused(&place, "empty"), @"error: empty: the directory holds no data file (csv, tsv, txt, parquet, pq, arrow, feather, ipc or arrows; also .gz, .zst); name its files, or another directory");
    assert_snapshot!(refused(&place, "a.csv a.csv"), @"error: a.csv: it is named twice; its rows would load twice; name it once");
}

#[test]
fn a_header_without_rows_loads_nothing_and_says_so() {
    let place = with_file("people.csv", "email,name\n");
    let ended = place.load_people("people.csv").expect(0);
    assert_snapshot!(ended.steady(), @"
    customer: 0 rows in …
      loaded       0
      results: out.csv

    0 rows in …: nothing to do
    ");
    place.results("out.csv").expect_rows(0);
    let written = place.read("out.csv");
    assert!(
        written.starts_with("run,row,source,line,entity,key,status,"),
        "{written}"
    );
    assert_eq!(written.lines().count(), 1);
}

/// So many people in a gzip file, cut in the middle. Not compressed, so that the cut does not depend on the compressor.
fn cut_gzip() -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::none());
    encoder.write_all(b"email,name\n").unwrap();
    for row in 0..5_000 {
        writeln!(encoder, "p{row}@example.com,Person {row}").unwrap();
    }
    let bytes = encoder.finish().unwrap();
    bytes[..bytes.len() / 2].to_vec()
}

#[test]
fn a_truncated_gzip_file_ends_the_run_with_every_row_that_was_read_accounted_for() {
    let place = with_file("people.csv.gz", cut_gzip());
    let ended = place.load_people("people.csv.gz").expect(5);
    assert_snapshot!(ended.steady(), @"
    customer: 2,536 rows in …
      loaded           0
      not_sent     2,536
      most frequent codes, each with an example:
        2,536  RUN_STOPPED  people.csv.gz line 2: people.csv.gz, line 2538: the file cannot be read beyond this record; it is damaged or incomplete: copy or export it aga…
      results: out.csv

    2,536 rows in …: 2,536 not_sent
    stopped early: people.csv.gz, line 2538: the file cannot be read beyond this record; it is damaged or incomplete: copy or export it again: incomplete deflate stream
    what each code means and what to do: csm-loader codes
    ");
    let results = place.results("out.csv");
    let rows = results.rows.len();
    results.expect_rows(rows);
    let counts = results.counts();
    assert!((1_000..4_000).contains(&rows), "{rows}");
    let site = Sandbox::serve(&place, "--state-dir state");
    let loaded = counts.get("loaded").copied().unwrap_or_default();
    assert_eq!(site.count("customers"), loaded as u64);
    assert_eq!(loaded + counts["not_sent"], rows);
}

#[test]
fn check_of_a_truncated_gzip_file_is_an_error_of_the_input() {
    let place = with_file("people.csv.gz", cut_gzip());
    let ended = place
        .run("check --quiet --state-dir state --mapping people.toml --input people.csv.gz")
        .expect(3);
    assert_snapshot!(ended.said(), @"error: people.csv.gz, line 2538: the file cannot be read beyond this record; it is damaged or incomplete: copy or export it again: incomplete deflate stream");
}

#[test]
fn a_damaged_parquet_page_ends_the_run_with_every_row_that_was_read_accounted_for() {
    let mut bytes = std::fs::read(repository("samples/customers.parquet")).unwrap();
    // inside the last row group's data, far from the footer
    let middle = bytes.len() * 3 / 4;
    for byte in &mut bytes[middle..middle + 64] {
        *byte ^= 0x5a;
    }
    let place = Place::new();
    place.write("customers.parquet", bytes);
    let ended = place.run(
        "load --quiet --mapping mappings/customers.toml --input customers.parquet --target sandbox \
         --sandbox-seed samples/site.toml --state-dir state --results out.csv",
    );
    let ended = ended.expect(5);
    assert!(
        ended.stdout.contains("customers.parquet"),
        "{}",
        ended.stdout
    );
    let results = place.results("out.csv");
    results.expect_rows(results.rows.len());
    assert!(results.rows.len() < 2_000);
    let site = Sandbox::serve(&place, "--state-dir state");
    let loaded = results.counts().get("loaded").copied().unwrap_or_default();
    assert_eq!(site.count("customers"), loaded as u64);
}
